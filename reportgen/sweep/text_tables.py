"""Rows of the table that names the texts of a sweep: CSV, JSON Lines or Parquet, read as what anybody may have written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analyses.errors import InputError, MissingError
from analyses.installation import install_line
from analyses.readers import MEGABYTE, TEXT_LIMIT, is_file, open_regular, parse_json, read_text, unprintable

# A table may have other columns too. There may be a list of words in a cell, where the format has lists.
COLUMNS = ("name", "text", "file", "language", "parallel", "word")
_WHAT = "table of texts"
# Rows of a Parquet table that are unpacked at once.
_BATCH = 16


def rows_of(file: Path, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each row stands, for an error, and its cells: text or None, the words as many as there are.

    Raises
    ------
    InputError
        There is no such table, or a cell is no text or holds what is not for reading.
    MissingError
        It is a Parquet table, and pyarrow is not installed.
    """
    readers = {".csv": _of_csv, ".jsonl": _of_json_lines, ".parquet": _of_parquet}
    if file.suffix not in readers:
        raise InputError(f"{where}: {file.name}: expected a .csv, .jsonl or .parquet file")
    if not is_file(file):
        raise InputError(f"{where}: there is no file {file}")
    for place, row in readers[file.suffix](file):
        named = row.get("word")
        words = named if isinstance(named, list) else [named]
        cells: dict[str, Any] = {column: _cell(row.get(column), f"{place}: {column}") for column in COLUMNS if column != "word"}
        if cells["name"] is None or (cells["text"] is None) == (cells["file"] is None):
            raise InputError(f"{place}: expected the columns name, and text or file; found {', '.join(map(str, row))}")
        yield place, {**cells, "word": tuple(word for each in words if (word := _cell(each, f"{place}: word")))}


def _cell(value: Any, place: str) -> str | None:
    """A cell as it is, if it is text; None where there is nothing in it."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError(f"{place}: expected text, found {' '.join(repr(value).split())[:60]}")
    if found := unprintable(value):
        raise InputError(f"{place}: holds the control character {found[1]}, which is not for reading; remove it")
    return value if value.strip() else None


def _of_csv(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    text = read_text(file, _WHAT)
    with _cells_as_long_as_texts():
        try:
            # Line breaks within a cell are its own.
            head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True) if text.strip() else [[]]
        except csv.Error as error:
            raise InputError(f"{file} is no CSV ({' '.join(str(error).split())})") from None
    if twice := [name for name in COLUMNS if head.count(name) > 1]:
        raise InputError(f"{file}: the column {twice[0]} is there twice")
    for number, row in enumerate(rows, start=1):
        if not row:
            continue
        if len(row) != len(head):
            raise InputError(f"{file}, row {number}: expected {len(head)} cells as in the head, found {len(row)}")
        yield f"{file}, row {number}", dict(zip(head, row, strict=True))


@contextmanager
def _cells_as_long_as_texts() -> Iterator[None]:
    before = csv.field_size_limit(TEXT_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _of_json_lines(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # Not splitlines: JSON may hold the breaks of lines that only Unicode knows.
    for number, line in enumerate(read_text(file, _WHAT).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{file}, line {number}"
        row = parse_json(line, place)
        if not isinstance(row, dict):
            raise InputError(f"{place}: expected an object with name, and text or file")
        yield place, row


def _of_parquet(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingError(f"{file}: a Parquet table needs pyarrow; {install_line(['pyarrow'])}") from None
    number, size = 0, 0
    with open_regular(file, _WHAT) as stream:
        try:
            table = pyarrow.parquet.ParquetFile(stream)
            names = table.schema_arrow.names
            columns = [name for name in names if name in COLUMNS]
            if not columns:
                raise ValueError(f"its columns are {', '.join(names)}; expected name, and text or file")
            for batch in table.iter_batches(_BATCH, columns=columns):
                size += batch.nbytes
                # A small file can unpack to more than there is memory.
                if size > TEXT_LIMIT:
                    raise ValueError(f"it holds more than {TEXT_LIMIT // MEGABYTE} MB of text; give the texts as files")
                for row in batch.to_pylist():
                    number += 1
                    yield f"{file}, row {number}", row
        except InputError:
            raise
        except Exception as error:  # pyarrow raises whatever a damaged byte leads it to.
            raise InputError(f"{file}: no Parquet table ({' '.join(str(error).split())[:200]})") from None
