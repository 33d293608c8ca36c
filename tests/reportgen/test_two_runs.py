"""Two programs that write into one folder at the same time: what is there at the end is of one of them, as if the other had come before."""

import json
import os

import pytest

import reportgen.documents
from analyses.errors import InputError
from reportgen import pipeline
from reportgen.bundle import read_bundle


@pytest.fixture
def settings(letters):
    return {
        name: letters.settings_type(name=name, word="tea", text=f"Tea and {'tea ' * count}") for name, count in (("one", 1), ("two", 9))
    }


@pytest.fixture
def drawing(monkeypatch):
    """A renderer whose documents hold their study's name; what is put into the list happens while the next one draws."""
    meanwhile = []

    def render_documents(results, analysis, out, languages, formats, progress, templates, edition):
        while meanwhile:
            meanwhile.pop()()
        for language in languages:
            (out / language).mkdir()
            (out / language / f"{edition}.html").write_text(results.study["settings"]["name"])

    monkeypatch.setattr(reportgen.documents, "render_documents", render_documents)
    return meanwhile


def run(settings, out, *languages):
    return pipeline.run(settings, out, languages=languages, formats=["html"])


def state(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def names_in(out):
    """The names of the studies whose bundle and documents are there."""
    documents = {path.read_text() for path in out.glob("*/*.html")}
    return documents | {json.loads((out / "bundle" / "study.json").read_text())["settings"]["name"]}


def test_the_documents_of_a_run_that_ended_meanwhile_go_with_its_bundle(settings, drawing, tmp_path):
    run(settings["two"], tmp_path / "alone", "vi")
    out = tmp_path / "out"
    drawing.append(lambda: run(settings["one"], out, "vi", "en"))
    outcome = run(settings["two"], out, "vi")
    assert state(out) == state(tmp_path / "alone")
    assert outcome.results.study["settings"]["name"] == "two"


def test_those_of_the_same_study_stay(settings, drawing, tmp_path):
    out = tmp_path / "out"
    drawing.append(lambda: run(settings["one"], out, "en"))
    run(settings["one"], out, "vi")
    assert {path.parent.name for path in out.glob("*/report.html")} == {"vi", "en"}


def test_a_bundle_that_was_replaced_while_it_was_rendered_gets_no_documents_of_the_old_one(settings, drawing, tmp_path):
    out = tmp_path / "out"
    run(settings["one"], out, "vi", "en")
    drawing.append(lambda: run(settings["two"], out, "vi"))
    with pytest.raises(InputError, match="bundle was replaced or removed while it was rendered; render it again"):
        pipeline.render(out / "bundle", out, languages=["en"], formats=["html"])
    assert names_in(out) == {"two"}
    assert not (out / "en" / "report.html").exists()


def test_a_bundle_that_is_gone_while_it_is_rendered_is_one_line(settings, drawing, tmp_path):
    out = tmp_path / "out"
    run(settings["one"], out, "vi")
    drawing.append(lambda: (out / "bundle" / "SHA256SUMS").unlink())
    before = (out / "vi" / "report.html").read_bytes()
    with pytest.raises(InputError, match="bundle was replaced or removed while it was rendered"):
        pipeline.render(out / "bundle", out, languages=["vi"], formats=["html"])
    assert (out / "vi" / "report.html").read_bytes() == before


def test_what_a_run_says_is_of_its_own_study(settings, drawing, tmp_path, monkeypatch):
    """Another may have put its bundle in place by then."""
    out = tmp_path / "out"
    check = pipeline.Rendering.check_complete

    def late(self, documents, *arguments):
        monkeypatch.setattr(pipeline.Rendering, "check_complete", check)
        run(settings["one"], out, "vi")
        return check(self, documents, *arguments)

    monkeypatch.setattr(pipeline.Rendering, "check_complete", late)
    outcome = run(settings["two"], out, "vi")
    assert outcome.results.study["settings"]["name"] == "two"
    assert names_in(out) == {"one"}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the other runs are copies of this process")
def test_many_at_once(settings, drawing, tmp_path):
    """Four processes, ten runs each, into one folder: whenever somebody looks at the end, bundle and documents are of one study."""
    out = tmp_path / "out"
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for turn in range(10):
                    run(settings["one" if (number + turn) % 2 else "two"], out, *(("vi", "en") if number % 2 else ("vi",)))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0, 0]
    assert len(names_in(out)) == 1
    read_bundle(out / "bundle")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
