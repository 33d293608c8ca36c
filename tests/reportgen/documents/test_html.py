"""The HTML file: whole in itself, sound as a page, and complete in each of its languages."""

import base64
import dataclasses
import hashlib
import html.parser
import re
import unicodedata

import pytest
import tinyhtml5
from fontTools.ttLib import TTFont
from markupsafe import Markup

from reportgen.documents import Assets, Document, render_html
from reportgen.documents.document import TextItem
from reportgen.documents.faces import FACES
from reportgen.documents.html import signs_unbroken

CODES = ["en", "vi", "vi-en"]
VOID = {"meta", "br", "img", "link", "input", "hr", "wbr", "col", "path", "use"}


class Page(html.parser.HTMLParser):
    """Attributes of every element, text by the family of the face that sets it, and whether every element is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((tuple(self.open), data))


@pytest.mark.parametrize("code", CODES)
def test_elements_are_closed_in_order_and_identifiers_are_single(pages: dict[str, str], code: str) -> None:
    page = Page(pages[code])
    assert page.open == []
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("code", CODES)
def test_every_link_within_the_page_has_its_place(pages: dict[str, str], code: str) -> None:
    page = Page(pages[code])
    identifiers = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    aims = {attributes["href"][1:] for _, attributes in page.elements if attributes.get("href", "").startswith("#")}
    assert aims
    assert aims <= identifiers


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(pages: dict[str, str], code: str) -> None:
    page = Page(pages[code])
    assert not any(tag in ("link", "iframe", "object", "embed", "base", "form") for tag, _ in page.elements)
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "srcset", "poster", "xlink:href"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
        if tag == "a":
            assert attributes["href"].startswith(("#", "https://doi.org/", "data:", "../", "report.pdf"))
    assert set(re.findall(r"url\(\"?([a-z]+:|#)", pages[code])) <= {"data:", "#"}
    assert "@import" not in pages[code]
    policy = next(attributes["content"] for _, attributes in page.elements if attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")


def test_the_only_script_is_the_one_that_the_policy_names(pages: dict[str, str]) -> None:
    """It shows rows beside their numbers and sorts the long table; by its hash nothing else can run."""
    page = pages["en"]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == page.count("<script") == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert re.findall(r"script-src ([^;]*);", policy[1]) == [f"'sha256-{digest}'"]
    written = "\n".join(Assets.default().text(f"report/{name}.js") for name in ("page", "sort"))
    assert [line for line in scripts[0].splitlines() if line] == [line for line in written.splitlines() if line]


def test_cells_of_a_sortable_table_say_what_they_are_sorted_by(pages: dict[str, str]) -> None:
    values = {code: re.findall(r'data-value="([^"]*)"', pages[code]) for code in ("en", "vi")}
    assert len(values["en"]) >= 30
    # Numbers are the same whatever the language writes for a decimal sign.
    assert [each for each in values["en"] if re.fullmatch(r"-?[\d.e-]+", each)] == [
        each for each in values["vi"] if re.fullmatch(r"-?[\d.e-]+", each)
    ]


def test_every_unit_of_text_says_its_language(pages: dict[str, str]) -> None:
    page = Page(pages["vi-en"])
    spoken = [attributes.get("lang") for tag, attributes in page.elements if attributes.get("class") == "version"]
    assert set(spoken) == {"vi", "en"}
    # Words that are the same in both languages, such as "p" over a column, are said once.
    alike = re.findall(r'<span class="version" lang="vi">((?:(?!</?span).)*)</span>(?!<span class="both">)', pages["vi-en"])
    assert all(f'<span class="version" lang="en">{words}</span>' in pages["en"] for words in alike)
    assert spoken.count("vi") == spoken.count("en") + len(alike)
    assert page.elements[0] == ("html", {"lang": "vi"})
    assert next(attributes for tag, attributes in Page(pages["en"]).elements if tag == "html") == {"lang": "en"}


def test_verdicts_are_words_beside_their_signs(pages: dict[str, str]) -> None:
    for code, words in (
        ("en", ("supported", "contradicted", "inconclusive", "not testable")),
        ("vi", ("được ủng hộ", "chưa kết luận được")),
    ):
        for word in words:
            assert f'</span> <span lang="{code}">{word}</span></span>' in pages[code]


def test_a_section_can_be_read_in_another_language_from_where_one_is(pages: dict[str, str]) -> None:
    assert 'href="../report.html#method-estimator"' in pages["en"]


def test_a_page_without_sections_has_no_contents(pages: dict[str, str], documents: dict[str, Document]) -> None:
    """Such as a summary: a list of contents with nothing in it says nothing, to the eye or to a screen reader."""
    summary = dataclasses.replace(documents["en"], sections=(), references={"en": ()})
    assert '<nav class="contents"' in pages["en"]
    page = render_html(summary)
    assert 'class="contents"' not in page
    assert re.findall(r"<(?:ul|ol)>\s*</(?:ul|ol)>", page) == []


def test_no_line_ends_at_a_sign_between_two_numbers() -> None:
    """On a phone as on paper: "p < .05" stays together. What is no prose stays as it is."""
    assert signs_unbroken("<p>tau &lt; 0, p = .03 (k = 3)</p>") == "<p>tau\u00a0&lt;\u00a00, p\u00a0=\u00a0.03 (k\u00a0=\u00a03)</p>"
    for kept in (
        "<style>a + b</style>",
        "<script>const a = 1</script>",
        "<pre>x = 1</pre>",
        "<blockquote><p>1 + 1 = 2</p></blockquote>",
        "<svg><title>p = .1</title><text>p = .1</text></svg>",
        '<img alt="p = .1">',
    ):
        assert signs_unbroken(f"<p>{kept}</p>") == f"<p>{kept}</p>"


def test_downloads_hold_the_figure_and_its_numbers(pages: dict[str, str]) -> None:
    page = Page(pages["en"])
    files = {attributes["download"]: attributes["href"] for _, attributes in page.elements if "download" in attributes}
    tables = {f"{name}.{kind}" for name in ("layers", "verdicts") for kind in ("tex", "html")}
    assert set(files) == {"profile.svg", "profile.csv", "scatter.svg", "scatter.csv", "references.bib", *tables}
    numbers = base64.b64decode(files["profile.csv"].partition("base64,")[2]).decode().splitlines()
    assert numbers[0] == "layer,attention,attention_tau,mlp,mlp_tau,p"
    assert len(numbers) == 31
    assert b"var(--" not in base64.b64decode(files["profile.svg"].partition("base64,")[2])


def test_figures_are_described_in_words(pages: dict[str, str]) -> None:
    drawn = [attributes for tag, attributes in Page(pages["en"]).elements if tag == "svg"]
    assert [attributes["aria-label"].split(":")[0] for attributes in drawn] == ["Line chart over 30 layers", "Scatter plot"]
    assert all(attributes["role"] == "img" for attributes in drawn)
    formulas = [attributes for tag, attributes in Page(pages["vi"]).elements if tag == "math"]
    assert any(attributes["aria-label"] == "alpha bằng năm phần trăm" for attributes in formulas)
    assert "<mn>0,05</mn>" in pages["vi"]
    assert "<mn>0.05</mn>" in pages["en"]


def family_of(open_elements: tuple[str, ...]) -> str:
    if "math" in open_elements:
        return "math"
    return "mono" if {"code", "pre"} & set(open_elements) else "serif"


@pytest.mark.parametrize("code", CODES)
def test_every_character_is_in_the_faces_that_may_set_it(pages: dict[str, str], code: str, assets: Assets) -> None:
    known = {name: set(TTFont(assets.path(f"fonts/{name}.ttf")).getBestCmap()) for name in FACES}
    sans, serif = known["sans-regular"] & known["sans-semibold"], known["serif-regular"] & known["serif-semibold"] & known["serif-italic"]
    page = Page(pages[code])
    for open_elements, text in page.texts:
        if {"style", "title"} & set(open_elements):
            continue
        may = {"math": known["math-regular"], "mono": known["mono-regular"], "serif": serif | sans}[family_of(open_elements)]
        missing = {
            character
            for character in text
            if ord(character) not in may and not character.isspace() and unicodedata.category(character) != "Cf"
        }
        assert missing == set(), text
    assert unicodedata.is_normalized("NFC", pages[code])


def test_what_is_the_same_in_every_language_stands_once(documents: dict[str, Document]) -> None:
    quoted = Markup("<blockquote>Turkish coffee</blockquote>")
    page = render_html(dataclasses.replace(documents["vi-en"], front=(TextItem({"vi": quoted, "en": quoted}),)), {"en": "English"})
    assert page.count(quoted) == 1


@pytest.mark.parametrize("code", CODES)
def test_an_appendix_is_closed_and_what_links_lead_to_lies_within(pages: dict[str, str], documents: dict[str, Document], code: str) -> None:
    page = tinyhtml5.parse(pages[code], namespace_html_elements=False)
    appendices = {section.id: section for section in documents[code].sections if section.appendix}
    folded = {details: details.find("div").get("id") for details in page.iter("details") if details.get("class") == "appendix"}
    assert sorted(folded.values()) == sorted(appendices)
    for details, name in folded.items():
        assert details.get("open") is None
        heading = "".join(details.find("summary").itertext())
        assert all(words in heading for words in appendices[name].heading.values())
        # What is told from the outside what it is, is read out as a heading, with nothing to press in it but itself.
        assert not list(details.find("summary").iter("a"))
    unfolded = {section.get("id") for section in page.iter("section")} - {None}
    assert unfolded >= {section.id for section in documents[code].sections if not section.appendix}
