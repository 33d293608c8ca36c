import itertools
import math

import numpy as np
import pytest
import scipy.stats

from analyses.mi_distance.bands import bands_of
from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.hypotheses import STATEMENTS, conjunction, decide, judge, measure_with_intervals
from analyses.mi_distance.measures import MEASURES, measure
from analyses.mi_distance.pairs import pairs_of
from analyses.mi_distance.settings import HypothesisSettings

SETTINGS = HypothesisSettings()
NAN, TINY = math.nan, 1e-9


@pytest.mark.parametrize(
    ("rule", "low", "high", "agreement", "verdict"),
    [
        ("positive", TINY, 0.2, 1.0, "supported"),
        ("positive", 0.0, 0.2, 1.0, "inconclusive"),
        ("positive", -0.1, 0.2, 1.0, "inconclusive"),
        ("positive", -0.2, 0.0, 0.0, "inconclusive"),
        ("positive", -0.2, -TINY, 0.0, "contradicted"),
        # The layers must agree with a statement before it is supported; a contradiction rests on its interval.
        ("positive", 0.1, 0.2, 0.8, "supported"),
        ("positive", 0.1, 0.2, 0.8 - TINY, "inconclusive"),
        ("positive", -0.2, -0.1, 1.0, "contradicted"),
        ("positive", 0.1, 0.2, None, "supported"),
        ("tau_range", -0.65, -0.35, 1.0, "supported"),
        ("tau_range", -0.65 - TINY, -0.35, 1.0, "inconclusive"),
        ("tau_range", -0.65, -0.35 + TINY, 1.0, "inconclusive"),
        ("tau_range", -0.6, -0.4, 0.79, "inconclusive"),
        ("tau_range", -0.35, -0.1, 1.0, "inconclusive"),
        ("tau_range", -0.35 + TINY, -0.1, 1.0, "contradicted"),
        ("tau_range", -0.9, -0.65, 1.0, "inconclusive"),
        ("tau_range", -0.9, -0.65 - TINY, 1.0, "contradicted"),
        ("tau_range", -0.9, -0.1, 1.0, "inconclusive"),
        ("separated", 0.01, 0.3, 1.0, "supported"),
        ("separated", -0.3, -0.01, 0.8, "supported"),
        ("separated", 0.01, 0.3, 0.79, "inconclusive"),
        ("separated", 0.0, 0.3, 1.0, "inconclusive"),
        ("separated", -0.3, 0.3, 1.0, "inconclusive"),
        ("separated", -0.1 + TINY, 0.1 - TINY, 1.0, "contradicted"),
        ("separated", -0.1, 0.05, 1.0, "inconclusive"),
        ("separated", -0.05, 0.1, 1.0, "inconclusive"),
        # Small but with a sign: it is a separation, however slight.
        ("separated", 0.01, 0.05, 1.0, "supported"),
        ("constant_shift", 0.9, 1.1, 1.0, "supported"),
        ("constant_shift", 0.9 - TINY, 1.1, 1.0, "inconclusive"),
        ("constant_shift", 0.9, 1.1 + TINY, 1.0, "inconclusive"),
        ("constant_shift", 1.1, 1.5, 1.0, "inconclusive"),
        ("constant_shift", 1.1 + TINY, 1.5, 1.0, "contradicted"),
        ("constant_shift", 0.2, 0.9 - TINY, 1.0, "contradicted"),
        ("constant_shift", 0.95, 1.05, 0.5, "inconclusive"),
    ],
)
def test_verdict_at_every_boundary(rule, low, high, agreement, verdict):
    assert decide(rule, (low + high) / 2, low, high, agreement, SETTINGS) == verdict


@pytest.mark.parametrize("rule", ["positive", "tau_range", "separated", "constant_shift"])
@pytest.mark.parametrize("numbers", [(NAN, 0.1, 0.2), (0.1, NAN, 0.2), (0.1, 0.05, NAN), (math.inf, 0.1, math.inf), (NAN, NAN, NAN)])
def test_without_an_interval_nothing_is_testable(rule, numbers):
    assert decide(rule, *numbers, 1.0, SETTINGS) == "not_testable"


def test_thresholds_come_from_the_settings():
    own = HypothesisSettings(agreement=0.6, tau_range=(-0.4, -0.2), same_tau_margin=0.3, shift_slope_range=(1.5, 2.0))
    assert decide("positive", 0.15, 0.1, 0.2, 0.6, own) == "supported"
    assert decide("tau_range", -0.3, -0.35, -0.25, 1.0, own) == "supported"
    assert decide("separated", 0.0, -0.2, 0.2, 1.0, own) == "contradicted"
    assert decide("constant_shift", 1.7, 1.6, 1.8, 1.0, own) == "supported"


def test_conjunction_of_all_pairs_of_verdicts():
    order = ("contradicted", "not_testable", "inconclusive", "supported")  # the first one met decides
    for size in (1, 2, 3):
        for verdicts in itertools.product(order, repeat=size):
            assert conjunction(verdicts) == min(verdicts, key=order.index)


PAIRS = pairs_of(np.array([2, 5, 11, 18, 30, 41, 47]))
BANDS = bands_of(6, SETTINGS)


def random_values(seed=0, shape=(3, 2, 6)):
    return np.random.default_rng(seed).normal(size=(*shape, len(PAIRS))) + np.arange(6)[:, None] / 4


def leave_one_out(values, occurrence):
    keep = [index for index, (i, j) in enumerate(zip(PAIRS.first, PAIRS.second, strict=True)) if occurrence not in (i, j)]
    return measure(values[..., keep], PAIRS.distance[keep], BANDS)


def test_intervals_by_a_jackknife_written_out():
    values = random_values()
    measured = measure_with_intervals(values, PAIRS, BANDS, confidence=0.95)
    estimate = measure(values, PAIRS.distance, BANDS)
    quantile = scipy.stats.t.ppf(0.975, 6)
    for name in MEASURES:
        replicates = np.array([leave_one_out(values, t)[name] for t in range(7)])
        error = np.sqrt(6 / 7 * ((replicates - replicates.mean(axis=0)) ** 2).sum(axis=0))
        np.testing.assert_allclose(measured.estimate[name], estimate[name], rtol=0, atol=1e-12)
        np.testing.assert_allclose(measured.standard_error[name], error, rtol=0, atol=1e-12)
        np.testing.assert_allclose(measured.low[name], estimate[name] - quantile * error, rtol=0, atol=1e-12)
        np.testing.assert_allclose(measured.high[name], estimate[name] + quantile * error, rtol=0, atol=1e-12)


def test_a_controls_own_error_widens_the_interval():
    values = random_values()
    plain = measure_with_intervals(values, PAIRS, BANDS, confidence=0.95)
    shifts = np.array([0.0, 0.3, -0.3, 0.6])
    replicates = [values + np.array([1.0, 0.0])[:, None, None] * shift for shift in shifts]  # attention alone is moved
    widened = measure_with_intervals(values, PAIRS, BANDS, confidence=0.95, control_replicates=replicates)
    own = 3 / 4 * ((shifts - shifts.mean()) ** 2).sum()
    for name, moved in (("deep_difference", own), ("early_difference", own), ("mlp_fall", 0.0), ("mean_tau", 0.0)):
        expected = np.sqrt(plain.standard_error[name] ** 2 + moved)
        np.testing.assert_allclose(widened.standard_error[name], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(widened.estimate[name], plain.estimate[name])


@pytest.mark.parametrize("occurrences", [2, 3])
def test_no_interval_for_three_occurrences_or_fewer(occurrences):
    pairs = pairs_of(np.arange(occurrences) * 7)
    measured = measure_with_intervals(random_values()[..., : len(pairs)], pairs, BANDS, confidence=0.95)
    assert np.isfinite(measured.estimate["deep_difference"]).all()
    for name in MEASURES:
        assert np.isnan(measured.low[name]).all()
    rows = judge(measured, "none", SETTINGS)
    assert {row["verdict"] for row in rows} == {"not_testable"}
    assert all(row["low"] is None and row["high"] is None for row in rows)


def test_verdict_rows_have_the_contracts_keys_and_every_estimator():
    rows = judge(measure_with_intervals(random_values(), PAIRS, BANDS, confidence=0.95), "untrained", SETTINGS)
    keys = ("statement", "estimator", "control", "verdict", "estimate", "low", "high", "agreeing_layers", "layers")
    assert all(set(keys) <= row.keys() for row in rows)
    assert {row["control"] for row in rows} == {"untrained"}
    # Statement 5 holds the other estimators against the nearest-neighbour one, so it has no row of its own.
    expected = [(number, each) for number in range(1, 6) for each in ("histogram", "corrected", "nearest_neighbour")]
    assert [(row["statement"], row["estimator"]) for row in rows] == expected[:-1]
    for row in rows:
        head = row["parts"][0]
        assert all(row[key] == head[key] for key in ("estimate", "low", "high", "agreeing_layers", "layers"))
        assert row["verdict"] == conjunction([part["verdict"] for part in row["parts"]])
    assert [len(row["parts"]) for row in rows if row["statement"] == 2] == [4, 4, 4]


def verdict_rows(**verdicts):
    """Rows of one statement of one part: histogram, corrected, nearest_neighbour without control; a pair is (verdict, side)."""
    rows = []
    for estimator, given in verdicts.items():
        verdict, side = given if isinstance(given, tuple) else (given, None)
        part = {"measure": "tau_difference", "verdict": verdict, "side": side}
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

    def test_a_control_never_changes_the_conclusion_but_is_named(self):
        rows = verdict_rows(histogram="supported", corrected="supported", nearest_neighbour="supported")
        with_control = [{**row, "control": "different_word", "verdict": "contradicted"} for row in rows]
        (row,) = conclude(rows + with_control)
        assert row["verdict"] == "supported"
        assert {(each["control"], each["verdict"]) for each in row["controls_disagree"]} == {("different_word", "contradicted")}
        assert len(row["controls_disagree"]) == 3

    def test_parts_are_shared_one_by_one(self):
        def row(estimator, *verdicts):
            parts = [{"measure": f"m{index}", "verdict": verdict, "side": None} for index, verdict in enumerate(verdicts)]
            return {
                "statement": 2,
                "name": "deep_layers",
                "estimator": estimator,
                "control": "none",
                "verdict": conjunction(verdicts),
                "parts": parts,
            }

        (found,) = conclude(
            [
                row("histogram", "supported", "supported", "contradicted", "contradicted"),
                row("corrected", "supported", "supported", "supported", "supported"),
                row("nearest_neighbour", "supported", "inconclusive", "supported", "contradicted"),
            ]
        )
        assert [part["verdict"] for part in found["parts"]] == ["supported", "inconclusive", "inconclusive", "contradicted"]
        assert found["verdict"] == "contradicted"


# Planted effects and their opposite: every statement must come out, and turn round when the effect does.


def planted(attention, mlp, attention_tau=-0.5, mlp_tau=-0.5, *, noise=0.003, slope=1.0, seed=3):
    """Values with the given layer means and a given share of pairs in falling order, the same for all estimators but for `slope`."""
    generator = np.random.default_rng(seed)
    rank = scipy.stats.rankdata(PAIRS.distance) / len(PAIRS) - 0.5
    means = np.array([attention, mlp], dtype=float)[:, :, None]
    trend = np.array([attention_tau, mlp_tau])[:, None, None] * rank
    values = means + 0.02 * trend + generator.normal(scale=noise, size=(2, 6, len(PAIRS)))
    return np.stack([values, values, slope * values + 0.2])


def verdicts_of(values):
    return {
        row["statement"]: row for row in conclude(judge(measure_with_intervals(values, PAIRS, BANDS, confidence=0.95), "none", SETTINGS))
    }


RISING, FALLING = [0.1, 0.12, 0.2, 0.3, 0.4, 0.5], [0.6, 0.55, 0.3, 0.2, 0.15, 0.15]


def test_the_lessons_picture_is_supported():
    found = verdicts_of(planted(RISING, FALLING))
    assert found[1]["verdict"] == "supported"
    assert found[2]["verdict"] == "supported"
    assert [part["verdict"] for part in found[2]["parts"]] == ["supported"] * 4


def test_swapped_branches_contradict_it():
    found = verdicts_of(planted(FALLING, RISING))
    assert found[1]["verdict"] == "contradicted"
    assert found[2]["verdict"] == "contradicted"
    assert [part["verdict"] for part in found[2]["parts"]][:3] == ["contradicted"] * 3


def test_reversed_layers_contradict_it():
    found = verdicts_of(planted(RISING[::-1], FALLING[::-1]))
    assert found[1]["verdict"] == "contradicted"
    assert [part["verdict"] for part in found[2]["parts"]][:3] == ["contradicted"] * 3


def test_sign_of_the_distance_relation():
    strong = {"noise": 1e-6}
    falling = verdicts_of(planted(RISING, FALLING, -1, -1, **strong))[3]
    rising = verdicts_of(planted(RISING, FALLING, 1, 1, **strong))[3]
    assert (falling["verdict"], falling["parts"][0]["side"]) == ("contradicted", "below")  # tau is about -1, not -.5
    assert (rising["verdict"], rising["parts"][0]["side"]) == ("contradicted", "above")


def test_separation_has_a_side():
    strong = {"noise": 1e-6}
    below = verdicts_of(planted(RISING, FALLING, -1, 1, **strong))[4]
    above = verdicts_of(planted(RISING, FALLING, 1, -1, **strong))[4]
    same = verdicts_of(planted(RISING, FALLING, -1, -1, **strong))[4]
    assert (below["verdict"], below["parts"][0]["side"]) == ("supported", "mlp_higher")
    assert (above["verdict"], above["parts"][0]["side"]) == ("supported", "attention_higher")
    assert same["verdict"] == "contradicted"


@pytest.mark.parametrize(
    ("slope", "verdict", "side"), [(1.0, "supported", None), (1.8, "contradicted", "above"), (0.4, "contradicted", "below")]
)
def test_shift_by_slope(slope, verdict, side):
    found = verdicts_of(planted(RISING, FALLING, slope=slope))[5]
    assert (found["verdict"], found["parts"][0]["side"]) == (verdict, side)


def test_statements_are_the_lessons_five():
    assert [statement.number for statement in STATEMENTS] == [1, 2, 3, 4, 5]
    assert {part.measure for statement in STATEMENTS for part in statement.parts} <= set(MEASURES)
