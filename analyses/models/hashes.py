"""SHA-256 of files, remembered: a model's gigabytes take seconds to read, and most runs meet the same ones again."""

import hashlib
import json
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from analyses.errors import InputError
from analyses.models.cache import cache_directory
from analyses.readers import MEGABYTE, read_json

_TICK = 2_000_000_000
_MEMORY_LIMIT = 16 * MEGABYTE


def sha256(file: Path) -> str:
    """SHA-256 of a file in hexadecimal.

    A large file of the hub's cache bears it as its name. Any other file is read again only when its size, times or inode
    have changed since it was remembered.
    """
    if file.is_symlink() and re.fullmatch("[0-9a-f]{64}", blob := file.resolve().name):
        return blob
    status = file.stat()
    mark = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    key = str(file.resolve())
    known = _remembered().get(key)
    if isinstance(known, list) and known[:-1] == mark:
        return str(known[-1])
    value = content_sha256(file)
    # A file that was written just now may be written again within the same tick of the clock.
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _TICK:
        # A disk that is full or read-only remembers nothing.
        with suppress(OSError):
            _remember(key, [*mark, value])
    return value


def forget() -> None:
    """Forget every hash."""
    _memory().unlink(missing_ok=True)


def _memory() -> Path:
    return cache_directory() / "hashes.json"


def content_sha256(file: Path) -> str:
    """SHA-256 of a file in hexadecimal, read from beginning to end."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remembered() -> dict[str, object]:
    try:
        content = read_json(_memory(), limit=_MEMORY_LIMIT)
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def _remember(key: str, entry: list[object]) -> None:
    memory = _memory()
    memory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=memory.parent, prefix=".hashes-", encoding="utf-8", delete=False) as new:
        json.dump({**_remembered(), key: entry}, new)
    os.replace(new.name, memory)
