"""The kinds of site: where reports go in each, and the page by which the site's own navigation leads to them."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from markupsafe import escape

from analyses.errors import InputError
from analyses.readers import is_file, read_text
from reportgen.documents.languages import Language, in_one_line
from reportgen.yaml_files import read_yaml


@dataclass(frozen=True)
class Entry:
    """A study in the index of a site: where its folder is from there, title by language, codes of its pages (``vi``, ``vi-en``).

    `about` is what the site's own search finds it by, by language: its findings in sentences, and keywords.
    """

    place: str
    title: dict[str, str]
    codes: tuple[str, ...]
    about: dict[str, str] = field(default_factory=dict)


class Kind(ABC):
    """A kind of site.

    Attributes
    ----------
    index
        The page that lists the studies, as a path in the finished site.
    sitemap
        Name of the sitemap in the finished site.
    """

    name: str
    index = "reports/index.html"
    sitemap = "sitemap.xml"
    makes_index = False

    @abstractmethod
    def content(self, site: Path) -> str:
        """The folder, relative to the site's, whose files appear at the root of the finished site; empty: the site's own."""

    def stub(self, site: Path, entries: Sequence[Entry], languages: Sequence[Language]) -> dict[str, str]:
        """The page in the site's own format that lists the studies: path relative to the site -> text."""
        return {}

    def extras(self) -> dict[str, str]:
        """Other files that the kind needs, relative to `content`."""
        return {}

    def collisions(self, site: Path, address: str) -> list[str]:
        """Pages of the site's own that would have the address of a folder (its path in the site), relative to the site."""
        return []

    def scaffold(self, site: Path, title: str, base_url: str | None, languages: Sequence[str]) -> dict[str, str]:
        """Files of a new site in languages (codes, the first one its own), written where they are absent; then they are the user's."""
        return {}

    def notes(self, site: Path) -> list[str]:
        """What the user has to do to an existing site."""
        return []


class Plain(Kind):
    """Files for any web server, or for GitHub Pages without a generator."""

    name = "plain"
    index = "index.html"
    makes_index = True

    def content(self, site: Path) -> str:
        return ""

    def extras(self) -> dict[str, str]:
        # GitHub Pages would otherwise run Jekyll over the files.
        return {".nojekyll": ""}


class MkDocs(Kind):
    """A project of MkDocs: HTML below its docs folder is copied as it is."""

    name = "mkdocs"
    # MkDocs writes a sitemap.xml of its own, which knows nothing of copied pages.
    sitemap = "sitemap-reports.xml"

    def content(self, site: Path) -> str:
        configuration = self._configuration(site)
        if configuration is None:
            return "docs"
        folder = self._values(configuration).get("docs_dir", "docs")
        if not isinstance(folder, str) or Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise InputError(f"{configuration}: docs_dir {folder!r} lies outside of the project; publish to it as a plain site")
        return Path(folder).as_posix()

    def stub(self, site: Path, entries: Sequence[Entry], languages: Sequence[Language]) -> dict[str, str]:
        return {f"{self.content(site)}/reports/index.md": _markdown(entries, languages)}

    def scaffold(self, site: Path, title: str, base_url: str | None, languages: Sequence[str]) -> dict[str, str]:
        if self._configuration(site) is not None:
            return {}
        settings: dict[str, Any] = {"site_name": title} | ({"site_url": base_url} if base_url else {})
        # Fonts from elsewhere would tell another company about every reader.
        settings |= {"theme": {"name": "material", "font": False, "language": languages[0]}}
        settings |= {"plugins": [{"search": {"lang": list(languages)}}]}
        home = f"# {escape(title)}\n\n[{escape(title)}](reports/index.md)\n"
        return {"mkdocs.yml": yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), "docs/index.md": home}

    def collisions(self, site: Path, address: str) -> list[str]:
        return [f"{self.content(site)}/{address}{end}" for end in (".md", "/index.md", "/README.md")]

    def notes(self, site: Path) -> list[str]:
        configuration = self._configuration(site)
        values = self._values(configuration) if configuration else {}
        if "nav" not in values or "reports/index.md" in json.dumps(values["nav"]):
            return []
        return [f"add reports/index.md to the nav in {configuration.name if configuration else 'mkdocs.yml'}"]

    @staticmethod
    def _configuration(site: Path) -> Path | None:
        return next((site / name for name in ("mkdocs.yml", "mkdocs.yaml") if (site / name).is_file()), None)

    @staticmethod
    def _values(configuration: Path) -> dict[str, Any]:
        # Tags such as !ENV and !!python/name are for MkDocs; only plain values are wanted here.
        values = read_yaml(configuration, foreign_tags=True).values
        return values if isinstance(values, dict) else {}


class Sphinx(Kind):
    """A project of Sphinx: a folder named in ``html_extra_path`` is copied to the root of the output."""

    name = "sphinx"
    FOLDER = "reports_html"

    def content(self, site: Path) -> str:
        return self.FOLDER

    def extras(self) -> dict[str, str]:
        return {".nojekyll": ""}

    def stub(self, site: Path, entries: Sequence[Entry], languages: Sequence[Language]) -> dict[str, str]:
        title = _title(languages)
        # The pages are no sources of Sphinx, so its own links cannot lead to them.
        listed = "\n".join(_html_list(entries, languages))
        if self._configuration(site) is None or "myst" in (self._configuration(site) or ""):
            about = "".join(f"\n{_markdown_text(text)}\n" for text in _abouts(entries, languages))
            return {"reports/index.md": f"---\norphan: true\n---\n\n# {_markdown_text(title)}\n\n```{{raw}} html\n{listed}\n```\n{about}"}
        width = sum(2 if ord(character) > 0x2E80 else 1 for character in title)
        raw = "\n".join(f"   {line}" for line in listed.splitlines())
        about = "".join(f"\n{_restructured(text)}\n" for text in _abouts(entries, languages))
        return {"reports/index.rst": f":orphan:\n\n{_restructured(title)}\n{'=' * (width + 4)}\n\n.. raw:: html\n\n{raw}\n{about}"}

    def scaffold(self, site: Path, title: str, base_url: str | None, languages: Sequence[str]) -> dict[str, str]:
        if self._configuration(site) is not None:
            return {}
        lines = [
            f"project = {json.dumps(title, ensure_ascii=False)}",
            f"language = {json.dumps(languages[0])}",
            'extensions = ["myst_parser"]',
            f'html_extra_path = ["{self.FOLDER}"]',
            f'exclude_patterns = ["_build", "{self.FOLDER}"]',
            *([f"html_baseurl = {json.dumps(base_url)}"] if base_url else []),
        ]
        index = f"# {_markdown_text(title)}\n\n```{{toctree}}\nreports/index\n```\n"
        return {"conf.py": "\n".join(lines) + "\n", "index.md": index}

    def collisions(self, site: Path, address: str) -> list[str]:
        return [f"{address}{stem}{end}" for stem in ("", "/index") for end in (".rst", ".md", ".ipynb")]

    def notes(self, site: Path) -> list[str]:
        configuration = self._configuration(site)
        if configuration is None or self.FOLDER in configuration:
            return []
        return [
            f'add "{self.FOLDER}" to html_extra_path and to exclude_patterns in conf.py: Sphinx then copies the reports to the site\'s root'
        ]

    @staticmethod
    def _configuration(site: Path) -> str | None:
        file = site / "conf.py"
        return read_text(file) if is_file(file) else None


class Jekyll(Kind):
    """The sources of a Jekyll site: files without front matter are copied as they are."""

    name = "jekyll"
    # A plugin of Jekyll's writes sitemap.xml for the site's own pages, unless there is one.
    sitemap = "sitemap-reports.xml"

    def content(self, site: Path) -> str:
        return ""

    def collisions(self, site: Path, address: str) -> list[str]:
        return [f"{address}{end}" for end in (".md", ".markdown", ".html", "/index.md", "/index.markdown", "/README.md")]

    def stub(self, site: Path, entries: Sequence[Entry], languages: Sequence[Language]) -> dict[str, str]:
        listed = "\n".join(_html_list(entries, languages, about=True))
        front = yaml.safe_dump({"layout": "default", "title": _title(languages)}, allow_unicode=True, sort_keys=False)
        # A title may hold what Liquid would take for its own.
        body = listed.replace("{%", "&#123;%").replace("{{", "&#123;&#123;")
        return {"reports/index.html": f"---\n{front}---\n{{% raw %}}\n<h1>{escape(_title(languages))}</h1>\n{body}\n{{% endraw %}}\n"}

    def scaffold(self, site: Path, title: str, base_url: str | None, languages: Sequence[str]) -> dict[str, str]:
        if (site / "_config.yml").is_file():
            return {}
        values: dict[str, str] = {"title": title, "theme": "minima", "lang": languages[0]}
        if base_url:
            scheme, _, rest = base_url.partition("://")
            host, _, path = rest.partition("/")
            values |= {"url": f"{scheme}://{host}", "baseurl": f"/{path.strip('/')}" if path.strip("/") else ""}
        home = f'---\nlayout: default\n---\n<p><a href="reports/index.html">{escape(title)}</a></p>\n'
        return {"_config.yml": yaml.safe_dump(values, allow_unicode=True, sort_keys=False), "index.html": home}


KINDS: dict[str, Kind] = {kind.name: kind for kind in (Plain(), MkDocs(), Sphinx(), Jekyll())}


def _title(languages: Sequence[Language]) -> str:
    return in_one_line(language.text("publish.reports") for language in languages)


def link_words(code: str, languages: Sequence[Language]) -> str:
    """What a link to a page says: ``Đọc tiếng Việt``, in the page's own language."""
    own = {language.code: language for language in languages}
    members = [code] if code in own else [each for each in code.split("-") if each in own]
    return " / ".join(own[each].text("publish.read" if len(members) == 1 else "publish.read_both") for each in members)


def _abouts(entries: Sequence[Entry], languages: Sequence[Language]) -> list[str]:
    """What each study is found by in each language, as text."""
    return [entry.about[language.code] for entry in entries for language in languages if language.code in entry.about]


def _html_list(entries: Sequence[Entry], languages: Sequence[Language], *, about: bool = False) -> list[str]:
    lines = ["<ul>"]
    for entry in entries:
        titles = " / ".join(
            f'<span lang="{language.code}">{escape(entry.title[language.code])}</span>'
            for language in languages
            if language.code in entry.title
        )
        pages = " · ".join(f'<a href="{entry.place}/{code}/index.html">{escape(link_words(code, languages))}</a>' for code in entry.codes)
        told = [language.code for language in languages if about and language.code in entry.about]
        paragraphs = "".join(f'<p lang="{code}">{escape(entry.about[code])}</p>' for code in told)
        lines.append(f'<li><a href="{entry.place}/index.html">{titles}</a><br>{pages}{paragraphs}</li>')
    return [*lines, "</ul>"]


def _markdown(entries: Sequence[Entry], languages: Sequence[Language]) -> str:
    lines = [f"# {_markdown_text(_title(languages))}", ""]
    for entry in entries:
        title = in_one_line(entry.title[language.code] for language in languages if language.code in entry.title)
        lines += [f"- [{_markdown_text(title)}]({entry.place}/index.html)"]
        lines += [f"    - [{_markdown_text(link_words(code, languages))}]({entry.place}/{code}/index.html)" for code in entry.codes]
        lines += ["", *(f"    {_markdown_text(text)}\n" for text in _abouts([entry], languages))]
    return "\n".join(lines) + "\n"


def _markdown_text(text: str) -> str:
    escaped = "".join(f"\\{character}" if character in "\\`*_[]#|{}" else character for character in text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _restructured(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\*`|_" else character for character in text)
