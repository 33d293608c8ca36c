"""What the person at the terminal sees, all of it on stderr: progress, timings, and the verdicts at the end."""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

_STAGES = {
    "fetch_model": "Fetching the model",
    "convert": "Converting the model",
    "load": "Loading the model",
    "capture": "Capturing activations",
    "sweep": "Computing cells",
    "statistics": "Computing statistics",
    "verify": "Recomputing the slow way",
    "render": "Rendering documents",
    "capture_kept": "Activations: kept from before",
    "results_kept": "Results: kept from before",
    "documents_kept": "Documents: kept from before",
}
_NAME_WIDTH = 22
# Seconds between the lines of a stage where there is no terminal.
_BETWEEN_LINES = 30.0
_GAP = 2


def visible(text: str) -> str:
    r"""Return a text for a terminal, with what steers it (colours, the cursor, the direction of writing) made visible.

    >>> print(visible("a " + chr(27) + "[31mred word"))
    a \x1b[31mred word
    """
    plain = "\n\t\xa0"
    return "".join(character if character in plain or character.isprintable() else ascii(character)[1:-1] for character in text)


def stage_name(key: str) -> str:
    """Return a stage's name in words."""
    from reportgen import registry

    return _STAGES.get(key) or registry.stages().get(key, key.replace("_", " ").capitalize())


class Display:
    """The progress of a run: bars on a terminal, one line a stage elsewhere, nothing if quiet.

    Parameters
    ----------
    stream : file
        Where to write (standard error).
    quiet : bool
        Show nothing; the timings are still taken.
    """

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self.seconds: dict[str, float] = {}
        self._created = time.perf_counter()
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bars: Any = None
        self._depth = 0

    def elapsed(self) -> float:
        """Return the seconds since this display was made."""
        return time.perf_counter() - self._created

    @contextmanager
    def stage(self, key: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show the stage `key` of `total` steps; yields the function that advances it."""
        started = time.perf_counter()
        self._depth += 1
        try:
            if self._quiet:
                yield lambda steps: None
            elif self._stream.isatty():
                with self._bar(stage_name(key), total) as advance:
                    yield advance
            else:
                print(stage_name(key), file=self._stream, flush=True)
                yield _Lines(stage_name(key), total, self._stream).advance
        finally:
            self._depth -= 1
            # A stage within another is part of the outer one's time.
            if self._depth == 0:
                self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - started

    @contextmanager
    def _bar(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        outermost = self._bars is None
        if outermost:
            self._bars = Progress(
                TextColumn("{task.description:<31}"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                # Steps are of one size within a stage; what is finished shows what it took.
                TimeRemainingColumn(elapsed_when_finished=False),
                console=Console(file=self._stream),
                # A cell of a sweep takes longer than the half minute that a rate would otherwise be taken over.
                speed_estimate_period=600.0,
            )
            self._bars.start()
        bars = self._bars
        task = bars.add_task(name, total=total)
        try:
            yield lambda steps: bars.advance(task, steps)
        finally:
            if outermost:
                bars.stop()
                self._bars = None


class _Lines:
    """The progress of a long stage where there is no terminal, in a log: a line now and then."""

    def __init__(self, name: str, total: int, stream: TextIO, clock: Callable[[], float] = time.perf_counter) -> None:
        self._name, self._total, self._stream, self._clock = name, total, stream, clock
        self._done = 0
        self._started = self._said = clock()

    def advance(self, steps: int) -> None:
        self._done += steps
        now = self._clock()
        if now - self._said < _BETWEEN_LINES or not 0 < self._done < self._total:
            return
        self._said = now
        gone = now - self._started
        left = gone / self._done * (self._total - self._done)
        # Bytes of a download and pairs of a study are no figures that anybody counts along with.
        counted = f"{self._done} of {self._total}, {60 * self._done / gone:.3g} a minute"
        done = counted if self._total < 10_000 else f"{100 * self._done // self._total} %"
        print(f"{self._name}: {done}, about {_minutes(left)} left", file=self._stream, flush=True)


def _minutes(seconds: float) -> str:
    """Hours, minutes and seconds, without hours where there are none.

    >>> _minutes(61), _minutes(3600 + 59.6)
    ('1:01', '1:01:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def timings_table(seconds: Mapping[str, float], total: float) -> str:
    """Return where the time went, longest first; what no stage accounts for (imports, small steps) has a line of its own."""
    rows = {stage_name(key): value for key, value in seconds.items()}
    rows["Everything else"] = max(total - sum(seconds.values()), 0.0)
    ordered = [*sorted(rows.items(), key=lambda row: -row[1]), ("Total", total)]
    return "\n".join(f"{name:<32}{value:>8.2f} s" for name, value in ordered)


def verdict_summary(verdicts: Sequence[Mapping[str, Any]], width: int | None = None) -> str:
    """Return the verdicts in plain words: a table of statements by estimators for each control, no line over `width`.

    Parameters
    ----------
    verdicts : sequence of mapping
        As in ``study.json``: ``statement``, ``estimator``, ``control``, ``verdict``.
    width : int, optional
        Columns; the terminal's if not given, 80 where there is none.
    """
    width = width or max(shutil.get_terminal_size((80, 24)).columns, 40)
    blocks = []
    for control in dict.fromkeys(verdict["control"] for verdict in verdicts):
        title = "Verdicts" if control in (None, "none") else f"Verdicts with the control taken off: {_words(control)}"
        rows = [verdict for verdict in verdicts if verdict["control"] == control]
        blocks.append("\n".join([*textwrap.wrap(title, width), *_verdict_rows(rows, width)]))
    return "\n\n".join(blocks)


def _verdict_rows(verdicts: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    estimators = list(dict.fromkeys(verdict["estimator"] for verdict in verdicts))
    cells = {(_statement(verdict), verdict["estimator"]): _words(verdict["verdict"]) for verdict in verdicts}
    statements = list(dict.fromkeys(_statement(verdict) for verdict in verdicts))
    columns = [
        max(len(_words(estimator)), *(len(cells.get((statement, estimator), "")) for statement in statements)) + _GAP
        for estimator in estimators
    ]
    names = width - sum(columns) - _GAP
    if names < min(_NAME_WIDTH, max(len(statement) for statement in statements)):
        return _verdict_list(verdicts, width)
    names = min(names, max(len(statement) for statement in statements))
    lines = [_row("", [_words(estimator) for estimator in estimators], names, columns)]
    for statement in statements:
        first, *rest = textwrap.wrap(statement, names) or [""]
        lines.append(_row(first, [cells.get((statement, estimator), "-") for estimator in estimators], names, columns))
        lines += [f"  {line}" for line in rest]
    return lines


def _row(name: str, cells: Sequence[str], names: int, columns: Sequence[int]) -> str:
    padded = "".join(f"{'':<{_GAP}}{cell:<{column - _GAP}}" for cell, column in zip(cells, columns, strict=True))
    return f"  {name:<{names}}{padded}".rstrip()


def _verdict_list(verdicts: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    lines = []
    for verdict in verdicts:
        text = f"{_statement(verdict)}, {_words(verdict['estimator'])}: {_words(verdict['verdict'])}"
        lines += textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")
    return lines


def _statement(verdict: Mapping[str, Any]) -> str:
    name = _words(verdict["name"]) if "name" in verdict else ""
    return f"{_words(verdict['statement'])} {name}".rstrip()


def _words(value: object) -> str:
    return str(value).replace("_", " ")
