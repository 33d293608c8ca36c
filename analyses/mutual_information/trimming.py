"""The vectors of a study, with the outliers of each marked and what every pair needs worked out once per vector."""

from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from analyses.acceleration import kernels
from analyses.arrays import Array
from analyses.mutual_information.ties import break_ties

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


# The squares of what lies between are far from the ends of float64.
SMALLEST, LARGEST = 1e-100, 1e100


@dataclass(frozen=True)
class Vectors:
    """Vectors to be paired.

    Attributes
    ----------
    values : (V, D) finite float64; a vector that held a NaN or an infinity is all zeros here, one of extreme values in another unit.
    inlier : (V, D) False where a vector has an outlier.
    finite : (V,) False where the vector held a NaN or an infinity: no estimate is possible.
    low, high : (V,) the smallest and the largest inlier of each vector.
    codes : number of bins -> (V, D) bin of every value, kept by the histogram estimator.
    """

    values: Array
    inlier: Mask
    finite: Mask
    low: Array
    high: Array
    codes: dict[int, npt.NDArray[Any]] = field(default_factory=dict)

    @cached_property
    def untied_and_order(self) -> tuple[Array, npt.NDArray[np.int32]]:
        """(V, D) the values with their ties broken, `values` itself where there are none; (V, D) the dimensions in their order."""
        return break_ties(self.values)

    @cached_property
    def outliers(self) -> tuple[Indices, Indices]:
        """Where each vector v has outliers: in the dimensions places[starts[v]:starts[v + 1]] of (starts (V + 1,), places)."""
        flat = np.flatnonzero(~self.inlier)  # several times as fast as nonzero of a matrix
        dimensions = self.inlier.shape[1]
        return np.searchsorted(flat, np.arange(len(self.inlier) + 1) * dimensions), flat % max(dimensions, 1)

    def outliers_of(self, rows: Indices) -> tuple[Indices, Indices]:
        """Where some vectors (R,) have outliers: place k is in the dimension dimensions[k] of rows[indices[k]]; returns both (K,)."""
        starts, places = self.outliers
        counts = starts[rows + 1] - starts[rows]
        indices = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(indices)) - np.repeat(np.cumsum(counts) - counts, counts)
        return indices, places[np.repeat(starts[rows], counts) + within]

    def kept(self, first: Indices, second: Indices) -> Mask:
        """(P, D) the dimensions that neither vector of a pair has as an outlier."""
        return self.inlier[first] & self.inlier[second]


def prepare(vectors: npt.ArrayLike, trim: float | None) -> Vectors:
    """Mark the outliers: abs(z) > `trim`, z over the vector's own dimensions with the sample standard deviation.

    Parameters
    ----------
    vectors : (V, D)
    trim : None keeps every dimension. A constant vector has no outliers.
    """
    values = in_range(np.ascontiguousarray(vectors, dtype=np.float64))
    compiled = kernels("mutual_information")
    if compiled is not None:
        return _prepare_compiled(compiled, values, trim)
    low, high = values.min(axis=-1, initial=np.inf), values.max(axis=-1, initial=-np.inf)
    finite = np.isfinite(low) & np.isfinite(high)
    if not finite.all():
        values = np.where(finite[:, None], values, 0.0)
        low[~finite] = high[~finite] = 0.0
    inlier: Mask = np.ones(values.shape, dtype=bool)
    if trim is not None and values.shape[1] > 1:
        distance = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((distance * distance).sum(axis=-1, keepdims=True) / (values.shape[1] - 1))
        np.less_equal(np.abs(distance, out=distance), trim * deviation, out=inlier)
        inlier[low == high] = True  # rounding can leave a constant a tiny deviation
        trimmed = np.flatnonzero(~inlier.all(axis=-1))
        low[trimmed], high[trimmed] = masked_range(values[trimmed], inlier[trimmed])
    return Vectors(values, inlier, finite, low, high)


def in_range(values: Array) -> Array:
    """Vectors whose squares would overflow or vanish, in another unit: times a power of two, which rounds nothing and moves no estimate."""
    largest = np.maximum(values.max(axis=-1, initial=0.0), -values.min(axis=-1, initial=0.0))
    rows = np.flatnonzero(np.isfinite(largest) & (largest > 0) & ((largest < SMALLEST) | (largest > LARGEST)))
    if not rows.size:
        return values
    scaled = values.copy()
    scaled[rows] = np.ldexp(values[rows], -np.frexp(largest[rows])[1][:, None])
    return scaled


def _prepare_compiled(compiled: ModuleType, values: Array, trim: float | None) -> Vectors:
    finite = np.asarray(np.isfinite(values).all(axis=-1))
    if not finite.all():
        values = np.where(finite[:, None], values, 0.0)
    inlier = np.empty(values.shape, dtype=bool)
    low, high = np.empty(len(values)), np.empty(len(values))
    compiled.mark_outliers(values, np.inf if trim is None else trim, inlier, low, high)
    return Vectors(values, inlier, finite, low, high)


def masked_range(values: Array, mask: Mask) -> tuple[Array, Array]:
    """Smallest and largest of the masked values along the last axis; (inf, -inf) where none is left."""
    return range_without(values, np.flatnonzero(~mask))


def range_without(values: Array, left_out: Indices) -> tuple[Array, Array]:
    """The same without the values at some places of the flattened matrix."""
    rest = values.copy()
    rest.reshape(-1)[left_out] = np.inf
    low = rest.min(axis=-1, initial=np.inf)
    rest.reshape(-1)[left_out] = -np.inf
    return low, rest.max(axis=-1, initial=-np.inf)
