"""The committed faces: renamed as their licence asks, and with every letter that a report may hold."""

import string

import pytest
from fontTools.ttLib import TTFont

from reportgen.documents.faces import FACES
from reportgen.resources import templates_directory

FONTS = templates_directory() / "fonts"
VIETNAMESE = "".join(chr(code) for code in range(0x1EA0, 0x1EFA)) + "ăâđêôơưĂÂĐÊÔƠƯáàãéèíìĩóòõúùũý"
SIGNS = "αβγρστφψΔΣ−×±≤≥≈≠→–—…“”‘’½²³"


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("suffix", ["ttf", "woff2"])
def test_a_face_has_a_name_of_its_own_and_its_letters(name: str, suffix: str) -> None:
    font = TTFont(FONTS / f"{name}.{suffix}")
    names = [str(record) for record in font["name"].names if record.nameID in (1, 3, 4, 6, 16)]
    assert all(each.startswith("Reportgen") for each in names), names
    letters = (
        string.ascii_letters
        + string.digits
        + (SIGNS.translate({ord(sign): None for sign in "–—“”‘’½²³"}) if name == "math-regular" else VIETNAMESE + SIGNS)
    )
    assert {letter for letter in letters if ord(letter) not in font.getBestCmap()} == set()


def test_signs_of_the_verdicts_are_in_the_face_that_sets_them() -> None:
    from reportgen.documents.writer import VERDICT_SIGNS

    known = TTFont(FONTS / "sans-semibold.ttf").getBestCmap()
    assert {sign for sign in VERDICT_SIGNS.values() if ord(sign) not in known} == set()


def test_figures_of_tables_are_of_one_width() -> None:
    font = TTFont(FONTS / "sans-regular.ttf")
    features = {record.FeatureTag for record in font["GSUB"].table.FeatureList.FeatureRecord}
    assert "tnum" in features


def test_brackets_of_formulas_can_stretch() -> None:
    font = TTFont(FONTS / "math-regular.ttf")
    covered = font["MATH"].table.MathVariants.VertGlyphCoverage.glyphs
    assert {font.getBestCmap()[ord(bracket)] for bracket in "()[]{}√"} <= set(covered)


def test_every_family_has_its_licence() -> None:
    for name in ("source-serif-4", "inter", "jetbrains-mono", "stix-two-math"):
        assert "SIL OPEN FONT LICENSE Version 1.1" in (FONTS / f"OFL-{name}.txt").read_text(encoding="utf-8")
