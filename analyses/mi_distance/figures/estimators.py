"""How far the estimators agree: layer means of one against those of the other, and how much of the histogram's value is bias."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas
from matplotlib.ticker import MaxNLocator

from analyses.drawing.canvas import Canvas, EndLabel, Row
from analyses.drawing.marks import (
    BRANCH_STYLE,
    Hover,
    Style,
    before,
    branch_labels,
    branch_name,
    curve,
    hover_points,
    last_finite,
    layer_axis,
    limits,
    marked_points,
)
from analyses.frames import select
from analyses.mi_distance.shown import SERIES, fitted_line, layer_means
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import studied
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import key, number

LINE = {"histogram": "-", "corrected": (0, (5, 1.6)), "expected": (0, (1, 1.3)), "nearest_neighbour": (0, (6, 1.5, 1, 1.5))}


def estimator_comparison(results: Results) -> FigureSpec:
    """Nearest-neighbour against histogram means, and profiles of histogram, corrected, expected and nearest-neighbour means."""
    data = layer_means(results)

    def style(branch: str, name: str) -> Style:
        colour = {"expected": "series:slate", "nearest_neighbour": "highlight"}.get(name, BRANCH_STYLE[branch].color)
        return Style(colour, LINE[name], BRANCH_STYLE[branch].marker if name == "histogram" else "", filled=True)

    def looks_alike(name: str) -> bool:
        return style(BRANCHES[0], name) == style(BRANCHES[-1], name)

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.6), Row(1.7)], right=1.42, gap=0.12, left=0.5), Hover()
        for axes, branch in zip(canvas.axes[0], BRANCHES, strict=True):
            rows = select(data, branch=branch)
            x = rows["layer"].to_numpy()
            for name in SERIES:
                y = rows[name].to_numpy()
                curve(axes, x, y, style(branch, name))
                texts = [
                    canvas.words.hover(
                        "figure.hover.estimator",
                        branch=branch_name(branch),
                        estimator=key(f"figure.series.{name}"),
                        layer=int(layer),
                        value=number(value),
                    )
                    for layer, value in zip(x, y, strict=True)
                ]
                hover_points(axes, hover, f"{branch}-{name}", x, y, texts.__getitem__)
            limits(axes, data[list(SERIES)], [0])
            layer_axis(axes, results.study)
            canvas.title(axes, f"figure.branch.{branch}")
            canvas.y_label(axes, "figure.mean_mutual_information")
            canvas.x_label(axes, "figure.layer")
        last = select(data, branch=BRANCHES[-1], layer=studied(results.study)[-1]).iloc[0]
        canvas.end_labels(
            canvas.axes[0][-1],
            [
                EndLabel(
                    float(last[name]),
                    canvas.words.rows(f"figure.series.{name}"),
                    style(BRANCHES[-1], name).color,
                    LINE[name],
                    style(BRANCHES[-1], name).marker,
                    also=None if looks_alike(name) else before(style(BRANCHES[0], name)),
                )
                for name in SERIES
            ],
        )
        _shift(canvas, hover, data)
        _share(canvas, hover, data, results.study)
        return hover.drawing(canvas)

    return FigureSpec("estimator_comparison", draw, data)


def _shift(canvas: Canvas, hover: Hover, data: pandas.DataFrame) -> None:
    """One point a branch and layer; the dashed line is a constant shift (slope 1), the solid one the fit."""
    axes = canvas.axes[1][0]
    for branch in BRANCHES:
        rows = select(data, branch=branch)
        texts = [
            canvas.words.hover(
                "figure.hover.shift",
                branch=branch_name(branch),
                layer=int(row.layer),
                histogram=number(row.histogram),
                nearest_neighbour=number(row.nearest_neighbour),
            )
            for row in rows.itertuples()
        ]
        x, y = rows["histogram"].to_numpy(), rows["nearest_neighbour"].to_numpy()
        marked_points(axes, hover, f"{branch}-shift", x, y, np.full(len(x), True), BRANCH_STYLE[branch], texts.__getitem__, 16)
    x = data["histogram"].to_numpy()
    span = np.array([x.min(), x.max()]) + np.array([-0.04, 0.04]) * max(float(np.ptp(x)), 1e-3)
    shift = float((data["nearest_neighbour"] - data["histogram"]).mean())
    axes.plot(span, span + shift, color="muted", linewidth=1.1, linestyle=(0, (4, 2)), zorder=2)
    fit = fitted_line(data)
    axes.set_xlim(*span)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    limits(axes, data["nearest_neighbour"], span + shift)
    canvas.headroom(axes, 2)
    rows_of_text = [("muted", canvas.words.rows("figure.estimator_comparison.shift"))]
    if fit is not None:
        axes.plot(span, fit[1] + fit[0] * span, color="ink", linewidth=1.3, zorder=2)
        rows_of_text.append(("ink", canvas.words.rows("figure.estimator_comparison.fit", slope=canvas.words.number(fit[0], 2))))
    for index, (colour, rows) in enumerate(rows_of_text):
        canvas.note(axes, 0.02, 0.985, rows, color=colour, below=index * canvas.words.languages)
    axes.tick_params(length=0)
    canvas.title(axes, "figure.estimator_comparison.shift_title")
    canvas.y_label(axes, "figure.estimator_comparison.nearest_neighbour")
    canvas.x_label(axes, "figure.estimator_comparison.histogram")


def _share(canvas: Canvas, hover: Hover, data: pandas.DataFrame, study: Mapping[str, Any]) -> None:
    """The share of the histogram's mean that is expected of unrelated vectors."""
    axes = canvas.axes[1][1]
    ends = {}
    for branch in BRANCHES:
        rows = select(data, branch=branch)
        x, share = rows["layer"].to_numpy(), rows["expected_share"].to_numpy() * 100
        curve(axes, x, share, BRANCH_STYLE[branch])
        finite = np.isfinite(share)
        texts = [
            canvas.words.hover(
                "figure.hover.share", branch=branch_name(branch), layer=int(layer), share={"value": value / 100, "as": "percent"}
            )
            for layer, value in zip(x[finite], share[finite], strict=True)
        ]
        hover_points(axes, hover, f"{branch}-share", x[finite], share[finite], texts.__getitem__)
        ends[branch] = last_finite(share)
    limits(axes, [0, 100], data["expected_share"] * 100, pad=0.02)
    layer_axis(axes, study)
    canvas.title(axes, "figure.estimator_comparison.share_title")
    canvas.y_label(axes, "figure.estimator_comparison.share")
    canvas.x_label(axes, "figure.layer")
    canvas.end_labels(axes, branch_labels(canvas.words, ends))
