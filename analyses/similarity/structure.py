"""Representational similarity: do attention and MLP find the same pairs of occurrences alike?

Kriegeskorte, Mur & Bandettini (2008), Frontiers in Systems Neuroscience 2, 4: two representations are compared by the rank correlation of
their pair matrices, and tested by relabelling what the rows and columns of one of them stand for.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, permutations

import numpy as np
from scipy.stats import rankdata

from analyses.mi_distance.pairs import Pairs
from analyses.statistics.resampling import EXACT_OCCURRENCES, UNTESTABLE_OCCURRENCES

_BLOCK = 4096


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of the two pair matrices in every layer (..., layer), and its mean over the layers with interval and p (...)."""

    by_layer: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def agreement(
    first: np.ndarray,
    second: np.ndarray,
    pairs: Pairs,
    *,
    distance: np.ndarray | None = None,
    relabellings: int = 9999,
    seed: int,
    confidence: float = 0.95,
) -> Agreement:
    """Spearman's correlation of two pair matrices, layer by layer.

    Parameters
    ----------
    first, second : (..., layer, pair) similarities
    distance : (pair,) what is partialled out of the ranks of both, so that agreement which both owe to it does not count
    relabellings, seed : of the occurrences, where not all can be listed (over 8 of them)

    Notes
    -----
    The interval of the mean inverts the test: the occurrences of one matrix are relabelled in all layers together, and every value stays
    that lies closer to the estimate than the largest abs(mean) whose tail share is above 1 - confidence. NaN for T <= 3.
    """
    own, other = _standardised(first, distance), _standardised(second, distance)
    by_layer = np.einsum("...n,...n->...", own, other)
    usable = np.isfinite(by_layer)
    count = usable.sum(axis=-1)
    weight = np.where(usable, 1 / np.maximum(count, 1)[..., None], 0.0)[..., None]
    own, other = np.where(np.isfinite(own), own, 0) * weight, np.where(np.isfinite(other), other, 0)
    # Only the sum over layers is relabelled, so that one matrix of products says all: entry (n, m) pairs value n with value m.
    products = np.einsum("...ln,...lm->...nm", own, other)
    mean = np.where(count > 0, np.trace(products, axis1=-2, axis2=-1), np.nan)
    low, high, p = (np.full(mean.shape, np.nan) for _ in range(3))
    if pairs.occurrences > UNTESTABLE_OCCURRENCES:
        spread = np.concatenate([np.abs(block) for block in _relabelled(products, pairs, relabellings, seed)], axis=-1)
        exact = pairs.occurrences <= EXACT_OCCURRENCES
        tolerance = 1e-9
        reached = (spread >= np.abs(mean)[..., None] - tolerance).sum(axis=-1)
        p = np.where(count > 0, reached / spread.shape[-1] if exact else (reached + 1) / (spread.shape[-1] + 1), np.nan)
        rejected = (1 - confidence) * spread.shape[-1] if exact else (1 - confidence) * (spread.shape[-1] + 1) - 1
        half = np.sort(spread, axis=-1)[..., ::-1][..., int(max(rejected, 0) + tolerance)] + tolerance
        low, high = np.maximum(mean - half, -1.0), np.minimum(mean + half, 1.0)
    return Agreement(by_layer, mean, low, high, p)


def _standardised(values: np.ndarray, distance: np.ndarray | None) -> np.ndarray:
    """Ranks with mean 0 and length 1 over the pairs, what is linear in the ranks of `distance` taken off; NaN for constant values."""
    data = np.asarray(values, dtype=np.float64)
    ranks = rankdata(data, axis=-1)
    ranks = np.where(np.isfinite(data).all(axis=-1, keepdims=True), ranks, np.nan)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    if distance is not None:
        given = rankdata(distance) - (len(distance) + 1) / 2
        if given.any():
            ranks = ranks - (ranks @ given)[..., None] * given / (given @ given)
    length = np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(length > 1e-9, ranks / length, np.nan)


def _relabelled(products: np.ndarray, pairs: Pairs, relabellings: int, seed: int) -> Iterator[np.ndarray]:
    """The mean under each relabelling of the occurrences, in blocks (..., relabelling); all T! of them where T <= 8."""
    lookup = np.zeros((pairs.occurrences, pairs.occurrences), dtype=np.intp)
    lookup[pairs.first, pairs.second] = lookup[pairs.second, pairs.first] = np.arange(len(pairs))
    if pairs.occurrences <= EXACT_OCCURRENCES:
        orders: Iterator[tuple[int, ...] | np.ndarray] = permutations(range(pairs.occurrences))
        total = math.factorial(pairs.occurrences)
    else:
        generator = np.random.default_rng(seed)
        orders, total = (generator.permutation(pairs.occurrences) for _ in range(relabellings)), relabellings
    row = np.arange(len(pairs))
    for _ in range(0, total, _BLOCK):
        order = np.array(list(islice(orders, _BLOCK)), dtype=np.intp)
        given = lookup[order[:, pairs.first], order[:, pairs.second]]
        yield products[..., row, given].sum(axis=-1)
