"""The coffee study's numbers once more from its captured vectors, with nothing but numpy, SciPy, statsmodels and scikit-learn.

What `reportgen verify` recomputes is recomputed by its formulas (`analyses.mi_distance.reference`); the rest is written out here.
"""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from sklearn.feature_selection import mutual_info_regression

from analyses.mi_distance import reference
from analyses.mi_distance.verification import recomputed
from analyses.progress import SilentProgress

BINS, TRIM, NEIGHBOURS = 15, 4.0, 3
EVERY_THIRD_LAYER = range(0, 30, 3)
ESTIMATORS = ("histogram", "corrected", "nearest_neighbour")


def close(actual, expected, tolerance=1e-9):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def pair(data, branch, layer, index):
    """The two vectors of a pair without the dimensions in which either is an outlier."""
    activation = data.activation.values[branch, layer].astype(np.float64)
    x, y = activation[data.first_occurrence.values[index]], activation[data.second_occurrence.values[index]]
    keep = reference.inliers(x, TRIM) & reference.inliers(y, TRIM)
    return x[keep], y[keep]


@pytest.fixture(scope="module")
def data(coffee):
    return coffee.data


@pytest.fixture(scope="module")
def histogram(data):
    """Mutual information (branch, layer, pair) from numpy's histogram."""
    shape = tuple(data.sizes[name] for name in ("branch", "layer", "pair"))
    values = np.empty(shape)
    for index in np.ndindex(shape):
        values[index] = reference.plug_in(reference.contingency(*pair(data, *index), BINS))
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
                counts = reference.contingency(*pair(data, branch, layer, index), BINS)
                expected = reference.plug_in(counts) - reference.expected(counts)
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


def test_what_the_command_recomputes(coffee):
    """Two of the layers pair by pair, all statistics of all layers: t tests, corrections, z, jackknife, Mantel, controls."""
    found = recomputed(coffee.results, SilentProgress(), every=59)
    assert {"t_p_fdr_by", "fisher_z_fieller", "mantel_p", "mi_difference_p", "word_specific_excess_high"} <= set(found)
    assert {"control_mutual_information", "untrained_mutual_information", "prefix_mutual_information"} <= set(found)
    for name, (held, anew) in found.items():
        np.testing.assert_allclose(anew, held, rtol=0, atol=1e-9, err_msg=name)


def without(data, occurrence):
    return reference.without(data.first_occurrence.values, data.second_occurrence.values, occurrence)


# The different-word control, its mean for means and its median for ranks, once more without each of its tokens.


def controls_of(data, left_out=None):
    """For each of the 21 pairs the control pairs at its distance, without those that touch a token."""
    return reference.controls_of(data.control_weight.values > 0, data.control_first.values, data.control_second.values, left_out)


def control_values(data, statistic, left_out=None):
    return reference.control_values(data.control_mutual_information.values, controls_of(data, left_out), statistic)


@pytest.fixture(scope="module")
def tokens(data):
    return np.unique([data.control_first.values, data.control_second.values])


@pytest.fixture(scope="module")
def subtracted(data, values, tokens):
    """Control -> values for means, the same without each control token, values for ranks, the same without each control token."""
    means = [values - control_values(data, np.mean, token) for token in tokens]
    medians = [values - control_values(data, np.median, token) for token in tokens]
    excess = (values - control_values(data, np.mean), means, values - control_values(data, np.median), medians)
    return {"none": (values, [], values, []), "different_word": excess}


def test_different_word_control(data, values, subtracted):
    # All pairs at a distance of the word's pairs, each once; here the text has at least four pairs at nearly every one.
    for row, distance in zip(controls_of(data), data.token_distance.values, strict=True):
        assert np.abs(data.control_distance.values[row] - distance).max() <= 1
    excess, _, ranked, _ = subtracted["different_word"]
    close(data.excess_mutual_information, excess)
    close(data.ranked_excess_mutual_information, ranked)
    close(data.word_specific_excess, excess.mean(axis=-1))
    close(data.word_specific_kendall_tau, taus(data, ranked))


# The verdicts by the rule as the report words it.

EARLY, DEEP, BEFORE, AFTER = slice(0, 10), slice(20, 30), slice(0, 20), slice(6, 30)


def taus(data, values):
    return np.apply_along_axis(lambda row: scipy.stats.kendalltau(data.token_distance.values, row).statistic, -1, values)


def slope_over(profile, layers):
    return np.polyfit(np.arange(30)[layers], profile[:, layers].T, 1)[0]


MEASURES = {
    "early_difference": lambda mean: (mean[:, 1, EARLY] - mean[:, 0, EARLY]).mean(axis=-1),
    "deep_difference": lambda mean: (mean[:, 0, DEEP] - mean[:, 1, DEEP]).mean(axis=-1),
    "attention_rise": lambda mean: mean[:, 0, DEEP].mean(axis=-1) - mean[:, 0, EARLY].mean(axis=-1),
    "mlp_fall": lambda mean: mean[:, 1, EARLY].mean(axis=-1) - mean[:, 1, DEEP].mean(axis=-1),
    "mlp_level": lambda mean: slope_over(mean[:, 1], DEEP),
    "before": lambda mean: slope_over(mean[:, 1], BEFORE),
}


def parts_named(coffee, control, measure):
    rows = [row for row in coffee.study["verdicts"] if row["control"] == control]
    found = [part for row in rows for part in row["parts"] if part["measure"] == measure]
    assert len(found) == len(ESTIMATORS)
    return found


@pytest.mark.parametrize("control", ["none", "different_word"])
@pytest.mark.parametrize("measure", MEASURES)
def test_estimates_and_intervals_of_means(coffee, data, subtracted, control, measure):
    plain, without_tokens, _, _ = subtracted[control]
    statistic = MEASURES[measure]
    estimate = statistic(plain.mean(axis=-1))
    replicates = np.stack([statistic(plain[..., without(data, t)].mean(axis=-1)) for t in range(7)])
    variance = 6 / 7 * ((replicates - replicates.mean(axis=0)) ** 2).sum(axis=0)
    if without_tokens:
        own = np.stack([statistic(each.mean(axis=-1)) for each in without_tokens])
        variance = variance + (len(own) - 1) / len(own) * ((own - own.mean(axis=0)) ** 2).sum(axis=0)
    half, wide = (scipy.stats.t.ppf(quantile, 6) * np.sqrt(variance) for quantile in (0.975, 0.995))
    found = parts_named(coffee, control, "mlp_level" if measure == "before" else measure)
    for index, part in enumerate(found):
        told, of = (part["before"], "before_") if measure == "before" else (part, "")
        close(
            [told["estimate"], told["low"], told["high"]], [estimate[index], estimate[index] - half[index], estimate[index] + half[index]]
        )
        if part["wide"]:
            ends = [part["wide"][f"{of}low"], part["wide"][f"{of}high"]]
            close(ends, [estimate[index] - wide[index], estimate[index] + wide[index]])


@pytest.mark.parametrize("control", ["none", "different_word"])
@pytest.mark.parametrize("index", range(3))
def test_estimates_and_intervals_of_taus_over_all_5040_relabellings(coffee, data, subtracted, control, index):
    _, _, ranked, without_tokens = subtracted[control]
    position = data.token_position.values.astype(float)
    moved = position[np.array(list(permutations(range(7))))]
    distance = np.abs(moved[:, data.first_occurrence.values] - moved[:, data.second_occurrence.values])
    i, j = np.triu_indices(21, 1)
    signs, order = np.sign(ranked[index][..., i] - ranked[index][..., j]), np.sign(distance[:, i] - distance[:, j])
    untied = np.sqrt(np.count_nonzero(order[0]) * np.count_nonzero(signs, axis=-1).astype(float))
    relabelled = np.einsum("bls,ps->pbl", signs, order) / untied

    def measures(tau):
        return np.stack([tau.mean(axis=(-2, -1)), (tau[..., 0, AFTER] - tau[..., 1, AFTER]).mean(axis=-1)], axis=-1)

    spread = np.sort(np.abs(measures(relabelled)), axis=0)[::-1]
    half, wide = spread[252], spread[50]  # 5 % and 1 % of 5,040: so many may reach a value that is rejected
    estimate = measures(taus(data, ranked)[index])
    if without_tokens:
        own = np.stack([measures(taus(data, each[index])) for each in without_tokens])
        error = np.sqrt((len(own) - 1) / len(own) * ((own - own.mean(axis=0)) ** 2).sum(axis=0))
        half, wide = (
            np.hypot(each, scipy.stats.t.ppf(quantile, len(own) - 1) * error) for each, quantile in ((half, 0.975), (wide, 0.995))
        )
    for column, measure in enumerate(("mean_tau", "tau_difference")):
        part = parts_named(coffee, control, measure)[index]
        expected = [estimate[column], estimate[column] - half[column], estimate[column] + half[column]]
        np.testing.assert_allclose([part["estimate"], part["low"], part["high"]], expected, rtol=0, atol=2e-9)
    part = parts_named(coffee, control, "tau_half")[index]
    ends = np.clip([estimate[0] - wide[0], estimate[0] + wide[0]], -1, 1)
    np.testing.assert_allclose([part["wide"]["low"], part["wide"]["high"]], ends, rtol=0, atol=2e-9)


def test_the_slope_of_the_estimators_and_its_interval(coffee, data, values):
    mean = values.mean(axis=-1)
    for index, estimator in ((0, "histogram"), (1, "corrected")):

        def slope(means, index=index):
            return scipy.stats.theilslopes(means[2].ravel(), means[index].ravel())[0]

        replicates = np.array([slope(values[..., without(data, t)].mean(axis=-1)) for t in range(7)])
        half = scipy.stats.t.ppf(0.975, 6) * np.sqrt(6 / 7 * ((replicates - replicates.mean()) ** 2).sum())
        layers = [slope(np.delete(mean, layer, axis=-1)) for layer in range(30)]
        rows = [row for row in coffee.study["verdicts"] if (row["name"], row["estimator"]) == ("constant_shift", estimator)]
        (row,) = rows
        whole = slope(mean)
        close([row["estimate"], row["low"], row["high"]], [whole, min(whole, *layers) - half, max(whole, *layers) + half])
        found = coffee.study["estimator_agreement"][estimator]
        close(found["shift_slope"], whole)
        close(found["least_squares_slope"], scipy.stats.linregress(mean[index].ravel(), mean[2].ravel()).slope)
        close(found["shift_rank_correlation"], scipy.stats.spearmanr(mean[index].ravel(), mean[2].ravel()).statistic)


def rule(measure, part, first):
    low, high = part["low"], part["high"]
    if measure in ("early_difference", "deep_difference", "attention_rise", "mlp_fall"):
        return "supported" if low > 0 else "contradicted" if high < 0 else "inconclusive"
    if measure == "mean_tau":
        # Of both branches: the mean is not enough.
        shown = high < 0 and all(branch["high"] < 0 for branch in part["branches"].values())
        return "supported" if shown else "contradicted" if low > 0 else "inconclusive"
    if measure == "tau_half":
        if high - low > 0.3:
            return "not_testable"
        outside = high < -0.65 or low > -0.35
        inside = low >= -0.65 and high <= -0.35
        return "inconclusive" if first != "supported" else "contradicted" if outside else "supported" if inside else "inconclusive"
    if measure == "tau_difference":
        apart = low > 0 or high < 0
        return "supported" if apart else "contradicted" if low > -0.1 and high < 0.1 else "inconclusive"
    if measure == "mlp_level":
        steepest, before = 0.1 / 9, part["before"]
        level = low >= -steepest and high <= steepest
        against = low > steepest or high < -steepest or before["low"] > 0
        off = before["high"] < 0 and before["estimate"] < part["estimate"]
        return "contradicted" if against else "supported" if level and off else "inconclusive"
    return "supported" if low >= 0.9 and high <= 1.1 else "contradicted" if low > 1.1 or high < 0.9 else "inconclusive"


def firmly(part, first):
    """A part's own verdict by its wider interval; the first part has none."""
    if part["wide"] is None:
        return rule(part["measure"], part, first) == "contradicted"
    wide = {"estimate": part["estimate"], "low": part["wide"]["low"], "high": part["wide"]["high"]}
    if "before" in part:
        wide["before"] = {"estimate": part["before"]["estimate"], "low": part["wide"]["before_low"], "high": part["wide"]["before_high"]}
    return rule(part["measure"], wide, first) == "contradicted"


def test_verdicts_follow_from_the_intervals(coffee):
    for row in coffee.study["verdicts"]:
        first = row["parts"][0]["verdict"]
        for part in row["parts"]:
            assert part["verdict"] == rule(part["measure"], part, first), (row["control"], part)
            assert part["firm"] == firmly(part, first), (row["control"], part)
        verdicts = [part["verdict"] for part in row["parts"]]
        whole = "not_testable" if "not_testable" in verdicts else "inconclusive"
        whole = "supported" if set(verdicts) == {"supported"} else whole
        assert row["verdict"] == ("contradicted" if any(part["firm"] for part in row["parts"]) else whole)
        (deciding,) = [part for part in row["parts"] if part["measure"] == row["part"]]
        assert all(row[key] == deciding[key] for key in ("estimate", "low", "high", "agreeing_layers", "layers"))
        assert deciding["firm"] if row["verdict"] == "contradicted" else deciding["verdict"] == row["verdict"] or whole == "inconclusive"
    for conclusion in coffee.study["conclusions"]:
        assert conclusion["control"] == ("none" if conclusion["name"] == "constant_shift" else "different_word")


def test_centred_vectors(coffee, data):
    """Their mean over the text's other words is taken off, layer by layer; histogram of one pair, written out."""
    captured = coffee.results.activations
    pair, layer, branch = 4, 17, 1
    offset = captured.control_activation.values[branch, layer].astype(np.float64).mean(axis=0)
    x, y = (
        captured.activation.values[branch, layer, data[name].values[pair]].astype(np.float64) - offset
        for name in ("first_occurrence", "second_occurrence")
    )
    keep = (np.abs(scipy.stats.zscore(x, ddof=1)) <= 4) & (np.abs(scipy.stats.zscore(y, ddof=1)) <= 4)
    counts = np.histogram2d(x[keep], y[keep], 15)[0]
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    g = scipy.stats.chi2_contingency(counts, correction=False, lambda_="log-likelihood").statistic
    close(data.centred_mutual_information.values[0, branch, layer, pair], g / (2 * counts.sum()))
