"""Which safetensors files of a model folder hold its weights, and what their headers say; nothing is read beyond the headers.

The files are those that transformers would load: `model.safetensors`, else those that its index names (or the one that the
configuration names). Whatever else lies in the folder - an older checkpoint, shards of an earlier save, an adapter - is no part
of the model. What would be used wrongly without a word is refused here: an adapter, quantised codes, a file cut short.
"""

import json
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses.errors import InputError, MissingError
from analyses.readers import read_text

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
_SHARD = re.compile(r"model-(\d+)-of-(\d+)\.safetensors")
_POINTER = b"version https://git-lfs.github.com/spec/"
# The header's length stands in 8 bytes before it; the format allows 100 MB for it.
_LENGTH_BYTES, _LONGEST_HEADER = 8, 100_000_000
_TYPE = re.compile(r"[A-Za-z0-9_]{1,20}")
_OF_A_MODEL = frozenset({".json", ".safetensors", ".model", ".txt", ".tiktoken", ".jinja"})
FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
# What quantising programs write beside their codes: a scale, a zero point, a table. (A model may have a parameter `scale` of its own.)
_BESIDE_CODES = re.compile(
    r"(^|[._])(scales?|weight_scale\w*|input_scale\w*|scale_inv|qweight|qzeros|g_idx|zero_points?|absmax|quant_map|quant_state\S*|SCB|scb)$"
)


@dataclass(frozen=True)
class StoredTensor:
    """One entry of a header: the file that holds the tensor, its type in safetensors' notation (``BF16``) and its shape."""

    file: Path
    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class WeightHeaders:
    """The files of a model, in order, and every tensor that they hold by its name."""

    files: tuple[Path, ...]
    tensors: Mapping[str, StoredTensor]


def weight_files(folder: Path, name: str) -> list[Path]:
    """The safetensors files that hold the weights, in order.

    Parameters
    ----------
    folder
        A model folder.
    name
        The model's name, for the error.

    Raises
    ------
    InputError
        The folder holds an adapter beside or instead of a model, or its index cannot be read.
    MissingError
        There are no such files.
    """
    refuse_adapter(folder, name)
    named = _named_by_configuration(folder)
    if named is None and (folder / SINGLE).is_file():
        return [folder / SINGLE]
    index = folder / (named or INDEX)
    if named is not None and not named.endswith(".index.json"):
        if not index.is_file():
            raise MissingError(f"model {name}: {named}, the weight file that its config.json names, is not there")
        return [index]
    if index.is_file():
        found = [folder / file for file in _assigned_files(index, name)]
        if missing := [file.name for file in found if not file.is_file()]:
            # A shard that holds a head alone is not needed; which weights are missing shows when they are loaded.
            found = [file for file in found if file.is_file()]
            if not found:
                raise MissingError(f"model {name}: {missing[0]}, which its {index.name} names, is not there; the download is not complete")
        return found
    return _whole_set_of_shards(folder) or _none_there(folder, name)


def files_to_download(folder: Path) -> list[str]:
    """Names of the weight files that a folder without weights still lacks, by its index; empty where nothing is missing."""
    named = _named_by_configuration(folder)
    if named is None and (folder / SINGLE).is_file():
        return []
    index = folder / (named or INDEX)
    files = _assigned_files(index, folder.name) if index.name.endswith(".index.json") and index.is_file() else [named] if named else []
    return [file for file in files if not (folder / file).is_file()]


def read_headers(files: Iterable[Path], name: str) -> WeightHeaders:
    """What the files hold, by their headers.

    Raises
    ------
    InputError
        A file is no whole safetensors file, or holds quantised weights, or two files hold a tensor of the same name.
    MissingError
        A file is a Git LFS pointer.
    """
    files = tuple(files)
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        for key, entry in _header(file, name).items():
            if key == "__metadata__":
                continue
            if key in tensors:
                raise InputError(
                    f"model {name}: {key} stands in {tensors[key].file.name} and in {file.name}; one of them belongs to another save"
                )
            tensors[key] = StoredTensor(file, str(entry["dtype"]), tuple(entry["shape"]))
    for key, tensor in tensors.items():
        _refuse_codes(key, tensor, name)
    return WeightHeaders(files, tensors)


def refuse_scales(unused: Iterable[str], stored: WeightHeaders, name: str) -> None:
    """Refuse quantised weights by what lies beside them; `unused` are the keys that the model does not know."""
    for key in unused:
        if _BESIDE_CODES.search(key):
            file = f" in {stored.tensors[key].file.name}" if key in stored.tensors else ""
            raise InputError(f"model {name}: {key}{file} says that its weights are quantised codes; use the unquantised model")


def refuse_adapter(folder: Path, name: str) -> None:
    """Refuse a folder with an adapter: the base alone would be used without it."""
    if not (folder / ADAPTER).is_file():
        return
    base = _json(folder / ADAPTER).get("base_model_name_or_path")
    of = f" of {base}" if base else ""
    raise InputError(
        f"model {name}: {ADAPTER} makes this an adapter{of}, not a whole model; merge it into its base with peft's merge_and_unload"
    )


def refuse_irregular(folder: Path, name: str) -> None:
    """Refuse a folder in which a file that a model is read from is a pipe, a device or a folder: its reader would wait for ever."""
    for file in sorted(folder.iterdir()):
        if file.suffix in _OF_A_MODEL and file.exists() and not file.is_file():
            raise InputError(f"model {name}: {file.name} is no regular file (it is a folder, a pipe or a device); download it again")


def refuse_pointers(folder: Path, name: str) -> None:
    """Refuse a folder whose configuration or tokenizer is a Git LFS pointer, for their readers' errors do not say so."""
    for file in sorted(folder.glob("*.json")) + sorted(folder.glob("*.model")):
        refuse_pointer(file, name)


def _named_by_configuration(folder: Path) -> str | None:
    named = _json(folder / "config.json").get("transformers_weights")
    return named if isinstance(named, str) and Path(named).name == named else None


def _json(file: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where the file holds none: what needs it says so with its own words."""
    try:
        # Not `read_json`: some models' own files hold Infinity.
        content = json.loads(read_text(file, "JSON file"))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _assigned_files(index: Path, name: str) -> list[str]:
    refuse_pointer(index, name)
    assigned = _json(index).get("weight_map")
    if not isinstance(assigned, dict) or not assigned or not all(isinstance(file, str) for file in assigned.values()):
        raise InputError(f"model {name}: {index.name} assigns no weights to files (weight_map); download it again")
    files = sorted(set(assigned.values()))
    for file in files:
        if Path(file).name != file or not file.endswith(".safetensors"):
            raise InputError(f"model {name}: {index.name} names {file!r}; expected .safetensors files in the same folder")
    return files


def _whole_set_of_shards(folder: Path) -> list[Path]:
    """All shards of one save whose index was left behind; none where one is missing or two saves are mixed."""
    shards = {file: match for file in folder.glob("model-*.safetensors") if (match := _SHARD.fullmatch(file.name))}
    totals = {int(match[2]) for match in shards.values()}
    complete = len(totals) == 1 and sorted(int(match[1]) for match in shards.values()) == list(range(1, totals.pop() + 1))
    return sorted(shards) if complete else []


def _none_there(folder: Path, name: str) -> list[Path]:
    """Say what is there instead of the weights."""
    others = sorted(file.name for file in folder.iterdir())
    if broken := [file for file in others if not (folder / file).exists() and file.endswith((".safetensors", ".gguf", ".bin"))]:
        raise MissingError(f"model {name}: {broken[0]} is a link to a file that is not here; copy what the link leads to (cp -L)")
    if gguf := [file for file in others if file.endswith(".gguf")]:
        raise MissingError(f"model {name}: its weights are GGUF files; give the file itself as the model: {folder / gguf[0]}")
    if safe := [file for file in others if file.endswith(".safetensors")]:
        raise MissingError(f"model {name}: neither {SINGLE} nor {INDEX} is there, and nothing says that {safe[0]} is the model")
    if pickled := [file for file in others if file.endswith((".bin", ".pt", ".pth"))]:
        raise MissingError(
            f"model {name}: no .safetensors weights there; pickled weights ({pickled[0]}) are not loaded, for they can run code: "
            "load them with transformers where you trust them and save them with save_pretrained"
        )
    raise MissingError(f"model {name}: no weights there ({SINGLE}); the download is not complete")


def refuse_pointer(file: Path, name: str) -> None:
    """Refuse a file that is a Git LFS pointer; `name` is the model's."""
    with file.open("rb") as stream:
        if stream.read(len(_POINTER)) == _POINTER:
            raise MissingError(f"model {name}: {file.name} is a Git LFS pointer and not the file itself; run git lfs pull in its folder")


def _header(file: Path, name: str) -> dict[str, Any]:
    refuse_pointer(file, name)
    size = file.stat().st_size
    with file.open("rb") as stream:
        first = stream.read(_LENGTH_BYTES)
        length = struct.unpack("<Q", first)[0] if len(first) == _LENGTH_BYTES else 0
        content = stream.read(length) if 2 <= length <= min(size - _LENGTH_BYTES, _LONGEST_HEADER) else b""
    try:
        header = json.loads(content)
        entries = [entry for key, entry in header.items() if key != "__metadata__"]
        end = max((_end(entry) for entry in entries), default=0)
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
        raise InputError(f"model {name}: {file.name} ({size} bytes) is no whole safetensors file; download or save it again") from None
    expected = _LENGTH_BYTES + length + end
    if size != expected:
        raise InputError(f"model {name}: {file.name} has {size} bytes and its header speaks of {expected}; download or save it again")
    return dict(header)


def _end(entry: Mapping[str, Any]) -> int:
    """Where a tensor ends; ValueError unless its type is a short word, and its shape and place are whole numbers from zero."""
    numbers = [*entry["shape"], *entry["data_offsets"]]
    if not _TYPE.fullmatch(entry["dtype"]) or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError("no tensor")
    return int(entry["data_offsets"][1])


def _refuse_codes(key: str, tensor: StoredTensor, name: str) -> None:
    """Quantised codes read as weights give activations of any size. Masks and indices (GPT-2's attn.bias) are whole numbers rightly."""
    is_code = tensor.kind.startswith(("F8_", "F6_", "F4", "E8", "I4", "U4"))
    if is_code or (tensor.kind not in FLOATS and len(tensor.shape) > 1 and key.endswith("weight")):
        raise InputError(
            f"model {name}: {key} in {tensor.file.name} is stored as {tensor.kind}: quantised codes, whose scales the architecture "
            "does not apply; use the unquantised model"
        )
