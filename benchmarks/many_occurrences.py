"""Whole analyses of ready vectors, from few occurrences to many: seconds, peak memory, and how both grow with the pairs."""

import json
import math
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.estimators import random_vectors
from benchmarks.measure import Row, at_most, run_process

LAYERS, DIMENSIONS = 30, 576
# Occurrences, and the seconds that their analysis may take.
GOALS = {7: 6.0, 16: 12.0, 32: 40.0, 60: 150.0}
MEMORY_GB, EXPONENT = 2.0, 1.2
# Tokens from one occurrence to the next, on average.
_APART = 45
_ANALYSE = """
import json, sys
from benchmarks.measure import peak_memory
from reportgen.cli import main
sys.argv = ["reportgen", "analyze", *sys.argv[1:], "--quiet"]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(json.dumps({"peak": peak_memory()}))
"""


def measure(say: Callable[[str], None]) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows of the table, and the series by the number of pairs that `growth` draws."""
    rows, seconds, peaks = [], {}, {}
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        # What is compiled once in the life of an installation is compiled before.
        _analyse(Path(temporary), 4)
        for occurrences, goal in GOALS.items():
            say(f"analyze, {occurrences} occurrences")
            seconds[occurrences], peaks[occurrences] = _analyse(Path(temporary), occurrences)
            what = f"analyze, {LAYERS} layers, D = {DIMENSIONS}, {occurrences} occurrences"
            rows.append(at_most("many occurrences", what, "s", seconds[occurrences], goal))
            rows.append(at_most("many occurrences", f"{what}: peak memory", "GB", peaks[occurrences] / 1e9, MEMORY_GB))
    sizes = [math.comb(occurrences, 2) for occurrences in GOALS]
    times = list(seconds.values())
    steepest = max(
        math.log(after / before) / math.log(more / fewer)
        for (before, after), (fewer, more) in zip(pairwise(times), pairwise(sizes), strict=True)
    )
    rows.append(at_most("many occurrences", "analyze: steepest exponent of the time in the number of pairs", "", steepest, EXPONENT))
    return rows, [{"by": "pairs", "what": "analyze", "sizes": sizes, "seconds": times, "slope": steepest}]


def _analyse(folder: Path, occurrences: int) -> tuple[float, int]:
    """Seconds and peak bytes of one analysis in a process of its own, with nothing kept from before."""
    file, study = folder / f"{occurrences}.npz", folder / f"{occurrences}.yaml"
    position = np.sort(np.random.default_rng(occurrences).choice(np.arange(1, _APART * occurrences), occurrences, replace=False))
    np.savez(file, activation=random_vectors(LAYERS, occurrences, DIMENSIONS).astype(np.float32), token_position=position)
    study.write_text(yaml.safe_dump({"name": "many", "word": "coffee", "activations_file": str(file)}), encoding="utf-8")
    command = [sys.executable, "-c", _ANALYSE, study, "--out", folder / f"out-{occurrences}", "--offline"]
    finished = run_process(command, {"REPORTGEN_CACHE": str(folder / f"cache-{occurrences}")})
    return finished.seconds, json.loads(finished.stdout.strip().splitlines()[-1])["peak"]
