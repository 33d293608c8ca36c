"""A baseline: what `compare` needs of a bundle, small enough to be kept in git.

``study.json`` is the bundle's own. ``results/`` and ``activations/`` have a file for each variable of the datasets of these names, a
row for each place along its dimensions but the last, so that the diff of a moved value is one line. ``tables/`` has the bundle's
tables; a column that is a variable, row by row, is not kept twice. Texts of more than 16 kB are compressed. The captured vectors
are not kept.

Numbers have six significant digits, those of quantities of more than 10,000 values four decimals, a tenth of what may move by
default. `compare` rounds the other side alike, so that what did not move does not seem to.
"""

import bz2
import csv
import dataclasses
import io
import json
import math
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy
import pydantic
import xarray

from analyses.errors import InputError
from analyses.protocol import Results
from analyses.readers import MEGABYTE, read_bytes, read_json, read_text
from reportgen.atomic import staging
from reportgen.bundle import (
    BASELINE,
    bundle_digest,
    check_replaceable,
    files_of,
    is_baseline,
    read_bundle,
    read_study,
    verify_baseline,
    write_sums,
)
from reportgen.problems import first_problem

_FORMAT = 1
_PLAIN_LIMIT = 16_000
_LARGE = 10_000
_DIGITS, _DECIMALS = 6, 4
_TABLE_LIMIT = 200 * MEGABYTE
# Git must not write other line ends than those that the hashes are of.
_ATTRIBUTES = "* -text\n"
_PARTS = ("results", "activations")
_NAME = re.compile(r"\w[\w.-]*")
_AGAIN = "make the baseline again with `reportgen baseline`"
Rows = list[list[str]]


@dataclass(frozen=True)
class Side:
    """One of the two sides of a comparison: what `path` holds, a bundle or a baseline.

    `tables` are rows of cells, heads first. `left_out` names what a baseline does not hold.
    """

    path: Path
    results: Results
    tables: Mapping[str, Rows]
    digest: str
    left_out: tuple[str, ...] = ()
    reduced: bool = False


class _Quantity(pydantic.BaseModel):
    """How the values of a variable's file lie."""

    model_config = pydantic.ConfigDict(strict=True, extra="forbid")
    dims: list[str]
    shape: list[pydantic.NonNegativeInt]
    type: Literal["number", "integer", "truth", "words"]
    coordinate: bool = False


class _Manifest(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="forbid")
    format: Literal[1]
    bundle: str = pydantic.Field(pattern=r"^[0-9a-f]{64}$")
    left_out: list[str]
    results: dict[str, _Quantity]
    activations: dict[str, _Quantity]
    tables: dict[str, dict[str, str]]

    @pydantic.field_validator("results", "activations", "tables")
    @classmethod
    def _are_names_of_files(cls, named: dict[str, Any]) -> dict[str, Any]:
        for name in named:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the name of a file")
        return named


def read_side(path: Path) -> Side:
    """Read a bundle, which may be of an older format, or a baseline, after checking every hash.

    Raises
    ------
    InputError
        If it is neither, or not whole; names the file.
    """
    if is_baseline(path):
        return _read_baseline(path)
    results = read_bundle(path, older=True)
    return Side(path, results, _tables(path, files_of(path)), bundle_digest(path))


def alike(old: Side, new: Side) -> tuple[Side, Side]:
    """Both sides as a baseline has them if one of them is one; else as they are."""
    if not (old.reduced or new.reduced):
        return old, new
    old, new = reduced(old), reduced(new)
    left_out = {*old.left_out, *new.left_out}
    return _without(old, left_out), _without(new, left_out)


def reduced(side: Side) -> Side:
    """What a baseline keeps of a bundle."""
    if side.reduced:
        return side
    # Words and positions of the occurrences stand beside the vectors, and stay.
    left_out = {str(name) for name, variable in side.results.activations.data_vars.items() if variable.dtype.kind == "f"}
    side = _without(side, left_out)
    results = dataclasses.replace(side.results, dataset=_rounded(side.results.dataset), activations=_rounded(side.results.activations))
    tables = {name: _rounded_table(rows) for name, rows in side.tables.items()}
    return dataclasses.replace(side, results=results, tables=tables, reduced=True)


def _without(side: Side, left_out: Collection[str]) -> Side:
    def kept(dataset: xarray.Dataset) -> xarray.Dataset:
        return dataset.drop_vars([name for name in dataset.variables if name in left_out])

    results = dataclasses.replace(side.results, dataset=kept(side.results.dataset), activations=kept(side.results.activations))
    return dataclasses.replace(side, results=results, left_out=tuple(sorted(left_out)))


def write_baseline(source: Path, path: Path) -> bool:
    """Make a baseline of a bundle in the folder `path`, whole or not at all; return False if it was the same already.

    A bundle or a baseline that is there is replaced; what else is in the folder stays. A `source` that is a baseline is copied.

    Raises
    ------
    InputError
        If `source` is no bundle, something that is neither bundle nor baseline is at `path`, or it cannot be written.
    """
    side = None if is_baseline(source) else reduced(_of_this_format(source))
    if side is None:
        verify_baseline(source)
    check_replaceable(path)
    try:
        with staging(path) as staged:
            if side is None:
                for name in files_of(source):
                    (staged.new / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / name, staged.new / name)
            else:
                _write_files(side, staged.new)
            (staged.new / ".gitattributes").write_text(_ATTRIBUTES, encoding="ascii")
            return bool(staged.commit(remove=lambda: files_of(path)))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another folder") from error


def _of_this_format(path: Path) -> Side:
    return Side(path, read_bundle(path), _tables(path, files_of(path)), bundle_digest(path))


def _write_files(side: Side, folder: Path) -> None:
    shutil.copyfile(side.path / "study.json", folder / "study.json")
    quantities: dict[str, dict[str, _Quantity]] = {part: {} for part in _PARTS}
    cells: dict[str, list[str]] = {}
    for part, dataset in zip(_PARTS, (side.results.dataset, side.results.activations), strict=True):
        for name, variable in sorted((str(name), variable) for name, variable in dataset.variables.items()):
            if not _NAME.fullmatch(name):
                raise InputError(f"{side.path}/{part}.nc: the variable {name!r} cannot be the name of a file")
            kind = _kind(variable.dtype)
            quantities[part][name] = _Quantity(
                dims=[str(each) for each in variable.dims], shape=list(variable.shape), type=kind, coordinate=name in dataset.coords
            )
            written = _cells(variable.values, kind)
            _write_text(folder / part / f"{name}.csv", _csv(_grid(dataset, name, written)))
            if part == _PARTS[0]:
                cells[name] = written
    copies: dict[str, dict[str, str]] = {}
    for table, rows in side.tables.items():
        copies[table], kept = _without_copies(rows, cells)
        _write_text(folder / "tables" / f"{table}.csv", _csv(kept))
    described = {part: {name: each.model_dump(exclude_defaults=True) for name, each in found.items()} for part, found in quantities.items()}
    lines = [
        "{",
        f'"format": {_FORMAT},',
        f'"bundle": {json.dumps(side.digest)},',
        f'"left_out": {json.dumps(side.left_out)},',
        # A line for each, so that a new quantity is a new line.
        *(f'"{part}": {{{_listed(found)}}},' for part, found in described.items()),
        f'"tables": {{{_listed(copies)}}}',
        "}",
    ]
    (folder / BASELINE).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    write_sums(folder)


def _listed(entries: Mapping[str, Any]) -> str:
    return ",".join(f"\n{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}" for name, value in entries.items())


def _read_baseline(path: Path) -> Side:
    sums = verify_baseline(path)
    try:
        manifest = _Manifest.model_validate(read_json(path / BASELINE, "baseline"))
    except pydantic.ValidationError as error:
        raise InputError(f"{path / BASELINE}: {first_problem(error)}; {_AGAIN}") from None

    def rows_of(name: str) -> Rows:
        for file in (f"{name}.csv", f"{name}.csv.bz2"):
            if file in sums:
                return _read_rows(path / file)
        raise InputError(f"{path / name}.csv is missing; {_AGAIN}")

    datasets, cells = [], {}
    for part, quantities in zip(_PARTS, (manifest.results, manifest.activations), strict=True):
        kept: dict[bool, dict[str, Any]] = {True: {}, False: {}}
        for name, quantity in quantities.items():
            across = quantity.shape[-1] if len(quantity.shape) > 1 else 1
            found = [cell for row in rows_of(f"{part}/{name}")[1:] for cell in row[len(row) - across :]]
            kept[quantity.coordinate][name] = (tuple(quantity.dims), _values(found, quantity, path / part / f"{name}.csv"))
            if part == _PARTS[0]:
                cells[name] = found
        try:
            datasets.append(xarray.Dataset(kept[False], kept[True]))
        except ValueError as error:
            raise InputError(f"{path / BASELINE}: {part}: its quantities do not fit one another ({_line(error)}); {_AGAIN}") from None
    tables = {
        name: _with_copies(rows_of(f"tables/{name}"), copies, cells, f"{path}/tables/{name}.csv")
        for name, copies in manifest.tables.items()
    }
    results = Results(datasets[0], datasets[1], read_study(path, older=True))
    return Side(path, results, tables, manifest.bundle, tuple(manifest.left_out), reduced=True)


def _line(error: object) -> str:
    return " ".join(str(error).split())


def _rounded(dataset: xarray.Dataset) -> xarray.Dataset:
    variables: dict[Any, Any] = {}
    coordinates: dict[Any, Any] = {}
    for name, variable in dataset.variables.items():
        values = _rounded_values(variable.values) if variable.dtype.kind == "f" else variable.values
        (coordinates if name in dataset.coords else variables)[name] = (variable.dims, values)
    return xarray.Dataset(variables, coordinates)


def _rounded_values(values: numpy.ndarray) -> numpy.ndarray:
    values = values.astype(numpy.float64)
    if values.size > _LARGE:
        # There is no zero below zero.
        return numpy.asarray(numpy.round(values, _DECIMALS) + 0.0)
    return numpy.array([float(f"{value:.{_DIGITS}g}") for value in values.ravel()], dtype=numpy.float64).reshape(values.shape)


def _rounded_table(rows: Rows) -> Rows:
    if not rows:
        return rows
    columns = [[row[number] for row in rows[1:]] for number in range(len(rows[0]))]
    kept = [_rounded_column(cells) for cells in columns]
    return [rows[0], *([column[number] for column in kept] for number in range(len(rows) - 1))]


def _rounded_column(cells: list[str]) -> list[str]:
    try:
        values = numpy.array([float(cell) if cell else math.nan for cell in cells], dtype=numpy.float64)
    except ValueError:
        return cells
    # Whole numbers count or name: they stay what they are.
    return [
        cell if cell.lstrip("-").isdigit() else _number(value) for cell, value in zip(cells, _rounded_values(values).tolist(), strict=True)
    ]


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _kind(dtype: numpy.dtype) -> Literal["number", "integer", "truth", "words"]:
    return "number" if dtype.kind == "f" else "integer" if dtype.kind in "iu" else "truth" if dtype.kind == "b" else "words"


def _cells(values: numpy.ndarray, kind: str) -> list[str]:
    write: Callable[[Any], str] = {"number": _number, "truth": lambda value: "true" if value else "false"}.get(kind, str)
    return [write(value) for value in values.ravel().tolist()]


def _values(cells: Sequence[str], quantity: _Quantity, place: Path) -> numpy.ndarray:
    if len(cells) != math.prod(quantity.shape):
        raise InputError(f"{place}: expected {math.prod(quantity.shape)} values, found {len(cells)}; {_AGAIN}")
    try:
        if quantity.type == "number":
            found = numpy.array([_finite(cell) if cell else math.nan for cell in cells], dtype=numpy.float64)
        elif quantity.type == "integer":
            found = numpy.array([int(cell) for cell in cells], dtype=numpy.int64)
        elif quantity.type == "truth":
            found = numpy.array([{"true": True, "false": False}[cell] for cell in cells], dtype=bool)
        else:
            found = numpy.array(cells, dtype=object)
        return found.reshape(quantity.shape)
    except (ValueError, KeyError, OverflowError) as error:
        raise InputError(f"{place}: expected values of the type {quantity.type} ({_line(error)[:120]}); {_AGAIN}") from None


def _finite(cell: str) -> float:
    value = float(cell)
    # What a baseline does not know, it leaves empty.
    if not math.isfinite(value):
        raise ValueError(f"{cell} is no finite number")
    return value


def _grid(dataset: xarray.Dataset, name: str, cells: Sequence[str]) -> Rows:
    """The values of a variable with the labels of their rows and columns, as people read them."""
    variable = dataset[name]

    def labels(dimension: Any) -> list[str]:
        # Arrays count from 0, people from 1.
        if dimension not in dataset.coords or dataset[dimension].dtype.kind in "iu":
            return [str(number) for number in range(1, variable.sizes[dimension] + 1)]
        return [str(label) for label in dataset[dimension].values]

    if not variable.dims:
        return [[name], list(cells)]
    *before, last = variable.dims
    if not before:
        return [[str(last), name], *([label, cell] for label, cell in zip(labels(last), cells, strict=True))]
    across, rows = variable.sizes[last], _products([labels(each) for each in before])
    return [
        [*map(str, before), *labels(last)],
        *([*row, *cells[number * across : (number + 1) * across]] for number, row in enumerate(rows)),
    ]


def _products(lists: Sequence[Sequence[str]]) -> Rows:
    found: Rows = [[]]
    for labels in lists:
        found = [[*row, label] for row in found for label in labels]
    return found


def _without_copies(rows: Rows, cells: Mapping[str, list[str]]) -> tuple[dict[str, str], Rows]:
    """A table without the columns that are variables, row by row: name of the column -> name of the variable, and the rest."""
    if not rows:
        return {}, rows
    columns = [[row[number] for row in rows[1:]] for number in range(len(rows[0]))]
    copies = {}
    for head, column in zip(rows[0], columns, strict=True):
        for name in (head, *cells):
            # An empty list and a constant one are equal to too much.
            if len(set(column)) > 1 and rows[0].count(head) == 1 and cells.get(name) == column:
                copies[head] = name
                break
    kept = [number for number, head in enumerate(rows[0]) if head not in copies]
    # The head keeps its columns, so that they can be put back where they were.
    return copies, [rows[0], *([row[number] for number in kept] for row in rows[1:])]


def _with_copies(rows: Rows, copies: Mapping[str, str], cells: Mapping[str, list[str]], place: str) -> Rows:
    """The table with its columns that are variables back where they were."""
    if not rows:
        return rows
    head, body = rows[0], rows[1:]
    if any(len(row) != len([name for name in head if name not in copies]) for row in body):
        raise InputError(f"{place}: its rows differ in length; {_AGAIN}")
    if wrong := [name for name, variable in copies.items() if len(cells.get(variable, ())) != len(body)]:
        raise InputError(f"{place}: {wrong[0]} is no column of it; {_AGAIN}")
    found = [head]
    for number, row in enumerate(body):
        own = iter(row)
        found.append([cells[copies[name]][number] if name in copies else next(own) for name in head])
    return found


def _csv(rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _write_text(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    content = text.encode()
    if len(content) > _PLAIN_LIMIT:
        file.with_name(f"{file.name}.bz2").write_bytes(bz2.compress(content))
    else:
        file.write_bytes(content)


def _read_rows(file: Path) -> Rows:
    try:
        if file.suffix == ".bz2":
            unpacker = bz2.BZ2Decompressor()
            # A small file can unpack to more than there is memory.
            text = unpacker.decompress(read_bytes(file, "baseline", _TABLE_LIMIT), _TABLE_LIMIT).decode()
            if not unpacker.eof:
                raise ValueError("it is cut off, or larger than any baseline")
        else:
            # Line breaks within a cell are its own.
            text = read_bytes(file, "baseline", _TABLE_LIMIT).decode()
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{file} cannot be read ({_line(error)}); {_AGAIN}") from None


def _tables(path: Path, names: Iterable[str]) -> dict[str, Rows]:
    """The rows of a bundle's tables, heads first."""
    found = {}
    for name in sorted(names):
        if not name.startswith("tables/") or not name.endswith(".csv"):
            continue
        try:
            rows = list(csv.reader(io.StringIO(read_text(path / name, "table", _TABLE_LIMIT), newline=""), strict=True))
        except csv.Error as error:
            raise InputError(f"{path / name} is no CSV ({error}); make the bundle again") from None
        if any(len(row) != len(rows[0]) for row in rows):
            raise InputError(f"{path / name} is no CSV (its rows differ in length); make the bundle again")
        found[name.removeprefix("tables/").removesuffix(".csv")] = rows
    return found
