"""A small analysis to drive reportgen with, registered by a distribution of its own (folder fake/)."""

import hashlib
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

FAKE = Path(__file__).with_name("fake")


@pytest.fixture(autouse=True)
def only_letters(monkeypatch, tmp_path):
    """The analysis "letters" is the only one, no variable of the developer's own is set, the cache is empty."""
    from reportgen import registry

    for name in [name for name in os.environ if name.startswith("REPORTGEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(FAKE))
    every = registry.entry_points
    monkeypatch.setattr(registry, "entry_points", lambda group: [point for point in every(group=group) if point.name == "letters"])


@pytest.fixture
def letters():
    import fake_letters

    return fake_letters.analysis


@pytest.fixture
def results(letters):
    from analyses.progress import SilentProgress

    return letters.run(letters.settings_type(name="letters", word="tea", text="Tea after tea: the tea of Huế, trà."), SilentProgress())


@pytest.fixture
def bundle(results, letters, tmp_path):
    from reportgen.bundle import write_bundle

    return write_bundle(results, letters.tables, tmp_path / "bundle")


@pytest.fixture(name="summed")
def summed_again():
    """The function that writes a bundle's list of hashes again, as somebody would who changed the bundle on purpose."""

    def summed(bundle):
        names = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
        lines = [f"{hashlib.sha256((bundle / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
        (bundle / "SHA256SUMS").write_text("".join(lines))

    return summed


@pytest.fixture
def renderer(monkeypatch):
    """A renderer that writes one file per document, so that these tests need neither fonts nor PDF libraries."""
    import reportgen.documents

    calls = []

    def render_documents(results, analysis, out, languages, formats, progress, templates, edition):
        calls.append((tuple(languages), tuple(formats)))
        (out / "figures").mkdir()
        (out / "figures" / "profile.svg").write_text("<svg/>")
        for language in languages:
            folder = out if language == "vi-en" else out / language
            folder.mkdir(exist_ok=True)
            for kind in formats:
                (folder / f"report.{kind}").write_text(f"{language} {results.study['verdicts'][0]['verdict']}")

    monkeypatch.setattr(reportgen.documents, "render_documents", render_documents, raising=False)
    return calls


@pytest.fixture
def reportgen_process(tmp_path):
    """Run `reportgen ARGS` in a process of its own, where again only the analysis "letters" is found."""
    code = """
from reportgen import registry
every = registry.entry_points
registry.entry_points = lambda group: [point for point in every(group=group) if point.name == "letters"]
from reportgen.cli import main
main()
"""

    def call(*arguments, wait=True, prefix=(), stdout=subprocess.PIPE, **environment):
        command = [*map(str, prefix), sys.executable, "-c", code, *map(str, arguments)]
        # This checkout's code, wherever it is installed from.
        path = os.pathsep.join([str(FAKE), str(Path(__file__).parents[2])])
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REPORTGEN_")}
        variables = {**inherited, "REPORTGEN_CACHE": str(tmp_path / "cache"), "PYTHONPATH": path, **environment}
        start = subprocess.run if wait else subprocess.Popen
        return start(command, text=True, cwd=tmp_path, env=variables, stdout=stdout, stderr=subprocess.PIPE)

    return call


@pytest.fixture(name="dead_links")
def dead_links_of():
    """The function that follows every link of a site."""
    return dead_links


_ATTRIBUTES = {"a": "href", "link": "href", "img": "src", "script": "src", "iframe": "src"}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.identifiers: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if values.get("id"):
            self.identifiers.add(values["id"])
        address = values.get(_ATTRIBUTES.get(tag, ""))
        if address:
            self.links.append(address)


def dead_links(site: Path, base_url: str) -> list[str]:
    """`PAGE -> ADDRESS` of every link that leads nowhere; addresses below `base_url` are of this site, others are not followed."""
    root_path = urlsplit(base_url).path
    pages = {file.resolve(): _Page(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}
    dead = []
    for file, page in pages.items():
        for address in page.links:
            if address.startswith(base_url):
                address_here = "/" + address.removeprefix(base_url)
            elif urlsplit(address).scheme or address.startswith("//"):
                continue
            elif address.startswith(root_path):
                address_here = "/" + address.removeprefix(root_path)
            else:
                address_here = address
            parts = urlsplit(address_here)
            path = unquote(parts.path)
            target = (site / path[1:] if path.startswith("/") else file.parent / path if path else file).resolve()
            if target.is_dir():
                target /= "index.html"
            known = pages.get(target)
            if not target.is_file() or (known and parts.fragment and unquote(parts.fragment) not in known.identifiers):
                dead.append(f"{file.relative_to(site.resolve())} -> {address}")
    return dead


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls the command line from the test's own folder."""
    from typer.testing import CliRunner

    from reportgen.cli import app

    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, **options):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="reportgen", **options)

    return invoke


@pytest.fixture(name="refused")
def refused_in_one_line():
    """The function that holds a call to its contract: one line on stderr that holds the words, and exit code 2."""

    def refused(done, *words):
        assert done.exit_code == 2, done.output
        line = done.stderr
        assert line.startswith("reportgen: error: ")
        assert line.count("\n") == 1
        assert len(line) < 600
        assert all(character.isprintable() for character in line.removesuffix("\n"))
        for word in words:
            assert word in line
        assert done.stdout == ""

    return refused
