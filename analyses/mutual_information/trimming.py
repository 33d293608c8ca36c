"""The vectors of a study, with the outliers of each marked and what every pair needs worked out once per vector."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from analyses.mutual_information.acceleration import kernels

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Vectors:
    """Vectors to be paired.

    Attributes
    ----------
    values : (V, D) finite float64; a vector that held a NaN or an infinity is all zeros here.
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
    def order(self) -> npt.NDArray[np.int32]:
        """(V, D) the dimensions in ascending order of value."""
        return np.argsort(self.values, axis=-1, kind="stable").astype(np.int32)

    @cached_property
    def outliers(self) -> tuple[Indices, Indices]:
        """Where each vector v has outliers: in the dimensions places[starts[v]:starts[v + 1]] of (starts (V + 1,), places)."""
        flat = np.flatnonzero(~self.inlier)  # several times as fast as nonzero of a matrix
        dimensions = self.inlier.shape[1]
        return np.searchsorted(flat, np.arange(len(self.inlier) + 1) * dimensions), flat % max(dimensions, 1)

    @cached_property
    def extreme(self) -> Mask:
        """(V, D) where each vector has its smallest and its largest inlier."""
        return ((self.values == self.low[:, None]) | (self.values == self.high[:, None])) & self.inlier

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
    values = np.ascontiguousarray(vectors, dtype=np.float64)
    finite = np.asarray(np.isfinite(values).all(axis=-1))
    if not finite.all():
        values = np.where(finite[:, None], values, 0.0)
    count, dimensions = values.shape
    inlier: Mask = np.ones(values.shape, dtype=bool)
    compiled = kernels()
    if compiled is not None:
        low, high = np.empty(count), np.empty(count)
        compiled.mark_outliers(values, np.inf if trim is None else trim, inlier, low, high)
        return Vectors(values, inlier, finite, low, high)
    if trim is not None and dimensions > 1:
        centred = values - values.mean(axis=-1, keepdims=True)
        np.less_equal(np.abs(centred), trim * values.std(axis=-1, ddof=1, keepdims=True), out=inlier)
        inlier[(values == values[:, :1]).all(axis=-1)] = True  # rounding can leave a constant a tiny deviation
    low, high = masked_range(values, inlier)
    return Vectors(values, inlier, finite, low, high)


def masked_range(values: Array, mask: Mask) -> tuple[Array, Array]:
    """Smallest and largest of the masked values along the last axis; (inf, -inf) where none is left."""
    return (
        np.min(values, axis=-1, where=mask, initial=np.inf),
        np.max(values, axis=-1, where=mask, initial=-np.inf),
    )
