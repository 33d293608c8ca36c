"""Mutual information of the Gaussian copula: a lower bound that no change of either margin can move."""

import numpy as np
from scipy import special, stats

from analyses.arrays import Array
from analyses.mutual_information.trimming import Indices, Mask, Vectors


def gaussian_copula(vectors: Vectors, first: Indices, second: Indices) -> Array:
    """-ln(1 - r^2) / 2 in nats, (P,), r the correlation of the normal scores Phi^-1(rank / (n + 1)) over the n kept dimensions.

    Ranks of ties are averaged. Infinite where one vector is a monotone map of the other; 0 where a side is constant; NaN where
    fewer than two dimensions are left. The estimate is biased upward by about 1 / (2 n) nats, which is not taken off.

    Ince et al. (2017), Human Brain Mapping 38, 1541-1573, section 2.4.
    """
    kept = vectors.kept(first, second)
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


def _of_scores(left: Array, right: Array) -> float:
    correlation = left @ right / np.sqrt((left @ left) * (right @ right))
    # Rounding can leave a perfect correlation a digit short of 1.
    return float(np.inf) if abs(correlation) > 1 - 1e-15 else float(-np.log1p(-(correlation**2)) / 2)


def _normal_scores(vectors: Vectors, row: int, keep: Mask) -> Array:
    """Scores of the kept dimensions of one vector, (n,)."""
    # The vector is in order already; ranking it again for every pair takes several times as long.
    order = vectors.untied_and_order[1][row]
    ascending = order[keep[order]]
    values = vectors.values[row]
    if (values[ascending[1:]] == values[ascending[:-1]]).any():
        ranks = stats.rankdata(values[keep])
    else:
        places = np.empty(len(values))
        places[ascending] = np.arange(1, len(ascending) + 1)
        ranks = places[keep]
    scores = special.ndtri(ranks / (len(ranks) + 1))
    return np.asarray(scores - scores.mean())
