import hashlib

import pytest

from analyses.models import hashes

ONE, TWO = (hashlib.sha256(content).hexdigest() for content in (b"one", b"two"))


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hashes.json"


@pytest.fixture
def reads(monkeypatch):
    """The files that were read to the end."""
    seen, real = [], hashes.content_sha256
    monkeypatch.setattr(hashes, "content_sha256", lambda file: seen.append(file) or real(file))
    return seen


def test_a_hub_blobs_hash_is_its_name_and_a_files_that_of_its_content(tmp_path, reads):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    assert hashes.sha256(tmp_path / "model.safetensors") == ONE
    (tmp_path / ONE).write_bytes(b"one")
    (tmp_path / "link").symlink_to(tmp_path / ONE)
    assert hashes.sha256(tmp_path / "link") == ONE
    assert reads == [tmp_path / "model.safetensors"]


def test_a_hash_is_remembered_until_the_file_changes_or_all_is_forgotten(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(hashes, "_TICK", -1)
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    assert [hashes.sha256(file), hashes.sha256(file)] == [ONE, ONE]
    assert reads == [file]
    file.write_bytes(b"two")
    assert [hashes.sha256(file), hashes.sha256(file)] == [TWO, TWO]
    assert reads == [file, file]
    hashes.forget()
    assert hashes.sha256(file) == TWO
    assert reads == [file, file, file]


def test_a_file_written_just_now_is_not_remembered(tmp_path, memory):
    (tmp_path / "weights").write_bytes(b"one")
    hashes.sha256(tmp_path / "weights")
    assert not memory.exists()


def test_a_damaged_memory_is_no_hindrance(tmp_path, memory):
    memory.parent.mkdir()
    memory.write_text("{")
    (tmp_path / "weights").write_bytes(b"one")
    assert hashes.sha256(tmp_path / "weights") == ONE
