import json
import shlex
import shutil
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from analyses import installation
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


def without(monkeypatch, *names):
    """As if these packages were not installed."""
    from importlib.metadata import PackageNotFoundError, version

    def version_of(name):
        if name in names:
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(installation, "version", version_of)


def test_pdf_libraries_that_are_missing(tmp_path, monkeypatch):
    reason = "PDF cannot be made here: cannot load library 'libpango-1.0-0'; remedy: apt-get install libpango-1.0-0"
    monkeypatch.setattr(doctor.printing, "obstacle", lambda: reason)
    found = finding("PDF", tmp_path)
    assert (found.state, found.detail) == ("missing", "cannot load library 'libpango-1.0-0'")
    assert found.remedy == "apt-get install libpango-1.0-0"


def test_packages_that_are_missing(tmp_path, monkeypatch):
    without(monkeypatch, "torch", "gguf", "jinja2")
    monkeypatch.setattr(installation, "_record", lambda name: "")
    reports, models = finding("packages for reports", tmp_path), finding("packages for models", tmp_path)
    assert (reports.state, reports.detail) == ("missing", "jinja2 is not installed")
    assert (models.state, models.detail) == ("optional", "gguf is not installed; torch is not installed")
    asked = {installation.name_of(line): line for line in installation.requirements()}
    assert shlex.split(reports.remedy) == [sys.executable, "-m", "pip", "install", asked["jinja2"]]
    assert f"'{asked['gguf']}' '{asked['torch']}'" in models.remedy


@pytest.mark.parametrize("damage", ["none there", "broken"])
def test_fonts_that_are_missing(tmp_path, monkeypatch, damage):
    (tmp_path / "fonts").mkdir()
    if damage == "broken":
        (tmp_path / "fonts" / "serif-regular.ttf").write_bytes(b"not a font at all")
    monkeypatch.setattr(doctor, "templates_directory", lambda: tmp_path)
    assert finding("fonts", tmp_path).state == "missing"


def test_scripts_without_a_font_are_named_with_what_brings_one(tmp_path, monkeypatch):
    from reportgen.documents import other_scripts

    monkeypatch.setattr(other_scripts, "without_font", lambda characters: sorted({"ก", "咖"} & characters))
    monkeypatch.setattr(other_scripts, "_folder", lambda package: None)
    found = finding("other scripts", tmp_path)
    assert (found.state, found.detail) == ("optional", "no font for Thai, Chinese")
    assert "pip install manimgx-fonts manimgx-fonts-cjk" in found.remedy
    assert "fonts-noto-core fonts-noto-cjk" in found.remedy
    monkeypatch.setattr(other_scripts, "without_font", lambda characters: [])
    assert finding("other scripts", tmp_path).state == "ok"


def test_scripts_are_not_tried_where_nothing_can_be_printed(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.printing, "obstacle", lambda: "PDF cannot be made here: no pango; remedy: install it")
    assert "other scripts" not in {found.name for found in examine(tmp_path)}


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
    without(monkeypatch, "jinja2")
    as_json = CliRunner().invoke(app, ["doctor", "--json"])
    assert as_json.exit_code == 3
    content = json.loads(as_json.stdout)
    assert content["exit"] == 3
    assert [found["name"] for found in content["findings"] if found["state"] == "missing"] == ["packages for reports"]
    assert list(tmp_path.iterdir()) == []
