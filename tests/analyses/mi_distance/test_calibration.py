"""The estimators on Gaussian pairs, against the biases that are known of them."""

import numpy as np
import pytest

from analyses.mi_distance.calibration import (
    CALIBRATED,
    CORRELATIONS,
    REPETITIONS,
    calibration_variables,
    gaussian_mutual_information,
)


@pytest.fixture(scope="module")
def found(small_settings):
    variables = calibration_variables(1600, small_settings, lambda count: None)
    return {name: values for name, (_, values, _) in variables.items()}


@pytest.mark.parametrize(
    ("correlation", "truth"), [(0.0, 0.0), (0.3, 0.047155), (0.5, 0.143841), (0.6, 0.223144), (0.8, 0.510826), (0.9, 0.830366)]
)
def test_true_mutual_information_of_a_gaussian_pair(correlation, truth):
    assert gaussian_mutual_information(np.array(correlation)) == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize(
    ("correlation", "estimator", "mean"),
    [
        # Plug-in, corrected and nearest-neighbour means over many pairs, 15 bins, D = 1600.
        (0.0, "histogram", 0.055),
        (0.0, "corrected", 0.001),
        (0.0, "nearest_neighbour", 0.001),
        (0.6, "histogram", 0.256),
        (0.6, "corrected", 0.201),
        (0.6, "nearest_neighbour", 0.223),
        (0.9, "histogram", 0.788),
        (0.9, "corrected", 0.733),
        (0.9, "nearest_neighbour", 0.838),
    ],
)
def test_means_have_the_known_bias(found, correlation, estimator, mean):
    row, column = CALIBRATED.index(estimator), CORRELATIONS.index(correlation)
    error = found["calibration_spread"][row, column] / np.sqrt(REPETITIONS)
    assert found["calibration_mean"][row, column] == pytest.approx(mean, abs=4 * error + 0.003)


def test_copula_is_unbiased_but_for_half_a_dimension(found):
    # Its own bias is about 1 / (2 D) (Ince et al. 2017, section 2.4).
    row = CALIBRATED.index("gaussian_copula")
    assert found["calibration_mean"][row, 0] == pytest.approx(1 / 3200, abs=2e-4)


def test_linear_information_is_unbiased_but_for_half_a_dimension(found):
    # -ln(1 - r^2) / 2 of n values has the mean truth + 1 / (2 n) to first order: 2 n times it is a likelihood ratio of one degree.
    # |z| > 4 is dropped, which takes the outermost of strongly correlated pairs: small correlations only.
    for correlation in (0.0, 0.1, 0.2, 0.3):
        column = CORRELATIONS.index(correlation)
        truth = gaussian_mutual_information(np.array(correlation))
        error = np.sqrt(2 * truth / 1600 + 1 / (2 * 1600**2)) / np.sqrt(REPETITIONS)
        assert found["calibration_linear"][column] == pytest.approx(truth + 1 / 3200, abs=4 * error + 1e-3)


def test_same_seed_same_figures_and_another_seed_others(small_settings):
    first, again = (calibration_variables(64, small_settings, lambda count: None)["calibration_mean"][1] for _ in range(2))
    other = calibration_variables(64, small_settings.model_copy(update={"seed": 21}), lambda count: None)["calibration_mean"][1]
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()
