"""Which sentence is chosen, for every verdict that can be reached, and that both languages have it with every value it asks for."""

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest

import reportgen
from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.facts import facts
from analyses.protocol import Results
from reportgen.render.languages import load_languages, placeholders

TEMPLATES = Path(reportgen.__file__).parent.parent / "templates"
LANGUAGES = load_languages(TEMPLATES)

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
    "deep_layers": dict.fromkeys(("deep_difference", "attention_rise", "mlp_fall", "mlp_flattening"), POSITIVE),
    "negative_tau": {"mean_tau": RANGE},
    "tau_separation": {"tau_difference": SEPARATED},
    "constant_shift": {"shift_slope": RANGE},
}
ALL_OUTCOMES = [
    (name, measure, *outcome) for name, parts in REACHABLE.items() for measure, outcomes in parts.items() for outcome in outcomes
]


def with_verdict(results, name, measure, verdict, side, estimators=("histogram", "corrected", "nearest_neighbour")):
    """The same results, had one part come out otherwise."""
    study = copy.deepcopy(results.study)
    for row in study["verdicts"]:
        if row["name"] != name or row["estimator"] not in estimators or row["control"] != "none":
            continue
        for part in row["parts"]:
            if part["measure"] == measure:
                part |= {"verdict": verdict, "side": side}
                if verdict == "not_testable":
                    part |= {"low": None, "high": None}
            elif len(row["parts"]) > 1:
                part |= {"verdict": "supported", "side": None}
        row |= {key: row["parts"][0][key] for key in ("estimate", "low", "high")}
        order = ("contradicted", "not_testable", "inconclusive", "supported")
        row["verdict"] = min((part["verdict"] for part in row["parts"]), key=order.index)
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
    assert row["verdict"] == verdict
    assert row["finding"]["key"] == f"finding.{name}.{suffix}"
    assert row["abstract"]["key"] == f"abstract.{name}.{suffix}"
    if row["parts"]:
        part = next(part for part in row["parts"] if part["measure"] == measure)
        assert part["key"] == f"part.{measure}.{suffix}"
    assert (row["reason"] is None) == (verdict != "inconclusive")
    if row["reason"]:
        assert all(row["reason"] in language.catalogue for language in LANGUAGES.values())
    assert_all_can_be_written(found)


@pytest.mark.parametrize("prefix", ["finding", "abstract"])
def test_no_sentence_of_a_verdict_is_out_of_reach(prefix):
    reachable = set()
    for name, parts in REACHABLE.items():
        for verdict, side in next(iter(parts.values())):
            reachable.add(".".join(filter(None, (prefix, name, verdict, side))))
    for language in LANGUAGES.values():
        written = {key for key in language.catalogue if key.startswith(f"{prefix}.") and key.split(".")[1] in REACHABLE}
        assert written == reachable


def test_no_sentence_of_a_part_is_out_of_reach():
    reachable = {f"part.{measure}.{verdict}" for measure in REACHABLE["deep_layers"] for verdict, _ in POSITIVE}
    for language in LANGUAGES.values():
        assert {key for key in language.catalogue if key.startswith("part.")} == reachable


def test_sentences_of_different_verdicts_differ():
    for language in LANGUAGES.values():
        for prefix in ("finding", "abstract"):
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
@pytest.mark.parametrize(("control", "target"), [("different_word", "order"), ("untrained", "untrained_order")])
def test_what_becomes_of_the_order(results, before, after, band, name, measure, control, target):
    # Attention minus MLP; the early statement has it the other way round.
    ends = {"attention": (0.02, 0.06), "mlp": (-0.06, -0.02), "open": (-0.03, 0.05)}
    study = copy.deepcopy(results.study)
    for row in study["verdicts"]:
        if row["name"] != name or row["control"] not in ("none", control):
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
    for row in found["controls"][target][band]:
        assert row["key"] == f"order.{expected}"
        assert row["values"]["before"]["value"] == pytest.approx(np.mean(ends[before]))
        assert row["values"]["before_interval"]["low"] == pytest.approx(ends[before][0])
        assert row["values"]["after_interval"]["high"] == pytest.approx(ends[after][1])
    if target == "order" and band == "deep":
        assert found["controls"]["headline"]["key"] == f"order.{expected}"
    assert_all_can_be_written(found)


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [(-0.1, 0.2, "reason.interval"), (0.05, 0.2, "reason.layers"), (-0.2, -0.05, "reason.layers")],
)
def test_reason_of_an_open_verdict(results, low, high, reason):
    changed = with_verdict(results, "early_layers", "early_difference", "inconclusive", None)
    for row in changed.study["verdicts"]:
        if row["name"] == "early_layers" and row["control"] == "none":
            row |= {"low": low, "high": high}
            row["parts"][0] |= {"low": low, "high": high}
    assert statement(facts(changed), "early_layers")["reason"] == reason


@pytest.mark.parametrize(("low", "high", "reason"), [(-0.9, -0.2, "reason.range"), (-0.6, -0.4, "reason.layers")])
def test_reason_of_an_open_range(results, low, high, reason):
    changed = with_verdict(results, "negative_tau", "mean_tau", "inconclusive", None)
    for row in changed.study["verdicts"]:
        if row["name"] == "negative_tau" and row["control"] == "none":
            row |= {"low": low, "high": high}
            row["parts"][0] |= {"low": low, "high": high}
    assert statement(facts(changed), "negative_tau")["reason"] == reason


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
        "verdict.supported": ("estimators.other.some", ["estimator.histogram", "estimator.corrected"]),
        "verdict.contradicted": ("estimators.other.some", ["estimator.nearest_neighbour"]),
    }


def test_a_control_that_changes_every_estimator_says_so_once(results):
    changed = with_verdict(results, "early_layers", "early_difference", "supported", None)
    for row in changed.study["verdicts"]:
        if row["name"] == "early_layers" and row["control"] != "none":
            row["verdict"] = "supported" if row["control"] == "untrained" else "contradicted"
    changed.study["conclusions"] = conclude(changed.study["verdicts"])
    others = statement(facts(changed), "early_layers")["controls"]["others"]
    assert [(each["key"], each["values"]["verdict"]["key"]) for each in others] == [("controls.other.all", "verdict.contradicted")]


def test_opposite_sides_are_disagreeing_estimators(results):
    changed = with_verdict(results, "tau_separation", "tau_difference", "supported", "attention_higher")
    changed = with_verdict(changed, "tau_separation", "tau_difference", "supported", "mlp_higher", estimators=("nearest_neighbour",))
    row = statement(facts(changed), "tau_separation")
    assert (row["verdict"], row["reason"]) == ("inconclusive", "reason.estimators")


def test_values_are_those_of_the_verdict_rows(results):
    found = facts(results)
    for row in results.study["verdicts"]:
        if row["control"] != "none" or row["estimator"] == "corrected" or row["name"] == "deep_layers":
            continue
        values = statement(found, row["name"])["finding"]["values"]
        estimator = row["estimator"]
        assert values[estimator]["value"] == row["estimate"]
        assert values[f"{estimator}_reversed"]["value"] == -row["estimate"]
        assert (values[f"{estimator}_interval"]["low"], values[f"{estimator}_interval"]["high"]) == (row["low"], row["high"])
        assert (values[f"{estimator}_interval_reversed"]["low"], values[f"{estimator}_interval_reversed"]["high"]) == (
            -row["high"],
            -row["low"],
        )
        assert values[f"{estimator}_layers"] == row["agreeing_layers"]
        assert values[f"{estimator}_other_layers"] == row["layers"] - row["agreeing_layers"]


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
