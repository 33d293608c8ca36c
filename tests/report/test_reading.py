"""A report that is read to its end: its length, its first pages, and what no report says, in planted worlds of many verdicts."""

import base64
import re
from collections import Counter
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import outloud
import pymupdf
import pypdf
import pytest

from analyses.mi_distance import analysis
from reportgen.documents import load_languages, render_html
from reportgen.documents.assets import Assets

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)
# At 30 layers: how many pages the report itself has, before its appendices.
MOST_PAGES = {("vi",): 16, ("en",): 16, ("vi", "en"): 22}
FIRST_PAGES = 2


# What the check takes for running heads on three pages: titles within figures that stand at a page's top, and a table's heads, which
# are repeated where it goes on.
NO_FAULT = {"PAG-001"}


def check_aloud(file):
    """What the PDF says out loud: no error, and no warning but that."""
    found = outloud.check(str(file)).findings
    assert [(each.rule, each.severity, each.message) for each in found if each.severity == "error"] == []
    assert {each.rule for each in found if each.severity == "warning"} <= NO_FAULT


def first_page_of(pdf, heading):
    """The page, counted from 1, on which a section begins."""

    def walk(outline):
        for entry in outline:
            yield from walk(entry) if isinstance(entry, list) else (entry,)

    return next(pdf.get_destination_page_number(entry) + 1 for entry in walk(pdf.outline) if heading in entry.title)


# In points: the margins of a page (22 mm and 24 mm), in which its running lines stand.
HEAD, FOOT = 22 / 25.4 * 72, 24 / 25.4 * 72
# A page is worth turning for a quarter of it; the last one ends where the report does.
LEAST_FILLED = 0.25


def filled(page):
    """What share of a page, between its margins, lies above the lowest mark on it."""
    foot = page.rect.height - FOOT
    marks = [(top, bottom) for _, (_, top, _, bottom) in page.get_bboxlog() if top >= HEAD - 2 and bottom <= foot + 2]
    # The paper's own colour is laid over all of it.
    ends = [bottom for top, bottom in marks if bottom - top < foot - HEAD - 2]
    return (max(ends, default=HEAD) - HEAD) / (foot - HEAD)


def table_captions(html):
    """The captions of a page's tables in each language, without spaces and marks."""
    for caption in re.findall(r'class="table [^>]*>\s*<div class="parallel caption">(.*?)</div>\s*</div>', html, re.DOTALL):
        for words in re.findall(r"<p>(.*?)</p>", caption, re.DOTALL):
            yield "".join(unescape(re.sub("<[^>]*>", "", words)).split())


@pytest.mark.parametrize("codes", MOST_PAGES, ids="-".join)
def test_pages(coffee, coffee_documents, codes):
    document, file = coffee_documents.document(codes), coffee_documents.pdf(codes)
    assert coffee.study["layers"] == 30
    check_aloud(file)
    pdf = pypdf.PdfReader(file)
    appendix = next(section for section in document.sections if section.appendix)
    introduction = document.sections[0]
    # An appendix may begin on the report's last page.
    assert first_page_of(pdf, appendix.heading[codes[0]]) <= MOST_PAGES[codes] + 1
    assert first_page_of(pdf, introduction.heading[codes[0]]) <= FIRST_PAGES + 2  # the contents are between them
    # A table's caption begins and ends on one page.
    pages = ["".join(page.extract_text().split()) for page in pdf.pages]
    captions = list(table_captions(render_html(document)))
    assert len(captions) >= 10 * len(codes)
    for caption in captions:
        assert any(caption[:24] in page and caption[-24:] in page for page in pages), caption
    with pymupdf.open(file) as sheets:
        shares = {number: round(filled(page), 2) for number, page in enumerate(sheets, 1)}
    assert {number: share for number, share in shares.items() if share < LEAST_FILLED and number < len(shares)} == {}
    assert max(shares.values()) > 0.9
    cite = "".join(LANGUAGES[codes[0]].text("interface.cite_this").split())
    assert len(pages[-1].partition(cite)[0]) > 200  # no page for the colophon alone
    assert "mục lục" in pdf.pages[FIRST_PAGES].extract_text().lower() or "contents" in pdf.pages[FIRST_PAGES].extract_text().lower()


@pytest.mark.parametrize("codes", MOST_PAGES, ids="-".join)
def test_the_summary_is_the_first_pages(coffee_documents, codes):
    report, summary = coffee_documents.document(codes), coffee_documents.document(codes, "summary")
    assert [item.kind for item in summary.front] == ["text", "figure", "table", "text"]
    for mine, whole in zip(summary.front, report.front, strict=True):
        assert mine.kind == whole.kind
        if mine.kind == "text":
            assert mine.html == whole.html
    assert summary.sections == ()
    file = coffee_documents.pdf(codes, "summary")
    check_aloud(file)
    assert len(pypdf.PdfReader(file).pages) <= FIRST_PAGES


@pytest.mark.parametrize("edition", ["handout", "handout-key"])
def test_the_worksheet_says_all_of_itself_out_loud(coffee_documents, edition):
    check_aloud(coffee_documents.pdf(("vi", "en"), edition))


@pytest.mark.parametrize(("code", "point"), [("vi", ","), ("en", ".")])
def test_the_key_answers_of_what_the_figure_shows(coffee, coffee_documents, words_of, code, point):
    """The worksheet's first figures show plain MI: so do its answers, and the layers whose order is shown are those of its squares."""
    document = coffee_documents.document((code,), "handout-key")
    answers = {section.id: words_of("".join(str(item.html[code]) for item in section.items if item.kind == "text"))
               for section in document.sections[0].sections}  # fmt: skip
    for section, name, digits in (("question-profile", "early_layers", 3), ("question-tau", "tau_separation", 2)):
        rows = [row for row in coffee.study["verdicts"] if (row["name"], row["estimator"]) == (name, "histogram")]
        written = {row["control"]: f"{abs(row['estimate']):.{digits}f}"[1:].replace(".", point) for row in rows}
        assert written["none"] != written["different_word"]
        assert f"{written['none']} " in answers[section]
        assert f"{written['different_word']} " not in answers[section]
    here = coffee.data.sel(estimator="histogram")
    shown = here.mi_difference_p_fdr_bh.values < coffee.study["settings"]["alpha"]
    told = {"en": r"with the histogram in layers? (.*?), with nearest", "vi": r"theo histogram, ở (?:các )?tầng (.*?);"}[code]
    ranges = re.findall(r"(\d+)(?:–(\d+))?", re.search(told, answers["question-profile"])[1])
    listed = {layer for first, last in ranges for layer in range(int(first), int(last or first) + 1)}
    assert listed == {layer + 1 for layer in shown.nonzero()[0]}


@pytest.mark.parametrize("code", ["vi", "en"])
def test_the_key_denies_nothing_that_the_report_does(coffee, coffee_documents, words_of, code):
    """Where position was looked at, distance is told from it: what stays apart from neither is the context, as the limitations say."""
    assert coffee.study["controls"]["prefix"]
    section = coffee_documents.document((code,), "handout-key").sections[-1]
    answers = words_of("".join(str(item.html[code]) for item in section.items if item.kind == "text"))
    assert {"vi": "khoảng cách khỏi ngữ cảnh", "en": "distance from context"}[code] in answers
    assert {"vi": "vị trí trong văn bản", "en": "position in the text"}[code] not in answers


@pytest.mark.parametrize("code", ["vi", "en"])
def test_anchors_are_those_of_the_list(coffee_reports, code):
    """Whoever has linked to a section, figure, table or row arrives there in the next version too: the list only grows."""
    kept = (Path(__file__).parent / "anchors.txt").read_text(encoding="utf-8").split()
    page = re.sub(r"<svg.*?</svg>", "", coffee_reports[code].html, flags=re.DOTALL)
    assert set(kept) <= set(re.findall(r' id="([^"]*)"', page))


@pytest.mark.parametrize("code", ["vi", "en"])
def test_what_is_looked_up_is_in_the_appendices(coffee, coffee_reports, code):
    """Nothing is lost: every figure and table of the analysis stands in the document."""
    document = coffee_reports[code].document
    appendices = {section.id for section in document.sections if section.appendix}
    assert {"verdicts", "layer-tests", "results-calibration", "results-independence", "results-specification", "layer-table"} <= appendices
    shown = {item.id for item in document.items() if item.kind == "figure"}
    assert shown == {figure.id for figure in analysis.figures(coffee.results)}


# What no page may say.
STRUCK = {
    "vi": [
        "lần lượt 0",
        "ở 0 tầng",
        "0 và 0 tầng",
        "dòng dư",
        "hệ số phù hợp",
        "phần trội riêng",
        "biểu đồ phân tầng",
        "trị số Z",
        "tầng trung vị",
        "lần rút",
        "Dấu đặc",
        "Dấu rỗng",
        "đem kiểm tra",
        "đứng vững trọn vẹn",
        "chia sẻ bao nhiêu",
        "hai từ giống nhau",
        "ước lượng chính xác nhận",
        "lần xuất hiện trong mô hình này",
        "đã hiệu chỉnh độ chệch",
        "Chú ý tăng",
        "Chú ý cao hơn",
        "so với chặng",
        "từ từ",
        "nằm sau một điểm",
        "biến thứ bậc",
        "bằng English",
        "bằng chứng của việc học",
        "bỏ ra",
        "khoảng biến thiên",
        "lân cận gần thứ",
        "Đường cong phương án",
        "Jackknife thường",
        "bốn ý",
        "xem đến",
        "đi đến năm mệnh đề",
        "thiên về phía lớn",
        "Điều mà 7",
        "lớn hơn không",
        "bằng không",
        "là do ngẫu nhiên",
        "kết luận tính từ số liệu",
        "chỉ được tính là một",
        "cao hơn ở lần lượt",
        "chép",
        "bạn",
        "một trong 30",
        "Vùng nền",
        "vùng nền",
        "Mọi đánh giá",
        "Dù vậy",
        "Cách đi đến",
        "thấp hơn hẳn",
        "không kiểm định được nhận định",
        "bảng trước",
        "đúng như đánh giá chung dựa vào",
        "nằm trên ở",
        "nằm dưới ở",
        "P cặp điểm, C cặp",
    ],
    "en": [
        "0 and 0",
        "1 layers",
        "1 pairs",
        "1 degrees",
        "taken off",
        "is judged twice",
        "equal words",
        "at home",
        "In the median layer",
        "were put to",
        "by the histogram estimator,",
        "nats a layer",
        "Is it learned",
        "is ordinal",
        "errs on the wide side",
        "an end of the stated range",
        "no evidence of learning",
        "another order of size",
        "held against",
        "has not been shown",
        "do not differ by a constant shift",
        "an occurrence, so",
        "Under the line",
        "far less often",
        "the table before",
        "as the conclusions rest on them",
        "exceeds 4.0",
        "it is found that",
        "tau of MI excess",
        "taus of MI excess",
    ],
}
BOTH = [
    r"\(nan\b",
    r"\bNone\b",
    r"%\(",
    r"\bnot_testable\b",
    r":\s*(;|\.(?!\d))",  # a number may begin with its point
    r"\(\s*\)",
    r"\bSupported: \d",
    r"(?<![\d.,−])0 and 0\b",
    r"\blần lượt 0\b",
    r"(?:^|[.:;] )Trừ ",  # at the head of a sentence it is "except"
    r"\b(?:các )?tầng \d+ đến \d+\b.{0,3}\(1 ",
    r"\b(?:layers|tầng) (\d+) (?:to|đến) \1\b",  # a band of one layer
    r"\b([^\W\d]+ [^\W\d]+) \1\b",  # the same two words twice, such as "mô hình mô hình"
    r"\b(the|a|an|of|in|to|is|and|with) \1\b",
    r"about [−-]?\.\d0\b|xấp xỉ −?0,\d0\b",  # a limit that was set has no digit that tells nothing
    r"(?<![\d.,\[])[.,]\d+ (?:nats?)\b",  # what may exceed 1 keeps its zero
]
# Of how many layers, and by which estimator: a count by one of them alone may be another by the other.
OF_LAYERS = re.compile(r"\bin (?:all|none of the|\d+ of) \d+ layers|ở (?:cả \d+|\d+/\d+) tầng")
ESTIMATOR = re.compile(r"histogram|neighbour|estimator|lân cận|cách ước lượng")
NONE_OF = re.compile(r"in none of the \d+ \w+|ở 0/\d+ tầng")


def sentences(document, code):
    """Every sentence of the prose, without the appendices' and figures' standing advice."""
    for item in document.items():
        if item.kind == "text":
            for paragraph in re.findall(r"<(?:p|li)[^>]*>(.*?)</(?:p|li)>", str(item.html[code]), re.DOTALL):
                words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", paragraph)).strip()
                yield from (each for each in re.split(r"(?<=[.?!]) (?=[A-ZĐÀ-Ỹ“])", words) if len(each) > 45)


RISING, FALLING, FLAT = [0.30, 0.35, 0.50, 0.60, 0.70, 0.75], [0.75, 0.70, 0.50, 0.40, 0.33, 0.32], [0.5] * 6
WORLDS = {
    "as the lesson": (RISING, FALLING, -1, -1, {"tau_range": (-1.5, -0.2)}),
    "the opposite": (FALLING, RISING, 1, 1, {"tau_range": (-1.5, -0.2)}),
    "nothing": (FLAT, FLAT, -1, -1, {}),
    "taus apart": (RISING, FALLING, -1, 1, {}),
    "one layer": (RISING[:1], FALLING[:1], -1, -1, {}),
    "two layers": (RISING[:2], FALLING[:2], -1, -1, {}),
    "three layers": (RISING[:3], FALLING[:3], 1, -1, {}),
}


@pytest.fixture(scope="module")
def planted_pages(plant, planted_study):
    pages = {}
    for name, (attention, mlp, attention_trend, mlp_trend, settings) in WORLDS.items():
        pages[name] = planted_study(plant(attention, mlp, attention_trend, mlp_trend), **settings)
    vectors = plant(RISING, FALLING)
    for occurrences in (2, 3):
        few = {"activation": vectors.activation[:, :, :occurrences], "token_position": vectors.token_position[:occurrences]}
        pages[f"{occurrences} occurrences"] = planted_study(replace(vectors, **few))
    return pages


def check(report, code):
    text = report.text
    for words in STRUCK[code]:
        # A number that ends in the words' first digit is another number.
        found = re.search(rf"(?<![\d.,]){re.escape(words)}", text)
        assert not found, text[max(0, found.start() - 80) : found.end() + 40]
    for pattern in BOTH:
        found = re.search(pattern, text)
        assert not found, text[max(0, found.start() - 80) : found.end() + 40]
    assert not re.search(r"\d{4}\)\s*\((?:[A-Z]\w+.{0,40}, \d{4})", text), "two citations in a row are one bracket"
    for sentence in sentences(report.document, code):
        # What the figures' captions count is drawn by the estimator that they name; methods and limitations count nothing.
        assert not OF_LAYERS.search(sentence) or ESTIMATOR.search(sentence), sentence
        none = NONE_OF.findall(sentence)
        assert len(none) <= (2 if "histogram" in sentence else 1), sentence
    twice = [each for each, count in Counter(sentences(report.document, code)).items() if count > 1]
    assert twice == []
    for match in re.findall(r"<[uo]l[^>]*>\s*</[uo]l>", report.html):
        raise AssertionError(f"an empty list: {match}")


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("world", [*WORLDS, "2 occurrences", "3 occurrences"])
def test_no_planted_world_says_what_is_struck_or_anything_twice(planted_pages, report_of, world, code):
    check(report_of(planted_pages[world], code), code)


@pytest.mark.parametrize("code", ["vi", "en"])
def test_of_ready_activations_only_what_the_file_holds_is_said(plant, planted_study, report_of, code):
    """Neither the seeds nor the architecture of an untrained model are in any file, and one draw of its weights answers nothing."""
    vectors = plant(RISING, FALLING, dimensions=80)
    noise = np.random.default_rng(3).normal(size=(3, *vectors.activation.shape)).astype(np.float32)
    seed = {"vi": r"hạt giống (?:ngẫu nhiên )?(?:từ )?\d", "en": r"\bseeds? \d"}[code]
    architecture = {"vi": "cùng kiến trúc, trọng số", "en": "same architecture, random"}[code]
    known = LANGUAGES[code].catalogue
    answers = [words for key, words in known.items() if key.startswith(("untrained.answer.", "learnt.untrained."))]
    assert len(answers) >= 8
    for draws, answered in ((3, True), (1, False)):
        report = report_of(planted_study(replace(vectors, untrained_activation=noise[:draws])), code)
        assert not re.search(rf"(?:untrained|chưa huấn luyện)[^.]*{seed}", report.text)
        assert architecture not in report.text
        assert any(words in report.text for words in answers) is answered
        check(report, code)


@pytest.mark.parametrize("code", ["vi", "en"])
def test_nor_does_the_built_in_study(coffee_reports, code):
    check(coffee_reports[code], code)


@pytest.mark.parametrize("code", ["vi", "en"])
def test_the_first_pages_answer(coffee_reports, code):
    """One abstract of at most six sentences, and a row of the table for every statement and part."""
    front = coffee_reports[code].document.front
    (abstract,) = [item for item in front if getattr(item, "css", "") == "abstract"]
    words = re.sub(r"<h2>.*?</h2>|<[^>]*>", "", str(abstract.html[code]))
    assert len(re.findall(r"[.?](?= [A-ZĐÀ-Ỹ]|$)", words.strip())) <= 6
    assert not re.search(r"(?<![\d,.])0(?![\d,.])", words)
    (table,) = [item for item in front if item.kind == "table"]
    assert [anchor for anchor in table.grid.row_ids if anchor.endswith("whole")] == [f"table-answers-{n}-whole" for n in range(1, 6)]


@pytest.mark.parametrize("code", ["vi", "en"])
def test_words_of_the_text_that_are_named_stand_in_quotation_marks(coffee, coffee_reports, code):
    words = coffee.study["controls"]["repeated_words"]["words"]
    assert len(words) > 3
    assert all(f"“{word}”" in coffee_reports[code].text for word in words)


@pytest.mark.parametrize("code", ["vi", "en"])
def test_the_tokens_of_a_caption_are_the_words_own(coffee, coffee_reports, code):
    """Counted from 1: the token of that number in the text is the word."""
    (figure,) = [item for item in coffee_reports[code].document.items() if item.kind == "figure" and item.id == "activation_scatter"]
    numbers = re.search({"en": r"tokens (\d+) and (\d+)", "vi": r"token (\d+) và (\d+)"}[code], str(figure.caption[code]))
    tokens, offsets, text = (coffee.study["text"][name] for name in ("tokens", "offsets", "text"))
    for number in map(int, numbers.groups()):
        start, end = offsets[number - 1]
        assert text[start:end].strip() == "coffee", tokens[number - 1]


def test_html_of_the_summary_stands_alone(coffee_documents):
    page = render_html(coffee_documents.document(("vi",), "summary"))
    assert (
        "http"
        not in re.sub(r'(?:xmlns(?::\w+)?="[^"]*")|data:[^"]*|https://doi[^"<]*', "", page.partition("<body")[2]).partition("colophon")[0]
    )


@pytest.mark.parametrize("code", ["vi", "en"])
def test_the_studied_text_is_copied_and_downloaded_as_it_is(coffee, coffee_reports, code):
    """The numbers of the occurrences are drawn by the style sheet: they are no part of what is searched, copied or saved."""
    text = coffee.study["text"]["text"]
    html = coffee_reports[code].html
    quoted = re.search(r'<blockquote class="study-text".*?</blockquote>', html, re.DOTALL)[0]
    assert re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", quoted))).strip() == re.sub(r"\s+", " ", text).strip()
    assert re.findall(r'<mark data-number="(\d+)">', quoted) == [str(number) for number in range(1, coffee.study["occurrences"] + 1)]
    saved = re.search(r'<a download="text.txt" href="data:text/plain;charset=utf-8;base64,([^"]*)"', html)[1]
    assert base64.b64decode(saved).decode() == text
    assert coffee_reports[code].document.texts == {"text.txt": text}
