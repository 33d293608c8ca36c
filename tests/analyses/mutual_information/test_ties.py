"""Repeated values: the nearest-neighbour estimate against the mutual information that the distribution is known to have."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from analyses.acceleration import kernels
from analyses.mutual_information import mutual_information, pairwise_mutual_information, share_of_ties
from analyses.mutual_information.ties import break_ties

COUNT, REPEATS = 576, 24


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def path(request, monkeypatch):
    """Every test runs with the compiled kernels and without."""
    if request.param == "numpy":
        monkeypatch.setenv("REPORTGEN_NUMBA", "0")
    else:
        monkeypatch.delenv("REPORTGEN_NUMBA", raising=False)
        if kernels("mutual_information") is None:
            pytest.skip("numba is not installed")
    return request.param


def normal_pairs(rho: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(REPEATS, COUNT))
    return x, rho * x + np.sqrt(1 - rho**2) * generator.normal(size=(REPEATS, COUNT))


def of_cells(edges: np.ndarray, rho: float) -> float:
    """Mutual information in nats of a standard normal pair of which only the cell between two edges is known, by integration."""
    bounds = np.concatenate([[-9.0], edges, [9.0]])
    cells = np.empty((len(bounds) - 1,) * 2)
    for index, (low, high) in enumerate(itertools.pairwise(bounds)):
        x = np.linspace(low, high, 2 * max(int((high - low) * 100), 10) + 1)
        below = stats.norm.cdf((bounds[None, :] - rho * x[:, None]) / np.sqrt(1 - rho**2))
        cells[index] = integrate.simpson(stats.norm.pdf(x)[:, None] * np.diff(below, axis=1), x=x, axis=0)
    cells /= cells.sum()
    product = cells.sum(axis=1, keepdims=True) * cells.sum(axis=0, keepdims=True)
    present = cells > 0
    return float((cells[present] * np.log(cells[present] / product[present])).sum())


def of_normal(rho: float) -> float:
    return float(-np.log(1 - rho**2) / 2)


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def levels(count: int):
    return lambda values: np.clip(np.floor((values + 4) * count / 8), 0, count - 1)


ROUNDED = {
    "one decimal": (lambda values: np.round(values, 1), np.arange(-5.05, 5.1, 0.1)),
    "two decimals": (lambda values: np.round(values, 2), None),
    "3 levels": (levels(3), np.linspace(-4, 4, 4)[1:-1]),
    "15 levels": (levels(15), np.linspace(-4, 4, 16)[1:-1]),
    "255 levels": (levels(255), np.linspace(-4, 4, 256)[1:-1]),
    "bfloat16": (to_bfloat16, None),
    "float16": (lambda values: values.astype(np.float16), None),
    "float32 far from the origin": (lambda values: (values + 1e6).astype(np.float32), np.arange(-5 - 1 / 32, 5, 1 / 16)),
    "levels that differ in the last digit": (
        lambda values: np.round(values, 1) * np.where(np.arange(COUNT) % 2, 1.0, 1 + 2e-16),
        np.arange(-5.05, 5.1, 0.1),
    ),
}


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
@pytest.mark.parametrize("kind", ROUNDED)
def test_rounded_values_have_the_mutual_information_of_their_cells(kind, rho):
    rounding, edges = ROUNDED[kind]
    x, y = normal_pairs(rho)
    truth = of_normal(rho) if edges is None else of_cells(edges, rho) if rho else 0.0
    values = mutual_information(rounding(x), rounding(y), "nearest_neighbour", trim=None)
    # Four standard errors, and a bias of the estimator that is at most as large for continuous values at this count.
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(REPEATS) + 0.03)


@pytest.mark.parametrize("rho", [0.0, 0.6])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_exact_zeros_in_places_of_their_own(share, rho):
    # Only where neither is zero is there anything to know: (1 - share)^2 of the normal pair's information.
    x, y = normal_pairs(rho, seed=2)
    generator = np.random.default_rng(3)
    x, y = x * (generator.random(x.shape) >= share), y * (generator.random(y.shape) >= share)
    values = mutual_information(x, y, "nearest_neighbour", trim=None)
    assert values.mean() == pytest.approx((1 - share) ** 2 * of_normal(rho), abs=4 * values.std() / np.sqrt(REPEATS) + 0.03)


def test_rectified_independent_values():
    x, y = normal_pairs(0.0, seed=4)
    values = mutual_information(np.maximum(x, 0), np.maximum(y, 0), "nearest_neighbour", trim=None)
    assert values.mean() == pytest.approx(0.0, abs=0.02)


def test_vectors_without_ties_keep_their_bits_and_tied_ones_all_values_that_stand_alone():
    vectors = np.random.default_rng(5).normal(size=(3, 200))
    assert break_ties(vectors)[0] is vectors
    vectors[1, 50] = vectors[1, 60]
    untied, order = break_ties(vectors)
    changed = np.argwhere(untied != vectors)
    assert changed.tolist() == [[1, 50], [1, 60]]
    assert np.abs(untied - vectors).max() < 1e-8
    np.testing.assert_array_equal(order, np.argsort(untied, axis=-1))


def test_the_noise_of_two_vectors_is_independent_and_that_of_one_always_the_same():
    zeros = np.zeros((2, 400))
    zeros[0, :10], zeros[1, 5:15] = np.arange(1.0, 11), np.arange(1.0, 11)
    noise = break_ties(zeros)[0] - zeros
    assert abs(np.corrcoef(noise[:, 20:])[0, 1]) < 0.2
    np.testing.assert_array_equal(break_ties(zeros[::-1])[0][::-1] - zeros, noise)
    # Alone, in another order and beside others a pair has the same estimate.
    vectors = np.round(np.random.default_rng(6).normal(size=(6, 300)), 1)
    first, second = np.triu_indices(6, 1)
    together = pairwise_mutual_information(vectors, first, second, ["nearest_neighbour"])["nearest_neighbour"]
    alone = [float(mutual_information(vectors[j], vectors[i], "nearest_neighbour")) for i, j in zip(first, second, strict=True)]
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-12)


def test_constant_but_for_outliers_that_are_trimmed_tells_nothing():
    x = np.zeros(300)
    x[7] = 1e3
    y = np.random.default_rng(7).normal(size=300)
    assert mutual_information(x, y, "nearest_neighbour") == 0.0
    assert mutual_information(y, x, "nearest_neighbour") == 0.0


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1.0, 1e10, 1e30])
@pytest.mark.parametrize("estimator", ["histogram", "corrected", "nearest_neighbour", "gaussian_copula"])
@pytest.mark.parametrize("tied", [False, True])
def test_any_unit_gives_the_same(scale, estimator, tied):
    x, y = normal_pairs(0.6, seed=8)
    if tied:
        x, y = np.round(x, 1), np.round(y, 1)
    # A power of two, so that the unit itself rounds nothing.
    unit = 2.0 ** np.round(np.log2(scale))
    same, other = mutual_information(x, y, estimator), mutual_information(x * unit, y / unit, estimator)
    np.testing.assert_allclose(other, same, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("estimator", ["histogram", "corrected", "nearest_neighbour", "gaussian_copula"])
def test_a_narrow_type_gives_the_estimate_of_its_values(kind, estimator):
    x, y = (side.astype(kind) for side in normal_pairs(0.6, seed=9))
    np.testing.assert_array_equal(mutual_information(x, y, estimator), mutual_information(x.astype(float), y.astype(float), estimator))


def test_both_paths_give_the_same_with_ties(path, monkeypatch):
    if path == "numpy":
        pytest.skip("compared from the compiled side")
    generator = np.random.default_rng(10)
    kinds = [
        np.round(generator.normal(size=(3, 400)), 1),
        generator.integers(0, 4, (3, 400)),
        np.maximum(generator.normal(size=(3, 400)), 0),
    ]
    kinds += [generator.normal(size=(2, 400)) * (generator.random((2, 400)) > 0.9), generator.normal(size=(2, 400)), np.zeros((1, 400))]
    vectors = np.concatenate(kinds)
    first, second = np.triu_indices(len(vectors), 1)
    compiled = pairwise_mutual_information(vectors, first, second, ["nearest_neighbour"])["nearest_neighbour"]
    monkeypatch.setenv("REPORTGEN_NUMBA", "0")
    plain = pairwise_mutual_information(vectors, first, second, ["nearest_neighbour"])["nearest_neighbour"]
    np.testing.assert_allclose(compiled, plain, rtol=0, atol=1e-12)


def test_share_of_ties():
    vectors = np.array([[1.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 1.0, 2.0]])
    assert share_of_ties(vectors).tolist() == [0.5, 1.0, 0.0, 1.0]
    assert share_of_ties(vectors.reshape(2, 2, 4)).shape == (2, 2)
    assert share_of_ties(np.empty((3, 0))).tolist() == [0.0, 0.0, 0.0]
