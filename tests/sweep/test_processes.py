"""Sweeps as a user starts them, in processes of their own: whatever happens on the way, the same bytes, and nothing computed twice."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer


def command(file, out, *more, **options):
    """Starts the sweep in a process of its own, as a user would."""
    environment = {**os.environ, "REPORTGEN_CACHE": str(file.parent / "cache"), **options}
    line = [sys.executable, "-c", "from reportgen.cli import main; main()", "sweep", str(file), "--out", str(out), *more]
    return subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def kept(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def undisturbed(write_grid, tmp_path_factory):
    """The grid's file, and what its store holds when nothing happens on the way."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file = write_grid(folder)
    done = command(file, folder, "--workers", "1", "--shard", "1/1")
    _, said = done.communicate(timeout=600)
    assert done.returncode == 0, said
    assert "cells computed: 6, there before: 0, not to be computed: 0" in said
    return file, kept(folder / "store")


@pytest.mark.slow
def test_the_same_bytes_whatever_happens_on_the_way(undisturbed, tmp_path):
    file, expected = undisturbed
    # Two processes.
    done = command(file, tmp_path / "two", "--workers", "2", "--shard", "1/1")
    assert done.wait(600) == 0
    assert kept(tmp_path / "two" / "store") == expected
    # Two shards, one after the other, into one store elsewhere.
    for part in ("1/2", "2/2"):
        assert command(file, tmp_path / "shards", "--store", str(tmp_path / "common"), "--shard", part).wait(600) == 0
    assert kept(tmp_path / "common") == expected
    # The driver is killed after the first cell, and its processes end with it; the same command goes on.
    killed = command(file, tmp_path / "killed", "--workers", "1", "--shard", "1/1")
    first = _wait_for(lambda: sorted((tmp_path / "killed" / "store" / "cells").glob("*.zip")))
    killed.kill()
    killed.communicate()
    moments = {place: place.stat().st_mtime_ns for place in first}
    resumed = command(file, tmp_path / "killed", "--workers", "1", "--shard", "1/1")
    _, said = resumed.communicate(timeout=600)
    assert resumed.returncode == 0, said
    assert kept(tmp_path / "killed" / "store") == expected
    assert {place: place.stat().st_mtime_ns for place in first} == moments


@pytest.mark.slow
def test_a_killed_process_costs_what_it_had_begun(undisturbed, tmp_path):
    file, expected = undisturbed
    driver = command(file, tmp_path / "out", "--workers", "1", "--shard", "1/1")
    _wait_for(lambda: sorted((tmp_path / "out" / "store" / "cells").glob("*.zip")))
    for process in _children(driver.pid):
        os.kill(process, signal.SIGKILL)
    _, said = driver.communicate(timeout=600)
    assert driver.returncode == 0, said
    assert kept(tmp_path / "out" / "store") == expected


@pytest.mark.slow
def test_the_report_of_a_sweep(undisturbed, tmp_path):
    file, expected = undisturbed
    out = tmp_path / "out"
    for name, content in expected.items():
        (out / "store" / name).parent.mkdir(parents=True, exist_ok=True)
        (out / "store" / name).write_bytes(content)
    done = command(file, out, "--lang", "en", "--format", "html")
    _, said = done.communicate(timeout=600)
    assert done.returncode == 0, said
    assert "cells computed: 0, there before: 6, not to be computed: 0" in said
    study = json.loads((out / "bundle" / "study.json").read_text(encoding="utf-8"))
    assert study["analysis"] == "mi_distance_pooled"
    assert str(tmp_path) not in (out / "bundle" / "study.json").read_text(encoding="utf-8")
    assert "coffee" in (out / "en" / "report.html").read_text(encoding="utf-8")
    assert kept(out / "store") == expected


def test_ctrl_c_ends_all_processes_and_the_next_call_goes_on(grid, tmp_path):
    file = grid()
    driver = command(file, tmp_path / "out", "--workers", "1", "--shard", "1/1")
    processes = _wait_for(lambda: _children(driver.pid))
    os.kill(driver.pid, signal.SIGINT)
    _, said = driver.communicate(timeout=120)
    assert driver.returncode == 130
    assert said.splitlines()[-1] == "reportgen: interrupted; nothing half-written was left behind"
    _wait_for(lambda: not any(_runs(process) for process in processes))
    assert not [*(tmp_path / "out").rglob(".*.zip*")]


def _wait_for(found, seconds=300):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def _children(process):
    """Processes that were started by another one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process and b"spawn_main" in (folder / "cmdline").read_bytes():
            found.append(int(folder.name))
    return found


def _runs(process):
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# A cluster: a scheduler and two workers, started by hand


@pytest.fixture
def dask(tmp_path):
    """Starts a scheduler or a worker in a session of its own, and ends all of it at the end."""
    started = []

    def start(what, *options):
        more = [] if what == "scheduler" else ["--nthreads", "1"]
        port = ["--port", "0"] if what == "scheduler" else []
        line = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(tmp_path / "scheduler.json")]
        environment = {**os.environ, "REPORTGEN_CACHE": str(tmp_path / "cache")}
        with (tmp_path / f"{what}-{len(started)}.log").open("w") as log:
            process = subprocess.Popen(
                [*line, "--no-dashboard", *port, *more, *options], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        started.append(process)
        if what == "scheduler":
            _wait_for(lambda: (tmp_path / "scheduler.json").exists())
        return process

    yield start
    for process in started:
        _end(process)


def _end(process):
    # A nanny's worker is in its session.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_whatever_is_killed(undisturbed, dask, tmp_path):
    file, expected = undisturbed
    there = ["--scheduler", str(tmp_path / "scheduler.json")]
    scheduler = dask("scheduler")
    workers = [dask("worker"), dask("worker")]

    # A worker is killed after the first cell; its nanny starts another one.
    sweep = command(file, tmp_path / "worker", *there, "--shard", "1/1")
    _wait_for(lambda: list((tmp_path / "worker" / "store" / "cells").glob("*.zip")))
    for process in _children(workers[0].pid):
        os.kill(process, signal.SIGKILL)
    _, said = sweep.communicate(timeout=600)
    assert sweep.returncode == 0, said
    assert kept(tmp_path / "worker" / "store") == expected

    # The scheduler is killed after the first cell: one line, and nothing that was computed is lost.
    sweep = command(file, tmp_path / "scheduler", *there, "--shard", "1/1")
    cells = _wait_for(lambda: list((tmp_path / "scheduler" / "store" / "cells").glob("*.zip")))
    _end(scheduler)
    _, said = sweep.communicate(timeout=600)
    assert sweep.returncode == 3, said
    assert "it is gone; what was computed is in the store" in said.splitlines()[-1]
    assert "Traceback" not in said
    for worker in workers:
        _end(worker)
    moments = {place: place.stat().st_mtime_ns for place in cells}
    (tmp_path / "scheduler.json").unlink()
    dask("scheduler")
    dask("worker")
    again = command(file, tmp_path / "scheduler", *there, "--shard", "1/1")
    _, said = again.communicate(timeout=600)
    assert again.returncode == 0, said
    assert kept(tmp_path / "scheduler" / "store") == expected
    assert {place: place.stat().st_mtime_ns for place in cells} == moments


@pytest.mark.slow
def test_what_a_cluster_lacks_is_one_line(grid, dask, tmp_path):
    file = grid()

    def said(*options, code):
        process = command(file, tmp_path / "out", "--shard", "1/1", *options)
        _, lines = process.communicate(timeout=600)
        assert process.returncode == code, lines
        assert "Traceback" not in lines
        return lines.splitlines()[-1]

    assert "no Dask scheduler answers there" in said("--scheduler", "tcp://127.0.0.1:1", code=3)
    assert "--scheduler nonsense: there is no such file" in said("--scheduler", "nonsense", code=2)
    assert "leave out --workers or --scheduler" in said("--scheduler", "tcp://127.0.0.1:1", "--workers", "2", code=2)
    dask("scheduler")
    assert "it has no worker; start some: dask worker --scheduler-file" in said("--scheduler", str(tmp_path / "scheduler.json"), code=3)
    dask("worker", "--nthreads", "2")
    assert "computes with several threads" in said("--scheduler", str(tmp_path / "scheduler.json"), code=2)


# A store elsewhere


@pytest.fixture
def bucket(monkeypatch):
    """The address of an empty bucket on a server of this machine that speaks S3."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    boto3.client("s3").create_bucket(Bucket="cells")
    yield "s3://cells/sweep"
    server.stop()


def _in_bucket(prefix):
    listed = boto3.client("s3").list_objects_v2(Bucket="cells", Prefix=prefix).get("Contents", [])
    read = boto3.client("s3").get_object
    return {entry["Key"].removeprefix(prefix): read(Bucket="cells", Key=entry["Key"])["Body"].read() for entry in listed}


@pytest.mark.slow
def test_shards_into_s3_give_the_same_bytes(undisturbed, bucket, tmp_path):
    file, expected = undisturbed
    # All three at once, as a job array would.
    shards = [
        command(file, tmp_path / f"shard{number}", "--workers", "1", "--store", bucket, "--shard", f"{number}/3") for number in (1, 2, 3)
    ]
    for shard in shards:
        _, said = shard.communicate(timeout=600)
        assert shard.returncode == 0, said
        assert "cells computed: 2" in said
    assert _in_bucket("sweep/") == expected

    # The report is made from the bucket; nothing is computed again, and a damaged object is.
    key = min(name for name in expected if name.startswith("cells/"))
    boto3.client("s3").put_object(Bucket="cells", Key=f"sweep/{key}", Body=expected[key][:1000])
    done = command(file, tmp_path / "out", "--store", bucket, "--lang", "en", "--format", "html", "--json")
    said, _ = done.communicate(timeout=600)
    assert done.returncode == 0
    assert json.loads(said)["computed"] == 1
    assert json.loads(said)["there"] == 5
    assert _in_bucket("sweep/") == expected
    assert kept(tmp_path / "out" / "store") == expected


def test_a_store_that_does_not_answer_is_one_line(grid, bucket, tmp_path, monkeypatch):
    def said(store):
        process = command(grid(), tmp_path / "out", "--shard", "1/1", "--store", store)
        _, lines = process.communicate(timeout=600)
        assert process.returncode == 3, lines
        assert lines.count("\n") == 1
        return lines

    assert "--store s3://nowhere/x: " in said("s3://nowhere/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "--store s3://cells/sweep: " in said(bucket)


@pytest.mark.slow
def test_the_recipe_of_the_documentation_for_slurm_runs(undisturbed, tmp_path):
    """With a stand-in for `srun` that starts two workers here."""
    file, expected = undisturbed
    page = (Path(__file__).parents[2] / "docs" / "sweep.md").read_text(encoding="utf-8")
    script = page.partition("```sh\n#!/bin/sh")[2].partition("```")[0]
    script = script.replace("sweep corpus --out swept", f"sweep {file} --out {tmp_path / 'out'} --shard 1/1")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "srun").write_text('#!/bin/sh\n"$@" & "$@" & wait\n')
    (programs / "dask").write_text(f'#!/bin/sh\nexec {sys.executable} -m dask "$@" --no-dashboard\n')
    (programs / "reportgen").write_text(f'#!/bin/sh\nexec {sys.executable} -c "from reportgen.cli import main; main()" "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "1",
        "REPORTGEN_CACHE": str(tmp_path / "cache"),
    }
    with (tmp_path / "log").open("w") as log:
        job = subprocess.Popen(["sh", "-c", script], cwd=tmp_path, env=environment, stderr=log, stdout=log, start_new_session=True)
    try:
        assert job.wait(300) == 0, (tmp_path / "log").read_text()
    finally:
        _end(job)
    assert kept(tmp_path / "out" / "store") == expected
