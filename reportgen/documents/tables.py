"""Tables of the report: what ``document.yaml`` says of the columns, applied to rows of numbers."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

import pandas
from markupsafe import Markup, escape

from analyses.errors import InputError
from reportgen.documents.languages import Labels, Language, in_one_line
from reportgen.documents.outline import NUMERIC, ColumnSpec, RowGroupSpec, TableSpec
from reportgen.documents.writer import inline_markup, row_anchor, side_by_side, verdict_in


def column_widths(columns: Sequence[ColumnSpec]) -> tuple[float, ...]:
    """Shares of a table's width: percentages as they are, the rest by weight; a column of ordinals needs little."""
    fixed = [float(column.width[:-1]) / 100 if isinstance(column.width, str) else None for column in columns]
    weights = [float(column.width or (0.6 if column.row_heading and column.format == "integer" else 1)) if share is None else 0
               for column, share in zip(columns, fixed, strict=True)]  # fmt: skip
    rest, total = 1 - sum(share or 0 for share in fixed), sum(weights) or 1
    if rest < -1e-9:
        raise InputError("document.yaml: the widths of a table's columns add up to more than 100%")
    shares = [share if share is not None else rest * weight / total for share, weight in zip(fixed, weights, strict=True)]
    return tuple(share / sum(shares) for share in shares)


@dataclass(frozen=True)
class Heading:
    """The head of a column, or of a group of `span` adjacent columns or rows, in each language."""

    words: Mapping[str, Markup]
    span: int = 1
    numeric: bool = False


@dataclass(frozen=True)
class Cell:
    """One cell, written; `value` is what it is sorted by, empty when it has none."""

    html: Markup
    heading: bool = False
    numeric: bool = False
    value: str = ""


@dataclass(frozen=True)
class Grid:
    """A table's written content: an optional row of group heads, the column heads, the rows; widths are shares of the whole.

    `row_ids` are the rows' anchors when links may lead to them, else empty; `row_groups` the headings between the rows, if any.
    """

    groups: tuple[Heading, ...]
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[float, ...]
    row_ids: tuple[str, ...] = ()
    sortable: bool = False
    row_groups: tuple[Heading, ...] = ()

    @property
    def lines(self) -> int:
        """How many lines the rows take: in two languages words take two."""
        return sum(max(cell.html.count(" lang=") or 1 for cell in row) for row in self.rows)

    def continues(self, index: int) -> bool:
        """Whether the row after this one is of the same name: the two stand together."""
        following = self.rows[index + 1] if index + 1 < len(self.rows) else ()
        return bool(following) and following[0].heading and following[0].html == self.rows[index][0].html

    def parts(self) -> Iterator[tuple[Heading | None, range]]:
        """The rows' numbers under each of their headings; all of them under none where there are no headings."""
        if not self.row_groups:
            yield None, range(len(self.rows))
        ends = list(accumulate(group.span for group in self.row_groups))
        for group, end in zip(self.row_groups, ends, strict=True):
            yield group, range(end - group.span, end)


def _missing(value: Any) -> bool:
    return value is None or value is pandas.NA or (isinstance(value, float) and math.isnan(value))


def _words(key: str, languages: Sequence[Language]) -> dict[str, Markup]:
    return {language.code: inline_markup(language.text(key)) for language in languages}


def _empty(languages: Sequence[Language]) -> Markup:
    words = in_one_line(language.text("format.missing") for language in languages)
    return Markup('<span aria-hidden="true">–</span><span class="spoken">{}</span>').format(words)


def _in_each(texts: Sequence[str], languages: Sequence[Language]) -> Markup:
    """The same words in each language; once where all write them alike."""
    if len(set(texts)) == 1:
        return Markup('<span lang="{}">{}</span>').format(languages[0].code, inline_markup(texts[0]))
    return side_by_side({language.code: inline_markup(text) for language, text in zip(languages, texts, strict=True)})


def _written(column: ColumnSpec, row: Mapping[str, Any], languages: Sequence[Language]) -> Markup:
    written = _cell(column, row, languages)
    note = row[column.note] if column.note else None
    if _missing(note):
        return written
    words = _in_each([language.format(note) for language in languages], languages)
    return Markup('{} <span class="cell-note">{}</span>').format(written, words)


def _cell(column: ColumnSpec, row: Mapping[str, Any], languages: Sequence[Language]) -> Markup:
    first, value = languages[0], row[column.field]
    if _missing(value) or (column.high and _missing(row[column.high])):
        return _empty(languages)
    match column.format:
        case "integer":
            return escape(first.integer(value))
        case "number":
            return escape(first.number(value, column.digits, unit=column.unit))
        case "percent":
            return escape(first.percent(value, column.digits))
        case "p":
            return escape(first.p(value))
        case "interval":
            return escape(first.interval(value, row[column.high or ""], column.digits, unit=column.unit))
        case "verdict":
            return verdict_in(value, Labels(languages))
        case "key":
            return _in_each([language.text(f"{column.prefix}{value}") for language in languages], languages)
        case "sentence":
            return _in_each([language.format(value) for language in languages], languages)
        case "value":
            return escape(first.format(value))
        case "text":
            return escape(str(value))


def build_grid(name: str, spec: TableSpec, rows: Sequence[Mapping[str, Any]], languages: Sequence[Language]) -> Grid:
    """Write a table; raises InputError naming the table and the field that its rows lack."""
    chosen = [row for row in rows if all(row.get(field) == value for field, value in spec.where.items())]
    written = []
    for row in chosen:
        cells = []
        for column in spec.columns:
            try:
                html = _written(column, row, languages)
            except KeyError as error:
                raise InputError(
                    f"document.yaml, table {name}: no field {error} in {spec.rows}; there are {', '.join(map(str, row))}"
                ) from None
            cells.append(Cell(html, column.row_heading, column.numeric, _sorted_by(column, row, html) if spec.sortable else ""))
        written.append(tuple(cells))
    if not written:
        raise InputError(f"document.yaml, table {name}: no rows in {spec.rows} where {spec.where}")
    return Grid(
        _groups(spec, languages),
        tuple(Heading(_words(column.heading, languages), 1, column.numeric) for column in spec.columns),
        tuple(written),
        column_widths(spec.columns),
        tuple(_row_id(name, spec.row_id, row) for row in chosen) if spec.row_id else (),
        spec.sortable,
        _row_groups(spec.row_groups, chosen, languages) if spec.row_groups else (),
    )


def _sorted_by(column: ColumnSpec, row: Mapping[str, Any], html: Markup) -> str:
    if _missing(row[column.field]):
        return ""
    return f"{float(row[column.field]):.6g}" if column.format in NUMERIC else html.striptags()


def _row_id(name: str, fields: Sequence[str], row: Mapping[str, Any]) -> str:
    try:
        return row_anchor(name, "-".join(re.sub(r"\W+", "_", str(row[field])) for field in fields))
    except KeyError as error:
        raise InputError(f"document.yaml, table {name}: row_id: no field {error} in the rows") from None


def _row_groups(spec: RowGroupSpec, rows: Sequence[Mapping[str, Any]], languages: Sequence[Language]) -> tuple[Heading, ...]:
    runs = [(value, len(list(run))) for value, run in groupby(row[spec.field] for row in rows)]
    return tuple(Heading(_words(f"{spec.prefix}{value}", languages), length) for value, length in runs)


def _groups(spec: TableSpec, languages: Sequence[Language]) -> tuple[Heading, ...]:
    if not any(column.group for column in spec.columns):
        return ()
    runs: list[tuple[str | None, int]] = []
    for column in spec.columns:
        if runs and column.group is not None and runs[-1][0] == column.group:
            runs[-1] = (column.group, runs[-1][1] + 1)
        else:
            runs.append((column.group, 1))
    return tuple(Heading(_words(key, languages) if key else {}, span) for key, span in runs)
