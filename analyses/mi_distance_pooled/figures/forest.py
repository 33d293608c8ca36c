"""The first page's figure: every part of every statement as a mean over the texts, on the excess and on plain MI."""

import math

import matplotlib.pyplot as plt
import pandas

from analyses.drawing.canvas import ROW, SECOND, SMALL, Canvas, EndLabel, Row
from analyses.drawing.marks import Hover, Style
from analyses.mi_distance.names import CO_PRIMARY
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import interval, key, number

# The parts that are shown, by the unit of their axis; level lines and ranges are in the tables.
PARTS = {"nats": ("early_difference", "deep_difference", "attention_rise", "mlp_fall"), "tau": ("mean_tau", "tau_difference")}
LOOKS = {
    ("different_word", "histogram"): Style("series:blue", "-", "s"),
    ("different_word", "nearest_neighbour"): Style("series:vermilion", "-", "D"),
    ("none", "histogram"): Style("series:grey", "-", "s", filled=False),
    ("none", "nearest_neighbour"): Style("series:slate", "-", "D", filled=False),
}
_LABELS = 2.35  # inches left of the panels


def forest(results: Results) -> FigureSpec:
    """Means over texts with their intervals, one row a part, both estimators on the excess and hollow on plain MI."""
    rows = pandas.DataFrame(results.study["groups"][0]["pooled"])
    shown = [part for parts in PARTS.values() for part in parts]
    data = rows[rows["part"].isin(shown) & rows["estimator"].isin(CO_PRIMARY)]
    data = data[["part", "estimator", "control", "texts", "estimate", "low", "high"]].reset_index(drop=True)
    data = data.astype(dict.fromkeys(("estimate", "low", "high"), "float64"))
    looks = {look: style for look, style in LOOKS.items() if look[0] in set(data["control"])}

    def draw(labels: Labels) -> Drawing:
        step = max(0.075 * len(looks) + 0.1, 0.15 * len(labels.codes) + 0.08)
        heights = [Row(step * len(parts), columns=1, titles=False, x_labels=False) for parts in PARTS.values()]
        canvas, hover = Canvas(labels, heights, left=_LABELS, right=1.42), Hover()
        for unit, (axes,) in zip(PARTS, canvas.axes, strict=True):
            parts = PARTS[unit]
            axes.set_ylim(-0.5, len(parts) - 0.5)
            axes.set_yticks([])
            for place, part in enumerate(parts):
                _name(canvas, axes, part, place, len(parts))
                for index, ((control, estimator), style) in enumerate(looks.items()):
                    found = data[(data["part"] == part) & (data["control"] == control) & (data["estimator"] == estimator)]
                    if not len(found):
                        continue
                    row = found.iloc[0]
                    y = len(parts) - 1 - place - (index - (len(looks) - 1) / 2) * 0.74 / max(len(looks), 1)
                    if math.isfinite(row.low):
                        axes.plot([row.low, row.high], [y, y], color=style.color, linewidth=1.4, solid_capstyle="butt", zorder=3)
                    gid = f"{part}-{control}-{estimator}".replace("_", "-")
                    face = style.color if style.filled else "paper"
                    axes.scatter(
                        [row.estimate], [y], s=20, marker=style.marker, c=[face], edgecolors=style.color, linewidths=1, zorder=4, gid=gid
                    )
                    hover.add(gid, [_text(canvas, row, unit)])
            axes.axvline(0, color="muted", linewidth=0.8, zorder=1)
            for between in range(1, len(parts)):
                axes.axhline(between - 0.5, color="grid", linewidth=0.8, zorder=0)
            axes.tick_params(length=0)
            axes.margins(x=0.06)
            canvas.y_label(axes, f"figure.forest.axis.{unit}")
        _legend(canvas, looks)
        return hover.drawing(canvas)

    return FigureSpec("forest", draw, data)


def _name(canvas: Canvas, axes: plt.Axes, part: str, place: int, parts: int) -> None:
    """What a row is, left of the panel, a line a language."""
    box = axes.get_position()
    words = canvas.words.rows(f"measure.{part}")
    middle = (box.y1 - (place + 0.5) / parts * box.height) * canvas.height
    for index, text in enumerate(words):
        y = middle + ((len(words) - 1) / 2 - index) * ROW
        style = {"fontsize": SMALL + 0.4} if index == 0 else {"fontsize": SECOND, "fontstyle": "italic", "color": "muted"}
        canvas.figure.text(0.06 / 6.7, y / canvas.height, text, va="center_baseline", ha="left", **style)


def _legend(canvas: Canvas, looks: dict[tuple[str, str], Style]) -> None:
    axes = canvas.axes[0][0]
    low, high = axes.get_ylim()
    ends = [
        EndLabel(
            low + (high - low) * (1 - (index + 0.5) / len(looks)), canvas.words.rows(f"figure.series.{control}.{estimator}"),
            style.color, style.line, style.marker, style.filled,
        )
        for index, ((control, estimator), style) in enumerate(looks.items())
    ]  # fmt: skip
    canvas.end_labels(axes, ends)


def _text(canvas: Canvas, row: pandas.Series, unit: str) -> str:
    digits, of_one = (2, True) if unit == "tau" else (3, False)
    exists = math.isfinite(row.low)
    return canvas.words.hover(
        "figure.hover.forest",
        part=key(f"measure.{row.part}"),
        series=key(f"figure.series.{row.control}.{row.estimator}"),
        value=number(row.estimate, digits, unit=of_one),
        interval=key("figure.hover.interval", interval=interval(row.low, row.high, digits, unit=of_one)) if exists else "",
    )
