"""What a straight line explains: Pearson's correlation of each pair, and the mutual information that it alone would mean."""

import numpy as np
import numpy.typing as npt

from analyses.arrays import Array
from analyses.mutual_information.trimming import Indices, Vectors, prepare

# Below this part of its sum of squares a variance may be rounding: such pairs are computed once more, from their own differences.
_ROUNDING = 1e-9


def linear_correlation(vectors: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, trim: float | None = 4.0) -> Array:
    """Pearson's r of many pairs among the same vectors, over the dimensions that the estimators of mutual information use too.

    Parameters
    ----------
    vectors : (..., V, D), for example (branch, layer, occurrence, dimension).
    first, second : (P,) indices into V.
    trim : drop, for a pair, the dimensions where either vector has abs(z) > trim; None keeps all.

    Returns
    -------
    (..., P) in [-1, 1]. NaN where a vector is constant over the dimensions left, or holds a NaN or an infinity, and where fewer than
    two dimensions are left.
    """
    data = np.asarray(vectors)
    left, right = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp)
    blocks = data.reshape(-1, *data.shape[-2:])
    result = np.empty((len(blocks), len(left)))
    for row, block in zip(result, blocks, strict=True):
        row[:] = _correlation(prepare(block, trim), left, right)
    return result.reshape(*data.shape[:-2], len(left))


def linear_information(correlation: npt.ArrayLike) -> Array:
    """-ln(1 - r^2) / 2 in nats: the mutual information of two jointly normal variables of that correlation.

    Cover & Thomas, Elements of Information Theory (2nd ed. 2006), example 8.5.1; Kraskov, Stögbauer & Grassberger (2004), Physical
    Review E 69, 066138. No joint law of this correlation with normal margins has less.

    Parameters
    ----------
    correlation : (...) Pearson's r.

    Returns
    -------
    (...) infinite where r is 1 or -1, NaN where it is.
    """
    r = np.asarray(correlation, dtype=np.float64)
    with np.errstate(divide="ignore"):
        # (1 - r)(1 + r) keeps the digits of an r near 1 that 1 - r^2 loses.
        return np.asarray(-(np.log1p(-np.abs(r)) + np.log1p(np.abs(r))) / 2)


def _correlation(vectors: Vectors, first: Indices, second: Indices) -> Array:
    """All sums over a pair's own dimensions are products of matrices: what a vector leaves out is 0 in it."""
    inlier = vectors.inlier.astype(np.float64)
    count = inlier.sum(axis=-1, keepdims=True)
    # Centred and scaled by the vector's own inliers, no sum is large beside what is left of it.
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = (vectors.values - (vectors.values * inlier).sum(axis=-1, keepdims=True) / count) * inlier
        own = centred / np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    own = np.where(np.isfinite(own), own, 0.0)
    number = (inlier @ inlier.T)[first, second]
    sums, squares = own @ inlier.T, own**2 @ inlier.T
    left, right = sums[first, second], sums[second, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        left_spread = squares[first, second] - left**2 / number
        right_spread = squares[second, first] - right**2 / number
        correlation = ((own @ own.T)[first, second] - left * right / number) / np.sqrt(left_spread * right_spread)
    doubtful = ~((left_spread > _ROUNDING) & (right_spread > _ROUNDING) & (np.abs(correlation) < 1 - _ROUNDING))
    for pair in np.flatnonzero(doubtful):
        correlation[pair] = _of_one_pair(vectors, first[pair], second[pair])
    usable = vectors.finite[first] & vectors.finite[second]
    return np.where(usable, np.clip(correlation, -1.0, 1.0), np.nan)


def _of_one_pair(vectors: Vectors, first: int, second: int) -> float:
    """Pearson's r by its definition; NaN where a side is constant."""
    keep = vectors.inlier[first] & vectors.inlier[second]
    x, y = vectors.values[first][keep], vectors.values[second][keep]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    x, y = x - x.mean(), y - y.mean()
    x, y = x / np.sqrt(x @ x), y / np.sqrt(y @ y)
    sign = 1.0 if x @ y >= 0 else -1.0
    # From how far the two lie apart, a straight line gives exactly 1 or -1 whatever the rounding of its points.
    return float(sign * (1 - ((x - sign * y) ** 2).sum() / 2))
