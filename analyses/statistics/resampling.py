"""Inference that respects shared occurrences: pairs (i, j) and (i, k) both use occurrence i, so occurrences are resampled, not pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from analyses.arrays import Array
from analyses.statistics.correlation import CHUNK_ELEMENTS, dense_ranks, kendall_tau, pair_signs, partial_kendall_tau
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
    rows = np.asarray(values, dtype=np.float64)
    shape = rows.shape[:-1]
    rows = rows.reshape(-1, rows.shape[-1])
    relabelling = _TausRelabelled(first, second, distance, permutations, seed)
    count = np.zeros(len(rows), dtype=np.int64)
    if relabelling.testable:
        signs = relabelling.signs(rows)
        observed = relabelling.observed(signs)
        for numerators in relabelling.numerators(signs):
            count += _extreme(numerators, observed, alternative).sum(axis=0)
    p = relabelling.share(count)
    p[np.isnan(rows).any(axis=-1) | (np.ptp(rows, axis=-1) == 0)] = np.nan
    return Mantel(p.reshape(shape), relabelling.total, relabelling.exact)


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
    upper, lower = np.broadcast_arrays(np.asarray(values_first, dtype=np.float64), np.asarray(values_second, dtype=np.float64))
    shape = upper.shape[:-1]
    upper, lower = upper.reshape(-1, upper.shape[-1]), lower.reshape(-1, lower.shape[-1])
    difference = kendall_tau(distance, upper) - kendall_tau(distance, lower)
    relabelling = _TausRelabelled(first, second, distance, permutations, seed)
    count = np.zeros(len(upper), dtype=np.int64)
    total, squares = np.zeros(len(upper)), np.zeros(len(upper))
    if relabelling.testable:
        # tau-b is the numerator over the root of both sides' untied pairs; distance's share is the same on both sides.
        signs = [relabelling.signs(side) for side in (upper, lower)]
        untied = [np.count_nonzero(side, axis=-1) for side in signs]
        distance_untied = np.count_nonzero(relabelling.distance_signs)
        with np.errstate(invalid="ignore", divide="ignore"):
            scales = [1 / np.sqrt(float(distance_untied) * side) for side in untied]
            observed = relabelling.observed(signs[0]) * scales[0] - relabelling.observed(signs[1]) * scales[1]
            for one, other in zip(relabelling.numerators(signs[0]), relabelling.numerators(signs[1]), strict=True):
                relabelled = one * scales[0] - other * scales[1]
                count += _extreme(relabelled, observed, alternative, tolerance=1e-9).sum(axis=0)
                total += relabelled.sum(axis=0)
                squares += (relabelled**2).sum(axis=0)
    p = relabelling.share(count)
    error = np.sqrt(np.maximum(squares / relabelling.total - (total / relabelling.total) ** 2, 0.0))
    untestable = np.isnan(difference) | np.isnan(p)
    p[untestable], error[untestable] = np.nan, np.nan
    return MantelDifference(difference.reshape(shape), error.reshape(shape), p.reshape(shape), relabelling.total, relabelling.exact)


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
    relabelling = _TausRelabelled(first, second, distance, permutations, seed)
    tau = kendall_tau(distance, data)
    usable = np.isfinite(tau)
    estimate = np.einsum("gmr,gr->gm", sums, np.where(usable, tau, 0.0))
    untestable = ~(sums != 0).any(axis=-1) | ((sums != 0) & ~usable[:, None]).any(axis=-1)
    estimate = np.where(untestable, np.nan, estimate)
    levels = np.atleast_1d(np.asarray(confidence, dtype=np.float64))
    half, p = np.full((len(levels), *estimate.shape), np.nan), np.full(estimate.shape, np.nan)
    if relabelling.testable and not untestable.all():
        # tau-b is linear in the signs of the pairs of pairs, so that one row of them stands for a whole sum of taus.
        untied_distances = np.count_nonzero(relabelling.distance_signs)
        combined = np.empty((*estimate.shape, len(relabelling.left)), dtype=np.float64)
        for group, rows in enumerate(data):
            kept = np.where(usable[group, :, None], rows, 0.0)
            signs = relabelling.signs(kept)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = 1 / np.sqrt(float(untied_distances) * np.count_nonzero(signs, axis=-1))
            combined[group] = (sums[group] * np.where(usable[group], scale, 0.0)) @ signs
        rows = combined.reshape(-1, combined.shape[-1])
        spread = np.abs(np.concatenate(list(relabelling.numerators(rows))))
        half, p = relabelling.inverted(spread, np.abs(estimate.ravel()), levels)
        half = np.where(untestable, np.nan, half.reshape(len(levels), *estimate.shape))
        p = np.where(untestable, np.nan, p.reshape(estimate.shape))
    half = half.reshape(*np.shape(confidence), *shape, count)
    return RelabelledTau(estimate.reshape(*shape, count), half, p.reshape(*shape, count), relabelling.total, relabelling.exact)


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
    permutations, seed, confidence
        As for `relabelled_tau`.

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
    by_distance, by_given = (_TausRelabelled(first, second, each, permutations, seed) for each in (x, z))
    if by_distance.testable and by_given.testable and usable.any():
        between = float(kendall_tau(z, x))
        of_given = kendall_tau(z, data)
        combined = np.zeros((len(data), len(by_distance.left)))
        for group, rows in enumerate(data):
            kept = np.flatnonzero(usable[group])
            signs = by_distance.signs(rows[kept])
            room = np.count_nonzero(signs, axis=-1) * (1 - between**2) * (1 - of_given[group, kept] ** 2)
            if len(kept):
                combined[group] = (1 / np.sqrt(room) / len(kept)) @ signs
        untied = [np.sqrt(float(np.count_nonzero(each.distance_signs))) for each in (by_distance, by_given)]
        # The same relabellings on both sides: they come from the same seed.
        together = zip(by_distance.numerators(combined), by_given.numerators(combined), strict=True)
        spread = np.abs(np.concatenate([one / untied[0] - between * other / untied[1] for one, other in together]))
        half, p = by_distance.inverted(spread, np.abs(np.nan_to_num(estimate)), confidence)
        half, p = np.where(np.isnan(estimate), np.nan, half), np.where(np.isnan(estimate), np.nan, p)
    return RelabelledTau(estimate.reshape(shape), half.reshape(shape), p.reshape(shape), by_distance.total, by_distance.exact)


class _TausRelabelled(Relabelling):
    """Walks through relabellings of the occurrences and gives tau's integer numerators under each."""

    def __init__(self, first: npt.ArrayLike, second: npt.ArrayLike, distance: npt.ArrayLike, permutations: int, seed: int) -> None:
        super().__init__(first, second, permutations, seed)
        self.ranks = dense_ranks(np.asarray(distance, dtype=np.float64))
        self.left, self.right = np.triu_indices(len(self.ranks), 1)
        self.distance_signs = pair_signs(self.ranks, self.left, self.right)
        self.testable = self.testable and bool(np.any(self.distance_signs))

    def signs(self, rows: Array) -> npt.NDArray[np.floating]:
        return pair_signs(dense_ranks(rows), self.left, self.right)

    def observed(self, signs: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        return np.asarray(signs @ self.distance_signs)

    def numerators(self, signs: npt.NDArray[np.floating]) -> Iterator[npt.NDArray[np.floating]]:
        """Blocks (relabellings, rows)."""
        for pairs in self.pairs(max(1, CHUNK_ELEMENTS // len(self.left))):
            yield pair_signs(self.ranks[pairs], self.left, self.right) @ signs.T


def _extreme(
    relabelled: npt.NDArray[np.floating], observed: npt.NDArray[np.floating], alternative: Alternative, tolerance: float = 0.0
) -> npt.NDArray[np.bool_]:
    if alternative == "less":
        return np.asarray(relabelled <= observed + tolerance)
    if alternative == "greater":
        return np.asarray(relabelled >= observed - tolerance)
    return np.asarray(np.abs(relabelled) >= np.abs(observed) - tolerance)
