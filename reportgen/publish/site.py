"""A folder that several publications share: only what changed is written, only what was published is ever replaced or removed."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import pydantic

from analyses.errors import InputError
from analyses.readers import read_json
from reportgen.atomic import ObstacleError, staging


def _inside(path: str) -> str:
    """A path below the site's folder, and nothing else."""
    parts = PurePosixPath(path).parts
    if not path.isprintable() or "\\" in path or not parts or path.startswith("/") or ".." in parts:
        raise ValueError(f"expected a path below the site's folder, found {path!r}")
    return path


SitePath = Annotated[str, pydantic.AfterValidator(_inside)]


def sha256(content: bytes) -> str:
    """Hash of some content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


class _Manifest(pydantic.BaseModel):
    """What a manifest must be before anything is removed or linked on its word."""

    model_config = pydantic.ConfigDict(extra="allow", strict=True)
    format: Literal[1]
    files: dict[SitePath, str]
    kind: str | None = None
    base_url: str | None = None
    under: SitePath | None = None
    studies: list[SitePath] | None = None
    slug: SitePath | None = None
    name: str | None = None
    title: dict[str, str] | None = None
    subtitle: dict[str, str] | None = None
    about: dict[str, str] | None = None
    languages: list[SitePath] | None = None
    bundle: str | None = None
    regenerations: int | None = None


def read_manifest(file: Path, needs: Iterable[str] = ()) -> dict[str, Any]:
    """A manifest of an earlier publication, with the keys that it `needs`; empty where there is none."""
    if not file.exists():
        return {}
    content = read_json(file, "manifest")
    try:
        _Manifest.model_validate(content)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise InputError(
            f"{file} is no manifest of this version of reportgen ({place + ': ' if place else ''}{problem['msg']}); "
            "restore it, or publish to an empty folder"
        ) from None
    lacking = [key for key in needs if content.get(key) is None]
    if lacking:
        raise InputError(f"{file} lacks {lacking[0]}; restore it, or publish to an empty folder")
    return {key: value for key, value in content.items() if value is not None or key == "base_url"}


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
    replace
        Whether files that were changed by hand since may be replaced.
    """

    def __init__(self, root: Path, published: Mapping[str, str], *, replace: bool = False) -> None:
        self.root = root
        self.published = dict(published)
        self._replace = replace
        self._files: dict[str, bytes] = {}

    def add(self, path: str, content: bytes | str) -> None:
        """A file that the site shall have, at `path` relative to its folder."""
        self._files[path] = content.encode() if isinstance(content, str) else content

    def has(self, path: str) -> bool:
        """Whether a file was added at this path."""
        return path in self._files

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
            if path in exempt or not place.is_file() or place.read_bytes() == content:
                continue
            if path not in self.published:
                raise InputError(f"{place} was not published by reportgen, so it is not replaced; move it, or publish to another --out")
            if not self._replace and not self._is_as_published(path, self.published[path]):
                raise InputError(f"{place} was changed since it was published, so it is not replaced; move it, or publish with --replace")

    def write(self) -> tuple[list[Path], list[Path]]:
        """Put the files in place and remove what was published earlier and is no more; return the written and the removed paths.

        The site changes as a whole: a reader, or whoever is killed meanwhile, never meets pages of two publications.
        """
        gone = [path for path, digest in self.published.items() if path not in self._files and self._is_as_published(path, digest)]
        try:
            with staging(self.root) as staged:
                for path, content in self._files.items():
                    place = self.root / path
                    if not (place.is_file() and place.read_bytes() == content):
                        (staged.new / path).parent.mkdir(parents=True, exist_ok=True)
                        (staged.new / path).write_bytes(content)
                written = staged.commit(remove=gone)
        except OSError as error:
            where = f"{self.root}: {error.filename}" if isinstance(error, ObstacleError) else str(self.root)
            raise InputError(f"{where}: cannot be written ({error.strerror or error}); publish to another --out") from error
        order = {self.root / path: place for place, path in enumerate(self._files)}
        written = [self.root / path.relative_to(os.path.realpath(self.root)) for path in written]
        return sorted(written, key=lambda path: order[path]), [self.root / path for path in gone]

    def _is_as_published(self, path: str, digest: str) -> bool:
        # A file that somebody changed since is theirs; a manifest, which has no hash, is reportgen's own.
        place = self.root / path
        return place.is_file() and digest in ("", sha256(place.read_bytes()))
