"""Where compiled code is kept: never where another version, or another source, could be read for it."""

from pathlib import Path

import pytest

from analyses import acceleration
from analyses.acceleration import compiled_folder, kernels

numba = pytest.importorskip("numba")
# A compiled function of each package that has some.
COMPILED = {"mutual_information": "nearest_neighbour", "statistics": "relabelled"}


def test_compiled_code_of_another_version_is_in_another_folder():
    assert compiled_folder("0.61.0", "statistics") != compiled_folder("0.62.0", "statistics")
    assert compiled_folder("0.61.0", "statistics") == compiled_folder("0.61.0", "statistics")


def test_compiled_code_of_another_source_is_in_another_folder(monkeypatch, tmp_path):
    (tmp_path / "statistics").mkdir()
    (tmp_path / "statistics" / "kernels.py").write_text("a = 1\n")
    monkeypatch.setattr(acceleration, "_HERE", tmp_path)
    before = compiled_folder("0.61.0", "statistics")
    (tmp_path / "statistics" / "kernels.py").write_text("a = 2\n")
    assert compiled_folder("0.61.0", "statistics") != before


@pytest.mark.parametrize("package", COMPILED)
def test_the_kernels_are_kept_there_and_nobody_else_is(package):
    """numba says itself where it keeps a function; its setting is as it was."""
    compiled = kernels(package)
    if compiled is None:
        pytest.skip("numba is switched off")
    kept = Path(getattr(compiled, COMPILED[package]).stats.cache_path)
    assert kept.is_relative_to(compiled_folder(numba.__version__, package, numba.config.CACHE_DIR))


def test_a_folder_that_cannot_be_written_to_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path))
    monkeypatch.setattr(acceleration.os, "access", lambda *_: False)
    assert compiled_folder("0.61.0", "statistics").parent == tmp_path
    assert compiled_folder("0.61.0", "statistics", "/chosen").parent == Path("/chosen")
