"""Can this machine make PDFs? A page of two lines in every font of the report is printed as the report will be, and read by nobody."""

import sys
from contextlib import redirect_stdout
from functools import cache
from io import StringIO

from analyses.errors import MissingError
from analyses.installation import install_line, package_of, reinstall_line
from reportgen.resources import templates_directory

PREFIX, TO_REMEDY = "PDF cannot be made here: ", "; remedy: "

_DEBIAN = "apt-get install --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
FACES = ("serif-regular", "serif-italic", "serif-semibold", "sans-regular", "sans-italic", "sans-semibold", "mono-regular", "math-regular")
REMEDIES = {
    "linux": f"on Debian or Ubuntu, as root: {_DEBIAN}",
    "darwin": "brew install pango",
    "win32": "install Pango with MSYS2 (WeasyPrint's documentation, 'Installation on Windows'), or make --format html only",
}
REMEDY = REMEDIES.get(sys.platform, REMEDIES["linux"])


def check_fonts() -> None:
    """Raise MissingError if a font of the report is not where it was installed: no document can be made then, HTML neither."""
    folder = templates_directory() / "fonts"
    absent = [f"{face}.{kind}" for face in FACES for kind in ("ttf", "woff2") if not (folder / f"{face}.{kind}").is_file()]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise MissingError(f"fonts are missing in {folder} ({absent[0]}{more}); {reinstall_line()}")


@cache
def obstacle(characters: frozenset[str] = frozenset()) -> str:
    """Return why no PDF can be made here, with the remedy, in one line; an empty string if one can.

    The answer is kept for the life of the process.

    Parameters
    ----------
    characters : frozenset of str
        Those of the text that the report's own fonts lack (`reportgen.documents.other_scripts.characters_of`).
    """
    if (problem := _of_the_machine()) or not characters:
        return problem
    from reportgen.documents import other_scripts

    found = other_scripts.obstacle(characters)
    return f"{PREFIX}{found[0]}{TO_REMEDY}{found[1]}" if found else ""


def _of_the_machine() -> str:
    """Why nothing can be printed here at all."""
    try:
        check_fonts()
        # WeasyPrint prints a paragraph of its own about a library that it does not find.
        with redirect_stdout(StringIO()):
            from reportgen.documents.sample import print_sample

            print_sample()
    except MissingError as error:
        reason, _, remedy = str(error).rpartition("; ")
        return f"{PREFIX}{reason}{TO_REMEDY}{remedy}"
    except ModuleNotFoundError as error:
        package = package_of(error.name)
        return f"{PREFIX}the Python package {package} is not installed{TO_REMEDY}{install_line([package])}"
    except (ImportError, OSError, RuntimeError) as error:
        return f"{PREFIX}{_line(error)}{TO_REMEDY}{REMEDY}"
    except Exception as error:  # another version of the layout engine than those that pyproject.toml allows
        return f"{PREFIX}{type(error).__name__}: {_line(error)}{TO_REMEDY}{install_line(['weasyprint', 'pydyf'])}"
    return ""


def _line(error: object) -> str:
    # cffi says twice that it could not find "libpango-1.0-0".
    return " ".join(str(error).split()).partition(". Additionally, ")[0]


if __name__ == "__main__":
    if found := obstacle():
        sys.exit(f"setup: {found}")
