"""The analyses on this machine, found by the entry point group ``reportgen.analyses``."""

import difflib
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from analyses.errors import InputError, MissingError
from analyses.protocol import Analysis, Staged, problems
from reportgen.notices import warn

GROUP = "reportgen.analyses"
# The kind of study that a file is of which does not say so.
DEFAULT = "mi_distance"


class ContractError(TypeError):
    """What an entry point names is no analysis as `analyses.protocol` has it."""


def analyses() -> dict[str, Analysis]:
    """Return every registered analysis that can be loaded by its entry point's name, in alphabetical order.

    One that cannot be loaded is named in a warning: what is wrong with it is no reason for the others not to work.

    Raises
    ------
    MissingError
        If there is none: the package is not installed, or each of them is broken.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if not found:
        raise MissingError("no analysis is installed; a checkout is installed by `make setup` in its folder")
    loaded, broken = _loaded_and_broken(found)
    for problem in broken.values():
        warn(problem)
    if not loaded:
        raise MissingError(next(iter(broken.values())))
    return loaded


def registered() -> dict[str, str]:
    """Return every entry point's name -> what is wrong with its analysis; an empty string where it can be loaded."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    loaded, broken = _loaded_and_broken(found)
    return dict.fromkeys(loaded, "") | broken


def _loaded_and_broken(points: Mapping[str, EntryPoint]) -> tuple[dict[str, Analysis], dict[str, str]]:
    loaded: dict[str, Analysis] = {}
    broken: dict[str, str] = {}
    for name in sorted(points):
        point = points[name]
        try:
            analysis = point.load()
            if wrong := problems(analysis):
                raise ContractError("; ".join(wrong))
            loaded[name] = analysis
        except Exception as error:  # Whatever somebody else's module does while it is imported.
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            broken[name] = f"the analysis {name} ({point.value}) cannot be loaded: {reason}; install or remove what provides it"
    return loaded, broken


def analysis_named(name: object, where: str) -> Analysis:
    """Return the analysis called `name`; `where` says in the error which file asked for it."""
    known = analyses()
    for analysis in known.values():
        if analysis.name == name:
            return analysis
    if isinstance(name, str) and name in known:
        return known[name]
    broken = _loaded_and_broken({point.name: point for point in entry_points(group=GROUP)})[1]
    if isinstance(name, str) and name in broken:
        raise MissingError(f"{where}: {broken[name]}")
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
            found.setdefault(name, (analysis, path))
    return found


def stages() -> dict[str, str]:
    """Return what the analyses call the stages of their work: key -> name."""
    return {key: name for analysis in analyses().values() if isinstance(analysis, Staged) for key, name in analysis.stages.items()}


def choices(names: Iterable[str]) -> str:
    """Return the names as a phrase: ``a, b or c``."""
    listed = [str(name) for name in names]
    return " or ".join(part for part in (", ".join(listed[:-1]), listed[-1]) if part) if listed else "nothing"


def nearest(name: object, names: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` for the name most like `name`, or nothing if none is."""
    close = difflib.get_close_matches(str(name), [str(known) for known in names], n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
