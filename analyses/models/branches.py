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

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers.pytorch_utils import Conv1D

from analyses.errors import InputError
from analyses.models.residual import Explanation, Norm, Term, explain
from analyses.models.settings import BranchModules, BranchOutput

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
    if layers < 1:
        raise InputError(
            f"model {name}: its configuration speaks of {layers} layers (num_hidden_layers in config.json); expected at least 1"
        )
    lists = [(path, module) for path, module in model.named_modules() if isinstance(module, nn.ModuleList) and len(module) == layers]
    found = [(path, blocks) for path, blocks in lists if attention_named or any(_attention_child(block) for block in blocks)]
    if len(found) > 1:
        found = _beside_the_embedding(model, found)
    if len(found) == 1:
        return found[0]
    architecture = type(model).__name__
    if found:
        paths = ", ".join(path for path, _ in found)
        raise InputError(f"model {name} ({architecture}) has more than one stack of {layers} layers ({paths}); use a model of text alone")
    if apart := [path for path, parts in lists if all(_ATTENTION_CLASS in type(part).__name__ for part in parts)]:
        raise InputError(
            f"model {name} ({architecture}) keeps its attentions in a list of their own ({apart[0]}) and not in {layers} blocks, "
            "so there is no block whose branches could be read"
        )
    if not lists or any(_ATTENTION_CLASS in type(module).__name__ for module in model.modules()):
        raise InputError(
            f"model {name} ({architecture}): found no list of {layers} blocks with one attention each; its layers share weights, are "
            "nested or hold several"
        )
    raise InputError(f"model {name} ({architecture}) has no attention in its layers, so there are no two branches to compare")


def _beside_the_embedding(model: Any, stacks: list[tuple[str, nn.ModuleList]]) -> list[tuple[str, nn.ModuleList]]:
    """Of several stacks those of the part that holds the embedding of tokens: in a model of text and images the one that runs on text."""
    try:
        embedding = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        return stacks
    path = next((path for path, module in model.named_modules() if module is embedding), "")
    while "." in path:
        path = path.rpartition(".")[0]
        if inside := [(at, blocks) for at, blocks in stacks if at.startswith(f"{path}.")]:
            return inside
    # An embedding at the root: the text's layers lie there too.
    return [(at, blocks) for at, blocks in stacks if "." not in at] or stacks


@dataclass
class _Source:
    """A module that may be a branch's end: how often it ran, and its rows, as they came and as they reach the residual stream."""

    path: str
    runs: int = 0
    projection: torch.Tensor | None = None
    residual: torch.Tensor | None = None


@dataclass
class _Layer:
    """What was seen of one block while it ran."""

    # Per branch the modules that may end it, in groups: of the first group the one that ran last, else the next group.
    sources: dict[str, list[list[_Source]]]
    others: list[_Source]
    before: torch.Tensor | None = None
    norms: list[Norm] = field(default_factory=list)
    order: list[_Source] = field(default_factory=list)


class BranchReader:
    """Reads both branches of every block while the model runs once, at the wanted positions only, and checks what was read.

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
    name
        The model's name, for errors.
    output
        ``projection`` keeps what the modules give, ``residual`` what reaches the residual stream. The other is kept beside it, for
        a norm between the two makes other vectors; a multiplier alone does not count.
    """

    def __init__(
        self,
        blocks: Sequence[nn.Module],
        hidden_size: int,
        positions: Sequence[int],
        tokens: int,
        overrides: BranchModules,
        name: str,
        output: BranchOutput = "projection",
    ) -> None:
        self._hidden_size = hidden_size
        self._positions = list(positions)
        self._tokens = tokens
        self._name = name
        self._output = output
        self._mlp_named = overrides.mlp is not None
        self._found: dict[int, tuple[str, str]] = {}
        self._hooks: list[RemovableHandle] = []
        self._checks: dict[int, Explanation] = {}
        self._layers = [self._watch(block, layer, overrides) for layer, block in enumerate(blocks)]
        self.without_attention = [layer for layer, watched in enumerate(self._layers) if watched is None]
        kept = len(blocks) - len(self.without_attention)
        # All memory that stays is taken at once: rows kept one by one would lie between what each block frees and hold it fast.
        shape = (len(BRANCHES), kept, len(self._positions), hidden_size)
        self._kept = {each: torch.empty(shape, dtype=torch.float32) for each in ("projection", "residual")}
        self._differs = False

    def result(self) -> "Branches":
        """What was read of the blocks that have an attention.

        Raises
        ------
        InputError
            A branch was not found in some block, ran more than once, has another shape than (tokens, hidden size), holds NaN or
            infinity, or the two branches do not make up what the block adds to the residual stream.
        """
        layers = [layer for layer, watched in enumerate(self._layers) if watched is not None]
        if missing := [layer for layer in layers if layer not in self._found]:
            raise InputError(
                f"model {self._name}: layer {missing[0] + 1} was not seen to run: it waits for more than a text, or is called in a "
                "way that cannot be watched"
            )
        modules = {branch: tuple(self._found[layer][index] for layer in layers) for index, branch in enumerate(BRANCHES)}
        other = self._kept["residual" if self._output == "projection" else "projection"] if self._differs else None
        return Branches(self._kept[self._output], modules, tuple(layers), tuple(self._checks[layer] for layer in layers), other)

    def remove(self) -> None:
        """Watch the model no longer."""
        for hook in self._hooks:
            hook.remove()

    def _watch(self, block: nn.Module, layer: int, overrides: BranchModules) -> _Layer | None:
        """Hook one block; None where it has no attention and none is named."""
        attention = _attention_child(block)
        if attention is None and overrides.attention is None:
            return None
        groups = {branch: list(self._groups(block, branch, getattr(overrides, branch), layer)) for branch in BRANCHES}
        named = {path for sources in groups.values() for group in sources for path in group}
        others = [name for name, child in block.named_children() if name not in named | {attention} and not _is_norm(child)]
        watched = _Layer(
            {branch: [[_Source(path) for path in group] for group in sources] for branch, sources in groups.items()},
            [_Source(path) for path in others],
        )
        sources = [source for each in watched.sources.values() for group in each for source in group] + watched.others
        for source in sources:
            self._hooks.append(block.get_submodule(source.path).register_forward_hook(self._keep(watched, source)))
        for path, module in block.named_modules():
            if path and _is_norm(module):
                self._hooks.append(module.register_forward_hook(self._keep_norm(watched, path), with_kwargs=True))
        self._hooks.append(block.register_forward_pre_hook(self._keep_input(watched), with_kwargs=True))
        self._hooks.append(block.register_forward_hook(self._judge(watched, layer)))
        return watched

    def _groups(self, block: nn.Module, branch: str, override: tuple[str, ...] | None, layer: int) -> Iterator[list[str]]:
        if override is not None:
            there = dict(block.named_modules())
            if named := next((path for path in override if path in there), None):
                yield [named]
                return
            raise InputError(
                f"model.branches.{branch}: no module {' or '.join(map(repr, override))} in block {layer + 1} of {self._name}; "
                f"it holds {', '.join(path for path in there if path)}"
            )
        attention = _attention_child(block)
        if branch == "attention":
            assert attention is not None
            yield list(self._projections(block, attention))
            yield [attention]
            return
        mixture = _child(block, lambda child: any(_class_has(module, _MIXTURE_CLASSES) for module in child.modules()), but=attention)
        mlp = _child(block, lambda child: _class_has(child, _MLP_CLASSES), but=attention)
        if mixture is not None:
            yield [mixture]
            return
        if mlp is not None:
            yield list(self._projections(block, mlp))
            yield [mlp]
            return
        yield [path for child, _ in block.named_children() if child != attention for path in self._projections(block, child)]

    def _projections(self, block: nn.Module, child: str) -> Iterator[str]:
        for path, module in block.get_submodule(child).named_modules(prefix=child):
            width = module.nf if isinstance(module, Conv1D) else getattr(module, "out_features", None)
            if isinstance(module, nn.Linear | Conv1D) and width == self._hidden_size:
                yield path

    def _rows(self, values: Any) -> torch.Tensor | None:
        """The kept rows of what a module takes or gives, copied; None where it is not one vector a token."""
        if isinstance(values, tuple | list):
            values = values[0] if values else None
        # Some architectures flatten batch and tokens (OPT), so only the number of values tells whether the shape is right.
        if not isinstance(values, torch.Tensor) or values.dim() < 2 or values.shape[-1] != self._hidden_size:
            return None
        if values.numel() != self._tokens * self._hidden_size:
            return None
        return values.detach().reshape(-1, self._hidden_size)[self._positions].to("cpu", torch.float32)

    def _keep(self, watched: _Layer, source: _Source) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            source.runs += 1
            source.projection = source.residual = self._rows(output)
            watched.order.append(source)

        return keep

    def _keep_norm(self, watched: _Layer, path: str) -> Any:
        def keep(_module: nn.Module, inputs: Any, options: dict[str, Any], output: Any) -> None:
            taken, given = self._rows(_first(inputs, options)), self._rows(output)
            if taken is None or given is None:
                return
            watched.norms.append(Norm(path, taken, given))
            # A norm that takes a branch's output and nothing else belongs to the branch's way into the residual stream.
            for source in watched.order:
                if source.residual is not None and torch.equal(source.residual, taken):
                    source.residual = given

        return keep

    def _keep_input(self, watched: _Layer) -> Any:
        def keep(_module: nn.Module, inputs: Any, options: dict[str, Any]) -> None:
            watched.before = self._rows(_first(inputs, options))

        return keep

    def _judge(self, watched: _Layer, layer: int) -> Any:
        def judge(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if layer in self._found:
                raise InputError(f"model {self._name}: layer {layer + 1} ran more than once for one text; {_HINT}")
            candidates = {branch: self._candidates(watched, branch, layer) for branch in BRANCHES}
            # First, for a value that is no number would leave nothing to explain.
            for branch in BRANCHES:
                leading = candidates[branch][0]
                if leading.projection is not None and not torch.isfinite(leading.projection).all():
                    raise InputError(
                        f"model {self._name}: the {branch} branch of layer {layer + 1} ({leading.path}) gives values that are no finite "
                        "numbers; its weights are damaged, or too large for 32-bit arithmetic"
                    )
            after = self._rows(output)
            if watched.before is None or after is None:
                raise InputError(
                    f"model {self._name}: layer {layer + 1} does not take and give one vector of {self._hidden_size} values for each "
                    "token, so there is no single residual stream to compare its branches on"
                )
            pairs = itertools.product(candidates["attention"], candidates["mlp"])
            # What the settings name as the MLP is not added to.
            others = [
                _term(each) for each in watched.others if each.residual is not None and not (self._mlp_named and _is_shared(each.path))
            ]
            explanation = explain(watched.before, after, watched.norms, [(_term(a), _term(m)) for a, m in pairs], others, _is_shared)
            if explanation is None:
                raise InputError(
                    f"model {self._name}: what layer {layer + 1} adds to the residual stream is not made up of the outputs of "
                    f"{candidates['attention'][0].path} and {candidates['mlp'][0].path}; {_HINT}"
                )
            index = sum(each is not None for each in self._layers[:layer])
            for place, term in enumerate(explanation.branches):
                self._kept["projection"][place, index] = term.projection
                self._kept["residual"][place, index] = term.residual * explanation.coefficients[place]
                self._differs |= not torch.equal(term.projection, term.residual)
            self._found[layer] = (explanation.branches[0].name, explanation.branches[1].name)
            # Nothing of the block stays but what was asked for.
            self._checks[layer] = explanation.without_values()
            watched.before = None
            watched.norms.clear()
            watched.order.clear()
            for source in (*(each for groups in watched.sources.values() for group in groups for each in group), *watched.others):
                source.projection = source.residual = None

        return judge

    def _candidates(self, watched: _Layer, branch: str, layer: int) -> list[_Source]:
        """Of each group the module that ran last, where it gives one vector a token; the first that is usable leads."""
        where = f"model {self._name}: the {branch} branch of layer {layer + 1}"
        last = [max(group, key=_place_in(watched.order), default=None) for group in watched.sources[branch]]
        ran = [source for source in last if source is not None and source.runs]
        if not any(watched.sources[branch]):
            raise InputError(
                f"model {self._name}: layer {layer + 1} holds an attention and no MLP beside it, so there is nothing to compare; {_HINT}"
            )
        if not ran:
            raise InputError(f"{where} was not found; {_HINT}")
        usable = [source for source in ran if source.runs == 1 and source.projection is not None]
        if usable:
            return usable
        if ran[0].runs != 1:
            raise InputError(f"{where} ({ran[0].path}) ran {ran[0].runs} times for one text; {_HINT}")
        raise InputError(f"{where} ({ran[0].path}) does not give {self._hidden_size} values for each token; {_HINT}")


@dataclass(frozen=True)
class Branches:
    """Both branches of the blocks that have an attention.

    Attributes
    ----------
    activation
        (branch, layer, position, dimension) in float32 on the CPU.
    modules
        Per branch the path of the module that was read, inside each of those blocks; a sum is written ``a + b``.
    layers
        Which blocks those are, from 0.
    checks
        Of each of them, how what it adds to the residual stream is made up.
    other
        `activation` as the other of ``projection`` and ``residual``, where a norm lies between the two in any block; else None.
    """

    activation: torch.Tensor
    modules: dict[str, tuple[str, ...]]
    layers: tuple[int, ...]
    checks: tuple[Explanation, ...]
    other: torch.Tensor | None = None


def _term(source: _Source) -> Term:
    assert source.projection is not None
    assert source.residual is not None
    return Term(source.path, source.projection, source.residual)


def _place_in(order: list[_Source]) -> Any:
    places = {id(source): place for place, source in enumerate(order)}
    return lambda source: places.get(id(source), -1)


def _first(inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The hidden states that a module is called with: the first argument, by place or by its usual name."""
    return inputs[0] if inputs else options.get("hidden_states", next(iter(options.values()), None))


def _is_norm(module: nn.Module) -> bool:
    return "Norm" in type(module).__name__


def _is_shared(name: str) -> bool:
    """Whether a child of a block is a part of its MLP beside the mixture: experts that every token uses."""
    return "shared" in name or "mlp" in name or "expert" in name


def _class_has(module: nn.Module, words: Sequence[str]) -> bool:
    return any(word in type(module).__name__ for word in words)


def _attention_child(block: nn.Module) -> str | None:
    return _child(block, lambda child: _ATTENTION_CLASS in type(child).__name__, but=None)


def _child(block: nn.Module, matches: Any, but: str | None) -> str | None:
    """Name of the first direct child that matches, `but` left out."""
    return next((name for name, child in block.named_children() if name != but and matches(child)), None)
