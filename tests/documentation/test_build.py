"""The documentation is built as `make docs` builds it: a link or an anchor that leads nowhere, or an unknown part, fails."""

import html
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reportgen import registry
from reportgen.settings import study_schema

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("mkdocstrings") is None,
    reason="the packages of the documentation are not here (`make docs` brings them)",
)


def build(target, **environment):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    done = build(target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def page(site, name):
    return (site / name / "index.html").read_text(encoding="utf-8")


def test_every_page_of_the_sources_is_there(site):
    sources = [path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")]
    missing = [str(path) for path in sources if not (site / (path.parent if path.name == "index" else path) / "index.html").is_file()]
    assert missing == []


def test_the_study_file_s_page_has_every_key_and_what_it_means(site):
    schema = study_schema(registry.analyses()["mi_distance"])
    text = page(site, "study-file")
    every = [(key, field) for part in (schema, *schema["$defs"].values()) for key, field in part["properties"].items()]
    keys = {key for key, field in every if "$ref" not in field}
    assert len(keys) > 40
    assert {key for key in keys if f"<td><code>{key}</code></td>" not in text} == set()
    assert {
        field["description"] for key, field in every if key in keys and html.escape(field["description"], quote=False) not in text
    } == set()


def test_the_reference_has_signatures_parameters_and_examples(site):
    text = page(site, "api")
    for name in ("reportgen.pipeline.analyze", "analyses.statistics.resampling.mantel"):
        assert f'id="{name}"' in text
    plain = re.sub(r"<[^>]+>", "", text)
    assert "p = 0.0417" in plain
    # A parameter's description that was taken for its type would stand in the wrong column of its table.
    assert "array_like of int" in plain


def test_every_command_has_its_help(site):
    from reportgen.cli import app

    text = re.sub(r"<[^>]+>", "", page(site, "commands"))
    names = {command.name or command.callback.__name__ for command in app.registered_commands} | {
        group.name for group in app.registered_groups
    }
    assert {name for name in names if f"Usage: reportgen {name}" not in text} == set()


def test_no_page_loads_anything_from_elsewhere(site):
    loaded = re.compile(r"""<(?:script|img|iframe|link rel="stylesheet")[^>]*(?:src|href)=["']?(https?:)?//""")
    assert [str(file) for file in site.rglob("*.html") if loaded.search(file.read_text(encoding="utf-8"))] == []


def test_a_sample_is_part_of_the_site_where_one_was_made(tmp_path):
    for place in (".", "en", "vi"):
        (tmp_path / "out" / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / place / "report.html").write_text(f"<title>{place}</title>", encoding="utf-8")
    done = build(tmp_path / "site", SAMPLE_REPORT=str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'href="../sample/vi.html"' in page(tmp_path / "site", "sample-report")
    assert (tmp_path / "site" / "sample" / "vi.html").read_text(encoding="utf-8") == "<title>vi</title>"
    wrong = build(tmp_path / "site", SAMPLE_REPORT=str(tmp_path / "nowhere"))
    assert wrong.returncode != 0
    assert "reportgen run coffee --out" in wrong.stdout + wrong.stderr
