"""The gate for sentences and prose: every language says everything, with the same values, and nothing that nobody asks for."""

import re
from pathlib import Path

import pytest

from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages, placeholders, read_catalogue
from reportgen.resources import templates_directory

TEMPLATES = templates_directory()
ROOT = TEMPLATES.parent
LANGUAGES = load_languages(TEMPLATES)
ANALYSES = sorted(path.parent for path in TEMPLATES.glob("*/document.yaml"))
PROSE = sorted({(folder, path.name) for folder in ANALYSES for code in LANGUAGES for path in (folder / code).glob("*.html.j2")})
FILES = sorted(TEMPLATES.glob("languages/*/*.po"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_entry_is_empty_or_fuzzy_or_obsolete(path: Path) -> None:
    catalogue = read_catalogue(path)
    assert [message.id for message in catalogue if message.id and (not message.string or message.fuzzy)] == []
    assert list(catalogue.obsolete) == []


def test_every_language_has_every_key() -> None:
    every = set().union(*(language.catalogue for language in LANGUAGES.values()))
    assert {code: sorted(every - language.catalogue.keys()) for code, language in LANGUAGES.items()} == {code: [] for code in LANGUAGES}


def test_a_sentence_takes_the_same_values_in_every_language() -> None:
    first, *others = LANGUAGES.values()
    differing = {
        key: [sorted(placeholders(language.catalogue[key])) for language in LANGUAGES.values()]
        for key in first.catalogue
        if any(placeholders(language.catalogue[key]) != placeholders(first.catalogue[key]) for language in others)
    }
    assert differing == {}


def test_no_sentence_is_left_that_nobody_asks_for() -> None:
    """A key is used when it stands in the sources, or a part of it before some dot is put together with values there."""
    sources = [*ROOT.glob("reportgen/**/*.py"), *ROOT.glob("analyses/**/*.py"), *TEMPLATES.glob("**/*.j2"), *TEMPLATES.glob("**/*.yaml")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    words = set(re.findall(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\.?", text))
    unused = []
    for key in next(iter(LANGUAGES.values())).catalogue:
        parts = key.split(".")
        beginnings = {".".join(parts[:count]) + "." for count in range(1, len(parts))}
        implied = parts[0] in ("figure", "table") and parts[-1] in ("caption", "alt", "how_to_read", "note") and parts[1] in words
        if key not in words and not beginnings & words and not implied:
            unused.append(key)
    assert unused == []


@pytest.mark.parametrize(("folder", "name"), PROSE, ids=lambda value: value if isinstance(value, str) else value.name)
def test_prose_has_the_same_blocks_in_every_language(folder: Path, name: str) -> None:
    environment = Assets.default().environment()
    blocks = {code: list(environment.get_template(f"{folder.name}/{code}/{name}").blocks) for code in LANGUAGES}
    assert len({tuple(sorted(each)) for each in blocks.values()}) == 1, blocks
