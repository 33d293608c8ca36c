"""Formulas: MathML and a drawing from one source, with the language's decimal sign."""

import xml.etree.ElementTree as ElementTree

import pytest

from analyses.errors import InputError
from reportgen.documents.formulas import MATHML, typeset


def test_decimals_follow_the_language_in_numbers_only() -> None:
    numbers = [element.text for element in ElementTree.fromstring(typeset("f(x, 0.05) < 1.5", ",").mathml).iter(f"{{{MATHML}}}mn")]
    assert numbers == ["0,05", "1,5"]
    assert typeset("0.05").mathml.count("0.05") == 1


def test_the_drawing_has_the_size_that_it_says() -> None:
    formula = typeset(r"\frac{1}{2}")
    root = ElementTree.fromstring(formula.svg)
    assert float(root.attrib["width"]) == pytest.approx(16 * formula.width, abs=0.01)
    assert float(root.attrib["height"]) == pytest.approx(16 * formula.height, abs=0.01)
    assert 0 < formula.depth < formula.height


def test_a_fraction_is_taller_than_a_letter_and_an_inline_formula_says_so() -> None:
    assert typeset(r"\frac{1}{2}").height > typeset("x").height
    assert 'display="block"' in typeset("x").mathml
    assert 'display="block"' not in typeset("x", inline=True).mathml


def test_color_is_the_papers_ink() -> None:
    assert 'fill="#1b1f24"' in typeset("x", color="#1b1f24").svg
    assert "black" not in typeset(r"\sqrt{x}", color="#1b1f24").svg


def test_what_cannot_be_read_is_an_error_that_shows_it() -> None:
    with pytest.raises(InputError, match=r"formula '\\\\frac"):
        typeset(r"\frac{1}{")
