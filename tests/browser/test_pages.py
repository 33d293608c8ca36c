"""The built-in study's pages in a real browser and under the HTML checker: `make test-browser`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKER = HERE / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), "")
PAGES = ("vi/report.html", "en/report.html", "report.html", "vi/handout.html", "handout-key.html")
# What browsers have learned since the checker's rules were written (CSS Overflow 5), and hashes of scripts, which it does not compute.
# The browser's own console, watched in check.mjs, says when a script is refused.
NEWER_THAN_THE_CHECKER = (
    "CSS: “scroll-target-group”: Property “scroll-target-group” doesn't exist.",
    "CSS: Unknown pseudo-element or pseudo-class “:target-current”",
    "Inline script violates Content Security Policy (meta tag): blocked by “script-src” directive",
)

pytestmark = pytest.mark.skipif(
    "BROWSER_TESTS" not in os.environ, reason="needs Java, Node.js, Chromium and npm packages: run `make test-browser`"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in study's pages, made the way a user makes them."""
    out = tmp_path_factory.mktemp("pages")
    program = [sys.executable, "-c", "from reportgen.cli import main; main()"]
    options = ["--format", "html", "--out", str(out), "--quiet"]
    subprocess.run([*program, "run", "coffee", *options], check=True)
    subprocess.run([*program, "render", str(out / "bundle"), "--edition", "handout", *options], check=True)
    return out


def test_the_html_checker_finds_nothing(site: Path) -> None:
    files = [str(site / page) for page in PAGES]
    done = subprocess.run(["java", "-jar", str(CHECKER), "--format", "json", "--stdout", *files], capture_output=True, text=True)
    messages = json.loads(done.stdout)["messages"]
    assert [
        f"{each['url'].rpartition('pages')[2]}:{each.get('lastLine')} {each['message']}"
        for each in messages
        if not each["message"].startswith(NEWER_THAN_THE_CHECKER)
    ] == []


@pytest.mark.parametrize("page", PAGES)
def test_axe_core_keyboard_scripts_off_and_paper(site: Path, page: str) -> None:
    done = subprocess.run(
        ["node", "check.mjs", BROWSER, str(site / page)], cwd=HERE, capture_output=True, text=True, check=True, timeout=300
    )
    assert json.loads(done.stdout) == []
