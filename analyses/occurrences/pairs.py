"""The pairs of the occurrences of one word."""

from dataclasses import dataclass

import numpy as np

from analyses.errors import InputError


@dataclass(frozen=True)
class Pairs:
    """All N = T(T-1)/2 unordered pairs of T occurrences; `first`, `second` and `distance` have shape (N,)."""

    occurrences: int
    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def without(self, occurrence: int) -> np.ndarray:
        """The indices of the pairs that do not touch `occurrence`."""
        return np.flatnonzero((self.first != occurrence) & (self.second != occurrence))


def pairs_of(token_position: np.ndarray) -> Pairs:
    """Pair the occurrences at `token_position` (T,), strictly increasing.

    Raises
    ------
    InputError
        Fewer than two occurrences, or positions that do not increase.
    """
    position = np.asarray(token_position, dtype=np.int64)
    if position.ndim != 1 or len(position) < 2:
        raise InputError("token_position: expected the positions of at least two occurrences of the word")
    if np.any(np.diff(position) <= 0):
        raise InputError("token_position: expected token positions in strictly increasing order")
    first, second = np.triu_indices(len(position), k=1)
    return Pairs(len(position), first, second, position[second] - position[first])
