import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from analyses.statistics.comparison import independent_t_test, noncentrality_interval


@pytest.fixture
def samples():
    generator = np.random.default_rng(0)
    return generator.normal(0.4, 1.0, (3, 4, 21)), generator.normal(0.0, 2.0, (3, 4, 21))


def test_equals_scipy_and_statsmodels(samples):
    first, second = samples
    result = independent_t_test(first, second)
    student, welch = stats.ttest_ind(first, second, axis=-1), stats.ttest_ind(first, second, axis=-1, equal_var=False)
    np.testing.assert_allclose(result.statistic, student.statistic)
    np.testing.assert_allclose(result.p, student.pvalue)
    np.testing.assert_allclose(result.welch_statistic, welch.statistic)
    np.testing.assert_allclose(result.welch_p, welch.pvalue)
    np.testing.assert_array_equal(result.degrees_of_freedom, 40)
    assert result.p.shape == (3, 4)
    means = CompareMeans(DescrStatsW(first[1, 2]), DescrStatsW(second[1, 2]))
    assert result.welch_degrees_of_freedom[1, 2] == pytest.approx(means.dof_satt())


def test_students_sleep_data():
    # Student (1908); R: t.test(extra ~ group, sleep, var.equal = TRUE) and its Welch default.
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    result = independent_t_test(first, second)
    assert result.statistic == pytest.approx(-1.8608, abs=5e-5)
    assert result.p == pytest.approx(0.07919, abs=5e-6)
    assert result.welch_p == pytest.approx(0.07939, abs=5e-6)
    assert result.welch_degrees_of_freedom == pytest.approx(17.776, abs=5e-4)
    assert result.cohens_d == pytest.approx(-1.8608 / np.sqrt(5), abs=5e-5)
    # Steiger & Fouladi (1997): the noncentrality at an end of the interval is d there, divided by sqrt(1/10 + 1/10).
    for end, tail in ((result.cohens_d_low, 0.975), (result.cohens_d_high, 0.025)):
        assert stats.nct.cdf(result.statistic, 18, end * np.sqrt(5)) == pytest.approx(tail, abs=1e-9)


def test_cohens_d_keeps_its_direction(samples):
    there, back = independent_t_test(*samples), independent_t_test(*samples[::-1])
    np.testing.assert_allclose(there.cohens_d, -back.cohens_d)
    np.testing.assert_allclose(there.cohens_d_low, -back.cohens_d_high)


@pytest.mark.parametrize("degrees", [4.0, 40.0, 800.0])
def test_interval_inverts_the_noncentral_t(degrees):
    t = np.array([-8.0, -2.0, -0.3, 0.0, 0.3, 2.0, 8.0])
    low, high = noncentrality_interval(t, degrees)
    np.testing.assert_allclose(stats.nct.cdf(t, degrees, low), 0.975, atol=1e-11)
    np.testing.assert_allclose(stats.nct.cdf(t, degrees, high), 0.025, atol=1e-11)


def test_interval_of_d_covers_the_true_effect():
    generator = np.random.default_rng(1)
    result = independent_t_test(generator.normal(0.8, 1, (4000, 12)), generator.normal(0, 1, (4000, 12)))
    covered = np.mean((result.cohens_d_low <= 0.8) & (result.cohens_d_high >= 0.8))
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 4000))


def test_what_cannot_be_tested_is_nan():
    assert np.isnan(independent_t_test([1.0], [1.0, 2.0]).p)
    constant = independent_t_test(np.ones(5), np.zeros(5))
    assert np.isnan([constant.statistic, constant.p, constant.welch_p, constant.cohens_d, constant.cohens_d_low]).all()
