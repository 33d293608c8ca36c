"""A document as an archival, tagged PDF: the same page as the HTML, laid out for A4."""

import hashlib
import logging
import re
from io import BytesIO

import weasyprint
from markupsafe import Markup
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from reportgen.render.assets import Assets
from reportgen.render.document import Document, FigureItem
from reportgen.render.formulas import typeset
from reportgen.render.html import data_uri, font_faces, render_page, style_sheet
from reportgen.render.languages import Language
from reportgen.render.svg import Palette
from reportgen.render.tagging import FORMULA_MARK, finish

SCHEME = "reportgen:"
# WeasyPrint 70 ends a line too early when what follows a text in the line does not fit, unless the text's last word is a box of its own.
# The bound keeps the search linear: pictures stand in the page as words of a hundred thousand letters.
WORD_BEFORE_BOX = re.compile(r"([^\s<>]{1,40})\s+(?=<(?:a|b|code|em|i|img|mark|span|strong|sub|sup)\b)")


class _OwnAssetsOnly(URLFetcher):
    """Gives the report's own files and data addresses; anything else is an error, not a gap on the page."""

    def __init__(self, assets: Assets) -> None:
        super().__init__(allowed_protocols=("data",))
        self._assets = assets

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        if url.startswith(SCHEME):
            return URLFetcherResponse(url, self._assets.path(url.removeprefix(SCHEME)).read_bytes())
        if url.startswith("data:"):
            return super().fetch(url, headers)
        raise FatalURLFetchingError(f"the report may not load {url}")


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def render_pdf(document: Document) -> bytes:
    """The document as PDF/A-3a with tags for screen readers; the same document gives the same bytes.

    Raises
    ------
    RuntimeError
        When the layout engine complains: of a rule that it does not know, a picture that it cannot draw.
    """

    def drawing(item: FigureItem) -> Markup:
        alt = " / ".join(dict.fromkeys(item.alt.values()))
        return Markup('<img class="drawing" src="{}" alt="{}">').format(data_uri(item.svg, "image/svg+xml"), alt)

    def formula(name: str, inline: bool, language: Language) -> Markup:
        made = typeset(document.formulas[name]["latex"], language.decimal_sign, inline, palette.light["ink"])
        alt = language.text(document.formulas[name]["alt"])
        place = f"width:{made.width:.4f}em;height:{made.height:.4f}em" + (f";vertical-align:{-made.depth:.4f}em" if inline else "")
        return Markup('<img class="formula" style="{}" src="{}" alt="{}">').format(
            place, data_uri(made.svg, "image/svg+xml"), FORMULA_MARK + alt
        )

    palette = Palette.load(document.assets)
    fonts = font_faces(lambda name: f"{SCHEME}fonts/{name}.ttf", "truetype")
    page = render_page(document, "pdf", fonts + palette.paper_css() + style_sheet(document, "report", "paper"), drawing, formula)
    head, main, body = page.partition("<main")
    page = head + main + WORD_BEFORE_BOX.sub(r"<span>\1</span> ", body)
    complaints = _Complaints()
    logger = logging.getLogger("weasyprint")
    logger.addHandler(complaints)
    try:
        layout = weasyprint.HTML(string=page, url_fetcher=_OwnAssetsOnly(document.assets)).render(font_config=FontConfiguration())
        target = BytesIO()
        layout.write_pdf(target, pdf_variant="pdf/a-3a", pdf_identifier=hashlib.sha256(page.encode()).digest()[:16], finisher=finish)
    except FatalURLFetchingError as error:
        raise RuntimeError(str(error)) from error
    finally:
        logger.removeHandler(complaints)
    if complaints.lines:
        raise RuntimeError(
            f"PDF: {complaints.lines[0]}" + (f" (and {len(complaints.lines) - 1} more)" if len(complaints.lines) > 1 else "")
        )
    return target.getvalue()
