"""Inference that respects shared occurrences: pairs (i, j) and (i, k) both use occurrence i, so occurrences are resampled, not pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from analyses.arrays import Array
from analyses.progress import Advance, in_steps
from analyses.statistics.correlation import kendall_tau, partial_kendall_tau, tau_of
from analyses.statistics.numerators import (
    CHUNK_ELEMENTS,
    Rows,
    Whole,
    numerators,
    sort_rows,
    under_relabelling,
    under_relabelling_of_sums,
)
from analyses.statistics.relabelling import UNTESTABLE_OCCURRENCES, Relabelling

Indices = npt.NDArray[np.intp]
Alternative = Literal["less", "greater", "two-sided"]


@dataclass(frozen=True)
class Jackknife:
    """Estimate, standard error, confidence interval, degrees of freedom and two-sided p of "no difference from zero".

    Every field is (...); all but the estimate are NaN where not testable.
    """

    estimate: Array
    standard_error: Array
    low: Array
    high: Array
    degrees_of_freedom: Array
    p: Array


@dataclass(frozen=True)
class Mantel:
    """p (...), NaN where not testable; how many relabellings it was computed from; whether those were all of them."""

    p: Array
    permutations: int
    exact: bool


@dataclass(frozen=True)
class MantelDifference:
    """Difference of two taus, its standard deviation over the relabellings, and p, all (...); and how many relabellings."""

    difference: Array
    standard_error: Array
    p: Array
    permutations: int
    exact: bool


@dataclass(frozen=True)
class RelabelledTau:
    """A weighted sum of Kendall taus, half the width of its interval, and its two-sided p, all (...); and how many relabellings.

    The interval estimate -+ half_width leaves out zero exactly where p is at or below 1 - confidence. Both are NaN where not testable.
    """

    estimate: Array
    half_width: Array
    p: Array
    permutations: int
    exact: bool


def leave_one_out(first: npt.ArrayLike, second: npt.ArrayLike, occurrences: int) -> npt.NDArray[np.bool_]:
    """Which pairs stay when each occurrence in turn is left out.

    Parameters
    ----------
    first, second : (N,) array_like of int
        The two occurrences of each pair, 0 .. T-1.
    occurrences : int
        T.

    Returns
    -------
    (T, N) bool
        Row t is True for the pairs without occurrence t.
    """
    left = np.arange(occurrences)[:, None]
    return (np.asarray(first) != left) & (np.asarray(second) != left)


def leave_two_out(first: npt.ArrayLike, second: npt.ArrayLike, occurrences: int) -> npt.NDArray[np.bool_]:
    """Which pairs stay when two occurrences are left out, (T(T-1)/2, N), in the order of ``numpy.triu_indices(T, 1)``."""
    one = leave_one_out(first, second, occurrences)
    i, j = np.triu_indices(occurrences, 1)
    return one[i] & one[j]


def jackknife(
    estimate: npt.ArrayLike,
    leave_one_out_estimates: npt.ArrayLike,
    confidence: float = 0.95,
    leave_two_out_estimates: npt.ArrayLike | None = None,
) -> Jackknife:
    """Leave-one-occurrence-out jackknife: SE^2 = ((T - 1) / T) sum_t (theta_-t - mean)^2, interval by t with T - 1 degrees of freedom.

    Parameters
    ----------
    estimate : (...) array_like
        The statistic on all occurrences.
    leave_one_out_estimates : (..., T) array_like
        The statistic without occurrence t.
    confidence : float
        Level of the interval.
    leave_two_out_estimates : (..., T(T-1)/2) array_like, optional
        Without the two occurrences of each pair (see `leave_two_out`); takes off the jackknife's bias (below). For a mean over
        pairs `jackknife_mean` does all of it.

    Notes
    -----
    Tukey (1958), Annals of Mathematical Statistics 29, 614; for statistics over pairs Arvesen (1969), same journal 40, 2076-2100.

    The variance J is biased upward by what belongs to single pairs, and not to occurrences: of a mean over pairs it takes that part
    2 (T - 1) / (T - 2) times. Efron & Stein (1981), Annals of Statistics 9, 586-596, section 4, estimate it from
    Q_ij = T theta - (T - 1)(theta_-i + theta_-j) + (T - 2) theta_-ij, for a mean over pairs 2 / (T - 3) times the residual of pair
    (i, j) after both occurrences' effects. So S = (T - 3) sum Q^2 / (T^2 (T - 1)) is the variance due to pairs, and
    J - T S / (T - 2), but no less than S, is free of the bias. Its degrees of freedom are Satterthwaite's (1946, Biometrics Bulletin 2,
    110-114), at least (T - 1) / 2; where S alone is left they are those of the residuals, T (T - 3) / 2.
    """
    values, left = np.asarray(estimate, dtype=np.float64), np.asarray(leave_one_out_estimates, dtype=np.float64)
    occurrences = left.shape[-1]
    if occurrences <= UNTESTABLE_OCCURRENCES:
        nothing = np.full(values.shape, np.nan)
        return Jackknife(values, nothing, nothing, nothing, nothing, nothing)
    squares = ((left - left.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    variance = (occurrences - 1) / occurrences * squares
    degrees = np.full(values.shape, occurrences - 1.0)
    if leave_two_out_estimates is not None:
        variance, degrees = _without_bias(values, left, np.asarray(leave_two_out_estimates, dtype=np.float64), variance)
    error = np.sqrt(variance)
    half = stats.t.ppf(0.5 + confidence / 2, degrees) * error
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.asarray(2 * stats.t.sf(np.abs(values / error), degrees))
    return Jackknife(values, error, values - half, values + half, degrees, p)


def jackknife_mean(
    first: npt.ArrayLike, second: npt.ArrayLike, occurrences: int, values: npt.ArrayLike, confidence: float = 0.95
) -> Jackknife:
    """`jackknife` of the mean over pairs, its bias taken off.

    Parameters
    ----------
    first, second : (N,) array_like of int
        The two occurrences of each pair; every pair of occurrences 0 .. T-1 exactly once.
    occurrences : int
        T.
    values : (..., N) array_like
        For example the difference of two branches' mutual information.
    confidence : float
        Level of the interval.

    Examples
    --------
    Ten pairs of five occurrences, each pair's value being the sum of what its two occurrences bring, 1 to 5. There are five
    independent things here, not ten: the mean over pairs is twice the mean of 1 to 5, and so is its standard error,
    2 sqrt(2.5 / 5) = 1.414, with 4 degrees of freedom. Ten independent values would have claimed sqrt(30 / 9 / 10) = .58:

    >>> import numpy as np
    >>> from analyses.statistics import jackknife_mean
    >>> first, second = np.triu_indices(5, 1)
    >>> bring = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> values = bring[first] + bring[second]
    >>> found = jackknife_mean(first, second, 5, values)
    >>> print(f"{found.estimate:.3f} +- {found.standard_error:.3f}, {found.degrees_of_freedom:.0f} degrees of freedom")
    6.000 +- 1.414, 4 degrees of freedom
    >>> print(f"[{found.low:.3f}, {found.high:.3f}]")  # 6 -+ 2.776 * 1.414
    [2.074, 9.926]
    >>> print(f"{values.std(ddof=1) / np.sqrt(10):.2f}")
    0.58
    """
    data = np.asarray(values, dtype=np.float64)
    if occurrences <= UNTESTABLE_OCCURRENCES:
        return jackknife(data.mean(axis=-1), np.full((*data.shape[:-1], occurrences), np.nan), confidence)
    one, two = leave_one_out(first, second, occurrences), leave_two_out(first, second, occurrences)
    without_one, without_two = (data @ (stay / stay.sum(axis=1, keepdims=True)).T for stay in (one, two))
    return jackknife(data.mean(axis=-1), without_one, confidence, without_two)


def _without_bias(estimate: Array, one: Array, two: Array, variance: Array) -> tuple[Array, Array]:
    """Variance less the jackknife's bias and its degrees of freedom, as the notes of `jackknife` say."""
    count = one.shape[-1]
    i, j = np.triu_indices(count, 1)
    interaction = count * estimate[..., None] - (count - 1) * (one[..., i] + one[..., j]) + (count - 2) * two
    pairs_part = (count - 3) / (count**2 * (count - 1)) * (interaction**2).sum(axis=-1)
    bias = count / (count - 2) * pairs_part
    corrected = variance - bias
    residual_degrees = count * (count - 3) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        satterthwaite = corrected**2 / (variance**2 / (count - 1) + bias**2 / residual_degrees)
    enough = corrected > pairs_part
    degrees = np.where(enough, np.maximum(satterthwaite, (count - 1) / 2), residual_degrees)
    return np.where(enough, corrected, pairs_part), np.where(np.isnan(variance), np.nan, degrees)


def mantel(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    distance: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    permutations: int = 9999,
    seed: int,
    alternative: Alternative = "less",
) -> Mantel:
    """Mantel test of Kendall's tau between `values` and `distance`, over relabellings of the occurrences.

    Parameters
    ----------
    first, second : (N,) array_like of int
        The two occurrences of each pair; every pair of occurrences 0 .. T-1 exactly once.
    distance : (N,) array_like
        Token distances.
    values : (..., N) array_like
        For example mutual information in nats.
    permutations : int
        Relabellings to sample where T > 8; all T! are enumerated where T <= 8.
    seed : int
        Of the sampled relabellings.
    alternative : str
        "less" tests for tau < 0.

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

    Examples
    --------
    Four occurrences at the tokens 0, 1, 3 and 7, whose six distances all differ, and values that fall with every step of distance:
    of the 4! = 24 ways to hand the positions out, the real one alone is so extreme, and p is 1 / 24.

    >>> import numpy as np
    >>> from analyses.statistics import mantel
    >>> position = np.array([0, 1, 3, 7])
    >>> first, second = np.triu_indices(4, 1)
    >>> distance = position[second] - position[first]
    >>> found = mantel(first, second, distance, 1 / distance, seed=0)
    >>> print(f"p = {found.p:.4f}, all {found.permutations} relabellings: {found.exact}")
    p = 0.0417, all 24 relabellings: True
    """
    rows, shape = _matrix(values)
    relabelled = _Relabelled(first, second, distance, permutations, seed)
    p = np.concatenate([_mantel_p(relabelled, rows[part], alternative) for part in relabelled.row_parts(len(rows))])
    return Mantel(p.reshape(shape), relabelled.total, relabelled.exact)


def mantel_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    distance: npt.ArrayLike,
    values_first: npt.ArrayLike,
    values_second: npt.ArrayLike,
    *,
    permutations: int = 9999,
    seed: int,
    alternative: Alternative = "two-sided",
) -> MantelDifference:
    """Relabelling test of the difference of two Kendall taus with the same distances, tau_first - tau_second.

    Each relabelling of the occurrences moves both sides together, so that what they share stays shared.

    Parameters
    ----------
    first, second, distance
        As for `mantel`.
    values_first, values_second : (..., N) array_like
        For example the mutual information of the two branches.
    permutations, seed, alternative
        As for `mantel`; "two-sided" tests for any difference.

    Returns
    -------
    MantelDifference
        NaN for T <= 3 and where either row is constant or holds a NaN.

    Notes
    -----
    The test is exact where neither side depends on distance. Where both depend on it equally, relabelling spreads the difference
    of tau more than chance does (the variance of tau falls as abs(tau) grows), and the test is cautious. The Z test
    instead takes the N pairs as independent, and the jackknife of a difference of taus is cautious everywhere: with 7 occurrences
    it rejects in 1 of 100 at a nominal 5.
    """
    *_, difference = mantel_with_difference(
        first, second, distance, values_first, values_second, permutations=permutations, seed=seed, of_difference=alternative
    )
    return difference


def mantel_with_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    distance: npt.ArrayLike,
    values_first: npt.ArrayLike,
    values_second: npt.ArrayLike,
    *,
    permutations: int = 9999,
    seed: int,
    alternative: Alternative = "less",
    of_difference: Alternative = "two-sided",
    advance: Advance | None = None,
) -> tuple[Mantel, Mantel, MantelDifference]:
    """`mantel` of either side and `mantel_difference` of both, from one set of relabellings and one count of each.

    Parameters
    ----------
    first, second, distance, values_first, values_second, permutations, seed
        As for `mantel_difference`.
    alternative, of_difference
        Of the two tests of a side, and of that of the difference.
    advance : function, optional
        Called with the relabellings finished since its last call.
    """
    upper, lower = np.broadcast_arrays(np.asarray(values_first, dtype=np.float64), np.asarray(values_second, dtype=np.float64))
    (upper, shape), (lower, _) = _matrix(upper), _matrix(lower)
    relabelled = _Relabelled(first, second, distance, permutations, seed)
    parts = relabelled.row_parts(len(upper), sides=2)
    finished = in_steps(advance, relabelled.total, relabelled.total * len(parts))
    found = [_both_sides(relabelled, upper[part], lower[part], alternative, of_difference, finished) for part in parts]
    upper_p, lower_p, difference, error, p = (np.concatenate(each).reshape(shape) for each in zip(*found, strict=True))
    drawn = relabelled.total, relabelled.exact
    return Mantel(upper_p, *drawn), Mantel(lower_p, *drawn), MantelDifference(difference, error, p, *drawn)


def relabelled_tau(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    distance: npt.ArrayLike,
    values: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    permutations: int = 9999,
    seed: int,
    confidence: float | Sequence[float] = 0.95,
    advance: Advance | None = None,
) -> RelabelledTau:
    """Test and interval of sums of taus, such as the mean over all layers, by relabelling the occurrences in all layers together.

    Parameters
    ----------
    first, second, distance
        As for `mantel`.
    values : (..., R, N) array_like
        R series of mutual information, such as the layers of both branches.
    weights : (..., M, R) array_like
        M sums of the R taus: 1/R each for their mean, +1/L and -1/L for a difference of two means. A weight of zero leaves its
        series out, which may then be constant or hold NaN.
    permutations, seed
        As for `mantel`.
    confidence : float, or (K,) sequence of float
        Level of the interval, or several.
    advance : function, optional
        Called with the relabellings finished since its last call.

    Returns
    -------
    RelabelledTau
        Fields (..., M); half_width (K, ..., M) where there are several levels. NaN for T <= 3, where all weights are zero, and
        where a series with a weight has no tau.

    Notes
    -----
    The values of a pair stay together and are given to other pairs of occurrences (Mantel 1967; see `mantel`), so whatever layers and
    branches share stays shared. What is relabelled is the sum itself: with 7 occurrences the jackknife of a tau is far too wide, and
    half of the effects that this test finds would be missed. The interval inverts the test of "no relation to distance": all values
    closer to the estimate than the largest abs(sum) whose tail share is above 1 - confidence.
    """
    data = np.asarray(values, dtype=np.float64)
    series, pairs = data.shape[-2:]
    shape = data.shape[:-2]
    sums = np.asarray(weights, dtype=np.float64)
    count = sums.shape[-2]
    sums = np.broadcast_to(sums, (*shape, count, series)).reshape(-1, count, series)
    data = data.reshape(-1, series, pairs)
    relabelled = _Relabelled(first, second, distance, permutations, seed)
    there = np.asarray(~np.isnan(data).any(axis=-1))
    groups = [sort_rows(np.where(kept[:, None], rows, 0.0)) for rows, kept in zip(data, there, strict=True)]
    tau = np.stack([tau_of(relabelled.side, rows) for rows in groups])
    usable = there & np.isfinite(tau) & relabelled.known
    estimate = np.einsum("gmr,gr->gm", sums, np.where(usable, tau, 0.0))
    untestable = ~(sums != 0).any(axis=-1) | ((sums != 0) & ~usable[:, None]).any(axis=-1)
    estimate = np.where(untestable, np.nan, estimate)
    levels = np.atleast_1d(np.asarray(confidence, dtype=np.float64))
    half, p = np.full((len(levels), *estimate.shape), np.nan), np.full(estimate.shape, np.nan)
    if relabelled.testable and not untestable.all():
        scaled = [weights * np.where(some, relabelled.scale(rows), 0.0) for weights, some, rows in zip(sums, usable, groups, strict=True)]
        spread = np.abs(np.concatenate(under_relabelling_of_sums(relabelled.side, groups, scaled, relabelled, advance), axis=1))
        half, p = relabelled.inverted(spread, np.abs(estimate.ravel()), levels)
        half = np.where(untestable, np.nan, half.reshape(len(levels), *estimate.shape))
        p = np.where(untestable, np.nan, p.reshape(estimate.shape))
    half = half.reshape(*np.shape(confidence), *shape, count)
    return RelabelledTau(estimate.reshape(*shape, count), half, p.reshape(*shape, count), relabelled.total, relabelled.exact)


def relabelled_partial_tau(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    distance: npt.ArrayLike,
    given: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    permutations: int = 9999,
    seed: int,
    confidence: float = 0.95,
    advance: Advance | None = None,
) -> RelabelledTau:
    """The mean of partial taus over many series, with test and interval by relabelling the occurrences in all of them together.

    Parameters
    ----------
    first, second, distance
        As for `relabelled_tau`.
    given : (N,)
        The third variable of each pair.
    values : (..., R, N)
        R series of mutual information, such as the layers of both branches; a series without a partial tau is left out.
    permutations, seed, confidence, advance
        As for `relabelled_tau`; there are two sets of relabellings here.

    Returns
    -------
    RelabelledTau
        Fields (...). NaN for T <= 3 and where no series has a partial tau.

    Notes
    -----
    Values go to other pairs, whose distance and third variable stay together. The numerator tau_xy - tau_xz tau_yz is linear in the signs
    of the pairs of pairs and is relabelled; the denominators are those of the data. The interval inverts the test, as in
    `relabelled_tau`.
    """
    data = np.asarray(values, dtype=np.float64)
    shape, (series, pairs) = data.shape[:-2], data.shape[-2:]
    data = data.reshape(-1, series, pairs)
    x, z = np.asarray(distance, dtype=np.float64), np.asarray(given, dtype=np.float64)
    partial = partial_kendall_tau(x, z, data)
    usable = np.isfinite(partial)
    with np.errstate(invalid="ignore"):
        estimate = np.where(usable.any(axis=-1), np.where(usable, partial, 0).sum(axis=-1) / usable.sum(axis=-1), np.nan)
    half, p = np.full(estimate.shape, np.nan), np.full(estimate.shape, np.nan)
    by_distance, by_given = (_Relabelled(first, second, each, permutations, seed) for each in (x, z))
    if by_distance.testable and by_given.testable and usable.any():
        between = float(kendall_tau(z, x))
        of_given = kendall_tau(z, data)
        groups = [sort_rows(np.where(some[:, None], rows, 0.0)) for rows, some in zip(data, usable, strict=True)]
        weights = []
        for rows, some, given_rows in zip(groups, usable, of_given, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                room = rows.untied * (1 - between**2) * (1 - given_rows**2)
                weights.append(np.where(some, 1 / np.sqrt(room) / np.count_nonzero(some), 0.0)[None])
        # The same relabellings on both sides: they come from the same seed.
        one, other = (
            np.concatenate(under_relabelling_of_sums(by.side, groups, weights, by, advance), axis=1) / np.sqrt(float(by.side.untied[0]))
            for by in (by_distance, by_given)
        )
        half, p = by_distance.inverted(np.abs(one - between * other), np.abs(np.nan_to_num(estimate)), confidence)
        half, p = np.where(np.isnan(estimate), np.nan, half), np.where(np.isnan(estimate), np.nan, p)
    return RelabelledTau(estimate.reshape(shape), half.reshape(shape), p.reshape(shape), by_distance.total, by_distance.exact)


class _Relabelled(Relabelling):
    """Relabellings of the occurrences, and the distances that they hand round.

    `side` are the distances (N,), `known` whether none of them is missing.
    """

    def __init__(self, first: npt.ArrayLike, second: npt.ArrayLike, distance: npt.ArrayLike, permutations: int, seed: int) -> None:
        super().__init__(first, second, permutations, seed)
        given = np.asarray(distance, dtype=np.float64)
        self.known = not np.isnan(given).any()
        self.side = sort_rows(np.where(self.known, given, 0.0)[None])
        self.testable = self.testable and self.side.untied[0] > 0

    def row_parts(self, rows: int, sides: int = 1) -> list[slice]:
        """So many rows at once that their numerators under all relabellings can be held."""
        size = max(1, CHUNK_ELEMENTS // (sides * self.total))
        return [slice(start, start + size) for start in range(0, max(rows, 1), size)]

    def scale(self, rows: Rows) -> Array:
        """What the numerator is multiplied by to give tau-b, (M,): relabelling leaves the ties of both sides unchanged."""
        with np.errstate(divide="ignore"):
            return np.asarray(1 / np.sqrt(float(self.side.untied[0]) * rows.untied))


def _matrix(values: npt.ArrayLike) -> tuple[Array, tuple[int, ...]]:
    """Rows (M, N) of values (..., N), and the shape (...)."""
    data = np.asarray(values, dtype=np.float64)
    return data.reshape(-1, data.shape[-1]), data.shape[:-1]


def _mantel_p(relabelled: _Relabelled, data: Array, alternative: Alternative) -> Array:
    if not relabelled.testable:
        return np.full(len(data), np.nan)
    rows = sort_rows(data)
    return _share(relabelled, data, under_relabelling(relabelled.side, rows, relabelled), numerators(relabelled.side, rows), alternative)


def _both_sides(
    relabelled: _Relabelled, upper: Array, lower: Array, alternative: Alternative, of_difference: Alternative, advance: Advance
) -> tuple[Array, Array, Array, Array, Array]:
    """p of both sides; the difference of their taus, its standard deviation under relabelling, and p."""
    both = sort_rows(np.concatenate([upper, lower]))
    tau = tau_of(relabelled.side, both)
    tau[np.isnan(both.ranks).any(axis=-1) | (not relabelled.known)] = np.nan
    difference = tau[: len(upper)] - tau[len(upper) :]
    if not relabelled.testable:
        nothing = np.full(len(upper), np.nan)
        return nothing, nothing, difference, nothing, nothing
    counted = under_relabelling(relabelled.side, both, relabelled, advance)
    observed = numerators(relabelled.side, both)
    one, other = slice(None, len(upper)), slice(len(upper), None)
    p = [_share(relabelled, data, counted[:, side], observed[side], alternative) for data, side in ((upper, one), (lower, other))]
    # tau-b is the numerator over the root of both sides' untied pairs.
    scale = relabelled.scale(both)
    with np.errstate(invalid="ignore"):
        spread = counted[:, one] * scale[one] - counted[:, other] * scale[other]
        of_data = observed[one] * scale[one] - observed[other] * scale[other]
        as_extreme = _extreme(spread, of_data, of_difference, tolerance=1e-9)
        error = np.sqrt(np.maximum((spread**2).sum(axis=0) / relabelled.total - (spread.sum(axis=0) / relabelled.total) ** 2, 0.0))
    of_both = relabelled.share(as_extreme.sum(axis=0))
    untestable = np.isnan(difference)
    error[untestable], of_both[untestable] = np.nan, np.nan
    return p[0], p[1], difference, error, of_both


def _share(relabelled: _Relabelled, data: Array, counted: Whole, observed: Whole, alternative: Alternative) -> Array:
    """p (M,) from the numerators (relabelling, M); NaN for rows that are constant or hold a NaN."""
    p = relabelled.share(_extreme(counted, observed, alternative).sum(axis=0))
    p[np.isnan(data).any(axis=-1) | (np.ptp(data, axis=-1) == 0)] = np.nan
    return p


def _extreme(
    relabelled: npt.NDArray[np.number], observed: npt.NDArray[np.number], alternative: Alternative, tolerance: float = 0
) -> npt.NDArray[np.bool_]:
    if alternative == "less":
        return np.asarray(relabelled <= observed + tolerance)
    if alternative == "greater":
        return np.asarray(relabelled >= observed - tolerance)
    return np.asarray(np.abs(relabelled) >= np.abs(observed) - tolerance)
