"""What a user gets who installs the wheel: everything that is not code must be in it, and rendering must not need torch."""

import email
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

import numpy as np
import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
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


def make_bundle(installed: Installed) -> None:
    """A bundle from ready activations, in out/bundle."""
    if (installed.directory / "out" / "bundle").is_dir():
        return
    generator = np.random.default_rng(0)
    common = generator.normal(size=(2, 4, 1, 60))
    activation = (common + generator.normal(size=(2, 4, 5, 60))).astype(np.float32)
    np.savez(installed.directory / "captured.npz", activation=activation, token_position=np.array([2, 9, 15, 31, 60]))
    study = "name: wheel\nword: coffee\nactivations_file: captured.npz\npermutations: 99\nrobustness: {enabled: false}\n"
    (installed.directory / "study.yaml").write_text(study, encoding="utf-8")
    done = installed.run("reportgen", "analyze", "study.yaml", "--out", "out", "--no-cache")
    assert done.returncode == 0, done.stderr


def test_installed_wheel_makes_and_renders_a_bundle(installed):
    make_bundle(installed)
    done = installed.run("reportgen", "render", "out/bundle", "--out", "out", "--lang", "vi", "--no-cache")
    assert done.returncode == 0, done.stderr
    page = (installed.directory / "out" / "vi" / "report.html").read_text(encoding="utf-8")
    assert "Thông tin tương hỗ" in page
    assert page.count("data:font/woff2") >= 5
    assert (installed.directory / "out" / "vi" / "report.pdf").read_bytes().startswith(b"%PDF-1.7")


def test_checkout_uses_its_own_templates():
    from reportgen.resources import templates_directory

    assert templates_directory() == CHECKOUT / "templates"


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert re.fullmatch(r"MissingError .*(torch|transformers) is not installed: .*(pip install|make setup).*\n", done.stdout)


def test_the_machine_that_only_renders_needs_no_more_than_its_lock_file_names(installed, tmp_path):
    """The wheel beside the packages of requirements/render.txt and nothing else: no torch, no numba, no test library."""
    site = tmp_path / "site"
    site.mkdir()
    for name, (_, marker) in pins("render").items():
        if marker is None or marker.evaluate():
            for file in distribution(name).files or []:
                top = file.parts[0]
                if top not in ("..", "__pycache__") and not (site / top).exists():
                    (site / top).symlink_to(distribution(name).locate_file(top))
    code = f"""
import sys
from pathlib import Path
sys.path = [entry for entry in sys.path if "site-packages" not in entry] + [{str(packages_of(installed.environment))!r}, {str(site)!r}]
import importlib.util
assert not any(importlib.util.find_spec(name) for name in ("torch", "transformers", "gguf", "numba", "sklearn", "pytest"))
from reportgen.cli import main
main()
"""
    make_bundle(installed)
    program = [
        installed.environment / "bin" / "python",
        "-I",
        "-c",
        code,
        "render",
        "out/bundle",
        "--out",
        "light",
        "--lang",
        "en",
        "--no-cache",
    ]
    done = subprocess.run(program, cwd=installed.directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (installed.directory / "light" / "en" / "report.pdf").is_file()


def test_the_wheel_says_what_rendering_alone_needs(installed):
    printed = installed.run("python", "-m", "reportgen.requirements").stdout.split("\n")
    names = {normal(re.split(r"[<>=!~ ;\[]", line)[0]) for line in printed if line}
    assert {"weasyprint", "jinja2", "h5py"} <= names <= pins("render").keys()
    assert not names & {"torch", "transformers", "gguf", "numba", "pip"}


def test_metadata_are_complete_and_true(installed):
    (folder,) = packages_of(installed.environment).glob("reportgen_interpretability-*.dist-info")
    fields = email.message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
    assert (fields["Name"], fields["License-Expression"]) == ("reportgen-interpretability", "Apache-2.0")
    assert fields["Requires-Python"] == ">=3.11"
    assert fields["Description-Content-Type"] == "text/markdown"
    assert {"Author", "Summary", "Keywords"} <= set(fields.keys())
    assert fields.get_all("Project-URL") is None  # there are none
    assert {"LICENSE", "NOTICE", "templates/fonts/OFL-inter.txt"} <= set(fields.get_all("License-File"))
    assert "the reportgen authors" in (folder / "licenses" / "NOTICE").read_text(encoding="utf-8")
    named = {found for line in fields.get_all("Classifier") if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))}
    assert {found[1] for found in named} == {"3.11", "3.12", "3.13", "3.14"}
    for package in ("reportgen", "analyses"):
        assert (packages_of(installed.environment) / package / "py.typed").is_file()


def project() -> dict:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


def packages_of(environment: Path) -> Path:
    return next((environment / "lib").glob("python*/site-packages"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(*locks: str) -> dict[str, tuple[str, Marker | None]]:
    """Version and marker of each package in these lock files."""
    found = {}
    for lock in locks:
        for line in (CHECKOUT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines():
            text = line.partition("#")[0].strip()
            if text:
                requirement = Requirement(text)
                (specifier,) = requirement.specifier
                assert specifier.operator == "=="
                found[normal(requirement.name)] = specifier.version, requirement.marker
    return found


# Which lock file has what each list asks for. The benchmarks' peers live in an environment of their own, made when they are run.
PURPOSES = {"dependencies": "run", "build": "run", "test": "test", "check": "test", "docs": "docs"}
ASKED = [
    (lock, Requirement(line))
    for group, lock in PURPOSES.items()
    for line in (project()["project"]["dependencies"] if group == "dependencies" else project()["dependency-groups"][group])
    if line.partition(">")[0] != "pip"  # every environment has its own
]


@pytest.mark.parametrize(("lock", "requirement"), ASKED, ids=lambda item: getattr(item, "name", item))
def test_pins_satisfy_what_the_project_asks_for(lock, requirement):
    assert requirement.specifier.contains(pins(lock)[normal(requirement.name)][0])


def test_one_version_of_each_package_in_all_lock_files():
    run = pins("run")
    for lock in ("test", "docs", "render", "torch"):
        assert {name: pin for name, (pin, _) in pins(lock).items() if name in run and pin != run[name][0]} == {}
    # For every Python of the range, and for PyTorch with CUDA and without: its own metadata say what comes with it.
    assert not [name for name in run if name.startswith("nvidia-") or name == "triton"]


def test_lock_files_name_no_place():
    for file in (CHECKOUT / "requirements").glob("*.txt"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"://|^ *--|@ |\s/|~/", text, re.MULTILINE), file.name


def test_pinned_versions_are_the_ones_under_test():
    here = {name: pin for name, (pin, marker) in pins("run", "test", "docs").items() if marker is None or marker.evaluate()}
    # A build's own label (+cpu, +cu128) is no part of the pin; Debian's own PyTorch takes the place of the pinned one.
    other = {name: version(name) for name, pin in here.items() if Version(Version(version(name)).public) != Version(pin)}
    assert {name: found for name, found in other.items() if not (name == "torch" and found.endswith("+debian"))} == {}


def test_every_pin_serves_the_oldest_python_that_is_promised():
    oldest = "3.11.2"  # Debian 12
    here = [name for name, (_, marker) in pins("run", "test", "docs").items() if marker is None or marker.evaluate()]
    newer = {
        name: needed
        for name in here
        if (needed := distribution(name).metadata.get("Requires-Python")) and oldest not in SpecifierSet(needed)
    }
    assert newer == {}


def test_the_lowest_versions_are_the_bounds():
    lowest = pins("lowest")
    bounds = {}
    for requirement in map(Requirement, project()["project"]["dependencies"]):
        (bound,) = [specifier.version for specifier in requirement.specifier if specifier.operator == ">="]
        bounds[normal(requirement.name)] = bound
    # PyTorch is the one of torch.txt, pip what the environment has.
    del bounds["torch"], bounds["pip"]
    assert {name: bound for name, bound in bounds.items() if lowest[name][0] != bound and not lowest[name][0].startswith(bound)} == {}
