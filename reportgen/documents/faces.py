"""The report's own fonts, as a style sheet names them."""

from collections.abc import Callable, Iterable

FACES = {
    "serif-regular": ("Reportgen Serif", 400, "normal"),
    "serif-italic": ("Reportgen Serif", 400, "italic"),
    "serif-semibold": ("Reportgen Serif", 600, "normal"),
    "sans-regular": ("Reportgen Sans", 400, "normal"),
    "sans-italic": ("Reportgen Sans", 400, "italic"),
    "sans-semibold": ("Reportgen Sans", 600, "normal"),
    "mono-regular": ("Reportgen Mono", 400, "normal"),
    "math-regular": ("Reportgen Math", 400, "normal"),
}


def font_faces(address: Callable[[str], str], style_format: str, names: Iterable[str] = FACES) -> str:
    """``@font-face`` rules for the report's fonts, or for some of them.

    A diff shows three lines around each line that changed: the font itself, which may be 50 kB in one line, is the fourth of its rule.
    """
    return "".join(
        f'@font-face{{font-family:"{family}";\nfont-weight:{weight};\nfont-style:{style};\n'
        f'src:url("{address(name)}") format("{style_format}")}}\n'
        for name, (family, weight, style) in ((name, FACES[name]) for name in names)
    )
