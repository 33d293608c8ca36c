import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest
import xarray
from typer.testing import CliRunner

import reportgen
from analyses.errors import InputError
from analyses.progress import SilentProgress
from reportgen import pipeline
from reportgen.bundle import read_bundle
from reportgen.cache import Cache
from reportgen.cli import app
from reportgen.identity import inputs_of


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """How often the study was computed."""
    log = tmp_path / "log"
    log.write_text("")
    monkeypatch.setenv("FAKE_LETTERS_LOG", str(log))
    return lambda: log.read_text().count("run\n")


@pytest.fixture
def study(tmp_path):
    def write(**keys):
        file = tmp_path / "study.yaml"
        file.write_text(json.dumps({"name": "mine", "word": "tea", "text": "Tea and tea.", **keys}))
        return file

    return write


def files(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_the_python_interface(renderer, tmp_path, letters):
    settings = letters.settings_type(name="mine", word="tea", text="Tea and tea.")
    results = reportgen.analyze(settings)
    documents = reportgen.render(results, tmp_path / "out")
    assert tmp_path / "out" / "report.html" in documents
    assert read_bundle(tmp_path / "out" / "bundle").study["settings"]["word"] == "tea"
    assert reportgen.render(tmp_path / "out" / "bundle", tmp_path / "again", languages=["vi"], formats=["pdf"]) == (
        tmp_path / "again" / "figures" / "profile.svg",
        tmp_path / "again" / "vi" / "report.pdf",
    )


@pytest.mark.slow
def test_render_is_a_function_whatever_was_imported():
    code = "import inspect, reportgen, reportgen.documents, reportgen.pipeline; print(inspect.signature(reportgen.render))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().startswith("(bundle: "), "help() shows what it takes"
    assert reportgen.render is pipeline.render


def test_settings_of_no_analysis():
    with pytest.raises(InputError, match="belong to no registered analysis"):
        reportgen.analyze({"word": "tea"})


def test_an_unchanged_run_computes_and_renders_nothing_and_writes_nothing(renderer, runs, study, tmp_path):
    cache, out = Cache(), tmp_path / "out"
    first = pipeline.run(study(), out, cache=cache)
    written = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    assert (runs(), len(renderer)) == (1, 1)
    second = pipeline.run(study(), out, cache=cache)
    assert (runs(), len(renderer)) == (1, 1)
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == written
    assert first.documents == second.documents


@pytest.mark.slow
def test_kept_results_give_the_same_bytes_as_fresh_ones(renderer, study, tmp_path):
    cache = Cache()
    pipeline.run(study(), tmp_path / "first", cache=cache)
    pipeline.run(study(), tmp_path / "kept", cache=cache)
    pipeline.run(study(), tmp_path / "fresh")
    assert files(tmp_path / "first") == files(tmp_path / "kept") == files(tmp_path / "fresh")


@pytest.mark.parametrize("change", [{"counting": {"bins": 3}}, {"seed": 2}, {"text": "Other tea."}, {"word": "and"}])
def test_a_changed_setting_computes_again(renderer, runs, study, tmp_path, change):
    pipeline.run(study(), tmp_path / "out", cache=Cache())
    pipeline.run(study(**change), tmp_path / "out", cache=Cache())
    assert (runs(), len(renderer)) == (2, 2)


def test_other_languages_are_rendered_but_not_computed(renderer, runs, study, tmp_path):
    pipeline.run(study(), tmp_path / "out", languages=["vi"], cache=Cache())
    pipeline.run(study(), tmp_path / "out", languages=["en"], cache=Cache())
    assert (runs(), renderer) == (1, [(("vi",), ("html", "pdf")), (("en",), ("html", "pdf"))])


def test_course_metadata_is_rendered_but_not_computed(renderer, runs, study, tmp_path, letters, monkeypatch):
    class WithDocument(letters.settings_type):
        document: dict[str, str] = pydantic.Field(default_factory=dict)

    monkeypatch.setattr(type(letters), "settings_type", WithDocument)
    for course in ("one", "two"):
        pipeline.run(study(document={"course": course}), tmp_path / "out", cache=Cache())
        assert read_bundle(tmp_path / "out" / "bundle").study["settings"]["document"] == {"course": course}
    assert (runs(), len(renderer)) == (1, 2)


def test_changed_code_computes_again(renderer, runs, study, tmp_path, monkeypatch):
    pipeline.run(study(), tmp_path / "out", cache=Cache())
    monkeypatch.setattr(pipeline, "computation_code", lambda analysis: "another")
    pipeline.run(study(), tmp_path / "out", cache=Cache())
    assert (runs(), len(renderer)) == (2, 1)
    monkeypatch.setattr(pipeline, "rendering_code", lambda analysis, templates: "another")
    pipeline.run(study(), tmp_path / "out", cache=Cache())
    assert (runs(), len(renderer)) == (2, 2)


@pytest.mark.slow
def test_own_templates_are_rendered_again_when_they_change(renderer, study, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for text in ("one", "one", "two"):
        (own / "style.css").write_text(text)
        pipeline.run(study(), tmp_path / "out", templates=own, cache=Cache())
    assert len(renderer) == 2


def test_no_cache(renderer, runs, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert CliRunner().invoke(app, ["run", "letters", "--no-cache"]).exit_code == 0
    assert (runs(), len(renderer)) == (2, 2)
    assert Cache().use() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "where"),
    [
        (("run", "letters"), "reportgen.pipeline.write_files"),
        (("run", "letters"), "reportgen.pipeline._render_into"),
        (("render", "done/bundle"), "reportgen.pipeline._render_into"),
        (("analyze", "letters"), "reportgen.bundle.write_files"),
        (("baseline", "done/bundle"), "reportgen.baseline._write_files"),
    ],
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_is_a_matter_of_the_folder(renderer, monkeypatch, tmp_path, command, where, number):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["run", "letters", "--out", "done", "--quiet"]).exit_code == 0

    def full(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(where, full)
    ended = CliRunner().invoke(app, [*command, "--out", "far/new", *(["--no-cache"] if command[0] != "baseline" else []), "--quiet"])
    assert ended.exit_code == 2
    assert ended.stderr.count("\n") == 1
    assert os.strerror(number) in ended.stderr
    assert "new" in ended.stderr
    assert "choose another" in ended.stderr
    # What was computed is not lost with what could not be rendered.
    if command[0] == "run" and where.endswith("_render_into"):
        assert [path.name for path in (tmp_path / "far" / "new").iterdir()] == ["bundle"]
        assert read_bundle(tmp_path / "far" / "new" / "bundle").study["settings"]["name"] == "letters"
    else:
        assert not (tmp_path / "far").exists()
    assert [path for path in tmp_path.rglob("*") if "partial" in path.name] == []


def test_cache_commands(renderer, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(app, list(arguments))

    assert call("cache", "info").stdout == f"{tmp_path / 'cache' / 'results'}\n"
    assert call("run", "letters").exit_code == 0
    stages = {stage["stage"]: stage["entries"] for stage in json.loads(call("cache", "info", "--json").stdout)["stages"]}
    assert stages == {"results": 1, "documents": 1}
    assert "results        1 entries" in call("cache", "info").stdout
    assert json.loads(call("cache", "clear", "--json").stdout)["removed"] == 2
    assert Cache().use() == []


def test_a_kept_entry_that_is_damaged_is_made_again(renderer, runs, study, tmp_path):
    cache = Cache()
    pipeline.run(study(), tmp_path / "out", cache=cache)
    for file in cache.folder.rglob("study.json"):
        file.write_text("{}")
    pipeline.run(study(), tmp_path / "out", cache=cache)
    assert runs() == 2


class TwoStepLetters:
    """Captures the lengths of the words, computes from them."""

    captures = 0

    def capture_settings(self, settings):
        return {"text": settings.text}

    def capture(self, settings, progress):
        type(self).captures += 1
        return xarray.Dataset({"length": ("occurrence", [len(word) for word in settings.text.split()])}), {"text": settings.text}

    def compute(self, settings, captured, facts, progress):
        assert captured["length"].values.tolist() == [len(word) for word in facts["text"].split()]
        return self.run(settings, progress)


def test_the_capture_is_kept_when_only_the_rest_changes(renderer, runs, study, tmp_path, letters, monkeypatch):
    monkeypatch.setattr(TwoStepLetters, "captures", 0)
    for name in ("capture_settings", "capture", "compute", "captures"):
        monkeypatch.setattr(type(letters), name, vars(TwoStepLetters)[name], raising=False)
    for bins in (10, 20, 20):
        pipeline.run(study(counting={"bins": bins}), tmp_path / "out", cache=Cache())
    assert (type(letters).captures, runs()) == (1, 2)
    pipeline.run(study(text="Another tea."), tmp_path / "out", cache=Cache())
    assert (type(letters).captures, runs()) == (2, 3)


def test_inputs_follow_the_contents_of_model_and_files(tmp_path, letters):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"one")
    base = {"name": "a", "word": "tea", "text": "tea"}

    def inputs(**keys):
        return inputs_of(letters.settings_type(**base, **keys), SilentProgress())

    of_model = {"source": "folder", "name": str(model)}
    first = inputs(model=of_model)
    assert inputs(model={**of_model, "offline": True}) == first
    assert inputs(model={**of_model, "device": "cpu"}) != first
    for name, content in (("model.safetensors", b"two"), ("config.json", b"{ }"), ("tokenizer.json", b"{}")):
        (model / name).write_bytes(content)
        assert inputs(model=of_model) != first
        first = inputs(model=of_model)
    ready = tmp_path / "ready.npz"
    ready.write_bytes(b"one")
    with_file = inputs(activations_file=str(ready))
    ready.write_bytes(b"two")
    assert inputs(activations_file=str(ready)) != with_file
    with pytest.raises(InputError, match="activations_file: there is no file"):
        inputs(activations_file=str(tmp_path / "gone.npz"))


def test_ready_activations_need_no_model(tmp_path, letters):
    (tmp_path / "ready.npz").write_bytes(b"one")
    gone = {"source": "folder", "name": str(tmp_path / "gone")}
    settings = letters.settings_type(name="a", word="tea", activations_file=str(tmp_path / "ready.npz"), model=gone)
    assert inputs_of(settings, SilentProgress())["models"] == {}


def test_documents_of_others_beside_ours_are_never_removed(renderer, study, tmp_path):
    other = tmp_path / "out" / "another-study" / "report.html"
    other.parent.mkdir(parents=True)
    other.write_text("somebody's")
    pipeline.run(study(), tmp_path / "out")
    pipeline.run(study(seed=3), tmp_path / "out", languages=["vi"], formats=["html"])
    assert other.read_text() == "somebody's"
    left = {Path(name).parts[0] for name in files(tmp_path / "out")}
    assert left == {"another-study", "bundle", "figures", "vi"}
