"""A small page with all that a report asks of the layout engine: its fonts, subset and embedded, letters of both languages, a table,
a picture, tags."""

import re
from collections.abc import Sequence
from io import BytesIO

import weasyprint
from markupsafe import escape
from weasyprint.text.fonts import FontConfiguration

from reportgen.documents.assets import Assets
from reportgen.documents.engine import SCHEME, OwnAssetsOnly, complaints_of_layout, laying_out
from reportgen.documents.faces import FACES, font_faces
from reportgen.documents.tagging import finish

_PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='9' height='9'%3E%3Cpath d='M0 0h9v9z'/%3E%3C/svg%3E"
_TABLE = '<table><thead><tr><th scope="col">N</th></tr></thead><tbody><tr><th scope="row">1</th><td>0.5</td></tr></tbody></table>'
_LINES = ("Số liệu và hình vẽ của bản báo cáo: ạểữỹđƯ", "Numbers and figures of the report: 0.05 ≤ p − 1")


def print_sample(assets: Assets | None = None) -> bytes:
    """Print the sample as PDF/A-3a.

    Raises
    ------
    RuntimeError
        When the layout engine complains, as `render_pdf` does.
    """
    css = font_faces(lambda name: f"{SCHEME}fonts/{name}.ttf", "truetype")
    body = "".join(
        f"<p style=\"font:{style} {weight} 10pt '{family}'\">{line}</p>"
        for family, weight, style in FACES.values()
        for line in (_LINES if "Math" not in family else _LINES[1:])
    )
    head = f"<head><title>reportgen</title><style>{css}table{{font-family:'Reportgen Sans'}}</style></head>"
    source = f'<html lang="vi">{head}<body>{body}{_TABLE}<img alt="N" src="{_PICTURE}"></body></html>'
    with laying_out():
        page = weasyprint.HTML(string=source, url_fetcher=OwnAssetsOnly(assets or Assets.default()))
        target = BytesIO()
        page.render(font_config=FontConfiguration()).write_pdf(target, pdf_variant="pdf/a-3a", pdf_identifier=bytes(16), finisher=finish)
    return target.getvalue()


def print_characters(characters: Sequence[str]) -> list[str]:
    """Print each character in a line of its own with the fonts of the system; return those that have no shape in any of them."""
    css = font_faces(lambda name: f"{SCHEME}fonts/{name}.ttf", "truetype")
    body = "".join(f"<p>{escape(character)}</p>" for character in characters)
    source = f"<html lang=\"en\"><head><title>reportgen</title><style>{css}body{{font-family:'Reportgen Serif'}}</style></head><body>{body}"
    with complaints_of_layout() as complaints:
        page = weasyprint.HTML(string=source, url_fetcher=OwnAssetsOnly(Assets.default()))
        page.render(font_config=FontConfiguration()).write_pdf(BytesIO())
    missing = {chr(int(number, 16)) for line in complaints for number in re.findall(r"\(U\+([0-9A-F]+)\)", line)}
    return [character for character in characters if character in missing]
