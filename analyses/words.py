"""The occurrences of a word in a tokenised text.

A word is looked for in the *text*, between Unicode word boundaries, and the tokens are those whose span overlaps it: tokenizers
put the leading space into the token, cut words into pieces, and spell the same word differently after a space and after a
line's start, so tokens are never compared with the word.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analyses.errors import InputError

FEWEST_OCCURRENCES = 2  # one pair


@dataclass(frozen=True)
class Occurrence:
    """One place where the word stands: characters [start, end) of the text, and the tokens that cover them, in order."""

    start: int
    end: int
    tokens: tuple[int, ...]


def find_occurrences(
    text: str, word: str, offsets: Sequence[tuple[int, int]], *, case_sensitive: bool = False, plural: bool = False
) -> list[Occurrence]:
    """All places of `word` in `text`, from left to right.

    Parameters
    ----------
    text
        The text that was tokenised, in Unicode normal form C (`offsets` count its characters).
    word
        One word or several ("cà phê"), in any normal form; a space stands for any white space.
    offsets
        Start and end of every token in the text; an empty span (a special token) covers nothing.
    case_sensitive
        Tell "Coffee" from "coffee".
    plural
        Let the English plural in -s or -es count too.

    Raises
    ------
    InputError
        The text is not in normal form C, the word does not stand in it, stands there only once, or no token covers it.
    """
    if not unicodedata.is_normalized("NFC", text):
        raise InputError("the text must be in Unicode normal form C (NFC) before it is tokenised")
    word = " ".join(unicodedata.normalize("NFC", word).split())
    if not word:
        raise InputError("word: expected at least one letter")
    spans = _spans(text, word, case_sensitive=case_sensitive, plural=plural)
    if not spans:
        raise InputError(f"the word {word!r} does not stand in the text{_hint(text, word, case_sensitive=case_sensitive, plural=plural)}")
    if len(spans) < FEWEST_OCCURRENCES:
        hint = _hint(text, word, case_sensitive=case_sensitive, plural=plural, already=len(spans))
        raise InputError(f"the word {word!r} stands in the text only once; at least {FEWEST_OCCURRENCES} occurrences are needed{hint}")
    return [Occurrence(start, end, _covering(start, end, offsets, word)) for start, end in spans]


def _spans(text: str, word: str, *, case_sensitive: bool, plural: bool) -> list[tuple[int, int]]:
    pattern = r"\s+".join(re.escape(part) for part in word.split(" "))
    if plural:
        pattern += "(?:e?s)?"
    # A boundary is the end of a run of letters, digits, combining marks and underscores. `\b` would not do: it asks for a
    # letter on one side, so that "C++" had none at its end, and it takes a combining mark for the end of a word.
    found = re.finditer(pattern, text, re.NOFLAG if case_sensitive else re.IGNORECASE)
    return [match.span() for match in found if _is_boundary(text, match.start()) and _is_boundary(text, match.end())]


def _is_boundary(text: str, index: int) -> bool:
    if index in (0, len(text)):
        return True
    before, after = text[index - 1], text[index]
    if unicodedata.category(after).startswith("M"):
        return False
    # Between ideographs and kana there is a boundary everywhere: nothing there shows where a word ends (UAX #29, WB999).
    return not (_in_word(before) and _in_word(after)) or _stands_alone(before) or _stands_alone(after)


def _in_word(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LNM"


def _stands_alone(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA"))


def _covering(start: int, end: int, offsets: Iterable[tuple[int, int]], word: str) -> tuple[int, ...]:
    tokens = tuple(index for index, (first, last) in enumerate(offsets) if first < end and last > start and last > first)
    if not tokens:
        raise InputError(f"no token covers the word {word!r} at character {start}; the offsets belong to another text")
    return tokens


def _hint(text: str, word: str, *, case_sensitive: bool, plural: bool, already: int = 0) -> str:
    """What would find more, as the end of a sentence; empty where nothing does."""
    looser = [
        (True, False, "in another case: leave case_sensitive off"),
        (False, True, "in the plural: set plural to true"),
        (True, True, "in the plural or another case: set plural to true and leave case_sensitive off"),
    ]
    for ignore_case, with_plural, sentence in looser:
        if (ignore_case and not case_sensitive) or (with_plural and plural):
            continue
        found = _spans(text, word, case_sensitive=case_sensitive and not ignore_case, plural=plural or with_plural)
        if len(found) > already:
            return f"; it stands there {len(found) - already} ×{' more' if already else ''} {sentence}"
    inside = len(re.findall(re.escape(word), text, re.IGNORECASE))
    if inside > already:
        return f"; it is only a part of longer words there ({inside} times)" if not already else ""
    return ""
