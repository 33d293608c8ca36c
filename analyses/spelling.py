"""When two spellings are the same word: a text folded to what does not depend on how it was typed, with the way back.

Folded are the case (Unicode's full folding: STRASSE is Straße), compatibility forms (full width, ligatures), apostrophes and
hyphens of all kinds, spaces; left out are characters that are not seen (soft hyphen, joiners, variation selectors) and the vowel
signs of Arabic and Hebrew, which most texts leave out. In Vietnamese hoà and hòa are one word, and so are the two letters that
are typed for đ. Marks that tell words apart elsewhere stay.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_APOSTROPHES = dict.fromkeys("’‘ʼ＇`´‛", "'")
_HYPHENS = dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u058a\u05be", "-")
# Eth and African D look like đ, and Vietnamese texts hold them by mistake.
_LETTERS = {"ð": "đ", "Ð": "Đ", "Ɖ": "Đ", "ɖ": "đ"}
_SAME = {**_APOSTROPHES, **_HYPHENS, **_LETTERS}
_TURKIC = {"I": "ı", "İ": "i"}
_TURKIC_LANGUAGES = frozenset({"tr", "az", "crh", "gag", "tt", "kk"})
# Points of Hebrew; vowel signs of Arabic without the three that make another letter (U+0653-0655); tatweel.
_VOWEL_SIGNS = re.compile(
    r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u0640]"
)
# The tone of an open syllable in oa, oe, uy stands on the first vowel or on the second.
_TONE = re.compile("(o[\u0300\u0301\u0303\u0309\u0323][ae]|u[\u0300\u0301\u0303\u0309\u0323]y)(?![\\w\u0300-\u036f])")


@dataclass(frozen=True)
class Folded:
    """A folded text; `origin` says of each of its characters which character of the original it came from."""

    text: str
    origin: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """The original's characters [first, last) behind folded ones [start, end), None where these end inside one of the original's."""
        first, last = self.origin[start], self.origin[end - 1]
        if (start and self.origin[start - 1] == first) or (end < len(self.origin) and self.origin[end] == last):
            return None
        return first, last + 1


def fold(text: str, *, case_sensitive: bool, turkic: bool) -> Folded:
    """Fold a text in normal form C.

    Parameters
    ----------
    case_sensitive
        Leave the case as it is.
    turkic
        I is the capital of ı, and İ that of i.
    """
    pairs = [(character, index) for index, original in enumerate(text) for character in _folded(original, case_sensitive, turkic)]
    characters = [character for character, _ in pairs]
    origin = [index for _, index in pairs]
    for match in _TONE.finditer("".join(characters)):
        start = match.start()
        characters[start + 1 : start + 3] = characters[start + 2], characters[start + 1]
        origin[start + 1 : start + 3] = [origin[start + 2]] * 2
    return Folded("".join(characters), tuple(origin))


def is_turkic(language: str | None, text: str, word: str) -> bool:
    """Whether i and ı are two letters: by the language's code, else where either of the two other letters stands somewhere."""
    if language is not None:
        return language.partition("-")[0].lower() in _TURKIC_LANGUAGES
    return any(letter in text or letter in word for letter in "ıİ")


def _folded(character: str, case_sensitive: bool, turkic: bool) -> Iterator[str]:
    if unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f" or _VOWEL_SIGNS.match(character):
        return
    if character.isspace():
        yield " "
        return
    character = _SAME.get(character, character)
    if turkic and not case_sensitive:
        character = _TURKIC.get(character, character)
    compatible = unicodedata.normalize("NFKD", character)
    yield from (_SAME.get(each, each) for each in compatible) if case_sensitive else unicodedata.normalize("NFKD", compatible.casefold())
