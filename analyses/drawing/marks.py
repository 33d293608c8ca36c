"""What the figures share: how a branch looks, layers as a horizontal axis, curves with intervals, marks with hover texts."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, NullLocator

from analyses.drawing.canvas import Canvas, EndLabel, Words
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import of_model, studied
from analyses.protocol import Drawing, Results
from analyses.value_specs import interval, key, number

Spec = Mapping[str, Any]
# The hover text of the point at an index.
Text = Callable[[int], str]
# So many layers are each named under a figure.
MOST_TICKS = 8
# Inches from the middle of a mark to the edge of its panel, at least.
MARK = 0.045
SMALLEST_MARKER = 1.8  # points
# So many pairs of occurrences (29 occurrences) are marks of their own, each with its hover text; more are one path of dots: the marks of
# 60 occurrences would weigh a megabyte in every document, and nobody can point at one of them.
MOST_MARKED_PAIRS = 406


@dataclass(frozen=True)
class Style:
    """How one series looks; told apart by line and marker as well as by colour."""

    color: str
    line: Any = "-"
    marker: str = "o"
    filled: bool = True


BRANCH_STYLE = {"attention": Style("series:blue", "-", "o"), "mlp": Style("series:vermilion", (0, (5, 1.6)), "D")}


@dataclass
class Hover:
    """Collects the hover texts of a figure while it is drawn."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, gid: str, texts: Sequence[str]) -> None:
        self.texts |= {f"{gid}#{index}": text for index, text in enumerate(texts)}

    def drawing(self, canvas: Canvas) -> Drawing:
        return Drawing(canvas.figure, self.texts, canvas.legend)


def branch_name(branch: str) -> Spec:
    return key(f"figure.branch.{branch}")


def interval_or_nothing(low: float, high: float, digits: int = 3, *, unit: bool = False, name: str = "figure.hover.interval") -> Spec | str:
    """The interval after a value in a hover text; an empty string where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return key(name, interval=interval(low, high, digits, unit=unit))


def p_or_nothing(name: str, p: float) -> Spec | str:
    """A p-value after a value in a hover text, by a sentence of the catalogue; an empty string where there is none."""
    return key(name, p={"value": float(p), "as": "p_value"}) if math.isfinite(p) else ""


def value_texts(
    words: Words,
    name: str,
    branch: str,
    layer: np.ndarray,
    values: Sequence[np.ndarray],
    interval_name: str = "figure.hover.interval",
) -> Text:
    """Hover texts of a branch's curve: the value of each layer, in nats, and its interval; `values` are (value, low, high)."""
    value, low, high = values

    def text(index: int) -> str:
        return words.hover(
            name,
            branch=branch_name(branch),
            layer=int(layer[index]),
            value=number(value[index]),
            interval=interval_or_nothing(low[index], high[index], name=interval_name),
        )

    return text


def note_if_empty(canvas: Canvas, axes: Axes, *values: Any) -> None:
    """Say in the middle of a panel that nothing could be tested, where it has nothing to draw."""
    if not any(np.isfinite(np.asarray(value, dtype=float)).any() for value in values):
        canvas.note(axes, 0.5, 0.62, canvas.words.rows("figure.not_testable"), ha="center")


def layer_axis(axes: Axes, study: Mapping[str, Any], *, labelled: bool = True) -> None:
    """A horizontal axis over the whole depth of the model, in its own numbers from 1; layers that are left out leave a gap."""
    layers, shown = of_model(study), studied(study)
    axes.set_xlim(*_ends(axes, layers))
    ticks = shown if len(shown) < layers and len(shown) <= MOST_TICKS else layer_ticks(layers)
    axes.xaxis.set_major_locator(FixedLocator(ticks) if labelled else NullLocator())
    axes.grid(visible=False, axis="x")
    axes.tick_params(axis="both", length=0)


def _inches(axes: Axes) -> float:
    return float(axes.get_position().width * axes.get_figure(root=True).get_figwidth())  # type: ignore[union-attr]


def _ends(axes: Axes, layers: int) -> tuple[float, float]:
    """The ends of an axis of layers: half a layer beyond the outermost ones, and never so near that their marks would be cut."""
    margin = max(0.5, MARK * (layers - 1) / (_inches(axes) - 2 * MARK))
    return 1 - margin, layers + margin


def place_of_layer(axes: Axes, layers: int, layer: float) -> float:
    """Where a layer (in numbers from 1) lies on an axis of layers, in fractions of the panel."""
    low, high = _ends(axes, layers)
    return (layer - low) / (high - low)


def layer_ticks(layers: int) -> list[int]:
    """The layers that get a tick label: all if few, else 1, round numbers and, where it does not crowd them, the last."""
    if layers <= MOST_TICKS:
        return list(range(1, layers + 1))
    step = next((step for step in (5, 10, 20, 25, 50) if layers / step <= 6), 10 ** max(1, int(math.log10(layers))))
    ticks = [1, *range(step, layers + 1, step)]
    return ticks if layers - ticks[-1] < 0.6 * step else [*ticks, layers]


def shade_bands(canvas: Canvas, axes: Axes, results: Results, *, labelled: bool = True) -> None:
    """Shade the early and the deep layers, and name them at the top of the panel (leave `headroom`)."""
    layers = of_model(results.study)
    for name in ("early", "deep"):
        band = results.study["bands"][name]
        if not band:
            continue
        axes.axvspan(band[0] - 0.5, band[-1] + 0.5, color="muted", alpha=0.09, linewidth=0, zorder=0)
        if labelled:
            edge = place_of_layer(axes, layers, band[0] - 0.5 if name == "early" else band[-1] + 0.5)
            inset = 0.012 if name == "early" else -0.012
            canvas.note(axes, edge + inset, 0.985, canvas.words.rows(f"figure.band.{name}"), ha="left" if name == "early" else "right")


def curve(axes: Axes, x: np.ndarray, y: np.ndarray, style: Style, *, low: np.ndarray | None = None, high: np.ndarray | None = None) -> None:
    """A line with a marker on each of its points, and a band where both ends of an interval exist."""
    if low is not None and high is not None:
        finite = np.isfinite(low) & np.isfinite(high)
        if finite.any():
            axes.fill_between(x, low, high, where=finite, color=style.color, alpha=0.16, linewidth=0, zorder=2)
    axes.plot(
        x,
        y,
        color=style.color,
        linestyle=style.line,
        marker=style.marker,
        # As large as the points leave room.
        markersize=float(np.clip(0.8 * 72 * _inches(axes) / max(len(x), 1), SMALLEST_MARKER, 4)),
        markerfacecolor=style.color if style.filled else "paper",
        markeredgewidth=1,
        linewidth=1.5,
        zorder=3,
    )


def hover_points(axes: Axes, hover: Hover, gid: str, x: np.ndarray, y: np.ndarray, text: Text) -> None:
    """Invisible marks over the finite points of a curve, large enough to be hit; `text` is asked for them only."""
    finite = np.flatnonzero(np.isfinite(y))
    if not len(finite):
        return
    axes.scatter(x[finite], y[finite], s=40, color="ink", alpha=0, linewidths=0, zorder=7, gid=gid)
    hover.add(gid, [text(int(index)) for index in finite])


def marked_points(
    axes: Axes, hover: Hover, gid: str, x: np.ndarray, y: np.ndarray, filled: np.ndarray, style: Style, text: Text, size: float
) -> None:
    """Markers on the finite points, filled or hollow, each with its hover text."""
    finite = np.flatnonzero(np.isfinite(y))
    if not len(finite):
        return
    faces = [style.color if filled[index] else "paper" for index in finite]
    axes.scatter(x[finite], y[finite], s=size, marker=style.marker, c=faces, edgecolors=style.color, linewidths=1, zorder=4, gid=gid)
    hover.add(gid, [text(int(index)) for index in finite])


def pair_points(axes: Axes, hover: Hover, gid: str, x: np.ndarray, y: np.ndarray, style: Style, text: Text) -> None:
    """The pairs of one layer: markers with hover texts, hollow where they are many; one path of dots where they are very many."""
    if len(x) <= MOST_MARKED_PAIRS:
        marked_points(axes, hover, gid, x, y, np.full(len(x), len(x) < 60), style, text, 22)
    else:
        finite = np.isfinite(y)
        cloud(axes, np.column_stack([x[finite], y[finite]]), style.color, gid)


def cloud(axes: Axes, points: np.ndarray, colour: str, gid: str | None = None) -> None:
    """Points (N, 2) as one path of round dots: hundreds of marks would weigh down every document."""
    if not len(points):
        return
    # A stroke of no visible length with a round end is a dot.
    strokes = np.repeat(points.astype(np.float64), 2, axis=0)
    strokes[1::2, 0] += 1e-3
    codes = np.tile([Path.MOVETO, Path.LINETO], len(points))
    dots = PathPatch(Path(strokes, codes), fill=False, edgecolor=colour, linewidth=2.2, alpha=0.55, capstyle="round", zorder=3, gid=gid)
    dots.set_snap(False)  # snapped to whole pixels the strokes would vanish
    axes.add_patch(dots)


def before(style: Style) -> tuple[str, Any, str]:
    """How a line looks in the panel before, for its label (`EndLabel.also`)."""
    return style.color, style.line, style.marker


def branch_labels(words: Words, ends: Mapping[str, float]) -> list[EndLabel]:
    """The names of the branches beside the ends of their curves."""
    labels = []
    for branch in BRANCHES:
        style = BRANCH_STYLE[branch]
        labels.append(EndLabel(ends[branch], words.rows(f"figure.branch.{branch}"), style.color, style.line, style.marker, style.filled))
    return labels


def limits(axes: Axes, *values: Any, floor: float | None = None, ceiling: float | None = None, pad: float = 0.06) -> None:
    """Vertical limits around all finite values; the same values give the same limits in neighbouring panels.

    They are round numbers: an outermost value that moves a little leaves the limits, and so what else is drawn, where they were.
    """
    flat = np.concatenate([np.ravel(np.asarray(value, dtype=float)) for value in values])
    flat = flat[np.isfinite(flat)]
    low, high = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    margin = pad * (high - low)
    step = round_step((high - low) / 16)
    low, high = step * math.floor((low - margin) / step), step * math.ceil((high + margin) / step)
    axes.set_ylim(low if floor is None else max(low, floor), high if ceiling is None else min(high, ceiling))


def round_step(size: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above `size` (positive)."""
    power = 10.0 ** math.floor(math.log10(size))
    return power * max(factor for factor in (1, 2, 5) if factor * power <= size * (1 + 1e-9))


def last_finite(values: np.ndarray) -> float:
    """The value at the right end of a curve; NaN where it has none."""
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if len(finite) else math.nan
