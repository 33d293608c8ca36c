"""A machine that cannot make PDFs: said before anything is computed, and the HTML is made."""

import os
import subprocess
import sys

import pytest

from analyses.errors import MissingError
from analyses.installation import reinstall_line
from reportgen import pipeline, printing
from reportgen.pipeline import IncompleteError, Rendering, render

pytestmark = pytest.mark.render
LIBRARIES = ("pango-1.0", "pangoft2-1.0", "harfbuzz-subset", "fontconfig")


@pytest.fixture(autouse=True)
def fresh_answer():
    printing.obstacle.cache_clear()
    yield
    printing.obstacle.cache_clear()


def test_the_sample_has_every_font_of_the_report_and_no_other():
    from io import BytesIO

    from pypdf import PdfReader

    from reportgen.documents.faces import FACES
    from reportgen.documents.sample import print_sample

    (page,) = PdfReader(BytesIO(print_sample())).pages
    fonts = {str(font.get_object()["/BaseFont"]).partition("+")[2] for font in page["/Resources"]["/Font"].values()}
    assert len(fonts) == len(FACES)
    assert all(name.startswith("Reportgen-") for name in fonts)
    assert "báo cáo: ạểữỹđƯ" in page.extract_text()


def test_fonts_that_are_missing_are_no_matter_of_system_libraries(monkeypatch, tmp_path, renderer, letters):
    from reportgen.documents.faces import FACES

    assert tuple(FACES) == printing.FACES
    monkeypatch.setattr(printing, "templates_directory", lambda: tmp_path)
    assert printing.obstacle().startswith("PDF cannot be made here: fonts are missing in ")
    assert printing.obstacle().endswith(f"; remedy: {reinstall_line()}")
    monkeypatch.setattr(type(letters), "run", lambda *arguments: pytest.fail("something was computed"))
    with pytest.raises(MissingError, match=r"serif-regular\.ttf and 15 more"):
        pipeline.run("letters", tmp_path / "out")


def test_nothing_stands_in_the_way_here():
    assert printing.obstacle() == ""


# A process of its own in which a system library cannot be opened; cffi is what WeasyPrint opens them with.
WITHOUT = """
import sys
import cffi
opened = cffi.FFI.dlopen
def dlopen(self, name, *flags):
    if "{library}" in str(name):
        raise OSError(f"cannot load library '{library}'")
    return opened(self, name, *flags)
cffi.FFI.dlopen = dlopen
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_that_is_missing_is_named_with_its_remedy(library):
    code = WITHOUT.format(library=library) + "from reportgen.printing import obstacle\nprint(obstacle())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith("PDF cannot be made here: ")
    assert library in line.lower()
    assert line.endswith(printing.REMEDY)


def test_html_needs_none_of_the_libraries(tmp_path, bundle):
    code = (
        WITHOUT.format(library="pango-1.0")
        + """
import logging
from reportgen.documents import render_documents, render_html
assert 'weasyprint' not in sys.modules
print(render_html.__name__, 'is fine')
"""
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "render_html is fine\n", done.stderr


@pytest.fixture
def no_pdf(monkeypatch):
    monkeypatch.setattr(pipeline, "obstacle", lambda *_: "PDF cannot be made here: no pango; remedy: install it")


def test_the_html_is_made_and_the_exit_code_is_3(no_pdf, renderer, reportgen_process, tmp_path, bundle):
    with pytest.raises(IncompleteError, match="no pango; remedy: install it") as failure:
        render(bundle, tmp_path / "out", languages=["vi"])
    assert renderer == [(("vi",), ("html",))]
    assert {path.name for path in failure.value.documents} == {"report.html", "profile.svg"}
    assert (tmp_path / "out" / "vi" / "report.html").is_file()


def test_the_command_says_it_first_and_last(no_pdf, renderer, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from reportgen.cli import app

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", "letters", "--lang", "vi"])
    assert done.exit_code == 3
    lines = done.stderr.splitlines()
    (warning,) = [line for line in lines if line.endswith("PDF cannot be made here: no pango; remedy: install it. The rest will be made.")]
    assert lines[0] == warning
    assert lines[-1] == "reportgen: error: PDF cannot be made here: no pango; remedy: install it"
    assert f"{os.path.join('out', 'vi', 'report.html')}" in done.stderr
    assert "Verdicts" in done.stderr


def test_what_was_kept_without_pdf_is_not_taken_for_the_whole(no_pdf, renderer, tmp_path, bundle, monkeypatch):
    from reportgen.cache import Cache

    for _ in range(2):
        with pytest.raises(IncompleteError):
            render(bundle, tmp_path / "out", languages=["vi"], cache=Cache())
    monkeypatch.setattr(pipeline, "obstacle", lambda *_: "")
    documents = render(bundle, tmp_path / "out", languages=["vi"], cache=Cache())
    assert "report.pdf" in {path.name for path in documents}


def test_pdf_alone_stops_before_anything_is_computed(no_pdf, tmp_path):
    with pytest.raises(MissingError, match="no pango"):
        Rendering(formats=("pdf",)).possible()


# A text in a script for which no font is here

LINEAR_A = "\U00010600"


@pytest.fixture
def study(tmp_path):
    text = f"Tea {LINEAR_A} after tea: the tea of Huế."
    path = tmp_path / "study.yaml"
    path.write_text(f'analysis: letters\nname: scripts\nword: tea\ntext: "{text}"\n', encoding="utf-8")
    return path


def test_a_missing_glyph_is_named_first_and_costs_neither_the_bundle_nor_the_html(study, renderer, tmp_path, caplog):
    from reportgen import notices

    notices.forget()
    with pytest.raises(IncompleteError) as failure:
        pipeline.run(study, tmp_path / "out", languages=["vi"])
    said = f"PDF cannot be made here: the text holds {LINEAR_A} (U+10600), for which no font is here; remedy: on Debian"
    assert str(failure.value).startswith(said)
    assert next(record.getMessage() for record in caplog.records if record.name == "reportgen").startswith(said)
    assert renderer == [(("vi",), ("html",))]
    assert (tmp_path / "out" / "vi" / "report.html").is_file()
    assert (tmp_path / "out" / "bundle" / "study.json").is_file()


def test_html_alone_needs_no_font(study, renderer, tmp_path, caplog):
    pipeline.run(study, tmp_path / "out", languages=["vi"], formats=["html"])
    assert caplog.messages == []


def test_pdf_alone_stops_before_anything_is_computed_for_a_missing_glyph(study, renderer, tmp_path, letters, monkeypatch):
    monkeypatch.setattr(type(letters), "run", lambda *arguments: pytest.fail("something was computed"))
    with pytest.raises(MissingError, match="U\\+10600"):
        pipeline.run(study, tmp_path / "out", languages=["vi"], formats=["pdf"])


def test_documents_are_made_again_where_other_fonts_are_installed(study, renderer, tmp_path, monkeypatch):
    from reportgen.cache import Cache
    from reportgen.documents import other_scripts

    for fonts in ({}, {}, {"manimgx-fonts": "1"}, {"manimgx-fonts": "2"}):
        monkeypatch.setattr(other_scripts, "installed", lambda fonts=fonts: fonts)
        pipeline.run(study, tmp_path / "out", languages=["vi"], formats=["html"], cache=Cache())
    assert len(renderer) == 3
