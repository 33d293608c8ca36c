"""Pooled numbers against an independent computation, and the verdicts against what was planted."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas
import pytest
import scipy.stats

from analyses.mi_distance_pooled.cells import read_sweep
from analyses.mi_distance_pooled.settings import PooledSettings
from analyses.mi_distance_pooled.study import analyse
from analyses.mi_distance_pooled.tables import tables
from analyses.mi_distance_pooled.verification import recomputed
from analyses.progress import SilentProgress


def cells_of(folder):
    """text, word, part, estimator, control, estimate straight from the files."""
    rows = []
    for entry in json.loads((folder / "plan.json").read_text())["cells"]:
        with zipfile.ZipFile(folder / "cells" / f"{entry['key']}.zip") as archive:
            study = json.loads(archive.read("study.json"))
        for verdict in study["verdicts"]:
            for part in verdict["parts"]:
                head = (entry["text"]["name"], entry["word"], part["measure"], verdict["estimator"], verdict["control"])
                rows.append((*head, part["estimate"]))
    return pandas.DataFrame(rows, columns=["text", "word", "part", "estimator", "control", "estimate"])


def test_means_over_texts_are_those_of_pandas_and_scipy(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.holds, texts=7)
    found = {(row["part"], row["estimator"], row["control"]): row for row in worlds.pooled(folder).study["groups"][0]["pooled"]}
    of_texts = cells_of(folder).groupby(["part", "estimator", "control", "text"])["estimate"].mean()
    groups = of_texts.groupby(["part", "estimator", "control"])
    assert set(groups.groups) == set(found)
    for place, values in groups:
        expected = scipy.stats.ttest_1samp(values, 0)
        interval = expected.confidence_interval(0.95)
        row = found[place]
        assert [row["estimate"], row["low"], row["high"]] == pytest.approx([values.mean(), interval.low, interval.high], abs=1e-9)
        assert row["sd"] == pytest.approx(values.std(ddof=1), abs=1e-9)


def test_profiles_are_means_over_texts(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.holds, texts=4)
    dataset = worlds.pooled(folder).dataset
    values = dataset["text_word_specific_excess"].values
    assert values.shape[0] == 4
    np.testing.assert_allclose(dataset["word_specific_excess"].values, values.mean(axis=0), rtol=0, atol=1e-12)
    ends = scipy.stats.t.interval(0.95, 3, values.mean(axis=0), scipy.stats.sem(values, axis=0))
    np.testing.assert_allclose(dataset["word_specific_excess_low"].values, ends[0], rtol=0, atol=1e-9)


def verdicts(results):
    return [row["verdict"] for row in results.study["conclusions"]]


def test_what_holds_is_supported(worlds):
    results = worlds.results(worlds.holds)
    assert verdicts(results) == ["supported"] * 5
    assert [row["after_holm"] for row in results.study["conclusions"]] == ["supported"] * 5


def test_what_does_not_hold_is_contradicted(worlds):
    results = worlds.results(worlds.fails)
    assert verdicts(results) == ["contradicted"] * 5
    assert all(row["p_holm"] >= row["p"] for row in results.study["conclusions"])


def test_nothing_is_left_open(worlds):
    assert set(verdicts(worlds.results(worlds.nothing, spread=0.15, seed=4))) <= {"inconclusive", "not_testable"}


def test_two_texts_test_nothing(worlds):
    assert verdicts(worlds.results(worlds.holds, texts=2)) == ["not_testable"] * 5


def test_the_p_value_is_that_of_the_t_test(worlds):
    results = worlds.results(worlds.holds, spread=0.2, texts=8)
    row = next(
        row
        for row in results.study["verdicts"]
        if (row["statement"], row["estimator"], row["control"]) == (1, "histogram", "different_word")
    )
    values = results.dataset["text_estimate"].sel(control="different_word", estimator="histogram", measure="early_difference").values
    assert row["verdict"] == "supported"
    assert row["p"] == pytest.approx(scipy.stats.ttest_1samp(values, 0).pvalue, abs=1e-12)


def test_a_text_that_alone_makes_a_verdict_is_named(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.nothing | {"early_difference": 0.02}, texts=6, spread=0.003, words=("river",))
    plan = json.loads((folder / "plan.json").read_text())
    key = plan["cells"][2]["key"]
    values = {
        (control, estimator): worlds.nothing | {"early_difference": -0.3}
        for control in ("none", "different_word")
        for estimator in ("histogram", "corrected", "nearest_neighbour")
    }
    worlds.write_cell(folder, key, worlds.study_of(values, "river"), 1)
    results = worlds.pooled(folder)
    assert results.study["conclusions"][0]["verdict"] == "inconclusive"
    changes = results.study["left_out"]["text"]["changes"]
    assert {"left_out": "text-3", "statement": 1, "verdict": "supported", "opposed": False} in changes


def test_models_stand_beside_each_other_and_five_are_concluded_over(worlds):
    few = worlds.results(worlds.holds, texts=4, models=("one", "two"))
    assert few.study["over_models"] is None
    assert few.dataset["model_depth"].values[0].tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    many = worlds.results(worlds.holds, texts=3, models=tuple("abcde"))
    assert [row["verdict"] for row in many.study["over_models"]["conclusions"]] == ["supported"] * 5


def test_languages_are_judged_apart_too(worlds):
    results = worlds.results(worlds.holds, languages=("en", "vi"))
    assert [(group["language"], group["texts"]) for group in results.study["groups"]] == [(None, 10), ("en", 5), ("vi", 5)]


def test_the_study_knows_no_path_of_the_machine(worlds, tmp_path):
    written = json.dumps(worlds.pooled(worlds.write(tmp_path, worlds.holds, texts=3)).study)
    assert str(tmp_path) not in written


def test_the_same_cells_give_the_same_tables(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.holds, texts=4)
    one, other = (tables(worlds.pooled(folder)) for _ in range(2))
    for name, frame in one.items():
        pandas.testing.assert_frame_equal(frame, other[name])


def test_an_interval_of_tau_ends_where_tau_does(worlds, tmp_path):
    sweep = read_sweep(worlds.write(tmp_path, worlds.holds, texts=3, words=("river",)), SilentProgress())
    cells = tuple(
        replace(cell, profiles=dict(cell.profiles) | {"kendall_tau": np.full((3, 2, 6), tau)})
        for cell, tau in zip(sweep.cells, (-0.9, 0.0, 0.9), strict=True)
    )
    dataset = analyse(replace(sweep, cells=cells), PooledSettings(name="taus", cells_folder="cells"), SilentProgress()).dataset
    assert scipy.stats.t.ppf(0.975, 2) * 0.9 / np.sqrt(3) > 1
    assert set(dataset["kendall_tau_low"].values.ravel()) == {-1.0}
    assert set(dataset["kendall_tau_high"].values.ravel()) == {1.0}


def test_a_text_and_its_translation_count_as_one(worlds, tmp_path):
    """Two versions are averaged first: t(5) over six texts, not t(11) over twelve."""
    folder = worlds.write(tmp_path, worlds.holds, texts=12, languages=("en", "vi"), translated=True)
    study = worlds.pooled(folder).study
    whole = study["groups"][0]
    assert [group["texts"] for group in study["groups"]] == [6, 6, 6]
    assert [(group["language"], group["cells"]) for group in study["groups"]] == [(None, 24), ("en", 12), ("vi", 12)]
    assert study["versions"] == 12
    assert study["texts"][0] == {
        "name": "passage-1", "languages": ["en", "vi"], "versions": ["text-1", "text-2"], "words": ["river", "stone"], "occurrences": 32
    }  # fmt: skip
    cells = cells_of(folder)
    cells["passage"] = [(int(name.removeprefix("text-")) + 1) // 2 for name in cells["text"]]
    of_passages = cells.groupby(["part", "estimator", "control", "passage"])["estimate"].mean()
    for row in whole["pooled"]:
        values = of_passages[row["part"], row["estimator"], row["control"]]
        interval = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert [row["texts"], row["estimate"], row["low"], row["high"]] == [
            6, *(pytest.approx(number, abs=1e-9) for number in (values.mean(), interval.low, interval.high))
        ]  # fmt: skip
    assert set(tables(worlds.pooled(folder))["cells"].columns) >= {"text", "version", "language"}


def test_a_text_that_stands_there_twice_as_a_translation_decides_nothing_more(worlds, tmp_path):
    """Versions with the same values: the interval is that of the texts alone, whatever number of versions there is."""
    folder = worlds.write(tmp_path, worlds.holds, texts=5)
    once = worlds.pooled(folder).study["groups"][0]["pooled"]
    plan = json.loads((folder / "plan.json").read_text())
    for entry in list(plan["cells"]):
        entry["text"]["parallel"] = entry["text"]["name"]
        again = json.loads(json.dumps(entry)) | {"key": f"{entry['key']}b"}
        again["text"] |= {"name": f"{entry['text']['name']}-b", "language": "vi"}
        (folder / "cells" / f"{again['key']}.zip").write_bytes((folder / "cells" / f"{entry['key']}.zip").read_bytes())
        plan["cells"].append(again)
    (folder / "plan.json").write_text(json.dumps(plan))
    twice = worlds.pooled(folder).study["groups"][0]["pooled"]
    for one, two in zip(once, twice, strict=True):
        for name in ("texts", "estimate", "low", "high"):
            assert two[name] == pytest.approx(one[name], abs=1e-12)


@pytest.mark.parametrize("world", ["holds", "fails", "nothing"])
def test_other_libraries_give_the_same_numbers(worlds, tmp_path, world):
    folder = worlds.write(
        tmp_path, getattr(worlds, world), texts=12, languages=("en", "vi"), translated=True, models=("one", "two"), spread=0.15
    )
    results = worlds.pooled(folder)
    pairs = recomputed(results, SilentProgress())
    assert {"text_estimate", "word_specific_excess_low", "pooled_low", "pooled_meta_low", "pooled_prediction_high", "pooled_q_p"} <= set(
        pairs
    )
    assert {"p_holm", "without_one_text_lowest", "without_one_word_highest", "agreeing_texts"} <= set(pairs)
    for name, (held, anew) in pairs.items():
        np.testing.assert_allclose(anew, held, rtol=0, atol=1e-9, err_msg=name)


def test_a_number_that_does_not_follow_from_the_cells_is_found(worlds, tmp_path):
    results = worlds.pooled(worlds.write(tmp_path, worlds.holds, texts=6))
    results.study["groups"][0]["pooled"][3]["high"] += 1e-6
    results.dataset["text_estimate"][0, 0, 2, 1] += 1e-6
    wrong = [name for name, (held, anew) in recomputed(results, SilentProgress()).items() if np.nanmax(np.abs(held - anew)) > 1e-9]
    assert wrong == ["text_estimate", "pooled_high"]
