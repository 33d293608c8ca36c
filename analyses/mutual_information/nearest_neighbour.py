"""Mutual information from nearest neighbours: estimator 1 of Kraskov, Stögbauer & Grassberger (2004)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import spatial, special

from analyses.acceleration import kernels
from analyses.arrays import Array
from analyses.mutual_information.trimming import Indices, Vectors


def nearest_neighbour(vectors: Vectors, first: Indices, second: Indices, neighbours: Sequence[int]) -> Array:
    """psi(n) + psi(k) - <psi(n_x + 1)> - <psi(n_y + 1)> in nats, (K, P), for each k and over the n kept dimensions of each pair.

    n_x counts the points nearer in x than the k-th neighbour in the plane (maximum norm); both sides are first divided by their
    standard deviation, as scikit-learn's `mutual_info_regression` does. Equal values of one vector are told apart by tiny seeded
    noise (`ties`), vectors without any are untouched; a negative estimate is not clipped. 0 where a side is constant; NaN where
    n <= k.

    Kraskov, Stögbauer & Grassberger (2004), Physical Review E 69, 066138, equation 8.
    """
    digamma = special.digamma(np.arange(vectors.values.shape[1] + 1, dtype=np.float64))
    result = np.empty((len(neighbours), len(first)))
    untied, order = vectors.untied_and_order
    compiled = kernels("mutual_information")
    if compiled is not None:
        known = vectors.values, untied, vectors.inlier, order
        compiled.nearest_neighbour(*known, first, second, np.asarray(neighbours, dtype=np.int64), digamma, result)
        return result
    kept = vectors.kept(first, second)
    for index, (left, right) in enumerate(zip(first, second, strict=True)):
        keep = kept[index]
        constant = keep.any() and (np.ptp(vectors.values[left][keep]) == 0 or np.ptp(vectors.values[right][keep]) == 0)
        for choice, k in enumerate(neighbours):
            if constant and keep.sum() > k:
                result[choice, index] = 0.0
            else:
                result[choice, index] = _estimate(untied[left][keep], untied[right][keep], k, digamma)
    return result


def _estimate(x: Array, y: Array, neighbours: int, digamma: Array) -> float:
    count = len(x)
    if count <= neighbours:
        return np.nan
    x, y = x / _deviation(x), y / _deviation(y)
    points = np.column_stack([x, y])
    # The nearest to a point is itself, so the k-th neighbour is the (k + 1)-th found.
    distances = np.asarray(spatial.cKDTree(points).query(points, k=[neighbours + 1], p=np.inf)[0])
    radius = np.nextafter(distances[:, 0], 0.0)
    inside = digamma[_within(x, radius)] + digamma[_within(y, radius)]
    return float(digamma[count] + digamma[neighbours] - inside.mean())


def _deviation(values: Array) -> Array:
    # Summed one after the other, as the compiled kernel does: a last-digit difference in scale would move tied distances.
    centred = values - np.add.accumulate(values)[-1] / len(values)
    return np.sqrt(np.add.accumulate(centred * centred)[-1] / len(values))


def _within(values: Array, radius: Array) -> npt.NDArray[np.intp]:
    """How many values, the point itself among them, lie within `radius` of each value."""
    ascending = np.sort(values)
    last = len(values) - 1
    low = np.searchsorted(ascending, values - radius, side="left")
    high = np.searchsorted(ascending, values + radius, side="right") - 1
    # The sums above are rounded: settle the ends by the difference itself, which is what the radius was measured as.
    while (move := (low > 0) & (values - ascending[np.maximum(low - 1, 0)] <= radius)).any():
        low = low - move
    while (move := values - ascending[np.minimum(low, last)] > radius).any():
        low = low + move
    while (move := (high < last) & (ascending[np.minimum(high + 1, last)] - values <= radius)).any():
        high = high + move
    while (move := ascending[np.maximum(high, 0)] - values > radius).any():
        high = high - move
    return high - low + 1
