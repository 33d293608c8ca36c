"""The occurrences of a word in a tokenised text.

A word is looked for in the *text*, between the word boundaries that ICU finds, and the tokens are those whose span overlaps it:
tokenizers put the leading space into the token, cut words into pieces, and spell the same word differently after a space and
after a line's start, so tokens are never compared with the word. What counts as the same spelling is the work of `spelling`.

A place where the model has no vector of the word is found, left out and named: in an address, at the text's first token, in a
token that holds more than the word, or where the tokenizer has only its sign for what it does not know.
"""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from analyses.errors import InputError
from analyses.spelling import Folded, end_of_word, fold, is_turkic, is_unseen, is_vietnamese
from analyses.word_boundaries import word_boundaries

FEWEST_OCCURRENCES = 2  # one pair

Reason = Literal["first_token", "wider_token", "unknown_token", "address", "excluded"]
_REASONS: dict[Reason, str] = {
    "first_token": "at the first token of the text, where a model parks its attention and the vector is of another order of size",
    "wider_token": "in a token that holds more than the word",
    "unknown_token": "where the tokenizer does not know the word and puts its sign for that",
    "address": "in an address",
    "excluded": "as a part of an expression that the settings exclude",
}
# What ends an address besides a space: the marks of HTML and Markdown around it, quotation marks, the punctuation of East Asia.
_IN_ADDRESS = r"[^\s<>\"`|()\[\]{}“”«»、-】！（），：；？｜]"
_ADDRESS = re.compile(
    rf"(?:[a-z][a-z0-9+.-]*://|www\.)(?:{_IN_ADDRESS}|\({_IN_ADDRESS}*\))+"
    rf"|\b(?:doi:\s*)?10\.\d{{4,9}}/{_IN_ADDRESS}+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w@])@\w+"
    r"|(?<![\w.])[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|int|info|io|dev|app|ai|[a-z]{2}(?=/))(?![\w-])"
    rf"(?:/{_IN_ADDRESS}*)?",
    re.IGNORECASE,
)
# C is not the word in C++ or C#.
_SIGN_AFTER = re.compile(r"(?:\+\+|#)(?!\w)")
# Letters and their marks, with the hyphens and apostrophes between them: a word that a study is held against.
_WORD = re.compile("L[LM]*(?:[-'’]L[LM]*)*")
_KINDS = {"L": "L", "M": "M", "N": " "}


@dataclass(frozen=True)
class Occurrence:
    """One place where the word stands: characters [start, end) of the text, and the tokens that cover them, in order."""

    start: int
    end: int
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class LeftOut(Occurrence):
    """A place where the word stands and does not count, and why."""

    reason: Reason


@dataclass(frozen=True)
class Found:
    """Where a word stands.

    Attributes
    ----------
    occurrences
        The places that count, from left to right.
    left_out
        The places that do not.
    spellings
        How the word is spelled where it counts -> how often, in the order of the text.
    near
        What the settings do not count -> how often: ``case``, ``plural``, ``inside`` (a part of longer words).
    """

    occurrences: tuple[Occurrence, ...]
    left_out: tuple[LeftOut, ...] = ()
    spellings: Mapping[str, int] = field(default_factory=dict)
    near: Mapping[str, int] = field(default_factory=dict)

    def remark(self, word: str) -> str | None:
        """One line about what was left out or nearly found; None where there is nothing to say."""
        parts = [f"{count} × {_REASONS[reason]}" for reason, count in Counter(place.reason for place in self.left_out).items()]
        said = [f"left out {', '.join(parts)}"] if parts else []
        kinds = {"case": "in another case", "plural": "in the plural", "inside": "as a part of longer words"}
        said += [f"not counted {count} × {kinds[kind]}" for kind, count in self.near.items() if count]
        counted = ", ".join(f"{spelling} {count} ×" for spelling, count in self.spellings.items())
        return f"the word {word!r} counts as {counted}; {'; '.join(said)}" if said else None

    def to_dict(self) -> dict[str, object]:
        """The same without the occurrences, as it stands in a study's facts."""
        places = [{"start": place.start, "end": place.end, "reason": place.reason} for place in self.left_out]
        return {"spellings": dict(self.spellings), "left_out": places, "near": dict(self.near)}


def find_occurrences(
    text: str, word: str, offsets: Sequence[tuple[int, int]], *, case_sensitive: bool = False, plural: bool = False
) -> list[Occurrence]:
    """All places of `word` in `text` that count, from left to right; `look_for` says more.

    Raises
    ------
    InputError
        As `look_for`.
    """
    return list(look_for(text, word, offsets, case_sensitive=case_sensitive, plural=plural).occurrences)


def look_for(
    text: str,
    word: str,
    offsets: Sequence[tuple[int, int]],
    *,
    case_sensitive: bool = False,
    plural: bool = False,
    inside_words: bool = False,
    except_in: Sequence[str] = (),
    language: str | None = None,
    unknown: Collection[int] = (),
) -> Found:
    """All places of `word` in `text`.

    Parameters
    ----------
    text
        The text that was tokenised, in Unicode normal form C (`offsets` count its characters).
    word
        One word or several ("cà phê"), in any normal form; a space stands for any white space or a hyphen.
    offsets
        Start and end of every token in the text; an empty span (a special token) covers nothing.
    case_sensitive
        Tell "Coffee" from "coffee".
    plural
        Let the English plural in -s or -es count too.
    inside_words
        Let the word count inside longer words too (Korean particles, suffixes).
    except_in
        Longer expressions in which the word is another one.
    language
        Code of the text's language. Turkish and its kin write i and ı, which are two letters.
    unknown
        The tokens, by index, that stand for what the tokenizer does not know.

    Raises
    ------
    InputError
        The text is not in normal form C, the word does not stand in it, or counts there only once, or no token covers it.
    """
    if not unicodedata.is_normalized("NFC", text):
        raise InputError("the text must be in Unicode normal form C (NFC) before it is tokenised")
    word = " ".join(unicodedata.normalize("NFC", word).split())
    if not word:
        raise InputError("word: expected at least one letter")
    search = _Search(text, word, turkic=is_turkic(language, text, word), vietnamese=is_vietnamese(language, text))
    spans = search.spans(case_sensitive=case_sensitive, plural=plural, inside=inside_words)
    if not spans:
        raise InputError(f"the word {word!r} does not stand in the text{_hint(search, case_sensitive=case_sensitive, plural=plural)}")
    addresses = [match.span() for match in _ADDRESS.finditer(text)]
    excluded = [span for longer in except_in for span in search.of(longer).spans(case_sensitive=case_sensitive, plural=plural, inside=True)]
    occurrences, left_out = [], []
    for start, end in spans:
        tokens = _covering(start, end, offsets, word)
        reason: Reason | None = None
        if _within(start, end, addresses):
            reason = "address"
        elif _within(start, end, excluded):
            reason = "excluded"
        elif not set(unknown).isdisjoint(tokens):
            reason = "unknown_token"
        elif any(_holds_more(text, offsets[token], start, end) for token in tokens):
            reason = "wider_token"
        elif 0 in tokens:
            reason = "first_token"
        if reason is None:
            occurrences.append(Occurrence(start, end, tokens))
        else:
            left_out.append(LeftOut(start, end, tokens, reason))
    near = search.near(case_sensitive=case_sensitive, plural=plural, inside=inside_words)
    spellings = Counter(text[place.start : place.end] for place in occurrences)
    found = Found(tuple(occurrences), tuple(left_out), dict(spellings), near)
    if len(occurrences) < FEWEST_OCCURRENCES:
        raise InputError(_too_few(word, found, search, case_sensitive=case_sensitive, plural=plural))
    return found


def words_of(text: str) -> list[tuple[int, int]]:
    """Start and end of every word of a text, from left to right, hyphens and apostrophes inside.

    Where a script sets no spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) ICU's dictionaries say where words end. Characters
    that are not seen break none.
    """
    boundaries = word_boundaries(text)
    kinds = "".join("M" if is_unseen(character) else _KINDS.get(unicodedata.category(character)[0], character) for character in text)
    found = []
    for match in _WORD.finditer(kinds):
        # A boundary beside a hyphen or an apostrophe is inside the word.
        inside = range(match.start() + 1, match.end())
        cuts = [match.start(), *(at for at in inside if at in boundaries and {kinds[at - 1], kinds[at]} <= {"L", "M"}), match.end()]
        found += [(start, _last_seen(text, end)) for start, end in itertools.pairwise(cuts) if kinds[start] == "L"]
    return found


def _last_seen(text: str, end: int) -> int:
    while is_unseen(text[end - 1]):
        end -= 1
    return end


class _Search:
    """One word in one text, under this or that understanding of what is the same word."""

    def __init__(self, text: str, word: str, *, turkic: bool, vietnamese: bool) -> None:
        self._text, self._word = text, word
        self._language = {"turkic": turkic, "vietnamese": vietnamese}
        self._folded: dict[bool, Folded] = {}
        self._boundaries = word_boundaries(text)

    def of(self, word: str) -> "_Search":
        """The search for another word in the same text."""
        other = _Search.__new__(_Search)
        other.__dict__ = self.__dict__ | {"_word": " ".join(unicodedata.normalize("NFC", word).split())}
        return other

    def spans(self, *, case_sensitive: bool, plural: bool, inside: bool = False) -> list[tuple[int, int]]:
        """Where it stands, from left to right, as characters of the text."""
        return [span for span in self._everywhere(case_sensitive=case_sensitive, plural=plural) if inside or self._is_word(*span)]

    def near(self, *, case_sensitive: bool, plural: bool, inside: bool) -> dict[str, int]:
        """How much more there would be with one setting less strict."""
        now = len(self.spans(case_sensitive=case_sensitive, plural=plural, inside=inside))
        looser = {
            "case": self.spans(case_sensitive=False, plural=plural, inside=inside),
            "plural": self.spans(case_sensitive=case_sensitive, plural=True, inside=inside),
        }
        more = {kind: len(spans) - now for kind, spans in looser.items()}
        more["inside"] = len(self.inside(case_sensitive=case_sensitive)) - max(now, now + more["plural"])
        return {kind: count for kind, count in more.items() if count > 0}

    def inside(self, *, case_sensitive: bool) -> list[tuple[int, int]]:
        """Where it stands anywhere, in longer words too."""
        return list(self._everywhere(case_sensitive=case_sensitive, plural=False))

    def _everywhere(self, *, case_sensitive: bool, plural: bool) -> Iterator[tuple[int, int]]:
        if case_sensitive not in self._folded:
            self._folded[case_sensitive] = fold(self._text, case_sensitive=case_sensitive, **self._language)
        folded = self._folded[case_sensitive]
        wanted = fold(self._word, case_sensitive=case_sensitive, **self._language).text
        # A space may be a hyphen and a hyphen a space: "cà phê" and "cà-phê" are one word.
        parts = [part for part in re.split(r"[ -]+", wanted) if part]
        pattern = r"(?: +|-)".join(map(re.escape, parts)) if len(parts) > 1 else re.escape(wanted)
        if plural:
            pattern += "(?:e?s)?"
        start = 0
        while match := re.compile(pattern).search(folded.text, start):
            span = folded.span(*match.span())
            # A plural that is no word's end must not hide the singular before it.
            start = match.end() if span is not None and match.end() > match.start() else match.start() + 1
            if span is not None:
                yield span[0], end_of_word(self._text, span[1])

    def _is_word(self, start: int, end: int) -> bool:
        # A joiner or a sign of direction behind the word belongs to it for ICU.
        after = next((place for place in range(end, len(self._text)) if not is_unseen(self._text[place])), len(self._text))
        ends = start in self._boundaries and not self._boundaries.isdisjoint((end, after))
        return ends and not (self._text[end - 1].isalnum() and _SIGN_AFTER.match(self._text, end))


def _within(start: int, end: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(first <= start and end <= last for first, last in spans)


def _holds_more(text: str, token: tuple[int, int], start: int, end: int) -> bool:
    """Whether a token holds letters or digits beside the word's own."""
    first, last = token
    return any(character.isalnum() for character in text[first : max(first, start)] + text[min(last, end) : last])


def _covering(start: int, end: int, offsets: Iterable[tuple[int, int]], word: str) -> tuple[int, ...]:
    tokens = tuple(index for index, (first, last) in enumerate(offsets) if first < end and last > start and last > first)
    if not tokens:
        raise InputError(f"no token covers the word {word!r} at character {start}; the offsets belong to another text")
    return tokens


def _too_few(word: str, found: Found, search: _Search, *, case_sensitive: bool, plural: bool) -> str:
    count = len(found.occurrences)
    reasons = Counter(place.reason for place in found.left_out)
    left = ", ".join(f"{number} × {_REASONS[reason]}" for reason, number in reasons.items())
    hint = _hint(search, case_sensitive=case_sensitive, plural=plural, already=count + len(found.left_out))
    if not count:
        return f"the word {word!r} stands in the text only where it does not count: {left}{hint}"
    left = f"; left out {left}" if left else ""
    return f"the word {word!r} stands in the text only once; at least {FEWEST_OCCURRENCES} occurrences are needed{left}{hint}"


def _hint(search: _Search, *, case_sensitive: bool, plural: bool, already: int = 0) -> str:
    """What would find more, as the end of a sentence; empty where nothing does."""
    looser = [
        (True, False, "in another case: leave case_sensitive off"),
        (False, True, "in the plural: set plural to true"),
        (True, True, "in the plural or another case: set plural to true and leave case_sensitive off"),
    ]
    for ignore_case, with_plural, sentence in looser:
        if (ignore_case and not case_sensitive) or (with_plural and plural):
            continue
        found = search.spans(case_sensitive=case_sensitive and not ignore_case, plural=plural or with_plural)
        if len(found) > already:
            return f"; it stands there {len(found) - already} ×{' more' if already else ''} {sentence}"
    inside = len(search.inside(case_sensitive=False))
    if inside > already:
        more = f"{inside - already} × more" if already else f"{inside} times"
        return f"; it is only a part of longer words there ({more}): set inside_words to true if those are the word"
    return ""
