"""A bundle's numbers against the same worked out anew by its analysis's slow route: from activations, or from the cells of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from analyses.errors import InputError
from analyses.progress import Progress
from reportgen.bundle import IncompleteResultsError, asking, read_bundle
from reportgen.registry import analysis_named

# The largest difference that rounding explains.
LIMIT = 1e-9


@dataclass(frozen=True)
class Recomputation:
    """Quantity -> largest absolute difference (infinite where a number stands against none), and what was not recomputed."""

    differences: dict[str, float]
    left_out: tuple[str, ...]

    @property
    def wrong(self) -> tuple[str, ...]:
        """The quantities that differ by more than rounding."""
        return tuple(name for name, difference in self.differences.items() if not difference <= LIMIT)


def recompute(path: Path, progress: Progress, every: int = 1) -> Recomputation:
    """Recompute a bundle.

    Parameters
    ----------
    every : estimate each `every`-th layer only.

    Raises
    ------
    InputError
        If `path` is no bundle, lacks what its analysis recomputes it from, or its analysis has no slow route.
    MissingError
        If a library of the slow route is not installed.
    """
    results = read_bundle(path)
    analysis: Any = analysis_named(results.study["analysis"], f"{path}/study.json")
    route = getattr(analysis, "recomputed", None)
    if route is None:
        raise InputError(f"{path}: the analysis {analysis.name} has no slow route to recompute its numbers by")
    try:
        with asking(analysis):
            pairs = route(results, progress, every)
    except IncompleteResultsError:
        raise
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    differences = {name: _largest(held, anew) for name, (held, anew) in pairs.items()}
    numbers = [str(name) for name, variable in results.dataset.data_vars.items() if variable.dtype.kind in "iuf"]
    return Recomputation(differences, tuple(sorted(set(numbers) - set(differences) - set(results.activations.variables))))


def recomputation_text(found: Recomputation) -> str:
    """Return a line for each quantity, the largest difference first, and what was left out."""
    ordered = sorted(found.differences.items(), key=lambda row: (-row[1], row[0]))
    width = max(len(name) for name in found.differences)
    lines = [f"{'quantity':<{width}}  largest difference"]
    lines += [f"{name:<{width}}  {difference:.1e}{'' if difference <= LIMIT else '  differs'}" for name, difference in ordered]
    if found.left_out:
        lines += ["", f"Not recomputed: {', '.join(found.left_out)}."]
    count = len(found.wrong)
    verdict = f"{count} of {len(ordered)} quantities differ" if count else f"none of {len(ordered)} quantities differs"
    return "\n".join([*lines, "", f"{verdict} by more than {LIMIT:.0e}."])


def _largest(held: Sequence[float] | numpy.ndarray, anew: Sequence[float] | numpy.ndarray) -> float:
    left, right = (numpy.asarray(side, dtype=numpy.float64) for side in (held, anew))
    if left.shape != right.shape:
        return float("inf")
    # What cannot be measured is "no value" in a file, be it NaN or infinite.
    left, right = (numpy.where(numpy.isfinite(side), side, numpy.nan) for side in (left, right))
    neither = numpy.isnan(left) & numpy.isnan(right)
    difference = numpy.where(neither, 0.0, numpy.abs(left - right))
    return float(numpy.nan_to_num(difference, nan=numpy.inf).max(initial=0.0))
