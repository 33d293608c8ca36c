"""The whole way: settings -> results -> bundle -> documents. Also the Python interface of reportgen."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from analyses.errors import InputError, MissingError
from analyses.progress import Progress, SilentProgress
from analyses.protocol import Analysis, Results
from reportgen import registry
from reportgen.atomic import put_file, staging_folder
from reportgen.bundle import bundle_digest, check_replaceable, read_bundle, write_bundle
from reportgen.settings import load_study

LANGUAGES = ("vi-en", "vi", "en")
FORMATS = ("html", "pdf")
_DOCUMENTS = ("report.html", "report.pdf", "*/report.html", "*/report.pdf", "figures/*.svg")


class StepError(RuntimeError):
    """A step failed for a reason that is neither the user's input nor something missing (exit code 4)."""


@dataclass(frozen=True)
class Outcome:
    """What a run made: the bundle's folder, the documents (sorted paths), and the results in them."""

    bundle: Path
    documents: tuple[Path, ...]
    results: Results


def analyze(settings: pydantic.BaseModel | str | Path, progress: Progress | None = None) -> Results:
    """Compute a study.

    Parameters
    ----------
    settings : settings of an analysis, or the name of a built-in study, or a YAML file
    progress : Progress, optional

    Raises
    ------
    InputError, MissingError
        As `analyses.errors` says.
    StepError
        If the computation fails.
    """
    analysis, settings = _resolved(settings)
    with _step("the computation"):
        results = analysis.run(settings, progress or SilentProgress())
    return Results(results.dataset, results.activations, {**results.study, "analysis": analysis.name})


def save(results: Results, path: Path) -> Path:
    """Write the results as a bundle to the folder `path`, with the tables of their analysis."""
    analysis = registry.analysis_named(results.study.get("analysis"), "results")
    check_replaceable(path)
    with _step("writing the bundle"):
        return write_bundle(results, analysis.tables(results), path)


def render(
    bundle: Results | Path | str,
    out: Path | str,
    *,
    languages: Sequence[str] = LANGUAGES,
    formats: Sequence[str] = FORMATS,
    progress: Progress | None = None,
    templates: Path | None = None,
) -> tuple[Path, ...]:
    """Render a bundle's documents into the folder `out`; return their paths.

    The documents appear there only when all of them are done. Results that are not yet on disk are first written to
    ``out/bundle``, so that documents never exist without their data.
    """
    out = Path(out)
    path = save(bundle, out / "bundle") if isinstance(bundle, Results) else Path(bundle)
    results = read_bundle(path)
    analysis = registry.analysis_named(results.study.get("analysis"), f"{path}/study.json")
    from reportgen.render import render_documents

    with _writable(out), staging_folder(out) as staging:
        with _step("the rendering"):
            render_documents(results, analysis, staging, tuple(languages), tuple(formats), progress or SilentProgress(), templates)
        return _publish(staging, out)


def run(
    settings: pydantic.BaseModel | str | Path,
    out: Path | str,
    *,
    languages: Sequence[str] = LANGUAGES,
    formats: Sequence[str] = FORMATS,
    progress: Progress | None = None,
    templates: Path | None = None,
) -> Outcome:
    """Go the whole way from settings to documents, in the folder `out`.

    If the rendering fails, the new bundle is kept (it can be rendered again) and the documents are the old ones.
    """
    out = Path(out)
    before = bundle_digest(out / "bundle") if (out / "bundle" / "SHA256SUMS").is_file() else None
    path, results = analyze_to(settings, out, progress)
    documents = render(path, out, languages=languages, formats=formats, progress=progress, templates=templates)
    if before != bundle_digest(path):
        _remove_outdated(out, documents)
    return Outcome(path, documents, results)


def analyze_to(settings: pydantic.BaseModel | str | Path, out: Path | str, progress: Progress | None = None) -> tuple[Path, Results]:
    """Compute a study and write its bundle to ``out/bundle``; return the bundle's folder and the results in it."""
    out = Path(out)
    path = out / "bundle"
    # Everything that can be wrong with the destination is said before minutes of computing.
    with _writable(out):
        check_replaceable(path)
    save(analyze(settings, progress), path)
    return path, read_bundle(path)


def _resolved(settings: pydantic.BaseModel | str | Path) -> tuple[Analysis, Any]:
    if isinstance(settings, str | Path):
        return load_study(settings)
    return registry.analysis_of(settings), settings


@contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except (InputError, MissingError, StepError):
        raise
    except ModuleNotFoundError as error:
        raise MissingError(f"{name} needs the Python package {error.name}, which is not installed: `pip install {error.name}`") from error
    except Exception as error:
        raise StepError(f"{name} failed: {type(error).__name__}: {' '.join(str(error).split())}") from error


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    try:
        if out.is_file():
            raise InputError(f"--out {out} is a file; expected a folder")
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise InputError(f"--out {out}: no permission to write there; choose another folder")
        yield
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error}); choose another folder") from error


def _publish(staging: Path, out: Path) -> tuple[Path, ...]:
    """Move every file of `staging` to its place in `out`, each in one step."""
    documents = []
    for file in sorted(staging.rglob("*")):
        if file.is_file():
            place = out / file.relative_to(staging)
            place.parent.mkdir(parents=True, exist_ok=True)
            put_file(file, place)
            documents.append(place)
    return tuple(documents)


def _remove_outdated(out: Path, documents: Sequence[Path]) -> None:
    """Remove documents of an earlier bundle that this run did not write again: they would contradict the new ones."""
    kept = set(documents)
    for pattern in _DOCUMENTS:
        for file in out.glob(pattern):
            if file not in kept:
                file.unlink()
    for folder in (out / language for language in LANGUAGES):
        if folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder)
