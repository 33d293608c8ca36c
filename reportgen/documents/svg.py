"""Figures as SVG: one style for all of them, and the same bytes for the same drawing."""

import base64
import contextlib
import io
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, cast

import matplotlib
import matplotlib.colors
import matplotlib.font_manager
import matplotlib.ticker
import pydantic
from cycler import cycler
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from markupsafe import Markup

from analyses.errors import InputError
from analyses.protocol import Drawing
from reportgen.documents.assets import Assets, fitting
from reportgen.documents.faces import font_faces
from reportgen.documents.languages import NumberSigns
from reportgen.yaml_files import read_yaml

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
FONT_FAMILY = "Reportgen Sans"
FONT_FILES = ("sans-regular", "sans-semibold", "sans-italic")
_OWN_FAMILY = f"font-family: '{FONT_FAMILY}'"
_FAMILY_AND_LIKE = f"{_OWN_FAMILY}, Arial, sans-serif"
# How a drawing says that it uses a face: by the style of its text.
_FACES_IN_SVG = {
    "sans-regular": re.compile(r'<text style="(?![^"]*font-(?:weight: 600|style: italic))'),
    "sans-italic": re.compile(r'<text style="[^"]*font-style: italic'),
    "sans-semibold": re.compile(r'<text style="[^"]*font-weight: 600'),
}
PNG_DPI = 200
LOCAL_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LEGEND = re.compile(r' data-legend="([\d.]+)"')
_VIEW_BOX = re.compile(r' viewBox="0 0 ([\d.]+) ([\d.]+)"')
_PATH = re.compile(r'(?<= d=")[^"]*')
_FRACTION = re.compile(r"-?\d+\.\d+")
_COORDINATES = {"d", "x", "y", "transform"}
_WORDS = {f"{{{SVG}}}{name}" for name in ("text", "tspan", "title", "style")}
ENGLISH = NumberSigns()
THOUSANDS = re.compile(r"(?<=\d)(?=(?:\d{3})+$)")
COLOR = re.compile(r"#[0-9a-fA-F]{6}\b")


_Color = Annotated[str, pydantic.Field(pattern="^#[0-9a-fA-F]{6}$"), pydantic.AfterValidator(str.lower)]
_Scale = Annotated[tuple[_Color, ...], pydantic.Field(min_length=2)]


class _Shades(pydantic.BaseModel):
    light: _Color
    dark: _Color


class _PaletteFile(pydantic.BaseModel):
    colors: dict[str, _Shades]
    cycle: Annotated[tuple[str, ...], pydantic.Field(min_length=1)]
    sequential: _Scale
    diverging: _Scale


@dataclass(frozen=True)
class Palette:
    """The report's colours.

    Attributes
    ----------
    light, dark
        Name -> ``#rrggbb`` on paper and on a dark screen.
    """

    light: Mapping[str, str]
    dark: Mapping[str, str]
    cycle: tuple[str, ...]
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]

    @classmethod
    def load(cls, assets: Assets) -> "Palette":
        """Read ``styles/palette.yaml``; raises InputError when it lacks a colour that is built in, or two names share a light colour."""
        where = "templates/styles/palette.yaml"
        given: _PaletteFile = fitting(_PaletteFile, assets.yaml("styles/palette.yaml"), where)
        built_in: _PaletteFile = fitting(_PaletteFile, read_yaml(assets.directories[0] / "styles" / "palette.yaml").values, where)
        # Figures and styles ask for them by name.
        if lacking := [name for name in built_in.colors if name not in given.colors]:
            raise InputError(f'{where}: colors: {lacking[0]} is missing; expected {{light: "#rrggbb", dark: "#rrggbb"}}')
        if unknown := [name for name in given.cycle if name not in given.colors]:
            raise InputError(f"{where}: cycle: {unknown[0]} is no name in colors")
        light = {name: shades.light for name, shades in given.colors.items()}
        dark = {name: shades.dark for name, shades in given.colors.items()}
        if len(set(light.values())) != len(light):
            raise InputError(f"{where}: two names have the same light colour; a figure could not be told how to turn dark")
        return cls(light, dark, given.cycle, given.sequential, given.diverging)

    @staticmethod
    def property_name(name: str) -> str:
        """CSS custom property of a colour."""
        return "--" + re.sub(r"[^a-z]+", "-", name)

    @cached_property
    def by_light_color(self) -> dict[str, str]:
        return {color: name for name, color in self.light.items()}

    def _properties(self, colors: Mapping[str, str]) -> str:
        return ":root{" + "".join(f"{self.property_name(name)}:{color};" for name, color in colors.items()) + "}\n"

    def paper_css(self) -> str:
        """Custom properties for paper."""
        return self._properties(self.light)

    def screen_css(self) -> str:
        """Custom properties for both schemes; dark only on a screen that asks for it."""
        return f"{self._properties(self.light)}@media screen and (prefers-color-scheme:dark){{{self._properties(self.dark)}}}\n"


class _LocalNumbers(matplotlib.ticker.ScalarFormatter):
    """Matplotlib's usual tick labels with a language's decimal sign and separator of thousands."""

    def __init__(self, signs: NumberSigns) -> None:
        super().__init__()
        self._signs = signs

    def __call__(self, x: float, pos: int | None = None) -> str:
        whole, _, decimals = super().__call__(x, pos).partition(".")
        grouped = THOUSANDS.sub(self._signs.group, whole)
        return f"{grouped}{self._signs.decimal}{decimals}" if decimals else grouped


def _defaults() -> dict[str, Any]:
    # A user's own matplotlibrc must not show in the report; the backend is not ours to change.
    return {name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(("backend", "interactive", "toolbar"))}


def _style(palette: Palette) -> dict[str, Any]:
    ink, muted, grid = palette.light["ink"], palette.light["muted"], palette.light["grid"]
    return {
        "font.family": [FONT_FAMILY],
        "font.size": 8.5,
        "axes.titlesize": 9.5,
        "axes.titleweight": 600,
        "axes.titlelocation": "left",
        "axes.titlepad": 8.0,
        "axes.labelsize": 8.5,
        "axes.labelcolor": ink,
        "axes.labelpad": 5.0,
        "axes.edgecolor": muted,
        "axes.linewidth": 0.7,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=[palette.light[name] for name in palette.cycle]),
        "axes.unicode_minus": True,
        "grid.color": grid,
        "grid.linewidth": 0.7,
        "xtick.labelsize": 8.0,
        "ytick.labelsize": 8.0,
        "xtick.color": muted,
        "ytick.color": muted,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "xtick.major.size": 3.0,
        "ytick.major.size": 3.0,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "text.color": ink,
        "legend.frameon": False,
        "legend.fontsize": 8.0,
        "lines.linewidth": 1.7,
        "lines.markersize": 4.5,
        "figure.facecolor": "none",
        "figure.figsize": (6.7, 3.4),
        "figure.dpi": 72.0,
        "savefig.facecolor": "none",
        "savefig.bbox": None,
        "svg.fonttype": "none",
        "svg.image_inline": True,
        "path.simplify": False,
        # A sign of money in a title is no formula.
        "text.parse_math": False,
        "mathtext.fontset": "custom",
        "mathtext.rm": FONT_FAMILY,
        "mathtext.it": f"{FONT_FAMILY}:italic",
        "mathtext.bf": f"{FONT_FAMILY}:weight=600",
    }


@contextlib.contextmanager
def figure_style(assets: Assets) -> Iterator[Palette]:
    """Matplotlib in the report's style: fonts, sizes, and the palette's names as colours; everything is as before afterwards."""
    palette = Palette.load(assets)
    known = {font.fname for font in matplotlib.font_manager.fontManager.ttflist}
    for name in FONT_FILES:
        path = str(assets.path(f"fonts/{name}.ttf"))
        if path not in known:
            matplotlib.font_manager.fontManager.addfont(path)
    named = matplotlib.colors.get_named_colors_mapping()
    maps = {
        "report_sequential": matplotlib.colors.LinearSegmentedColormap.from_list("report_sequential", palette.sequential),
        "report_diverging": matplotlib.colors.LinearSegmentedColormap.from_list("report_diverging", palette.diverging),
    }
    for color_map in maps.values():
        matplotlib.colormaps.register(color_map, force=True)
    named.update(palette.light)
    try:
        with matplotlib.rc_context(cast(Any, _defaults() | _style(palette))):
            yield palette
    finally:
        for name in palette.light:
            named.pop(name, None)
        for name in maps:
            matplotlib.colormaps.unregister(name)


def localise_ticks(drawing: Drawing, signs: NumberSigns) -> None:
    """Give the axes of a drawing numbers as a language writes them."""
    for axes in drawing.figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if type(axis.get_major_formatter()) is matplotlib.ticker.ScalarFormatter:
                axis.set_major_formatter(_LocalNumbers(signs))


def _prefix_identifiers(root: ElementTree.Element, prefix: str) -> None:
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, f"{prefix}-{value}")
            elif name in (f"{{{XLINK}}}href", "href") and value.startswith("#"):
                element.set(name, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(name, LOCAL_REFERENCE.sub(rf"url(#{prefix}-\1)", value))


def _add_hover(root: ElementTree.Element, hover: Mapping[str, str], figure_id: str) -> None:
    by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
    for key, words in hover.items():
        gid, _, index = key.partition("#")
        element = by_id.get(gid)
        if element is not None and index:
            marks = [child for child in element.iter() if child.tag in (f"{{{SVG}}}use", f"{{{SVG}}}path") and child.get("id") is None]
            uses = [mark for mark in marks if mark.tag == f"{{{SVG}}}use"] or marks
            element = uses[int(index)] if int(index) < len(uses) else None
        if element is None:
            raise InputError(f"figure {figure_id}: hover text for {key!r}, but no element has this gid")
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = words
        element.insert(0, title)


def render_svg(drawing: Drawing, figure_id: str, signs: NumberSigns = ENGLISH) -> str:
    """A drawing as an SVG element: same drawing, same bytes.

    Identifiers begin with the figure's id, so that several figures can live in one page; the hover texts become ``<title>``
    elements; text stays text. Call it inside `figure_style`. Hover keys are gids; ``gid#3`` is the fourth mark of a collection.

    Raises
    ------
    InputError
        When a hover text belongs to no element.
    """
    localise_ticks(drawing, signs)
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": figure_id}):
        drawing.figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    source = re.sub(r"<!DOCTYPE[^>]*>", "", stream.getvalue())
    root = ElementTree.fromstring(source)
    for name in ("metadata", "defs"):
        for element in root.findall(f"{{{SVG}}}{name}"):
            if name == "metadata" or all(child.tag == f"{{{SVG}}}style" for child in element):
                root.remove(element)
    _add_hover(root, drawing.hover, figure_id)
    _prefix_identifiers(root, figure_id)
    for name in ("width", "height"):
        root.set(name, root.attrib[name].removesuffix("pt"))
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    root.set("role", "img")
    if drawing.legend is not None:
        root.set("data-legend", f"{drawing.legend:.3f}")
    root.set("preserveAspectRatio", "xMidYMid meet")
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    _trim(root)
    _break_lines(root)
    for element in root.iter():
        # Hundredths of a point, 4 µm on paper, where matplotlib writes millionths.
        _round(element, {"d", "x", "y"}, 2)
    # Matplotlib ends each step of a path with a line, which XML reads as a space: a line each again, so that a point that moved is one.
    return _PATH.sub(lambda path: path[0].strip().replace("  ", "\n"), ElementTree.tostring(root, encoding="unicode"))


def render_png(drawing: Drawing, signs: NumberSigns = ENGLISH) -> bytes:
    """A drawing as a PNG on paper, for slides: same drawing, same bytes. Call it inside `figure_style`."""
    localise_ticks(drawing, signs)
    stream = io.BytesIO()
    # The software's name and version would change the bytes without changing the picture.
    drawing.figure.savefig(stream, format="png", dpi=PNG_DPI, facecolor="paper", metadata={"Software": None})
    return stream.getvalue()


def letters(svg: str) -> frozenset[str]:
    """The characters that a drawing's text consists of."""
    return frozenset("".join(ElementTree.fromstring(svg).itertext()))


def stand_alone(svg: str, paper: str, characters: frozenset[str], assets: Assets) -> str:
    """An SVG of `render_svg` as a file of its own: on paper, and with as much of its fonts as `characters` take.

    Elsewhere the report's fonts are not there, and a page may be dark.
    """
    head, end, rest = svg.partition(">")
    used = [name for name, mark in _FACES_IN_SVG.items() if mark.search(svg)]
    rules = font_faces(lambda name: _subset(assets.bytes(f"fonts/{name}.ttf"), characters), "woff2", used)
    background = f'<rect width="100%" height="100%" style="fill: {paper}" />'
    return f"{head}{end}<style>{rules}</style>{background}{rest.replace(_OWN_FAMILY, _FAMILY_AND_LIKE)}"


@lru_cache(maxsize=32)
def _subset(font: bytes, characters: frozenset[str]) -> str:
    options = Options(layout_features=["kern", "mark", "mkmk", "ccmp"], hinting=False, notdef_outline=True)
    cut, target = TTFont(io.BytesIO(font), recalcTimestamp=False), io.BytesIO()
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=sorted(map(ord, characters)))
    subsetter.subset(cut)
    cut.flavor = "woff2"
    cut.save(target)
    return f"data:font/woff2;base64,{base64.b64encode(target.getvalue()).decode('ascii')}"


def _trim(root: ElementTree.Element) -> None:
    for element in root.iter():
        if element.tail is not None and not element.tail.strip():
            element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None


def _break_lines(element: ElementTree.Element) -> None:
    """An element a line, but for words, whose spaces are seen."""
    if element.tag in _WORDS:
        return
    if len(element) and element.text is None:
        element.text = "\n"
    for child in element:
        child.tail = child.tail or "\n"
        _break_lines(child)


def compact(svg: str, figure_id: str) -> str:
    """The same picture in fewer words: tenths of a point, lines that are named once, a class for looks that return, numbers
    for what is referred to, and no groups that say nothing. Classes and identifiers begin with the figure's id.
    """
    root = ElementTree.fromstring(svg)
    used = set(LOCAL_REFERENCE.findall(svg)) | set(re.findall(r'href="#([^"]+)"', svg))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        # Matplotlib turns upright text by nothing.
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        _round(element, _COORDINATES, 1)
    _unwrap(root)
    _number_identifiers(root, figure_id)
    _share_looks(root, figure_id)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    _trim(root)
    _break_lines(root)
    return _PATH.sub(lambda path: _straight(path[0].replace("\n", " ")), ElementTree.tostring(root, encoding="unicode"))


def _round(element: ElementTree.Element, names: Set[str], digits: int) -> None:
    """Write coordinates to so many digits of a point."""
    for name in names & element.attrib.keys():
        short = _FRACTION.sub(lambda found: f"{float(found[0]):.{digits}f}".rstrip("0").rstrip("."), element.attrib[name])
        element.set(name, short)


def _straight(path: str) -> str:
    """A path of straight lines alone says so once: points after the first one are their ends."""
    return path if set(path) & set("CQ") else path.replace(" L ", " ")


def _number_identifiers(root: ElementTree.Element, prefix: str) -> None:
    """Matplotlib names what is referred to by a hash; a number is as good."""
    names = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    short = {name: f"{prefix}-{number}" for number, name in enumerate(names)}
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set(attribute, short[value])
            elif attribute in (f"{{{XLINK}}}href", "href") and value.startswith("#"):
                element.set(attribute, f"#{short[value[1:]]}")
            elif "url(#" in value:
                element.set(attribute, LOCAL_REFERENCE.sub(lambda found: f"url(#{short[found[1]]})", value))


def _share_looks(root: ElementTree.Element, prefix: str) -> None:
    """Name the styles that several elements have, in one style sheet."""
    counts = Counter(element.get("style", "") for element in root.iter() if element is not root)
    names = {style: f"{prefix}-{number}" for number, (style, count) in enumerate(counts.items()) if style and count > 1}
    for element in root.iter():
        if element.get("style") in names:
            element.set("class", names[element.attrib.pop("style")])
    sheet = ElementTree.Element(f"{{{SVG}}}style")
    sheet.text = "\n".join(f".{name}{{{style}}}" for style, name in names.items())
    root.insert(0, sheet)


def _unwrap(element: ElementTree.Element) -> None:
    """Put what is in a group that has no attributes, and no words for itself, in the group's place."""
    children: list[ElementTree.Element] = []
    for child in element:
        _unwrap(child)
        bare = child.tag == f"{{{SVG}}}g" and not child.attrib and child.find(f"{{{SVG}}}title") is None
        children += list(child) if bare else [child]
    element[:] = children


def in_page(svg: str, name: str, identifier: str) -> Markup:
    """An SVG of `render_svg` for inside a page: the page chooses its size, and a screen reader says `name`."""
    head, end, rest = svg.partition(">")
    for size in ("width", "height"):
        head = re.sub(rf' {size}="[^"]*"', "", head)
    return Markup(head.replace("<svg", Markup('<svg id="{}" aria-label="{}"').format(identifier, name), 1) + end + rest)


def legend_of(svg: str, identifier: str) -> Markup:
    """The legend at the right edge of the SVG that a page has under an identifier, as a picture of its own; empty where there is none."""
    found, box = _LEGEND.search(svg), _VIEW_BOX.search(svg)
    if not found or not box:
        return Markup("")
    share, width = float(found[1]), float(box[1])
    return Markup(
        '<svg class="legend" aria-hidden="true" style="--share:{:.3f}" viewBox="{:.1f} 0 {:.1f} {}">'
        '<use href="#{}" width="{}" height="{}"></use></svg>'
    ).format(1 - share, share * width, (1 - share) * width, box[2], identifier, box[1], box[2])


def follow_scheme(svg: str, palette: Palette) -> str:
    """The same SVG for inside a page: the palette's colours become custom properties, so that it turns dark with the page."""

    def property_of(match: re.Match[str]) -> str:
        name = palette.by_light_color.get(match[0].lower())
        return f"var({palette.property_name(name)})" if name else match[0]

    return re.sub(r'(?<=style=")[^"]*', lambda match: COLOR.sub(property_of, match[0]), svg)
