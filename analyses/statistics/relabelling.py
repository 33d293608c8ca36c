"""The occurrences exchanged among their places: every order of them, or a sample, and what a statistic under each of these tells.

Mantel (1967), Cancer Research 27, 209-220: the values of a pair stay together and are given to another pair of occurrences.
"""

from functools import lru_cache
from itertools import permutations as all_orders
from math import factorial

import numpy as np
import numpy.typing as npt

from analyses.arrays import Array

Indices = npt.NDArray[np.intp]

# With so few occurrences no test is possible.
UNTESTABLE_OCCURRENCES = 3
# T! relabellings are all enumerated up to this T (8! = 40,320).
EXACT_OCCURRENCES = 8
# Sums over the same numbers in another order differ in their last digits where they are equal.
_TOLERANCE = 1e-9


def relabellings(occurrences: int, permutations: int) -> int:
    """How many relabellings a test looks at: all, or as many as are to be sampled; 0 where no test is possible."""
    if occurrences <= UNTESTABLE_OCCURRENCES:
        return 0
    return factorial(occurrences) if occurrences <= EXACT_OCCURRENCES else permutations


class Relabelling:
    """All T! relabellings of T occurrences, or `permutations` sampled ones where T > 8.

    Parameters
    ----------
    first, second : (N,) array_like of int
        The two occurrences of each pair; every pair of occurrences 0 .. T-1 exactly once (ValueError otherwise).
    permutations, seed : int
        How many to sample, and of what seed; the same seed gives the same relabellings.

    Attributes
    ----------
    total, exact
        How many relabellings there are, and whether they are all.
    testable
        Whether there are enough occurrences for a test.
    """

    def __init__(self, first: npt.ArrayLike, second: npt.ArrayLike, permutations: int, seed: int) -> None:
        self._first, self._second = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp)
        self._occurrences = int(max(self._first.max(initial=-1), self._second.max(initial=-1))) + 1
        self._lookup = _pair_lookup(self._first, self._second, self._occurrences)
        self._seed = seed
        self.exact = self._occurrences <= EXACT_OCCURRENCES
        self.total = factorial(self._occurrences) if self.exact else permutations
        self.testable = self._occurrences > UNTESTABLE_OCCURRENCES

    def parts(self, size: int) -> list[slice]:
        """All relabellings, at most so many at once."""
        return [slice(start, min(start + size, self.total)) for start in range(0, self.total, size)]

    def pairs(self, part: slice) -> npt.NDArray[np.int32]:
        """Of some of the relabellings which of the N pairs each pair becomes, (relabelling, N)."""
        order = (_all_orders(self._occurrences) if self.exact else _sampled(self._occurrences, self.total, self._seed))[part]
        return self._lookup[order[:, self._first], order[:, self._second]]

    def share(self, count: npt.NDArray[np.int64]) -> Array:
        """p-value from how many relabellings were as extreme."""
        if not self.testable:
            return np.full(count.shape, np.nan)
        return np.asarray(count / self.total if self.exact else (count + 1) / (self.total + 1))

    def inverted(self, spread: Array, observed: Array, confidence: npt.ArrayLike) -> tuple[Array, Array]:
        """Half widths (..., statistic) of the intervals that invert the test, and two-sided p (statistic,).

        Parameters
        ----------
        spread : (relabelling, statistic)
            Absolute values under all relabellings.
        observed : (statistic,)
            Those of the data.
        confidence : (...) array_like
            Levels of the intervals.
        """
        p = self.share((spread >= observed - _TOLERANCE).sum(axis=0))
        # A value is rejected when at most this many relabelled ones reach it.
        error = 1 - np.asarray(confidence, dtype=np.float64)
        rejected = error * self.total if self.exact else error * (self.total + 1) - 1
        place = np.floor(np.maximum(rejected, 0) + _TOLERANCE).astype(np.intp)
        return np.sort(spread, axis=0)[::-1][place] + _TOLERANCE, p


# Every test of a study asks for the same orders: the last ones are kept.


@lru_cache(maxsize=2)
def _all_orders(occurrences: int) -> npt.NDArray[np.int16]:
    return np.array(list(all_orders(range(occurrences))), dtype=np.int16)


@lru_cache(maxsize=2)
def _sampled(occurrences: int, total: int, seed: int) -> npt.NDArray[np.int16]:
    generator = np.random.default_rng(seed)
    orders = np.empty((total, occurrences), dtype=np.int16)
    for order in orders:
        order[:] = generator.permutation(occurrences)
    return orders


def _pair_lookup(first: Indices, second: Indices, occurrences: int) -> npt.NDArray[np.int32]:
    """(T, T) index of the pair that two occurrences make, in either order."""
    lookup = np.full((occurrences, occurrences), -1, dtype=np.int32)
    lookup[first, second] = lookup[second, first] = np.arange(len(first))
    if len(first) != occurrences * (occurrences - 1) // 2 or (lookup[~np.eye(occurrences, dtype=bool)] < 0).any():
        raise ValueError("relabelling needs every pair of occurrences exactly once")
    return lookup
