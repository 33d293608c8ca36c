"""How the cost grows: with tokens (capture), and with occurrences, layers and dimensions (estimates). A log-log figure of it."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from analyses.models import ModelSettings, capture
from analyses.mutual_information import Estimator, pairwise_mutual_information
from analyses.progress import SilentProgress
from benchmarks.estimators import random_vectors
from benchmarks.measure import ROOT

_ESTIMATORS: tuple[Estimator, ...] = ("histogram", "corrected", "nearest_neighbour")
_OCCURRENCES = (4, 8, 16, 32, 64)
_LAYERS = (4, 8, 16, 32, 64)
_DIMENSIONS = (128, 256, 512, 1024, 2048)
_TOKENS = (32, 64, 128, 256, 512)
Series = dict[str, Any]


def measure(say: Callable[[str], None], rounds: int = 3) -> list[Series]:
    """One series for each thing that grows and each estimator: its sizes, median seconds, and the slope in the log-log plane."""
    series = []
    for name, sizes, shape in (
        ("occurrences", _OCCURRENCES, lambda size: (4, size, 576)),
        ("layers", _LAYERS, lambda size: (size, 7, 576)),
        ("dimensions", _DIMENSIONS, lambda size: (12, 7, size)),
    ):
        say(f"growth with {name}")
        arrays = [random_vectors(*shape(size)) for size in sizes]
        for estimator in _ESTIMATORS:
            seconds = [_median(partial(_estimate, vectors, estimator), rounds) for vectors in arrays]
            series.append(_series(name, estimator, sizes, seconds))
    say("growth with tokens")
    text = (ROOT / "analyses/mi_distance/texts/turkish-coffee.txt").read_text(encoding="utf-8")
    words = (text.split() * 10)[: max(_TOKENS)]
    model = ModelSettings(source="embedded", device="cpu", offline=True)
    texts = [" ".join(words[: size * 3 // 4]) for size in _TOKENS]  # about three words to four tokens
    seconds = [_median(partial(capture, model, shortened, [0], SilentProgress()), rounds) for shortened in texts]
    return [*series, _series("tokens", "capture", _TOKENS, seconds)]


def _estimate(vectors: Any, estimator: Estimator) -> object:
    return pairwise_mutual_information(vectors, *np.triu_indices(vectors.shape[-2], 1), estimators=(estimator,))


def _median(function: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def _series(by: str, what: str, sizes: Sequence[int], seconds: Sequence[float]) -> Series:
    # The upper half tells how it grows; below it the fixed costs are seen.
    half = len(sizes) // 2
    slope = (math.log(seconds[-1]) - math.log(seconds[half])) / (math.log(sizes[-1]) - math.log(sizes[half]))
    return {"by": by, "what": what, "sizes": list(sizes), "seconds": list(seconds), "slope": slope}


def draw(series: Sequence[Series], folder: Path) -> None:
    """Write growth.svg and growth.png: a panel for each thing that grows, the slope in the legend."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    style: Any = {"svg.hashsalt": "growth", "svg.fonttype": "path", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context(style):
        kinds = list(dict.fromkeys(entry["by"] for entry in series))
        figure, axes = pyplot.subplots(1, len(kinds), figsize=(3.1 * len(kinds), 3.2), layout="constrained")
        for axis, kind in zip(axes, kinds, strict=True):
            for marker, entry in zip("osD", (entry for entry in series if entry["by"] == kind), strict=False):
                label = f"{entry['what'].replace('_', ' ')}, slope {entry['slope']:.2f}"
                axis.loglog(entry["sizes"], entry["seconds"], marker=marker, markersize=4, linewidth=1.2, label=label)
            sizes = next(entry["sizes"] for entry in series if entry["by"] == kind)
            axis.set_xticks(sizes, [str(size) for size in sizes])
            axis.minorticks_off()
            axis.set_xlabel(kind)
            low, high = axis.get_ylim()
            if high < 10 * low:  # what hardly grows must not look as if it did
                low, high = low / 3, high * 3
            axis.set_ylim(low, high * (high / low) ** 0.45)  # room for the legend above the lines
            axis.legend(frameon=False, fontsize=7.5, loc="upper left")
        axes[0].set_ylabel("seconds")
        figure.savefig(folder / "growth.svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        figure.savefig(folder / "growth.png", dpi=150, metadata={"Software": None})
        pyplot.close(figure)
