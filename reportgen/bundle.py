"""A result bundle: everything that a report can say, in one folder that any scientific tool can read.

``results.nc`` and ``activations.nc`` are netCDF-3 (64-bit offset) files, ``study.json`` holds settings, provenance and
verdicts, ``tables/*.csv`` are tidy, and ``SHA256SUMS`` is what ``sha256sum --check`` reads. The same results give the
same bytes. netCDF-3 knows no 64-bit integers and no booleans: xarray stores them as 32-bit integers and as bytes marked
``dtype = "bool"``, and strings as characters in UTF-8.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy

from analyses.errors import InputError
from analyses.models.hashes import content_sha256
from analyses.protocol import Analysis, Results
from analyses.readers import MEGABYTE, is_file, is_folder, is_inside, mapping_at, read_json, read_netcdf, read_text, replace_unprintable
from reportgen.atomic import staging
from reportgen.csv_files import csv_text

# Whether a bundle is whole is known without them, and they take a third of a second to import.
if TYPE_CHECKING:
    import pandas
    import xarray

FORMAT_VERSION = 2
# What `compare` reads besides: version 0.1 wrote format 1. A report of it would speak of what is not in it.
OLDER_FORMATS = (1,)
_SUMS = "SHA256SUMS"
_STUDY = "study.json"
BASELINE = "baseline.json"
_DATASETS = ("results.nc", "activations.nc")
_SUM_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_SUMS_LIMIT = 4 * MEGABYTE
# What everything that reads verdicts looks up in each of them.
_OF_A_VERDICT = ("statement", "estimator", "control", "verdict")


class IncompleteResultsError(InputError):
    """Results lack what their analysis's report shows: they are of another version, or were made by another program."""


@contextmanager
def asking(analysis: Analysis) -> Iterator[None]:
    """Turn what an analysis raises over results that lack something into an `IncompleteResultsError`."""
    try:
        yield
    except InputError:
        raise
    except (LookupError, AttributeError, TypeError, ValueError, ArithmeticError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise IncompleteResultsError(
            f"results.nc or study.json lacks what a report of the analysis {analysis.name} shows ({reason}); "
            "they are of another version or another program: make the bundle again"
        ) from error


def write_bundle(results: Results, tables: Callable[[Results], Mapping[str, pandas.DataFrame]], path: Path) -> Path:
    """Write a bundle to the folder `path`, whole or not at all; an older bundle there is replaced, an equal one left alone.

    What is in the folder and of no bundle stays there.

    Parameters
    ----------
    results : Results
        Datasets, and the study with the keys ``analysis``, ``settings``, ``provenance`` and ``verdicts``.
    tables : function
        From results to tables: file name without suffix -> rows. It is given the results as they were written, so that the
        tables do not depend on where the results came from.
    path : Path
        The bundle's folder.

    Raises
    ------
    InputError
        If something that is not a bundle is already at `path`, or it cannot be written.
    """
    check_replaceable(path)
    try:
        with staging(path) as staged:
            write_files(results, tables, staged.new)
            staged.commit(remove=lambda: files_of(path))
    except OSError as error:
        raise InputError(f"{path}: the bundle cannot be written ({error.strerror or error}); choose another --out") from error
    return path


def read_bundle(path: Path, *, older: bool = False) -> Results:
    """Read a bundle after checking every hash; one of an older format only where that is asked for.

    Raises
    ------
    InputError
        If `path` is no bundle, a file is missing or changed, or the format's version is unknown; names the file.
    """
    verify_bundle(path)
    return _read_files(path, older=older)


def read_study(path: Path, *, older: bool = False) -> dict[str, Any]:
    """Return the contents of a bundle's ``study.json``; of an older format only where that is asked for."""
    file = path / _STUDY
    if path.is_dir() and not file.exists():
        raise InputError(f"{path} is not a result bundle: it has no {_STUDY}")
    # No bundle that reportgen wrote holds characters that steer a terminal.
    study = replace_unprintable(read_json(file))
    version = study.get("format_version") if isinstance(study, dict) else None
    if version != FORMAT_VERSION and not (older and version in OLDER_FORMATS):
        raise InputError(
            f"{file}: format_version is {version!r}, this reportgen reads {FORMAT_VERSION}; "
            "make the bundle again, or use the reportgen version that made it"
        )
    _check_study(study, str(file))
    return study


def _check_study(study: Any, where: str) -> None:
    """Raise InputError unless the study has what everything that reads a bundle relies on."""
    if not isinstance(study.get("analysis"), str):
        raise InputError(f"{where}: analysis: expected the name of an analysis, found {study.get('analysis')!r}")
    mapping_at(study, "settings", where)
    mapping_at(study, "provenance", where)
    if not isinstance(study["settings"].get("name"), str):
        raise InputError(f"{where}: settings.name: expected the study's name, found {study['settings'].get('name')!r}")
    verdicts = study.get("verdicts")
    if not isinstance(verdicts, list):
        raise InputError(f"{where}: verdicts: expected a list of verdicts, found {type(verdicts).__name__}")
    for number, verdict in enumerate(verdicts):
        lacking = [key for key in _OF_A_VERDICT if not isinstance(verdict, dict) or not isinstance(verdict.get(key), str | int)]
        if lacking:
            raise InputError(f"{where}: verdicts[{number}]: {lacking[0]}: missing or not a word; make the bundle again")


def verify_bundle(path: Path) -> dict[str, str]:
    """Check every file of the bundle against ``SHA256SUMS``; return file name -> SHA-256.

    Raises
    ------
    InputError
        If `path` is no bundle, or a file is missing or changed; names the file.
    """
    if not is_folder(path):
        raise InputError(f"{path}: there is no such folder; a result bundle is the folder DIR/bundle of `reportgen run --out DIR`")
    if not (path / _SUMS).is_file():
        hint = f"; did you mean {path / 'bundle'}?" if (path / "bundle" / _SUMS).is_file() else ""
        raise InputError(f"{path} is not a result bundle: it has no {_SUMS}{hint}")
    if is_baseline(path):
        raise InputError(f"{path} is a baseline, which only `reportgen compare` reads; a result bundle is the folder DIR/bundle of `run`")
    return _verified(path, (*_DATASETS, _STUDY), "bundle")


def is_baseline(path: Path) -> bool:
    """Whether the folder `path` is a baseline (see `reportgen.baseline`): what `compare` needs of a bundle."""
    return is_file(path / BASELINE)


def verify_baseline(path: Path) -> dict[str, str]:
    """Check every file of the baseline against ``SHA256SUMS``, as `verify_bundle` does; return file name -> SHA-256."""
    if not (path / _SUMS).is_file():
        raise InputError(f"{path / _SUMS} is missing: the baseline is incomplete, make it again")
    return _verified(path, (BASELINE, _STUDY), "baseline")


def _verified(path: Path, needed: Iterable[str], what: str) -> dict[str, str]:
    sums = _read_sums(path / _SUMS)
    for name in needed:
        if name not in sums:
            raise InputError(f"{path / _SUMS} does not list {name}: the {what} is incomplete, make it again")
    for name, expected in sums.items():
        file = path / name
        if not file.is_file():
            raise InputError(f"{file} is missing: the {what} is incomplete, make it again")
        if content_sha256(file) != expected:
            raise InputError(f"{file} was changed after the {what} was made (its SHA-256 differs from {_SUMS}); make the {what} again")
    return sums


def bundle_digest(path: Path) -> str:
    """Return one SHA-256 for the whole bundle: that of its ``SHA256SUMS``. A baseline knows that of the bundle that it is of."""
    if is_baseline(path):
        digest = content.get("bundle") if isinstance(content := read_json(path / BASELINE, "baseline"), dict) else None
        if not isinstance(digest, str):
            raise InputError(f"{path / BASELINE}: it does not name the bundle that it is of; make the baseline again")
        return digest
    return content_sha256(path / _SUMS)


def check_replaceable(path: Path) -> None:
    """Raise InputError unless `path` is free, empty or a bundle: no other folder of the user's is ever replaced."""
    if path.is_file():
        raise InputError(f"{path} is a file, where the bundle's folder would go; choose another --out")
    if path.is_dir() and not (path / _SUMS).is_file() and any(path.iterdir()):
        raise InputError(f"{path} is not empty and not a result bundle, so it is not replaced; choose another --out")


def files_of(path: Path) -> list[str]:
    """Return the names of the files of the bundle at `path`; of none where there is no bundle, or its list cannot be read."""
    try:
        return [*_read_sums(path / _SUMS), _SUMS]
    except InputError:
        return [_SUMS]


def read_dataset(file: Path) -> xarray.Dataset:
    """Read a whole netCDF-3 file into memory."""
    return read_netcdf(file, netcdf4=False)


def write_dataset(dataset: xarray.Dataset, file: Path) -> None:
    """Write a netCDF-3 file; the same values give the same bytes."""
    import xarray

    # What a file that was read before said about its own storage must not leak into the new one.
    dataset = dataset.drop_encoding().map(_storable, keep_attrs=True)
    # One order of the variables, however the dataset was put together.
    dataset = xarray.Dataset(
        {name: dataset.variables[name] for name in sorted(dataset.data_vars, key=str)},
        {name: dataset.variables[name] for name in sorted(dataset.coords, key=str)},
        dict(sorted(dataset.attrs.items())),
    )
    # xarray would mark NaN as "missing" in every float variable, coordinates too: NaN says that by itself.
    floats = {str(name): {"_FillValue": None} for name, variable in dataset.variables.items() if variable.dtype.kind == "f"}
    dataset.to_netcdf(file, engine="scipy", format="NETCDF3_64BIT", encoding=floats)


def _storable(variable: xarray.DataArray) -> xarray.DataArray:
    """A variable as netCDF-3 holds it, with no value where a number is infinite: a difference over no spread is not measured."""
    if variable.dtype.kind != "f":
        return variable
    if variable.dtype.itemsize not in (4, 8):
        variable = variable.astype(numpy.float32 if variable.dtype.itemsize < 4 else numpy.float64)
    return variable if not numpy.isinf(variable).any() else variable.where(~numpy.isinf(variable))


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: numpy and paths made plain, NaN and infinities None, tuples lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, numpy.ndarray | numpy.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.as_posix()
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"study.json cannot hold a {type(value).__name__}: {value!r}")


def _read_files(path: Path, *, older: bool = False) -> Results:
    study = read_study(path, older=older)
    datasets = [read_dataset(path / name) for name in _DATASETS]
    return Results(dataset=datasets[0], activations=datasets[1], study=study)


def write_files(results: Results, tables: Callable[[Results], Mapping[str, pandas.DataFrame]], folder: Path) -> None:
    """Write a bundle's files into an empty folder; see `write_bundle`."""
    for name, dataset in zip(_DATASETS, (results.dataset, results.activations), strict=True):
        write_dataset(dataset, folder / name)
    _write_study(results.study, folder / _STUDY)
    (folder / "tables").mkdir()
    for name, table in tables(_read_files(folder)).items():
        (folder / "tables" / f"{name}.csv").write_bytes(csv_text(table).encode())
    write_sums(folder)


def write_sums(folder: Path) -> None:
    """Write the list of hashes of all files in a folder."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    lines = [f"{content_sha256(folder / name)}  {name}\n" for name in names]
    (folder / _SUMS).write_bytes("".join(lines).encode())


def write_core(results: Results, folder: Path) -> None:
    """Write a study without vectors and tables into an empty folder: ``results.nc`` and ``study.json``."""
    write_dataset(results.dataset, folder / _DATASETS[0])
    _write_study(results.study, folder / _STUDY)


def _write_study(study: Mapping[str, Any], file: Path) -> None:
    content = plain(study)
    # Settings and verdicts keep the order in which their author declared them; in the rest the order says nothing.
    ordered = {"format_version": FORMAT_VERSION}
    for key in ("analysis", "settings", "provenance", "verdicts"):
        ordered[key] = content.pop(key)
    ordered["provenance"] = _sorted_keys(ordered["provenance"])
    content.pop("format_version", None)
    ordered.update(_sorted_keys(content))
    file.write_bytes((json.dumps(ordered, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode())


def _sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted_keys(item) for item in value]
    return value


def _read_sums(file: Path) -> dict[str, str]:
    sums = {}
    for number, line in enumerate(read_text(file, "list of hashes", _SUMS_LIMIT).splitlines(), start=1):
        match = _SUM_LINE.fullmatch(line)
        # A name that leads out of the bundle would make "verified" mean nothing.
        if not match or not is_inside(match[2]):
            raise InputError(f"{file}, line {number}: expected a SHA-256, two spaces and a file of the bundle; make the bundle again")
        sums[match[2]] = match[1]
    return sums
