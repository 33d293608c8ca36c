"""Times, ratios and memory: how everything in this folder is measured."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what, against : what is measured, and what a user would pick instead ("" where a bare figure is held to a goal).
    ours, theirs : medians, in `unit`.
    figure : what the goal is about: times as fast ("speed"), share of the other's time ("share"), or our own figure ("value").
    ratio : median over the rounds of the ratio within a round, so that a busy machine slows both sides of it; for "value" our figure.
    goal : at least this for "speed", at most this for the others; None where no goal was set.
    """

    section: str
    what: str
    against: str
    unit: str
    ours: float
    theirs: float | None
    figure: Literal["speed", "share", "value"]
    ratio: float
    goal: float | None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.ratio >= self.goal if self.figure == "speed" else self.ratio <= self.goal

    def plain(self) -> dict[str, Any]:
        """The row in JSON form."""
        return {**asdict(self), "met": self.met}


def compared(
    section: str,
    what: str,
    against: str,
    unit: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    figure: Literal["speed", "share"] = "speed",
    goal: float | None = None,
    note: str = "",
) -> Row:
    """The row of two measurements that were made in turn, round by round."""
    ratios = [b / a if figure == "speed" else a / b for a, b in zip(ours, theirs, strict=True)]
    return Row(
        section, what, against, unit, statistics.median(ours), statistics.median(theirs), figure, statistics.median(ratios), goal, note
    )


def at_most(section: str, what: str, unit: str, value: float, goal: float | None, note: str = "") -> Row:
    """The row of a figure of ours that has no opponent."""
    return Row(section, what, "", unit, value, None, "value", value, goal, note)


def in_turn(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round, after one unmeasured round; who begins alternates."""
    names = list(contenders)
    for name in names:
        contenders[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            start = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def peak_memory() -> int:
    """Most bytes of memory that this process has had resident, mapped files included.

    Linux's own mark for this program, where there is one: getrusage also counts what the parent had when it started this process.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@dataclass(frozen=True)
class Finished:
    """A finished process: seconds, and what it wrote."""

    seconds: float
    stdout: str
    stderr: str


def run_process(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Finished:
    """Run a process to its end in the repository's root.

    Raises
    ------
    RuntimeError
        It failed; the last line of its errors is in the message.
    """
    start = time.perf_counter()
    arguments = [str(part) for part in command]
    process = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **(environment or {})})
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise RuntimeError(f"a measured process ended with {process.returncode}: {(process.stderr.strip().splitlines() or [''])[-1]}")
    return Finished(seconds, process.stdout, process.stderr)


def run_child(python: str | Path, module: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Any:
    """Run a module of this folder in a process of its own; return what it printed as JSON on its last line."""
    finished = run_process([python, "-m", module, *arguments], environment)
    return json.loads(finished.stdout.strip().splitlines()[-1])
