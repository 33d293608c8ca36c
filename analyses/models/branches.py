"""Where each architecture keeps its two branches.

A block adds the output of its attention and that of its MLP to the residual stream. Both are read at the output projection,
before any addition or normalisation. No list of architectures is kept; three rules find the modules while the model runs:

- the blocks are the module list with one entry per layer, whose entries hold an attention;
- attention: the linear map to the hidden size that runs last inside the child whose class is an attention;
- MLP: the one that runs last inside the child whose class is an MLP, or else anywhere outside the attention; where a router
  mixes experts, the output of the whole mixture.

Two plausible shortcuts are wrong: the last *registered* linear map is not the output projection in Phi-3, and the output of
the whole attention or MLP module contains the residual in BLOOM, MPT and BERT.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from analyses.errors import InputError
from analyses.models.settings import BranchModules

BRANCHES = ("attention", "mlp")
_ATTENTION_CLASS = "Attention"
_MLP_CLASSES = ("MLP", "Mlp", "FeedForward", "FFN")
_MIXTURE_CLASSES = ("Experts", "Router")
_HINT = "name the modules in the settings: model.branches.attention and model.branches.mlp, as paths inside one block"


def find_blocks(model: nn.Module, layers: int, name: str, *, attention_named: bool = False) -> tuple[str, nn.ModuleList]:
    """The path and the list of the model's blocks.

    Parameters
    ----------
    model
        A base model, without a head.
    layers
        How many blocks its configuration speaks of.
    name
        The model's name, for the error.
    attention_named
        The settings name the attention's module, so that the blocks need not hold a recognisable one.

    Raises
    ------
    InputError
        There is no such list, or more than one.
    """
    lists = [(path, module) for path, module in model.named_modules() if isinstance(module, nn.ModuleList) and len(module) == layers]
    found = [(path, blocks) for path, blocks in lists if attention_named or any(_attention_child(block) for block in blocks)]
    if len(found) == 1:
        return found[0]
    architecture = type(model).__name__
    if not lists:
        raise InputError(f"model {name} ({architecture}): found no list of {layers} blocks; its layers share weights or are nested")
    if not found:
        raise InputError(f"model {name} ({architecture}) has no attention in its layers, so there are no two branches to compare")
    paths = ", ".join(path for path, _ in found)
    raise InputError(f"model {name} ({architecture}) has more than one stack of {layers} layers ({paths}); use a model of text alone")


@dataclass
class _Catch:
    """Which module of a branch ran last in one block, whether it gave one vector a token, and how often each module ran."""

    module: str | None = None
    fits: bool = False
    runs: dict[str, int] = field(default_factory=dict)


class BranchReader:
    """Reads both branches of every block while the model runs once, at the wanted positions only.

    Parameters
    ----------
    blocks
        The model's blocks in order.
    hidden_size
        Width of the residual stream.
    positions
        Which tokens to keep.
    tokens
        How many tokens run through the model (one text at a time).
    overrides
        Module paths that replace the rule for a branch.
    """

    def __init__(
        self, blocks: Sequence[nn.Module], hidden_size: int, positions: Sequence[int], tokens: int, overrides: BranchModules, name: str
    ) -> None:
        self._hidden_size = hidden_size
        self._positions = list(positions)
        self._tokens = tokens
        self._name = name
        # All memory that stays is taken at once: rows kept one by one would lie between what each block frees and hold it fast.
        self._activation = torch.empty((len(BRANCHES), len(blocks), len(self._positions), hidden_size), dtype=torch.float32)
        self._caught = [{branch: _Catch() for branch in BRANCHES} for _ in blocks]
        for layer, block in enumerate(blocks):
            for branch in BRANCHES:
                for path, module in self._candidates(block, branch, getattr(overrides, branch), layer):
                    module.register_forward_hook(self._hook(layer, branch, path))

    def result(self) -> tuple[torch.Tensor, dict[str, tuple[str, ...]]]:
        """Activations (branch, layer, position, dimension) in float32 on the CPU, and each branch's module path per layer.

        Raises
        ------
        InputError
            A branch was not found in some block, ran more than once, has another shape than (tokens, hidden size), or holds NaN
            or infinity.
        """
        # In the order in which they ran, so that what is named is where it began.
        for layer, caught in enumerate(self._caught):
            for branch in BRANCHES:
                self._check(caught[branch], branch, layer)
        modules = {branch: tuple(str(caught[branch].module) for caught in self._caught) for branch in BRANCHES}
        return self._activation, modules

    def _candidates(self, block: nn.Module, branch: str, override: str | None, layer: int) -> Iterator[tuple[str, nn.Module]]:
        if override is not None:
            module = dict(block.named_modules()).get(override)
            if module is None:
                children = ", ".join(path for path, _ in block.named_modules() if path)
                raise InputError(
                    f"model.branches.{branch}: no module {override!r} in block {layer + 1} of {self._name}; it holds {children}"
                )
            yield override, module
            return
        attention = _attention_child(block)
        if branch == "attention":
            if attention is None:
                raise InputError(f"model {self._name}: layer {layer + 1} has no attention (a hybrid model); {_HINT}")
            yield from self._projections(block, attention)
            return
        mixture = _child(block, lambda child: any(_class_has(module, _MIXTURE_CLASSES) for module in child.modules()), but=attention)
        if mixture is not None:
            yield mixture, block.get_submodule(mixture)
            return
        mlp = _child(block, lambda child: _class_has(child, _MLP_CLASSES), but=attention)
        if mlp is not None:
            yield from self._projections(block, mlp)
            return
        for child, _ in block.named_children():
            if child != attention:
                yield from self._projections(block, child)

    def _projections(self, block: nn.Module, child: str) -> Iterator[tuple[str, nn.Module]]:
        for path, module in block.get_submodule(child).named_modules(prefix=child):
            width = module.nf if isinstance(module, Conv1D) else getattr(module, "out_features", None)
            if isinstance(module, nn.Linear | Conv1D) and width == self._hidden_size:
                yield path, module

    def _hook(self, layer: int, branch: str, path: str) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            values = output[0] if isinstance(output, tuple) else output
            catch = self._caught[layer][branch]
            catch.module = path
            catch.runs[path] = catch.runs.get(path, 0) + 1
            # Some architectures flatten batch and tokens (OPT), so only the number of values tells whether the shape is right.
            catch.fits = values.shape[-1] == self._hidden_size and values.numel() == self._tokens * self._hidden_size
            if catch.fits:
                self._activation[BRANCHES.index(branch), layer] = values.detach().reshape(-1, self._hidden_size)[self._positions]

        return keep

    def _check(self, catch: _Catch, branch: str, layer: int) -> None:
        where = f"model {self._name}: the {branch} branch of layer {layer + 1}"
        if catch.module is None:
            raise InputError(f"{where} was not found; {_HINT}")
        if catch.runs[catch.module] != 1:
            raise InputError(f"{where} ({catch.module}) ran {catch.runs[catch.module]} times for one text; {_HINT}")
        if not catch.fits:
            raise InputError(f"{where} ({catch.module}) does not give {self._hidden_size} values for each token; {_HINT}")
        if not torch.isfinite(self._activation[BRANCHES.index(branch), layer]).all():
            raise InputError(f"{where} ({catch.module}) gives values that are no finite numbers; the weights of the model are damaged")


def _class_has(module: nn.Module, words: Sequence[str]) -> bool:
    return any(word in type(module).__name__ for word in words)


def _attention_child(block: nn.Module) -> str | None:
    return _child(block, lambda child: _ATTENTION_CLASS in type(child).__name__, but=None)


def _child(block: nn.Module, matches: Any, but: str | None) -> str | None:
    """Name of the first direct child that matches, `but` left out."""
    return next((name for name, child in block.named_children() if name != but and matches(child)), None)
