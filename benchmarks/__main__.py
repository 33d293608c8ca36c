"""Everything that is measured, side by side with what a user would pick instead: ``make bench``.

Writes benchmarks/results/bench.json, table.md, growth.svg and growth.png, and puts the rows that have a goal
into docs/benchmarks.md.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from analyses.models import ModelSettings, capture, tokenize
from analyses.models.cache import cache_directory
from analyses.progress import SilentProgress
from analyses.words import find_occurrences
from benchmarks import command_line, forward_pass, growth, many_occurrences
from benchmarks.machine import machine
from benchmarks.measure import ROOT, run_child
from benchmarks.peers_environment import installed, peers_python
from benchmarks.table import END, START, insert, short, table

RESULTS = Path(__file__).resolve().parent / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
SECTIONS = ("estimators", "capture", "command-line", "occurrences", "growth")


def coffee_vectors() -> np.ndarray:
    """(2, 30, 7, 576): the built-in study's own activations."""
    model = ModelSettings(source="embedded", device="cpu", offline=True)
    text = forward_pass.TEXT.read_text(encoding="utf-8").strip()
    positions = [occurrence.tokens[-1] for occurrence in find_occurrences(text, "coffee", tokenize(model, text).offsets)]
    return capture(model, text, positions, SilentProgress()).activation


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only",
        choices=SECTIONS,
        nargs="+",
        default=SECTIONS,
        help="measure these; the others keep their last figures, and what they are of",
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the GPT-2 XL capture")
    parser.add_argument("--write", action="store_true", help="measure nothing, only write the last figures again")
    options = parser.parse_args()
    if not options.write:
        _measure(options.only, options.rounds)
    report = json.loads((RESULTS / "bench.json").read_text(encoding="utf-8"))
    (RESULTS / "table.md").write_text(table(report), encoding="utf-8")
    sys.stdout.write(table(report))
    if not insert(PAGE, short(report)):
        raise SystemExit(f"bench: {PAGE.relative_to(ROOT)} has no markers {START} and {END}")


def _measure(sections: tuple[str, ...], rounds: int) -> None:
    begin = time.perf_counter()

    def say(what: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - begin:6.0f} s  {what}\n")

    say("the peers' environment")
    python = peers_python()
    peers = installed(python)
    bridge = "transformer-lens" in peers
    file = RESULTS / "bench.json"
    report: dict[str, Any] = (
        json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"rows": [], "stages": {}, "growth": [], "machines": {}}
    )
    here = machine(peers)
    report["machines"] |= dict.fromkeys(sections, here)
    names = {"transformer-lens": "TransformerBridge", "ennemi": "ennemi"}
    report["left_out"] = [
        f"{shown}, which cannot be installed beside this torch and transformers" for name, shown in names.items() if name not in peers
    ]
    if "estimators" in sections:
        with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
            np.save(Path(temporary) / "coffee.npy", coffee_vectors())
            say("estimators")
            rows = run_child(python, "benchmarks.estimators", "--activations", Path(temporary) / "coffee.npy")
        _replace(report, ("estimators", "values"), rows)
    if "occurrences" in sections:
        rows_of_occurrences, series = many_occurrences.measure(say)
        _replace(report, ("many occurrences",), [row.plain() for row in rows_of_occurrences])
        report["growth"] = [*(entry for entry in report["growth"] if entry["by"] != "pairs"), *series]
    if "growth" in sections:
        report["growth"] = [*growth.measure(say), *(entry for entry in report["growth"] if entry["by"] == "pairs")]
    if {"occurrences", "growth"}.intersection(sections):
        RESULTS.mkdir(exist_ok=True)
        growth.draw(report["growth"], RESULTS)
    if "command-line" in sections:
        rows_of_commands, report["stages"] = command_line.measure(cache_directory(), say)
        _replace(report, ("command line",), [row.plain() for row in rows_of_commands])
    if "capture" in sections:
        _replace(report, ("capture",), [row.plain() for row in forward_pass.measure(python, bridge, rounds, say)])
    RESULTS.mkdir(exist_ok=True)
    file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    say("done")


def _replace(report: dict[str, Any], sections: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    order = ("values", "estimators", "capture", "command line", "many occurrences")
    kept = [row for row in report["rows"] if row["section"] not in sections]
    report["rows"] = sorted([*kept, *rows], key=lambda row: order.index(row["section"]))


if __name__ == "__main__":
    main()
