"""The controls: different words at the same distances, and the same architecture before any training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes

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
    interval_or_nothing,
    last_finite,
    layer_axis,
    limits,
    note_if_empty,
    shade_bands,
    value_texts,
)
from analyses.frames import select, tidy
from analyses.mi_distance.figures.profiles import MEAN
from analyses.occurrences.branches import BRANCHES
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import number

CONTROL = ("control_mean_mutual_information", "control_mean_mutual_information_low", "control_mean_mutual_information_high")
EXCESS = ("word_specific_excess", "word_specific_excess_low", "word_specific_excess_high")
UNTRAINED = ("untrained_mean_mutual_information", "untrained_mean_mutual_information_low", "untrained_mean_mutual_information_high")
DIFFERENT_WORD_STYLE = Style("series:grey", (0, (1, 1.3)), "s", filled=False)
UNTRAINED_TAU = ("untrained_kendall_tau", "untrained_kendall_tau_low", "untrained_kendall_tau_high")
UNTRAINED_STYLE = Style("series:ochre", (0, (1, 1.3)), "^", filled=False)


def _series(canvas: Canvas, axes: Axes, hover: Hover, rows: pandas.DataFrame, names: Sequence[str], style: Style, text: str) -> float:
    """Draw one curve with its interval and hover texts; returns the value at its right end."""
    x, (value, low, high) = rows["layer"].to_numpy(), (rows[name].to_numpy() for name in names)
    curve(axes, x, value, style, low=low, high=high)
    branch = str(rows["branch"].iloc[0])
    interval_name = "figure.hover.seeds" if names is UNTRAINED else "figure.hover.interval"
    texts = value_texts(canvas.words, text, branch, x, (value, low, high), interval_name)
    hover_points(axes, hover, f"{branch}-{names[0]}", x, value, texts)
    return last_finite(value)


def _same_and_different(canvas: Canvas, hover: Hover, data: pandas.DataFrame, results: Results, *, labelled: bool = False) -> None:
    """The first row of panels, one a branch: same-word pairs and different-word pairs."""
    for axes, branch in zip(canvas.axes[0], BRANCHES, strict=True):
        rows = select(data, branch=branch)
        same = _series(canvas, axes, hover, rows, MEAN, BRANCH_STYLE[branch], "figure.hover.mutual_information")
        different = _series(canvas, axes, hover, rows, CONTROL, DIFFERENT_WORD_STYLE, "figure.hover.different_word")
        limits(axes, data[[*MEAN, *CONTROL]])
        if labelled:
            canvas.headroom(axes)
        shade_bands(canvas, axes, results, labelled=labelled)
        layer_axis(axes, results.study)
        canvas.title(axes, f"figure.branch.{branch}")
        canvas.y_label(axes, "figure.mean_mutual_information")
        if branch == BRANCHES[-1]:
            style, left = BRANCH_STYLE[branch], before(BRANCH_STYLE[BRANCHES[0]])
            canvas.end_labels(
                axes,
                [
                    EndLabel(same, canvas.words.rows("figure.control_profile.same"), style.color, style.line, style.marker, also=left),
                    EndLabel(
                        different,
                        canvas.words.rows("figure.control_profile.different"),
                        DIFFERENT_WORD_STYLE.color,
                        DIFFERENT_WORD_STYLE.line,
                        DIFFERENT_WORD_STYLE.marker,
                        filled=False,
                    ),
                ],
            )


def overview(results: Results) -> FigureSpec:
    """What the first page shows: same-word against different-word pairs for each branch."""
    data = tidy(results.dataset, (*MEAN, *CONTROL), estimator="histogram")

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.45)], right=1.25), Hover()
        _same_and_different(canvas, hover, data, results, labelled=True)
        for axes in canvas.axes[0]:
            canvas.x_label(axes, "figure.layer")
        return hover.drawing(canvas)

    return FigureSpec("overview", draw, data)


def control_profile(results: Results) -> FigureSpec:
    """Same-word against different-word pairs for each branch, and the word-specific excess of both."""
    data = tidy(results.dataset, (*MEAN, *CONTROL, *EXCESS), estimator="histogram")

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.45, x_labels=False), Row(1.35, columns=1)], right=1.25, gap=0.16), Hover()
        _same_and_different(canvas, hover, data, results)
        axes = canvas.axes[1][0]
        axes.axhline(0, color="muted", linewidth=0.9, zorder=1)
        ends = {
            branch: _series(canvas, axes, hover, select(data, branch=branch), EXCESS, BRANCH_STYLE[branch], "figure.hover.excess")
            for branch in BRANCHES
        }
        limits(axes, data[list(EXCESS)], [0])
        canvas.headroom(axes)
        shade_bands(canvas, axes, results)
        layer_axis(axes, results.study)
        canvas.title(axes, "figure.control_profile.excess_title")
        canvas.y_label(axes, "figure.control_profile.excess")
        canvas.x_label(axes, "figure.layer")
        canvas.end_labels(axes, branch_labels(canvas.words, ends))
        return hover.drawing(canvas)

    return FigureSpec("control_profile", draw, data)


def untrained_profile(results: Results) -> FigureSpec:
    """The trained against the untrained model, with the range over the draws of its weights: mean mutual information, and tau."""
    data = tidy(results.dataset, (*MEAN, *UNTRAINED, "kendall_tau", *UNTRAINED_TAU), estimator="histogram")

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.4, x_labels=False), Row(1.25, titles=False)], right=1.25, gap=0.16), Hover()
        for column, branch in enumerate(BRANCHES):
            rows, style = select(data, branch=branch), BRANCH_STYLE[branch]
            axes = canvas.axes[0][column]
            trained = _series(canvas, axes, hover, rows, MEAN, style, "figure.hover.mutual_information")
            untrained = _series(canvas, axes, hover, rows, UNTRAINED, UNTRAINED_STYLE, "figure.hover.untrained")
            limits(axes, data[[*MEAN, *UNTRAINED]])
            canvas.title(axes, f"figure.branch.{branch}")
            canvas.y_label(axes, "figure.mean_mutual_information")
            below = canvas.axes[1][column]
            below.axhline(0, color="muted", linewidth=0.9, zorder=1)
            x = rows["layer"].to_numpy()
            taus = {"trained": rows["kendall_tau"].to_numpy(), "untrained": rows["untrained_kendall_tau"].to_numpy()}
            for name, tau in taus.items():
                finite = np.isfinite(tau)
                if name == "trained":
                    curve(below, x, tau, style)
                    spread: list[Any] = [""] * len(x)
                else:
                    low, high = (rows[end].to_numpy() for end in UNTRAINED_TAU[1:])
                    curve(below, x, tau, UNTRAINED_STYLE, low=low, high=high)
                    spread = [interval_or_nothing(*ends, 2, unit=True, name="figure.hover.seeds") for ends in zip(low, high, strict=True)]
                texts = [
                    canvas.words.hover(
                        f"figure.hover.tau.{name}",
                        branch=branch_name(branch),
                        layer=int(x[index]),
                        value=number(tau[index], 2, unit=True),
                        interval=spread[index],
                    )
                    for index in np.flatnonzero(finite)
                ]
                hover_points(below, hover, f"{branch}-{name}-tau", x[finite], tau[finite], texts.__getitem__)
            note_if_empty(canvas, below, *taus.values())
            limits(below, data[["kendall_tau", *UNTRAINED_TAU]], [0])
            canvas.y_label(below, "figure.kendall_tau_profile.y")
            canvas.x_label(below, "figure.layer")
            for each in (axes, below):
                shade_bands(canvas, each, results, labelled=False)
                layer_axis(each, results.study)
        right_ends = ((trained, untrained), tuple(last_finite(tau) for tau in taus.values()))
        for row, (with_training, without) in enumerate(right_ends):
            style, left = BRANCH_STYLE[BRANCHES[-1]], before(BRANCH_STYLE[BRANCHES[0]])
            of_trained = canvas.words.rows("figure.untrained_profile.trained")
            canvas.end_labels(
                canvas.axes[row][-1],
                [
                    EndLabel(with_training, of_trained, style.color, style.line, style.marker, also=left),
                    EndLabel(
                        without,
                        canvas.words.rows("figure.untrained_profile.untrained"),
                        UNTRAINED_STYLE.color,
                        UNTRAINED_STYLE.line,
                        UNTRAINED_STYLE.marker,
                        filled=False,
                    ),
                ],
            )
        return hover.drawing(canvas)

    return FigureSpec("untrained_profile", draw, data)
