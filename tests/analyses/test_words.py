import re
import unicodedata

import pytest

from analyses.errors import InputError
from analyses.words import Occurrence, find_occurrences, look_for, words_of


def word_offsets(text: str) -> list[tuple[int, int]]:
    """Tokens as GPT-2 makes them, behind a special one: a leading space belongs to the token; a mark of punctuation is one of its own."""
    return [(0, 0)] + [match.span() for match in re.finditer(r" ?\w+| ?[^\w\s]|\s", text)]


def found(text: str, word: str, **options: bool) -> list[str]:
    return [text[item.start : item.end] for item in find_occurrences(text, word, word_offsets(text), **options)]


def test_word_is_found_in_either_case_with_its_token_whose_span_has_the_space():
    text = "Coffee is coffee."
    assert find_occurrences(text, "coffee", word_offsets(text)) == [Occurrence(0, 6, (1,)), Occurrence(10, 16, (3,))]


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
    offsets = [(0, 0), (0, 1), (1, 2), (2, 5), (5, 6), (5, 6), (6, 7), (7, 9), (9, 10), (10, 14)]
    assert [item.tokens for item in find_occurrences(text, "cà phê", offsets)] == [(1, 2, 3, 4, 5), (7, 8, 9)]


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
        find_occurrences("tea and tea", "tea", [(0, 0), (0, 3)])


def places(text: str, word: str, **options) -> list[str]:
    """What counts, as the text spells it, behind a special token that takes no place of the text."""
    text = unicodedata.normalize("NFC", text)
    offsets = [(0, 0), *((index, index + 1) for index in range(len(text)))]
    return [text[item.start : item.end] for item in look_for(text, word, offsets, **options).occurrences]


# Words whose text goes on "and X and X", so that every row has the two places that a study needs.
@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        # Characters that are not seen do not end a word (UAX #29, WB4).
        ("می‌خواهم، نمی‌خواهم، خواهم، خواهم", "خواهم", ["خواهم"] * 2),
        ("نمی‌خواهم، نمیخواهم، خواهم", "نمی‌خواهم", ["نمی‌خواهم", "نمیخواهم"]),
        ("cof\u00adfee, coffee, cof\u2060fee", "coffee", ["cof\u00adfee", "coffee", "cof\u2060fee"]),
        # i and ı are two letters in Turkish.
        ("ılık, ILIK, ilik, ılık", "ılık", ["ılık", "ILIK", "ılık"]),
        ("ılık, ILIK, ilik, İLİK", "ilik", ["ilik", "İLİK"]),
        ("island ISLAND", "Island", ["island", "ISLAND"]),
        # Dictionaries where a script sets no spaces.
        ("咖啡因，喝咖啡，咖啡很好", "咖啡", ["咖啡"] * 2),
        ("研究生命科学，研究生，研究生很多", "研究生", ["研究生"] * 2),
        ("コーヒーを飲む。コーヒーカップとコーヒー", "コーヒー", ["コーヒー"] * 3),
        ("ฉันดื่มกาแฟทุกเช้า กาแฟอร่อย", "กาแฟ", ["กาแฟ"] * 2),
        ("ຂ້ອຍດື່ມກາເຟ ກາເຟ", "ກາເຟ", ["ກາເຟ"] * 2),
        ("ខ្ញុំចូលចិត្តកាហ្វេ កាហ្វេ", "កាហ្វេ", ["កាហ្វេ"] * 2),
        ("ကျွန်တော်ကော်ဖီသောက်သည် ကော်ဖီ", "ကော်ဖီ", ["ကော်ဖီ"] * 2),
        # Signs that make another word, and those that do not.
        ("C++, C#, C, C.", "C", ["C", "C"]),
        ("C#, C++ and C#", "C#", ["C#", "C#"]),
        ("coffee's, coffee’s and coffee-pot", "coffee", ["coffee"] * 3),
        ("can, can't, can’t, can", "can", ["can", "can"]),
        ("#coffee #1 coffee", "coffee", ["coffee", "coffee"]),
        # Marks of Markdown and of footnotes.
        ("_coffee_, __coffee__, *coffee*, `coffee`, **coffee**, ~~coffee~~", "coffee", ["coffee"] * 6),
        ("my_coffee_cup, coffee_cup, coffee, _coffee", "coffee", ["coffee", "coffee"]),
        ("coffee², coffee¹ and x₂", "coffee", ["coffee", "coffee"]),
        # Emoji and their selectors are no part of a word, before it or behind it.
        ("☕️coffee, ❤️coffee, coffee☕️, 👍🏽coffee, 🇻🇳coffee", "coffee", ["coffee"] * 5),
        # Apostrophes and hyphens of all kinds; elision.
        ("don't, don’t, donʼt", "don't", ["don't", "don’t", "donʼt"]),
        ("l'eau, l’eau, eau", "l'eau", ["l'eau", "l’eau"]),
        ("l'eau, l’eau, d’eau", "eau", ["eau"] * 3),
        ("e-mail, e‑mail, e–mail, email", "e-mail", ["e-mail", "e‑mail", "e–mail"]),
        # Case and compatibility forms.
        ("Straße, STRASSE, straße, Strasse", "Straße", ["Straße", "STRASSE", "straße", "Strasse"]),
        ("ΟΔΟΣ, οδος, οδός", "οδος", ["ΟΔΟΣ", "οδος"]),
        ("ｃｏｆｆｅｅ, coﬀee, COFFEE", "coffee", ["ｃｏｆｆｅｅ", "coﬀee", "COFFEE"]),
        ("𝐜𝐨𝐟𝐟𝐞𝐞 and coffee", "coffee", ["𝐜𝐨𝐟𝐟𝐞𝐞", "coffee"]),
        # Vietnamese spellings of one word, and words that differ in a mark.
        ("hòa bình, hoà bình, Hoà, hoa, hoả", "hòa", ["hòa", "hoà", "Hoà"]),
        ("khỏe, khoẻ; thúy, thuý", "khoẻ", ["khỏe", "khoẻ"]),
        ("khỏe, khoẻ; thúy, thuý", "thúy", ["thúy", "thuý"]),
        ("hoàn, hòa, hoà", "hoà", ["hòa", "hoà"]),
        ("cà phê, cà-phê, Cà  Phê, cà\u00a0phê, ca phe", "cà phê", ["cà phê", "cà-phê", "Cà  Phê", "cà\u00a0phê"]),
        ("Đường, đường, Ðường, ðường, dường", "đường", ["Đường", "đường", "Ðường", "ðường"]),
        ("ma, má, mà, mả, mã, mạ, ma", "ma", ["ma", "ma"]),
        # Vowel signs of Arabic and Hebrew.
        ("قَهْوَة، قهوة، قهـــوة، والقهوة", "قهوة", ["قَهْوَة", "قهوة", "قهـــوة"]),
        ("أمل، امل، أَمَل", "أمل", ["أمل", "أَمَل"]),
        ("קָפֶה קפה", "קפה", ["קָפֶה", "קפה"]),
        # A vowel sign, a sign of direction or a joiner behind the last letter.
        ("كتابٌ، كتابٍ، كتابُ، كتاب، كتابي", "كتاب", ["كتابٌ", "كتابٍ", "كتابُ", "كتاب"]),
        ("\u200fقهوة\u200f، \u200eقهوة\u200e", "قهوة", ["قهوة"] * 2),
        ("\u202acoffee\u202c \u2068coffee\u2069 coffee\u00ad coffee\u2060, coffee\ufeff", "coffee", ["coffee"] * 5),
        ("خانه‌ها، خانه‌، خانه", "خانه", ["خانه"] * 2),
        ("☕ ☕️ ☕", "☕", ["☕", "☕️", "☕"]),
        ("❤️ ❤ 👍🏽", "❤️", ["❤️", "❤"]),
        ("👍🏽 👍 👍 👨‍👩‍👧", "👍", ["👍"] * 2),
        # Kaf and yeh of an Arabic keyboard in Persian; alef maksura is another letter in Arabic.
        ("کتابی، كتابي، کتابي", "کتابی", ["کتابی", "كتابي", "کتابي"]),
        ("علي، على، علي", "علي", ["علي"] * 2),
        # Geresh, gershayim, okina and transcription.
        ("צ'יפס, צ׳יפס, צ’יפס", "צ'יפס", ["צ'יפס", "צ׳יפס", "צ’יפס"]),
        ('צה"ל, צה״ל', 'צה"ל', ['צה"ל', "צה״ל"]),
        ("Hawaiʻi, Hawai'i, Hawai‘i", "Hawaiʻi", ["Hawaiʻi", "Hawai'i", "Hawai‘i"]),
        # The tone of a Vietnamese syllable, on whichever of its vowels; a text of Spanish or Yoruba has other words there.
        ("Phở này quá ngon, qúa ngon, quả", "quá", ["quá", "qúa"]),
        ("hoàng, hòang, hoang, phở", "hoàng", ["hoàng", "hòang"]),
        ("thuở, thủơ; giếng, gíêng", "thuở", ["thuở", "thủơ"]),
        ("mùa hè ở đây, muà hè, mua, mừa", "mùa", ["mùa", "muà"]),
        ("hoa hoà hoa hóa", "hoa", ["hoa", "hoa"]),
        ("río, rió, río", "río", ["río"] * 2),
        ("oúnjẹ, òunjẹ, oúnjẹ", "oúnjẹ", ["oúnjẹ"] * 2),
        # A sentence's end without a space.
        ("I like coffee.Then coffee:more", "coffee", ["coffee", "coffee"]),
    ],
)
def test_places_that_count_in_texts_as_people_write_them(text, word, expected):
    assert places(text, word) == [unicodedata.normalize("NFC", each) for each in expected]


def left_out(text: str, word: str, offsets=None, **options) -> dict[str, str]:
    offsets = offsets or [(0, 0), *((index, index + 1) for index in range(len(text)))]
    return {place.reason: text[place.start : place.end] for place in look_for(text, word, offsets, **options).left_out}


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example/coffee",
        "www.coffee.example",
        "me@coffee.org",
        "coffee@example.org",
        "coffee.com",
        "@coffee",
        "git://x.y/coffee?z=1",
        "doi:10.1000/coffee",
        "https://doi.org/10.1000/coffee.1",
        "https://en.wikipedia.org/wiki/Coffee_(coffee)",
    ],
)
def test_addresses_are_left_out(address):
    text = f"More coffee, see {address} and coffee."
    assert places(text, "coffee") == ["coffee", "coffee"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("https://a.example/b，咖啡好，咖啡。", "咖啡"),
        ("<a href=\"https://a.example/coffee\">coffee</a> <a href='https://a.example'>coffee</a>", "coffee"),
        ("|https://a.example/coffee|coffee|coffee|", "coffee"),
        ("[a](https://a.example/coffee)coffee, `https://a.example/coffee`,coffee", "coffee"),
        ("“www.a.example/coffee”coffee (see a.com/coffee)coffee", "coffee"),
    ],
)
def test_an_address_ends_where_its_text_goes_on(text, word):
    assert len(places(text, word)) == 2


def test_what_is_left_out_is_named():
    text = "coffee and coffee, coffee; see https://a.example/coffee"
    offsets = word_offsets(text)[1:]
    found = look_for(text, "coffee", offsets)
    assert [item.start for item in found.occurrences] == [11, 19]
    assert [(item.start, item.reason) for item in found.left_out] == [(0, "first_token"), (49, "address")]
    assert found.spellings == {"coffee": 2}
    remark = found.remark("coffee")
    assert remark is not None
    assert "\n" not in remark
    assert "counts as coffee 2 ×; left out 1 × at the first token of the text" in remark
    assert "1 × in an address" in remark


def test_nothing_to_say_where_all_counts():
    assert look_for("a tea, a tea", "tea", word_offsets("a tea, a tea")).remark("tea") is None


def test_near_misses_are_counted():
    text = "tea, tea, Tea, teas, teapot"
    found = look_for(text, "tea", word_offsets(text), case_sensitive=True)
    assert found.near == {"case": 1, "plural": 1, "inside": 1}
    assert "not counted 1 × in another case, 1 × in the plural" in str(found.remark("tea")).replace(
        "; not counted 1 × in the", ", 1 × in the"
    )


def test_the_first_token_of_the_text_alone():
    text = "Water is water"
    with pytest.raises(InputError, match="only once; at least 2 occurrences are needed; left out 1 × at the first token of the text"):
        find_occurrences(text, "water", word_offsets(text)[1:])
    # Behind a special token it is no longer the first.
    assert len(find_occurrences(text, "water", word_offsets(text))) == 2


def test_a_token_that_holds_more_than_the_word():
    text = "喝咖啡，咖啡好，咖啡甜，咖啡"
    offsets = [(0, 0), (0, 3), (3, 4), (4, 6), (6, 7), (7, 8), (8, 10), (10, 11), (11, 12), (12, 14)]
    found = look_for(text, "咖啡", offsets)
    assert [item.tokens for item in found.occurrences] == [(3,), (6,), (9,)]
    assert [(item.start, item.reason) for item in found.left_out] == [(1, "wider_token")]
    # Signs and spaces in the same token are not more than the word.
    text = '"coffee and "coffee'
    assert len(find_occurrences(text, "coffee", [(0, 0), (0, 7), (7, 11), (11, 19)])) == 2


def test_one_token_for_two_occurrences():
    text = "人人，人，人"
    assert [item.tokens for item in find_occurrences(text, "人", [(0, 0), (0, 2), (2, 3), (3, 4), (4, 5), (5, 6)])] == [(3,), (5,)]


def test_a_word_that_the_tokenizer_does_not_know():
    text = "a coffee, a coffee"
    with pytest.raises(InputError, match="only where it does not count: 2 × where the tokenizer does not know the word"):
        look_for(text, "coffee", word_offsets(text), unknown={2, 5})


def test_expressions_in_which_the_word_is_another():
    text = "咖啡馆，咖啡，喝咖啡"
    assert len(places(text, "咖啡")) == 3
    assert len(places(text, "咖啡", except_in=["咖啡馆"])) == 2
    assert left_out(text, "咖啡", except_in=["咖啡馆"]) == {"excluded": "咖啡"}
    assert len(places("a coffee table, a coffee, the Coffee Table, coffee", "coffee", except_in=["coffee table"])) == 2


def test_words_inside_longer_ones_when_asked():
    text = "커피를 마시고 커피는 좋다"
    with pytest.raises(InputError, match=r"only a part of longer words there \(2 times\): set inside_words to true"):
        places(text, "커피")
    assert places(text, "커피", inside_words=True) == ["커피", "커피"]


def test_the_language_decides_what_a_capital_i_is():
    assert places("ISI ısı isi", "ısı", language="tr") == ["ISI", "ısı"]
    assert places("Ink INK ink", "ink", language="en") == ["Ink", "INK", "ink"]


def test_a_letter_of_which_only_a_part_would_match():
    # The ligature is one character: "coffee" does not begin in its middle.
    assert places("ﬁx fix ix ix", "ix") == ["ix", "ix"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A well-known don’t, 3 times.", ["A", "well-known", "don’t", "times"]),
        ("研究生命科学", ["研究", "生命", "科学"]),
        ("ฉันดื่มกาแฟ", ["ฉัน", "ดื่ม", "กาแฟ"]),
        ("👍 cà phê", ["cà", "phê"]),
        ("می\u200cخواهم cof\u00adfee\u00ad \u200fقهوة\u200f a\u200bb", ["می\u200cخواهم", "cof\u00adfee", "قهوة", "a", "b"]),
    ],
)
def test_words_of_a_text(text, expected):
    text = unicodedata.normalize("NFC", text)
    assert [text[start:end] for start, end in words_of(text)] == expected
