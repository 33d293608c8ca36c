"""The whole way: settings -> results -> bundle -> documents. Also the Python interface of reportgen."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from analyses.errors import NOT_ENOUGH_MEMORY, InputError, MissingError, is_about_memory
from analyses.installation import not_installed
from analyses.progress import Progress, SilentProgress
from analyses.protocol import Analysis, Results, TwoSteps
from analyses.readers import is_file, read_json
from reportgen import registry
from reportgen.atomic import ObstacleError, Staging, folder_for_now, staging
from reportgen.bundle import (
    IncompleteResultsError,
    bundle_digest,
    check_replaceable,
    files_of,
    plain,
    read_bundle,
    read_dataset,
    read_study,
    verify_bundle,
    write_bundle,
    write_dataset,
    write_files,
)
from reportgen.cache import Cache, cache_key
from reportgen.identity import computation_code, inputs_of, rendering_code
from reportgen.notices import warn
from reportgen.printing import check_fonts, obstacle
from reportgen.resources import language_codes
from reportgen.settings import PRESENTATION, load_study

if TYPE_CHECKING:
    import xarray

    from reportgen.documents import SitePage

LANGUAGES = ("vi-en", "vi", "en")
FORMATS = ("html", "pdf")
EDITION = "report"
# Nothing is wrong with the program where a disk is full or read-only.
_OF_A_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_DOCUMENTS = (
    *(f"{name}.{kind}" for name in ("report", "summary", "handout", "handout-key") for kind in FORMATS),
    *("figures/*.svg", "figures/*.png", "tables/*.tex", "tables/*.html"),
)


class StepError(RuntimeError):
    """A step failed for a reason that is neither the user's input nor something missing (exit code 4)."""


class IncompleteError(MissingError):
    """No PDF can be made on this machine; all the rest was: `documents`, and after `run` its whole `outcome`."""

    def __init__(self, message: str, documents: tuple[Path, ...], outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.documents, self.outcome = documents, outcome


@dataclass(frozen=True)
class Outcome:
    """What a run made: the bundle's folder, the documents (sorted paths), and the results in them."""

    bundle: Path
    documents: tuple[Path, ...]
    results: Results


@dataclass(frozen=True)
class Rendering:
    """Which documents: languages (``vi-en`` is both side by side), formats, edition, a folder of own templates, the site they are for."""

    languages: tuple[str, ...] = LANGUAGES
    formats: tuple[str, ...] = FORMATS
    edition: str = EDITION
    templates: Path | None = None
    # Code -> what the page of a site says of it; the pages are made instead of the documents.
    site: Mapping[str, SitePage] | None = None

    def check(self) -> None:
        """Raise InputError or MissingError for what could be wrong, before anything is computed or drawn."""
        from reportgen.documents import Assets, load_languages
        from reportgen.documents import members as members_of

        check_fonts()
        known = load_languages(*Assets.default(self.templates).directories)
        for language in self.languages:
            if any(member not in known for member in language.split("-")) and language not in known:
                expected = [*LANGUAGES, *(code for code in known if code not in LANGUAGES)]
                raise InputError(f"--lang {language}: expected {registry.choices(expected)}{registry.nearest(language, expected)}")
            members_of(language, known)

    def possible(self, characters: frozenset[str] = frozenset()) -> Rendering:
        """Return this without the formats that cannot be made on this machine; a page is really printed.

        `characters` are those of the text that the report's own fonts lack.

        Raises
        ------
        MissingError
            If none can be made.
        """
        if "pdf" not in self.formats or not (problem := obstacle(characters)):
            return self
        others = tuple(format for format in self.formats if format != "pdf")
        if not others:
            raise MissingError(problem)
        return replace(self, formats=others)

    def check_complete(self, documents: tuple[Path, ...], characters: frozenset[str] = frozenset(), outcome: Outcome | None = None) -> None:
        """Raise IncompleteError if PDFs were wanted and are not among the documents."""
        if "pdf" in self.formats and not any(document.suffix == ".pdf" for document in documents):
            raise IncompleteError(obstacle(characters), documents, outcome)


def _check_edition(analysis: Analysis, rendering: Rendering) -> None:
    """Raise InputError for an edition that the analysis does not have, before anything is computed."""
    if rendering.edition != EDITION:
        from reportgen.documents import Assets, files_of

        files_of(Assets.of(analysis, rendering.templates), analysis.templates, rendering.edition)


def analyze(settings: pydantic.BaseModel | str | Path, progress: Progress | None = None, cache: Cache | None = None) -> Results:
    """Compute a study.

    Parameters
    ----------
    settings : settings, str or Path
        The settings of an analysis, or the name of a built-in study, or a YAML file.
    progress : Progress, optional
        Is told how far the work is.
    cache : Cache, optional
        Where results are kept; without it everything is computed.

    Returns
    -------
    Results
        `dataset` and `activations` (xarray, with named dimensions) and `study` (settings, provenance, verdicts).

    Raises
    ------
    InputError
        Bad input or settings.
    MissingError
        Something is missing on this machine.
    StepError
        The computation fails.

    Examples
    --------
    Ready vectors in place of a model: 5 occurrences in 4 layers, any two of them normal with correlation .8, so that each pair
    shares -ln(1 - .64) / 2 = .511 nats.

    >>> import json
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reportgen
    >>> generator = np.random.default_rng(0)
    >>> common, own = generator.normal(size=(2, 4, 1, 1000)), generator.normal(size=(2, 4, 5, 1000))
    >>> activation = (np.sqrt(0.8) * common + np.sqrt(0.2) * own).astype(np.float32)
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.savez(folder / "captured.npz", activation=activation, token_position=[3, 8, 16, 27, 41])
    >>> study = {"name": "planted", "word": "tea", "activations_file": "captured.npz", "detail_layer": 1}
    >>> _ = (folder / "study.yaml").write_text(json.dumps(study), encoding="utf-8")  # JSON is YAML too
    >>> results = reportgen.analyze(folder / "study.yaml")
    >>> information = results.dataset["mutual_information"]
    >>> dict(information.sizes)
    {'estimator': 3, 'branch': 2, 'layer': 4, 'pair': 10}
    >>> print(f"{information.sel(estimator='nearest_neighbour').mean():.1f}")
    0.5
    """
    analysis, study = _resolved(settings)
    progress = progress or SilentProgress()
    with _step("the computation"):
        if cache is None:
            return _computed(analysis, study, progress)
        inputs = inputs_of(study, progress)
        code = computation_code(analysis)
        key = cache_key(analysis=analysis.name, code=code, inputs=inputs)
        results = _kept_results(cache, key)
        if results is None:
            results = _computed_from_capture(analysis, study, inputs, code, progress, cache)
            computed = results
            cache.store("results", key, lambda folder: write_bundle(computed, lambda written: {}, folder / "bundle"))
        else:
            _announce(progress, "results_kept")
        return _with_presentation(results, study)


def save(results: Results, path: Path) -> Path:
    """Write the results as a bundle to the folder `path`, with the tables of their analysis."""
    analysis = registry.analysis_named(results.study.get("analysis"), "results")
    check_replaceable(path)
    with _step("writing the bundle"):
        return write_bundle(results, analysis.tables, path)


def render(
    bundle: Results | Path | str,
    out: Path | str,
    *,
    languages: Sequence[str] = LANGUAGES,
    formats: Sequence[str] = FORMATS,
    edition: str = EDITION,
    templates: Path | None = None,
    progress: Progress | None = None,
    cache: Cache | None = None,
) -> tuple[Path, ...]:
    """Render a bundle's documents into the folder `out`; return their paths.

    The documents appear there only when all of them are done. Results that are not yet on disk are first written to
    ``out/bundle``, so that documents never exist without their data.

    Parameters
    ----------
    bundle : Results, Path or str
        What `analyze` returned, or the folder of a bundle.
    out : Path or str
        The folder for the documents.
    languages : sequence of str
        Any of "vi", "en" and "vi-en", which is both side by side.
    formats : sequence of str
        "html", "pdf" or both.
    edition : str
        "report", or "handout" for a worksheet and its key.
    templates : Path, optional
        A folder of own templates; a file in it replaces the built-in one of the same name.
    progress : Progress, optional
        Is told how far the work is.
    cache : Cache, optional
        Where documents are kept; without it everything is rendered.

    Returns
    -------
    tuple of Path
        Every document and figure, sorted.

    Raises
    ------
    InputError
        The bundle is not whole, or a language, an edition or the folder is not usable.
    MissingError
        A library for PDF is missing on this machine.
    StepError
        The rendering fails.

    Examples
    --------
    >>> import reportgen
    >>> results = reportgen.analyze("coffee")                             # doctest: +SKIP
    >>> reportgen.render(results, "out", languages=["en"], formats=["html"])  # doctest: +SKIP
    """
    out = Path(out)
    rendering = Rendering(tuple(languages), tuple(formats), edition, templates)
    progress = progress or SilentProgress()
    if isinstance(bundle, Results):
        rendering.check()
        documents, _ = _whole(bundle, out, rendering, progress, cache)
        rendering.check_complete(documents, _foreign(bundle.study))
        return documents
    path = Path(bundle)
    documents = _rendered(path, out, rendering, progress, cache)
    rendering.check_complete(documents, _foreign(read_study(path)))
    return documents


def render_site_pages(
    bundle: Path,
    out: Path,
    pages: Mapping[str, SitePage],
    *,
    templates: Path | None = None,
    progress: Progress | None = None,
    cache: Cache | None = None,
) -> tuple[Path, ...]:
    """Render a bundle's reports as pages of a site (``<code>/index.html``, ``refs.bib``) into the folder `out`; raises as `render` does."""
    rendering = Rendering(tuple(pages), ("html",), templates=templates, site=pages)
    return _rendered(bundle, out, rendering, progress or SilentProgress(), cache)


def _rendered(path: Path, out: Path, rendering: Rendering, progress: Progress, cache: Cache | None) -> tuple[Path, ...]:
    """Render the bundle at `path` into the folder `out`, all of it or nothing."""
    verify_bundle(path)
    digest = bundle_digest(path)

    def nothing() -> tuple[str, ...]:
        # Another process may have put its bundle there; these documents would contradict it.
        if not _holds(path, digest):
            raise InputError(f"{path} was replaced or removed while it was rendered; render it again")
        return ()

    with _writable(out, rendering), staging(out) as staged:
        try:
            names = _render(path, staged, rendering, progress, cache)
        except IncompleteResultsError as error:
            raise InputError(f"{path}: {error}") from error
        staged.commit(remove=nothing)
    return tuple(out / name for name in names)


def run(
    settings: pydantic.BaseModel | str | Path,
    out: Path | str,
    *,
    languages: Sequence[str] = LANGUAGES,
    formats: Sequence[str] = FORMATS,
    edition: str = EDITION,
    templates: Path | None = None,
    progress: Progress | None = None,
    cache: Cache | None = None,
) -> Outcome:
    """Go the whole way from settings to documents, in the folder `out`.

    Bundle and documents change together: whatever fails, is full or is killed, the folder holds the old ones or the new ones. If
    the rendering fails where there were no documents, the new bundle is there (it can be rendered again).
    """
    out = Path(out)
    rendering = Rendering(tuple(languages), tuple(formats), edition, templates)
    rendering.check()
    analysis, study = _resolved(settings)
    _check_edition(analysis, rendering)
    with _writable(out, rendering):
        check_replaceable(out / "bundle")
    characters = _foreign(study.model_dump(mode="json"))
    if rendering.possible(characters) != rendering:  # known now, not after minutes of computing
        warn(f"{obstacle(characters)}. The rest will be made.")
    results = analyze(settings, progress, cache)
    documents, results = _whole(results, out, rendering, progress or SilentProgress(), cache)
    outcome = Outcome(out / "bundle", documents, results)
    rendering.check_complete(documents, _foreign(outcome.results.study), outcome)
    return outcome


def _foreign(values: Mapping[str, Any]) -> frozenset[str]:
    """The characters of settings or of a study that the report's own fonts lack."""
    from reportgen.documents.other_scripts import characters_of

    return characters_of(values)


def _holds(place: Path, digest: str) -> bool:
    """Whether the bundle of this digest is at a place."""
    return (place / "SHA256SUMS").is_file() and bundle_digest(place) == digest


def _whole(results: Results, out: Path, rendering: Rendering, progress: Progress, cache: Cache | None) -> tuple[tuple[Path, ...], Results]:
    """Write results and their documents into the folder `out`, both or neither; return the documents, and the results as written."""
    analysis = registry.analysis_named(results.study.get("analysis"), "results")
    place = out / "bundle"
    check_replaceable(place)
    with _writable(out, rendering), staging(out) as staged:
        path = staged.new / "bundle"
        path.mkdir()
        with _step("writing the bundle"):
            write_files(results, analysis.tables, path)
        # Read here: a moment later another process may have put its own bundle in place.
        written = read_bundle(path)
        digest = bundle_digest(path)

        def of_an_older_bundle() -> list[str]:
            return [f"bundle/{name}" for name in files_of(place)]

        def older() -> list[str]:
            outdated = () if _holds(place, digest) else _documents_in(out, rendering.templates)
            return [*of_an_older_bundle(), *outdated]

        try:
            names = _render(path, staged, rendering, progress, cache)
        except Exception as error:
            if not _documents_in(out, rendering.templates):
                staged.commit(of_an_older_bundle)
            if isinstance(error, IncompleteResultsError):  # What was computed just now should have it.
                raise StepError(f"the rendering failed: {_line(error)}") from error
            raise
        staged.commit(older)
    return tuple(out / name for name in names), written


def analyze_to(
    settings: pydantic.BaseModel | str | Path, out: Path | str, progress: Progress | None = None, cache: Cache | None = None
) -> tuple[Path, Results]:
    """Compute a study and write its bundle to ``out/bundle``; return the bundle's folder and the results in it."""
    out = Path(out)
    path = out / "bundle"
    # Everything that can be wrong with the destination is said before minutes of computing.
    with _writable(out):
        check_replaceable(path)
    results = analyze(settings, progress, cache)
    with _writable(out):
        save(results, path)
    return path, read_bundle(path)


def _resolved(settings: pydantic.BaseModel | str | Path) -> tuple[Analysis, Any]:
    if isinstance(settings, str | Path):
        return load_study(settings)
    return registry.analysis_of(settings), settings


def _computed(analysis: Analysis, settings: Any, progress: Progress) -> Results:
    results = analysis.run(settings, progress)
    return Results(results.dataset, results.activations, {**results.study, "analysis": analysis.name})


def _computed_from_capture(
    analysis: Analysis, settings: Any, inputs: Mapping[str, Any], code: str, progress: Progress, cache: Cache
) -> Results:
    if not isinstance(analysis, TwoSteps):
        return _computed(analysis, settings, progress)
    of_capture = {**inputs, "settings": plain(analysis.capture_settings(settings))}
    key = cache_key(analysis=analysis.name, code=code, inputs=of_capture)
    captured = _kept_capture(cache, key)
    if captured is None:
        captured = analysis.capture(settings, progress)
        numbers, facts = captured

        def fill(folder: Path) -> None:
            write_dataset(numbers, folder / "captured.nc")
            (folder / "facts.json").write_text(json.dumps(plain(facts), ensure_ascii=False), encoding="utf-8")

        cache.store("capture", key, fill)
    else:
        _announce(progress, "capture_kept")
    results = analysis.compute(settings, *captured, progress)
    return Results(results.dataset, results.activations, {**results.study, "analysis": analysis.name})


def _kept_capture(cache: Cache, key: str) -> tuple[xarray.Dataset, dict[str, Any]] | None:
    folder = cache.find("capture", key)
    if folder is None:
        return None
    with _kept():
        return read_dataset(folder / "captured.nc"), read_json(folder / "facts.json")
    return None


def _kept_results(cache: Cache, key: str) -> Results | None:
    folder = cache.find("results", key)
    if folder is None:
        return None
    with _kept():
        return read_bundle(folder / "bundle")
    return None


def _with_presentation(results: Results, settings: pydantic.BaseModel) -> Results:
    """Put the settings that only documents use into results that may have been computed under others."""
    if PRESENTATION not in type(settings).model_fields:
        return results
    presentation = settings.model_dump(mode="json", include={PRESENTATION})
    return Results(results.dataset, results.activations, {**results.study, "settings": {**results.study["settings"], **presentation}})


def _announce(progress: Progress, key: str) -> None:
    with progress.stage(key, 1) as advance:
        advance(1)


def _render(path: Path, staged: Staging, rendering: Rendering, progress: Progress, cache: Cache | None) -> list[str]:
    """Render the bundle at `path` into a staging folder; return the documents' paths below it."""
    analysis = registry.analysis_named(read_study(path).get("analysis"), f"{path}/study.json")
    folder = staged.workspace("documents")
    with _step("the rendering"):
        if cache is None:
            _render_into(folder, path, analysis, rendering, progress)
        else:
            _render_kept(folder, path, analysis, rendering, progress, cache)
    return staged.take(folder)


def _render_kept(folder: Path, path: Path, analysis: Analysis, rendering: Rendering, progress: Progress, cache: Cache) -> None:
    choices: dict[str, Any] = {"languages": rendering.languages, "formats": rendering.formats, "edition": rendering.edition}
    code = rendering_code(analysis, rendering.templates)
    if rendering.site:
        choices["site"] = {language: dataclasses.astuple(page) for language, page in rendering.site.items()}
    if characters := _foreign(read_study(path)):
        from reportgen.documents.other_scripts import installed

        # With other fonts the same text is another document.
        choices["fonts"] = installed()
    key = cache_key(analysis=analysis.name, bundle=bundle_digest(path), code=code, **choices)
    if _copied(cache.find("documents", key), folder):
        _announce(progress, "documents_kept")
    elif (possible := rendering.possible(characters)) != rendering:
        _render_kept(folder, path, analysis, possible, progress, cache)
    else:
        _render_into(folder, path, analysis, rendering, progress)
        cache.store("documents", key, lambda kept: shutil.copytree(folder, kept, dirs_exist_ok=True))


def _render_into(folder: Path, bundle: Path, analysis: Analysis, rendering: Rendering, progress: Progress) -> None:
    # Only now: documents that are kept need none of the libraries that draw.
    rendering.check()
    from reportgen.documents import render_documents, render_site_pages

    results = read_bundle(bundle)
    if rendering.site:
        render_site_pages(results, analysis, folder, rendering.site, progress, rendering.templates)
        return
    rendering = rendering.possible(_foreign(results.study))
    render_documents(
        results, analysis, folder, rendering.languages, rendering.formats, progress, rendering.templates, edition=rendering.edition
    )


def _copied(kept: Path | None, folder: Path) -> bool:
    if kept is None:
        return False
    with _kept():
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        return True
    # Half of the documents may be there.
    shutil.rmtree(folder)
    folder.mkdir()
    return False


@contextmanager
def _kept() -> Iterator[None]:
    """What is kept may go at any moment, as by `reportgen cache clear`, or be damaged: then it is made again."""
    try:
        yield
    except (OSError, ValueError, shutil.Error) as error:
        warn(f"what was kept from before could not be used ({_line(error)}); it is made again")


@contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except (InputError, MissingError, StepError):
        raise
    except ModuleNotFoundError as error:
        raise MissingError(f"{name}: {not_installed(error.name)}") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_A_DISK:
            raise  # `_writable` says of which folder
        if is_about_memory(error):
            raise StepError(f"{name} failed: {NOT_ENOUGH_MEMORY}") from error
        raise StepError(f"{name} failed: {type(error).__name__}: {_line(error)}") from error


@contextmanager
def _writable(out: Path, rendering: Rendering | None = None) -> Iterator[None]:
    if is_file(out):
        raise InputError(f"--out {out} is a file; expected a folder")
    try:
        with folder_for_now(out):
            if not os.access(out, os.W_OK | os.X_OK):
                raise InputError(f"--out {out}: no permission to write there; choose another folder")
            # Said now, not after minutes of computing.
            for name in ("figures", "tables", "bundle", *(rendering.languages if rendering else ())):
                if os.path.lexists(out / name) and not (out / name).is_dir():
                    raise InputError(f"--out {out}: {out / name} is a file, where a folder would go; move it, or choose another --out")
            yield
    except ObstacleError as error:
        raise InputError(f"--out {out}: {error.filename}: {error.strerror}; move it, or choose another --out") from error
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error}); choose another folder") from error


def _documents_in(out: Path, templates: Path | None) -> list[str]:
    """The documents in a folder, as paths below it: beside another bundle they would contradict it."""
    # Only folders named by a language are ours: any other may hold somebody's other report.
    folders = [out, *(out / code for code in language_codes(templates))]
    found = {file for folder in folders for pattern in _DOCUMENTS for file in folder.glob(pattern)}
    return sorted(file.relative_to(out).as_posix() for file in found)


def _line(error: object) -> str:
    return " ".join(str(error).split())
