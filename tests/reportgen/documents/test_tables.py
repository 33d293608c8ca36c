"""Tables: headings between rows, names that go on, and how close the rows of a long table stand."""

from collections.abc import Mapping

from markupsafe import Markup

from analyses.mi_distance import analysis
from reportgen.documents.assets import Assets
from reportgen.documents.document import LONG_TABLE, SHORT_TABLE, Section, TableItem
from reportgen.documents.languages import Language, load_languages
from reportgen.documents.outline import TableSpec
from reportgen.documents.tables import Grid, build_grid

KNOWN = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)
ROWS = [
    {"test": test, "estimator": estimator, "verdict": "supported", "value": value}
    for test in ("t", "jackknife")
    for estimator, value in (("histogram", 1), ("corrected", 2))
]
COLUMNS = [
    {"field": "estimator", "heading": "table.significance.estimator", "format": "key", "prefix": "estimator.", "row_heading": True},
    {"field": "value", "heading": "table.significance.none", "format": "integer"},
]


def grid(languages: tuple[Language, ...], rows: list[Mapping[str, object]], **options: object) -> Grid:
    return build_grid("trial", TableSpec.model_validate({"rows": "trial", "columns": COLUMNS, **options}), rows, languages)


def test_adjacent_rows_of_one_value_stand_under_its_heading() -> None:
    made = grid((KNOWN["en"],), ROWS, row_groups={"field": "test", "prefix": "test."})
    parts = [(group.words["en"] if group else None, list(numbers)) for group, numbers in made.parts()]
    assert parts == [(KNOWN["en"].text("test.t"), [0, 1]), (KNOWN["en"].text("test.jackknife"), [2, 3])]
    assert [(group, list(numbers)) for group, numbers in grid((KNOWN["en"],), ROWS).parts()] == [(None, [0, 1, 2, 3])]


def test_a_name_that_goes_on_is_known() -> None:
    made = grid((KNOWN["en"],), [ROWS[0], ROWS[2], ROWS[1], ROWS[3]])
    assert [made.continues(index) for index in range(4)] == [True, False, True, False]


def test_words_in_two_languages_take_two_lines_and_long_tables_begin_a_page() -> None:
    def table(made: Grid) -> TableItem:
        return TableItem("trial", "1", {}, {}, made)

    both = (KNOWN["vi"], KNOWN["en"])
    corrected = [row for row in ROWS if row["estimator"] == "corrected"]
    assert (grid(both[:1], corrected).lines, grid(both, corrected).lines) == (2, 4)
    short, long, longest = (table(grid(both[:1], [ROWS[0]] * count)) for count in (SHORT_TABLE, LONG_TABLE, LONG_TABLE + 1))
    assert [(each.length, each.whole) for each in (short, long, longest)] == [("short", True), ("long", False), ("longest", False)]
    assert [Section("a", "A", {"vi": Markup("x")}, (each,), appendix=True).begins_page for each in (short, long)] == [False, True]
