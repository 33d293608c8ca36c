"""Which sentence is chosen, for every verdict that can be reached, and that both languages have it with every value it asks for."""

import copy
import itertools
import re
from collections.abc import Mapping

import numpy as np
import pytest

from analyses.mi_distance import analysis
from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.facts import facts
from analyses.mi_distance.facts.by_branch import by_branch
from analyses.mi_distance.facts.controls import _by_chance, _unshown
from analyses.mi_distance.facts.layers import differing_layers
from analyses.mi_distance.facts.statements import lesson_sentences, other_verdicts, part_table
from analyses.mi_distance.hypotheses import ONE_BRANCH
from analyses.mi_distance.names import CONTROLS
from analyses.mi_distance.shown import pair_values
from analyses.occurrences.facts.counts import where
from analyses.protocol import Results
from analyses.statistics.verdicts import conjunction
from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages, placeholders

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)

# Every verdict, with its side where it has one, that the rule of a statement's parts can reach.
POSITIVE = [("supported", None), ("contradicted", None), ("inconclusive", None), ("not_testable", None)]
RANGE = [("supported", None), ("contradicted", "above"), ("contradicted", "below"), ("inconclusive", None), ("not_testable", None)]
SEPARATED = [
    ("supported", "attention_higher"),
    ("supported", "mlp_higher"),
    ("contradicted", None),
    ("inconclusive", None),
    ("not_testable", None),
]
REACHABLE = {
    "early_layers": {"early_difference": POSITIVE},
    "deep_layers": dict.fromkeys(("deep_difference", "attention_rise", "mlp_fall", "mlp_level"), POSITIVE),
    "negative_tau": {"mean_tau": [*POSITIVE, ("contradicted", ONE_BRANCH), ("inconclusive", ONE_BRANCH)], "tau_half": RANGE},
    "tau_separation": {"tau_difference": SEPARATED},
    "constant_shift": {"shift_slope": RANGE},
}
ALL_OUTCOMES = [
    (name, measure, *outcome) for name, parts in REACHABLE.items() for measure, outcomes in parts.items() for outcome in outcomes
]
PRIMARY = {name: "none" if name == "constant_shift" else "different_word" for name in REACHABLE}


ALL_THREE = ("histogram", "corrected", "nearest_neighbour")


def with_verdict(results, name, measure, verdict, side, estimators=ALL_THREE, control=None, *, firm=True):
    """The same results, had one part of what is concluded from come out otherwise."""
    study = copy.deepcopy(results.study)
    for row in study["verdicts"]:
        if row["name"] != name or row["estimator"] not in estimators or row["control"] != (control or PRIMARY[name]):
            continue
        for part in row["parts"]:
            if part["measure"] == measure:
                part |= {"verdict": verdict, "firm": firm and verdict == "contradicted", "side": side}
                if verdict == "not_testable":
                    part |= {"low": None, "high": None}
            elif len(row["parts"]) > 1:
                part |= {"verdict": "supported", "firm": False, "side": None}
        row["verdict"] = conjunction(row["parts"])
        deciding = next(part for part in row["parts"] if part["verdict"] == row["verdict"] or part["measure"] == measure)
        row |= {key: deciding[key] for key in ("estimate", "low", "high")} | {"part": deciding["measure"]}
    study["conclusions"] = conclude(study["verdicts"])
    return Results(results.dataset, results.activations, study)


def statement(found, name):
    return next(each for each in found["statements"] if each["name"] == name)


def sentences(value):
    """Every {key, values} anywhere in the facts: what a template may turn into a sentence."""
    if isinstance(value, dict):
        if isinstance(value.get("key"), str) and "values" in value:
            yield value["key"], value["values"]
        for each in value.values():
            yield from sentences(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from sentences(each)


def assert_all_can_be_written(found):
    """In both languages, with values for all placeholders and no leftover of one."""
    for key, values in sentences({name: value for name, value in found.items() if name != "captions"}):
        for language in LANGUAGES.values():
            written = language.text(key, **values)
            assert "%(" not in written
            assert "nan" not in written.lower().split()


@pytest.mark.parametrize(("name", "measure", "verdict", "side"), ALL_OUTCOMES)
def test_sentence_of_every_outcome(results, name, measure, verdict, side):
    found = facts(with_verdict(results, name, measure, verdict, side))
    row = statement(found, name)
    suffix = ".".join(filter(None, (verdict, side)))
    # What a part of several came to is said of the part; the statement's own sentence gives the verdict on all of them.
    whole = verdict if row["parts"] else suffix
    assert row["verdict"] == verdict
    assert row["finding"]["key"] == f"finding.{name}.{whole}"
    if row["parts"]:
        part = next(part for part in row["parts"] if part["measure"] == measure)
        assert part["key"] in (f"part.{measure}.{suffix}", f"part.{measure}.{suffix}.alike")
    assert (row["reason"] is None) == (verdict != "inconclusive")
    if row["reason"]:
        assert all(row["reason"] in language.catalogue for language in LANGUAGES.values())
    assert_all_can_be_written(found)


def test_no_sentence_of_a_verdict_is_out_of_reach():
    prefix = "finding"
    reachable = set()
    for name, parts in REACHABLE.items():
        outcomes = next(iter(parts.values())) if len(parts) == 1 else POSITIVE
        for verdict, side in outcomes:
            reachable.add(".".join(filter(None, (prefix, name, verdict, side))))
    # Of layer means that are mostly error.
    reachable.add("finding.constant_shift.not_testable.flat")
    for language in LANGUAGES.values():
        written = {key for key in language.catalogue if key.startswith(f"{prefix}.") and key.split(".")[1] in REACHABLE}
        assert written == reachable


def test_no_sentence_of_a_part_is_out_of_reach():
    # Sentences that follow from the numbers, and one that is of any part: see the tests below.
    half = "part.tau_half"
    reachable = {f"{half}.not_testable.wide", f"{half}.not_testable.wide.both", f"{half}.inconclusive.unjudged"}
    reachable |= {f"{half}.inconclusive.unjudged.outside", "part.mlp_level.supported.alike", "part.alone"}
    for parts in REACHABLE.values():
        if len(parts) > 1:
            reachable |= {
                ".".join(filter(None, ("part", measure, verdict, side))) for measure, found in parts.items() for verdict, side in found
            }
    for language in LANGUAGES.values():
        assert {key for key in language.catalogue if key.startswith("part.")} == reachable


def with_ends(results, measure, **ends):
    """The results with other ends of a part's interval, by estimator."""
    for row in results.study["verdicts"]:
        for part in row["parts"]:
            if part["measure"] == measure and row["estimator"] in ends:
                part |= dict(zip(("estimate", "low", "high"), ends[row["estimator"]], strict=True))
    return results


def part_of_facts(results, name, measure):
    found = facts(results)
    assert_all_can_be_written(found)
    return next(part for part in statement(found, name)["parts"] if part["measure"] == measure)


@pytest.mark.parametrize(
    ("nearest", "key"),
    [((-0.4, -0.9, 0.1), "part.tau_half.not_testable.wide.both"), ((-0.4, -0.5, -0.3), "part.tau_half.not_testable.wide")],
)
def test_an_interval_that_is_too_wide_is_named_as_the_reason(results, nearest, key):
    changed = with_verdict(results, "negative_tau", "tau_half", "not_testable", None)
    changed = with_ends(changed, "tau_half", histogram=(-0.4, -0.9, 0.1), nearest_neighbour=nearest)
    assert part_of_facts(changed, "negative_tau", "tau_half")["key"] == key


@pytest.mark.parametrize(
    ("nearest", "key"),
    [((0.0, -0.1, 0.1), "part.tau_half.inconclusive.unjudged.outside"), ((-0.3, -0.4, -0.2), "part.tau_half.inconclusive.unjudged")],
)
def test_the_size_of_a_tau_that_is_not_shown_to_be_negative_is_not_judged(results, nearest, key):
    changed = with_verdict(results, "negative_tau", "mean_tau", "inconclusive", None)
    for row in changed.study["verdicts"]:
        if row["name"] == "negative_tau":
            row["parts"][1] |= {"verdict": "inconclusive", "side": None}
    changed.study["conclusions"] = conclude(changed.study["verdicts"])
    changed = with_ends(changed, "tau_half", histogram=(0.0, -0.1, 0.1), nearest_neighbour=nearest)
    assert part_of_facts(changed, "negative_tau", "tau_half")["key"] == key


@pytest.mark.parametrize(("before", "key"), [(-0.001, "part.mlp_level.supported.alike"), (-5.0, "part.mlp_level.supported")])
def test_a_profile_that_fell_slowly_before_did_not_level_off(results, before, key):
    changed = with_verdict(results, "deep_layers", "mlp_level", "supported", None)
    for row in changed.study["verdicts"]:
        for part in row["parts"]:
            if part["measure"] == "mlp_level":
                part["before"] = {"estimate": before, "low": before - 0.0005, "high": before + 0.0005}
    assert part_of_facts(changed, "deep_layers", "mlp_level")["key"] == key


def test_what_one_estimator_alone_would_decide_is_said(results):
    changed = with_verdict(results, "deep_layers", "attention_rise", "inconclusive", None)
    assert part_of_facts(changed, "deep_layers", "attention_rise")["alone"] is None
    for row in changed.study["verdicts"]:
        if row["name"] == "deep_layers" and row["estimator"] == "nearest_neighbour":
            next(part for part in row["parts"] if part["measure"] == "attention_rise")["verdict"] = "contradicted"
    changed.study["conclusions"] = conclude(changed.study["verdicts"])
    alone = part_of_facts(changed, "deep_layers", "attention_rise")["alone"]
    assert LANGUAGES["en"].text(alone["key"], **alone["values"]) == "By nearest neighbours alone: contradicted."


@pytest.mark.parametrize(("verdict", "agreeing", "key"), [
    ("inconclusive", (7, 9), "reason.crossing"), ("contradicted", (7, 9), "reason.crossing"),
    ("inconclusive", (7, 10), None), ("supported", (7, 9), None),
])  # fmt: skip
def test_a_difference_of_either_sign_is_told_from_none(results, verdict, agreeing, key):
    changed = with_verdict(results, "tau_separation", "tau_difference", verdict, "attention_higher" if verdict == "supported" else None)
    counts = dict(zip(("histogram", "nearest_neighbour"), agreeing, strict=True))
    for row in changed.study["verdicts"]:
        if row["name"] == "tau_separation" and row["estimator"] in counts:
            row["parts"][0] |= {"agreeing_layers": counts[row["estimator"]], "layers": 10}
    assert statement(facts(changed), "tau_separation")["crossing"] == key


def test_the_verdict_by_another_control_is_the_shared_one(results):
    """Where one estimator alone has another verdict by another control, what both conclude together stays."""
    changed = with_verdict(results, "early_layers", "early_difference", "inconclusive", None)
    others = [row for row in changed.study["verdicts"] if row["name"] == "early_layers" and row["control"] in ("centred", "repeated_words")]
    assert others
    for row in others:
        verdict = "supported" if row["estimator"] == "histogram" else "inconclusive"
        row["verdict"] = row["parts"][0]["verdict"] = verdict
    changed.study["conclusions"] = conclude(changed.study["verdicts"])
    assert statement(facts(changed), "early_layers")["controls"]["key"] == "controls.single"
    for row in others:
        row["verdict"] = row["parts"][0]["verdict"] = "supported"
    changed.study["conclusions"] = conclude(changed.study["verdicts"])
    assert statement(facts(changed), "early_layers")["controls"]["key"] == "controls.differ"


@pytest.mark.parametrize(("measured", "named"), [
    (("repeated_words", "centred"), ("repeated", "centred")), (("centred",), ("centred",)), (("repeated_words",), ("repeated",)), ((), ()),
])  # fmt: skip
def test_only_a_control_that_was_measured_is_named(results, measured, named):
    """A text may repeat no other word: then nothing is said of what such words as a control would give."""
    changed = with_verdict(results, "early_layers", "early_difference", "supported", None)
    verdicts = changed.study["verdicts"]
    changed.study["verdicts"] = [row for row in verdicts if row["control"] not in {"repeated_words", "centred"} - set(measured)]
    for row in changed.study["verdicts"]:
        if row["name"] == "early_layers":
            row["verdict"] = row["parts"][0]["verdict"] = "supported"
    changed.study["conclusions"] = conclude(changed.study["verdicts"])
    said = statement(facts(changed), "early_layers")["controls"]
    words = LANGUAGES["en"].text(said["key"]).lower() if said else ""
    assert tuple(word for word in ("repeated", "centred") if word in words) == named


def test_an_open_part_beside_intervals_that_seem_to_decide_it_says_why_it_is_open(results):
    """Means below zero of which one estimator leaves a branch open; and a tau outside the range that is not judged therefore."""
    study = copy.deepcopy(results.study)
    for row in study["verdicts"]:
        if (row["name"], row["control"]) == ("negative_tau", "different_word"):
            open_branch = row["estimator"] == "histogram"
            first = {"verdict": "inconclusive", "side": ONE_BRANCH} if open_branch else {"verdict": "supported", "side": None}
            ends = {"estimate": -0.06, "low": -0.1, "high": -0.02, "firm": False}
            row["parts"] = [row["parts"][0] | first | ends, row["parts"][1] | {"verdict": "inconclusive", "side": None} | ends]
            row["verdict"] = "inconclusive"
    study["conclusions"] = conclude(study["verdicts"])
    parts = statement(facts(Results(results.dataset, results.activations, study)), "negative_tau")["parts"]
    assert [part["says"]["key"] for part in parts] == [f"says.mean_tau.inconclusive.{ONE_BRANCH}", "says.tau_half.inconclusive.unjudged"]


def test_a_part_that_is_shown_is_in_the_conclusion(results):
    changed = with_verdict(results, "negative_tau", "tau_half", "not_testable", None)
    listed = [each["key"] for each in facts(changed)["conclusion_lists"]]
    supported = statement(facts(changed), "negative_tau")["parts"][0]["verdict"] == "supported"
    assert ("conclusion.part" in listed) == supported


@pytest.mark.parametrize(
    ("counts", "layers", "key"),
    [
        ((0,), 10, "count.layers.none"),
        ((1,), 10, "count.layers.one"),
        ((4,), 10, "count.layers.some"),
        ((10,), 10, "count.layers.all"),
        ((2,), 2, "count.layers.both"),
        ((1,), 1, "count.layers.only"),
        ((0,), 1, "count.layers.not_one"),
        ((0, 0), 10, "count.alike.none"),
        ((4, 4), 10, "count.alike"),
        ((2, 2), 2, "count.alike"),
        ((4, 5), 10, "count.each"),
    ],
)
def test_layers_are_counted_in_words(counts, layers, key):
    said = where(dict(zip(("histogram", "nearest_neighbour"), counts, strict=False)), layers)
    assert said["key"] == key
    for language in LANGUAGES.values():
        written = language.format(said)
        assert "%(" not in written
        assert " 1 layers" not in written
        # A count by both estimators names them, alike or not.
        assert bool(re.search("histogram|estimator|cách ước lượng", written)) == (len(counts) == 2)
        assert "0 and" not in written


def test_sentences_of_different_verdicts_differ():
    for language in LANGUAGES.values():
        for prefix in ("finding",):
            for name in REACHABLE:
                texts = [text for key, text in language.catalogue.items() if key.startswith(f"{prefix}.{name}.")]
                by_verdict = {
                    verdict: {text for key, text in language.catalogue.items() if key.startswith(f"{prefix}.{name}.{verdict}")}
                    for verdict in ("supported", "contradicted", "inconclusive", "not_testable")
                }
                assert texts
                for one, other in itertools.combinations(by_verdict.values(), 2):
                    assert not one & other


@pytest.mark.parametrize("before", ["attention", "mlp", "open"])
@pytest.mark.parametrize("after", ["attention", "mlp", "open"])
@pytest.mark.parametrize(
    ("band", "name", "measure"), [("early", "early_layers", "early_difference"), ("deep", "deep_layers", "deep_difference")]
)
def test_what_becomes_of_the_order(results, before, after, band, name, measure):
    # Attention minus MLP; the early statement has it the other way round.
    ends = {"attention": (0.02, 0.06), "mlp": (-0.06, -0.02), "open": (-0.03, 0.05)}
    study = copy.deepcopy(results.study)
    for row in study["verdicts"]:
        if row["name"] != name or row["control"] not in ("none", "different_word"):
            continue
        low, high = ends[before if row["control"] == "none" else after]
        if band == "early":
            low, high = -high, -low
        part = next(part for part in row["parts"] if part["measure"] == measure)
        part |= {"low": low, "high": high, "estimate": (low + high) / 2}
    found = facts(Results(results.dataset, results.activations, study))
    expected = {
        (True, True): f"stays.{before}" if before == after else f"reverses.{before}",
        (True, False): f"lost.{before}",
        (False, True): f"appears.{after}",
        (False, False): "open_before",
    }[(before != "open", after != "open")]
    for row in found["controls"]["order"][band]:
        assert row["key"] == f"order.{expected}"
        assert row["values"]["before"]["value"] == pytest.approx(np.mean(ends[before]))
        assert row["values"]["before_interval"]["low"] == pytest.approx(ends[before][0])
        assert row["values"]["after_interval"]["high"] == pytest.approx(ends[after][1])
    if band == "deep":
        headline = found["controls"]["headline"]
        assert (headline is None) == (expected == "open_before")
        assert headline is None or headline["key"] == f"headline.{expected}"
    assert_all_can_be_written(found)


def test_one_estimator_alone_makes_no_headline(results):
    study = copy.deepcopy(results.study)
    for row in study["verdicts"]:
        if row["name"] != "deep_layers" or row["control"] not in ("none", "different_word"):
            continue
        part = next(part for part in row["parts"] if part["measure"] == "deep_difference")
        reversed_ = row["estimator"] == "nearest_neighbour" and row["control"] == "different_word"
        low, high = (-0.06, -0.02) if reversed_ else (0.02, 0.06)
        part |= {"low": low, "high": high, "estimate": (low + high) / 2}
    assert facts(Results(results.dataset, results.activations, study))["controls"]["headline"] is None


@pytest.mark.parametrize(
    ("name", "measure", "reason"),
    [
        ("early_layers", "early_difference", "reason.interval"),
        ("tau_separation", "tau_difference", "reason.interval"),
        ("constant_shift", "shift_slope", "reason.range"),
        ("deep_layers", "mlp_fall", "reason.parts"),
        ("negative_tau", "tau_half", "reason.parts"),
    ],
)
def test_reason_of_an_open_verdict(results, name, measure, reason):
    assert statement(facts(with_verdict(results, name, measure, "inconclusive", None)), name)["reason"] == reason


@pytest.mark.parametrize(("name", "measure", "side"), [("deep_layers", "mlp_fall", None), ("negative_tau", "tau_half", "above")])
def test_a_part_that_contradicts_by_its_narrow_interval_only_is_the_reason(results, name, measure, side):
    found = statement(facts(with_verdict(results, name, measure, "contradicted", side, firm=False)), name)
    assert (found["verdict"], found["reason"]) == ("inconclusive", "reason.not_firm")
    assert [part["verdict"] for part in found["parts"] if part["measure"] == measure] == ["contradicted"]


def test_disagreeing_estimators_are_the_reason_and_are_named(results):
    changed = with_verdict(results, "early_layers", "early_difference", "supported", None)
    changed = with_verdict(changed, "early_layers", "early_difference", "contradicted", None, estimators=("nearest_neighbour",))
    row = statement(facts(changed), "early_layers")
    assert (row["verdict"], row["reason"]) == ("inconclusive", "reason.estimators")
    assert row["estimators"]["key"] == "estimators.differ"
    named = {
        other["values"]["verdict"]["key"]: (other["key"], [each["key"] for each in other["values"]["estimators"]["values"]])
        for other in row["estimators"]["others"]
    }
    assert named == {
        "verdict.supported": ("estimators.other.some", ["estimator.within.histogram", "estimator.within.corrected"]),
        "verdict.contradicted": ("estimators.other.some", ["estimator.within.nearest_neighbour"]),
    }


def test_a_control_that_changes_every_estimator_says_so_once(results):
    changed = with_verdict(results, "early_layers", "early_difference", "supported", None)
    for row in changed.study["verdicts"]:
        if row["name"] == "early_layers" and row["control"] not in ("none", "different_word"):
            row["verdict"] = "contradicted" if row["control"] == "centred" else "supported"
    changed.study["conclusions"] = conclude(changed.study["verdicts"])
    others = statement(facts(changed), "early_layers")["controls"]["others"]
    assert [(each["key"], each["values"]["verdict"]["key"]) for each in others] == [("controls.other.all", "verdict.contradicted")]


@pytest.mark.parametrize("lesson", ["supported", "contradicted"])
def test_the_lessons_version_stands_beside_the_verdict(results, lesson):
    changed = with_verdict(results, "early_layers", "early_difference", "supported", None)
    changed = with_verdict(changed, "early_layers", "early_difference", lesson, None, control="none")
    found = facts(changed)
    row = statement(found, "early_layers")
    assert (row["verdict"], row["lesson"]) == ("supported", lesson)
    # Said once for all statements of which it is the same, and once for those of which it is not.
    values = found["lesson"][0]["values"]
    same = values["statements"]["values"]["numbers"]["values"] if "statements" in values else []
    others = values["others"]["values"] if "others" in values else []
    other = {each["values"]["verdict"]["key"] for each in others if 1 in each["values"]["statements"]["values"]["numbers"]["values"]}
    assert (row["number"] in same, other) == ((True, set()) if lesson == "supported" else (False, {f"verdict.{lesson}"}))


def test_opposite_sides_are_disagreeing_estimators(results):
    changed = with_verdict(results, "tau_separation", "tau_difference", "supported", "attention_higher")
    changed = with_verdict(changed, "tau_separation", "tau_difference", "supported", "mlp_higher", estimators=("nearest_neighbour",))
    row = statement(facts(changed), "tau_separation")
    assert (row["verdict"], row["reason"]) == ("inconclusive", "reason.estimators")


def test_values_are_those_of_the_verdict_rows(results):
    found = facts(results)
    for row in results.study["verdicts"]:
        if row["control"] != PRIMARY[row["name"]] or row["estimator"] == "corrected":
            continue
        here = statement(found, row["name"])
        sentences_of = {part["measure"]: part["values"] for part in here["parts"]} or {row["part"]: here["finding"]["values"]}
        estimator = row["estimator"]
        for part in row["parts"]:
            values = sentences_of[part["measure"]]
            assert values[estimator]["value"] == part["estimate"]
            assert values[f"{estimator}_reversed"]["value"] == -part["estimate"]
            assert (values[f"{estimator}_interval"]["low"], values[f"{estimator}_interval"]["high"]) == (part["low"], part["high"])
            turned = values[f"{estimator}_interval_reversed"]
            assert (turned["low"], turned["high"]) == (-part["high"], -part["low"])
            if "before" in part:
                assert values[f"{estimator}_before"]["value"] == part["before"]["estimate"]


def test_counts_add_up_to_five(results):
    found = facts(results)
    assert sum(found["counts"].values()) == 5
    listed = [item["values"]["statement"]["key"] for each in found["conclusion_lists"] for item in each["values"]["names"]["values"]]
    assert sorted(listed) == sorted(f"statement.{name}.short" for name in REACHABLE)


def test_significant_layers_are_counted_from_the_adjusted_p(results):
    found, data = facts(results), results.dataset
    for row in found["significance"]:
        p = {
            "t": "t_p",
            "jackknife": "mi_difference_p",
            "fisher": "fisher_p",
            "fieller": "fisher_p_fieller",
            "tau_relabelling": "tau_difference_p",
        }
        for correction in ("none", "bonferroni", "fdr_bh", "fdr_by"):
            name = p[row["test"]] + ("" if correction == "none" else f"_{correction}")
            assert row[correction] == int((data[name].sel(estimator=row["estimator"]).values < 0.05).sum())
    for test, difference in (("t", "mi_difference"), ("jackknife", "mi_difference"), ("fieller", "tau_difference")):
        for estimator in ("histogram", "nearest_neighbour"):
            counted = found["significant"][test][estimator]
            here = data.sel(estimator=estimator)
            p = here[{"t": "t_p_fdr_bh", "jackknife": "mi_difference_p_fdr_bh", "fieller": "fisher_p_fieller_fdr_bh"}[test]].values < 0.05
            assert counted["all"] == p.sum()
            assert counted["attention_higher"] == (p & (here[difference].values > 0)).sum()
            assert counted["mlp_higher"] == (p & (here[difference].values < 0)).sum()


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("occurrences", [2, 3, 4, 7])
def test_facts_can_be_written_whatever_the_size(results_of, layers, occurrences):
    found = facts(results_of(occurrences=occurrences, layers=layers))
    assert_all_can_be_written(found)
    assert found["testable"] == (occurrences > 3)


def test_both_languages_ask_for_the_same_values():
    vi, en = (LANGUAGES[code].catalogue for code in ("vi", "en"))
    assert vi.keys() == en.keys()
    assert [key for key in vi if placeholders(vi[key]) != placeholders(en[key])] == []


@pytest.mark.parametrize(("deviation", "far"), [(0, False), (0.1, False), (0.11, True), (1, True)])
def test_a_control_at_other_distances_is_said_to_be_one(results, deviation, far):
    study = copy.deepcopy(results.study)
    longest = 1000
    dataset = results.dataset.assign(token_distance=results.dataset.token_distance.where(False, longest))
    for name in ("different_word", "repeated_words"):
        study["controls"][name]["largest_distance_deviation"] = round(deviation * longest)
    found = facts(Results(dataset, results.activations, study))["controls"]["far_off"]
    assert found == {"different_word": far, "repeated_words": far}


@pytest.mark.parametrize(("count", "named"), [(1, 1), (15, 15), (16, 12), (40, 12)])
def test_of_many_repeated_words_the_others_are_counted(results, count, named):
    study = copy.deepcopy(results.study)
    study["controls"]["repeated_words"]["words"] = [f"w{number:02}" for number in range(count)]
    found = facts(Results(results.dataset, results.activations, study))["controls"]["repeated"]
    assert (len(found["words"]["values"]), found["more"]) == (named, count - named)


def test_plain_mi_that_says_the_same_the_other_way_round_is_not_said_to_agree(results):
    changed = with_verdict(results, "tau_separation", "tau_difference", "supported", "attention_higher")
    for row in changed.study["verdicts"]:
        if row["name"] == "tau_separation" and row["control"] == "none":
            row["verdict"] = "supported"
            row["parts"][0] |= {"verdict": "supported", "side": "mlp_higher"}
    changed.study["conclusions"] = conclude(changed.study["verdicts"])
    found = facts(changed)
    for code, words in (("en", "statement 4: supported, the other way round"), ("vi", "ngược lại")):
        whole = found["lesson"][0]
        assert words in LANGUAGES[code].text(whole["key"], **whole["values"])


@pytest.mark.parametrize(
    ("lesson", "english"),
    [
        (["supported"] * 4, "By plain MI, the lesson’s version, the verdict on statements 1, 2, 3, and 4 is the same."),
        (
            ["supported", "inconclusive", "supported", "inconclusive"],
            "By plain MI, the lesson’s version, the verdict on statements 1 and 3 is the same; "
            "elsewhere it is another (statements 2 and 4: inconclusive).",
        ),
        (
            ["contradicted", "inconclusive", "inconclusive", "inconclusive"],
            "By plain MI, the lesson’s version, every verdict is another "
            "(statement 1: contradicted; statements 2, 3, and 4: inconclusive).",
        ),
    ],
)
def test_the_lessons_verdicts_are_told_in_one_sentence(lesson, english):
    judged = [
        {
            "number": number,
            "control": "different_word",
            "verdict": "supported",
            "lesson": verdict,
            "lesson_opposed": False,
            "lesson_parts": [],
        }
        for number, verdict in enumerate(lesson, start=1)
    ]
    (said,) = lesson_sentences([*judged, {"number": 5, "control": "none", "verdict": "supported"}])
    assert LANGUAGES["en"].text(said["key"], **said["values"]) == english


def untestable_but_for_the_sign(results, first):
    """The study with a statement on tau that no control can test as a whole; `first` is the verdict on its sign by the control."""
    study = copy.deepcopy(results.study)
    for row in study["verdicts"]:
        if row["name"] == "negative_tau":
            row["verdict"], row["part"] = "not_testable", "tau_half"
            for part, verdict in zip(row["parts"], (first(row["control"]), "not_testable"), strict=True):
                part |= {"verdict": verdict, "firm": False, "side": None}
    study["conclusions"] = conclude(study["verdicts"])
    return study


def test_a_part_that_plain_mi_judges_otherwise_is_told_where_the_whole_is_judged_alike(results):
    """Both controls leave the statement on tau untestable as a whole; only plain MI shows that tau is negative."""
    study = untestable_but_for_the_sign(results, lambda control: "supported" if control == "none" else "inconclusive")
    found = facts(Results(results.dataset, results.activations, study))
    said = [LANGUAGES["en"].text(each["key"], **each["values"]) for each in found["lesson"]]
    assert said[1:] == [
        "Of a statement with the same verdict it judges single parts otherwise: “Tau is negative” (statement 3) – supported."
    ]
    # The table shows what the sentence says.
    shown = {(row["control"], row["verdict"]) for row in part_table(study) if row["measure"] == "mean_tau"}
    assert {("none", "supported"), ("different_word", "inconclusive")} <= shown


def test_another_control_of_the_first_part_is_told_where_the_whole_is_untestable(results):
    study = untestable_but_for_the_sign(results, lambda control: "inconclusive" if control == "repeated_words" else "supported")
    tau = statement(facts(Results(results.dataset, results.activations, study)), "negative_tau")
    assert (tau["controls"], tau["first_part"]["measure"]) == (None, "mean_tau")
    english = LANGUAGES["en"]
    told = [
        " ".join([english.text(row["statements"]["key"], **row["statements"]["values"]), *(each["key"] for each in row["sentences"])])
        for row in other_verdicts([tau])
    ]
    assert told == [
        "“Tau is negative” (statement 3) estimators.same",
        "“Tau is negative” (statement 3) controls.differ controls.other.all",
    ]


def test_a_table_of_parts_has_every_control_and_keeps_the_names_of_the_first(results):
    rows = part_table(results.study)
    names = [(row["measure"], row["by"]) for row in rows]
    assert len(set(names)) == len(names)
    assert {row["control"] for row in rows} == {row["control"] for row in results.study["verdicts"]} & set(CONTROLS)
    for row in rows:
        assert (row["by"] == row["estimator"]) == (row["control"] == "different_word")


def test_an_excess_that_is_shown_in_no_layer_is_said_in_the_abstract(results):
    """Intervals below zero change nothing: an excess is what lies above."""
    low, high = (results.dataset[f"word_specific_excess_{end}"] for end in ("low", "high"))
    for upper, key_of_sentence in ((abs(high) + 1e-9, "excess.nowhere"), (-abs(high) / 2 - 1e-9, "excess.only_negative")):
        dataset = results.dataset.assign(word_specific_excess_low=-abs(low) - abs(high) - 1, word_specific_excess_high=upper)
        found = facts(Results(dataset, results.activations, results.study))["controls"]["excess"]
        assert (found["sentence"]["key"], found["unshown"]["key"]) == (key_of_sentence, "abstract.excess.nowhere")
        assert (found["chance"] is not None) == (key_of_sentence != "excess.nowhere")


@pytest.mark.parametrize(("above", "intervals", "form"), [
    (0, 24, "nowhere"), (1, 24, None), (1, 40, "by_chance"), (3, 120, "by_chance"), (4, 120, None),
])  # fmt: skip
def test_no_more_intervals_than_chance_makes_show_no_excess(above, intervals, form):
    found = _unshown(above, intervals)
    assert (found and found["key"]) == (form and f"abstract.excess.{form}")
    if found:
        for language in LANGUAGES.values():
            said = language.format(found)
            assert said.count(".") == 1
            assert above == 0 or f"{intervals}" in said


@pytest.mark.parametrize(("layers", "expected"), [(6, "0.6"), (30, "3")])
def test_how_many_intervals_lie_above_zero_by_chance_is_said(results_of, layers, expected):
    """Of two estimators' intervals in both branches of every layer a fortieth lies above zero without any excess."""
    found = facts(results_of(occurrences=7, layers=layers))["controls"]["excess"]
    chance = _by_chance(4 * layers)
    words = LANGUAGES["en"].text(chance["key"], **chance["values"])
    assert f"2.5% of the {4 * layers} above zero, that is {expected} of them" in words
    assert found["sentence"]["key"] == "excess.nowhere" or found["chance"] == chance


def lists_within(spec, *, inside=False):
    """Lists with an "and" that stand within another such list."""
    if isinstance(spec, Mapping):
        is_list = spec.get("as") == "list" and len(spec.get("values", [])) > 1
        if is_list and inside:
            yield spec
        for value in spec.values():
            yield from lists_within(value, inside=inside or is_list)
    elif isinstance(spec, list | tuple):
        for each in spec:
            yield from lists_within(each, inside=inside)


def test_no_list_with_and_stands_within_a_list_with_and(results):
    """What holds a list is set apart by semicolons: "a and b, and c" leaves open what belongs together."""
    assert list(lists_within(facts(results))) == []
    nested = {"as": "list", "values": [{"as": "key", "key": "x", "values": {"y": {"as": "list", "values": ["a", "b"]}}}, "c"]}
    assert len(list(lists_within(nested))) == 1


@pytest.mark.parametrize(
    ("counts", "english"),
    [
        (((0, 0), (0, 0)), "in no layer of either branch, with either estimator"),
        (((3, 3), (3, 3)), "in each branch in 3 of 6 layers with both estimators"),
        (
            ((0, 0), (1, 6)),
            "in the attention branch in none of the 6 layers with either estimator, "
            "and in the MLP branch in 1 of 6 layers with the histogram and in all 6 layers with nearest neighbours",
        ),
    ],
)
def test_counts_of_both_branches_say_once_what_is_alike(counts, english):
    found = {
        branch: dict(zip(("histogram", "nearest_neighbour"), of_branch, strict=True))
        for branch, of_branch in zip(("attention", "mlp"), counts, strict=True)
    }
    assert LANGUAGES["en"].format(by_branch(found, 6)) == english


@pytest.mark.parametrize(
    ("same", "of_mlp", "key"),
    [((1.0, 2.0), (-2.0, -1.0), "repeated.open"), ((-1.0, 1.0), (-1.0, 1.0), "repeated.both.open")],
)
def test_what_is_found_of_both_branches_is_one_sentence(results, same, of_mlp, key):
    study = copy.deepcopy(results.study)
    for of_branch in study["controls"]["repeated_words"]["word_minus_repeated_deep"].values():
        of_branch["attention"] |= dict(zip(("low", "high"), same, strict=True))
        of_branch["mlp"] |= dict(zip(("low", "high"), of_mlp, strict=True))
    said = facts(Results(results.dataset, results.activations, study))["controls"]["repeated"]["sentences"]
    expected = ["repeated.above", "repeated.below"] if key == "repeated.open" else [key]
    assert [each["key"] for each in said] == expected


def test_tokens_are_counted_from_1_where_people_read_them(results):
    """As layers and occurrences are: the text's first token is token 1, in captions, in figures' data and beside the matrices."""
    positions = results.dataset["token_position"].to_numpy()
    caption = facts(results)["captions"]["activation_scatter"]
    assert (caption["first_position"], caption["second_position"]) == (positions[0] + 1, positions[1] + 1)
    data = pair_values(results)
    first = data[data["first_occurrence"] == 1]["first_token_position"]
    assert set(first) == {positions[0] + 1}
    assert (data["second_token_position"] - data["first_token_position"] == data["token_distance"]).all()


@pytest.mark.parametrize(
    ("language", "english", "vietnamese"), [("en", "other words", "từ khác"), ("vi", "other syllables", "tiếng (âm tiết) khác")]
)
def test_what_spaces_part_is_counted_as_what_it_is(results, language, english, vietnamese):
    """The words of the control are the syllables of a Vietnamese text."""
    document = {**results.study["settings"]["document"], "text_language": language}
    study = {**results.study, "settings": {**results.study["settings"], "document": document}}
    caption = facts(Results(results.dataset, results.activations, study))["captions"]["control_profile"]
    count = study["controls"]["different_word"]["words"]
    assert LANGUAGES["en"].format(caption["others"]) == f"{count} {english}"
    assert LANGUAGES["vi"].format(caption["others"]) == f"{count} {vietnamese}"


def test_what_was_set_is_written_as_it_was_set(results):
    """A range or a margin is no measurement: it has the digits that it was given, no more and no fewer."""
    study = copy.deepcopy(results.study)
    study["settings"]["hypotheses"] |= {"tau_range": [-0.625, -0.4], "same_tau_margin": 0.125, "shift_slope_range": [0.95, 1.05]}
    study["settings"]["alpha"] = 0.005
    found = facts(Results(results.dataset, results.activations, study))
    limits = {name: LANGUAGES["en"].format(spec) for name, spec in found["limits"].items()}
    assert limits["tau_range"].replace("\u00a0", " ") == "[−.625, −.400]"
    assert limits["slope_range"].replace("\u00a0", " ") == "[0.95, 1.05]"
    assert (limits["same_tau_margin"], limits["level_change"], limits["trim"]) == (".125", "0.1", "4")
    captions = found["captions"]
    assert LANGUAGES["en"].format(captions["kendall_tau_profile"]["alpha"]) == ".005"
    assert LANGUAGES["en"].format(captions["kendall_tau_profile"]["middle"]) == "−.5125"


@pytest.mark.parametrize(("shown", "english"), [
    ((), "in no layer"), ((2,), "in layer 3"), ((0, 4), "in layers 1 and 5"),
])  # fmt: skip
def test_the_key_names_the_layers_that_the_figure_marks(results, shown, english):
    """The squares of the profile are the corrected jackknife's: a layer of which only the plain interval leaves out zero has none."""
    p = results.dataset["mi_difference_p_fdr_bh"]
    planted = np.ones(p.shape)
    planted[..., list(shown)] = 0.01
    found = differing_layers(results.dataset.assign(mi_difference_p_fdr_bh=(p.dims, planted)), range(1, p.sizes["layer"] + 1), 0.05)
    assert found is not None
    said = LANGUAGES["en"].format(found)
    assert said.count(english) == 2
    untestable = results.dataset.assign(mi_difference_p_fdr_bh=(p.dims, np.full(p.shape, np.nan)))
    assert differing_layers(untestable, range(1, p.sizes["layer"] + 1), 0.05) is None
