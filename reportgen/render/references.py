"""The literature: how a source is named in the text, listed at the end, and handed on as BibTeX."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from analyses.errors import InputError
from reportgen.render.languages import Language

BIBTEX_TYPES = {"article": "article", "book": "book", "chapter": "incollection", "misc": "misc"}
FIELDS = ("journal", "book", "volume", "issue", "pages", "edition", "publisher", "doi", "url")


@dataclass(frozen=True)
class Reference:
    """One source; `authors` are written ``Family, Given`` (an organisation without a comma)."""

    key: str
    type: str
    authors: tuple[str, ...]
    year: str
    title: str
    fields: Mapping[str, str]
    editors: tuple[str, ...] = ()

    @property
    def link(self) -> str | None:
        """Address of the source: its DOI when it has one."""
        return f"https://doi.org/{self.fields['doi']}" if "doi" in self.fields else self.fields.get("url")


def load_references(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Reference]:
    """References by key from the data of ``references.yaml``; raises InputError naming the key that is wrong."""
    references = {}
    for key, entry in data.items():
        try:
            kind, title = str(entry["type"]), str(entry["title"])
            year = str(entry["year"])
            authors = tuple(entry["authors"])
        except KeyError as error:
            raise InputError(f"references.yaml: {key} lacks {error}") from None
        unknown = entry.keys() - {"type", "title", "year", "authors", "editors", *FIELDS}
        if kind not in BIBTEX_TYPES or unknown:
            raise InputError(
                f"references.yaml: {key}: type must be one of {', '.join(BIBTEX_TYPES)}; fields {', '.join(FIELDS)}; not {sorted(unknown)}"
            )
        fields = {name: str(entry[name]) for name in FIELDS if name in entry}
        link = fields.get("url", "https://")
        if not link.startswith(("https://", "http://")):
            raise InputError(f"references.yaml: {key}: url must begin with https://")
        references[key] = Reference(key, kind, authors, year, title, fields, tuple(entry.get("editors", ())))
    return references


def family_name(author: str) -> str:
    """The part before the comma."""
    return author.partition(",")[0].strip()


def with_initials(author: str) -> str:
    """``Kraskov, Alexander`` -> ``Kraskov, A.``."""
    family, _, given = author.partition(",")
    initials = ["-".join(f"{part[0]}." for part in name.split("-") if part) for name in given.split()]
    return f"{family.strip()}, {' '.join(initials)}".replace(" ", "\u00a0") if initials else family.strip()


def short_authors(reference: Reference, language: Language) -> str:
    """Authors as named in the text."""
    names = [family_name(author) for author in reference.authors]
    if len(names) == 1:
        return names[0]
    if len(names) == 2:
        return language.text("format.two_authors", first=names[0], second=names[1])
    return language.text("format.many_authors", first=names[0])


def sort_key(reference: Reference) -> tuple[str, str, str]:
    """Order of the list: family names without diacritics, then the year."""
    plain = unicodedata.normalize("NFKD", " ".join(family_name(author) for author in reference.authors))
    return "".join(character for character in plain if not unicodedata.combining(character)).casefold(), reference.year, reference.key


def _people(people: Sequence[str], language: Language) -> str:
    return language.list([with_initials(person) for person in people])


def entry(reference: Reference, language: Language) -> Markup:
    """One line of the list of references, with its link."""
    fields = reference.fields
    standalone = reference.type in ("book", "misc")
    title = Markup("<i>{}</i>").format(reference.title) if standalone else Markup("{}").format(reference.title)
    if "edition" in fields:
        title += Markup(" ({})").format(fields["edition"])
    year = Markup(" ({})").format(reference.year) if reference.year else Markup("")
    # What nobody signed begins with its title.
    parts = [Markup("{}{}. ").format(_people(reference.authors, language), year), title] if reference.authors else [title + year]
    parts.append(Markup(" ") if str(parts[-1].striptags()).endswith("?") else Markup(". "))
    head = len(parts)
    if reference.type == "chapter":
        editors = (
            Markup("{} ({}), ").format(_people(reference.editors, language), language.text("interface.editors"))
            if reference.editors
            else Markup("")
        )
        parts.append(Markup("{} {}<i>{}</i>").format(language.text("interface.reference_in"), editors, fields.get("book", "")))
    elif "journal" in fields:
        parts.append(Markup("<i>{}</i>").format(fields["journal"]))
    if "volume" in fields:
        parts.append(
            Markup(", <i>{}</i>").format(fields["volume"]) + (Markup("({})").format(fields["issue"]) if "issue" in fields else Markup(""))
        )
    if "pages" in fields:
        parts.append(Markup(", {}").format(fields["pages"].replace("-", "–")))
    if "publisher" in fields:
        parts.append(Markup("{}{}").format("" if standalone else ". ", fields["publisher"]))
    if len(parts) > head:
        parts.append(Markup(". "))
    if reference.link:
        parts.append(Markup('<a href="{}">{}</a>').format(reference.link, reference.link.removeprefix("https://")))
    return Markup("").join(parts)


def _bibtex_value(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", text)


def bibtex(reference: Reference) -> str:
    """The source as a BibTeX entry."""
    names = {"issue": "number", "book": "booktitle"}
    rows = {"title": f"{{{reference.title}}}"}
    if reference.authors:
        rows = {"author": " and ".join(reference.authors)} | rows
    if reference.year:
        rows["year"] = reference.year
    if reference.editors:
        rows["editor"] = " and ".join(reference.editors)
    rows |= {names.get(name, name): value for name, value in reference.fields.items()}
    verbatim = ("doi", "url")
    body = ",\n".join(f"  {name} = {{{value if name in verbatim else _bibtex_value(value)}}}" for name, value in rows.items())
    return f"@{BIBTEX_TYPES[reference.type]}{{{reference.key},\n{body}\n}}\n"
