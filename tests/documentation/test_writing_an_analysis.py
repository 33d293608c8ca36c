"""The guide's example, as an analysis that another distribution installs: it runs, renders, compares, publishes, and harms no other."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "writing-an-analysis.md"
FILE = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The guide's package, built as a wheel and installed into a folder of its own: what another distribution brings."""
    source, wheels, target = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "site-packages"))
    for name, content in FILE.findall(GUIDE.read_text(encoding="utf-8")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(content, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    offline = ["--no-index", "--no-deps"]
    build = [*pip, "wheel", "--no-build-isolation", *offline, "--wheel-dir", str(wheels), str(source)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", *offline, "--target", str(target), str(wheel)], check=True, capture_output=True, text=True)
    return target


def reportgen(place: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REPORTGEN_")}
    environment |= {"PYTHONPATH": os.pathsep.join([str(place), str(ROOT)]), "REPORTGEN_CACHE": str(cwd / "cache")}
    command = [sys.executable, "-c", "from reportgen.cli import main; main()", *arguments]
    return subprocess.run(command, text=True, capture_output=True, cwd=cwd, env=environment, check=False)


def test_the_example_runs_renders_compares_and_is_published(place, tmp_path):
    done = reportgen(place, tmp_path, "run", "word-length", "--out", "out")
    assert done.returncode == 0, done.stderr
    for code, said in (("vi", "Các từ ngắn dần, ít đi"), ("en", "The words become shorter, by")):
        page = (tmp_path / "out" / code / "report.html").read_text(encoding="utf-8")
        assert said in page
        assert (tmp_path / "out" / code / "report.pdf").stat().st_size > 10_000
    both = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Các từ có ngắn dần không?" in both
    assert "Do the words become shorter?" in both

    (tmp_path / "other.yaml").write_text(
        "analysis: word_length\nname: word-length\ntext: It is as it is so we go on to do it. Considerable difficulties notwithstanding, "
        "international organisations established permanent headquarters.\n"
    )
    assert reportgen(place, tmp_path, "analyze", "other.yaml", "--out", "other").returncode == 0
    compared = reportgen(place, tmp_path, "compare", "out/bundle", "other/bundle", "--json")
    assert compared.returncode == 1, compared.stderr
    assert [(row["old"], row["new"]) for row in json.loads(compared.stdout)["comparison"]["verdicts"]] == [("supported", "contradicted")]
    shown = reportgen(place, tmp_path, "compare", "out/bundle", "other/bundle", "--html", "changes.html")
    assert shown.returncode == 1, shown.stderr
    assert "Do the words become shorter?" in (tmp_path / "changes.html").read_text(encoding="utf-8")

    # Without it everything else is there, and its bundle is refused in one line that says what is missing.
    (tmp_path / "nothing").mkdir()
    alone = reportgen(tmp_path / "nothing", tmp_path, "render", "out/bundle", "--out", "again")
    assert alone.returncode in (2, 3)
    (line,) = alone.stderr.strip().splitlines()
    assert "word_length" in line
    assert not (tmp_path / "again").exists()

    published = reportgen(place, tmp_path, "publish", "out/bundle", "--to", "plain", "--out", "site")
    assert published.returncode == 0, published.stderr
    chooser = (tmp_path / "site" / "word-length" / "index.html").read_text(encoding="utf-8")
    # A part of a sentence is a line.
    assert "The words become shorter, by" in " ".join(chooser.split())


def test_a_reader_s_templates_stand_before_the_analysis_s_own(place, tmp_path):
    mine = tmp_path / "mine" / "word_length" / "languages" / "en"
    mine.mkdir(parents=True)
    (mine / "mine.po").write_text('msgid "document.title"\nmsgstr "Short and shorter"\n')
    done = reportgen(
        place, tmp_path, "run", "word-length", "--out", "out", "--lang", "en", "--format", "html", "--templates", str(tmp_path / "mine")
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "en" / "report.html").read_text(encoding="utf-8")
    assert "<h1>" in page
    assert "Short and shorter" in page
    assert "Do the words become shorter?" not in page


BREAKS = {
    "no Python": ("word_length/__init__.py", lambda text: text + "\ndef:\n", "SyntaxError"),
    "no figures": ("word_length/__init__.py", lambda text: text.replace("def figures", "def pictures"), "it has no figures"),
    "one argument": (
        "word_length/__init__.py",
        lambda text: text.replace("run(self, settings, progress)", "run(self)"),
        "run must be a method",
    ),
    "no name": ("word_length/__init__.py", lambda text: text.replace("    name: str\n", ""), "settings_type must have the field name"),
    "half of two steps": (
        "word_length/__init__.py",
        lambda text: text + "\nWordLength.capture = lambda self, s, p: None\n",
        "with capture it must",
    ),
    "no document": ("word_length/templates/word_length/document.yaml", None, "template_folder has no word_length/document.yaml"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_breaking_it_leaves_the_others_whole(place, tmp_path, case):
    """One warning names it and says why; the built-in studies are there as before."""
    broken = shutil.copytree(place, tmp_path / "broken")
    name, change, reason = BREAKS[case]
    if change is None:
        (broken / name).unlink()
    else:
        (broken / name).write_text(change((broken / name).read_text(encoding="utf-8")), encoding="utf-8")
    done = reportgen(broken, tmp_path, "study", "list")
    assert done.returncode == 0
    assert re.search(r"^coffee\s", done.stdout, re.MULTILINE)
    assert "word-length" not in done.stdout
    (line,) = [line for line in done.stderr.splitlines() if "word_length" in line]
    assert line.startswith("reportgen: warning: the analysis word_length (word_length:analysis) cannot be loaded: ")
    assert reason in line
    assert reportgen(broken, tmp_path, "study", "check", "coffee").returncode == 0


def test_its_author_can_hold_it_against_what_every_analysis_must_keep(place, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(place), str(ROOT)]), "REPORTGEN_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "reportgen.testing", "-k", "word_length"]
    done = subprocess.run(command, text=True, capture_output=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b\d+ passed", done.stdout)
