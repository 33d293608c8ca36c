"""From a rendered report to a page of a site: its head says where it belongs, its links lead to the site's pages."""

import base64
import re
from pathlib import Path

from markupsafe import Markup

_BILINGUAL_LINK = re.compile(r'href="\.\./report\.html(?=[#"])')
_LANGUAGE_LINK = re.compile(r'href="(?:\.\./)?([A-Za-z-]+)/report\.html(?=[#"])')
_BIBLIOGRAPHY = re.compile(r'href="data:application/x-bibtex(?:;charset=utf-8)?;base64,([A-Za-z0-9+/=]+)"')
_OWN_ENTRY = re.compile(r"<pre>(@[a-z]+\{.*?)</pre>", re.DOTALL)


def report_page(html: str, head: Markup, bilingual: str, study_words: str) -> str:
    """The report's page at ``<slug>/<code>/index.html``.

    Parameters
    ----------
    html
        As `reportgen.render` writes it.
    head
        Elements for the end of its head.
    bilingual
        Code of the report in several languages (``vi-en``), which `render` puts above the others.
    study_words
        What the link to the study's own page says.
    """
    html = _BILINGUAL_LINK.sub(f'href="../{bilingual}/index.html', html)
    html = _LANGUAGE_LINK.sub(r'href="../\1/index.html', html)
    above = Markup('<a href="../index.html">{}</a>').format(study_words)
    html = html.replace('<a class="pdf"', f'{above}<a class="pdf"', 1)
    before, mark, after = html.partition("<style>")
    if not mark:
        raise RuntimeError("the rendered report has no style sheet in its head")
    return f"{before}{head}\n{mark}{after}"


def bibliography(html: str) -> str:
    """BibTeX of the report itself and of the sources that it cites: what the report offers for download."""
    found = _BIBLIOGRAPHY.search(html)
    sources = base64.b64decode(found[1]).decode() if found else ""
    own = _OWN_ENTRY.search(html)
    entries = [Markup(own[1]).unescape().strip() + "\n" if own else "", sources]
    return "\n".join(entry for entry in entries if entry)


def place_of(rendered: Path, code: str) -> Path:
    """The folder that `render` wrote the report of this code into."""
    return rendered / code if (rendered / code).is_dir() else rendered
