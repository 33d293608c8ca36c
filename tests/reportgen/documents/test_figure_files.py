"""Figures as files of their own: on paper whatever the page around them, in their own letters, and as pixels for slides."""

import base64
import io
import itertools
import re
import xml.etree.ElementTree as ElementTree
from types import ModuleType

import matplotlib.image
import pytest
from fontTools.ttLib import TTFont

from reportgen.documents import Assets, Document, build_document, load_languages
from reportgen.documents.document import FigureItem
from reportgen.documents.faces import FACES, font_faces
from reportgen.documents.svg import SVG, Palette

FACE = re.compile(r'font-weight:(\d+);\s*font-style:(\w+);\s*src:url\("data:font/woff2;base64,([^"]*)"\)')


def figures(document: Document) -> list[FigureItem]:
    return [item for item in document.items() if isinstance(item, FigureItem)]


@pytest.mark.parametrize("code", ["vi", "en", "vi-en"])
def test_a_figure_alone_stands_on_paper_in_its_own_letters(documents: dict[str, Document], assets: Assets, code: str) -> None:
    paper = Palette.load(assets).light["paper"]
    for figure in figures(documents[code]):
        root = ElementTree.fromstring(figure.file)
        style, background = list(root)[:2]
        assert style.tag == f"{{{SVG}}}style"
        assert (background.tag, background.get("width"), background.get("height")) == (f"{{{SVG}}}rect", "100%", "100%")
        assert paper in background.get("style", "")
        faces = {
            (int(weight), slant): TTFont(io.BytesIO(base64.b64decode(font))).getBestCmap()
            for weight, slant, font in FACE.findall(style.text)
        }
        for text in root.iter(f"{{{SVG}}}text"):
            asked = text.get("style", "")
            assert "font-family: 'Reportgen Sans', Arial, sans-serif" in asked
            weight = 600 if "font-weight: 600" in asked else 400
            letters = faces[weight, "italic" if "font-style: italic" in asked else "normal"]
            assert {ord(letter) for letter in "".join(text.itertext()).replace("\n", "")} <= set(letters)
        # The page's own figure has neither: there the page's fonts and paper are.
        assert "@font-face" not in figure.svg
        assert "<rect width" not in figure.svg


def test_a_font_is_no_line_around_one_that_changed() -> None:
    """A diff shows three lines before and after what changed, and a font is one of 50 kB."""
    lines = ["<title>", *font_faces(lambda name: "data:" + 50_000 * "A", "woff2").splitlines(), "</style>"]
    fonts = [number for number, line in enumerate(lines) if len(line) > 1000]
    assert len(fonts) == len(FACES)
    assert fonts[0] > 3
    assert all(later - earlier == 4 for earlier, later in itertools.pairwise(fonts))


def test_pixels_are_drawn_where_they_are_asked_for(trial_module: ModuleType, assets: Assets, documents: dict[str, Document]) -> None:
    analysis = trial_module.TrialAnalysis()
    results = analysis.run(None, None)
    made = [
        build_document(
            "trial", analysis.facts(results), analysis.figures(results), analysis.tables(results),
            [load_languages(*assets.directories)["vi"]], assets=assets, pixels=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for figure, again, without in zip(*map(figures, [*made, documents["vi"]]), strict=True):
        picture = matplotlib.image.imread(io.BytesIO(figure.png))
        root = ElementTree.fromstring(figure.svg)
        # 200 pixels to an inch of 72 points.
        assert picture.shape[:2] == pytest.approx([float(root.get(side, "")) * 200 / 72 for side in ("height", "width")], abs=1)
        assert picture[0, 0].tolist() == [1, 1, 1, 1]
        assert figure.png == again.png
        assert without.png == b""
