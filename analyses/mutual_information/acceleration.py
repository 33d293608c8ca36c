"""Whether the compiled kernels are there. They are optional: NumPy and SciPy give the same numbers, more slowly."""

import importlib
import os
from functools import cache
from types import ModuleType

# Set to 0 to do without numba even where it is installed.
SWITCH = "REPORTGEN_NUMBA"


def kernels() -> ModuleType | None:
    """The compiled kernels, or None where numba is missing, cannot be used here, or is switched off by REPORTGEN_NUMBA=0."""
    return None if os.environ.get(SWITCH, "1") == "0" else _load()


@cache
def _load() -> ModuleType | None:
    try:
        return importlib.import_module("analyses.mutual_information.kernels")
    except (ImportError, RuntimeError):  # RuntimeError: numba finds no folder for its cache
        return None
