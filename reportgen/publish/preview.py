"""The picture that a link to a report shows in a chat or a network: the title over the report's first figure."""

import io
import textwrap
from collections.abc import Iterator, Sequence

import matplotlib.figure
import matplotlib.image
import matplotlib.pyplot
import numpy

from analyses.protocol import FigureSpec
from reportgen.publish.description import Study
from reportgen.render.assets import Assets
from reportgen.render.document import DocumentSpec, SectionSpec
from reportgen.render.languages import Labels, Language
from reportgen.render.svg import figure_style, localise_ticks

SIZE = (1200, 630)
_DPI = 100
_MARGIN = 56
_TITLE_SIZE, _TITLE_WIDTH = 27, 58


def preview_png(study: Study, languages: Sequence[Language], assets: Assets) -> bytes:
    """A PNG of `SIZE`: the same study, fonts and matplotlib give the same bytes.

    Parameters
    ----------
    languages
        Those of the report's page; figures are labelled in all of them.
    """
    first = languages[0]
    with figure_style(assets):
        picture = matplotlib.figure.Figure(figsize=(SIZE[0] / _DPI, SIZE[1] / _DPI), dpi=_DPI, facecolor="paper")
        lines = [line for language in languages for line in textwrap.wrap(study.title[language.code], _TITLE_WIDTH)][:3]
        picture.text(_MARGIN / SIZE[0], 1 - 44 / SIZE[1], "\n".join(lines), size=_TITLE_SIZE, weight=600, va="top", linespacing=1.25)
        top = 44 + int(len(lines) * _TITLE_SIZE * 1.25 * _DPI / 72) + 24
        spec = _first_figure(study)
        if spec is not None:
            _place(picture, _pixels(spec, languages, SIZE[0] - 2 * _MARGIN, first.decimal_sign), top)
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


def _pixels(spec: FigureSpec, languages: Sequence[Language], width: int, decimal_sign: str) -> numpy.ndarray:
    drawing = spec.draw(Labels(languages))
    localise_ticks(drawing, decimal_sign)
    stream = io.BytesIO()
    drawing.figure.savefig(stream, format="png", dpi=width / drawing.figure.get_figwidth(), facecolor="paper", metadata={"Software": None})
    matplotlib.pyplot.close(drawing.figure)
    stream.seek(0)
    return matplotlib.image.imread(stream)


def _place(picture: matplotlib.figure.Figure, pixels: numpy.ndarray, top: int) -> None:
    """Put the figure below the title; what does not fit is cut off at the bottom."""
    room = SIZE[1] - top
    shown = pixels[:room]
    height, width = shown.shape[:2]
    axes = picture.add_axes((_MARGIN / SIZE[0], (SIZE[1] - top - height) / SIZE[1], width / SIZE[0], height / SIZE[1]))
    axes.imshow(shown, interpolation="none", aspect="auto")
    axes.set_axis_off()
