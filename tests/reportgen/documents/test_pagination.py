"""Where figures stand on paper, on pages of 100 units with neither margins nor errors of measurement to speak of."""

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from reportgen.documents import Document
from reportgen.documents.document import FigureItem, TextItem
from reportgen.documents.pagination import (
    KEPT,
    SHORT_PARAGRAPH,
    Arrangement,
    Unit,
    arrange,
    draft,
    emptiness,
    in_paragraphs,
    paragraphs,
    rearranged,
)

PAGE = 100.0


def laid_out(*parts: tuple[str, str, float]) -> list[Unit]:
    """Units as an engine sets them in the given order: figures and headings whole, texts cut anywhere."""
    units, number, y = [], 0, 0.0
    for key, kind, height in parts:
        if kind == "figure" and y + height > PAGE:
            number, y = number + 1, 0.0
        start = (number, y)
        y += height
        while y > PAGE:
            number, y = number + 1, y - PAGE
        units.append(Unit(key, kind, height, 0.0, 0.0, start, (number, y), 0.8 * height if kind == "figure" else 0.0))
    return units


def order(parts: Sequence[tuple[str, str, float]], arrangement: Arrangement) -> list[str]:
    keys = [key for key, _, _ in parts if key not in arrangement.follows]
    for figure, text in arrangement.follows.items():
        keys.insert(keys.index(text) + 1, figure)
    return keys


def test_what_fits_stays() -> None:
    parts = (("h", "chapter", 5), ("a", "text", 20), ("f", "figure", 60), ("b", "text", 40))
    assert arrange(laid_out(*parts), PAGE, Arrangement()) == Arrangement()


def test_a_figure_that_nearly_fits_is_drawn_smaller() -> None:
    parts = (("a", "text", 50), ("f", "figure", 55), ("b", "text", 90))
    found = arrange(laid_out(*parts), PAGE, Arrangement())
    assert found.follows == {}
    # 50 are left; 80 % of the figure's height shrink with it, and no more than must be.
    assert 45 < 55 - 0.8 * 55 * (1 - found.scales["f"]) <= 50


def test_two_figures_share_a_page_when_both_are_smaller() -> None:
    parts = (("a", "text", 90), ("f", "figure", 55), ("g", "figure", 55), ("h", "chapter", 5), ("b", "text", 150))
    found = arrange(laid_out(*parts), PAGE, Arrangement())
    heights = [55 - 0.8 * 55 * (1 - found.scales[key]) for key in ("f", "g")]
    assert sum(heights) <= PAGE
    assert order(parts, found) == ["a", "f", "g", "h", "b"]


def test_a_figure_that_does_not_fit_waits_for_text_to_fill_the_page() -> None:
    parts = (("a", "text", 50), ("f", "figure", 75), ("b", "text", 40), ("c", "text", 20), ("d", "text", 30))
    found = arrange(laid_out(*parts), PAGE, Arrangement())
    assert order(parts, found) == ["a", "b", "c", "f", "d"]
    assert found.scales == {}


def test_figures_keep_their_order() -> None:
    parts = (("a", "text", 50), ("f", "figure", 80), ("g", "figure", 20), ("b", "text", 60), ("c", "text", 100))
    keys = order(parts, arrange(laid_out(*parts), PAGE, Arrangement()))
    assert keys.index("f") < keys.index("g")
    assert keys.index("b") < keys.index("f")


def test_a_figure_never_leaves_its_chapter() -> None:
    parts = (("a", "text", 50), ("f", "figure", 80), ("b", "text", 20), ("h", "chapter", 5), ("c", "text", 100))
    assert order(parts, arrange(laid_out(*parts), PAGE, Arrangement())) == ["a", "b", "f", "h", "c"]


def test_a_page_is_not_turned_for_a_few_lines_before_one_that_begins_anew() -> None:
    """A figure that is drawn smaller takes them in; where more is left than it can take in, the page stays."""
    for rest, scaled in ((5, True), (60, False)):
        parts = (("h", "chapter", 5), ("f", "figure", 80), ("a", "text", 15 + rest), ("b", "break", 5), ("c", "text", 50))
        found = arrange(laid_out(*parts), PAGE, Arrangement())
        assert ("f" in found.scales) == scaled
        if scaled:
            assert 5 + 80 - 0.8 * 80 * (1 - found.scales["f"]) + 15 + rest <= PAGE


def test_a_small_empty_foot_is_left() -> None:
    parts = (("a", "text", 90), ("f", "figure", 80), ("b", "text", 50))
    assert arrange(laid_out(*parts), PAGE, Arrangement()) == Arrangement()


def test_a_large_figure_is_not_put_off_from_page_to_page() -> None:
    """It would never fit below the rest of a paragraph: it begins a page instead."""
    parts = (("a", "text", 60), ("f", "figure", 97), *((f"t{index}", "text", 30) for index in range(12)))
    keys = order(parts, arrange(laid_out(*parts), PAGE, Arrangement()))
    assert keys.index("f") <= keys.index("t1") + 1


def test_prose_is_cut_between_elements_and_headings_stay_with_their_text() -> None:
    html = "<p>a <b>b</b><br>c</p>\n<h3>d</h3>\n<p>e &lt; f</p><ul><li><p>g</p></li></ul>"
    pieces = paragraphs(html)
    assert pieces is not None
    assert [tag for tag, _ in pieces] == ["p", "h3+p", "ul"]
    assert "".join(piece for _, piece in pieces) == html
    pieces = paragraphs('<p>a</p><span class="equation">f</span><p>b:</p><ul><li>c</li></ul><p>d</p>')
    assert pieces is not None
    assert [tag for tag, _ in pieces] == ["p+span", "p+ul", "p"]
    assert paragraphs("loose words <p>a</p>") is None


def test_a_document_is_cut_and_moved_without_losing_anything(documents: dict[str, Document]) -> None:
    document = documents["vi-en"]
    cut = in_paragraphs(document)
    for code in ("vi", "en"):
        whole, parts = ("".join(item.html[code] for item in each.items() if isinstance(item, TextItem)) for each in (document, cut))
        assert whole == parts
    figure = next(item for item in cut.items() if isinstance(item, FigureItem))
    last = [item for item in cut.items() if isinstance(item, TextItem)][-1]
    moved = rearranged(cut, Arrangement({f"figure-{figure.id}": last.key}))
    items = list(moved.items())
    assert items[items.index(last) + 1] is figure
    assert sorted(map(id, items)) == sorted(map(id, cut.items()))
    assert isinstance(last.html["vi"], Markup)


def test_words_that_announce_something_keep_it_unless_it_stands_once_for_both_languages(documents: dict[str, Document]) -> None:
    document = documents["vi-en"]
    announcing = TextItem({"vi": Markup("<p>Như sau:</p>"), "en": Markup("<p>As follows:</p>")}, key="announcing")
    lists = TextItem({"vi": Markup("<ul><li>một</li></ul>"), "en": Markup("<ul><li>one</li></ul>")}, key="lists")
    quoted = TextItem({"vi": Markup("<blockquote>x</blockquote>"), "en": Markup("<blockquote>x</blockquote>")}, key="quoted")

    def cut(*items: TextItem) -> list[dict[str, str]]:
        section = dataclasses.replace(document.sections[0], items=items, sections=())
        return [dict(item.html) for item in in_paragraphs(dataclasses.replace(document, sections=(section,))).sections[0].items]

    assert cut(announcing, lists) == [{"vi": "<p>Như sau:</p><ul><li>một</li></ul>", "en": "<p>As follows:</p><ul><li>one</li></ul>"}]
    assert cut(lists, announcing, quoted) == [dict(item.html) for item in (lists, announcing, quoted)]


def test_a_figure_first_in_its_section_waits_for_the_words_of_the_section() -> None:
    """Else its heading would stand over an empty page."""
    parts = (("a", "text", 45), ("h", "heading", 5), ("f", "figure", 80), ("b", "text", 40), ("c", "text", 30))
    assert order(parts, arrange(laid_out(*parts), PAGE, Arrangement())) == ["a", "h", "b", "f", "c"]


def test_a_figure_that_begins_the_next_page_is_no_change_for_what_comes_after() -> None:
    """What stands below it is where it was laid out, though an estimate would have it elsewhere."""
    parts = (("a", "text", 95), ("f", "figure", 60), ("b", "text", 30), ("g", "figure", 60), ("c", "text", 50))
    laid = laid_out(*parts)
    # The engine needed more room for `b` than its height says.
    laid[2] = dataclasses.replace(laid[2], end=(1, 98.0))
    laid[3:] = [dataclasses.replace(each, start=(2, each.start[1]), end=(2, each.end[1])) for each in laid[3:]]
    assert arrange(laid, PAGE, Arrangement()) == Arrangement()


def test_a_document_is_the_worse_the_emptier_its_pages_are() -> None:
    full = laid_out(("a", "text", 100), ("f", "figure", 80), ("b", "text", 20))
    void = laid_out(("a", "text", 40), ("f", "figure", 80), ("b", "text", 20))
    assert emptiness(full, PAGE, Arrangement()) == 0 < emptiness(void, PAGE, Arrangement())
    assert emptiness(full, PAGE, Arrangement(scales={"f": 0.8})) > 0


def test_a_draft_holds_the_references_where_figures_come_after_them(documents: dict[str, Document]) -> None:
    document = documents["en"]
    figures = [item for item in document.items() if isinstance(item, FigureItem)]
    lines = {"en": [("a", Markup("A.")), ("b", Markup("B."))]}
    for appendix, kept in ((True, 2), (False, 1)):
        last = dataclasses.replace(document.sections[-1], items=(figures[0],), appendix=appendix)
        drafted = draft(dataclasses.replace(document, sections=(*document.sections[:-1], last), references=lines))
        assert len(drafted.references["en"]) == kept


def test_short_paragraphs_in_two_languages_are_whole(documents: dict[str, Document]) -> None:
    def of(code: str) -> list[TextItem]:
        return [item for item in in_paragraphs(documents[code]).items() if isinstance(item, TextItem)]

    assert not any(item.css == KEPT for item in of("vi"))
    texts = of("vi-en")
    assert any(item.css == KEPT for item in texts)
    assert all(len(html.striptags()) <= SHORT_PARAGRAPH for item in texts if item.css == KEPT for html in item.html.values())


def test_a_figure_never_comes_after_a_heading_that_nothing_stands_under() -> None:
    """A draft ends with bare headings; in the document itself there is no item of that name that a figure could follow."""
    for height in (45, 70, 95):
        parts = (("h", "chapter", 5), ("a", "text", 50), ("f", "figure", height), ("i", "heading", 5), ("j", "heading", 5))
        found = arrange(laid_out(*parts), PAGE, Arrangement())
        assert set(found.follows.values()) <= {"a"}
