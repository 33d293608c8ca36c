"""The vectors of a study, with the outliers of each marked and what every pair needs worked out once per vector."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

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
    codes : number of bins -> (V, D) bin of every value, kept by the histogram estimator.
    """

    values: Array
    inlier: Mask
    finite: Mask
    codes: dict[int, npt.NDArray[np.int16]] = field(default_factory=dict)

    @cached_property
    def order(self) -> npt.NDArray[np.int32]:
        """(V, D) the dimensions in ascending order of value."""
        return np.argsort(self.values, axis=-1, kind="stable").astype(np.int32)

    @cached_property
    def extremes(self) -> tuple[Array, Array]:
        """(V,) the smallest and the largest inlier of each vector."""
        return masked_range(self.values, self.inlier)

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
    values = np.array(vectors, dtype=np.float64)
    finite = np.asarray(np.isfinite(values).all(axis=-1))
    values[~finite] = 0.0
    outlier: Mask = np.zeros(values.shape, dtype=bool)
    if trim is not None and values.shape[-1] > 1:
        centred = values - values.mean(axis=-1, keepdims=True)
        deviation = values.std(axis=-1, ddof=1, keepdims=True)
        outlier |= np.abs(centred) > trim * deviation
        outlier[(values == values[:, :1]).all(axis=-1)] = False  # rounding can leave a constant a tiny deviation
    return Vectors(values, ~outlier, finite)


def masked_range(values: Array, mask: Mask) -> tuple[Array, Array]:
    """Smallest and largest of the masked values along the last axis; (inf, -inf) where none is left."""
    return (
        np.min(values, axis=-1, where=mask, initial=np.inf),
        np.max(values, axis=-1, where=mask, initial=-np.inf),
    )
