"""Mutual information of the Gaussian copula: a lower bound that no change of either margin can move."""

from functools import lru_cache
from types import ModuleType

import numpy as np
from scipy import special, stats

from analyses.acceleration import kernels
from analyses.arrays import Array
from analyses.mutual_information.trimming import Indices, Mask, Vectors


def gaussian_copula(vectors: Vectors, first: Indices, second: Indices) -> Array:
    """-ln(1 - r^2) / 2 in nats, (P,), r the correlation of the normal scores Phi^-1(rank / (n + 1)) over the n kept dimensions.

    Ranks of ties are averaged. Infinite where one vector is a monotone map of the other; 0 where a side is constant; NaN where
    fewer than two dimensions are left. The estimate is biased upward by about 1 / (2 n) nats, which is not taken off.

    Ince et al. (2017), Human Brain Mapping 38, 1541-1573, section 2.4.
    """
    kept = vectors.kept(first, second)
    compiled = kernels("mutual_information")
    if compiled is not None:
        return _compiled(compiled, vectors, first, second, kept.sum(axis=1))
    result = np.empty(len(first))
    for index, (left, right) in enumerate(zip(first, second, strict=True)):
        keep = kept[index]
        x, y = vectors.values[left][keep], vectors.values[right][keep]
        if len(x) < 2:
            result[index] = np.nan
        elif np.ptp(x) == 0 or np.ptp(y) == 0:
            result[index] = 0.0
        else:
            result[index] = _of_scores(_normal_scores(vectors, left, keep), _normal_scores(vectors, right, keep))
    return result


def _compiled(compiled: ModuleType, vectors: Vectors, first: Indices, second: Indices, count: Indices) -> Array:
    """The same with the inner loop compiled; `count` (P,) is how many dimensions each pair keeps."""
    distinct, which = np.unique(count, return_inverse=True)
    scores = np.zeros((len(distinct), 2 * vectors.values.shape[1] + 1))
    for row, n in zip(scores, distinct.tolist(), strict=True):
        row[: 2 * n + 1] = _scores_of_half_ranks(n)
    correlation = np.empty(len(first))
    order = vectors.untied_and_order[1]
    compiled.copula_correlation(vectors.values, vectors.inlier, order, first, second, scores, which, correlation)
    return np.where(count < 2, np.nan, _information(correlation))


@lru_cache(maxsize=256)
def _scores_of_half_ranks(count: int) -> Array:
    """Phi^-1(h / 2 / (n + 1)) for h = 0 .. 2 n: every rank among n values, and every mean of ranks."""
    return np.asarray(special.ndtri(np.arange(2 * count + 1) / 2 / (count + 1)))


def _information(correlation: Array) -> Array:
    # Rounding can leave a perfect correlation a digit short of 1.
    perfect = np.abs(correlation) > 1 - 1e-15
    return np.where(perfect, np.inf, -np.log1p(-(np.where(perfect, 0.0, correlation) ** 2)) / 2)


def _of_scores(left: Array, right: Array) -> float:
    return float(_information(left @ right / np.sqrt((left @ left) * (right @ right))))


def _normal_scores(vectors: Vectors, row: int, keep: Mask) -> Array:
    """Scores of the kept dimensions of one vector, (n,)."""
    # The vector is in order already; ranking it again for every pair takes several times as long.
    order = vectors.untied_and_order[1][row]
    ascending = order[keep[order]]
    values = vectors.values[row]
    # Where breaking ties has put different values another way round, they are ranked again too.
    if (values[ascending[1:]] <= values[ascending[:-1]]).any():
        ranks = stats.rankdata(values[keep])
    else:
        places = np.empty(len(values))
        places[ascending] = np.arange(1, len(ascending) + 1)
        ranks = places[keep]
    scores = special.ndtri(ranks / (len(ranks) + 1))
    return np.asarray(scores - scores.mean())
