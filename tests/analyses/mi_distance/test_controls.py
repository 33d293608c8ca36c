from itertools import combinations

import numpy as np
import pytest

from analyses.mi_distance.controls import draw_means, leave_one_token_out, match_control_pairs, matched_values
from analyses.mi_distance.pairs import pairs_of

PAIRS = pairs_of(np.array([4, 12, 31, 37]))


def matched(position, words, *, pairs=PAIRS, pairs_per_distance=12, seed=1):
    return match_control_pairs(pairs, np.asarray(position), words, pairs_per_distance=pairs_per_distance, seed=seed)


def different_words(count):
    return [f"word{index}" for index in range(count)]


@pytest.fixture
def control():
    return matched(range(1, 60), different_words(59))


def test_distances_are_matched_exactly_where_the_text_has_them(control):
    assert control.largest_deviation == 0
    for row, distance in zip(control.weight, PAIRS.distance, strict=True):
        assert set(control.distance[row > 0]) == {distance}


def test_distance_belongs_to_the_control_tokens():
    position = np.array([2, 3, 7, 15, 16, 30, 34, 40, 41])
    control = matched(position, different_words(9))
    np.testing.assert_array_equal(control.distance, position[control.second] - position[control.first])


def test_weights_of_a_pair_are_equal_and_sum_to_one(control):
    np.testing.assert_allclose(control.weight.sum(axis=1), 1, rtol=0, atol=1e-12)
    for row in control.weight:
        assert len(set(row[row > 0])) == 1
        assert np.count_nonzero(row) == 12


def test_every_listed_pair_is_used(control):
    assert (control.weight > 0).any(axis=0).all()


def test_scarce_distances_borrow_from_their_neighbours_and_say_so():
    # Six tokens make 15 pairs; only one lies 8 apart, so three more come from the nearest distances.
    position = np.array([0, 8, 20, 29, 45, 64])
    pairs = pairs_of(np.array([10, 18]))
    control = matched(position, different_words(6), pairs=pairs)
    differences = sorted(abs(b - a - 8) for a, b in combinations(position, 2))
    assert control.largest_deviation == differences[3] == 8
    np.testing.assert_array_equal(np.sort(np.abs(control.distance - 8)), [value for value in differences if value <= 8])


def test_only_pairs_of_different_words():
    words = ["tea", "milk", "tea", "cup", "tea", "pot", "milk"] * 8
    control = matched(range(56), words)
    for first, second in zip(control.first, control.second, strict=True):
        assert words[first] != words[second]


@pytest.mark.parametrize("words", [["tea"] * 20, ["tea", "milk"], ["tea", "milk", "tea"]])
def test_no_control_without_enough_different_words(words):
    assert matched(range(len(words)), words) is None


def test_seed_decides_the_choice(control):
    again, other = matched(range(1, 60), different_words(59)), matched(range(1, 60), different_words(59), seed=2)
    np.testing.assert_array_equal(again.first, control.first)
    np.testing.assert_array_equal(again.weight, control.weight)
    assert not np.array_equal(other.first, control.first)


def test_matched_value_is_the_mean_over_a_pairs_controls(control):
    values = np.random.default_rng(0).normal(size=(3, 2, len(control.first)))
    found = matched_values(control, values)
    assert found.shape == (3, 2, len(PAIRS))
    for index, distance in enumerate(PAIRS.distance):
        expected = values[..., control.distance == distance].mean(axis=-1)
        np.testing.assert_allclose(found[..., index], expected, rtol=0, atol=1e-12)


def test_leaving_a_token_out_removes_its_pairs(control):
    values = np.random.default_rng(0).normal(size=(2, len(control.first)))
    tokens = np.unique([control.first, control.second])
    replicates = leave_one_token_out(control, values)
    assert len(replicates) == len(tokens)
    for token, replicate in zip(tokens, replicates, strict=True):
        stays = (control.first != token) & (control.second != token)
        for index, distance in enumerate(PAIRS.distance):
            expected = values[:, stays & (control.distance == distance)].mean(axis=-1)
            np.testing.assert_allclose(replicate[:, index], expected, rtol=0, atol=1e-12)


def test_a_token_in_all_of_a_pairs_controls_stays_there():
    # All different-word pairs share token 0, because all others are the same word.
    control = matched([0, 5, 10, 15, 20], ["salt", *["tea"] * 4], pairs=pairs_of(np.array([3, 8])))
    assert set(control.first) == {0}
    values = np.arange(1.0, 5.0)
    replicates = leave_one_token_out(control, values)
    np.testing.assert_allclose(replicates[0], matched_values(control, values))
    np.testing.assert_allclose(replicates[1], values[1:].mean())


def test_draws_take_one_matching_pair_for_each_pair(control):
    values = np.random.default_rng(0).normal(size=(2, len(control.first)))
    choice, means = draw_means(control, values, draws=400, seed=5)
    assert choice.shape == (400, len(PAIRS))
    assert means.shape == (2, 400)
    np.testing.assert_array_equal(control.distance[choice], np.broadcast_to(PAIRS.distance, choice.shape))
    np.testing.assert_allclose(means[:, 17], values[:, choice[17]].mean(axis=-1), rtol=0, atol=1e-12)


def test_draws_centre_on_the_matched_values_and_use_all_of_them(control):
    values = np.random.default_rng(0).normal(size=len(control.first))
    choice, means = draw_means(control, values, draws=4000, seed=5)
    tolerance = 4 * means.std() / np.sqrt(4000)
    assert means.mean() == pytest.approx(matched_values(control, values).mean(), abs=tolerance)
    assert set(choice.ravel()) == set(range(len(control.first)))


def test_draws_are_those_of_the_seed(control):
    values = np.arange(float(len(control.first)))
    one, same, other = (draw_means(control, values, draws=50, seed=seed)[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
