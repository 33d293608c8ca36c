"""A machine that cannot make PDFs: said before anything is computed, and the HTML is made."""

import os
import subprocess
import sys

import pytest

from analyses.errors import MissingError
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

    from reportgen.render.html import FACES
    from reportgen.render.sample import print_sample

    (page,) = PdfReader(BytesIO(print_sample())).pages
    fonts = {str(font.get_object()["/BaseFont"]).partition("+")[2] for font in page["/Resources"]["/Font"].values()}
    assert len(fonts) == len(FACES)
    assert all(name.startswith("Reportgen-") for name in fonts)
    assert "xuất hiện: ạểữỹđƯ" in page.extract_text()


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
    code = WITHOUT.format(library="pango-1.0") + (
        "import logging, reportgen.render\nassert 'weasyprint' not in sys.modules\nreportgen.render.load_languages\nprint('fine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr


@pytest.fixture
def no_pdf(monkeypatch):
    monkeypatch.setattr(pipeline, "obstacle", lambda: "PDF cannot be made here: no pango; remedy: install it")


def test_the_html_is_made_and_the_exit_code_is_3(no_pdf, renderer, reportgen_process, tmp_path, bundle):
    with pytest.raises(IncompleteError, match="no pango; remedy: install it") as failure:
        render(bundle, tmp_path / "out", languages=["vi"])
    assert renderer == [(("vi",), ("html",))]
    assert {path.name for path in failure.value.documents} == {"report.html", "profile.svg"}
    assert (tmp_path / "out" / "vi" / "report.html").is_file()


def test_the_command_says_it_first_and_last(no_pdf, renderer, tmp_path, monkeypatch, caplog):
    from typer.testing import CliRunner

    from reportgen.cli import app

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", "letters", "--lang", "vi"])
    assert done.exit_code == 3
    assert caplog.messages == ["PDF cannot be made here: no pango; remedy: install it. The rest will be made."]
    assert done.stderr.splitlines()[-1] == "reportgen: error: PDF cannot be made here: no pango; remedy: install it"
    assert f"{os.path.join('out', 'vi', 'report.html')}" in done.stderr
    assert "Verdicts" in done.stderr


def test_what_was_kept_without_pdf_is_not_taken_for_the_whole(no_pdf, renderer, tmp_path, bundle, monkeypatch):
    from reportgen.cache import Cache

    for _ in range(2):
        with pytest.raises(IncompleteError):
            render(bundle, tmp_path / "out", languages=["vi"], cache=Cache())
    monkeypatch.setattr(pipeline, "obstacle", lambda: "")
    documents = render(bundle, tmp_path / "out", languages=["vi"], cache=Cache())
    assert "report.pdf" in {path.name for path in documents}


def test_pdf_alone_stops_before_anything_is_computed(no_pdf, tmp_path):
    with pytest.raises(MissingError, match="no pango"):
        Rendering(formats=("pdf",)).possible()
