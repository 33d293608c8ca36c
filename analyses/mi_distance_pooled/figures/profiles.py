"""Curves over the layers, each a mean over the texts with its interval: MI, the excess, taus; and models on relative depth."""

from typing import Any

import numpy as np

from analyses.drawing.canvas import Canvas, EndLabel, Row
from analyses.drawing.marks import (
    BRANCH_STYLE,
    Hover,
    Style,
    branch_labels,
    branch_name,
    curve,
    hover_points,
    interval_or_nothing,
    last_finite,
    layer_axis,
    limits,
    note_if_empty,
    shade_bands,
)
from analyses.frames import select, tidy
from analyses.occurrences.branches import BRANCHES
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import number

# Both estimators are in the tables; the one without the histogram's bias is drawn.
DRAWN = "nearest_neighbour"
MODEL_STYLES = (
    Style("series:blue", "-", "o"), Style("series:vermilion", (0, (5, 1.6)), "D"), Style("series:green", (0, (1, 1.5)), "s"),
    Style("highlight", (0, (6, 1, 1, 1)), "^"), Style("series:ochre", "-", "v", filled=False),
    Style("series:grey", (0, (5, 1.6)), "P", filled=False),
)  # fmt: skip


def profiles(results: Results) -> FigureSpec:
    """Mean MI of the word's pairs and its excess over different words, both branches."""
    return _panels(results, "profiles", ("mean_mutual_information", "word_specific_excess"), unit=False)


def tau_profile(results: Results) -> FigureSpec:
    """Kendall's tau against token distance: of plain MI and of the excess."""
    return _panels(results, "tau_profile", ("kendall_tau", "word_specific_kendall_tau"), unit=True)


def _panels(results: Results, name: str, quantities: tuple[str, ...], *, unit: bool) -> FigureSpec:
    shown = [quantity for quantity in quantities if quantity in results.dataset]
    names = [f"{quantity}{end}" for quantity in shown for end in ("", "_low", "_high")]
    data = tidy(results.dataset, names, estimator=DRAWN)

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(2.0, columns=len(shown))], right=1.1, gap=0.2), Hover()
        for axes, quantity in zip(canvas.axes[0], shown, strict=True):
            ends = [quantity, f"{quantity}_low", f"{quantity}_high"]
            for branch in BRANCHES:
                series = select(data, branch=branch)
                x, (value, low, high) = series["layer"].to_numpy(), (series[end].to_numpy() for end in ends)
                curve(axes, x, value, BRANCH_STYLE[branch], low=low, high=high)

                def text(index: int, branch: str = branch, x: Any = x, found: Any = (value, low, high)) -> str:
                    value, low, high = (float(each[index]) for each in found)
                    return canvas.words.hover(
                        "figure.hover.profile", branch=branch_name(branch), layer=int(x[index]), value=number(value, 3, unit=unit),
                        interval=interval_or_nothing(low, high, unit=unit),
                    )  # fmt: skip

                hover_points(axes, hover, f"{quantity}-{branch}".replace("_", "-"), x, value, text)
            limits(axes, *(data[each] for each in names))
            axes.axhline(0, color="muted", linewidth=0.8, zorder=1)
            canvas.headroom(axes)
            shade_bands(canvas, axes, results)
            note_if_empty(canvas, axes, data[quantity])
            layer_axis(axes, results.study)
            canvas.title(axes, f"figure.quantity.{quantity}")
            canvas.y_label(axes, f"figure.axis.{'tau' if unit else 'nats'}")
            canvas.x_label(axes, "figure.layer")
        at_end = {branch: last_finite(select(data, branch=branch)[shown[-1]].to_numpy()) for branch in BRANCHES}
        canvas.end_labels(canvas.axes[0][-1], branch_labels(canvas.words, at_end))
        return hover.drawing(canvas)

    return FigureSpec(name, draw, data)


def models(results: Results) -> FigureSpec:
    """The excess of every model on relative depth, a panel a branch."""
    dataset = results.dataset
    quantity = "word_specific_excess" if np.isfinite(dataset["model_word_specific_excess"]).any() else "mean_mutual_information"
    values = dataset[f"model_{quantity}"].sel(estimator=DRAWN)
    names = [str(model) for model in dataset["model"].values]
    data = values.to_dataframe(name=quantity).reset_index()[["model", "branch", "model_layer", quantity]]
    data["depth"] = (
        dataset["model_depth"]
        .to_dataframe(name="depth")["depth"]
        .loc[list(zip(data["model"], data["model_layer"], strict=True))]
        .to_numpy()
    )
    data = data.dropna().drop(columns="model_layer").reset_index(drop=True)

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(2.0)], right=1.6, gap=0.2), Hover()
        for axes, branch in zip(canvas.axes[0], BRANCHES, strict=True):
            for index, model in enumerate(names):
                series, style = select(data, model=model, branch=branch), MODEL_STYLES[index % len(MODEL_STYLES)]
                x, y = series["depth"].to_numpy(), series[quantity].to_numpy()
                curve(axes, x, y, style)

                def text(at: int, model: str = model, x: Any = x, y: Any = y) -> str:
                    return canvas.words.hover(
                        "figure.hover.model", model=model, depth=number(float(x[at]), 2, unit=True), value=number(float(y[at]))
                    )

                hover_points(axes, hover, f"{branch}-model-{index}", x, y, text)
            axes.set_xlim(-0.02, 1.02)
            axes.axhline(0, color="muted", linewidth=0.8, zorder=1)
            limits(axes, data[quantity])
            axes.tick_params(length=0)
            canvas.title(axes, f"figure.branch.{branch}")
            canvas.y_label(axes, f"figure.quantity.{quantity}")
            canvas.x_label(axes, "figure.depth")
        last = select(data, branch=BRANCHES[-1])
        ends = []
        for index, model in enumerate(names):
            style, y = MODEL_STYLES[index % len(MODEL_STYLES)], select(last, model=model)[quantity].to_numpy()
            ends.append(EndLabel(last_finite(y), [model[:18]], style.color, style.line, style.marker, style.filled))
        canvas.end_labels(canvas.axes[0][-1], ends)
        return hover.drawing(canvas)

    return FigureSpec("models", draw, data)
