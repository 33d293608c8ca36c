"""A model's configuration: what can be said of it before its weights are read."""

from typing import Any

from analyses.errors import InputError
from analyses.models.quiet import first_line, quiet_transformers
from analyses.models.sizes import refuse_sizes
from analyses.models.sources import ModelFolder, missing_library

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")


def load_configuration(folder: ModelFolder) -> Any:
    """The transformers configuration of a model with one stack of blocks.

    Raises
    ------
    InputError
        The architecture is unknown to this transformers, an encoder-decoder, or stored in quantised form; or it is larger than any is.
    MissingError
        transformers is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise missing_library(error) from error
    try:
        with quiet_transformers():
            config = transformers.AutoConfig.from_pretrained(folder.path, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # transformers raises whatever a value of another type leads it to.
        raise InputError(
            f"model {folder.name}: its config.json cannot be read by transformers {transformers.__version__}: {first_line(error)}"
        ) from error
    refuse_sizes(config, folder.name)
    if getattr(config, "is_encoder_decoder", False):
        raise InputError(
            f"model {folder.name} ({config.model_type}) is an encoder-decoder: it has two stacks of layers; use a model with one"
        )
    if getattr(config, "quantization_config", None) is not None:
        raise InputError(f"model {folder.name}: its weights are quantised, which changes the activations; use the unquantised model")
    return config


def context_length(config: Any) -> int | None:
    """The most tokens that the model's positions allow; None where nothing limits them (for example ALiBi)."""
    text = config.get_text_config()
    if text.model_type == "bloom":  # ALiBi: `seq_length` is how long the training texts were, not a limit.
        return None
    length = next((value for key in _CONTEXT_KEYS if isinstance(value := getattr(text, key, None), int) and value > 0), None)
    if length is not None and "roberta" in text.model_type:  # Positions are counted from the padding index on.
        length -= (text.pad_token_id or 0) + 1
    return length
