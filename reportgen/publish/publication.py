"""One publication: bundles in, a site out."""

import json
import os
import posixpath
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Any

from markupsafe import Markup

from analyses.errors import InputError
from analyses.progress import Progress, SilentProgress
from analyses.protocol import Identified
from reportgen import pipeline, registry
from reportgen.atomic import alone
from reportgen.bundle import bundle_digest, is_baseline, read_study, verify_baseline, verify_bundle
from reportgen.cache import Cache
from reportgen.documents import SitePage
from reportgen.documents.assets import Assets
from reportgen.documents.languages import Language, in_one_line, load_languages
from reportgen.publish.description import Study, describe
from reportgen.publish.feed import NAME as FEED
from reportgen.publish.feed import feed, feed_link
from reportgen.publish.history import (
    NUMBERS,
    Regeneration,
    checked_label,
    history_json,
    packed_baseline,
    read_history,
    regeneration,
    timeline,
    with_entry,
)
from reportgen.publish.kinds import KINDS, Entry, Kind, link_words
from reportgen.publish.lines import short_lines, short_rows
from reportgen.publish.metadata import about, citation_file, described, head, links, page_url, sitemap
from reportgen.publish.pages import Pages, chosen, sentence
from reportgen.publish.preview import SIZE, preview_png
from reportgen.publish.site import Site, base_address, manifest_text, names_study, read_manifest, sha256
from reportgen.settings import site_folder

_MANIFEST = "manifest.json"
_SITE_MANIFEST = "reports/manifest.json"
_OF_A_STUDY = ("title", "languages", "regenerations")
_OF_THE_PAST = re.compile(r"history/([0-9a-f]+(-\d+)?/.+|style-[0-9a-f]+\.css)")
# GitHub takes no larger file into a repository.
_LARGEST = 100_000_000
# What generators of sites take for hidden or their own begins with a dot or an underscore.
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Published:
    """What a publication did: the site's folder, the pages of the studies, what was written and removed, and what is left to do."""

    site: Path
    pages: tuple[Path, ...]
    written: tuple[Path, ...]
    removed: tuple[Path, ...]
    notes: tuple[str, ...]


def publish(
    bundles: Sequence[Path],
    kind: str,
    out: Path,
    *,
    base_url: str | None = None,
    under: str | None = None,
    label: str | None = None,
    languages: Sequence[str] = ("vi", "en", "vi-en"),
    templates: Path | None = None,
    remove: Sequence[str] = (),
    replace: bool = False,
    revised: bool = False,
    accepted: Path | None = None,
    self_contained: bool = False,
    progress: Progress | None = None,
    cache: Cache | None = None,
) -> Published:
    """Publish bundles to a site; studies that are there already stay, and nothing is written that did not change.

    One process at a time works on a site: others wait for it, and then find what it published.

    Parameters
    ----------
    bundles
        One for each study.
    kind
        ``plain``, ``mkdocs``, ``sphinx`` or ``jekyll``.
    out
        Folder of the site: of its files (plain), or of its sources (``mkdocs.yml``, ``conf.py``, ``_config.yml``).
    base_url
        Address of the finished site's root; that of the last publication if not given. Without any there are no canonical
        addresses, no preview pictures and no sitemap.
    under
        Folder of the site that the studies' folders are in, such as ``reports``; that of the last publication if not given.
    label
        By which this regeneration is named and ordered in the history: one line of at most `LABEL_LENGTH` characters; the date in the
        settings if not given.
    languages
        Codes of the pages of each report. A study that is there already keeps those that it has.
    remove
        Names of studies that the site shall no longer have; files that were changed by hand stay.
    replace
        Let a study take the place of another one of its name (of another word, model or analysis), have the pages of
        `languages` alone, and replace files that were changed by hand.
    revised
        Let a study be about another word, text or model than the one of its name that is there: it is the same study, revised.
    accepted
        A baseline or a bundle from which nothing moved in the bundle of the same study: it stays what the site shows. (From a
        baseline alone no pages can be made: it stays where the site has the bundle that the baseline is of.)
    self_contained
        Have in each report what can be downloaded from it, and not as files beside it.

    Raises
    ------
    InputError
        If a bundle, the site or an option is wrong; the line says what to do.
    """
    if kind not in KINDS:
        raise InputError(f"--to {kind}: expected {registry.choices(KINDS)}{registry.nearest(kind, KINDS)}")
    assets = Assets.default(templates)
    known = load_languages(*assets.directories)
    chosen(known, languages)
    if label is not None:
        try:
            checked_label(label)
        except ValueError as error:
            raise InputError(f"--label: {error}") from None
    with alone(out):
        publication = _Publication(
            KINDS[kind],
            out,
            base_url,
            under,
            known,
            assets,
            tuple(dict.fromkeys(languages)),
            replace=replace,
            self_contained=self_contained,
        )
        publication.remove(remove)
        studies = [describe(Path(bundle), publication.languages(), assets) for bundle in bundles]
        slugs = [study.slug for study in studies]
        if len(set(slugs)) != len(slugs):
            twice = next(slug for slug in slugs if slugs.count(slug) > 1)
            raise InputError(f"two of the bundles are of a study named {twice}; give one of the studies another name")
        for study in studies:
            publication.check_identity(study, revised=revised)
            if accepted and (kept := publication.kept(study, accepted)):
                study = describe(kept, publication.languages(), assets)
            study = replace_fields(study, under=publication.under)
            publication.add_study(study, label, templates, progress or SilentProgress(), cache)
        return publication.finish(slugs)


class _Publication:
    def __init__(
        self,
        kind: Kind,
        root: Path,
        base_url: str | None,
        under: str | None,
        known: Mapping[str, Language],
        assets: Assets,
        codes: tuple[str, ...],
        *,
        replace: bool,
        self_contained: bool,
    ) -> None:
        if root.is_file():
            raise InputError(f"--out {root} is a file; expected a folder")
        self.kind, self.root, self.known, self.assets, self.codes, self.replace = kind, root, known, assets, codes, replace
        self.self_contained = self_contained
        self.content = kind.content(root)
        self.prefix = f"{self.content}/" if self.content else ""
        self.before = read_manifest(root / self.content / _SITE_MANIFEST)
        was = self.before.get("kind", kind.name)
        if was != kind.name:
            raise InputError(f"{root} was published as {was}; publish with --to {was}, or to another --out")
        self.base_url = _base_address(base_url) if base_url else self.before.get("base_url")
        self.under = self._parent(under)
        # The page that lists the studies: beside them, where it is not one of the site's own.
        self.index = f"{self.under}{kind.index}" if kind.makes_index else kind.index
        self.manifests = {slug: read_manifest(self._place(slug, _MANIFEST), _OF_A_STUDY) for slug in self._studies()}
        self.site = Site(root, self._published(), replace=replace)
        self.new: dict[str, dict[str, Any]] = {}
        self.fed: set[str] = set()
        self.notes: list[str] = []

    def _parent(self, under: str | None) -> str:
        """The folder that the studies' folders are in, with its slash; empty for the root."""
        was = self.before.get("under", "")
        if under is None or under.rstrip("/") == was:
            return f"{was}/" if was else ""
        if self.before.get("studies"):
            raise InputError(
                f"--under {under}: the studies of {self.root} are {f'under {was}' if was else 'not under a folder'}, and links lead there; "
                "publish to another --out, or --remove them first"
            )
        parts = under.rstrip("/").split("/")
        if not all(_FOLDER.fullmatch(part) for part in parts):
            raise InputError(f"--under {under}: expected the path of a folder in the site, of letters, digits, '.', '_' and '-'")
        return "/".join(parts) + "/"

    def _studies(self) -> list[str]:
        """The studies that the site has: those whose own folders say so, whatever another publication knew of them."""
        place = self.root / self.content / self.under
        listed = [name for name in self.before.get("studies", ()) if os.path.lexists(place / name / _MANIFEST)]
        for name in listed:
            if read_manifest(place / name / _MANIFEST, ("slug",))["slug"] != name:
                raise InputError(f"{place / name / _MANIFEST} is not the manifest of {name}; restore it, or publish to an empty folder")
        others = place.glob(f"*/{_MANIFEST}") if place.is_dir() else ()
        return sorted({*listed, *(file.parent.name for file in others if names_study(file))})

    def remove(self, slugs: Sequence[str]) -> None:
        """Leave out studies; their files are removed with what is no longer published."""
        for slug in slugs:
            if slug not in self.manifests:
                there = f"there are {registry.choices(self.manifests)}" if self.manifests else "it has no studies"
                raise InputError(f"--remove {slug}: {self.root} has no such study; {there}{registry.nearest(slug, self.manifests)}")
            del self.manifests[slug]

    def _pages(self, codes: Iterable[str]) -> Pages:
        """Pages in the languages of these reports, in the order of all languages: Vietnamese, English, any other."""
        own = {language.code for language in chosen(self.known, list(codes))}
        ordered = sorted(
            self.known.values(), key=lambda language: (language.code not in ("vi", "en"), language.code == "en", language.code)
        )
        return Pages(self.assets, [language for language in ordered if language.code in own])

    def languages(self) -> dict[str, Language]:
        """All languages of this publication: of the reports asked for, and of those that the site has."""
        codes = [*self.codes, *(code for slug in self.manifests for code in self._codes(slug))]
        return {language.code: language for language in chosen(self.known, codes)}

    def _codes(self, slug: str) -> tuple[str, ...]:
        """The reports of a study: those asked for, and those that the site has of it."""
        there = [] if self.replace else self.manifests.get(slug, {}).get("languages", [])
        usable = [code for code in there if all(member in self.known for member in ([code] if code in self.known else code.split("-")))]
        return tuple(dict.fromkeys([*self.codes, *usable]))

    def _folder(self, slug: str) -> str:
        """The folder of a study as a path below the site's, with its slash."""
        return f"{self.prefix}{self.under}{slug}/"

    def _place(self, slug: str, path: str) -> Path:
        return self.root / self._folder(slug) / path

    def _published(self) -> dict[str, str]:
        found = dict(self.before.get("files", {}))
        for slug, manifest in self.manifests.items():
            found |= {f"{self._folder(slug)}{path}": digest for path, digest in manifest.get("files", {}).items()}
            # A manifest cannot hold its own hash; it is always written again with its study.
            found[f"{self._folder(slug)}{_MANIFEST}"] = ""
        return found | ({f"{self.prefix}{_SITE_MANIFEST}": ""} if self.before else {})

    def kept(self, study: Study, accepted: Path) -> Path | None:
        """The bundle that was accepted, where that is of the same study and this reportgen makes pages of it."""
        (verify_baseline if is_baseline(accepted) else verify_bundle)(accepted)
        there = self._place(study.slug, "data") if is_baseline(accepted) else accepted
        try:
            if site_folder(read_study(accepted)["settings"]["name"]) != study.slug:
                return None
            verify_bundle(there)
        except InputError:
            return None
        return there if bundle_digest(there) == bundle_digest(accepted) else None

    def check_identity(self, study: Study, *, revised: bool) -> None:
        """Raise InputError where the study of this name that the site has is about something else."""
        file = self._place(study.slug, "data/study.json")
        if study.slug not in self.manifests or self.replace or not file.is_file():
            return
        there = read_study(file.parent, older=True)
        # "Coffee" and "coffee" have one folder.
        name = study.results.study["settings"]["name"]
        if there["settings"]["name"] != name:
            raise InputError(_another(study, "name", there["settings"]["name"], name))
        if there["analysis"] != study.analysis.name:
            raise InputError(_another(study, "analysis", there["analysis"], study.analysis.name))
        for key in study.analysis.identity if isinstance(study.analysis, Identified) and not revised else ():
            old, new = (_setting(settings, key) for settings in (there["settings"], study.results.study["settings"]))
            if old != new:
                raise InputError(_another(study, key, old, new))

    def add_study(self, study: Study, label: str | None, templates: Path | None, progress: Progress, cache: Cache | None) -> None:
        """Render a study and collect all the files of its folder."""
        folder = self._folder(study.slug)
        codes = self._codes(study.slug)
        for address in (study.address, *(f"{study.address}/{page}" for page in (*codes, "history"))):
            self._check_address(address, f"the study {study.slug}")
        # The study's pages speak of its statements, in words that its analysis brings.
        pages = Pages(study.assets, [study.languages[language.code] for language in self._pages(codes).languages])
        with tempfile.TemporaryDirectory() as temporary:
            rendered = Path(temporary)
            # The documents to download are those that `run` may have kept; the pages are the site's own.
            pipeline.render(study.bundle, rendered, languages=codes, templates=templates, progress=progress, cache=cache)
            reports = {code: self._site_page(study, code, codes) for code in codes}
            of_site = rendered / "site"
            pipeline.render_site_pages(study.bundle, of_site, reports, templates=templates, progress=progress, cache=cache)
            self.site.add(f"{folder}refs.bib", (of_site / "refs.bib").read_bytes())
            for code in codes:
                place = _place_of(rendered, code)
                own = [study.languages[language.code] for language in chosen(self.known, [code])]
                self._add_page(f"{folder}{code}/index.html", of_site / code / "index.html")
                if self.base_url:
                    # Only a page with an address of its own announces a picture.
                    self.site.add(f"{folder}{code}/preview.png", preview_png(study, own, study.assets))
                self.site.add(f"{folder}{code}/report.pdf", (place / "report.pdf").read_bytes())
                for figure in sorted((place / "figures").glob("*.svg")):
                    self._add_page(f"{folder}{code}/figures/{figure.name}", figure)
                for file in sorted((*(of_site / code).glob("figures/*"), *(of_site / code).glob("tables/*"))):
                    self._add_page(f"{folder}{code}/{file.relative_to(of_site / code).as_posix()}", file)
            self._history(study, label, rendered, codes, pages)
        data = verify_bundle(study.bundle)
        for name in (*data, "SHA256SUMS"):
            self.site.add(f"{folder}data/{name}", (study.bundle / name).read_bytes())
        message = " / ".join(language.text("publish.citation_message") for language in pages.languages)
        self.site.add(f"{folder}CITATION.cff", citation_file(study, message, self.base_url))
        self.site.add(f"{folder}index.html", short_lines(self._chooser(study, data, codes, pages)))

    def _add_page(self, path: str, file: Path) -> None:
        """A file as it was rendered, but for its lines."""
        content = file.read_bytes()
        shorter = {".html": short_lines, ".svg": short_lines, ".tex": short_rows}.get(file.suffix)
        self.site.add(path, shorter(content.decode()) if shorter else content)

    def _check_address(self, address: str, what: str) -> None:
        """Raise InputError where a page of the site's own has the address of a folder that is to be published."""
        for path in self.kind.collisions(self.root, address):
            if (self.root / path).exists() and path not in self.site.published:
                raise InputError(f"{self.root / path} would have the address of {what}; give one of them another name")

    def _site_page(self, study: Study, code: str, codes: Sequence[str]) -> SitePage:
        own = [study.languages[language.code] for language in chosen(self.known, [code])]
        words = in_one_line(language.text("publish.about") for language in own)
        return SitePage(head(study, code, codes, self.base_url, SIZE), "../index.html", words, self.self_contained)

    def _chooser(self, study: Study, data: Iterable[str], codes: Sequence[str], pages: Pages) -> str:
        own = {language.code: study.languages[language.code] for language in pages.languages}
        findings = [
            {
                "verdict": finding["verdict"],
                "sentences": {code: sentence(language, finding["key"], finding.get("values", {})) for code, language in own.items()},
            }
            for finding in study.facts.get("findings", [])
        ]
        return pages.render(
            "publish/chooser.html.j2",
            subtitle=_only(study.subtitle, pages),
            title=_only(study.title, pages),
            reports=self._reports(codes, pages),
            findings=findings,
            data=sorted(data),
            bundle_digest=study.digest,
            head=links(study.address, f"{study.address}/index.html", codes, self.base_url)
            + described(study, pages.languages[0])
            + self._feed_link(study, ""),
            up=posixpath.relpath(self.index, study.address),
        )

    def _reports(self, codes: Sequence[str], pages: Pages) -> list[dict[str, str]]:
        return [{"code": code, "language": code.partition("-")[0], "words": link_words(code, pages.languages)} for code in codes]

    def _history(self, study: Study, label: str | None, rendered: Path, codes: tuple[str, ...], pages: Pages) -> None:
        folder = f"{self._folder(study.slug)}history/"
        entries = read_history(self.root / f"{folder}history.json")
        style = f"style-{sha256(pages.css.encode())[:12]}.css"
        changes = self._changes(study, pages, f"../{style}")
        shown = self.manifests.get(study.slug, {}).get("bundle")
        new = regeneration(study, label, codes, has_changes=changes is not None, entries=entries, shown=shown)
        if new.nth > 1 or not any(entry.digest == study.digest for entry in entries):
            own = f"{folder}{new.id}/"
            self.site.add(f"{own}{NUMBERS}", packed_baseline(study.bundle))
            for code in codes:
                self.site.add(f"{own}report-{code}.pdf", (_place_of(rendered, code) / "report.pdf").read_bytes())
            if changes is not None:
                self.site.add(f"{own}changes.html", changes)
        self.site.add(f"{folder}{style}", pages.css)
        # What is kept of earlier ones stays as it was written then, with the style sheets of its pages.
        for path in self.manifests.get(study.slug, {}).get("files", {}):
            kept = self._place(study.slug, path)
            if _OF_THE_PAST.fullmatch(path) and kept.is_file():
                self.site.add(f"{self._folder(study.slug)}{path}", kept.read_bytes())
        entries = with_entry(entries, new, label)
        self.site.add(f"{folder}history.json", history_json(entries))
        if (text := feed(study, entries, pages, self.base_url)) is not None:
            self.site.add(f"{folder}{FEED}", text)
            self.fed.add(study.slug)
        self.site.add(f"{folder}index.html", short_lines(self._timeline(study, entries, pages, style)))
        self.new[study.slug] = {
            "name": study.results.study["settings"]["name"],
            # What changes every time, away from the long lines of what was found.
            "bundle": study.digest,
            "regenerations": len(entries),
            "languages": list(codes),
            "title": dict(study.title),
            "subtitle": dict(study.subtitle),
            "about": {language.code: about(study, study.languages[language.code]) for language in pages.languages},
        }

    def _feed_link(self, study: Study, up: str) -> Markup:
        return Markup("\n") + feed_link(up, next(iter(study.title.values()))) if study.slug in self.fed else Markup()

    def _timeline(self, study: Study, entries: Sequence[Regeneration], pages: Pages, style: str) -> str:
        folder = f"{self._folder(study.slug)}history/"
        return pages.render(
            "publish/history.html.j2",
            style=style,
            title=_only(study.title, pages),
            entries=[
                {
                    "name": entry.name,
                    "id": entry.id,
                    "languages": entry.languages,
                    "has_changes": entry.has_changes,
                    # Earlier versions kept two files of the bundle itself.
                    "files": [name for name in (NUMBERS, "study.json", "results.nc") if self.site.has(f"{folder}{entry.id}/{name}")],
                }
                for entry in entries
            ],
            tables=timeline(entries, pages),
            current=[entry.id for entry in entries if entry.digest == study.digest][-1],
            head=links(study.address, f"{study.address}/history/index.html", (), self.base_url) + self._feed_link(study, "../"),
        )

    def _changes(self, study: Study, pages: Pages, style: str) -> str | None:
        """The comparison with what the site has now, if that is another bundle."""
        from reportgen.publish.comparison import comparison_page

        there = self._place(study.slug, "data")
        if study.slug not in self.manifests or not (there / "SHA256SUMS").is_file() or bundle_digest(there) == study.digest:
            return None
        return comparison_page(there, study.bundle, pages=pages, style=style)

    def finish(self, slugs: Sequence[str]) -> Published:
        """Add what belongs to the whole site, and write."""
        for slug, manifest in self.new.items():
            files = self.site.hashes(self._folder(slug))
            self.site.add(f"{self._folder(slug)}{_MANIFEST}", manifest_text({"slug": slug, **manifest, "files": files}))
        others = {slug: manifest for slug, manifest in self.manifests.items() if slug not in self.new and manifest}
        if others and self.base_url != self.before.get("base_url"):
            raise InputError(
                f"--base-url: {self.root} also holds {registry.choices(others)}, published with {self.before.get('base_url') or 'none'}; "
                f"name their bundles too, such as {self._place(next(iter(others)), 'data')}"
            )
        for slug, manifest in others.items():
            for path in (*manifest["files"], _MANIFEST):
                file = self._place(slug, path)
                if file.is_file():
                    self.site.add(f"{self._folder(slug)}{path}", file.read_bytes())
        every = {**others, **self.new}
        ordered = dict(sorted(every.items()))
        # What the site says of itself is in every language that one of its studies has.
        pages = self._pages([code for manifest in ordered.values() for code in manifest["languages"]] or self.codes)
        if not self.kind.makes_index:
            self._check_address("reports", "the list of the studies")
        self._add_site_files(ordered, pages)
        title = in_one_line(language.text("publish.reports") for language in pages.languages)
        scaffold = self.kind.scaffold(self.root, title, self.base_url, [language.code for language in pages.languages])
        absent = {path: text for path, text in scaffold.items() if not (self.root / path).exists()}
        self.notes += self.kind.notes(self.root)
        own = {path for path in scaffold if path in self.site.hashes()}
        for path, text in absent.items():
            self.site.add(path, text)
        self.site.check(own)
        written, removed = self.site.write()
        for path in written:
            if (size := path.stat().st_size) > _LARGEST:
                self.notes.append(f"{path} has {size / 1e6:.0f} MB; without Git LFS GitHub takes no more than 100 MB into a repository")
        if self.base_url is None:
            self.notes.append("no canonical addresses, preview pictures and sitemap without --base-url")
        published = tuple(self._place(slug, "index.html") for slug in slugs)
        return Published(self.root, published, tuple(written), tuple(removed), tuple(self.notes))

    def _add_site_files(self, ordered: Mapping[str, Mapping[str, Any]], pages: Pages) -> None:
        entries = [
            # Manifests of a site that an older version wrote say nothing about their studies.
            Entry(self._from_stub(slug), manifest["title"], tuple(manifest["languages"]), manifest.get("about") or {})
            for slug, manifest in ordered.items()
        ]
        files = {f"{self.prefix}{path}": text for path, text in self.kind.extras().items()}
        if self.kind.makes_index:
            files[f"{self.prefix}{self.index}"] = short_lines(self._index(ordered, pages))
        files |= self.kind.stub(self.root, entries, pages.languages)
        if self.base_url is not None:
            codes = {f"{self.under}{slug}": manifest["languages"] for slug, manifest in ordered.items()}
            files[f"{self.prefix}{self.kind.sitemap}"] = sitemap(self.base_url, codes, [self.index])
        for path, text in files.items():
            self.site.add(path, text)
        hashes = {path: digest for path, digest in self.site.hashes().items() if path in files}
        parent = {"under": self.under.rstrip("/")} if self.under else {}
        content = {"kind": self.kind.name, "base_url": self.base_url, **parent, "studies": list(ordered), "files": hashes}
        self.site.add(f"{self.prefix}{_SITE_MANIFEST}", manifest_text(content))

    def _from_stub(self, slug: str) -> str:
        return posixpath.relpath(f"{self.under}{slug}", posixpath.dirname(self.kind.index))

    def _index(self, ordered: Mapping[str, Mapping[str, Any]], pages: Pages) -> str:
        rows = [
            {
                "slug": slug,
                "title": _only(manifest["title"], pages),
                # Manifests of a site that an older version wrote have none.
                "subtitle": _only(manifest["subtitle"], pages) if manifest.get("subtitle") else {},
                "reports": self._reports(manifest["languages"], pages),
                "regenerations": manifest["regenerations"],
            }
            for slug, manifest in ordered.items()
        ]
        return pages.render("publish/index.html.j2", studies=rows, canonical=page_url(self.base_url, self.index))


def _base_address(url: str) -> str:
    try:
        return base_address(url)
    except ValueError as error:
        raise InputError(f"--base-url {url}: {error}") from None


def _place_of(rendered: Path, code: str) -> Path:
    """The folder that `render` wrote the report of this code into."""
    return rendered / code if (rendered / code).is_dir() else rendered


def _only(texts: Mapping[str, str], pages: Pages) -> dict[str, str]:
    """A text in the languages of the pages; where it has none of one, in one that it has."""
    return {language.code: texts.get(language.code) or next(iter(texts.values())) for language in pages.languages} if texts else {}


def _setting(settings: Mapping[str, Any], key: str) -> Any:
    """A setting by its dotted key; None where there is none."""
    value: Any = settings
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _another(study: Study, key: str, old: Any, new: Any) -> str:
    def shown(value: Any) -> str:
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 60 else f"{text[:57]}..."

    return (
        f"{study.bundle}: the site has another study named {study.slug} ({key}: there {shown(old)}, here {shown(new)}); "
        "give this one another name, or publish with --revised if it is the same study, or with --replace"
    )
