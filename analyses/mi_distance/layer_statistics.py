"""Everything that is tested layer by layer: the course's version and, beside it, the sound one."""

from collections.abc import Callable

import numpy as np

from analyses.occurrences.branches import ATTENTION, MLP
from analyses.occurrences.pairs import Pairs
from analyses.progress import Advance
from analyses.records import Variable
from analyses.statistics.comparison import independent_t_test
from analyses.statistics.correlation import (
    KendallResult,
    clip_tau,
    fisher_z,
    kendall,
    kendall_interval,
    kendall_tau,
    kendall_tau_without,
)
from analyses.statistics.multiplicity import adjust
from analyses.statistics.power import minimal_detectable_difference
from analyses.statistics.relabelling import UNTESTABLE_OCCURRENCES
from analyses.statistics.resampling import (
    Jackknife,
    MantelDifference,
    jackknife,
    jackknife_mean,
    leave_one_out,
    mantel_with_difference,
)

BRANCH_LAYER = ("estimator", "branch", "layer")
LAYER = ("estimator", "layer")


def layer_statistics(
    values: np.ndarray, pairs: Pairs, *, alpha: float, permutations: int, seed: int, advance: Advance | None = None
) -> dict[str, Variable]:
    """Kendall's tau of mutual information against token distance in every branch and layer, and attention against MLP in every layer.

    Parameters
    ----------
    values : (estimator, branch, layer, pair), nats
    alpha : of the difference that would be seen
    permutations, seed : of the relabellings, where not all are listed
    advance : called with the relabellings finished since its last call
    """
    correlation = kendall(pairs.distance, values)
    at = (pairs.first, pairs.second, pairs.distance)
    *of_branches, difference = mantel_with_difference(
        *at, values[:, ATTENTION], values[:, MLP], permutations=permutations, seed=seed, advance=advance
    )
    mantel_p = np.stack([test.p for test in of_branches], axis=1)
    return _correlations(correlation, mantel_p, pairs) | _comparisons(values, pairs, correlation.tau, difference, alpha=alpha)


def _correlations(correlation: KendallResult, mantel_p: np.ndarray, pairs: Pairs) -> dict[str, Variable]:
    clipped, flagged = clip_tau(correlation.tau, len(pairs))
    low, high = kendall_interval(clipped, len(pairs))
    return {
        "kendall_tau": (BRANCH_LAYER, correlation.tau, {"long_name": "Kendall's tau-b of mutual information against token distance"}),
        "kendall_p": (BRANCH_LAYER, correlation.p, {"long_name": "two-sided p of tau, pairs taken as independent (course)"}),
        "kendall_tau_low": (BRANCH_LAYER, low, {"long_name": "lower end of the 95 % interval of tau (Fieller)"}),
        "kendall_tau_high": (BRANCH_LAYER, high, {"long_name": "upper end of the 95 % interval of tau (Fieller)"}),
        "kendall_tau_clipped": (BRANCH_LAYER, flagged, {"long_name": "tau is +1 or -1 and was clipped before its z-transform"}),
        "mantel_p": (BRANCH_LAYER, mantel_p, {"long_name": "one-sided permutation p for tau < 0, occurrences relabelled"}),
    }


def _comparisons(values: np.ndarray, pairs: Pairs, tau: np.ndarray, relabelled: MantelDifference, *, alpha: float) -> dict[str, Variable]:
    attention, mlp = values[:, ATTENTION], values[:, MLP]
    test = independent_t_test(attention, mlp)
    clipped, _ = clip_tau(tau, len(pairs))
    course_z, course_p = fisher_z(clipped[:, ATTENTION], clipped[:, MLP], len(pairs), variance="course")
    fieller_z, fieller_p = fisher_z(clipped[:, ATTENTION], clipped[:, MLP], len(pairs), variance="fieller")
    difference = over_occurrences(_difference_of_means, values, pairs)
    of_taus = _difference_of_taus(values, pairs)

    variables: dict[str, Variable] = {
        "t_statistic": (LAYER, test.statistic, {"long_name": "independent t, attention minus MLP (course)"}),
        "t_p": (LAYER, test.p, {"long_name": "its two-sided p"}),
        "welch_t": (LAYER, test.welch_statistic, {"long_name": "Welch's t, attention minus MLP"}),
        "welch_p": (LAYER, test.welch_p, {"long_name": "its two-sided p"}),
        "cohens_d": (LAYER, test.cohens_d, {"long_name": "Cohen's d, attention minus MLP"}),
        "cohens_d_low": (LAYER, test.cohens_d_low, {"long_name": "lower end of its 95 % interval"}),
        "cohens_d_high": (LAYER, test.cohens_d_high, {"long_name": "upper end of its 95 % interval"}),
        "fisher_z": (LAYER, course_z, {"long_name": "Z of the two taus, variance 2/(N-3) (course)"}),
        "fisher_p": (LAYER, course_p, {"long_name": "its two-sided p"}),
        "fisher_z_fieller": (LAYER, fieller_z, {"long_name": "Z of the two taus, variance 2 x .437/(N-4) (Fieller)"}),
        "fisher_p_fieller": (LAYER, fieller_p, {"long_name": "its two-sided p"}),
    }
    # The plain jackknife's variance carries the pairs' own noise twice over, so its test rejects far too seldom at a handful
    # of occurrences: the interval is the plain one, the p-values come from the tests that keep their level.
    unbiased = jackknife_mean(pairs.first, pairs.second, pairs.occurrences, attention - mlp)
    for name, result, p, test_name, unit in (
        ("mi_difference", difference, unbiased.p, "jackknife without its bias", "nats"),
        ("tau_difference", of_taus, relabelled.p, "relabelling of the occurrences", "1"),
    ):
        variables |= {
            name: (LAYER, result.estimate, {"long_name": f"{name}, attention minus MLP", "units": unit}),
            f"{name}_low": (LAYER, result.low, {"long_name": "lower end of its 95 % jackknife interval", "units": unit}),
            f"{name}_high": (LAYER, result.high, {"long_name": "upper end of its 95 % jackknife interval", "units": unit}),
            f"{name}_standard_error": (LAYER, result.standard_error, {"long_name": "its jackknife standard error", "units": unit}),
            f"{name}_p": (LAYER, p, {"long_name": f"two-sided p, {test_name}"}),
        }
    error = difference.standard_error
    detectable = minimal_detectable_difference(error, pairs.occurrences, alpha=alpha)
    text = "an assumed difference that is seen with 80 % power"
    variables["minimal_detectable_difference"] = (LAYER, detectable, {"long_name": text, "units": "nats"})
    for name in ("t_p", "fisher_p", "fisher_p_fieller", "mi_difference_p", "tau_difference_p"):
        for method in ("bonferroni", "fdr_bh", "fdr_by"):
            values_of = adjust(variables[name][1], method)
            variables[f"{name}_{method}"] = (LAYER, values_of, {"long_name": f"{name} adjusted over the layers, {method}"})
    return variables


def branch_intervals(values: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Jackknife interval of the mean mutual information of each branch and layer: low, high (estimator, branch, layer)."""
    result = over_occurrences(_mean, values, pairs)
    return result.low, result.high


def over_occurrences(statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], values: np.ndarray, pairs: Pairs) -> Jackknife:
    """Jackknife `statistic(values (..., N), distance (N,)) -> (...)` by leaving out one occurrence after the other."""
    estimate = statistic(values, pairs.distance)
    if pairs.occurrences <= UNTESTABLE_OCCURRENCES:  # a replicate would be left with a single pair
        return jackknife(estimate, np.full((*estimate.shape, pairs.occurrences), np.nan))
    kept = [pairs.without(occurrence) for occurrence in range(pairs.occurrences)]
    return jackknife(estimate, np.stack([statistic(values[..., keep], pairs.distance[keep]) for keep in kept], axis=-1))


def _mean(values: np.ndarray, _distance: np.ndarray) -> np.ndarray:
    return values.mean(axis=-1)


def _difference_of_means(values: np.ndarray, _distance: np.ndarray) -> np.ndarray:
    return values[:, ATTENTION].mean(axis=-1) - values[:, MLP].mean(axis=-1)


def _difference_of_taus(values: np.ndarray, pairs: Pairs) -> Jackknife:
    tau = kendall_tau(pairs.distance, values)
    if pairs.occurrences <= UNTESTABLE_OCCURRENCES:
        without = np.full((*tau.shape, pairs.occurrences), np.nan)
    else:
        without = kendall_tau_without(pairs.distance, values, leave_one_out(pairs.first, pairs.second, pairs.occurrences))
    return jackknife(tau[:, ATTENTION] - tau[:, MLP], without[:, ATTENTION] - without[:, MLP])
