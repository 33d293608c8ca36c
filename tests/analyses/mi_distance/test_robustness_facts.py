"""Which sentence on robustness is chosen, and that both languages have it with every value it asks for."""

import numpy as np
import pytest

from analyses.mi_distance import analysis
from analyses.mi_distance.facts import facts
from analyses.mi_distance.facts.robustness import robustness_captions, robustness_facts
from analyses.mi_distance.hypotheses import STATEMENTS
from analyses.mi_distance.study import analyse
from analyses.progress import SilentProgress
from analyses.protocol import Results
from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)


@pytest.fixture(scope="module")
def results(make_input, small_settings):
    varied = small_settings.robustness.model_copy(update={"enabled": True, "simulations": 200, "trim": (None, 4.0)})
    settings = small_settings.model_copy(update={"robustness": varied})
    return analyse(make_input(occurrences=7, layers=6, controls=False), settings, SilentProgress())


def with_verdicts(results: Results, verdicts: list[str], conclusion: str) -> Results:
    """The same, had the specifications of statement 1 these verdicts in turn, and the study this conclusion."""
    variable = results.dataset["specification_verdict"]
    values = variable.to_numpy().copy().astype(object)
    values[0] = np.resize(verdicts, values.shape[1])
    study = results.study | {
        "conclusions": [row | ({"verdict": conclusion} if row["statement"] == 1 else {}) for row in results.study["conclusions"]]
    }
    return Results(results.dataset.assign(specification_verdict=(variable.dims, values.astype(str))), results.activations, study)


def first_statement(results: Results) -> dict:
    return robustness_facts(results)["specification"]["statements"][0]


@pytest.mark.parametrize(
    ("verdicts", "conclusion", "key", "same"),
    [
        (["supported"], "supported", "specification.all", 1),
        (["supported", "inconclusive"], "supported", "specification.some", 0.5),
        (["supported", "inconclusive"], "inconclusive", "specification.some", 0.5),
        (["supported", "contradicted"], "inconclusive", "specification.none", 0),
    ],
)
def test_share_of_specifications_in_which_the_conclusion_stands(results, verdicts, conclusion, key, same):
    found = first_statement(with_verdicts(results, verdicts, conclusion))
    assert found["key"] == key
    assert found["count"] == 30
    assert found["same"] == same * 30
    assert found["values"]["share"]["value"] == same
    others = {item["values"]["verdict"]["key"].removeprefix("verdict.") for item in found["values"]["others"]["values"]}
    assert others == set(verdicts) - {conclusion}
    if not others:
        assert found["values"]["others"]["values"] == []


@pytest.mark.parametrize("verdicts", [["supported"], ["supported", "inconclusive"], ["contradicted", "not_testable"]])
@pytest.mark.parametrize("code", ["vi", "en"])
def test_every_sentence_can_be_said_in_both_languages(results, verdicts, code):
    found = robustness_facts(with_verdicts(results, verdicts, "supported"))["specification"]
    for statement in found["statements"]:
        assert LANGUAGES[code].text(statement["key"], **statement["values"])
        assert LANGUAGES[code].text(statement["spread"]["key"], **statement["spread"]["values"])
    assert LANGUAGES[code].text(found["tokens"])


def test_range_of_the_estimates_is_that_of_the_data(results):
    for row, (statement, found) in enumerate(zip(STATEMENTS, robustness_facts(results)["specification"]["statements"], strict=True)):
        estimates = results.dataset["specification_estimate"].to_numpy()[row]
        estimates = estimates[np.isfinite(estimates)]
        values = found["spread"]["values"]
        assert found["name"] == statement.name
        assert (values["low"]["value"], values["high"]["value"]) == (estimates.min(), estimates.max())
        low, high = {"negative_tau": (-0.65, -0.35), "constant_shift": (0.9, 1.1)}.get(statement.name, (0, np.inf))
        count = values["inside"] if "inside" in values else values["above"]
        assert count["values"] == {"count": np.sum((estimates > low) & (estimates <= high)), "total": len(estimates)}


@pytest.mark.parametrize(
    ("low", "high", "place"),
    [(0.01, 0.03, "within"), (0.01, 0.0299, "below"), (0.07, 0.12, "within"), (0.0701, 0.12, "above"), (0.01, 0.2, "within")],
)
def test_a_test_misses_its_level_when_its_interval_leaves_three_to_seven_per_cent(results, low, high, place):
    along = ("simulated_test",)
    at = results.dataset["simulated_test"] == "mantel"
    ends = {
        "type_one_error_low": (along, np.where(at, low, 0.04)),
        "type_one_error": (along, np.where(at, (low + high) / 2, 0.05)),
        "type_one_error_high": (along, np.where(at, high, 0.06)),
    }
    found = robustness_facts(Results(results.dataset.assign(ends), results.activations, results.study))["independence"]
    assert "simulated.mantel" in [item["values"]["test"]["key"] for item in found[place]["values"]]
    assert (found["band"]["low"]["value"], found["band"]["high"]["value"]) == pytest.approx((0.03, 0.07))


@pytest.mark.parametrize(("low", "often"), [(0.0, False), (0.04, False), (0.0699, False), (0.08, True)])
def test_the_t_test_is_said_to_reject_too_often_only_where_it_does(results, low, often):
    """In a study whose occurrences share no variance it keeps its level: then the first pages do not say that sharing spoils it."""

    def everywhere(value):
        return ("simulated_test",), np.full(results.dataset.sizes["simulated_test"], value)

    ends = {"type_one_error_low": everywhere(low), "type_one_error": everywhere(low + 0.02), "type_one_error_high": everywhere(low + 0.04)}
    found = robustness_facts(Results(results.dataset.assign(ends), results.activations, results.study))["independence"]
    assert found["t_too_often"] is often


def test_calibration_gives_estimate_minus_truth(results):
    dataset = results.dataset
    found = robustness_facts(results)["calibration"]["related"]
    here = dataset.sel(correlation=0.6, calibrated_estimator="histogram")
    assert found["truth"]["value"] == pytest.approx(-np.log(1 - 0.36) / 2)
    assert found["error"]["histogram"]["value"] == pytest.approx(float(here["calibration_mean"] - here["calibration_truth"]))


def test_without_such_numbers_there_are_no_such_facts(results):
    names = [name for name in results.dataset.variables if name.startswith(("specification", "calibrat", "correlation"))]
    names += [name for name in results.dataset.variables if "simulated_test" in results.dataset[name].dims]
    bare = Results(results.dataset.drop_vars(names), results.activations, results.study)
    assert robustness_facts(bare) == {"specification": None, "calibration": None, "independence": None, "any": False}


@pytest.mark.parametrize(
    ("verdicts", "conclusion", "english"),
    [
        (["supported"], "supported", None),
        (["supported", "inconclusive"], "supported", None),  # half is no minority
        (["supported", "inconclusive", "inconclusive"], "supported", "Only 10 of 30 ways of analysis give this verdict."),
        (["supported"] + ["contradicted"] * 29, "supported", "Only 1 of 30 ways of analysis gives this verdict."),
        (["inconclusive"], "supported", "None of the 30 ways of analysis gives this verdict by itself."),
        (["supported"], "inconclusive", None),  # nothing was decided that few ways could be said to decide
    ],
)
def test_a_verdict_of_a_minority_is_told_wherever_it_is_announced(results, verdicts, conclusion, english):
    changed = with_verdicts(results, verdicts, conclusion)
    found = facts(changed)
    language = LANGUAGES["en"]
    statement = found["statements"][0]
    assert (statement["minority"] and language.format(statement["minority"]["sentence"])) == english
    short = {None: None}.get(english, statement["minority"] and language.format(statement["minority"]["short"]))
    (row,) = [row for row in found["answers"] if (row["statement"], row["measure"]) == (1, "whole")]
    assert (row["says"] is not None and language.format(row["says"]).endswith(str(short))) == (english is not None)
    listed = [item for each in found["conclusion_lists"] for item in each["values"].get("names", {"values": []})["values"]]
    (item,) = [item for item in listed if item["values"]["number"] == 1]
    assert (item["key"] == "conclusion.item.minority") == (english is not None)
    abstract = " ".join(language.format(each) for each in found["abstract"])
    assert ("ways of analysis" in abstract) == any(each["minority"] for each in found["statements"])


def test_a_change_of_tau_that_is_none_is_not_printed_as_a_number(results):
    for change, expected in ((0.0, None), (1e-16, None), (0.0004, ".0004"), (0.25, ".250")):
        dataset = results.dataset.assign(specification_log_distance_change=((), change))
        found = robustness_facts(Results(dataset, results.activations, results.study))["specification"]["log_change"]
        assert (found and LANGUAGES["en"].format(found)) == expected


def test_a_caption_names_only_what_was_taken_off_somewhere(results):
    assert set(results.dataset["specification_control"].to_numpy()) == {"none"}
    assert robustness_captions(results)["specification_information"]["values"] == ""
    variable = results.dataset["specification_control"]
    taken_off = np.resize(["none", "different_word"], variable.shape)
    varied = Results(results.dataset.assign(specification_control=(variable.dims, taken_off)), results.activations, results.study)
    said = LANGUAGES["en"].format(robustness_captions(varied)["specification_information"]["values"])
    assert "plain MI and the excess over different words" in said
    assert "centred" not in said
