"""The action's steps, run one after the other as a runner runs them: expressions filled in, files for outputs, bash with its options.

The runner's own actions (setup-python, cache) are no packages that could be installed here; in their place stands what they promise and
what they refuse: a path must lie where their glob can look, a cache key has at most 512 characters and no comma.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXT = "The coffee was hot, the coffee was black, and after the coffee came another coffee and a long talk over coffee.\n"
STUDY = """\
name: kettle
word: coffee
text: "{text}"
model: {{source: folder, name: {model}}}
controls: {{different_word: false, untrained: false}}
robustness: {{simulations: 100}}
permutations: 99
detail_layer: 1
"""


@dataclass
class Runner:
    """A runner's folders, and the contexts of its expressions."""

    home: Path
    action: Path
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        return self.home / "work" / "course" / "course"

    def value(self, expression: str) -> str:
        """The value of what stands in ``${{ }}``; a name that the runner does not know is an error, and not an empty string."""
        contexts = {
            "github.action_path": str(self.action) if self.action != self.workspace else f"{self.workspace}/./",
            "github.run_id": "7",
            "github.run_attempt": "1",
            "runner.os": "Linux",
            "runner.arch": "X64",
            "runner.temp": str(self.home / "temp"),
        }
        if expression.startswith("inputs."):
            return self.inputs[expression.removeprefix("inputs.")]
        if found := re.fullmatch(r"steps\.([\w-]+)\.outputs\.([\w-]+)", expression):
            return self.outputs[found[1]][found[2]]
        return contexts[expression]

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: self.value(found[1]), str(text))

    def step(self, step: dict) -> subprocess.CompletedProcess[str] | None:
        """Do one step."""
        if "uses" in step:
            self.use(step["uses"].partition("@")[0], {key: self.filled(text) for key, text in step["with"].items()}, step.get("id", ""))
            return None
        assert step["shell"] == "bash"
        script, output = self.home / "temp" / "script.sh", self.home / "temp" / "output"
        script.write_text(self.filled(step["run"]))
        output.write_text("")
        variables = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(self.home / "bin"), *self.path, os.environ["PATH"]]),
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.home / "temp" / "summary.md"),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.home / "temp"),
        }
        variables |= {name: text for name, text in os.environ.items() if name.startswith(("PIP_", "LANG", "LC_"))}
        variables |= {name: self.filled(text) for name, text in step.get("env", {}).items()}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
        done = subprocess.run(command, cwd=self.workspace, env=variables, capture_output=True, text=True, check=False)
        self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done

    def use(self, action: str, settings: dict[str, str], name: str) -> None:
        """What the runner's own actions promise, and what they refuse."""
        if action == "actions/setup-python":
            # Its cache looks below the workspace only, and refuses a path with "." in it.
            assert settings.keys() == {"python-version"}
            self.path.append(str(Path(sys.executable).parent))
            self.outputs[name] = {"python-version": platform.python_version(), "python-path": sys.executable}
        else:
            assert action == "actions/cache"
            assert settings.keys() <= {"path", "key", "restore-keys"}
            keys = [settings["key"], *settings.get("restore-keys", "").split()]
            assert all(0 < len(key) <= 512 and "," not in key for key in keys)
            assert all(re.fullmatch(r"[A-Za-z0-9._-]+", key) for key in keys)
            assert all(key == keys[0] or keys[0].startswith(key) for key in keys)
            (path,) = settings["path"].split("\n")
            assert path.startswith(("/", "~/"))
            assert not {".", ".."} & set(path.split("/"))


@pytest.fixture
def ready_environment() -> Path:
    """The environment that the tests run in, if scripts/setup.sh made it for this very state: then setup.sh installs nothing into it."""
    if not (Path(sys.prefix) / ".reportgen-setup-run").is_file():
        pytest.skip("this environment was not made by scripts/setup.sh: run `make test`")
    return Path(sys.prefix)


def action_steps() -> list[dict]:
    return yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]


def defaults() -> dict[str, str]:
    return {name: entry["default"] for name, entry in yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"].items()}


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def runner(home: Path, where: str, text: str, **inputs: str) -> Runner:
    """A runner whose workspace is the user's repository; the action lies in it (``uses: ./``) or beside it (``uses: owner/name@v1``)."""
    workspace = home / "work" / "course" / "course"
    action = workspace if where == "here" else home / "work" / "_actions" / "owner" / "name" / "v1"
    for folder in (workspace, action, home / "temp"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, action / name)
    shutil.copy(ROOT / "pyproject.toml", action)
    (workspace / "study.yaml").write_text(text)
    # Neither root nor the package lists of this machine are the test's to use.
    for name in ("sudo", "apt-get"):
        program(home / "bin", name, f'echo "{name} $*" >>"{home}/asked"')
    return Runner(home, action, {**defaults(), **inputs})


@pytest.mark.parametrize("where", ["here", "in another repository"])
def test_every_step_as_a_runner_does_it(tmp_path, where, tiny_gpt2_folder, ready_environment):
    study = STUDY.format(text=TEXT.strip(), model=tiny_gpt2_folder)
    at_work = runner(tmp_path, where, study, study="study.yaml", languages="vi", formats="html", baseline="baseline")
    environment = tmp_path / "temp" / "reportgen"
    environment.symlink_to(ready_environment)
    for step in action_steps():
        done = at_work.step(step)
        assert done is None or done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
    assert "apt-get install" in (tmp_path / "asked").read_text()
    digest = hashlib.sha256((at_work.workspace / "out" / "bundle" / "SHA256SUMS").read_bytes()).hexdigest()
    assert at_work.outputs["regenerate"] == {
        "bundle": "out/bundle", "digest": digest, "report": "out", "state": "first", "changed": "false"
    }  # fmt: skip
    assert (at_work.workspace / "out" / "vi" / "report.html").is_file()
    assert (at_work.workspace / "baseline" / "study.json").is_file()
    assert "Verdicts" in (tmp_path / "temp" / "summary.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), [("study", "a, b/../c $(touch hacked).yaml"), ("model", "x" * 600)])
def test_any_input_makes_a_key_that_the_cache_takes(tmp_path, name, value):
    at_work = runner(tmp_path, "here", "", **{name: value})
    for step in action_steps()[:4]:
        done = at_work.step(step)
        assert done is None or done.returncode == 0, done.stderr
    assert not (at_work.workspace / "hacked").exists()


@pytest.mark.slow
def test_keys_follow_the_packages_and_the_work(tmp_path):
    def keys(folder: Path, change: bool, **inputs: str) -> dict[str, str]:
        at_work = runner(folder, "here", "", **inputs)
        if change:
            (at_work.action / "requirements" / "run.txt").write_text("numpy==3.0\n")
        for step in action_steps()[:2]:
            at_work.step(step)
        return at_work.outputs["keys"]

    first, same = keys(tmp_path / "first", False), keys(tmp_path / "same", False)
    newer, other = keys(tmp_path / "newer", True), keys(tmp_path / "other", False, study="river")
    assert first["packages"] == same["packages"] == other["packages"] != newer["packages"]
    assert first["work"] == same["work"] == newer["work"] != other["work"]


def test_workflows_run_commands_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] <= 60
            for step in job["steps"]:
                for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", "")):
                    assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{file.name}: make {target}"
                for lock in re.findall(r"requirements/[a-z]+\.txt", step.get("run", "")):
                    assert (ROOT / lock).is_file()


def test_pull_requests_are_tested_on_the_pythons_and_systems_that_are_promised():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    assert "pull_request" in workflow[True]
    assert {"3.11", "3.13"} <= set(workflow["jobs"]["linux"]["strategy"]["matrix"]["python"])
    systems = {entry["system"] for entry in workflow["jobs"]["render"]["strategy"]["matrix"]["include"]}
    assert systems == {"macos-latest", "windows-latest"}
