import numpy as np
import pytest

from analyses.mi_distance.bands import Bands, bands_of
from analyses.mi_distance.measures import (
    MEASURES,
    agreeing_layers,
    least_squares_shift,
    measure_bands,
    measure_estimators,
    measure_taus,
)
from analyses.mi_distance.settings import HypothesisSettings

DISTANCE = np.array([1, 2, 3])
BANDS = bands_of(6, HypothesisSettings())  # early 1-2, deep 5-6, separated 2-6


def measure(values, distance, bands):
    return measure_bands(values, bands) | measure_taus(values, distance, bands) | measure_estimators(values)


def agreeing(values, distance, bands):
    return agreeing_layers(values, values, distance, bands)


def profile(attention, mlp, offsets=((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), estimators=3):
    """Values (estimator, branch, layer, pair) whose means over the pairs are the profiles; `offsets` sum to zero."""
    means = np.array([attention, mlp], dtype=float)
    values = means[:, :, None] + np.array(offsets, dtype=float)[:, None, :]
    return np.repeat(values[None], estimators, axis=0)


# Attention 1 2 3 4 6 9, MLP 5 4 4 3 2 2.
VALUES = profile([1, 2, 3, 4, 6, 9], [5, 4, 4, 3, 2, 2])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("early_difference", (5 - 1 + 4 - 2) / 2),
        ("deep_difference", (6 - 2 + 9 - 2) / 2),
        ("attention_rise", 7.5 - 1.5),
        ("mlp_fall", 4.5 - 2.0),
        # Least squares: the centred layer numbers times the values, over the sum of their squares, 5.
        ("mlp_level", 0.0),
        ("mlp_slope_before", (-1.5 * 5 - 0.5 * 4 + 0.5 * 4 + 1.5 * 3) / 5),
    ],
)
def test_measures_of_the_profiles_by_hand(name, expected):
    np.testing.assert_allclose(measure(VALUES, DISTANCE, BANDS)[name], [expected] * 3)


@pytest.mark.parametrize(
    ("name", "sign"),
    [("early_difference", -1), ("deep_difference", -1)],
)
def test_swapping_the_branches_turns_the_differences_round(name, sign):
    found, swapped = (measure(values, DISTANCE, BANDS)[name] for values in (VALUES, VALUES[:, ::-1]))
    np.testing.assert_allclose(swapped, sign * found)


def test_reversing_the_layers_turns_rise_into_fall():
    found = measure(VALUES[:, :, ::-1], DISTANCE, BANDS)
    np.testing.assert_allclose(found["attention_rise"], 1.5 - 7.5)
    np.testing.assert_allclose(found["mlp_fall"], 2.0 - 4.5)


def test_slopes_are_those_of_numpy():
    values = np.random.default_rng(4).normal(size=(3, 2, 30, 5))
    bands = bands_of(30, HypothesisSettings())
    found, mlp = measure_bands(values, bands), values.mean(axis=-1)[:, 1]
    for index in range(3):
        assert found["mlp_level"][index] == pytest.approx(np.polyfit(np.arange(20, 30), mlp[index, 20:], 1)[0], abs=1e-12)
        assert found["mlp_slope_before"][index] == pytest.approx(np.polyfit(np.arange(20), mlp[index, :20], 1)[0], abs=1e-12)


def test_taus_by_hand():
    # Attention falls with every step of distance (tau -1); of the MLP's three pairs of pairs two are discordant (tau -1/3).
    values = profile([4] * 6, [4] * 6, offsets=[(1, 0, -1), (1, -1, 0)])
    found = measure(values, DISTANCE, BANDS)
    np.testing.assert_allclose(found["mean_tau"], -2 / 3)
    np.testing.assert_allclose(found["tau_difference"], -2 / 3)


def test_tau_difference_is_taken_over_the_separated_layers_only():
    values = profile([4] * 6, [4] * 6, offsets=[(1, 0, -1), (1, 0, -1)])
    values[:, 0, 0] = values[:, 0, 0, ::-1]  # layer 1 lies before the separation
    np.testing.assert_allclose(measure(values, DISTANCE, BANDS)["tau_difference"], 0)
    values[:, 0, 1] = values[:, 0, 1, ::-1]  # layer 2 is one of five
    np.testing.assert_allclose(measure(values, DISTANCE, BANDS)["tau_difference"], 2 / 5)


def test_a_constant_shift_has_slope_one_and_full_agreement():
    values = VALUES.copy()
    values[2] = values[0] + 0.7
    values[1] = values[0] / 2
    found = measure(values, DISTANCE, BANDS)
    np.testing.assert_allclose(found["shift_slope"], [1, 2, np.nan])
    np.testing.assert_allclose(found["shift_rank_correlation"], [1, 1, np.nan])
    np.testing.assert_allclose(found["shift_concordance"][0], 1)


def test_shift_against_numpy_and_scipy():
    from scipy import stats

    values = np.random.default_rng(2).normal(size=(3, 2, 6, 3)) + np.arange(6)[:, None]
    means = values.mean(axis=-1).reshape(3, -1)
    found = measure(values, DISTANCE, BANDS)
    for index in (0, 1):
        assert found["shift_slope"][index] == pytest.approx(stats.theilslopes(means[2], means[index])[0], abs=1e-12)
        assert found["shift_rank_correlation"][index] == pytest.approx(stats.spearmanr(means[index], means[2]).statistic, abs=1e-12)
        # Lin (1989): with equal means, rho times 2 s1 s2 / (s1^2 + s2^2).
        first, second = means[index].std(), means[2].std()
        lin = stats.pearsonr(means[index], means[2]).statistic * 2 * first * second / (first**2 + second**2)
        assert found["shift_concordance"][index] == pytest.approx(lin, abs=1e-12)


def test_what_does_not_exist_is_nan():
    two = measure(VALUES[:, :, :2], DISTANCE, bands_of(2, HypothesisSettings()))
    for name in ("early_difference", "deep_difference", "attention_rise", "mlp_fall", "mlp_level"):
        assert np.isnan(two[name]).all()
    one_pair = measure(VALUES[..., :1], DISTANCE[:1], BANDS)
    assert np.isnan(one_pair["mean_tau"]).all()
    single_deep = measure(VALUES[:, :, :3], DISTANCE, bands_of(3, HypothesisSettings()))
    assert np.isnan(single_deep["mlp_level"]).all()
    assert np.isfinite(single_deep["mlp_fall"]).all()
    flat = measure(profile([1] * 6, [1] * 6), DISTANCE, BANDS)
    assert np.isnan(flat["shift_slope"]).all()


def test_every_measure_is_there_once_per_estimator():
    found = measure(VALUES, DISTANCE, BANDS)
    assert set(found) == set(MEASURES)
    assert {values.shape for values in found.values()} == {(3,)}


def test_agreeing_layers_by_hand():
    # MLP above attention in layers 1-3, attention above MLP in 4-6.
    found = agreeing(VALUES, DISTANCE, BANDS)
    expected = {"early_difference": (2, 2), "deep_difference": (2, 2), "attention_rise": (2, 2), "mlp_fall": (2, 2)}
    for name, (count, layers) in expected.items():
        assert found[name][0].tolist() == [count] * 3
        assert found[name][1] == layers
    swapped = agreeing(VALUES[:, ::-1], DISTANCE, BANDS)
    for name in expected:
        assert swapped[name][0].tolist() == [0] * 3


def test_one_deviating_layer_is_counted():
    found = agreeing(profile([1, 6, 3, 4, 1, 9], [5, 4, 4, 3, 2, 7]), DISTANCE, BANDS)
    assert found["early_difference"][0].tolist() == [1] * 3
    assert found["deep_difference"][0].tolist() == [1] * 3
    assert found["attention_rise"][0].tolist() == [1] * 3  # early mean 3.5: layer 6 lies above, layer 5 below
    assert found["mlp_fall"][0].tolist() == [1] * 3  # early mean 4.5


def test_both_taus_must_be_negative():
    values = profile([4] * 6, [4] * 6, offsets=[(1, 0, -1), (1, 0, -1)])
    values[:, 1, 2] = values[:, 1, 2, ::-1]
    counts, layers = agreeing(values, DISTANCE, BANDS)["mean_tau"]
    assert (counts.tolist(), layers) == ([5] * 3, 6)


def test_separation_agrees_where_the_sign_is_that_of_the_mean():
    values = profile([4] * 6, [4] * 6, offsets=[(1, 0, -1), (-1, 0, 1)])  # attention minus MLP is -2
    values[:, :, 3] = values[:, ::-1, 3]
    counts, layers = agreeing(values, DISTANCE, BANDS)["tau_difference"]
    assert (counts.tolist(), layers) == ([4] * 3, 5)


def test_same_order_is_counted_against_the_nearest_neighbour_estimate():
    values = VALUES.copy()
    values[0, :, :2] = values[0, ::-1, :2]
    counts, layers = agreeing(values, DISTANCE, BANDS)["shift_slope"]
    assert (counts.tolist(), layers) == ([4, 6, 6], 6)


def test_no_layers_no_agreement():
    empty = Bands(6, *(np.array([], dtype=int),) * 3)
    found = agreeing(VALUES, DISTANCE, empty)
    for name in ("early_difference", "deep_difference", "attention_rise", "mlp_fall", "tau_difference"):
        assert (found[name][0].tolist(), found[name][1]) == ([0] * 3, 0)


def test_what_one_layer_does_to_least_squares():
    own = np.array([[1.0, 2.0, 3.0, 10.0], [1.5, 2.5, 3.5, 4.0]])
    near = own + 0.5
    near[0, 3] = 30.0
    values = np.stack([own, own, near])[..., None]
    found = least_squares_shift(values, 0)
    assert found["most_influential_layer"] == 3
    assert found["least_squares_slope"] == pytest.approx(np.polyfit(own.ravel(), near.ravel(), 1)[0])
    assert found["least_squares_slope_without"] == pytest.approx(1)
    flat = least_squares_shift(np.ones((3, 2, 4, 1)), 0)
    assert set(flat.values()) == {None}
