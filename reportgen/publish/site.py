"""A folder that several publications share: only what changed is written, only what was published is ever replaced or removed."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pydantic

from analyses.errors import InputError
from analyses.readers import is_inside, read_json, replace_unprintable
from reportgen.atomic import ObstacleError, staging
from reportgen.problems import first_problem

_LONGEST_ADDRESS = 2000


def _inside(path: str) -> str:
    if not is_inside(path):
        raise ValueError(f"expected a path below the site's folder, found {path[:60]!r}")
    return path


def base_address(url: str) -> str:
    """The address of a site's root, ending in a slash; raises ValueError if it is none."""
    # `urlsplit` itself leaves out characters that steer a terminal.
    try:
        parts = urlsplit(url) if url.isprintable() and len(url) <= _LONGEST_ADDRESS and not re.search(r"[\s\"<>]", url) else None
    except ValueError:  # It says why a host in brackets is none.
        parts = None
    if not parts or parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("expected the address of the site's root, such as https://example.org/course/")
    return url.rstrip("/") + "/"


def _written_address(url: str) -> str:
    if base_address(url) != url:
        raise ValueError("expected an address that ends in one slash")
    return url


def _one_part(path: str) -> str:
    if "/" in path:
        raise ValueError(f"expected the name of a folder, found {path[:60]!r}")
    return path


# A path below the site's folder, and nothing else; the name of a folder in it.
SitePath = Annotated[str, pydantic.AfterValidator(_inside)]
SiteName = Annotated[SitePath, pydantic.AfterValidator(_one_part)]
# As much of a SHA-256 as tells a file that was changed from one that was not: of every file that a value is in, a difference shows it
# twice. Earlier versions wrote all of it.
_HASH_LENGTH = 12
_Hash = Annotated[str, pydantic.Field(pattern=rf"^[0-9a-f]{{{_HASH_LENGTH}}}([0-9a-f]{{{64 - _HASH_LENGTH}}})?$")]
_HASH_OF_A_FILE = re.compile(rf'(?m)^(  ".*"): ("[0-9a-f]{{{_HASH_LENGTH}}}",?)$')


def sha256(content: bytes) -> str:
    """Hash of some content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


class _Manifest(pydantic.BaseModel):
    """What a manifest must be before anything is removed or linked on its word."""

    model_config = pydantic.ConfigDict(extra="allow", strict=True)
    format: Literal[1]
    files: dict[SitePath, _Hash]
    kind: Annotated[str, pydantic.Field(pattern="^[a-z]{1,20}$")] | None = None
    base_url: Annotated[str, pydantic.AfterValidator(_written_address)] | None = None
    under: SitePath | None = None
    studies: list[SiteName] | None = None
    slug: SiteName | None = None
    name: str | None = None
    title: dict[str, str] | None = None
    subtitle: dict[str, str] | None = None
    about: dict[str, str] | None = None
    languages: list[SiteName] | None = None
    bundle: str | None = None
    regenerations: pydantic.NonNegativeInt | None = None


def read_manifest(file: Path, needs: Iterable[str] = ()) -> dict[str, Any]:
    """A manifest of an earlier publication, with the keys that it `needs`; empty where there is none."""
    # A link that leads nowhere is something, too.
    if not os.path.lexists(file):
        return {}
    # No title or sentence that reportgen wrote holds characters that steer a terminal.
    content = replace_unprintable(read_json(file, "manifest"))
    try:
        _Manifest.model_validate(content)
    except pydantic.ValidationError as error:
        raise InputError(
            f"{file} is no manifest of this version of reportgen ({first_problem(error)}); restore it, or publish to an empty folder"
        ) from None
    lacking = [key for key in needs if content.get(key) is None]
    if lacking:
        raise InputError(f"{file} lacks {lacking[0]}; restore it, or publish to an empty folder")
    return {key: value for key, value in content.items() if value is not None or key == "base_url"}


def names_study(file: Path) -> bool:
    """Whether a manifest.json calls itself that of the study in its folder: a site may have files of this name for its own ends."""
    try:
        content = read_json(file, "manifest")
    except InputError:
        return False
    return isinstance(content, dict) and content.get("slug") == file.parent.name


def manifest_text(content: Mapping[str, Any]) -> bytes:
    """A manifest as a file; each hash is a line of its own, so that a difference does not repeat the paths of what changed."""
    text = json.dumps({"format": 1, **content}, ensure_ascii=False, indent=1) + "\n"
    return _HASH_OF_A_FILE.sub("\\1:\n   \\2", text).encode()


class Site:
    """Collects the files of one publication and then puts them in place.

    Parameters
    ----------
    root
        The site's folder.
    published
        Path -> SHA-256 of what earlier publications put there, or its beginning.
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
        """Path below `prefix` -> beginning of the SHA-256 of the files that were added there."""
        added = [path for path in sorted(self._files) if path.startswith(prefix)]
        return {path.removeprefix(prefix): sha256(self._files[path])[:_HASH_LENGTH] for path in added}

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
                written = staged.commit(remove=lambda: gone)
        except OSError as error:
            where = f"{self.root}: {error.filename}" if isinstance(error, ObstacleError) else str(self.root)
            raise InputError(f"{where}: cannot be written ({error.strerror or error}); publish to another --out") from error
        order = {self.root / path: place for place, path in enumerate(self._files)}
        written = [self.root / path.relative_to(os.path.realpath(self.root)) for path in written]
        return sorted(written, key=lambda path: order[path]), [self.root / path for path in gone]

    def _is_as_published(self, path: str, digest: str) -> bool:
        # A file that somebody changed since is theirs; a manifest, which has an empty hash, is reportgen's own.
        place = self.root / path
        return place.is_file() and sha256(place.read_bytes()).startswith(digest)
