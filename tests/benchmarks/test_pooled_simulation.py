"""The simulation of pooled verdicts: its data are what it says, and its published figures meet what is asked of them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from analyses.mi_distance_pooled.measured import CONTROLS, MEASURES
from benchmarks.pooled_simulation import AS_MEASURED, NULL, SIZES, data_set, simulate, spread, table

ROOT = Path(__file__).parents[2]
FIGURES = json.loads((ROOT / "benchmarks" / "results" / "pooled_simulation.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("skewed", [False, True])
def test_texts_differ_by_the_measured_standard_deviation(skewed):
    values = data_set(np.random.default_rng(1), AS_MEASURED, 4000, skewed=skewed)
    for measure in ("early_difference", "mean_tau", "tau_difference"):
        place = CONTROLS.index("different_word"), slice(None), MEASURES.index(measure)
        of_texts = values.estimate[place].reshape(3, 4000, 2).mean(axis=-1)
        np.testing.assert_allclose(of_texts.std(axis=-1), spread(measure), rtol=0.06)
        np.testing.assert_allclose(of_texts.mean(axis=-1), AS_MEASURED[measure], atol=4 * spread(measure).max() / np.sqrt(4000))


def test_the_standard_deviation_is_that_of_the_published_mean_and_t():
    # .279 with t = 25 over 58 texts.
    assert spread("early_difference")[0] == pytest.approx(0.279 / 25 * 58**0.5)


def test_a_few_data_sets_get_the_right_verdict():
    found = simulate(AS_MEASURED, 12, 8, [5])
    assert found["early_layers"]["conclusion"]["supported"] == 1
    assert found["deep_layers"]["conclusion"]["contradicted"] == 1


def worlds(name):
    return [row for row in FIGURES["worlds"] if row["world"].startswith(name)]


def test_what_is_wrong_is_supported_in_five_of_a_hundred_at_the_most():
    (nothing,), (opposite,) = worlds("nothing"), worlds("the opposite")
    assert nothing["texts"] == 10
    for row in (nothing, opposite):
        for name, sources in row["statements"].items():
            assert sources["conclusion"]["supported"] <= 0.05, (row["world"], name)
    for name, sources in nothing["statements"].items():
        assert name == "tau_separation" or sources["conclusion"]["contradicted"] <= 0.05, name
    (lesson,) = worlds("as the lesson says")
    for name, sources in lesson["statements"].items():
        assert sources["conclusion"]["contradicted"] <= 0.05, name


def test_the_interval_covers_the_mean_over_texts():
    count = FIGURES["settings"]["data_sets"]
    error = np.sqrt(0.05 * 0.95 / count)
    assert {(row["texts"], row["count"]) for row in FIGURES["coverage"]} == {(kind, k) for kind in ("normal", "skewed") for k in SIZES}
    for row in FIGURES["coverage"]:
        assert 0.93 <= row["mean"] <= 0.97, row
        # The lowest and the highest of some twenty shares lie within their sampling error of these.
        assert row["lowest"] >= 0.93 - 2 * error, row
        assert row["highest"] <= 0.97 + 2 * error, row


def test_ten_texts_decide_what_was_measured():
    (ten,) = [row for row in worlds("as measured") if row["texts"] == 10]
    assert ten["statements"]["early_layers"]["conclusion"]["supported"] > 0.95
    assert ten["statements"]["deep_layers"]["conclusion"]["contradicted"] > 0.95


def test_the_table_of_the_documentation_is_that_of_the_figures():
    text = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    rows = [line for line in table(FIGURES).splitlines() if line.startswith("| ") and not re.match(r"\| (statement|texts are)", line)]
    assert rows
    assert [row for row in rows if row not in text] == []


def test_nothing_has_no_difference():
    assert {value for name, value in NULL.items() if name != "shift_slope"} == {0.0}
