"""Whatever is killed, full or broken, at whatever moment: the folder holds the old state whole or the new state whole.

Each command is run in a copy of this process once for every system call that changes a file, and at that call it is killed, or told
that the disk is full, or asked to end. Not at random times: at every one.
"""

import errno
import json
import os
import re
import shutil
import signal
import sys
import traceback
from pathlib import Path

import pytest

from analyses.protocol import Results
from reportgen import atomic, baseline, cli, parquet, pipeline
from reportgen.bundle import write_bundle
from reportgen.publish.site import Site
from reportgen.sweep import store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each call is tried in a copy of the process")

_CALLS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate")
# Every one, or one of so many: all of them take minutes.
STEP, NEAR = (1, 12) if os.environ.get("EVERY_FAULT") else (9, 5)


def interrupt(number, way, root):
    """Let the `number`-th call that changes something below `root` fail in one way; print the count of calls at the end."""
    count = turn = 0

    def happens():
        nonlocal count
        count += 1
        if count == number:
            if way == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif way == "end":
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                raise OSError(getattr(errno, way), os.strerror(getattr(errno, way)))

    def hook(event, arguments):
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(root) in os.fsdecode(path):
                happens()
        elif event in _CALLS:
            happens()

    sys.addaudithook(hook)
    exchange = atomic.exchange

    def exchanged(one, other):
        nonlocal turn
        happens()
        turn = count
        done = exchange(one, other)
        happens()
        return done

    atomic.exchange = exchanged
    os.fsync = lambda descriptor: happens()
    return lambda: (count, turn or count // 2)


def in_a_copy(act, number, way, root):
    """Run `act` in a copy of this process; return how it ended, how many calls there were, and which put the new state in place."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.signal(signal.SIGTERM, cli._end)
            calls = interrupt(number, way, root)
            code = 0
            try:
                act()
            except (Exception, cli.Ended):
                code = 1
                if os.environ.get("EVERY_FAULT") == "show":
                    traceback.print_exc(file=sys.stdout)
            os.write(writing, " ".join(map(str, calls())).encode())
            os._exit(code)
        finally:
            os._exit(99)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    calls, turn = map(int, (said or "0 0").split())
    return os.waitstatus_to_exitcode(status), calls, turn


def state(root):
    """Every file of the folder, and of what is beside it: nothing hidden counts while the process is dead."""
    if not root.exists():
        return {}
    return {
        name: path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ("/." not in f"/{(name := path.relative_to(root).as_posix())}" or name in KEPT_HIDDEN)
    }


def hidden(root):
    """What is hidden beside the folder, and anywhere in it."""
    return [
        path
        for path in (*root.parent.iterdir(), *root.rglob("*"))
        if path.name.startswith(".") and path.relative_to(root.parent).as_posix().removeprefix(f"{root.name}/") not in KEPT_HIDDEN
    ]


@pytest.fixture
def scene(tmp_path, results, letters, renderer, monkeypatch):
    """For each command: what it does to the folder ``root``, which is made again by ``prepare``."""
    place = tmp_path / "place"
    root = place / "root"
    second = Results(results.dataset * 2, results.activations, {**results.study, "provenance": {"versions": {"numpy": "9"}}})
    old = write_bundle(results, letters.tables, tmp_path / "old")
    new = write_bundle(second, letters.tables, tmp_path / "new")
    settings = {seed: letters.settings_type(name="a", word="tea", text="Tea and tea", seed=seed) for seed in (1, 2)}

    def site(text):
        made = Site(root, {f"a/{number}.html": "" for number in range(3)})
        for number in range(4):
            made.add(f"a/{number}.html", f"{text} {number}")
        made.add("index.html", text)
        made.write()

    def cell(content):
        kept = store.Store(str(root))
        kept.sweep_up()
        kept.write(f"{store.CELLS}/k.zip", content)

    # What a killed writer left is swept at once, not only when nobody can be at it any more.
    monkeypatch.setattr(store, "_ABANDONED", -1)

    def render(bundle):
        pipeline.render(bundle, root, languages=["vi", "en"], formats=["html"])

    acts = {
        "run": (lambda: pipeline.run(settings[1], root, languages=["vi", "en"], formats=["html"]),
                lambda: pipeline.run(settings[2], root, languages=["vi"], formats=["html"])),
        "render": (lambda: render(old), lambda: render(new)),
        "analyze": (lambda: write_bundle(results, letters.tables, root), lambda: write_bundle(second, letters.tables, root)),
        "update": (lambda: baseline.write_baseline(old, root), lambda: baseline.write_baseline(new, root)),
        "publish": (lambda: site("old"), lambda: site("new")),
        "tables": (lambda: parquet.write_parquet(old, root), lambda: parquet.write_parquet(new, root)),
        "cell": (lambda: cell(b"old"), lambda: cell(b"new")),
        "file": (lambda: atomic.write_atomically(root / "page.html", b"old"), lambda: atomic.write_atomically(root / "page.html", b"new")),
    }  # fmt: skip
    # The renderer writes what tells the bundles apart.
    import reportgen.documents

    def render_documents(results, analysis, out, languages, formats, progress, templates, edition):
        (out / "figures").mkdir()
        (out / "figures" / "profile.svg").write_text(f"<svg>{results.study['provenance']}{results.study['settings']['seed']}</svg>")
        for language in languages:
            (out / language).mkdir()
            (out / language / "report.html").write_text(f"{language} {results.study['provenance']}{results.study['settings']['seed']}")

    reportgen.documents.render_documents = render_documents

    def prepare(command):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        acts[command][0]()
        (root / "notes").mkdir()
        (root / "notes" / "mine.txt").write_text("mine")
        if command == "run":
            (root / "bundle" / "mine.txt").write_text("mine")

    return root, prepare, {command: act for command, (_, act) in acts.items()}


# Hidden, and a part of what is written: a baseline tells git to leave its line ends alone.
KEPT_HIDDEN = {".gitattributes"}
COMMANDS = ["run", "render", "analyze", "update", "publish", "tables", "cell", "file"]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["kill", "ENOSPC", "EIO", "end"])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("manner", ["exchange", "journal"])
def test_at_every_call(scene, monkeypatch, command, way, manner):
    root, prepare, acts = scene
    if manner == "journal":
        if command in ("cell", "file") or way in ("EIO", "end"):
            pytest.skip("as with an exchange")
        monkeypatch.setattr(atomic, "_can_exchange", lambda place: False)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    prepare(command)
    old = state(root)
    acts[command]()
    new = state(root)
    assert {name for name in old if "mine" in name} <= set(new)
    assert old != new
    prepare(command)
    code, calls, turn = in_a_copy(acts[command], 0, way, root.parent)
    assert (code, state(root)) == (0, new)
    assert calls >= 5
    seen = set()
    # Every call around the moment of the change and some of the others.
    for number in sorted({*range(1, calls + 1, STEP), *(each for each in range(turn - NEAR, turn + NEAR) if 0 < each <= calls)}):
        prepare(command)
        in_a_copy(acts[command], number, way, root.parent)
        found = state(root)
        if manner == "exchange":
            assert found in (old, new), (number, sorted(set(found) ^ set(old)))
        seen.add(found == new)
        if way != "kill" and manner == "exchange":
            # Whoever is told of the fault clears up at once.
            left = hidden(root)
            assert not left, number
        acts[command]()
        assert state(root) == new, number
        assert hidden(root) == []
    # A cell is in place with its last call.
    assert seen == {True, False} or way != "kill" or manner == "journal" or command == "cell"


@pytest.mark.slow
@pytest.mark.parametrize("manner", ["exchange", "journal"])
def test_where_there_was_nothing(scene, tmp_path, monkeypatch, manner):
    root, _, acts = scene
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    if manner == "journal":
        monkeypatch.setattr(atomic, "_can_exchange", lambda place: False)
    for command in ("run", "publish"):
        shutil.rmtree(root.parent, ignore_errors=True)
        root.parent.mkdir()
        _, calls, _ = in_a_copy(acts[command], 0, "kill", root.parent)
        new = state(root)
        for number in range(1, calls + 1, STEP):
            shutil.rmtree(root.parent)
            root.parent.mkdir()
            in_a_copy(acts[command], number, "kill", root.parent)
            if manner == "exchange":
                assert state(root) in ({}, new)
            acts[command]()
            assert state(root) == new


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes the system kill a process at a call")
def test_the_system_kills_at_real_calls(tmp_path, reportgen_process):
    """The same with the system's own calls, those that libraries make in C among them."""
    calls = "rename,renameat,renameat2,link,linkat,fsync,unlink,unlinkat"
    study = "name: a\nword: tea\ntext: Tea and tea.\nseed: {}\n"
    (tmp_path / "one.yaml").write_text(study.format(1))
    (tmp_path / "two.yaml").write_text(study.format(2))
    arguments = ("analyze", "two.yaml", "--no-cache", "--quiet", "--out")

    def prepare(place):
        assert reportgen_process("analyze", "one.yaml", "--no-cache", "--quiet", "--out", place).returncode == 0
        (tmp_path / place / "bundle" / "mine.txt").write_text("mine")
        return state(tmp_path / place)

    old = prepare("out")
    probe = reportgen_process(*arguments, "out", prefix=["strace", "-f", "-qq", "-o", str(tmp_path / "log"), "-e", f"trace={calls}"])
    if probe.returncode != 0:
        pytest.skip(f"strace cannot be used here: {probe.stderr[:200]}")
    new = state(tmp_path / "out")
    assert old != new
    assert new["bundle/mine.txt"] == b"mine"
    # strace counts the calls of each thread by themselves.
    lines = [line.split(maxsplit=1) for line in (tmp_path / "log").read_text().splitlines() if re.match(r"\d+ +\w+\(", line)]
    thread = next(number for number, line in lines if "RENAME_EXCHANGE" in line)
    lines = [line for number, line in lines if number == thread]
    exchanged = next(number for number, line in enumerate(lines, 1) if "RENAME_EXCHANGE" in line)
    for number in sorted({1, exchanged - 1, exchanged, exchanged + 1} if STEP > 1 else range(1, len(lines) + 1)):
        shutil.rmtree(tmp_path / "out")
        old = prepare("out")
        inject = f"inject={calls}:signal=SIGKILL:when={number}"
        done = reportgen_process(*arguments, "out", prefix=["strace", "-f", "-qq", "-o", os.devnull, "-e", inject])
        assert done.returncode != 0
        assert state(tmp_path / "out") in (old, new)
        assert reportgen_process(*arguments, "out").returncode == 0
        assert state(tmp_path / "out") == new
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["bundle"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signals_end_a_run_without_traces(reportgen_process, tmp_path, name):
    process = reportgen_process("run", "letters", wait=False, FAKE_LETTERS_SLEEP="60")
    assert process.stderr.readline() == "Mutual information\n"
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=20)
    assert process.returncode == (130 if name == "SIGINT" else 128 + getattr(signal, name))
    assert errors.startswith("reportgen: ")
    assert errors.endswith("nothing half-written was left behind\n")
    assert errors.count("\n") == 1
    assert [path for path in tmp_path.rglob("*") if "partial" in path.name] == []
    assert not (tmp_path / "out").exists()


def test_nohup_is_respected(reportgen_process, tmp_path):
    done = reportgen_process("analyze", "letters", "--quiet", prefix=["nohup"])
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "arguments", [["study", "list"], ["study", "list", "--json"], ["study", "schema"], ["--version"], ["--help"], ["cache", "info"]]
)
def test_a_standard_output_that_is_full(reportgen_process, arguments):
    with open("/dev/full", "w") as full:
        done = reportgen_process(*arguments, stdout=full)
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_standard_streams_that_are_closed(reportgen_process, tmp_path, closed):
    """As by a service that starts the program: no traceback, and no file takes a stream's place and what is printed."""
    for arguments, code in ((["study", "list"], 0), (["study", "check", "nowhere"], 2), (["analyze", "letters", "--out", "made"], 0)):
        done = reportgen_process(*arguments, prefix=["sh", "-c", f'"$@" {closed}', "sh"])
        assert done.returncode == code
        assert "Traceback" not in done.stderr
    (bundle,) = (tmp_path / "made").glob("**/study.json")
    assert json.loads(bundle.read_text())["analysis"] == "letters"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root can mount")
@pytest.mark.parametrize("what", ["out", "out/bundle", "parent read-only"])
def test_mount_points_and_read_only_parents(tmp_path, what, reportgen_process):
    """`out` is a file system of its own, its bundle is one, or nothing can be written beside it."""
    place = tmp_path / "place"
    (place / "out" / "bundle").mkdir(parents=True)
    mounts = {
        "out": f"mount -t tmpfs none {place}/out",
        "out/bundle": f"mount -t tmpfs none {place}/out/bundle",
        "parent read-only": f"mount --bind {place} {place} && mount --bind {place}/out {place}/out && mount -o remount,ro,bind {place}",
    }
    script = tmp_path / "script"
    script.write_text(f'set -e\n{mounts[what]}\n"$@" --seed 1\necho mine > {place}/out/bundle/mine.txt\n"$@" --seed 2\n'
                      f"cat {place}/out/bundle/mine.txt; grep -c '\"seed\": 2' {place}/out/bundle/study.json\n"
                      f"ls -A {place} {place}/out | grep partial || echo clean\n")  # fmt: skip
    done = reportgen_process("analyze", "letters", "--quiet", "--no-cache", "--out", place / "out", prefix=["unshare", "-m", "sh", script])
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(done.stderr[:200])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["mine", "2", "clean"]


@pytest.mark.slow
def test_a_bundle_folder_that_is_a_link(reportgen_process, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bundle").symlink_to(tmp_path / "elsewhere")
    for seed in ("1", "2"):
        assert reportgen_process("analyze", "letters", "--quiet", "--seed", seed).returncode == 0
    assert (tmp_path / "out" / "bundle").is_symlink()
    assert (tmp_path / "elsewhere" / "study.json").is_file()
    assert [path.name for folder in (tmp_path, tmp_path / "out") for path in folder.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize("name", ["vi", "bundle", "figures"])
def test_a_file_where_a_folder_would_go_is_said_before_anything_is_computed(tmp_path, renderer, letters, name, monkeypatch):
    from analyses.errors import InputError

    monkeypatch.setenv("FAKE_LETTERS_LOG", str(tmp_path / "log"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(InputError, match=name):
        pipeline.run(letters.settings_type(name="a", word="tea", text="Tea and tea"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert not (tmp_path / "log").exists()
