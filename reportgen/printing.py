"""Can this machine make PDFs? A page of two lines in every font of the report is printed as the report will be, and read by nobody."""

import sys
from contextlib import redirect_stdout
from functools import cache
from io import StringIO

from analyses.installation import install_line, package_of

PREFIX, TO_REMEDY = "PDF cannot be made here: ", "; remedy: "

_DEBIAN = "apt-get install --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
REMEDIES = {
    "linux": f"on Debian or Ubuntu, as root: {_DEBIAN}",
    "darwin": "brew install pango",
    "win32": "install Pango with MSYS2 (WeasyPrint's documentation, 'Installation on Windows'), or make --format html only",
}
REMEDY = REMEDIES.get(sys.platform, REMEDIES["linux"])


@cache
def obstacle() -> str:
    """Return why no PDF can be made here, with the remedy, in one line; an empty string if one can.

    The answer is kept for the life of the process.
    """
    try:
        # WeasyPrint prints a paragraph of its own about a library that it does not find.
        with redirect_stdout(StringIO()):
            from reportgen.render.sample import print_sample

            print_sample()
    except ModuleNotFoundError as error:
        package = package_of(error.name)
        return f"{PREFIX}the Python package {package} is not installed{TO_REMEDY}{install_line([package])}"
    except (ImportError, OSError, RuntimeError) as error:
        return f"{PREFIX}{_line(error)}{TO_REMEDY}{REMEDY}"
    except Exception as error:  # another version of the layout engine than those that pyproject.toml allows
        return f"{PREFIX}{type(error).__name__}: {_line(error)}{TO_REMEDY}{install_line(['weasyprint', 'pydyf'])}"
    return ""


def _line(error: object) -> str:
    # WeasyPrint's dependency adds a paragraph with an address to "cannot load library 'libpango-1.0-0': ...".
    text = " ".join(str(error).split())
    return text.partition(".  Additionally")[0] if len(text) > 200 else text


if __name__ == "__main__":
    if found := obstacle():
        sys.exit(f"setup: {found}")
