"""The history of a study as a feed (Atom, RFC 4287): whoever follows it learns of a new regeneration."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from markupsafe import Markup

from reportgen.documents.languages import in_one_line
from reportgen.publish.description import Study
from reportgen.publish.history import Regeneration, moment_of
from reportgen.publish.pages import Pages

ATOM = "http://www.w3.org/2005/Atom"
NAME = "feed.xml"


def written_moment(label: str) -> str | None:
    """The moment that a label names (``2026-03-09``, ``2026-03-09T04:00+07:00``) as Atom writes it; None where it names none.

    >>> written_moment("2026-03-09"), written_moment("2026-03-09T04:00+07:00"), written_moment("week 9")
    ('2026-03-09T00:00:00Z', '2026-03-08T21:00:00Z', None)
    """
    moment = moment_of(label)
    return None if moment is None else f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def feed(study: Study, entries: Sequence[Regeneration], pages: Pages, base_url: str | None) -> str | None:
    """The feed of a study's regenerations, the newest first, or None where there can be none.

    A feed needs addresses and moments, so there is one only with a base address, and of those regenerations whose labels are times.
    """
    dated = [(moment, entry) for entry in reversed(entries) if (moment := written_moment(entry.label)) is not None]
    if base_url is None or not dated:
        return None
    address = f"{base_url}{study.address}/history/"
    titles = [study.title[language.code] for language in pages.languages]
    root = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": pages.languages[0].code})
    _add(root, "id", address)
    _add(root, "title", in_one_line(titles))
    _add(root, "updated", max(moment for moment, _ in dated))
    _add(root, "link", rel="self", href=f"{address}{NAME}")
    _add(root, "link", rel="alternate", href=address)
    _add(_add(root, "author"), "name", ", ".join(study.authors) or titles[0])
    for moment, entry in dated:
        item = _add(root, "entry")
        _add(item, "id", f"{address}{entry.id}/")
        _add(item, "title", f"{entry.name}: {in_one_line(titles)}")
        _add(item, "updated", moment)
        page = f"{entry.id}/changes.html" if entry.has_changes else f"{entry.id}/report-{entry.languages[0]}.pdf"
        _add(item, "link", rel="alternate", href=f"{address}{page}")
        key = "publish.feed_changes" if entry.has_changes else "publish.feed_first"
        _add(item, "summary", in_one_line(language.text(key) for language in pages.languages))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def feed_link(up: str, title: str) -> Markup:
    """The element by which a page's head says where the feed is; `up` leads from the page to the study's folder."""
    return Markup('<link rel="alternate" type="application/atom+xml" title="{}" href="{}history/{}">').format(title, up, NAME)


def _add(parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, name, attributes)
    child.text = text
    return child
