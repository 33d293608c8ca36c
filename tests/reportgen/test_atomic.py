import os
import subprocess
import sys

import pytest

from reportgen import atomic
from reportgen.atomic import put_folder, staging_folder


def test_the_folder_is_beside_its_place_and_goes_away(tmp_path):
    def fail():
        with staging_folder(tmp_path / "new" / "place") as folder:
            assert folder.parent == tmp_path / "new"
            (folder / "half").write_text("written")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("exchange", [True, False])
def test_put_folder_replaces(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    place = tmp_path / "place"
    for content in ("old", "new"):
        with staging_folder(place) as folder:
            (folder / "file").write_text(content)
            put_folder(folder, place)
        assert (place / "file").read_text() == content
    assert list(tmp_path.iterdir()) == [place]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with staging_folder(tmp_path / "place") as folder:
            put_folder(folder, tmp_path / "place")
    finally:
        os.umask(before)
    assert (tmp_path / "place").stat().st_mode & 0o777 == 0o750


@pytest.mark.skipif(atomic.fcntl is None, reason="folders are locked where the system has flock")
def test_a_killed_process_leaves_nothing_for_long_and_a_running_one_is_left_alone(tmp_path):
    code = """
import os, sys
from pathlib import Path
from reportgen.atomic import staging_folder
with staging_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("written")
    print(folder, flush=True)
    sys.stdin.readline()
"""
    place = tmp_path / "place"
    process = subprocess.Popen([sys.executable, "-c", code, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    partial = process.stdout.readline().strip()
    with staging_folder(place):
        assert os.path.exists(partial)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert os.path.exists(partial)
    with staging_folder(place):
        assert not os.path.exists(partial)
