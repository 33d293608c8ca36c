"""The command line: each command parses, calls one function and prints. Nothing heavy is imported before a command runs.

stdout carries the result for programs (``--json``) or the text that was asked for (a list, a schema); all else goes to stderr.
"""

import errno
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from analyses.errors import NOT_ENOUGH_MEMORY, InputError, MissingError, is_about_memory
from analyses.memory import keep_free_memory

# What the user gave is not at fault when one of these happens.
_OF_THE_MACHINE = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE)

_LONG_WORD = 200

DONE, CHANGED, BAD_INPUT, MISSING, FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130


class Format(StrEnum):
    """A document's format."""

    html = "html"
    pdf = "pdf"


class _Group(TyperGroup):
    """Turns every failure into one line on stderr and the exit code that the design gives it."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            _listen_to_warnings()
            _refuse_empty(arguments)
            code = super().main(arguments, prog_name, complete_var, False, windows_expand_args, **extra)
            if code == INTERRUPTED:  # typer turns Ctrl-C into this code without a word
                raise KeyboardInterrupt
        except BaseException as error:
            code = _failure(error, as_json="--json" in arguments)
        code = _flushed(code)
        if standalone_mode:
            sys.exit(code)
        return code


app = typer.Typer(
    cls=_Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(cls=_Group, rich_markup_mode=None, help="Models: which there are, fetching them, and what is found inside.")
study_app = typer.Typer(cls=_Group, rich_markup_mode=None, help="Study files: write, check, list, and their JSON schema for editors.")
cache_app = typer.Typer(cls=_Group, rich_markup_mode=None, help="What is kept from earlier runs, so that it need not be made again.")
templates_app = typer.Typer(cls=_Group, rich_markup_mode=None, help="Templates: the built-in ones, to be changed.")
app.add_typer(templates_app, name="templates", no_args_is_help=False)
app.add_typer(cache_app, name="cache", no_args_is_help=False)
app.add_typer(models_app, name="models", no_args_is_help=False)
app.add_typer(study_app, name="study", no_args_is_help=False)

StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="A built-in study (see `reportgen study list`) or a YAML file.")]
BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A result bundle: the folder DIR/bundle of `run --out DIR`.")]
Model = Annotated[
    str | None,
    typer.Option(metavar="MODEL", envvar="REPORTGEN_MODEL", help="embedded, gemma-3-270m, a folder, a GGUF file, or a name on the hub."),
]
Text = Annotated[Path | None, typer.Option(metavar="FILE", envvar="REPORTGEN_TEXT", help="The text, as a UTF-8 file.")]
Activations = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="REPORTGEN_ACTIVATIONS", help="Ready activations (.npz or .nc) instead of model and text."),
]
Word = Annotated[str | None, typer.Option(metavar="WORD", help="The target word.")]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Seed of everything random.")]
Device = Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or mps.")]
Offline = Annotated[bool, typer.Option("--offline", envvar="REPORTGEN_OFFLINE", help="Use only what is on this machine.")]
Languages = Annotated[
    list[str] | None,
    typer.Option("--lang", metavar="LANG", envvar="REPORTGEN_LANG", help="vi, en or vi-en (both side by side); repeatable. [all three]"),
]
Formats = Annotated[list[Format] | None, typer.Option("--format", envvar="REPORTGEN_FORMAT", help="Repeatable. [both]")]
Templates = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Own templates: files in DIR replace the built-in ones of the same name.")
]
Out = Annotated[Path, typer.Option(metavar="DIR", envvar="REPORTGEN_OUT", help="Where the output goes.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Timings = Annotated[bool, typer.Option("--timings", help="Say at the end where the time went.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Compute and render everything afresh, and keep nothing.")]
Edition = Annotated[str, typer.Option(metavar="NAME", help="report; summary: its first pages; handout: a worksheet, with its key.")]
AcceptLicence = Annotated[bool, typer.Option("--accept-licence", help="Accept the terms that the model comes under.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 if a statement cannot be tested.")]


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Raise InputError for an empty value: as a path it would be the folder that one happens to be in."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        name, equals, value = (
            argument.partition("=") if argument.startswith("--") else (before if before.startswith("-") else "", "=", argument)
        )
        if equals and not value.strip():
            raise InputError(f"{name or 'an argument'}: expected a value, found an empty one (is a variable of the script not set?)")


class Ended(BaseException):
    """A signal asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> NoReturn:
    """Run the command line and exit."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # Who started the program with a signal ignored, as nohup does, wants it ignored.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    _open_streams()
    app(prog_name="reportgen")
    raise AssertionError("typer exits by itself")


def _open_streams() -> None:
    """Let standard streams that whoever started the program has closed lead nowhere: the next file opened would take their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            place = os.open(os.devnull, os.O_RDWR)
            try:
                os.fstat(number)
            except OSError:
                os.dup2(place, number)
                os.close(place)
                place = number
            setattr(sys, name, open(place, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _end(number: int, frame: object) -> None:
    # A second signal must not interrupt the clearing up.
    signal.signal(number, signal.SIG_IGN)
    raise Ended(number)


class _WarningLines(logging.Handler):
    """Says each warning in one line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            _say(f"reportgen: warning: {_line(record.getMessage())}", err=True)


def _listen_to_warnings() -> None:
    from reportgen import notices

    notices.forget()
    notices.LOGGER.handlers = [_WarningLines()]
    notices.LOGGER.propagate = False
    notices.LOGGER.setLevel(logging.WARNING)
    # What an analysis remarks, such as places of the word that do not count, is a line of the same form.
    logging.getLogger("analyses").handlers = [_WarningLines()]


def _flushed(code: int) -> int:
    """Bring what was printed to its reader; a disk that is full is a failure, not an exception after the end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
    except (OSError, ValueError) as error:
        _close_stdout()
        # A command that failed has said why already, and it may be this very reason.
        if code in (DONE, CHANGED):
            with suppress(OSError):
                _say(f"reportgen: error: the result could not be written to the standard output ({_reason(error)})", err=True)
            return FAILED
    return code


def _close_stdout() -> None:
    # Python would try again at its end, and say so.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """From a question about a language model to a statistical report in Vietnamese and English.

    Exit codes: 0 done; 1 done, and something changed (compare), differs (verify) or cannot be tested (run --strict);
    2 bad input or settings; 3 something missing on this machine; 4 computation or rendering failed; 130 interrupted
    (143 and 129: ended by SIGTERM and SIGHUP).

    Environment: REPORTGEN_<KEY> sets a key of the study (REPORTGEN_ESTIMATION__BINS=20) or an option;
    REPORTGEN_DEBUG=1 shows the traceback of a failure.
    """
    if version:
        from importlib.metadata import version as installed

        from analyses.installation import DISTRIBUTION

        _say(f"reportgen {installed(DISTRIBUTION)}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        _say(context.get_help())
        raise typer.Exit


@app.command()
def run(
    study: StudyArgument = "coffee",
    model: Model = None,
    text: Text = None,
    activations: Activations = None,
    word: Word = None,
    lang: Languages = None,
    format: Formats = None,
    out: Out = Path("out"),
    seed: Seed = None,
    device: Device = None,
    offline: Offline = False,
    accept_licence: AcceptLicence = False,
    templates: Templates = None,
    edition: Edition = "report",
    strict: Strict = False,
    no_cache: NoCache = False,
    timings: Timings = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Go the whole way: study -> bundle -> documents."""
    from reportgen import pipeline
    from reportgen.resources import language_codes
    from reportgen.settings import load_study, option_overrides

    languages, formats = _languages(lang), _formats(format)
    overrides = option_overrides(model=model, text=text, activations=activations, word=word, seed=seed, offline=offline, device=device)
    _, settings = load_study(study, overrides, languages=language_codes(templates))
    display = _display(quiet)
    keep_free_memory()
    if accept_licence:
        _accept_licence(settings, display)
    try:
        outcome = pipeline.run(
            settings,
            out,
            languages=languages,
            formats=formats,
            edition=edition,
            templates=templates,
            progress=display,
            cache=_cache(no_cache),
        )
    except pipeline.IncompleteError as error:
        if made := error.outcome:
            _show(display, quiet, timings, _concluded(made.results.study), [*made.documents, made.bundle])
        raise
    verdicts = outcome.results.study["verdicts"]
    untestable = any(row["verdict"] == "not_testable" for row in outcome.results.study.get("conclusions", verdicts))
    code = CHANGED if strict and untestable else DONE
    _show(display, quiet, timings, _concluded(outcome.results.study), [*outcome.documents, outcome.bundle])
    _result(as_json, code, bundle=outcome.bundle, documents=outcome.documents, verdicts=verdicts)
    return code


@app.command()
def analyze(
    study: StudyArgument,
    model: Model = None,
    text: Text = None,
    activations: Activations = None,
    word: Word = None,
    out: Out = Path("out"),
    seed: Seed = None,
    device: Device = None,
    offline: Offline = False,
    accept_licence: AcceptLicence = False,
    no_cache: NoCache = False,
    timings: Timings = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Compute a study and write its bundle to DIR/bundle, without documents."""
    from reportgen import pipeline
    from reportgen.settings import load_study, option_overrides

    overrides = option_overrides(model=model, text=text, activations=activations, word=word, seed=seed, offline=offline, device=device)
    _, settings = load_study(study, overrides)
    display = _display(quiet)
    keep_free_memory()
    if accept_licence:
        _accept_licence(settings, display)
    bundle, results = pipeline.analyze_to(settings, out, display, _cache(no_cache))
    verdicts = results.study["verdicts"]
    _show(display, quiet, timings, _concluded(results.study), [bundle])
    _result(as_json, DONE, bundle=bundle, verdicts=verdicts)
    return DONE


@app.command()
def sweep(
    grid: Annotated[str, typer.Argument(metavar="GRID", help="A built-in grid (corpus) or a YAML file: models, texts, words.")],
    out: Out = Path("out"),
    store: Annotated[str | None, typer.Option(metavar="URL", help="Where cells are kept: a folder or a URL. [OUT/store]")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes. [one for each processor]")] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS|FILE", help="Have the workers of a Dask scheduler compute the cells.")
    ] = None,
    part: Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Only this part of the cells, without a report.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what could not be computed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is to be done, and do nothing.")] = False,
    lang: Languages = None,
    format: Formats = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Study many words in many texts by many models, and pool them into one report."""
    from reportgen import sweep as sweeps

    display = _display(quiet)
    if dry_run:
        _say(sweeps.outlook(grid, out, store=store, progress=display))
        return DONE
    swept = sweeps.sweep(
        grid,
        out,
        store=store,
        workers=workers,
        scheduler=scheduler,
        part=part,
        retry=retry_failed,
        languages=_languages(lang),
        formats=_formats(format),
        progress=display,
        cache=_cache(no_cache),
    )
    done = {"computed": swept.done.computed, "there": swept.done.there, "failed": swept.done.failed}
    if not quiet:
        _say(f"cells computed: {done['computed']}, there before: {done['there']}, not to be computed: {done['failed']}", err=True)
    if swept.outcome is None:
        _result(as_json, DONE, **done)
        return DONE
    outcome = swept.outcome
    _show(display, quiet, False, _concluded(outcome.results.study), [*outcome.documents, outcome.bundle])
    _result(as_json, DONE, **done, bundle=outcome.bundle, documents=outcome.documents)
    return DONE


@app.command()
def render(
    bundle: BundleArgument,
    lang: Languages = None,
    format: Formats = None,
    out: Out = Path("out"),
    templates: Templates = None,
    edition: Edition = "report",
    no_cache: NoCache = False,
    timings: Timings = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Render a bundle's documents; needs neither model nor torch."""
    from reportgen import pipeline

    display = _display(quiet)
    try:
        documents = pipeline.render(
            bundle,
            out,
            languages=_languages(lang),
            formats=_formats(format),
            edition=edition,
            templates=templates,
            progress=display,
            cache=_cache(no_cache),
        )
    except pipeline.IncompleteError as error:
        _show(display, quiet, timings, [], error.documents)
        raise
    _show(display, quiet, timings, [], documents)
    _result(as_json, DONE, bundle=bundle, documents=documents)
    return DONE


@app.command()
def tables(bundle: BundleArgument, out: Out = Path("out"), quiet: Quiet = False, as_json: Json = False) -> int:
    """Write a bundle's tables as Parquet files (its own are CSV)."""
    from reportgen.parquet import write_parquet

    written = write_parquet(bundle, out)
    if not quiet and not as_json:
        for file in written:
            _say(str(file), err=True)
    _result(as_json, DONE, tables=written)
    return DONE


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The bundle to compare with, such as last week's, or a baseline.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The bundle (or baseline) to look at.")],
    tolerances: Annotated[
        Path | None, typer.Option(metavar="FILE", help='YAML with tolerances per quantity: "*_p": {absolute: 0.05}.')
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Accept NEW: OLD becomes its baseline, and the exit code is 0.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write the comparison as a page, in both languages.")
    ] = None,
    templates: Templates = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Say which verdicts changed and which numbers moved; exit 1 if any did."""
    from reportgen import compare as comparing
    from reportgen.baseline import write_baseline

    own = comparing.read_tolerances(tolerances) if tolerances else None
    # The first time there is nothing to compare with: with --update, NEW becomes the baseline.
    first = update and not os.path.lexists(old)
    comparison = None if first else comparing.compare_bundles(old, new, own, str(tolerances))
    code = CHANGED if comparison and comparison.changed and not update else DONE
    if comparison and not quiet and not as_json:
        _say(comparing.comparison_text(comparison))
    problem = None
    if html and comparison:
        try:
            _write_comparison(html, old, new, own, templates)
        except Exception as error:  # A page that cannot be made hides neither the comparison nor the update.
            problem = error
    updated = write_baseline(new, old) if update else False
    if not quiet and not as_json:
        if updated:
            _say(f"{old} is now the baseline of {new}", err=True)
        if html and comparison and not problem:
            _say(str(html), err=True)
    written = html if html and comparison and not problem else None
    content = {"updated": updated, "page": written, "comparison": comparison.as_json() if comparison else None}
    if problem:
        code, message = _explained(problem)
        _say(f"reportgen: {message}", err=True)
        _result(as_json, code, error=message.removeprefix("error: "), **content)
    else:
        _result(as_json, code, **content)
    return code


@app.command()
def baseline(
    bundle: BundleArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The baseline's folder; one that is there is replaced.")] = Path("baseline"),
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Keep of a bundle what `compare` needs: texts that fit in git, without the captured vectors."""
    from reportgen.baseline import write_baseline

    written = write_baseline(bundle, out)
    if not quiet and not as_json:
        _say(str(out), err=True)
    _result(as_json, DONE, baseline=out, written=written)
    return DONE


@app.command()
def verify(
    bundle: BundleArgument,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Estimate in every N-th layer only, to be faster.")] = 1,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Recompute a bundle's numbers from its activations by the slow route of other libraries; exit 1 if any differs by more than 1e-9.

    Needs scikit-learn and statsmodels. Whether the files are unchanged is checked first, as every command does.
    """
    from reportgen.recomputation import recomputation_text, recompute

    found = recompute(bundle, _display(quiet), every)
    code = CHANGED if found.wrong else DONE
    if not as_json and not quiet:
        _say(recomputation_text(found))
    differences = {name: difference if difference < float("inf") else None for name, difference in found.differences.items()}
    _result(as_json, code, bundle=bundle, differences=differences, differing=found.wrong, not_recomputed=found.left_out)
    return code


def _write_comparison(html: Path, old: Path, new: Path, own: Any, templates: Path | None) -> None:
    from reportgen.atomic import write_atomically
    from reportgen.publish.comparison import comparison_page

    page = comparison_page(old, new, own, templates=templates).encode()
    try:
        write_atomically(html, page)
    except OSError as error:
        raise InputError(f"--html {html}: cannot be written ({error.strerror or error}); choose another file") from error


class SiteKind(StrEnum):
    """A kind of site."""

    plain = "plain"
    mkdocs = "mkdocs"
    sphinx = "sphinx"
    jekyll = "jekyll"


@app.command()
def publish(
    bundles: Annotated[list[Path] | None, typer.Argument(metavar="BUNDLE...", help="Result bundles, one for each study.")] = None,
    to: Annotated[SiteKind, typer.Option("--to", help="The kind of site.")] = SiteKind.plain,
    out: Annotated[
        Path, typer.Option(metavar="SITE", help="The site's folder: of its files, or of its sources (mkdocs.yml, conf.py).")
    ] = Path("site"),
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", envvar="REPORTGEN_BASE_URL", help="Where the site will be: canonical addresses, sitemap.")
    ] = None,
    under: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder of the site that the studies go into, such as reports/. [its root]")
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Names and orders this regeneration in the history. [the date in the settings]")
    ] = None,
    lang: Languages = None,
    templates: Templates = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A study that the site shall no longer have; may be repeated.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            help="Take the place of another study of the same name, drop languages not given, replace files that were changed by hand."
        ),
    ] = False,
    revised: Annotated[
        bool, typer.Option("--revised", help="Another word, text or model under the name of a study that is there is that study, revised.")
    ] = False,
    accepted: Annotated[
        Path | None, typer.Option(metavar="BASELINE", help="From which nothing moved: the bundle that it is of stays what the site shows.")
    ] = None,
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Have in each report what can be downloaded from it, not as files beside it.")
    ] = False,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Publish bundles to a site with an index, histories, citations and data; only what changed is written."""
    from reportgen import publish as publishing

    if not bundles and not remove:
        raise InputError("publish: expected the bundle of a study, or --remove with the name of one")
    display = _display(quiet)
    published = publishing.publish(
        bundles or [],
        to.value,
        out,
        base_url=base_url,
        under=under,
        label=label,
        languages=_languages(lang),
        templates=templates,
        remove=remove or [],
        replace=replace,
        revised=revised,
        accepted=accepted,
        self_contained=self_contained,
        progress=display,
        cache=_cache(no_cache),
    )
    if not quiet:
        _say(f"{out}: {len(published.written)} files written, {len(published.removed)} removed", err=True)
        for line in (*published.pages, *published.notes):
            _say(str(line), err=True)
    _result(as_json, DONE, site=out, pages=published.pages, written=published.written, removed=published.removed, notes=published.notes)
    return DONE


@app.command()
def doctor(out: Out = Path("out"), as_json: Json = False) -> int:
    """Check that everything is here, and say how to mend what is not; exit 3 if something needed is missing."""
    from dataclasses import asdict

    from reportgen.doctor import examine, findings_text

    findings = examine(out)
    code = MISSING if any(finding.state == "missing" for finding in findings) else DONE
    if not as_json:
        _say(findings_text(findings))
    _result(as_json, code, findings=[asdict(finding) for finding in findings])
    return code


def _accept_licence(settings: Any, progress: Any) -> None:
    """Bring a study's model here if it comes under terms of its own, which the user accepts."""
    from reportgen.models import fetch_accepted

    fetch_accepted(settings, progress)


ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="embedded, gemma-3-270m, a folder, a GGUF file, or a name on the hub.")]


@models_app.command("list")
def models_list(as_json: Json = False) -> int:
    """List the models of the built-in studies and whether they are on this machine."""
    from reportgen.models import list_models

    rows = list_models()
    if as_json:
        _result(True, DONE, models=rows)
    else:
        width = max(len(row["model"]) for row in rows)
        for row in rows:
            state = "here" if row["here"] else f"not here: reportgen models fetch {row['model']}"
            _say(f"{row['model']:<{width}}  {state}  (studies: {', '.join(row['studies']) or 'none'})")
    return DONE


@models_app.command("fetch")
def models_fetch(
    model: ModelArgument = "embedded",
    accept_licence: AcceptLicence = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Bring a model onto this machine; prints its folder."""
    from reportgen.models import fetch_model

    folder = fetch_model(model, _display(quiet), accept_licence=accept_licence)
    if as_json:
        _result(True, DONE, model=model, folder=folder)
    else:
        _say(folder)
    return DONE


@models_app.command("inspect")
def models_inspect(model: ModelArgument = "embedded", device: Device = None, offline: Offline = False, as_json: Json = False) -> int:
    """Show where a model keeps its two branches, by running it once on two words."""
    from reportgen.models import inspect

    rows = inspect(model, offline=offline, device=device)
    if as_json:
        _result(True, DONE, model=model, properties=dict(rows))
    else:
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            _say(f"{name:<{width}}  {value}")
    return DONE


@models_app.command("verify")
def models_verify(model: ModelArgument = "embedded", device: Device = None, offline: Offline = False, as_json: Json = False) -> int:
    """Check, layer by layer, that the two branches make up what is added to the residual stream, by running the model on a sentence."""
    from reportgen.models import verify

    rows = verify(model, offline=offline, device=device)
    if as_json:
        _result(True, DONE, model=model, layers=rows)
        return DONE
    typer.echo("layer  attention x MLP x  unexplained  modules")
    for row in rows:
        other = "".join(f"; also {name} ({share:.1%})" for name, share in row["other"].items())
        norm = "; the stream is normalised" if row["normalised"] else ""
        attention, mlp = row["coefficients"]
        modules = f"{row['attention']}, {row['mlp']}{other}{norm}"
        typer.echo(f"{row['layer']:>5}  {attention:>11.4g} {mlp:>5.4g}  {row['unexplained']:>11.1e}  {modules}")
    layers = "layer" if len(rows) == 1 else "layers"
    typer.echo(
        f"{len(rows)} {layers} with an attention: what each adds to the residual stream is made up of its two branches and of what is named"
    )
    return DONE


@study_app.command("list")
def study_list(as_json: Json = False) -> int:
    """List the built-in studies."""
    from reportgen.registry import studies

    found = {name: {"analysis": analysis.name, "file": file} for name, (analysis, file) in sorted(studies().items())}
    if as_json:
        _result(True, DONE, studies=found)
    else:
        width = max(len(name) for name in found)
        for name, entry in found.items():
            _say(f"{name:<{width}}  {entry['analysis']}")
    return DONE


@study_app.command("check")
def study_check(study: StudyArgument, templates: Templates = None, quiet: Quiet = False, as_json: Json = False) -> int:
    """Check a study file without running it."""
    from reportgen.resources import language_codes
    from reportgen.settings import load_study

    analysis, settings = load_study(study, languages=language_codes(templates))
    if not quiet:
        _say(f"{study}: a valid study of the analysis {analysis.name}", err=True)
    _result(as_json, DONE, analysis=analysis.name, settings=settings.model_dump(mode="json"))
    return DONE


@study_app.command("schema")
def study_schema(analysis: Annotated[str | None, typer.Option(metavar="NAME", help="The analysis, if there are several.")] = None) -> int:
    """Print the JSON schema of study files, for editors."""
    from reportgen import settings

    _say(json.dumps(settings.study_schema(_one_analysis(analysis)), ensure_ascii=False, indent=2))
    return DONE


@study_app.command("new")
def study_new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file to write.")],
    word: Word = None,
    text: Text = None,
    model: Model = None,
    analysis: Annotated[str | None, typer.Option(metavar="NAME", help="The analysis, if there are several.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    quiet: Quiet = False,
) -> int:
    """Write a commented study file; asks for the word, the text and the model that no option gives."""
    from analyses.readers import expanded
    from reportgen import settings
    from reportgen.atomic import write_atomically

    chosen = _one_analysis(analysis)
    if os.path.lexists(file) and (not force or file.is_dir()):
        raise InputError(f"{file} exists already; choose another name, or --force to replace it")
    word = word or _ask("The target word")
    content = settings.read_text(text or expanded(_ask("A UTF-8 file with the text"), "--text"))
    model = model or _ask("The model: embedded, gemma-3-270m, a folder, a GGUF file, or a name on the hub", default="embedded")
    study = settings.new_study(chosen, settings.study_name(file.stem), word, content, model)
    try:
        write_atomically(file, study.encode())
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror or error}); choose another name") from error
    settings.load_study(file)
    if not quiet:
        _say(f"{file} written; `reportgen run {file}` makes its report", err=True)
    return DONE


@templates_app.command("export")
def templates_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet or is empty.")],
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Copy the built-in templates to DIR: change some, remove the rest, and render with --templates DIR."""
    from reportgen import registry
    from reportgen.documents.assets import export_templates

    files = export_templates(folder, registry.analyses().values())
    if not quiet:
        _say(f"{folder}: {len(files)} files; {folder / 'README.md'} says what they are", err=True)
    _result(as_json, DONE, folder=folder, files=files)
    return DONE


@cache_app.command("info")
def cache_info(as_json: Json = False) -> int:
    """Show where the cache is and what it takes."""
    from dataclasses import asdict

    from reportgen.cache import Cache

    cache = Cache()
    use = cache.use()
    if as_json:
        _result(True, DONE, folder=cache.folder, stages=[asdict(stage) for stage in use])
    else:
        _say(cache.folder)
        for stage in use:
            _say(f"{stage.stage:<10}{stage.entries:>6} entries{stage.size / 1e6:>10.1f} MB")
    return DONE


@cache_app.command("clear")
def cache_clear(quiet: Quiet = False, as_json: Json = False) -> int:
    """Remove everything that was computed or rendered; models stay."""
    from analyses.models.hashes import forget
    from reportgen.cache import Cache

    removed = Cache().clear()
    forget()
    if not quiet:
        _say(f"{removed} entries removed", err=True)
    _result(as_json, DONE, removed=removed)
    return DONE


def _cache(off: bool) -> Any:
    from reportgen.cache import Cache

    return None if off else Cache()


def _one_analysis(name: str | None) -> Any:
    from reportgen import registry

    if name is not None:
        return registry.analysis_named(name, "--analysis")
    known = list(registry.analyses().values())
    if len(known) > 1:
        raise InputError(f"--analysis: say which one: {registry.choices(analysis.name for analysis in known)}")
    return known[0]


def _ask(question: str, default: str | None = None) -> str:
    if not _can_ask():
        raise InputError(f"{question}: give it as an option; there is no terminal to ask at")
    return str(typer.prompt(question, default=default, err=True))


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _languages(chosen: Sequence[str] | None) -> tuple[str, ...]:
    from reportgen.pipeline import LANGUAGES

    return tuple(dict.fromkeys(chosen)) if chosen else LANGUAGES


def _formats(chosen: Sequence[Format] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(format.value for format in chosen or Format))


def _display(quiet: bool) -> Any:
    from reportgen.notices import LOGGER
    from reportgen.terminal import Display

    if quiet:
        LOGGER.setLevel(logging.ERROR)
    return Display(quiet=quiet)


def _concluded(study: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The verdicts that a study's conclusions rest on, as one table; all of them where it does not say which these are."""
    rests_on = {row["statement"]: row["control"] for row in study.get("conclusions", ()) if "control" in row}
    verdicts = study["verdicts"]
    if not rests_on:
        return list(verdicts)
    return [{**row, "control": None} for row in verdicts if row["control"] == rests_on.get(row["statement"], row["control"])]


def _show(display: Any, quiet: bool, timings: bool, verdicts: Sequence[Mapping[str, Any]], paths: Sequence[Path]) -> None:
    from reportgen.terminal import timings_table, verdict_summary

    if not quiet:
        if verdicts:
            _say("\n" + verdict_summary(verdicts) + "\n", err=True)
        for path in paths:
            _say(str(path), err=True)
    if timings:
        _say(timings_table(display.seconds, display.elapsed()), err=True)


def _say(line: object, err: bool = False) -> None:
    """Print a text; what a bundle or a file holds cannot steer the terminal."""
    from reportgen.terminal import visible

    typer.echo(visible(str(line)), err=err)


def _result(as_json: bool, code: int, **content: Any) -> None:
    if as_json:
        # JSON has its own way to write a control character.
        typer.echo(_escaped(json.dumps({"exit": code, **content}, ensure_ascii=False, indent=2, default=_json_value)))


def _escaped(text: str) -> str:
    """JSON in which every character that could steer a terminal is written as an escape."""
    return "".join(character if character == "\n" or character.isprintable() else json.dumps(character)[1:-1] for character in text)


def _json_value(value: Any) -> Any:
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _failure(error: BaseException, as_json: bool) -> int:
    """Say what went wrong in one line; return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    code, message = _explained(error)
    if os.environ.get("REPORTGEN_DEBUG", "") not in ("", "0") and code == FAILED:
        traceback.print_exception(error)
    # A reader that closed the pipe early, or whose disk is full, cannot be told.
    with suppress(OSError):
        _say(f"reportgen: {message}", err=True)
    with suppress(OSError):
        _result(as_json, code, error=message.removeprefix("error: "))
    return code


def _explained(error: BaseException) -> tuple[int, str]:
    if isinstance(error, InputError):
        return BAD_INPUT, f"error: {_line(error)}"
    if isinstance(error, MissingError):
        return MISSING, f"error: {_line(error)}"
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return INTERRUPTED, "interrupted; nothing half-written was left behind"
    if isinstance(error, Ended):
        return 128 + error.number, f"ended by {signal.Signals(error.number).name}; nothing half-written was left behind"
    if isinstance(error, BrokenPipeError):
        return FAILED, "error: the reader of the output closed it early"
    if isinstance(error, OSError) and error.errno is not None:
        place = f"{_line(error.filename)}: " if error.filename is not None else ""
        return (FAILED if error.errno in _OF_THE_MACHINE else BAD_INPUT), f"error: {place}{_reason(error)}"
    if is_about_memory(error):
        return FAILED, f"error: {NOT_ENOUGH_MEMORY}"
    usage: Callable[[], str] | None = getattr(error, "format_message", None)
    if usage is not None:
        return BAD_INPUT, f"error: {_line(usage()).replace('Value error, ', '')} (`{_command(error)} --help` shows what is possible)"
    if isinstance(error, ModuleNotFoundError):
        from analyses.installation import not_installed

        return MISSING, f"error: {not_installed(error.name)}"
    # Nothing is a StepError where the module that has it was not imported.
    pipeline = sys.modules.get("reportgen.pipeline")
    from_step = pipeline is not None and isinstance(error, pipeline.StepError)
    message = _line(error) if from_step else f"{type(error).__name__}: {_line(error)}"
    return FAILED, f"error: {message} (REPORTGEN_DEBUG=1 shows the traceback)"


def _reason(error: BaseException) -> str:
    return _line(getattr(error, "strerror", None) or error)


def _command(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "reportgen"


def _line(message: object) -> str:
    # A name of thousands of letters would hide what is said about it.
    return " ".join(word if len(word) <= _LONG_WORD else f"{word[:_LONG_WORD]}..." for word in str(message).split())
