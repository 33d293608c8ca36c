"""Folders that hold the old state whole or the new state whole, whatever is killed, full or broken meanwhile.

New files are written into a staging folder beside their root. Then `Staging.commit` puts them in place:

- Where the system can exchange two folders in one step (Linux), a second folder is made of the new files and of hard links to all
  that stays - other people's files too - and exchanged with the root.
- Where that cannot be (the root is a mount point, its parent cannot be written, it is the folder that somebody works in, it holds
  more than is worth linking), a journal is written, and then each file is renamed into its place. A process that is killed among
  these renames leaves the journal, and the next call finishes what it says.

What a killed process leaves is swept by the next call for the same root; staging folders are locked while they are in use, so that
one that is being filled is told from one that was abandoned.
"""

import ctypes
import errno
import filecmp
import glob
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from analyses.errors import InputError
from analyses.readers import is_inside, read_json

try:
    import fcntl
except ImportError:  # Windows: abandoned staging folders are then left for the user to remove
    fcntl = None  # type: ignore[assignment]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_JOURNAL = "journal.json"
# Beyond this, linking everything that stays takes longer than it is worth.
_MOST_LINKS = 10_000


class ObstacleError(OSError):
    """Something of another kind stands where a file or a folder should go."""


class Staging:
    """A place to write new files of `root` in: the folder `new`, with the same paths below it.

    Nothing of `root` changes before `commit`.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.new = folder / "new"
        self._folder = folder
        self.new.mkdir()
        # The root's own permissions are kept; a new root follows the user's umask.
        self.new.chmod(_mode())

    def workspace(self, name: str) -> Path:
        """Return an empty folder whose files are not put in place; see `take`."""
        folder = self._folder / name
        folder.mkdir()
        return folder

    def take(self, folder: Path) -> list[str]:
        """Move every file below `folder` to the same path below `new`; return these paths, sorted."""
        names = _files(folder)
        for name in names:
            (self.new / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / name, self.new / name)
        return names

    def commit(self, remove: Callable[[], Collection[str]] = tuple) -> list[Path]:
        """Put every file of `new` in place and remove the files of `remove` (paths below the root); return what was written.

        Files that are there already with the same bytes are left alone, and where nothing differs nothing is touched. Everything
        else in the root stays. `remove` is asked when no other process can change the root any more, for what it would have said
        before may be of a state that is gone; what it raises leaves the root as it is.

        Raises
        ------
        ObstacleError
            If a folder is in the place of a file, or a file in that of a folder.
        OSError
            If the disk is full or broken: the old state is there then.
        """
        names = _files(self.new)
        with _locked(self.root):
            _check_places(self.root, names)
            changed = [name for name in names if not _same(self.new / name, self.root / name)]
            gone = [name for name in sorted(set(remove()) - set(names)) if os.path.lexists(self.root / name)]
            if changed or gone:
                _sync_files(self.new, changed)
                if not self._exchanged(changed, set(gone)):
                    self._journalled(changed, gone)
        return [self.root / name for name in changed]

    def _exchanged(self, changed: Collection[str], gone: Collection[str]) -> bool:
        """Try to exchange the root with a folder of the new files and everything that stays; whether that was possible."""
        if not self.root.exists():
            if self.root.parent != self._folder.parent:
                return False
            try:
                os.rename(self.new, self.root)
            except OSError:
                # Another process may have made the folder in the meantime; then its files stay beside the new ones.
                if not self.root.is_dir():
                    raise
                return False
            _sync_folder(self.root.parent)
            return True
        if self._folder.parent == self.root or not _can_exchange(self.root):
            return False
        whole = self._folder / "whole"
        try:
            _link_tree(self.root, whole, leave={*changed, *gone})
        except _NotLinkableError:
            return False
        for name in changed:
            place = whole / name
            place.parent.mkdir(parents=True, exist_ok=True)
            os.rename(self.new / name, place)
        _sync_tree(whole)
        if not exchange(whole, self.root):
            for name in changed:
                os.rename(whole / name, self.new / name)
            return False
        _sync_folder(self.root.parent)
        return True

    def _journalled(self, changed: Collection[str], gone: Collection[str]) -> None:
        draft = self._folder / f"{_JOURNAL}.draft"
        draft.write_text(json.dumps({"put": list(changed), "remove": list(gone)}), encoding="utf-8")
        _sync_files(self._folder, [draft.name])
        os.rename(draft, self._folder / _JOURNAL)
        _sync_folder(self._folder)
        _follow_journal(self._folder, self.root)


@contextmanager
def staging(root: Path) -> Iterator[Staging]:
    """Yield a place to write new files of the folder `root` in; what is not committed by the end is gone.

    What earlier processes that were killed left for this root is finished or swept first.
    """
    root = Path(os.path.realpath(root))
    _recover(root)
    with folder_for_now(root.parent):
        prefix = _prefix(root)
        parent = root.parent
        if root.exists() and (not os.access(parent, os.W_OK | os.X_OK) or parent.stat().st_dev != root.stat().st_dev):
            parent = root
        folder, lock = _locked_folder(parent, prefix)
        try:
            yield Staging(root, folder)
        finally:
            # A journal that could not be followed to its end is for the next call.
            if not (folder / _JOURNAL).exists():
                _clear(folder)
            if lock is not None:
                os.close(lock)


@contextmanager
def folder_for_now(folder: Path) -> Iterator[None]:
    """Make a folder, and those above it, where they are not there; what is empty of these at the end is gone again."""
    # Unlike Path's, os.path.exists is False where the name itself is refused: what then makes it says so.
    missing = [each for each in (folder, *folder.parents) if not os.path.exists(each)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        with suppress(OSError):
            for each in missing:
                each.rmdir()


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Let one process at a time read what the folder `root` holds and write what follows from it; the others wait.

    What a process that was killed began to put in place is there before anything is read.
    """
    root = Path(os.path.realpath(root))
    # A folder above, for that one stays in place while a commit puts another folder in the root's.
    above = root.parent
    while not above.is_dir():
        above = above.parent
    with _locked(above):
        _recover(root)
        yield


@contextmanager
def staging_folder(place: Path) -> Iterator[Path]:
    """Yield an empty folder beside `place`, on the same file system; remove it at the end if it is still there."""
    parent = place.absolute().parent
    with folder_for_now(parent):
        prefix = _prefix(place)
        remove_abandoned(parent, glob.escape(prefix))
        folder, lock = _locked_folder(parent, prefix)
        try:
            # What is made here follows the user's umask, like everything else.
            folder.chmod(_mode())
            yield folder
        finally:
            _clear(folder)
            if lock is not None:
                os.close(lock)


def write_atomically(path: Path, content: bytes) -> Path:
    """Write one file so that a reader or a crash never meets half of it; returns `path`."""
    with staging_folder(path) as folder:
        (folder / "file").write_bytes(content)
        _sync_files(folder, ["file"])
        os.replace(folder / "file", os.path.realpath(path) if path.is_symlink() else path)
    return path


def remove_abandoned(parent: Path, prefix: str = ".*.partial-") -> None:
    """Remove the staging folders in `parent` whose process is gone; the names begin with the pattern `prefix`."""
    for folder in _abandoned(parent, prefix):
        shutil.rmtree(folder, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one system call; False where that is not possible."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0


class _NotLinkableError(Exception):
    """The tree holds what cannot be linked, or too much of it."""


def _prefix(root: Path) -> str:
    # A name may be as long as a file's name can be; its staging folder's must fit too.
    return f".{root.name[:100]}.partial-"


def _mode() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return 0o777 & ~umask


def _clear(folder: Path) -> None:
    """Remove a folder, even when a signal or one failing call comes in between."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        if fcntl is None:
            return folder, None
        # Another process may take the folder for abandoned as long as it has no lock.
        lock = None
        try:
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except FileNotFoundError:
            continue
        except BaseException:
            if lock is not None:
                os.close(lock)
            _clear(folder)
            raise
        if folder.exists():
            return folder, lock
        os.close(lock)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Let one process at a time change the folder `root`; without effect where it does not exist or cannot be locked."""
    lock = None
    while fcntl is not None and root.is_dir():
        lock = os.open(root, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            break
        # Whoever had the lock may have put another folder in this one's place.
        if root.is_dir() and os.path.samestat(os.fstat(lock), root.stat()):
            break
        os.close(lock)
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _abandoned(parent: Path, prefix: str) -> Iterator[Path]:
    """Staging folders whose process is gone, each locked while the caller looks at it."""
    if fcntl is None or not parent.is_dir():
        return
    for folder in sorted(parent.glob(f"{prefix}*")):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield folder
        except OSError:
            pass
        finally:
            os.close(lock)


def _recover(root: Path) -> None:
    for parent in (root.parent, root):
        for folder in _abandoned(parent, glob.escape(_prefix(root))):
            if (folder / _JOURNAL).is_file():
                with _locked(root):
                    _follow_journal(folder, root)
            shutil.rmtree(folder, ignore_errors=True)


def _follow_journal(folder: Path, root: Path) -> None:
    """Rename what the journal names into place, as far as that was not done before; then the journal goes."""
    put, remove = _read_journal(folder / _JOURNAL)
    for name in put:
        if (folder / "new" / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            _put(folder / "new" / name, root / name)
    for name in remove:
        (root / name).unlink(missing_ok=True)
        _remove_empty((root / name).parent, root)
    (folder / _JOURNAL).unlink()


def _read_journal(file: Path) -> tuple[list[str], list[str]]:
    """What a journal says to put and to remove: of the root's own files alone, whoever wrote it."""
    journal = read_json(file, "journal")
    found: list[list[str]] = []
    for key in ("put", "remove"):
        names = journal.get(key) if isinstance(journal, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) and is_inside(name) for name in names):
            raise InputError(f"{file} is no journal of a call that was interrupted; remove the folder {file.parent}")
        found.append(names)
    return found[0], found[1]


def _put(new: Path, place: Path) -> None:
    try:
        os.replace(new, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # A folder within the root lies on another file system.
        write_atomically(place, new.read_bytes())
        new.unlink()


def _remove_empty(folder: Path, root: Path) -> None:
    while folder not in (root, folder.parent):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _files(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


def _check_places(root: Path, names: Collection[str]) -> None:
    for name in names:
        if (root / name).is_dir():
            raise ObstacleError(errno.EISDIR, "a folder is in the place of a file", str(root / name))
        for above in PurePosixPath(name).parents:
            if os.path.lexists(root / above) and not (root / above).is_dir():
                raise ObstacleError(errno.ENOTDIR, "a file is in the place of a folder", str(root / above))


def _can_exchange(root: Path) -> bool:
    """Whether the folder may be put under another name: nobody would like to stand in one that is gone."""
    try:
        here = Path(os.path.realpath(os.getcwd()))
    except OSError:
        here = Path(root.anchor)
    return root != here and root not in here.parents and not root.is_mount()


def _link_tree(source: Path, target: Path, leave: Collection[str]) -> None:
    """Make `target` a folder of hard links to the files of `source`, but for those named in `leave`."""
    count = 0
    outside = {str(parent) for name in leave for parent in PurePosixPath(name).parents}

    def walk(folder: Path, made: Path, path: str) -> int:
        nonlocal count
        _make_like(folder, made)
        kept = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                count += 1
                name = f"{path}{entry.name}"
                if count > _MOST_LINKS:
                    raise _NotLinkableError
                if name in leave:
                    continue
                if entry.is_symlink():
                    # Files that are written through a link would be in place before the rest.
                    if name in outside:
                        raise _NotLinkableError
                    os.symlink(os.readlink(entry.path), made / entry.name)
                elif entry.is_dir():
                    if os.path.ismount(entry.path):
                        raise _NotLinkableError
                    had = next(os.scandir(entry.path), None) is not None
                    if not walk(Path(entry.path), made / entry.name, f"{name}/") and had:
                        # All that was in it goes.
                        (made / entry.name).rmdir()
                        continue
                elif entry.is_file():
                    _link(entry.path, made / entry.name)
                else:
                    raise _NotLinkableError
                kept += 1
        return kept

    try:
        walk(source, target, "")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            raise
        raise _NotLinkableError from error


def _make_like(folder: Path, made: Path) -> None:
    made.mkdir()
    status = folder.stat()
    made.chmod(stat.S_IMODE(status.st_mode))
    if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (made.stat().st_uid, made.stat().st_gid):
        os.chown(made, status.st_uid, status.st_gid)


def _link(file: str, place: Path) -> None:
    os.link(file, place)


def _sync_files(folder: Path, names: Collection[str]) -> None:
    for name in names:
        descriptor = os.open(folder / name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        _sync_folder(Path(place))


def _sync_folder(folder: Path) -> None:
    # Some systems cannot bring a folder itself to the disk.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
