"""Rank correlation of mutual information with token distance, and agreement between two series."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from analyses.arrays import Array
from analyses.statistics.numerators import Rows, Whole, dense_ranks, numerators, numerators_without, sort_rows

# Variance of atanh(tau) times (N - 4): Fieller, Hartley & Pearson (1957), Biometrika 44, 470-481.
FIELLER = 0.437


@dataclass(frozen=True)
class KendallResult:
    """Kendall's tau-b and its two-sided p-value, both (...); NaN where not testable."""

    tau: Array
    p: Array


def kendall(distance: npt.ArrayLike, values: npt.ArrayLike) -> KendallResult:
    """Kendall's tau-b of each row of `values` against `distance`, with SciPy's default two-sided p-value.

    Parameters
    ----------
    distance : (N,) array_like
        Token distances.
    values : (..., N) array_like
        For example mutual information in nats.

    Returns
    -------
    KendallResult
        tau and p, shape (...). NaN for fewer than two pairs, a constant row or distance, or a NaN in the row.

    Notes
    -----
    The p-value takes the N pairs as independent, as the course does; pairs share occurrences, so see
    `analyses.statistics.resampling.mantel` for a sound one. Exact where SciPy is exact (no ties and N <= 33), else normal.
    Kendall (1945), Biometrika 33, 239-251.
    """
    x, rows, shape = _rows(distance, values)
    tau = np.full(len(rows), np.nan)
    p = np.full(len(rows), np.nan)
    if len(x) >= 2:
        for index, row in enumerate(dense_ranks(rows)):
            result = stats.kendalltau(x, row)
            tau[index], p[index] = result.statistic, result.pvalue
    return KendallResult(tau.reshape(shape), p.reshape(shape))


def kendall_tau(distance: npt.ArrayLike, values: npt.ArrayLike) -> Array:
    """Kendall's tau-b of many rows at once, without p-values.

    Parameters
    ----------
    distance : (N,) array_like
        Token distances.
    values : (..., N) array_like
        For example mutual information in nats.

    Returns
    -------
    (...) float64
        tau-b in [-1, 1]; NaN for fewer than two pairs, a constant row or distance, or a NaN in the row.

    Examples
    --------
    Of the six pairs of pairs below, five have the larger value at the smaller distance and one has not: (1 - 5) / 6.

    >>> from analyses.statistics import kendall_tau
    >>> print(f"{kendall_tau([1, 2, 3, 4], [0.9, 0.5, 0.7, 0.1]):.4f}")
    -0.6667
    """
    return kendall_taus([distance], values)[0]


def kendall_taus(distances: Sequence[npt.ArrayLike], values: npt.ArrayLike) -> list[Array]:
    """`kendall_tau` of the same rows against several distances (N,), for which the rows are sorted once."""
    taus = []
    by_value: Rows | None = None
    for distance in distances:
        x, rows, shape = _rows(distance, values)
        if len(x) < 2 or np.isnan(x).any():
            taus.append(np.full(shape, np.nan))
            continue
        by_value = by_value or sort_rows(rows)
        tau = tau_of(sort_rows(x[None]), by_value)
        tau[np.isnan(rows).any(axis=-1)] = np.nan
        taus.append(tau.reshape(shape))
    return taus


def kendall_tau_without(distance: npt.ArrayLike, values: npt.ArrayLike, kept: npt.NDArray[np.bool_]) -> Array:
    """`kendall_tau` several times with some of the values left out, such as the pairs of one occurrence after the other.

    Parameters
    ----------
    distance : (N,) array_like
        Token distances.
    values : (..., N) array_like
        For example mutual information in nats.
    kept : (K, N) bool
        What stays each time.

    Returns
    -------
    (..., K) float64
        As `kendall_tau`, of ``distance[kept[k]]`` and ``values[..., kept[k]]``.
    """
    x, rows, shape = _rows(distance, values)
    finite = not (np.isnan(x).any() or np.isnan(rows).any())
    counted = numerators_without(x, sort_rows(rows), kept) if finite and len(x) >= 2 else None
    if counted is None:
        tau = np.stack([kendall_tau(x[stay], rows[:, stay]) for stay in kept], axis=-1)
    else:
        numerator, untied_distances, untied = counted
        tau = _ratio(numerator, untied_distances[:, None], untied).T
    return tau.reshape(*shape, len(kept))


def tau_of(side: Rows, rows: Rows) -> Array:
    """tau-b (M,) of rows that were sorted, against the only row of `side`; without meaning where either holds a NaN."""
    return _ratio(numerators(side, rows), side.untied, rows.untied)


def _ratio(numerator: Whole, untied_distances: Whole, untied: Whole) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = numerator.astype(np.float64) / np.sqrt(untied_distances.astype(np.float64)) / np.sqrt(untied.astype(np.float64))
    return np.asarray(np.clip(ratio, -1.0, 1.0))


def partial_kendall_tau(distance: npt.ArrayLike, given: npt.ArrayLike, values: npt.ArrayLike) -> Array:
    """Kendall's tau-b of each row of `values` against `distance`, given a third variable.

    Parameters
    ----------
    distance, given : (N,)
        Such as token distance, and the position of a pair's earlier occurrence.
    values : (..., N)
        For example mutual information in nats.

    Returns
    -------
    (...) in [-1, 1]; NaN where one of the three taus does not exist, and where `given` orders the others without exception.

    Notes
    -----
    (tau_xy - tau_xz tau_yz) / sqrt((1 - tau_xz^2)(1 - tau_yz^2)): Kendall (1942), Partial rank correlation, Biometrika 32, 277-283.
    """
    of_distance, of_given = kendall_tau(distance, values), kendall_tau(given, values)
    between = kendall_tau(given, np.asarray(distance, dtype=np.float64))
    room = (1 - between**2) * (1 - of_given**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        partial = (of_distance - between * of_given) / np.sqrt(room)
    return np.where(room > 1e-12, np.clip(partial, -1.0, 1.0), np.nan)


def kendall_interval(tau: npt.ArrayLike, pairs: int, confidence: float = 0.95) -> tuple[Array, Array]:
    """Confidence interval of Kendall's tau, tanh(atanh tau -+ z sqrt(.437 / (N - 4))).

    Parameters
    ----------
    tau : (...) array_like
        Clip +-1 first with `clip_tau`.
    pairs : int
        N, the number of observations that tau was computed from.
    confidence : float
        Level of the interval.

    Returns
    -------
    low, high : (...) float64
        The two limits; NaN for N <= 4.

    Notes
    -----
    Fieller, Hartley & Pearson (1957), Biometrika 44, 470-481; as in R statpsych ``ci.kendall``. It takes the N pairs as independent.
    """
    centre = _arctanh(tau)
    half = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(FIELLER / (pairs - 4)) if pairs > 4 else np.nan
    return np.tanh(centre - half), np.tanh(centre + half)


def clip_tau(tau: npt.ArrayLike, pairs: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Pull tau to within +-(1 - 2 / C(N, 2)), one discordant pair short of a perfect order, so that atanh stays finite.

    Returns
    -------
    clipped : (...) float64
        tau, pulled in.
    flagged : (...) bool
        Where the value was changed.
    """
    values = np.asarray(tau, dtype=np.float64)
    combinations = pairs * (pairs - 1) / 2
    limit = 1 - 2 / combinations if combinations > 2 else 0.0
    flagged = np.abs(values) > limit + 1e-12  # a tau of exactly the limit may be a last digit above it
    return np.where(np.isnan(values), values, np.clip(values, -limit, limit)), flagged


def fisher_z(
    tau_first: npt.ArrayLike, tau_second: npt.ArrayLike, pairs: int, variance: Literal["course", "fieller"] = "course"
) -> tuple[Array, Array]:
    """Z test of the difference of two taus, (atanh tau_first - atanh tau_second) / sqrt(variance), with its two-sided normal p.

    Parameters
    ----------
    tau_first, tau_second : (...) array_like
        Clip +-1 first with `clip_tau`.
    pairs : int
        N, the number of observations behind each tau.
    variance : str
        "course" 2 / (N - 3), which is Pearson's variance (Fisher 1921) and too wide for tau; "fieller" 2 * .437 / (N - 4).

    Returns
    -------
    z, p : (...) float64
        NaN where N leaves no variance (N <= 3 or N <= 4).
    """
    offset, scale = {"course": (3, 1.0), "fieller": (4, FIELLER)}[variance]
    width = np.sqrt(2 * scale / (pairs - offset)) if pairs > offset else np.nan
    z = (_arctanh(tau_first) - _arctanh(tau_second)) / width
    return z, 2 * stats.norm.sf(np.abs(z))


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    """Spearman's rank correlation along the last axis (mean ranks for ties); NaN for constants, NaN values or fewer than two points."""
    left, right = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    undefined = np.isnan(left).any(axis=-1) | np.isnan(right).any(axis=-1)
    left, right = (stats.rankdata(values, axis=-1) for values in (left, right))
    left = left - left.mean(axis=-1, keepdims=True)
    right = right - right.mean(axis=-1, keepdims=True)
    scale = np.sqrt((left**2).sum(axis=-1) * (right**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = (left * right).sum(axis=-1) / scale
    return np.where(undefined, np.nan, np.clip(correlation, -1.0, 1.0))


def concordance(x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    """Lin's concordance correlation coefficient along the last axis: 2 s_xy / (s_x^2 + s_y^2 + (mean x - mean y)^2).

    Moments divide by n, as in Lin (1989), Biometrics 45, 255-268. NaN where both series are the same constant.
    """
    left, right = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    covariance = ((left - left.mean(axis=-1, keepdims=True)) * (right - right.mean(axis=-1, keepdims=True))).mean(axis=-1)
    spread = left.var(axis=-1) + right.var(axis=-1) + (left.mean(axis=-1) - right.mean(axis=-1)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * covariance / spread)


def _rows(distance: npt.ArrayLike, values: npt.ArrayLike) -> tuple[Array, Array, tuple[int, ...]]:
    x = np.asarray(distance, dtype=np.float64)
    y = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or y.shape[-1:] != x.shape:
        raise ValueError(f"expected distance (N,) and values (..., N), got {x.shape} and {y.shape}")
    return x, y.reshape(-1, len(x)), y.shape[:-1]


def _arctanh(tau: npt.ArrayLike) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.arctanh(np.asarray(tau, dtype=np.float64))
