"""The four kinds of site, built by the real generators; then every link followed, and the pages opened in a browser."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reportgen.publish import publish

BASE = "https://example.org/course/"
PAGES = ["kettle/index.html", "kettle/vi/index.html", "kettle/en/index.html", "kettle/vi-en/index.html", "kettle/history/index.html"]
pytestmark = pytest.mark.usefixtures("documents")


def run(*command, cwd):
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def build(kind, source, target):
    if kind == "mkdocs":
        run(sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", target, cwd=source)
    elif kind == "sphinx":
        run(sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", source, target, cwd=source)
    else:
        shutil.copytree(source, target)


@pytest.fixture
def bundles(bundle, variant):
    return [
        bundle,
        variant("river", name="river", title={"vi": "Sông: [1] *một* `hai` <ba> | {bốn}", "en": "River: [1] *one* <two> | {three}"}),
    ]


@pytest.mark.parametrize("under", ["", "reports", "course/studies"])
@pytest.mark.parametrize("kind", ["plain", "mkdocs", "sphinx"])
def test_a_new_site_is_built_without_a_warning_and_has_no_dead_link(bundles, tmp_path, kind, under, dead_links):
    publish(bundles, kind, tmp_path / "source", base_url=BASE, under=under or None)
    build(kind, tmp_path / "source", tmp_path / "built")
    for page in PAGES:
        assert (tmp_path / "built" / under / page).is_file(), page
    assert (tmp_path / "built" / ("sitemap-reports.xml" if kind == "mkdocs" else "sitemap.xml")).is_file()
    assert dead_links(tmp_path / "built", BASE) == []


def test_a_second_regeneration_has_no_dead_link_either(bundle, variant, tmp_path, dead_links):
    publish([bundle], "plain", tmp_path / "site", base_url=BASE)
    publish([variant("later", date="2026-03-09", verdict="supported")], "plain", tmp_path / "site")
    assert len(list((tmp_path / "site" / "kettle" / "history").glob("*/report-vi.pdf"))) == 2
    assert dead_links(tmp_path / "site", BASE) == []


def test_existing_projects(bundle, tmp_path, dead_links):
    mkdocs, sphinx = tmp_path / "mkdocs", tmp_path / "sphinx"
    (mkdocs / "docs").mkdir(parents=True)
    (mkdocs / "mkdocs.yml").write_text("site_name: Course\nnav:\n  - index.md\n  - reports/index.md\n")
    (mkdocs / "docs" / "index.md").write_text("# Course\n")
    sphinx.mkdir()
    (sphinx / "conf.py").write_text('project = "Course"\nhtml_extra_path = ["reports_html"]\nexclude_patterns = ["reports_html"]\n')
    (sphinx / "index.rst").write_text("Course\n======\n\n.. toctree::\n\n   reports/index\n")
    for kind, source in (("mkdocs", mkdocs), ("sphinx", sphinx)):
        assert publish([bundle], kind, source, base_url=BASE).notes == ()
        build(kind, source, tmp_path / f"{kind}-built")
        assert dead_links(tmp_path / f"{kind}-built", BASE) == []
        assert "kettle/vi/" in (tmp_path / f"{kind}-built" / "reports" / "index.html").read_text(encoding="utf-8")


def test_links_that_are_dead_are_found(bundle, tmp_path, dead_links):
    """The check of the checks above: without a page, or a section that a link names, it complains."""
    publish([bundle], "plain", tmp_path / "site", base_url=BASE)
    (tmp_path / "site" / "kettle" / "refs.bib").unlink()
    page = tmp_path / "site" / "kettle" / "vi" / "index.html"
    page.write_text(page.read_text(encoding="utf-8").replace('id="method"', 'id="elsewhere"'), encoding="utf-8")
    dead = dead_links(tmp_path / "site", BASE)
    assert "kettle/index.html -> refs.bib" in dead
    assert "kettle/en/index.html -> ../vi/index.html#method" in dead


BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_opens_the_pages_and_refuses_nothing(bundle, tmp_path):
    publish([bundle], "plain", tmp_path / "site", base_url=BASE)
    for page in ["index.html", *PAGES]:
        address = (tmp_path / "site" / page).as_uri()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
        shown = subprocess.run([str(BROWSER), *options, "--dump-dom", address], capture_output=True, text=True, timeout=120)
        # What a page's policy forbids, the browser says on its console.
        assert "CONSOLE" not in shown.stderr, shown.stderr
        assert "<h1>" in shown.stdout


def test_the_policy_that_the_browser_kept_to_is_there(bundle, tmp_path):
    publish([bundle], "plain", tmp_path / "site", base_url=BASE)
    for page in ["index.html", *PAGES]:
        assert "default-src 'none'" in Path(tmp_path / "site" / page).read_text(encoding="utf-8").partition("<style>")[0]


@pytest.mark.parametrize("kind", ["mkdocs", "sphinx"])
def test_the_search_of_a_site_finds_what_a_study_found(bundles, tmp_path, kind):
    publish(bundles, kind, tmp_path / "source", base_url=BASE)
    build(kind, tmp_path / "source", tmp_path / "built")
    index = (
        (tmp_path / "built" / ("search/search_index.json" if kind == "mkdocs" else "searchindex.js")).read_text(encoding="utf-8").lower()
    )
    words = ["kendall", "mutual information", "thông tin tương hỗ"] if kind == "mkdocs" else ["kendal", "inform", "thông"]
    for word in words:
        assert word in index or json.dumps(word)[1:-1] in index, word


def test_a_new_site_is_in_the_language_of_its_reports(bundles, tmp_path):
    publish(bundles, "mkdocs", tmp_path, languages=["vi"])
    build("mkdocs", tmp_path, tmp_path / "built")
    assert '<html lang="vi"' in (tmp_path / "built" / "reports" / "index.html").read_text(encoding="utf-8")


def test_the_stub_of_a_jekyll_site_says_what_was_found(bundles, tmp_path):
    publish(bundles, "jekyll", tmp_path, languages=["en"])
    stub = (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
    assert stub.count('<p lang="en">') == 2
    assert "Kendall" in stub
