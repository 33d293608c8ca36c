"""The verdicts follow what was planted, in both directions, and err no more often than they say."""

import numpy as np
import pytest

from analyses.occurrences.bands import depth_bands
from analyses.occurrences.layer_numbers import LayerNumbers
from analyses.occurrences.pairs import pairs_of
from analyses.progress import SilentProgress
from analyses.similarity.names import MEASURES
from analyses.similarity.profiles import Profiles
from analyses.similarity.settings import SimilaritySettings
from analyses.similarity.statements import STATEMENTS, falls
from analyses.similarity.study import analyse


def verdicts(results) -> dict[str, str]:
    return {row["name"]: row["verdict"] for row in results.study["conclusions"]}


def test_similarity_that_fades_with_depth_falls(results_of):
    assert verdicts(results_of(word=(2.0, 0.3)))["falls_with_depth"] == "supported"


def test_similarity_that_grows_with_depth_contradicts(results_of):
    assert verdicts(results_of(word=(0.3, 2.0)))["falls_with_depth"] == "contradicted"


def test_centring_removes_what_all_tokens_share(results_of):
    assert verdicts(results_of(common=3.0, word=(0.3, 0.3)))["centring_removes"] == "supported"


def test_centring_does_not_remove_what_only_the_word_shares(results_of):
    found = results_of(word=(2.0, 2.0))
    assert verdicts(found)["centring_removes"] == "contradicted"
    # The parts share 4 / 5 of their variance, so that is their cosine, and centring leaves it as it is.
    assert float(found.dataset["mean_similarity"].sel(measure="cosine").mean()) == pytest.approx(0.8, abs=0.02)


def test_structures_with_the_same_groups_agree(results_of):
    assert verdicts(results_of(own=2.0))["structures_agree"] == "supported"


def test_without_other_words_selectivity_and_centring_are_left_out(results_of):
    found = results_of(controls=False)
    assert verdicts(found)["centring_removes"] == "not_testable"
    assert "selectivity" not in found.dataset
    rows = {row["name"]: row["control"] for row in found.study["conclusions"]}
    assert rows == {"falls_with_depth": "none", "centring_removes": "none", "structures_agree": "distance"}


def test_three_occurrences_are_too_few(results_of):
    assert set(verdicts(results_of(occurrences=3)).values()) == {"not_testable"}


def test_what_each_conclusion_rests_on_is_fixed():
    assert {(s.number, s.measure, s.control) for s in STATEMENTS} == {
        (1, "cosine", "different_word"),
        (2, "cosine", "none"),
        (3, "pearson", "distance"),
    }


def test_what_stands_first_is_no_part_of_the_centre(make_input, settings):
    """A first token with huge activations changes nothing: neither the centre nor the control."""
    vectors = make_input()
    first = {
        "control_token_position": np.r_[0, vectors.control_token_position],
        "control_token_word": ("first", *vectors.control_token_word),
    }
    huge = np.full((*vectors.control_activation.shape[:2], 1, vectors.control_activation.shape[3]), 1e4, dtype=np.float32)
    more = vectors.__class__(**{**vars(vectors), **first, "control_activation": np.concatenate([huge, vectors.control_activation], axis=2)})
    one, other = (analyse(each, settings, SilentProgress()) for each in (vectors, more))
    np.testing.assert_array_equal(one.dataset["selectivity"], other.dataset["selectivity"])


def test_a_fall_is_found_no_more_often_than_stated_where_there_is_none():
    """Profiles without a trend, made of what each occurrence brings to its pairs: each branch's interval leaves out zero in 5 % at most."""
    generator = np.random.default_rng(11)
    settings = SimilaritySettings(name="null", word="x", activations_file="x.npz")
    pairs, bands, runs, excluded = pairs_of(np.arange(2, 72, 10)), depth_bands(LayerNumbers((1, 2, 3, 4, 5, 6), 6), settings.depth), 400, 0
    for _ in range(runs):
        brought = generator.normal(size=(len(MEASURES), 2, 6, 7))
        values = brought[..., pairs.first] + brought[..., pairs.second] + generator.normal(size=(len(MEASURES), 2, 6, len(pairs)))
        row = falls(Profiles.of(values, pairs), bands, "none")[0]
        excluded += sum(part["low"] > 0 or part["high"] < 0 for part in row["parts"])
    assert excluded / (2 * runs) < 0.07
