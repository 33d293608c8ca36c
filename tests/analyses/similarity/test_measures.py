"""Every number equals what NumPy and SciPy compute from the same vectors."""

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from analyses.similarity.measures import centres, cosine, of_other_words, pearson
from analyses.similarity.names import CENTRED, COSINE, MEASURES, PEARSON

SAME = {"rtol": 0, "atol": 1e-9}


def test_cosine_is_scipys():
    vectors = np.random.default_rng(1).normal(size=(5, 40))
    first, second = np.triu_indices(5, 1)
    expected = [1 - scipy.spatial.distance.cosine(vectors[i], vectors[j]) for i, j in zip(first, second, strict=True)]
    np.testing.assert_allclose(cosine(vectors, first, second), expected, **SAME)


def test_pearson_is_numpys():
    vectors = np.random.default_rng(2).normal(3, 1, size=(5, 40))
    first, second = np.triu_indices(5, 1)
    np.testing.assert_allclose(pearson(vectors, first, second), np.corrcoef(vectors)[first, second], **SAME)


def test_a_zero_vector_has_no_cosine():
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    assert np.isnan(cosine(vectors, np.array([0]), np.array([1]))).all()
    assert cosine(vectors, np.array([1]), np.array([2])) == pytest.approx(0)


def test_results_hold_the_three_measures(make_input, results_of):
    vectors, results = make_input(common=1.0), results_of(common=1.0)
    activation, others = vectors.activation.astype(np.float64), vectors.control_activation.astype(np.float64)
    similarity = results.dataset["similarity"].values
    first, second = (results.dataset[f"{name}_occurrence"].values for name in ("first", "second"))
    for branch, layer in np.ndindex(activation.shape[:2]):
        here = activation[branch, layer]
        centred = here - others[branch, layer].mean(axis=0)
        for pair, (i, j) in enumerate(zip(first, second, strict=True)):
            expected = {
                COSINE: 1 - scipy.spatial.distance.cosine(here[i], here[j]),
                PEARSON: scipy.stats.pearsonr(here[i], here[j]).statistic,
                CENTRED: 1 - scipy.spatial.distance.cosine(centred[i], centred[j]),
            }
            for measure, value in expected.items():
                assert similarity[measure, branch, layer, pair] == pytest.approx(value, abs=1e-9)
    assert results.dataset["measure"].values.tolist() == list(MEASURES)


def test_a_pair_of_other_words_is_centred_without_its_own_two_tokens(make_input):
    others = make_input(common=1.0).control_activation.astype(np.float64)
    found = of_other_words(others, np.array([2, 5]), np.array([9, 6]))
    for column, (i, j) in enumerate(((2, 9), (5, 6))):
        rest = np.delete(others[1, 3], [i, j], axis=0).mean(axis=0)
        expected = 1 - scipy.spatial.distance.cosine(others[1, 3, i] - rest, others[1, 3, j] - rest)
        assert found[CENTRED, 1, 3, column] == pytest.approx(expected, abs=1e-9)
        assert found[COSINE, 1, 3, column] == pytest.approx(1 - scipy.spatial.distance.cosine(others[1, 3, i], others[1, 3, j]), abs=1e-9)


def test_unrelated_words_are_not_alike_once_they_are_centred(make_input):
    """With independent noise the cosine of two centred vectors is 1/(V-1) in the mean: what the shared centre brings to both."""
    others = make_input(common=3.0, control_tokens=60, dimensions=400).control_activation
    first, second = np.triu_indices(60, 1)
    values = of_other_words(others, first, second)
    assert values[COSINE].mean() > 0.8
    assert values[CENTRED].mean() == pytest.approx(1 / 59, abs=0.005)


def test_the_centre_and_the_same_without_each_token(make_input):
    others = make_input().control_activation.astype(np.float64)
    centre, without = centres(others)
    np.testing.assert_allclose(centre, others.mean(axis=2), **SAME)
    np.testing.assert_allclose(without[4], np.delete(others, 4, axis=2).mean(axis=2), **SAME)
    assert centres(others[:, :, :5]) == (None, None)


def test_selectivity_is_same_word_minus_the_matched_pairs(results_of):
    dataset = results_of(common=1.0).dataset
    expected = (dataset["similarity"] - dataset["matched_similarity"]).mean("pair")
    np.testing.assert_allclose(dataset["selectivity"].values, expected.values, **SAME)
    tau = scipy.stats.kendalltau(dataset["token_distance"], dataset["similarity"].values[0, 1, 2]).statistic
    assert float(dataset["kendall_tau"][0, 1, 2]) == pytest.approx(tau, abs=1e-9)
