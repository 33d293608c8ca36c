"""Results that need not be computed twice: folders found by a hash of everything that they depend on.

An entry is written beside its place and renamed into it, so it is there whole or not at all, whatever is killed meanwhile.
Two runs that make the same entry do not wait for each other: the first one's stays. Each entry carries the SHA-256 of its
files; one that was damaged counts as absent. Beyond `limit` bytes the entries that were used longest ago go.
"""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from analyses.models.cache import cache_directory
from analyses.models.hashes import content_sha256
from reportgen.atomic import remove_abandoned, staging_folder
from reportgen.notices import warn

_LIMIT = 2_000_000_000
_SUMS = "SHA256SUMS"
_CONTENT = "content"
# What the numbers and the documents are made with; another version of any of these may give other bytes.
_LIBRARIES = (
    "babel", "fonttools", "jinja2", "matplotlib", "numba", "numpy", "pandas", "pydyf", "scikit-learn", "scipy", "statsmodels",
    "tokenizers", "torch", "transformers", "weasyprint", "xarray", "ziamath",
)  # fmt: skip


@dataclass(frozen=True)
class StageUse:
    """How much of the disk a stage's entries take."""

    stage: str
    entries: int
    size: int


class Cache:
    """The entries below one folder.

    Parameters
    ----------
    folder : Path, optional
        By default ``results`` in the user's cache (``REPORTGEN_CACHE``, else below ``XDG_CACHE_HOME``).
    limit : int
        Bytes that all entries may take together.
    """

    def __init__(self, folder: Path | None = None, *, limit: int = _LIMIT) -> None:
        self.folder = folder or cache_directory() / "results"
        self._limit = limit

    def find(self, stage: str, key: str) -> Path | None:
        """Return the folder with the entry's files, or None if there is none (or it is damaged)."""
        entry = self.folder / stage / key
        try:
            if not _is_whole(entry):
                warn(f"{entry} was damaged; what it held is made again")
                shutil.rmtree(entry, ignore_errors=True)
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            warn(f"{entry} cannot be read ({error.strerror or error}); what it held is made again")
            return None
        # A cache that others keep for us cannot be marked as used.
        with suppress(OSError):
            os.utime(entry)
        return entry / _CONTENT

    def store(self, stage: str, key: str, fill: Callable[[Path], object]) -> None:
        """Let `fill` write an entry's files into a folder, and keep them; a disk that is full or read-only keeps nothing."""
        # What was computed at length must not be lost because it cannot be remembered.
        try:
            self._store(self.folder / stage / key, fill)
        except (OSError, shutil.Error) as error:
            warn(f"the cache {self.folder} cannot be written ({getattr(error, 'strerror', None) or error}); nothing is kept")

    def _store(self, place: Path, fill: Callable[[Path], object]) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(place.parent)
        with staging_folder(place) as folder:
            content = folder / _CONTENT
            content.mkdir()
            fill(content)
            (folder / _SUMS).write_text(
                "".join(f"{content_sha256(content / name)}  {name}\n" for name in _names(content)), encoding="utf-8"
            )
            try:
                folder.rename(place)
            except OSError:
                if not place.is_dir():
                    raise
        self._shrink(keep=place)

    def use(self) -> list[StageUse]:
        """Return what each stage takes."""
        stages = sorted({entry.parent.name for entry in self._entries()})
        return [StageUse(stage, len(sizes), sum(sizes)) for stage in stages if (sizes := [_size(e) for e in self._entries(stage)])]

    def clear(self) -> int:
        """Remove every entry; return how many there were."""
        removed = 0
        for entry in list(self._entries()):
            remove_abandoned(entry.parent)
            removed += _remove(entry)
        return removed

    def _entries(self, stage: str = "*") -> Iterator[Path]:
        return (entry for entry in self.folder.glob(f"{stage}/*") if entry.is_dir() and not entry.name.startswith("."))

    def _shrink(self, keep: Path) -> None:
        entries = []
        for entry in self._entries():
            # Another run may remove one at any moment.
            try:
                entries.append((entry.stat().st_mtime_ns, _size(entry), entry))
            except FileNotFoundError:
                continue
        total = sum(size for _, size, _ in entries)
        for _, size, entry in sorted(entries):
            if total <= self._limit:
                break
            if entry != keep:
                _remove(entry)
                total -= size


def cache_key(**parts: Any) -> str:
    """Return the hash of everything that an entry depends on; the parts must have a JSON form."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def code_version(folders: Iterable[Path]) -> str:
    """Return the hash of every file in the folders, by its contents, and of the versions of Python and the libraries."""
    digest = hashlib.sha256(f"{platform.python_version()} {platform.machine()}\n".encode())
    for library in _LIBRARIES:
        digest.update(f"{library} {_version(library)}\n".encode())
    for folder in sorted(set(folders)):
        for name in _names(folder):
            if "__pycache__" not in name:
                digest.update(f"{folder.name}/{name} {content_sha256(folder / name)}\n".encode())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


def _is_whole(entry: Path) -> bool:
    """Whether the entry has exactly the files that it was stored with; raises FileNotFoundError if there is no entry."""
    try:
        lines = (entry / _SUMS).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return False
    except FileNotFoundError:
        if entry.is_dir():
            return False
        raise
    sums = {name: value for value, _, name in (line.partition("  ") for line in lines)}
    return sums == {name: content_sha256(entry / _CONTENT / name) for name in _names(entry / _CONTENT)}


def _remove(entry: Path) -> bool:
    """Remove an entry in one step for everybody else; False if another run was quicker."""
    with staging_folder(entry) as folder:
        try:
            entry.rename(folder / "entry")
        except FileNotFoundError:
            return False
    return True


def _names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
