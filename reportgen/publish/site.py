"""A folder that several publications share: only what changed is written, only what was published is ever replaced or removed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from analyses.errors import InputError
from reportgen.render.files import write_atomically


def sha256(content: bytes) -> str:
    """Hash of some content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_manifest(file: Path) -> dict[str, Any]:
    """A manifest of an earlier publication; empty where there is none."""
    if not file.is_file():
        return {}
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is not valid JSON ({error}); restore it, or publish to an empty folder") from None
    if not isinstance(manifest, dict) or manifest.get("format") != 1 or not isinstance(manifest.get("files"), dict):
        raise InputError(f"{file} is no manifest of this version of reportgen; publish to an empty folder")
    return manifest


def manifest_text(content: Mapping[str, Any]) -> bytes:
    """A manifest as a file."""
    return (json.dumps({"format": 1, **content}, ensure_ascii=False, indent=1) + "\n").encode()


class Site:
    """Collects the files of one publication and then puts them in place.

    Parameters
    ----------
    root
        The site's folder.
    published
        Path -> SHA-256 of what earlier publications put there.
    """

    def __init__(self, root: Path, published: Mapping[str, str]) -> None:
        self.root = root
        self._published = dict(published)
        self._files: dict[str, bytes] = {}

    def add(self, path: str, content: bytes | str) -> None:
        """A file that the site shall have, at `path` relative to its folder."""
        self._files[path] = content.encode() if isinstance(content, str) else content

    def hashes(self, prefix: str = "") -> dict[str, str]:
        """Path below `prefix` -> SHA-256 of the files that were added there."""
        return {path.removeprefix(prefix): sha256(self._files[path]) for path in sorted(self._files) if path.startswith(prefix)}

    def check(self, own: Iterable[str] = ()) -> None:
        """Raise InputError if a file that no publication made is in the way; the files `own` may be any."""
        exempt = set(own)
        for path, content in self._files.items():
            place = self.root / path
            if place.is_dir():
                raise InputError(f"{place} is a folder, where a file of the site would go; publish to another --out")
            if path not in self._published and path not in exempt and place.is_file() and place.read_bytes() != content:
                raise InputError(f"{place} was not published by reportgen, so it is not replaced; move it, or publish to another --out")

    def write(self) -> tuple[list[Path], list[Path]]:
        """Put the files in place and remove what was published earlier and is no more; return the written and the removed paths."""
        written, removed = [], []
        for path, content in self._files.items():
            place = self.root / path
            if not (place.is_file() and place.read_bytes() == content):
                written.append(_written(place, content))
        for path, digest in self._published.items():
            place = self.root / path
            # A file that somebody changed since is theirs.
            if path not in self._files and place.is_file() and sha256(place.read_bytes()) == digest:
                place.unlink()
                removed.append(place)
                _remove_empty(place.parent, self.root)
        return written, removed


def _written(place: Path, content: bytes) -> Path:
    try:
        return write_atomically(place, content)
    except OSError as error:
        raise InputError(f"{place}: cannot be written ({error.strerror or error}); publish to another --out") from error


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
