"""The whole way to files: names, places, and the same bytes whatever the process around them."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from analyses.errors import InputError
from reportgen.documents import render_documents

FIXTURE = Path(__file__).parent / "fixture"
SCRIPT = """
import hashlib, json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from trial_analysis import TrialAnalysis
from reportgen.documents import render_documents
analysis = TrialAnalysis(layers=4)
out = Path(sys.argv[2])
files = render_documents(analysis.run(None, None), analysis, out, languages=("vi-en", "en"), templates=Path(sys.argv[1]))
print(json.dumps({str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}))
"""


def render_elsewhere(folder: Path, **environment: str) -> dict[str, str]:
    folder.mkdir()
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(FIXTURE), str(folder / "out")],
        cwd=folder, env={**os.environ, "PYTHONPATH": path, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    first = render_elsewhere(tmp_path / "a", PYTHONHASHSEED="1", TZ="Asia/Ho_Chi_Minh", LANG="C.UTF-8", HOME=str(tmp_path / "a"))
    second = render_elsewhere(tmp_path / "another", PYTHONHASHSEED="77", TZ="America/Lima", LANG="de_DE.UTF-8", LC_ALL="C", USER="somebody")
    beside = [f"figures/{name}.{kind}" for name in ("profile", "scatter") for kind in ("png", "svg")]
    beside += [f"tables/{name}.{kind}" for name in ("layers", "verdicts") for kind in ("html", "tex")]
    documents = [*beside, "report.html", "report.pdf"]
    assert sorted(first) == sorted([*documents, *(f"en/{name}" for name in documents)])
    assert first == second


def test_a_second_rendering_in_the_same_process_is_the_same(trial_module: ModuleType, tmp_path: Path) -> None:
    analysis = trial_module.TrialAnalysis(layers=4)
    digests = []
    for name in ("a", "b"):
        files = render_documents(analysis.run(None, None), analysis, tmp_path / name, languages=["vi"], templates=FIXTURE)
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1]
    assert [file.name for file in sorted((tmp_path / "a" / "vi").iterdir())] == ["figures", "report.html", "report.pdf", "tables"]


def test_chosen_formats_only(trial_module: ModuleType, tmp_path: Path) -> None:
    analysis = trial_module.TrialAnalysis(layers=4)
    files = render_documents(analysis.run(None, None), analysis, tmp_path, languages=["en"], formats=["html"], templates=FIXTURE)
    assert {file.suffix for file in files} == {".svg", ".png", ".tex", ".html"}
    assert {file.name for file in files if file.parent.name == "en"} == {"report.html"}


@pytest.mark.parametrize(
    ("options", "message"), [({"languages": ["xx"]}, "language 'xx': there are en, vi"), ({"formats": ["docx"]}, "format 'docx'")]
)
def test_what_there_is_not_is_refused(trial_module: ModuleType, tmp_path: Path, options: dict[str, list[str]], message: str) -> None:
    analysis = trial_module.TrialAnalysis(layers=4)
    with pytest.raises(InputError, match=message):
        render_documents(analysis.run(None, None), analysis, tmp_path, templates=FIXTURE, **options)
