"""The documents of some results, written: every figure, table and page in its place."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyses.errors import InputError
from analyses.progress import Progress, SilentProgress
from analyses.protocol import Analysis, FigureSpec, Results
from reportgen.bundle import asking
from reportgen.documents.assets import Assets
from reportgen.documents.document import Document, FigureItem, TableItem, build_document
from reportgen.documents.helpers import Helpers
from reportgen.documents.html import SitePage, bibliography, render_html
from reportgen.documents.languages import Language, load_languages, members
from reportgen.documents.outline import files_of
from reportgen.documents.table_files import files_of_tables

if TYPE_CHECKING:
    import pandas

FORMATS = ("html", "pdf")


def _place(code: str, languages: Mapping[str, Language]) -> str:
    return f"{code}/" if code in languages else ""


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _alternates(code: str, codes: Sequence[str], languages: Mapping[str, Language], name: str) -> dict[str, str]:
    up = "../" if _place(code, languages) else ""
    return {other: f"{up}{_place(other, languages)}{name}.html" for other in codes if other != code}


def _files_beside(document: Document, tables: Mapping[str, Mapping[str, str]]) -> dict[str, bytes]:
    """What a document shows, as files to take elsewhere: its figures, and its tables (`files_of_tables`) for a paper."""
    files: dict[str, bytes] = {}
    for item in document.items():
        if isinstance(item, FigureItem):
            files |= {f"figures/{item.id}.svg": item.file.encode(), f"figures/{item.id}.png": item.png}
        elif isinstance(item, TableItem):
            files |= {f"tables/{name}": content.encode() for name, content in tables[item.id].items()}
    return files


@dataclass(frozen=True)
class _Source:
    """What the documents of some results are built from."""

    folder: str
    assets: Assets
    languages: Mapping[str, Language]
    facts: Mapping[str, Any]
    figures: Sequence[FigureSpec]
    tables: Mapping[str, "pandas.DataFrame"]

    @classmethod
    def of(cls, results: Results, analysis: Analysis, templates: Path | None) -> "_Source":
        assets = Assets.of(analysis, templates)
        languages = load_languages(*assets.directories, analysis=analysis.templates)
        with asking(analysis):
            return cls(analysis.templates, assets, languages, analysis.facts(results), analysis.figures(results), analysis.tables(results))

    @property
    def names(self) -> dict[str, str]:
        """What each language calls itself."""
        return {code: language.text("interface.language_name") for code, language in self.languages.items()}

    def check(self, codes: Iterable[str]) -> None:
        """Raise InputError for a language that there is not."""
        for code in codes:
            members(code, self.languages)

    def document(self, code: str, name: str, alternates: Mapping[str, str], *, pixels: bool = False) -> Document:
        return build_document(
            self.folder,
            self.facts,
            self.figures,
            self.tables,
            members(code, self.languages),
            assets=self.assets,
            edition=name,
            alternates=alternates,
            pixels=pixels,
        )


def render_site_pages(
    results: Results,
    analysis: Analysis,
    out: Path,
    pages: Mapping[str, SitePage],
    progress: Progress | None = None,
    templates: Path | None = None,
) -> list[Path]:
    """Write the reports of some results as pages of a site: ``<code>/index.html`` for each code of `pages`, and ``refs.bib``.

    Their links lead to one another there, and to ``<code>/figures`` and ``<code>/tables`` unless they are self-contained.
    Raises as `render_documents` does.
    """
    source = _Source.of(results, analysis, templates)
    source.check(pages)
    written: list[Path] = []
    cited = None
    with (progress or SilentProgress()).stage("render", len(pages)) as advance:
        for code, page in pages.items():
            document = source.document(code, "report", {other: f"../{other}/index.html" for other in pages if other != code})
            tables = files_of_tables(document)
            written.append(_write(out / code / "index.html", render_html(document, source.names, page, tables).encode()))
            if not page.self_contained:
                numbers = {f"figures/{item.id}.csv": item.csv.encode() for item in document.items() if isinstance(item, FigureItem)}
                # Pictures of pixels are not drawn here: no page links to them.
                beside = {path: content for path, content in (_files_beside(document, tables) | numbers).items() if content}
                written.extend(_write(out / code / path, content) for path, content in beside.items())
            if cited is None:
                cited = _write(out / "refs.bib", bibliography(document).encode())
            advance(1)
    return [*written, *([cited] if cited else [])]


def render_documents(
    results: Results,
    analysis: Analysis,
    out: Path,
    languages: Sequence[str] = ("vi", "en", "vi-en"),
    formats: Sequence[str] = FORMATS,
    progress: Progress | None = None,
    templates: Path | None = None,
    edition: str = "report",
) -> list[Path]:
    """Write the reports of some results.

    Parameters
    ----------
    out
        Directory; the bilingual report goes there, one in a single language into a folder named by its code.
    languages
        ``vi``, ``en``, ``vi-en``: one document each.
    templates
        A user's own templates, in front of the built-in ones.
    edition
        ``report``, or another that the analysis's ``document.yaml`` describes.

    Returns
    -------
    The files written, in a fixed order.

    Raises
    ------
    InputError
        Unknown language, format or edition; anything in templates or facts that cannot be rendered, with the place.
    RuntimeError
        The PDF could not be laid out.
    """
    wrong = set(formats) - set(FORMATS)
    if wrong:
        raise InputError(f"format {sorted(wrong)[0]!r}: choose from {', '.join(FORMATS)}")
    source = _Source.of(results, analysis, templates)
    documents = tuple(dict.fromkeys(languages))
    source.check(documents)
    written: list[Path] = []
    papers: list[tuple[Path, Future[bytes]]] = []
    names_of_files = files_of(source.assets, analysis.templates, edition)
    count = len(documents) * len(names_of_files)
    stage = (progress or SilentProgress()).stage("render", count * (1 + len(formats)))
    with stage as advance, Helpers(count if "pdf" in formats else 0) as helpers:
        for code, name in itertools.product(documents, names_of_files):
            document = source.document(code, name, _alternates(code, documents, source.languages, name), pixels=True)
            folder = out / _place(code, source.languages)
            if "pdf" in formats:
                pdf = helpers.add(document)
            tables = files_of_tables(document)
            beside = {folder / path: content for path, content in _files_beside(document, tables).items()}
            written.extend(_write(path, content) for path, content in beside.items() if path not in written)
            advance(1)
            if "html" in formats:
                written.append(_write(folder / f"{name}.html", render_html(document, source.names, tables=tables).encode()))
                advance(1)
            if "pdf" in formats:
                papers.append((folder / f"{name}.pdf", pdf))
                written.append(folder / f"{name}.pdf")
        helpers.work()
        for path, pdf in papers:
            _write(path, pdf.result())
            advance(1)
    return written
