"""The correlation of two pair matrices against SciPy, and its test against a count of all relabellings."""

import itertools

import numpy as np
import pytest
import scipy.stats

from analyses.occurrences.pairs import pairs_of
from analyses.similarity.structure import agreement

POSITIONS = np.array([3, 8, 20, 29, 51])


def drawn(seed: int = 0, layers: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(layers, 10)), generator.normal(size=(layers, 10))


def test_every_layer_is_spearmans():
    pairs, (first, second) = pairs_of(POSITIONS), drawn()
    found = agreement(first, second, pairs, seed=1)
    expected = [scipy.stats.spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(found.by_layer, expected, atol=1e-9)
    assert float(found.mean) == pytest.approx(np.mean(expected), abs=1e-9)


def test_distance_partialled_out_is_the_partial_rank_correlation():
    pairs, (first, second) = pairs_of(POSITIONS), drawn()
    found = agreement(first, second, pairs, distance=pairs.distance, seed=1)
    a, b, d = (scipy.stats.rankdata(values) for values in (first[0], second[0], pairs.distance))
    ab, ad, bd = (np.corrcoef(*two)[0, 1] for two in ((a, b), (a, d), (b, d)))
    assert float(found.by_layer[0]) == pytest.approx((ab - ad * bd) / np.sqrt((1 - ad**2) * (1 - bd**2)), abs=1e-9)


def test_p_counts_every_relabelling_of_five_occurrences():
    pairs, (first, second) = pairs_of(POSITIONS), drawn(3)
    found = agreement(first, second, pairs, seed=1)
    place = {frozenset(pair): index for index, pair in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))}
    means = []
    for order in itertools.permutations(range(5)):
        given = [place[frozenset((order[i], order[j]))] for i, j in zip(pairs.first, pairs.second, strict=True)]
        means.append(np.mean([scipy.stats.spearmanr(a, b[given]).statistic for a, b in zip(first, second, strict=True)]))
    reached = np.abs(means) >= abs(float(found.mean)) - 1e-9
    assert float(found.p) == pytest.approx(reached.mean())
    assert (found.p <= 0.05) == (found.low > 0 or found.high < 0)


@pytest.mark.slow
@pytest.mark.parametrize("occurrences", [7, 10])
def test_unrelated_structures_are_found_to_agree_no_more_often_than_stated(occurrences):
    """400 data sets without any agreement: at 5 % the share that is rejected lies below 9 % in all but one of a thousand runs."""
    generator = np.random.default_rng(5)
    pairs = pairs_of(np.sort(generator.choice(100, occurrences, replace=False)))
    rejected = 0
    for seed in range(400):
        # Each occurrence brings something of its own to its pairs: pairs are not independent.
        brought = generator.normal(size=(2, 2, occurrences))
        first, second = (each[:, pairs.first] + each[:, pairs.second] + generator.normal(size=(2, len(pairs))) for each in brought)
        found = agreement(first, second, pairs, distance=pairs.distance, relabellings=199, seed=seed)
        rejected += bool(found.low > 0 or found.high < 0)
    assert rejected / 400 < 0.09


def test_three_occurrences_and_constant_values_are_not_testable():
    few = pairs_of(np.array([1, 5, 9]))
    assert np.isnan(agreement(np.ones((1, 3)), np.arange(3.0)[None], few, seed=1).mean)
    assert np.isnan(agreement(np.arange(3.0)[None], np.arange(3.0)[None], few, seed=1).low)
