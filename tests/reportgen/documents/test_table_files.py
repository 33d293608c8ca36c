"""Tables for a paper: LaTeX that closes what it opens, HTML that a parser reads back, and both say what the page says."""

import re
from html import unescape

import pytest
import tinyhtml5
from markupsafe import Markup

from analyses.mi_distance import analysis
from reportgen.documents.assets import Assets
from reportgen.documents.document import Document, TableItem
from reportgen.documents.languages import load_languages
from reportgen.documents.outline import TableSpec
from reportgen.documents.table_files import html_of, latex_of, table_files
from reportgen.documents.tables import Cell, Grid, Heading, build_grid

KNOWN = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)
XHTML = "{http://www.w3.org/1999/xhtml}"
HOSTILE = r"50% & $x_1$ #2 {a} ~b ^c \d <e> |z| “Nguyễn Thị Ngữ Ẵ” τ λ [f]"
# How LaTeX writes what HOSTILE holds, by the rules of the language (Lamport, LaTeX, section 2.2.1 and 3.1).
IN_LATEX = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\{": "{", r"\}": "}", r"\&": "&", r"\%": "%",
    r"\$": "$", r"\#": "#", r"\_": "_", "$<$": "<", "$>$": ">", "$|$": "|", "$-$": "−", "~": "\u00a0", r"$\tau$": "τ", r"$\lambda$": "λ",
}  # fmt: skip
TOKEN = re.compile("|".join(map(re.escape, sorted(IN_LATEX, key=len, reverse=True))))
EMPHASIS = re.compile(r"\\(?:textbf|emph|texttt|textsubscript|textsuperscript)\{([^{}]*)\}")


def made(rows: list[list[str]], *, groups: tuple[Heading, ...] = (), row_groups: tuple[Heading, ...] = (), long: int = 1) -> TableItem:
    cells = tuple(tuple(Cell(Markup.escape(words)) for words in row) for row in rows * long)
    headings = tuple(Heading({"vi": Markup.escape(f"Cột {index}")}, numeric=index > 0) for index in range(len(rows[0])))
    grid = Grid(groups, headings, cells, tuple([1 / len(headings)] * len(headings)), row_groups=row_groups)
    return TableItem("trial", "1", {"vi": Markup.escape(f"Bảng thử: {HOSTILE}")}, {}, grid)


def evened(text: str) -> str:
    """Without white space that means nothing; a space that keeps a number whole does."""
    return re.sub(r"[ \n\t]+", " ", text).strip()


def shown(html: str) -> str:
    """What a cell of the page says to somebody who reads it: no sign of a verdict, no words for a screen reader alone."""
    html = re.sub(r'<span class="sign"[^>]*>.*?</span>|<span class="spoken">.*?</span>', "", html)
    html = re.sub(r'<span class="cell-note">(.*)</span>$', r"(\1)", html)
    return evened(unescape(re.sub(r"<[^>]*>", "", html)))


def expected(item: TableItem) -> list[list[str]]:
    return [[shown(str(cell.html)) for cell in row] for row in item.grid.rows]


def latex_rows(source: str) -> list[list[str]]:
    """The cells of a LaTeX table's body; fails where a row has not as many as the table has columns."""
    source = re.sub(r"(?<!\\)%.*", "", source)
    (kinds,) = re.findall(r"\\begin\{(?:tabular|longtable)\}\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", source)
    columns = len(re.sub(r">?\{[^{}]*\}", "", kinds))
    body = re.split(r"\\endlastfoot|\\midrule", source)[-1].partition(r"\bottomrule")[0].partition(r"\end{")[0]
    found = []
    for row in re.split(r"\\\\(?=\s)", body):
        if not row.strip():
            continue
        span = re.match(r"\s*\\multicolumn\{(\d+)\}\{l\}", row)
        if span:
            assert int(span[1]) == columns
            continue
        cells = [cell.strip().removeprefix("{}") for cell in re.split(r"(?<!\\)&", row)]
        assert len(cells) == columns, row
        found.append(cells)
    return found


def read(cell: str) -> str:
    while EMPHASIS.search(cell):
        cell = EMPHASIS.sub(r"\1", cell)
    return TOKEN.sub(lambda match: IN_LATEX[match[0]], cell)


def well_formed(source: str) -> None:
    """Every environment and group that is opened is closed, in order; nothing stands there that LaTeX would take for a command."""
    source = re.sub(r"(?<!\\)%.*", "", source)
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", source):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    open_ones: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", source):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert not open_ones
    assert source.count(r"\toprule") == source.count(r"\begin{tabular}") + 2 * source.count(r"\begin{longtable}")
    assert not re.search(r"(?<!\\)[#_^]", re.sub(r"\$[^$]*\$|\\label\{[^}]*\}", "", source))
    assert re.sub(r"\\\$", "", source).count("$") % 2 == 0
    assert re.sub(r"[\x00-\x7f]|[\u00c0-\u024f\u1ea0-\u1ef9–—“”‘’…·⟨⟩]", "", source) == ""


def html_rows(page: str) -> list[list[str]]:
    (table,) = tinyhtml5.parse(page).iter(f"{XHTML}table")
    return [[evened("".join(cell.itertext())) for cell in row.findall(f"{XHTML}td")] for row in table.find(f"{XHTML}tbody")]


@pytest.mark.parametrize("long", [1, 40])
def test_hostile_words_come_back_from_both_files(long: int) -> None:
    item = made([[HOSTILE, "−0,5"], ["[a", "[−0,1;\u00a00,2]"]], long=long)
    source, page = latex_of(item, [KNOWN["vi"]]), html_of(item, [KNOWN["vi"]])
    well_formed(source)
    assert [[read(cell) for cell in row] for row in latex_rows(source)] == expected(item)
    assert html_rows(page) == expected(item)
    assert (r"\begin{longtable}" in source) == (long > 1)
    assert "Continued" not in source
    assert r"\usepackage[T5]{fontenc}" in source
    assert read(re.search(r"\\caption\{(.*?)\}(?: \\label.*)?\n", source)[1]) == f"Bảng thử: {HOSTILE}"


def test_headings_between_rows_and_over_columns() -> None:
    groups = (Heading({}, 1), Heading({"vi": Markup("Nhóm")}, 2))
    item = made([["a", "1", "2"], ["b", "3", "4"], ["c", "5", "6"]], groups=groups,
                row_groups=(Heading({"vi": Markup("Đầu")}, 2), Heading({"vi": Markup("Sau")}, 1)))  # fmt: skip
    source, page = latex_of(item, [KNOWN["vi"]]), html_of(item, [KNOWN["vi"]])
    well_formed(source)
    assert [[read(cell) for cell in row] for row in latex_rows(source)] == expected(item) == html_rows(page)
    assert re.findall(r"\\multicolumn\{3\}\{l\}\{\\textbf\{(\w+)\}\} \\\\", source) == ["Đầu", "Sau"]
    assert r"\multicolumn{2}{c}{Nhóm}" in source
    (table,) = tinyhtml5.parse(page).iter(f"{XHTML}table")
    spans = [(cell.text, cell.get("rowspan")) for cell in table.find(f"{XHTML}tbody").iter(f"{XHTML}th")]
    assert [(text, int(span or 1)) for text, span in spans] == [("Đầu", 2), ("Sau", 1)]
    assert [cell.text for cell in table.iter(f"{XHTML}th") if cell.get("colspan") == "2"] == ["Nhóm"]


def test_a_verdict_is_its_word_and_what_goes_with_it() -> None:
    spec = TableSpec.model_validate({"rows": "trial", "columns": [
        {"field": "verdict", "note": "says", "heading": "table.answers.data", "format": "verdict"},
        {"field": "low", "high": "high", "heading": "table.verdicts.interval", "format": "interval"},
    ]})  # fmt: skip
    rows = [{"verdict": "contradicted", "says": {"as": "key", "key": "says.mlp_fall.contradicted"}, "low": -0.125, "high": 0.25},
            {"verdict": "supported", "says": None, "low": None, "high": None}]  # fmt: skip
    grid = build_grid("trial", spec, rows, [KNOWN["vi"]])
    item = TableItem("trial", "1", {"vi": Markup("Bảng")}, {}, grid)
    rows_of = [[read(cell) for cell in row] for row in latex_rows(latex_of(item, [KNOWN["vi"]]))]
    assert rows_of == [["trái với dữ liệu (nhánh MLP tăng)", "[−0,12;\u00a00,25]"], ["được ủng hộ", "–"]]
    assert html_rows(html_of(item, [KNOWN["vi"]])) == rows_of


@pytest.mark.parametrize("code", ["vi", "en", "vi-en"])
def test_tables_of_a_document_say_what_the_page_says(documents: dict[str, Document], pages: dict[str, str], code: str) -> None:
    document = documents[code]
    root = tinyhtml5.parse(pages[code])
    tables = [item for item in document.items() if isinstance(item, TableItem)]
    assert [item.id for item in tables] == ["verdicts", "layers"]
    for item in tables:
        files = table_files(item, document.languages)
        assert files == table_files(item, document.languages)
        well_formed(files[f"{item.id}.tex"])
        on_page = next(box for box in root.iter(f"{XHTML}div") if box.get("id") == f"table-{item.id}").find(f".//{XHTML}tbody")
        found = html_rows(files[f"{item.id}.html"])
        assert len(on_page) == len(found)
        assert found == expected(item)
        assert len(latex_rows(files[f"{item.id}.tex"])) == len(found)
        for row, cells in zip(on_page, found, strict=True):
            said = evened("".join(row.itertext()))
            assert all(word in said for cell in cells for word in re.split(r"[ ()]", cell))
