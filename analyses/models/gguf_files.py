"""GGUF files of any of the tested architectures -> a folder that transformers loads as any other (float32 safetensors, fast tokenizer).

Configuration, tokenizer and the meaning of each tensor are transformers' own reading of such files; here the tensors are written
down dequantised, once, so that a model is mapped from the disk afterwards like any other. What that reading leaves out or cannot
know (a file in parts, frequencies scaled for long texts) is refused before anything is converted.
"""

import contextlib
import io
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from analyses.errors import InputError
from analyses.readers import replace_unprintable

# General architecture as GGUF names it. Those whose conversion a test holds against the weights that it was made from.
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "gpt2")
# Steps that `convert` reports.
STEPS = 3
_MAGIC = b"GGUF"
# gguf-py's GGUFValueType: the size of a plain value; 8 is a string, 9 an array.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself: plain values by key (arrays left out), and of every tensor its quantisation and its shape."""

    values: dict[str, Any]
    tensors: dict[str, str]
    shapes: dict[str, tuple[int, ...]]

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
    """
    try:
        with file.open("rb") as stream:
            header = _header(stream)
    except (struct.error, ValueError, KeyError, OverflowError, MemoryError, RecursionError):
        raise InputError(f"model {file.name}: the file is no GGUF file of version 2 or 3, or it is cut short; download it again") from None
    architecture = header.values.get("general.architecture")
    if architecture not in ARCHITECTURES:
        found = replace_unprintable(str(architecture))[:60]
        raise InputError(f"model {file.name}: GGUF files of architecture {found} are not read; expected {', '.join(ARCHITECTURES)}")
    if header.values.get("split.count", 1) > 1:
        raise InputError(f"model {file.name}: the file is one of {header.values['split.count']} parts; merge them first (llama-gguf-split)")
    if "rope_freqs.weight" in header.tensors or header.values.get(f"{architecture}.rope.scaling.type", "none") not in ("none", ""):
        raise InputError(
            f"model {file.name}: its rotary frequencies are scaled for long texts, which transformers does not read from a GGUF file; "
            "use the model's safetensors"
        )
    return header


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

    from analyses.models.sources import quiet_transformers

    header = read_header(file)
    try:
        with quiet_transformers():
            config = transformers.AutoConfig.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
            _complete(config, header)
            advance(1)
            transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True).save_pretrained(folder)
            advance(1)
            with torch.device("meta"):
                model: Any = transformers.AutoModelForCausalLM.from_config(config)
            # It draws a bar of its own, whatever transformers is told.
            with contextlib.redirect_stderr(io.StringIO()):
                read = load_gguf_checkpoint(str(file), return_tensors=True, model_to_load=model, torch_dtype=torch.float32)
    except (ValueError, KeyError, OSError, RuntimeError, NotImplementedError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"model {file.name}: transformers cannot read this GGUF file: {first_line}") from error
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
    if embedding := header.shapes.get("token_embd.weight"):
        config.vocab_size = embedding[0]
    if positions := header.shapes.get("position_embd.weight"):
        config.max_position_embeddings = positions[0]


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
    kinds, shapes = {}, {}
    for _ in range(tensors):
        name = _text(stream)
        # The innermost axis comes first.
        shapes[name] = tuple(_plain(stream, 10) for _ in range(_plain(stream, 4)))[::-1]
        kinds[name] = gguf.GGMLQuantizationType(_plain(stream, 4)).name
        stream.seek(8, 1)
    return Header(values, kinds, shapes)


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
        stream.seek(count * _SIZES[inner], 1)
    else:
        for _ in range(count):
            _value(stream, inner) if inner == _ARRAY else stream.seek(_plain(stream, 10), 1)
    return None
