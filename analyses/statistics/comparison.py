"""The course's comparison of two branches: the independent t-test on pair values."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from analyses.arrays import Array


@dataclass(frozen=True)
class IndependentTTest:
    """Student's and Welch's two-sample t-test and Cohen's d with its interval; every field has shape (...)."""

    statistic: Array
    p: Array
    degrees_of_freedom: Array
    welch_statistic: Array
    welch_p: Array
    welch_degrees_of_freedom: Array
    cohens_d: Array
    cohens_d_low: Array
    cohens_d_high: Array


def independent_t_test(first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95) -> IndependentTTest:
    """Two-sided independent t-test of each row of `first` against the same row of `second`.

    Parameters
    ----------
    first : (..., N) array_like
        Values of one branch.
    second : (..., M) array_like
        Values of the other; leading axes broadcast.
    confidence : float
        Level of the interval of Cohen's d.

    Returns
    -------
    IndependentTTest
        Positive statistics and d where `first` is higher. NaN where a side has fewer than two values or neither side varies.

    Notes
    -----
    d = (mean difference) / (pooled sd, N + M - 2 degrees of freedom): Cohen (1988), section 2.5. Its interval inverts the
    noncentral t distribution: Steiger & Fouladi (1997), in Harlow et al., What if there were no significance tests, chapter 9.
    The test takes all values as independent; pairs of occurrences are not (see `analyses.statistics.resampling`).
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    n, m = x.shape[-1], y.shape[-1]
    shape = np.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    if n < 2 or m < 2:
        nothing = np.full(shape, np.nan)
        return IndependentTTest(*(nothing,) * 9)
    difference = x.mean(axis=-1) - y.mean(axis=-1)
    variance_x, variance_y = x.var(axis=-1, ddof=1), y.var(axis=-1, ddof=1)
    degrees = n + m - 2.0
    pooled = ((n - 1) * variance_x + (m - 1) * variance_y) / degrees
    part_x, part_y = variance_x / n, variance_y / m
    scale = np.sqrt(1 / n + 1 / m)
    with np.errstate(invalid="ignore", divide="ignore"):
        cohens_d = np.where(pooled > 0, difference / np.sqrt(pooled), np.nan)
        statistic = cohens_d / scale
        welch = np.where(pooled > 0, difference / np.sqrt(part_x + part_y), np.nan)
        welch_degrees = (part_x + part_y) ** 2 / (part_x**2 / (n - 1) + part_y**2 / (m - 1))
    low, high = noncentrality_interval(statistic, degrees, confidence)
    return IndependentTTest(
        statistic=statistic,
        p=2 * stats.t.sf(np.abs(statistic), degrees),
        degrees_of_freedom=np.full(shape, degrees),
        welch_statistic=welch,
        welch_p=2 * stats.t.sf(np.abs(welch), welch_degrees),
        welch_degrees_of_freedom=welch_degrees,
        cohens_d=cohens_d,
        cohens_d_low=low * scale,
        cohens_d_high=high * scale,
    )


def noncentrality_interval(statistic: npt.ArrayLike, degrees_of_freedom: float, confidence: float = 0.95) -> tuple[Array, Array]:
    """Noncentrality parameters under which `statistic` is the upper and the lower tail quantile of the noncentral t.

    Parameters
    ----------
    statistic : (...) array_like
        Observed t values; NaN gives NaN.
    degrees_of_freedom : float
        Of the t distribution.
    confidence : float
        Level of the interval.

    Returns
    -------
    low, high : (...) float64
        The two limits.
    """
    t = np.asarray(statistic, dtype=np.float64)
    tail = (1 - confidence) / 2
    # The library's inverse is meant for t >= 0; the distribution mirrors: P(T <= t | delta) = 1 - P(T <= -t | -delta).
    size = np.abs(t)
    near, far = (special.nctdtrinc(degrees_of_freedom, level, size) for level in (1 - tail, tail))
    near, far = (_polished(delta, degrees_of_freedom, level, size) for delta, level in ((near, 1 - tail), (far, tail)))
    return np.where(t < 0, -far, near), np.where(t < 0, -near, far)


def _polished(delta: Array, degrees_of_freedom: float, level: float, t: Array) -> Array:
    """The noncentrality at which P(T <= t) is `level`: the library's inverse, good to some 1e-6, and Newton's steps from there."""
    step = 1e-4
    for _ in range(3):
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = (special.nctdtr(degrees_of_freedom, delta + step, t) - special.nctdtr(degrees_of_freedom, delta - step, t)) / (2 * step)
            change = (special.nctdtr(degrees_of_freedom, delta, t) - level) / slope
        delta = np.where(np.isfinite(change) & (np.abs(change) < 0.01), delta - change, delta)
    return np.asarray(delta)
