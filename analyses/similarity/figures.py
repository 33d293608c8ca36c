"""The report's figures: profiles over the layers, similarity against distance, and the pair structures of the two branches."""

from functools import partial
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes

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
    marked_points,
    note_if_empty,
    p_or_nothing,
    pair_points,
    shade_bands,
)
from analyses.frames import select, tidy
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import detail_layer
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import number

# Pearson's r is in the tables: over so many dimensions it is the cosine again, but for the third decimal.
SHOWN = ("cosine", "centred")
DIFFERENT_WORDS = Style("muted", (0, (1, 1.5)), "s", filled=False)
STRUCTURE = {
    "structure_agreement": Style("ink", "-", "o"),
    "structure_agreement_beyond_distance": Style("highlight", (0, (5, 1.6)), "D", filled=False),
}


def figures(results: Results) -> list[FigureSpec]:
    """Every figure that the results have data for, in the order of the report."""
    has_control = "selectivity" in results.dataset
    return [
        similarity_profile(results),
        *([selectivity_profile(results)] if has_control else []),
        distance_scatter(results),
        tau_profile(results),
        structure_profile(results),
        structure_scatter(results),
    ]


def similarity_profile(results: Results) -> FigureSpec:
    """Mean similarity of the word's pairs over the layers: raw cosine, and centred."""
    ends = ("mean_similarity", "mean_similarity_low", "mean_similarity_high")
    data = tidy(results.dataset, ends, measure=list(SHOWN))

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(2.1)], right=1.1, gap=0.2), Hover()
        for axes, measure in zip(canvas.axes[0], SHOWN, strict=True):
            rows = select(data, measure=measure)
            for branch in BRANCHES:
                series = select(rows, branch=branch)
                x, (value, low, high) = series["layer"].to_numpy(), (series[name].to_numpy() for name in ends)
                curve(axes, x, value, BRANCH_STYLE[branch], low=low, high=high)

                def text(index: int, branch: str = branch, x: Any = x, found: Any = (value, low, high)) -> str:
                    value, low, high = (float(each[index]) for each in found)
                    return canvas.words.hover(
                        "figure.hover.similarity", branch=branch_name(branch), layer=int(x[index]), value=number(value, 3, unit=True),
                        interval=interval_or_nothing(low, high, unit=True),
                    )  # fmt: skip

                hover_points(axes, hover, f"{measure}-{branch}", x, value, text)
            _frame(canvas, axes, results, [data[name] for name in ends], rows[ends[0]])
            canvas.title(axes, f"figure.measure.{measure}")
        last = select(data, measure=SHOWN[-1])
        at_end = {branch: last_finite(select(last, branch=branch)[ends[0]].to_numpy()) for branch in BRANCHES}
        canvas.end_labels(canvas.axes[0][-1], branch_labels(canvas.words, at_end))
        return hover.drawing(canvas)

    return FigureSpec("similarity_profile", draw, data)


def selectivity_profile(results: Results) -> FigureSpec:
    """The same word's pairs beside those of different words at the same distances: a row of panels for each branch."""
    names = ("mean_similarity", "mean_matched_similarity")
    data = tidy(results.dataset, (*names, "selectivity", "selectivity_low", "selectivity_high"), measure=list(SHOWN))

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.5, x_labels=False), Row(1.5)], right=1.25, gap=0.2), Hover()
        for row, branch in zip(canvas.axes, BRANCHES, strict=True):
            for axes, measure in zip(row, SHOWN, strict=True):
                series = select(data, measure=measure, branch=branch)
                x = series["layer"].to_numpy()
                same, different = (series[name].to_numpy() for name in names)
                curve(axes, x, different, DIFFERENT_WORDS)
                curve(axes, x, same, BRANCH_STYLE[branch])

                def text(index: int, series: pandas.DataFrame = series) -> str:
                    at = series.iloc[index]
                    return canvas.words.hover(
                        "figure.hover.selectivity", layer=int(at.layer), same=number(at.mean_similarity, 3, unit=True),
                        different=number(at.mean_matched_similarity, 3, unit=True), value=number(at.selectivity, 3, unit=True),
                        interval=interval_or_nothing(at.selectivity_low, at.selectivity_high, unit=True),
                    )  # fmt: skip

                hover_points(axes, hover, f"{measure}-{branch}", x, same, text)
                _frame(canvas, axes, results, [data[name] for name in names], same, x_label=branch == BRANCHES[-1])
                canvas.title(axes, f"figure.panel.{branch}.{measure}")
            ends = [
                EndLabel(last_finite(same), canvas.words.rows("figure.series.same_word"), *_look(BRANCH_STYLE[branch])),
                EndLabel(last_finite(different), canvas.words.rows("figure.series.different_words"), *_look(DIFFERENT_WORDS)),
            ]
            canvas.end_labels(row[-1], ends)
        return hover.drawing(canvas)

    return FigureSpec("selectivity_profile", draw, data)


def pair_values(results: Results) -> pandas.DataFrame:
    """The pairs of the detail layer: measure x branch x pair, occurrences numbered from 1."""
    dataset = results.dataset
    layer, place = detail_layer(results.study)
    names = ("first_occurrence", "second_occurrence", "token_distance")
    frame = (
        dataset["similarity"].isel(layer=place).to_dataframe(name="similarity").reset_index()[["measure", "branch", "pair", "similarity"]]
    )
    for name in names:
        frame[name] = dataset[name].values[frame["pair"]] + (0 if name == "token_distance" else 1)
    frame.insert(2, "layer", layer)
    return frame.drop(columns="pair")


def distance_scatter(results: Results) -> FigureSpec:
    """Raw cosine against token distance in the detail layer, with tau and its p by relabelling."""
    data = select(pair_values(results), measure="cosine")
    _, place = detail_layer(results.study)
    tested = results.dataset[["kendall_tau", "mantel_p"]].sel(measure="cosine").isel(layer=place)

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.75)], gap=0.2), Hover()
        for axes, branch in zip(canvas.axes[0], BRANCHES, strict=True):
            rows = select(data, branch=branch)
            x, y = rows["token_distance"].to_numpy(), rows["similarity"].to_numpy()
            text = partial(_pair_text, canvas, branch, rows)
            pair_points(axes, hover, f"{branch}-pairs", x, y, BRANCH_STYLE[branch], text)
            axes.set_xlim(0, data["token_distance"].max() * 1.06)
            limits(axes, data["similarity"], pad=0.08)
            canvas.headroom(axes)
            tau, p = (float(tested[name].sel(branch=branch)) for name in ("kendall_tau", "mantel_p"))
            if np.isfinite(tau):
                words = canvas.words.rows("figure.tau", tau=number(tau, 2, unit=True), p=p_or_nothing("figure.tau.p", p))
                # Signs and numbers, the same in every language.
                canvas.note(axes, 0.99, 0.985, words[:1], ha="right", color=BRANCH_STYLE[branch].color)
            axes.tick_params(length=0)
            canvas.title(axes, f"figure.branch.{branch}")
            canvas.y_label(axes, "figure.cosine")
            canvas.x_label(axes, "figure.token_distance")
        return hover.drawing(canvas)

    return FigureSpec("distance_scatter", draw, data)


def tau_profile(results: Results) -> FigureSpec:
    """Kendall's tau of raw cosine against token distance over the layers: as it is, and minus different words."""
    data = tidy(results.dataset, ("kendall_tau", "mantel_p"), measure="cosine").assign(control="none")
    if "selectivity_kendall_tau" in results.dataset:
        excess = tidy(results.dataset, ("selectivity_kendall_tau", "selectivity_mantel_p"), measure="cosine")
        excess = excess.rename(columns=lambda name: name.removeprefix("selectivity_")).assign(control="different_word")
        data = pandas.concat([data, excess], ignore_index=True)
    alpha = results.study["settings"]["alpha"]
    controls = list(dict.fromkeys(data["control"]))

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.8, columns=len(controls))], right=1.1, gap=0.2), Hover()
        for axes, control in zip(canvas.axes[0], controls, strict=True):
            for branch in BRANCHES:
                series, style = select(data, control=control, branch=branch), BRANCH_STYLE[branch]
                x, tau, p = (series[name].to_numpy() for name in ("layer", "kendall_tau", "mantel_p"))
                axes.plot(x, tau, color=style.color, linestyle=style.line, linewidth=1.2, zorder=3)

                def text(index: int, branch: str = branch, found: Any = (x, tau, p)) -> str:
                    x, tau, p = (each[index] for each in found)
                    return canvas.words.hover(
                        "figure.hover.tau_of_similarity", branch=branch_name(branch), layer=int(x), tau=number(tau, 2, unit=True),
                        p=p_or_nothing("figure.tau.p", p),
                    )  # fmt: skip

                marked_points(axes, hover, f"{control}-{branch}", x, tau, p < alpha, style, text, 20 if len(x) <= 32 else 12)
            axes.axhline(0, color="muted", linewidth=0.8, zorder=1)
            axes.set_ylim(-1.04, 1.04)
            note_if_empty(canvas, axes, select(data, control=control)["kendall_tau"])
            layer_axis(axes, results.study)
            canvas.title(axes, f"figure.panel.tau.{control}")
            canvas.y_label(axes, "figure.kendall_tau")
            canvas.x_label(axes, "figure.layer")
        last = select(data, control=controls[-1])
        at_end = {branch: last_finite(select(last, branch=branch)["kendall_tau"].to_numpy()) for branch in BRANCHES}
        canvas.end_labels(canvas.axes[0][-1], branch_labels(canvas.words, at_end))
        return hover.drawing(canvas)

    return FigureSpec("tau_profile", draw, data)


def structure_profile(results: Results) -> FigureSpec:
    """Rank correlation of the two branches' pair matrices in every layer, plain and with token distance partialled out."""
    data = tidy(results.dataset, tuple(STRUCTURE), measure="pearson")

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.8, columns=1)], right=1.6), Hover()
        axes = canvas.axes[0][0]
        x, ends = data["layer"].to_numpy(), []
        for name, style in STRUCTURE.items():
            y = data[name].to_numpy()
            curve(axes, x, y, style)

            def text(index: int, name: str = name, y: Any = y) -> str:
                return canvas.words.hover(f"figure.hover.{name}", layer=int(x[index]), value=number(float(y[index]), 2, unit=True))

            hover_points(axes, hover, name.replace("_", "-"), x, y, text)
            ends.append(EndLabel(last_finite(y), canvas.words.rows(f"figure.series.{name}"), *_look(style)))
        axes.axhline(0, color="muted", linewidth=0.8, zorder=1)
        axes.set_ylim(min(-0.1, float(np.nanmin(data[list(STRUCTURE)].to_numpy(), initial=0)) - 0.05), 1.04)
        note_if_empty(canvas, axes, *(data[name] for name in STRUCTURE))
        layer_axis(axes, results.study)
        canvas.y_label(axes, "figure.rank_correlation")
        canvas.x_label(axes, "figure.layer")
        canvas.end_labels(axes, ends)
        return hover.drawing(canvas)

    return FigureSpec("structure_profile", draw, data)


def structure_scatter(results: Results) -> FigureSpec:
    """Every pair of the detail layer: its similarity in the attention branch against that in the MLP branch."""
    wide = pair_values(results).pivot_table(
        index=["measure", "layer", "first_occurrence", "second_occurrence", "token_distance"], columns="branch", values="similarity"
    )
    data = wide.reset_index().rename_axis(columns=None)

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(2.1)], gap=0.2), Hover()
        for axes, measure in zip(canvas.axes[0], SHOWN, strict=True):
            rows = select(data, measure=measure)
            if len(rows):
                x, y = (rows[branch].to_numpy() for branch in BRANCHES)
                pair_points(axes, hover, f"{measure}-pairs", x, y, Style("ink"), partial(_structure_text, canvas, rows))
                limits(axes, y, pad=0.08)
            else:
                canvas.note(axes, 0.5, 0.62, canvas.words.rows("figure.not_testable"), ha="center")
            axes.tick_params(length=0)
            canvas.title(axes, f"figure.measure.{measure}")
            canvas.y_label(axes, "figure.in_branch.mlp")
            canvas.x_label(axes, "figure.in_branch.attention")
        return hover.drawing(canvas)

    return FigureSpec("structure_scatter", draw, data)


def _look(style: Style) -> tuple[Any, ...]:
    return style.color, style.line, style.marker, style.filled


def _frame(canvas: Canvas, axes: Axes, results: Results, span: list[Any], shown: Any, *, x_label: bool = True) -> None:
    """Axes of a profile: the same vertical limits in neighbouring panels, the bands of depth, the layers."""
    limits(axes, *span, ceiling=1.02)
    axes.axhline(0, color="muted", linewidth=0.8, zorder=1)
    canvas.headroom(axes)
    # The room for words above the curves is no scale: nothing is more similar than 1.
    bottom, _ = axes.get_ylim()
    axes.set_yticks([tick for tick in axes.get_yticks() if bottom <= tick <= 1 + 1e-9])
    shade_bands(canvas, axes, results)
    note_if_empty(canvas, axes, shown)
    layer_axis(axes, results.study)
    canvas.y_label(axes, "figure.similarity")
    if x_label:
        canvas.x_label(axes, "figure.layer")


def _pair_text(canvas: Canvas, branch: str, rows: pandas.DataFrame, index: int) -> str:
    row = rows.iloc[index]
    return canvas.words.hover(
        "figure.hover.pair_similarity",
        branch=branch_name(branch),
        first=int(row["first_occurrence"]),
        second=int(row["second_occurrence"]),
        distance=int(row["token_distance"]),
        value=number(row["similarity"], 3, unit=True),
    )


def _structure_text(canvas: Canvas, rows: pandas.DataFrame, index: int) -> str:
    row = rows.iloc[index]
    return canvas.words.hover(
        "figure.hover.pair_of_branches",
        first=int(row["first_occurrence"]),
        second=int(row["second_occurrence"]),
        distance=int(row["token_distance"]),
        attention=number(row["attention"], 3, unit=True),
        mlp=number(row["mlp"], 3, unit=True),
    )
