"""Kendall's numerators, compiled and not, against SciPy's tau and against all pairs of values written out."""

import numpy as np
import pytest
from scipy import stats

from analyses.acceleration import SWITCH, kernels
from analyses.statistics import kendall_tau, kendall_tau_without, leave_one_out, relabelled_tau
from analyses.statistics import numerators as counting
from analyses.statistics.numerators import numerators, sort_rows, under_relabelling, under_relabelling_of_sums
from analyses.statistics.relabelling import Relabelling


@pytest.fixture(params=["numba", "numpy"], autouse=True)
def path(request, monkeypatch):
    """Every test runs with the compiled kernels, however little there is to do, and without."""
    monkeypatch.setattr(counting, "FEW", 0)
    take(monkeypatch, "counting")
    if request.param == "numpy":
        monkeypatch.setenv(SWITCH, "0")
    elif kernels("statistics") is None:
        pytest.skip("numba is not installed")


def take(monkeypatch, way):
    """Have the numerators under relabelling worked out in one way, whatever is the quickest."""
    for name, cost in (("multiplying", "_multiplying"), ("comparing", "_comparing"), ("counting", "_counting")):
        monkeypatch.setattr(counting, cost, lambda *_, chosen=way == name: 0.0 if chosen else 1e300)


def scipys(distance, values):
    return np.array([stats.kendalltau(distance, row).statistic for row in values])


def written_out(distance, row):
    first, second = np.triu_indices(len(row), 1)
    return int((np.sign(distance[first] - distance[second]) * np.sign(row[first] - row[second])).sum())


# 63 to 65 values end one word of 64 bits or begin the next, 1,100 need more words than are counted at once.
@pytest.mark.parametrize("count", [2, 3, 21, 63, 64, 65, 496, 1100])
@pytest.mark.parametrize("distances", ["all different", "ties"])
def test_tau_is_scipys(count, distances):
    generator = np.random.default_rng(count)
    distance = generator.permutation(count) if distances == "all different" else generator.integers(0, max(count // 3, 2), count)
    distance[:2] = 0, 1
    values = generator.normal(size=(4, count))
    values[1] = np.arange(count)
    values[2:] = generator.integers(0, [[max(count // 2, 2)], [2]], (2, count))
    values[2:, :2] = 0, 1
    np.testing.assert_allclose(kendall_tau(distance, values), scipys(distance, values), rtol=0, atol=1e-12)


def test_without_some_values_tau_is_scipys_of_the_rest():
    generator = np.random.default_rng(1)
    first, second = np.triu_indices(14, 1)
    distance = generator.integers(0, 40, len(first))
    values = generator.normal(size=(2, 3, len(first)))
    values[1] = generator.integers(0, 9, (3, len(first)))
    values[0, 1, :3] = np.inf, -np.inf, np.inf
    kept = leave_one_out(first, second, 14)
    found = kendall_tau_without(distance, values, kept)
    assert found.shape == (2, 3, 14)
    for left_out, stay in enumerate(kept):
        expected = scipys(distance[stay], values[..., stay].reshape(6, -1)).reshape(2, 3)
        np.testing.assert_allclose(found[..., left_out], expected, rtol=0, atol=1e-12)


def test_what_is_left_out_takes_its_rounding_along():
    """Two values 1e-6 apart are tied beside 1e9, and are not without it."""
    values = np.array([[1.0, 1.000001, 1e9, 2.0], [5.0, 5.0, 1.0, 5.0]])
    found = kendall_tau_without(np.arange(4.0), values, ~np.eye(4, dtype=bool))
    np.testing.assert_allclose(found[0, [2, 3]], [1.0, stats.kendalltau([0, 1, 2], [1, 1, 2]).statistic], atol=1e-12)
    assert np.isnan(found[1]).tolist() == [False, False, True, False]


def test_a_row_is_whole_again_without_its_missing_value():
    found = kendall_tau_without(np.arange(4.0), [1.0, 2.0, np.nan, 0.0], ~np.eye(4, dtype=bool))
    assert found[2] == pytest.approx(stats.kendalltau([0, 1, 3], [1, 2, 0]).statistic, abs=1e-12)
    assert np.isnan(found[[0, 1, 3]]).all()


@pytest.mark.parametrize("way", ["multiplying", "comparing", "counting"])
@pytest.mark.parametrize("ties", [False, True])
def test_relabelling_hands_the_distances_round(ties, way, monkeypatch):
    take(monkeypatch, way)
    generator = np.random.default_rng(2)
    first, second = np.triu_indices(9, 1)
    distance = np.abs(np.subtract(*np.cumsum(generator.integers(1, 4, 9))[np.stack([first, second])]))
    values = generator.normal(size=(3, len(first)))
    if ties:
        values[:2] = generator.integers(0, 6, (2, len(first)))
    relabelling = Relabelling(first, second, 150, seed=3)
    rows, side = sort_rows(values), sort_rows(distance[None])
    found = under_relabelling(side, rows, relabelling)
    handed = distance[relabelling.pairs(slice(None))]
    assert found.tolist() == [[written_out(row_of, row) for row in values] for row_of in handed]
    assert numerators(side, rows).tolist() == [written_out(distance, row) for row in values]


@pytest.mark.parametrize("occurrences", [10, 24])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("way", ["multiplying", "comparing", "counting"])
def test_sums_over_rows_are_sums_of_numerators(way, ties, occurrences, monkeypatch):
    monkeypatch.setattr(counting, "_PAIRS", 50)
    # Of 276 values in 8 words a block of planes holds 64 values, a batch three planes or those of a single class.
    monkeypatch.setattr(counting, "_PLANE_WORDS", 3 * 64 * 8)
    monkeypatch.setattr(counting, "_SIDE_WORDS", 7 * 2 * 64 * 8)
    monkeypatch.setattr(counting, "_FEWEST_RELABELLINGS", 7)
    generator = np.random.default_rng(4)
    first, second = np.triu_indices(occurrences, 1)
    distance, values = generator.integers(0, 20, len(first)), generator.normal(size=(2, 6, len(first)))
    if ties:
        values[:, ::2] = np.round(2 * values[:, ::2])
    # The first set's rows fall into three classes, one of which is left out; the second's all have weights of their own.
    weights = [np.array([[0.5, 0.5, 0.5, 0, 0, 0.25], [1.0, 1.0, 1.0, 0, 0, -1.0]]), generator.normal(size=(2, 6))]
    relabelling, side = Relabelling(first, second, 120, seed=5), sort_rows(distance[None])
    groups = [sort_rows(each) for each in values]
    expected = [under_relabelling(side, rows, relabelling) @ of_group.T for rows, of_group in zip(groups, weights, strict=True)]
    take(monkeypatch, way)
    for sums, alone in zip(under_relabelling_of_sums(side, groups, weights, relabelling), expected, strict=True):
        np.testing.assert_allclose(sums, alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize("way", ["multiplying", "comparing", "counting"])
def test_progress_of_sums_comes_to_all_relabellings(way, monkeypatch):
    take(monkeypatch, way)
    first, second = np.triu_indices(9, 1)
    values = np.random.default_rng(6).normal(size=(2, 5, len(first)))
    relabelling, side = Relabelling(first, second, 300, seed=5), sort_rows(np.arange(36.0)[None])
    done = []
    under_relabelling_of_sums(side, [sort_rows(each) for each in values], [np.ones((1, 5))] * 2, relabelling, done.append)
    assert sum(done) == 300


def test_a_set_of_rows_without_weights_has_sums_of_zero():
    first, second = np.triu_indices(5, 1)
    relabelling, side = Relabelling(first, second, 99, seed=0), sort_rows(np.arange(10.0)[None])
    (found,) = under_relabelling_of_sums(side, [sort_rows(np.ones((3, 10)))], [np.zeros((2, 3))], relabelling)
    np.testing.assert_array_equal(found, np.zeros((120, 2)))


def test_missing_distances_have_no_tau_and_no_test():
    first, second = np.triu_indices(5, 1)
    distance = np.r_[np.nan, np.arange(9)]
    assert np.isnan(kendall_tau(distance, np.arange(10.0)))
    found = relabelled_tau(first, second, distance, [np.arange(10.0)], [[1.0]], seed=0)
    assert np.isnan([found.estimate, found.half_width, found.p]).all()
