"""The driver for many machines: the workers of a Dask scheduler that somebody has started."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyses.errors import InputError, MissingError
from analyses.installation import install_line
from reportgen import registry
from reportgen.identity import computation_code
from reportgen.sweep.cell_group import begin, compute_group, give_up
from reportgen.sweep.plan import Cell
from reportgen.sweep.store import Store

if TYPE_CHECKING:
    from distributed import Client

_LOGS = ("asyncio", "distributed", "tornado")
# Seconds to wait for the scheduler, and for its first worker.
_WAIT = 15
# What a worker's arithmetic library reads when it is loaded; a nanny, Dask's default, sets them to 1.
_SETS_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def compute_there(groups: list[list[Cell]], store: Store, advance: Callable[[int], None], scheduler: str) -> None:
    """Compute groups of cells by the workers of a scheduler.

    Parameters
    ----------
    scheduler
        Its address (``tcp://host:8786``), or the file that it wrote (``dask scheduler --scheduler-file FILE``).

    Raises
    ------
    InputError
        A worker has another version of the code, or would compute with several threads.
    MissingError
        There is no Dask, no scheduler, or no worker; or the scheduler went away on the way.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingError(f"--scheduler needs the Python package distributed; {install_line(['distributed'])}") from error

    code = computation_code(registry.analysis_of(groups[0][0].settings))
    with _without_its_log(), _client(scheduler) as client:
        try:
            client.wait_for_workers(1, timeout=_WAIT)
        except TimeoutError as error:
            raise MissingError(
                f"--scheduler {scheduler}: it has no worker; start some: dask worker {_option(scheduler)} --nthreads 1"
            ) from error
        # Every group is wanted again although an earlier sweep may have asked for the same: the store says what is there.
        futures = [client.submit(_compute, group, store.address, code, pure=False) for group in groups]
        asked = dict(zip((future.key for future in futures), groups, strict=True))
        for future in distributed.as_completed(futures):
            if future.status == "cancelled" or future.status == "lost":
                raise MissingError(
                    f"--scheduler {scheduler}: it is gone; what was computed is in the store: start it again, and then the same command"
                )
            problem = future.exception()
            if isinstance(problem, distributed.KilledWorker):
                give_up([asked[future.key]], store)
            elif problem is not None:
                raise problem
            advance(len(asked[future.key]))


@contextmanager
def _without_its_log() -> Iterator[None]:
    """A lost connection is told in one line of ours, and not in Dask's tracebacks."""
    # Dask gives each of its loggers a level of its own, so that quieting the first of them would not do.
    loggers = [logging.getLogger(name) for name in ("asyncio", *logging.root.manager.loggerDict) if name.partition(".")[0] in _LOGS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _client(scheduler: str) -> Client:
    from distributed import Client

    if not Path(scheduler).is_file() and ":" not in scheduler:
        raise InputError(f"--scheduler {scheduler}: there is no such file; expected tcp://host:port, or the file of `dask scheduler`")
    try:
        if Path(scheduler).is_file():
            return Client(scheduler_file=scheduler, timeout=_WAIT)
        return Client(scheduler, timeout=_WAIT)
    except (OSError, TimeoutError, ValueError, KeyError) as error:
        raise MissingError(
            f"--scheduler {scheduler}: no Dask scheduler answers there; expected tcp://host:port, or the file of "
            "`dask scheduler --scheduler-file FILE`"
        ) from error


def _option(scheduler: str) -> str:
    return f"--scheduler-file {scheduler}" if Path(scheduler).is_file() else scheduler


def _compute(group: Sequence[Cell], address: str, code: str) -> int:
    """`compute_group` on a worker, once it is sure that it gives the bytes of every other."""
    from distributed import get_worker

    worker = get_worker()
    _check_worker(worker.address, worker.state.nthreads, code, registry.analysis_of(group[0].settings))
    _begin_once()
    return compute_group(group, address)


def _check_worker(name: str, threads: int, code: str, analysis: Any) -> None:
    if computation_code(analysis) != code:
        raise InputError(
            f"--scheduler: the worker {name} has another version of reportgen, Python or a library than this machine; "
            "install the same ones there (requirements/run.txt)"
        )
    if threads != 1 or any(os.environ.get(variable) != "1" for variable in _SETS_THREADS):
        raise InputError(
            f"--scheduler: the worker {name} computes with several threads, so that its last digits would be others; start it with "
            "`dask worker ... --nthreads 1` (with --no-nanny also with OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1)"
        )


_begin_once = cache(begin)
