"""GGUF files of any of the tested architectures -> a folder that transformers loads as any other (float32 safetensors, fast tokenizer).

Configuration, tokenizer and the meaning of each tensor are transformers' own reading of such files; here the tensors are written
down dequantised, once, so that a model is mapped from the disk afterwards like any other. What that reading leaves out or cannot
know (a file in parts, frequencies scaled for long texts, tensors without a place in the architecture, another way to split a text
before tokens are made) is refused before anything is converted.
"""

import contextlib
import io
import math
import os
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from analyses.errors import InputError
from analyses.models.sizes import refuse_sizes
from analyses.models.weight_files import refuse_pointer
from analyses.readers import replace_unprintable

# General architecture as GGUF names it. Those whose conversion a test holds against the weights that it was made from.
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "gpt2")
# Steps that `convert` reports.
STEPS = 3
# Changes when the same file is converted otherwise, so that what an earlier version made is not taken for it.
CONVERSION = 2
_MAGIC = b"GGUF"
# gguf-py's GGUFValueType: the size of a plain value; 8 is a string, 9 an array.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
# The kind of each value that is looked at here; a file in which one is of another kind is damaged. ("*." stands for the architecture.)
_KINDS: dict[str, type] = {
    "general.architecture": str,
    "general.type": str,
    "general.alignment": int,
    "split.count": int,
    "tokenizer.ggml.model": str,
    "tokenizer.ggml.pre": str,
    "*.rope.scaling.type": str,
    "*.rope.scale_linear": float,
    "*.attention.key_length": int,
    "*.block_count": int,
}
# The format allows four.
_MOST_AXES = 4
# Ways to split a text before byte pairs are merged (llama.cpp's names), beside those that transformers knows by name: as GPT-2 does,
# which it falls back to, and as GPT-2 does with each digit apart.
_AS_GPT2 = frozenset({"gpt-2", "default", "olmo", "mpt", "phi-2", "jina-es", "jina-de", "jina-v1-en", "roberta-bpe", "gigachat"})
_DIGITS_APART = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"})
# Layers of Gemma's 27B models: the only ones whose queries are not scaled by the width of a head (llama.cpp, f_attention_scale).
_SCALED_BY_WIDTH = {"gemma2": 46, "gemma3": 62}


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself: plain values by key (arrays left out), and of every tensor its quantisation and its shape.

    `size` is how many bytes the file must have.
    """

    values: dict[str, Any]
    tensors: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    size: int

    @property
    def quantisation(self) -> str:
        """The kinds of quantisation of its matrices, the commonest first."""
        kinds = Counter(kind for name, kind in self.tensors.items() if not name.endswith(("norm.weight", ".bias")))
        return f"GGUF {', '.join(kind for kind, _ in kinds.most_common())}, dequantised to float32"


def read_header(file: Path) -> Header:
    """Read a file's header, which takes a fraction of a second; the tensors are not touched.

    Raises
    ------
    InputError
        The file is no GGUF file, is cut short, or holds what `convert` does not read.
    MissingError
        The file is a Git LFS pointer.
    """
    refuse_pointer(file, file.name)
    try:
        with file.open("rb") as stream:
            header = _header(stream)
    except (struct.error, ValueError, KeyError, OverflowError, MemoryError, RecursionError):
        raise InputError(f"model {file.name}: the file is no GGUF file of version 2 or 3, or it is cut short; download it again") from None
    if (found := file.stat().st_size) < header.size:
        raise InputError(f"model {file.name}: it has {found} bytes and its header speaks of {header.size}; download it again")
    architecture = header.values.get("general.architecture")
    if (kind := header.values.get("general.type", "model")) != "model":
        raise InputError(f"model {file.name}: the file holds no whole model (general.type is {kind[:60]!r}); use the model itself")
    if architecture not in ARCHITECTURES:
        shown = replace_unprintable(str(architecture))[:60]
        raise InputError(f"model {file.name}: GGUF files of architecture {shown} are not read; expected {', '.join(ARCHITECTURES)}")
    if header.values.get("split.count", 1) > 1:
        raise InputError(f"model {file.name}: the file is one of {header.values['split.count']} parts; merge them first (llama-gguf-split)")
    scaled = header.values.get(f"{architecture}.rope.scaling.type", "none") not in ("none", "")
    scaled |= header.values.get(f"{architecture}.rope.scale_linear", 1.0) != 1.0
    if scaled or any(name.startswith(("rope_freqs", "rope_factors")) for name in header.tensors):
        raise InputError(
            f"model {file.name}: its rotary frequencies are scaled for long texts, which transformers does not read from a GGUF file; "
            "use the model's safetensors"
        )
    split = header.values.get("tokenizer.ggml.pre", "default")
    if header.values.get("tokenizer.ggml.model") == "gpt2" and split not in _AS_GPT2 | _DIGITS_APART | _known_splits():
        raise InputError(
            f"model {file.name}: it splits a text before making tokens in a way called {split[:60]!r}, which transformers does not read "
            "from a GGUF file; use the model's safetensors"
        )
    return header


def _check_kinds(values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        kind = _KINDS.get(key.replace(f"{values.get('general.architecture')}.", "*.", 1))
        if kind is not None and type(value) is not kind:
            raise ValueError(key)


def _known_splits() -> frozenset[str]:
    try:
        from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
    except ImportError:
        # Older versions split every text as GPT-2 does.
        return frozenset()
    return frozenset(GGUF_PRE_TOKENIZER_SPLITS)


def convert(file: Path, folder: Path, advance: Callable[[int], None]) -> None:
    """Write `config.json`, `model.safetensors` and the tokenizer of a GGUF file into an empty folder.

    Parameters
    ----------
    advance
        Called with 1 after each of three steps: configuration, tokenizer, tensors.

    Raises
    ------
    InputError
        As `read_header`; or transformers cannot read the file.
    """
    import torch
    import transformers
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    from analyses.models.quiet import first_line, quiet_transformers

    header = read_header(file)
    try:
        with quiet_transformers():
            config = transformers.AutoConfig.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
            _complete(config, header)
            refuse_sizes(config, file.name)
            advance(1)
            tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
            if header.values.get("tokenizer.ggml.pre") in _DIGITS_APART:
                _digits_apart(tokenizer)
            tokenizer.save_pretrained(folder)
            advance(1)
            with torch.device("meta"):
                model: Any = transformers.AutoModelForCausalLM.from_config(config)
            _refuse_unplaced(file, header, model, config)
            # It draws a bar of its own, whatever transformers is told.
            with contextlib.redirect_stderr(io.StringIO()):
                read = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=model, torch_dtype=torch.float32)
    except InputError:
        raise
    except Exception as error:  # transformers raises whatever a value that makes no sense leads it to.
        raise InputError(f"model {file.name}: transformers cannot read this GGUF file: {first_line(error)}") from error
    tensors = {name: tensor.contiguous() for name, tensor in read["tensors"].items()}
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for name, tensor in tensors.items():
        if wanted.get(name, tensor.shape) != tensor.shape:
            raise InputError(
                f"model {file.name}: {name} is {tuple(tensor.shape)} in the file and {tuple(wanted[name])} by its own metadata"
            )
    config.dtype = "float32"
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    _save(tensors, folder / "model.safetensors")
    advance(1)


def _complete(config: Any, header: Header) -> None:
    """Set sizes that transformers leaves at their defaults: a head's width (Qwen 3), vocabulary and positions (GPT-2)."""
    architecture = header.values["general.architecture"]
    width = header.values.get(f"{architecture}.attention.key_length")
    if width is not None and getattr(config, "head_dim", None) is not None:
        config.head_dim = width
    if width is not None and hasattr(config, "query_pre_attn_scalar"):
        by_width = header.values.get(f"{architecture}.block_count") == _SCALED_BY_WIDTH.get(architecture)
        config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads if by_width else width
    if embedding := header.shapes.get("token_embd.weight"):
        config.vocab_size = embedding[0]
    if positions := header.shapes.get("position_embd.weight"):
        config.max_position_embeddings = positions[0]


def _refuse_unplaced(file: Path, header: Header, model: Any, config: Any) -> None:
    """Refuse a file with tensors that have no place in the model, for transformers passes over them: experts, biases, norms, layers."""
    from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor, get_gguf_hf_weights_map

    processor = TENSOR_PROCESSORS.get(header.values["general.architecture"], TensorProcessor)(config=config.to_dict())
    placed = get_gguf_hf_weights_map(model, processor).keys() | {"output.weight"}
    if left := [name for name in header.tensors if name not in placed]:
        raise InputError(
            f"model {file.name}: {len(left)} of its tensors have no place in {type(model).__name__}, which transformers makes of the file, "
            f"the first is {left[0]}; use the model's safetensors"
        )


def _digits_apart(tokenizer: Any) -> None:
    import tokenizers

    split = tokenizers.pre_tokenizers
    tokenizer.backend_tokenizer.pre_tokenizer = split.Sequence(
        [split.Digits(individual_digits=True), split.ByteLevel(add_prefix_space=False)]
    )


def _save(tensors: dict[str, Any], file: Path) -> None:
    import safetensors.torch

    safetensors.torch.save_file(tensors, file, metadata={"format": "pt"})


def _header(stream: BinaryIO) -> Header:
    import gguf

    if stream.read(4) != _MAGIC or _plain(stream, 4) not in (2, 3):
        raise struct.error
    tensors, pairs = _plain(stream, 10), _plain(stream, 10)
    values = {}
    for _ in range(pairs):
        key = _text(stream)
        value = _value(stream, _plain(stream, 4))
        if value is not None:
            values[key] = value
    kinds, shapes, end = {}, {}, 0
    for _ in range(tensors):
        name = _text(stream)
        # The innermost axis comes first.
        axes = _plain(stream, 4)
        if axes > _MOST_AXES:
            raise struct.error
        shapes[name] = tuple(_plain(stream, 10) for _ in range(axes))[::-1]
        kind = gguf.GGMLQuantizationType(_plain(stream, 4))
        kinds[name] = kind.name
        in_block, bytes_of_block = gguf.GGML_QUANT_SIZES[kind]
        end = max(end, _plain(stream, 10) + math.prod(shapes[name]) // in_block * bytes_of_block)
    _check_kinds(values)
    alignment = values.get("general.alignment", gguf.GGUF_DEFAULT_ALIGNMENT)
    if alignment < 1:
        raise struct.error
    return Header(values, kinds, shapes, size=-(-stream.tell() // alignment) * alignment + end)


def _plain(stream: BinaryIO, kind: int) -> Any:
    return struct.unpack(_FORMATS[kind], stream.read(_SIZES[kind]))[0]


def _text(stream: BinaryIO) -> str:
    length = _plain(stream, 10)
    content = stream.read(length) if length < 2**24 else b""
    if len(content) != length:
        raise struct.error
    return content.decode("utf-8")


def _value(stream: BinaryIO, kind: int) -> Any:
    """A value, or None for an array, which is passed over."""
    if kind == _STRING:
        return _text(stream)
    if kind != _ARRAY:
        return _plain(stream, kind)
    inner, count = _plain(stream, 4), _plain(stream, 10)
    if inner in _SIZES:
        _pass_over(stream, count * _SIZES[inner])
    else:
        for _ in range(count):
            _value(stream, inner) if inner == _ARRAY else _pass_over(stream, _plain(stream, 10))
    return None


def _pass_over(stream: BinaryIO, length: int) -> None:
    if length > os.fstat(stream.fileno()).st_size:
        raise struct.error
    stream.seek(length, 1)
