"""The share of mutual information that a linear correlation explains, over the layers."""

from matplotlib.ticker import PercentFormatter

from analyses.drawing.canvas import Canvas, Row
from analyses.drawing.marks import (
    BRANCH_STYLE,
    Hover,
    branch_labels,
    branch_name,
    curve,
    hover_points,
    last_finite,
    layer_axis,
    limits,
    note_if_empty,
    shade_bands,
)
from analyses.frames import select, tidy
from analyses.mi_distance.shown import AXIS, SHARE
from analyses.occurrences.branches import BRANCHES
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import is_number, key, percent


def linear_share(results: Results) -> FigureSpec:
    """Linear information over nearest-neighbour mutual information of both branches, with jackknife intervals."""
    data = tidy(results.dataset, SHARE)

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.75, columns=1, titles=False)], right=1.2, left=0.5), Hover()
        axes = canvas.axes[0][0]
        axes.axhline(1, color="muted", linewidth=0.9, zorder=1)
        ends = {}
        for branch in BRANCHES:
            rows = select(data, branch=branch)
            x, (share, low, high) = rows["layer"].to_numpy(), (rows[name].to_numpy() for name in SHARE)
            curve(axes, x, share, BRANCH_STYLE[branch], low=low, high=high)
            texts = [
                canvas.words.hover(
                    "figure.hover.linear_share",
                    branch=branch_name(branch),
                    layer=int(layer),
                    share="" if not is_number(value) else percent(value),
                    interval=""
                    if not (is_number(lower) and is_number(upper))
                    else key("figure.hover.linear_interval", low=percent(lower), high=percent(upper)),
                )
                for layer, value, lower, upper in zip(x, share, low, high, strict=True)
            ]
            hover_points(axes, hover, f"{branch}-share", x, share, texts.__getitem__)
            ends[branch] = last_finite(share)
        note_if_empty(canvas, axes, data["linear_share"])
        limits(axes, data[list(SHARE)].clip(*AXIS), [1])
        canvas.headroom(axes)
        shade_bands(canvas, axes, results)
        layer_axis(axes, results.study)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        canvas.y_label(axes, "figure.linear_share.y")
        canvas.x_label(axes, "figure.layer")
        canvas.end_labels(axes, branch_labels(canvas.words, ends))
        return hover.drawing(canvas)

    return FigureSpec("linear_share", draw, data)
