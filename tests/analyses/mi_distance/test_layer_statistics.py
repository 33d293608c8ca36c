"""Every layer statistic against SciPy and statsmodels called once per row, and resampling against loops written out."""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from analyses.mi_distance.layer_statistics import branch_intervals, layer_statistics
from analyses.occurrences.pairs import pairs_of

PAIRS = pairs_of(np.array([2, 9, 14, 30, 33, 60]))
VALUES = np.random.default_rng(4).normal(size=(3, 2, 5, len(PAIRS))) + 0.4 * np.arange(5)[:, None]
VALUES[:, 0] += 0.5
COUNT = len(PAIRS)
ROWS = [(estimator, layer) for estimator in range(3) for layer in range(5)]


@pytest.fixture(scope="module")
def found():
    return {name: values for name, (_, values, _) in layer_statistics(VALUES, PAIRS, alpha=0.05, permutations=99, seed=1).items()}


def close(actual, expected, tolerance=1e-12):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def tau_of(values):
    return scipy.stats.kendalltau(PAIRS.distance, values).statistic


def test_tau_is_scipys(found):
    for index in np.ndindex(3, 2, 5):
        expected = scipy.stats.kendalltau(PAIRS.distance, VALUES[index])
        close(found["kendall_tau"][index], expected.statistic)
        close(found["kendall_p"][index], expected.pvalue)


def test_fiellers_interval_of_tau(found):
    # Fieller, Hartley & Pearson (1957): the variance of atanh(tau) is .437 / (N - 4).
    centre, half = np.arctanh(found["kendall_tau"]), scipy.stats.norm.ppf(0.975) * np.sqrt(0.437 / (COUNT - 4))
    close(found["kendall_tau_low"], np.tanh(centre - half))
    close(found["kendall_tau_high"], np.tanh(centre + half))


def relabelled(order):
    position = np.array([2, 9, 14, 30, 33, 60])[list(order)]
    return np.abs(position[PAIRS.second] - position[PAIRS.first])


def test_mantel_by_all_relabellings(found):
    rows = [(0, 0, 0), (0, 1, 3), (2, 0, 4)]
    counts = dict.fromkeys(rows, 0)
    orders = list(permutations(range(6)))
    for order in orders:
        distance = relabelled(order)
        for row in rows:
            counts[row] += scipy.stats.kendalltau(distance, VALUES[row]).statistic <= tau_of(VALUES[row]) + 1e-12
    for row in rows:
        close(found["mantel_p"][row], counts[row] / len(orders))


def test_difference_of_taus_by_all_relabellings(found):
    row, count, orders = (1, 2), 0, list(permutations(range(6)))
    observed = tau_of(VALUES[1, 0, 2]) - tau_of(VALUES[1, 1, 2])
    for order in orders:
        distance = relabelled(order)
        attention, mlp = (scipy.stats.kendalltau(distance, VALUES[1, branch, 2]).statistic for branch in (0, 1))
        count += abs(attention - mlp) >= abs(observed) - 1e-12
    close(found["tau_difference_p"][row], count / len(orders))


def test_t_tests_are_scipys(found):
    for estimator, layer in ROWS:
        attention, mlp = VALUES[estimator, :, layer]
        student, welch = scipy.stats.ttest_ind(attention, mlp), scipy.stats.ttest_ind(attention, mlp, equal_var=False)
        close(found["t_statistic"][estimator, layer], student.statistic)
        close(found["t_p"][estimator, layer], student.pvalue)
        close(found["welch_t"][estimator, layer], welch.statistic)
        close(found["welch_p"][estimator, layer], welch.pvalue)
        close(found["cohens_d"][estimator, layer], student.statistic * np.sqrt(2 / COUNT))


def test_cohens_d_interval_has_the_t_at_its_tails(found):
    degrees, scale = 2 * COUNT - 2, np.sqrt(2 / COUNT)
    for estimator, layer in ROWS:
        t = found["t_statistic"][estimator, layer]
        low, high = (found[f"cohens_d_{end}"][estimator, layer] / scale for end in ("low", "high"))
        close(scipy.stats.nct.cdf(t, degrees, low), 0.975, 1e-6)
        close(scipy.stats.nct.cdf(t, degrees, high), 0.025, 1e-6)


@pytest.mark.parametrize(
    ("name", "p", "variance"),
    [("fisher_z", "fisher_p", 2 / (COUNT - 3)), ("fisher_z_fieller", "fisher_p_fieller", 2 * 0.437 / (COUNT - 4))],
)
def test_z_of_two_taus(found, name, p, variance):
    attention, mlp = (np.arctanh(found["kendall_tau"][:, branch]) for branch in (0, 1))
    z = (attention - mlp) / np.sqrt(variance)
    close(found[name], z)
    close(found[p], 2 * scipy.stats.norm.sf(np.abs(z)))


@pytest.mark.parametrize("name", ["t_p", "fisher_p", "fisher_p_fieller", "mi_difference_p", "tau_difference_p"])
@pytest.mark.parametrize("method", ["bonferroni", "fdr_bh", "fdr_by"])
def test_adjusted_over_the_layers_as_in_statsmodels(found, name, method):
    for estimator in range(3):
        close(found[f"{name}_{method}"][estimator], multipletests(found[name][estimator], method=method)[1])


def leave_one_out(statistic, row):
    replicates = []
    for occurrence in range(6):
        keep = (PAIRS.first != occurrence) & (PAIRS.second != occurrence)
        replicates.append(statistic(row[..., keep], PAIRS.distance[keep]))
    replicates = np.array(replicates)
    return np.sqrt(5 / 6 * ((replicates - replicates.mean()) ** 2).sum())


def difference_of_means(values, _):
    return values[0].mean() - values[1].mean()


def difference_of_taus(values, distance):
    return scipy.stats.kendalltau(distance, values[0]).statistic - scipy.stats.kendalltau(distance, values[1]).statistic


@pytest.mark.parametrize(("name", "statistic"), [("mi_difference", difference_of_means), ("tau_difference", difference_of_taus)])
def test_jackknife_intervals(found, name, statistic):
    quantile = scipy.stats.t.ppf(0.975, 5)
    for estimator, layer in ROWS:
        row = VALUES[estimator, :, layer]
        estimate, error = statistic(row, PAIRS.distance), leave_one_out(statistic, row)
        close(found[name][estimator, layer], estimate)
        close(found[f"{name}_standard_error"][estimator, layer], error)
        close(found[f"{name}_low"][estimator, layer], estimate - quantile * error)
        close(found[f"{name}_high"][estimator, layer], estimate + quantile * error)


def test_interval_of_a_branchs_mean():
    low, high = branch_intervals(VALUES, PAIRS)
    half = scipy.stats.t.ppf(0.975, 5) * leave_one_out(lambda values, _: values.mean(), VALUES[2, 1, 3])
    close(low[2, 1, 3], VALUES[2, 1, 3].mean() - half)
    close(high[2, 1, 3], VALUES[2, 1, 3].mean() + half)


def test_p_of_the_mean_difference_by_the_textbook_variance(found):
    """Without its bias, the jackknife's variance is that of a two-way layout without replication, worked out here from residuals."""
    for estimator, layer in ROWS:
        values = VALUES[estimator, 0, layer] - VALUES[estimator, 1, layer]
        table = np.full((6, 6), np.nan)
        table[PAIRS.first, PAIRS.second] = table[PAIRS.second, PAIRS.first] = values
        grand = values.mean()
        effect = 5 / 4 * (np.nanmean(table, axis=1) - grand)  # least squares for a symmetric table without its diagonal
        residual = values - grand - effect[PAIRS.first] - effect[PAIRS.second]
        pairs_variance = (residual**2).sum() / (6 * 3 / 2)  # T(T - 3)/2 degrees of freedom
        of_mean_by_pairs = pairs_variance / len(values)
        occurrences_variance = (effect**2).sum() / 5 - pairs_variance / 4  # its expectation has sigma^2 / (T - 2) in it
        variance = max(4 * occurrences_variance / 6 + of_mean_by_pairs, of_mean_by_pairs)
        t = abs(grand) / np.sqrt(variance)
        p = found["mi_difference_p"][estimator, layer]
        # The degrees of freedom lie between (T - 1) / 2 and T(T - 3) / 2, so the p-value lies between theirs.
        assert 2 * scipy.stats.t.sf(t, 9) - 1e-9 <= p <= 2 * scipy.stats.t.sf(t, 2.5) + 1e-9


def test_a_perfect_order_is_clipped_and_flagged():
    values = VALUES.copy()
    values[0, 0, 0] = -PAIRS.distance
    found = {name: each for name, (_, each, _) in layer_statistics(values, PAIRS, alpha=0.05, permutations=99, seed=1).items()}
    assert found["kendall_tau"][0, 0, 0] == pytest.approx(-1)
    assert found["kendall_tau_clipped"][0, 0, 0]
    assert not found["kendall_tau_clipped"][1:].any()
    limit = 1 - 2 / (COUNT * (COUNT - 1) / 2)
    expected = (np.arctanh(-limit) - np.arctanh(found["kendall_tau"][0, 1, 0])) / np.sqrt(2 / (COUNT - 3))
    close(found["fisher_z"][0, 0], expected)


@pytest.mark.parametrize("occurrences", [2, 3])
def test_too_few_occurrences_give_nan_and_never_a_number(occurrences):
    pairs = pairs_of(np.arange(occurrences) ** 2 * 3)
    values = VALUES[..., : len(pairs)]
    found = layer_statistics(values, pairs, alpha=0.05, permutations=99, seed=1)
    assert np.isnan(found["mantel_p"][1]).all()
    assert np.isnan(found["kendall_tau_low"][1]).all()
    for name in (
        "fisher_z",
        "fisher_p",
        "fisher_z_fieller",
        "mi_difference_low",
        "mi_difference_p",
        "mi_difference_p_fdr_bh",
        "tau_difference_p",
        "tau_difference_low",
        "minimal_detectable_difference",
    ):
        assert np.isnan(found[name][1]).all(), name
    close(found["mi_difference"][1], values[:, 0].mean(axis=-1) - values[:, 1].mean(axis=-1))
