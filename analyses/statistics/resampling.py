"""Inference that respects shared occurrences: pairs (i, j) and (i, k) both use occurrence i, so occurrences are resampled, not pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from itertools import permutations as all_orders
from math import factorial
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from analyses.statistics.correlation import CHUNK_ELEMENTS, dense_ranks, pair_signs

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# With so few occurrences no test is possible.
UNTESTABLE_OCCURRENCES = 3
# T! relabellings are all enumerated up to this T (8! = 40,320).
EXACT_OCCURRENCES = 8


@dataclass(frozen=True)
class Jackknife:
    """Estimate, standard error and confidence interval, all (...); the last three are NaN where not testable."""

    estimate: Array
    standard_error: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Mantel:
    """p (...), NaN where not testable; how many relabellings it was computed from; whether those were all of them."""

    p: Array
    permutations: int
    exact: bool


def leave_one_out(first: npt.ArrayLike, second: npt.ArrayLike, occurrences: int) -> npt.NDArray[np.bool_]:
    """Which pairs stay when each occurrence in turn is left out.

    Parameters
    ----------
    first, second : (N,) the two occurrences of each pair, 0 .. T-1.

    Returns
    -------
    (T, N) bool; row t is True for the pairs without occurrence t.
    """
    left = np.arange(occurrences)[:, None]
    return (np.asarray(first) != left) & (np.asarray(second) != left)


def jackknife(estimate: npt.ArrayLike, leave_one_out_estimates: npt.ArrayLike, confidence: float = 0.95) -> Jackknife:
    """Leave-one-occurrence-out jackknife: SE^2 = ((T - 1) / T) sum_t (theta_-t - mean)^2, interval by t with T - 1 degrees of freedom.

    Parameters
    ----------
    estimate : (...) the statistic on all occurrences.
    leave_one_out_estimates : (..., T) the statistic without occurrence t.

    Notes
    -----
    Tukey (1958), Annals of Mathematical Statistics 29, 614; for statistics over pairs Arvesen (1969), same journal 40, 2076-2100.
    The variance is biased upward where the noise of single pairs outweighs that of occurrences (Efron & Stein 1981, Annals of
    Statistics 9, 586-596), so that the interval errs to the wide side.
    """
    values, left = np.asarray(estimate, dtype=np.float64), np.asarray(leave_one_out_estimates, dtype=np.float64)
    occurrences = left.shape[-1]
    if occurrences <= UNTESTABLE_OCCURRENCES:
        nothing = np.full(values.shape, np.nan)
        return Jackknife(values, nothing, nothing, nothing)
    squares = ((left - left.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    error = np.sqrt((occurrences - 1) / occurrences * squares)
    half = stats.t.ppf(0.5 + confidence / 2, occurrences - 1) * error
    return Jackknife(values, error, values - half, values + half)


def mantel(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    distance: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    permutations: int = 9999,
    seed: int,
    alternative: Literal["less", "greater", "two-sided"] = "less",
) -> Mantel:
    """Mantel test of Kendall's tau between `values` and `distance`, over relabellings of the occurrences.

    Parameters
    ----------
    first, second : (N,) the two occurrences of each pair; every pair of occurrences 0 .. T-1 exactly once.
    distance : (N,) token distances.
    values : (..., N) for example mutual information in nats.
    permutations : relabellings to sample where T > 8; all T! are enumerated where T <= 8.
    seed : of the sampled relabellings.
    alternative : "less" tests for tau < 0.

    Returns
    -------
    Mantel
        p (...); exact: the share of all relabellings, the identity among them, that is at least as extreme;
        sampled: (1 + count) / (1 + permutations).
        NaN for T <= 3 and for rows that are constant or hold a NaN.

    Notes
    -----
    Mantel (1967), Cancer Research 27, 209-220; with Kendall's tau Dietz (1983), Systematic Zoology 32, 21-26;
    the +1 rule Phipson & Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9, 39.
    Relabelling leaves the ties of both sides unchanged, so the order of tau is that of its integer numerator and comparisons are exact.
    """
    left, right = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp)
    x, y = np.asarray(distance, dtype=np.float64), np.asarray(values, dtype=np.float64)
    pairs = len(x)
    occurrences = int(max(left.max(initial=-1), right.max(initial=-1))) + 1
    lookup = _pair_lookup(left, right, occurrences)
    exact = occurrences <= EXACT_OCCURRENCES
    total = factorial(occurrences) if exact else permutations
    if occurrences <= UNTESTABLE_OCCURRENCES:
        return Mantel(np.full(y.shape[:-1], np.nan), total, exact)

    rows = y.reshape(-1, pairs)
    i, j = np.triu_indices(pairs, 1)
    row_signs = pair_signs(dense_ranks(rows), i, j)
    distance_ranks = dense_ranks(x)
    observed = row_signs @ pair_signs(distance_ranks, i, j)
    orders = all_orders(range(occurrences)) if exact else _sampled_orders(occurrences, permutations, seed)
    count = np.zeros(len(rows), dtype=np.int64)
    step = max(1, CHUNK_ELEMENTS // len(i))
    while block := list(islice(orders, step)):
        order = np.array(block, dtype=np.intp)
        relabelled = distance_ranks[lookup[order[:, left], order[:, right]]]
        numerators = pair_signs(relabelled, i, j) @ row_signs.T
        if alternative == "less":
            extreme = numerators <= observed
        elif alternative == "greater":
            extreme = numerators >= observed
        else:
            extreme = np.abs(numerators) >= np.abs(observed)
        count += extreme.sum(axis=0)
    p = count / total if exact else (count + 1) / (total + 1)
    untestable = np.isnan(rows).any(axis=-1) | (np.ptp(rows, axis=-1) == 0) | (np.ptp(x) == 0)
    return Mantel(np.where(untestable, np.nan, p).reshape(y.shape[:-1]), total, exact)


def _pair_lookup(first: Indices, second: Indices, occurrences: int) -> Indices:
    """(T, T) index of the pair that two occurrences make, in either order."""
    lookup = np.full((occurrences, occurrences), -1, dtype=np.intp)
    lookup[first, second] = lookup[second, first] = np.arange(len(first))
    if len(first) != occurrences * (occurrences - 1) // 2 or (lookup[~np.eye(occurrences, dtype=bool)] < 0).any():
        raise ValueError("the Mantel test needs every pair of occurrences exactly once")
    return lookup


def _sampled_orders(occurrences: int, permutations: int, seed: int) -> Iterator[Indices]:
    generator = np.random.default_rng(seed)
    for _ in range(permutations):
        yield generator.permutation(occurrences)
