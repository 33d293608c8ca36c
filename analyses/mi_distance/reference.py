"""A study's numbers once more from its captured vectors, by the slow route: NumPy, SciPy, statsmodels and scikit-learn, pair by pair.

Nothing here calls what made the numbers (only how ties are told apart is taken from there, for the noise is part of the estimator), so
that a fault would have to be made twice. `reportgen verify` and the tests use the same formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, permutations
from math import factorial
from typing import Any

import numpy as np
import scipy.sparse
import scipy.stats

from analyses.errors import InputError
from analyses.mutual_information.ties import break_ties
from analyses.progress import Progress
from analyses.protocol import Results

# All relabellings up to this number of occurrences; no test with so few.
_EXACT, _UNTESTABLE = 8, 3
# Of Kendall's tau after Fieller, Hartley & Pearson (1957).
_FIELLER = 0.437
_ORDERS_AT_ONCE = 512
# Sums of taus that are equal differ in their last digits.
_EQUAL = 1e-9
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


def contingency(x: np.ndarray, y: np.ndarray, bins: int) -> np.ndarray:
    """Counts of the joint histogram over the ranges of x and y, without empty rows and columns."""
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
    found = np.apply_along_axis(lambda row: np.array(scipy.stats.kendalltau(distance, row)[:2], dtype=float), -1, values)
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
    return np.asarray(np.sign(distance[:, i] - distance[:, j]) @ np.sign(values[:, i] - values[:, j]).T)


class _Study:
    """What the formulas below share: the vectors, the pairs and the settings of one bundle."""

    def __init__(self, results: Results) -> None:
        self.data, self.vectors, self.settings = results.dataset, results.activations, results.study["settings"]
        estimation = self.settings["estimation"]
        self.how = Estimation(estimation["bins"], estimation["trim"], estimation["neighbours"])
        self.position = self.vectors["token_position"].values.astype(np.int64)
        self.occurrences = len(self.position)
        self.first, self.second = np.triu_indices(self.occurrences, 1)
        self.distance = self.position[self.second] - self.position[self.first]

    def held(self, name: str) -> np.ndarray:
        return np.array(self.data[name].values)

    def replicates(self, values: np.ndarray, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """A statistic of values (..., N) and distances once without each occurrence; NaN where too few are left."""
        if self.occurrences <= _UNTESTABLE:
            whole = statistic(values, self.distance)
            return np.full((self.occurrences, *whole.shape), np.nan)
        kept = [without(self.first, self.second, each) for each in range(self.occurrences)]
        return np.stack([statistic(values[..., keep], self.distance[keep]) for keep in kept])


def recomputed(results: Results, progress: Progress, every: int = 1) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Quantity -> as the bundle holds it, as it is recomputed.

    Parameters
    ----------
    every : estimate the mutual information of each `every`-th layer only; all that rests on it is worked out for every layer.

    Raises
    ------
    InputError
        The bundle's numbers and its vectors do not fit one another.
    """
    try:
        study = _Study(results)
        found = _estimates(study, progress, every)
        sound = {name: _agreeing(study.held(name), value) for name, value in found.items()}
        found |= _statistics(study, sound["mutual_information"])
        if "control_mutual_information" in found:
            found |= _control(study, sound["mutual_information"], sound["control_mutual_information"])
        if "centred_mutual_information" in found:
            found["centred_mean_mutual_information"] = sound["centred_mutual_information"].mean(axis=-1)
        if "untrained_mutual_information" in found:
            found |= _untrained(study, sound["untrained_mutual_information"])
        pairs = {name: (study.held(name), value) for name, value in found.items()}
        return pairs | _of_bands(study, results.study, sound["mutual_information"])
    except (KeyError, IndexError) as error:
        raise InputError(f"results.nc and activations.nc do not fit one another ({error}); make the bundle again") from error


def _agreeing(held: np.ndarray, anew: np.ndarray) -> np.ndarray:
    """What was recomputed, to the bundle's last digit where both agree: a last digit would break ties that ranks rest on."""
    return np.where(np.abs(held - anew) <= _EQUAL, held, anew)


def _estimates(study: _Study, progress: Progress, every: int) -> dict[str, np.ndarray]:
    """Every pair's estimates, under the names of the bundle; layers between are left as the bundle has them."""
    vectors, data = study.vectors, study.data
    activation = vectors["activation"].values
    wanted: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]]] = {
        "mutual_information": [(activation, study.first, study.second, ())]
    }
    if "control_mutual_information" in data:
        control = vectors["control_activation"].values
        ends = study.held("control_first"), study.held("control_second")
        wanted["control_mutual_information"] = [(control, *ends, ())]
        offset = control.astype(np.float64).mean(axis=2, keepdims=True)
        wanted["centred_mutual_information"] = [(activation - offset, study.first, study.second, ())]
        if "prefix_control_mutual_information" in data:
            wanted["prefix_control_mutual_information"] = [(vectors["prefix_control_activation"].values, *ends, ())]
    if "untrained_mutual_information" in data:
        draws = vectors["untrained_activation"].values
        wanted["untrained_mutual_information"] = [(draw, study.first, study.second, (index,)) for index, draw in enumerate(draws)]
    if "prefix_mutual_information" in data:
        wanted["prefix_mutual_information"] = [(vectors["prefix_activation"].values, study.first, study.second, ())]
    layers = range(0, activation.shape[1], every)
    found = {name: study.held(name) for name in wanted}
    total = sum(len(part[1]) for parts in wanted.values() for part in parts) * 2 * len(layers)
    with progress.stage("verify", total) as advance:
        for name, parts in wanted.items():
            for array, first, second, at in parts:
                held = found[name][at]
                for branch, layer in ((branch, layer) for branch in (0, 1) for layer in layers):
                    rows = np.ascontiguousarray(array[branch, layer], dtype=np.float64)
                    untied = break_ties(rows)
                    for index, (i, j) in enumerate(zip(first, second, strict=True)):
                        held[:, branch, layer, index] = estimates(rows[i], rows[j], (untied[i], untied[j]), study.how)
                    advance(len(first))
    return found


def _statistics(study: _Study, values: np.ndarray) -> dict[str, np.ndarray]:
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
    found |= _t_tests(values)
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
    return found


def _differences(study: _Study, values: np.ndarray) -> dict[str, np.ndarray]:
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
    return found


def _unbiased_p(study: _Study, difference: np.ndarray) -> np.ndarray:
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


def _relabelled(study: _Study, values: np.ndarray, tau: np.ndarray) -> dict[str, np.ndarray]:
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


def _control(study: _Study, values: np.ndarray, control: np.ndarray) -> dict[str, np.ndarray]:
    """What is left of the mutual information beside pairs of different words, each control token left out in turn for the interval."""
    first, second = study.held("control_first"), study.held("control_second")
    used = study.held("control_weight") > 0
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
        "control_kendall_tau": kendall(study.distance, _agreeing(study.held("control_matched_mutual_information"), matched))[0],
        "excess_mutual_information": values - matched,
        "ranked_excess_mutual_information": ranked,
        "word_specific_excess": excess,
        "word_specific_excess_low": excess - half,
        "word_specific_excess_high": excess + half,
        "word_specific_kendall_tau": kendall(study.distance, _agreeing(study.held("ranked_excess_mutual_information"), ranked))[0],
    }


def _untrained(study: _Study, draws: np.ndarray) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, value in (
        ("untrained_mean_mutual_information", draws.mean(axis=-1)),
        ("untrained_kendall_tau", kendall(study.distance, draws)[0]),
    ):
        found |= {name: value.mean(axis=0), f"{name}_low": value.min(axis=0), f"{name}_high": value.max(axis=0)}
    return found


# Measures of the statements that rest on the layer means (estimator, branch, layer), by the layers that are early and deep.
BAND_MEASURES: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "early_difference": lambda mean, early, _deep: (mean[:, 1, early] - mean[:, 0, early]).mean(axis=-1),
    "deep_difference": lambda mean, _early, deep: (mean[:, 0, deep] - mean[:, 1, deep]).mean(axis=-1),
    "attention_rise": lambda mean, early, deep: mean[:, 0, deep].mean(axis=-1) - mean[:, 0, early].mean(axis=-1),
    "mlp_fall": lambda mean, early, deep: mean[:, 1, early].mean(axis=-1) - mean[:, 1, deep].mean(axis=-1),
}


def _of_bands(study: _Study, facts: Mapping[str, Any], values: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Estimates and intervals behind the verdicts on bare mutual information, as study.json has them."""
    numbers = list(facts["layer_numbers"])
    early, deep = (np.array([numbers.index(layer) for layer in facts["bands"][band]], dtype=int) for band in ("early", "deep"))
    if not (len(early) and len(deep)):
        return {}
    estimators = study.data["estimator"].values.tolist()
    found = {}
    for row in facts["verdicts"]:
        for part in row["parts"] if row["control"] == "none" else ():
            if (measure := BAND_MEASURES.get(part["measure"])) is None:
                continue

            def statistic(some: np.ndarray, _distance: np.ndarray, measure: Any = measure) -> np.ndarray:
                return np.asarray(measure(some.mean(axis=-1), early, deep))

            estimate = statistic(values, study.distance)
            _, low, high = jackknife(estimate, study.replicates(values, statistic))
            index = estimators.index(row["estimator"])
            held = np.array([part[key] for key in ("estimate", "low", "high")], dtype=np.float64)
            found[f"verdicts.{part['measure']}.{row['estimator']}"] = held, np.array([estimate[index], low[index], high[index]])
    return found
