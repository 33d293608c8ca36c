"""The local driver: processes that compute the cells that are missing, each writing what it has done into the store at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from analyses.kept import keep_all
from analyses.machine import processors
from analyses.progress import Progress, SilentProgress
from analyses.protocol import Results, Swept
from reportgen import registry
from reportgen.sweep.plan import Cell
from reportgen.sweep.store import CELLS, FAILED, Store, packed

# How often the cells that a killed process had begun are tried.
_ATTEMPTS = 3
# One thread in each process: sums taken by several would have other last bits, and two processes on two cores need no more.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Done:
    """What a sweep did: how many cells were computed now, were there before, and could not be computed."""

    computed: int
    there: int
    failed: int


def work(groups: Sequence[list[Cell]], store: Store, progress: Progress, *, workers: int | None = None, retry: bool = False) -> Done:
    """Compute the cells of the groups that the store does not have.

    Parameters
    ----------
    groups
        Cells of one model and text each (`Plan.groups`).
    workers
        Processes; as many as there are processors unless given.
    retry
        Try again what could not be computed before.

    Notes
    -----
    The bytes do not depend on the number of processes. One that is killed costs what it had begun: that is tried again, and recorded
    as failed when it comes to nothing three times.
    """
    store.sweep_up()
    wanted = {cell.key for group in groups for cell in group}
    listed = store.keys(CELLS) & wanted
    there = store.whole(listed)
    failed = store.keys(FAILED) & wanted - there
    settled = there if retry else there | failed
    missing = [[cell for cell in group if cell.key not in settled] for group in groups]
    missing = [group for group in missing if group]
    count = sum(map(len, missing))
    if count:
        with progress.stage("sweep", count) as advance, _one_thread():
            _compute(missing, store, advance, min(workers or processors(), len(missing)))
    after = store.keys(CELLS) & wanted
    return Done(len(after - there), len(there), len(wanted - after))


def _compute(groups: list[list[Cell]], store: Store, advance: Callable[[int], None], workers: int) -> None:
    for attempt in range(_ATTEMPTS):
        pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)
        try:
            pending = {pool.submit(_cells, group, store.address): group for group in groups}
            for future in as_completed(pending):
                advance(future.result())
            pool.shutdown()
            return
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)
            groups = _left(groups, store)
            if not groups:
                return
        except BaseException:
            # Whoever waits for the end shall not wait for cells that nobody wants.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        # A process that was killed for its memory is not helped by others beside it.
        workers = 1 if attempt else workers
    for group in groups:
        for cell in group:
            store.write_failure(cell.key, "the process that computed it was killed three times; there may be too little memory")


def _left(groups: list[list[Cell]], store: Store) -> list[list[Cell]]:
    settled = store.keys(CELLS) | store.keys(FAILED)
    left = [[cell for cell in group if cell.key not in settled] for group in groups]
    return [group for group in left if group]


def _begin() -> None:
    # The texts of a model come one after the other: it is loaded once in each process.
    keep_all()
    # Ctrl-C reaches the whole group of processes; the one that waits for the others ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(parent: Any) -> None:
    """End when the process that gives out the work does, whatever ended it: nobody would ask for more."""
    if parent is not None:
        parent.join()
        os._exit(1)


def _cells(group: list[Cell], address: str) -> int:
    """Compute the cells of one model and text into the store; how many these were."""
    store, analysis = Store(address), registry.analysis_of(group[0].settings)
    assert isinstance(analysis, Swept)
    for cell, found in zip(group, analysis.cells([cell.settings for cell in group], SilentProgress()), strict=True):
        if isinstance(found, Exception):
            store.write_failure(cell.key, " ".join(str(found).split()))
        else:
            results = Results(found.dataset, found.activations, {**found.study, "analysis": analysis.name})
            store.write(f"{CELLS}/{cell.key}.zip", packed(results))
            store.remove_failure(cell.key)
    return len(group)


@contextmanager
def _one_thread() -> Iterator[None]:
    """While it lasts, processes that are started use one thread each."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
