"""Representational similarity: do attention and MLP find the same pairs of occurrences alike?

Kriegeskorte, Mur & Bandettini (2008), Frontiers in Systems Neuroscience 2, 4: two representations are compared by the rank correlation of
their pair matrices, and tested by relabelling what the rows and columns of one of them stand for.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from analyses.occurrences.pairs import Pairs
from analyses.statistics.relabelling import Relabelling

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
    relabelling = Relabelling(pairs.first, pairs.second, relabellings, seed)
    if relabelling.testable:
        row = np.arange(len(pairs))
        blocks = [np.abs(products[..., row, relabelling.pairs(part)].sum(axis=-1)) for part in relabelling.parts(_BLOCK)]
        spread = np.concatenate(blocks, axis=-1)
        half, found = relabelling.inverted(np.moveaxis(spread, -1, 0), np.abs(mean), confidence)
        p = np.where(count > 0, found, np.nan)
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
