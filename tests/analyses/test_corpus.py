"""The corpus that ships: what every text of it must have for a study of its word to say anything."""

import csv
import itertools
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

import analyses
from analyses.words import look_for, words_of

TEXTS = Path(analyses.__file__).parent / "mi_distance_pooled" / "texts"
COLUMNS = ["name", "file", "language", "word", "kind", "parallel"]
LANGUAGES = ("en", "vi")
# Words of English; written syllables of Vietnamese, which needs about half as many again for the same passage.
LENGTHS = {"en": (120, 250), "vi": (150, 380)}
OCCURRENCES = (8, 12)
WORDS_BEFORE_THE_FIRST = 5
NEAR, FAR = 15, 80
FEWEST_DISTANCES = 5
REPETITIONS_OF_A_CONTROL = (3, 6)
FEWEST_CONTROLS = 3


def _rows() -> list[dict[str, str]]:
    with (TEXTS / "corpus.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = _rows()
each_text = pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])


def _text(row: dict[str, str]) -> str:
    return (TEXTS / row["file"]).read_bytes().decode("utf-8")


def _places(row: dict[str, str]) -> list[int]:
    """Where the word stands, counted in words of the text."""
    text = _text(row)
    return [place.tokens[0] for place in look_for(text, row["word"], words_of(text), language=row["language"]).occurrences]


def _distances(row: dict[str, str]) -> list[int]:
    return [second - first for first, second in itertools.combinations(_places(row), 2)]


def test_the_table_names_every_text_once():
    assert list(ROWS[0]) == COLUMNS
    assert len(ROWS) >= 48
    files = sorted(path.relative_to(TEXTS).as_posix() for path in TEXTS.rglob("*.txt"))
    assert sorted(row["file"] for row in ROWS) == files
    assert len({row["name"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row["name"] == f"{row['parallel']}-{row['language']}"
        assert row["file"] == f"{row['language']}/{row['parallel']}.txt"


def test_the_same_passages_stand_in_both_languages():
    kinds = {language: {row["parallel"]: row["kind"] for row in ROWS if row["language"] == language} for language in LANGUAGES}
    assert kinds["en"] == kinds["vi"]
    assert len(kinds["en"]) * len(LANGUAGES) == len(ROWS)
    counted = Counter(kinds["en"].values())
    assert set(counted) == {"narrative", "expository"}
    assert counted["narrative"] == counted["expository"]
    for language in LANGUAGES:
        words = [row["word"] for row in ROWS if row["language"] == language]
        assert len(set(words)) == len(words)


def test_parallel_texts_have_as_many_paragraphs():
    paragraphs = {(row["parallel"], row["language"]): _text(row).count("\n\n") for row in ROWS}
    for slug in {row["parallel"] for row in ROWS}:
        assert paragraphs[slug, "en"] == paragraphs[slug, "vi"], slug


def test_no_two_texts_begin_with_the_same_sentence():
    beginnings = [re.split(r"(?<=[.:;?!])\s", _text(row))[0] for row in ROWS]
    assert len(set(beginnings)) == len(beginnings)


@each_text
def test_the_file_is_one_or_two_paragraphs_in_normal_form_c(row):
    text = _text(row)
    assert unicodedata.is_normalized("NFC", text)
    assert "\r" not in text
    assert text.endswith("\n")
    paragraphs = text.removesuffix("\n").split("\n\n")
    assert len(paragraphs) <= 2
    for paragraph in paragraphs:
        assert paragraph == " ".join(paragraph.split())
        assert paragraph


@each_text
def test_the_length_is_that_of_a_passage(row):
    fewest, most = LENGTHS[row["language"]]
    assert fewest <= len(words_of(_text(row))) <= most


@each_text
def test_the_word_stands_there_often_enough_and_not_at_the_beginning(row):
    places = _places(row)
    assert OCCURRENCES[0] <= len(places) <= OCCURRENCES[1]
    assert places[0] >= WORDS_BEFORE_THE_FIRST
    # In one form only: nothing that another rule of the word would count besides.
    assert len(re.findall(re.escape(row["word"]), _text(row), re.IGNORECASE)) == len(places)


@each_text
def test_its_occurrences_are_near_and_far(row):
    distances = _distances(row)
    assert min(distances) <= NEAR
    assert max(distances) >= FAR
    assert len(set(distances)) >= FEWEST_DISTANCES
    neighbours = {second - first for first, second in itertools.pairwise(_places(row))}
    assert len(neighbours) >= FEWEST_DISTANCES, "the occurrences stand at nearly equal steps"


@each_text
def test_other_words_come_again_too(row):
    text = _text(row)
    own = set(row["word"].split())
    counted = Counter(text[start:end].casefold() for start, end in words_of(text))
    fewest, most = REPETITIONS_OF_A_CONTROL
    controls = [word for word, times in counted.items() if fewest <= times <= most and word not in own]
    assert len(controls) >= FEWEST_CONTROLS
