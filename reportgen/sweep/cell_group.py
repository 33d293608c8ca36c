"""What every process of a sweep does: it computes the cells of one model and text into the store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from analyses.kept import keep_all
from analyses.progress import SilentProgress
from analyses.protocol import Results, Swept
from reportgen import registry
from reportgen.sweep.plan import Cell
from reportgen.sweep.store import CELLS, FAILED, Store, packed

# One thread in each process: sums taken by several would have other last bits, and two processes on two cores need no more.
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
_KILLED = "the process that computed it was killed again and again; there may be too little memory"


def begin() -> None:
    """Make this process one that computes cells until it ends."""
    # The texts of a model come one after the other: it is loaded once in each process.
    keep_all()
    # How a word was counted is in each cell; a line for each of a thousand would hide the progress.
    logging.getLogger("analyses").setLevel(logging.ERROR)


def compute_group(group: Sequence[Cell], address: str) -> int:
    """Compute the cells of one model and text that the store at `address` does not have; how many cells the group is."""
    store, analysis = Store(address), registry.analysis_of(group[0].settings)
    assert isinstance(analysis, Swept)
    # A process that was killed may have finished some of them before.
    missing = [cell for cell in group if not store.has(CELLS, cell.key)]
    for cell, found in zip(missing, analysis.cells([cell.settings for cell in missing], SilentProgress()), strict=True):
        if isinstance(found, Exception):
            store.write_failure(cell.key, " ".join(str(found).split()))
        else:
            results = Results(found.dataset, found.activations, {**found.study, "analysis": analysis.name})
            store.write(f"{CELLS}/{cell.key}.zip", packed(results))
            store.remove_failure(cell.key)
    return len(group)


def give_up(groups: Iterable[Sequence[Cell]], store: Store) -> None:
    """Record that the processes which computed these cells were killed."""
    for group in unsettled(groups, store):
        for cell in group:
            store.write_failure(cell.key, _KILLED)


def unsettled(groups: Iterable[Sequence[Cell]], store: Store) -> list[list[Cell]]:
    """Of each group the cells that are neither in the store nor recorded as failed."""
    return without(groups, store.keys(CELLS) | store.keys(FAILED))


def longest_first(groups: Iterable[Sequence[Cell]]) -> list[list[Cell]]:
    """Of each model the groups with much to do before those with little, so that no process works long alone in the end.

    What a cell takes grows with the pairs of its word's occurrences; a model's groups stay together, in the order of the models.
    """
    models: dict[str, list[list[Cell]]] = {}
    for group in groups:
        models.setdefault(group[0].group[0], []).append(list(group))
    return [group for same in models.values() for group in sorted(same, key=_amount, reverse=True)]


def _amount(group: Sequence[Cell]) -> int:
    return sum(cell.text.text.casefold().count(cell.settings.word.casefold()) ** 2 for cell in group)


def without(groups: Iterable[Sequence[Cell]], settled: set[str]) -> list[list[Cell]]:
    """Of each group the cells with other keys than these; groups of which nothing is left are left out."""
    left = [[cell for cell in group if cell.key not in settled] for group in groups]
    return [group for group in left if group]
