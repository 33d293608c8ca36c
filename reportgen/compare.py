"""What changed from one result bundle to another: verdicts, numbers beyond a tolerance, words, settings and versions.

Compared are the verdicts, what each of them rests on (estimate, interval, layers that agree), the datasets, the tables, and all
else that ``study.json`` holds. A number has moved when ``abs(new - old) > absolute + relative * abs(old)``. The tolerance is chosen
by the name of the quantity: the last pattern of a tolerance file that fits (see `read_tolerances`), else the last default one.
"""

import fnmatch
import json
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy
import pydantic
import xarray

from analyses.errors import InputError
from analyses.protocol import Analysis, Renamed, Results, Toleranced
from reportgen import registry
from reportgen.baseline import Side, alike, read_side
from reportgen.problems import first_problem
from reportgen.yaml_files import read_yaml


class Tolerance(pydantic.BaseModel):
    """How far a quantity may move: ``absolute + relative * abs(old)``."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)
    absolute: float = pydantic.Field(0.0, ge=0, allow_inf_nan=False)
    relative: float = pydantic.Field(0.0, ge=0, allow_inf_nan=False)


# Another processor adds in another order: activations then differ in the sixth digit, now and then a value falls into
# the next bin, and a rank or a permutation tips. The defaults let that pass and little more.
DEFAULT_TOLERANCES: Mapping[str, Tolerance] = {
    "*": Tolerance(absolute=1e-3, relative=1e-2),
    "*_p": Tolerance(absolute=1e-2),
    "*_p_*": Tolerance(absolute=1e-2),
    "*activation": Tolerance(absolute=1e-3, relative=1e-3),
    "verdict.*": Tolerance(absolute=5e-3, relative=2e-2),
}
# What identifies a verdict, or is compared by itself.
_OF_A_VERDICT = ("statement", "name", "estimator", "control", "verdict")
_COMPARED_ELSEWHERE = ("format_version", "analysis", "settings", "provenance", "verdicts")
Place = tuple[tuple[str, str], ...]
# A word or a number within lists and mappings, and its place in the lists.
_Leaf = tuple[Place, Any]
# Statement, estimator and control of a verdict.
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class VerdictChange:
    """A verdict that is another one now; None where a bundle has no such verdict."""

    statement: str
    estimator: str
    control: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Movement:
    """A quantity of which `moved` of `total` values lie beyond the tolerance; `where`, `old` and `new` show the farthest.

    `place` is `where` in parts, name and label; what has no name of its own is counted from 1.
    If the quantity has another shape or is in one bundle only, `reason` says so and there are no values.
    """

    quantity: str
    reason: str
    moved: int = 0
    total: int = 0
    where: str = ""
    place: Place = ()
    old: float | str | bool | None = None
    new: float | str | bool | None = None


@dataclass(frozen=True)
class Difference:
    """A setting, a version or another fact that differs."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Comparison:
    """Everything that differs between two bundles, of `compared` quantities; `left_out` are those that a baseline does not hold."""

    verdicts: tuple[VerdictChange, ...]
    numbers: tuple[Movement, ...]
    settings: tuple[Difference, ...]
    provenance: tuple[Difference, ...]
    formats: tuple[int, int]
    renamed: tuple[tuple[str, str], ...]
    added: tuple[str, ...]
    compared: int
    left_out: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a verdict changed or a number moved: what `compare` reports by its exit code."""
        return bool(self.verdicts or self.numbers)

    def as_json(self) -> dict[str, Any]:
        """Return the comparison for programs."""
        return {"changed": self.changed, **asdict(self)}


def compare_bundles(old: Path, new: Path, tolerances: Mapping[str, Tolerance] | None = None, origin: str = "tolerances") -> Comparison:
    """Compare two bundles, or baselines of bundles (`reportgen.baseline`), on either side.

    Parameters
    ----------
    old, new : Path
    tolerances : mapping of str to Tolerance, optional
        Pattern of quantity names -> tolerance; they win over the defaults.
    origin : str
        Where the tolerances are from, for an error.

    Raises
    ------
    InputError
        If one is no bundle, they are of different analyses, or a tolerance is for a quantity that neither has.
    """
    one, other = alike(read_side(old), read_side(new))
    before, after = one.results, other.results
    if before.study["analysis"] != after.study["analysis"]:
        raise InputError(
            f"{old} is of the analysis {before.study['analysis']} and {new} of {after.study['analysis']}: they cannot be compared"
        )
    formats = (int(before.study["format_version"]), int(after.study["format_version"]))
    analysis = registry.analysis_named(after.study["analysis"], f"{new}/study.json")
    renamed = _renamed(analysis, *formats)
    pairs = _pairs(one, other, renamed)
    own, defaults = dict(tolerances or {}), _defaults(analysis)
    _check_patterns(own, [*(pair.name for pair in pairs), *one.left_out], origin)
    numbers = [movement for pair in pairs if pair.old is not None for movement in pair.movements(_tolerance(pair.name, own, defaults))]
    return Comparison(
        verdicts=tuple(_verdict_changes(before, after)),
        numbers=tuple(numbers),
        settings=tuple(_differences(before.study["settings"], after.study["settings"])),
        provenance=tuple(_differences(before.study["provenance"], after.study["provenance"])),
        formats=formats,
        renamed=tuple((f"study.json: {was}", f"study.json: {now}") for was, now in renamed.items()),
        added=tuple(pair.shown for pair in pairs if pair.old is None),
        compared=len(pairs),
        left_out=one.left_out,
    )


def read_tolerances(file: Path) -> dict[str, Tolerance]:
    """Read tolerances from a YAML file such as ``"mean_length": {absolute: 0.05}``; names may be patterns (``"*_p"``).

    Raises
    ------
    InputError
        One line with what is wrong in the file.
    """
    content = read_yaml(file, "tolerance file").values
    try:
        return pydantic.TypeAdapter(dict[str, Tolerance]).validate_python(content)
    except pydantic.ValidationError as error:
        problem = first_problem(error, lambda _: Tolerance.model_fields)
        raise InputError(f"{file}: {problem} (an entry is such as mean_length: {{absolute: 0.05, relative: 0.01}})") from None


def comparison_text(comparison: Comparison) -> str:
    """Return the comparison for people, one finding a line."""
    older, newer = comparison.formats
    formats = [f"{older} -> {newer}: what is new, renamed or no longer there may come with the format"] if older != newer else []
    sections = [
        ("Formats that differ", formats),
        ("Verdicts that changed", _verdict_lines(comparison.verdicts)),
        ("Numbers that moved", [_movement_line(movement) for movement in comparison.numbers]),
        ("Settings that differ", [_difference_line(difference) for difference in comparison.settings]),
        ("Origins and versions that differ", [_difference_line(difference) for difference in comparison.provenance]),
        ("Quantities that were renamed", [f"{was} -> {now}" for was, now in comparison.renamed]),
        ("Quantities that are new", list(comparison.added)),
        ("Vectors that a baseline does not hold", list(comparison.left_out)),
    ]
    blocks = ["\n".join([f"{title}: {len(lines)}", *(f"  {line}" for line in lines)]) for title, lines in sections if lines]
    if not comparison.changed:
        blocks.insert(0, "No verdict changed and no number moved beyond its tolerance.")
    return "\n".join(blocks)


def _renamed(analysis: Analysis, old: int, new: int) -> dict[str, str]:
    """What the analysis calls otherwise in `study.json` since an older format: former name -> name."""
    changes: Mapping[int, Mapping[str, str]] = analysis.renamed if isinstance(analysis, Renamed) else {}
    return {was: now for version in range(old + 1, new + 1) for was, now in changes.get(version, {}).items()}


def _verdict_changes(before: Results, after: Results) -> Iterator[VerdictChange]:
    old, new = _verdicts(before.study["verdicts"]), _verdicts(after.study["verdicts"])
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield VerdictChange(*key, old=old.get(key), new=new.get(key))


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], str]:
    return {_verdict_key(row): str(row["verdict"]) for row in rows}


def _verdict_key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    statement = f"{row['statement']} {row['name']}" if "name" in row else str(row["statement"])
    return statement, str(row["estimator"]), str(row["control"])


@dataclass(frozen=True)
class _Values:
    """Values of one quantity, with the place of each along its dimensions."""

    values: numpy.ndarray
    shape: str
    place: Callable[[tuple[Any, ...]], Place]


@dataclass(frozen=True)
class _Pair:
    """One quantity in both bundles; None where a bundle has none. `name` chooses the tolerance, `shown` is for people."""

    name: str
    shown: str
    old: _Values | None
    new: _Values | None

    def movements(self, tolerance: Tolerance) -> Iterator[Movement]:
        assert self.old is not None
        if self.new is None:
            yield Movement(self.shown, "no longer there")
            return
        if self.old.shape != self.new.shape:
            yield Movement(self.shown, f"another shape: {self.old.shape} before, {self.new.shape} now")
            return
        old, new = self.old.values, self.new.values
        far = _distance_beyond(old, new, tolerance)
        moved = int(numpy.count_nonzero(far > 0))
        if moved:
            index = numpy.unravel_index(int(numpy.argmax(far)), far.shape)
            place = self.old.place(index)
            where = ", ".join(f"{name} {label}" for name, label in place)
            yield Movement(self.shown, "moved", moved, far.size, where, place, _plain(old[index]), _plain(new[index]))


def _pairs(old: Side, new: Side, renamed: Mapping[str, str]) -> list[_Pair]:
    """Every quantity that either side has."""
    before, after = old.results, new.results
    return [*_datasets(before, after), *_of_verdicts(before, after), *_of_study(before, after, renamed), *_tables(old, new)]


def _datasets(before: Results, after: Results) -> Iterator[_Pair]:
    for prefix, one, other in (("", before.dataset, after.dataset), ("activations: ", before.activations, after.activations)):
        names = [name for name in {**one.variables, **other.variables} if not prefix or name not in before.dataset.variables]
        for name in sorted(map(str, names)):
            old = one[name] if name in one.variables else None
            new = other[name] if name in other.variables else None
            if old is not None and new is not None:
                new = _aligned(old, new)
            yield _Pair(name, prefix + name, *(None if each is None else _of_variable(each) for each in (old, new)))


def _aligned(old: xarray.DataArray, new: xarray.DataArray) -> xarray.DataArray:
    """The new variable with its dimensions, and the labels along them, in the order of the old one."""
    if set(old.dims) != set(new.dims):
        return new
    for name in old.dims:
        if name in old.coords and name in new.coords:
            labels, others = old[name].values.tolist(), new[name].values.tolist()
            if labels != others and sorted(map(str, labels)) == sorted(map(str, others)) and len(set(map(str, labels))) == len(labels):
                new = new.sel({name: labels})
    return new.transpose(*old.dims)


def _of_variable(variable: xarray.DataArray) -> _Values:
    def place(index: tuple[Any, ...]) -> Place:
        return tuple((str(name), _label(variable, name, int(number))) for name, number in zip(variable.dims, index, strict=True))

    return _Values(variable.values, _shape(variable), place)


def _label(variable: xarray.DataArray, dimension: Hashable, index: int) -> str:
    label = variable[dimension].values[index] if dimension in variable.coords else index
    # Arrays count from 0, people from 1.
    return str(index + 1) if label == index else str(label)


def _of_verdicts(before: Results, after: Results) -> Iterator[_Pair]:
    """What the verdicts rest on: each number that a verdict or one of its parts has is a quantity, its values are those of all verdicts."""
    old, new = ({_verdict_key(row): row for row in results.study["verdicts"]} for results in (before, after))
    shared = [key for key in old if key in new]
    one, other = ({key: _leaves(_rests_on(rows[key])) for key in shared} for rows in (old, new))
    for name in dict.fromkeys(name for found in (one, other) for key in shared for name in found[key]):
        yield _Pair(f"verdict.{name}", f"verdicts: {name}", *(_listed(name, found, shared) for found in (one, other)))


def _rests_on(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _OF_A_VERDICT}


def _listed(name: str, found: Mapping[_Key, Mapping[str, list[_Leaf]]], shared: Sequence[_Key]) -> _Values | None:
    """A quantity's values in those verdicts that have any, each at its verdict; one that has none there has no value, in all others."""
    if not any(name in found[key] for key in shared):
        return None
    leaves = []
    for key in shared:
        statement, estimator, control = key
        verdict = (("statement", statement), ("estimator", estimator), *((("control", control),) if control != "none" else ()))
        leaves += [((*verdict, *place), value) for place, value in found[key].get(name, [((), None)])]
    values = _as_array([value for _, value in leaves])
    return _Values(values, _counted(len(leaves), "value"), lambda index: leaves[int(index[0])][0])


def _as_array(values: Sequence[Any]) -> numpy.ndarray:
    """Numbers as numbers (None is no number), everything else as it is."""
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return numpy.array([math.nan if value is None else value for value in values], dtype=numpy.float64)
    words = [value if value is None or isinstance(value, str | bool) else json.dumps(value) for value in values]
    return numpy.array(words, dtype=object)


def _of_study(before: Results, after: Results, renamed: Mapping[str, str]) -> Iterator[_Pair]:
    """Everything else in ``study.json``: the text, the bands, the conclusions."""
    old, new = ({key: value for key, value in results.study.items() if key not in _COMPARED_ELSEWHERE} for results in (before, after))
    one, other = _leaves(old), _leaves(new)
    one = {renamed.get(name, name): leaves for name, leaves in one.items()}
    for name in dict.fromkeys([*one, *other]):
        yield _Pair(f"study.{name}", f"study.json: {name}", *(_of_leaves(leaves.get(name)) for leaves in (one, other)))


def _leaves(value: Any, path: str = "", place: Place = ()) -> dict[str, list[_Leaf]]:
    """The words and numbers within lists and mappings: by the keys that lead there, with their places in lists."""
    found: dict[str, list[_Leaf]] = {}
    if isinstance(value, dict):
        parts = [_leaves(item, f"{path}.{key}" if path else str(key), place) for key, item in value.items()]
    elif isinstance(value, list):
        parts = [_leaves(item, path, (*place, *_entry(item, number))) for number, item in enumerate(value, 1)]
    else:
        return {path: [(place, value)]}
    for part in parts:
        for name, leaves in part.items():
            found.setdefault(name, []).extend(leaves)
    return found


def _entry(item: Any, number: int) -> Place:
    """What tells an entry of a list from the others: the words that it begins with, before its verdict; else its number, from 1."""
    words: list[tuple[str, str]] = []
    for name, value in item.items() if isinstance(item, dict) else ():
        if name == "statement":
            words.append((name, f"{value} {item['name']}" if "name" in item else str(value)))
        elif name == "verdict" or not (value is None or isinstance(value, str)):
            break
        elif value is not None and not (name == "name" and "statement" in item):
            words.append((name, value))
    return tuple(words) or (("entry", str(number)),)


def _of_leaves(leaves: list[_Leaf] | None) -> _Values | None:
    if leaves is None:
        return None
    single = len(leaves) == 1 and not leaves[0][0]
    values = _as_array([value for _, value in leaves])
    return _Values(
        values, "a single value" if single else _counted(len(leaves), "entry", "entries"), lambda index: leaves[int(index[0])][0]
    )


def _tables(old: Side, new: Side) -> Iterator[_Pair]:
    before, after = dict(old.tables), dict(new.tables)
    for name in before.keys() & after.keys():
        after[name] = _in_order(before[name], after[name])
    one, other = _columns(before), _columns(after)
    for table, column in dict.fromkeys([*one, *other]):
        yield _Pair(f"{table}.{column}", f"table {table}: {column}", *(columns.get((table, column)) for columns in (one, other)))


def _in_order(old: list[list[str]], new: list[list[str]]) -> list[list[str]]:
    """The new table's rows in the order of the old one's, where both name the same rows by words and whole numbers."""
    if not old or not new or old[0] != new[0]:
        return new
    cells = [[row[column] for row in (*old[1:], *new[1:])] for column in range(len(old[0]))]
    naming = [column for column, each in enumerate(cells) if _names_rows(each, _numbers(each))]
    first = next((column for column in range(len(cells)) if column not in naming), len(cells))
    # Further right a whole number may be a count, which moves.
    for columns in (range(first), naming):
        place = {tuple(row[column] for column in columns): row for row in new[1:]}
        names = [tuple(row[column] for column in columns) for row in old[1:]]
        if len(place) == len(new) - 1 and place.keys() == set(names):
            return [new[0], *(place[name] for name in names)]
    return new


def _columns(tables: Mapping[str, list[list[str]]]) -> dict[tuple[str, str], _Values]:
    """The columns of tables."""
    found: dict[tuple[str, str], _Values] = {}
    for table, rows in tables.items():
        head, body = (rows[0], rows[1:]) if rows else ([], [])
        columns = {column: [row[number] for row in body] for number, column in enumerate(head)}
        numeric = {column: _numbers(cells) for column, cells in columns.items()}
        for column, cells in columns.items():
            # What tells rows apart is words and whole numbers.
            names = [each for each in columns if each != column and _names_rows(columns[each], numeric[each])][:4]
            values = numeric[column]
            array = numpy.array(cells, dtype=object) if values is None else values
            found[table, column] = _Values(array, _counted(len(body), "row"), _RowPlace(columns, names))
    return found


@dataclass(frozen=True)
class _RowPlace:
    columns: Mapping[str, Sequence[str]]
    names: Sequence[str]

    def __call__(self, index: tuple[Any, ...]) -> Place:
        row = int(index[0])
        return (("row", str(row + 1)), *((name, self.columns[name][row]) for name in self.names if self.columns[name][row]))


def _names_rows(cells: Sequence[str], numbers: numpy.ndarray | None) -> bool:
    return numbers is None or all(cell.lstrip("-").isdigit() for cell in cells)


def _numbers(cells: Sequence[str]) -> numpy.ndarray | None:
    try:
        return numpy.array([float(cell) if cell else math.nan for cell in cells], dtype=numpy.float64)
    except ValueError:
        return None


def _check_patterns(own: Mapping[str, Tolerance], names: Sequence[str], origin: str) -> None:
    for pattern in own:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            if set(pattern) & set("*?["):
                raise InputError(f"{origin}: no quantity fits {pattern}; there are {registry.choices(sorted(set(names)))[:300]}")
            raise InputError(f"{origin}: there is no quantity {pattern}{registry.nearest(pattern, names)}")


def _distance_beyond(old: numpy.ndarray, new: numpy.ndarray, tolerance: Tolerance) -> numpy.ndarray:
    """How far beyond its tolerance each value moved: positive means moved; infinite where text or NaN is another."""
    if old.dtype.kind not in "iuf" or new.dtype.kind not in "iuf":
        return numpy.where(numpy.asarray(old == new, dtype=bool), 0.0, numpy.inf)
    old, new = old.astype(numpy.float64), new.astype(numpy.float64)
    with numpy.errstate(invalid="ignore"):
        beyond = numpy.abs(new - old) - (tolerance.absolute + tolerance.relative * numpy.abs(old))
    # Two infinities of one sign are equal though their difference is NaN; a NaN on one side only is a change.
    same = (old == new) | (numpy.isnan(old) & numpy.isnan(new))
    return numpy.where(same, 0.0, numpy.where(numpy.isnan(beyond), numpy.inf, beyond))


def _defaults(analysis: Analysis) -> dict[str, Tolerance]:
    """The generator's tolerances, the analysis's behind the one that fits everything and before those of kinds of numbers."""
    own = analysis.tolerances if isinstance(analysis, Toleranced) else {}
    whole, *kinds = DEFAULT_TOLERANCES.items()
    return dict([whole, *((pattern, Tolerance.model_validate(dict(given))) for pattern, given in own.items()), *kinds])


def _tolerance(name: str, own: Mapping[str, Tolerance], defaults: Mapping[str, Tolerance] = DEFAULT_TOLERANCES) -> Tolerance:
    """The last of the user's patterns that fits, else the last of the defaults."""
    for patterns in (own, defaults):
        fitting = [tolerance for pattern, tolerance in patterns.items() if fnmatch.fnmatchcase(name, pattern)]
        if fitting:
            return fitting[-1]
    raise AssertionError("the defaults begin with a pattern that fits every name")


def _differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield Difference(path, old, new)


def _shape(variable: xarray.DataArray) -> str:
    return " x ".join(f"{size} {dimension}" for dimension, size in variable.sizes.items()) or "a single value"


def _plain(value: Any) -> float | str | bool | None:
    value = value.item() if isinstance(value, numpy.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _verdict_lines(changes: Sequence[VerdictChange]) -> list[str]:
    """A line a change; verdicts that one bundle has none of, such as those of another control, in one line a control."""
    lines = [_verdict_line(change) for change in changes if change.old is not None and change.new is not None]
    for words, absent in (("new", "old"), ("no longer there", "new")):
        by_control: dict[str, list[VerdictChange]] = {}
        for change in changes:
            if getattr(change, absent) is None:
                by_control.setdefault(change.control, []).append(change)
        for control, found in by_control.items():
            statements = ", ".join(dict.fromkeys(change.statement.replace("_", " ") for change in found))
            lines.append(f"control {control.replace('_', ' ')}: {_counted(len(found), 'verdict')} {words} ({statements})")
    return lines


def _verdict_line(change: VerdictChange) -> str:
    estimator = change.estimator.replace("_", " ")
    control = "" if change.control == "none" else f", control {change.control.replace('_', ' ')}"
    old, new = (str(verdict).replace("_", " ") for verdict in (change.old, change.new))
    return f"{change.statement.replace('_', ' ')} ({estimator}{control}): {old} -> {new}"


def _movement_line(movement: Movement) -> str:
    if movement.reason != "moved":
        return f"{movement.quantity}: {movement.reason}"
    farthest = f"{_number(movement.old)} -> {_number(movement.new)}"
    place = f" at {movement.where}" if movement.where else ""
    return f"{movement.quantity}: {movement.moved} of {movement.total}, farthest {farthest}{place}"


def _difference_line(difference: Difference) -> str:
    return f"{difference.key}: {_short(difference.old)} -> {_short(difference.new)}"


def _counted(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "no value" if value is None else str(value)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
