"""Which paragraph stands in front of a text, and that a cached capture of another one does not serve."""

import unicodedata

import pytest

from analyses.mi_distance import analysis
from analyses.mi_distance.settings import StudySettings
from analyses.occurrences.prefixes import _TEXTS, control_prefix, language_of, neutral_prefix, study_prefix

ENGLISH = "The river is wide, and the river is slow."
VIETNAMESE = "Quán cà phê đầu ngõ đã mở cửa; cà phê thơm."


def settings(**changes) -> StudySettings:
    return StudySettings(**{"name": "trial", "word": "river", "text": ENGLISH} | changes)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_two_built_in_paragraphs_in_each_language(language):
    files = sorted(_TEXTS.glob(f"prefix-{language}-*.txt"))
    assert len(files) == 2
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert 60 <= len(text.split()) <= 80
        assert unicodedata.is_normalized("NFC", text)
        assert "\n" not in text.strip()
        assert language_of(text, None) == language


@pytest.mark.parametrize(
    ("text", "given", "language"),
    [
        (ENGLISH, None, "en"),
        (VIETNAMESE, None, "vi"),
        ("đen, đỏ", None, "vi"),
        ("À côté de la forêt, l'été; señor, über", None, "en"),  # accents that are not Vietnamese alone
        ("Cafea și apă, țară; kuća i đak; ọ̀rọ̀", None, "en"),  # Romanian, Croatian, Yoruba
        (ENGLISH, "vi", "vi"),
        (ENGLISH, "vi-VN", "vi"),
        (VIETNAMESE, "en", "en"),
        ("Der Fluss und der Fluss", "de", "en"),
    ],
)
def test_language_is_the_given_one_or_that_of_the_letters(text, given, language):
    assert language_of(text, given) == language
    assert neutral_prefix(settings(text=text, document={"text_language": given})).language == language


@pytest.mark.parametrize(
    ("word", "name"), [("river", "en-1"), ("Library", "en-2"), ("reading  room", "en-2"), ("lib", "en-1"), ("the", "en-1")]
)
def test_the_paragraph_is_one_without_the_word(word, name):
    found = neutral_prefix(settings(word=word))
    assert found.name == name


def test_a_paragraph_break_joins_prefix_and_text():
    prefix = neutral_prefix(settings())
    assert prefix.before(ENGLISH) == f"{prefix.text}\n\n{ENGLISH}"
    assert prefix.before(ENGLISH)[prefix.characters :] == ENGLISH


def test_a_study_has_a_prefix_of_its_own_or_one_as_a_control():
    assert study_prefix(settings()) is None
    assert control_prefix(settings()).name == "en-1"
    assert control_prefix(settings(controls={"prefix": False})) is None
    own = settings(prefix="  Once upon a time.\n")
    assert study_prefix(own).text == "Once upon a time."
    assert control_prefix(own) is None
    assert study_prefix(settings(prefix="neutral")) == control_prefix(settings())


def test_ready_activations_have_no_prefix():
    ready = settings(activations_file="vectors.npz")
    assert study_prefix(ready) is control_prefix(ready) is None
    with pytest.raises(ValueError, match="prefix: ready activations have no text that it could stand before"):
        settings(activations_file="vectors.npz", prefix="neutral")
    with pytest.raises(ValueError, match="must not be empty"):
        settings(prefix=" ")


def test_what_was_captured_serves_only_with_the_same_prefix_and_draws():
    base = analysis.capture_settings(settings())
    for changes in (
        {"prefix": "neutral"},
        {"prefix": "Once."},
        {"controls": {"prefix": False}},
        {"controls": {"untrained_seeds": 3}},
        {"document": {"text_language": "vi"}},  # another paragraph
        {"inside_words": True},
        {"except_in": ("coffee table",)},
    ):
        assert analysis.capture_settings(settings(**changes)) != base
    assert analysis.capture_settings(settings(document={"lecturer": "A. Teacher"})) == base
    assert base["prefixes"]["control"] == control_prefix(settings()).text
