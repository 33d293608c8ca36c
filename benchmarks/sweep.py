"""Sweeps: a cell against the loop that a user would write, two processes against one, plan and store, and what a large grid would cost.

    python -m benchmarks.sweep            all of it: half an hour
    python -m benchmarks.sweep workers    two processes against one, anew; the other figures stay

write benchmarks/results/sweep.json and print its tables. Cells are those of the built-in corpus, on the embedded model.
"""

import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Cells are computed by one thread, as in the processes of a sweep, and so is the loop; before any library is loaded.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import numpy as np

from analyses.kept import keeping
from analyses.mi_distance import cells as study_cells
from analyses.mi_distance import study
from analyses.occurrences import capture as occurrences
from analyses.progress import SilentProgress
from analyses.protocol import Results
from benchmarks import peers
from benchmarks.machine import machine
from benchmarks.measure import ROOT
from reportgen.sweep import grid_file
from reportgen.sweep.grid import load_grid
from reportgen.sweep.plan import Cell, Plan, plan
from reportgen.sweep.store import CELLS, Store, packed

RESULTS = Path(__file__).parent / "results" / "sweep.json"
# The loop runs over every so many-th layer: all of them would take minutes a cell.
_EVERY_LAYER = 6
# Grids on which the cost model is checked, in cells.
_SIZES = (2, 4, 8)
# Cells of the comparison of two processes with one: all of the corpus. A few seconds in which one works alone weigh little then.
_WORKERS_CELLS = 48
_LARGE = {"models": 10, "texts": 1000, "words": 10}


@dataclass
class Measured:
    """What one cell took, in seconds, and what it had to do."""

    seconds: float = 0.0
    capture: float = 0.0
    estimation: float = 0.0
    tokens: int = 0
    pairs: int = 0
    calls: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def rest(self) -> float:
        """Intervals, tests, and everything else."""
        return self.seconds - self.capture - self.estimation


@contextmanager
def _watched(measured: Measured, keep_calls: bool) -> Iterator[None]:
    """Time the two large parts of a cell from outside."""
    estimate, read = study.pairwise_mutual_information, occurrences._read

    def timed_estimate(vectors: Any, first: Any, second: Any, **options: Any) -> Any:
        start = time.perf_counter()
        found = estimate(vectors, first, second, **options)
        measured.estimation += time.perf_counter() - start
        measured.pairs += math.prod(vectors.shape[:2]) * len(first)
        if keep_calls:
            measured.calls.append((vectors, first, second))
        return found

    def timed_read(model: Any, text: str, words: Any, progress: Any) -> Any:
        start = time.perf_counter()
        found = read(model, text, words, progress)
        measured.capture += time.perf_counter() - start
        measured.tokens += len(words)
        return found

    study.pairwise_mutual_information, occurrences._read = timed_estimate, timed_read  # type: ignore[assignment]
    try:
        yield
    finally:
        study.pairwise_mutual_information, occurrences._read = estimate, read  # type: ignore[assignment]


def measure_cell(cell: Cell, *, keep_calls: bool = False) -> tuple[Measured, Results]:
    """One cell as a worker computes it, its model loaded before."""
    measured = Measured()
    start = time.perf_counter()
    with _watched(measured, keep_calls):
        (found,) = study_cells.cells([cell.settings], SilentProgress())
    measured.seconds = time.perf_counter() - start
    assert isinstance(found, Results)
    return measured, Results(found.dataset, found.activations, {**found.study, "analysis": "mi_distance"})


class UsersLoop:
    """The loop of somebody without this program: transformers with hooks, and the libraries' own functions, pair by pair."""

    def __init__(self, folder: Path) -> None:
        import torch
        import transformers

        torch.set_num_threads(1)
        self._torch = torch
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self._kept: list[np.ndarray] = []
        for layer in self._model.layers:
            for module in (layer.self_attn, layer.mlp):
                module.register_forward_hook(self._keep)

    def _keep(self, _module: Any, _inputs: Any, output: Any) -> None:
        self._kept.append((output[0] if isinstance(output, tuple) else output)[0].numpy())

    def seconds(self, text: str, calls: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
        """What a cell takes: every layer from the time of some."""
        start = time.perf_counter()
        self._kept.clear()
        with self._torch.no_grad():
            self._model(**self._tokenizer(text, return_tensors="pt"))
        forward = time.perf_counter() - start
        start = time.perf_counter()
        layers = 0
        for number, (vectors, first, second) in enumerate(calls):
            chosen = vectors[:, ::_EVERY_LAYER]
            layers = chosen.shape[1]
            for block in chosen.reshape(-1, *vectors.shape[-2:]):
                values = [[estimate(block[i], block[j]) for i, j in zip(first, second, strict=True)] for estimate in _ESTIMATES]
                if number == 0:
                    self._taus(np.array(values), first, second)
        return forward + (time.perf_counter() - start) * calls[0][0].shape[1] / layers

    @staticmethod
    def _taus(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
        """Kendall's tau, and of each occurrence left out, as for a jackknife; no test by relabelling, which would be minutes more."""
        from scipy.stats import kendalltau

        distance = np.abs(second - first)
        for row in values:
            kendalltau(distance, row)
            for occurrence in range(second.max() + 1):
                left = (first != occurrence) & (second != occurrence)
                kendalltau(distance[left], row[left])


_ESTIMATES = (peers.lesson, peers.scikit_learn)


def _against_the_loop(cells: Sequence[Cell], folder: Path) -> dict[str, Any]:
    loop = UsersLoop(folder)
    ours, theirs = [], []
    for cell in cells:
        measured, _ = measure_cell(cell, keep_calls=True)
        ours.append(measured.seconds)
        theirs.append(loop.seconds(cell.text.text, measured.calls))
    return {
        "cells": [f"{cell.text.name}, {cell.settings.word}" for cell in cells],
        "seconds": ours,
        "loop_seconds": theirs,
        "ratio": statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
    }


def _command(store: Path, grid: Path, workers: int) -> float:
    import subprocess

    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    program = [sys.executable, "-c", "from reportgen.cli import main; main()"]
    line = [*program, "sweep", str(grid), "--out", str(store), "--shard", "1/1", "--workers", str(workers), "--quiet"]
    start = time.perf_counter()
    subprocess.run(line, check=True, cwd=ROOT, env=environment)
    return time.perf_counter() - start


def _grid_of(cells: Sequence[Cell], folder: Path) -> Path:
    """A grid of these cells only."""
    original = load_grid(grid_file("corpus"))
    texts = [{"name": c.text.name, "text": c.text.text, "language": c.text.language, "word": [c.settings.word]} for c in cells]
    content = {"name": "some", "texts": {"list": texts}, "words": {"column": "word"}, "settings": original.settings}
    file = folder / f"grid-{len(cells)}.yaml"
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return file


def _pairs(cell: Cell, per_occurrence_pair: float) -> float:
    """About how many estimates a cell makes: pairs of the word, and as many again of the controls at each of their distances."""
    count = cell.text.text.casefold().count(cell.settings.word.casefold())
    return per_occurrence_pair * count * (count - 1) / 2


def _overhead(measured: Sequence[tuple[Measured, Results]], planned: Plan, planning: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        start = time.perf_counter()
        sizes = []
        for number, (_, results) in enumerate(measured):
            content = packed(results)
            sizes.append(len(content))
            store.has(CELLS, str(number))
            store.write(f"{CELLS}/{number}.zip", content)
        store.whole(store.keys(CELLS))
        stored = (time.perf_counter() - start) / len(measured)
    cell = statistics.mean(each.seconds for each, _ in measured)
    plan_share = planning / len(planned.cells)
    return {
        "store_seconds": stored,
        "plan_seconds": plan_share,
        "share": (stored + plan_share) / cell,
        "cell_bytes": statistics.mean(sizes),
    }


def measure_workers(cells: Sequence[Cell], folder: Path) -> dict[str, float]:
    """The same cells by one process and by two, one after the other; leaves both stores in the folder."""
    grid = _grid_of(cells[:_WORKERS_CELLS], folder)
    single, double = _command(folder / "one", grid, 1), _command(folder / "two", grid, 2)
    return {"cells": _WORKERS_CELLS, "one": single, "two": double, "ratio": single / double}


def measure() -> dict[str, Any]:
    """All figures; half an hour on two cores."""
    file = grid_file("corpus")
    start = time.perf_counter()
    planned = plan(load_grid(file), file, SilentProgress())
    planning = time.perf_counter() - start
    from analyses.models.sources import resolve

    cells = planned.cells
    with keeping():
        # The first one loads the model.
        start = time.perf_counter()
        first, _ = measure_cell(cells[0])
        again, _ = measure_cell(cells[0])
        loading = first.capture - again.capture
        loop = _against_the_loop(cells[:3], resolve(cells[0].settings.model).path)
        parts = [measure_cell(cell) for cell in cells[:6]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "empty").mkdir()
        workers = measure_workers(cells, folder)
        # Everything is there: what a call takes beside its cells.
        idle = _command(folder / "one", _grid_of(cells[:_WORKERS_CELLS], folder), 1)
        sizes = {size: _command(folder / f"size{size}", _grid_of(cells[-size:], folder), 1) for size in _SIZES}
    token = sum(each.capture for each, _ in parts) / sum(each.tokens for each, _ in parts)
    pair = sum(each.estimation for each, _ in parts) / sum(each.pairs for each, _ in parts)
    rest = statistics.mean(each.rest for each, _ in parts)
    per_pair = sum(each.pairs for each, _ in parts) / sum(_pairs(cell, 1) for cell in cells[:6])
    tokens = statistics.mean(each.tokens for each, _ in parts)
    overhead = _overhead(parts, planned, planning)
    # A worker imports what the driver did and loads the model.
    begin = 2 * idle + loading
    predicted = {
        size: begin + sum(token * tokens + pair * _pairs(cell, per_pair) + rest + overhead["store_seconds"] for cell in cells[-size:])
        for size in _SIZES
    }
    model = {
        "start_seconds": begin,
        "loading_seconds": loading,
        "capture_seconds_per_token": token,
        "estimation_seconds_per_pair": pair,
        "rest_seconds_per_cell": rest,
        "checked": [{"cells": size, "predicted": predicted[size], "measured": sizes[size]} for size in _SIZES],
    }
    return {
        "machine": machine({}),
        "loop": loop,
        "two_workers": workers,
        "overhead": overhead,
        "model": model,
        "large": _large(overhead, model, tokens, statistics.mean(each.pairs for each, _ in parts)),
    }


def _large(overhead: dict[str, float], model: dict[str, Any], tokens: float, pairs: float) -> dict[str, float]:
    """Ten models like the embedded one, a thousand texts, ten words in each, on one core."""
    texts, count = _LARGE["models"] * _LARGE["texts"], math.prod(_LARGE.values())
    capture = texts * tokens * model["capture_seconds_per_token"]
    cells = count * (pairs * model["estimation_seconds_per_pair"] + model["rest_seconds_per_cell"] + overhead["store_seconds"])
    return {
        "cells": count,
        "core_hours": (capture + cells) / 3600,
        "capture_hours": capture / 3600,
        "planning_hours": count * overhead["plan_seconds"] / 3600,
        "gigabytes": count * overhead["cell_bytes"] / 1e9,
        # Loaded once by each of 100 workers, which share the groups of every model.
        "loading_hours_of_100_workers": 100 * _LARGE["models"] * model["loading_seconds"] / 3600,
    }


def table(found: dict[str, Any]) -> str:
    """The figures that were asked for, and what the large grid would cost, as Markdown."""
    loop, workers, overhead, model, large = (found[name] for name in ("loop", "two_workers", "overhead", "model", "large"))
    rows = [
        ("a cell", f"{statistics.median(loop['seconds']):.1f} s on one core"),
        ("the loop that a user would write, over the same cell", f"{statistics.median(loop['loop_seconds']) / 60:.1f} min"),
        ("the loop's time over ours", f"{loop['ratio']:.0f}x (goal: 15x)"),
        (f"two processes against one, {workers['cells']} cells", f"{workers['ratio']:.2f}x (goal: 1.85x)"),
        ("plan and store, of a cell's time", f"{overhead['share']:.2%} (goal: below 5 %)"),
        ("a cell in the store", f"{overhead['cell_bytes'] / 1e3:.0f} kB"),
    ]
    lines = ["| what | measured |", "|---|---|", *(f"| {what} | {measured} |" for what, measured in rows)]
    lines += ["", "| cells | predicted by the cost model | measured |", "|---:|---:|---:|"]
    lines += [f"| {row['cells']} | {row['predicted']:.0f} s | {row['measured']:.0f} s |" for row in model["checked"]]
    lines += ["", f"| 10 models x 1,000 texts x 10 words: {large['cells']:,} cells | |", "|---|---:|"]
    lines += [
        f"| computing, on one core | {large['core_hours']:.0f} h |",
        f"| of it reading the texts | {large['capture_hours']:.1f} h |",
        f"| loading the models, by each of 100 workers | {large['loading_hours_of_100_workers']:.1f} h |",
        f"| planning, which the driver does by itself | {large['planning_hours']:.1f} h |",
        f"| in the store | {large['gigabytes']:.0f} GB |",
    ]
    return "\n".join(lines)


def kept() -> str:
    """The tables of the results that are kept."""
    return table(json.loads(RESULTS.read_text(encoding="utf-8")))


def main() -> None:
    if sys.argv[1:] == ["workers"]:
        file = grid_file("corpus")
        with tempfile.TemporaryDirectory() as folder:
            workers = measure_workers(plan(load_grid(file), file, SilentProgress()).cells, Path(folder))
        found = json.loads(RESULTS.read_text(encoding="utf-8")) | {"two_workers": workers}
    else:
        found = measure()
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(kept() + "\n")


if __name__ == "__main__":
    main()
