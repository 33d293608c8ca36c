"""What the estimators and the tests are worth where the truth is known, and what this study could have shown."""

from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from analyses.drawing.canvas import ROW, SMALL, WIDTH, Canvas, EndLabel, Row
from analyses.drawing.marks import (
    BRANCH_STYLE,
    Hover,
    Style,
    branch_name,
    curve,
    hover_points,
    layer_axis,
    limits,
    marked_points,
    note_if_empty,
)
from analyses.frames import select, tidy
from analyses.mi_distance.calibration import calibration_table
from analyses.mi_distance.error_rates import error_rate_table
from analyses.mi_distance.names import CO_PRIMARY
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import exact, interval, key, number

ESTIMATOR_STYLE = {
    "histogram": Style("series:blue", "-", "o"),
    "corrected": Style("series:green", (0, (5, 1.6)), "D"),
    "nearest_neighbour": Style("highlight", (0, (6, 1.5, 1, 1.5)), "s"),
    "gaussian_copula": Style("series:ochre", (0, (1, 1.3)), "^"),
}
# Where the error rate of a sound test should lie at a nominal .05 (the acceptance of the null simulation).
TOLERATED = (0.03, 0.07)
SOUND = ("jackknife_plain", "jackknife", "mantel", "mantel_difference")


def calibration(results: Results) -> FigureSpec:
    """Estimates of Gaussian pairs against their true mutual information, and how far off they are."""
    data = calibration_table(results.dataset)
    data["error"] = data["mean"] - data["truth"]

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.6)], right=1.42, gap=0.12, left=0.46), Hover()
        left, right = canvas.axes[0]
        ends = []
        for name, style in ESTIMATOR_STYLE.items():
            rows = select(data, calibrated_estimator=name)
            truth, mean, error, spread = (rows[column].to_numpy() for column in ("truth", "mean", "error", "spread"))
            texts = [
                canvas.words.hover(
                    "figure.hover.calibration",
                    estimator=key(f"figure.specification.estimator.{name}"),
                    correlation=exact(row.correlation, unit=True),
                    truth=number(row.truth),
                    value=number(row.mean),
                    spread=number(row.spread),
                )
                for row in rows.itertuples()
            ]
            for axes, y in ((left, mean), (right, error)):
                curve(axes, truth, y, style, low=y - spread, high=y + spread)
                hover_points(axes, hover, f"{name}-{'mean' if axes is left else 'error'}", truth, y, texts.__getitem__)
            ends.append(EndLabel(float(error[-1]), canvas.words.rows(f"figure.specification.estimator.{name}"), *_look(style)))
        truth = data["truth"].to_numpy()
        left.plot([0, truth.max()], [0, truth.max()], color="ink", linewidth=1, zorder=1)
        right.axhline(0, color="ink", linewidth=1, zorder=1)
        limits(left, data["mean"] - data["spread"], data["mean"] + data["spread"], [0])
        limits(right, data["error"] - data["spread"], data["error"] + data["spread"], [0])
        canvas.title(left, "figure.calibration.estimate_title")
        canvas.title(right, "figure.calibration.error_title")
        canvas.y_label(left, "figure.calibration.estimate")
        canvas.y_label(right, "figure.calibration.error")
        for axes in (left, right):
            canvas.x_label(axes, "figure.calibration.truth")
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.set_xlim(-0.03 * truth.max(), 1.03 * truth.max())
            axes.grid(visible=False, axis="x")
            axes.tick_params(length=0)
        canvas.end_labels(right, ends)
        return hover.drawing(canvas)

    return FigureSpec("calibration", draw, data)


def error_rates(results: Results) -> FigureSpec:
    """The share of simulated data sets without an effect in which each test rejects, with its Monte-Carlo interval."""
    data = error_rate_table(results.dataset)
    alpha = results.study["settings"]["alpha"]

    def draw(labels: Labels) -> Drawing:
        languages = len(labels.codes)
        step = 0.1 + languages * ROW
        row = Row(step * len(data), columns=1, titles=False, y_labels=False)
        canvas, hover = Canvas(labels, [row], left=0.1, outer=2.35, right=0.3), Hover()
        axes = canvas.axes[0][0]
        y = np.arange(len(data))
        if alpha == 0.05:
            axes.axvspan(*TOLERATED, color="series:green", alpha=0.18, linewidth=0, zorder=0)
        axes.axvline(alpha, color="ink", linewidth=1, linestyle=(0, (4, 2)), zorder=1)
        rate, low, high = (data[f"type_one_error{end}"].to_numpy() for end in ("", "_low", "_high"))
        simulated = np.isfinite(rate)
        axes.hlines(y[simulated], low[simulated], high[simulated], color="ink", linewidth=1.3, zorder=3)
        sound = data["simulated_test"].isin(SOUND).to_numpy()
        for name, among, style in (
            ("sound", sound, Style("series:green", "", "o")),
            ("course", ~sound, Style("series:vermilion", "", "D")),
        ):
            at = np.flatnonzero(among & simulated)
            axes.scatter(rate[at], y[at], s=26, marker=style.marker, c=style.color, linewidths=0, zorder=4, gid=name)
            hover.add(name, [_error_text(canvas, data.iloc[index]) for index in at])
        for index in np.flatnonzero(~simulated):
            rows = canvas.words.rows("figure.error_rates.not_simulated")
            axes.text(0.01, float(index), " / ".join(rows), va="center_baseline", fontsize=SMALL, color="muted", transform=_across(axes))
        _test_names(canvas, axes, data["simulated_test"].tolist())
        axes.set_ylim(len(data) - 0.5, -0.5)
        axes.set_xlim(0, max(0.1, float(np.nanmax(high, initial=0)) * 1.06))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_locator(NullLocator())
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        axes.tick_params(length=0)
        canvas.x_label(axes, "figure.error_rates.x")
        return hover.drawing(canvas)

    return FigureSpec("error_rates", draw, data)


def power(results: Results) -> FigureSpec:
    """The observed difference of the branches in every layer beside the least assumed one that the study would have seen."""
    layers = results.study["layers"]
    data = tidy(results.dataset, ("mi_difference", "minimal_detectable_difference"), estimator=list(CO_PRIMARY))

    def draw(labels: Labels) -> Drawing:
        canvas, hover = Canvas(labels, [Row(1.55)], right=1.42, gap=0.12, left=0.46), Hover()
        size = 20 if layers <= 32 else 12
        last = canvas.axes[0][-1]
        for axes, estimator in zip(canvas.axes[0], CO_PRIMARY, strict=True):
            rows = select(data, estimator=estimator)
            x = rows["layer"].to_numpy()
            difference, detectable = rows["mi_difference"].to_numpy(), rows["minimal_detectable_difference"].to_numpy()
            axes.fill_between(x, 0, detectable, color="muted", alpha=0.13, linewidth=0, step="mid", zorder=1)
            axes.step(x, detectable, where="mid", color="ink", linewidth=1.2, zorder=2)
            for branch, higher in (("attention", difference > 0), ("mlp", difference <= 0)):
                at = np.flatnonzero(higher)
                of_branch = rows.iloc[at]
                texts = [
                    canvas.words.hover(
                        "figure.hover.power" if np.isfinite(row.minimal_detectable_difference) else "figure.hover.power_untested",
                        branch=branch_name(branch),
                        layer=int(row.layer),
                        value=number(abs(row.mi_difference)),
                        **(
                            {"detectable": number(row.minimal_detectable_difference)}
                            if np.isfinite(row.minimal_detectable_difference)
                            else {}
                        ),
                    )
                    for row in of_branch.itertuples()
                ]
                y = np.abs(difference)
                # Hollow throughout: whether an observed difference reaches the line says no more than its own p-value.
                hollow = np.full(len(at), False)
                marked_points(axes, hover, f"{estimator}-{branch}", x[at], y[at], hollow, BRANCH_STYLE[branch], texts.__getitem__, size)
            note_if_empty(canvas, axes, detectable)
            limits(axes, np.abs(data["mi_difference"]), data["minimal_detectable_difference"], [0], floor=0)
            layer_axis(axes, results.study)
            canvas.title(axes, f"figure.estimator.{estimator}")
            canvas.y_label(axes, "figure.power.y")
            canvas.x_label(axes, "figure.layer")
        middle = sum(last.get_ylim()) / 2
        labels_of = [EndLabel(middle * 1.3, canvas.words.rows("figure.power.detectable"), "ink")]
        for branch in ("mlp", "attention"):
            style = BRANCH_STYLE[branch]
            labels_of.append(EndLabel(middle, canvas.words.rows(f"figure.power.{branch}"), style.color, "", style.marker, filled=False))
        canvas.end_labels(last, labels_of)
        return hover.drawing(canvas)

    return FigureSpec("power", draw, data)


def _look(style: Style) -> tuple[str, Any, str]:
    return style.color, style.line, style.marker


def _across(axes: Axes) -> Any:
    """Horizontally in fractions of the panel, vertically in data."""
    return axes.get_yaxis_transform()


def _error_text(canvas: Canvas, row: pandas.Series) -> str:
    return canvas.words.hover(
        "figure.hover.error_rate",
        test=key(f"figure.error_rates.{row['simulated_test']}"),
        rate={"value": float(row["type_one_error"]), "as": "percent", "digits": 1},
        interval=interval(100 * row["type_one_error_low"], 100 * row["type_one_error_high"], 1),
        count=int(row["simulated_data_sets"]),
    )


def _test_names(canvas: Canvas, axes: Axes, tests: list[str]) -> None:
    """The names of the tests left of the panel, one row a language."""
    box = axes.get_position()
    step = box.height * canvas.height / len(tests)
    for index, name in enumerate(tests):
        rows = canvas.words.rows(f"figure.error_rates.{name}")
        middle = box.y1 * canvas.height - (index + 0.5) * step
        for place, text in enumerate(rows):
            style: dict[str, Any] = {} if place == 0 else {"fontstyle": "italic", "color": "muted"}
            y = middle + ((len(rows) - 1) / 2 - place) * ROW
            canvas.figure.text(
                (box.x0 * WIDTH - 0.1) / WIDTH, y / canvas.height, text, ha="right", va="center_baseline", fontsize=SMALL, **style
            )
