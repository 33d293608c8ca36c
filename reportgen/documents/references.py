"""The literature: how a source is named in the text, listed at the end, and handed on as BibTeX."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import pydantic
from markupsafe import Markup, escape

from analyses.errors import InputError
from reportgen.documents.assets import fitting
from reportgen.documents.languages import Language

BIBTEX_TYPES = {"article": "article", "book": "book", "chapter": "incollection", "misc": "misc"}
# Of more people the list names the first ones and the last, as the APA manual has it.
MOST_PEOPLE = 20
FIELDS = ("journal", "book", "volume", "issue", "pages", "edition", "publisher", "institution", "doi", "url")


@dataclass(frozen=True)
class Reference:
    """One source; `authors` are written ``Family, Given`` (an organisation without a comma).

    The report's own entry may be without authors or year: only what the settings give is known of it.
    Its title is in `language`, where that is known.
    """

    key: str
    type: str
    authors: tuple[str, ...]
    year: str
    title: str
    fields: Mapping[str, str]
    editors: tuple[str, ...] = ()
    language: str = ""

    @property
    def link(self) -> str | None:
        """Address of the source: its DOI when it has one."""
        return f"https://doi.org/{self.fields['doi']}" if "doi" in self.fields else self.fields.get("url")


class _Entry(pydantic.BaseModel):
    """What ``references.yaml`` says of one source."""

    # A year or a volume is a number to YAML.
    model_config = pydantic.ConfigDict(coerce_numbers_to_str=True, extra="allow")
    type: str
    title: str
    year: str
    authors: Annotated[list[str], pydantic.Field(min_length=1)]
    editors: list[str] = []
    language: str = "en"
    __pydantic_extra__: dict[str, str] = pydantic.Field(init=False)


def load_references(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Reference]:
    """References by key from the data of ``references.yaml``; raises InputError naming the key that is wrong."""
    references = {}
    entries: dict[str, _Entry] = fitting(dict[str, _Entry], data, "references.yaml")
    for key, entry in entries.items():
        given = entry.__pydantic_extra__
        unknown = given.keys() - set(FIELDS)
        if entry.type not in BIBTEX_TYPES or unknown:
            raise InputError(
                f"references.yaml: {key}: type must be one of {', '.join(BIBTEX_TYPES)}; fields {', '.join(FIELDS)}; not {sorted(unknown)}"
            )
        fields = {name: given[name] for name in FIELDS if name in given}
        link = fields.get("url", "https://")
        if not link.startswith(("https://", "http://")):
            raise InputError(f"references.yaml: {key}: url must begin with https://")
        references[key] = Reference(
            key, entry.type, tuple(entry.authors), entry.year, entry.title, fields, tuple(entry.editors), entry.language
        )
    return references


@dataclass(frozen=True)
class Person:
    """Somebody who is named as an author; without a given name an institution, or a name that is not taken apart."""

    family: str
    given: str

    @classmethod
    def of(cls, author: str) -> "Person":
        """``Kraskov, Alexander``: what stands before the comma is the family name."""
        family, _, given = author.partition(",")
        return cls(family.strip(), given.strip())

    def with_initials(self) -> str:
        """``Kraskov, A.``."""
        initials = ["-".join(f"{part[0]}." for part in name.split("-") if part) for name in self.given.split()]
        return f"{self.family}, {' '.join(initials)}".replace(" ", "\u00a0") if initials else self.family


def short_authors(reference: Reference, language: Language) -> str:
    """Authors as named in the text."""
    names = [Person.of(author).family for author in reference.authors]
    if len(names) == 1:
        return names[0]
    if len(names) == 2:
        return language.text("format.two_authors", first=names[0], second=names[1])
    return language.text("format.many_authors", first=names[0])


def plain_letters(text: str) -> str:
    """Small letters without diacritics: ``Nguyễn Đức`` -> ``nguyen duc``."""
    # The stroke of a Vietnamese d is no combining character.
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("đ", "d"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def sort_key(reference: Reference) -> tuple[str, str, str]:
    """Order of the list: family names without diacritics, then the year."""
    return plain_letters(" ".join(Person.of(author).family for author in reference.authors)), reference.year, reference.key


def _people(people: Sequence[str], language: Language) -> str:
    names = [Person.of(person).with_initials() for person in people]
    if len(names) <= MOST_PEOPLE:
        return language.list(names)
    return ", ".join([*names[: MOST_PEOPLE - 1], f"…\u00a0{names[-1]}"])


def _edition(edition: str, language: Language) -> str:
    """Which edition, in the language's own numerals for an order; words that were given stand as they are."""
    if not edition.isdecimal():
        return edition
    key = f"format.edition.{language.locale.ordinal_form(int(edition))}"
    return language.text(key if key in language.catalogue else "format.edition.other", number=edition)


def _closed(words: Markup) -> Markup:
    """Words with the full stop that they may lack: initials have one, a question needs none."""
    return words + (Markup(" ") if words.striptags().endswith((".", "?")) else Markup(". "))


def _spoken(words: str, reference: Reference, language: Language) -> Markup:
    """The words of a title, marked with its language where the list is in another one: a screen reader takes another voice."""
    if reference.language in ("", language.code):
        return Markup("{}").format(words)
    return Markup('<span lang="{}">{}</span>').format(reference.language, words)


def entry(reference: Reference, language: Language) -> Markup:
    """One line of the list of references, with its link."""
    fields = reference.fields
    standalone = reference.type in ("book", "misc")
    spoken = partial(_spoken, reference=reference, language=language)
    title = Markup("<i>{}</i>").format(spoken(reference.title)) if standalone else spoken(reference.title)
    if "edition" in fields:
        title += Markup(" ({})").format(_edition(fields["edition"], language))
    year = Markup(" ({})").format(reference.year) if reference.year else Markup("")
    # Where nobody is named, the title takes the authors' place before the year.
    lead = [escape(_people(reference.authors, language)) + year, title] if reference.authors else [title + year]
    parts = []
    if reference.type == "chapter":
        editors = (
            Markup("{} ({}), ").format(_people(reference.editors, language), language.text("interface.editors"))
            if reference.editors
            else Markup("")
        )
        parts.append(Markup("{} {}<i>{}</i>").format(language.text("interface.reference_in"), editors, spoken(fields.get("book", ""))))
    elif "journal" in fields:
        parts.append(Markup("<i>{}</i>").format(spoken(fields["journal"])))
    if "volume" in fields:
        parts.append(
            Markup(", <i>{}</i>").format(fields["volume"]) + (Markup("({})").format(fields["issue"]) if "issue" in fields else Markup(""))
        )
    if "pages" in fields:
        parts.append(Markup(", {}").format(fields["pages"].replace("-", "–")))
    for house in ("publisher", "institution"):
        if house in fields:
            parts.append(Markup("{}{}").format("" if standalone else ". ", fields[house]))
    if parts:
        parts.append(Markup(". "))
    if reference.link:
        parts.append(Markup('<a href="{}">{}</a>').format(reference.link, reference.link.removeprefix("https://")))
    return Markup("").join([*map(_closed, lead), *parts])


def _bibtex_value(text: str) -> str:
    """A text that is nothing but text to BibTeX and to LaTeX."""
    text = _in_braces(text).replace("\\", r"\textbackslash ")
    return re.sub(r"([&%$#_])", r"\\\1", text)


def _in_braces(text: str) -> str:
    """A text that can stand in braces: one line, and no brace that closes what it did not open."""
    text, depth = " ".join(text.split()), 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            break
    return text if depth == 0 else text.replace("{", "(").replace("}", ")")


def bibtex(reference: Reference) -> str:
    """The source as a BibTeX entry."""
    names = {"issue": "number", "book": "booktitle"}
    rows = {"author": " and ".join(reference.authors), "title": f"{{{reference.title}}}", "year": reference.year}
    rows = {name: value for name, value in rows.items() if value}
    if reference.editors:
        rows["editor"] = " and ".join(reference.editors)
    rows |= {names.get(name, name): value for name, value in reference.fields.items()}
    verbatim = ("doi", "url")
    body = ",\n".join(f"  {name} = {{{_in_braces(value) if name in verbatim else _bibtex_value(value)}}}" for name, value in rows.items())
    return f"@{BIBTEX_TYPES[reference.type]}{{{reference.key},\n{body}\n}}\n"
