"""What is missing of a sweep is computed, by the processes of this machine or by those of a cluster, each cell into the store at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyses.machine import processors
from analyses.progress import Progress
from reportgen.sweep.cell_group import longest_first, without
from reportgen.sweep.dask_cluster import compute_there
from reportgen.sweep.local_pool import compute_here
from reportgen.sweep.plan import Cell
from reportgen.sweep.store import CELLS, FAILED, Store


@dataclass(frozen=True)
class Done:
    """What a sweep did: how many cells were computed now, were there before, and could not be computed."""

    computed: int
    there: int
    failed: int


def work(
    groups: Sequence[list[Cell]],
    store: Store,
    progress: Progress,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    retry: bool = False,
) -> Done:
    """Compute the cells of the groups that the store does not have.

    Parameters
    ----------
    groups
        Cells of one model and text each (`Plan.groups`).
    workers
        Processes; as many as there are processors unless given.
    scheduler
        Have the workers of this Dask scheduler do it (`compute_there`).
    retry
        Try again what could not be computed before.

    Notes
    -----
    The bytes do not depend on who computes, nor on how many. What is killed on the way costs the cells that it had begun.
    """
    store.sweep_up()
    wanted = {cell.key for group in groups for cell in group}
    there = store.whole(store.keys(CELLS) & wanted)
    failed = store.keys(FAILED) & wanted - there
    for key in (store.keys(CELLS) & wanted) - there:
        # A damaged cell would be taken for one that is there.
        store.remove(CELLS, key)
    missing = longest_first(without(groups, there if retry else there | failed))
    if missing:
        with progress.stage("sweep", sum(map(len, missing))) as advance:
            if scheduler is not None:
                compute_there(missing, store, advance, scheduler)
            else:
                compute_here(missing, store, advance, min(workers or processors(), len(missing)))
    after = store.keys(CELLS) & wanted
    return Done(len(after - there), len(there), len(wanted - after))
