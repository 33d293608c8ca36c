"""One layer pair by pair: the matrix of mutual information, its relation to token distance, and one pair's activations."""

import math
from functools import partial
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from analyses.drawing.canvas import SMALL, Canvas, Row
from analyses.drawing.colour_scale import colour_scale
from analyses.drawing.marks import BRANCH_STYLE, MOST_MARKED_PAIRS, Hover, branch_name, cloud, limits, pair_points
from analyses.frames import select
from analyses.mi_distance.shown import compressed_beyond, first_pair, pair_values
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import detail_layer
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import number

# Not colours of the palette on purpose: cells of the matrix keep their colours on a dark screen, so do the numbers on them.
DARK_ON_LIGHT, LIGHT_ON_DARK = "#12171d", "#fafbfc"
# The matrix's side in inches, and what a digit and a line take, in shares of the size of the letters.
SIDE, DIGIT, LINE = 2.0, 0.62, 1.25
# Colours of a matrix of very many cells.
SHADES = 64


def mutual_information_matrix(results: Results) -> FigureSpec:
    """Mutual information of each pair of occurrences in the detail layer, one matrix a branch, one colour scale."""
    data = pair_values(results)
    occurrences = results.study["occurrences"]
    # Tokens, like layers, are numbered from 1 where people read them.
    position = results.dataset["token_position"].to_numpy() + 1

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(SIDE, ticks=2)], left=0.66, gap=0.1, right=0.78), Hover()
        values = data["mutual_information"]
        lowest, highest = float(values.min()), float(values.max())
        scale = Normalize(lowest, highest if highest > lowest else lowest + 1e-6)
        for axes, branch in zip(canvas.axes[0], BRANCHES, strict=True):
            _matrix(canvas, axes, hover, select(data, branch=branch), branch, occurrences, scale)
            numbers, places = range(1, occurrences + 1), [canvas.words.integer(int(place)) for place in position]
            across = _step(occurrences, SMALL * (1 + DIGIT * max(len(place) for place in places)))
            along = _step(occurrences, SMALL * LINE)
            axes.set_xticks(list(numbers)[::across], [f"{n}\n{places[n - 1]}" for n in numbers][::across], fontsize=SMALL)
            axes.set_yticks(list(numbers)[::along], [f"{n} · {places[n - 1]}" for n in numbers][::along], fontsize=SMALL)
            canvas.title(axes, f"figure.branch.{branch}")
            canvas.y_label(axes, "figure.mutual_information_matrix.y")
            canvas.x_label(axes, "figure.mutual_information_matrix.x")
        colour_scale(canvas, float(scale.vmin or 0), float(scale.vmax or 1), "figure.mutual_information_matrix.scale")
        return hover.drawing(canvas)

    return FigureSpec("mutual_information_matrix", draw, data)


def _step(occurrences: int, room: float) -> int:
    """Every how many occurrences a label has its room, in points, along a side of the matrix."""
    return max(1, math.ceil(room * occurrences / (72 * SIDE)))


def _matrix(canvas: Canvas, axes: Axes, hover: Hover, rows: pandas.DataFrame, branch: str, occurrences: int, scale: Normalize) -> None:
    axes.set_aspect("equal")
    axes.set_xlim(0.5, occurrences + 0.5)
    axes.set_ylim(occurrences + 0.5, 0.5)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for diagonal in range(1, occurrences + 1):
        axes.add_patch(plt.Rectangle((diagonal - 0.5, diagonal - 0.5), 1, 1, color="muted", alpha=0.12, linewidth=0))
    colour_map = matplotlib.colormaps["report_sequential"]
    if len(rows) > MOST_MARKED_PAIRS:
        _strips(axes, rows, occurrences, scale, f"{branch}-cells")
        return
    squares, colours, texts = [], [], []
    for index, row in enumerate(rows.itertuples()):
        text = _pair_text(canvas, branch, rows, index)
        colour = colour_map(scale(row.mutual_information))
        for x, y in ((row.first_occurrence, row.second_occurrence), (row.second_occurrence, row.first_occurrence)):
            squares.append([(x - 0.48, y - 0.48), (x + 0.48, y - 0.48), (x + 0.48, y + 0.48), (x - 0.48, y + 0.48)])
            colours.append(colour)
            texts.append(text)
            if occurrences <= 7:
                light = float(scale(row.mutual_information)) > 0.55
                axes.text(
                    x,
                    y,
                    canvas.words.number(row.mutual_information, 2),
                    ha="center",
                    va="center_baseline",
                    fontsize=6.8 if occurrences > 5 else SMALL,
                    color=LIGHT_ON_DARK if light else DARK_ON_LIGHT,
                )
    axes.add_collection(PolyCollection(squares, facecolors=colours, linewidths=0, gid=f"{branch}-cells"))
    hover.add(f"{branch}-cells", texts)


def _strips(axes: Axes, rows: pandas.DataFrame, occurrences: int, scale: Normalize, gid: str) -> None:
    """Very many cells: of each colour one path, its cells short thick strokes. A tenth of what squares with hover texts weigh."""
    first, second = rows["first_occurrence"].to_numpy(), rows["second_occurrence"].to_numpy()
    x, y = np.concatenate([first, second]), np.concatenate([second, first])
    shades = np.minimum(np.asarray(scale(rows["mutual_information"].to_numpy())) * SHADES, SHADES - 1).astype(int)
    for shade in np.unique(shades):
        here = np.tile(shades == shade, 2)
        strokes = np.repeat(np.column_stack([x[here], y[here]]).astype(np.float64), 2, axis=0)
        strokes[::2, 0] -= 0.48
        strokes[1::2, 0] += 0.48
        path = Path(strokes, np.tile([Path.MOVETO, Path.LINETO], int(here.sum())))
        colour = matplotlib.colormaps["report_sequential"]((shade + 0.5) / SHADES)
        width = 0.96 * 72 * SIDE / occurrences
        axes.add_patch(PathPatch(path, fill=False, edgecolor=colour, linewidth=width, capstyle="butt", gid=f"{gid}-{shade}"))


def _pair_text(canvas: Canvas, branch: str, rows: pandas.DataFrame, index: int) -> str:
    row = rows.iloc[index]
    return canvas.words.hover(
        "figure.hover.pair",
        branch=branch_name(branch),
        first=int(row.first_occurrence),
        second=int(row.second_occurrence),
        distance=int(row.token_distance),
        value=number(row.mutual_information),
    )


def distance_scatter(results: Results) -> FigureSpec:
    """Mutual information against token distance in the detail layer, with tau and its Mantel p."""
    data = pair_values(results)
    _, place = detail_layer(results.study)
    tested = results.dataset[["kendall_tau", "mantel_p"]].sel(estimator="histogram").isel(layer=place)

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.75)], gap=0.2), Hover()
        for axes, branch in zip(canvas.axes[0], BRANCHES, strict=True):
            rows = select(data, branch=branch)
            texts = partial(_pair_text, canvas, branch, rows)
            x, y = rows["token_distance"].to_numpy(), rows["mutual_information"].to_numpy()
            pair_points(axes, hover, f"{branch}-pairs", x, y, BRANCH_STYLE[branch], texts)
            axes.set_xlim(0, data["token_distance"].max() * 1.06)
            limits(axes, data["mutual_information"], pad=0.08)
            canvas.headroom(axes, 1)
            canvas.note(axes, 0.99, 0.985, _tau_rows(canvas, tested.sel(branch=branch)), ha="right", color=BRANCH_STYLE[branch].color)
            axes.tick_params(length=0)
            canvas.title(axes, f"figure.branch.{branch}")
            canvas.y_label(axes, "figure.distance_scatter.y")
            canvas.x_label(axes, "figure.distance_scatter.x")
        return hover.drawing(canvas)

    return FigureSpec("distance_scatter", draw, data)


def _tau_rows(canvas: Canvas, tested: Any) -> list[str]:
    tau, p = float(tested["kendall_tau"]), float(tested["mantel_p"])
    if not np.isfinite(tau):
        return canvas.words.rows("figure.distance_scatter.no_tau")
    values: dict[str, Any] = {"tau": canvas.words.number(tau, 2, unit=True)}
    name = "figure.distance_scatter.tau"
    if np.isfinite(p):
        name, values["p"] = f"{name}_p", {"value": p, "as": "p_value"}
    # Signs and numbers, the same in every language.
    return canvas.words.rows(name, **values)[:1]


def activation_scatter(results: Results) -> FigureSpec:
    """The activations of the first two occurrences against each other, with the dimensions that the trimming drops marked."""
    pair, trim = first_pair(results), results.study["settings"]["estimation"]["trim"]
    linear = compressed_beyond(pair, trim)
    values = results.dataset["mutual_information"].sel(estimator="histogram").isel(layer=detail_layer(results.study)[1], pair=0)

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(2.3, notes=True)], gap=0.2), Hover()
        reach = max(float(pair.frame[["first_z", "second_z"]].abs().to_numpy().max()), trim or 0) * 1.12
        for axes, branch in zip(canvas.axes[0], BRANCHES, strict=True):
            rows = select(pair.frame, branch=branch)
            cloud(axes, select(rows, trimmed=False)[["first_z", "second_z"]].to_numpy(), BRANCH_STYLE[branch].color)
            outliers = select(rows, trimmed=True)
            texts = [
                canvas.words.hover(
                    "figure.hover.outlier",
                    branch=branch_name(branch),
                    dimension=int(row.dimension),
                    first=number(row.first_z, 1),
                    second=number(row.second_z, 1),
                )
                for row in outliers.itertuples()
            ]
            if len(outliers):
                axes.scatter(
                    outliers["first_z"],
                    outliers["second_z"],
                    s=26,
                    marker="X",
                    c="highlight",
                    edgecolors="paper",
                    linewidths=0.6,
                    zorder=5,
                    gid=f"{branch}-trimmed",
                )
                hover.add(f"{branch}-trimmed", texts)
            if trim is not None:
                axes.add_patch(
                    plt.Rectangle((-trim, -trim), 2 * trim, 2 * trim, fill=False, edgecolor="highlight", linewidth=1, linestyle=(0, (4, 2)))
                )
            _z_axes(canvas, axes, reach, linear)
            canvas.title(axes, f"figure.branch.{branch}")
            canvas.y_label(axes, "figure.activation_scatter.y")
            canvas.x_label(axes, "figure.activation_scatter.x")
            canvas.head_note(
                axes,
                "figure.activation_scatter.panel",
                value=canvas.words.number(float(values.sel(branch=branch)), 2),
                trimmed=canvas.words.integer(pair.trimmed[branch]),
                dimensions=canvas.words.integer(results.study["dimensions"]),
            )
        return hover.drawing(canvas)

    return FigureSpec("activation_scatter", draw, pair.frame)


def _z_axes(canvas: Canvas, axes: Axes, reach: float, linear: float | None) -> None:
    axes.set_aspect("equal")
    if linear is not None:
        axes.set_xscale("symlog", linthresh=linear, linscale=1.6)
        axes.set_yscale("symlog", linthresh=linear, linscale=1.6)
        beyond = [tick for tick in (10, 30, 100, 300, 1000) if 1.5 * linear < tick < reach]
        ticks = [*(-tick for tick in reversed(beyond)), -linear, -linear / 2, 0, linear / 2, linear, *beyond]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_minor_locator(FixedLocator([]))
            axis.set_major_formatter(FuncFormatter(lambda value, _: canvas.words.number(value, 0 if value == int(value) else 1)))
    else:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(7, integer=True, steps=[1, 2, 4, 5, 10]))
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.tick_params(length=0)
