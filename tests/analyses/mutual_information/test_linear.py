"""Pearson's correlation against SciPy, the Gaussian formula against its table, and what has no correlation."""

import numpy as np
import pytest
import scipy.stats

from analyses.mutual_information.linear import linear_correlation, linear_information

FIRST, SECOND = np.triu_indices(6, 1)


def vectors(seed: int = 0, dimensions: int = 300) -> np.ndarray:
    """Related vectors: one with an outlier, some far from zero, all of a layer or one beside others that are not."""
    generator = np.random.default_rng(seed)
    made = generator.normal(size=(2, 3, 6, dimensions)) + generator.normal(size=(2, 3, 1, dimensions))
    made[0, 0, 1, 7] = 5000.0
    made[0, 1] += 1e7
    made[1, 1, 2] *= 1e-9
    made[1, 2, 4] += 1e6
    return made


@pytest.mark.parametrize("trim", [None, 4.0, 2.0])
def test_correlation_equals_scipy_over_the_kept_dimensions(trim):
    data = vectors()
    found = linear_correlation(data, FIRST, SECOND, trim=trim)
    inlier = np.abs(scipy.stats.zscore(data, axis=-1, ddof=1)) <= (np.inf if trim is None else trim)
    for index in np.ndindex(2, 3):
        for pair, (i, j) in enumerate(zip(FIRST, SECOND, strict=True)):
            keep = inlier[index][i] & inlier[index][j]
            expected = scipy.stats.pearsonr(data[index][i][keep], data[index][j][keep]).statistic
            far = 1e-8 if index == (0, 1) else 1e-9 if 4 in (i, j) and index == (1, 2) else 1e-12
            assert found[index][pair] == pytest.approx(expected, abs=far)


def test_gaussian_information_has_the_published_values():
    # Cover & Thomas (2006), example 8.5.1: -ln(1 - rho^2) / 2.
    np.testing.assert_allclose(
        linear_information([0.3, -0.5, 0.6, 0.8, 0.9]), [0.047155, 0.143841, 0.223144, 0.510826, 0.830366], atol=1e-6
    )
    assert linear_information(1 - 1e-12) == pytest.approx(-np.log(2e-12) / 2, rel=1e-4)


def test_four_standard_deviations_are_kept_unless_said_otherwise():
    data = vectors()[1]
    # Of 101 values that are 0 but one, that one lies 10 standard deviations off; of 21, it lies 4.4.
    data[:, 0, :] = np.resize([0.0] * 20 + [1.0], data.shape[-1])
    np.testing.assert_array_equal(linear_correlation(data, FIRST, SECOND), linear_correlation(data, FIRST, SECOND, trim=4.0))
    assert not np.array_equal(linear_correlation(data, FIRST, SECOND), linear_correlation(data, FIRST, SECOND, trim=5.0), equal_nan=True)


def test_no_correlation_is_larger_than_one():
    generator = np.random.default_rng(9)
    for _ in range(50):
        x = generator.normal(size=8) * 10.0 ** generator.integers(-6, 6)
        line = np.stack([x, x * generator.uniform(0.1, 9), -x + generator.normal()])
        found = linear_correlation(line, [0, 0, 1], [1, 2, 2], trim=None)
        assert (np.abs(found) <= 1).all()
        np.testing.assert_allclose(found, [1, -1, -1], rtol=0, atol=1e-12)


def test_a_straight_line_is_exactly_one_and_its_information_infinite():
    x = np.random.default_rng(1).normal(size=50)
    found = linear_correlation(np.stack([x, 3 * x - 7, -0.1 * x + 1e3]), [0, 0], [1, 2])
    np.testing.assert_array_equal(found, [1.0, -1.0])
    assert np.isinf(linear_information(found)).all()


def test_what_has_no_correlation_is_missing():
    x = np.random.default_rng(2).normal(size=40)
    far = x.copy()
    far[3] = np.nan
    data = np.stack([x, np.full(40, 0.1), far, np.zeros(40)])
    assert np.isnan(linear_correlation(data, [0, 0, 0, 1], [1, 2, 3, 3])).all()
    assert np.isnan(linear_correlation(np.ones((2, 1)), [0], [1])).all()


def test_constant_over_the_dimensions_left_of_a_pair_only():
    generator = np.random.default_rng(3)
    one, other = np.zeros(100), generator.normal(size=100)
    one[4], other[4] = 1.0, 1000.0
    # The dimension in which `one` is not 0 is an outlier of both.
    assert np.isnan(linear_correlation(np.stack([one, other]), [0], [1], trim=4.0))[0]
    assert np.isfinite(linear_correlation(np.stack([one, other]), [0], [1], trim=None))[0]
