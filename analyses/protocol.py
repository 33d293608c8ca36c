"""The contract of an analysis with the report generator, which finds it by the entry point group ``reportgen.analyses``.

Whole, in this one file: what every analysis offers (`Analysis`), what it may offer besides (`TwoSteps`, `OwnTemplates`,
`SharedTemplates`, `Renamed`, `Identified`, `Compared`, `Toleranced`, `Staged`, `Exampled`, `ReadsFiles`, `Swept`, `Gridded`), and
what its results hold (`Results`, `Study`, `VerdictRow`). ``docs/writing-an-analysis.md`` goes through it with an example. `problems` is
asked when an analysis is loaded, so that what is missing is said then and not after minutes of computing.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Protocol, TypedDict, runtime_checkable

import pydantic

from analyses.progress import Progress

# A command that finds its documents in the cache needs none of these, and they take half a second to import.
if TYPE_CHECKING:
    import matplotlib.figure
    import pandas
    import xarray


class Labels(Protocol):
    """The words of a figure, in the language or languages of its document, with named values filled in.

    A value is a string, an int, or a value spec (`analyses.value_specs`). Numbers are written as in the document's first language.
    """

    @property
    def codes(self) -> Sequence[str]:
        """The document's languages, by their codes."""
        ...

    def rows(self, key: str, **values: Any) -> list[tuple[str, str]]:
        """The label of a catalogue key, a row of (language, text) for each language, the first one first."""
        ...

    def __call__(self, key: str, **values: Any) -> str:
        """The same in one line; what several languages write alike stands there once."""
        ...

    def number(self, value: float, digits: int = 2, *, unit: bool = False) -> str:
        """A number; `unit` marks a quantity that cannot exceed 1."""
        ...

    def integer(self, value: int) -> str:
        """A whole number."""
        ...

    def p(self, value: float) -> str:
        """A p-value."""
        ...

    def format(self, spec: Any) -> str:
        """A value spec."""
        ...


Verdict = Literal["supported", "contradicted", "inconclusive", "not_testable"]


class VerdictRow(TypedDict):
    """One row of a study's ``verdicts``: what `compare` holds against another bundle's.

    A row is known by its statement, estimator and control. `statement` is a number or a name, `estimator` what the values were
    measured by, `control` what was taken off them (``none``). Where nothing could be computed, numbers are None. More keys may follow.
    """

    statement: int | str
    name: NotRequired[str]
    estimator: str
    control: str
    verdict: Verdict
    estimate: float | None
    low: float | None
    high: float | None
    agreeing_layers: int | None
    layers: int | None


class Study(TypedDict):
    """What ``study.json`` holds at the least, in JSON form; an analysis adds what its facts need."""

    settings: dict[str, Any]
    provenance: dict[str, Any]
    verdicts: list[VerdictRow]


@dataclass(frozen=True)
class Results:
    """All that a report can say: `dataset` and `activations` hold numbers, `study` settings, provenance and verdicts (`Study`)."""

    dataset: xarray.Dataset
    activations: xarray.Dataset
    study: dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """A drawn figure and the hover text of its elements, by the `gid` given to the matplotlib artist.

    `legend` is where its legend begins, if it has one at the right edge, in shares of its width: a page that is narrower than the
    figure keeps it in sight.
    """

    figure: matplotlib.figure.Figure
    hover: Mapping[str, str] = field(default_factory=dict)
    legend: float | None = None


@dataclass(frozen=True)
class FigureSpec:
    """One figure: how to draw it with labels in a language, and the numbers that it shows (tidy, for download)."""

    id: str
    draw: Callable[[Labels], Drawing]
    data: pandas.DataFrame


class Analysis(Protocol):
    """One kind of study: its settings, its computation, and what its report is made of.

    Attributes
    ----------
    name
        What study files and bundles call it: lower-case letters, digits and underscores; the name of its entry point.
    settings_type
        Model of its study files. It has the field ``name`` and may have ``word``, ``text``, ``model``, ``activations_file`` and
        ``seed``, which the command line's options set where they are there. Nothing that a study computes may depend on anything else.
    templates
        Name of its folder of templates: ``<templates>/document.yaml`` and the prose beside it.
    """

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
        """Language-neutral values for the prose: numbers, names of verdicts, keys of sentences.

        Some names have a meaning of their own: ``document`` is the title block, ``headings`` and ``captions`` fill placeholders in
        headings and captions, ``findings`` (rows of id, verdict, key, values) are what a published site says first.
        """
        ...


@runtime_checkable
class TwoSteps(Protocol):
    """An analysis whose costly first step can be kept: what was captured is the same while `capture_settings` are.

    `run` must do the same as `compute` after `capture`.
    """

    def capture_settings(self, settings: Any) -> Mapping[str, Any]:
        """Return the part of the settings, in JSON form, on which the capture depends."""
        ...

    def capture(self, settings: Any, progress: Progress) -> tuple[xarray.Dataset, dict[str, Any]]:
        """Return what was captured: numbers, and facts in JSON form."""
        ...

    def compute(self, settings: Any, captured: xarray.Dataset, facts: Mapping[str, Any], progress: Progress) -> Results:
        """Return the results from what was captured."""
        ...


@runtime_checkable
class OwnTemplates(Protocol):
    """An analysis that brings its templates and catalogues along, as one from another distribution must.

    `template_folder` has the form of the generator's own ``templates/``: ``<templates>/document.yaml``, ``<templates>/<language>/`` with
    the prose, and ``<templates>/languages/<language>/*.po`` with the sentences that only this analysis says. It stands between what is
    built in and a reader's ``--templates``.
    """

    template_folder: Path


@runtime_checkable
class SharedTemplates(Protocol):
    """An analysis that shares templates with others: folders of the same form, behind its own and in front of what is built in.

    Their ``languages/<language>/*.po`` say what several analyses say alike.
    """

    shared_templates: Sequence[Path]


@runtime_checkable
class Renamed(Protocol):
    """An analysis that gave something in ``study.json`` another name: format of the bundle -> former name -> name since then."""

    renamed: Mapping[int, Mapping[str, str]]


@runtime_checkable
class Compared(Protocol):
    """An analysis that draws two bundles over each other for the page that compares them."""

    def comparison_figures(self, before: Results, after: Results) -> Sequence[FigureSpec]:
        """The figures of what both bundles have; the caption of each is the catalogue's ``compare.<id>.caption``."""
        ...


@runtime_checkable
class Toleranced(Protocol):
    """An analysis that knows how far its quantities may move: pattern of their names -> ``absolute``, ``relative``.

    A later pattern has precedence over an earlier one, all over the generator's ``*``; the generator's patterns for kinds of numbers
    (p-values, activations, verdicts) and a reader's tolerance file have precedence over these.
    """

    tolerances: Mapping[str, Mapping[str, float]]


@runtime_checkable
class Staged(Protocol):
    """An analysis that says what the stages of its `Progress` are called, in English, for whoever waits at the terminal."""

    stages: Mapping[str, str]


@runtime_checkable
class Exampled(Protocol):
    """An analysis whose studies need a model or minutes, and that has results to try it on without either (`reportgen.testing`)."""

    def example(self) -> Results:
        """Small results of made-up data, the same at every call."""
        ...


@runtime_checkable
class ReadsFiles(Protocol):
    """An analysis whose results depend on more files than those that its settings name under keys that end in ``_file``."""

    def input_files(self, settings: Any) -> Sequence[Path]:
        """Every such file that is there; raises InputError where what names them cannot be read."""
        ...


@runtime_checkable
class Swept(Protocol):
    """An analysis whose studies can be the cells of a sweep: many words in many texts by many models, pooled by another analysis.

    `pooled` is the name of that other analysis, whose settings have ``name``, ``cells_folder`` and ``document``.
    """

    pooled: str

    def cell_settings(self, settings: Any) -> Any:
        """The settings with what only the report of a single study shows left out."""
        ...

    def seconds(self, settings: Any) -> float:
        """About how long one processor of this machine takes for a study as a cell, without a model's pass; for a look ahead."""
        ...

    def cells(self, studies: Sequence[Any], progress: Progress) -> Iterator[Results | Exception]:
        """The results of studies of one text by one model, with what is worth keeping; for one that cannot be made its `InputError`."""
        ...


@runtime_checkable
class Gridded(Protocol):
    """An analysis that pools the cells of sweeps, and brings grids of them along."""

    def grids(self) -> Mapping[str, Path]:
        """Built-in grids: name -> YAML file."""
        ...


@runtime_checkable
class Identified(Protocol):
    """An analysis that says by which settings (dotted keys) a study is another one, and not the same one made again.

    On a site, a study never takes the place of another one unasked.
    """

    identity: Sequence[str]


_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Method -> how many arguments it is called with.
_METHODS = {"studies": 0, "run": 2, "tables": 1, "figures": 1, "facts": 1}
_STEPS = {"capture_settings": 1, "capture": 2, "compute": 4}


def template_folders(analysis: Analysis) -> list[Path]:
    """The folders of templates that an analysis brings along, those that it shares before its own."""
    shared = analysis.shared_templates if isinstance(analysis, SharedTemplates) else ()
    return [*shared, *([analysis.template_folder] if isinstance(analysis, OwnTemplates) else [])]


def problems(analysis: object) -> list[str]:
    """What keeps an object from being an analysis, each in a few words; nothing where the contract is kept."""
    lacking = [member for member in ("name", "settings_type", "templates", *_METHODS) if not hasattr(analysis, member)]
    if lacking:
        return [f"it has no {member}" for member in lacking]
    found = [
        f"{member} must be lower-case letters, digits and underscores, not {value!r}"
        for member in ("name", "templates")
        if not isinstance(value := getattr(analysis, member), str) or not _NAME.fullmatch(value)
    ]
    settings_type = getattr(analysis, "settings_type")  # noqa: B009 - it is any object yet
    if not isinstance(settings_type, type) or not issubclass(settings_type, pydantic.BaseModel):
        found.append("settings_type must be a pydantic model")
    elif "name" not in settings_type.model_fields:
        found.append("settings_type must have the field name")
    steps = [step for step in _STEPS if hasattr(analysis, step)]
    if steps and len(steps) < len(_STEPS):
        found.append(f"with {steps[0]} it must have {' and '.join(step for step in _STEPS if step not in steps)} too")
    for method, arguments in {**_METHODS, **{step: _STEPS[step] for step in steps}}.items():
        if not _takes(getattr(analysis, method), arguments):
            found.append(f"{method} must be a method that takes {arguments} argument{'' if arguments == 1 else 's'}")
    if not found and isinstance(analysis, OwnTemplates):
        document = Path(analysis.template_folder) / str(getattr(analysis, "templates")) / "document.yaml"  # noqa: B009
        if not document.is_file():
            found.append(f"template_folder has no {document.parent.name}/document.yaml")
    return found


def _takes(method: object, arguments: int) -> bool:
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # something built in, whose parameters are not known
        return True
    return True
