"""The analyses on this machine, found by the entry point group ``reportgen.analyses``."""

import difflib
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from analyses.errors import InputError, MissingError
from analyses.protocol import Analysis

GROUP = "reportgen.analyses"


def analyses() -> dict[str, Analysis]:
    """Return every registered analysis by its entry point's name, in alphabetical order.

    Raises
    ------
    MissingError
        If none is registered: the package is not installed.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if not found:
        raise MissingError("no analysis is installed; install reportgen with `pip install .` (or `pip install -e .`) in its folder")
    return {name: _loaded(found[name]) for name in sorted(found)}


def _loaded(point: EntryPoint) -> Analysis:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise MissingError(
            f"the analysis {point.name} ({point.value}) cannot be loaded: {error}; install or remove what provides it"
        ) from error


def analysis_named(name: object, where: str) -> Analysis:
    """Return the analysis called `name`; `where` says in the error which file asked for it."""
    known = analyses()
    for analysis in known.values():
        if analysis.name == name:
            return analysis
    if isinstance(name, str) and name in known:
        return known[name]
    names = sorted(analysis.name for analysis in known.values())
    raise InputError(f"{where}: there is no analysis {name!r}; expected {choices(names)}{nearest(name, names)}")


def analysis_of(settings: Any) -> Analysis:
    """Return the analysis whose settings `settings` are."""
    for analysis in analyses().values():
        if isinstance(settings, analysis.settings_type):
            return analysis
    raise InputError(f"settings of type {type(settings).__name__} belong to no registered analysis")


def studies() -> dict[str, tuple[Analysis, Path]]:
    """Return every built-in study by name, with its analysis and its YAML file."""
    found: dict[str, tuple[Analysis, Path]] = {}
    for analysis in analyses().values():
        for name, path in analysis.studies().items():
            found[name] = (analysis, path)
    return found


def choices(names: Iterable[str]) -> str:
    """Return the names as a phrase: ``a, b or c``."""
    listed = [str(name) for name in names]
    return " or ".join(part for part in (", ".join(listed[:-1]), listed[-1]) if part) if listed else "nothing"


def nearest(name: object, names: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` for the name most like `name`, or nothing if none is."""
    close = difflib.get_close_matches(str(name), [str(known) for known in names], n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
