"""How long work reports that it moves: the caller decides what to show."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Opens one stage after the other; each stage yields a function that advances it by a number of steps."""

    def stage(self, key: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin the stage `key` (for example ``capture``) of `total` steps."""
        ...


class SilentProgress:
    """Shows nothing."""

    @contextmanager
    def stage(self, key: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda steps: None


Advance = Callable[[int], None]


def in_steps(advance: Advance | None, steps: int, work: int) -> Advance:
    """What is to be called with the work done, `work` in all, for `advance` to be called with `steps` in all.

    Examples
    --------
    >>> done = []
    >>> finished = in_steps(done.append, 10, 4)
    >>> for _ in range(4):
    ...     finished(1)
    >>> done
    [2, 3, 2, 3]
    """
    finished = told = 0

    def tell(done: int) -> None:
        nonlocal finished, told
        finished += done
        if advance is not None and (reached := steps * finished // max(work, 1)) > told:
            advance(reached - told)
            told = reached

    return tell
