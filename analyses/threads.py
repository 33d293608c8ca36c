"""Work shared out among the processors, the calling thread's included."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from analyses.machine import threads

Job = TypeVar("Job")
Result = TypeVar("Result")


def share_out(work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """`work` of every job, in the order in which they are finished.

    The calling thread takes jobs as well: to wake one thread more and be woken by it would take as long as a study's histograms.
    What a job raises is raised here, and no further job is begun.
    """
    pending, finished = deque(jobs), deque[Result]()

    def help_out() -> None:
        try:
            for job in _taken(pending):
                finished.append(work(job))
        finally:
            pending.clear()

    helpers = [_pool().submit(help_out) for _ in range(min(threads(), len(pending)) - 1)]
    try:
        for job in _taken(pending):
            yield work(job)
            yield from _taken(finished)
        for helper in helpers:
            helper.result()
        yield from _taken(finished)
    finally:
        pending.clear()


def _taken(items: deque[Job]) -> Iterator[Job]:
    """Take items off until none is left; several threads may do so at once."""
    while True:
        try:
            item = items.popleft()
        except IndexError:
            return
        yield item


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads for all calls: to start them takes a quarter of the time of a whole study's histograms."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="analyses")


# A process that is copied from this one gets none of its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
