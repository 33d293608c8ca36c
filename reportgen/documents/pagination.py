"""Where figures stand on paper: a figure that does not fit waits, and the text after it fills the page.

Style sheets know no figures that float to another page. So the document is laid out, what came where is measured, and a figure that
would leave much of a page empty is drawn a little smaller or set after the next texts; then it is laid out again. Figures keep their
order and never leave their chapter. Appendices are one chapter for them: each is short, and would else end with an empty page.
"""

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import accumulate, pairwise, product
from typing import Any, Literal

from markupsafe import Markup

from reportgen.documents.document import Document, FigureItem, Item, Section, TableItem, TextItem

Kind = Literal["chapter", "heading", "text", "table", "figure", "break"]
Now = Literal["fitting", "none", "all"]

NOW: tuple[Now, ...] = ("fitting", "none", "all")
HEADINGS = ("h3", "h4")
# Up to so many letters, about six lines, a paragraph in two languages is whole on a page: its versions are read beside each other.
SHORT_PARAGRAPH = 320
KEPT = "kept"
VOID = ("br", "img", "wbr")
SMALLEST, SMALL = 0.78, 0.85
# Shares of a page: an empty foot that nobody minds; what must follow a heading; the least piece of a text or table.
NEGLIGIBLE, AFTER_HEADING, LEAST_PIECE = 0.13, 0.08, 0.08
# Up to which share a page was not worth turning, though the next one has to begin anew.
NEARLY_EMPTY = 0.25
# How far off (in shares of a page) the estimate of a place may be without the figure falling off the page.
MARGIN_OF_ERROR = 0.012
# What is as bad as how much of an empty page, all squared: a figure so many pages after its text, and one drawn smaller by a share.
LATER, SMALLER = 0.006, 0.2
# So many of a table's first rows, its heads among them, are never parted (paper.css).
ROWS_TOGETHER = 8
# How many ways to set the document the search keeps beside each other.
WAYS = 100


@dataclass(frozen=True)
class Unit:
    """What is set as a whole, in the order of the page.

    Attributes
    ----------
    kind
        ``chapter`` and ``heading`` for headings; a figure never passes a chapter. ``break`` begins a page. A
        table that no page may cut is set as a figure is.
    height
        Without margins, in the layout engine's pixels.
    picture
        A figure's part of the height that becomes smaller with the figure, at its full size.
    before, after
        Margins; of two that meet the larger counts.
    least
        Of a table the piece that stays together at its beginning, all of a text that no page cuts.
    start, end
        Page and place on it as laid out, counted from the top of the page's text.
    """

    key: str
    kind: Kind
    height: float
    before: float
    after: float
    start: tuple[int, float]
    end: tuple[int, float]
    picture: float = 0.0
    least: float = 0.0


@dataclass(frozen=True)
class Arrangement:
    """What is changed: figure -> the unit that it follows, and figure -> its share of the full size."""

    follows: Mapping[str, str] = dataclasses.field(default_factory=dict)
    scales: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class _Choices:
    """Figures that begin the next page at once rather than wait for text to fill this one, and figures drawn smaller to begin with.

    `now` says of the figures that wait, or that come, whether they are set where there is room, wait on, or are set in any case.
    """

    eager: frozenset[str] = frozenset()
    small: frozenset[str] = frozenset()
    now: Now = "fitting"


class _Setting:
    """Goes through the units and keeps account of how full the page is: as laid out until something is changed, then by estimate.

    Setting something before a figure that waits, or a figure in another size, is a change.
    """

    def __init__(self, page: float, before: Arrangement, choices: _Choices) -> None:
        self.page, self.before, self.choices = page, before, choices
        self.y, self.after, self.changed = 0.0, 0.0, False
        self.last: Unit | None = None
        self.number = 0
        self.cost = 0.0
        self.waiting: list[tuple[Unit, int]] = []
        self.follows: dict[str, str] = {}
        self.scales: dict[str, float] = {}

    def choosing(self, now: Now, eager: frozenset[str], small: frozenset[str]) -> "_Setting":
        """The same so far, with other choices from here on."""
        other = copy.copy(self)
        other.choices = _Choices(self.choices.eager | eager, self.choices.small | small, now)
        other.waiting, other.follows, other.scales = list(self.waiting), dict(self.follows), dict(self.scales)
        return other

    def gap(self, unit: Unit) -> float:
        return max(self.after, unit.before) if self.y > 0 else 0.0

    def wanted(self, unit: Unit) -> float:
        smaller = unit.picture and unit.key in self.choices.small
        return min(self.before.scales.get(unit.key, 1.0), SMALL if smaller else 1.0)

    def turn(self) -> None:
        """Begin a page, and account for what is left empty of the one before."""
        self.cost += max(0.0, 1 - self.y / self.page - NEGLIGIBLE) ** 2
        self.number, self.y = self.number + 1, 0.0

    def begin(self) -> None:
        """Begin a page that has to begin here: what is left empty of the one before counts only where it is nearly all of it."""
        if 0 < self.y < NEARLY_EMPTY * self.page:
            self.cost += (1 - self.y / self.page) ** 2
        self.number, self.y, self.after, self.last = self.number + 1, 0.0, 0.0, None

    def advance(self, unit: Unit, height: float, least: float, after: float = 0.0) -> None:
        """Set something that may be cut, but leaves at least a piece of some height on either side, and has room for what comes after."""
        # Figures that waited, and were set before anything else was, are where they were.
        self.changed |= bool(self.waiting) and unit.kind != "figure"
        if not self.changed:
            if self.last is not None and unit.start[0] > self.last.end[0]:
                self.turn()
            self.number += unit.end[0] - unit.start[0]
            self.y = unit.end[1]
        else:
            # What is too short for a piece on either side goes to the next page as a whole.
            if self.y + self.gap(unit) + (height if height < 2 * least else least) + after > self.page and self.y > 0:
                self.turn()
            self.y += self.gap(unit) + height
            while self.y > self.page:
                self.number, self.y = self.number + 1, max(self.y - self.page, min(least, self.page))
        self.after, self.last = unit.after, unit

    def room(self, unit: Unit) -> float:
        """What is left for a figure."""
        return self.page * (1 - (MARGIN_OF_ERROR if self.changed else 0)) - self.y - self.gap(unit)

    def scale_of(self, unit: Unit) -> float | None:
        """The largest size at which a figure fits on this page, if it may be that small."""
        wanted = self.wanted(unit)
        full = unit.height - unit.picture * (1 - wanted)
        if full <= self.room(unit):
            return wanted
        if not unit.picture:
            return None
        scale = (self.room(unit) - self.page * MARGIN_OF_ERROR - unit.height) / unit.picture + 1
        return round(scale - 0.005, 2) if scale >= SMALLEST else None

    def put(self, unit: Unit, scale: float, *, moved: bool) -> None:
        if scale != self.before.scales.get(unit.key, 1.0):
            self.changed = True
        if scale != 1:
            self.scales[unit.key] = scale
        self.cost += SMALLER * (1 - scale) ** 2
        if moved and self.last is not None:
            self.follows[unit.key] = self.last.key
        height = unit.height - unit.picture * (1 - scale)
        self.advance(unit, height, height)

    def set_figure(self, unit: Unit, *, may_wait: bool, moved: bool) -> bool:
        """Set a figure here, on this page or the next; False when it is to wait."""
        fits_as_laid_out = not self.changed and self.last is not None and unit.start[0] == self.last.end[0]
        scale = self.wanted(unit) if fits_as_laid_out else self.scale_of(unit)
        empty = 1 - self.y / self.page > NEGLIGIBLE
        if may_wait and (self.choices.now == "none" or (scale is None and unit.key not in self.choices.eager and empty)):
            return False
        self.put(unit, self.wanted(unit) if scale is None else scale, moved=moved)
        return True

    def put_waiting(self, scale: float) -> None:
        unit, since = self.waiting.pop(0)
        self.put(unit, scale, moved=True)
        self.cost += LATER * (self.number - since) ** 2

    def make_way_for(self, unit: Unit) -> None:
        """Before a text that goes on to the next page: a figure that would find no room after it there begins that page."""
        beyond = self.y + self.gap(unit) + unit.height - self.page
        if self.waiting and self.choices.now != "none" and 0 < beyond < self.page and self.scale_of(self.waiting[0][0]) is None:
            figure = self.waiting[0][0]
            wanted = self.wanted(figure)
            if beyond + figure.before + figure.height - figure.picture * (1 - wanted) > self.page:
                self.put_waiting(wanted)
                self.set_waiting(all_of_them=False)

    def set_waiting(self, *, all_of_them: bool) -> None:
        while self.waiting:
            unit = self.waiting[0][0]
            scale = self.scale_of(unit)
            if not all_of_them and (self.choices.now == "none" or (scale is None and self.y > 0)):
                return
            self.put_waiting(self.wanted(unit) if scale is None else scale)


def _advance(setting: _Setting, units: Sequence[Unit], index: int) -> None:
    """Set one unit."""
    unit, page = units[index], setting.page
    following = units[index + 1].kind if index + 1 < len(units) else "break"
    flush = setting.choices.now == "all" and setting.last is not None and setting.last.kind not in ("chapter", "heading")
    # A heading that nothing stands under, as those of a draft's last sections, is no place behind which a figure could come.
    alone = unit.kind == "heading" and following not in ("text", "table")
    if unit.kind in ("chapter", "break") or alone or flush:
        setting.set_waiting(all_of_them=True)
    if unit.kind == "break":
        setting.begin()
        setting.advance(unit, unit.height, unit.height)
    elif unit.kind in ("chapter", "heading"):
        if unit.kind == "heading" and following in ("text", "table"):
            setting.make_way_for(dataclasses.replace(unit, height=unit.height + units[index + 1].height))
        least = units[index + 1].least if index + 1 < len(units) else 0.0
        setting.advance(unit, unit.height, unit.height, max(least, AFTER_HEADING * page))
    elif unit.kind == "figure":
        if setting.waiting:
            setting.waiting.append((unit, setting.number))
            return
        beyond = next((each.kind for each in units[index:] if each.kind != "figure"), "break")
        # A heading stands over words, not over an empty page: a figure that comes first in its section waits for them.
        after_heading = setting.last is not None and setting.last.kind in ("chapter", "heading")
        useful = setting.last is not None and beyond in (("text",) if after_heading else ("text", "heading", "table"))
        if not setting.set_figure(unit, may_wait=useful, moved=unit.key in setting.before.follows):
            setting.waiting.append((unit, setting.number))
    else:
        if setting.last is not None and setting.last.kind not in ("chapter", "heading"):
            setting.make_way_for(unit)
        setting.advance(unit, unit.height, max(unit.least, LEAST_PIECE * page))
        setting.set_waiting(all_of_them=False)


def _distinct(settings: Sequence[_Setting]) -> list[_Setting]:
    """The cheapest of the settings that have come to the same place, and of these the cheapest few."""
    best: dict[tuple[object, ...], _Setting] = {}
    for setting in settings:
        place = (setting.number, round(setting.y), setting.changed, *(unit.key for unit, _ in setting.waiting))
        if place not in best or setting.cost < best[place].cost - 1e-9:
            best[place] = setting
    return sorted(best.values(), key=lambda setting: setting.cost)[:WAYS]


def arrange(units: Sequence[Unit], page: float, before: Arrangement) -> Arrangement:
    """What to change so that pages are full: the best that a search over the figures' choices finds.

    The search sets the units in their order and tries at every figure each of its choices; of the many ways to come that far it goes on
    with the cheapest.

    Parameters
    ----------
    units
        As laid out under the arrangement `before`, in that order.
    page
        Height of a page's text.
    """
    settings = [_Setting(page, before, _Choices())]
    for index, unit in enumerate(units):
        one, none = frozenset({unit.key}), frozenset[str]()
        # Eager first: between equals the layout stays as it is.
        eager = (one, none) if unit.kind == "figure" else (none,)
        small = (none, one) if unit.picture else (none,)
        settings = [
            setting.choosing(*choice)
            for setting in settings
            for choice in product(NOW if setting.waiting or unit.kind == "figure" else NOW[:1], eager, small)
        ]
        for setting in settings:
            _advance(setting, units, index)
        settings = _distinct(settings)
    for setting in settings:
        setting.set_waiting(all_of_them=True)
    chosen = min(settings, key=lambda setting: setting.cost)
    follows = dict(chosen.follows)
    for last, unit in pairwise(units):
        # What waited, and was set before anything else was, is where it was.
        if unit.key not in before.follows and follows.get(unit.key) == last.key and last.key not in follows:
            del follows[unit.key]
    return Arrangement(follows, chosen.scales)


def emptiness(units: Sequence[Unit], page: float, arrangement: Arrangement) -> float:
    """How bad a document is as laid out: what its pages leave empty, and how much smaller its figures are drawn."""
    setting = _Setting(page, arrangement, _Choices())
    for unit in units:
        if unit.kind == "break":
            setting.begin()
        setting.advance(unit, unit.height, unit.height)
    return setting.cost + sum(SMALLER * (1 - scale) ** 2 for scale in arrangement.scales.values())


def _key(item: Item) -> str:
    if isinstance(item, TextItem):
        return item.key
    return f"{item.kind}-{item.id}"


def _floats(item: Item) -> bool:
    return isinstance(item, FigureItem) or (isinstance(item, TableItem) and item.floats)


def rearranged(document: Document, arrangement: Arrangement) -> Document:
    """The document with its figures where the arrangement wants them; raises KeyError when it wants one after what is not there."""
    figures = {_key(item): item for item in document.items() if _floats(item)}
    after: dict[str, list[str]] = {}
    for figure in figures:
        if figure in arrangement.follows:
            after.setdefault(arrangement.follows[figure], []).append(figure)

    def placed(key: str) -> Iterator[Item]:
        for figure in after.get(key, []):
            yield figures[figure]
            yield from placed(figure)

    def arranged(items: Sequence[Item]) -> tuple[Item, ...]:
        result: list[Item] = []
        for item in items:
            if _key(item) not in arrangement.follows:
                result.append(item)
                result.extend(placed(_key(item)))
        return tuple(result)

    def section(old: Section) -> Section:
        return dataclasses.replace(old, items=arranged(old.items), sections=tuple(section(child) for child in old.sections))

    lost = set(arrangement.follows.values()) - {_key(item) for item in document.items()}
    if lost:
        raise KeyError(lost)
    return dataclasses.replace(document, front=arranged(document.front), sections=tuple(section(each) for each in document.sections))


class _Parts(HTMLParser):
    """Where the top-level elements of some prose begin, and their names."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=False)
        lines = source.split("\n")
        self._line_starts = [0, *accumulate(len(line) + 1 for line in lines)]
        self._open = 0
        self.starts: list[tuple[str, int]] = []
        self.loose = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._open == 0:
            line, column = self.getpos()
            self.starts.append((tag, self._line_starts[line - 1] + column))
        self._open += tag not in VOID

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loose |= self._open == 0

    def handle_endtag(self, tag: str) -> None:
        self._open -= 1

    def handle_data(self, data: str) -> None:
        self.loose |= self._open == 0 and not data.isspace()


def paragraphs(html: str) -> list[tuple[str, str]] | None:
    """Top-level elements of some prose, each with its name. None when there is anything else.

    A heading and words that end with a colon stay with what follows; a ``div`` (an answer, lines to write on) and a ``span`` (a formula)
    with what goes before.
    """
    parts = _Parts(html)
    if parts.loose or not parts.starts:
        return None
    ends = [start for _, start in parts.starts[1:]] + [len(html)]
    pieces: list[tuple[str, str]] = []
    for (tag, start), end in zip(parts.starts, ends, strict=True):
        before = pieces[-1] if pieces else ("", "")
        announced = before[0].rpartition("+")[2] in HEADINGS or before[1].rstrip().endswith(":</p>")
        if pieces and (tag in ("div", "span") or announced):
            pieces[-1] = (f"{pieces[-1][0]}+{tag}", pieces[-1][1] + html[start:end])
        else:
            pieces.append((tag, html[start:end]))
    return pieces


def in_paragraphs(document: Document) -> Document:
    """The document with its prose cut into paragraphs, where all languages have the same ones: a figure may stand between them."""

    def cut(item: Item) -> list[Item]:
        if not isinstance(item, TextItem) or item.css:
            return [item]
        pieces = {code: paragraphs(html) for code, html in item.html.items()}
        shapes = {tuple(tag for tag, _ in each) if each else None for each in pieces.values()}
        shape = shapes.pop()
        if shapes or shape is None:
            return [item]
        return [
            TextItem({code: Markup(each[index][1]) for code, each in pieces.items() if each}, item.css, f"{item.key}-{index}")
            for index in range(len(shape))
        ]

    def section(old: Section) -> Section:
        items = tuple(map(_kept, _with_what_they_announce([piece for item in old.items for piece in cut(item)])))
        return dataclasses.replace(old, items=items, sections=tuple(map(section, old.sections)))

    return dataclasses.replace(document, sections=tuple(map(section, document.sections)))


def _with_what_they_announce(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items, those whose words end with a colon in one with the text that follows, unless that stands once for all languages."""
    result: list[Item] = []
    for item in items:
        before = result[-1] if result else None
        if (
            isinstance(before, TextItem)
            and isinstance(item, TextItem)
            and (before.css, before.html.keys()) == (item.css, item.html.keys())
            and (len(item.html) == 1 or len(set(item.html.values())) > 1)
            and all(html.rstrip().endswith(":</p>") for html in before.html.values())
        ):
            result[-1] = dataclasses.replace(before, html={code: html + item.html[code] for code, html in before.html.items()})
        else:
            result.append(item)
    return tuple(result)


def _kept(item: Item) -> Item:
    """The item; a short text in several languages marked, so that no page cuts it."""
    if not isinstance(item, TextItem) or item.css or len(item.html) == 1:
        return item
    longest = max(len(Markup(html).striptags()) for html in item.html.values())
    return dataclasses.replace(item, css=KEPT) if longest <= SHORT_PARAGRAPH else item


def draft(document: Document) -> Document:
    """The document without what comes after the last chapter with figures, but for headings: nothing before depends on it."""

    def has_figures(section: Section) -> bool:
        return any(isinstance(item, FigureItem) for item in section.items) or any(map(has_figures, section.sections))

    def bare(section: Section) -> Section:
        return dataclasses.replace(section, items=(), sections=tuple(map(bare, section.sections)))

    needed = max((index for index, section in enumerate(document.sections) if has_figures(section)), default=-1)
    sections = tuple(section if index <= needed else bare(section) for index, section in enumerate(document.sections))
    # The references stand before the appendices.
    after = needed < 0 or not document.sections[needed].appendix
    references = {code: lines[:1] if after else lines for code, lines in document.references.items()}
    return dataclasses.replace(document, sections=sections, references=references)


def _kinds(document: Document) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {
        "contents": "break" if document.contents_begin_page else "text",
        "references-heading": "chapter",
    }

    def headings(sections: Sequence[Section], *, top: bool) -> None:
        before = None
        for section in sections:
            begins = top and not (before and before.appendix)
            kinds[f"{section.id}-heading"] = "break" if section.begins_page else "chapter" if begins else "heading"
            headings(section.sections, top=False)
            before = section

    headings(document.sections, top=True)
    for item in document.items():
        kinds[_key(item)] = "figure" if _floats(item) else "table" if isinstance(item, TableItem) else "text"
    if document.contents_begin_page:
        # What the first pages hold is in the order in which it is to be read.
        kinds |= {_key(item): "table" for item in document.front}
    return kinds


def _pixels(box: Any, side: str) -> float:
    value = getattr(box.style[f"margin_{side}"], "value", 0)
    return float(value) if isinstance(value, int | float) else 0.0


def measure(layout: Any, document: Document, arrangement: Arrangement) -> tuple[list[Unit], float]:
    """The units of a laid-out document (a `weasyprint.Document`) in their order, and the height of a page's text."""
    kinds = _kinds(document)
    found: dict[str, dict[str, Any]] = {}
    sections: dict[str, float] = {}
    page_height = 0.0
    for number, page in enumerate(layout.pages):
        frame = page._page_box
        top, seen = frame.content_box_y(), set()
        page_height = max(page_height, frame.height)
        for box in frame.descendants():
            if box.element is None or box.element_tag != box.element.tag:
                continue
            name = box.element.get("data-unit") or box.element.get("id") or ""
            if box.element.tag == "section":
                sections.setdefault(f"{name}-heading", _pixels(box, "top"))
            if box.element.tag == "img" and box.element.get("class") == "drawing":
                figure = next(reversed(found.values()))
                figure["picture"] = box.margin_height()
            if box.element.tag == "tr" and found:
                table = next(reversed(found.values()))
                table["rows"] = table.get("rows", 0) + 1
                if table["rows"] == ROWS_TOGETHER and table["start"][0] == number:
                    table["least"] = box.border_box_y() + box.border_height() - top - table["start"][1]
            if name not in kinds or name in seen:
                continue
            seen.add(name)
            start, end = box.border_box_y() - top, box.border_box_y() + box.border_height() - top
            unit = found.setdefault(name, {"start": (number, start), "height": 0.0, "picture": 0.0})
            unit["height"] += end - start
            unit["end"] = (number, end)
            unit.setdefault("before", _pixels(box, "top"))
            unit["after"] = _pixels(box, "bottom")
    kept = {item.key for item in document.items() if isinstance(item, TextItem) and item.css == KEPT}
    units = []
    for key, unit in found.items():
        if key in kept:
            unit["least"] = unit["height"]
        scale = arrangement.scales.get(key, 1.0)
        picture = unit.pop("picture") / scale
        unit["height"] += picture * (1 - scale)
        unit.pop("rows", None)
        unit["before"] = max(unit["before"], sections.get(key, 0.0))
        units.append(Unit(key, kinds[key], picture=picture, **unit))
    return units, page_height
