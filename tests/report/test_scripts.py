"""A report on a text of another script: the quotation in its own direction, on the page and on paper, and every character there."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from analyses.protocol import Results
from analyses.words import look_for
from reportgen import printing
from reportgen.documents.other_scripts import foreign
from reportgen.documents.pagination import Arrangement

WORD = "قهوة"
TEXT = "شربت قهوة ثم قهوة ثم قهوة. قال: قهوة! وبعدها قهوة، ثم قهوة (3) ثم قهوة."


def with_text(results: Results) -> Results:
    """The planted study, had it been of this text: a token a word."""
    offsets = [match.span() for match in re.finditer(r"\s*\S+", TEXT)]
    found = look_for(TEXT, WORD, offsets)
    text = {
        "text": TEXT,
        "tokens": [TEXT[start:end] for start, end in offsets],
        "offsets": [list(offset) for offset in offsets],
        "prefix_tokens": 0,
        "occurrences": [{"start": place.start, "end": place.end, "tokens": list(place.tokens)} for place in found.occurrences],
        "word": found.to_dict(),
    }
    given = results.study["settings"]
    settings = given | {"word": WORD, "text": TEXT, "document": given["document"] | {"text_language": "ar"}}
    return replace(results, study=results.study | {"text": text, "settings": settings})


@pytest.fixture(scope="module")
def report(planted_study, plant, report_of) -> Any:
    return report_of(with_text(planted_study(plant([0.3, 0.4, 0.5, 0.6], [0.6, 0.5, 0.4, 0.4], dimensions=80))), "en")


def test_the_page_gives_the_quotation_its_own_direction_and_isolates_the_word(report):
    assert '<blockquote class="study-text" dir="auto" lang="ar"><p>شربت <mark data-number="1">قهوة</mark>' in report.html
    assert f"holds the word “<bdi>{WORD}</bdi>” 7 times" in report.html
    assert f"<code>·<bdi>{WORD}</bdi></code>" in report.html or "The word is one token." in report.html
    # Nothing of it stands in an English sentence without an element of its own.
    visible = re.sub(
        r"<blockquote.*?</blockquote>|<bdi>.*?</bdi>|<(title|style|script|svg|pre)\b.*?</\1>|<[^>]*>", " ", report.html, flags=re.DOTALL
    )
    assert not re.search("[\u0590-\u08ff]", visible)


def test_on_paper_the_words_follow_one_another_from_right_to_left(report):
    from reportgen.documents.engine import laying_out
    from reportgen.documents.pdf import _Press

    if printing.obstacle(foreign(TEXT)):
        pytest.skip("no font for Arabic here")
    with laying_out():
        press = _Press(report.document)
        pages = press.layout(press.page(Arrangement())).pages

    def boxes(box: Any, tag: str) -> Iterator[Any]:
        # A box of text has the tag of the element around it.
        if getattr(box, "element_tag", None) == tag and hasattr(box, "children"):
            yield box
        for child in getattr(box, "children", ()):
            yield from boxes(child, tag)

    def number(mark: Any) -> int:
        return int(mark.element.get("data-number"))

    quotation = next(box for page in pages for box in boxes(page._page_box, "blockquote"))
    right = quotation.content_box_x() + quotation.width
    places = sorted((number(mark), mark.position_y, mark.position_x) for mark in boxes(quotation, "mark") if mark.children)
    assert [place[0] for place in places] == [1, 2, 3, 4, 5, 6, 7]
    followed = 0
    for (_, y, x), (_, next_y, next_x) in itertools.pairwise(places):
        if abs(next_y - y) < 1:
            followed += 1
            assert next_x < x
    assert followed >= 4
    # Before the first stands one word, at the right edge.
    assert right - places[0][2] < quotation.width / 3
