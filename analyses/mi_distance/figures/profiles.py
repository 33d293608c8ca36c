"""Laminar profiles: mean mutual information, and Kendall's tau, over the layers."""

import numpy as np
import pandas
from matplotlib.axes import Axes

from analyses.drawing.canvas import Canvas, EndLabel, Row, Words
from analyses.drawing.marks import (
    BRANCH_STYLE,
    Hover,
    Text,
    branch_labels,
    branch_name,
    curve,
    hover_points,
    interval_or_nothing,
    last_finite,
    layer_axis,
    limits,
    marked_points,
    note_if_empty,
    p_or_nothing,
    shade_bands,
    value_texts,
)
from analyses.frames import select, tidy
from analyses.mi_distance.names import CO_PRIMARY
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import studied
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import exact, number

MEAN = ("mean_mutual_information", "mean_mutual_information_low", "mean_mutual_information_high")
TAU = ("kendall_tau", "kendall_tau_low", "kendall_tau_high", "mantel_p")


def mutual_information_profile(results: Results) -> FigureSpec:
    """Mean mutual information over the layers, by both co-primary estimators."""
    alpha = results.study["settings"]["alpha"]
    means = tidy(results.dataset, MEAN, estimator=list(CO_PRIMARY))
    tests = tidy(results.dataset, ("mi_difference_p_fdr_bh", "t_p_fdr_bh"), estimator=list(CO_PRIMARY))
    data = means.merge(tests, on=["estimator", "layer"], how="left")

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.95, rail=0.34)], right=1.2, left=0.62, gap=0.16), Hover()
        for column, estimator in enumerate(CO_PRIMARY):
            axes, rail = canvas.axes[0][column], canvas.rails[0][column]
            rows = select(data, estimator=estimator)
            for branch in BRANCHES:
                series = select(rows, branch=branch)
                values = [series[name].to_numpy() for name in MEAN]
                x = series["layer"].to_numpy()
                curve(axes, x, values[0], BRANCH_STYLE[branch], low=values[1], high=values[2])
                text = value_texts(canvas.words, "figure.hover.mutual_information", branch, x, values)
                hover_points(axes, hover, f"{estimator}-{branch}", x, values[0], text)
            limits(axes, *(rows[name] for name in MEAN))
            canvas.headroom(axes)
            shade_bands(canvas, axes, results)
            layer_axis(axes, results.study, labelled=False)
            _significance(canvas, rail, hover, select(rows, branch=BRANCHES[0]), estimator, alpha, named=column == 0)
            layer_axis(rail, results.study)
            canvas.title(axes, f"figure.estimator.{estimator}")
            canvas.y_label(axes, "figure.mean_mutual_information")
            canvas.x_label(axes, "figure.layer", rail=rail)
        rows = select(data, estimator=CO_PRIMARY[-1])
        ends = {branch: last_finite(select(rows, branch=branch)[MEAN[0]].to_numpy()) for branch in BRANCHES}
        canvas.end_labels(canvas.axes[0][-1], branch_labels(canvas.words, ends))
        return hover.drawing(canvas)

    return FigureSpec("mutual_information_profile", draw, data)


def _significance(canvas: Canvas, rail: Axes, hover: Hover, rows: pandas.DataFrame, estimator: str, alpha: float, *, named: bool) -> None:
    """A strip of two rows: layers significant by the jackknife, and by the course's t-test (hollow where only that one finds them)."""
    rail.set_ylim(-0.6, 1.6)
    rail.grid(visible=False)
    rail.spines[:].set_visible(False)
    rail.axhspan(-0.6, 1.6, color="muted", alpha=0.05, linewidth=0)
    rail.tick_params(axis="y", length=0, labelsize=7.6)
    rail.set_yticks([1, 0], ["jackknife", "t"] if named else ["", ""])
    layer = rows["layer"].to_numpy()
    by_name = {"jackknife": rows["mi_difference_p_fdr_bh"].to_numpy(), "t": rows["t_p_fdr_bh"].to_numpy()}
    sound = by_name["jackknife"] < alpha
    for height, (name, p) in zip((1, 0), by_name.items(), strict=True):
        if not np.isfinite(p).any():
            middle = (layer[0] + layer[-1]) / 2
            rail.text(middle, height, canvas.words.rows("figure.not_testable")[0], fontsize=7.6, color="muted", ha="center", va="center")
            continue
        significant = np.flatnonzero(p < alpha)
        if not len(significant):
            continue
        gid = f"{estimator}-significant-{name}"
        faces = ["ink" if sound[index] else "paper" for index in significant]
        rail.scatter(
            layer[significant],
            np.full(len(significant), height),
            s=13 if len(layer) <= 32 else 8,
            marker="s",
            c=faces,
            edgecolors="ink",
            linewidths=0.8,
            gid=gid,
            zorder=4,
        )
        hover.add(
            gid,
            [
                canvas.words.hover(
                    f"figure.hover.significant.{name}", layer=int(layer[index]), p=p_or_nothing("figure.hover.adjusted_p", p[index])
                )
                for index in significant
            ],
        )


def _tau_texts(words: Words, branch: str, series: pandas.DataFrame) -> Text:
    x, tau, low, high, p = (series[name].to_numpy() for name in ("layer", *TAU))

    def text(index: int) -> str:
        return words.hover(
            "figure.hover.tau",
            branch=branch_name(branch),
            layer=int(x[index]),
            value=number(tau[index], 2, unit=True),
            interval=interval_or_nothing(low[index], high[index], 2, unit=True),
            p=p_or_nothing("figure.hover.mantel", p[index]),
        )

    return text


def kendall_tau_profile(results: Results) -> FigureSpec:
    """Kendall's tau of mutual information against token distance over the layers."""
    alpha, tau_range = results.study["settings"]["alpha"], results.study["settings"]["hypotheses"]["tau_range"]
    data = tidy(results.dataset, TAU, estimator=list(CO_PRIMARY))
    layers = results.study["layers"]

    def draw(labels: Labels) -> Drawing:
        rows = [Row(1.4, columns=1, x_labels=False), Row(1.4, columns=1)]
        canvas, hover = Canvas(labels, rows, right=1.2), Hover()
        for row, estimator in enumerate(CO_PRIMARY):
            axes, of_estimator = canvas.axes[row][0], select(data, estimator=estimator)
            axes.axhspan(*tau_range, color="highlight", alpha=0.1, linewidth=0, zorder=0)
            axes.axhline(0, color="muted", linewidth=0.9, zorder=1)
            for branch in BRANCHES:
                series, style = select(of_estimator, branch=branch), BRANCH_STYLE[branch]
                x, tau, low, high, p = (series[name].to_numpy() for name in ("layer", *TAU))
                finite = np.isfinite(low) & np.isfinite(high)
                if finite.any():
                    axes.fill_between(x, low, high, where=finite, color=style.color, alpha=0.13, linewidth=0, zorder=2)
                axes.plot(x, tau, color=style.color, linestyle=style.line, linewidth=1.2, zorder=3)
                text = _tau_texts(canvas.words, branch, series)
                marked_points(axes, hover, f"{estimator}-{branch}", x, tau, p < alpha, style, text, 17 if layers <= 32 else 11)
            limits(axes, of_estimator[list(TAU[:3])], [0.1, *tau_range])
            low_limit, high_limit = axes.get_ylim()
            axes.set_ylim(max(low_limit, -1.04), min(high_limit, 1.04))
            note_if_empty(canvas, axes, of_estimator["kendall_tau"])
            layer_axis(axes, results.study)
            canvas.title(axes, f"figure.estimator.{estimator}")
            canvas.y_label(axes, "figure.kendall_tau_profile.y")
            last = select(of_estimator, layer=studied(results.study)[-1]).set_index("branch")["kendall_tau"]
            middle = sum(tau_range) / 2
            about = canvas.words.rows("figure.kendall_tau_profile.range", middle=exact(round(middle, 6), unit=True))
            ends = branch_labels(canvas.words, {branch: float(last[branch]) for branch in BRANCHES})
            canvas.end_labels(axes, [*ends, EndLabel(middle, about, "highlight", band=True)])
        canvas.x_label(canvas.axes[1][0], "figure.layer")
        return hover.drawing(canvas)

    return FigureSpec("kendall_tau_profile", draw, data)
