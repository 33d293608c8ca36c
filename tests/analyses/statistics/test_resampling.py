from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from analyses.statistics.correlation import kendall_tau
from analyses.statistics.relabelling import relabellings
from analyses.statistics.resampling import (
    jackknife,
    jackknife_mean,
    leave_one_out,
    leave_two_out,
    mantel,
    mantel_difference,
    mantel_with_difference,
)


def pairs(occurrences):
    return np.triu_indices(occurrences, 1)


def effects_model(generator, occurrences, shape, shared):
    """a_i + a_j + e_ij with var(a) = shared and var(e) = 1."""
    first, second = pairs(occurrences)
    own = np.sqrt(shared) * generator.normal(size=(*shape, occurrences))
    return own[..., first] + own[..., second] + generator.normal(size=(*shape, len(first)))


def test_leaving_out_takes_every_pair_of_an_occurrence():
    first, second = pairs(4)
    # pairs 01 02 03 12 13 23
    np.testing.assert_array_equal(leave_one_out(first, second, 4)[1], [False, True, True, False, False, True])
    assert leave_one_out(first, second, 4).sum(axis=1).tolist() == [3, 3, 3, 3]
    two = leave_two_out(first, second, 4)
    # Without two of four occurrences the one pair of the other two stays.
    np.testing.assert_array_equal(two, np.eye(6, dtype=bool)[::-1])


def test_jackknife_of_a_mean_is_the_one_sample_t_test():
    # For the mean of T values the jackknife's standard error is s / sqrt(T): Efron & Tibshirani (1993), section 11.2.
    data = np.random.default_rng(0).normal(0.5, 1, (4, 7))
    without = (data.sum(axis=-1, keepdims=True) - data) / 6
    result = jackknife(data.mean(axis=-1), without)
    reference = stats.ttest_1samp(data, 0, axis=-1)
    interval = reference.confidence_interval(0.95)
    np.testing.assert_allclose(result.standard_error, stats.sem(data, axis=-1))
    np.testing.assert_allclose(result.low, interval.low)
    np.testing.assert_allclose(result.high, interval.high)
    np.testing.assert_allclose(result.p, reference.pvalue)
    np.testing.assert_array_equal(result.degrees_of_freedom, 6)


def test_unbiased_jackknife_equals_the_analysis_of_variance_of_pairs():
    # Least squares of MI_ij = m + b_i + b_j + e_ij; var(mean) = 4 var(b) / T + var(e) / N, both variances from their mean squares.
    occurrences = 9
    first, second = pairs(occurrences)
    values = effects_model(np.random.default_rng(1), occurrences, (20,), 0.6)
    design = np.zeros((len(first), occurrences))
    design[np.arange(len(first)), first] = design[np.arange(len(first)), second] = 1
    effects = np.linalg.lstsq(design, values.T, rcond=None)[0].T
    residual = ((values - effects @ design.T) ** 2).sum(axis=-1) / (occurrences * (occurrences - 3) / 2)
    between = effects.var(axis=-1, ddof=1) - residual / (occurrences - 2)
    expected = np.maximum(4 * between / occurrences + residual / len(first), residual / len(first))
    result = jackknife_mean(first, second, occurrences, values)
    np.testing.assert_allclose(result.standard_error**2, expected)
    np.testing.assert_allclose(result.estimate, values.mean(axis=-1))


def test_where_occurrences_add_nothing_the_residual_degrees_are_used():
    occurrences = 7
    first, second = pairs(occurrences)
    residuals = np.random.default_rng(2).normal(size=len(first))
    design = np.zeros((len(first), occurrences))
    design[np.arange(len(first)), first] = design[np.arange(len(first)), second] = 1
    residuals -= design @ np.linalg.lstsq(design, residuals, rcond=None)[0]
    result = jackknife_mean(first, second, occurrences, residuals + 3.0)
    assert result.degrees_of_freedom == 14
    assert result.standard_error**2 == pytest.approx((residuals**2).sum() / 14 / 21)


@pytest.mark.parametrize("shared", [0.2, 1.0, 5.0])
def test_type_one_error_of_a_difference_of_means(shared):
    # 6000 data sets: the standard error of a share of .05 is .0028.
    first, second = pairs(7)
    values = effects_model(np.random.default_rng(3), 7, (6000,), shared)
    rejected = np.mean(jackknife_mean(first, second, 7, values).p < 0.05)
    assert 0.03 <= rejected <= 0.07
    naive = np.mean(stats.ttest_1samp(values, 0, axis=-1).pvalue < 0.05)
    assert naive > 0.15


@pytest.mark.parametrize("occurrences", [2, 3])
def test_three_occurrences_cannot_be_tested(occurrences):
    first, second = pairs(occurrences)
    values = np.arange(len(first), dtype=float)
    result = jackknife_mean(first, second, occurrences, values)
    assert result.estimate == values.mean()
    assert np.isnan([result.standard_error, result.low, result.high, result.p, result.degrees_of_freedom]).all()
    assert np.isnan(jackknife(0.5, np.zeros(occurrences)).low)
    assert np.isnan(mantel(first, second, values + 1, values, seed=0).p)
    difference = mantel_difference(first, second, values + 1, values, -values, seed=0)
    assert np.isnan([difference.p, difference.standard_error]).all()


def relabelled_taus(distance, values, occurrences):
    """Tau under every relabelling of the occurrences, by the definition."""
    first, second = pairs(occurrences)
    square = np.zeros((occurrences, occurrences))
    square[first, second] = square[second, first] = values
    taus = []
    for order in permutations(range(occurrences)):
        order = np.array(order)
        taus.append(stats.kendalltau(distance, square[order[first], order[second]]).statistic)
    return np.array(taus)


@pytest.mark.parametrize("alternative", ["less", "greater", "two-sided"])
@pytest.mark.parametrize("ties", [False, True])
def test_mantel_is_the_share_of_all_relabellings(alternative, ties):
    generator = np.random.default_rng(4)
    first, second = pairs(5)
    positions = np.array([3, 10, 11, 30, 47])
    distance = positions[second] - positions[first]
    values = generator.integers(0, 4, 10).astype(float) if ties else generator.normal(size=10) - 0.05 * distance
    taus = relabelled_taus(distance, values, 5)
    extreme = {"less": taus <= taus[0] + 1e-9, "greater": taus >= taus[0] - 1e-9, "two-sided": np.abs(taus) >= abs(taus[0]) - 1e-9}
    result = mantel(first, second, distance, values, seed=0, alternative=alternative)
    assert result.p == pytest.approx(extreme[alternative].mean())
    assert (result.permutations, result.exact) == (120, True)


def test_mantel_of_a_perfect_order_is_the_smallest_p_there_is():
    # Distances on a line keep their order only under the identity when all are distinct.
    first, second = pairs(5)
    positions = np.array([0, 1, 3, 7, 12])
    distance = positions[second] - positions[first]
    assert mantel(first, second, distance, -distance, seed=0).p == pytest.approx(1 / 120)
    assert mantel(first, second, distance, distance, seed=0).p == 1.0


def test_sampled_mantel_agrees_with_the_exact_one(monkeypatch):
    generator = np.random.default_rng(5)
    first, second = pairs(7)
    distance = np.abs(generator.choice(90, 7, replace=False)[first] - generator.choice(90, 7, replace=False)[second]).astype(float)
    values = generator.normal(size=(6, 21)) - np.linspace(0, 0.03, 6)[:, None] * distance
    exact = mantel(first, second, distance, values, seed=0)
    monkeypatch.setattr("analyses.statistics.relabelling.EXACT_OCCURRENCES", 6)
    sampled = mantel(first, second, distance, values, seed=0, permutations=20000)
    assert (sampled.permutations, sampled.exact) == (20000, False)
    np.testing.assert_allclose(sampled.p, exact.p, atol=5 * np.sqrt(0.25 / 20000))
    np.testing.assert_array_equal(sampled.p, mantel(first, second, distance, values, seed=0, permutations=20000).p)
    assert (sampled.p != mantel(first, second, distance, values, seed=1, permutations=20000).p).any()


def test_sampled_mantel_counts_the_observed_order():
    first, second = pairs(12)
    positions = np.cumsum(np.arange(12))
    distance = positions[second] - positions[first]
    assert mantel(first, second, distance, -distance, seed=0, permutations=99).p == pytest.approx(0.01)


def test_mantel_does_not_depend_on_its_chunks(monkeypatch):
    generator = np.random.default_rng(6)
    first, second = pairs(6)
    distance, values = generator.normal(size=15), generator.normal(size=(2, 3, 15))
    whole = mantel(first, second, distance, values, seed=0)
    monkeypatch.setattr("analyses.statistics.resampling.CHUNK_ELEMENTS", 1000)
    np.testing.assert_array_equal(mantel(first, second, distance, values, seed=0).p, whole.p)
    assert whole.p.shape == (2, 3)


def test_both_sides_and_their_difference_are_the_tests_of_each_alone():
    generator = np.random.default_rng(12)
    first, second = pairs(6)
    distance, values = generator.normal(size=15), generator.normal(size=(2, 4, 15))
    of_first, of_second, difference = mantel_with_difference(first, second, distance, *values, seed=0)
    np.testing.assert_array_equal(of_first.p, mantel(first, second, distance, values[0], seed=0).p)
    np.testing.assert_array_equal(of_second.p, mantel(first, second, distance, values[1], seed=0).p)
    alone = mantel_difference(first, second, distance, *values, seed=0)
    for name in ("difference", "standard_error", "p"):
        np.testing.assert_array_equal(getattr(difference, name), getattr(alone, name))


def test_mantel_takes_pairs_in_any_order():
    generator = np.random.default_rng(7)
    first, second = pairs(6)
    distance, values = generator.normal(size=15), generator.normal(size=15)
    shuffle = generator.permutation(15)
    turned = mantel(second[shuffle], first[shuffle], distance[shuffle], values[shuffle], seed=0)
    assert turned.p == mantel(first, second, distance, values, seed=0).p


def test_mantel_of_rows_without_order_is_nan():
    first, second = pairs(5)
    values = np.array([np.ones(10), np.r_[np.nan, np.arange(9)], np.arange(10)])
    np.testing.assert_array_equal(np.isnan(mantel(first, second, np.arange(10), values, seed=0).p), [True, True, False])
    assert np.isnan(mantel(first, second, np.ones(10), np.arange(10), seed=0).p)


def test_mantel_needs_every_pair():
    with pytest.raises(ValueError, match="every pair"):
        mantel([0, 0, 1], [1, 2, 3], [1, 2, 3], [1, 2, 3], seed=0)


def test_mantel_type_one_error_with_shared_noise():
    generator = np.random.default_rng(8)
    first, second = pairs(6)
    positions = np.array([2, 9, 13, 31, 52, 80])
    values = effects_model(generator, 6, (4000,), 1.0)
    p = mantel(first, second, positions[second] - positions[first], values, seed=0).p
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_difference_is_the_share_of_all_relabellings():
    generator = np.random.default_rng(9)
    first, second = pairs(5)
    positions = np.array([3, 10, 11, 30, 47])
    distance = positions[second] - positions[first]
    one, other = generator.integers(0, 5, 10) - 0.1 * distance, generator.integers(0, 3, 10).astype(float)
    differences = relabelled_taus(distance, one, 5) - relabelled_taus(distance, other, 5)
    result = mantel_difference(first, second, distance, one, other, seed=0)
    assert result.difference == pytest.approx(kendall_tau(distance, one) - kendall_tau(distance, other))
    assert result.p == pytest.approx(np.mean(np.abs(differences) >= abs(differences[0]) - 1e-9))
    assert result.standard_error == pytest.approx(differences.std())


def test_difference_of_the_same_rows_is_never_shown():
    generator = np.random.default_rng(10)
    first, second = pairs(5)
    values = generator.normal(size=(3, 10))
    result = mantel_difference(first, second, np.arange(10), values, values, seed=0)
    np.testing.assert_array_equal(result.p, 1.0)
    np.testing.assert_array_equal(result.difference, 0.0)


def test_difference_type_one_error_with_shared_noise():
    generator = np.random.default_rng(11)
    first, second = pairs(6)
    positions = np.array([2, 9, 13, 31, 52, 80])
    distance = positions[second] - positions[first]
    one, other = effects_model(generator, 6, (2, 4000), 1.0)
    p = mantel_difference(first, second, distance, one, other, seed=0).p
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_how_many_orders_there_are_to_look_at():
    assert [relabellings(count, 500) for count in (1, 3, 4, 5, 8, 9, 30)] == [0, 0, 24, 120, 40_320, 500, 500]
