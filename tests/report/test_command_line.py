"""From the command line to files, as a user has it: every file of the contract, the same bytes twice, and rendering without torch."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

# Imported before anything else in a new process: whoever asks for torch finds it missing.
BLOCKER = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "gguf"):
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)

sys.meta_path.insert(0, Missing())
"""

BUNDLE = {
    "results.nc",
    "activations.nc",
    "study.json",
    "SHA256SUMS",
    "tables/layers.csv",
    "tables/branches.csv",
    "tables/pairs.csv",
    "tables/verdicts.csv",
    "tables/verdict_parts.csv",
}
STUDY = """name: captured-elsewhere
word: coffee
activations_file: captured.npz
detail_layer: 2
permutations: 199
controls: {pairs_per_distance: 3}
robustness: {enabled: false}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, planted_file):
    folder = tmp_path_factory.mktemp("command-line")
    (folder / "captured.npz").write_bytes(planted_file.read_bytes())
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    (folder / "blocker").mkdir()
    (folder / "blocker" / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def reportgen(folder):
    def call(*arguments, **environment):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REPORTGEN_")}
        variables = inherited | {"REPORTGEN_CACHE": str(folder / "cache"), "PYTHONPATH": str(folder / "blocker")} | environment
        command = [sys.executable, "-c", "from reportgen.cli import main; main()", *arguments]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)

    return call


def files(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def digests(folder):
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files(folder).items()}


@pytest.fixture(scope="module")
def whole(reportgen, folder):
    done = reportgen("run", "study.yaml", "--out", "whole", "--json", "--no-cache", PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    return folder / "whole", done


def test_torch_is_really_missing_there(reportgen, folder):
    variables = os.environ | {"PYTHONPATH": str(folder / "blocker")}
    done = subprocess.run([sys.executable, "-c", "import torch"], env=variables, capture_output=True, text=True, check=False)
    assert "torch is not installed here" in done.stderr
    assert done.returncode != 0


def test_run_writes_every_file_of_the_contract(whole):
    out, _ = whole
    found = files(out)
    documents = {f"{place}report.{kind}" for place in ("", "vi/", "en/") for kind in ("html", "pdf")}
    assert documents <= found.keys()
    bundle = {name.removeprefix("bundle/") for name in found if name.startswith("bundle/")}
    assert bundle >= BUNDLE
    for place in ("", "vi/", "en/"):
        figures = {name for name in found if name.startswith(f"{place}figures/") and name.endswith(".svg")}
        assert len(figures) >= 10
        assert {name.replace(".svg", ".png") for name in figures} <= found.keys()
        tables = {name for name in found if name.startswith(f"{place}tables/")}
        assert {f"{place}tables/verdicts.tex", f"{place}tables/verdicts.html"} <= tables
    beside = tuple(f"{place}{kind}/" for place in ("", "vi/", "en/") for kind in ("figures", "tables"))
    rest = {name for name in found if not name.startswith(("bundle/", *beside))} - documents
    assert rest == set()
    assert all(path.stat().st_size > 0 for path in found.values())


def test_sums_cover_the_whole_bundle(whole):
    out, _ = whole
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=out / "bundle", check=False)
    assert done.returncode == 0
    listed = {line.split("  ", 1)[1] for line in (out / "bundle" / "SHA256SUMS").read_text().splitlines()}
    assert listed == files(out / "bundle").keys() - {"SHA256SUMS"}


def test_result_on_stdout_is_json_and_all_else_is_on_stderr(whole):
    _, done = whole
    result = json.loads(done.stdout)
    assert result["exit_code"] == 0 if "exit_code" in result else result
    assert {row["statement"] for row in result["verdicts"]} == {1, 2, 3, 4, 5}
    assert done.stderr.strip()


def test_second_run_writes_the_same_bytes(whole, reportgen, folder):
    out, _ = whole
    done = reportgen(
        "run", "study.yaml", "--out", "again", "--no-cache", "--quiet", "--lang", "en", PYTHONHASHSEED="2", LC_ALL="C", TZ="Asia/Tokyo"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    first, second = digests(out), digests(folder / "again")
    # A page leads to the other languages, so pages are compared where the same ones were written.
    shared = {name for name in second if not name.endswith("report.html")}
    assert {"en/report.pdf", "bundle/results.nc", "bundle/SHA256SUMS"} <= shared
    assert {name for name in shared if first[name] != second[name]} == set()


def test_render_of_the_bundle_gives_the_same_pages_without_torch(whole, reportgen, folder):
    out, _ = whole
    done = reportgen("render", str(out / "bundle"), "--out", "rendered", "--format", "html", "--no-cache")
    assert done.returncode == 0, done.stderr
    for name, digest in digests(folder / "rendered").items():
        assert digest == digests(out)[name], name
    assert {"report.html", "vi/report.html", "en/report.html"} <= files(folder / "rendered").keys()


def test_own_name_of_the_machine_is_nowhere(whole, folder):
    out, _ = whole
    for name, path in files(out).items():
        if not name.endswith(".pdf"):
            assert str(folder).encode() not in path.read_bytes(), name


def test_ready_activations_on_the_command_line(reportgen):
    """`--activations` in place of a built-in study's model and text."""
    done = reportgen(
        "analyze", "coffee", "--activations", "captured.npz", "--out", "option", "--json", "--quiet", REPORTGEN_ROBUSTNESS__ENABLED="false"
    )
    assert done.returncode == 0, done.stderr
    verdicts = json.loads(done.stdout)["verdicts"]
    assert {row["control"] for row in verdicts} >= {"none", "different_word"}
    assert len({(row["statement"], row["estimator"], row["control"]) for row in verdicts}) == len(verdicts)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("run", "no-such-study"), 2, "no-such-study"),
        (("run", "study.yaml", "--activations", "missing.npz"), 2, "missing.npz"),
        (("run", "coffee"), 3, "not installed"),
        (("render", "study.yaml"), 2, "study.yaml"),
    ],
)
def test_errors_are_one_line_with_their_exit_code(reportgen, arguments, code, says):
    done = reportgen(*arguments, "--out", "failed")
    assert done.returncode == code, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert says in last
    assert "Traceback" not in done.stderr
