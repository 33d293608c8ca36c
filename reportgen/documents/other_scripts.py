"""Characters that the report's own fonts do not have: where their shapes come from, and which have none on this machine.

A studied text may be in any script. The shapes come from the Noto fonts of two small packages where these are installed, cut down
to the characters of the document and set behind the report's fonts, in HTML and PDF alike. Without them a PDF takes what fonts the
system has, and an HTML page those of its reader.
"""

import importlib.metadata
import importlib.util
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont, newTable
from fontTools.varLib.instancer import instantiateVariableFont

from analyses.installation import install_line
from reportgen.resources import templates_directory

MANY_SCRIPTS, EAST_ASIA = "manimgx-fonts", "manimgx-fonts-cjk"
DEBIAN = "apt-get install --no-install-recommends fonts-noto-core fonts-noto-cjk"
# What stands where a character can have no shape: private use, unassigned, control.
SUBSTITUTE = "□"

_OWN_FACES = ("serif-regular", "sans-regular", "mono-regular")
_SHAPELESS = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_HOPELESS = frozenset({"Co", "Cn", "Cs"})
# The first words of the names of characters in the two packages; pictures such as emoji are in the first.
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "HALFWIDTH", "FULLWIDTH", "KANGXI"})
_SCRIPTS = frozenset(
    name.upper()
    for names in (
        ("Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek", "Gujarati", "Gurmukhi", "Hebrew"),
        ("Kannada", "Khmer", "Lao", "Latin", "Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thai"),
    )
    for name in names
)
# What joins and varies the characters around it: of no use without the font of those.
_JOINERS = (0x20, 0x200C, 0x200D, 0x25CC, 0xFE0E, 0xFE0F)
# What a layout engine takes characters apart into besides their canonical parts (HarfBuzz, for vowels written around a letter).
_PARTS = {"\u0e33": "\u0e4d\u0e32", "\u0eb3": "\u0ecd\u0eb2"} | dict.fromkeys("\u17be\u17bf\u17c0\u17c4\u17c5", "\u17c1")
# The faces of the East Asian collection, by what only one language writes.
_JAPANESE, _KOREAN, _CHINESE = 0, 1, 2
_FAMILY = re.compile(r'(?<!@font-face\{font-family:)"Reportgen (?:Serif|Sans|Mono)"')
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class ScriptFont:
    """A font of its own name that holds some characters of one document."""

    family: str
    ttf: bytes

    def woff2(self) -> bytes:
        """The same, compressed for the web."""
        font, target = TTFont(BytesIO(self.ttf), recalcTimestamp=False), BytesIO()
        font.flavor = "woff2"
        font.save(target)
        return target.getvalue()


def characters_of(value: Any) -> frozenset[str]:
    """The characters in all strings of plain data (mappings, lists) that the report's own fonts lack and that can have a shape."""
    return foreign("".join(_strings(value)))


def foreign(text: str) -> frozenset[str]:
    """The characters of a text that the report's own fonts lack and that can have a shape."""
    other = set(text) - _own()
    return frozenset(each for each in other if unicodedata.category(each) not in _SHAPELESS | _HOPELESS and not _selects(each))


def shapeless_replaced(text: str) -> str:
    """The text with a box in place of each character that no font can have a shape for."""
    text = _CONTROLS.sub(SUBSTITUTE, text)
    if text.isascii():
        return text
    hopeless = {ord(each): SUBSTITUTE for each in set(text) - _own() if unicodedata.category(each) in _HOPELESS}
    return text.translate(hopeless) if hopeless else text


@cache
def fonts_for(characters: frozenset[str]) -> tuple[ScriptFont, ...]:
    """Fonts from the installed packages for these characters, as few as there are scripts; the same bytes for the same characters."""
    left = {ord(each) for each in characters}
    fonts: list[ScriptFont] = []
    for file, number in _candidates(characters):
        font = TTFont(file, fontNumber=number, lazy=True, recalcTimestamp=False)
        there = set(font.getBestCmap())
        if left & there:
            # Marks and signs that several scripts share stay with their letters.
            kept = {ord(each) for each in _with_parts(characters)} & there
            fonts.append(ScriptFont(f"Reportgen Script {len(fonts) + 1}", _cut(font, kept)))
            left -= there
        if not left:
            break
    return tuple(fonts)


def with_fonts(page: str, address: Callable[[int, ScriptFont], str], style_format: str) -> tuple[str, tuple[ScriptFont, ...]]:
    """A page with the fonts that its characters need set behind the report's own; `address` says where the font at an index lies."""
    fonts = fonts_for(foreign(page))
    if not fonts:
        return page, ()
    rules = "".join(
        f'@font-face{{font-family:"{font.family}";src:url("{address(index, font)}") format("{style_format}")}}\n'
        for index, font in enumerate(fonts)
    )
    behind = ",".join(f'"{font.family}"' for font in fonts)
    head, style, rest = page.partition("<style>")
    css, end, body = rest.partition("</style>")
    return f"{head}{style}{rules}{_FAMILY.sub(lambda match: f'{match[0]},{behind}', css)}{end}{body}", fonts


def installed() -> dict[str, str]:
    """The packages of fonts that are installed, with their versions."""
    return {name: importlib.metadata.version(name) for name in (MANY_SCRIPTS, EAST_ASIA) if _folder(name)}


def obstacle(characters: frozenset[str]) -> tuple[str, str] | None:
    """Why a page with these characters cannot be printed here, and the remedy; None where it can."""
    missing = without_font(characters)
    if not missing:
        return None
    first = ", ".join(f"{each} (U+{ord(each):04X})" for each in missing[:3])
    more = f" and {len(missing) - 3} more of its characters" if len(missing) > 3 else ""
    packages = [name for name in (MANY_SCRIPTS, EAST_ASIA) if any(_package(each) == name for each in missing) and not _folder(name)]
    by_package = f"{install_line(packages)}, or " if packages else ""
    return f"the text holds {first}{more}, for which no font is here", f"{by_package}on Debian or Ubuntu, as root: {DEBIAN}"


def without_font(characters: frozenset[str]) -> list[str]:
    """Those of the characters, in order, that neither the packages' fonts nor the system's have."""
    covered = {chr(each) for font in fonts_for(characters) for each in TTFont(BytesIO(font.ttf), lazy=True).getBestCmap()}
    left = characters - covered
    return sorted(unprintable(frozenset(left))) if left else []


@cache
def unprintable(characters: frozenset[str]) -> frozenset[str]:
    """Those of the characters for which the layout engine finds no font on the system; really printed, for no list of fonts knows it."""
    from reportgen.documents.sample import print_characters

    return frozenset(print_characters(sorted(characters)))


def _selects(character: str) -> bool:
    """Whether it only says which shape of the character before it is meant."""
    return 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF


@cache
def _own() -> frozenset[str]:
    """The characters that every face of running text has."""
    folder = templates_directory() / "fonts"
    faces = [set(TTFont(folder / f"{face}.ttf", lazy=True).getBestCmap()) for face in _OWN_FACES]
    return frozenset(map(chr, set.intersection(*faces)))


def _with_parts(characters: frozenset[str]) -> set[str]:
    """The characters and what they are taken apart into when they are set."""
    parts = {part for each in characters for part in unicodedata.normalize("NFD", each) + _PARTS.get(each, "")}
    return {*characters, *parts}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _strings(each)
    elif isinstance(value, Iterable):
        for each in value:
            yield from _strings(each)


def _package(character: str) -> str | None:
    """The package that has the character."""
    first = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    if first in _EAST_ASIAN or (unicodedata.east_asian_width(character) in "WF" and unicodedata.category(character) != "So"):
        return EAST_ASIA
    return MANY_SCRIPTS if first in _SCRIPTS or unicodedata.category(character) in ("So", "Sk", "Sm") else None


def _folder(package: str) -> Path | None:
    """Where a package of fonts is installed."""
    spec = importlib.util.find_spec(package.replace("-", "_"))
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _candidates(characters: frozenset[str]) -> Iterator[tuple[Path, int]]:
    """The installed fonts in the order in which they are asked: letters before pictures, East Asia last; with the place in a collection."""
    if folder := _folder(MANY_SCRIPTS):
        files = [file for file in sorted(folder.glob("*.[to]tf")) if "Italic" not in file.name]
        last = ("NotoSansSymbols", "NotoEmoji")
        for file in sorted(files, key=lambda file: (file.name.startswith(last), not file.name.startswith("NotoSans["), file.name)):
            yield file, -1
    if folder := _folder(EAST_ASIA):
        names = {unicodedata.name(each, "").partition(" ")[0] for each in characters}
        language = _JAPANESE if names & {"HIRAGANA", "KATAKANA"} else _KOREAN if "HANGUL" in names else _CHINESE
        for file in sorted(folder.glob("*.[to]tc")):
            yield file, language


def _cut(font: TTFont, characters: set[int]) -> bytes:
    """The font's regular face with these characters alone, as TrueType."""
    cubic = "CFF2" in font
    options = Options(hinting=False, notdef_outline=True, glyph_names=False, drop_tables=["STAT", "DSIG", "meta", "vhea", "vmtx", "VORG"])
    if cubic:
        options.layout_features = []
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[*characters, *_JOINERS])
    subsetter.subset(font)
    # Read again: what was left of the tables lazily read cannot be instantiated.
    font = _saved(font)
    location = (
        {axis.axisTag: 400.0 if axis.axisTag == "wght" else axis.defaultValue for axis in font["fvar"].axes} if "fvar" in font else {}
    )
    if cubic:
        _to_quadratic(font, location)
    elif location:
        font = instantiateVariableFont(font, location)
    target = BytesIO()
    font.save(target)
    return target.getvalue()


def _saved(font: TTFont) -> TTFont:
    target = BytesIO()
    font.save(target)
    target.seek(0)
    return TTFont(target, recalcTimestamp=False)


def _to_quadratic(font: TTFont, location: Mapping[str, float]) -> None:
    """Draw cubic outlines that vary (CFF2, which no PDF can embed) once as TrueType's."""
    shapes, glyphs, widths = font.getGlyphSet(location=dict(location)), {}, {}
    for name in font.getGlyphOrder():
        pen = TTGlyphPen(None)
        shapes[name].draw(Cu2QuPen(pen, max_err=1.0, reverse_direction=True))
        glyphs[name], widths[name] = pen.glyph(), round(shapes[name].width)
    for table in ("CFF2", "fvar", "avar", "HVAR", "VVAR", "MVAR", "GDEF", "GSUB", "GPOS", "BASE"):
        if table in font:
            del font[table]
    font["loca"], font["glyf"] = newTable("loca"), newTable("glyf")
    font["glyf"].glyphOrder, font["glyf"].glyphs = font.getGlyphOrder(), glyphs
    for name, glyph in glyphs.items():
        glyph.recalcBounds(font["glyf"])
        font["hmtx"][name] = (widths[name], getattr(glyph, "xMin", 0))
    maximum = font["maxp"] = newTable("maxp")
    maximum.tableVersion = 0x00010000
    names = ("maxZones", "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs", "maxStackElements")
    for name in (*names, "maxSizeOfInstructions", "maxComponentElements"):
        setattr(maximum, name, 1 if name == "maxZones" else 0)
    font["OS/2"].usWeightClass = 400
    font.sfntVersion = "\000\001\000\000"
