"""What changed from one result bundle to another: verdicts, numbers beyond a tolerance, settings and versions.

A number has moved when ``abs(new - old) > absolute + relative * abs(old)``. The tolerance is chosen by the name of the
quantity, the last pattern that fits; a file can add patterns of its own (see `read_tolerances`).
"""

import fnmatch
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy
import pydantic
import xarray
import yaml

from analyses.errors import InputError
from analyses.protocol import Results
from reportgen.atomic import staging
from reportgen.bundle import bundle_digest, check_replaceable, files_of, read_bundle, verify_bundle


class Tolerance(pydantic.BaseModel):
    """How far a quantity may move: ``absolute + relative * abs(old)``."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    absolute: float = pydantic.Field(0.0, ge=0, allow_inf_nan=False)
    relative: float = pydantic.Field(0.0, ge=0, allow_inf_nan=False)


# Another processor adds in another order: activations then differ in the sixth digit, now and then one falls into the next
# bin of a histogram, and a rank or a permutation tips. The defaults let that pass and little more.
DEFAULT_TOLERANCES: Mapping[str, Tolerance] = {
    "*": Tolerance(absolute=1e-3, relative=1e-2),
    "*mutual_information*": Tolerance(absolute=2e-3, relative=1e-2),
    "*kendall_tau*": Tolerance(absolute=2e-2),
    "*_p": Tolerance(absolute=1e-2),
    "*_p_*": Tolerance(absolute=1e-2),
    "*activation": Tolerance(absolute=1e-3, relative=1e-3),
}


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

    If the quantity has another shape or is in one bundle only, `reason` says so and there are no values.
    """

    quantity: str
    reason: str
    moved: int = 0
    total: int = 0
    where: str = ""
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
    """Everything that differs between two bundles."""

    verdicts: tuple[VerdictChange, ...]
    numbers: tuple[Movement, ...]
    settings: tuple[Difference, ...]
    provenance: tuple[Difference, ...]
    added: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether a verdict changed or a number moved: what `compare` reports by its exit code."""
        return bool(self.verdicts or self.numbers)

    def as_json(self) -> dict[str, Any]:
        """Return the comparison for programs."""
        return {"changed": self.changed, **asdict(self)}


def compare_bundles(old: Path, new: Path, tolerances: Mapping[str, Tolerance] | None = None) -> Comparison:
    """Compare two bundles.

    Parameters
    ----------
    old, new : Path
    tolerances : mapping of str to Tolerance, optional
        Pattern of quantity names -> tolerance, added to the defaults.

    Raises
    ------
    InputError
        If one is no bundle, or they are of different analyses.
    """
    before, after = read_bundle(old), read_bundle(new)
    if before.study["analysis"] != after.study["analysis"]:
        raise InputError(
            f"{old} is of the analysis {before.study['analysis']} and {new} of {after.study['analysis']}: they cannot be compared"
        )
    every = {**DEFAULT_TOLERANCES, **(tolerances or {})}
    numbers: list[Movement] = []
    added: list[str] = []
    for prefix, one, other in (("", before.dataset, after.dataset), ("activations: ", before.activations, after.activations)):
        names = [name for name in one.variables if not prefix or name not in before.dataset.variables]
        numbers += _movements(prefix, one, other, sorted(map(str, names)), every)
        added += [f"{prefix}{name}" for name in sorted(map(str, other.variables)) if name not in one.variables]
    return Comparison(
        verdicts=tuple(_verdict_changes(before, after)),
        numbers=tuple(numbers),
        settings=tuple(_differences(before.study["settings"], after.study["settings"])),
        provenance=tuple(_differences(before.study["provenance"], after.study["provenance"])),
        added=tuple(added),
    )


def read_tolerances(file: Path) -> dict[str, Tolerance]:
    """Read tolerances from a YAML file such as ``"kendall_tau": {absolute: 0.05}``; names may be patterns (``"*_p"``).

    Raises
    ------
    InputError
        One line with what is wrong in the file.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not valid YAML: {str(error).splitlines()[0]}") from None
    try:
        return pydantic.TypeAdapter(dict[str, Tolerance]).validate_python(content)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise InputError(
            f"{file}: {place + ': ' if place else ''}{problem['msg']}; expected quantities with absolute and relative tolerances"
        ) from None


def accept(new: Path, baseline: Path) -> bool:
    """Make `new` the baseline by an atomic copy; return False if it was the same already and nothing was written."""
    verify_bundle(new)
    check_replaceable(baseline)
    if (baseline / "SHA256SUMS").is_file() and bundle_digest(baseline) == bundle_digest(new):
        return False
    try:
        with staging(baseline) as staged:
            for name in files_of(new):
                (staged.new / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(new / name, staged.new / name)
            staged.commit(remove=files_of(baseline))
    except OSError as error:
        raise InputError(f"{baseline}: cannot be written ({error.strerror or error})") from error
    return True


def comparison_text(comparison: Comparison) -> str:
    """Return the comparison for people, one finding a line."""
    sections = [
        ("Verdicts that changed", [_verdict_line(change) for change in comparison.verdicts]),
        ("Numbers that moved", [_movement_line(movement) for movement in comparison.numbers]),
        ("Settings that differ", [_difference_line(difference) for difference in comparison.settings]),
        ("Origins and versions that differ", [_difference_line(difference) for difference in comparison.provenance]),
        ("Quantities that are new", list(comparison.added)),
    ]
    blocks = ["\n".join([f"{title}: {len(lines)}", *(f"  {line}" for line in lines)]) for title, lines in sections if lines]
    if not comparison.changed:
        blocks.insert(0, "No verdict changed and no number moved beyond its tolerance.")
    return "\n".join(blocks)


def _verdict_changes(before: Results, after: Results) -> Iterator[VerdictChange]:
    old, new = _verdicts(before.study["verdicts"]), _verdicts(after.study["verdicts"])
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield VerdictChange(*key, old=old.get(key), new=new.get(key))


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], str]:
    found = {}
    for row in rows:
        statement = f"{row['statement']} {row['name']}" if "name" in row else str(row["statement"])
        found[statement, str(row["estimator"]), str(row["control"])] = str(row["verdict"])
    return found


def _movements(
    prefix: str, one: xarray.Dataset, other: xarray.Dataset, names: Sequence[str], tolerances: Mapping[str, Tolerance]
) -> Iterator[Movement]:
    for name in names:
        if name not in other.variables:
            yield Movement(prefix + name, "no longer there")
            continue
        old, new = one[name], other[name]
        if dict(old.sizes) != dict(new.sizes):
            yield Movement(prefix + name, f"another shape: {_shape(old)} before, {_shape(new)} now")
            continue
        far = _distance_beyond(old.values, new.transpose(*old.dims).values, _tolerance(name, tolerances))
        moved = int(numpy.count_nonzero(far > 0))
        if moved:
            place = numpy.unravel_index(int(numpy.argmax(far)), far.shape)
            yield Movement(
                prefix + name,
                "moved",
                moved,
                far.size,
                _where(old, place),
                _plain(old.values[place]),
                _plain(new.transpose(*old.dims).values[place]),
            )


def _distance_beyond(old: numpy.ndarray, new: numpy.ndarray, tolerance: Tolerance) -> numpy.ndarray:
    """How far beyond its tolerance each value moved: positive means moved; infinite where text or NaN is another."""
    if old.dtype.kind not in "iuf" or new.dtype.kind not in "iuf":
        return numpy.where(old == new, 0.0, numpy.inf)
    old, new = old.astype(numpy.float64), new.astype(numpy.float64)
    with numpy.errstate(invalid="ignore"):
        beyond = numpy.abs(new - old) - (tolerance.absolute + tolerance.relative * numpy.abs(old))
    # Two infinities of one sign are equal though their difference is NaN; a NaN on one side only is a change.
    same = (old == new) | (numpy.isnan(old) & numpy.isnan(new))
    return numpy.where(same, 0.0, numpy.where(numpy.isnan(beyond), numpy.inf, beyond))


def _tolerance(name: str, tolerances: Mapping[str, Tolerance]) -> Tolerance:
    return [tolerance for pattern, tolerance in tolerances.items() if fnmatch.fnmatchcase(name, pattern)][-1]


def _where(variable: xarray.DataArray, place: tuple[Any, ...]) -> str:
    labels = []
    for dimension, index in zip(variable.dims, place, strict=True):
        label = variable[dimension].values[index] if dimension in variable.coords else index
        labels.append(f"{dimension} {label}")
    return ", ".join(labels)


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


def _verdict_line(change: VerdictChange) -> str:
    estimator = change.estimator.replace("_", " ")
    control = "" if change.control == "none" else f", control {change.control.replace('_', ' ')}"
    old, new = ((verdict or "absent").replace("_", " ") for verdict in (change.old, change.new))
    return f"{change.statement.replace('_', ' ')} ({estimator}{control}): {old} -> {new}"


def _movement_line(movement: Movement) -> str:
    if movement.reason != "moved":
        return f"{movement.quantity}: {movement.reason}"
    farthest = f"{_number(movement.old)} -> {_number(movement.new)}"
    place = f" at {movement.where}" if movement.where else ""
    return f"{movement.quantity}: {movement.moved} of {movement.total}, farthest {farthest}{place}"


def _difference_line(difference: Difference) -> str:
    return f"{difference.key}: {_short(difference.old)} -> {_short(difference.new)}"


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "no value" if value is None else str(value)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
