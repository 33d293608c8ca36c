"""scripts/setup.sh on machines that lack something: all of it is named at once, with one line to run, and nothing is begun."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"]


@pytest.fixture
def machine(tmp_path):
    """Run setup.sh on a machine of which `python` says what it has: parts of Python code that fail there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "sh", "cat", "cut", "dirname", "uname", "tr", "sed", "grep", "env", "ls", "awk", "df", "sha256sum"):
        found = subprocess.run(["bash", "-c", f"command -v {name}"], capture_output=True, text=True, check=True).stdout.strip()
        (programs / name).symlink_to(found)

    def program(name, script):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)

    def call(*purpose, fails=(), user=1000, sudo=True, python=True, **variables):
        program("id", f"echo {user}")
        program("apt-get", f'echo "apt-get $*" >>"{tmp_path}/asked"')
        if sudo:
            program("sudo", "exit 1")
        if python:
            missing = "".join(f'case "$*" in *"{part}"*) exit 1 ;; esac\n' for part in fails)
            program("python3", f'{missing}exec "{sys.executable}" "$@"')
        environment = {"PATH": str(programs), "VENV": str(tmp_path / "venv"), "TORCH": "cuda", **variables}
        command = [str(programs / "bash"), str(ROOT / "scripts" / "setup.sh"), *purpose]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert not (tmp_path / "venv").exists()
        return done

    return call


def packages(line):
    return re.findall(r"(?<= )[a-z][a-z0-9.+-]+[0-9a-z](?='?$| )", line.partition("--no-install-recommends")[2])


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="names Debian's packages")


@needs_linux
def test_an_ordinary_user_is_told_one_line_for_all_that_is_missing(machine):
    done = machine(fails=["ensurepip", "ctypes"])
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    found = re.fullmatch(r"setup: .* run this, .*:  (sudo apt-get update && sudo apt-get install -y --no-install-recommends .*)", line)
    assert found
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert packages(found[1]) == [f"python{version}-venv", *LIBRARIES]


@needs_linux
def test_without_sudo_it_is_a_line_for_su(machine):
    done = machine(fails=["ensurepip", "ctypes"], sudo=False)
    (line,) = done.stderr.splitlines()
    assert re.search(r"  su -c 'apt-get update && apt-get install -y --no-install-recommends [^']+'$", line)


@needs_linux
@pytest.mark.parametrize("library", LIBRARIES)
def test_one_library_alone_is_named_alone(machine, library):
    name = library[:-1].rstrip("-") if library.endswith("-0") else library[:-1]
    done = machine(fails=[f"'{name}.so"])
    (line,) = done.stderr.splitlines()
    assert packages(line) == [library]


@needs_linux
def test_no_python_at_all(machine):
    done = machine(python=False)
    (line,) = done.stderr.splitlines()
    assert packages(line) == ["python3", "python3-venv", *LIBRARIES]


@needs_linux
def test_what_tests_need_is_asked_for_by_them_only(machine):
    done = machine("test", fails=["ctypes"])
    (line,) = done.stderr.splitlines()
    assert packages(line) == [*LIBRARIES, "poppler-utils"]


def test_an_interpreter_that_is_none(machine):
    done = machine(PYTHON="/nowhere/python3")
    assert done.returncode == 3
    assert "/nowhere/python3 is no Python 3.11 or newer" in done.stderr


def test_an_unknown_purpose(machine):
    done = machine("tset")
    assert (done.returncode, "unknown purpose tset" in done.stderr) == (2, True)
