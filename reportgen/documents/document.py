"""The document as a neutral tree: what is said and shown, in which order and under which number. HTML and PDF are made from it."""

import datetime
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import matplotlib.pyplot
import pandas
import pydantic
from markupsafe import Markup, escape

from analyses.errors import InputError
from analyses.protocol import FigureSpec
from reportgen.csv_files import csv_text
from reportgen.documents.assets import Assets, fitting
from reportgen.documents.formulas import FormulaSpec
from reportgen.documents.languages import Labels, Language
from reportgen.documents.outline import FigureSettings, FileSettings, ItemSpec, SectionSpec, read_spec
from reportgen.documents.references import Person, Reference, bibtex, entry, load_references, sort_key
from reportgen.documents.svg import Palette, figure_style, letters, render_png, render_svg, stand_alone
from reportgen.documents.tables import Grid, build_grid
from reportgen.documents.writer import Writer
from reportgen.problems import first_problem

# Up to how many lines of rows a table is whole on a page, and up to how many it need not be set as close as can be.
SHORT_TABLE, LONG_TABLE = 20, 36
# A page cuts a table only between sets of this many rows; the style sheet for paper says the same.
LEAST_ROWS = 6
PARTICULARS = ("course", "lecturer", "institution", "authors", "date", "version", "licence")


@dataclass(frozen=True)
class TextItem:
    """A unit of parallel text: the same content in every language of the document; `key` is its own in the document."""

    html: Mapping[str, Markup]
    css: str = ""
    key: str = ""
    kind: str = "text"


@dataclass(frozen=True)
class FigureItem:
    """A figure: drawn once, with captions, alternative text and advice on reading in every language.

    `file` is its SVG for elsewhere, `png` the same as pixels where it was asked for.
    """

    id: str
    number: str
    svg: str
    caption: Mapping[str, Markup]
    alt: Mapping[str, str]
    how_to_read: Mapping[str, Markup]
    csv: str
    width: str
    file: str = ""
    png: bytes = b""
    kind: str = "figure"


@dataclass(frozen=True)
class TableItem:
    """A table: one grid, with captions and notes in every language."""

    id: str
    number: str
    caption: Mapping[str, Markup]
    note: Mapping[str, Markup]
    grid: Grid
    kind: str = "table"

    @property
    def whole(self) -> bool:
        """Whether the table is short enough to stand on one page."""
        return self.length == "short"

    @property
    def floats(self) -> bool:
        """Whether the table is set as a figure is, on one page: it is short, and has too few rows to be cut."""
        return self.whole and len(self.grid.rows) < 2 * LEAST_ROWS

    @property
    def length(self) -> str:
        """``short``, ``long`` or ``longest``: the longer, the closer its rows stand."""
        lines = self.grid.lines
        return "short" if lines <= SHORT_TABLE else "long" if lines <= LONG_TABLE else "longest"


Item = TextItem | FigureItem | TableItem


@dataclass(frozen=True)
class Section:
    """A section: `number` is ``2``, ``2.1`` or ``A``; empty for the references."""

    id: str
    number: str
    heading: Mapping[str, str]
    items: tuple[Item, ...] = ()
    sections: tuple["Section", ...] = ()
    appendix: bool = False

    @property
    def begins_page(self) -> bool:
        """Whether the section begins a page: an appendix that is a long table."""
        return self.appendix and bool(self.items) and isinstance(self.items[0], TableItem) and not self.items[0].whole


@dataclass(frozen=True)
class Document:
    """All that a rendered report holds.

    Attributes
    ----------
    languages
        In the order in which they stand beside each other; the first is the document's own.
    particulars
        Title block: name (course, lecturer, ...) -> language code -> words.
    references
        Language code -> the lines of the list of references: key, HTML.
    bibliography
        The cited sources as BibTeX.
    alternates
        The same report in other languages: code (``vi``, ``vi-en``) -> relative address.
    data
        The bundle's tables: file name -> CSV.
    texts
        What readers may download besides: file name -> text.
    contents
        Whether the contents are listed on paper.
    """

    languages: tuple[Language, ...]
    title: Mapping[str, str]
    subtitle: Mapping[str, str]
    running_title: Mapping[str, str]
    keywords: Mapping[str, str]
    particulars: Mapping[str, Mapping[str, str]]
    authors: tuple[str, ...]
    date: datetime.date | None
    url: str | None
    front: tuple[Item, ...]
    sections: tuple[Section, ...]
    references: Mapping[str, tuple[tuple[str, Markup], ...]]
    bibliography: str
    formulas: Mapping[str, FormulaSpec]
    edition: str
    alternates: Mapping[str, str]
    data: Mapping[str, str]
    assets: Assets
    contents: bool = True
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def contents_begin_page(self) -> bool:
        """Whether the contents begin a page: after first pages that hold figures, which are read by themselves."""
        return any(not isinstance(item, TextItem) for item in self.front)

    @property
    def code(self) -> str:
        """``vi``, ``en`` or ``vi-en``."""
        return "-".join(language.code for language in self.languages)

    def items(self) -> Iterator[Item]:
        """Every item in the order of the document."""
        yield from self.front
        yield from _items(self.sections)


def _items(sections: Sequence[Section]) -> Iterator[Item]:
    for section in sections:
        yield from section.items
        yield from _items(section.sections)


def look_up(facts: Mapping[str, Any], path: str, where: str) -> Any:
    """The value at a dotted path; raises InputError naming the part that is missing."""
    value: Any = facts
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, Sequence) and not isinstance(value, str) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise InputError(f"{where}: no {part!r} in the facts ({path})") from None
    return value


def _one_line(text: str) -> str:
    """In one line and with its accents composed: a name that was typed on another system is found by a search all the same."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


class _TitleBlock(pydantic.BaseModel):
    """What a bundle may say for the title block: its strings go into heads, links and citations."""

    model_config = pydantic.ConfigDict(extra="ignore", strict=True)

    title: dict[str, str] | None = None
    course: str | dict[str, str] | None = None
    lecturer: str | dict[str, str] | None = None
    institution: str | dict[str, str] | None = None
    authors: list[str] | str | None = None
    date: str | None = None
    version: str | dict[str, str] | None = None
    licence: str | dict[str, str] | None = None
    url: str | None = None

    @pydantic.field_validator("*")
    @classmethod
    def _of_one_line(cls, value: Any) -> Any:
        if isinstance(value, str):
            return _one_line(value)
        if isinstance(value, list):
            return [_one_line(item) for item in value]
        if isinstance(value, dict):
            return {key: _one_line(item) for key, item in value.items()}
        return value

    @pydantic.field_validator("url")
    @classmethod
    def _of_the_web(cls, value: str | None) -> str | None:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("expected an address that begins with https://")
        return value


def title_block(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the facts' ``document`` gives, each text in one line; raises InputError for what is no text, and for other links than https."""
    given: dict[str, Any] = {key: list(value) if isinstance(value, tuple) else value for key, value in facts.get("document", {}).items()}
    date = given.get("date")
    if isinstance(date, datetime.date):
        given["date"] = date.isoformat()
    try:
        checked = _TitleBlock.model_validate(given)
    except pydantic.ValidationError as error:
        problem = first_problem(error)
        # Behind the key stands which of its types pydantic tried.
        raise InputError(f"study.json: settings.document.{problem.location[0]}: {problem.words}") from None
    block = {key: value for key, value in checked.model_dump().items() if value}
    if isinstance(block.get("authors"), str):
        block["authors"] = [block["authors"]]
    return block


def _person(author: str, language: Language) -> str:
    person = Person.of(author)
    return language.text("format.person", family=person.family, given=person.given) if person.given else person.family


class _Builder:
    def __init__(
        self,
        assets: Assets,
        folder: str,
        facts: Mapping[str, Any],
        figures: Sequence[FigureSpec],
        tables: Mapping[str, pandas.DataFrame],
        languages: Sequence[Language],
        edition: str,
        pixels: bool,
    ) -> None:
        self.assets, self.folder, self.facts, self.edition, self.pixels = assets, folder, facts, edition, pixels
        self.languages = tuple(languages)
        self.spec = read_spec(assets, folder)
        self.figures = {figure.id: figure for figure in figures}
        self.tables = tables
        formulas = assets.yaml(f"{folder}/formulas.yaml", optional=True)
        self.formulas: dict[str, FormulaSpec] = fitting(dict[str, FormulaSpec], formulas, f"{folder}/formulas.yaml")
        self.references = load_references(assets.yaml(f"{folder}/references.yaml", optional=True))
        self.numbers: dict[str, str] = {}
        self.texts = 0
        front, sections = self._chosen(self.spec.front), self._chosen_sections(self.spec.sections)
        self._number(front, sections)
        self.front_specs, self.section_specs = front, sections
        self.writers = {language.code: self._writer(language) for language in self.languages}

    def _writer(self, language: Language) -> Writer:
        kinds = {"figure": "interface.figure", "table": "interface.table", "section": "interface.section", "appendix": "interface.appendix"}
        targets = {}
        for target, number in self.numbers.items():
            kind, _, name = target.partition(":")
            written = language.text(
                "format.numbered",
                kind=language.text(kinds["appendix" if kind == "section" and number[0].isalpha() else kind]),
                number=number,
            )
            targets[target] = (name if kind == "section" else f"{kind}-{name}", written)
        return Writer(language, self.assets, self.folder, self.facts, self.references, self.formulas, targets, self.edition)

    def _is_wanted(self, spec: ItemSpec | SectionSpec) -> bool:
        where = f"{self.folder}/document.yaml"
        if spec.editions is not None and self.edition not in spec.editions:
            return False
        if spec.when is not None and not look_up(self.facts, spec.when, where):
            return False
        return spec.unless is None or not look_up(self.facts, spec.unless, where)

    def _chosen(self, specs: Sequence[ItemSpec]) -> list[ItemSpec]:
        return [spec for spec in specs if self._is_wanted(spec)]

    def _chosen_sections(self, specs: Sequence[SectionSpec]) -> list[SectionSpec]:
        return [
            spec.model_copy(update={"content": self._chosen(spec.content), "sections": self._chosen_sections(spec.sections)})
            for spec in specs
            if self._is_wanted(spec)
        ]

    def _number(self, front: Sequence[ItemSpec], sections: Sequence[SectionSpec]) -> None:
        counts = {"figure": 0, "table": 0}

        def count(items: Sequence[ItemSpec]) -> None:
            for item in items:
                for kind, name in (("figure", item.figure), ("table", item.table)):
                    if name is not None:
                        if kind == "figure" and name not in self.figures:
                            raise InputError(f"{self.folder}/document.yaml: no figure {name!r}; the analysis has {', '.join(self.figures)}")
                        counts[kind] += 1
                        if f"{kind}:{name}" in self.numbers:
                            raise InputError(f"{self.folder}/document.yaml: {kind} {name} stands there twice")
                        self.numbers[f"{kind}:{name}"] = str(counts[kind])

        def walk(specs: Sequence[SectionSpec], prefix: str) -> None:
            plain = appendices = 0
            for spec in specs:
                if spec.appendix:
                    appendices += 1
                    number = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[appendices - 1]
                else:
                    plain += 1
                    number = f"{prefix}{plain}"
                if f"section:{spec.id}" in self.numbers:
                    raise InputError(f"{self.folder}/document.yaml: two sections have the id {spec.id}")
                self.numbers[f"section:{spec.id}"] = number
                count(spec.content)
                walk(spec.sections, f"{number}.")

        count(front)
        walk(sections, "")

    def text(self, key: str | None) -> dict[str, str]:
        """A heading in every language; its placeholders are filled from the facts' ``headings``."""
        values = self.facts.get("headings", {})
        return {language.code: language.text(key, **values) for language in self.languages} if key else {}

    def title(self) -> dict[str, str]:
        """The title that the settings give, or else the catalogue's."""
        given = title_block(self.facts).get("title", {})
        return {code: given.get(code, title) for code, title in self.text(self.spec.title).items()}

    def _sentences(self, key: str, values: Mapping[str, Any]) -> dict[str, Markup]:
        return {code: writer.text(key, **values) for code, writer in self.writers.items()}

    def _values(self, path: str | None, name: str) -> Mapping[str, Any]:
        if path is not None:
            return look_up(self.facts, path, f"{self.folder}/document.yaml")
        return self.facts.get("captions", {}).get(name, {})

    def items(self, specs: Sequence[ItemSpec]) -> tuple[Item, ...]:
        return tuple(self._item(spec) for spec in specs)

    def _item(self, spec: ItemSpec) -> Item:
        if spec.prose is not None:
            return self._text({code: writer.block(spec.prose) for code, writer in self.writers.items()}, spec.css)
        if spec.component is not None:
            return self._text({code: writer.component(spec.component) for code, writer in self.writers.items()}, spec.css)
        return self._figure(spec.figure) if spec.figure is not None else self._table(spec.table or "")

    def _text(self, html: Mapping[str, Markup], css: str) -> TextItem:
        self.texts += 1
        return TextItem(html, css, f"text-{self.texts}")

    def _figure(self, name: str) -> FigureItem:
        figure, settings = self.figures[name], self.spec.figures.get(name, FigureSettings())
        values = self._values(settings.values, name)
        drawing = figure.draw(Labels(self.languages))
        svg = render_svg(drawing, f"figure-{name}", self.languages[0].number_signs)
        png = render_png(drawing, self.languages[0].number_signs) if self.pixels else b""
        matplotlib.pyplot.close(drawing.figure)
        return FigureItem(
            name,
            self.numbers[f"figure:{name}"],
            svg,
            self._sentences(f"figure.{name}.caption", values),
            {language.code: language.text(f"figure.{name}.alt", **values) for language in self.languages},
            self._sentences(f"figure.{name}.how_to_read", values) if settings.how_to_read else {},
            csv_text(figure.data),
            settings.width,
            png=png,
        )

    def _table(self, name: str) -> TableItem:
        if name not in self.spec.tables:
            raise InputError(f"{self.folder}/document.yaml: table {name!r} is not described under tables")
        spec = self.spec.tables[name]
        rows: Sequence[Mapping[str, Any]]
        if spec.rows in self.tables:
            rows = self.tables[spec.rows].to_dict("records")
        else:
            rows = look_up(self.facts, spec.rows, f"{self.folder}/document.yaml, table {name}")
        values = self._values(spec.values, name)
        return TableItem(
            name,
            self.numbers[f"table:{name}"],
            self._sentences(f"table.{name}.caption", values),
            self._sentences(f"table.{name}.note", values) if spec.note else {},
            build_grid(name, spec, rows, self.languages),
        )

    def sections(self, specs: Sequence[SectionSpec]) -> tuple[Section, ...]:
        return tuple(
            Section(
                spec.id,
                self.numbers[f"section:{spec.id}"],
                self.text(spec.heading),
                self.items(spec.content),
                self.sections(spec.sections),
                spec.appendix,
            )
            for spec in specs
        )

    def check_rows(self, items: Sequence[Item]) -> None:
        """Raise InputError when a link leads to a row that no table has."""
        there = {anchor for item in items if isinstance(item, TableItem) for anchor in item.grid.row_ids}
        lost = sorted(set().union(*(writer.linked_rows for writer in self.writers.values())) - there)
        if lost:
            raise InputError(f"{self.folder}: row(): no table row {lost[0]}; see row_id in document.yaml")

    def texts_to_download(self) -> dict[str, str]:
        return {name: text for writer in self.writers.values() for name, text in writer.files.items()}

    def cited(self) -> list[Reference]:
        keys = set().union(*(writer.cited for writer in self.writers.values()))
        return sorted((self.references[key] for key in keys), key=sort_key)

    def particulars(self) -> dict[str, dict[str, str]]:
        given = title_block(self.facts)
        found: dict[str, dict[str, str]] = {}
        for name in PARTICULARS:
            value = given.get(name)
            if not value:
                continue
            found[name] = {language.code: self._particular(name, value, language) for language in self.languages}
        return found

    @staticmethod
    def _particular(name: str, value: Any, language: Language) -> str:
        if name == "date":
            return language.date(value)
        if isinstance(value, Mapping):
            return str(value.get(language.code) or next(iter(value.values())))
        if isinstance(value, str):
            return value
        return language.list([_person(author, language) for author in value])


def build_document(
    folder: str,
    facts: Mapping[str, Any],
    figures: Sequence[FigureSpec],
    tables: Mapping[str, pandas.DataFrame],
    languages: Sequence[Language],
    *,
    assets: Assets | None = None,
    edition: str = "report",
    alternates: Mapping[str, str] | None = None,
    pixels: bool = False,
) -> Document:
    """Put a report together.

    Parameters
    ----------
    folder
        The analysis's folder under ``templates/``.
    facts, figures, tables
        What the analysis offers for its results (`analyses.protocol.Analysis`).
    languages
        One for a document in one language; several stand side by side.
    edition
        Name of one of the files that editions consist of (`files_of`).
    alternates
        Code of another document of the same report -> its address relative to this one.
    pixels
        Whether figures are drawn as PNG too.

    Raises
    ------
    InputError
        When a template, sentence or number is missing or cannot be written; the line says where.
    """
    assets = assets or Assets.default()
    clash = sorted(facts.keys() & set(Writer.FUNCTIONS))
    if clash:
        raise InputError(f"facts: {', '.join(clash)} are names of functions in templates; rename them")
    with figure_style(assets):
        builder = _Builder(assets, folder, facts, figures, tables, languages, edition, pixels)
        front, sections = builder.items(builder.front_specs), builder.sections(builder.section_specs)
    front, sections = _with_files(front, sections, assets)
    builder.check_rows([*front, *_items(sections)])
    cited, spec = builder.cited(), builder.spec
    file = spec.files.get(edition, FileSettings(edition=edition))
    given = title_block(facts)
    date = _date(given["date"]) if given.get("date") else None
    return Document(
        languages=builder.languages,
        title=builder.title(),
        subtitle=builder.text(file.subtitle or spec.subtitle),
        running_title=builder.text(spec.running_title or spec.title),
        keywords=builder.text(spec.keywords),
        particulars=builder.particulars(),
        authors=tuple(given.get("authors", ())),
        date=date,
        url=given.get("url"),
        front=front,
        sections=sections,
        references={
            language.code: tuple((reference.key, entry(reference, language)) for reference in cited) for language in builder.languages
        },
        bibliography="\n".join(bibtex(reference) for reference in cited),
        formulas=builder.formulas,
        edition=edition,
        alternates=dict(alternates or {}),
        data={f"{name}.csv": csv_text(table) for name, table in sorted(tables.items()) if file.data},
        texts=builder.texts_to_download() if file.data else {},
        contents=file.contents,
        assets=assets,
    )


def _with_files(front: tuple[Item, ...], sections: tuple[Section, ...], assets: Assets) -> tuple[tuple[Item, ...], tuple[Section, ...]]:
    """The same with each figure's file: one cut of the fonts does for all figures of a document."""
    figures = [item for item in (*front, *_items(sections)) if isinstance(item, FigureItem)]
    characters, paper = frozenset().union(*(letters(figure.svg) for figure in figures)), Palette.load(assets).light["paper"]

    def finished(items: Sequence[Item]) -> tuple[Item, ...]:
        return tuple(
            replace(item, file=stand_alone(item.svg, paper, characters, assets)) if isinstance(item, FigureItem) else item for item in items
        )

    def within(sections: Sequence[Section]) -> tuple[Section, ...]:
        return tuple(replace(section, items=finished(section.items), sections=within(section.sections)) for section in sections)

    return finished(front), within(sections)


def _date(value: Any) -> datetime.date:
    try:
        return datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InputError(f"study.json: settings.document.date: expected a date such as 2026-03-02, found {value!r}") from None


def plain_number(document: Document, kind: str, number: str, language: Language) -> Markup:
    """``Figure 3`` in a language."""
    return escape(language.text("format.numbered", kind=language.text(f"interface.{kind}"), number=number))
