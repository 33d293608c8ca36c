"""Tables for a paper: each table of a report as LaTeX (booktabs) and as an HTML file that word processors open."""

import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence

import pandas
from markupsafe import Markup, escape
from pandas.io.formats.style import Styler

from reportgen.documents.document import Document, TableItem
from reportgen.documents.languages import Language, in_one_line
from reportgen.documents.tables import Grid, Heading

# Greek letters, under the names that LaTeX has for them; an omicron is an o there.
_GREEK = {
    chr(code): f"$\\{name.lower().replace('lamda', 'lambda')}$"
    for code in range(0x3B1, 0x3CA)
    if " " not in (name := unicodedata.name(chr(code)).removeprefix("GREEK SMALL LETTER ")) and name != "OMICRON"
}
# What stands for more than itself in LaTeX, or is not set up in its usual encodings.
_IN_LATEX = str.maketrans(
    _GREEK
    | {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"$<$",
        ">": r"$>$",
        "|": r"$|$",
        "−": r"$-$",
        "×": r"$\times$",
        "±": r"$\pm$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "≈": r"$\approx$",
        "→": r"$\rightarrow$",
        "²": r"\textsuperscript{2}",
        "\u00a0": "~",
    }
)
_COMMANDS = {
    "b": "textbf",
    "strong": "textbf",
    "i": "emph",
    "em": "emph",
    "code": "texttt",
    "sub": "textsubscript",
    "sup": "textsuperscript",
}
_VIETNAMESE = re.compile("[\u1ea0-\u1ef9ăđơưĂĐƠƯ]")
# What pandas says at the foot of a page of a long table, in English whatever the table's language.
_CONTINUED = "Continued on next page"
# Up to how many characters the words of a column stand in one line.
_ONE_LINE = 14
_NO_STYLE = re.compile(r"<style.*?</style>\s*", re.DOTALL)
_STYLE = """
body{font-family:"Times New Roman",serif;font-size:10pt}
table{border-collapse:collapse;border-top:1.5pt solid black;border-bottom:1.5pt solid black}
caption{text-align:left;padding-bottom:6pt}
th,td{padding:2pt 5pt;text-align:left;vertical-align:top;font-weight:normal}
thead th{font-weight:bold;vertical-align:bottom;border-bottom:.75pt solid black}
"""


def files_of_tables(document: Document) -> dict[str, dict[str, str]]:
    """The files (`table_files`) of each table of a document, by the table's id."""
    return {item.id: table_files(item, document.languages) for item in document.items() if isinstance(item, TableItem)}


def table_files(item: TableItem, languages: Sequence[Language]) -> dict[str, str]:
    """A table's files: ``name.tex`` and ``name.html``, in the languages of its document."""
    return {f"{item.id}.tex": latex_of(item, languages), f"{item.id}.html": html_of(item, languages)}


def latex_of(item: TableItem, languages: Sequence[Language]) -> str:
    """The table as LaTeX with booktabs, an environment of its own to be read in by ``\\input``; a long one breaks over pages."""
    grid, long = item.grid, not item.whole
    rows: list[list[str]] = []
    for group, numbers in grid.parts():
        if group:
            head = rf"\multicolumn{{{len(grid.widths)}}}{{l}}{{\textbf{{{_latex(_heading(group))}}}}} \\ %"
            # The rest of the line, the cells that the heading takes the place of, is a comment.
            rows.append([head, *[""] * (len(grid.widths) - 1)])
        rows += [[_latex(cell.html) for cell in grid.rows[number]] for number in numbers]
    for row in rows:
        # At the beginning of a row a bracket would be a length, for the end of the row before.
        row[0] = f"{{}}{row[0]}" if row[0].startswith("[") else row[0]
    made = (
        _styler(grid, rows, _latex)
        .to_latex(
            column_format=_columns(grid),
            position=None if long else "htbp",
            position_float=None if long else "centering",
            environment="longtable" if long else None,
            hrules=True,
            multicol_align="c",
            label=f"tab:{item.id}",
            caption=_latex(_in_one_line(item.caption)),
        )
        .replace(_CONTINUED, in_one_line(language.text("interface.table_continued").translate(_IN_LATEX) for language in languages))
    )
    note = f"\n{_latex(_in_one_line(item.note))}\n" if item.note else ""
    needed = ["array", "booktabs", *(["longtable"] if long else [])]
    encoding = "T5" if _VIETNAMESE.search(made) else "T1"
    head = f"% \\usepackage[{encoding}]{{fontenc}} % pdfLaTeX\n% \\usepackage{{{','.join(needed)}}}\n"
    return head + made + note


def html_of(item: TableItem, languages: Sequence[Language]) -> str:
    """The table as an HTML file of its own, without links or scripts: word processors open it, and it can be pasted into them."""
    grid = item.grid
    names = [_plain(_heading(group)) for group, numbers in grid.parts() for _ in numbers if group]
    rows = [[_plain(cell.html) for cell in row] for row in grid.rows]
    made = _styler(grid, rows, _plain, names).to_html(table_uuid=item.id, cell_ids=False, caption=_plain(_in_one_line(item.caption)))
    # Rules by class alone: word processors know few others.
    numeric = "".join(f".col{index}{{text-align:right;white-space:nowrap}}\n" for index, head in enumerate(grid.headings) if head.numeric)
    title = escape(_words(_in_one_line(item.caption)))
    note = f"<p>{_plain(_in_one_line(item.note))}</p>\n" if item.note else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{languages[0].code}">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{_STYLE}{numeric}</style>\n</head>\n<body>\n{_NO_STYLE.sub('', made)}{note}</body>\n</html>\n"
    )


def _styler(grid: Grid, rows: Sequence[Sequence[str]], written: Callable[[Markup], str], names: Sequence[str] = ()) -> Styler:
    """The rows under the heads of their columns and groups of columns, and beside the `names` of their groups, if any."""
    heads = [written(_heading(head)) for head in grid.headings]
    groups = [written(_heading(group)) for group in grid.groups for _ in range(group.span)]
    # Columns may have the same head: their numbers, which are not shown, tell them apart.
    levels = [groups, heads, range(len(heads))] if groups else [heads, range(len(heads))]
    table = pandas.DataFrame(rows, columns=pandas.MultiIndex.from_arrays(levels), dtype=object)
    if names:
        table.index = pandas.MultiIndex.from_arrays([names, range(len(names))])
    return Styler(table).hide(axis="columns", level=len(levels) - 1).hide(axis="index", level=1 if names else None)


def _columns(grid: Grid) -> str:
    def column(index: int) -> str:
        if grid.headings[index].numeric:
            return "r"
        longest = max(len(_words(row[index].html)) for row in grid.rows)
        if longest <= _ONE_LINE:
            return "l"
        return rf">{{\raggedright\arraybackslash}}p{{\dimexpr{grid.widths[index]:.2f}\linewidth-2\tabcolsep\relax}}"

    return "".join(map(column, range(len(grid.widths))))


def _heading(heading: Heading) -> Markup:
    return _in_one_line(heading.words)


def _in_one_line(by_language: Mapping[str, Markup]) -> Markup:
    return Markup(in_one_line(by_language.values()))


def _element(html: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(f"<cell>{html}</cell>")


def _words(html: Markup) -> str:
    return "".join(_element(html).itertext())


def _is_for_the_eye(element: ElementTree.Element) -> bool:
    """A verdict's sign and what a screen reader says beside a dash: the words, or the dash, are enough."""
    return "sign" in element.get("class", "").split() or "spoken" in element.get("class", "").split()


def _written(element: ElementTree.Element, text: Callable[[str], str], marked: Callable[[str, str], str]) -> str:
    if _is_for_the_eye(element):
        return ""
    inner = text(element.text or "") + "".join(_written(child, text, marked) + text(child.tail or "") for child in element)
    if element.get("class") == "cell-note":
        return f"({inner})"
    return marked(element.tag, inner)


def _latex(html: Markup) -> str:
    def marked(tag: str, inner: str) -> str:
        return rf"\{_COMMANDS[tag]}{{{inner}}}" if tag in _COMMANDS else inner

    return _evened(_written(_element(html), lambda text: text.translate(_IN_LATEX), marked))


def _plain(html: Markup) -> str:
    """Markup with the emphasis that it has and without everything else."""

    def marked(tag: str, inner: str) -> str:
        return f"<{tag}>{inner}</{tag}>" if tag in _COMMANDS else inner

    return _evened(_written(_element(html), lambda text: str(escape(text)), marked))


def _evened(text: str) -> str:
    return re.sub(r"[ \n\t]+", " ", text).strip()
