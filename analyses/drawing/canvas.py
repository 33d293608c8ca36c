"""Where things stand in a figure: panels with fixed margins in inches, and labels that hold one language or two.

Every label is set in rows, one a language: the document's first language upright, the second below it, lighter and in
italics. Titles and the names of the vertical axes stand above their panel, horizontally, so that no length of label
narrows the panel and nothing has to be read sideways. The margins grow with the number of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.protocol import Labels

WIDTH = 6.7
ROW = 0.15  # inches a row of labels
TITLE_ROW = 0.175
SMALL = 7.6  # points: the smallest text in a figure
SECOND = 7.6  # points: the rows of the second language
BESIDE = 0.075  # inches between the samples of a line that looks otherwise in the panel before
SEPARATOR = " / "  # between the languages where they share a line


class Words:
    """The words of a figure: rows for labels, one line for hover texts, numbers as in the document's first language."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self.languages = len(labels.codes)

    def rows(self, key: str, **values: Any) -> list[str]:
        """The label in each language; languages that write it alike share a row."""
        return list(dict.fromkeys(text for _, text in self._labels.rows(key, **values)))

    def hover(self, key: str, **values: Any) -> str:
        """The text shown over a mark."""
        return self._labels(key, **values)

    def number(self, value: float, digits: int = 2, *, unit: bool = False) -> str:
        return self._labels.number(value, digits, unit=unit)

    def integer(self, value: int) -> str:
        return self._labels.integer(value)


@dataclass(frozen=True)
class Row:
    """One row of panels; `height` of the plotting area and `rail`, the strip under it, in inches.

    `titles`, `notes`, `y_labels` and `marks` say for what room is left above the panels, `x_labels` whether there is some below them.
    """

    height: float
    columns: int = 2
    titles: bool = True
    notes: bool = False
    y_labels: bool = True
    marks: bool = False
    x_labels: bool = True
    rail: float = 0.0
    # Rows of tick labels.
    ticks: int = 1


@dataclass(frozen=True)
class EndLabel:
    """What stands beside the right end of a line: `y` in data units, and how the line looks; `band` for a shaded range.

    `also` is how the same looks in the panel before, as (colour, line, marker), where it looks otherwise there: both are shown.
    """

    y: float
    rows: Sequence[str]
    color: str
    line: Any = "-"
    marker: str | None = None
    filled: bool = True
    band: bool = False
    also: tuple[str, Any, str] | None = None


class Canvas:
    """A figure with panels in rows.

    Parameters
    ----------
    left, gap, right : inches for the tick labels left of each panel, between panels, and for labels right of the last one.
    outer : inches left of the first panel for labels that the panels of a row share.
    """

    def __init__(
        self, labels: Labels, rows: Sequence[Row], *, left: float = 0.44, gap: float = 0.3, right: float = 0.1, outer: float = 0.0
    ) -> None:
        self.words = Words(labels)
        self.left = left
        self.legend: float | None = None
        heads = [self._head(row) for row in rows]
        feet = [self._foot(row) for row in rows]
        between = 0.16
        height = sum(heads) + sum(feet) + sum(row.height for row in rows) + between * (len(rows) - 1) + 0.04
        self.height = height
        self.figure: Figure = plt.figure(figsize=(WIDTH, height))
        self.axes: list[list[Axes]] = []
        self.rails: list[list[Axes]] = []
        top = height - 0.02
        for row, head, foot in zip(rows, heads, feet, strict=True):
            width = (WIDTH - outer - right - row.columns * left - (row.columns - 1) * gap) / row.columns
            bottom = top - head - row.height
            panels, rails = [], []
            for column in range(row.columns):
                x = outer + left + column * (width + left + gap)
                panel = self._add(x, bottom, width, row.height)
                panels.append(panel)
                if row.rail:
                    rails.append(self._add(x, bottom - 0.05 - row.rail, width, row.rail))
            self.axes.append(panels)
            self.rails.append(rails)
            top = bottom - foot - between
        self._rows = {id(panel): row for row, panels in zip(rows, self.axes, strict=True) for panel in panels}

    def title(self, axes: Axes, key: str, **values: Any) -> None:
        """Name a panel."""
        x, y = self._corner(axes)
        row = self._rows[id(axes)]
        y += (row.y_labels + row.notes) * self.words.languages * ROW + row.marks * ROW
        rows = self.words.rows(key, **values)
        for index, text in enumerate(reversed(rows)):
            first = index == len(rows) - 1
            style: dict[str, Any] = (
                {"fontsize": plt.rcParams["axes.titlesize"], "fontweight": 600}
                if first
                else {"fontsize": SECOND + 0.4, "fontstyle": "italic", "color": "muted"}
            )
            self._text(x, y, text, **style)
            y += ROW + 0.02

    def y_label(self, axes: Axes, key: str, **values: Any) -> None:
        """Name the vertical axis, above the panel."""
        self._stack(axes, 0, self.words.rows(key, **values))

    def head_note(self, axes: Axes, key: str, **values: Any) -> None:
        """Words between the title and the name of the vertical axis (the row has `notes`)."""
        self._stack(axes, self.words.languages, self.words.rows(key, **values))

    def head_marks(self, axes: Axes, marks: Sequence[tuple[EndLabel, str]]) -> None:
        """A line over a panel of marks, each as its label shows it and followed by a few words (the row has `marks`)."""
        x, y = self._corner(axes)
        for label, text in marks:
            self._sample(x - 0.05, y + 0.045, label)
            self._text(x + 0.19, y, text, fontsize=SMALL, color=label.color)
            x += 0.38 + 0.06 * len(text)

    def start_labels(self, axes: Axes, labels: Sequence[EndLabel]) -> None:
        """Labels with samples at the left edge of the figure, from the name of a panel's vertical axis downwards (it has `outer`)."""
        y = self._corner(axes)[1] + (self._rows[id(axes)].marks + self.words.languages - 0.5) * ROW
        for label in labels:
            self._sample(-0.05, y, label)
            for text in label.rows:
                style = {} if text == label.rows[0] else {"fontstyle": "italic"}
                self._text(0.2, y, text, va="center_baseline", fontsize=SMALL, color=label.color, **style)
                y -= ROW - 0.01
            y -= 0.04

    def x_label(self, axes: Axes, key: str, *, rail: Axes | None = None, **values: Any) -> None:
        """Name the horizontal axis, under the panel (or under the strip below it); on one row where that is short enough."""
        rows = self.words.rows(key, **values)
        box = (rail or axes).get_position()
        middle = (box.x0 + box.x1) / 2 * WIDTH
        ticks = self._rows[id(axes)].ticks
        y = box.y0 * self.height - 0.06 - ticks * ROW - 0.04
        if sum(map(len, rows)) <= 18:
            self._text(middle, y, SEPARATOR.join(rows), ha="center", va="top", fontsize=plt.rcParams["axes.labelsize"])
            return
        for index, text in enumerate(rows):
            self._text(middle, y - index * ROW, text, ha="center", va="top", **self._row_style(index == 0))

    def end_labels(self, axes: Axes, labels: Sequence[EndLabel]) -> None:
        """Label lines beside the right edge of a panel, each with a sample of its line, moved apart where they would touch.

        Call it when the limits of the vertical axis are final.
        """
        shown = sorted((label for label in labels if np.isfinite(label.y)), key=lambda label: label.y)
        box = axes.get_position()
        low, high = axes.get_ylim()
        bottom, height = box.y0 * self.height, box.height * self.height
        wanted = np.array([bottom + (label.y - low) / (high - low) * height for label in shown])
        heights = np.array([len(label.rows) * (ROW - 0.01) + (0.06 if label.also else 0.03) for label in shown])
        centres = _apart(wanted, heights, bottom - 0.1, bottom + height + 0.1)
        x = box.x1 * WIDTH
        self.legend = (x + 0.04) / WIDTH
        for label, centre in zip(shown, centres, strict=True):
            self._sample(x, centre, label)
            first = centre + (len(label.rows) - 1) * (ROW - 0.01) / 2
            for index, text in enumerate(label.rows):
                style = {"fontsize": SMALL} if index == 0 else {"fontsize": SMALL, "fontstyle": "italic"}
                color = "ink" if label.also else label.color
                self._text(x + 0.32, first - index * (ROW - 0.01), text, va="center_baseline", color=color, **style)

    def note(self, axes: Axes, x: float, y: float, rows: Sequence[str], *, ha: str = "left", color: str = "muted", below: int = 0) -> None:
        """Words inside a panel, from (x, y) in fractions of it downwards, `below` rows lower."""
        step = (ROW - 0.01) / (axes.get_position().height * self.height)
        for index, text in enumerate(rows):
            style: dict[str, Any] = {} if index == 0 else {"fontstyle": "italic"}
            axes.text(
                x,
                y - (below + index) * step,
                text,
                transform=axes.transAxes,
                ha=ha,
                va="top",
                fontsize=SMALL,
                color=color,
                zorder=6,
                **style,
            )

    def headroom(self, axes: Axes, rows: int = 1) -> None:
        """Widen the vertical axis upwards so that `rows` labels a language fit above the curves."""
        inches = axes.get_position().height * self.height
        share = min((rows * self.words.languages * (ROW - 0.01) + 0.06) / inches, 0.6)
        low, high = axes.get_ylim()
        axes.set_ylim(low, low + (high - low) / (1 - share))

    def _sample(self, x: float, y: float, label: EndLabel) -> None:
        """A piece of a label's line at (x, y); of two looks the one of the panel before stands above the other."""
        looks = [(label.color, label.line, label.marker)]
        if label.also:
            looks.insert(0, label.also)
        for index, (color, line, marker) in enumerate(looks):
            place = y + ((len(looks) - 1) / 2 - index) * BESIDE
            self.figure.add_artist(
                plt.Line2D(
                    [(x + 0.06) / WIDTH, (x + 0.165) / WIDTH, (x + 0.27) / WIDTH],
                    [place / self.height] * 3,
                    color=color,
                    linestyle=line,
                    linewidth=9 if label.band else 1.5,
                    alpha=0.25 if label.band else 1,
                    solid_capstyle="butt",
                    marker=marker,
                    markevery=[1],
                    markersize=4,
                    markerfacecolor=color if label.filled else "paper",
                )
            )

    def _head(self, row: Row) -> float:
        titles = (TITLE_ROW + (self.words.languages - 1) * (ROW + 0.02)) if row.titles else 0
        return titles + (row.y_labels + row.notes) * self.words.languages * ROW + row.marks * ROW + 0.08

    def _foot(self, row: Row) -> float:
        rail = row.rail + 0.05 if row.rail else 0
        labels = self.words.languages * ROW + 0.08 if row.x_labels else 0
        return rail + 0.06 + row.ticks * ROW + labels

    def _add(self, x: float, y: float, width: float, height: float) -> Axes:
        return self.figure.add_axes((x / WIDTH, y / self.height, width / WIDTH, height / self.height))

    def _corner(self, axes: Axes) -> tuple[float, float]:
        box = axes.get_position()
        return box.x0 * WIDTH - self.left + 0.04, box.y1 * self.height + 0.08

    def _stack(self, axes: Axes, below: int, rows: Sequence[str]) -> None:
        """Rows above a panel, over `below` other rows."""
        x, y = self._corner(axes)
        y += self._rows[id(axes)].marks * ROW
        for index, text in enumerate(rows):
            self._text(x, y + (below + len(rows) - 1 - index) * ROW, text, **self._row_style(index == 0))

    def _row_style(self, first: bool) -> dict[str, Any]:
        if first:
            return {"fontsize": plt.rcParams["axes.labelsize"]}
        return {"fontsize": SECOND, "fontstyle": "italic", "color": "muted"}

    def _text(self, x: float, y: float, text: str, **style: Any) -> None:
        self.figure.text(x / WIDTH, y / self.height, text, **{"va": "baseline", "ha": "left"} | style)


def _apart(wanted: np.ndarray, heights: np.ndarray, low: float, high: float) -> np.ndarray:
    """Move intervals (increasing centres) apart until none touch, as little as needed, and back inside [low, high]."""
    centres = wanted.copy()
    for index in range(1, len(centres)):
        centres[index] = max(centres[index], centres[index - 1] + (heights[index] + heights[index - 1]) / 2)
    if len(centres):
        # Half of the push goes downwards, so that a group stays around where its lines end.
        centres -= (centres - wanted).mean()
        centres += max(0.0, low - (centres[0] - heights[0] / 2))
        centres -= max(0.0, centres[-1] + heights[-1] / 2 - high)
    return centres
