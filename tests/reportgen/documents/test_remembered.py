"""What the layout engine remembers changes nothing of what it says."""

import contextlib
from typing import Any

import pytest
import weasyprint
from weasyprint.formatting_structure import boxes
from weasyprint.layout import block, inline, preferred, table
from weasyprint.text import line_break
from weasyprint.text.fonts import FontConfiguration

from reportgen.documents import Document, engine, remembered, render_pdf
from reportgen.documents.engine import laying_out

PAGE = """<html lang="en"><style>
p{width:9em;text-indent:1em} .half{width:50%;padding:5%} u{letter-spacing:1px} ol{list-style:none} td{width:40%}
.wide{word-spacing:3px;overflow-wrap:anywhere;text-align:justify} .figures{font-variant-numeric:tabular-nums}
.cut{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
</style><p>A line of text that ends more than once, and <u>another one</u>.<p class="half">A line of text that ends more than once.
<p class="wide">Two lines of words and averyverylongwordthatcannotbeotherwise.<p class="figures">1 234 567 and 12.5
<p class="cut">A line of text that ends more than once.<p class="cut">A line of text that ends more than once.
<ol><li>A line of text that ends more than once.</ol>
<table><tr><th>A line of text<td>that ends more than once</table>"""


def owners() -> list[Any]:
    return [
        *(inline.split_first_line, preferred.split_first_line, inline.can_break_text, preferred.can_break_text, inline.strut),
        *(module.resolve_percentages for module in (block, inline, table)),
        *(line_break.Layout.setup, boxes.Box.is_in_normal_flow, boxes.ParentBox.page_values),
    ]


def test_a_report_is_the_same_without_it(monkeypatch: pytest.MonkeyPatch, documents: dict[str, Document], papers: dict[str, bytes]) -> None:
    monkeypatch.setattr(engine, "remembering", contextlib.nullcontext)
    assert render_pdf(documents["vi-en"]) == papers["vi-en"]


def test_so_is_a_page_of_all_kinds_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def printed() -> bytes:
        with laying_out():
            result: bytes = weasyprint.HTML(string=PAGE).write_pdf(pdf_identifier=b"0" * 16)
            return result

    with_it = printed()
    monkeypatch.setattr(engine, "remembering", contextlib.nullcontext)
    assert printed() == with_it


def test_the_same_page_is_asked_for_no_line_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    original = remembered._split_first_line

    def counting(text: str, *rest: Any) -> Any:
        asked.append(text)
        return original(text, *rest)

    monkeypatch.setattr(remembered, "_split_first_line", counting)
    fonts = FontConfiguration()
    with laying_out():
        weasyprint.HTML(string=PAGE).render(font_config=fonts)
        assert asked
        asked.clear()
        weasyprint.HTML(string=PAGE).render(font_config=fonts)
    assert asked == []


def test_the_engine_is_its_own_again_afterwards() -> None:
    before = owners()
    with contextlib.suppress(KeyError), laying_out():
        assert all(now is not then for now, then in zip(owners(), before, strict=True))
        raise KeyError
    assert owners() == before
