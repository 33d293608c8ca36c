"""Texts in any script: which characters need another font, where it comes from, and what is said where there is none."""

from io import BytesIO
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from reportgen.documents import other_scripts
from reportgen.documents.other_scripts import (
    EAST_ASIA,
    MANY_SCRIPTS,
    SUBSTITUTE,
    characters_of,
    fonts_for,
    foreign,
    shapeless_replaced,
    with_fonts,
)

LINEAR_A = "\U00010600"


KEPT = (other_scripts.fonts_for, other_scripts.unprintable)


@pytest.fixture(autouse=True)
def fresh():
    for kept in KEPT:
        kept.cache_clear()
    yield
    for kept in KEPT:
        kept.cache_clear()


def font_of(characters: str) -> bytes:
    """A font of squares."""
    pen = TTGlyphPen(None)
    for number, point in enumerate(((0, 0), (0, 500), (500, 500), (500, 0))):
        (pen.lineTo if number else pen.moveTo)(point)
    pen.closePath()
    names = [".notdef", *(f"u{ord(character):04X}" for character in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(character): f"u{ord(character):04X}" for character in characters})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.font["head"].created = builder.font["head"].modified = 0
    target = BytesIO()
    builder.save(target)
    return target.getvalue()


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """The function that installs fonts in place of the packages: package -> file -> its characters."""
    installed: dict[str, Path] = {}
    monkeypatch.setattr(other_scripts, "_folder", installed.get)

    def install(**fonts: dict[str, str]) -> None:
        for name, files in fonts.items():
            package = {"many": MANY_SCRIPTS, "east": EAST_ASIA}[name]
            installed[package] = tmp_path / package
            installed[package].mkdir()
            for file, characters in files.items():
                (installed[package] / file).write_bytes(font_of(characters))

    return install


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cà phê, trà; Ωμεγα … “x” ≤ 0.5 Ærø", ""),
        ("قهوة", "قهوة"),
        ("кофе", "кофе"),
        # What only joins, varies or separates has no shape of its own.
        ("می\u200cخواهم \u200f\ufe0f\u3000\u2028\u00ad", "میخواهم"),
        ("❤\ufe0f", "❤"),
        # No font can have these.
        ("\ue000\U0010fffd\u0378\x00\x07", ""),
    ],
)
def test_characters_that_need_another_font(text, expected):
    assert foreign(text) == frozenset(expected)


def test_all_strings_of_settings_are_looked_at():
    assert characters_of({"word": "чай", "document": {"title": {"vi": "茶"}, "authors": ("अ",)}, "seed": 3, "none": None}) == frozenset(
        "чай茶अ"
    )


def test_what_can_have_no_shape_is_a_box():
    # Private use, not assigned, control; a line's end and a tabulator stay.
    assert shapeless_replaced("a\ue000b\u0378c\x07d\n\te\x00") == f"a{SUBSTITUTE}b{SUBSTITUTE}c{SUBSTITUTE}d\n\te{SUBSTITUTE}"
    assert shapeless_replaced("Cà phê 👍 قهوة \u200d\ufe0f") == "Cà phê 👍 قهوة \u200d\ufe0f"


def test_no_font_is_added_where_none_is_needed(packages):
    packages(many={"NotoSansArabic.ttf": "قهوة"})
    page = '<style>html{font-family:"Reportgen Serif",serif}</style><p>Cà phê</p>'
    assert with_fonts(page, lambda *_: pytest.fail("asked for an address"), "woff2") == (page, ())


def test_each_script_brings_its_font_with_the_characters_of_the_page_alone(packages):
    packages(many={"NotoSansArabic.ttf": "قهوةشاي", "NotoSansHebrew.ttf": "קפה", "NotoEmoji.ttf": "👍ק", "NotoSans.ttf": "чай"})
    fonts = fonts_for(frozenset("قهוةקפה👍"))
    assert [font.family for font in fonts] == ["Reportgen Script 1", "Reportgen Script 2", "Reportgen Script 3"]
    covered = [{chr(code) for code in TTFont(BytesIO(font.ttf)).getBestCmap()} for font in fonts]
    assert covered == [set("قهة"), set("קפה"), set("👍ק")]
    assert TTFont(BytesIO(fonts[0].woff2())).flavor == "woff2"
    first = [font.ttf for font in fonts]
    fonts_for.cache_clear()
    assert [font.ttf for font in fonts_for(frozenset("قهוةקפה👍"))] == first


def test_the_fonts_stand_behind_the_reports_own_everywhere_but_in_their_own_rules(packages):
    packages(many={"NotoSansThai.ttf": "กาแฟ"})
    css = '@font-face{font-family:"Reportgen Sans";src:x}\nhtml{font-family:"Reportgen Serif",serif}\n@page{font:8pt "Reportgen Sans"}'
    page, fonts = with_fonts(f"<html><style>\n{css}\n</style><p>กาแฟ “Reportgen Sans”</p>", lambda index, _: f"font:{index}", "truetype")
    assert len(fonts) == 1
    assert '@font-face{font-family:"Reportgen Script 1";src:url("font:0") format("truetype")}' in page
    assert '@font-face{font-family:"Reportgen Sans";src:x}' in page
    assert 'font-family:"Reportgen Serif","Reportgen Script 1",serif' in page
    assert '@page{font:8pt "Reportgen Sans","Reportgen Script 1"}' in page
    assert page.endswith("<p>กาแฟ “Reportgen Sans”</p>")


@pytest.mark.parametrize(
    ("text", "named", "remedies"),
    [
        ("喝茶", "喝 (U+559D), 茶 (U+8336)", [EAST_ASIA]),
        ("かな", "か (U+304B), な (U+306A)", [EAST_ASIA]),
        ("한국", "국 (U+AD6D), 한 (U+D55C)", [EAST_ASIA]),
        ("👍", "👍 (U+1F44D)", [MANY_SCRIPTS]),
        ("กาแฟ喝", "ก (U+0E01), ฟ (U+0E1F), า (U+0E32) and 2 more of its characters", [MANY_SCRIPTS, EAST_ASIA]),
        # Tibetan is in neither.
        ("ཀ", "ཀ (U+0F40)", []),
    ],
)
def test_a_text_without_a_font_is_named_with_the_remedy(packages, monkeypatch, text, named, remedies):
    packages()
    monkeypatch.setattr(other_scripts, "unprintable", lambda characters: characters)
    reason, remedy = other_scripts.obstacle(foreign(text))
    assert reason == f"the text holds {named}, for which no font is here"
    packages_named = [word.rstrip(",") for word in remedy.split() if word.startswith("manimgx")]
    assert packages_named == remedies
    assert "fonts-noto-core fonts-noto-cjk" in remedy


def test_nothing_stands_in_the_way_of_what_a_package_or_the_system_has(packages, monkeypatch):
    packages(many={"NotoSansThai.ttf": "กาแฟ"})
    asked = []
    monkeypatch.setattr(other_scripts, "unprintable", lambda characters: asked.append(characters) or frozenset())
    assert other_scripts.obstacle(foreign("กาแฟ")) is None
    assert other_scripts.obstacle(foreign("กาแฟ чай")) is None
    assert asked == [frozenset("чай")]
    assert other_scripts.obstacle(frozenset()) is None


@pytest.mark.render
def test_what_no_font_of_the_system_has_is_found_by_printing_it():
    assert other_scripts.unprintable(frozenset({"a", LINEAR_A})) == {LINEAR_A}


@pytest.mark.parametrize(
    ("character", "parts"),
    [
        ("ำ", "\u0e4d\u0e32"),
        ("ຳ", "\u0ecd\u0eb2"),
        ("ើ", "\u17c1"),
        ("ொ", "\u0bc6\u0bbe"),
        ("\u0958", "\u0915\u093c"),
        ("ậ", "a\u0323\u0302"),
    ],
)
def test_what_a_layout_engine_takes_a_character_apart_into_is_in_the_font_too(character, parts):
    """HarfBuzz's vowels of Thai, Lao and Khmer, and Unicode's canonical parts."""
    assert other_scripts._with_parts(frozenset(character)) == {character, *parts}


@pytest.mark.render
@pytest.mark.parametrize("text", ["น้ำ", "ນ້ຳ", "ស្រើ", "கொடு"])
def test_vowels_around_a_letter_are_printed(text):
    pytest.importorskip("manimgx_fonts")
    (font,) = fonts_for(foreign(text))
    there = set(map(chr, TTFont(BytesIO(font.ttf)).getBestCmap()))
    assert there >= other_scripts._with_parts(frozenset(text))


@pytest.mark.render
def test_the_packages_themselves():
    pytest.importorskip("manimgx_fonts")
    text = frozenset("قهوةקפהกาแฟкофеक्षत्रिय👍")
    fonts = fonts_for(text)
    assert set().union(*(map(chr, TTFont(BytesIO(font.ttf)).getBestCmap()) for font in fonts)) >= text


@pytest.mark.render
@pytest.mark.parametrize("text", ["喝咖啡", "コーヒー", "한국"])
def test_east_asian_outlines_are_made_such_that_a_pdf_can_hold_them(text):
    pytest.importorskip("manimgx_fonts_cjk")
    (font,) = fonts_for(frozenset(text))
    made = TTFont(BytesIO(font.ttf))
    assert set(map(chr, made.getBestCmap())) >= set(text)
    assert "glyf" in made
    assert not {"CFF2", "CFF ", "fvar"} & set(made.keys())
    glyph = made["glyf"][made.getBestCmap()[ord(text[0])]]
    assert glyph.numberOfContours > 0
    # Within its width: a square, or nearly (Hangul).
    width = made["hmtx"][made.getBestCmap()[ord(text[0])]][0]
    assert width in (920, 1000)
    assert 0 <= glyph.xMin < glyph.xMax <= width
