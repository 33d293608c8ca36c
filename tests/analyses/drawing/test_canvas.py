"""Labels are set in rows, one a language, whatever stands in them."""

import matplotlib.pyplot as plt
import pytest

from analyses.drawing.canvas import Canvas, Row, Words
from reportgen.documents.languages import Labels, Language

VIETNAMESE = Language("vi", {"axis": "Tầng / độ sâu", "same": "MI"})
ENGLISH = Language("en", {"axis": "Layer / depth", "same": "MI"})


@pytest.mark.parametrize(
    ("languages", "rows"), [([ENGLISH], ["Layer / depth"]), ([VIETNAMESE, ENGLISH], ["Tầng / độ sâu", "Layer / depth"])]
)
def test_a_slash_in_a_label_is_no_second_language(languages, rows):
    words = Words(Labels(languages))
    assert words.languages == len(languages)
    assert words.rows("axis") == rows


def test_what_both_languages_write_alike_shares_a_row_and_room_is_left_for_both():
    words = Words(Labels([VIETNAMESE, ENGLISH]))
    assert words.rows("same") == ["MI"]
    assert words.languages == 2
    one, two = (Canvas(Labels(each), [Row(1.0)]) for each in ([ENGLISH], [VIETNAMESE, ENGLISH]))
    assert two.height > one.height
    plt.close("all")


def test_rows_name_their_language():
    assert Labels([VIETNAMESE, ENGLISH]).rows("axis") == [("vi", "Tầng / độ sâu"), ("en", "Layer / depth")]
