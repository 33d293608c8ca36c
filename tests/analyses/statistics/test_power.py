import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from analyses.statistics.power import minimal_detectable_difference, occurrences_needed, t_test_power


@pytest.mark.parametrize("occurrences", [5, 7, 30])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_detectable_difference_equals_statsmodels(occurrences, power):
    # With a standard deviation of 1 the standard error is 1 / sqrt(T), and the difference is the effect size.
    expected = TTestPower().solve_power(nobs=occurrences, alpha=0.05, power=power)
    assert minimal_detectable_difference(1 / np.sqrt(occurrences), occurrences, power=power) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("effect", [0.3, 0.5, 1.0])
def test_occurrences_needed_equal_statsmodels(effect):
    expected = np.ceil(TTestPower().solve_power(effect_size=effect, alpha=0.05, power=0.8))
    assert occurrences_needed(effect, 1 / np.sqrt(7), 7) == expected


def test_no_difference_needs_infinitely_many_and_a_sure_one_the_fewest():
    np.testing.assert_array_equal(occurrences_needed([0.0, 1e-6, 50.0, np.nan], [1.0, 1.0, 1.0, 1.0], 7), [np.inf, np.inf, 4, np.nan])
    np.testing.assert_array_equal(occurrences_needed([-0.5, 0.5], 0.0, 7), [4, 4])
    np.testing.assert_array_equal(occurrences_needed([-0.9, 0.9], 0.3, 7), occurrences_needed(0.9, 0.3, 7))


def test_three_occurrences_cannot_be_tested():
    assert np.isnan(minimal_detectable_difference([1.0, 2.0], 3)).all()
    assert np.isnan(occurrences_needed([1.0, 2.0], 1.0, 3)).all()


def test_power_at_no_effect_is_the_level():
    assert t_test_power(0.0, 6, 0.05) == pytest.approx(0.05, abs=1e-5)
    assert t_test_power(100.0, 6, 0.05) == pytest.approx(1.0)
