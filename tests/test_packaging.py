"""What a user gets who installs the wheel: everything that is not code must be in it, and rendering must not need torch."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Installed:
    """An environment with the built wheel in it; the libraries it depends on are borrowed from this one."""

    environment: Path
    directory: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment away from the checkout."""
        program = self.environment / "bin" / command[0]
        # Nothing of the checkout may come in by the back door.
        clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return subprocess.run([program, *command[1:]], cwd=self.directory, env=clean, capture_output=True, text=True, check=False)

    def python(self, code: str) -> str:
        """What a piece of code prints there."""
        done = self.run("python", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel as built from the sdist, installed without its dependencies."""
    directory = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory), str(CHECKOUT)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = directory.glob("*.whl")
    environment = directory / "environment"
    venv.create(environment, with_pip=False)
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), *install], check=True)
    packages = next((environment / "lib").glob("python*/site-packages"))
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(environment, directory)


def test_code_comes_from_the_wheel(installed):
    for package in ("reportgen", "analyses"):
        location = installed.python(f"import {package}; print({package}.__file__)")
        assert Path(location).is_relative_to(installed.environment)


def test_help_works(installed):
    done = installed.run("reportgen", "--help")
    assert done.returncode == 0, done.stderr
    assert "render" in done.stdout


@pytest.mark.parametrize("package", ["reportgen/templates", "analyses"])
def test_every_file_that_is_not_code_is_there(installed, package):
    source = CHECKOUT / package.removeprefix("reportgen/")
    root = Path(installed.python("import reportgen; print(reportgen.__file__)")).parent.parent / package
    wanted = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts
    }
    assert wanted
    assert wanted - {path.relative_to(root) for path in root.rglob("*") if path.is_file()} == set()


def test_templates_directory_has_fonts_and_both_languages(installed):
    templates = Path(installed.python("from reportgen.resources import templates_directory; print(templates_directory())"))
    assert templates.is_relative_to(installed.environment)
    assert {"report", "languages", "styles", "fonts"} <= {path.name for path in templates.iterdir()}
    assert {path.name for path in (templates / "languages").iterdir() if path.is_dir()} >= {"vi", "en"}
    assert list((templates / "fonts").glob("*.woff2"))


def test_built_in_studies_can_be_read(installed):
    code = """
from importlib.metadata import entry_points
(entry,) = {point.value: point for point in entry_points(group="reportgen.analyses") if point.name == "mi_distance"}.values()
print(*sorted(name for name, path in entry.load().studies().items() if path.is_file()))
"""
    names = installed.python(code).split()
    assert names == sorted(path.stem for path in (CHECKOUT / "analyses" / "mi_distance" / "studies").glob("*.yaml"))
    assert {"coffee", "coffee-gpt2-xl"} <= set(names)


def test_installed_wheel_makes_and_renders_a_bundle(installed):
    generator = np.random.default_rng(0)
    common = generator.normal(size=(2, 4, 1, 60))
    activation = (common + generator.normal(size=(2, 4, 5, 60))).astype(np.float32)
    np.savez(installed.directory / "captured.npz", activation=activation, token_position=np.array([2, 9, 15, 31, 60]))
    study = "name: wheel\nword: coffee\nactivations_file: captured.npz\npermutations: 99\nrobustness: {enabled: false}\n"
    (installed.directory / "study.yaml").write_text(study, encoding="utf-8")
    done = installed.run("reportgen", "analyze", "study.yaml", "--out", "out", "--no-cache")
    assert done.returncode == 0, done.stderr
    done = installed.run("reportgen", "render", "out/bundle", "--out", "out", "--lang", "vi", "--no-cache")
    assert done.returncode == 0, done.stderr
    page = (installed.directory / "out" / "vi" / "report.html").read_text(encoding="utf-8")
    assert "Thông tin tương hỗ" in page
    assert page.count("data:font/woff2") >= 5
    assert (installed.directory / "out" / "vi" / "report.pdf").read_bytes().startswith(b"%PDF-1.7")


def test_checkout_uses_its_own_templates():
    from reportgen.resources import templates_directory

    assert templates_directory() == CHECKOUT / "templates"


def test_generator_and_analysis_import_without_torch():
    code = """
import sys
for name in ("torch", "transformers", "tokenizers", "safetensors", "gguf", "huggingface_hub", "numba"):
    sys.modules[name] = None  # importing it now fails as if it were not installed
import reportgen.cli, reportgen.pipeline, analyses.mi_distance, analyses.models, analyses.words
from analyses.mi_distance import analysis
analysis.studies()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_without_torch_says_what_to_install():
    code = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None
from analyses.models import ModelSettings, capture
from analyses.progress import SilentProgress
try:
    capture(ModelSettings(), "tea", None, SilentProgress())
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"MissingError (torch|transformers) is not installed .*pip install 'reportgen\[models\]'\n", done.stdout)


def requirements() -> list[Requirement]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # The benchmarks' peers live in an environment of their own, made when they are run.
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "bench" for line in lines]
    return [Requirement(line) for line in (*project["dependencies"], *extras)]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {normal(name): pin for name, _, pin in (line.partition("==") for line in lines if line and not line.startswith("#"))}


@pytest.mark.parametrize("requirement", requirements(), ids=lambda item: item.name)
def test_pins_satisfy_what_the_project_asks_for(requirement):
    assert requirement.specifier.contains(pins()[normal(requirement.name)])


def test_pinned_versions_are_the_ones_under_test():
    # A build's own label (+cpu, +cu128) is no part of the pin.
    other = {name: version(name) for name, pin in pins().items() if Version(Version(version(name)).public) != Version(pin)}
    assert other == {}
