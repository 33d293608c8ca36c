"""How the tests themselves are shared out over processes."""

import os
import subprocess
import sys

import pytest

GROUP = """
import os
from pathlib import Path

import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_process(number):
    with Path("processes").open("a") as file:
        file.write(f"{os.getpid()}\\n")
"""


@pytest.mark.slow
def test_what_takes_long_to_make_is_made_by_one_process(tmp_path):
    """Where pytest and its plugin for processes do not fit together, groups are none, and nothing says so but the clock."""
    (tmp_path / "test_group.py").write_text(GROUP)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    processes = (tmp_path / "processes").read_text().split()
    assert (len(processes), len(set(processes))) == (6, 1)
