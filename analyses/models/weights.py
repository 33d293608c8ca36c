"""A base model whose blocks hold their weights only while they run.

Computation is always in 32 bits: half precision on a CPU is a hundred times slower and rounds the activations. Files in half
precision are cast block by block.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import torch
import transformers
from torch import nn
from torch.overrides import TorchFunctionMode
from transformers.initialization import no_init_weights

from analyses.errors import InputError
from analyses.memory import return_free_memory
from analyses.models.paging import MappedWeights
from analyses.models.quiet import first_line, quiet_transformers
from analyses.models.sources import ModelFolder
from analyses.models.weight_files import FLOATS, StoredTensor, WeightHeaders, read_headers, refuse_scales

# A base model may have a pooler for classification that no language model's file holds; nothing here reads it.
_MAY_BE_MISSING = ("pooler.",)
# The beginning of a name inside a stack of layers, up to the layer's number.
_NUMBERED = re.compile(r"^\D*\.(?=\d+\.)")
_OLD_CONSTANTS = re.compile(r"rotary_emb\.inv_freq$|(^|\.)position_ids$")
# Values from which on what is made empty can only be a weight.
_LARGE = 2**20


def load_stored(folder: ModelFolder, config: Any) -> tuple[nn.Module, tuple[Path, ...]]:
    """The base model with its weights mapped from the safetensors files, in the precision of the files, and the files that it is from.

    Raises
    ------
    InputError
        Weights are missing in the files, do not fit the configuration, are quantised, or some are there that the model does not use.
    MissingError
        A file is a Git LFS pointer.
    """
    stored = read_headers(folder.weight_files(), folder.name)
    return _load_as_named(folder, config, stored) or (_load_converted(folder, config, stored), stored.files)


def _load_as_named(folder: ModelFolder, config: Any, stored: WeightHeaders) -> tuple[nn.Module, tuple[Path, ...]] | None:
    """The model where the files name and shape every weight as it does; None where anything has to be converted.

    transformers prepares the conversions of all architectures first, which takes longer than all else about loading. What it
    converts without another name or shape are experts, kept as stacks of matrices: those are left to it as well.
    """
    model = without_weights(config)
    wanted = model.state_dict()
    if any(tensor.dim() > 2 for tensor in wanted.values()):
        return None
    names: dict[str, str] = {}
    for key in stored.tensors:
        names.setdefault(key.removeprefix(f"{model.base_model_prefix}."), key)
    if len(names) != len(stored.tensors):
        return None
    names |= _tied_names(model, config, names)
    for key, tensor in wanted.items():
        found = stored.tensors.get(names.get(key, ""))
        if found is None or (found.shape, found.kind in FLOATS) != (tuple(tensor.shape), tensor.is_floating_point()):
            return None
    used = {names[key] for key in wanted}
    _refuse_unused(model, wanted, [key for key in names if names[key] not in used], stored, folder.name)
    files = tuple(file for file in stored.files if any(stored.tensors[key].file == file for key in used))
    tensors: dict[str, torch.Tensor] = {}
    try:
        for path in files:
            with safetensors.safe_open(path, framework="pt") as file:
                tensors |= {key: file.get_tensor(key) for key in file.keys() if key in used}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise _unreadable(folder, error) from error
    model.load_state_dict({key: tensors[names[key]] for key in wanted}, assign=True)
    return model.requires_grad_(False), files


def _tied_names(model: Any, config: Any, names: Mapping[str, str]) -> dict[str, str]:
    """Where the input embedding shares the head's matrix and the files hold it under the head's name: its name -> theirs."""
    embedding = model.get_input_embeddings()
    key = next((f"{name}.weight" for name, module in model.named_modules() if module is embedding), "")
    if not key or key in names or not getattr(config.get_text_config(), "tie_word_embeddings", False):
        return {}
    headed = transformers.AutoModelForCausalLM._model_mapping.get(type(config), None)
    tied = getattr(headed, "_tied_weights_keys", None)
    heads = [head for head, source in tied.items() if source.endswith(key)] if isinstance(tied, dict) else []
    there = next((names[head] for head in heads if head in names), None)
    return {} if there is None else {key: there}


def _load_converted(folder: ModelFolder, config: Any, stored: WeightHeaders) -> nn.Module:
    """The model as transformers loads it."""
    precision = _stored_precision(stored)
    options = {
        "config": config,
        "dtype": precision,
        "use_safetensors": True,
        "trust_remote_code": False,
        "local_files_only": True,
        "output_loading_info": True,
    }
    try:
        with quiet_transformers():
            model, report = transformers.AutoModel.from_pretrained(folder.path, **options)
            if _lacks_embedding_alone(model, report["missing_keys"]) and config.get_text_config().tie_word_embeddings:
                # The files hold the shared matrix under the head's name: only the class with the head knows that.
                loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(folder.path, **options)
                model, report = loaded[0].base_model, loaded[1]
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise _unreadable(folder, error) from error
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(_MAY_BE_MISSING))
    if missing:
        raise InputError(f"model {folder.name}: {len(missing)} weights are missing in its files, the first is {missing[0]}")
    _refuse_unused(model, model.state_dict(), sorted(report["unexpected_keys"]), stored, folder.name)
    if precision != torch.float32:
        # Constants that no file holds were computed in half precision (Gemma's embedding scale): take them in 32 bits.
        constants = dict(without_weights(config).named_buffers())
        for name, buffer in model.named_buffers():
            if buffer.is_floating_point() and name not in model.state_dict():
                buffer.data = constants[name].data
    return model.eval()


def _lacks_embedding_alone(model: Any, missing: Iterable[str]) -> bool:
    embedding = model.get_input_embeddings()
    return {model.get_submodule(key.rpartition(".")[0]) for key in missing if not key.startswith(_MAY_BE_MISSING)} == {embedding}


def _unreadable(folder: ModelFolder, error: Exception) -> InputError:
    return InputError(f"model {folder.name}: its weights cannot be loaded: {first_line(error)}")


def _refuse_unused(model: Any, wanted: Iterable[str], unused: Sequence[str], stored: WeightHeaders, name: str) -> None:
    """Refuse weights that stand inside the stack of layers and that the model does not use: its configuration is of another model.

    Heads, and the towers of other inputs, are rightly unused. So is what the architecture itself says it ignores, and masks and
    constants that older versions saved.
    """
    refuse_scales(unused, stored, name)
    ignored = [re.compile(pattern) for pattern in (model._keys_to_ignore_on_load_unexpected or ())] + [_OLD_CONSTANTS]
    stacks = {match[0] for key in wanted if (match := _NUMBERED.match(key))}
    inside = [
        key
        for key in unused
        if any(key.removeprefix(f"{model.base_model_prefix}.").startswith(stack) for stack in stacks)
        and not any(pattern.search(key) for pattern in ignored)
        and _is_weight(stored.tensors.get(key) or stored.tensors.get(f"{model.base_model_prefix}.{key}"))
    ]
    if inside:
        raise InputError(
            f"model {name}: its files hold {len(inside)} weights of layers that its config.json does not provide for, the first is "
            f"{inside[0]}; the configuration belongs to another model"
        )


def _is_weight(tensor: StoredTensor | None) -> bool:
    """Whether a stored tensor can be a weight: masks have four axes and their fillers none."""
    return tensor is None or (tensor.kind in FLOATS and 1 <= len(tensor.shape) <= 3)


def _stored_precision(stored: WeightHeaders) -> torch.dtype:
    """Precision of the weights in the files: a configuration may say less than they hold, and loading would round them."""
    kinds = {tensor.kind for tensor in stored.tensors.values()}
    half = [name for name in ("BF16", "F16") if name in kinds]
    if kinds & {"F32", "F64"} or len(half) != 1:
        return torch.float32
    return torch.bfloat16 if half == ["BF16"] else torch.float16


def without_weights(config: Any) -> nn.Module:
    """The base model in 32 bits with all its constants (buffers) but no memory for its weights."""
    try:
        with quiet_transformers(), no_init_weights(), _weights_on_meta():
            return transformers.AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False).eval()
    except Exception as error:  # An architecture's code raises whatever a value that makes no sense leads it to.
        raise InputError(f"the model's config.json: no model can be built from it ({first_line(error)})") from error


class _LargeOnesAreShapes(TorchFunctionMode):
    """Have `torch.empty` give a shape without memory where it is asked for what can only be a weight.

    The memory would go again at once, but not to the system: what little stays of each block lies above it.
    """

    def __torch_function__(
        self, function: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is torch.empty:
            shape = function(*args, **{**kwargs, "device": "meta"})
            if shape.numel() >= _LARGE:
                return shape
        return function(*args, **kwargs)


@contextmanager
def _weights_on_meta() -> Iterator[None]:
    """Have every module that is made meanwhile keep the shapes of its weights only."""
    register = nn.Module.register_parameter

    def register_shape(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        register(module, name, parameter if parameter is None else nn.Parameter(parameter.data.to("meta"), parameter.requires_grad))

    nn.Module.register_parameter = register_shape  # type: ignore[method-assign, assignment]
    try:
        with _LargeOnesAreShapes():
            yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


class StoredWeights:
    """Puts each block's weights on the device in 32 bits just before it runs, and takes them off again after it.

    Everything outside the blocks (embeddings, the last norm) is put there at once and stays.

    Parameters
    ----------
    model
        From `load_stored`.
    blocks
        Its blocks.
    device
        Where to compute.
    """

    def __init__(self, model: nn.Module, blocks: Iterable[nn.Module], device: torch.device) -> None:
        self._device = device
        self._given_back: set[nn.Module] = set()
        blocks = list(blocks)
        mapped = MappedWeights()
        # Looked up once for all: hooks that did it would take a tenth of the time of the forward pass.
        self._pages = {module: pages for module in model.modules() if (pages := mapped.pages(module.parameters(recurse=False))).pieces}
        for module in _outside(model, blocks):
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                tensor.data = self._ready(tensor)
        for block in blocks:
            stored = [(tensor, tensor.data) for tensor in (*block.parameters(), *block.buffers()) if not self._is_ready(tensor)]
            block.register_forward_pre_hook(lambda block, _, stored=stored: self._before(block, stored))
            block.register_forward_hook(lambda block, *_, stored=stored: self._after(block, stored))
        # As soon as a module has run, and not only its block: that is a third of what is in memory at once.
        for module in self._pages:
            module.register_forward_hook(lambda module, *_: self._give_back(module))

    def _is_ready(self, tensor: torch.Tensor) -> bool:
        return tensor.device == self._device and (tensor.dtype == torch.float32 or not tensor.is_floating_point())

    def _ready(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.data.to(self._device, torch.float32 if tensor.is_floating_point() else None)

    def _give_back(self, module: nn.Module) -> None:
        self._pages[module].give_back()
        self._given_back.add(module)

    def _before(self, block: nn.Module, stored: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        for tensor, _ in stored:
            tensor.data = self._ready(tensor)
        if stored:
            self._give_back_rest(block)

    def _after(self, block: nn.Module, stored: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        for tensor, data in stored:
            tensor.data = data
        # Some modules never run: others that hold them use their weights.
        self._give_back_rest(block)

    def _give_back_rest(self, block: nn.Module) -> None:
        for module in block.modules():
            if module in self._pages and module not in self._given_back:
                self._pages[module].give_back()
        self._given_back.clear()


class RandomWeights:
    """Gives each block its random weights just before it runs and drops them after it: an untrained model of any size.

    The weights come from the architecture's own initialisation, on the CPU, so that a seed means the same on every device.

    Parameters
    ----------
    model
        From `without_weights`.
    blocks
        Its blocks.
    device
        Where to compute.
    seed
        Seed of the whole model; each block draws from a stream of its own, so the order in which they run does not matter.
    """

    def __init__(self, model: nn.Module, blocks: Iterable[nn.Module], device: torch.device, seed: int) -> None:
        self._model = model
        self._device = device
        self._seed = seed
        self._left: dict[torch.Size, list[torch.Tensor]] = {}
        blocks = list(blocks)
        outside = _outside(model, blocks)
        self._fill(outside, stream=0)
        for module in outside:
            if isinstance(module, nn.Embedding):
                # A third of a gigabyte in GPT-2 XL, and used once: it goes before the first block gets its weights.
                module.register_forward_hook(lambda module, *_: self._forget(module))
        for number, block in enumerate(blocks, start=1):
            block.register_forward_pre_hook(lambda block, _, number=number: self._fill(list(block.modules()), stream=number))
            block.register_forward_hook(lambda block, *_: self._drop(block))

    def _fill(self, modules: Sequence[nn.Module], stream: int) -> None:
        initialise: Any = self._model._init_weights
        for module in modules:
            for name, parameter in list(module.named_parameters(recurse=False)):
                # NaN shows a weight that the initialisation forgets; it must not be whatever the memory held before.
                setattr(module, name, nn.Parameter(self._memory(parameter.shape).fill_(torch.nan), requires_grad=False))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed + (stream << 32))
            # As transformers does it for a whole model: the children before their parents, which may scale what those drew.
            for module in reversed(modules):
                initialise(module)
        for module in modules:
            for name, parameter in module.named_parameters(recurse=False):
                # The sum shows a NaN without a mask as large as the weights: such pieces, freed one by one, scatter the memory.
                if torch.isnan(parameter.sum()):
                    raise InputError(
                        f"{type(self._model).__name__}: its initialisation leaves {name} of {type(module).__name__} unset, so there is no "
                        "untrained model to hold it against; set controls.untrained to false"
                    )
            module._apply(lambda tensor: tensor.to(self._device), recurse=False)

    def _memory(self, shape: torch.Size) -> torch.Tensor:
        """Memory that an earlier block has left, or new: allocating anew for every block would scatter what is free."""
        left = self._left.get(shape)
        return left.pop() if left else torch.empty(shape, dtype=torch.float32)

    @staticmethod
    def _forget(module: nn.Module) -> None:
        """Leave the shapes of a module's weights only."""
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(parameter.data.to("meta"), requires_grad=False))

    def _drop(self, block: nn.Module) -> None:
        for module in block.modules():
            for parameter in module.parameters(recurse=False):
                if parameter.device.type == "cpu":
                    self._left.setdefault(parameter.shape, []).append(parameter.data)
            self._forget(module)
        # What the initialisation needed meanwhile lies scattered between what stays.
        return_free_memory()


def _outside(model: nn.Module, blocks: Iterable[nn.Module]) -> list[nn.Module]:
    inside = {id(module) for block in blocks for module in block.modules()}
    return [module for module in model.modules() if id(module) not in inside]
