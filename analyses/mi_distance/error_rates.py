"""Do pairs count as independent? How often each test finds an effect in data without one, where pairs share occurrences.

A simulated data set is one layer of this study: its occurrences at their own token positions, two branches that follow the same
law, and mutual information that does not depend on distance. The value of pair (i, j) in a branch is a_i + a_j + e_ij, all normal
(Griffing's model of a half diallel); var(a) / var(e) is estimated from the study's own layers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from analyses.occurrences.branches import ATTENTION, MLP
from analyses.occurrences.pairs import Pairs
from analyses.progress import Advance, in_steps
from analyses.records import Variable
from analyses.statistics.correlation import clip_tau, fisher_z, kendall_tau
from analyses.statistics.relabelling import UNTESTABLE_OCCURRENCES, relabellings
from analyses.statistics.resampling import (
    jackknife,
    jackknife_mean,
    leave_one_out,
    mantel_with_difference,
)

# The first two and the Z tests take pairs as independent; the others take occurrences as independent.
TESTS = (
    "independent_t",
    "paired_t",
    "jackknife_plain",
    "jackknife",
    "mantel",
    "fisher_z_course",
    "fisher_z_fieller",
    "mantel_difference",
)
# Sampled relabellings where not all are listed; with 199 a p-value of .05 can be met exactly.
RELABELLINGS = 199
# Bounds the work, in pairs of pairs looked at: many occurrences are simulated less often, very many not at all.
MOST_COMPARISONS = 2_200_000_000
FEWEST_DATA_SETS = 100


@dataclass(frozen=True)
class ErrorRates:
    """Share of data sets without an effect in which a test gave p < alpha, with how many there were; NaN and 0 where not simulated."""

    rate: dict[str, float]
    data_sets: dict[str, int]


def occurrence_variance(values: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Variance that belongs to occurrences, and that which belongs to single pairs, of values x_ij = mean + a_i + a_j + e_ij.

    Parameters
    ----------
    values : (..., N)

    Returns
    -------
    var(a), not below zero, and var(e), each (...); NaN for three occurrences or fewer.

    Notes
    -----
    Analysis of variance of a half diallel, method 4, model II of Griffing (1956), Australian Journal of Biological Sciences 9,
    463-493, with E(MS_occurrence) = var(e) + (T - 2) var(a).
    """
    count = pairs.occurrences
    if count <= UNTESTABLE_OCCURRENCES:
        nothing = np.full(values.shape[:-1], np.nan)
        return nothing, nothing
    touches = ~leave_one_out(pairs.first, pairs.second, count)
    centred = values - values.mean(axis=-1, keepdims=True)
    sums = centred @ touches.T
    of_occurrences = (sums**2).sum(axis=-1) / (count - 2)
    residual = ((centred**2).sum(axis=-1) - of_occurrences) / (count * (count - 3) / 2)
    own = (of_occurrences / (count - 1) - residual) / (count - 2)
    return np.maximum(own, 0.0), np.maximum(residual, 0.0)


def error_rates(pairs: Pairs, ratio: float, *, simulations: int, alpha: float, seed: int, advance: Callable[[int], None]) -> ErrorRates:
    """Simulate every test at the study's own token positions.

    Parameters
    ----------
    ratio : var(a) / var(e)
    simulations : data sets; fewer for the tests on tau where a study has many pairs
    advance : called with the number of tests finished since the last call
    """
    generator = np.random.default_rng([seed, pairs.occurrences])
    own = np.sqrt(ratio) * generator.normal(size=(simulations, 2, pairs.occurrences))
    values = own[..., pairs.first] + own[..., pairs.second] + generator.normal(size=(simulations, 2, len(pairs)))
    p = _tests_of_means(values, pairs)
    advance(4)
    # Of the tests on tau two are by relabelling, which takes all of their time.
    relabelled = in_steps(advance, len(TESTS) - 4, _relabellings(pairs))
    p |= _tests_of_taus(values[: _affordable(pairs, simulations)], pairs, seed, relabelled)
    return ErrorRates(
        {name: float(np.mean(p[name] < alpha)) if len(p[name]) else np.nan for name in TESTS},
        {name: len(p[name]) for name in TESTS},
    )


def error_rate_variables(
    values: np.ndarray, pairs: Pairs, *, simulations: int, alpha: float, seed: int, advance: Callable[[int], None]
) -> dict[str, Variable]:
    """Estimate the shared noise from the study's values (estimator, branch, layer, pair) and simulate; {} where nothing is testable.

    The ratio is that of the difference of the branches, for the histogram estimator in its median layer.
    """
    if pairs.occurrences <= UNTESTABLE_OCCURRENCES:
        return {}
    own, residual = occurrence_variance(values[:, ATTENTION] - values[:, MLP], pairs)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 2 * own / (2 * own + residual)
    if not np.isfinite(share[0]).any():
        return {}
    median = float(np.nanmedian(share[0]))
    # A share of 1 has no finite ratio; 1,000 to 1 is simulated in its place.
    ratio = min(median / (2 * (1 - median)), 1000.0) if median < 1 else 1000.0
    found = error_rates(pairs, ratio, simulations=simulations, alpha=alpha, seed=seed, advance=advance)
    rates = np.array([found.rate[name] for name in TESTS])
    counts = np.array([found.data_sets[name] for name in TESTS])
    low, high = wilson_interval(rates, counts)
    along = ("simulated_test",)
    return {
        "simulated_test": (along, np.array(TESTS), {"long_name": "test of a difference between the branches, or of tau"}),
        "occurrence_variance_share": (("estimator", "layer"), share, {"long_name": "share of a difference's variance due to occurrences"}),
        "simulated_variance_share": ((), np.array(median), {"long_name": "the share in the simulated data sets"}),
        "type_one_error": (along, rates, {"long_name": "share of data sets without an effect in which the test rejects"}),
        "type_one_error_low": (along, low, {"long_name": "lower end of its 95 % Monte-Carlo interval (Wilson)"}),
        "type_one_error_high": (along, high, {"long_name": "upper end of its 95 % Monte-Carlo interval (Wilson)"}),
        "simulated_data_sets": (along, counts, {"long_name": "data sets simulated"}),
    }


def error_rate_table(dataset: xr.Dataset) -> pd.DataFrame:
    """One row a test: simulated_test, type_one_error, type_one_error_low, type_one_error_high, simulated_data_sets."""
    names = ["type_one_error", "type_one_error_low", "type_one_error_high", "simulated_data_sets"]
    return dataset[names].to_dataframe()[names].reset_index()


def wilson_interval(share: np.ndarray, count: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of a binomial share: Wilson (1927), Journal of the American Statistical Association 22, 209-212."""
    z = stats.norm.ppf(0.5 + confidence / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return centre - half, centre + half


def _tests_of_means(values: np.ndarray, pairs: Pairs) -> dict[str, np.ndarray]:
    attention, mlp = values[:, ATTENTION], values[:, MLP]
    difference = attention - mlp
    keep = leave_one_out(pairs.first, pairs.second, pairs.occurrences)
    without = difference @ (keep / keep.sum(axis=1, keepdims=True)).T
    return {
        "independent_t": np.asarray(stats.ttest_ind(attention, mlp, axis=-1).pvalue),
        "paired_t": np.asarray(stats.ttest_rel(attention, mlp, axis=-1).pvalue),
        "jackknife_plain": jackknife(difference.mean(axis=-1), without).p,
        "jackknife": jackknife_mean(pairs.first, pairs.second, pairs.occurrences, difference).p,
    }


def _tests_of_taus(values: np.ndarray, pairs: Pairs, seed: int, advance: Advance) -> dict[str, np.ndarray]:
    attention, mlp = values[:, ATTENTION], values[:, MLP]
    tau, _ = clip_tau(kendall_tau(pairs.distance, values), len(pairs))
    at = (pairs.first, pairs.second, pairs.distance)
    of_attention, _, difference = mantel_with_difference(*at, attention, mlp, permutations=RELABELLINGS, seed=seed, advance=advance)
    return {
        "mantel": of_attention.p,
        "mantel_difference": difference.p,
        "fisher_z_course": fisher_z(tau[:, ATTENTION], tau[:, MLP], len(pairs), "course")[1],
        "fisher_z_fieller": fisher_z(tau[:, ATTENTION], tau[:, MLP], len(pairs), "fieller")[1],
    }


def _relabellings(pairs: Pairs) -> int:
    return relabellings(pairs.occurrences, RELABELLINGS)


def _comparisons(pairs: Pairs) -> int:
    return len(pairs) * (len(pairs) - 1) // 2


def _affordable(pairs: Pairs, simulations: int) -> int:
    most = MOST_COMPARISONS // (_relabellings(pairs) * _comparisons(pairs))
    return min(simulations, most) if most >= FEWEST_DATA_SETS else 0
