"""What a site says about one study: names and texts in every language, people, dates, verdicts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses.errors import InputError
from analyses.protocol import Analysis, Results
from reportgen import registry
from reportgen.baseline import Side
from reportgen.bundle import IncompleteResultsError, asking, bundle_digest, read_bundle
from reportgen.documents.assets import Assets
from reportgen.documents.document import title_block
from reportgen.documents.languages import Language, load_languages
from reportgen.documents.outline import DocumentSpec, read_spec
from reportgen.settings import RESERVED_NAMES, site_folder

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


@dataclass(frozen=True)
class Study:
    """A bundle to publish.

    Attributes
    ----------
    slug
        Name of its folder in the site; `under` is the folder that it is in (``reports/``), empty for the site's root.
    digest
        SHA-256 of the bundle.
    languages, assets
        With what its analysis brings: the languages by code, and the files.
    title, subtitle, keywords
        By language code.
    authors
        As ``Family, Given``, or a name as it is written.
    licence
        As the settings give it; `spdx` is it again where it can be an SPDX identifier.
    """

    slug: str
    bundle: Path
    digest: str
    results: Results
    analysis: Analysis
    facts: Mapping[str, Any]
    languages: Mapping[str, Language]
    assets: Assets
    spec: DocumentSpec
    title: Mapping[str, str]
    subtitle: Mapping[str, str]
    keywords: Mapping[str, str]
    institution: Mapping[str, str]
    authors: tuple[str, ...]
    date: str | None
    licence: str | None
    under: str = ""

    @property
    def address(self) -> str:
        """Path of its folder in the site."""
        return f"{self.under}{self.slug}"

    @property
    def spdx(self) -> str | None:
        return self.licence if self.licence and _SPDX.fullmatch(self.licence) else None


def describe(bundle: Path, languages: Mapping[str, Language], assets: Assets, side: Side | None = None) -> Study:
    """Read a bundle for publication; what is on a side of a comparison was read already.

    Raises
    ------
    InputError
        If it is no intact bundle, or its name cannot be the name of a folder in a site.
    """
    results = side.results if side else read_bundle(bundle)
    analysis = registry.analysis_named(results.study.get("analysis"), f"{bundle}/study.json")
    try:
        with asking(analysis):
            facts = analysis.facts(results)
    except IncompleteResultsError as error:
        raise InputError(f"{bundle}: {error}") from error
    assets = assets.with_analysis(analysis)
    known = load_languages(*assets.directories, analysis=analysis.templates)
    languages = {code: known[code] for code in languages}
    spec = read_spec(assets, analysis.templates)
    given = title_block(facts)

    def texts(key: str | None) -> dict[str, str]:
        return {code: language.text(key, **facts.get("headings", {})) for code, language in languages.items()} if key else {}

    def each(value: Any) -> dict[str, str]:
        if not value:
            return {}
        by_language = value if isinstance(value, Mapping) else dict.fromkeys(languages, value)
        return {code: str(by_language.get(code) or next(iter(by_language.values()))) for code in languages}

    return Study(
        slug=_slug(results.study["settings"]["name"], bundle),
        bundle=bundle,
        digest=side.digest if side else bundle_digest(bundle),
        results=results,
        analysis=analysis,
        facts=facts,
        languages=languages,
        assets=assets,
        spec=spec,
        title=texts(spec.title) | {code: text for code, text in given.get("title", {}).items() if code in languages},
        subtitle=texts(spec.subtitle),
        keywords=texts(spec.keywords),
        institution=each(given.get("institution")),
        authors=tuple(given.get("authors", ())),
        date=given.get("date"),
        licence=next(iter(each(given.get("licence")).values()), None),
    )


def _slug(name: str, bundle: Path) -> str:
    slug = site_folder(name)
    if not slug or slug in RESERVED_NAMES:
        raise InputError(f"{bundle}: a study named {name!r} cannot have a folder of that name in a site; give it another name")
    return slug
