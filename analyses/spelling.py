"""When two spellings are the same word: a text folded to what does not depend on how it was typed, with the way back.

Folded are the case (Unicode's full folding: STRASSE is Straße), compatibility forms (full width, ligatures), apostrophes and
hyphens of all kinds, spaces; left out are characters that are not seen (soft hyphen, joiners, variation selectors) and the vowel
signs of Arabic and Hebrew, which most texts leave out. In Vietnamese hoà and hòa are one word, and so are the two letters that
are typed for đ; in Persian the letters of an Arabic keyboard and its own. Marks that tell words apart elsewhere stay.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# Among them the primes, Hebrew's geresh, Armenian's, and the signs that Polynesian and transcribed Semitic words are written with.
_APOSTROPHES = dict.fromkeys("’‘ʼ＇`´‛′ʹʻʽʾʿ\u05f3\u055aꞌ", "'")
APOSTROPHES = "'" + "".join(_APOSTROPHES)
_DOUBLE = {"\u05f4": '"', "”": '"', "“": '"', "″": '"'}
_HYPHENS = dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u058a\u05be", "-")
# Eth and African D look like đ, and Vietnamese texts hold them by mistake.
_LETTERS = {"ð": "đ", "Ð": "Đ", "Ɖ": "Đ", "ɖ": "đ"}
# Kaf and yeh of an Arabic keyboard in Persian texts. (The yeh without dots tells words apart in Arabic.)
_KEYBOARDS = {"\u0643": "\u06a9", "\u064a": "\u06cc"}
_SAME = {**_APOSTROPHES, **_DOUBLE, **_HYPHENS, **_LETTERS, **_KEYBOARDS}
_TURKIC = {"I": "ı", "İ": "i"}
_TURKIC_LANGUAGES = frozenset({"tr", "az", "crh", "gag", "tt", "kk"})
# Points of Hebrew; vowel signs of Arabic without the three that make another letter (U+0653-0655); tatweel.
_VOWEL_SIGNS = re.compile(
    r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u0640]"
)
_TONES = "\u0300\u0301\u0303\u0309\u0323"
# A syllable's vowels with their marks. In Vietnamese it has one tone, on whichever of them a text sets it (hòa and hoà, qúa for quá).
_VOWELS = re.compile(rf"(?:[aeiouy][{_TONES}\u0302\u0306\u031b]*){{2,}}", re.IGNORECASE)
# Everywhere: the open syllables in which both places are taught.
_OPEN = re.compile(rf"(?:o[{_TONES}]?[ae][{_TONES}]?|u[{_TONES}]?y[{_TONES}]?)(?![\w\u0300-\u036f])", re.IGNORECASE)
# Letters that no other language has with tones beside them: with horn, with hook, and with two marks.
_VIETNAMESE = re.compile("[ơưƠƯ\u1ea2-\u1eb7\u1eba-\u1ebb\u1ebe-\u1ec9\u1ece-\u1ecf\u1ed0-\u1ee3\u1ee6-\u1ef1\u1ef6-\u1ef7]")


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


def fold(text: str, *, case_sensitive: bool, turkic: bool, vietnamese: bool) -> Folded:
    """Fold a text in normal form C.

    Parameters
    ----------
    case_sensitive
        Leave the case as it is.
    turkic
        I is the capital of ı, and İ that of i.
    vietnamese
        On which vowel of a syllable its tone stands makes no other word, in whatever syllable.
    """
    pairs = [(character, index) for index, original in enumerate(text) for character in _folded(original, case_sensitive, turkic)]
    characters = [character for character, _ in pairs]
    origin = [index for _, index in pairs]
    for match in (_VOWELS if vietnamese else _OPEN).finditer("".join(characters)):
        _tone_last(characters, origin, *match.span())
    return Folded("".join(characters), tuple(origin))


def _tone_last(characters: list[str], origin: list[int], start: int, end: int) -> None:
    """Move the tone of a syllable's vowels behind them, where they have one."""
    tones = [index for index in range(start, end) if characters[index] in _TONES]
    if len(tones) != 1:
        return
    characters[start:end] = [*characters[start : tones[0]], *characters[tones[0] + 1 : end], characters[tones[0]]]
    origin[start:end] = [*origin[start : tones[0]], *origin[tones[0] + 1 : end], origin[end - 1]]


def is_turkic(language: str | None, text: str, word: str) -> bool:
    """Whether i and ı are two letters: by the language's code, else where either of the two other letters stands somewhere."""
    if language is not None:
        return language.partition("-")[0].lower() in _TURKIC_LANGUAGES
    return any(letter in text or letter in word for letter in "ıİ")


def is_vietnamese(language: str | None, text: str) -> bool:
    """Whether a text is Vietnamese: by the language's code, else where a letter stands in it that only Vietnamese has."""
    if language is not None:
        return language.partition("-")[0].lower() == "vi"
    return _VIETNAMESE.search(text) is not None


def is_unseen(character: str) -> bool:
    """Whether a character has no shape of its own: a joiner, a direction, a selector of the shape before it."""
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


def end_of_word(text: str, end: int) -> int:
    """Where a word that was found up to `end` ends in the text: behind the vowel signs and selectors that follow its last letter."""
    last = after = end
    while after < len(text) and (is_unseen(text[after]) or _VOWEL_SIGNS.match(text[after])):
        after += 1
        if unicodedata.category(text[after - 1]) != "Cf":
            last = after
    return last


def _folded(character: str, case_sensitive: bool, turkic: bool) -> Iterator[str]:
    if is_unseen(character) or _VOWEL_SIGNS.match(character):
        return
    if character.isspace():
        yield " "
        return
    character = _SAME.get(character, character)
    if turkic and not case_sensitive:
        character = _TURKIC.get(character, character)
    compatible = unicodedata.normalize("NFKD", character)
    yield from (_SAME.get(each, each) for each in compatible) if case_sensitive else unicodedata.normalize("NFKD", compatible.casefold())
