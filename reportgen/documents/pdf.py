"""A document as an archival, tagged PDF: the same page as the HTML, laid out for A4."""

import datetime
import functools
import hashlib
import re
from io import BytesIO

import weasyprint
from markupsafe import Markup
from weasyprint.text.fonts import FontConfiguration

from reportgen.documents.direction import directed
from reportgen.documents.document import Document, FigureItem
from reportgen.documents.engine import SCHEME, OwnAssetsOnly, laying_out
from reportgen.documents.faces import font_faces
from reportgen.documents.formulas import typeset
from reportgen.documents.html import render_page, signs_unbroken, style_sheet
from reportgen.documents.languages import Language, in_one_line
from reportgen.documents.other_scripts import shapeless_replaced, with_fonts
from reportgen.documents.pagination import Arrangement, arrange, draft, emptiness, in_paragraphs, measure, rearranged
from reportgen.documents.svg import Palette
from reportgen.documents.tagging import FORMULA_MARK, UNDATED, finish

# What more of them would fill is not worth their time: each takes as long as a layout.
DRAFTS = 3
# Where Pango would end a line: between the point and the digits of ".05", and at the hyphens of a name such as SmolLM2-135M-Instruct.
# At the strokes of "|z|" too. Such words are kept whole, with what clings to them.
WHOLE = re.compile(r"(?<=[> \n(;])([^ \n<>&]*(?:(?<![\w/])\.[0-9]|[A-Za-z]\w*[0-9]\w*-\w|\|\w\|)[^ \n<>&]*)(?=[^<>]*<)")
# WeasyPrint 70 ends a line after its first word when the text before a box fits into it but for the space at its end. So no text ends
# with one: the last word before a box is set in a box of its own, together with the space before it, and so is every word of a quoted
# text, in which much is marked.
WORD_BEFORE_BOX = re.compile(r"(\s*[^\s<>]{1,40})\s+(?=<(?:a|b|code|em|i|img|mark|span|strong|sub|sup)\b)")
QUOTED = re.compile(r"<blockquote.*?</blockquote>", re.DOTALL)
WORD = re.compile(r"(?<=[> \n])([^ \n<>]+)[ \n]+(?=[^<>]*<)")


class _Press:
    """Lays a document out, under one arrangement of its figures after the other."""

    def __init__(self, document: Document) -> None:
        self._document = in_paragraphs(document)
        self._palette = Palette.load(document.assets)
        fonts = font_faces(lambda name: f"{SCHEME}fonts/{name}.ttf", "truetype")
        self._css = fonts + self._palette.paper_css() + style_sheet(document, "report", "paper")
        self.fonts: dict[str, bytes] = {}
        self.mathml: dict[str, str] = {}
        self.pictures = {self._address(item.id): item.svg for item in document.items() if isinstance(item, FigureItem)}

    @staticmethod
    def _address(name: str) -> str:
        return f"{SCHEME}pictures/{name}.svg"

    @staticmethod
    def _script_address(index: int) -> str:
        return f"{SCHEME}scripts/{index + 1}.ttf"

    def _formula(self, name: str, inline: bool, language: Language) -> Markup:
        formulas = self._document.formulas
        made = typeset(formulas[name].latex, language.decimal_sign, inline, self._palette.light["ink"])
        address = self._address(f"formula-{name}-{language.code}{'-inline' * inline}")
        self.pictures[address] = made.svg
        alt = language.text(formulas[name].alt)
        self.mathml[alt] = made.mathml
        place = f"width:{made.width:.4f}em;height:{made.height:.4f}em" + (f";vertical-align:{-made.depth:.4f}em" if inline else "")
        return Markup('<img class="formula" style="{}" src="{}" alt="{}">').format(place, address, FORMULA_MARK + alt)

    def page(self, arrangement: Arrangement, *, short: bool = False) -> str:
        """The page's source; a short one ends with the last chapter that has figures."""

        def drawing(item: FigureItem) -> Markup:
            alt = in_one_line(item.alt.values())
            scale = arrangement.scales.get(f"figure-{item.id}", 1.0)
            size = Markup(' style="width:{:.0f}%"').format(100 * scale) if scale != 1 else ""
            return Markup('<img class="drawing"{} src="{}" alt="{}">').format(size, self._address(item.id), alt)

        document = rearranged(draft(self._document) if short else self._document, arrangement)
        page = directed(shapeless_replaced(render_page(document, "pdf", self._css, drawing, self._formula)))
        page, fonts = with_fonts(page, lambda index, _: self._script_address(index), "truetype")
        self.fonts = {self._script_address(index): font.ttf for index, font in enumerate(fonts)}
        head, begin, body = page.partition("<body")
        body = WHOLE.sub(r'<span class="unbroken">\1</span>', signs_unbroken(body))
        title, main, text = body.partition("<main")
        text = WORD_BEFORE_BOX.sub(r"<span>\1</span> ", text)
        return head + begin + title + main + QUOTED.sub(_in_words, text)

    def layout(self, source: str, *, short: bool = False) -> weasyprint.Document:
        """The source on pages; figures are empty in a short one."""
        pictures = {address: _emptied(svg) if short else svg for address, svg in self.pictures.items()}
        fetcher = OwnAssetsOnly(self._document.assets, pictures, self.fonts)
        return weasyprint.HTML(string=source, url_fetcher=fetcher).render(font_config=FontConfiguration())

    def arrangement(self) -> Arrangement:
        """Where the figures go: of some drafts, each made of what was measured in the one before, that which leaves least empty."""
        current, tried = Arrangement(), list[tuple[float, Arrangement]]()
        for _ in range(DRAFTS):
            units, height = measure(self.layout(self.page(current, short=True), short=True), self._document, current)
            tried.append((emptiness(units, height, current), current))
            following = arrange(units, height, current)
            if any(following == before for _, before in tried):
                break
            current = following
        return min(tried, key=lambda each: each[0])[1]


def _in_words(quoted: re.Match[str]) -> str:
    # The order of boxes in a line is that of the page's own direction: words that run the other way stay in one.
    return quoted[0] if 'dir="rtl"' in quoted[0] else WORD.sub(r"<span>\1</span> ", quoted[0])


def _emptied(svg: str) -> str:
    return f"{svg[: svg.index('>')].rstrip('/')}/>"


def _attachments(document: Document) -> list[weasyprint.Attachment]:
    """The tables behind the report, and the text that was studied, as files within it."""
    midnight = _midnight(document)
    return [
        weasyprint.Attachment(string=csv, name=name, description=name, created=midnight, modified=midnight, relationship="Data")
        for name, csv in (*document.data.items(), *document.texts.items())
    ]


def _midnight(document: Document) -> datetime.datetime:
    """The date of the files within the report is the report's own: it is part of the PDF's bytes."""
    return datetime.datetime.combine(document.date, datetime.time()) if document.date else UNDATED


def plan_pdf(document: Document) -> Arrangement:
    """Where the figures go on paper; raises RuntimeError as `render_pdf` does."""
    with laying_out():
        return _Press(document).arrangement()


def render_pdf(document: Document, arrangement: Arrangement | None = None) -> bytes:
    """The document as PDF/A-3a with tags for screen readers; the same document gives the same bytes.

    Parameters
    ----------
    arrangement
        Where the figures go, when `plan_pdf` has said so already.

    Raises
    ------
    RuntimeError
        When the layout engine complains: of a rule that it does not know, a picture that it cannot draw.
    """
    arrangement = plan_pdf(document) if arrangement is None else arrangement
    with laying_out():
        press = _Press(document)
        source = press.page(arrangement)
        target = BytesIO()
        identifier = hashlib.sha256(
            "\0".join([source, *press.pictures.values(), *document.data.values(), *document.texts.values()]).encode()
        )
        for font in press.fonts.values():
            identifier.update(font)
        press.layout(source).write_pdf(
            target,
            pdf_variant="pdf/a-3a",
            pdf_identifier=identifier.digest()[:16],
            finisher=functools.partial(finish, mathml=press.mathml, date=_midnight(document)),
            attachments=_attachments(document),
        )
        return target.getvalue()
