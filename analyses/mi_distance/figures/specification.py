"""Specification curves: a statement's estimate under every combination of choices, sorted, with the choices marked under it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from analyses.drawing.canvas import SEPARATOR, SMALL, WIDTH, Canvas, EndLabel, Row, Words
from analyses.drawing.marks import Hover, Style, interval_or_nothing, limits, note_if_empty
from analyses.frames import select
from analyses.mi_distance.shown import FIGURES
from analyses.mi_distance.specification_curve import specification_table
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.statistics.verdicts import VERDICTS
from analyses.value_specs import key, number

VERDICT_STYLE = {
    "supported": Style("series:green", "", "o"),
    "contradicted": Style("series:vermilion", "", "D"),
    "inconclusive": Style("muted", "", "o", filled=False),
    "not_testable": Style("muted", "", "x"),
}
CURVE = 0.9
STEP = 0.116  # inches a line of the choices' labels
SHORT = 32  # letters of a choice's name in both languages that still stand on one line
SPACE = 0.055  # inches between the groups of choices


@dataclass(frozen=True)
class _Line:
    """One line of choices under a curve: what it is called, and the column and value of the table that it marks."""

    labels: Sequence[str]
    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class _Group:
    heading: Sequence[str]
    lines: Sequence[_Line]

    def units(self) -> int:
        return max(sum(len(line.labels) for line in self.lines), len(self.heading))


def specification_curves(results: Results) -> list[FigureSpec]:
    """One figure for the statements in nats, one for those on tau, one for the shift."""
    table = specification_table(results.dataset, results.study)
    return [_figure(name, statements, table, results) for name, statements in FIGURES.items()]


def _figure(name: str, statements: tuple[str, ...], table: pandas.DataFrame, results: Results) -> FigureSpec:
    data = table[table["name"].isin(statements)].reset_index(drop=True)

    def draw(labels: Labels) -> Drawing:
        words = Words(labels)
        groups = _groups(words, data, results)
        rail = STEP * sum(group.units() for group in groups) + SPACE * (len(groups) - 1)
        outer = 1.3 if words.languages == 1 else 1.62
        row = Row(CURVE, columns=len(statements), rail=rail, marks=True, ticks=0)
        canvas, hover = Canvas(labels, [row], outer=outer, left=0.44, gap=0.1, right=0.08), Hover()
        verdicts = {
            verdict: EndLabel(0, words.rows(f"verdict.{verdict}"), style.color, "", style.marker, style.filled)
            for verdict, style in VERDICT_STYLE.items()
            if (data["verdict"] == verdict).any()
        }
        canvas.start_labels(canvas.axes[0][0], list(verdicts.values()))
        for column, statement in enumerate(statements):
            # Equal estimates keep the table's order, so that the same numbers give the same figure.
            rows = select(data, name=statement).sort_values("estimate", kind="stable", ignore_index=True)
            axes, strip = canvas.axes[0][column], canvas.rails[0][column]
            _curve(canvas, hover, axes, rows, statement, results)
            _choices(strip, rows, groups, rail)
            if column == 0:
                _names(canvas, strip, groups)
            canvas.title(axes, f"figure.specification.title.{statement}")
            canvas.y_label(axes, f"figure.specification.y.{statement}")
            counts = rows["verdict"].value_counts()
            canvas.head_marks(axes, [(label, words.integer(int(counts[name]))) for name, label in verdicts.items() if name in counts])
            canvas.x_label(axes, "figure.specification.x", rail=strip)
        return hover.drawing(canvas)

    return FigureSpec(name, draw, data)


def _curve(canvas: Canvas, hover: Hover, axes: Axes, rows: pandas.DataFrame, statement: str, results: Results) -> None:
    words = canvas.words
    x = np.arange(len(rows))
    estimate, low, high = (rows[name].to_numpy() for name in ("estimate", "low", "high"))
    claimed = _claimed(axes, statement, results)
    tested = np.isfinite(low) & np.isfinite(high)
    axes.vlines(x[tested], low[tested], high[tested], color="muted", linewidth=0.8, alpha=0.55, zorder=2)
    # The verdicts of few stand over those of many.
    for verdict in sorted(VERDICTS, key=lambda verdict: -int((rows["verdict"] == verdict).sum())):
        style = VERDICT_STYLE[verdict]
        at = np.flatnonzero((rows["verdict"] == verdict).to_numpy() & np.isfinite(estimate))
        if not len(at):
            continue
        drawn: dict[str, Any] = {"c": style.color} if style.marker == "x" else {"c": style.color if style.filled else "paper"}
        if style.marker != "x":
            drawn["edgecolors"] = style.color
        gid = f"{statement}-{verdict}"
        axes.scatter(x[at], estimate[at], s=9, marker=style.marker, linewidths=0.9, zorder=4, gid=gid, **drawn)
        hover.add(gid, [_text(words, rows.iloc[index], several_outputs=rows["output"].nunique() > 1) for index in at])
    _mark_own(axes, rows)
    # Of many specifications a column is a hairline: a triangle over the panel says where it is.
    own = np.flatnonzero(rows["own"].to_numpy())
    over = axes.get_xaxis_transform()
    axes.plot(own, np.full(len(own), 1.02), transform=over, color="ink", marker="v", markersize=3.2, linestyle="none", clip_on=False)
    axes.set_xlim(*_ends(rows))
    limits(axes, estimate, low, high, claimed, pad=0.05)
    note_if_empty(canvas, axes, estimate)
    axes.xaxis.set_major_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=0)


def _claimed(axes: Axes, statement: str, results: Results) -> list[float]:
    """Draw what the statement claims: a range, or zero, on whose upper side it lies. Returns what has to be in sight."""
    hypotheses = results.study["settings"]["hypotheses"]
    name = {"negative_tau": "tau_range", "constant_shift": "shift_slope_range"}.get(statement)
    if name is None:
        axes.axhline(0, color="ink", linewidth=0.9, zorder=1)
        return [0.0]
    low, high = hypotheses[name]
    axes.axhspan(low, high, color="muted", alpha=0.16, linewidth=0, zorder=0)
    return [low, high]


def _ends(rows: pandas.DataFrame) -> tuple[float, float]:
    """The ends of the horizontal axis, with room for the whole of the outermost marks, of however many specifications."""
    margin = max(1.0, 0.02 * len(rows))
    return -margin, len(rows) - 1 + margin


def _mark_own(axes: Axes, rows: pandas.DataFrame) -> None:
    """Shade the specifications that are the study's own."""
    for index in np.flatnonzero(rows["own"].to_numpy()):
        axes.axvspan(index - 0.5, index + 0.5, color="marker", linewidth=0, zorder=0.5)


def _choices(strip: Axes, rows: pandas.DataFrame, groups: Sequence[_Group], height: float) -> None:
    """A mark in a line wherever a specification has that choice; `height` of the strip in inches."""
    size = float(np.clip(150 / max(len(rows), 1), 0.25, 2.2))
    for line, y in _places(groups):
        x = np.flatnonzero(rows[line.column].isin(line.values).to_numpy())
        # One path for all marks of a line: as many as there are specifications would make most of the file.
        ends = np.tile([y - 0.042, y + 0.042, np.nan], len(x))
        strip.plot(np.repeat(x, 3), ends, color="ink", linewidth=size, solid_capstyle="butt", zorder=3)
    _mark_own(strip, rows)
    for y in _borders(groups):
        strip.axhline(y, color="grid", linewidth=0.7, zorder=1)
    strip.set_xlim(*_ends(rows))
    strip.set_ylim(height, 0)
    strip.xaxis.set_major_locator(NullLocator())
    strip.yaxis.set_major_locator(NullLocator())
    strip.grid(visible=False)
    for side in strip.spines.values():
        side.set_visible(False)


def _names(canvas: Canvas, strip: Axes, groups: Sequence[_Group]) -> None:
    """The names of the choices, left of the first strip."""
    box = strip.get_position()
    right = (box.x0 * WIDTH - 0.08) / WIDTH
    top = box.y1 * canvas.height

    def put(x: float, y: float, text: str, first: bool, **style: Any) -> None:
        font = {"fontsize": SMALL} if first else {"fontsize": SMALL, "fontstyle": "italic", "color": "muted"}
        canvas.figure.text(x, (top - y) / canvas.height, text, va="center_baseline", **font | style)

    for line, y in _places(groups):
        start = y - (len(line.labels) - 1) * STEP / 2
        for index, text in enumerate(line.labels):
            put(right, start + index * STEP, text, index == 0, ha="right")
    begin = 0.0
    for group in groups:
        for index, text in enumerate(group.heading):
            put(0.04 / WIDTH, begin + (index + 0.5) * STEP, text, index == 0, ha="left")
        begin += group.units() * STEP + SPACE


def _places(groups: Sequence[_Group]) -> list[tuple[_Line, float]]:
    """Every line with the middle of its place, in inches from the top of the strip."""
    places, begin = [], 0.0
    for group in groups:
        y = begin
        for line in group.lines:
            tall = len(line.labels) * STEP
            places.append((line, y + tall / 2))
            y += tall
        begin += group.units() * STEP + SPACE
    return places


def _borders(groups: Sequence[_Group]) -> list[float]:
    """Between the groups, in inches from the top of the strip."""
    ends = np.cumsum([group.units() * STEP + SPACE for group in groups])
    return [float(end) - SPACE / 2 for end in ends[:-1]]


def _groups(words: Words, data: pandas.DataFrame, results: Results) -> list[_Group]:
    """The choices that these specifications make, in the order of the table."""

    def present(column: str) -> list[str]:
        return [value for value in dict.fromkeys(data[column]) if value]

    estimators = []
    for estimator in present("estimator"):
        if estimator == "nearest_neighbour":
            for k in present("neighbours"):
                estimators.append(_Line([f"KSG, k = {k}"], "neighbours", (k,)))
        else:
            estimators.append(_Line(_name(words, f"estimator.{estimator}"), "estimator", (estimator,)))
    groups = [_Group([], estimators)]
    controls = present("control")
    if len(controls) > 1:
        lines = [_Line(_name(words, f"control.{control}"), "control", (control,)) for control in controls]
        groups.insert(0, _Group([], lines))
    for column in ("bins", "trim"):
        lines = [_Line(_value(words, column, value), column, (value,)) for value in present(column)]
        groups.append(_Group(words.rows(f"figure.specification.{column}"), lines))
    tokens = present("token")
    if len(tokens) > 1:
        lines = [_Line(_name(words, f"token.{token}"), "token", (token,)) for token in tokens]
    else:
        name = "given" if results.study["text"] is None else "same"
        lines = [_Line(_name(words, f"token.{name}"), "token", tuple(tokens))]
    outputs = present("output")
    if len(outputs) > 1:
        lines += [_Line(_name(words, f"output.{output}"), "output", (output,)) for output in outputs]
    lines.append(_Line(_name(words, "distance"), "distance", tuple(present("distance"))))
    return [*groups, _Group([], lines)]


def _name(words: Words, name: str) -> list[str]:
    """What a choice is called: a line a language, or one line where both are short."""
    rows = words.rows(f"figure.specification.{name}")
    return [SEPARATOR.join(rows)] if sum(map(len, rows)) <= SHORT else rows


def _value(words: Words, column: str, value: str) -> list[str]:
    """A number of bins or a trimming, as its line is called."""
    if value in ("fd", "none"):
        return _name(words, f"{column}.{value}")
    amount = float(value)
    return [words.number(amount, 0 if amount == int(amount) else 1)]


def _text(words: Words, row: pandas.Series, *, several_outputs: bool) -> str:
    """What is shown over a point: all its choices, its estimate, and the verdict."""

    def choice(column: str) -> Any:
        value = str(row[column])
        if not value:
            return ""
        if value in ("fd", "none"):
            return key(f"figure.hover.{column}.{value}")
        amount = float(value)
        return key(f"figure.hover.{column}", value=number(amount, 0 if amount == int(amount) else 1))

    unit = row["name"] in ("negative_tau", "tau_separation")
    digits = 3 if row["name"] in ("early_layers", "deep_layers") else 2
    return words.hover(
        "figure.hover.specification",
        control=key(f"figure.specification.control.{row['control']}"),
        estimator=key(f"figure.specification.estimator.{row['estimator']}"),
        bins=choice("bins"),
        neighbours=choice("neighbours"),
        trim=choice("trim"),
        token=key(f"figure.hover.token.{row['token']}"),
        output=key(f"figure.hover.output.{row['output']}") if several_outputs else "",
        value=number(row["estimate"], digits, unit=unit),
        interval=interval_or_nothing(row["low"], row["high"], digits, unit=unit),
        verdict=key(f"verdict.{row['verdict']}"),
    )
