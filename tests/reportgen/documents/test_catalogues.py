"""The gate for sentences and prose: every language says everything, with the same values, and nothing that nobody asks for."""

import re
from pathlib import Path

import jinja2
import pytest

from analyses.protocol import template_folders
from reportgen import registry
from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages, placeholders, read_catalogue
from reportgen.resources import templates_directory

TEMPLATES = templates_directory()
ROOT = TEMPLATES.parent
ANALYSES = {name: analysis for name, analysis in registry.analyses().items() if name in ("mi_distance", "mi_distance_pooled", "similarity")}
FOLDERS = {TEMPLATES, *(folder for analysis in ANALYSES.values() for folder in template_folders(analysis))}
FILES = sorted(path for folder in FOLDERS for path in folder.rglob("languages/*/*.po"))
# What a page of any analysis can say, and what that of each one can.
SPOKEN = {"common": load_languages(TEMPLATES)} | {
    name: load_languages(*Assets.of(analysis).directories, analysis=analysis.templates) for name, analysis in ANALYSES.items()
}
PROSE = sorted(
    {
        (name, path.name)
        for name, analysis in ANALYSES.items()
        for code in SPOKEN[name]
        for path in (analysis.template_folder / analysis.templates / code).glob("*.html.j2")
    }
)


def keys_of(path: Path) -> dict[str, tuple[str, ...]]:
    """Key -> its sentence, or all forms of one that counts."""
    return {
        message.id if isinstance(message.id, str) else message.id[0]: (message.string,)
        if isinstance(message.string, str)
        else tuple(message.string)
        for message in read_catalogue(path)
        if message.id
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_entry_is_empty_or_fuzzy_or_obsolete(path: Path) -> None:
    catalogue = read_catalogue(path)
    assert [key for key, forms in keys_of(path).items() if not all(forms)] == []
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []
    assert list(catalogue.obsolete) == []


@pytest.mark.parametrize("name", SPOKEN)
def test_every_language_has_every_key(name: str) -> None:
    languages = SPOKEN[name]
    every = set().union(*(language.catalogue for language in languages.values()))
    assert {code: sorted(every - language.catalogue.keys()) for code, language in languages.items()} == {code: [] for code in languages}


@pytest.mark.parametrize("name", SPOKEN)
def test_a_sentence_takes_the_same_values_in_every_language(name: str) -> None:
    first, *others = SPOKEN[name].values()
    differing = {
        key: [sorted(placeholders(language.catalogue[key])) for language in SPOKEN[name].values()]
        for key in first.catalogue
        if any(placeholders(language.catalogue[key]) != placeholders(first.catalogue[key]) for language in others)
    }
    assert differing == {}


@pytest.mark.parametrize("name", SPOKEN)
def test_a_sentence_that_counts_has_a_form_for_every_count(name: str) -> None:
    """Counted in every language, and nobody counts past gettext: no key ends in a form of its own beside it."""
    languages = SPOKEN[name]
    assert len({frozenset(language.plurals) for language in languages.values()}) == 1
    for code, language in languages.items():
        for key, plural in language.plurals.items():
            for count in (0, 1, 2, 30):
                assert language.text(key, count=count, **dict.fromkeys(placeholders(" ".join(plural.forms)) - {"count"}, "x"))
            assert code != "en" or not re.search(r"%\(count\)s (?:time|pair|layer|degree)\b", plural(2))
        beside = [
            key for key in language.catalogue if key.rpartition(".")[0] in language.plurals and key.endswith((".one", ".other", ".some"))
        ]
        assert beside == []


# Nouns of which there may be one only, and the keys where there never is: they are said beside several, or of a whole grid.
MAY_BE_ONE = r"%\((\w+)\)s (?:layers|pairs|draws|specifications|degrees of freedom|times|texts|words|cells|models|comparisons|verdicts)\b"
# Of models and of texts of the other sign there are several where they are spoken of.
NEVER_ONE = (
    "models.",
    "figure.models.",
    "unlike.item.more",
    "count.",
    "captured.layers.",
    "specification.",
    "figure.specification",
    "figure.untrained_profile.seeds",
)


@pytest.mark.parametrize("name", SPOKEN)
def test_what_may_be_one_is_counted_by_the_catalogue(name: str) -> None:
    """A placeholder beside a plural noun says "1 layers" for one of them: such a noun stands in a form of its own."""
    language = SPOKEN[name]["en"]
    found = {
        key: match[0]
        for key, sentence in language.catalogue.items()
        if key not in language.plurals and not key.startswith(NEVER_ONE)
        for match in re.finditer(MAY_BE_ONE, sentence)
        if match[1] not in ("control_pairs", "df", "repetitions", "branch")
    }
    assert found == {}


def test_no_sentence_is_left_that_nobody_asks_for() -> None:
    """A key is used when it stands in the sources, or a part of it before some dot is put together with values there."""
    kinds = ("*.py", "*.j2", "*.yaml")
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("reportgen", "analyses", "templates")
        for kind in kinds
        for path in (ROOT / folder).rglob(kind)
    )
    words = set(re.findall(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\.?", text))
    unused = []
    for key in sorted(set().union(*map(keys_of, FILES))):
        parts = key.split(".")
        beginnings = {".".join(parts[:count]) + "." for count in range(1, len(parts))}
        implied = parts[0] in ("figure", "table") and parts[-1] in ("caption", "alt", "how_to_read", "note") and parts[1] in words
        if key not in words and not beginnings & words and not implied:
            unused.append(key)
    assert unused == []


# Vietnamese words that the glossary has another one for: what installs is "cài đặt", what is set is "thiết lập".
NOT_THE_TERM = {"cài đặt": "thiết lập", "trị số": "giá trị", "dòng dư": "luồng phần dư"}


def test_one_thing_has_one_name_in_vietnamese() -> None:
    prose = [path for folder in FOLDERS for path in folder.rglob("vi/*.j2")]
    texts = {path: path.read_text(encoding="utf-8") for path in prose}
    texts |= {path: "\n".join(form for forms in keys_of(path).values() for form in forms) for path in FILES if path.parent.name == "vi"}
    assert len(prose) > 10
    assert [(path.name, words) for path, text in texts.items() for words in NOT_THE_TERM if words in text.lower()] == []


@pytest.mark.parametrize("name", ANALYSES)
def test_what_an_analysis_says_of_its_own_stands_in_one_place(name: str) -> None:
    """A key of the common catalogue that an analysis says alike is there twice: whoever changes one forgets the other."""
    own = {code: {} for code in SPOKEN["common"]}
    for path in (ANALYSES[name].template_folder / ANALYSES[name].templates).rglob("languages/*/*.po"):
        own[path.parent.name] |= {key: forms[-1] for key, forms in keys_of(path).items()}
    behind = load_languages(*Assets.of(ANALYSES[name]).directories[:-1])
    twice = [key for key in own["en"] if all(behind[code].catalogue.get(key) == sentences[key] for code, sentences in own.items())]
    assert twice == []


@pytest.mark.parametrize(("analysis", "name"), PROSE)
def test_prose_has_the_same_blocks_in_every_language(analysis: str, name: str) -> None:
    assets, folder = Assets.of(ANALYSES[analysis]), ANALYSES[analysis].templates
    parsed = {code: assets.environment().parse(assets.text(f"{folder}/{code}/{name}")) for code in SPOKEN[analysis]}
    blocks = {code: [block.name for block in tree.find_all(jinja2.nodes.Block)] for code, tree in parsed.items()}
    assert len({tuple(sorted(each)) for each in blocks.values()}) == 1, blocks
