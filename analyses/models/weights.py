"""A base model whose blocks hold their weights only while they run.

Computation is always in 32 bits: half precision on a CPU is a hundred times slower and rounds the activations. Files in half
precision are cast block by block.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from analyses.errors import InputError
from analyses.models.paging import page_out
from analyses.models.sources import ModelFolder, quiet_transformers

# A base model may have a pooler for classification that no language model's file holds; nothing here reads it.
_MAY_BE_MISSING = ("pooler.",)


def load_stored(folder: ModelFolder, config: Any) -> nn.Module:
    """The base model with its weights mapped from the safetensors files, in the precision of the files.

    Raises
    ------
    InputError
        Weights are missing in the files, or they do not fit the configuration.
    """
    try:
        with quiet_transformers():
            model, report = transformers.AutoModel.from_pretrained(
                folder.path,
                config=config,
                dtype=_stored_precision(folder.weight_files()),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"model {folder.name}: its weights cannot be loaded: {first_line}") from error
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(_MAY_BE_MISSING))
    if missing:
        raise InputError(f"model {folder.name}: {len(missing)} weights are missing in its files, the first is {missing[0]}")
    return model.eval()


def make_untrained(config: Any, seed: int) -> nn.Module:
    """The base model with random weights from the architecture's own initialisation; the same for the same seed."""
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return transformers.AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False).eval()


def _stored_precision(files: Sequence[Path]) -> torch.dtype:
    """Precision of the weights in the files: a configuration may say less than they hold, and loading would round them."""
    kinds: set[str] = set()
    for path in files:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        kinds |= {entry["dtype"] for key, entry in header.items() if key != "__metadata__"}
    half = [name for name in ("BF16", "F16") if name in kinds]
    if kinds & {"F32", "F64"} or len(half) != 1:
        return torch.float32
    return torch.bfloat16 if half == ["BF16"] else torch.float16


class BlockStreamer:
    """Puts each block's weights on the device in 32 bits just before it runs, and takes them off again after it.

    Everything outside the blocks (embeddings, the last norm) is put there at once and stays.
    """

    def __init__(self, model: nn.Module, blocks: Iterable[nn.Module], device: torch.device) -> None:
        self._device = device
        self._stored: dict[torch.Tensor, torch.Tensor] = {}
        blocks = list(blocks)
        inside = {id(module) for block in blocks for module in block.modules()}
        for module in model.modules():
            if id(module) not in inside:
                for tensor in _own_tensors(module):
                    tensor.data = self._ready(tensor)
        self._handles = []
        for block in blocks:
            self._handles.append(block.register_forward_pre_hook(self._before))
            self._handles.append(block.register_forward_hook(self._after))

    def close(self) -> None:
        """Take the hooks off the model."""
        for handle in self._handles:
            handle.remove()

    def _ready(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.data.to(self._device, torch.float32 if tensor.is_floating_point() else None)

    def _before(self, block: nn.Module, _inputs: Any) -> None:
        for tensor in _tensors(block):
            ready = self._ready(tensor)
            if ready.data_ptr() != tensor.data_ptr():
                self._stored[tensor] = tensor.data
                tensor.data = ready

    def _after(self, block: nn.Module, _inputs: Any, _output: Any) -> None:
        for tensor in _tensors(block):
            tensor.data = self._stored.pop(tensor, tensor.data)
        page_out(block.parameters())


def _tensors(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


def _own_tensors(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]
