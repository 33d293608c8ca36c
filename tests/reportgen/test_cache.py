import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reportgen import notices, pipeline
from reportgen.bundle import bundle_digest
from reportgen.cache import Cache, cache_key, code_version


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "kept")


def writes(text, name="file"):
    return lambda folder: (folder / name).write_text(text)


def test_what_was_stored_is_found_and_nothing_else(cache):
    cache.store("results", "a", writes("one"))
    assert (cache.find("results", "a") / "file").read_text() == "one"
    assert cache.find("results", "b") is None
    assert cache.find("documents", "a") is None


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "no sums"])
def test_a_damaged_entry_counts_as_absent_and_can_be_stored_again(cache, damage):
    cache.store("results", "a", writes("one"))
    file = cache.find("results", "a") / "file"
    if damage == "changed":
        file.write_text("two")
    elif damage == "missing":
        file.unlink()
    elif damage == "added":
        file.with_name("more").write_text("")
    else:
        (file.parents[1] / "SHA256SUMS").unlink()
    assert cache.find("results", "a") is None
    if damage != "no sums":
        cache.store("results", "a", writes("one"))
        assert (cache.find("results", "a") / "file").read_text() == "one"


def test_the_first_of_two_stays(cache):
    def slow(folder):
        (folder / "file").write_text("second")
        cache.store("results", "a", writes("first"))

    cache.store("results", "a", slow)
    assert (cache.find("results", "a") / "file").read_text() == "first"
    assert [path.name for path in (cache.folder / "results").iterdir()] == ["a"]


def test_an_entry_that_could_not_be_written_is_not_there(cache):
    def fail(folder):
        (folder / "file").write_text("half")
        raise OSError(28, "No space left on device")

    cache.store("results", "a", fail)
    assert cache.find("results", "a") is None
    assert list((cache.folder / "results").iterdir()) == []


@pytest.mark.slow
def test_kill_9_leaves_nothing_half(cache):
    code = """
import sys, time
from pathlib import Path
from reportgen import notices, pipeline
from reportgen.bundle import bundle_digest
from reportgen.cache import Cache
def fill(folder):
    (folder / "file").write_text("half")
    print("filling", flush=True)
    time.sleep(60)
Cache(Path(sys.argv[1])).store("results", "a", fill)
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(cache.folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "filling\n"
    assert cache.find("results", "a") is None
    cache.store("results", "other", writes("of another run"))
    process.kill()
    process.wait()
    process.stdout.close()
    assert cache.find("results", "a") is None
    cache.store("results", "b", writes("two"))
    assert sorted(path.name for path in (cache.folder / "results").iterdir()) == ["b", "other"]


def test_many_runs_at_once(cache):
    wrong = []

    def work():
        for turn in range(20):
            key = str(turn % 3)
            found = cache.find("results", key)
            if found is None:
                cache.store("results", key, writes(key))
            else:
                try:
                    content = (found / "file").read_text()
                except FileNotFoundError:
                    continue
                wrong.extend([content] if content != key else [])
            if turn % 7 == 6:
                cache.clear()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for _ in range(4)]:
            done.result()
    assert wrong == []
    cache.clear()
    assert list((cache.folder / "results").iterdir()) == []


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(cache, monkeypatch):
    opened = os.open

    def swept_first(path, *arguments, **options):
        if Path(path).name.startswith("."):
            monkeypatch.setattr(os, "open", opened)
            shutil.rmtree(path)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", swept_first)
    cache.store("results", "a", writes("one"))
    assert os.open is opened
    assert (cache.find("results", "a") / "file").read_text() == "one"


def test_beyond_the_limit_the_longest_unused_goes(tmp_path):
    cache = Cache(tmp_path / "kept", limit=1300)
    for age, key in enumerate("abc"):
        cache.store("results", key, writes("x" * 300))
        entry = tmp_path / "kept" / "results" / key
        os.utime(entry, ns=(0, age * 10**9))
    assert cache.find("results", "a")
    cache.store("documents", "d", writes("x" * 300))
    assert [cache.find("results", key) is not None for key in "abc"] == [True, False, True]
    assert cache.find("documents", "d")


def test_use_and_clear(cache):
    cache.store("results", "a", writes("x" * 1000))
    cache.store("results", "b", writes("x" * 1000))
    cache.store("documents", "c", writes("x" * 10))
    use = {stage.stage: stage for stage in cache.use()}
    assert (use["results"].entries, use["documents"].entries) == (2, 1)
    assert 2000 < use["results"].size < 2500
    assert cache.clear() == 3
    assert cache.use() == []


def test_keys_know_values_but_not_the_order_of_their_names():
    assert cache_key(a=1, b={"x": 1, "y": 2}) == cache_key(b={"y": 2, "x": 1}, a=1)
    assert cache_key(a=1) != cache_key(a=2)
    assert cache_key(a="1") != cache_key(a=1)


def test_the_code_version_follows_contents_and_libraries(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "module.py").write_text("x = 1")
    first = code_version([tmp_path / "code"])
    (tmp_path / "code" / "__pycache__").mkdir()
    (tmp_path / "code" / "__pycache__" / "module.pyc").write_bytes(b"1")
    assert code_version([tmp_path / "code"]) == first
    (tmp_path / "code" / "module.py").write_text("x = 2")
    second = code_version([tmp_path / "code"])
    assert second != first
    monkeypatch.setattr("reportgen.cache._version", lambda library: "another")
    assert code_version([tmp_path / "code"]) != second


def keeps(tmp_path, letters, cache):
    """Run a study with a cache and without one; the bundles."""
    settings = letters.settings_type(name="a", word="tea", text="Tea and tea")
    pipeline.analyze_to(settings, tmp_path / "kept", cache=cache)
    pipeline.analyze_to(settings, tmp_path / "fresh")
    return bundle_digest(tmp_path / "kept" / "bundle"), bundle_digest(tmp_path / "fresh" / "bundle")


@pytest.fixture
def warnings(monkeypatch):
    said = []
    notices.forget()
    monkeypatch.setattr(notices.LOGGER, "warning", lambda form, line: said.append(line))
    return said


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "gone", "folder", "binary sums", "html sums", "no entry but a file"])
def test_a_damaged_cache_gives_the_right_results_and_one_warning(tmp_path, letters, cache, warnings, damage):
    first, fresh = keeps(tmp_path, letters, cache)
    assert first == fresh
    (entry,) = (cache.folder / "results").iterdir()
    file, sums = entry / "content" / "bundle" / "results.nc", entry / "SHA256SUMS"
    content = file.read_bytes()
    if damage == "flipped":
        file.write_bytes(content[:200] + bytes([content[200] ^ 4]) + content[201:])
    elif damage == "cut":
        file.write_bytes(content[:100])
    elif damage == "emptied":
        shutil.rmtree(entry / "content")
    elif damage == "gone":
        file.unlink()
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    elif damage == "no entry but a file":
        shutil.rmtree(entry)
        entry.write_text("")
    else:
        sums.write_bytes(b"\xff\xfe" if damage == "binary sums" else b"<html>")
    assert keeps(tmp_path, letters, cache) == (fresh, fresh)
    assert len(warnings) == 1 or damage == "no entry but a file"
    assert "made again" in warnings[0]


def test_an_entry_that_goes_while_it_is_read_is_made_again(tmp_path, letters, cache, warnings, monkeypatch):
    _, fresh = keeps(tmp_path, letters, cache)
    find = cache.find

    def found(stage, key):
        folder = find(stage, key)
        shutil.rmtree(cache.folder)
        return folder

    monkeypatch.setattr(cache, "find", found)
    assert keeps(tmp_path, letters, cache) == (fresh, fresh)
    assert len(warnings) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_cache_that_cannot_be_written_is_said_once(tmp_path, letters, cache, warnings, monkeypatch, number):
    def fail(place):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("reportgen.cache.staging_folder", fail)
    first, fresh = keeps(tmp_path, letters, cache)
    assert first == fresh
    assert keeps(tmp_path, letters, cache) == (fresh, fresh)
    assert len(warnings) == 1
    assert os.strerror(number) in warnings[0]


def test_a_cache_that_can_only_be_read_is_used(tmp_path, letters, cache, warnings, monkeypatch):
    keeps(tmp_path, letters, cache)

    def fail(path, *arguments, **options):
        raise PermissionError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr("reportgen.cache.os.utime", fail)
    log = tmp_path / "log"
    monkeypatch.setenv("FAKE_LETTERS_LOG", str(log))
    settings = letters.settings_type(name="a", word="tea", text="Tea and tea")
    pipeline.analyze_to(settings, tmp_path / "again", cache=cache)
    assert not log.exists()
    assert warnings == []
