"""What prose may say: the functions of the templates, in one language."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from markupsafe import Markup, escape

from analyses.errors import InputError
from reportgen.documents.assets import Assets
from reportgen.documents.formulas import FormulaSpec, typeset
from reportgen.documents.languages import Labels, Language
from reportgen.documents.references import Reference, short_authors
from reportgen.documents.sandbox import PlainContext

MOST_LINES = 100
INLINE_TAG = re.compile(r"&lt;(/?(?:i|em|b|strong|sub|sup|code))&gt;")
VERDICT_SIGNS = {"supported": "✓", "contradicted": "✗", "inconclusive": "?", "not_testable": "–"}
FORMULA = re.compile(r'<report-formula name="([a-z0-9_]+)"( inline)?></report-formula>')


def inline_markup(sentence: str) -> Markup:
    """A sentence of a catalogue as HTML: a few inline tags work, all else is text."""
    return Markup(INLINE_TAG.sub(r"<\1>", str(escape(sentence))))


def side_by_side(words: Mapping[str, str], css: str = "") -> Markup:
    """The same thing in several languages (code -> words), each marked with its language and, where one is given, a class."""
    classed = Markup(' class="{}"').format(css) if css else Markup()
    spans = [Markup('<span{} lang="{}">{}</span>').format(classed, code, each) for code, each in words.items()]
    return Markup('<span class="both"> / </span>').join(spans)


def verdict_mark(verdict: str, words: Mapping[str, str]) -> Markup:
    """A verdict as a sign and a word (in every given language), never by its colour alone."""
    if verdict not in VERDICT_SIGNS:
        raise InputError(f"verdict {verdict!r} must be one of {', '.join(VERDICT_SIGNS)}")
    return Markup('<span class="verdict verdict--{}"><span class="sign" aria-hidden="true">{}</span> {}</span>').format(
        verdict, VERDICT_SIGNS[verdict], side_by_side(words)
    )


def row_anchor(table: str, key: str) -> str:
    """The anchor of a table's row; the key joins the row's identifying values with hyphens."""
    return f"table-{table}-{key}"


@dataclass
class Writer:
    """Renders prose and sentences in one language and notes what was cited.

    Attributes
    ----------
    targets
        ``figure:profile`` -> (anchor, written number) of everything that can be referred to.
    cited
        Keys of the references met so far.
    linked_rows
        Anchors of the table rows that links lead to.
    files
        Name -> text of what readers may download.
    """

    FUNCTIONS: ClassVar[tuple[str, ...]] = (
        "text",
        "_",
        "fill",
        "sentence",
        "verdict",
        "number",
        "integer",
        "percent",
        "p_value",
        "p",
        "interval",
        "statistic",
        "date",
        "list",
        "ref",
        "row",
        "lines",
        "formula",
        "cite",
        "cite_text",
        "download",
        "language",
        "edition",
    )

    language: Language
    assets: Assets
    folder: str
    facts: Mapping[str, Any]
    references: Mapping[str, Reference]
    formulas: Mapping[str, FormulaSpec]
    targets: Mapping[str, tuple[str, str]]
    edition: str = "report"
    cited: set[str] = field(default_factory=set)
    linked_rows: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._environment = self.assets.environment()
        functions = self._functions()
        self._environment.offer(**functions)
        filters = ("number", "integer", "percent", "p_value", "p", "date", "verdict", "fill", "sentence")
        self._environment.offer_filters(**{name: functions[name] for name in filters})
        self._seen = PlainContext({**self.facts, "language": self.language.code, "edition": self.edition})

    def _functions(self) -> dict[str, Callable[..., Any]]:
        language = self.language
        return {
            "text": self.text,
            "_": self.text,
            "fill": self.fill,
            "sentence": self.sentence_of,
            "verdict": self.verdict,
            "number": language.told,
            "integer": language.integer,
            "percent": language.percent,
            "p_value": language.p_value,
            "p": language.p,
            "interval": language.interval,
            "statistic": language.statistic,
            "date": language.date,
            "list": language.list,
            "ref": self.ref,
            "row": self.row,
            "lines": self.lines,
            "formula": self.formula,
            "cite": self.cite,
            "cite_text": self.cite_text,
            "download": self.download,
        }

    def text(self, key: str, **values: Any) -> Markup:
        """A sentence of the catalogue as HTML; values are escaped, and formatted when they are value specs."""
        return self._filled(self.language.sentence(key, values.get("count")), values, key)

    def _filled(self, sentence: str, values: Mapping[str, Any], key: str) -> Markup:
        template = str(inline_markup(sentence))
        written = {name: value if isinstance(value, Markup) else escape(self.language.format(value)) for name, value in values.items()}
        return Markup(self.language.fill(template, written, key))

    def fill(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Value specs, written."""
        return {name: self.language.format(value) for name, value in values.items()}

    def sentence_of(self, finding: Mapping[str, Any]) -> Markup:
        """The sentence of a finding; values lead to the rows that its ``rows`` names for them, or for the words that they begin with.

        Of two such words the longer one counts; where ``rows`` has None for it, its values lead nowhere.
        """
        values, rows = finding.get("values", {}), finding.get("rows", {})
        led = {name: self._led(name, value, rows) for name, value in values.items()} if rows else values
        return self.text(finding["key"], **led)

    def _led(self, name: str, value: Any, rows: Mapping[str, Mapping[str, str] | None]) -> Any:
        beginnings = [each for each in rows if name == each or name.startswith(f"{each}_")]
        row = rows[max(beginnings, key=len)] if beginnings else None
        return value if row is None else self.row(row["table"], row["row"], self.language.format(value))

    def verdict(self, verdict: str) -> Markup:
        """A verdict's sign and word."""
        return verdict_mark(verdict, {self.language.code: self.language.text(f"verdict.{verdict}")})

    def ref(self, target: str) -> Markup:
        """A link to a figure, table or section with its number; raises InputError when the document has no such thing."""
        try:
            anchor, written = self.targets[target]
        except KeyError:
            raise InputError(f"ref({target!r}): the document has no such figure, table or section") from None
        return Markup('<a class="ref" href="#{}">{}</a>').format(anchor, written.replace(" ", "\u00a0"))

    def row(self, table: str, key: str, words: str) -> Markup:
        """Words that lead to the row of a table where their numbers stand; just the words where the document is without the table."""
        if f"table:{table}" not in self.targets:
            return escape(words)
        anchor = row_anchor(table, key)
        self.linked_rows.add(anchor)
        return Markup('<a class="row" href="#{}">{}</a>').format(anchor, words)

    def download(self, name: str, text: str) -> Markup:
        """A link by which a text is downloaded as a file, named by the file in every language; on paper the file is attached."""
        self.files[name] = text
        content = base64.b64encode(text.encode()).decode("ascii")
        link = Markup('<p class="tools"><a download="{}" href="data:text/plain;charset=utf-8;base64,{}">{}</a></p>')
        return link.format(name, content, name)

    def lines(self, count: int) -> Markup:
        """Ruled lines to write on, by hand."""
        if not 0 <= count <= MOST_LINES:
            raise InputError(f"lines({count}): 0 to {MOST_LINES}")
        words = self.language.text("interface.write_here")
        return Markup('<div class="lines"><p class="spoken">{}</p>{}</div>').format(words, Markup('<div class="line"></div>') * count)

    def formula(self, name: str, inline: bool = False) -> Markup:
        """A place for a formula; what stands there is decided by the kind of document (see `fill_formulas`)."""
        if name not in self.formulas:
            raise InputError(f"formula({name!r}): not in formulas.yaml")
        mark = Markup('<report-formula name="{}"{}></report-formula>').format(name, Markup(" inline") if inline else "")
        # A wide formula scrolls on a narrow screen: by keyboard as well.
        block = Markup('<span class="equation" tabindex="0" role="group" aria-label="{}">{}</span>')
        return mark if inline else block.format(self.language.text("interface.formula"), mark)

    def _reference(self, key: str) -> Reference:
        if key not in self.references:
            raise InputError(f"cite({key!r}): not in references.yaml")
        self.cited.add(key)
        return self.references[key]

    def _citation(self, key: str, form: str) -> Markup:
        reference = self._reference(key)
        words = self.language.text(form, authors=short_authors(reference, self.language), year=reference.year)
        return Markup('<a class="cite" href="#reference-{}">{}</a>').format(key, words)

    def cite(self, *keys: str) -> Markup:
        """Sources in brackets."""
        separator = escape(self.language.text("format.citation_separator"))
        return self.text("format.citation", citations=separator.join(self._citation(key, "format.citation_entry") for key in keys))

    def cite_text(self, key: str) -> Markup:
        """A source as part of the sentence."""
        return self._citation(key, "format.citation_in_text")

    def block(self, address: str) -> Markup:
        """Prose: ``template.block``. A user's own template need hold only the blocks that it changes."""
        template_name, _, block_name = address.partition(".")
        name = f"{self.folder}/{self.language.code}/{template_name}.html.j2"
        layers = self.assets.layers(name)
        if not layers:
            raise InputError(f"templates: no file {name}")
        for layer in layers:
            if block_name in self._environment.blocks(layer):
                return Markup(self._environment.render(layer, self._seen, block_name).strip())
        raise InputError(f"templates/{name}: no block {block_name!r}")

    def component(self, file: str) -> Markup:
        """A template shared by the languages."""
        name = f"{self.folder}/components/{file}"
        self.assets.path(name)
        return Markup(self._environment.render(name, self._seen).strip())


def fill_formulas(
    html: str, language: Language, formulas: Mapping[str, FormulaSpec], drawn: Callable[[str, bool, Language], Markup] | None = None
) -> str:
    """Put the formulas in their places: MathML, or what `drawn` makes of (name, inline, language)."""

    def formula(match: re.Match[str]) -> str:
        name, inline = match[1], match[2] is not None
        if drawn is not None:
            return drawn(name, inline, language)
        alt = language.text(formulas[name].alt)
        mathml = typeset(formulas[name].latex, language.decimal_sign, inline).mathml
        return mathml.replace("<math ", Markup('<math aria-label="{}" ').format(alt), 1)

    return FORMULA.sub(formula, html)


def verdict_in(verdict: str, labels: Labels) -> Markup:
    """A verdict in all languages of a document, for what it shows once."""
    return verdict_mark(verdict, {language.code: language.text(f"verdict.{verdict}") for language in labels.languages})
