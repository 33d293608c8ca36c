"""Attention against MLP, layer by layer: t and the jackknife difference, and the Z of the two taus."""

import math

import numpy as np
import pandas

from analyses.drawing.canvas import Canvas, EndLabel, Row, Words
from analyses.drawing.marks import (
    Hover,
    Style,
    Text,
    hover_points,
    interval_or_nothing,
    last_finite,
    layer_axis,
    limits,
    marked_points,
    note_if_empty,
    p_or_nothing,
    place_of_layer,
    shade_bands,
)
from analyses.frames import select, tidy
from analyses.mi_distance.names import CO_PRIMARY
from analyses.mi_distance.shown import bonferroni_threshold, critical_z
from analyses.occurrences.layer_numbers import of_model
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import number

T = ("t_statistic", "t_p_bonferroni", "t_p_fdr_bh")
DIFFERENCE = ("mi_difference", "mi_difference_low", "mi_difference_high", "mi_difference_p_fdr_bh")
DASHED = (0, (4, 2))
T_STYLE = Style("ink", "-", "o")
DIFFERENCE_STYLE = Style("ink", "-", "s")
COURSE = Style("series:grey", (0, (4, 1.5)), "o", filled=False)
FIELLER = Style("highlight", "-", "s")


def t_profile(results: Results) -> FigureSpec:
    """The course's t statistics with their threshold, and beside them the jackknife difference with its interval."""
    alpha, pairs, layers = results.study["settings"]["alpha"], results.study["pairs"], results.study["layers"]
    data = tidy(results.dataset, (*T, *DIFFERENCE), estimator=list(CO_PRIMARY))
    threshold = bonferroni_threshold(alpha, layers, pairs)
    size = 15 if layers <= 32 else 9

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.35, x_labels=False), Row(1.35)], gap=0.28, left=0.48), Hover()
        for row, estimator in enumerate(CO_PRIMARY):
            of_estimator = select(data, estimator=estimator)
            x = of_estimator["layer"].to_numpy()
            statistic, _, adjusted = (of_estimator[name].to_numpy() for name in T)
            left, right = canvas.axes[row]

            left.axhline(0, color="muted", linewidth=0.9, zorder=1)
            left.vlines(x, 0, np.nan_to_num(statistic), color="muted", linewidth=0.8, alpha=0.6, zorder=2)
            text = _t_texts(canvas.words, x, statistic, adjusted)
            marked_points(left, hover, f"{estimator}-t", x, statistic, adjusted < alpha, T_STYLE, text, size)
            note_if_empty(canvas, left, statistic)
            limits(left, statistic, [0], [] if math.isnan(threshold) else [-threshold, threshold], pad=0.08)
            if not math.isnan(threshold):
                for sign in (-1, 1):
                    left.axhline(sign * threshold, color="highlight", linewidth=1, linestyle=DASHED, zorder=1)
                canvas.headroom(left)
                rows = canvas.words.rows("figure.t_profile.threshold", value=canvas.words.number(threshold, 2))
                canvas.note(left, 0.99, 0.985, rows, color="highlight", ha="right")

            estimate, below, above, jackknife_p = (of_estimator[name].to_numpy() for name in DIFFERENCE)
            right.axhline(0, color="muted", linewidth=0.9, zorder=1)
            tested = np.isfinite(below) & np.isfinite(above)
            right.vlines(x[tested], below[tested], above[tested], color="ink", linewidth=1.1, zorder=3)
            text = _difference_texts(canvas.words, of_estimator)
            marked_points(right, hover, f"{estimator}-difference", x, estimate, jackknife_p < alpha, DIFFERENCE_STYLE, text, size)
            limits(right, estimate, below, above, [0], pad=0.08)
            for axes, name in ((left, "t"), (right, "difference")):
                shade_bands(canvas, axes, results, labelled=False)
                layer_axis(axes, results.study)
                canvas.title(axes, f"figure.estimator.{estimator}")
                canvas.y_label(axes, f"figure.t_profile.{name}")
        for axes in canvas.axes[-1]:
            canvas.x_label(axes, "figure.layer")
        return hover.drawing(canvas)

    return FigureSpec("t_profile", draw, data)


def _t_texts(words: Words, layer: np.ndarray, statistic: np.ndarray, adjusted: np.ndarray) -> Text:
    def text(index: int) -> str:
        return words.hover(
            "figure.hover.t",
            layer=int(layer[index]),
            value=number(statistic[index], 2),
            p=p_or_nothing("figure.hover.adjusted_p", adjusted[index]),
        )

    return text


def _difference_texts(words: Words, rows: pandas.DataFrame) -> Text:
    layer, estimate, low, high, p = (rows[name].to_numpy() for name in ("layer", *DIFFERENCE))

    def text(index: int) -> str:
        return words.hover(
            "figure.hover.difference",
            layer=int(layer[index]),
            value=number(estimate[index]),
            interval=interval_or_nothing(low[index], high[index]),
            p=p_or_nothing("figure.hover.adjusted_p", p[index]),
        )

    return text


def _z_texts(words: Words, name: str, layer: np.ndarray, z: np.ndarray, p: np.ndarray) -> Text:
    def text(index: int) -> str:
        return words.hover(
            f"figure.hover.z.{name}",
            layer=int(layer[index]),
            value=number(z[index], 2),
            p={"value": float(p[index]), "as": "p_value"},
        )

    return text


def z_profile(results: Results) -> FigureSpec:
    """Z of the difference of the two taus over the layers, with the course's variance and with Fieller's."""
    study = results.study
    layers, critical = study["layers"], critical_z(study["settings"]["alpha"])
    depth = study["settings"]["hypotheses"]["separation_after"]
    data = tidy(results.dataset, ("fisher_z", "fisher_p", "fisher_z_fieller", "fisher_p_fieller"), estimator=list(CO_PRIMARY))
    series = {"course": (COURSE, "fisher_z", "fisher_p"), "fieller": (FIELLER, "fisher_z_fieller", "fisher_p_fieller")}

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.75)], right=1.2, gap=0.2), Hover()
        for column, estimator in enumerate(CO_PRIMARY):
            axes, of_estimator = canvas.axes[0][column], select(data, estimator=estimator)
            x = of_estimator["layer"].to_numpy()
            axes.axhline(0, color="muted", linewidth=0.9, zorder=1)
            for sign in (-1, 1):
                axes.axhline(sign * critical, color="muted", linewidth=1, linestyle=DASHED, zorder=1)
            boundary = depth * of_model(study) + 0.5
            axes.axvline(boundary, color="muted", linewidth=1, linestyle=(0, (1, 1.6)), zorder=1)
            ends = []
            for name, (style, z_name, p_name) in series.items():
                z, p = of_estimator[z_name].to_numpy(), of_estimator[p_name].to_numpy()
                axes.plot(x, z, color=style.color, linestyle=style.line, linewidth=1.2, zorder=3)
                marker = axes.scatter(
                    x,
                    z,
                    s=13 if layers <= 32 else 8,
                    marker=style.marker,
                    c=style.color if style.filled else "paper",
                    edgecolors=style.color,
                    linewidths=0.9,
                    zorder=4,
                )
                marker.set_gid(f"{estimator}-{name}-markers")
                hover_points(axes, hover, f"{estimator}-{name}", x, z, _z_texts(canvas.words, name, x, z, p))
                ends.append(
                    EndLabel(
                        last_finite(z), canvas.words.rows(f"figure.z_profile.{name}"), style.color, style.line, style.marker, style.filled
                    )
                )
            limits(axes, of_estimator[["fisher_z", "fisher_z_fieller"]], [-critical, critical], pad=0.08)
            canvas.headroom(axes)
            rows = canvas.words.rows("figure.z_profile.depth", share={"value": depth, "as": "percent", "digits": 1})
            canvas.note(axes, place_of_layer(axes, of_model(study), boundary) + 0.012, 0.985, rows)
            note_if_empty(canvas, axes, of_estimator[["fisher_z", "fisher_z_fieller"]])
            layer_axis(axes, results.study)
            canvas.title(axes, f"figure.estimator.{estimator}")
            canvas.y_label(axes, "figure.z_profile.y")
            canvas.x_label(axes, "figure.layer")
            if column == len(CO_PRIMARY) - 1:
                limit = EndLabel(critical, [f"±{canvas.words.number(critical, 2)}"], "muted", DASHED)
                canvas.end_labels(axes, [*ends, limit])
        return hover.drawing(canvas)

    return FigureSpec("z_profile", draw, data)
