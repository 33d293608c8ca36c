import itertools
import math

import numpy as np
import pytest
import scipy.stats

from analyses.mi_distance.bands import bands_of
from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.hypotheses import (
    FLAT,
    ONE_BRANCH,
    STATEMENTS,
    decide,
    judge,
    judge_statement,
    means_without,
    measure_with_intervals,
    shares_of_error,
)
from analyses.mi_distance.measures import (
    MEASURES,
    OF_BANDS,
    OF_ESTIMATORS,
    OF_TAUS,
    measure_bands,
    measure_estimators,
    measure_taus,
    shift_slopes_without_a_layer,
    tau_weights,
)
from analyses.mi_distance.settings import HypothesisSettings
from analyses.occurrences.controls import Adjusted, plain
from analyses.occurrences.pairs import pairs_of
from analyses.statistics.verdicts import Interval, conjunction

SETTINGS = HypothesisSettings()
NAN, TINY = math.nan, 1e-9


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        ("positive", TINY, 0.2, "supported"),
        ("positive", 0.0, 0.2, "inconclusive"),
        ("positive", -0.1, 0.2, "inconclusive"),
        ("positive", -0.2, 0.0, "inconclusive"),
        ("positive", -0.2, -TINY, "contradicted"),
        ("negative", -0.2, -TINY, "supported"),
        ("negative", -0.2, 0.0, "inconclusive"),
        ("negative", 0.0, 0.2, "inconclusive"),
        ("negative", TINY, 0.2, "contradicted"),
        ("tau_range", -0.65, -0.35 - TINY, "supported"),
        ("tau_range", -0.65 - TINY, -0.4, "inconclusive"),
        ("tau_range", -0.6, -0.35 + TINY, "inconclusive"),
        ("tau_range", -0.35, -0.1, "inconclusive"),
        ("tau_range", -0.35 + TINY, -0.1, "contradicted"),
        ("tau_range", -0.9, -0.65, "inconclusive"),
        ("tau_range", -0.9, -0.65 - TINY, "contradicted"),
        # An interval that is wider than the range can never lie inside it: the question is not testable, wherever it lies.
        ("tau_range", -0.9, -0.1, "not_testable"),
        ("tau_range", -0.3, 0.3, "not_testable"),
        ("separated", 0.01, 0.3, "supported"),
        ("separated", -0.3, -0.01, "supported"),
        ("separated", 0.0, 0.3, "inconclusive"),
        ("separated", -0.3, 0.3, "inconclusive"),
        ("separated", -0.1 + TINY, 0.1 - TINY, "contradicted"),
        ("separated", -0.1, 0.05, "inconclusive"),
        ("separated", -0.05, 0.1, "inconclusive"),
        # Small but with a sign: it is a separation, however slight.
        ("separated", 0.01, 0.05, "supported"),
        ("constant_shift", 0.9, 1.1, "supported"),
        ("constant_shift", 0.9 - TINY, 1.1, "inconclusive"),
        ("constant_shift", 0.9, 1.1 + TINY, "inconclusive"),
        ("constant_shift", 1.1, 1.5, "inconclusive"),
        ("constant_shift", 1.1 + TINY, 1.5, "contradicted"),
        ("constant_shift", 0.2, 0.9 - TINY, "contradicted"),
    ],
)
def test_verdict_at_every_boundary(rule, low, high, verdict):
    assert decide(rule, Interval((low + high) / 2, low, high), SETTINGS) == verdict


# With 11 deep layers the steepest slope that counts as level is .1 / 10 nats a layer.
FALLING_BEFORE, RISING_BEFORE, OPEN_BEFORE = Interval(-0.05, -0.06, -TINY), Interval(0.05, TINY, 0.1), Interval(0.0, -0.1, 0.1)


@pytest.mark.parametrize(
    ("low", "high", "before", "verdict"),
    [
        (-0.01, 0.01, FALLING_BEFORE, "supported"),
        (-0.01, 0.01, OPEN_BEFORE, "inconclusive"),
        (-0.01, 0.01, RISING_BEFORE, "contradicted"),
        (-0.01 - TINY, 0.005, FALLING_BEFORE, "inconclusive"),
        (-0.005, 0.01 + TINY, FALLING_BEFORE, "inconclusive"),
        # Rising on is no levelling off, nor is falling on: version 0.1 called the first one supported.
        (0.01 + TINY, 0.02, FALLING_BEFORE, "contradicted"),
        (-0.02, -0.01 - TINY, FALLING_BEFORE, "contradicted"),
        (-0.005, 0.005, Interval(math.nan, math.nan, math.nan), "not_testable"),
        (-0.005, 0.005, None, "not_testable"),
    ],
)
def test_levelling_off_needs_a_level_band_after_a_fall(low, high, before, verdict):
    assert decide("level", Interval((low + high) / 2, low, high), SETTINGS, before=before, layers_deep=11) == verdict


@pytest.mark.parametrize(("within", "verdict"), [(-0.004, "supported"), (-0.006, "inconclusive"), (-0.008, "inconclusive")])
def test_a_fall_that_goes_on_as_steeply_does_not_level_off(within, verdict):
    """All of these slopes are within the margin of .01; before the deep layers it fell by .006 a layer."""
    before = Interval(-0.006, -0.007, -0.005)
    assert decide("level", Interval(within, within - 0.001, within + 0.001), SETTINGS, before=before, layers_deep=11) == verdict


@pytest.mark.parametrize("rule", ["positive", "negative", "tau_range", "separated", "level", "constant_shift"])
@pytest.mark.parametrize("numbers", [(NAN, 0.1, 0.2), (0.1, NAN, 0.2), (0.1, 0.05, NAN), (math.inf, 0.1, math.inf), (NAN, NAN, NAN)])
def test_without_an_interval_nothing_is_testable(rule, numbers):
    assert decide(rule, Interval(*numbers), SETTINGS, before=FALLING_BEFORE, layers_deep=11) == "not_testable"


def test_thresholds_come_from_the_settings():
    own = HypothesisSettings(level_change=0.4, tau_range=(-0.4, -0.2), same_tau_margin=0.3, shift_slope_range=(1.5, 2.0))
    assert decide("tau_range", Interval(-0.3, -0.35, -0.25), own) == "supported"
    assert decide("separated", Interval(0.0, -0.2, 0.2), own) == "contradicted"
    assert decide("constant_shift", Interval(1.7, 1.6, 1.8), own) == "supported"
    assert decide("level", Interval(0.03, 0.02, 0.04), own, before=FALLING_BEFORE, layers_deep=11) == "supported"


def parts_of(*verdicts):
    return [{"verdict": verdict.removeprefix("firmly "), "firm": verdict == "firmly contradicted"} for verdict in verdicts]


PAIRS = pairs_of(np.array([2, 5, 11, 18, 30, 41, 47]))
BANDS = bands_of(6, SETTINGS)


def random_values(seed=0, shape=(3, 2, 6)):
    return np.random.default_rng(seed).normal(size=(*shape, len(PAIRS))) + np.arange(shape[-1])[:, None] / 4


def measured_of(values, pairs=PAIRS, **options):
    adjusted = values if isinstance(values, Adjusted) else plain(values)
    return measure_with_intervals(adjusted, pairs, BANDS, confidence=0.95, seed=1, estimators=True, **options)


def means_of(values):
    return measure_bands(values, BANDS) | measure_estimators(values)


def leave_one_out(values, occurrence):
    keep = [index for index, (i, j) in enumerate(zip(PAIRS.first, PAIRS.second, strict=True)) if occurrence not in (i, j)]
    return means_of(values[..., keep])


def jackknife_errors(values, name):
    replicates = np.array([leave_one_out(values, t)[name] for t in range(7)])
    return np.sqrt(6 / 7 * ((replicates - replicates.mean(axis=0)) ** 2).sum(axis=0))


@pytest.mark.parametrize("name", [*OF_BANDS, "shift_concordance", "shift_rank_correlation"])
def test_intervals_of_means_by_a_jackknife_written_out(name):
    values = random_values()
    measured, estimate = measured_of(values), means_of(values)[name]
    half = scipy.stats.t.ppf(0.975, 6) * jackknife_errors(values, name)
    np.testing.assert_allclose(measured.estimate[name], estimate, rtol=0, atol=1e-12)
    np.testing.assert_allclose(measured.low[name], estimate - half, rtol=0, atol=1e-12)
    np.testing.assert_allclose(measured.high[name], estimate + half, rtol=0, atol=1e-12)


def test_the_slopes_interval_holds_what_it_would_be_without_any_layer():
    values = random_values()
    measured, half = measured_of(values), scipy.stats.t.ppf(0.975, 6) * jackknife_errors(values, "shift_slope")
    without = np.array([means_of_estimators(np.delete(values, layer, axis=2)) for layer in range(6)])
    np.testing.assert_allclose(shift_slopes_without_a_layer(values).T, without, rtol=0, atol=1e-12)
    whole = measured.estimate["shift_slope"]
    np.testing.assert_allclose(measured.low["shift_slope"], np.minimum(whole, without.min(axis=0)) - half, rtol=0, atol=1e-12)
    np.testing.assert_allclose(measured.high["shift_slope"], np.maximum(whole, without.max(axis=0)) + half, rtol=0, atol=1e-12)


def means_of_estimators(values):
    return measure_estimators(values)["shift_slope"]


def test_one_outlying_layer_does_not_make_the_slope():
    # Seven layers on a line of slope 1 and one far off it: least squares is drawn to it, the median of slopes is not.
    own = np.array([0.1, 0.12, 0.15, 0.17, 0.2, 0.22, 0.25, 3.0])
    near = own + 0.3
    near[-1] = 9.0
    values = np.broadcast_to(np.stack([own, own, near])[:, None, :, None], (3, 2, 8, 21))
    assert np.polyfit(own, near, 1)[0] > 2.5
    np.testing.assert_allclose(measure_estimators(values)["shift_slope"][:2], 1, rtol=0, atol=1e-9)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_intervals_of_taus_by_all_relabellings_written_out(index):
    values = random_values(shape=(3, 2, 3))[:, :, :, :10]
    bands, pairs = bands_of(3, SETTINGS), pairs_of(np.array([2, 5, 11, 18, 30]))
    lookup = {frozenset(ends): row for row, ends in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))}
    weights = tau_weights(values, bands)[index]
    sums = []
    for order in itertools.permutations(range(5)):
        distance = [pairs.distance[lookup[frozenset((order[i], order[j]))]] for i, j in zip(pairs.first, pairs.second, strict=True)]
        taus = [scipy.stats.kendalltau(distance, row).statistic for row in values[index].reshape(6, -1)]
        sums.append(weights @ np.array(taus))
    spread = np.sort(np.abs(np.array(sums)), axis=0)[::-1]
    measured = measure_with_intervals(plain(values), pairs, bands, confidence=0.95, seed=1)
    # 5 % of 120 relabellings are 6: the seventh largest is the largest value that is not rejected.
    for column, name in enumerate(OF_TAUS):
        assert measured.estimate[name][index] == pytest.approx(sums[0][column], abs=1e-12)
        assert measured.high[name][index] == pytest.approx(sums[0][column] + spread[6, column], abs=1e-8)


def test_taus_of_the_study_are_means_over_layers():
    values = random_values()
    taus = scipy_taus(values)
    found = measure_taus(values, PAIRS.distance, BANDS)
    np.testing.assert_allclose(found["mean_tau"], taus.mean(axis=(1, 2)))
    np.testing.assert_allclose(np.stack([found["attention_tau"], found["mlp_tau"]], axis=1), taus.mean(axis=2))
    np.testing.assert_allclose(found["tau_difference"], (taus[:, 0] - taus[:, 1])[:, BANDS.separated].mean(axis=-1))


def scipy_taus(values):
    rows = values.reshape(-1, values.shape[-1])
    return np.array([scipy.stats.kendalltau(PAIRS.distance, row).statistic for row in rows]).reshape(values.shape[:-1])


def test_a_layer_without_a_tau_is_left_out():
    values = random_values()
    values[:, 0, 5] = 0.3  # constant: attention has no tau there
    taus = scipy_taus(values)
    found = measure_taus(values, PAIRS.distance, BANDS)
    np.testing.assert_allclose(found["mean_tau"], np.nanmean(taus, axis=(1, 2)))
    kept = [layer for layer in BANDS.separated if layer != 5]
    np.testing.assert_allclose(found["tau_difference"], (taus[:, 0] - taus[:, 1])[:, kept].mean(axis=-1))
    assert np.isfinite(measured_of(values).low["mean_tau"]).all()


def test_a_controls_own_error_widens_the_interval():
    values = random_values()
    shifts = np.array([0.0, 0.3, -0.3, 0.6])
    replicates = [values + np.array([1.0, 0.0])[:, None, None] * shift for shift in shifts]  # attention alone is moved
    without, widened = measured_of(values), measured_of(Adjusted(values, replicates, values, replicates))
    own, quantile = 3 / 4 * ((shifts - shifts.mean()) ** 2).sum(), scipy.stats.t.ppf(0.975, 6)
    for name, moved in (("deep_difference", own), ("early_difference", own), ("mlp_fall", 0.0)):
        half = (without.high[name] - without.estimate[name]) / quantile
        expected = quantile * np.sqrt(half**2 + moved)
        np.testing.assert_allclose(widened.high[name] - widened.estimate[name], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(widened.estimate[name], without.estimate[name])
    # A shift of all pairs leaves every tau as it is.
    np.testing.assert_allclose(widened.high["mean_tau"], without.high["mean_tau"])


def test_taus_are_measured_on_what_is_held_against_the_median():
    values, ranked = random_values(), random_values(seed=1)
    measured = measured_of(Adjusted(values, [], ranked, []))
    np.testing.assert_allclose(measured.estimate["mean_tau"], scipy_taus(ranked).mean(axis=(1, 2)))
    np.testing.assert_allclose(measured.estimate["deep_difference"], measure_bands(values, BANDS)["deep_difference"])


@pytest.mark.parametrize("occurrences", [2, 3])
def test_no_interval_for_three_occurrences_or_fewer(occurrences):
    pairs = pairs_of(np.arange(occurrences) * 7)
    measured = measured_of(random_values()[..., : len(pairs)], pairs)
    assert np.isfinite(measured.estimate["deep_difference"]).all()
    for name in MEASURES:
        assert np.isnan(measured.low[name]).all()
    rows = judge(measured, "none", SETTINGS)
    assert {row["verdict"] for row in rows} == {"not_testable"}
    assert all(row["low"] is None and row["high"] is None for row in rows)


def test_verdict_rows_have_the_contracts_keys_and_every_estimator():
    rows = judge(measured_of(random_values()), "none", SETTINGS)
    keys = ("statement", "estimator", "control", "verdict", "part", "estimate", "low", "high", "agreeing_layers", "layers")
    assert all(set(keys) <= row.keys() for row in rows)
    assert {row["control"] for row in rows} == {"none"}
    # Statement 5 holds the other estimators against the nearest-neighbour one, so it has no row of its own.
    expected = [(number, each) for number in range(1, 6) for each in ("histogram", "corrected", "nearest_neighbour")]
    assert [(row["statement"], row["estimator"]) for row in rows] == expected[:-1]
    for row in rows:
        # The numbers are those of the part that decided: no "contradicted" beside an interval that holds zero.
        deciding = next(part for part in row["parts"] if part["measure"] == row["part"])
        assert deciding["verdict"] == row["verdict"] == conjunction(row["parts"])
        assert all(row[key] == deciding[key] for key in ("estimate", "low", "high", "agreeing_layers", "layers"))
    assert [len(row["parts"]) for row in rows if row["statement"] == 2] == [4, 4, 4]
    assert [len(row["parts"]) for row in rows if row["statement"] == 3] == [2, 2, 2]


def test_the_statement_on_the_estimators_is_judged_only_where_it_was_measured():
    measured = measure_with_intervals(plain(random_values()), PAIRS, BANDS, confidence=0.95, seed=1)
    assert {row["statement"] for row in judge(measured, "different_word", SETTINGS)} == {1, 2, 3, 4}
    assert not set(OF_ESTIMATORS) & measured.estimate.keys()


def test_how_strong_a_relation_is_is_asked_only_where_there_is_one():
    # A range that any of these intervals lies outside of: only a negative tau can contradict it.
    far = HypothesisSettings(tau_range=(-3.0, -2.0))
    near_zero = random_values()
    falling = near_zero * 1e-6 - PAIRS.distance
    for values, verdict in ((near_zero, "inconclusive"), (falling, "contradicted")):
        rows = [row for row in judge(measured_of(values), "none", far) if row["statement"] == 3]
        assert {row["parts"][1]["verdict"] for row in rows} == {verdict}


@pytest.mark.parametrize(
    ("half_widths", "part", "statement"), [(1.1, "contradicted", "inconclusive"), (2.0, "contradicted", "contradicted")]
)
def test_a_later_part_contradicts_only_with_its_wider_interval(half_widths, part, statement):
    # Attention's fall is placed at a multiple of its own 95 % interval's half width; Student's quantiles of 6 degrees of freedom,
    # 2.447 and 3.707 (Student 1908; any table), stand 1.515 apart.
    values = random_values(shape=(3, 2, 10))
    bands = bands_of(10, SETTINGS)

    def measured(shift):
        moved = values.copy()
        moved[:, 0, bands.deep] += shift
        moved[:, 1] = values[:, 1] * 1e-3 - 10 * np.minimum(np.arange(10), bands.deep[0])[:, None]  # falls, then stays
        return measure_with_intervals(plain(moved), PAIRS, bands, confidence=0.95, seed=1)

    start = measured(0.0)
    half = start.high["attention_rise"] - start.estimate["attention_rise"]
    np.testing.assert_allclose((start.firm_high["attention_rise"] - start.estimate["attention_rise"]) / half, 3.707 / 2.447, rtol=1e-3)
    for index in range(3):
        found = measured(-start.estimate["attention_rise"][index] - half_widths * half[index])
        row = judge_statement(STATEMENTS[1], index, found, SETTINGS)
        assert [each["verdict"] for each in row["parts"][:3]] == ["supported", part, "supported"]
        assert row["verdict"] == statement
        assert row["parts"][1]["wide"]["low"] == found.firm_low["attention_rise"][index]


@pytest.mark.parametrize(
    ("attention", "mlp", "verdict", "side"),
    [
        (-1.0, -1.0, "supported", None),
        (1.0, 1.0, "contradicted", None),
        # The mean is below zero in each of these, and its interval too: what the branches are is not to be hidden by it.
        (-3.0, 0.5, "contradicted", ONE_BRANCH),
        (0.5, -3.0, "contradicted", ONE_BRANCH),
        (-3.0, 0.1, "inconclusive", ONE_BRANCH),
        (-3.0, -0.1, "inconclusive", ONE_BRANCH),  # no tau to speak of: that its estimate is below zero is chance
    ],
)
def test_a_negative_tau_is_claimed_of_both_branches(attention, mlp, verdict, side):
    # A share of each layer's order is that of distance, the rest a noise that the layers of a branch have in common.
    generator = np.random.default_rng(4)
    noise = generator.normal(size=(2, 1, len(PAIRS)))
    noise -= noise @ (PAIRS.distance - PAIRS.distance.mean())[:, None] * (PAIRS.distance - PAIRS.distance.mean()) / (
        (PAIRS.distance - PAIRS.distance.mean()) ** 2
    ).sum()  # fmt: skip
    trend = np.array([attention, mlp])[:, None, None] * (PAIRS.distance - PAIRS.distance.mean()) / PAIRS.distance.std()
    values = np.broadcast_to(trend + 0.5 * noise, (3, 2, 6, len(PAIRS))) + 1e-6 * random_values()
    row = next(row for row in judge(measured_of(values), "none", SETTINGS) if row["statement"] == 3)
    part = row["parts"][0]
    taus = scipy_taus(values)[0].mean(axis=-1)
    assert [part["branches"][branch]["estimate"] for branch in ("attention", "mlp")] == pytest.approx(taus.tolist())
    assert (part["verdict"], part["side"]) == (verdict, side)
    if verdict == "contradicted":
        # No "contradicted" beside an interval that lies below zero.
        assert row["verdict"] == "contradicted"
        assert part["estimate"] == pytest.approx(taus.max() if side else taus.mean())
        assert part["low"] > 0
    if side == ONE_BRANCH:
        assert taus.mean() < 0
        assert row["parts"][1]["verdict"] != "supported"


def verdict_rows(**verdicts):
    """Rows of one statement of one part: histogram, corrected, nearest_neighbour without control; a pair is (verdict, side)."""
    rows = []
    for estimator, given in verdicts.items():
        verdict, side = given if isinstance(given, tuple) else (given, None)
        part = {"measure": "tau_difference", "verdict": verdict, "firm": verdict == "contradicted", "side": side}
        row = {"statement": 4, "name": "tau_separation", "estimator": estimator, "control": "none", "verdict": verdict, "parts": [part]}
        rows.append(row)
    return rows


class TestConclusions:
    @pytest.mark.parametrize("verdict", ["supported", "contradicted", "inconclusive", "not_testable"])
    def test_both_co_primary_estimators_agree(self, verdict):
        (row,) = conclude(verdict_rows(histogram=verdict, corrected=verdict, nearest_neighbour=verdict))
        assert row["verdict"] == verdict
        assert row["estimators_disagree"] == []
        assert row["controls_disagree"] == []

    @pytest.mark.parametrize(
        ("histogram", "nearest_neighbour", "conclusion"),
        [
            ("supported", "contradicted", "inconclusive"),
            ("supported", "inconclusive", "inconclusive"),
            ("inconclusive", "contradicted", "inconclusive"),
            ("supported", "not_testable", "not_testable"),
            ("not_testable", "contradicted", "not_testable"),
        ],
    )
    def test_co_primary_estimators_that_disagree_conclude_nothing(self, histogram, nearest_neighbour, conclusion):
        (row,) = conclude(verdict_rows(histogram=histogram, corrected=histogram, nearest_neighbour=nearest_neighbour))
        assert row["verdict"] == conclusion
        named = {(each["estimator"], each["verdict"]) for each in row["estimators_disagree"]}
        all_three = {("histogram", histogram), ("corrected", histogram), ("nearest_neighbour", nearest_neighbour)}
        assert named == {pair for pair in all_three if pair[1] != conclusion}

    def test_the_corrected_estimate_alone_does_not_decide(self):
        (row,) = conclude(verdict_rows(histogram="supported", corrected="contradicted", nearest_neighbour="supported"))
        assert row["verdict"] == "supported"
        assert [each["estimator"] for each in row["estimators_disagree"]] == ["corrected"]

    def test_opposite_sides_are_no_agreement(self):
        higher, lower = ("supported", "attention_higher"), ("supported", "mlp_higher")
        (row,) = conclude(verdict_rows(histogram=higher, corrected=higher, nearest_neighbour=lower))
        assert (row["verdict"], row["parts"][0]["side"]) == ("inconclusive", None)
        (row,) = conclude(verdict_rows(histogram=lower, corrected=lower, nearest_neighbour=lower))
        assert (row["verdict"], row["parts"][0]["side"]) == ("supported", "mlp_higher")

    def test_conclusions_rest_on_the_excess_and_keep_the_lessons_beside_it(self):
        rows = verdict_rows(histogram="supported", corrected="supported", nearest_neighbour="supported")
        excess = [{**row, "control": "different_word", "verdict": "contradicted"} for row in rows]
        for row in excess:
            row["parts"] = [{**row["parts"][0], "verdict": "contradicted", "firm": True}]
        (found,) = conclude(rows + excess)
        assert (found["control"], found["verdict"], found["lesson"]) == ("different_word", "contradicted", "supported")
        assert {(each["control"], each["verdict"]) for each in found["controls_disagree"]} == {("none", "supported")}
        assert found["estimators_disagree"] == []

    def test_the_same_word_on_the_other_side_is_another_verdict(self):
        higher, lower = ("supported", "attention_higher"), ("supported", "mlp_higher")
        plain = verdict_rows(histogram=lower, corrected=higher, nearest_neighbour=lower)
        excess = [{**row, "control": "different_word"} for row in verdict_rows(histogram=higher, corrected=lower, nearest_neighbour=higher)]
        (found,) = conclude(plain + excess)
        assert (found["verdict"], found["lesson"], found["lesson_opposed"]) == ("supported", "supported", True)
        assert [(each["estimator"], each["opposed"]) for each in found["estimators_disagree"]] == [("corrected", True)]
        assert [(each["estimator"], each["opposed"]) for each in found["controls_disagree"]] == [
            ("histogram", True),
            # What one estimator finds is not the control's doing: each is held against what itself finds by the conclusion's control.
            ("corrected", True),
            ("nearest_neighbour", True),
        ]
        (found,) = conclude([*verdict_rows(histogram=higher, corrected=higher, nearest_neighbour=higher), *excess])
        assert not found["lesson_opposed"]

    def test_without_control_words_plain_mi_is_primary(self):
        (found,) = conclude(verdict_rows(histogram="supported", corrected="supported", nearest_neighbour="supported"))
        assert (found["control"], found["verdict"], found["lesson"]) == ("none", "supported", "supported")

    def test_what_another_estimator_finds_is_not_owed_to_a_control(self):
        """The estimators disagree by the excess, and each finds the same by the other control: nothing changes with it."""
        rows = verdict_rows(histogram="supported", corrected="supported", nearest_neighbour="inconclusive")
        excess = [{**row, "control": "different_word"} for row in rows]
        (found,) = conclude([*rows, *excess, *({**row, "control": "centred"} for row in rows)])
        assert (found["verdict"], found["controls_disagree"]) == ("inconclusive", [])

    def test_other_controls_are_named_and_change_nothing(self):
        rows = verdict_rows(histogram="supported", corrected="supported", nearest_neighbour="supported")
        excess = [{**row, "control": "different_word"} for row in rows]
        centred = [{**row, "control": "centred", "verdict": "contradicted"} for row in rows]
        (found,) = conclude(rows + excess + centred)
        assert found["verdict"] == "supported"
        assert {(each["control"], each["verdict"]) for each in found["controls_disagree"]} == {("centred", "contradicted")}

    def test_parts_are_shared_one_by_one(self):
        def row(estimator, *verdicts):
            parts = [{"measure": f"m{index}", "side": None} | part for index, part in enumerate(parts_of(*verdicts))]
            return {
                "statement": 2,
                "name": "deep_layers",
                "estimator": estimator,
                "control": "none",
                "verdict": conjunction(parts),
                "parts": parts,
            }

        def found(last):
            rows = [
                row("histogram", "supported", "supported", "firmly contradicted", last),
                row("corrected", "supported", "supported", "supported", "supported"),
                row("nearest_neighbour", "supported", "inconclusive", "supported", "firmly contradicted"),
            ]
            (conclusion,) = conclude(rows)
            assert [part["verdict"] for part in conclusion["parts"]] == ["supported", "inconclusive", "inconclusive", "contradicted"]
            return conclusion["verdict"]

        assert found("firmly contradicted") == "contradicted"
        assert found("contradicted") == "inconclusive"


# Planted effects and their opposite: every statement must come out, and turn round when the effect does.


def planted(attention, mlp, attention_tau=-0.5, mlp_tau=-0.5, *, noise=0.003, slope=1.0, seed=3):
    """Values with the given layer means and a given share of pairs in falling order, the same for all estimators but for `slope`."""
    generator = np.random.default_rng(seed)
    rank = scipy.stats.rankdata(PAIRS.distance) / len(PAIRS) - 0.5
    means = np.array([attention, mlp], dtype=float)[:, :, None]
    trend = np.array([attention_tau, mlp_tau])[:, None, None] * rank
    values = means + 0.02 * trend + generator.normal(scale=noise, size=(2, means.shape[1], len(PAIRS)))
    return np.stack([values, values, slope * values + 0.2])


def verdicts_of(values):
    bands = bands_of(values.shape[2], SETTINGS)
    measured = measure_with_intervals(plain(values), PAIRS, bands, confidence=0.95, seed=1, estimators=True)
    return {row["statement"]: row for row in conclude(judge(measured, "none", SETTINGS))}


RISING = [0.1, 0.12, 0.14, 0.2, 0.3, 0.35, 0.45, 0.5, 0.5]
FALLING = [0.9, 0.8, 0.7, 0.5, 0.35, 0.25, 0.16, 0.15, 0.15]


def test_the_lessons_picture_is_supported():
    found = verdicts_of(planted(RISING, FALLING))
    assert found[1]["verdict"] == "supported"
    assert found[2]["verdict"] == "supported"
    assert [part["verdict"] for part in found[2]["parts"]] == ["supported"] * 4


def test_swapped_branches_contradict_it():
    found = verdicts_of(planted(FALLING, RISING))
    assert found[1]["verdict"] == "contradicted"
    assert found[2]["verdict"] == "contradicted"
    assert [part["verdict"] for part in found[2]["parts"]] == ["contradicted"] * 4


def test_reversed_layers_contradict_it():
    found = verdicts_of(planted(RISING[::-1], FALLING[::-1]))
    assert found[1]["verdict"] == "contradicted"
    assert [part["verdict"] for part in found[2]["parts"]] == ["contradicted"] * 4


def test_an_mlp_that_rises_in_the_deep_layers_does_not_level_off():
    rises = [0.9, 0.8, 0.7, 0.5, 0.35, 0.25, 0.2, 0.4, 0.6]
    assert verdicts_of(planted(RISING, rises))[2]["parts"][3]["verdict"] == "contradicted"


def test_layers_need_not_agree():
    # Eight layers stand against the statement and one, by more than all of them, for it: the interval of the mean decides.
    mlp = np.array([[0.30, 0.30, 0.90] + [0.3] * 6])[0]
    attention = np.array([0.31, 0.31, 0.30] + [0.3] * 6)
    assert verdicts_of(planted(attention, mlp))[1]["verdict"] == "supported"


def test_sign_of_the_distance_relation():
    strong = {"noise": 1e-6}
    falling = verdicts_of(planted(RISING, FALLING, -1, -1, **strong))[3]
    rising = verdicts_of(planted(RISING, FALLING, 1, 1, **strong))[3]
    # All layers have the same order of pairs, so the interval is that of a single tau: wider than the range at 7 occurrences.
    assert [part["verdict"] for part in falling["parts"]] == ["supported", "not_testable"]
    assert [part["verdict"] for part in rising["parts"]] == ["contradicted", "not_testable"]
    assert (falling["verdict"], rising["verdict"]) == ("not_testable", "contradicted")


def test_separation_has_a_side():
    strong = {"noise": 1e-6}
    below = verdicts_of(planted(RISING, FALLING, -1, 1, **strong))[4]
    above = verdicts_of(planted(RISING, FALLING, 1, -1, **strong))[4]
    same = verdicts_of(planted(RISING, FALLING, -1, -1, **strong))[4]
    assert (below["verdict"], below["parts"][0]["side"]) == ("supported", "mlp_higher")
    assert (above["verdict"], above["parts"][0]["side"]) == ("supported", "attention_higher")
    assert same["verdict"] == "contradicted"  # within .1 of each other in every relabelling: they are the same


@pytest.mark.parametrize(
    ("slope", "verdict", "side"), [(1.0, "supported", None), (1.8, "contradicted", "above"), (0.4, "contradicted", "below")]
)
def test_shift_by_slope(slope, verdict, side):
    found = verdicts_of(planted(RISING, FALLING, slope=slope))[5]
    assert (found["verdict"], found["parts"][0]["side"]) == (verdict, side)


def test_statements_are_the_lessons_five():
    assert [statement.number for statement in STATEMENTS] == [1, 2, 3, 4, 5]
    assert {part.measure for statement in STATEMENTS for part in statement.parts} <= set(MEASURES)


def test_a_slope_between_layer_means_that_are_error_is_not_tested():
    """Layer means that differ in truth, and by the noise of the pairs alone; what all layers share is no error of slopes."""
    generator = np.random.default_rng(1)
    pairs = pairs_of(np.array([3, 9, 20, 41, 60, 77, 95]))
    count = len(pairs.distance)
    occurrence = generator.normal(size=pairs.occurrences)
    shared = occurrence[pairs.first] + occurrence[pairs.second]
    noise = generator.normal(size=(3, 2, 12, count))
    differing = np.linspace(0, 20, 24).reshape(2, 12)[..., None] + noise + shared
    shares = shares_of_error(differing, means_without(differing, pairs))
    assert (shares < 0.1).all()
    # Without true differences all of the variance is error: the share is about one, to within the jackknife's own error.
    alike = shares_of_error(noise + shared, means_without(noise + shared, pairs))
    assert (alike > 0.5).all()
    assert means_without(noise[..., :3], pairs_of(np.array([3, 9, 20]))) is None
    assert np.isnan(shares_of_error(noise[..., :3], None)).all()


@pytest.mark.parametrize(("between_layers", "side"), [(0.0, FLAT), (20.0, "below")])
def test_two_estimators_that_have_nothing_in_common_but_noise_are_told_from_such_that_differ(between_layers, side):
    generator = np.random.default_rng(4)
    bands, pairs = bands_of(12, SETTINGS), pairs_of(np.array([3, 9, 20, 41, 60, 77, 95]))
    rising = np.linspace(0, between_layers, 24).reshape(2, 12)[..., None]
    values = generator.normal(size=(3, 2, 12, len(pairs.distance)))
    # Nearest neighbours follow the other two with half the slope, or not at all.
    values += rising * np.array([1.0, 1.0, 0.5])[:, None, None, None]
    measured = measure_with_intervals(plain(values), pairs, bands, confidence=0.95, seed=1, permutations=99, estimators=True)
    row = next(row for row in judge(measured, "none", SETTINGS) if (row["name"], row["estimator"]) == ("constant_shift", "histogram"))
    assert row["parts"][0]["side"] == side
    assert row["verdict"] == ("not_testable" if side == FLAT else "contradicted")
    # What was estimated stays to be read.
    assert row["low"] < row["estimate"] < row["high"]
    assert next(found for found in conclude([row]))["parts"][0]["side"] == side
