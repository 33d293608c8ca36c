"""A text as the model's tokenizer cuts it."""

from dataclasses import dataclass
from typing import Any

from analyses.errors import InputError
from analyses.installation import install_line
from analyses.kept import kept
from analyses.models.configuration import context_length, load_configuration
from analyses.models.quiet import first_line, quiet_transformers
from analyses.models.settings import ModelSettings
from analyses.models.sources import ModelFolder, resolve

# What stands for a space in the tokens of SentencePiece and of byte-level tokenizers.
_SPACE_SIGNS = "▁Ġ "
# By any of these transformers finds a tokenizer.
_TOKENIZER_FILES = {"tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tekken.json"}


@dataclass(frozen=True)
class Tokens:
    """A tokenised text, special tokens included.

    Attributes
    ----------
    ids
        The tokens' indices in the vocabulary.
    pieces
        What each token stands for in the text (with its leading space); a special token's own name.
        Tokens that hold only some bytes of one character show the whole character.
    offsets
        Start and end of each token in the text, in characters; equal for a special token.
    context_length
        The most tokens that the model takes; None where nothing limits them.
    unknown
        The indices of the tokens that stand for what the tokenizer does not know ([UNK]).
    """

    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    context_length: int | None
    unknown: frozenset[int] = frozenset()


def tokenize(settings: ModelSettings, text: str) -> Tokens:
    """Cut `text` with the model's own tokenizer, with the special tokens that the model expects.

    Raises
    ------
    InputError
        The text is empty or longer than the model's context, or the tokenizer cannot say where its tokens lie.
    MissingError
        The model is not on this machine and cannot be had.
    """
    folder = resolve(settings)
    return tokenize_with(folder, load_configuration(folder), text)


def tokenize_with(folder: ModelFolder, config: Any, text: str) -> Tokens:
    """As `tokenize`, for a model that is here already."""
    import transformers

    try:
        with quiet_transformers():
            tokenizer = kept(
                "tokenizer",
                str(folder.path),
                lambda: transformers.AutoTokenizer.from_pretrained(folder.path, trust_remote_code=False, local_files_only=True),
            )
            if not tokenizer.is_fast:
                raise InputError(f"model {folder.name}: its tokenizer cannot say where its tokens lie in the text (no tokenizer.json)")
            encoded = tokenizer(text, return_offsets_mapping=True, verbose=False)
    except InputError:
        raise
    except Exception as error:  # The library of tokenizers raises plain exceptions.
        raise InputError(f"model {folder.name}: {_tokenizer_fault(folder, error)}") from error
    ids = tuple(int(index) for index in encoded["input_ids"])
    offsets = tuple((int(start), int(end)) for start, end in encoded["offset_mapping"])
    if not any(end > start for start, end in offsets):
        raise InputError("the text holds no token; give a text with at least one word")
    limit = _limit(config, tokenizer.model_max_length)
    if limit is not None and len(ids) > limit:
        raise InputError(f"the text has {len(ids)} tokens and model {folder.name} takes {limit}; shorten the text or choose another model")
    names = tokenizer.convert_ids_to_tokens(list(ids))
    # A sign for a space alone is no part of the word behind it, whatever span the tokenizer gives it.
    offsets = tuple(
        (start, start) if not name.strip(_SPACE_SIGNS) and text[start:end].strip() else (start, end)
        for name, (start, end) in zip(names, offsets, strict=True)
    )
    unknown = frozenset(index for index, number in enumerate(ids) if number == tokenizer.unk_token_id)
    pieces = tuple(text[start:end] if end > start else name for (start, end), name in zip(offsets, names, strict=True))
    return Tokens(ids, pieces, offsets, limit, unknown)


def _tokenizer_fault(folder: ModelFolder, error: Exception) -> str:
    """Why a tokenizer cannot be loaded. transformers says it over several lines, the remedy last."""
    there = {file.name for file in folder.path.iterdir()}
    if not there & _TOKENIZER_FILES and not any(name.endswith((".model", ".tiktoken")) for name in there):
        return "it has no tokenizer beside it (tokenizer.json); copy that of the model it was made from into its folder"
    if "tokenizer.json" not in there and isinstance(error, ImportError | ValueError) and "sentencepiece" in str(error):
        return f"its tokenizer has to be converted first, which needs two more libraries: {install_line(['sentencepiece', 'tiktoken'])}"
    return f"its tokenizer cannot be loaded: {first_line(error)}"


def _limit(config: Any, tokenizer_limit: float) -> int | None:
    """The smaller of what the model and its tokenizer say; a tokenizer that knows no limit says a huge number."""
    limits = [length for length in (context_length(config), int(min(tokenizer_limit, 1e9))) if length is not None and length < 1e9]
    return min(limits, default=None)
