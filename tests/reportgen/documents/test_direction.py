"""Right-to-left text: each run in an element of its own, a quotation in its own direction, and no change where there is none."""

import pytest

from reportgen.documents.direction import directed, isolated, runs_right_to_left


def test_a_page_without_such_text_is_the_same():
    page = '<p title="x">Cà phê <b>кофе</b> 咖啡 👍 (3)</p>'
    assert isolated(page) is page
    assert directed(page) == page


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>the word “قهوة” 3 times</p>", "<p>the word “<bdi>قهوة</bdi>” 3 times</p>"),
        # Words with a space or a joiner between are one run; brackets, numbers and quotation marks part runs.
        ("<p>قهوة سوداء (می‌خواهم) 3 קפה</p>", "<p><bdi>قهوة سوداء</bdi> (<bdi>می‌خواهم</bdi>) 3 <bdi>קפה</bdi></p>"),
        ("<p><code>·ق</code> + <code>هوة</code></p>", "<p><code>·<bdi>ق</bdi></code> + <code><bdi>هوة</bdi></code></p>"),
        # Attributes and what holds no mark-up stay; so does what has a direction already.
        ('<title>قهوة</title><p title="قهوة">x</p>', '<title>قهوة</title><p title="قهوة">x</p>'),
        ("<style>/* قهوة */</style><svg><text>قهوة</text></svg>", "<style>/* قهوة */</style><svg><text>قهوة</text></svg>"),
        ("<bdi>قهوة</bdi> قهوة", "<bdi>قهوة</bdi> <bdi>قهوة</bdi>"),
        (
            '<blockquote dir="auto"><p>قهوة<br>قهوة <mark>x</mark></p></blockquote><p>قهوة</p>',
            '<blockquote dir="auto"><p>قهوة<br>قهوة <mark>x</mark></p></blockquote><p><bdi>قهوة</bdi></p>',
        ),
    ],
)
def test_runs_are_isolated(page, expected):
    assert isolated(page) == expected


@pytest.mark.parametrize(
    ("text", "right"),
    [("قهوة and tea", True), ("12 ? קפה", True), ("tea قهوة", False), ("3 km", False), ("123", False), ("", False), ("喝茶", False)],
)
def test_the_first_letter_gives_the_direction(text, right):
    assert runs_right_to_left(text) is right
    page = f'<blockquote class="q" dir="auto" lang="x"><p>{text} <mark>x<sub>1</sub></mark></p></blockquote>'
    start = f'<blockquote class="q" dir="{"rtl" if right else "ltr"}" lang="x">'
    assert directed(page).startswith(start)


@pytest.mark.render
def test_words_of_such_a_quotation_are_not_put_into_boxes_one_by_one():
    from reportgen.documents.pdf import QUOTED, _in_words

    right = '<blockquote dir="rtl"><p>شربت قهوة في الصباح</p></blockquote>'
    assert QUOTED.sub(_in_words, right) == right
    left = '<blockquote dir="ltr"><p>We drink tea</p></blockquote>'
    assert "<span>drink</span>" in QUOTED.sub(_in_words, left)
