import threading
import time

import pytest

from analyses import machine, threads


@pytest.fixture(params=[1, 2, 5])
def processors(request, monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: request.param)
    return request.param


@pytest.mark.parametrize("jobs", [0, 1, 2, 40])
def test_every_job_is_done_once(processors, jobs):
    assert sorted(threads.share_out(lambda number: number * number, range(jobs))) == [number * number for number in range(jobs)]


def test_jobs_run_side_by_side(monkeypatch):
    """Each of two jobs waits for the other to have begun."""
    monkeypatch.setattr(threads, "threads", lambda: 2)
    both = threading.Barrier(2, timeout=10)
    names = set(threads.share_out(lambda _: (both.wait(), threading.current_thread().name)[1], range(2)))
    assert len(names) == 2
    assert threading.current_thread().name in names


@pytest.mark.parametrize("fails", ["the calling thread", "a helper"])
def test_a_failure_is_raised_and_begins_no_further_job(fails, monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 2)
    both, here, begun = threading.Barrier(2, timeout=10), threading.current_thread(), []

    def work(number):
        begun.append(number)
        if number < 2:
            both.wait()
            if (threading.current_thread() is here) == (fails == "the calling thread"):
                raise ValueError("no")
        time.sleep(0.01)

    with pytest.raises(ValueError, match="no"):
        list(threads.share_out(work, range(1000)))
    assert len(begun) < 500


def test_who_stops_asking_stops_the_work(processors):
    begun = []
    results = threads.share_out(lambda number: (begun.append(number), time.sleep(0.01)), range(1000))
    next(results)
    results.close()
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) <= count + processors


@pytest.mark.parametrize(("said", "expected"), [(None, 2), ("", 2), ("1", 1), ("2", 2), ("64", 2), ("0", 2), ("many", 2), ("4,2", 2)])
def test_threads_are_as_many_as_the_libraries_are_told(said, expected, monkeypatch):
    monkeypatch.setattr(machine, "processors", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert machine.threads() == expected
