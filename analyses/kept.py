"""What a process that makes many studies keeps from one to the next: the model that it read last, and its tokenizer.

A process that makes one study keeps nothing, so that its memory is free for what comes after the model.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")

# Kind -> the key of what is kept of it, and the thing itself; None where nothing is to be kept.
_things: dict[str, tuple[str, object]] | None = None


def kept(kind: str, key: str, make: Callable[[], _T]) -> _T:
    """What `make` gives, or gave for the same key before; of each kind only the last is kept.

    Examples
    --------
    >>> with keeping():
    ...     first = kept("list", "a", list)
    ...     kept("list", "a", list) is first, kept("list", "b", list) is first, kept("list", "a", list) is first
    (True, False, False)
    >>> kept("list", "a", list) is kept("list", "a", list)
    False
    """
    if _things is None:
        return make()
    if kind in _things and _things[kind][0] == key:
        return _things[kind][1]  # type: ignore[return-value]
    # What was kept goes first: there may not be room for both.
    _things.pop(kind, None)
    made = make()
    _things[kind] = (key, made)
    return made


def is_kept(kind: str) -> bool:
    """Whether something of a kind is kept."""
    return _things is not None and kind in _things


def forget(kind: str) -> None:
    """Keep what there is of a kind no longer: something went wrong while it was used."""
    if _things is not None:
        _things.pop(kind, None)


def keep_all() -> None:
    """From here on this process keeps: for one that makes studies until it ends."""
    global _things
    _things = {}


@contextmanager
def keeping() -> Iterator[None]:
    """While it lasts, `kept` keeps."""
    global _things
    before, _things = _things, {}
    try:
        yield
    finally:
        _things = before
