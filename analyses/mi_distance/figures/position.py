"""Distance or position: tau over the layers by all pairs, without the first occurrence, behind the prefix, and given position."""

import numpy as np

from analyses.drawing.canvas import Canvas, EndLabel, Row
from analyses.drawing.marks import (
    BRANCH_STYLE,
    Hover,
    Style,
    before,
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
from analyses.mi_distance.shown import SUBJECTS, drawn
from analyses.occurrences.branches import BRANCHES
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import key, number

STYLES = {
    "without_first": Style("series:green", (0, (1, 1.2)), "s", filled=False),
    "prefix": Style("highlight", (0, (5, 1.4, 1, 1.4)), "^", filled=False),
    "partial": Style("series:ochre", (0, (3, 1.4)), "v", filled=False),
}


def position_profile(results: Results) -> FigureSpec:
    """Tau of mutual information and of the excess over the layers, by every look at position that there is."""
    subjects = drawn(results)
    names = [name for looks in subjects.values() for name in looks.values()]
    data = tidy(results.dataset, names, estimator="histogram")

    def draw(labels: Labels) -> Drawing:
        last = len(subjects) - 1
        rows = [Row(1.7, x_labels=index == last) for index in range(len(subjects))]
        canvas, hover = Canvas(labels, rows, right=1.3, gap=0.16), Hover()
        for row, (kind, looks) in enumerate(subjects.items()):
            for axes, branch in zip(canvas.axes[row], BRANCHES, strict=True):
                series = select(data, branch=branch)
                x = series["layer"].to_numpy()
                axes.axhline(0, color="muted", linewidth=0.9, zorder=1)
                ends = []
                for look, name in looks.items():
                    tau, style = series[name].to_numpy(), STYLES.get(look, BRANCH_STYLE[branch])
                    curve(axes, x, tau, style)
                    finite = np.isfinite(tau)
                    texts = [
                        canvas.words.hover(
                            "figure.hover.position",
                            branch=branch_name(branch),
                            layer=int(layer),
                            subject=key(f"position.subject.{SUBJECTS[kind]}"),
                            look=key(f"position.look.{look}"),
                            value=number(value, 2, unit=True),
                        )
                        for layer, value in zip(x[finite], tau[finite], strict=True)
                    ]
                    hover_points(axes, hover, f"{SUBJECTS[kind]}-{branch}-{look}", x[finite], tau[finite], texts.__getitem__)
                    rows_of_label = canvas.words.rows(f"figure.position_profile.{look}")
                    also = None if look in STYLES else before(BRANCH_STYLE[BRANCHES[0]])
                    ends.append(EndLabel(last_finite(tau), rows_of_label, style.color, style.line, style.marker, style.filled, also=also))
                note_if_empty(canvas, axes, *(series[name] for name in looks.values()))
                limits(axes, data[list(looks.values())], [0])
                low, high = axes.get_ylim()
                axes.set_ylim(max(low, -1.04), min(high, 1.04))
                shade_bands(canvas, axes, results, labelled=False)
                layer_axis(axes, results.study)
                canvas.title(axes, f"figure.position_profile.title.{SUBJECTS[kind]}", branch=branch_name(branch))
                canvas.y_label(axes, "figure.kendall_tau_profile.y")
                if row == last:
                    canvas.x_label(axes, "figure.layer")
                if branch == BRANCHES[-1]:
                    canvas.end_labels(axes, ends)
        return hover.drawing(canvas)

    return FigureSpec("position_profile", draw, data)
