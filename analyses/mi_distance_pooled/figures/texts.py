"""Text by text: what the statements speak of in each, and where in the depth the word is told from other words."""

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analyses.drawing.canvas import SMALL, Canvas, Row
from analyses.drawing.colour_scale import colour_scale
from analyses.drawing.marks import Hover, Style, layer_axis
from analyses.mi_distance_pooled.figures.profiles import DRAWN
from analyses.occurrences.branches import BRANCHES
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import number

SHOWN = ("early_difference", "deep_difference", "mean_tau", "tau_difference")
_STYLE = {"histogram": Style("series:blue", "-", "s"), "nearest_neighbour": Style("series:vermilion", "-", "D")}
# Texts of more are drawn without their names.
MOST_NAMED = 60
_NAME = 16  # letters of a name that a figure has room for


def text_forest(results: Results) -> FigureSpec:
    """A row a text, sorted by the first measure; a panel a measure, both estimators, the mean over the texts as a line."""
    control = results.study["primary_control"]
    values = results.dataset["text_estimate"].sel(control=control, measure=list(SHOWN), estimator=list(_STYLE))
    order = np.argsort(values.sel(measure=SHOWN[0], estimator=DRAWN).values, kind="stable")
    values = values.isel(text=order)
    data = values.to_dataframe(name="estimate").reset_index()[["text", "measure", "estimator", "estimate"]]
    names = [str(name) for name in values["text"].values]

    def draw(labels: Labels) -> Drawing:
        height = max(1.0, min(0.125 * len(names), 7.0))
        canvas = Canvas(labels, [Row(height, columns=len(SHOWN), titles=False)], left=0.12, gap=0.1, outer=_room(names))
        hover = Hover()
        for place, (axes, measure) in enumerate(zip(canvas.axes[0], SHOWN, strict=True)):
            for estimator, style in _STYLE.items():
                x = values.sel(measure=measure, estimator=estimator).values
                finite = np.flatnonzero(np.isfinite(x))
                gid = f"{measure}-{estimator}".replace("_", "-")
                axes.scatter(
                    x[finite], finite, s=11, marker=style.marker, c="paper", edgecolors=style.color, linewidths=0.9, zorder=4, gid=gid
                )
                mean = float(x[finite].mean()) if len(finite) else np.nan
                if np.isfinite(mean):
                    axes.axvline(mean, color=style.color, linewidth=1, zorder=2)
                digits, unit = (2, True) if "tau" in measure else (3, False)
                hover.add(
                    gid,
                    [canvas.words.hover("figure.hover.text", text=names[i], value=number(float(x[i]), digits, unit=unit)) for i in finite],
                )
            axes.axvline(0, color="muted", linewidth=0.8, zorder=1)
            axes.set_ylim(len(names) - 0.4, -0.6)
            axes.set_yticks([])
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.tick_params(length=0)
            canvas.y_label(axes, f"figure.short.{measure}")
            if place == 0:
                _names(axes, names)
        return hover.drawing(canvas)

    return FigureSpec("text_forest", draw, data)


def heat_map(results: Results) -> FigureSpec:
    """Texts by layers, a panel a branch: the excess where there is one, else plain MI; texts in their order of the plan."""
    name = f"text_{quantity_of(results)}"
    values = results.dataset[name].sel(estimator=DRAWN)
    data = values.to_dataframe(name="value").reset_index()[["text", "branch", "layer", "value"]]
    data["layer"] += 1
    names = [str(text) for text in values["text"].values]
    finite = values.values[np.isfinite(values.values)]
    low, high = (float(min(finite.min(), 0.0)), float(finite.max())) if len(finite) else (0.0, 1.0)

    def draw(labels: Labels) -> Drawing:
        height = max(1.0, min(0.125 * len(names), 6.0))
        canvas = Canvas(labels, [Row(height, y_labels=False)], left=0.12, gap=0.12, outer=_room(names), right=0.62)
        layers = results.dataset["layer"].values + 1
        for place, (axes, branch) in enumerate(zip(canvas.axes[0], BRANCHES, strict=True)):
            axes.imshow(
                values.sel(branch=branch).values, aspect="auto", cmap="report_sequential", vmin=low, vmax=max(high, low + 1e-9),
                interpolation="none", extent=(layers[0] - 0.5, layers[-1] + 0.5, len(names) - 0.5, -0.5),
            )  # fmt: skip
            layer_axis(axes, results.study)
            axes.set_yticks([])
            axes.grid(visible=False)
            canvas.title(axes, f"figure.branch.{branch}")
            canvas.x_label(axes, "figure.layer")
            if place == 0:
                _names(axes, names)
        colour_scale(canvas, low, max(high, low + 1e-9), "figure.axis.nats")
        return Drawing(canvas.figure)

    return FigureSpec("heat_map", draw, pandas.DataFrame(data))


def quantity_of(results: Results) -> str:
    return "word_specific_excess" if "text_word_specific_excess" in results.dataset else "mean_mutual_information"


def _room(names: list[str]) -> float:
    """Inches for the names of the texts, left of the first panel."""
    return 0.1 if len(names) > MOST_NAMED else 0.06 + 0.064 * min(max(map(len, names)), _NAME)


def _names(axes: Axes, names: list[str]) -> None:
    if len(names) > MOST_NAMED:
        return
    for place, name in enumerate(names):
        shown = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
        axes.text(-0.03, place, shown, transform=axes.get_yaxis_transform(), ha="right", va="center_baseline", fontsize=min(SMALL, 7.0))
