"""The PDFs as a reader's search function sees them: no sentence of the other language, and no empty page."""

import re
import shutil
import subprocess
import unicodedata

import pytest

if shutil.which("pdftotext") is None:
    pytest.skip("pdftotext is not installed: apt-get install poppler-utils", allow_module_level=True)

# Letters that only Vietnamese has; those with a plain accent stand in names of other languages too.
VIETNAMESE = set("ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ")
# Words that an English sentence can hardly do without, and Vietnamese and the technical terms never have.
ENGLISH = frozenset(
    re.findall(
        r"\w+",
        "the of and is are was were in to for that this with by as from on at it its be been "
        "which not or an than each every all has have had does do between into over after before when where how no "
        "one two more most only can could would what their these those ",
    )
)


@pytest.fixture(scope="module")
def pages(coffee_pdfs):
    """Language -> text of each page."""
    found = {}
    for code, file in coffee_pdfs.items():
        text = subprocess.run(["pdftotext", "-enc", "UTF-8", str(file), "-"], check=True, capture_output=True).stdout.decode()
        found[code] = unicodedata.normalize("NFC", text).removesuffix("\f").split("\f")
    return found


def references(document, code, words_of):
    return {word for _, line in document.references[code] for word in words_of(str(line)).split()}


def english_runs(text: str) -> list[str]:
    """Runs of five words or more, of which two or more are such as only English sentences have."""
    found = []
    for run in re.findall(r"(?:[A-Za-z’'-]+[ \n]){4,}[A-Za-z’'-]+", text):
        words = run.lower().split()
        for start in range(len(words) - 4):
            if sum(word in ENGLISH for word in words[start : start + 5]) >= 2:
                found.append(" ".join(words[start : start + 5]))
    return found


def test_the_search_for_english_finds_it():
    assert english_runs("Tau âm. The interval of the excess is above zero in most layers.")
    assert english_runs("nhánh chú ý (attention) và nhánh MLP theo histogram (course) với bootstrap") == []
    assert english_runs("Kết quả theo Benjamini Hochberg và Mantel trên SmolLM Instruct") == []


@pytest.mark.parametrize("code", ["vi", "en"])
def test_every_page_has_text(pages, code):
    assert len(pages[code]) > 5
    for number, page in enumerate(pages[code], start=1):
        assert len(page.split()) > 25, f"page {number}"


def without_foreign_parts(text, coffee, document, code, words_of):
    """A page's text without what is rightly in another language: the studied text, titles of works, and code."""
    text = re.sub(r"\s+", " ", text)
    prefix = coffee.study["provenance"]["control_prefix"]["text"]
    studied = re.sub(r"\s+", " ", f"{coffee.study['text']['text']} {prefix}")
    for sentence in re.split(r"(?<=[.:;,?])\s", studied):
        pattern = r"\s*".join(re.escape(character) for character in re.findall(r"[^\W\d_]+|[^\w\s]", sentence))
        # Occurrences carry their number as a subscript.
        text = re.sub(pattern.replace("coffee", r"coffee\s*\d?"), " ", text)
    # A page may end inside a sentence: then its running head stands in between, and only the pieces are found.
    words = re.findall(r"[^\W\d_]+", studied)
    for start in range(len(words) - 3):
        text = re.sub(r"\W+".join(words[start : start + 4]), " ", text)
    for _, line in document.references[code]:
        for piece in re.split(r"(?<=[.,])\s", words_of(str(line))):
            text = text.replace(piece, " ")
    return text


def test_vietnamese_pdf_has_no_english_sentence(pages, coffee, coffee_reports, words_of):
    document = coffee_reports["vi"].document
    text = " ".join(pages["vi"])
    start = text.rfind(document_heading("references", "vi"))
    assert start > 0
    body = without_foreign_parts(text, coffee, document, "vi", words_of)
    assert english_runs(body) == []


def document_heading(name, code):
    from reportgen.documents import Assets, load_languages

    return load_languages(*Assets.default().directories)[code].text(f"interface.{name}")


def test_english_pdf_has_no_vietnamese(pages):
    text = " ".join(pages["en"])
    lines = [line for line in text.splitlines() if set(line.lower()) & VIETNAMESE]
    # The name of the other language is how the page leads to it.
    assert [line for line in lines if line.strip() not in ("Tiếng Việt",)] == []


def test_vietnamese_pdf_is_in_vietnamese(pages):
    for number, page in enumerate(pages["vi"], start=1):
        assert set(page.lower()) & VIETNAMESE, f"page {number}"


@pytest.mark.parametrize("code", ["vi", "en"])
def test_no_glyph_is_missing_and_nothing_unfilled(pages, code):
    text = "\n".join(pages[code])
    for leftover in ("\ufffd", "%(", "{", "}", "nan,", " nan "):
        assert leftover not in text


@pytest.mark.parametrize("code", ["vi", "en"])
def test_headings_of_the_page_are_in_the_pdf(pages, coffee_reports, code):
    text = re.sub(r"\s+", " ", " ".join(pages[code]))
    for section in coffee_reports[code].document.sections:
        assert section.heading[code] in text
        for child in section.sections:
            assert child.heading[code] in text


@pytest.mark.parametrize("code", ["vi", "en"])
def test_fonts_are_embedded(coffee_pdfs, code):
    import pypdf

    reader = pypdf.PdfReader(coffee_pdfs[code])
    fonts = {}
    for page in reader.pages:
        for font in (page["/Resources"].get("/Font") or {}).values():
            font = font.get_object()
            descendants = font.get("/DescendantFonts")
            descriptor = (descendants[0].get_object() if descendants else font).get("/FontDescriptor")
            fonts[font["/BaseFont"]] = descriptor is not None and any(
                name in descriptor.get_object() for name in ("/FontFile", "/FontFile2", "/FontFile3")
            )
    assert fonts
    assert all(fonts.values()), fonts
    assert reader.outline
