import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from analyses.errors import InputError
from reportgen import atomic
from reportgen.atomic import staging, staging_folder


def test_the_folder_is_beside_its_place_and_goes_away(tmp_path):
    def fail():
        with staging_folder(tmp_path / "new" / "place") as folder:
            assert folder.parent == tmp_path / "new"
            (folder / "half").write_text("written")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


WAYS = ["exchange", "no exchange", "worked in", "much beside"]


@pytest.fixture(params=WAYS)
def way(request, tmp_path, monkeypatch):
    """The ways to put files in place: one exchange of the whole folder, or a journal of renames."""
    if request.param == "no exchange":
        monkeypatch.setattr(atomic, "exchange", lambda one, other: False)
    elif request.param == "much beside":
        monkeypatch.setattr(atomic, "_MOST_LINKS", 0)
    elif request.param == "worked in":
        (tmp_path / "root").mkdir()
        monkeypatch.chdir(tmp_path / "root")
    return request.param


def put(root, files, remove=()):
    with staging(root) as staged:
        for name, content in files.items():
            (staged.new / name).parent.mkdir(parents=True, exist_ok=True)
            (staged.new / name).write_text(content)
        return [path.relative_to(os.path.realpath(root)).as_posix() for path in staged.commit(lambda: remove)]


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_what_is_new_is_put_and_what_is_of_others_stays(tmp_path, way):
    root = tmp_path / "root"
    assert put(root, {"a": "1", "deep/b": "1"}) == ["a", "deep/b"]
    (root / "deep" / "mine").write_text("mine")
    (root / "empty").mkdir()
    (root / "link").symlink_to("nowhere")
    inode = (root / "deep" / "b").stat().st_ino
    assert put(root, {"a": "2", "deep/b": "1", "more/c": "2"}) == ["a", "more/c"]
    assert contents(root) == {"a": "2", "deep/b": "1", "deep/mine": "mine", "more/c": "2"}
    assert (root / "empty").is_dir()
    assert os.readlink(root / "link") == "nowhere"
    # A file that is the same is the same file still.
    assert (root / "deep" / "b").stat().st_ino == inode
    put(root, {"a": "2"}, remove=["deep/b", "more/c", "never/there"])
    assert contents(root) == {"a": "2", "deep/mine": "mine"}
    assert not (root / "more").exists()
    assert list(tmp_path.iterdir()) == [root]
    assert [path.name for path in root.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_touched_where_nothing_differs(tmp_path, way):
    root = tmp_path / "root"
    put(root, {"a": "1"})
    inode, times = root.stat().st_ino, root.stat().st_mtime_ns
    assert put(root, {"a": "1"}, remove=["gone"]) == []
    assert root.stat().st_ino == inode
    assert (root.stat().st_mtime_ns == times) or way == "worked in"


def test_a_link_to_the_folder_stays_a_link(tmp_path, way):
    (tmp_path / "root").mkdir(exist_ok=True)
    (tmp_path / "link").symlink_to("root")
    put(tmp_path / "link", {"a": "1"})
    put(tmp_path / "link", {"a": "2"})
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "root") == {"a": "2"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "root"]


@pytest.mark.parametrize("files", [{"a/b": "1", "c": "1"}, {"mine": "1"}])
def test_what_is_of_another_kind_is_in_the_way(tmp_path, way, files):
    root = tmp_path / "root"
    (root / "mine").mkdir(parents=True)
    (root / "a").write_text("mine")
    with pytest.raises(atomic.ObstacleError):
        put(root, files)
    assert contents(root) == {"a": "mine"}


@pytest.mark.parametrize("call", ["link", "fsync", "exchange", "mkdir"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_is_full_or_broken_leaves_the_old_state(tmp_path, monkeypatch, call, number):
    root = tmp_path / "root"
    put(root, {"a": "1", "deep/b": "1"})

    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        target = atomic if call == "exchange" else Path if call == "mkdir" else os
        patch.setattr(target, call, fail)
        with pytest.raises(OSError, match=os.strerror(number)):
            put(root, {"a": "2", "c": "2"})
    assert contents(root) == {"a": "1", "deep/b": "1"}
    put(root, {"a": "2"})
    assert list(tmp_path.iterdir()) == [root]


def test_two_writers_of_one_folder_do_not_lose_each_others_files(tmp_path):
    code = """
import sys
from pathlib import Path
from reportgen.atomic import staging
for turn in range(30):
    with staging(Path(sys.argv[1])) as staged:
        (staged.new / sys.argv[2]).write_text(str(turn))
        staged.commit()
"""
    command = [sys.executable, "-c", code, str(tmp_path / "root")]
    processes = [subprocess.Popen([*command, name]) for name in ("a", "b", "c")]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert contents(tmp_path / "root") == {"a": "29", "b": "29", "c": "29"}
    assert list(tmp_path.iterdir()) == [tmp_path / "root"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed process is a copy of this one")
def test_who_works_alone_reads_what_a_killed_process_began_to_put_in_place(tmp_path, monkeypatch):
    """A journal was written and the first of its files renamed: whoever is next meets all of them, before anything is read."""
    root = tmp_path / "site"
    put(root, {"a": "old", "b": "old"})
    monkeypatch.setattr(atomic, "_can_exchange", lambda place: False)
    child = os.fork()
    if child == 0:
        rename, seen = os.replace, []

        def renamed(source, target):
            if str(target).startswith(str(root)):
                if seen:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen.append(target)
            rename(source, target)

        os.replace = renamed
        put(root, {"a": "new", "b": "new"})
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert contents(root) == {"a": "new", "b": "old"}
    with atomic.alone(root):
        assert contents(root) == {"a": "new", "b": "new"}


JOURNALS = {
    "no JSON": "{",
    "a list": "[]",
    "nothing": "{}",
    "names that are none": '{"put": [3], "remove": []}',
    "a word": '{"put": "a", "remove": []}',
    "out of the folder": '{"put": [], "remove": ["../mine"]}',
    "out of the folder by its whole path": '{"put": [], "remove": ["/PLACE/mine"]}',
    "into another folder": '{"put": ["../mine"], "remove": []}',
    "deep": '{"put": ' + "[" * 100_000 + "]" * 100_000 + "}",
}


@pytest.mark.skipif(atomic.fcntl is None, reason="folders are locked where the system has flock")
@pytest.mark.parametrize("case", JOURNALS)
def test_a_journal_that_no_killed_process_wrote_moves_nothing(tmp_path, case):
    """It could come with a folder that somebody else packed."""
    root, left = tmp_path / "root", tmp_path / "root" / ".root.partial-x"
    put(root, {"a": "1"})
    (tmp_path / "mine").write_text("mine")
    (left / "new").mkdir(parents=True)
    (left / "mine").write_text("theirs")
    (left / "journal.json").write_text(JOURNALS[case].replace("PLACE", str(tmp_path).strip("/")))
    with pytest.raises(InputError, match=r"journal\.json is no(t valid JSON| journal of a call that was interrupted; remove the folder)"):
        put(root, {"a": "2"})
    assert (root / "a").read_text() == "1"
    assert (tmp_path / "mine").read_text() == "mine"


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        put(tmp_path / "place", {"a": "1"})
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
