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


def without(groups: Iterable[Sequence[Cell]], settled: set[str]) -> list[list[Cell]]:
    """Of each group the cells with other keys than these; groups of which nothing is left are left out."""
    left = [[cell for cell in group if cell.key not in settled] for group in groups]
    return [group for group in left if group]
