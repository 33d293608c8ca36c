"""Where finished cells are kept: a local folder, or any place that fsspec reaches. What is there is never computed again.

A cell is one object that is there whole or not at all: locally it is written beside its place and renamed, elsewhere put in one piece.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyses.errors import InputError, MissingError
from reportgen.bundle import write_core

if TYPE_CHECKING:
    from analyses.protocol import Results

PLAN, CELLS, FAILED = "plan.json", "cells", "failed"
# Nobody takes so long (seconds) to write one cell.
_ABANDONED = 600
# The earliest date that a zip file can name: when a cell was written says nothing about it.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def packed(results: Results) -> bytes:
    """A cell as one zip file with ``study.json`` and ``results.nc``, uncompressed: the same results give the same bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_core(results, folder)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(folder.iterdir()):
                member = zipfile.ZipInfo(file.name, _NO_DATE)
                member.external_attr = 0o644 << 16
                archive.writestr(member, file.read_bytes())
    return stream.getvalue()


class Store:
    """The store at an address: a folder's path, or a URL such as ``s3://bucket/sweep``.

    Raises
    ------
    InputError
        The address is none.
    MissingError
        What reaches it is not installed.
    """

    def __init__(self, address: str) -> None:
        import fsspec
        from fsspec.implementations.local import LocalFileSystem

        try:
            self._files, self._root = fsspec.core.url_to_fs(address)
        except ImportError as error:
            raise MissingError(f"--store {address}: {' '.join(str(error).split())}") from error
        except ValueError as error:
            raise InputError(f"--store {address}: {' '.join(str(error).split())}; expected a folder or a URL") from error
        self._local = isinstance(self._files, LocalFileSystem)
        # A worker elsewhere may stand in another folder.
        self.address = self._root if self._local else address

    @property
    def folder(self) -> Path | None:
        """The folder, if the store is one."""
        return Path(self._root) if self._local else None

    def keys(self, kind: str) -> set[str]:
        """Keys of the objects of a kind (`CELLS`, `FAILED`) that are there."""
        with self._reached():
            try:
                names = self._files.ls(f"{self._root}/{kind}", detail=False, refresh=True)
            except FileNotFoundError:
                return set()
            except TypeError:  # a file system that keeps no listings knows nothing to refresh
                names = self._files.ls(f"{self._root}/{kind}", detail=False)
        return {Path(name).stem for name in names if not Path(name).name.startswith(".")}

    def whole(self, keys: Iterable[str]) -> set[str]:
        """Those of the cells that can be read to their end; the others are as good as not there."""
        return {key for key in keys if self._is_whole(key)}

    def has(self, kind: str, key: str) -> bool:
        """Whether an object is there; of a cell, whole or not."""
        with self._reached():
            return bool(self._files.exists(self._place(kind, key)))

    def remove(self, kind: str, key: str) -> None:
        """Remove an object, if it is there."""
        with self._reached():
            if self._files.exists(place := self._place(kind, key)):
                self._files.rm_file(place)

    def read(self, name: str) -> bytes:
        """The bytes of an object."""
        with self._reached():
            return bytes(self._files.cat_file(f"{self._root}/{name}"))

    def write(self, name: str, content: bytes) -> None:
        """Put an object there in one piece.

        Raises
        ------
        InputError
            The folder cannot be written.
        MissingError
            The store elsewhere does not take it.
        """
        place = f"{self._root}/{name}"
        if not self._local:
            with self._reached():
                self._files.pipe_file(place, content)
            return
        try:
            _write_whole(Path(place), content)
        except OSError as error:
            raise InputError(f"--store {self.address}: cannot be written ({error.strerror or error}); choose another --store") from error

    def write_failure(self, key: str, reason: str) -> None:
        """Record why a cell could not be computed."""
        self.write(f"{FAILED}/{key}.json", as_json({"key": key, "reason": reason}))

    def remove_failure(self, key: str) -> None:
        """Forget that a cell could not be computed."""
        self.remove(FAILED, key)

    def sweep_up(self) -> None:
        """Remove what a killed writer left in a local store; what is young may be another writer's who is at it."""
        if self.folder is None:
            return
        left = (*(self.folder / CELLS).glob(".*"), *(self.folder / FAILED).glob(".*"), *self.folder.glob(f".{PLAN}.*"))
        for file in left:
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > _ABANDONED:
                    file.unlink()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """What a store elsewhere does not do is said in one line; each kind of store has errors of its own."""
        try:
            yield
        except Exception as error:
            if self._local:
                raise
            raise MissingError(f"--store {self.address}: {type(error).__name__}: {' '.join(str(error).split())}") from error

    def _place(self, kind: str, key: str) -> str:
        return f"{self._root}/{kind}/{key}.{'zip' if kind == CELLS else 'json'}"

    def _is_whole(self, key: str) -> bool:
        try:
            with zipfile.ZipFile(io.BytesIO(self.read(f"{CELLS}/{key}.zip"))) as archive:
                return archive.testzip() is None and {"study.json", "results.nc"} <= set(archive.namelist())
        except MissingError:
            raise
        except Exception:  # zipfile and zlib raise nine kinds of error on a damaged file.
            return False


def _write_whole(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def as_json(content: Any) -> bytes:
    """JSON of one form: sorted keys, every character as it is."""
    return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
