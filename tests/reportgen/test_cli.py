import errno
import io
import json
import signal
import subprocess
import sys
import time

import pytest

from reportgen import cli


def one_line(text):
    assert text.startswith("reportgen: error: ")
    assert text.count("\n") == 1
    return text


def test_help_loads_nothing_heavy():
    """How long it takes is measured in benchmarks/, on a machine that is quiet."""
    code = """
import sys
from reportgen import cli
from reportgen.cli import app
for arguments in (["--help"], ["run", "--help"]):
    try:
        app(arguments, prog_name="reportgen")
    except SystemExit as end:
        assert end.code == 0
print(sorted({"numpy", "torch", "xarray", "pandas", "matplotlib", "yaml", "scipy"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Usage: reportgen" in done.stdout


def test_asking_what_is_to_be_made_loads_nothing_that_draws():
    """A run that finds its documents made asks no more of the room that makes them."""
    code = """
import sys
from reportgen import registry
from reportgen.documents import Assets, files_of
from reportgen.pipeline import Rendering
Rendering().check()
analysis = registry.analyses()["mi_distance"]
assert files_of(Assets.of(analysis, None), analysis.templates, "report") == ["report"]
print(sorted({"matplotlib", "weasyprint", "pandas", "fontTools", "scipy", "torch"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_no_command_shows_the_help(call):
    done = call()
    assert done.exit_code == 0
    assert "Usage: reportgen" in done.output


def test_version(call):
    import importlib.metadata

    assert call("--version").stdout == f"reportgen {importlib.metadata.version('reportgen-interpretability')}\n"


def test_run_makes_bundle_and_documents(call, renderer, tmp_path):
    done = call("run", "letters", "--out", "made")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    for name in ("report.html", "report.pdf", "vi/report.html", "vi/report.pdf", "en/report.html", "en/report.pdf", "bundle/results.nc"):
        assert (tmp_path / "made" / name).is_file()
    assert "supported" in done.stderr
    assert renderer == [(("vi-en", "vi", "en"), ("html", "pdf"))]


def test_chosen_languages_and_formats(call, renderer):
    assert call("run", "letters", "--lang", "vi", "--lang", "vi-en", "--format", "pdf").exit_code == 0
    assert renderer == [(("vi", "vi-en"), ("pdf",))]


def test_json_on_stdout_all_else_on_stderr(call, renderer):
    done = call("run", "letters", "--json", "--lang", "en", "--format", "html")
    result = json.loads(done.stdout)
    assert result["exit"] == 0
    assert result["bundle"] == "out/bundle"
    assert result["documents"] == ["out/en/report.html", "out/figures/profile.svg"]
    assert [verdict["verdict"] for verdict in result["verdicts"]] == ["supported", "not_testable"]
    assert "Mutual information\n" in done.stderr


def test_quiet_is_quiet(call, renderer):
    done = call("run", "letters", "--quiet")
    assert (done.exit_code, done.output) == (0, "")


def test_strict_reports_what_cannot_be_tested(call, renderer):
    assert call("run", "letters", "--strict").exit_code == 1
    assert json.loads(call("run", "letters", "--strict", "--json").stdout)["exit"] == 1


def test_analyze_then_render(call, renderer, tmp_path):
    assert call("analyze", "letters", "--out", "made", "--word", "the", "--seed", "7").exit_code == 0
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["bundle"]
    settings = json.loads((tmp_path / "made" / "bundle" / "study.json").read_text())["settings"]
    assert (settings["word"], settings["seed"]) == ("the", 7)
    done = call("render", "made/bundle", "--out", "made", "--lang", "en", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["documents"] == ["made/en/report.html", "made/en/report.pdf", "made/figures/profile.svg"]


def test_options_come_from_the_environment_too(call, renderer, monkeypatch):
    monkeypatch.setenv("REPORTGEN_LANG", "vi")
    monkeypatch.setenv("REPORTGEN_FORMAT", "html")
    monkeypatch.setenv("REPORTGEN_OUT", "elsewhere")
    monkeypatch.setenv("REPORTGEN_COUNTING__BINS", "99")
    result = json.loads(call("run", "letters", "--json").stdout)
    assert result["documents"] == ["elsewhere/figures/profile.svg", "elsewhere/vi/report.html"]
    assert result["verdicts"][0]["verdict"] == "contradicted"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["frob"], "No such command 'frob'"),
        (["run", "--frob"], "--frob"),
        (["run", "--seed", "soon"], "--seed"),
        (["run", "--format", "doc"], "'doc' is not one of 'html', 'pdf'"),
        (["run", "letters", "--lang", "ve"], "--lang ve: expected vi-en, vi or en"),
        (["run", "leters"], "there is no study 'leters'; expected letters, or a YAML file; did you mean \"letters\"?"),
        (["run", "letters", "--word", "milk"], "the word 'milk' is not in the text"),
        (["run", "letters", "--text", "gone.txt"], "gone.txt: there is no such text file"),
        (["run", "letters", "one-too-many"], "one-too-many"),
        (["render"], "Missing argument 'BUNDLE'"),
        (["render", "nowhere"], "nowhere: there is no such folder"),
        (["study", "frob"], "No such command 'frob'"),
        (["study", "check", "gone.yaml"], "gone.yaml: there is no such study file"),
    ],
)
def test_bad_input_is_one_line_and_2(call, renderer, arguments, expected):
    done = call(*arguments)
    assert done.exit_code == 2
    assert expected in one_line(done.stderr)
    assert done.stdout == ""
    as_json = call(*arguments, "--json")
    assert as_json.exit_code == 2
    if "--json" not in as_json.stderr:
        assert expected in json.loads(as_json.stdout)["error"]


def test_something_missing_is_3(call, monkeypatch, letters):
    def run(self, settings, progress):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(type(letters), "run", run)
    done = call("run", "letters")
    assert done.exit_code == 3
    assert "the Python package torch is not installed: " in one_line(done.stderr)


def test_a_failed_computation_is_4_and_leaves_nothing(call, tmp_path, monkeypatch):
    done = call("run", "letters", "--word", "after")
    assert done.exit_code == 4
    assert "the computation failed: ZeroDivisionError: a fault of two lines" in one_line(done.stderr)
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("REPORTGEN_DEBUG", "1")
    assert "Traceback" in call("run", "letters", "--word", "after").stderr


def test_a_failed_rendering_is_4_and_keeps_the_old_documents(call, renderer, tmp_path, monkeypatch):
    assert call("run", "letters").exit_code == 0
    old = (tmp_path / "out" / "report.html").read_bytes()

    def broken(results, analysis, out, *others, edition):
        (out / "report.html").write_text("half")
        raise RuntimeError("no ink")

    monkeypatch.setattr("reportgen.documents.render_documents", broken)
    done = call("run", "letters", "--seed", "5")
    assert done.exit_code == 4
    assert "the rendering failed: RuntimeError: no ink" in one_line(done.stderr.replace("Mutual information\n", ""))
    assert (tmp_path / "out" / "report.html").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.slow
def test_documents_of_an_older_bundle_do_not_stay_beside_a_new_one(call, renderer, tmp_path):
    assert call("run", "letters").exit_code == 0
    assert call("run", "letters", "--lang", "vi", "--format", "html").exit_code == 0
    assert (tmp_path / "out" / "en" / "report.pdf").is_file()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert call("run", "letters", "--seed", "99", "--lang", "vi", "--format", "html").exit_code == 0
    left = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert [name for name in left if not name.startswith("bundle/")] == ["figures/profile.svg", "notes.txt", "vi/report.html"]


def test_out_that_cannot_be_used(call, renderer, tmp_path):
    (tmp_path / "file").write_text("")
    assert "--out file is a file" in one_line(call("run", "letters", "--out", "file").stderr)
    (tmp_path / "mine" / "bundle").mkdir(parents=True)
    (tmp_path / "mine" / "bundle" / "thesis.txt").write_text("years")
    done = call("run", "letters", "--out", "mine")
    assert done.exit_code == 2
    assert "not a result bundle, so it is not replaced" in one_line(done.stderr)


@pytest.mark.slow
def test_interrupted_is_130_and_says_so(reportgen_process, tmp_path):
    process = reportgen_process("run", "letters", wait=False, FAKE_LETTERS_SLEEP="60")
    assert process.stderr.readline() == "Mutual information\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "reportgen: interrupted; nothing half-written was left behind\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_closed_pipe_is_no_traceback(reportgen_process):
    process = reportgen_process("study", "schema", wait=False)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=20)
    assert "Traceback" not in errors


def test_study_list_check_schema(call, tmp_path):
    assert call("study", "list").stdout == "letters  letters\n"
    listed = json.loads(call("study", "list", "--json").stdout)["studies"]["letters"]
    assert listed["file"].endswith("letters.yaml")
    done = call("study", "check", "letters")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "letters: a valid study of the analysis letters\n")
    assert json.loads(call("study", "schema").stdout)["properties"]["analysis"] == {"const": "letters", "description": "The kind of study."}


@pytest.mark.model
def test_study_new_writes_a_study_that_runs(call, renderer, tmp_path):
    (tmp_path / "tea.txt").write_text("Tea, tea and tea.")
    made = call("study", "new", "mine.yaml", "--word", "tea", "--text", "tea.txt", "--model", "embedded")
    assert made.exit_code == 0, made.output
    assert call("run", "mine.yaml").exit_code == 0
    again = call("study", "new", "mine.yaml", "--word", "tea", "--text", "tea.txt")
    assert again.exit_code == 2
    assert "mine.yaml exists already" in one_line(again.stderr)
    assert call("study", "new", "mine.yaml", "--word", "tea", "--text", "tea.txt", "--model", "embedded", "--force").exit_code == 0


@pytest.mark.parametrize(("file", "name"), [("my tea.yaml", "my-tea"), ("trà.yaml", "tra"), ("_.yaml", "study")])
def test_study_new_names_the_study_after_its_file(call, tmp_path, file, name):
    (tmp_path / "tea.txt").write_text("Tea, tea and tea.")
    assert call("study", "new", file, "--word", "tea", "--text", "tea.txt", "--model", "embedded").exit_code == 0
    assert json.loads(call("study", "check", file, "--json").stdout)["settings"]["name"] == name


def test_study_new_needs_a_terminal_to_ask_at(call):
    done = call("study", "new", "mine.yaml")
    assert done.exit_code == 2
    assert "The target word: give it as an option" in one_line(done.stderr)


def test_study_new_asks(call, tmp_path, monkeypatch):
    (tmp_path / "tea.txt").write_text("Tea, tea and tea.")
    monkeypatch.setattr("reportgen.cli._can_ask", lambda: True)
    done = call("study", "new", "mine.yaml", input="tea\ntea.txt\n\n")
    assert done.exit_code == 0, done.output
    assert "The target word" in done.stderr
    assert call("study", "check", "mine.yaml").exit_code == 0


def test_templates_export_gives_what_a_rendering_takes(call, tmp_path):
    from reportgen.documents.assets import Assets

    done = call("templates", "export", "mine")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "mine" / "README.md").is_file()
    assert Assets.default(tmp_path / "mine").path("report/document.html.j2") == tmp_path / "mine" / "report" / "document.html.j2"
    again = call("templates", "export", "mine")
    assert again.exit_code == 2
    assert "mine is there already and not empty" in one_line(again.stderr)


def test_timings(call, renderer, monkeypatch):
    monkeypatch.setenv("FAKE_LETTERS_SLEEP", "0.2")
    start = time.perf_counter()
    done = call("run", "letters", "--timings", "--quiet")
    rows = {line[:32].strip(): float(line[32:].removesuffix(" s")) for line in done.stderr.splitlines()}
    assert list(rows)[-1] == "Total"
    assert 0.2 <= rows["Mutual information"] <= rows["Total"] <= time.perf_counter() - start


@pytest.mark.parametrize(("code", "said", "end"), [(0, 1, 4), (1, 1, 4), (4, 0, 4), (2, 0, 2)])
def test_what_cannot_be_printed_at_the_end_is_said_once(monkeypatch, capsys, code, said, end):
    """A command that failed for this reason has said so; whether the rest is tried again at the end depends on the version of Python."""

    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    assert cli._flushed(code) == end
    assert capsys.readouterr().err.count("No space left on device") == said
