"""The data without an effect: their noise has the correlations that its law says."""

import numpy as np

from benchmarks.null_simulation import autocorrelated_pair_values, distances, pair_values, scattered, simulate


def test_autocorrelated_noise_has_the_covariance_of_its_law():
    # MI_ij = a_i + a_j + e_ij with cov(a_i, a_j) = shared x autocorrelation^|position_i - position_j| and var(e) = 1.
    positions = np.tile([3.0, 5.0, 20.0, 60.0], (60_000, 1))
    values = autocorrelated_pair_values(np.random.default_rng(1), positions, 1.5, 0.95)
    first, second = np.triu_indices(4, 1)
    own = 1.5 * 0.95 ** np.abs(positions[0][:, None] - positions[0])
    touch = np.zeros((6, 4))
    touch[np.arange(6), first] = touch[np.arange(6), second] = 1
    expected = touch @ own @ touch.T + np.eye(6)
    for branch in (0, 1):
        np.testing.assert_allclose(np.cov(values[:, branch].T), expected, atol=0.15)
    # The branches know nothing of each other.
    assert np.abs(np.corrcoef(values[:, 0].T, values[:, 1].T)[:6, 6:]).max() < 0.02


def test_without_autocorrelation_it_is_the_plain_law():
    positions = np.tile([1.0, 30.0, 60.0, 90.0], (60_000, 1))
    far = np.cov(autocorrelated_pair_values(np.random.default_rng(2), positions, 2.0, 0.1)[:, 0].T)
    plain = np.cov(pair_values(np.random.default_rng(3), 4, 60_000, 2.0)[:, 0].T)
    np.testing.assert_allclose(far, plain, atol=0.15)


def test_distances_are_those_of_the_positions():
    positions = scattered(np.random.default_rng(0), 5, 3)
    assert (np.diff(positions) > 0).all()
    np.testing.assert_array_equal(distances(positions)[:, 0], positions[:, 1] - positions[:, 0])
    assert distances(positions).shape == (3, 10)


def test_every_kind_of_data_has_a_row():
    rows = simulate(5, 4, 0)
    assert [row["data"] for row in rows] == ["pairs"] * 5 + ["vectors"] + ["autocorrelated"] * 3
    assert [row.get("autocorrelation") for row in rows[-3:]] == [0.9, 0.95, 0.99]
