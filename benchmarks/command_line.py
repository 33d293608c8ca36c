"""The commands as a user meets them: how long the help takes, a fresh run, and runs where nothing or only a setting changed."""

import re
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import ROOT, Finished, Row, at_most, compared, run_process

_COMMAND = "from reportgen.cli import main; import sys; sys.argv[0] = 'reportgen'; main()"
_TIMING = re.compile(r"^(.+?)\s+([0-9.]+) s$", re.MULTILINE)


def _run(*arguments: str | Path, cache: Path | None = None, imports: bool = False) -> Finished:
    python = [sys.executable, *(["-X", "importtime"] if imports else [])]
    environment = {} if cache is None else {"REPORTGEN_CACHE": str(cache)}
    return run_process([*python, "-c", _COMMAND, *arguments], environment)


def imported(finished: Finished, packages: Sequence[str]) -> list[str]:
    """Which of the packages a process under ``-X importtime`` has imported."""
    names = {line.rsplit("|", 1)[-1].strip() for line in finished.stderr.splitlines() if line.startswith("import time:")}
    return [package for package in packages if package in names]


def measure(cache_of_models: Path, say: Callable[[str], None], rounds: int = 3) -> tuple[list[Row], dict[str, Any]]:
    """The rows, and where the time of a fresh ``run coffee --timings`` went, in seconds by stage."""
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        cache, out = Path(temporary) / "cache", Path(temporary) / "out"
        cache.mkdir()
        # A cache without results, but with the model: fetching it is not what is measured.
        (cache / "models").symlink_to(cache_of_models / "models", target_is_directory=True)
        say("reportgen --help")
        helps = [_run("--help").seconds for _ in range(2 * rounds + 1)][1:]
        heavy = imported(_run("--help", imports=True), ("numpy", "torch"))
        rows = [
            at_most(
                "command line",
                "reportgen --help",
                "s",
                statistics.median(helps),
                0.3,
                f"imports {' and '.join(heavy) or 'neither numpy nor torch'}",
            )
        ]

        say("reportgen run coffee, fresh")
        fresh = _run("run", "coffee", "--out", out, "--timings", "--offline", cache=cache)
        stages = {name.strip(): float(seconds) for name, seconds in _TIMING.findall(fresh.stderr)}
        rows.append(at_most("command line", "reportgen run coffee, fresh, both languages, HTML and PDF", "s", fresh.seconds, 20))
        say("reportgen run coffee, unchanged")
        again = [_run("run", "coffee", "--out", out, "--offline", cache=cache).seconds for _ in range(rounds)]
        rows.append(
            compared("command line", "run coffee, nothing changed", "the fresh run", "s", again, [fresh.seconds] * rounds, figure="share")
        )
        say("reportgen render, afresh and unchanged")
        afresh = _run("render", out / "bundle", "--out", out, "--no-cache", cache=cache).seconds
        rows.append(at_most("command line", "render coffee afresh: three documents, HTML and PDF", "s", afresh, 9))
        kept = [_run("render", out / "bundle", "--out", out, cache=cache).seconds for _ in range(rounds)]
        rows.append(
            compared("command line", "render, nothing changed", "rendering afresh", "s", kept, [afresh] * rounds, figure="share", goal=0.05)
        )

        say("reportgen analyze with other bins")
        rows += _changed_bins(Path(temporary), cache)
    return rows, stages


def _changed_bins(temporary: Path, cache: Path) -> list[Row]:
    text = (ROOT / "analyses/mi_distance/texts/turkish-coffee.txt").read_text(encoding="utf-8")
    study = temporary / "bins.yaml"
    arguments = ("analyze", study, "--out", temporary / "bins", "--offline")

    def set_bins(bins: int) -> None:
        settings = {"name": "bins", "word": "coffee", "text": text, "model": {"source": "embedded"}, "estimation": {"bins": bins}}
        study.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")

    set_bins(15)
    _run(*arguments, cache=cache)
    set_bins(20)
    seconds = _run(*arguments, cache=cache).seconds
    # Once more with another number: what is imported is listed, which takes time of its own.
    set_bins(25)
    loaded = imported(_run(*arguments, cache=cache, imports=True), ("torch",))
    note = "loads torch" if loaded else "torch is not loaded"
    return [at_most("command line", "analyze coffee with another number of bins, captured vectors kept", "s", seconds, None, note)]
