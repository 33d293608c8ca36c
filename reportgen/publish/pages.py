"""Pages around the reports (choosers, indexes, histories, comparisons): every sentence in all languages, one self-contained file."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from analyses.errors import InputError
from reportgen.documents.assets import Assets
from reportgen.documents.faces import font_faces
from reportgen.documents.html import data_uri
from reportgen.documents.languages import Language
from reportgen.documents.svg import Palette
from reportgen.documents.writer import inline_markup, side_by_side, verdict_mark

# The faces that these pages use; the others would only make them larger.
_FACES = ("serif-regular", "serif-semibold", "sans-regular", "sans-semibold")


class Pages:
    """Renders templates in which ``both(key)`` gives a sentence in every language.

    Parameters
    ----------
    languages
        In the order in which they are shown; the first is the page's own.

    Attributes
    ----------
    css
        The style sheet of the pages, with its fonts.
    """

    def __init__(self, assets: Assets, languages: Sequence[Language]) -> None:
        self.assets = assets
        self.languages = tuple(languages)
        self.css = _style(assets)
        self._environment = assets.environment()
        self._environment.offer(both=self.both, say=self.say, verdict=self.verdict, each=self.each)

    def render(self, template: str, *, style: str | None = None, **context: Any) -> str:
        """The page as text, from plain data; its style sheet is in it, or at the address `style`."""
        # Within a style sheet nothing but its end begins with "</".
        css = Markup(self.css.replace("</", "<\\/"))
        seen = {
            "css": css,
            "style": style,
            "languages": [{"code": language.code} for language in self.languages],
            "first": {"code": self.languages[0].code},
        }
        return self._environment.render(template, {**seen, **context})

    def say(self, key: str, **values: Any) -> str:
        """A sentence in the page's own language, for attributes."""
        return self.languages[0].text(key, **values)

    def both(self, key: str, **values: Any) -> Markup:
        """A sentence in every language, each marked with its language."""
        return self.each({language.code: sentence(language, key, values) for language in self.languages})

    def each(self, by_language: Mapping[str, str | Markup]) -> Markup:
        """The same thing in every language; said once where the words are the same."""
        if len(set(by_language.values())) == 1:
            return Markup("{}").format(next(iter(by_language.values())))
        return side_by_side(by_language, "version")

    def verdict(self, verdict: str | None) -> Markup:
        """A verdict's sign and word in every language; a dash where there is none."""
        if verdict is None:
            return Markup("—")
        return verdict_mark(verdict, {language.code: language.text(f"verdict.{verdict}") for language in self.languages})

    def named(self, keys: Sequence[str], fallback: str) -> Markup:
        """The first of these keys that the catalogues have, else `fallback` in plain words."""
        for key in keys:
            if all(key in language.catalogue for language in self.languages):
                return self.both(key)
        return Markup("{}").format(fallback.replace("_", " "))


def sentence(language: Language, key: str, values: Mapping[str, Any]) -> Markup:
    """A sentence of a catalogue as HTML, its values written and escaped."""
    written = {name: escape(language.format(value)) for name, value in values.items()}
    return Markup(language.fill(str(inline_markup(language.sentence(key))), written, key))


def _style(assets: Assets) -> str:
    faces = font_faces(lambda name: data_uri(assets.bytes(f"fonts/{name}.woff2"), "font/woff2"), "woff2", _FACES)
    sheets = "\n".join(assets.text(f"styles/{name}.css") for name in ("report", "screen"))
    return faces + Palette.load(assets).screen_css() + sheets + assets.text("publish/pages.css")


def chosen(languages: Mapping[str, Language], codes: Sequence[str]) -> list[Language]:
    """The languages of these codes, in that order; ``vi-en`` names two."""
    found: dict[str, Language] = {}
    for code in codes:
        for member in [code] if code in languages else code.split("-"):
            if member not in languages:
                raise InputError(f"language {member!r}: there are {', '.join(languages)}")
            found[member] = languages[member]
    return list(found.values())
