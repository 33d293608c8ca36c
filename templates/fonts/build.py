"""Make the report's fonts from the packaged originals: one instance per face, subset, renamed; run once by hand.

Needs fontpkg-source-serif-4, fontpkg-inter, fontpkg-jetbrains-mono, ziamath (which carries STIX Two Math), fonttools and brotli:

    python templates/fonts/build.py

The originals are licensed under the SIL Open Font License (see the OFL-*.txt files beside this script), some with reserved
names: a subset is a modified version, hence the new names "Reportgen Serif", "Reportgen Sans", "Reportgen Mono" and
"Reportgen Math". Output is the same bytes for the same inputs.
"""

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

HERE = Path(__file__).parent

LATIN = [*range(0x20, 0x7F), *range(0xA0, 0x180), 0x1A0, 0x1A1, 0x1AF, 0x1B0, *range(0x1EA0, 0x1EFA), 0x20AB]
COMBINING = [0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x309, 0x31B, 0x323]
GREEK = [*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x3B1, 0x3CA), 0x3D1, 0x3D5, 0x3F5]
PUNCTUATION = [
    0x2009,
    0x200A,
    0x202F,
    *range(0x2010, 0x2016),
    *range(0x2018, 0x201F),
    0x2020,
    0x2021,
    0x2022,
    0x2026,
    0x2030,
    0x2032,
    0x2033,
    0x2039,
    0x203A,
    0x20AC,
    0x2116,
    0x2122,
]
SUPERSCRIPTS = [0x2070, *range(0x2074, 0x207A), 0x207B, *range(0x2080, 0x208A)]
MATHEMATICS = [
    0x2202,
    0x2206,
    0x220F,
    0x2211,
    0x2212,
    0x221A,
    0x221E,
    0x222B,
    0x2248,
    0x2260,
    0x2261,
    0x2264,
    0x2265,
    0x2208,
    0x2229,
    0x222A,
    0x2213,
    0x2215,
    0x2219,
    0x22C5,
    0x2227,
    0x2228,
    0x2200,
    0x2203,
    0x2209,
    0x2223,
    0x2225,
    0x223C,
    0x221D,
    0x2282,
    0x2286,
    0x27E8,
    0x27E9,
]
ARROWS = [*range(0x2190, 0x2196), 0x21D2, 0x21D4, 0x2197, 0x2198, 0x21A9]
SIGNS = [0x2713, 0x2717, 0x25CF, 0x25CB, 0x25A0, 0x25A1, 0x25B2, 0x25B3, 0x25B6, 0x25BC, 0x25C6, 0x25C7, 0x2605]
STRETCHED = [*range(0x239B, 0x23AF), 0x23B7, 0x2016, 0x230A, 0x230B, 0x2308, 0x2309]
MATH_LETTERS = [*range(0x1D434, 0x1D468), 0x210E, 0x2113, 0x211D, 0x1D53C, 0x2119, *range(0x1D6E4, 0x1D71C)]

TEXT = [*LATIN, *COMBINING, *GREEK, *PUNCTUATION, *SUPERSCRIPTS, *MATHEMATICS, *ARROWS, *SIGNS]
MATH = [
    *range(0x20, 0x7F),
    0xA0,
    0xAC,
    0xAF,
    0xB0,
    0xB1,
    0xB7,
    0xD7,
    0xF7,
    *COMBINING,
    *GREEK,
    0x2026,
    0x2032,
    0x2033,
    *MATHEMATICS,
    *ARROWS,
    *STRETCHED,
    *MATH_LETTERS,
    0x22EF,
    0x203E,
    0x5E,
    0x2C6,
    0x2DC,
    0x2044,
    0x2061,
    0x2062,
    0x2063,
]


@dataclass(frozen=True)
class Face:
    """One face to make: `source` is a package and its file, `location` a point on the variable font's axes."""

    file: str
    family: str
    style: str
    source: tuple[str, str]
    location: dict[str, float]
    characters: list[int]
    features: tuple[str, ...] = ("ccmp", "locl", "kern", "liga", "mark", "mkmk", "tnum", "pnum", "lnum", "onum", "sups", "subs", "case")


SERIF = ("fontpkg_source_serif_4", "files/SourceSerif4[opsz,wght].ttf")
SERIF_ITALIC = ("fontpkg_source_serif_4", "files/SourceSerif4-Italic[opsz,wght].ttf")
SANS = ("fontpkg_inter", "files/Inter[opsz,wght].ttf")
SANS_ITALIC = ("fontpkg_inter", "files/Inter-Italic[opsz,wght].ttf")
MONO = ("fontpkg_jetbrains_mono", "files/JetBrainsMono[wght].ttf")
STIX = ("ziamath", "fonts/STIXTwoMath-Regular.ttf")

FACES = [
    Face("serif-regular", "Reportgen Serif", "Regular", SERIF, {"opsz": 12, "wght": 400}, TEXT),
    Face("serif-semibold", "Reportgen Serif", "SemiBold", SERIF, {"opsz": 20, "wght": 620}, TEXT),
    Face("serif-italic", "Reportgen Serif", "Italic", SERIF_ITALIC, {"opsz": 12, "wght": 400}, TEXT),
    Face("sans-regular", "Reportgen Sans", "Regular", SANS, {"opsz": 14, "wght": 400}, TEXT),
    Face("sans-semibold", "Reportgen Sans", "SemiBold", SANS, {"opsz": 14, "wght": 600}, TEXT),
    Face("sans-italic", "Reportgen Sans", "Italic", SANS_ITALIC, {"opsz": 14, "wght": 400}, TEXT),
    Face("mono-regular", "Reportgen Mono", "Regular", MONO, {"wght": 400}, TEXT, ("ccmp", "locl", "mark", "mkmk")),
    Face("math-regular", "Reportgen Math", "Regular", STIX, {}, MATH, ("ccmp", "ssty", "flac", "dtls")),
]


def package_file(package: str, name: str) -> Path:
    """A file that an installed package carries."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed: pip install {package.replace('_', '-')}")
    return Path(spec.origin).parent / name


def rename(font: TTFont, family: str, style: str) -> None:
    """Give the font its new name and keep only the records that a reader or a licence needs."""
    linked = style if style in ("Regular", "Italic") else "Regular"
    names = {
        1: family if linked == style else f"{family} {style}",
        2: linked,
        3: f"{family} {style}",
        4: f"{family} {style}",
        6: f"{family}-{style}".replace(" ", ""),
        16: family,
        17: style,
    }
    table = font["name"]
    table.names = [record for record in table.names if record.nameID in (0, 5, 9, 13, 14) and record.platformID == 3]
    for identifier, text in names.items():
        table.setName(text, identifier, 3, 1, 0x409)


def make(face: Face) -> None:
    """Write one face as TTF and WOFF2."""
    font = TTFont(package_file(*face.source), recalcTimestamp=False)
    if face.location:
        font = instantiateVariableFont(font, face.location, updateFontNames=False)
    options = Options(
        layout_features=list(face.features),
        hinting=False,
        notdef_outline=True,
        name_IDs=["*"],
        glyph_names=False,
        drop_tables=["STAT", "DSIG", "meta"],
    )
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=face.characters)
    subsetter.subset(font)
    rename(font, face.family, face.style)
    font["OS/2"].usWeightClass = 600 if face.style == "SemiBold" else 400
    font.recalcTimestamp = False
    font.save(HERE / f"{face.file}.ttf")
    font.flavor = "woff2"
    font.save(HERE / f"{face.file}.woff2")


if __name__ == "__main__":
    for each in FACES:
        make(each)
    for package, name in (
        ("fontpkg_source_serif_4", "source-serif-4"),
        ("fontpkg_inter", "inter"),
        ("fontpkg_jetbrains_mono", "jetbrains-mono"),
    ):
        shutil.copyfile(package_file(package, "LICENSE"), HERE / f"OFL-{name}.txt")
    licence = package_file("fontpkg_inter", "LICENSE").read_text(encoding="utf-8")
    notice = TTFont(package_file(*STIX), lazy=True)["name"].getDebugName(0)
    (HERE / "OFL-stix-two-math.txt").write_text(f"{notice}\n{licence.partition(chr(10))[2]}", encoding="utf-8")
