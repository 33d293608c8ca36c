"""The embedded driver: processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from reportgen.sweep.cell_group import ONE_THREAD, begin, compute_group, give_up, unsettled
from reportgen.sweep.plan import Cell
from reportgen.sweep.store import Store

# How often the cells that a killed process had begun are tried.
_ATTEMPTS = 3


def compute_here(groups: list[list[Cell]], store: Store, advance: Callable[[int], None], workers: int) -> None:
    """Compute groups of cells by so many processes.

    One that is killed costs what it had begun: that is tried again, and recorded as failed when it comes to nothing three times.
    """
    for attempt in range(_ATTEMPTS):
        with _one_thread():
            pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)
            try:
                for future in as_completed([pool.submit(compute_group, group, store.address) for group in groups]):
                    advance(future.result())
                pool.shutdown()
                return
            except BrokenProcessPool:
                pool.shutdown(wait=False, cancel_futures=True)
                groups = unsettled(groups, store)
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
    give_up(groups, store)


def _begin() -> None:
    begin()
    # Ctrl-C reaches the whole group of processes; the one that waits for the others ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(parent: Any) -> None:
    """End when the process that gives out the work does, whatever ended it: nobody would ask for more."""
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """While it lasts, processes that are started use one thread each."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
