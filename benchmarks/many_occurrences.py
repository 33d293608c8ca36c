"""Whole analyses of ready vectors, from few occurrences to many: seconds, memory, signs of life, and how they grow with the pairs."""

import math
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.estimators import random_vectors
from benchmarks.measure import Row, at_most, run_child

LAYERS, DIMENSIONS = 30, 576
# Occurrences, and the seconds that their analysis may take.
GOALS = {7: 6.0, 16: 12.0, 32: 40.0, 60: 150.0}
MEMORY_GB, EXPONENT = 2.0, 1.2
# Tokens from one occurrence to the next, on average.
_APART = 45
# Seconds after which a progress that does not move looks dead.
STILL = 2.0


def measure(say: Callable[[str], None]) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows of the table, and the series by the number of pairs that `growth` draws."""
    rows, seconds = [], {}
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        # What is compiled once in the life of an installation is compiled before.
        _analyse(Path(temporary), 4)
        for occurrences, goal in GOALS.items():
            say(f"analyze, {occurrences} occurrences")
            seconds[occurrences], found = _analyse(Path(temporary), occurrences)
            what = f"analyze, {LAYERS} layers, D = {DIMENSIONS}, {occurrences} occurrences"
            rows.append(at_most("many occurrences", what, "s", seconds[occurrences], goal))
            rows.append(at_most("many occurrences", f"{what}: peak memory", "GB", found["peak"] / 1e9, MEMORY_GB))
            note = f"in {found['during']}"
            rows.append(at_most("many occurrences", f"{what}: longest time without progress", "s", found["still"], STILL, note))
    sizes = [math.comb(occurrences, 2) for occurrences in GOALS]
    times = list(seconds.values())
    steepest = max(
        math.log(after / before) / math.log(more / fewer)
        for (before, after), (fewer, more) in zip(pairwise(times), pairwise(sizes), strict=True)
    )
    rows.append(at_most("many occurrences", "analyze: steepest exponent of the time in the number of pairs", "", steepest, EXPONENT))
    return rows, [{"by": "pairs", "what": "analyze", "sizes": sizes, "seconds": times, "slope": steepest}]


def _analyse(folder: Path, occurrences: int) -> tuple[float, dict[str, Any]]:
    """Seconds of one analysis in a process of its own, with nothing kept from before, and what `analyse_child` says of it."""
    file, study = folder / f"{occurrences}.npz", folder / f"{occurrences}.yaml"
    position = np.sort(np.random.default_rng(occurrences).choice(np.arange(1, _APART * occurrences), occurrences, replace=False))
    np.savez(file, activation=random_vectors(LAYERS, occurrences, DIMENSIONS).astype(np.float32), token_position=position)
    study.write_text(yaml.safe_dump({"name": "many", "word": "coffee", "activations_file": str(file)}), encoding="utf-8")
    arguments = ("benchmarks.analyse_child", study, "--out", folder / f"out-{occurrences}", "--offline")
    begin = time.perf_counter()
    found = run_child(sys.executable, *arguments, environment={"REPORTGEN_CACHE": str(folder / f"cache-{occurrences}")})
    return time.perf_counter() - begin, found
