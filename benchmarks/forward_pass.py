"""GPT-2 XL at full size with random weights: capture by us, by plain transformers and by TransformerBridge, and a whole analysis."""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from analyses.models import ModelSettings, tokenize
from analyses.words import find_occurrences
from benchmarks.measure import ROOT, Row, at_most, compared, run_child, run_process
from benchmarks.memory_limit import memory_limit
from benchmarks.random_model import XL

TEXT = ROOT / "analyses" / "mi_distance" / "texts" / "turkish-coffee.txt"
GIGABYTE = 1e9
_LIMIT = 1_000_000_000


def measure(peers_python: Path, bridge: bool, rounds: int, say: Callable[[str], None], layers: int = XL["n_layer"]) -> list[Row]:
    """The rows; the weights lie in a temporary folder while this runs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary) / "gpt2-xl-random"
        say("storing random weights")
        stored = run_child(sys.executable, "benchmarks.random_model", folder, "--layers", str(layers))["bytes"]
        text = TEXT.read_text(encoding="utf-8").strip()
        tokens = tokenize(ModelSettings(source="folder", name=str(folder / "hub"), offline=True), text)
        positions = [occurrence.tokens[-1] for occurrence in find_occurrences(text, "coffee", tokens.offsets)]
        ways = {
            "reportgen": (sys.executable, "reportgen", folder / "hub"),
            "reportgen, folder": (sys.executable, "reportgen", folder / "plain"),
            "transformers": (sys.executable, "transformers", folder / "hub"),
        }
        if bridge:
            ways["transformerlens"] = (str(peers_python), "transformerlens", folder / "plain")
        # Hashes are remembered in a place of this measurement's own.
        environment = {"HF_HUB_OFFLINE": "1", "REPORTGEN_CACHE": str(Path(temporary) / "cache")}

        def capture(way: str) -> dict[str, float]:
            python, function, model = ways[way]
            arguments: list[str | Path] = [function, model, TEXT, Path(temporary) / f"{way}.npy", "--positions", *map(str, positions)]
            figures: dict[str, float] = run_child(python, "benchmarks.capture_child", *arguments, environment=environment)
            return figures

        say("capture from a folder for the first time")
        first = capture("reportgen, folder")["seconds"]
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        peaks: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds):
            for way in ways if number % 2 == 0 else reversed(list(ways)):
                say(f"capture by {way}, round {number + 1} of {rounds}")
                figures = capture(way)
                seconds[way].append(figures["seconds"])
                peaks[way].append(figures["peak"] / GIGABYTE)
        rows = _rows(seconds, peaks)
        rows.append(at_most("capture", "GPT-2 XL from a folder for the first time: SHA-256 of the weights included", "s", first, None))
        ours = np.load(Path(temporary) / "reportgen.npy")
        for way, goal in (("transformers", 0.0), ("transformerlens", None)):
            if way in ways:
                away = float(np.abs(ours - np.load(Path(temporary) / f"{way}.npy")).max())
                rows.append(at_most("capture", f"GPT-2 XL: largest difference from {_NAMES[way]}", "", away, goal))
        say("the whole analysis")
        rows += _analysis(folder / "hub", Path(temporary), stored)
    return rows


_NAMES = {"transformers": "plain transformers with hooks", "transformerlens": "TransformerBridge"}


# A file that the hub's cache named by its SHA-256 is not hashed; the files of a folder are once, which the others do not do.
_OURS = {"reportgen": "as the hub's cache keeps it", "reportgen, folder": "from a folder, its SHA-256 known"}


def _rows(seconds: dict[str, list[float]], peaks: dict[str, list[float]]) -> list[Row]:
    goals = {"transformers": 0.9, "transformerlens": 0.8}
    rows = []
    for way, how in _OURS.items():
        rows.append(at_most("capture", f"GPT-2 XL {how}, capture: peak memory", "GB", max(peaks[way]), 1.0))
        for peer in (peer for peer in goals if peer in seconds):
            name = f"GPT-2 XL {how}, capture"
            rows.append(compared("capture", name, _NAMES[peer], "s", seconds[way], seconds[peer], figure="share", goal=goals[peer]))
            rows.append(compared("capture", f"{name}: peak memory", _NAMES[peer], "GB", peaks[way], peaks[peer], figure="share", goal=0.1))
    return rows


def _analysis(folder: Path, temporary: Path, stored: int) -> list[Row]:
    """`reportgen analyze coffee` on the model, controls and multiverse included, under a limit on memory."""
    peak_file = temporary / "peak"
    arguments: list[str | Path] = [
        "analyze",
        "coffee",
        "--model",
        folder,
        "--out",
        temporary / "out",
        "--no-cache",
        "--offline",
        "--quiet",
        "--device",
        "cpu",
    ]
    with memory_limit(_LIMIT, stored) as limit:
        finished = run_process([sys.executable, "-c", _LIMITED.format(limit=limit.program, peak=str(peak_file)), *arguments])
    study = json.loads((temporary / "out" / "bundle" / "study.json").read_text(encoding="utf-8"))
    note = f"{len(study['verdicts'])} verdicts; {limit.note}"
    return [
        at_most("capture", "GPT-2 XL, whole analyze: peak memory", "GB", int(peak_file.read_text(encoding="ascii")) / GIGABYTE, 1.0, note),
        at_most("capture", "GPT-2 XL, whole analyze: time", "s", finished.seconds, None),
    ]


_LIMITED = """
{limit}
import atexit, pathlib, sys
from benchmarks.measure import peak_memory
atexit.register(lambda: pathlib.Path({peak!r}).write_text(str(peak_memory())))
sys.argv[0] = "reportgen"
from reportgen.cli import main
main()
"""
