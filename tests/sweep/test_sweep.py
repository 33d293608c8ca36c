"""A grid from its file to its pooled report: what is computed, what is kept, and what a kill costs."""

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy
import pandas
import pytest
import xarray
from typer.testing import CliRunner

from analyses.errors import InputError, MissingError
from analyses.mi_distance import cells as mi_cells
from analyses.mi_distance import study as mi_study
from analyses.mi_distance.cells import cell_settings, cells
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.study import run as run_study
from analyses.progress import SilentProgress
from reportgen import registry
from reportgen.cli import app
from reportgen.sweep import grid_file
from reportgen.sweep.cell_group import longest_first
from reportgen.sweep.grid import Text, load_grid, stop_words_of, texts_of, words_in
from reportgen.sweep.plan import plan, shard
from reportgen.sweep.store import CELLS, FAILED, Store, packed
from reportgen.sweep.work import work

# The grid


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wrong": 1}, "wrong: "),
        ({"seed": -1}, "seed: "),
        ({"models": []}, "models: "),
        ({"models": [{"source": "folder"}]}, "models.0: name: "),
        ({"texts": {}}, "texts: expected exactly one of folder, file, list"),
        ({"texts": {"folder": "a", "file": "b.csv"}}, "texts: expected exactly one of folder, file, list"),
        ({"texts": {"list": [{"name": "one"}]}}, "texts.list.0: expected either text or text_file"),
        ({"words": {"list": ["a"], "column": "word"}}, "words: expected exactly one of"),
        ({"words": {"every": {"at_least": 1}}}, "words.every.at_least: "),
        ({"settings": {"word": "tea"}}, "settings: word is each cell's own"),
        ({"settings": {"robustness": {}}}, "settings: robustness is each cell's own"),
    ],
)
def test_what_is_wrong_in_a_grid_is_said_with_its_key(grid, changes, said):
    with pytest.raises(InputError, match=r"grid\.yaml") as refused:
        load_grid(grid(**changes))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"texts": {"folder": "nowhere"}}, "texts.folder: there is no folder"),
        ({"texts": {"file": "nowhere.csv"}}, "texts.file: there is no file"),
        ({"texts": {"file": "grid.yaml"}}, "expected a .csv, .jsonl or .parquet file"),
        ({"texts": {"list": [{"name": "one", "text": "a"}, {"name": "one", "text": "b"}]}}, "two texts are named one"),
        ({"words": {"by_text": {"elsewhere": "tea"}}}, "there is no text named elsewhere"),
        ({"words": {"by_text": {"t0": []}}}, "no text has a word to study"),
        ({"settings": {"estimation": {"bins": 0}}}, "settings.estimation.bins: "),
        ({"settings": {"colour": 1}}, "settings.colour: "),
        ({"analysis": "similarity"}, "analysis: studies of similarity are not made for a sweep"),
        ({"analysis": "nothing"}, "there is no analysis 'nothing'"),
    ],
)
def test_what_a_grid_cannot_have_is_said_before_anything_is_computed(grid, changes, said):
    file = grid(**changes)
    with pytest.raises(InputError) as refused:
        plan(load_grid(file), file, SilentProgress())
    assert said in str(refused.value)


def test_texts_from_a_folder_and_from_tables(tmp_path, grid):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "b.txt").write_text("Second.\n", encoding="utf-8")
    (folder / "a.txt").write_text("First.\n", encoding="utf-8")
    rows = [
        {"name": "a", "file": "a.txt", "language": "vi", "word": "one", "parallel": "p"},
        {"name": "b", "text": "Second.", "word": "two"},
    ]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "t.csv").write_text("name,file,text,language,word,parallel\na,a.txt,,vi,one,p\nb,,Second.,,two,\n", encoding="utf-8")
    pandas.DataFrame(rows).to_parquet(folder / "t.parquet")
    expected = [Text("a", "First.", "vi", ("one",), "p"), Text("b", "Second.", "en", ("two",))]
    for name in ("t.csv", "t.jsonl", "t.parquet"):
        file = grid(texts={"file": f"texts/{name}", "language": "en"})
        assert texts_of(load_grid(file), file) == expected
    file = grid(texts={"folder": "texts"})
    assert texts_of(load_grid(file), file) == [Text("a", "First.", None, ()), Text("b", "Second.", None, ())]


@pytest.mark.parametrize("line", ["[1, 2]", "{", '{"text": "no name"}', '{"name": "both", "text": "a", "file": "b"}'])
def test_a_row_that_is_none_is_named(tmp_path, grid, line):
    (tmp_path / "t.jsonl").write_text(line + "\n", encoding="utf-8")
    file = grid(texts={"file": "t.jsonl"})
    with pytest.raises(InputError, match=r"t\.jsonl, (line|row) 1"):
        texts_of(load_grid(file), file)


def test_a_sample_of_texts_is_that_of_its_seed(grid):
    many = {"list": [{"name": f"t{number:02}", "text": str(number)} for number in range(20)], "most": 5}
    samples = {}
    for seed in (1, 1, 2):
        file = grid(texts=many, seed=seed)
        names = [text.name for text in texts_of(load_grid(file), file)]
        assert len(names) == 5
        assert names == sorted(names)
        assert samples.setdefault(seed, names) == names
    assert samples[1] != samples[2]


def test_every_word_that_occurs_often_enough(grid):
    text = Text("t", "Tea, tea and TEA; tea and and and coffee. Coffee, coffee, coffee, the the the the.", "en", ())
    words = {"at_least": 4, "stop_words": ["The"]}
    assert words_in(load_grid(grid(words={"every": words})), text) == ("and", "coffee", "tea")
    assert words_in(load_grid(grid(words={"every": {**words, "most": 1}})), text) == ("and",)


def test_stop_words_are_those_of_the_language(grid):
    every = load_grid(grid(words={"every": {"at_least": 4}}))
    english = Text("t", "The tea and the pot. " * 4, "en", ())
    assert words_in(every, english) == ("pot", "tea")
    assert words_in(every, replace(english, language="en-GB")) == ("pot", "tea")
    assert words_in(every, replace(english, language="de")) == ("the", "and", "pot", "tea")
    assert words_in(every, replace(english, language=None)) == ("the", "and", "pot", "tea")
    assert words_in(every, Text("t", "Những con sông của ta. " * 4, "vi", ())) == ("sông",)
    # One that names its own takes those only.
    assert words_in(load_grid(grid(words={"every": {"at_least": 4, "stop_words": []}})), english) == ("the", "and", "pot", "tea")


@pytest.mark.parametrize("language", ["en", "vi"])
def test_no_word_of_the_corpus_is_a_stop_word(language):
    file = grid_file("corpus")
    settings = load_grid(file)
    words = {word for text in texts_of(settings, file) if text.language == language for word in text.words}
    assert len(words) >= 20
    assert not {part for word in words for part in word.split() if part in stop_words_of(language)}


@pytest.mark.model
def test_the_grid_of_the_documentation_is_one(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "sweep.md").read_text(encoding="utf-8")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("A river, a boat.", encoding="utf-8")
    file = tmp_path / "letters.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    planned = plan(load_grid(file), file, SilentProgress())
    assert [(cell.text.name, cell.settings.word) for cell in planned.cells] == [("one", "river"), ("one", "boat")]


# The plan and the store


def test_shards_share_out_all_groups():
    groups = [[number] for number in range(7)]
    parts = [shard(groups, f"{number}/3") for number in (1, 2, 3)]
    assert sorted(group for part in parts for group in part) == groups
    for wrong in ("0/3", "4/3", "1", "a/b", "1/0", "-1/3", ""):
        with pytest.raises(InputError, match="--shard"):
            shard(groups, wrong)


def test_much_work_comes_before_little(grid, text_of, embedded_model):
    """A model's groups stay together; in each the text with most pairs of its word's occurrences is first, as it takes longest."""
    texts = [{"name": f"text{times}", "text": f"{text_of(0)}{' More coffee.' * times}"} for times in (1, 5, 3)]
    models = [{"source": "embedded"}, {"source": "embedded", "untrained": True}]
    planned = plan(load_grid(grid(models=models, texts={"list": texts}, words={"list": ["coffee"]})), Path("grid.yaml"), SilentProgress())
    ordered = longest_first(planned.groups())
    found = [(cell.settings.model.untrained, cell.text.name) for (cell,) in ordered]
    assert found == [(second, f"text{times}") for second in (False, True) for times in (5, 3, 1)]


def test_a_cell_is_known_by_all_that_its_numbers_depend_on(grid, text_of):
    def keys(**changes):
        file = grid(**changes)
        return [cell.key for cell in plan(load_grid(file), file, SilentProgress()).cells]

    first = keys()
    assert len(set(first)) == 6
    assert keys() == first
    assert keys(document={"authors": ["Somebody"]}) == first
    assert keys(name="other") == first
    assert not set(keys(settings={"permutations": 199})) & set(first)
    # Which letters are the same depends on the language of the text.
    turkish = {"list": [{"name": f"t{turn}", "text": text_of(turn), "language": "tr"} for turn in range(3)]}
    assert not set(keys(texts=turkish)) & set(first)
    more = keys(words={"list": ["coffee", "tea", "house"]})
    assert set(first) < set(more)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["folder", "memory://sweep"])
def test_what_a_store_holds(tmp_path, address):
    store = Store(str(tmp_path / "store") if address == "folder" else f"{address}-{tmp_path.name}")
    results = registry.analysis_named("mi_distance", "test").example()
    results.study["analysis"] = "mi_distance"
    content = packed(results)
    assert content == packed(results)
    assert store.keys(CELLS) == set()
    store.write(f"{CELLS}/a.zip", content)
    store.write(f"{CELLS}/b.zip", content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    store.write(f"{CELLS}/c.zip", content[:5000])
    store.write_failure("d", "too long")
    assert store.keys(CELLS) == {"a", "b", "c"}
    assert store.whole(store.keys(CELLS)) == {"a"}
    assert store.keys(FAILED) == {"d"}
    assert json.loads(store.read("failed/d.json")) == {"key": "d", "reason": "too long"}
    store.remove_failure("d")
    store.remove_failure("d")
    assert store.keys(FAILED) == set()


def test_a_folder_is_the_same_from_wherever_a_worker_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store("out/store")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Store(store.address).write("plan.json", b"{}")
    assert (tmp_path / "out" / "store" / "plan.json").read_bytes() == b"{}"


def test_what_a_killed_writer_left_is_swept_up(tmp_path):
    store = Store(str(tmp_path))
    store.write(f"{CELLS}/a.zip", b"whole")
    (tmp_path / CELLS / ".b.zip.x1").write_bytes(b"half")
    (tmp_path / CELLS / ".c.zip.x2").write_bytes(b"half of another writer, who is at it")
    os.utime(tmp_path / CELLS / ".b.zip.x1", (0, 0))
    assert store.keys(CELLS) == {"a"}
    store.sweep_up()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == ["cells/.c.zip.x2", "cells/a.zip"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_store_on_a_full_disk_is_named_and_holds_what_it_held(tmp_path, monkeypatch, call):
    store = Store(str(tmp_path / "store"))
    store.write("plan.json", b"old")

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(InputError, match=r"--store .*store: cannot be written \(No space left on device\); choose another --store"):
            store.write("plan.json", b"new")
    assert store.read("plan.json") == b"old"
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["plan.json"]


def test_a_store_that_cannot_be_reached_is_named():
    with pytest.raises((InputError, MissingError), match="--store nonsense://x"):
        Store("nonsense://x")


# The cells


def test_a_text_that_is_read_once_gives_each_word_the_numbers_of_its_own_study(tiny_gpt2, text_of):
    whole = StudySettings(name="small", word="coffee", text=text_of(1), model=tiny_gpt2, permutations=99)
    studies = [cell_settings(whole.model_copy(update={"word": word})) for word in ("coffee", "tea")]
    for study, cell in zip(studies, cells(studies, SilentProgress()), strict=True):
        alone = run_study(study, SilentProgress())
        assert cell.study["verdicts"] == alone.study["verdicts"]
        assert {"mean_mutual_information", "word_specific_excess", "kendall_tau", "word_specific_kendall_tau"} <= set(
            cell.dataset.data_vars
        )
        for name, variable in cell.dataset.data_vars.items():
            xarray.testing.assert_identical(variable.variable, alone.dataset[name].variable)
        # Neither a vector nor a single pair is kept.
        assert set(cell.dataset.dims) <= {"estimator", "branch", "layer"}
        assert numpy.isfinite(cell.dataset.mean_mutual_information).all()


def test_a_word_that_cannot_be_studied_is_recorded_and_tried_again_when_asked(grid, text_of, tmp_path):
    file = grid(words={"list": ["coffee", "elephant"]}, texts={"list": [{"name": "t", "text": text_of(0)}]})
    planned = plan(load_grid(file), file, SilentProgress())
    store = Store(str(tmp_path / "store"))
    done = work(planned.groups(), store, SilentProgress(), workers=1)
    assert (done.computed, done.there, done.failed) == (1, 0, 1)
    (key,) = store.keys(FAILED)
    assert "elephant" in json.loads(store.read(f"failed/{key}.json"))["reason"]
    again = work(planned.groups(), store, SilentProgress(), workers=1)
    assert (again.computed, again.there, again.failed) == (0, 1, 1)
    store.write_failure(key, "of another kind")
    work(planned.groups(), store, SilentProgress(), workers=1, retry=True)
    assert "elephant" in json.loads(store.read(f"failed/{key}.json"))["reason"]


# The command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "GRID nowhere.yaml: there is no such file"),
        (["corpse"], 'did you mean "corpus"'),
        (["corpus", "--lang", "xx"], "--lang xx"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, arguments, said):
    done = CliRunner().invoke(app, ["sweep", *arguments, "--out", str(tmp_path)], prog_name="reportgen")
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.model
def test_what_would_be_done(tmp_path):
    done = CliRunner().invoke(app, ["sweep", "corpus", "--out", str(tmp_path), "--dry-run"], prog_name="reportgen")
    assert done.exit_code == 0, done.stderr
    assert "models: 1, texts: 48, words: 48, cells: 48" in done.stdout
    assert "in the store: 0, could not be computed before: 0, to be computed: 48" in done.stdout
    assert re.search(r"^to take: about \d+ minutes? on \d+ processors$", done.stdout, re.MULTILINE)
    assert not list(tmp_path.iterdir())


def test_a_look_ahead_counts_the_estimates_that_a_cell_makes(monkeypatch, grid):
    """Where an estimate takes a second and nothing else any time, the time is the number of estimates."""
    file = grid_file("corpus")
    cell = plan(load_grid(file), file, SilentProgress()).cells[0]
    counted = []

    def counting(activation, first, second, *arguments, **named):
        counted.append(activation.shape[0] * activation.shape[1] * len(first))
        return {name: numpy.random.default_rng(0).normal(size=(*activation.shape[:-2], len(first))) for name in ESTIMATORS}

    monkeypatch.setattr(mi_study, "pairwise_mutual_information", counting)
    monkeypatch.setattr(mi_cells, "_seconds_per_estimate", lambda *_: 1.0)
    monkeypatch.setattr(mi_cells, "_SHARE_OF_ESTIMATES", 1.0)
    expected = mi_cells.seconds(cell.settings)
    list(cells([cell.settings], SilentProgress()))
    assert sum(counted) == expected
