"""Where compiled code is kept: never where another version, or another source, could be read for it."""

import time
from concurrent.futures import ThreadPoolExecutor
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


def test_two_threads_that_load_at_once_leave_numbas_setting_as_it_was(monkeypatch):
    """Each is at its import, with the setting changed, while the other could begin."""
    seen = []

    def slow_import(name):
        if name != "numba":
            seen.append(numba.config.CACHE_DIR)
            time.sleep(0.05)
        return numba

    acceleration._load.cache_clear()
    monkeypatch.delenv("REPORTGEN_NUMBA", raising=False)
    before = numba.config.CACHE_DIR
    with monkeypatch.context() as patched:
        patched.setattr(acceleration.importlib, "import_module", slow_import)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(kernels, COMPILED))
    acceleration._load.cache_clear()
    after = numba.config.CACHE_DIR
    assert after == before
    assert sorted(seen) == sorted(str(compiled_folder(numba.__version__, package, before)) for package in COMPILED)


def test_a_folder_that_cannot_be_written_to_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path))
    monkeypatch.setattr(acceleration.os, "access", lambda *_: False)
    assert compiled_folder("0.61.0", "statistics").parent == tmp_path
    assert compiled_folder("0.61.0", "statistics", "/chosen").parent == Path("/chosen")
