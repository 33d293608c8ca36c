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
