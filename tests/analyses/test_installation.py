import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from analyses import installation
from analyses.errors import MissingError
from analyses.installation import for_rendering, install_line, name_of, not_installed, reinstall_line, requirements, shortcoming


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("h5netcdf>=1.4", "h5netcdf"), ("Huggingface_Hub >=1; python_version < '4'", "huggingface-hub"), ("a.b[c]~=1", "a-b"), ("", "")],
)
def test_names(requirement, name):
    assert name_of(requirement) == name


def test_a_version_that_is_too_old_is_no_less_missing(monkeypatch):
    monkeypatch.setattr(installation, "version", lambda name: "69.0")
    assert shortcoming("weasyprint<71,>=70") == "weasyprint 69.0 is here, <71,>=70 is needed"
    assert shortcoming("weasyprint>=69") == ""


def test_documents_need_no_torch_and_all_else_is_asked_for():
    rendering = {name_of(line) for line in for_rendering(requirements())}
    assert {"weasyprint", "jinja2", "xarray", "h5py"} <= rendering
    assert {name_of(line) for line in requirements()} - rendering == installation.FOR_MODELS | installation.FOR_SPEED


@pytest.mark.parametrize(
    ("files", "records", "expected"),
    [
        ({}, {}, f"{shlex.quote(sys.executable)} -m pip install {{gguf}} tea"),
        ({}, {"INSTALLER": "uv\n"}, f"uv pip install --python {shlex.quote(sys.executable)} {{gguf}} tea"),
        ({"pipx_metadata.json"}, {"INSTALLER": "pip"}, "pipx inject reportgen-interpretability {gguf} tea"),
        ({"uv-receipt.toml"}, {"INSTALLER": "uv"}, "uv tool upgrade --reinstall reportgen-interpretability"),
        ({}, {"direct_url.json": json.dumps({"url": "file:///x", "dir_info": {"editable": True}})}, "{python} -m pip install {gguf} tea"),
        ({}, {"direct_url.json": json.dumps({"url": "file:///x.whl", "archive_info": {}})}, "{python} -m pip install {gguf} tea"),
    ],
)
def test_the_remedy_is_for_the_tool_that_installed_it(monkeypatch, tmp_path, files, records, expected):
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(installation.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(installation, "_record", lambda name: records.get(name, ""))
    (gguf,) = [line for line in requirements() if name_of(line) == "gguf"]
    assert install_line(["gguf", "tea"]) == expected.format(gguf=shlex.quote(gguf), python=shlex.quote(sys.executable))


@pytest.mark.parametrize(
    ("files", "records", "expected"),
    [
        ({}, {}, "{python} -m pip install --force-reinstall --no-deps {name}"),
        ({}, {"INSTALLER": "uv\n"}, "uv pip install --python {python} --reinstall-package {name} {name}"),
        ({"pipx_metadata.json"}, {"INSTALLER": "pip"}, "pipx reinstall {name}"),
        ({"uv-receipt.toml"}, {"INSTALLER": "uv"}, "uv tool upgrade --reinstall {name}"),
        ({}, {"direct_url.json": json.dumps({"dir_info": {"editable": True}})}, "git restore templates (in reportgen's folder)"),
    ],
)
def test_files_that_are_lost_come_back_by_the_tool_that_brought_them(monkeypatch, tmp_path, files, records, expected):
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(installation.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(installation, "_record", lambda name: records.get(name, ""))
    assert reinstall_line() == expected.format(python=shlex.quote(sys.executable), name="reportgen-interpretability")


def test_a_checkout_is_set_up_but_for_what_it_does_not_ask_for(monkeypatch):
    monkeypatch.setattr(installation, "_is_checkout", lambda: True)
    assert install_line(["gguf", "torch"]) == "make setup (in reportgen's folder)"
    assert install_line(["sentencepiece", "tiktoken"]).endswith(" install sentencepiece tiktoken")


def test_modules_and_the_packages_they_come_from():
    assert not_installed("yaml.nodes").startswith("the Python package pyyaml is not installed: ")
    assert not_installed("huggingface_hub").startswith("the Python package huggingface-hub is not installed: ")


def test_all_that_a_model_lacks_is_named_before_anything_is_downloaded(monkeypatch, tmp_path):
    from analyses.models import ModelSettings, embedded, sources

    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path))
    monkeypatch.setattr(sources, "is_installed", lambda name: name not in ("gguf", "torch"))
    monkeypatch.setattr(embedded, "_download", lambda folder: pytest.fail("something was downloaded"))
    with pytest.raises(MissingError, match=r"not installed \(gguf, torch\): \S"):
        sources.resolve(ModelSettings(source="embedded"))
    # What only the download and the conversion need is not asked of a model that needs neither.
    monkeypatch.setattr(sources, "is_installed", lambda name: name not in ("gguf", "pip"))
    monkeypatch.setattr(embedded, "is_here", lambda: True)
    monkeypatch.setattr(embedded, "embedded_folder", lambda **options: Path(tmp_path))
    (tmp_path / "config.json").touch()
    (tmp_path / "model.safetensors").touch()
    assert sources.resolve(ModelSettings(source="embedded")).path == tmp_path


def test_no_remedy_names_what_may_not_be_installable():
    """What is missing is installed by the line that `analyses.installation` makes for the tool at hand, never by one written elsewhere."""
    root = Path(installation.__file__).parents[1]
    written = {
        f"{file.relative_to(root)}: {line.strip()}"
        for folder in ("analyses", "reportgen")
        for file in (root / folder).rglob("*.py")
        if file.name not in ("installation.py", "requirements.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(r"(pip|pipx|uv( tool| pip)?) install\b", line)
    }
    assert written == set()
