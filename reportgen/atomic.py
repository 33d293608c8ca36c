"""Folders that appear whole or not at all: written beside their place, then swapped in by a rename."""

import ctypes
import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: abandoned staging folders are then left for the user to remove
    fcntl = None  # type: ignore[assignment]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def staging_folder(place: Path) -> Iterator[Path]:
    """Yield an empty folder beside `place`, on the same file system; remove it at the end if it is still there.

    The folder is locked while in use, so that the next call can tell one abandoned by a killed process (and removes
    it) from one that another running process is filling.
    """
    parent = place.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{place.name}.partial-"
    remove_abandoned(parent, glob.escape(prefix))
    folder, lock = _locked_folder(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def put_folder(new: Path, place: Path) -> None:
    """Put the folder `new` at `place`; what was there is gone afterwards. At every moment `place` is the old or the new one.

    Where the system cannot exchange two names in one step (other than Linux), an old folder is first renamed away.
    """
    if not place.exists():
        os.rename(new, place)
        return
    if not _exchange(new, place):
        aside = Path(tempfile.mkdtemp(prefix=f".{place.name}.old-", dir=place.absolute().parent))
        os.rename(place, aside / "old")
        os.rename(new, place)
        shutil.rmtree(aside, ignore_errors=True)
        return
    shutil.rmtree(new, ignore_errors=True)


def put_file(new: Path, place: Path) -> None:
    """Put the file `new` at `place` in one step."""
    os.replace(new, place)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # mkdtemp makes folders private; what is published should follow the user's umask instead.
        umask = os.umask(0)
        os.umask(umask)
        folder.chmod(0o777 & ~umask)
        if fcntl is None:
            return folder, None
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another process may have taken the folder for abandoned between its creation and its lock.
        if folder.exists():
            return folder, lock
        os.close(lock)


def remove_abandoned(parent: Path, prefix: str = ".*.partial-") -> None:
    """Remove the staging folders in `parent` whose process is gone; the names begin with the pattern `prefix`."""
    if fcntl is None:
        return
    for folder in parent.glob(f"{prefix}*"):
        try:
            lock = os.open(folder, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(lock)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one system call; False where that is not possible."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0
