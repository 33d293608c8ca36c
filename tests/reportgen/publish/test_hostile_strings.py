"""Words that would like to be more than words, in everything that a bundle or a study file can say."""

import json
import re
import socket
import threading
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from analyses.errors import InputError
from analyses.mi_distance import analysis
from analyses.protocol import Results
from reportgen import pipeline
from reportgen.bundle import write_bundle
from reportgen.cli import app
from reportgen.csv_files import csv_text
from reportgen.documents.document import title_block
from reportgen.documents.references import Reference, bibtex
from reportgen.publish import publish
from reportgen.terminal import visible

MARK = "zq"
HOSTILE = (
    f"{MARK}<script>alert(1)</script><img src=x onerror=alert(1)><a href=\"javascript:alert(1)\">x</a>'\" onload='x' "
    "</style></title></textarea>--><!-- ]]> {{ 7*7 }} {% raw %}{% endraw %}{% include '/etc/passwd' %} ${7*7} #{7*7} $x^2$ \\input{a} }{ "
    "\n```\n```{include} /etc/passwd\n\n.. include:: /etc/passwd\n\n---\nlayout: evil\n---\n# heading\n"
    "[x](javascript:alert(1)) &lt; &amp; %s %(x)s =1+1"
)
# A label is one line of at most 200 characters: the first of the above and the last.
HOSTILE_LABEL = HOSTILE.splitlines()[0][:140] + HOSTILE.splitlines()[-1]
SCHEMES = {"", "http", "https", "data", "mailto"}


class Page(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.scripts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.stack.append(tag)

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "script":
            self.scripts.append(data)


def check_page(text, allowed_scripts):
    page = Page(text)
    assert MARK in text
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "form", "base", "input", "textarea")
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "xlink:href", "action"):
                assert urlsplit(value or "").scheme in SCHEMES, (tag, value)
        assert not (tag == "img" and attributes.get("src") == "x")
    assert sum(tag == "script" for tag, _ in page.elements) <= allowed_scripts
    assert sum(tag == "style" for tag, _ in page.elements) == text.count("</style>")
    for script in page.scripts:
        if script.lstrip().startswith("{"):
            assert MARK in json.dumps(json.loads(script))


@pytest.fixture(scope="module")
def hostile(computed, tmp_path_factory):
    settings = computed.study["settings"]
    by_language = {"vi": f"vi {HOSTILE}", "en": f"en {HOSTILE}"}
    document = {
        "title": by_language,
        "course": by_language,
        "institution": by_language,
        "lecturer": HOSTILE,
        "authors": [HOSTILE, f"Family {HOSTILE}, Given {HOSTILE}"],
        "licence": HOSTILE,
        "date": "2026-03-02",
    }
    study = {
        **computed.study,
        "settings": {**settings, "word": HOSTILE, "document": document, "activations_file": HOSTILE},
        "provenance": {**computed.study["provenance"], "model": {"source": "ready activations", "file": HOSTILE}},
    }
    results = Results(computed.dataset, computed.activations.assign_attrs(word=HOSTILE), study)
    return write_bundle(results, analysis.tables, tmp_path_factory.mktemp("hostile") / "bundle")


@pytest.fixture(scope="module")
def pages(hostile, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages")
    pipeline.render(hostile, out, languages=["vi-en", "en"], formats=["html"])
    return out


def test_reports(pages):
    for name in ("report.html", "en/report.html"):
        text = (pages / name).read_text(encoding="utf-8")
        # The script that sorts tables is the page's own, and its hash is in the policy.
        check_page(text, 1)
        assert "default-src 'none'" in text
        assert "49" not in re.findall(rf"{MARK}.{{0,400}}", text, re.DOTALL)[0]
    for figure in (pages / "figures").glob("*.svg"):
        assert "<script" not in figure.read_text()


def test_its_own_citation_is_one_entry(pages):
    text = (pages / "en" / "report.html").read_text(encoding="utf-8")
    entry = re.search(r"<pre>(@misc.*?)</pre>", text, re.DOTALL)[1]
    assert entry.count("{") == entry.count("}")
    assert entry.count("\n@") == 0
    assert len(entry.strip().splitlines()) <= 10


@pytest.mark.parametrize("kind", ["plain", "mkdocs", "sphinx", "jekyll"])
def test_sites(hostile, pages, tmp_path, monkeypatch, kind):
    def render(path, out, *, languages, **options):
        import shutil

        shutil.copytree(pages, out, dirs_exist_ok=True)
        for place in (out, out / "en"):
            (place / "report.pdf").write_bytes(b"%PDF-")

    monkeypatch.setattr(pipeline, "render", render)
    publish([hostile], kind, tmp_path / "site", base_url="https://example.org/", languages=["vi-en", "en"], label=HOSTILE_LABEL)
    site = tmp_path / "site"
    names = [path.relative_to(site).as_posix() for path in site.rglob("*")]
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", name) for name in names)
    for file in site.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        if MARK in text and not text.startswith("---"):
            check_page(text, 2)
    citation = yaml.safe_load(next(site.rglob("CITATION.cff")).read_text(encoding="utf-8"))
    assert citation["title"] == " ".join(f"vi {HOSTILE}".split())
    assert "license" not in citation
    stub = {"mkdocs": "docs/reports/index.md", "sphinx": "reports/index.md", "jekyll": "reports/index.html"}.get(kind)
    if stub:
        text = (site / stub).read_text(encoding="utf-8")
        assert not re.search(r"^(```\{include|\.\. include|# heading|layout: evil)", text, re.MULTILINE)
        assert "<script" not in text
        assert kind != "mkdocs" or not re.search(r"(?<!\\)\]\(javascript", text)
        if kind == "jekyll":
            _, front, body = text.split("---\n", 2)
            assert yaml.safe_load(front)["layout"] == "default"
            assert body.count("{%") == 2
            assert "{{" not in body


def test_the_comparison(hostile, bundle, tmp_path):
    done = CliRunner().invoke(app, ["compare", str(bundle), str(hostile), "--html", str(tmp_path / "page.html")])
    assert done.exit_code in (0, 1)
    assert all(character == "\n" or character.isprintable() for character in done.stdout.replace("\xa0", " "))
    check_page((tmp_path / "page.html").read_text(encoding="utf-8"), 0)


ESCAPES = ["\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "a\rb", "a\x08b", "\u202eevil", "a\u2028b", "\x7f"]


@pytest.mark.parametrize("word", ESCAPES)
def test_no_sequence_reaches_the_terminal(word, bundle, computed, tmp_path):
    assert all(character.isprintable() for character in visible(word))
    study = {**computed.study, "provenance": {**computed.study["provenance"], "machine": word}}
    verdicts = [{**verdict, "name": f"{verdict['name']}{word}"} for verdict in computed.study["verdicts"]]
    other = write_bundle(
        Results(computed.dataset, computed.activations, {**study, "verdicts": verdicts}), lambda results: {}, tmp_path / "other"
    )
    for arguments in (["compare", bundle, other], ["compare", bundle, other, "--json"]):
        done = CliRunner().invoke(app, list(map(str, arguments)))
        assert done.exit_code == 1
        assert all(character == "\n" or character.isprintable() or character == "\xa0" for character in done.output)


@pytest.mark.parametrize("word", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_no_word_is_a_formula_of_a_spreadsheet(word):
    import pandas

    text = csv_text(pandas.DataFrame({"word": [word, "tea"], "value": [-0.5, float("-inf")], word: [1, 2]}))
    for cell in re.split(r"[,\n]", text.replace('"', "")):
        assert not re.match(r"[=+@\t\r]|-(?![0-9.])", cell)
    assert "-0.5" in text
    assert "inf" not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", "javascript:alert(1)"),
        ("url", "data:text/html,x"),
        ("url", "JaVaScRiPt:alert(1)"),
        ("url", "//evil.example"),
        ("url", ["https://a"]),
        ("title", "one"),
        ("title", {"en": 3}),
        ("title", ["a"]),
        ("authors", [1]),
        ("authors", {"a": "b"}),
        ("lecturer", 3),
        ("institution", [1]),
        ("date", 20260302),
        ("licence", [1]),
    ],
)
def test_what_a_title_block_cannot_say(key, value):
    with pytest.raises(InputError, match=rf"study\.json: settings\.document\.{key}: "):
        title_block({"document": {key: value}})


def test_a_citation_is_nothing_but_text_to_latex():
    hostile = Reference("a", "misc", ("A}}\n@book{x,",), "2026", r"T} \input{/etc/passwd} \write18{id} {", {"url": "https://x/}\n@misc{"})
    written = bibtex(hostile)
    assert written.count("@") == 3
    assert len(re.findall(r"^@", written, re.MULTILINE)) == 1
    assert r"\input" not in written
    assert r"\write" not in written
    assert written.count("{") == written.count("}")


@pytest.fixture
def listener():
    """A server on this machine that counts who calls."""
    server = socket.create_server(("127.0.0.1", 0))
    calls = []

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            calls.append(connection.recv(1000))
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1], calls
    server.close()


WAYS_OUT = [
    "@import url(http://127.0.0.1:{port}/x.css);",
    "body {{ background: url(http://127.0.0.1:{port}/x.png) }}",
    "@font-face {{ font-family: Evil; src: url(http://127.0.0.1:{port}/x.ttf) }} body {{ font-family: Evil }}",
    "body {{ background: url(file:///etc/passwd) }}",
]


@pytest.mark.parametrize("css", WAYS_OUT, ids=["import", "picture", "font", "file"])
def test_rendering_fetches_nothing(bundle, tmp_path, listener, css):
    port, calls = listener
    own = tmp_path / "own" / "styles"
    own.mkdir(parents=True)
    (own / "paper.css").write_text(css.format(port=port))
    with pytest.raises((InputError, pipeline.StepError), match=r"may not load|whole rule was ignored"):
        pipeline.render(bundle, tmp_path / "out", languages=["en"], formats=["pdf"], templates=tmp_path / "own")
    assert not (tmp_path / "out").exists()
    assert calls == []


def test_rendering_hostile_words_fetches_nothing(computed, tmp_path, listener):
    port, calls = listener
    words = f'<img src="http://127.0.0.1:{port}/x.png"><link rel=stylesheet href=http://127.0.0.1:{port}/x.css> https://127.0.0.1:{port}/'
    settings = {**computed.study["settings"], "document": {"title": {"en": words}, "lecturer": words, "authors": [words]}}
    results = Results(computed.dataset, computed.activations, {**computed.study, "settings": settings})
    bundle = write_bundle(results, analysis.tables, tmp_path / "bundle")
    pipeline.render(bundle, tmp_path / "out", languages=["en"], formats=["html", "pdf"])
    assert calls == []
