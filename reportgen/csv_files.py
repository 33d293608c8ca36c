"""Tables as CSV: tidy, with every digit, safe to open in a spreadsheet."""

from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    import pandas

# A spreadsheet takes a cell that begins with one of these for a formula, and a formula can call programs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(table: "pandas.DataFrame") -> str:
    """Return a table as CSV: an empty cell where there is no (finite) number, words never as a formula.

    A word that a spreadsheet would compute gets an apostrophe in front, which is how spreadsheets themselves write it. Floats are
    their shortest text that reads back the same.

    >>> import pandas
    >>> csv_text(pandas.DataFrame({"word": ["tea", "=1+1"], "value": [0.1, float("inf")]}))
    "word,value\\ntea,0.1\\n'=1+1,\\n"
    """
    safe = table.copy()
    for position, kind in enumerate(safe.dtypes):
        column = safe.iloc[:, position]
        if kind.kind == "f":
            safe.isetitem(position, column.where(numpy.isfinite(column)))
        elif kind.kind not in "iub":
            safe.isetitem(position, column.map(_cell).astype(object))
    safe.columns = [_cell(str(name)) for name in safe.columns]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, float) and not numpy.isfinite(value):
        return None
    return value
