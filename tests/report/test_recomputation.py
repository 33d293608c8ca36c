"""The coffee study's numbers once more from its captured vectors, with nothing but numpy, SciPy, statsmodels and scikit-learn."""

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from sklearn.feature_selection import mutual_info_regression
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import expected_mutual_information
from statsmodels.stats.multitest import multipletests

BINS, TRIM, NEIGHBOURS = 15, 4.0, 3
EVERY_THIRD_LAYER = range(0, 30, 3)
ESTIMATORS = ("histogram", "corrected", "nearest_neighbour")


def close(actual, expected, tolerance=1e-9):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def pair(data, branch, layer, index):
    """The two vectors of a pair without the dimensions in which either is an outlier."""
    activation = data.activation.values[branch, layer].astype(np.float64)
    x, y = activation[data.first_occurrence.values[index]], activation[data.second_occurrence.values[index]]
    keep = (np.abs(scipy.stats.zscore(x, ddof=1)) <= TRIM) & (np.abs(scipy.stats.zscore(y, ddof=1)) <= TRIM)
    return x[keep], y[keep]


def plug_in(x, y):
    return mutual_info_score(None, None, contingency=np.histogram2d(x, y, bins=BINS)[0].astype(int))


@pytest.fixture(scope="module")
def data(coffee):
    return coffee.data


@pytest.fixture(scope="module")
def histogram(data):
    """Mutual information (branch, layer, pair) from numpy's histogram."""
    shape = tuple(data.sizes[name] for name in ("branch", "layer", "pair"))
    values = np.empty(shape)
    for index in np.ndindex(shape):
        values[index] = plug_in(*pair(data, *index))
    return values


@pytest.fixture(scope="module")
def values(data, histogram):
    """(estimator, branch, layer, pair): the histogram's as recomputed, the others as the bundle has them (checked below)."""
    found = data.mutual_information.values.copy()
    found[0] = histogram
    return found


def test_it_is_the_lessons_study(coffee, data):
    assert data.sizes["occurrence"] == 7
    assert (data.sizes["layer"], data.sizes["dimension"]) == (30, 576)
    assert data.estimator.values.tolist() == list(ESTIMATORS)
    assert coffee.study["settings"]["estimation"] == {"bins": BINS, "trim": TRIM, "neighbours": NEIGHBOURS}


def test_pairs_and_distances(data):
    first, second = np.triu_indices(7, 1)
    np.testing.assert_array_equal(data.first_occurrence, first)
    np.testing.assert_array_equal(data.second_occurrence, second)
    position = data.token_position.values
    np.testing.assert_array_equal(data.token_distance, position[second] - position[first])


def test_histogram_estimate(data, histogram):
    close(data.mutual_information.sel(estimator="histogram"), histogram)


def test_corrected_estimate(data):
    for branch in (0, 1):
        for layer in range(30):
            for index in range(21):
                x, y = pair(data, branch, layer, index)
                counts = np.histogram2d(x, y, bins=BINS)[0].astype(int)
                counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
                expected = plug_in(x, y) - expected_mutual_information(scipy.sparse.csr_matrix(counts), len(x))
                close(data.mutual_information.values[1, branch, layer, index], expected)


def has_tied_distances(x, y):
    """Whether a strip's border runs through a point: the noise of 1e-10 that scikit-learn adds then decides on which side it lies."""
    sides = [np.abs(side[:, None] - side) / side.std() for side in (x, y)]
    radius = np.sort(np.maximum(*sides), axis=1)[:, NEIGHBOURS][:, None]
    # The border runs through the neighbour that defines it; any further point within the noise is a tie.
    return any((np.abs(side - radius) < 1e-8).sum() > (np.abs(side - radius) == 0).any(axis=1).sum() for side in sides)


def test_nearest_neighbour_estimate(data):
    compared = 0
    for branch in (0, 1):
        for layer in EVERY_THIRD_LAYER:
            for index in range(21):
                x, y = pair(data, branch, layer, index)
                expected = mutual_info_regression(x[:, None], y, n_neighbors=NEIGHBOURS, random_state=0)[0]
                value = data.mutual_information.values[2, branch, layer, index]
                if expected == 0:  # scikit-learn clips at zero
                    assert value < 1e-9
                elif abs(value - expected) > 1e-9:
                    assert has_tied_distances(x, y)
                    close(value, expected, 1e-3)
                else:
                    compared += 1
    assert compared > 390


def test_lessons_results(data, values):
    """`my_results` of the lesson, 2 x L x 2: mean mutual information and Kendall's tau."""
    close(data.mean_mutual_information, values.mean(axis=-1))
    for index in np.ndindex(values.shape[:3]):
        tau = scipy.stats.kendalltau(data.token_distance, values[index])
        close(data.kendall_tau.values[index], tau.statistic)
        close(data.kendall_p.values[index], tau.pvalue)


def test_t_tests_and_their_corrections(data, values):
    test = scipy.stats.ttest_ind(values[:, 0], values[:, 1], axis=-1)
    close(data.t_statistic, test.statistic)
    close(data.t_p, test.pvalue)
    for estimator in range(3):
        for method in ("bonferroni", "fdr_bh", "fdr_by"):
            close(data[f"t_p_{method}"][estimator], multipletests(test.pvalue[estimator], method=method)[1])


@pytest.mark.parametrize(("suffix", "variance"), [("", 2 / (21 - 3)), ("_fieller", 2 * 0.437 / (21 - 4))])
def test_z_of_the_taus(data, suffix, variance):
    tau = data.kendall_tau.values
    z = (np.arctanh(tau[:, 0]) - np.arctanh(tau[:, 1])) / np.sqrt(variance)
    close(data[f"fisher_z{suffix}"], z)
    close(data[f"fisher_p{suffix}"], 2 * scipy.stats.norm.sf(np.abs(z)))
    for estimator in range(3):
        close(data[f"fisher_p{suffix}_fdr_bh"][estimator], multipletests(data[f"fisher_p{suffix}"][estimator], method="fdr_bh")[1])


def without(data, occurrence):
    return (data.first_occurrence.values != occurrence) & (data.second_occurrence.values != occurrence)


def jackknife(estimate, replicates):
    replicates = np.array(replicates)
    error = np.sqrt(6 / 7 * ((replicates - replicates.mean(axis=0)) ** 2).sum(axis=0))
    half = scipy.stats.t.ppf(0.975, 6) * error
    return estimate - half, estimate + half


def test_jackknife_of_the_branch_difference(data, values):
    difference = values[:, 0] - values[:, 1]
    close(data.mi_difference, difference.mean(axis=-1))
    low, high = jackknife(difference.mean(axis=-1), [difference[..., without(data, t)].mean(axis=-1) for t in range(7)])
    close(data.mi_difference_low, low)
    close(data.mi_difference_high, high)


def tau_numerators(order, values):
    """Kendall's numerator for each relabelling, by signs written out."""
    i, j = np.triu_indices(values.shape[-1], 1)
    return np.sign(order[..., i] - order[..., j]) @ np.sign(values[i] - values[j])


@pytest.mark.parametrize(("branch", "layer"), [(0, 2), (1, 2), (0, 25), (1, 11)])
def test_mantel_over_all_5040_relabellings(data, values, branch, layer):
    position = data.token_position.values.astype(float)
    orders = np.array(list(permutations(range(7))))
    moved = position[orders]
    distance = np.abs(moved[:, data.first_occurrence.values] - moved[:, data.second_occurrence.values])
    found = tau_numerators(distance, values[0, branch, layer])
    observed = tau_numerators(data.token_distance.values.astype(float), values[0, branch, layer])
    close(data.mantel_p.values[0, branch, layer], np.mean(found <= observed))


# The verdicts by the rule as the report words it.


def statement_numbers(data, values, name):
    early, deep, after = slice(0, 10), slice(20, 30), slice(6, 30)

    def measure(keep):
        mean = values[..., keep].mean(axis=-1)
        if name == "early_layers":
            return (mean[:, 1, early] - mean[:, 0, early]).mean(axis=-1)
        if name == "deep_layers":
            return (mean[:, 0, deep] - mean[:, 1, deep]).mean(axis=-1)
        distance = data.token_distance.values[keep]
        tau = np.apply_along_axis(lambda row: scipy.stats.kendalltau(distance, row).statistic, -1, values[..., keep])
        return tau.mean(axis=(1, 2)) if name == "negative_tau" else (tau[:, 0, after] - tau[:, 1, after]).mean(axis=-1)

    everything = np.ones(21, dtype=bool)
    return measure(everything), jackknife(measure(everything), [measure(without(data, t)) for t in range(7)])


@pytest.mark.parametrize("name", ["early_layers", "deep_layers", "negative_tau", "tau_separation"])
def test_estimates_and_intervals_of_the_statements(coffee, data, values, name):
    estimate, (low, high) = statement_numbers(data, values, name)
    rows = [row for row in coffee.study["verdicts"] if row["name"] == name and row["control"] == "none"]
    assert [row["estimator"] for row in rows] == list(ESTIMATORS)
    for index, row in enumerate(rows):
        close([row["estimate"], row["low"], row["high"]], [estimate[index], low[index], high[index]])


def test_verdicts_follow_from_the_intervals(coffee):
    rows = [row for row in coffee.study["verdicts"] if row["name"] != "deep_layers"]
    for row in rows:
        share, low, high = row["agreeing_layers"] / row["layers"], row["low"], row["high"]
        if row["name"] == "early_layers":
            expected = "contradicted" if high < 0 else "supported" if low > 0 and share >= 0.8 else "inconclusive"
        elif row["name"] == "tau_separation":
            shown = low > 0 or high < 0
            near = low > -0.1 and high < 0.1 and not shown
            expected = "contradicted" if near else "supported" if shown and share >= 0.8 else "inconclusive"
        else:
            bottom, top = (-0.65, -0.35) if row["name"] == "negative_tau" else (0.9, 1.1)
            inside = bottom <= low and high <= top and share >= 0.8
            expected = "contradicted" if high < bottom or low > top else "supported" if inside else "inconclusive"
        assert row["verdict"] == expected, row
    deep = [row for row in coffee.study["verdicts"] if row["name"] == "deep_layers"]
    order = ("contradicted", "not_testable", "inconclusive", "supported")
    for row in deep:
        assert row["verdict"] == min((part["verdict"] for part in row["parts"]), key=order.index)


def test_slope_of_one_estimate_on_the_other(coffee, data):
    means = data.mean_mutual_information.values.reshape(3, -1)
    for index, estimator in ((0, "histogram"), (1, "corrected")):
        found = coffee.study["estimator_agreement"][estimator]
        close(found["shift_slope"], scipy.stats.linregress(means[index], means[2]).slope)
        close(found["shift_rank_correlation"], scipy.stats.spearmanr(means[index], means[2]).statistic)


def test_different_word_control(data):
    """The control's mean for a pair of occurrences is that of different-word pairs at the same distance."""
    weight, control = data.control_weight.values, data.control_mutual_information.values
    close(weight.sum(axis=1), 1)
    close(data.excess_mutual_information, data.mutual_information.values - control @ weight.T)
    close(data.word_specific_excess, data.excess_mutual_information.mean("pair"))
    inside = (data.control_mean_mutual_information_low <= data.control_mean_mutual_information) & (
        data.control_mean_mutual_information <= data.control_mean_mutual_information_high
    )
    assert inside.all()
