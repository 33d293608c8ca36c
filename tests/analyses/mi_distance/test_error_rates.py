"""Variance components against least squares, and the error rates of tests on data without an effect."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from analyses.mi_distance.error_rates import (
    TESTS,
    error_rate_variables,
    error_rates,
    occurrence_variance,
    wilson_interval,
)
from analyses.occurrences.pairs import pairs_of

POSITIONS = np.array([3, 11, 20, 34, 52, 61, 90])
SOUND = ("jackknife", "mantel", "mantel_difference")


def simulated(ratio, positions=POSITIONS, simulations=2000, seed=0):
    return error_rates(pairs_of(positions), ratio, simulations=simulations, alpha=0.05, seed=seed, advance=lambda count: None)


@pytest.fixture(scope="module")
def shared():
    return simulated(0.5)


def test_variance_of_purely_additive_values_is_that_of_the_occurrences():
    pairs = pairs_of(POSITIONS)
    own = np.random.default_rng(0).normal(size=(5, 7))
    variance, residual = occurrence_variance(2 + own[:, pairs.first] + own[:, pairs.second], pairs)
    np.testing.assert_allclose(variance, own.var(axis=-1, ddof=1))
    np.testing.assert_allclose(residual, 0, atol=1e-12)


def test_residual_variance_is_that_of_least_squares():
    pairs = pairs_of(POSITIONS)
    values = np.random.default_rng(1).normal(size=len(pairs))
    design = np.zeros((len(pairs), 7))
    for row, (i, j) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        design[row, [i, j]] = 1
    # The seven columns span the constant too: N - T = T (T - 3) / 2 degrees of freedom are left.
    residual = np.linalg.lstsq(design, values)[1][0] / (len(pairs) - 7)
    assert occurrence_variance(values, pairs)[1] == pytest.approx(residual)


def test_variances_are_unbiased():
    pairs = pairs_of(POSITIONS)
    generator = np.random.default_rng(2)
    own = np.sqrt(3) * generator.normal(size=(20_000, 7))
    values = own[:, pairs.first] + own[:, pairs.second] + np.sqrt(2) * generator.normal(size=(20_000, len(pairs)))
    variance, residual = occurrence_variance(values, pairs)
    assert variance.mean() == pytest.approx(3, rel=0.03)
    assert residual.mean() == pytest.approx(2, rel=0.03)


def test_sound_tests_keep_their_level_where_occurrences_are_shared(shared):
    assert all(0.03 <= shared.rate[name] <= 0.07 for name in SOUND)


def test_tests_on_pairs_do_not(shared):
    assert shared.rate["independent_t"] > 0.2
    assert shared.rate["paired_t"] > 0.2
    assert shared.rate["fisher_z_course"] < 0.02


def test_tests_on_pairs_keep_their_level_only_where_nothing_is_shared():
    apart = simulated(0.0)
    assert 0.03 <= apart.rate["independent_t"] <= 0.07
    assert 0.03 <= apart.rate["paired_t"] <= 0.07


def test_same_seed_same_rates(shared):
    assert simulated(0.5) == shared
    assert simulated(0.5, seed=1) != shared


def test_many_occurrences_leave_the_tests_on_tau_out():
    few = simulated(0.5, positions=np.arange(1, 400, 5), simulations=100)
    assert few.data_sets["independent_t"] == 100
    assert few.data_sets["mantel"] == few.data_sets["fisher_z_course"] == 0
    assert np.isnan(few.rate["mantel"])


def test_the_share_of_the_data_is_the_one_simulated():
    pairs = pairs_of(POSITIONS)
    generator = np.random.default_rng(3)
    own = generator.normal(size=(3, 2, 400, 7))
    values = own[..., pairs.first] + own[..., pairs.second] + np.sqrt(2) * generator.normal(size=(3, 2, 400, len(pairs)))
    found = error_rate_variables(values, pairs, simulations=100, alpha=0.05, seed=0, advance=lambda count: None)
    share = found["occurrence_variance_share"][1]
    # Occurrences carry 2 var(a) / (2 var(a) + var(e)) = one half.
    assert float(found["simulated_variance_share"][1]) == np.median(share[0]) == pytest.approx(0.5, abs=0.05)
    assert found["simulated_test"][1].tolist() == list(TESTS)


def test_three_occurrences_leave_nothing_to_simulate():
    pairs = pairs_of(POSITIONS[:3])
    assert error_rate_variables(np.zeros((3, 2, 4, 3)), pairs, simulations=100, alpha=0.05, seed=0, advance=lambda count: None) == {}


def test_constant_values_leave_nothing_to_simulate():
    pairs = pairs_of(POSITIONS)
    assert error_rate_variables(np.zeros((3, 2, 4, 21)), pairs, simulations=100, alpha=0.05, seed=0, advance=lambda count: None) == {}


def test_values_without_own_noise_of_pairs_are_simulated_as_nearly_so():
    pairs = pairs_of(POSITIONS)
    own = np.random.default_rng(4).normal(size=(3, 2, 4, 7))
    values = own[..., pairs.first] + own[..., pairs.second]
    found = error_rate_variables(values, pairs, simulations=100, alpha=0.05, seed=0, advance=lambda count: None)
    assert float(found["simulated_variance_share"][1]) == pytest.approx(1)
    assert np.isfinite(found["type_one_error"][1]).all()


@pytest.mark.parametrize(("hits", "count"), [(0, 100), (31, 100), (100, 2000), (100, 100)])
def test_wilson_interval_is_that_of_statsmodels(hits, count):
    low, high = wilson_interval(np.array([hits / count]), np.array([count]))
    np.testing.assert_allclose([low[0], high[0]], proportion_confint(hits, count, method="wilson"), atol=1e-12)
