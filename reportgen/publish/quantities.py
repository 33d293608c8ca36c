"""What a page calls the quantities of a bundle, the places where their values stand, and the values, in every language.

A quantity has a name in a file: a variable of ``results.nc`` (``word_length``), a number of the verdicts
(``verdicts: estimate``), what lies at the end of keys in ``study.json`` (``study.json: bands.early``), a column of a table
(``table pairs: token_distance``). The catalogues have words for its parts, of which these are put together.
"""

import re
from collections.abc import Sequence

import numpy
from markupsafe import Markup

from reportgen.documents.languages import Language
from reportgen.publish.pages import Pages

# Between the keys that lead to a value.
_WITHIN = " › "
# Under which keys the catalogues may name a label of these names: a part of a statement is called as what is measured for it.
_LABELS = {"part": "measure", "name": "statement"}


def quantity_words(name: str, pages: Pages) -> Markup | None:
    """What a quantity is called in every language; None where some language has no words for it."""
    words = {language.code: words_of(name, language) for language in pages.languages}
    return pages.each({code: each for code, each in words.items() if each}) if all(words.values()) else None


def words_of(name: str, language: Language) -> str | None:
    """What a quantity is called in one language; None where there are no words for a part of its name."""
    kind, colon, rest = name.partition(": ")
    if not colon or kind == "activations":
        return _variable(rest or name, language)
    if kind.startswith("table "):
        table = language.catalogue.get(f"compare.table.{kind.removeprefix('table ')}")
        column = _variable(rest, language)
        return language.text("compare.of_table", table=table, quantity=column) if table and column else None
    steps = [_variable(step, language) or _label(step, language) for step in rest.split(".")]
    if not all(steps):
        return None
    path = _WITHIN.join(step[:1].upper() + step[1:] for step in steps if step)
    return language.text("compare.of_verdicts", quantity=path) if kind == "verdicts" else path


def place_words(place: Sequence[tuple[str, str]], pages: Pages) -> Markup:
    """Where a value stands, in every language of the page: ``tầng 25``, ``layer 25``."""

    def words(language: Language) -> str:
        parts = []
        for name, label in place:
            number, _, named = label.partition(" ")
            said = _known(name, label, language) or _known(name, named or number, language) or label.replace("_", " ")
            parts.append(f"{language.catalogue.get(f'compare.place.{name}', name.replace('_', ' '))} {said}")
        return ", ".join(parts)

    return pages.each({language.code: words(language) for language in pages.languages})


def shape_words(shape: str, language: Language) -> str:
    """``2 branch x 30 layer`` in words; a single value is said to be one."""
    sizes = re.findall(r"(\d+) (\w+)", shape)
    if not sizes:
        return language.text("compare.scalar")
    return " × ".join(
        f"{size} {language.catalogue.get(f'compare.place.{name}', name.replace('_', ' ')).rstrip(':')}" for size, name in sizes
    )


def value_words(value: float | str | bool | None, quantity: str, pages: Pages) -> Markup:
    """A value of a quantity: a number, yes or no, or a word that the catalogues may have, such as a verdict."""
    if value is None:
        return pages.both("compare.no_value")
    if isinstance(value, bool):
        return pages.both("compare.yes" if value else "compare.no")
    if isinstance(value, str):
        known = {language.code: _known_value(value, re.split(r"[.: ]", quantity)[-1], language) for language in pages.languages}
        return pages.each({code: each for code, each in known.items() if each}) if all(known.values()) else Markup("{}").format(value)
    if value == 0:
        return Markup("{}").format(value)
    digits = max(0, 3 - int(numpy.floor(numpy.log10(abs(value)))))
    return Markup("{}").format(pages.languages[0].number(value, min(digits, 12)))


def _variable(name: str, language: Language) -> str | None:
    """A name in words: its own, or those of what is left when a beginning or an end that the catalogue knows is taken from it."""
    if f"compare.quantity.{name}" in language.catalogue:
        return language.text(f"compare.quantity.{name}")
    along = language.catalogue.get(f"compare.place.{name}")
    if along:
        return along[:1].upper() + along[1:].rstrip(":")
    parts = name.split("_")
    for count in range(1, len(parts)):
        end, beginning = "_".join(parts[-count:]), "_".join(parts[:count])
        for key, rest in ((f"compare.suffix.{end}", parts[:-count]), (f"compare.prefix.{beginning}", parts[count:])):
            inner = _variable("_".join(rest), language) if key in language.catalogue else None
            if inner:
                return language.text(key, quantity=inner)
    return None


def _label(label: str, language: Language) -> str | None:
    """A key that is no name of a quantity but a label along a dimension: of an estimator, a branch, a control."""
    return next((said for name in ("estimator", "branch", "control", "measure") if (said := _known(name, label, language))), None)


def _known_value(value: str, name: str, language: Language) -> str | None:
    kinds = (name, name.rpartition("_")[2], "verdict")
    said = next((said for kind in kinds if (said := _known(kind, value, language))), None)
    return said or language.catalogue.get(f"compare.value.{value}")


def _known(name: str, label: str, language: Language) -> str | None:
    kinds = (name, _LABELS.get(name, name))
    keys = [key for kind in kinds for key in (f"{kind}.{label}", f"{kind}.{label}.short")]
    return next((language.catalogue[key] for key in keys if key in language.catalogue), None)
