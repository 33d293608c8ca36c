"""From results to documents: figures, HTML and PDF in every language.

What this room gives is loaded when it is asked for: a command that finds its documents made needs their names, and nothing that draws
(matplotlib alone takes a second to load); and only PDF needs the layout engine, whose system libraries not every machine has.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reportgen.documents.assets import Assets
    from reportgen.documents.document import Document, build_document
    from reportgen.documents.html import SitePage, render_html
    from reportgen.documents.languages import load_languages, members
    from reportgen.documents.outline import files_of
    from reportgen.documents.pdf import render_pdf
    from reportgen.documents.render import render_documents, render_site_pages

# Name -> the module that holds it.
_MODULES = {
    "Assets": "assets",
    "Document": "document",
    "SitePage": "html",
    "build_document": "document",
    "files_of": "outline",
    "load_languages": "languages",
    "members": "languages",
    "render_documents": "render",
    "render_html": "html",
    "render_pdf": "pdf",
    "render_site_pages": "render",
}

__all__ = [
    "Assets",
    "Document",
    "SitePage",
    "build_document",
    "files_of",
    "load_languages",
    "members",
    "render_documents",
    "render_html",
    "render_pdf",
    "render_site_pages",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
