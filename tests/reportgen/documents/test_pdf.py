"""The PDF: archival, tagged, with its own fonts, and readable as text."""

import dataclasses
import io
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pymupdf
import pytest
import weasyprint
from markupsafe import Markup
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, NullObject
from weasyprint.formatting_structure import boxes

from reportgen.documents import Assets, Document, render_pdf
from reportgen.documents.document import TextItem
from reportgen.documents.engine import OwnAssetsOnly
from reportgen.documents.html import signs_unbroken
from reportgen.documents.pdf import WHOLE, WORD_BEFORE_BOX

WORDS = {
    "vi": ("Khoảng cách có làm phai một từ không?", "được ủng hộ", "Giảng viên", "Trích dẫn báo cáo này"),
    "en": ("Does distance wear a word out?", "supported", "Lecturer", "Cite this report"),
}


@pytest.fixture(scope="module")
def readers(papers: dict[str, bytes]) -> dict[str, PdfReader]:
    return {code: PdfReader(io.BytesIO(data)) for code, data in papers.items()}


def elements(node: Any) -> Iterator[DictionaryObject]:
    kids = node.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        child = kid.get_object() if hasattr(kid, "get_object") else kid
        if isinstance(child, DictionaryObject) and child.get("/Type") == "/StructElem":
            yield child
            yield from elements(child)


def structure(reader: PdfReader) -> list[DictionaryObject]:
    return list(elements(reader.trailer["/Root"]["/StructTreeRoot"]))


def test_text_comes_out_with_its_diacritics(readers: dict[str, PdfReader]) -> None:
    text = " ".join("".join(page.extract_text() for page in readers["vi"].pages).split())
    for words in (
        "Khoảng cách có làm phai một từ không?",
        "Ngưỡng ữ ợ ẫ ỹ ằ đủ dấu",
        "được ủng hộ",
        "ngày 24 tháng 11 năm 2026",
        "[−0,12; 0,34]",
    ):
        assert words in text.replace("\u00a0", " ")


def test_no_line_ends_early_before_a_box() -> None:
    """At some widths the layout engine ended a line after its first word, when the rest fitted but for the space before a link."""
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    paragraph = WORD_BEFORE_BOX.sub(r"<span>\1</span> ", f"<p>{words * 2}<a href='#x'>nineteen twenty</a> {words}<b>end</b>.</p>")
    for width in range(200, 330, 2):
        source = f"<style>@page{{margin:0}}*{{margin:0}}p{{width:{width}px;font:12px sans-serif}}</style>{paragraph}"
        (page,) = weasyprint.HTML(string=source).render().pages
        lines = [box for box in page._page_box.descendants() if isinstance(box, boxes.LineBox)]
        assert all(line.width > width - 80 for line in lines[:-1]), width


def test_no_line_begins_with_a_subscript() -> None:
    assert signs_unbroken("<p>the p<sub>ij</sub>, and</p>") == '<p>the <span class="unbroken">p<sub>ij</sub>,</span> and</p>'


def test_numbers_and_names_are_kept_whole_and_markup_is_left_alone() -> None:
    def marked(html: str) -> list[str]:
        return WHOLE.findall(signs_unbroken(html))

    assert marked("<p>from −.22 to ([−.57,\u00a0.15]), p = .03.</p>") == ["−.22", "([−.57,\u00a0.15]),", "p\u00a0=\u00a0.03."]
    assert marked("<p>in SmolLM2-135M-Instruct, with 0.5 of 32-bit</p>") == ["SmolLM2-135M-Instruct,"]
    assert marked('<img alt="tau .5" src="x"><a href="https://doi.org/10.1/a.5">doi.org/10.1103/E.69.06</a>') == []


def test_only_the_report_s_fonts_are_embedded_as_subsets(readers: dict[str, PdfReader]) -> None:
    names = set()
    for reader in readers.values():
        for page in reader.pages:
            for font in page["/Resources"]["/Font"].values():
                described = font.get_object()["/DescendantFonts"][0].get_object()
                names.add(described["/BaseFont"])
                assert "/FontFile2" in described["/FontDescriptor"]
    assert names
    assert all(re.match(r"/[A-Z]{6}\+Reportgen-", name) for name in names), names


def test_it_claims_pdf_a_3a_and_pdf_ua_1(readers: dict[str, PdfReader]) -> None:
    root = readers["en"].trailer["/Root"]
    metadata = root["/Metadata"].get_data().decode()
    assert re.search(r'pdfaid:part="3"', metadata)
    assert re.search(r'pdfaid:conformance="A"', metadata)
    assert 'pdfuaid:part="1"' in metadata
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert readers["vi"].trailer["/Root"]["/Lang"] == "vi"


def test_dates_are_the_study_s(readers: dict[str, PdfReader]) -> None:
    metadata = readers["en"].metadata
    assert metadata is not None
    assert metadata["/CreationDate"] == metadata["/ModDate"] == "D:20261124"


def test_heads_of_tables_have_their_scope(readers: dict[str, PdfReader]) -> None:
    scopes = [element["/A"]["/Scope"] for element in structure(readers["en"]) if element["/S"] == "/TH"]
    assert scopes.count("/Row") == 4 + 30
    assert scopes.count("/Column") == 4 + 2 + 6


def test_formulas_and_figures_are_tagged_with_words(readers: dict[str, PdfReader]) -> None:
    tagged = structure(readers["en"])
    formulas = [element["/Alt"] for element in tagged if element["/S"] == "/Formula"]
    figures = [element["/Alt"] for element in tagged if element["/S"] == "/Figure"]
    assert len(formulas) == 2
    assert "alpha equals five percent" in formulas
    assert [words.split(":")[0] for words in figures] == ["Line chart over 30 layers", "Scatter plot"]


def test_formulas_have_their_mathml_with_them(papers: dict[str, bytes], readers: dict[str, PdfReader]) -> None:
    """An associated file (PDF/A-3, ISO 32000-2 14.13) of each formula, in the language's decimal sign and with the report's date."""
    for code, sign in (("vi", ","), ("en", ".")):
        formulas = [element for element in structure(readers[code]) if element["/S"] == "/Formula"]
        assert formulas
        for formula in formulas:
            (described,) = [each.get_object() for each in formula["/AF"]]
            assert (described["/Type"], described["/AFRelationship"]) == ("/Filespec", "/Supplement")
            assert described["/Desc"] == formula["/Alt"]
            held = described["/EF"]["/F"].get_object()
            assert held["/Subtype"] == "/application/mathml+xml"
            assert held["/Params"]["/CreationDate"] == held["/Params"]["/ModDate"] == "D:20261124000000Z"
            root = ElementTree.fromstring(held.get_data())
            assert root.tag == "{http://www.w3.org/1998/Math/MathML}math"
            assert not any(re.fullmatch(rf"\d+[^\d{sign}]\d+", text) for text in root.itertext())


def test_feet_and_heads_are_in_both_languages(readers: dict[str, PdfReader], documents: dict[str, Document]) -> None:
    words = documents["vi-en"].running_title
    assert words["vi"] != words["en"]
    texts = [" ".join(page.extract_text().split()) for page in readers["vi-en"].pages]
    assert all(f"{words['vi']} / {words['en']}" in text for text in texts)
    assert any("Tài liệu tham khảo" in text for text in texts)


def test_no_page_holds_but_the_colophon(documents: dict[str, Document]) -> None:
    """However far down the last page the text before it ends."""
    document = documents["en"]
    for count in (20, 23):
        filling = TextItem({"en": Markup("<p>One line of words.</p>" * count)}, key="filling")
        section = dataclasses.replace(document.sections[0], items=(filling,), sections=())
        short = dataclasses.replace(document, front=(), sections=(section,), references={"en": ()}, contents=False)
        with pymupdf.open(stream=render_pdf(short)) as pages:
            last = pages[len(pages) - 1].get_text()
        assert "Cite this report" in last
        assert "One line of words." in last


def test_words_wider_than_the_page_break(documents: dict[str, Document]) -> None:
    """In the title, and in what stands below it."""
    long = "w" * 180
    document = documents["en"]
    particulars = {name: {"en": long} for name in document.particulars}
    wide = dataclasses.replace(document, title={"en": long}, subtitle={"en": long}, particulars=particulars)
    with pymupdf.open(stream=render_pdf(wide)) as pages:
        for word in pages[0].get_text("words"):
            assert word[2] <= pages[0].rect.width - 40


def spoken(reader: PdfReader) -> dict[str, str]:
    """What a screen reader would say in each language, by the elements' own language or that of what holds them."""
    numbers = {page.indirect_reference.idnum: number for number, page in enumerate(reader.pages) if page.indirect_reference}
    texts: dict[tuple[int, Any], str] = defaultdict(str)
    for number, page in enumerate(reader.pages):
        mark = [None]

        def begins(operator: bytes, operands: Any, *_: Any, mark: list[Any] = mark) -> None:
            if operator == b"BDC":
                mark[0] = operands[1].get("/MCID")

        def reads(text: str, *_: Any, mark: list[Any] = mark, number: int = number) -> None:
            texts[number, mark[0]] += text

        page.extract_text(visitor_operand_before=begins, visitor_text=reads)

    said: dict[str, str] = defaultdict(str)

    def walk(element: DictionaryObject, language: str) -> None:
        language = element.get("/Lang", language)
        kids = element.get("/K", [])
        for kid in kids if isinstance(kids, list) else [kids]:
            if isinstance(kid, int):
                said[language] += " " + texts[numbers[element.raw_get("/Pg").idnum], kid].strip()
            elif kid.get_object().get("/Type") == "/StructElem":
                walk(kid.get_object(), language)

    root = reader.trailer["/Root"]
    walk(root["/StructTreeRoot"]["/K"][0].get_object(), root["/Lang"])
    return {language: " ".join(text.split()) for language, text in said.items()}


def test_each_part_is_spoken_in_its_language(readers: dict[str, PdfReader]) -> None:
    both = spoken(readers["vi-en"])
    assert set(both) == {"vi", "en"}
    for code in ("vi", "en"):
        alone = spoken(readers[code])
        # Titles of the literature are in its own language.
        assert set(alone) == {code, "en"}
        other = both["en" if code == "vi" else "vi"]
        for words in WORDS[code]:
            assert words in alone[code]
            assert words in both[code]
            assert words not in other


def test_lists_hold_items_only(readers: dict[str, PdfReader]) -> None:
    for element in structure(readers["vi-en"]):
        if element["/S"] == "/L":
            assert {child.get_object()["/S"] for child in element["/K"]} == {"/LI"}


def test_running_heads_are_artifacts(readers: dict[str, PdfReader]) -> None:
    reader = readers["en"]
    pages = reader.pages
    tops = [page.get_contents().get_data() for page in pages]
    assert all(re.search(rb"/Artifact\s+<</Type /Pagination>>\s+BDC\s", top) for top in tops)
    numbers = reader.trailer["/Root"]["/StructTreeRoot"]["/ParentTree"]["/Nums"]
    for page, top in zip(pages, tops, strict=True):
        parents = numbers[numbers.index(page["/StructParents"]) + 1].get_object()
        marked = {int(mark) for mark in re.findall(rb"/MCID (\d+)", top)}
        assert marked == {mark for mark, parent in enumerate(parents) if not isinstance(parent.get_object(), NullObject)}


def test_links_are_described_and_belong_to_link_elements(readers: dict[str, PdfReader]) -> None:
    reader = readers["en"]
    numbers = reader.trailer["/Root"]["/StructTreeRoot"]["/ParentTree"]["/Nums"]
    by_number = dict(zip(numbers[::2], numbers[1::2], strict=True))
    links = [link.get_object() for page in reader.pages for link in page.get("/Annots", [])]
    assert links
    for link in links:
        assert link["/Contents"]
        assert by_number[link["/StructParent"]].get_object()["/S"] == "/Link"


def test_tables_are_attached_with_the_report_s_date(
    papers: dict[str, bytes], readers: dict[str, PdfReader], documents: dict[str, Document]
) -> None:
    reader = readers["vi-en"]
    attached = {name: contents[0].decode() for name, contents in reader.attachments.items()}
    formulas = {name for name in attached if name.endswith(".mml")}
    assert {name: text for name, text in attached.items() if name not in formulas} == documents["vi-en"].data
    assert attached["layers.csv"].startswith("layer,")
    root = reader.trailer["/Root"]
    files = [reference.get_object() for reference in root["/AF"]]
    assert {each["/UF"]: each["/AFRelationship"] for each in files}.items() >= dict.fromkeys(attached, "/Data").items()
    for each in files:
        parameters = each["/EF"]["/F"].get_object().get("/Params", {})
        assert parameters.get("/CreationDate", "D:20261124000000Z") == "D:20261124000000Z"
    undated = dataclasses.replace(documents["en"], date=None)
    assert render_pdf(undated) == render_pdf(undated)
    assert b"D:1970" in render_pdf(undated)


def test_contents_have_page_numbers_and_bookmarks_the_sections(readers: dict[str, PdfReader]) -> None:
    reader = readers["en"]
    first = reader.pages[0].extract_text()
    assert re.search(r"All layers\W+\d", first)
    outline = [entry.title for entry in reader.outline if not isinstance(entry, list)]
    assert outline == ["1 The question and its short answer", "2 How it was measured", "References", "A All layers"]


def test_a_foreign_picture_stops_the_rendering(documents: dict[str, Document]) -> None:
    document = documents["en"]
    spoiled = TextItem({"en": Markup('<p><img alt="x" src="https://example.org/x.png"></p>')})
    with pytest.raises(RuntimeError, match=r"may not load https://example\.org/x\.png"):
        render_pdf(dataclasses.replace(document, front=(spoiled,)))


def test_files_of_the_machine_cannot_be_read(assets: Assets) -> None:
    from weasyprint.urls import FatalURLFetchingError

    with pytest.raises(FatalURLFetchingError, match="may not load file:///etc/hostname"):
        OwnAssetsOnly(assets).fetch("file:///etc/hostname")
