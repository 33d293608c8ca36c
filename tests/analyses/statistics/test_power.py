import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from analyses.statistics.power import minimal_detectable_difference, t_test_power


@pytest.mark.parametrize("occurrences", [5, 7, 30])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_detectable_difference_equals_statsmodels(occurrences, power):
    # With a standard deviation of 1 the standard error is 1 / sqrt(T), and the difference is the effect size.
    expected = TTestPower().solve_power(nobs=occurrences, alpha=0.05, power=power)
    assert minimal_detectable_difference(1 / np.sqrt(occurrences), occurrences, power=power) == pytest.approx(expected, rel=1e-5)


def test_three_occurrences_cannot_be_tested():
    assert np.isnan(minimal_detectable_difference([1.0, 2.0], 3)).all()


def test_power_at_no_effect_is_the_level():
    assert t_test_power(0.0, 6, 0.05) == pytest.approx(0.05, abs=1e-5)
    assert t_test_power(100.0, 6, 0.05) == pytest.approx(1.0)
