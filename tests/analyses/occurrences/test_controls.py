from itertools import combinations

import numpy as np
import pytest

from analyses.occurrences.controls import (
    leave_one_token_out,
    match_control_pairs,
    matched_medians,
    matched_values,
    plain,
    subtract,
    thinned,
    tokens_of,
)
from analyses.occurrences.pairs import pairs_of

PAIRS = pairs_of(np.array([4, 12, 31, 37]))


def matched(position, words, *, pairs=PAIRS, **options):
    return match_control_pairs(pairs, np.asarray(position), words, **options)


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


def test_all_pairs_at_a_distance_are_taken(control):
    # 59 places in a row: 59 - d pairs of them lie d apart.
    for row, distance in zip(control.weight, PAIRS.distance, strict=True):
        assert np.count_nonzero(row) == 59 - distance


def test_at_most_so_many_pairs_are_spread_over_the_text():
    control = matched(range(1, 60), different_words(59), pairs_per_distance=5)
    for row, distance in zip(control.weight, PAIRS.distance, strict=True):
        assert control.first[row > 0].tolist() == np.linspace(0, 58 - distance, 5).round().astype(int).tolist()


def test_other_repeated_words_are_pairs_of_the_same_word():
    words = ["tea", "milk", "tea", "cup", "tea", "pot", "milk"] * 8
    control = matched(range(56), words, same_word=True)
    assert all(words[first] == words[second] for first, second in zip(control.first, control.second, strict=True))
    assert matched(range(20), different_words(20), same_word=True) is None


def test_thinning_keeps_pairs_of_every_distance(control):
    fewer, kept = thinned(control, 3)
    np.testing.assert_array_equal(fewer.first, control.first[kept])
    np.testing.assert_array_equal(fewer.distance, control.distance[kept])
    np.testing.assert_allclose(fewer.weight.sum(axis=1), 1, rtol=0, atol=1e-12)
    for row, distance in zip(fewer.weight, PAIRS.distance, strict=True):
        assert np.count_nonzero(row) == 3
        assert set(fewer.distance[row > 0]) == {distance}
    everything, kept = thinned(control, 1000)
    np.testing.assert_array_equal(everything.weight, control.weight)
    assert len(kept) == len(control.first)


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


def test_matched_median_is_the_median_over_a_pairs_controls(control):
    values = np.random.default_rng(0).normal(size=(3, 2, len(control.first)))
    for index, distance in enumerate(PAIRS.distance):
        expected = np.median(values[..., control.distance == distance], axis=-1)
        np.testing.assert_allclose(matched_medians(control, values)[..., index], expected, rtol=0, atol=1e-12)


def test_medians_are_left_out_token_by_token_too(control):
    values = np.random.default_rng(0).normal(size=(2, len(control.first)))
    for token, replicate in zip(tokens_of(control), leave_one_token_out(control, values, medians=True), strict=True):
        stays = (control.first != token) & (control.second != token)
        for index, distance in enumerate(PAIRS.distance):
            expected = np.median(values[:, stays & (control.distance == distance)], axis=-1)
            np.testing.assert_allclose(replicate[:, index], expected, rtol=0, atol=1e-12)


def test_medians_without_a_token_know_ties_and_missing_values(control):
    values = np.round(2 * np.random.default_rng(8).normal(size=(2, 3, len(control.first))))
    values[1, 2, 0] = np.nan
    for token, replicate in zip(tokens_of(control), leave_one_token_out(control, values, medians=True), strict=True):
        stays = (control.first != token) & (control.second != token)
        for index, used in enumerate(control.weight > 0):
            left = used & stays if (used & stays).any() else used
            np.testing.assert_array_equal(replicate[..., index], np.median(values[..., left], axis=-1))


def test_subtracting_gives_means_for_means_and_medians_for_ranks(control):
    generator = np.random.default_rng(0)
    values, measured = generator.normal(size=(2, len(PAIRS))), generator.normal(size=(2, len(control.first)))
    found = subtract(control, measured, values)
    np.testing.assert_allclose(found.values, values - matched_values(control, measured))
    np.testing.assert_allclose(found.ranked, values - matched_medians(control, measured))
    assert len(found.replicates) == len(found.ranked_replicates) == len(tokens_of(control))
    np.testing.assert_allclose(found.replicates[3], values - leave_one_token_out(control, measured)[3])
    # A token that takes part in no pair changes nothing.
    also = subtract(control, measured, values, np.array([0, 999]))
    np.testing.assert_array_equal(also.replicates[1], found.values)


def test_plain_values_have_no_control_error():
    values = np.arange(6.0)
    assert plain(values).replicates == plain(values).ranked_replicates == []
    assert plain(values).values is values


def test_skewed_controls_do_not_make_a_rank_correlation():
    # Controls whose spread falls with distance, skewed to the right; values of the same law. Against the mean most values of short
    # distances lie below it and tau rises; against the median it does not: over 200 data sets its mean is near zero.
    from analyses.statistics import kendall_tau

    generator = np.random.default_rng(3)
    pairs = pairs_of(np.array([4, 12, 31, 37, 60, 75, 90]))
    control = matched(range(1, 100), different_words(99), pairs=pairs)

    def skewed(distance):
        return generator.lognormal(sigma=1.2, size=(200, len(distance))) * np.exp(-distance / 25)

    values, measured = skewed(pairs.distance), skewed(control.distance)
    against_mean = kendall_tau(pairs.distance, values - matched_values(control, measured)).mean()
    against_median = kendall_tau(pairs.distance, values - matched_medians(control, measured)).mean()
    assert against_mean > 0.15
    assert abs(against_median) < against_mean / 3


def test_as_many_control_pairs_are_kept_as_make_a_thousand_and_at_least_eight_at_a_distance():
    few = matched(range(1, 40), different_words(39))
    assert len(thinned(few, None)[0].first) == len(few.first) <= 1000
    many = matched(range(1, 700), different_words(699))
    at_distance = {row.tobytes() for row in many.weight > 0}
    kept, _ = thinned(many, None)
    counts = {int((row > 0).sum()) for row in kept.weight}
    assert len(many.first) > 1000 >= len(kept.first)
    # All distances have the same number, and one more at each would be too many.
    (most,) = counts
    assert most >= 8
    assert (most + 1) * len(at_distance) > 1000
    assert np.allclose(kept.weight.sum(axis=1), 1)
