"""A document as one HTML file that needs nothing else: no network, no script."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jinja2
from markupsafe import Markup, escape

from reportgen.render.document import Document, FigureItem, Section, TableItem, plain_number
from reportgen.render.languages import Language
from reportgen.render.references import Reference, bibtex, entry
from reportgen.render.svg import Palette, follow_scheme
from reportgen.render.writer import fill_formulas

FACES = {
    "serif-regular": ("Reportgen Serif", 400, "normal"),
    "serif-italic": ("Reportgen Serif", 400, "italic"),
    "serif-semibold": ("Reportgen Serif", 600, "normal"),
    "sans-regular": ("Reportgen Sans", 400, "normal"),
    "sans-italic": ("Reportgen Sans", 400, "italic"),
    "sans-semibold": ("Reportgen Sans", 600, "normal"),
    "mono-regular": ("Reportgen Mono", 400, "normal"),
    "math-regular": ("Reportgen Math", 400, "normal"),
}

DrawFormula = Callable[[str, bool, Language], Markup]


def data_uri(content: str | bytes, media_type: str) -> str:
    """Content as an address of its own."""
    data = content.encode() if isinstance(content, str) else content
    charset = ";charset=utf-8" if isinstance(content, str) else ""
    return f"data:{media_type}{charset};base64,{base64.b64encode(data).decode('ascii')}"


def font_faces(address: Callable[[str], str], style_format: str) -> str:
    """``@font-face`` rules for the report's fonts."""
    return "".join(
        f'@font-face{{font-family:"{family}";font-weight:{weight};font-style:{style};'
        f'src:url("{address(name)}") format("{style_format}")}}\n'
        for name, (family, weight, style) in FACES.items()
    )


def _own_reference(document: Document) -> Reference:
    first = document.languages[0].code
    fields = {"publisher": document.particulars["institution"][first]} if "institution" in document.particulars else {}
    if document.url:
        fields["url"] = document.url
    year = str(document.date.year) if document.date else ""
    title = document.title[first]
    key = re.sub(r"[^a-z]", "", (document.authors[0].partition(",")[0] if document.authors else "report").lower()) or "report"
    # Without authors the institution is the author, and nobody is both author and publisher.
    authors = document.authors or tuple(filter(None, (fields.pop("publisher", ""),)))
    return Reference(f"{key}{year}", "misc", authors, year, title, fields)


def _csl(reference: Reference) -> str:
    people = []
    for author in reference.authors:
        family, _, given = author.partition(", ")
        people.append({"family": family, "given": given} if given else {"literal": family})
    data: dict[str, Any] = {"id": reference.key, "type": "report", "title": reference.title, "author": people}
    if reference.year:
        data["issued"] = {"date-parts": [[int(reference.year)]]}
    data |= {name.replace("url", "URL"): reference.fields[name] for name in ("publisher", "url") if name in reference.fields}
    return json.dumps([data], ensure_ascii=False, indent=2)


def _switches(document: Document, languages_names: Mapping[str, str]) -> list[dict[str, str]]:
    switches = []
    for code, address in document.alternates.items():
        both = "-" in code
        name = document.languages[0].text("interface.both_languages") if both else languages_names[code]
        mark = code.upper().replace("-", "+")
        words = name if both else document.languages[0].text("interface.read_in", language=name)
        switches.append({"code": code.partition("-")[0], "address": address, "name": name, "mark": mark, "words": words})
    return switches


def render_page(
    document: Document,
    target: Literal["html", "pdf"],
    css: str,
    drawing: Callable[[FigureItem], Markup],
    draw_formula: DrawFormula | None = None,
    language_names: Mapping[str, str] | None = None,
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
    """
    environment = document.assets.environment()
    environment.undefined = jinja2.StrictUndefined
    environment.filters["data_uri"] = data_uri
    languages, first = document.languages, document.languages[0]

    def filled(html: Markup, language: Language) -> Markup:
        return Markup(fill_formulas(html, language, document.formulas, draw_formula))

    def joined(key: str) -> list[dict[str, str]]:
        words = {language.text(key): language.code for language in reversed(languages)}
        return [{"code": code, "text": text} for text, code in reversed(words.items())]

    def say(key: str, **values: Any) -> str:
        return first.text(key, **{name: str(value) for name, value in values.items()})

    def alike(by_language: Mapping[str, str]) -> Markup:
        if len(set(by_language.values())) == 1:
            return escape(next(iter(by_language.values())))
        spans = [Markup('<span lang="{}">{}</span>').format(code, words) for code, words in by_language.items()]
        return Markup('<span class="both"> / </span>').join(spans)

    sortable = any(isinstance(item, TableItem) and item.grid.sortable for item in document.items())
    script = document.assets.text("report/sort.js") if target == "html" and sortable else ""
    own = _own_reference(document)
    body = [section for section in document.sections if not section.appendix]
    appendices = [section for section in document.sections if section.appendix]
    references = document.references[first.code]
    listed = Section("references", "", {language.code: language.text("interface.references") for language in languages})
    return environment.get_template("report/document.html.j2").render(
        document=document,
        document_title=" / ".join(dict.fromkeys(document.title.values())),
        target=target,
        css=Markup(css),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        languages=languages,
        first=first,
        body=body,
        appendices=appendices,
        references=references,
        reference_section=listed,
        entries=[*body, *([listed] if references else []), *appendices],
        own_entry=entry(own, first),
        own_bibtex=bibtex(own),
        own_csl=_csl(own),
        switches=_switches(document, language_names or {}) if target == "html" else [],
        pdf_name=f"{document.edition}.pdf",
        drawing=drawing,
        filled=filled,
        joined=joined,
        say=say,
        alike=alike,
        numbered=lambda kind, number, language: plain_number(document, kind, number, language),
    )


def style_sheet(document: Document, *names: str) -> str:
    """Style sheets of the report, one after the other."""
    return "\n".join(document.assets.text(f"styles/{name}.css") for name in names)


def render_html(document: Document, language_names: Mapping[str, str] | None = None) -> str:
    """The document as one self-contained HTML file.

    Parameters
    ----------
    language_names
        Code -> name, for the links to the document's `alternates`.
    """
    palette = Palette.load(document.assets)
    fonts = font_faces(lambda name: data_uri(document.assets.path(f"fonts/{name}.woff2").read_bytes(), "font/woff2"), "woff2")

    def drawing(item: FigureItem) -> Markup:
        alt = " / ".join(dict.fromkeys(item.alt.values()))
        svg = follow_scheme(item.svg, palette)
        svg = re.sub(r'^(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
        svg = re.sub(r'^(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
        return Markup(svg.replace("<svg ", Markup('<svg aria-label="{}" ').format(alt), 1))

    page = render_page(
        document, "html", fonts + palette.screen_css() + style_sheet(document, "report", "screen"), drawing, None, language_names
    )
    return re.sub(r"\n\s*\n+", "\n", page).lstrip()
