import re
import unicodedata

import pytest

from analyses.errors import InputError
from analyses.words import Occurrence, find_occurrences


def word_offsets(text: str) -> list[tuple[int, int]]:
    """Tokens as GPT-2 makes them: a leading space belongs to the token; a mark of punctuation is one of its own."""
    return [match.span() for match in re.finditer(r" ?\w+| ?[^\w\s]|\s", text)]


def found(text: str, word: str, **options: bool) -> list[str]:
    return [text[item.start : item.end] for item in find_occurrences(text, word, word_offsets(text), **options)]


def test_word_is_found_in_either_case_with_its_token_whose_span_has_the_space():
    text = "Coffee is coffee."
    assert find_occurrences(text, "coffee", word_offsets(text)) == [Occurrence(0, 6, (0,)), Occurrence(10, 16, (2,))]


def test_longer_words_do_not_match():
    assert found("coffee, coffeehouse, decoffee, coffee_cup and coffee-pot", "coffee") == ["coffee", "coffee"]


def test_plurals_match_only_when_asked():
    text = "A coffee, two coffees, one box, a coffee, two boxes."
    assert found(text, "coffee") == ["coffee", "coffee"]
    assert found(text, "coffee", plural=True) == ["coffee", "coffees", "coffee"]
    assert found(text, "box", plural=True) == ["box", "boxes"]


def test_case_sensitive():
    assert found("Coffee coffee COFFEE coffee", "coffee", case_sensitive=True) == ["coffee", "coffee"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_vietnamese_phrase_in_any_normal_form_and_over_a_line_break(form):
    text = "Cà phê đen, cà\nphê sữa, cà phêm."
    word = unicodedata.normalize(form, "cà phê")
    assert found(text, word) == ["Cà phê", "cà\nphê"]


def test_phrase_of_many_tokens_takes_all_tokens_that_overlap_it():
    text = "cà phê, cà phê"
    # Pieces as a byte-level tokenizer cuts them: several tokens may hold bytes of one character and share its span.
    offsets = [(0, 1), (1, 2), (2, 5), (5, 6), (5, 6), (6, 7), (7, 9), (9, 10), (10, 14)]
    assert [item.tokens for item in find_occurrences(text, "cà phê", offsets)] == [(0, 1, 2, 3, 4), (6, 7, 8)]


def test_special_tokens_cover_nothing():
    text = "tea tea"
    assert [item.tokens for item in find_occurrences(text, "tea", [(0, 0), (0, 3), (3, 7), (7, 7)])] == [(1,), (2,)]


def test_word_that_ends_in_a_sign():
    assert found("C++ and C++, not C+++x", "C++") == ["C++", "C++", "C++"]


def test_letter_with_a_combining_mark_that_has_no_composed_form_is_another_letter():
    # q with a dot below is one letter of the text although no composed code point exists for it.
    assert found("q q q\u0323 q", "q") == ["q", "q", "q"]


def test_chinese_needs_no_spaces():
    text = "我喝咖啡，咖啡很好"
    offsets = [(index, index + 1) for index in range(len(text))]
    assert [item.tokens for item in find_occurrences(text, "咖啡", offsets)] == [(2, 3), (5, 6)]


@pytest.mark.parametrize(
    ("text", "word", "options", "message"),
    [
        ("tea and tea", "coffee", {}, "the word 'coffee' does not stand in the text"),
        ("Tea and TEA", "tea", {"case_sensitive": True}, "it stands there 2 × in another case: leave case_sensitive off"),
        ("cups and cups", "cup", {}, "it stands there 2 × in the plural: set plural to true"),
        ("Cups and CUPS", "cup", {"case_sensitive": True}, "it stands there 2 × in the plural or another case"),
        ("teapot, teacup", "tea", {}, "only a part of longer words there (2 times)"),
        ("tea or coffee", "tea", {}, "only once; at least 2 occurrences are needed"),
        (
            "tea or teas",
            "tea",
            {},
            "only once; at least 2 occurrences are needed; it stands there 1 × more in the plural: set plural to true",
        ),
        ("tea", "  ", {}, "expected at least one letter"),
    ],
)
def test_errors_say_what_to_do(text, word, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        find_occurrences(text, word, word_offsets(text), **options)


def test_text_must_be_composed():
    text = unicodedata.normalize("NFD", "cà phê, cà phê")
    with pytest.raises(InputError, match="normal form C"):
        find_occurrences(text, "cà phê", word_offsets(text))


def test_offsets_of_another_text():
    with pytest.raises(InputError, match="no token covers"):
        find_occurrences("tea and tea", "tea", [(0, 3)])
