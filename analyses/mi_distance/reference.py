"""A study's numbers once more from its captured vectors, by the slow route: NumPy, SciPy, statsmodels and scikit-learn, pair by pair.

Nothing here calls what made the numbers (only how ties are told apart is taken from there, for the noise is part of the estimator), so
that a fault would have to be made twice. `reportgen verify` and the tests use the same formulas.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations
from math import factorial
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse
import scipy.stats

from analyses.protocol import Results

# All relabellings up to this number of occurrences; no test with so few.
_EXACT, _UNTESTABLE = 8, 3
# Of Kendall's tau after Fieller, Hartley & Pearson (1957).
_FIELLER = 0.437
_ORDERS_AT_ONCE = 512
# Sums of taus that are equal differ in their last digits.
_EQUAL = 1e-9
# Of the rule of Freedman & Diaconis.
_MOST_BINS = 128
_METHODS = ("bonferroni", "fdr_bh", "fdr_by")


@dataclass(frozen=True)
class Estimation:
    """Bins, largest |z| (None keeps all) and neighbours of the estimates."""

    bins: int
    trim: float | None
    neighbours: int


def inliers(vector: np.ndarray, trim: float | None) -> np.ndarray:
    """(D,) False where |z| is above `trim`, by the sample standard deviation; a constant has no outliers."""
    if trim is None or np.ptp(vector) == 0:
        return np.ones(len(vector), dtype=bool)
    return np.asarray(np.abs(scipy.stats.zscore(vector, ddof=1)) <= trim)


def freedman_diaconis(values: np.ndarray) -> int:
    """Number of bins by the rule of NumPy's ``bins="fd"``, at most 128."""
    return min(len(np.histogram_bin_edges(values, bins="fd")) - 1, _MOST_BINS)


def contingency(x: np.ndarray, y: np.ndarray, bins: int | Sequence[int]) -> np.ndarray:
    """Counts of the joint histogram over the ranges of x and y, without empty rows and columns; `bins` may be one number a side."""
    counts = np.histogram2d(x, y, bins=bins)[0].astype(int)
    return np.asarray(counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0])


def plug_in(counts: np.ndarray) -> float:
    """Mutual information of a table of counts, in nats."""
    from sklearn.metrics import mutual_info_score

    return float(mutual_info_score(None, None, contingency=counts))


def expected(counts: np.ndarray) -> float:
    """What `plug_in` is on average under all relabellings with these margins."""
    from sklearn.metrics.cluster import expected_mutual_information

    return float(expected_mutual_information(scipy.sparse.csr_matrix(counts), int(counts.sum())))


def nearest_neighbour(x: np.ndarray, y: np.ndarray, neighbours: int) -> float:
    """Estimator 1 of Kraskov, Stögbauer & Grassberger (2004), not clipped: 0 where a side is constant, NaN for n <= k."""
    from sklearn.neighbors import KDTree

    if len(x) <= neighbours:
        return np.nan
    # Summed one after the other, for a scale that differs in its last digit would move points that lie exactly on a border.
    centred = [side - np.cumsum(side)[-1] / len(side) for side in (x, y)]
    x, y = (side / np.sqrt(np.cumsum(part * part)[-1] / len(side)) for side, part in zip((x, y), centred, strict=True))
    points = np.column_stack([x, y])
    distance = KDTree(points, metric="chebyshev").query(points, k=neighbours + 1)[0][:, -1]
    radius = np.nextafter(distance, 0)
    near = [KDTree(side[:, None], metric="chebyshev").query_radius(side[:, None], radius, count_only=True) for side in (x, y)]
    psi = scipy.special.digamma
    return float(psi(len(x)) + psi(neighbours) - np.mean(psi(near[0])) - np.mean(psi(near[1])))


def estimates(x: np.ndarray, y: np.ndarray, untied: tuple[np.ndarray, np.ndarray], how: Estimation) -> tuple[float, float, float]:
    """Plug-in, corrected and nearest-neighbour estimate of two whole vectors (D,); `untied` are the same without ties."""
    keep = inliers(x, how.trim) & inliers(y, how.trim)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return np.nan, np.nan, np.nan
    x, y, left, right = x[keep], y[keep], untied[0][keep], untied[1][keep]
    histogram = corrected = np.nan
    if len(x) >= 2:
        counts = contingency(x, y, how.bins)
        histogram = plug_in(counts)
        corrected = histogram - expected(counts)
    constant = len(x) > how.neighbours and (np.ptp(x) == 0 or np.ptp(y) == 0)
    return histogram, corrected, 0.0 if constant else nearest_neighbour(left, right, how.neighbours)


def kendall(distance: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SciPy's tau-b and its p for each row of values (..., N)."""
    found = np.apply_along_axis(lambda row: np.array(scipy.stats.kendalltau(distance, row)[:2], dtype=float), -1, tied(values))
    return found[..., 0], found[..., 1]


def without(first: np.ndarray, second: np.ndarray, *left_out: int) -> np.ndarray:
    """(N,) the pairs that touch none of some occurrences."""
    return ~(np.isin(first, left_out) | np.isin(second, left_out))


def jackknife_error(replicates: np.ndarray) -> np.ndarray:
    """Standard error from the estimates without one each, (T, ...)."""
    count = len(replicates)
    return np.asarray(np.sqrt((count - 1) / count * ((replicates - replicates.mean(axis=0)) ** 2).sum(axis=0)))


def jackknife(estimate: np.ndarray, replicates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error and the ends of the 95 % interval by t with T - 1 degrees of freedom; NaN for three or fewer."""
    count = len(replicates)
    if count <= _UNTESTABLE:
        nothing = np.full(np.shape(estimate), np.nan)
        return nothing, nothing, nothing
    error = jackknife_error(replicates)
    half = scipy.stats.t.ppf(0.975, count - 1) * error
    return error, estimate - half, estimate + half


def adjusted(p: np.ndarray, method: str) -> np.ndarray:
    """p-values corrected over the last axis by statsmodels; what is not testable is no test."""
    from statsmodels.stats.multitest import multipletests

    rows = p.reshape(-1, p.shape[-1])
    result = np.full(rows.shape, np.nan)
    for row, values in zip(result, rows, strict=True):
        tested = np.isfinite(values)
        if tested.any():
            row[tested] = multipletests(values[tested], method=method)[1]
    return result.reshape(p.shape)


def orders(occurrences: int, permutations_drawn: int, seed: int) -> Iterator[np.ndarray]:
    """Relabellings in blocks (.., T): all of them up to eight occurrences, else as many as are drawn from the seed."""
    if occurrences <= _EXACT:
        every: Iterator[Any] = permutations(range(occurrences))
    else:
        generator = np.random.default_rng(seed)
        every = (generator.permutation(occurrences) for _ in range(permutations_drawn))
    while block := list(islice(every, _ORDERS_AT_ONCE)):
        yield np.array(block)


def numerators(distance: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Kendall's numerators (orders, rows) of distances (orders, N) and values (rows, N), by signs written out."""
    i, j = np.triu_indices(values.shape[-1], 1)
    return np.asarray(np.sign(distance[:, i] - distance[:, j]) @ np.sign(tied(values)[:, i] - tied(values)[:, j]).T)


def taus(distance: np.ndarray, values: np.ndarray) -> np.ndarray:
    """tau-b (...) of distance (N,) and values (..., N), by signs written out: SciPy's, row by row, takes a hundred times as long."""
    rows = values.reshape(-1, values.shape[-1])
    found, untied = numerators(distance[None], rows)[0], untied_pairs(rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        tau = found / np.sqrt(untied * float(untied_pairs(distance[None])[0]))
    return np.asarray(np.where(np.isfinite(rows).all(axis=-1), tau, np.nan).reshape(values.shape[:-1]))


def untied_pairs(rows: np.ndarray) -> np.ndarray:
    """How many pairs of the values of each row (..., N) differ."""
    i, j = np.triu_indices(rows.shape[-1], 1)
    same = tied(rows)
    return np.count_nonzero(same[..., i] != same[..., j], axis=-1)


def tied(values: np.ndarray) -> np.ndarray:
    """Values (..., N) in which those that differ by rounding alone, by 1e-13 of the row’s largest or less, are the same."""
    found = np.array(values, dtype=np.float64)
    for row in found.reshape(-1, found.shape[-1]):
        order = np.argsort(row)
        for before, this in itertools.pairwise(order):
            if row[this] - row[before] <= 1e-13 * np.abs(row).max():
                row[this] = row[before]
    return found


def mean_of_finite(values: np.ndarray) -> np.ndarray:
    """(estimator, ...) -> (estimator,): the mean of what is there, NaN where nothing is."""
    flat = values.reshape(len(values), -1)
    return np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in flat])


class Sample:
    """Occurrences at their positions, and their pairs."""

    def __init__(self, position: np.ndarray, permutations_drawn: int, seed: int) -> None:
        self.position, self._drawn, self._seed = position.astype(np.int64), permutations_drawn, seed
        self.occurrences = len(self.position)
        self.first, self.second = np.triu_indices(self.occurrences, 1)
        self.distance = self.position[self.second] - self.position[self.first]

    @property
    def testable(self) -> bool:
        return self.occurrences > _UNTESTABLE

    @property
    def exact(self) -> bool:
        return self.occurrences <= _EXACT

    def moved(self) -> Iterator[np.ndarray]:
        """Blocks of relabelled positions (orders, T)."""
        for block in orders(self.occurrences, self._drawn, self._seed):
            yield self.position[block]

    def distances(self, moved: np.ndarray) -> np.ndarray:
        """(orders, N) the distances that pairs come to have."""
        return np.abs(moved[:, self.first] - moved[:, self.second])

    def half_width(self, spread: np.ndarray, levels: Sequence[float]) -> np.ndarray:
        """(level, statistic): how far from the estimate a value is not rejected, from the absolute values (relabelling, statistic)."""
        total = len(spread)
        ordered = np.sort(spread, axis=0)[::-1]
        rejected = [(1 - level) * total if self.exact else (1 - level) * (total + 1) - 1 for level in levels]
        return np.stack([ordered[int(np.floor(max(each, 0) + _EQUAL))] for each in rejected]) + _EQUAL

    def replicates(self, values: np.ndarray, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """A statistic of values (..., N) and distances once without each occurrence; NaN where too few are left."""
        if self.occurrences <= _UNTESTABLE:
            whole = statistic(values, self.distance)
            return np.full((self.occurrences, *whole.shape), np.nan)
        kept = [without(self.first, self.second, each) for each in range(self.occurrences)]
        return np.stack([statistic(values[..., keep], self.distance[keep]) for keep in kept])


class Study(Sample):
    """What the formulas share: the vectors, the pairs and the settings of one bundle."""

    def __init__(self, results: Results) -> None:
        self.data, self.vectors, self.settings = results.dataset, results.activations, results.study["settings"]
        super().__init__(self.vectors["token_position"].values, self.settings["permutations"], self.settings["seed"])
        self.facts = results.study
        estimation = self.settings["estimation"]
        self.how = Estimation(estimation["bins"], estimation["trim"], estimation["neighbours"])
        numbers = list(self.facts["layer_numbers"])
        self.bands = {name: np.array([numbers.index(each) for each in chosen], dtype=int) for name, chosen in self.facts["bands"].items()}

    def held(self, name: str) -> np.ndarray:
        return np.array(self.data[name].values)

    def sample(self, position: np.ndarray) -> Sample:
        """The same occurrences elsewhere, or some of them."""
        return Sample(position, self.settings["permutations"], self.settings["seed"])


def agreeing(held: np.ndarray, anew: np.ndarray) -> np.ndarray:
    """What was recomputed, to the bundle's last digit where both agree: a last digit would break ties that ranks rest on."""
    return np.where(np.abs(held - anew) <= _EQUAL, held, anew)


def layer_statistics(study: Study, values: np.ndarray) -> dict[str, np.ndarray]:
    """Everything that is tested layer by layer, from the pairs' mutual information (estimator, branch, layer, pair)."""
    n = len(study.distance)
    tau, p = kendall(study.distance, values)
    limit = 1 - 2 / (n * (n - 1) / 2) if n > 2 else 0.0
    clipped = np.clip(tau, -limit, limit)
    centre = np.arctanh(clipped)
    half = scipy.stats.norm.ppf(0.975) * np.sqrt(_FIELLER / (n - 4)) if n > 4 else np.nan
    mean = values.mean(axis=-1)
    _, low, high = jackknife(mean, study.replicates(values, lambda some, _: some.mean(axis=-1)))
    found = {
        "first_occurrence": study.first,
        "second_occurrence": study.second,
        "token_distance": study.distance,
        "mean_mutual_information": mean,
        "mean_mutual_information_low": low,
        "mean_mutual_information_high": high,
        "kendall_tau": tau,
        "kendall_p": p,
        "kendall_tau_low": np.tanh(centre - half),
        "kendall_tau_high": np.tanh(centre + half),
    }
    found |= _t_tests(values) | _variance_shares(study, values)
    for name, variance in (("", 2 / (n - 3) if n > 3 else np.nan), ("_fieller", 2 * _FIELLER / (n - 4) if n > 4 else np.nan)):
        z = (centre[:, 0] - centre[:, 1]) / np.sqrt(variance)
        found |= {f"fisher_z{name}": z, f"fisher_p{name}": 2 * scipy.stats.norm.sf(np.abs(z))}
    found |= _differences(study, values) | _relabelled(study, values, tau)
    for name in ("t_p", "fisher_p", "fisher_p_fieller", "mi_difference_p", "tau_difference_p"):
        found |= {f"{name}_{method}": adjusted(found[name], method) for method in _METHODS}
    return found


def _t_tests(values: np.ndarray) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    attention, mlp = values[:, 0], values[:, 1]
    varies = (np.ptp(attention, axis=-1) > 0) | (np.ptp(mlp, axis=-1) > 0)
    for statistic, p, equal in (("t_statistic", "t_p", True), ("welch_t", "welch_p", False)):
        if values.shape[-1] < 2:
            found |= {statistic: np.full(varies.shape, np.nan), p: np.full(varies.shape, np.nan)}
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            test = scipy.stats.ttest_ind(attention, mlp, axis=-1, equal_var=equal)
        found |= {statistic: np.where(varies, test.statistic, np.nan), p: np.where(varies, test.pvalue, np.nan)}
    spread = np.sqrt((attention.var(axis=-1, ddof=1) + mlp.var(axis=-1, ddof=1)) / 2) if values.shape[-1] > 1 else np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        found["cohens_d"] = np.where(varies, (attention.mean(axis=-1) - mlp.mean(axis=-1)) / spread, np.nan)
    count = values.shape[-1]
    ends = np.array([_noncentral_ends(t, 2 * count - 2) for t in found["t_statistic"].ravel()]) * np.sqrt(2 / count)
    found |= {f"cohens_d_{end}": column.reshape(varies.shape) for end, column in zip(("low", "high"), ends.T, strict=True)}
    return found


def _noncentral_ends(t: float, degrees: int) -> tuple[float, float]:
    """Noncentralities under which t is the upper and the lower 2.5 % quantile of SciPy's noncentral t."""
    if not np.isfinite(t):
        return np.nan, np.nan
    if t < 0:
        low, high = _noncentral_ends(-t, degrees)
        return -high, -low

    def end(level: float) -> float:
        reach = 10 + 3 * t
        return float(scipy.optimize.brentq(lambda delta: scipy.stats.nct.cdf(t, degrees, delta) - level, -reach, reach, xtol=1e-13))

    return end(0.975), end(0.025)


def _differences(study: Study, values: np.ndarray) -> dict[str, np.ndarray]:
    """Attention minus MLP, of means and of taus, with the jackknife's intervals; the p of means by the jackknife without its bias."""

    def of_means(some: np.ndarray, _distance: np.ndarray) -> np.ndarray:
        return np.asarray((some[:, 0] - some[:, 1]).mean(axis=-1))

    def of_taus(some: np.ndarray, distance: np.ndarray) -> np.ndarray:
        tau, _ = kendall(distance, some)
        return np.asarray(tau[:, 0] - tau[:, 1])

    found: dict[str, np.ndarray] = {}
    for name, statistic in (("mi_difference", of_means), ("tau_difference", of_taus)):
        estimate = statistic(values, study.distance)
        error, low, high = jackknife(estimate, study.replicates(values, statistic))
        found |= {name: estimate, f"{name}_low": low, f"{name}_high": high, f"{name}_standard_error": error}
    found["mi_difference_p"] = _unbiased_p(study, values[:, 0] - values[:, 1])
    found["minimal_detectable_difference"] = _noncentrality(study) * found["mi_difference_standard_error"]
    return found


def _noncentrality(study: Study, power: float = 0.8) -> float:
    """Of the t-test with T - 1 degrees of freedom that shows a difference with some power."""
    if not study.testable:
        return np.nan
    degrees = study.occurrences - 1
    critical = scipy.stats.t.ppf(1 - study.settings["alpha"] / 2, degrees)

    def lacking(delta: float) -> float:
        # The far tail underflows to NaN for a large noncentrality.
        return float(power - scipy.stats.nct.sf(critical, degrees, delta) - np.nan_to_num(scipy.stats.nct.cdf(-critical, degrees, delta)))

    far = next(critical + step for step in 2.0 ** np.arange(20) if lacking(critical + step) < 0)
    return float(scipy.optimize.brentq(lacking, 1e-9, far, xtol=1e-13))


def _variance_shares(study: Study, values: np.ndarray) -> dict[str, np.ndarray]:
    """Share of a difference's variance that is due to occurrences: least squares of x_ij = mean + a_i + a_j, by its design matrix."""
    if not study.testable or "occurrence_variance_share" not in study.data:
        return {}
    count, difference = study.occurrences, values[:, 0] - values[:, 1]
    design = np.zeros((len(study.first), count))
    rows = np.arange(len(study.first))
    design[rows, study.first] = design[rows, study.second] = 1
    centred = (difference - difference.mean(axis=-1, keepdims=True)).reshape(-1, len(rows)).T
    fitted = design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    of_occurrences = (fitted**2).sum(axis=0) / (count - 1)
    residual = ((centred - fitted) ** 2).sum(axis=0) / (count * (count - 3) / 2)
    own = np.maximum((of_occurrences - residual) / (count - 2), 0)
    with np.errstate(invalid="ignore"):
        share = (2 * own / (2 * own + residual)).reshape(difference.shape[:-1])
    return {"occurrence_variance_share": share, "simulated_variance_share": np.nanmedian(share[0])}


def _unbiased_p(study: Study, difference: np.ndarray) -> np.ndarray:
    """Two-sided p of a mean over pairs (..., N): Efron & Stein (1981), section 4, degrees of freedom after Satterthwaite (1946)."""
    count, mean = study.occurrences, difference.mean(axis=-1)
    if count <= _UNTESTABLE:
        return np.full(mean.shape, np.nan)
    one = study.replicates(difference, lambda some, _: some.mean(axis=-1))
    squares = np.zeros(mean.shape)
    for i, j in zip(study.first.tolist(), study.second.tolist(), strict=True):
        two = difference.compress(without(study.first, study.second, i, j), axis=-1).mean(axis=-1)
        squares += (count * mean - (count - 1) * (one[i] + one[j]) + (count - 2) * two) ** 2
    biased, of_pairs = jackknife_error(one) ** 2, (count - 3) / (count**2 * (count - 1)) * squares
    bias = count / (count - 2) * of_pairs
    residual = count * (count - 3) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = (biased - bias) ** 2 / (biased**2 / (count - 1) + bias**2 / residual)
        enough = biased - bias > of_pairs
        variance = np.where(enough, biased - bias, of_pairs)
        t = mean / np.sqrt(variance)
        return np.asarray(2 * scipy.stats.t.sf(np.abs(t), np.where(enough, np.maximum(degrees, (count - 1) / 2), residual)))


def _relabelled(study: Study, values: np.ndarray, tau: np.ndarray) -> dict[str, np.ndarray]:
    """Mantel's p of each tau (one-sided, below zero) and of the difference of the branches' taus (two-sided)."""
    rows = values.reshape(-1, values.shape[-1])
    difference = tau[:, 0] - tau[:, 1]
    if study.occurrences <= _UNTESTABLE:
        return {"mantel_p": np.full(tau.shape, np.nan), "tau_difference_p": np.full(difference.shape, np.nan)}
    i, j = np.triu_indices(len(study.distance), 1)
    untied = [np.count_nonzero(side[..., i] - side[..., j], axis=-1) for side in (study.distance, rows)]
    observed = numerators(study.distance[None], rows)[0]
    below, beyond, total = np.zeros(len(rows)), np.zeros(difference.shape), 0
    for block in orders(study.occurrences, study.settings["permutations"], study.settings["seed"]):
        moved = study.position[block]
        found = numerators(np.abs(moved[:, study.first] - moved[:, study.second]), rows)
        below += (found <= observed).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            taus = (found / np.sqrt(untied[0] * untied[1])).reshape(len(block), *tau.shape)
        beyond += (np.abs(taus[:, :, 0] - taus[:, :, 1]) >= np.abs(difference) - _EQUAL).sum(axis=0)
        total += len(block)
    exact = study.occurrences <= _EXACT
    assert not exact or total == factorial(study.occurrences)
    mantel, of_difference = ((each if exact else each + 1) / (total if exact else total + 1) for each in (below, beyond))
    return {
        "mantel_p": np.where(np.isnan(tau), np.nan, mantel.reshape(tau.shape)),
        "tau_difference_p": np.where(np.isnan(difference), np.nan, of_difference),
    }


def controls_of(used: np.ndarray, first: np.ndarray, second: np.ndarray, left_out: int | None = None) -> np.ndarray:
    """(N, C) the control pairs of each pair without those that touch a token; a pair that would lose all of them keeps all."""
    if left_out is None:
        return used
    kept = used & without(first, second, left_out)
    return np.where(kept.any(axis=1, keepdims=True), kept, used)


def control_values(control: np.ndarray, used: np.ndarray, statistic: Callable[..., np.ndarray]) -> np.ndarray:
    """The mean or the median of each pair's control values (..., C): (..., N)."""
    return np.stack([statistic(control[..., row], axis=-1) for row in used], axis=-1)


def control_statistics(
    study: Study, values: np.ndarray, control: np.ndarray, first: np.ndarray, second: np.ndarray, used: np.ndarray
) -> dict[str, np.ndarray]:
    """What is left of the mutual information beside pairs of different words, each control token left out in turn for the interval."""
    matched = control_values(control, used, np.mean)
    ranked = values - control_values(control, used, np.median)
    tokens = np.unique([first, second])
    left_out = np.stack([control_values(control, controls_of(used, first, second, token), np.mean).mean(axis=-1) for token in tokens])
    excess = (values - matched).mean(axis=-1)
    _, low, high = jackknife(matched.mean(axis=-1), left_out)
    of_words = jackknife(excess, study.replicates(values - matched, lambda some, _: some.mean(axis=-1)))[0]
    of_tokens = jackknife(excess, values.mean(axis=-1) - left_out)[0]
    half = scipy.stats.t.ppf(0.975, study.occurrences - 1) * np.hypot(of_words, of_tokens)
    return {
        "control_matched_mutual_information": matched,
        "control_mean_mutual_information": matched.mean(axis=-1),
        "control_mean_mutual_information_low": low,
        "control_mean_mutual_information_high": high,
        "control_kendall_tau": kendall(study.distance, agreeing(study.held("control_matched_mutual_information"), matched))[0],
        "excess_mutual_information": values - matched,
        "ranked_excess_mutual_information": ranked,
        "word_specific_excess": excess,
        "word_specific_excess_low": excess - half,
        "word_specific_excess_high": excess + half,
        "word_specific_kendall_tau": kendall(study.distance, agreeing(study.held("ranked_excess_mutual_information"), ranked))[0],
    }


def untrained_statistics(study: Study, draws: np.ndarray) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, value in (
        ("untrained_mean_mutual_information", draws.mean(axis=-1)),
        ("untrained_kendall_tau", kendall(study.distance, draws)[0]),
    ):
        found |= {name: value.mean(axis=0), f"{name}_low": value.min(axis=0), f"{name}_high": value.max(axis=0)}
    return found
