"""What machines read about a report: head of the page, JSON-LD, CITATION.cff, sitemap."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from markupsafe import Markup

from reportgen.documents.languages import Language, in_one_line
from reportgen.documents.references import Person
from reportgen.publish.description import Study
from reportgen.publish.pages import sentence


def page_url(base_url: str | None, path: str) -> str | None:
    """Absolute address of a page; a folder's index is addressed as the folder."""
    if base_url is None:
        return None
    return base_url + path.removesuffix("index.html")


def alternates(address: str, codes: Sequence[str]) -> dict[str, str]:
    """Value of ``hreflang`` -> path in the site. A page in two languages at once has no value of its own."""
    return {code: f"{address}/{code}/index.html" for code in codes if "-" not in code} | {"x-default": f"{address}/index.html"}


def head(study: Study, code: str, codes: Sequence[str], base_url: str | None, preview: tuple[int, int]) -> Markup:
    """The elements that a published report's head has beyond those of the report itself.

    Parameters
    ----------
    code
        Of this page: ``vi``, ``vi-en``.
    codes
        Of all pages of the report.
    preview
        Width and height of the picture in pixels.

    Notes
    -----
    A data block (JSON-LD) is no script to a content security policy: ``default-src 'none'`` lets it stand.
    """
    lines = [*_links(study.address, f"{study.address}/{code}/index.html", codes, base_url)]
    title = title_of(study, code)
    first = code.partition("-")[0]
    graph = {
        "og:type": "article",
        "og:title": title,
        "og:description": study.subtitle.get(first),
        "og:locale": {"vi": "vi_VN", "en": "en_GB"}.get(first, first),
        "og:url": page_url(base_url, f"{study.address}/{code}/index.html"),
        "article:published_time": study.date,
    }
    if base_url is not None:
        graph |= {
            "og:image": f"{base_url}{study.address}/{code}/preview.png",
            "og:image:type": "image/png",
            "og:image:width": str(preview[0]),
            "og:image:height": str(preview[1]),
            "og:image:alt": title,
        }
    lines += [Markup('<meta property="{}" content="{}">').format(name, value) for name, value in graph.items() if value]
    lines.append(Markup('<meta name="twitter:card" content="summary_large_image">'))
    lines.append(Markup('<script type="application/ld+json">{}</script>').format(Markup(json_ld(study, code, base_url))))
    return Markup("\n").join(lines)


def links(address: str, path: str, codes: Sequence[str], base_url: str | None) -> Markup:
    """Canonical address and the pages in other languages, as elements of a head."""
    return Markup("\n").join(_links(address, path, codes, base_url))


def _links(address: str, path: str, codes: Sequence[str], base_url: str | None) -> list[Markup]:
    found = []
    up = "../" * path.count("/")
    if base_url is not None:
        found.append(Markup('<link rel="canonical" href="{}">').format(page_url(base_url, path)))
    for language, place in alternates(address, codes).items():
        target = page_url(base_url, place) or up + place
        found.append(Markup('<link rel="alternate" hreflang="{}" href="{}">').format(language, target))
    return found


def title_of(study: Study, code: str) -> str:
    """The title in the language or languages of a page."""
    codes = [code] if code in study.title else code.split("-")
    return in_one_line(study.title[each] for each in codes)


def about(study: Study, language: Language) -> str:
    """What the study found, in sentences, and its keywords: plain text in one line."""
    found = [sentence(language, row["key"], row.get("values", {})).striptags() for row in study.facts.get("findings", ())]
    keywords = study.keywords.get(language.code)
    return " ".join([*found, *([f"{keywords}."] if keywords else [])])


def described(study: Study, language: Language) -> Markup:
    """What a study's own page is found by, as elements of a head."""
    found = {"description": about(study, language), "keywords": study.keywords.get(language.code)}
    return Markup("").join(Markup('\n<meta name="{}" content="{}">').format(name, text) for name, text in found.items() if text)


def json_ld(study: Study, code: str, base_url: str | None) -> str:
    """The report as a ScholarlyArticle of schema.org."""
    codes = [code] if code in study.title else code.split("-")
    first = codes[0]
    own = page_url(base_url, f"{study.address}/{code}/index.html")
    article: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "ScholarlyArticle",
        "headline": study.title[first],
        "alternativeHeadline": [study.title[each] for each in codes[1:]] or None,
        "abstract": about(study, study.languages[first]),
        "keywords": study.keywords.get(first),
        "inLanguage": codes if len(codes) > 1 else first,
        "author": [_person(author) for author in study.authors] or None,
        "publisher": {"@type": "Organization", "name": study.institution[first]} if study.institution else None,
        "datePublished": study.date,
        "license": study.licence,
        "url": own,
        "identifier": f"sha256:{study.digest}",
        "isAccessibleForFree": True,
        "image": f"{base_url}{study.address}/{code}/preview.png" if base_url else None,
        "encoding": {"@type": "MediaObject", "encodingFormat": "application/pdf", "contentUrl": f"{own}report.pdf"} if own else None,
        "isBasedOn": {
            "@type": "Dataset",
            "name": study.results.study["settings"]["name"],
            "description": study.title[first],
            "url": f"{base_url}{study.address}/data/results.nc",
        }
        if base_url
        else None,
    }
    text = json.dumps({name: value for name, value in article.items() if value is not None}, ensure_ascii=False, indent=1)
    # Within a script element "</script" and "<!--" would end or change it, whatever the text means.
    return text.replace("<", "\\u003c")


def _person(author: str) -> dict[str, str]:
    person = Person.of(author)
    if not person.given:
        return {"@type": "Person", "name": person.family}
    return {"@type": "Person", "name": f"{person.given} {person.family}", "familyName": person.family, "givenName": person.given}


def citation_file(study: Study, message: str, base_url: str | None) -> str:
    """``CITATION.cff`` (Citation File Format 1.2.0) for the study's data and report."""
    first = next(iter(study.title))
    people = [Person.of(author) for author in study.authors]
    authors = [{"family-names": each.family, "given-names": each.given} if each.given else {"name": each.family} for each in people]
    # The format wants an author; where nobody is named, the institution is, or else the study.
    authors = authors or [{"name": study.institution.get(first) or study.title[first]}]
    content: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": message,
        "type": "dataset",
        "title": study.title[first],
        "authors": authors,
        "keywords": [word.strip() for word in study.keywords[first].split(",")] if study.keywords else None,
        "date-released": study.date,
        "license": study.spdx,
        "url": page_url(base_url, f"{study.address}/index.html"),
        "identifiers": [{"type": "other", "value": f"sha256:{study.digest}", "description": "SHA-256 of the result bundle"}],
    }
    kept = {name: value for name, value in content.items() if value}
    return yaml.safe_dump(kept, allow_unicode=True, sort_keys=False, width=100)


def sitemap(base_url: str, studies: Mapping[str, Sequence[str]], others: Sequence[str]) -> str:
    """A sitemap with the languages of each page.

    Parameters
    ----------
    studies
        Path of a study's folder -> codes of its pages.
    others
        Paths of pages that belong to no study.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">',
    ]
    pages: list[tuple[str, Mapping[str, str]]] = [(path, {}) for path in others]
    for address, codes in studies.items():
        languages = alternates(address, codes)
        pages.append((f"{address}/index.html", languages))
        pages += [(f"{address}/{code}/index.html", languages if "-" not in code else {}) for code in codes]
        pages.append((f"{address}/history/index.html", {}))
    for path, beside in pages:
        inner = [
            Markup('<xhtml:link rel="alternate" hreflang="{}" href="{}"/>').format(code, page_url(base_url, place))
            for code, place in beside.items()
        ]
        lines.append(Markup("<url><loc>{}</loc>{}</url>").format(page_url(base_url, path), Markup("").join(inner)))
    return "\n".join([*lines, "</urlset>", ""])
