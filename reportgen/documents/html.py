"""A document as one HTML file that needs nothing else: no network, no script."""

import base64
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from markupsafe import Markup, escape

from reportgen.documents.direction import isolated
from reportgen.documents.document import Document, FigureItem, Item, Section, TableItem, plain_number
from reportgen.documents.faces import font_faces
from reportgen.documents.languages import Language, in_one_line
from reportgen.documents.other_scripts import shapeless_replaced, with_fonts
from reportgen.documents.references import Person, Reference, bibtex, entry, plain_letters
from reportgen.documents.svg import Palette, follow_scheme, in_page, legend_of
from reportgen.documents.table_files import files_of_tables
from reportgen.documents.tables import Cell, Grid, Heading
from reportgen.documents.writer import fill_formulas, side_by_side


@dataclasses.dataclass(frozen=True)
class SitePage:
    """What a report says of the site that it is a page of.

    Attributes
    ----------
    head
        Elements for its head: where the page belongs.
    study
        Address of the study's own page, relative to this one.
    words
        What the link there says.
    self_contained
        Whether what can be downloaded is in the page; else it lies beside it, in ``figures/``, ``tables/`` and ``../refs.bib``.
    """

    head: Markup
    study: str
    words: str
    self_contained: bool = False


DrawFormula = Callable[[str, bool, Language], Markup]


def data_uri(content: str | bytes, media_type: str) -> str:
    """Content as an address of its own."""
    data = content.encode() if isinstance(content, str) else content
    charset = ";charset=utf-8" if isinstance(content, str) else ""
    return f"data:{media_type}{charset};base64,{base64.b64encode(data).decode('ascii')}"


# A sign between two numbers stays with both.
OPERATOR = re.compile(r"(?<=[\w|)\]]) (=|&lt;|&gt;|≤|≥|\+|×|±) (?=[\w−(.|])(?=[^<>]*<)")
# What a subscript is of, and what follows it, stays with it: no line begins with a subscript. Of few letters: a page holds files of
# megabytes without a space, in which a search for more would not end.
SUBSCRIPT = re.compile(r"(?<=[\s>])[^\s<>]{1,24}<(su[bp])>[^<]*</\1>[)\].,;:]*")
# What is no prose, or is copied as it is.
VERBATIM = re.compile(r"(<(?P<name>script|style|title|svg|math|pre|code|blockquote)\b.*?</(?P=name)>)", re.DOTALL)


def signs_unbroken(page: str) -> str:
    """A page in which no line ends at a sign between two numbers, or before a subscript: "p < .05" stays together."""
    parts = VERBATIM.split(page)
    for index in range(0, len(parts), 3):
        parts[index] = SUBSCRIPT.sub(r'<span class="unbroken">\g<0></span>', OPERATOR.sub("\u00a0\\1\u00a0", parts[index]))
    return "".join(part for index, part in enumerate(parts) if index % 3 != 2)


def _no_empty_lines(text: str) -> str:
    return re.sub(r"\n\s*\n+", "\n", text)


def _own_reference(document: Document, language: Language | None = None) -> Reference:
    """The report as what is cited: under its title in a language, or in all of its languages."""
    first = language.code if language else document.languages[0].code
    title = document.title[first] if language else in_one_line(document.title.values())
    fields = {"institution": document.particulars["institution"][first]} if "institution" in document.particulars else {}
    if document.url:
        fields["url"] = document.url
    year = str(document.date.year) if document.date else ""
    name = plain_letters(Person.of(document.authors[0]).family) if document.authors else ""
    key = re.sub(r"[^a-z]", "", name) or "report"
    return Reference(f"{key}{year}", "misc", document.authors, year, title, fields, language=first)


def bibliography(document: Document) -> str:
    """BibTeX of the report itself and of the sources that it cites."""
    return "\n".join(each for each in (bibtex(_own_reference(document)), document.bibliography) if each)


def _csl(reference: Reference) -> str:
    authors = [Person.of(author) for author in reference.authors]
    people = [{"family": each.family, "given": each.given} if each.given else {"literal": each.family} for each in authors]
    data: dict[str, Any] = {"id": reference.key, "type": "report", "title": reference.title}
    if people:
        data["author"] = people
    if reference.year:
        data["issued"] = {"date-parts": [[int(reference.year)]]}
    # CSL calls the institution behind a report its publisher.
    names = {"institution": "publisher", "url": "URL"}
    data |= {written: reference.fields[name] for name, written in names.items() if name in reference.fields}
    return json.dumps([data], ensure_ascii=False, indent=2)


def _switches(document: Document, languages_names: Mapping[str, str]) -> list[dict[str, str]]:
    switches = []
    for code, address in document.alternates.items():
        both = "-" in code
        first = document.languages[0]
        name = first.text("interface.both_languages") if both else languages_names[code]
        mark = code.upper().replace("-", "+")
        words = name if both else first.text("interface.read_in", language=first.name_of(code))
        switches.append({"code": code.partition("-")[0], "address": address, "name": name, "mark": mark, "words": words})
    return switches


def render_page(
    document: Document,
    target: Literal["html", "pdf"],
    css: str,
    drawing: Callable[[FigureItem], Markup],
    draw_formula: DrawFormula | None = None,
    language_names: Mapping[str, str] | None = None,
    site: SitePage | None = None,
    tables: Mapping[str, Mapping[str, str]] | None = None,
    legend: Callable[[FigureItem], Markup] | None = None,
) -> str:
    """The page that both kinds of document are made from.

    Parameters
    ----------
    drawing
        What stands for a figure.
    draw_formula
        What stands for a formula; MathML when not given.
    language_names
        Code -> name of the languages to switch to.
    site
        The site that the page is of, if it is of one.
    tables
        The files of each table, which only a page for a screen offers.
    legend
        What stands beside a figure where it is wider than the screen: nothing when not given.
    """
    environment = document.assets.environment()
    languages, first = document.languages, document.languages[0]
    by_code = {language.code: language for language in languages}
    figures = {item.id: item for item in document.items() if isinstance(item, FigureItem)}

    def joined(key: str) -> list[dict[str, str]]:
        words = {language.text(key): language.code for language in reversed(languages)}
        return [{"code": code, "text": text} for text, code in reversed(words.items())]

    def alike(by_language: Mapping[str, str]) -> Markup:
        if len(set(by_language.values())) == 1:
            return escape(next(iter(by_language.values())))
        return side_by_side(by_language)

    sortable = any(isinstance(item, TableItem) and item.grid.sortable for item in document.items())
    scripts = ("page", *(["sort"] if sortable else []))
    script = _no_empty_lines("\n".join(document.assets.text(f"report/{name}.js") for name in scripts)) if target == "html" else ""
    own = _own_reference(document)
    sections = [_section(section, tables) for section in document.sections]
    body = [section for section in sections if not section["appendix"]]
    appendices = [section for section in sections if section["appendix"]]
    references = document.references[first.code]
    listed = _section(Section("references", "", {language.code: language.text("interface.references") for language in languages}))
    inside = site is None or site.self_contained
    # Templates of a user's own that are copies of earlier ones have it.
    environment.offer_filters(data_uri=data_uri)
    environment.offer(
        figure_address=lambda name: data_uri(figures[name].file, "image/svg+xml") if inside else f"figures/{name}.svg",
        table_address=lambda name, content, media_type: data_uri(content, media_type) if inside else f"tables/{name}",
        data_address=lambda name: data_uri(figures[name].csv, "text/csv") if inside else f"figures/{name}.csv",
        drawing=lambda name: drawing(figures[name]),
        legend=lambda name: legend(figures[name]) if legend else "",
        filled=lambda html, code: Markup(fill_formulas(html, by_code[code], document.formulas, draw_formula)),
        joined=joined,
        say=lambda key, **values: first.text(key, **{name: str(value) for name, value in values.items()}),
        text_in=lambda code, key, **values: by_code[code].text(key, **values),
        number=first.number,
        alike=alike,
        numbered=lambda kind, number, code: plain_number(document, kind, number, by_code[code]),
    )
    context = {
        "document": {
            "title": document.title,
            "subtitle": document.subtitle,
            "running_title": document.running_title,
            "keywords": document.keywords,
            "particulars": document.particulars,
            "authors": document.authors,
            "date": document.date,
            "front": [_item(item, tables) for item in document.front],
            "contents": document.contents,
            "contents_begin_page": document.contents_begin_page,
            "bibliography": document.bibliography,
            "sources_address": data_uri(document.bibliography, "application/x-bibtex") if inside else "../refs.bib",
        },
        "document_title": in_one_line(document.title.values()),
        "target": target,
        # Within a style sheet nothing but its end begins with "</".
        "css": Markup(css.replace("</", "<\\/")),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        "languages": [{"code": language.code} for language in languages],
        "first": {"code": first.code},
        "body": body,
        "appendices": appendices,
        "references": references,
        "reference_section": listed,
        "entries": [*body, *([listed] if references else []), *appendices],
        "own_entry": entry(own, first),
        "own_entries": [{"code": each.code, "entry": entry(_own_reference(document, each), each)} for each in languages],
        "own_bibtex": bibtex(own),
        "own_csl": _csl(own),
        "switches": _switches(document, language_names or {}) if target == "html" else [],
        "pdf_name": f"{document.edition}.pdf",
        "site": {"head": site.head, "study": site.study, "words": site.words} if site else {},
    }
    return environment.render("report/document.html.j2", context)


def _section(section: Section, tables: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, Any]:
    return {
        "id": section.id,
        "number": section.number,
        "heading": section.heading,
        "items": [_item(item, tables) for item in section.items],
        "sections": [_section(child, tables) for child in section.sections],
        "appendix": section.appendix,
        "begins_page": section.begins_page,
    }


def _item(item: Item, tables: Mapping[str, Mapping[str, str]] | None) -> dict[str, Any]:
    """One item of a section as a template sees it."""
    seen = {field.name: getattr(item, field.name) for field in dataclasses.fields(item) if field.name not in ("grid", "png")}
    if isinstance(item, TableItem):
        seen |= {"length": item.length, "floats": item.floats, "grid": _grid(item.grid)}
        # Only a page has room for files beside what it shows.
        seen |= {"files": tables[item.id] if tables else {}}
    return seen


def _grid(grid: Grid) -> dict[str, Any]:
    def fields(record: Heading | Cell) -> dict[str, Any]:
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}

    return {
        "groups": [fields(group) for group in grid.groups],
        "headings": [fields(heading) for heading in grid.headings],
        "rows": [[fields(cell) for cell in row] for row in grid.rows],
        "widths": grid.widths,
        "row_ids": grid.row_ids,
        "sortable": grid.sortable,
        "parts": [{"group": fields(group) if group else None, "numbers": list(numbers)} for group, numbers in grid.parts()],
        "continued": [grid.continues(index) for index in range(len(grid.rows))],
    }


def style_sheet(document: Document, *names: str) -> str:
    """Style sheets of the report, one after the other."""
    return "\n".join(document.assets.text(f"styles/{name}.css") for name in names)


def render_html(
    document: Document,
    language_names: Mapping[str, str] | None = None,
    site: SitePage | None = None,
    tables: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The document as one self-contained HTML file.

    Parameters
    ----------
    language_names
        Code -> name, for the links to the document's `alternates`.
    site
        The site that the page is of, if it is of one.
    tables
        The files of each table, where they are made already (`files_of_tables`).
    """
    palette = Palette.load(document.assets)
    fonts = font_faces(lambda name: data_uri(document.assets.bytes(f"fonts/{name}.woff2"), "font/woff2"), "woff2")

    def drawing(item: FigureItem) -> Markup:
        alt = in_one_line(item.alt.values())
        return in_page(follow_scheme(item.svg, palette), alt, f"drawing-{item.id}")

    css = fonts + palette.screen_css() + style_sheet(document, "report", "screen")
    files = files_of_tables(document) if tables is None else tables
    page = render_page(
        document, "html", css, drawing, None, language_names, site, files, lambda item: legend_of(item.svg, f"drawing-{item.id}")
    )
    page, _ = with_fonts(isolated(shapeless_replaced(signs_unbroken(page))), lambda _, font: data_uri(font.woff2(), "font/woff2"), "woff2")
    return _no_empty_lines(page).lstrip()
