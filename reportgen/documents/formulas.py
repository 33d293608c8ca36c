"""Formulas: LaTeX in, MathML for a browser, a drawing with words beside it for the PDF."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import lru_cache

import pydantic
import ziamath
from ziamath.tex import tex2mml

from analyses.errors import InputError

MATHML = "http://www.w3.org/1998/Math/MathML"
NUMBER_WITH_POINT = re.compile(r"^(\d+)\.(\d+)$")


class FormulaSpec(pydantic.BaseModel):
    """What ``formulas.yaml`` says of one formula: LaTeX, and the key of the sentence that says it in words."""

    latex: str
    alt: str


@dataclass(frozen=True)
class Formula:
    """One formula in one language.

    Attributes
    ----------
    mathml
        ``<math>`` element.
    svg
        Drawing as a stand-alone SVG for text of 16 px.
    width, height, depth
        The drawing's size, and how far it reaches below the line of the text, in em.
    """

    mathml: str
    svg: str
    width: float
    height: float
    depth: float


@lru_cache(maxsize=256)
def typeset(latex: str, decimal_sign: str = ".", inline: bool = False, color: str = "#000000") -> Formula:
    """Typeset LaTeX with the decimal sign of a language (``0.05`` becomes ``0,05``); raises InputError when it cannot be read."""
    try:
        tree = ElementTree.fromstring(tex2mml(latex, inline=inline))
    except Exception as error:
        raise InputError(f"formula {latex!r} cannot be typeset: {error}") from error
    for number in tree.iter(f"{{{MATHML}}}mn"):
        number.text = NUMBER_WITH_POINT.sub(rf"\1{decimal_sign}\2", number.text or "")
    for identifier in tree.iter(f"{{{MATHML}}}mi"):
        # Only operators stretch; the attribute is an error elsewhere.
        identifier.attrib.pop("stretchy", None)
    ElementTree.register_namespace("", MATHML)
    mathml = ElementTree.tostring(tree, encoding="unicode")
    size = 16.0
    before = ziamath.config.svg2
    ziamath.config.svg2 = False
    try:
        drawing = ziamath.Math(mathml, size=size)
        svg = drawing.svg().replace('"black"', f'"{color}"')
    except Exception as error:
        raise InputError(f"formula {latex!r} cannot be drawn: {error!r}") from error
    finally:
        ziamath.config.svg2 = before
    root = ElementTree.fromstring(svg)
    _, top, width, height = (float(part) for part in root.attrib["viewBox"].split())
    return Formula(mathml, svg, width / size, height / size, (top + height) / size)
