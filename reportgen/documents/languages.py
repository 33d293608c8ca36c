"""Languages as data: whole sentences from catalogues, and how each language writes numbers.

A language is a folder ``templates/languages/<code>/`` of ``.po`` files; what only one analysis says may stand in
``templates/<analysis>/languages/<code>/``, where a key of its own does not change what another says under the same one. A key (the
msgid) is a dotted name, its sentence (the msgstr) may hold placeholders ``%(name)s``. How numbers are written comes from Babel's locale
data and from the ``format.*`` keys of ``interface.po``: nothing in the code names a language.
"""

import datetime
import gettext
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import babel
import babel.dates
import babel.lists
import babel.numbers
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from analyses.errors import InputError
from analyses.readers import MEGABYTE, read_bytes

PLACEHOLDER = re.compile(r"%(?:\((?P<name>\w+)\)s|(?P<escaped>%)|(?P<wrong>.|$))", re.DOTALL)
MOST_DIGITS = 15
MINUS = "\u2212"
NO_BREAK_SPACE = "\u00a0"
DECIMAL_COMMA = re.compile(r"[−-]?[\d.]*,\d+%?")
# Up to how many decimals an interval's end is given so that its sign shows; what is 0 at that many is written as 0.
MOST_TELLING_DIGITS = 6


class CatalogueError(InputError):
    """A catalogue lacks a key, a sentence lacks a value, or a value cannot be written."""


def placeholders(sentence: str) -> frozenset[str]:
    """Names of the placeholders of a sentence; raises CatalogueError on a percent sign that is neither a placeholder nor ``%%``."""
    names = set()
    for match in PLACEHOLDER.finditer(sentence):
        if match["wrong"] is not None:
            raise CatalogueError(f"write %% or %(name)s instead of the lone % in: {sentence!r}")
        if match["name"]:
            names.add(match["name"])
    return frozenset(names)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or value is None or not math.isfinite(value):
        raise CatalogueError(f"{value!r} is not a number that a report can print; decide in the facts what to say instead")
    return float(value)


def _telling_digits(ends: Sequence[float], digits: int) -> int:
    """The fewest decimals, from `digits` on, with which no end that is not 0 is written as 0."""
    exact = [abs(Decimal(repr(_finite(end)))) for end in ends]
    told = [end for end in exact if round(end, MOST_TELLING_DIGITS) > 0]
    enough = (count for count in range(digits, MOST_TELLING_DIGITS) if all(round(end, count) > 0 for end in told))
    return next(enough, max(digits, MOST_TELLING_DIGITS))


def _digits(count: int) -> int:
    if not isinstance(count, int) or not 0 <= count <= MOST_DIGITS:
        raise CatalogueError(f"digits: expected 0 to {MOST_DIGITS}, found {count!r}")
    return count


@dataclass(frozen=True)
class Plural:
    """A sentence that counts: its forms, and which of them a count takes (gettext's ``Plural-Forms``)."""

    forms: tuple[str, ...]
    rule: str

    def __call__(self, count: int) -> str:
        return self.forms[gettext.c2py(self.rule)(count)]


class NumberSigns(NamedTuple):
    """What stands before a number's decimals, and between its thousands."""

    decimal: str = "."
    group: str = ","


@dataclass(frozen=True)
class Language:
    """One language: its catalogue and its way with numbers.

    Parameters
    ----------
    code
        Folder name and value of HTML's ``lang``, for example ``vi``.
    catalogue
        Key -> sentence; of one that counts, the form for many.
    plurals
        Key -> all forms of the sentences that count.
    """

    code: str
    catalogue: Mapping[str, str]
    plurals: Mapping[str, Plural] = field(default_factory=dict)

    @property
    def locale(self) -> babel.Locale:
        return babel.Locale.parse(self.code, sep="-")

    def sentence(self, key: str, count: Any = None) -> str:
        """The sentence of a key as written, placeholders unfilled; one that counts in its form for `count`.

        Raises CatalogueError when there is none, or no count.
        """
        if key in self.plurals:
            if not isinstance(count, int):
                raise CatalogueError(f"{self.code}: {key!r} counts: it takes a whole number as count, not {count!r}")
            return self.plurals[key](count)
        try:
            return self.catalogue[key]
        except KeyError:
            raise CatalogueError(f"templates/languages/{self.code}: no sentence for the key {key!r}") from None

    def text(self, key: str, **values: Any) -> str:
        """The sentence of a key with its placeholders filled; each value is a string or a value spec (see `format`)."""
        return self.fill(self.sentence(key, values.get("count")), values, key)

    def fill(self, sentence: str, values: Mapping[str, Any], key: str = "") -> str:
        """Fill the placeholders of a sentence; raises CatalogueError on one without a value. Values without a placeholder are ignored."""
        missing = placeholders(sentence) - values.keys()
        if missing:
            raise CatalogueError(f"{self.code}: {key or sentence!r} lacks a value for {', '.join(sorted(missing))}")
        return PLACEHOLDER.sub(lambda match: "%" if match["escaped"] else self.format(values[match["name"]]), sentence)

    def _convention(self, name: str) -> str:
        return self.sentence(f"format.{name}")

    def number(self, value: float, digits: int = 2, *, unit: bool = False) -> str:
        """A number with a fixed count of decimals.

        `unit` marks a quantity that cannot exceed 1 (p, r): where the language drops the leading zero of those, it is dropped.
        """
        rounded = round(Decimal(repr(_finite(value))), _digits(digits))
        if rounded == 0:
            rounded = abs(rounded)
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        written = babel.numbers.format_decimal(rounded, format=pattern, locale=self.locale).replace("-", MINUS)
        if unit and abs(rounded) < 1 and digits and self._convention("leading_zero") == "drop":
            written = written.replace("0", "", 1)
        return written

    def told(self, value: float, digits: int = 2, *, unit: bool = False) -> str:
        """A number in a sentence: with one or two more decimals where one that is not 0 would look so; what is smaller still is 0."""
        telling = _telling_digits((value,), _digits(digits))
        return self.number(value, telling if telling <= digits + 2 else digits, unit=unit)

    def integer(self, value: int) -> str:
        """A whole number with the language's thousands separator; raises CatalogueError on a fraction."""
        if _finite(value) != int(value):
            raise CatalogueError(f"{value!r} is not a whole number: use number(value, digits)")
        return self.number(int(value), 0)

    def percent(self, value: float, digits: int = 0) -> str:
        """A share (1 is 100 %) in percent."""
        pattern = "#,##0" + ("." + "0" * _digits(digits) if digits else "") + "%"
        rounded = round(Decimal(repr(_finite(value))), digits + 2)
        return babel.numbers.format_percent(abs(rounded) if rounded == 0 else rounded, format=pattern, locale=self.locale).replace(
            "-", MINUS
        )

    def _p(self, value: float) -> tuple[str, str]:
        if not 0 <= _finite(value) <= 1:
            raise CatalogueError(f"{value!r} is not a probability")
        if value < 0.001:
            return "<", self.number(0.001, 3, unit=True)
        if round(value, 3) == 1:
            return ">", self.number(0.999, 3, unit=True)
        return "=", self.number(value, 3, unit=True)

    def p_value(self, value: float) -> str:
        """A p-value as a statement: ``p = .012``, ``p < .001``."""
        sign, written = self._p(value)
        return f"p{NO_BREAK_SPACE}{sign}{NO_BREAK_SPACE}{written}"

    def p(self, value: float) -> str:
        """A p-value alone, for a table whose head says what it is: ``.012``, ``< .001``."""
        sign, written = self._p(value)
        return written if sign == "=" else f"{sign}{NO_BREAK_SPACE}{written}"

    def interval(self, low: float, high: float, digits: int = 2, *, unit: bool = False) -> str:
        """An interval in brackets with the language's separator; both ends have more digits where an end that is not 0 would look so."""
        digits = _telling_digits((low, high), digits)
        separator = self._convention("interval_separator")
        return f"[{self.number(low, digits, unit=unit)}{separator}{NO_BREAK_SPACE}{self.number(high, digits, unit=unit)}]"

    def statistic(self, name: str, degrees_of_freedom: float | None, value: float, digits: int = 2) -> str:
        """A test statistic: ``t(46) = 3.42``; without degrees of freedom ``Z = 3.42``."""
        bracket = ""
        if degrees_of_freedom is not None:
            whole = _finite(degrees_of_freedom) == int(degrees_of_freedom)
            bracket = f"({self.integer(int(degrees_of_freedom)) if whole else self.number(degrees_of_freedom, 1)})"
        return f"{name}{bracket}{NO_BREAK_SPACE}={NO_BREAK_SPACE}{self.number(value, digits)}"

    def date(self, value: datetime.date | str) -> str:
        """A date in words; a string is read as ISO 8601."""
        day = datetime.date.fromisoformat(value) if isinstance(value, str) else value
        return babel.dates.format_date(day, self._convention("date"), locale=self.locale).replace(" ", NO_BREAK_SPACE)

    def list(self, items: Sequence[Any]) -> str:
        """Items joined as the language enumerates them; each is a string or a value spec."""
        written = [self.format(item) for item in items]
        # Where a comma is the decimal sign it cannot stand between numbers as well: "0,1; 0,2 và 0,3".
        if self.decimal_sign == "," and len(written) > 2 and any(DECIMAL_COMMA.fullmatch(each) for each in written):
            written = [self._convention("series_separator").join(written[:-1]), written[-1]]
        return babel.lists.format_list(written, locale=self.locale)

    def format(self, spec: Any) -> str:
        """Write a language-neutral value spec.

        A string stands as it is, an int is written as an integer, a mapping says with ``as`` how its ``value`` is written:
        number, integer, percent, p_value, p, interval, statistic, date, key, list, series.
        """
        if isinstance(spec, str):
            return spec
        if isinstance(spec, Mapping):
            return self._format_mapping(spec)
        if isinstance(spec, int) and not isinstance(spec, bool):
            return self.integer(spec)
        raise CatalogueError(f"{spec!r}: say how to write it, for example {{'value': {spec!r}, 'as': 'number', 'digits': 2}}")

    def _format_mapping(self, spec: Mapping[str, Any]) -> str:
        options = {name: value for name, value in spec.items() if name in ("digits", "unit")}
        writers: dict[str, Callable[[], str]] = {
            "number": lambda: self.told(spec["value"], **options),
            "integer": lambda: self.integer(spec["value"]),
            "percent": lambda: self.percent(spec["value"], **options),
            "p_value": lambda: self.p_value(spec["value"]),
            "p": lambda: self.p(spec["value"]),
            "interval": lambda: self.interval(spec["low"], spec["high"], **options),
            "statistic": lambda: self.statistic(spec["name"], spec.get("df"), spec["value"], **options),
            "date": lambda: self.date(spec["value"]),
            "key": lambda: self.text(spec["key"], **spec.get("values", {})),
            "list": lambda: self.list(spec["values"]),
            "series": lambda: self._convention("series_separator").join(self.format(item) for item in spec["values"]),
        }
        kind = spec.get("as")
        if kind not in writers:
            raise CatalogueError(f"{dict(spec)!r}: 'as' must be one of {', '.join(writers)}")
        try:
            return writers[kind]()
        except KeyError as error:
            raise CatalogueError(f"{dict(spec)!r} lacks {error}") from None

    def name_of(self, code: str) -> str:
        """What this language calls another one, within a sentence."""
        name = self.locale.languages.get(code.partition("-")[0], code)
        return name[0].lower() + name[1:] if self._convention("language_name") == "lower" else name

    @property
    def decimal_sign(self) -> str:
        return babel.numbers.get_decimal_symbol(self.locale)

    @property
    def number_signs(self) -> NumberSigns:
        """For numbers that others write, such as the labels of an axis."""
        return NumberSigns(self.decimal_sign, babel.numbers.get_group_symbol(self.locale))


def in_one_line(texts: Iterable[str]) -> str:
    """The same thing in several languages in one line, where nothing can mark which is which; once where they write it alike."""
    return " / ".join(dict.fromkeys(texts))


class Labels:
    """Labels for what a document shows once, in all of its languages: ``Tầng / Layer``.

    Calling it gives the text of a key; numbers are written as in the document's first language.
    """

    def __init__(self, languages: Sequence[Language]) -> None:
        self.languages = tuple(languages)

    @property
    def codes(self) -> tuple[str, ...]:
        """The document's languages, by their codes."""
        return tuple(language.code for language in self.languages)

    def rows(self, key: str, **values: Any) -> list[tuple[str, str]]:
        """The text of a key, a row of (language, text) for each language."""
        return [(language.code, language.text(key, **values)) for language in self.languages]

    def __call__(self, key: str, **values: Any) -> str:
        return in_one_line(text for _, text in self.rows(key, **values))

    def number(self, value: float, digits: int = 2, *, unit: bool = False) -> str:
        """A number as in the document's first language."""
        return self.languages[0].number(value, digits, unit=unit)

    def integer(self, value: int) -> str:
        """A whole number as in the document's first language."""
        return self.languages[0].integer(value)

    def p(self, value: float) -> str:
        """A p-value as in the document's first language."""
        return self.languages[0].p(value)

    def format(self, spec: Any) -> str:
        """A value spec as in the document's first language."""
        return self.languages[0].format(spec)


def labels(languages: Sequence[Language]) -> Labels:
    """The labels of a document in these languages."""
    return Labels(languages)


def read_catalogue(path: Path) -> Catalog:
    """One ``.po`` file; raises CatalogueError when it cannot be read."""
    try:
        content = read_bytes(path, "catalogue", 5 * MEGABYTE)
        return read_po(io.BytesIO(content), locale=None, abort_invalid=True)
    except Exception as error:
        raise CatalogueError(f"{path}: {error}") from error


def _merge(folder: Path) -> dict[str, str | Plural]:
    sentences: dict[str, str | Plural] = {}
    for path in sorted(folder.glob("*.po")):
        catalogue = read_catalogue(path)
        for message in catalogue:
            keys = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            key = keys[0]
            if not key or message.fuzzy or not all(forms):
                continue
            if len(set(keys)) > 1:
                raise CatalogueError(f"{path}: msgid and msgid_plural are one key here, not {' and '.join(keys)}")
            if key in sentences:
                raise CatalogueError(f"{path}: the key {key!r} is already in another file of this language")
            sentences[key] = Plural(forms, catalogue.plural_expr) if len(keys) > 1 else forms[0]
    return sentences


def load_languages(*templates_directories: Path, analysis: str | None = None) -> dict[str, Language]:
    """Every language found: code -> Language, in the order of the codes.

    Later directories have precedence over earlier ones, key by key, so that a user's own folder may change single sentences. With
    `analysis`, the name of its folder, a directory's own catalogues of that analysis have precedence over its common ones.
    """
    merged: dict[str, dict[str, str | Plural]] = {}
    for directory in templates_directories:
        for place in ("languages", *([f"{analysis}/languages"] if analysis else [])):
            for folder in sorted((directory / place).glob("*/")):
                merged.setdefault(folder.name, {}).update(_merge(folder))
    for code in merged:
        try:
            babel.Locale.parse(code, sep="-")
        except (ValueError, babel.UnknownLocaleError) as error:
            raise CatalogueError(f"templates/languages/{code}: name the folder by a language code such as vi or pt-BR ({error})") from None
    return {code: _language(code, merged[code]) for code in sorted(merged)}


def _language(code: str, sentences: Mapping[str, str | Plural]) -> Language:
    plurals = {key: sentence for key, sentence in sentences.items() if isinstance(sentence, Plural)}
    return Language(code, {key: each.forms[-1] if isinstance(each, Plural) else each for key, each in sentences.items()}, plurals)


def members(code: str, languages: Mapping[str, Language]) -> list[Language]:
    """The languages of a document: ``vi`` is one, ``vi-en`` two beside each other; raises InputError when there is no such language."""
    codes = [code] if code in languages else code.split("-")
    unknown = [each for each in codes if each not in languages]
    if unknown:
        raise InputError(f"language {code!r}: there are {', '.join(languages)}; join two with a hyphen for a bilingual document")
    return [languages[each] for each in codes]
