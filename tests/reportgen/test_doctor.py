import json
import shutil
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from reportgen import doctor
from reportgen.cli import app
from reportgen.doctor import examine, findings_text


def finding(name, out):
    (found,) = [found for found in examine(out) if found.name == name]
    return found


def test_all_is_well_on_this_machine(tmp_path):
    states = {found.name: found.state for found in examine(tmp_path / "out")}
    assert {name for name, state in states.items() if state == "missing"} == set()
    assert {"Python", "PDF", "fonts", "analyses", "models", "cache folder", "output folder", "cache disk"} <= states.keys()


def test_pdf_libraries_that_are_missing(tmp_path, monkeypatch):
    def fail(name):
        raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(doctor.importlib, "import_module", fail)
    found = finding("PDF", tmp_path)
    assert found.state == "missing"
    assert "libpango" in found.detail
    assert "apt-get install libpango" in found.remedy


def test_packages_that_are_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_importable", lambda name: name not in ("torch", "jinja2"))
    reports, models = finding("packages for reports", tmp_path), finding("packages for models", tmp_path)
    assert (reports.state, reports.detail) == ("missing", "not installed: jinja2")
    assert (models.state, models.detail) == ("optional", "not installed: torch")
    assert "pip install 'reportgen[models]'" in models.remedy


@pytest.mark.parametrize("damage", ["none there", "broken"])
def test_fonts_that_are_missing(tmp_path, monkeypatch, damage):
    (tmp_path / "fonts").mkdir()
    if damage == "broken":
        (tmp_path / "fonts" / "serif-regular.ttf").write_bytes(b"not a font at all")
    monkeypatch.setattr(doctor, "templates_directory", lambda: tmp_path)
    assert finding("fonts", tmp_path).state == "missing"


def test_the_model_is_optional_and_its_remedy_named(tmp_path):
    found = finding("models", tmp_path)
    assert found.state == "optional"
    assert "reportgen models fetch embedded" in found.remedy


def test_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**8))
    found = finding("output disk", tmp_path)
    assert (found.state, found.detail) == ("missing", "0.1 GB free")
    assert "--out" in found.remedy


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def fail(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", fail)
    found = finding("cache folder", tmp_path)
    assert found.state == "missing"
    assert "REPORTGEN_CACHE" in found.remedy


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0
    assert done.stdout == findings_text(examine(tmp_path / "out")) + "\n"
    monkeypatch.setattr(doctor, "_importable", lambda name: name != "jinja2")
    as_json = CliRunner().invoke(app, ["doctor", "--json"])
    assert as_json.exit_code == 3
    content = json.loads(as_json.stdout)
    assert content["exit"] == 3
    assert [found["name"] for found in content["findings"] if found["state"] == "missing"] == ["packages for reports"]
    assert list(tmp_path.iterdir()) == []
