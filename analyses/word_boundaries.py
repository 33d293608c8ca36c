"""Where words end in a text: ICU's boundaries (UAX #29, with dictionaries for scripts without spaces), and a few that texts need besides.

ICU takes some signs for parts of words that are none in a text as people write it: the underscores of Markdown, an apostrophe
before an ending or after an article, a full stop without a space behind it.
"""

import re

from analyses.errors import MissingError
from analyses.installation import not_installed
from analyses.spelling import APOSTROPHES

# Emphasis in Markdown: underscores at whose outer side no word goes on. (In snake_case they are a part of the word.)
_EMPHASIS = re.compile(r"(?<![\w])_+(?=\w)|(?<=[^\W_])_+(?!\w)")
_APOSTROPHE = re.compile(rf"(?<=\w)[{APOSTROPHES}](?=\w)")
# "n't" is cut nowhere: "can" is not the word in "can't".
_NOT = re.compile(rf"n[{APOSTROPHES}]t\b", re.IGNORECASE)
# A sentence's end without a space, and a colon between words.
_STOP = re.compile(r"(?<=[a-zà-ɏḁ-ỿ])[.](?=[A-ZÀ-ÞĐ])|(?<=\w):(?=[^\W\d])")


def word_boundaries(text: str) -> frozenset[int]:
    """The places of a text, as numbers of characters before them, where a word may begin or end; its beginning and end are among them.

    Raises
    ------
    MissingError
        icu4py is not installed.
    """
    masked = _EMPHASIS.sub(lambda match: "*" * len(match[0]), text)
    boundaries = set(_icu_boundaries(masked)) | {0, len(text)}
    kept = {match.start() + 1 for match in _NOT.finditer(text)}
    for match in _APOSTROPHE.finditer(text):
        if match.start() not in kept:
            boundaries |= {match.start(), match.end()}
    for match in _STOP.finditer(text):
        boundaries |= {match.start(), match.end()}
    return frozenset(boundaries)


def _icu_boundaries(text: str) -> list[int]:
    try:
        from icu4py.breakers import WordBreaker
    except ImportError as error:
        raise MissingError(f"where words end is not known here: {not_installed(error.name)}") from error
    if not text:
        return []
    ends = [end for _, end in WordBreaker(text, "root").segments()]
    if len(text) == len(text.encode("utf-16-le")) // 2:
        return ends
    # ICU counts code units: characters beyond the first 65 536, such as emoji, are two.
    place, place_of = 0, {}
    for index, character in enumerate(text):
        place_of[place] = index
        place += 1 if ord(character) < 0x10000 else 2
    place_of[place] = len(text)
    return [place_of[end] for end in ends] if ends[-1] == place else ends
