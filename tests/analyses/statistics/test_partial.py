"""Kendall's partial tau against its formula with SciPy's taus, and its relabelling against every order written out."""

import itertools

import numpy as np
import pytest
import scipy.stats

from analyses.occurrences.pairs import pairs_of
from analyses.statistics import partial_kendall_tau, relabelled_partial_tau, relabelled_tau

POSITION = np.array([2, 9, 15, 28, 31])
PAIRS = pairs_of(POSITION)
EARLIER = POSITION[PAIRS.first]


def by_formula(x: np.ndarray, z: np.ndarray, y: np.ndarray) -> float:
    """Kendall (1942), Biometrika 32, 277-283."""
    xy, xz, yz = (scipy.stats.kendalltau(one, other).statistic for one, other in ((x, y), (x, z), (y, z)))
    return float((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))


def test_partial_tau_is_kendalls_formula() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(3, 2, len(PAIRS)))
    values[1] = values[1].round(0)  # with ties
    found = partial_kendall_tau(PAIRS.distance, EARLIER, values)
    for index in itertools.product(range(3), range(2)):
        assert found[index] == pytest.approx(by_formula(PAIRS.distance, EARLIER, values[index]), abs=1e-12)


def test_partial_tau_of_the_textbook() -> None:
    """With tau_xy = 1 and neither wholly ordered by z, what is given takes nothing away."""
    x, z = np.arange(6.0), np.array([1.0, 3, 2, 5, 4, 0])
    assert partial_kendall_tau(x, z, x) == pytest.approx(1)
    assert partial_kendall_tau(x, z, -x) == pytest.approx(-1)


def test_no_partial_tau_where_a_tau_is_missing_or_nothing_is_left() -> None:
    x = np.arange(6.0)
    assert np.isnan(partial_kendall_tau(x, x, x[::-1]))  # z orders everything
    assert np.isnan(partial_kendall_tau(x, np.ones(6), x))
    assert np.isnan(partial_kendall_tau(x, np.array([1.0, 3, 2, 5, 4, 0]), np.ones(6)))
    assert np.isnan(partial_kendall_tau(x[:1], x[:1], x[:1]))


def test_relabelling_is_that_of_every_order() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(size=(4, len(PAIRS))) - 0.05 * PAIRS.distance
    found = relabelled_partial_tau(PAIRS.first, PAIRS.second, PAIRS.distance, EARLIER, values, seed=0)
    assert found.exact
    assert found.permutations == 120
    assert found.estimate == pytest.approx(np.mean([by_formula(PAIRS.distance, EARLIER, row) for row in values]), abs=1e-12)

    tau = lambda x, y: scipy.stats.kendalltau(x, y).statistic  # noqa: E731
    between = tau(PAIRS.distance, EARLIER)
    rooms = [np.sqrt((1 - between**2) * (1 - tau(EARLIER, row) ** 2)) for row in values]
    spread = []
    for order in itertools.permutations(range(len(POSITION))):
        distance = np.abs(POSITION[list(order)][PAIRS.second] - POSITION[list(order)][PAIRS.first])
        earlier = np.minimum(POSITION[list(order)][PAIRS.second], POSITION[list(order)][PAIRS.first])
        numerators = [(tau(distance, row) - between * tau(earlier, row)) / room for row, room in zip(values, rooms, strict=True)]
        spread.append(abs(np.mean(numerators)))
    assert found.p == pytest.approx(np.mean(np.array(spread) >= abs(found.estimate) - 1e-9), abs=1e-12)
    assert found.half_width == pytest.approx(sorted(spread, reverse=True)[int(0.05 * 120)], abs=1e-8)
    assert (abs(found.estimate) > found.half_width) == (found.p <= 0.05)


def test_nothing_is_tested_with_three_occurrences() -> None:
    pairs = pairs_of(POSITION[:3])
    found = relabelled_partial_tau(pairs.first, pairs.second, pairs.distance, POSITION[pairs.first], np.ones((2, 2, 3)), seed=0)
    assert np.isnan(found.half_width).all()
    assert np.isnan(found.p).all()


def test_position_alone_makes_a_tau_and_no_partial_tau() -> None:
    """Values that depend on nothing but the earlier occurrence: tau of distance is found, partial tau keeps its level."""
    position = np.array([2, 21, 43, 72, 88, 90, 105])
    pairs = pairs_of(position)
    generator = np.random.default_rng(2)
    rejected = {"tau": 0, "partial": 0}
    data_sets = 40
    for _ in range(data_sets):
        noise = generator.normal(size=len(pairs)) * 0.15
        values = 0.5 * np.log(position[pairs.first]) + noise + generator.normal(size=(4, len(pairs))) * 0.1
        options = {"seed": 0}
        tau = relabelled_tau(pairs.first, pairs.second, pairs.distance, values, np.full((1, 4), 0.25), **options)
        partial = relabelled_partial_tau(pairs.first, pairs.second, pairs.distance, position[pairs.first], values, **options)
        rejected["tau"] += bool(tau.p[0] <= 0.05)
        rejected["partial"] += bool(partial.p <= 0.05)
    assert rejected["tau"] >= 0.9 * data_sets
    assert rejected["partial"] <= 0.125 * data_sets  # the upper end of a 99 % interval of .05 in 40
