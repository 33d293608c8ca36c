"""Whether the compiled kernels are there. They are optional: NumPy and SciPy give the same numbers, more slowly."""

import hashlib
import importlib
import os
import threading
from functools import cache
from pathlib import Path
from types import ModuleType

# Set to 0 to do without numba even where it is installed.
SWITCH = "REPORTGEN_NUMBA"
_HERE = Path(__file__).parent
# Of two threads that load at once the second would take the first one's setting of numba for the user's own.
_LOADING = threading.RLock()


def kernels(package: str) -> ModuleType | None:
    """The compiled kernels of a package here, such as ``statistics``.

    None where numba is missing, cannot be used here, or is switched off by REPORTGEN_NUMBA=0.
    """
    if os.environ.get(SWITCH, "1") == "0":
        return None
    with _LOADING:
        return _load(package)


@cache
def _load(package: str) -> ModuleType | None:
    try:
        numba = importlib.import_module("numba")
        elsewhere = numba.config.CACHE_DIR
        # Asked for while the kernels are defined, and nobody else's business.
        numba.config.CACHE_DIR = str(compiled_folder(numba.__version__, package, elsewhere))
        try:
            return importlib.import_module(f"analyses.{package}.kernels")
        finally:
            numba.config.CACHE_DIR = elsewhere
    except (ImportError, RuntimeError):  # RuntimeError: numba finds no folder for its cache
        return None


def compiled_folder(version: str, package: str, elsewhere: str = "") -> Path:
    """Where numba of this version keeps what it compiled of a package's source code: beside the code, or in the user's cache.

    numba keeps the code of all versions under one name, and writes its list of what is up to date before the code itself. Of two
    processes that compile after an upgrade one could then read old code as new: another version, or another source, has another folder.

    Parameters
    ----------
    version
        numba's.
    package
        The folder here whose kernels they are.
    elsewhere
        The folder that the user chose for numba (``NUMBA_CACHE_DIR``), if any.
    """
    folder = _HERE / package
    digest = hashlib.sha256(version.encode())
    for file in sorted(folder.glob("*.py")):
        digest.update(file.read_bytes())
    name = f"compiled-{digest.hexdigest()[:16]}"
    if elsewhere:
        return Path(elsewhere) / name
    if os.access(folder, os.W_OK):
        return folder / "__pycache__" / name
    from analyses.models.cache import cache_directory

    return cache_directory() / name
