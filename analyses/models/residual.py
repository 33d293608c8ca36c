"""Whether two outputs make up what a block adds to the residual stream, and what else does.

A block takes the residual stream and gives it on, changed. Between the two it may be scaled (Granite, MiniMax) or normalised
(BERT, after every addition), and a branch may pass a norm of its own before it is added (Gemma 2). All that is linear but the
norms, and what those take and give is known: so the way back from the block's output to its input is looked for, each step a
least-squares fit of one point of the stream by an earlier point and the branches not yet met.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

# What a fit may leave: a hundredth of what the branches add, or what 32 bits round off a stream that is much longer than that.
_TOLERANCE, _ROUNDING = 1e-2, 2e-6


@dataclass(frozen=True)
class Term:
    """A module's output (rows, dimension): as it came (`projection`), and behind the norms that it alone passes (`residual`)."""

    name: str
    projection: torch.Tensor
    residual: torch.Tensor


@dataclass(frozen=True)
class Norm:
    """What a norm of the block took and gave, (rows, dimension) each."""

    name: str
    taken: torch.Tensor
    given: torch.Tensor


@dataclass(frozen=True)
class Explanation:
    """How a block's change of the residual stream is made up.

    Attributes
    ----------
    branches
        Attention and MLP.
    coefficients
        What each is multiplied by when it is added.
    unexplained
        Length of what is left over, as a share of the length of the change; at its largest over the steps.
    others
        A third contribution -> its length as a share of the length of all that is added.
    normalised
        Whether the stream itself passes a norm inside the block, behind an addition.
    """

    branches: tuple[Term, Term]
    coefficients: tuple[float, float]
    unexplained: float
    others: dict[str, float]
    normalised: bool

    def without_values(self) -> "Explanation":
        """The same with the names of the branches only, and no memory for what they gave."""
        attention, mlp = (Term(term.name, torch.empty(0), torch.empty(0)) for term in self.branches)
        return replace(self, branches=(attention, mlp))


def explain(
    before: torch.Tensor,
    after: torch.Tensor,
    norms: Sequence[Norm],
    pairs: Sequence[tuple[Term, Term]],
    others: Sequence[Term],
    is_shared: Callable[[str], bool],
) -> Explanation | None:
    """The first reading of the two branches that accounts for the block; None where none does.

    Parameters
    ----------
    before, after
        The residual stream before and behind the block, (rows, dimension).
    norms
        The block's norms in the order in which they ran.
    pairs
        Readings of (attention, MLP), the likeliest first.
    others
        What else in the block gives one vector a token.
    is_shared
        Whether one of those, by its name, is a part of the MLP.
    """
    shared = [term for term in others if is_shared(term.name)]
    rest = [term for term in others if not is_shared(term.name)]
    for attention, mlp in pairs:
        if found := _steps(before, after, norms, (attention, mlp)):
            return _explanation((attention, mlp), found, ())
    for (attention, mlp), part in itertools.product(pairs, shared):
        whole = Term(f"{mlp.name} + {part.name}", mlp.projection + part.projection, mlp.residual + part.residual)
        # The sum may pass a norm of its own.
        residual = next((norm.given for norm in norms if _same(norm.taken, whole.residual)), whole.residual)
        whole = Term(whole.name, whole.projection, residual)
        if found := _steps(before, after, norms, (attention, whole)):
            return _explanation((attention, whole), found, ())
    for count in range(1, min(len(rest), 3) + 1):
        for (attention, mlp), third in itertools.product(pairs, itertools.combinations(rest, count)):
            if found := _steps(before, after, norms, (attention, mlp, *third)):
                return _explanation((attention, mlp), found, third)
    return None


@dataclass(frozen=True)
class _Step:
    """One fit: which terms were met, by their place, with their coefficients, and what was left."""

    coefficients: dict[int, float]
    left: float
    normalised: bool


def _explanation(branches: tuple[Term, Term], steps: list[_Step], third: Sequence[Term]) -> Explanation:
    coefficients = {place: value for step in steps for place, value in step.coefficients.items()}
    terms = [*branches, *third]
    added = sum((coefficients[place] * term.residual for place, term in enumerate(terms)), torch.zeros_like(branches[0].residual))
    length = float(added.norm()) or 1.0
    shares = {term.name: float(abs(coefficients[place]) * term.residual.norm()) / length for place, term in enumerate(third, start=2)}
    return Explanation(
        branches, (coefficients[0], coefficients[1]), max(step.left for step in steps), shares, any(step.normalised for step in steps)
    )


def _steps(before: torch.Tensor, after: torch.Tensor, norms: Sequence[Norm], terms: Sequence[Term]) -> list[_Step] | None:
    """The steps from the block's output back to its input that meet every term once; None where there is no such way."""
    return _way(after, before, norms, [term.residual for term in terms], frozenset(range(len(terms))), len(norms))


def _way(
    target: torch.Tensor, before: torch.Tensor, norms: Sequence[Norm], terms: list[torch.Tensor], unmet: frozenset[int], depth: int
) -> list[_Step] | None:
    silent = frozenset(place for place in unmet if not terms[place].any())
    if unmet and unmet <= silent and _fit(target, before, []) is not None:
        return [_Step(dict.fromkeys(unmet, 1.0), 0.0, normalised=False)]
    for met in _subsets(unmet):
        fitted = _fit(target, before, [terms[place] for place in met])
        if fitted is not None and unmet - silent <= set(met):
            return [_Step({**dict.fromkeys(unmet, 1.0), **dict(zip(met, fitted[0], strict=True))}, fitted[1], normalised=False)]
    if not depth:
        return None
    # From a norm's output the stream goes back to what the norm took.
    for place in reversed(range(len(norms))):
        norm = norms[place]
        for met in _subsets(unmet):
            fitted = _fit(target, norm.given, [terms[each] for each in met])
            if fitted is None:
                continue
            rest = _way(norm.taken, before, norms[:place], terms, unmet - set(met), depth - 1)
            if rest is not None:
                return [_Step(dict(zip(met, fitted[0], strict=True)), fitted[1], normalised=True), *rest]
    return None


def _subsets(places: frozenset[int]) -> Iterator[tuple[int, ...]]:
    for count in range(len(places), -1, -1):
        yield from itertools.combinations(sorted(places), count)


def _fit(target: torch.Tensor, point: torch.Tensor, terms: Sequence[torch.Tensor]) -> tuple[list[float], float] | None:
    """Coefficients of the terms in target = c point + sum of terms, and what is left as a share of that sum; None where it does not fit."""
    columns = torch.stack([each.double().flatten() for each in (point, *terms)], dim=1)
    goal = target.double().flatten()
    scale = columns.norm(dim=0).clamp_min(1e-300)
    gram = (columns / scale).T @ (columns / scale)
    try:
        solution = torch.linalg.solve(gram + 1e-14 * torch.eye(len(gram), dtype=torch.float64), (columns / scale).T @ goal) / scale
    except RuntimeError:
        return None
    left = float((goal - columns @ solution).norm())
    added = float((columns[:, 1:] @ solution[1:]).norm()) if terms else 0.0
    size = float(goal.norm())
    # A point that does not count is none: the way would leave the stream.
    if not torch.isfinite(solution).all() or abs(float(solution[0])) * float(point.double().norm()) < 1e-9 * size:
        return None
    if left > max(_TOLERANCE * added, _ROUNDING * max(size, float(point.double().norm()))):
        return None
    return [float(value) for value in solution[1:]], left / added if added else 0.0


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).norm() <= 1e-5 * one.norm())
