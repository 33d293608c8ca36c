"""What an analysis offers to the report generator, found by the entry point group ``reportgen.analyses``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pydantic

from analyses.progress import Progress

# A command that finds its documents in the cache needs none of these, and they take half a second to import.
if TYPE_CHECKING:
    import matplotlib.figure
    import pandas
    import xarray

# Gives the label for a catalogue key in the language (or languages) of the document, with named values filled in.
Labels = Callable[..., str]


@dataclass(frozen=True)
class Results:
    """All that a report can say: `dataset` and `activations` hold numbers, `study` settings, provenance and verdicts."""

    dataset: xarray.Dataset
    activations: xarray.Dataset
    study: dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """A drawn figure and the hover text of its elements, by the `gid` given to the matplotlib artist."""

    figure: matplotlib.figure.Figure
    hover: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FigureSpec:
    """One figure: how to draw it with labels in a language, and the numbers that it shows (tidy, for download)."""

    id: str
    draw: Callable[[Labels], Drawing]
    data: pandas.DataFrame


class Analysis(Protocol):
    """One kind of study: its settings, its computation, and what its report is made of."""

    name: str
    settings_type: type[pydantic.BaseModel]
    templates: str

    def studies(self) -> Mapping[str, Path]:
        """Built-in studies: name -> YAML file."""
        ...

    def run(self, settings: Any, progress: Progress) -> Results:
        """Compute everything; raises InputError, MissingError."""
        ...

    def tables(self, results: Results) -> Mapping[str, pandas.DataFrame]:
        """Tidy tables for the bundle: file name without suffix -> rows."""
        ...

    def figures(self, results: Results) -> Sequence[FigureSpec]:
        """The report's figures in order."""
        ...

    def facts(self, results: Results) -> dict[str, Any]:
        """Language-neutral values for the prose: numbers, names of verdicts, keys of sentences."""
        ...
