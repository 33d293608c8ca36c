"""The picture that a link to a report shows in a chat or a network: the title over the report's first figure."""

import io
import textwrap
from collections.abc import Iterator, Sequence

import matplotlib.figure
import matplotlib.image
import matplotlib.pyplot
import numpy

from analyses.protocol import FigureSpec
from reportgen.documents.assets import Assets
from reportgen.documents.languages import Labels, Language
from reportgen.documents.outline import DocumentSpec, SectionSpec
from reportgen.documents.svg import figure_style, localise_ticks
from reportgen.publish.description import Study

SIZE = (1200, 630)
_DPI = 100
_MARGIN = 56
_TOP, _GAP = 36, 20
_TITLE_SIZE, _TITLE_WIDTH = 20, 78


def preview_png(study: Study, languages: Sequence[Language], assets: Assets) -> bytes:
    """A PNG of `SIZE`: the same study, fonts and matplotlib give the same bytes.

    Parameters
    ----------
    languages
        Those of the report's page; figures are labelled in all of them.
    """
    with figure_style(assets):
        picture = matplotlib.figure.Figure(figsize=(SIZE[0] / _DPI, SIZE[1] / _DPI), dpi=_DPI, facecolor="paper")
        lines = [line for language in languages for line in textwrap.wrap(study.title[language.code], _TITLE_WIDTH)][:4]
        picture.text(
            _MARGIN / SIZE[0],
            1 - _TOP / SIZE[1],
            "\n".join(lines),
            size=_TITLE_SIZE,
            weight=600,
            va="top",
            linespacing=1.25,
            parse_math=False,
        )
        top = _TOP + int(len(lines) * _TITLE_SIZE * 1.25 * _DPI / 72) + _GAP
        spec = _first_figure(study)
        if spec is not None:
            _place(picture, _pixels(spec, languages, SIZE[0] - 2 * _MARGIN, SIZE[1] - top - _GAP), top)
        stream = io.BytesIO()
        # The software's name and version would change the bytes without changing the picture.
        picture.savefig(stream, format="png", metadata={"Software": None}, facecolor="paper")
    return stream.getvalue()


def _first_figure(study: Study) -> FigureSpec | None:
    figures = {figure.id: figure for figure in study.analysis.figures(study.results)}
    return next((figures[name] for name in _names(study.spec) if name in figures), None)


def _names(spec: DocumentSpec) -> Iterator[str]:
    def within(sections: Sequence[SectionSpec]) -> Iterator[str]:
        for section in sections:
            yield from (item.figure for item in section.content if item.figure)
            yield from within(section.sections)

    yield from (item.figure for item in spec.front if item.figure)
    yield from within(spec.sections)


def _pixels(spec: FigureSpec, languages: Sequence[Language], width: int, height: int) -> numpy.ndarray:
    """The figure as large as fits into the given pixels."""
    drawing = spec.draw(Labels(languages))
    localise_ticks(drawing, languages[0].number_signs)
    figure_width, figure_height = drawing.figure.get_size_inches()
    stream = io.BytesIO()
    dpi = min(width / figure_width, height / figure_height)
    drawing.figure.savefig(stream, format="png", dpi=dpi, facecolor="paper", metadata={"Software": None})
    matplotlib.pyplot.close(drawing.figure)
    stream.seek(0)
    return matplotlib.image.imread(stream)


def _place(picture: matplotlib.figure.Figure, pixels: numpy.ndarray, top: int) -> None:
    height, width = pixels.shape[:2]
    left = (SIZE[0] - width) // 2
    axes = picture.add_axes((left / SIZE[0], (SIZE[1] - top - height) / SIZE[1], width / SIZE[0], height / SIZE[1]))
    axes.imshow(pixels, interpolation="none", aspect="auto")
    axes.set_axis_off()
