"""Files that a user gives, read by a reader that expects anything.

Each function opens regular files only (a pipe or a device could keep the program waiting for ever), bounds what it reads before
it reads it, and turns everything that may be wrong inside into one `InputError` that names the file.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING, Any, NoReturn

from analyses.errors import InputError

if TYPE_CHECKING:
    import numpy
    import xarray

MEGABYTE = 1_000_000
# Far above any text that a model takes in, far below what would fill a machine.
TEXT_LIMIT = 64 * MEGABYTE
JSON_LIMIT = 256 * MEGABYTE
JSON_DEPTH = 100
# Of more digits a whole number has no floating-point number beside it.
JSON_DIGITS = 300
_SHOWN = 40
# Of a file's name, and of a path below a folder (systems allow 4,096 bytes with the folder's own).
_NAME_LENGTH, _PATH_LENGTH = 255, 2000
NETCDF3, NETCDF4 = b"CDF", b"\x89HDF\r\n\x1a\n"
# What no line of text holds: control characters but tabs and breaks of lines and pages, halves of surrogate pairs, non-characters.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_NUMPY_KINDS = "fiubUS"


def is_file(path: Path) -> bool:
    """Whether there is a regular file; a name that no file can have is the name of none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder; a name that no folder can have is the name of none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_inside(path: str) -> bool:
    """Whether a path that a file names leads to something below its folder, is written in the shortest way, and can be a file's.

    >>> is_inside("tables/layers.csv"), is_inside("../tables"), is_inside("/tables"), is_inside("./tables"), is_inside("")
    (True, False, False, False, False)
    """
    if not path.isprintable() or "\\" in path or PureWindowsPath(path).drive:
        return False
    pure = PurePosixPath(path)
    fits = len(path.encode()) <= _PATH_LENGTH and all(len(part.encode()) <= _NAME_LENGTH for part in pure.parts)
    return fits and not pure.is_absolute() and ".." not in pure.parts and pure.as_posix() == path != "."


def expanded(path: str | Path, where: str) -> Path:
    """Return a path with ``~`` filled in; `where` is for the error when there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{where}: {path}: {error}") from None


@contextmanager
def open_regular(file: Path, what: str) -> Iterator[IO[bytes]]:
    """Open a regular file for reading; `what` says in an error what was expected (``text file``)."""
    try:
        # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such {what}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({_reason(error)}); expected a {what}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise InputError(f"{file} is a folder; expected a {what}")
        raise InputError(f"{file} is no regular file (it is a pipe, a socket or a device); expected a {what}")
    with os.fdopen(descriptor, "rb") as stream:
        try:
            yield stream
        except OSError as error:
            raise InputError(f"{file} cannot be read ({_reason(error)}); expected a {what}") from None


def read_bytes(file: Path, what: str, limit: int) -> bytes:
    """Return a file's content; more than `limit` bytes are an `InputError`."""
    with open_regular(file, what) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"{file} is larger than {limit / MEGABYTE:,.0f} MB, the most that a {what} may have")
    return content


def read_text(file: Path, what: str = "text file", limit: int = TEXT_LIMIT) -> str:
    """Return a UTF-8 file's text, without a byte order mark and with line breaks as ``\\n``."""
    try:
        text = read_bytes(file, what, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def unprintable(text: str) -> tuple[int, str] | None:
    """Return place and name (``U+001B``) of the first character that is not for reading, or None.

    >>> unprintable("a red \\x1b[31mword")
    (6, 'U+001B')
    """
    found = _UNPRINTABLE.search(text)
    return (found.start(), f"U+{ord(found[0]):04X}") if found else None


def replace_unprintable(value: Any) -> Any:
    """Return data of lists, mappings and strings with a question mark for every character that is not for reading."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("?", value)
    if isinstance(value, list):
        return [replace_unprintable(item) for item in value]
    if isinstance(value, dict):
        return {replace_unprintable(key): replace_unprintable(item) for key, item in value.items()}
    return value


def read_json(file: Path, what: str = "JSON file", limit: int = JSON_LIMIT) -> Any:
    """Return the data of a JSON file: finite numbers of at most `JSON_DIGITS` digits, no key twice, no deeper than `JSON_DEPTH`."""
    return parse_json(read_text(file, what, limit), str(file))


def parse_json(text: str, where: str) -> Any:
    """Return the data of JSON as `read_json` does; `where` names it in an error."""
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_bounded, object_pairs_hook=_without_twins)
        check_depth(value, JSON_DEPTH)
        if "\\ud" in text.lower() and re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False)):
            raise ValueError("half a character")
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{where} is not valid JSON ({reason}); make it again or restore it") from None
    return value


def check_depth(value: Any, limit: int) -> None:
    """Raise RecursionError if lists and mappings within each other are more than `limit` deep."""
    level = [value]
    for _ in range(limit):
        level = [
            item
            for each in level
            if isinstance(each, dict | list | tuple)
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list | tuple)
        ]
        if not level:
            return
    raise RecursionError


def read_npz(file: Path) -> dict[str, numpy.ndarray]:
    """Return the arrays of an ``.npz`` file: numbers, truth values and strings, never pickled objects."""
    with open_regular(file, "file of arrays (.npz)") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
                _check_memory(sum(member.file_size for member in members))
                return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
        except Exception as error:  # zipfile, zlib and numpy raise nine kinds of error on a damaged file.
            _unreadable(file, "an .npz file of arrays", error)


def read_netcdf(file: Path, *, netcdf4: bool = True) -> xarray.Dataset:
    """Return a whole netCDF file; where `netcdf4` is False, netCDF-4 is an `InputError` that says so."""
    import xarray

    with open_regular(file, "netCDF file") as stream:
        begin = stream.read(8)
        size = os.fstat(stream.fileno()).st_size
    if begin == NETCDF4 and not netcdf4:
        raise InputError(f"{file} is netCDF-4 (HDF5), expected netCDF-3 as reportgen writes it; make the bundle again")
    if begin != NETCDF4 and begin[:3] != NETCDF3:
        raise InputError(f"{file} is no netCDF file; make it again or restore it")
    try:
        _check_memory(size)
        with xarray.open_dataset(file, engine="h5netcdf" if begin == NETCDF4 else "scipy") as dataset:
            # A compressed file may hold far more than its size says.
            _check_memory(dataset.nbytes)
            return dataset.load()
    except ModuleNotFoundError:
        raise
    except Exception as error:  # The readers of netCDF-3 and of HDF5 raise whatever a damaged byte leads them to.
        _unreadable(file, "netCDF", error)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> numpy.ndarray:
    from numpy.lib import format as npy

    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if header is None:
            raise ValueError(f"{member.filename}: version {version} of the .npy format")
        shape, _, dtype = header(stream)
        if dtype.kind not in _NUMPY_KINDS:
            raise ValueError(f"{member.filename}: values of type {dtype}; expected numbers or strings")
        # numpy allocates what the header claims before it reads.
        if dtype.itemsize == 0 and math.prod(shape) > MEGABYTE:
            raise ValueError(f"{member.filename}: {math.prod(shape)} values of no size")
        if math.prod(shape) * dtype.itemsize != member.file_size - stream.tell():
            raise ValueError(f"{member.filename}: its shape {shape} does not fit its size")
    with archive.open(member) as stream:
        return npy.read_array(stream, allow_pickle=False)


def _check_memory(size: int) -> None:
    limit = _physical_memory() // 2
    if size > limit:
        raise MemoryError(f"its {size / 1e9:,.1f} GB of values are more than half of this machine's memory")


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 16_000 * MEGABYTE


def _unreadable(file: Path, expected: str, error: Exception) -> NoReturn:
    if isinstance(error, InputError):
        raise error
    raise InputError(f"{file} cannot be read as {expected} ({_reason(error)}); it is damaged or of another kind") from None


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:200] or type(error).__name__


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {_short(next(key for key in keys if keys.count(key) > 1))!r} is given twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{_short(text)} is no finite number")
    return value


def _bounded(text: str) -> int:
    if len(text) > JSON_DIGITS:
        raise ValueError(f"{_short(text)} has more than {JSON_DIGITS} digits")
    return int(text)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def mapping_at(value: Any, key: str, where: str) -> Mapping[str, Any]:
    """Return the mapping `value[key]`; anything else is an `InputError`."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise InputError(f"{where}: {key}: expected keys and values, found {type(found).__name__ if found is not None else 'nothing'}")
    return found
