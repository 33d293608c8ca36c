"""Sums of taus under all relabellings: against SciPy's tau of every order written out."""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats

from analyses.statistics import jackknife, relabelled_tau

POSITION = np.array([0, 2, 7, 15, 31])
FIRST, SECOND = np.triu_indices(5, 1)
DISTANCE = POSITION[SECOND] - POSITION[FIRST]


def sums_of_every_order(values, weights):
    """(120, M) sums of SciPy's tau-b, each row by one order of the five occurrences."""
    found = []
    for order in permutations(range(5)):
        moved = POSITION[list(order)]
        distance = np.abs(moved[FIRST] - moved[SECOND])
        found.append(weights @ [scipy.stats.kendalltau(distance, row).statistic for row in values])
    return np.array(found)


@pytest.fixture
def values():
    rows = np.random.default_rng(5).normal(size=(3, 10)) - DISTANCE / 12
    rows[1] = rows[1].round(0)  # ties: its tau has another denominator
    return rows


def test_interval_and_p_are_those_of_every_order(values):
    weights = np.array([[1 / 3, 1 / 3, 1 / 3], [1.0, -0.5, -0.5]])
    found = relabelled_tau(FIRST, SECOND, DISTANCE, values, weights, seed=0, confidence=(0.95, 0.8))
    every = np.abs(sums_of_every_order(values, weights))
    estimate = weights @ [scipy.stats.kendalltau(DISTANCE, row).statistic for row in values]
    np.testing.assert_allclose(found.estimate, estimate, atol=1e-12)
    np.testing.assert_allclose(found.p, (every >= np.abs(estimate) - 1e-9).mean(axis=0))
    ordered = np.sort(every, axis=0)[::-1]
    # Of 120 orders at most 6, and at most 24, may reach a value that is rejected.
    np.testing.assert_allclose(found.half_width, ordered[[6, 24]], atol=2e-9)
    assert (found.permutations, found.exact) == (120, True)
    one = relabelled_tau(FIRST, SECOND, DISTANCE, values, weights, seed=0)
    np.testing.assert_array_equal(one.half_width, found.half_width[0])


def test_groups_are_worked_out_one_by_one(values):
    weights = np.array([[[0.5, 0.5, 0.0]], [[0.0, 0.0, 1.0]]])
    groups = np.stack([values, values[::-1]])
    found = relabelled_tau(FIRST, SECOND, DISTANCE, groups, weights, seed=0)
    assert found.estimate.shape == found.half_width.shape == found.p.shape == (2, 1)
    for index in range(2):
        alone = relabelled_tau(FIRST, SECOND, DISTANCE, groups[index], weights[index], seed=0)
        for name in ("estimate", "half_width", "p"):
            np.testing.assert_allclose(getattr(found, name)[index], getattr(alone, name), rtol=1e-12)
    shared = relabelled_tau(FIRST, SECOND, DISTANCE, groups, weights[0], seed=0)
    np.testing.assert_allclose(shared.estimate[0], found.estimate[0], rtol=1e-12)


@pytest.mark.parametrize("bad", [np.zeros(10), np.full(10, np.nan)], ids=["constant", "not there"])
def test_a_series_without_a_tau_counts_only_where_it_has_a_weight(values, bad):
    rows = np.stack([values[0], bad])
    found = relabelled_tau(FIRST, SECOND, DISTANCE, rows, [[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]], seed=0)
    alone = relabelled_tau(FIRST, SECOND, DISTANCE, values[:1], [[1.0]], seed=0)
    for name in ("estimate", "half_width", "p"):
        np.testing.assert_allclose(getattr(found, name)[0], getattr(alone, name)[0], rtol=1e-12)
        assert np.isnan(getattr(found, name)[1:]).all()


def test_three_occurrences_leave_no_test():
    first, second = np.triu_indices(3, 1)
    found = relabelled_tau(first, second, [1, 3, 2], [[0.1, 0.5, 0.3]], [[1.0]], seed=0)
    assert found.estimate == pytest.approx(1)
    assert np.isnan([found.half_width, found.p]).all()


# The jackknife without its bias, by the formulas of its notes worked out by hand.


def q_of(count, theta, one, two):
    i, j = np.triu_indices(count, 1)
    return count * theta - (count - 1) * (one[i] + one[j]) + (count - 2) * two


def test_degrees_of_freedom_are_satterthwaites():
    """T = 6, chosen so that neither bound applies: J - B of J, with B on the residuals' 9 degrees."""
    theta, one = 0.0, np.array([1.0, -0.8, 0.6, -1.1, 0.9, -0.6])
    i, j = np.triu_indices(6, 1)
    two = (5 / 4) * (one[i] + one[j]) + np.where((i + j) % 2, 0.3, -0.3)  # Q is 4 x +-.3
    q = q_of(6, theta, one, two)
    np.testing.assert_allclose(np.abs(q), 1.2)
    variance = 5 / 6 * ((one - one.mean()) ** 2).sum()
    bias = 6 / 4 * (3 / (36 * 5)) * (15 * 1.44)
    found = jackknife(theta, one, leave_two_out_estimates=two)
    degrees = (variance - bias) ** 2 / (variance**2 / 5 + bias**2 / 9)
    assert degrees > 2.5
    assert found.degrees_of_freedom == pytest.approx(degrees)
    assert found.standard_error == pytest.approx(np.sqrt(variance - bias))


def test_degrees_of_freedom_have_a_floor():
    """With nearly all of the variance due to pairs, (T - 1) / 2."""
    one = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    i, j = np.triu_indices(6, 1)
    variance = 5 / 6 * 6
    size = np.sqrt(0.55 * variance / (6 / 4 * (3 / 180) * 15))  # bias: 55 % of the variance, more is left than S
    two = (5 / 4) * (one[i] + one[j]) + size * np.where((i + j) % 2, 1, -1) / 4
    found = jackknife(0.0, one, leave_two_out_estimates=two)
    assert (0.45 * variance) ** 2 / (variance**2 / 5 + (0.55 * variance) ** 2 / 9) < 2.5
    assert found.degrees_of_freedom == pytest.approx(2.5)
    assert found.standard_error == pytest.approx(np.sqrt(0.45 * variance))
