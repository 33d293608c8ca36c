"""Numbers and sentences as each language writes them; expected strings from the APA manual (en) and Vietnamese usage (vi)."""

import datetime
import math
from pathlib import Path

import pytest

from analyses.errors import InputError
from reportgen.documents.languages import CatalogueError, Language, labels, load_languages, placeholders
from reportgen.resources import templates_directory

KNOWN = load_languages(templates_directory())
EN, VI = KNOWN["en"], KNOWN["vi"]


def number(value: float) -> dict[str, object]:
    return {"value": value, "as": "number", "digits": 1}


@pytest.mark.parametrize(
    ("call", "english", "vietnamese"),
    [
        (lambda to: to.number(1234567.891, 3), "1,234,567.891", "1.234.567,891"),
        (lambda to: to.number(-0.5, 1), "−0.5", "−0,5"),
        (lambda to: to.number(-0.5, 1, unit=True), "−.5", "−0,5"),
        (lambda to: to.number(-0.001, 2), "0.00", "0,00"),
        (lambda to: to.number(10.04, 1, unit=True), "10.0", "10,0"),
        # In a sentence a number that is not 0 does not look as if it were.
        (lambda to: to.told(0.1234, 3), "0.123", "0,123"),
        (lambda to: to.told(0.0002, 3), "0.0002", "0,0002"),
        (lambda to: to.told(-0.004, 2, unit=True), "−.004", "−0,004"),
        (lambda to: to.told(0.0, 3), "0.000", "0,000"),
        (lambda to: to.told(0.000002, 3), "0.000", "0,000"),
        (lambda to: to.format({"as": "number", "value": -0.00004, "digits": 3}), "−0.00004", "−0,00004"),
        (lambda to: to.integer(9999), "9,999", "9.999"),
        (lambda to: to.percent(0.0213, 1), "2.1%", "2,1%"),
        (lambda to: to.p_value(0.001), "p = .001", "p = 0,001"),
        (lambda to: to.p_value(0.0004), "p < .001", "p < 0,001"),
        (lambda to: to.p_value(1.0), "p > .999", "p > 0,999"),
        (lambda to: to.p(0.0123), ".012", "0,012"),
        (lambda to: to.interval(0.12, 0.34), "[0.12, 0.34]", "[0,12; 0,34]"),
        (lambda to: to.interval(-0.65, -0.35, unit=True), "[−.65, −.35]", "[−0,65; −0,35]"),
        # Which side of 0 an end lies on decides a verdict: it is never hidden by rounding.
        (lambda to: to.interval(-0.122, 0.0004, 3), "[−0.1220, 0.0004]", "[−0,1220; 0,0004]"),
        (lambda to: to.interval(-0.00005, 0.3, 2, unit=True), "[−.00005, .30000]", "[−0,00005; 0,30000]"),
        (lambda to: to.interval(-0.1, 0.0005, 3), "[−0.1000, 0.0005]", "[−0,1000; 0,0005]"),
        (lambda to: to.interval(-0.1, 1e-9, 3), "[−0.100, 0.000]", "[−0,100; 0,000]"),
        (lambda to: to.interval(0, 0.5, 1), "[0.0, 0.5]", "[0,0; 0,5]"),
        (lambda to: to.statistic("t", 46, 3.417), "t(46) = 3.42", "t(46) = 3,42"),
        (lambda to: to.statistic("t", 41.26, -3.417), "t(41.3) = −3.42", "t(41,3) = −3,42"),
        (lambda to: to.statistic("Z", None, 1.5), "Z = 1.50", "Z = 1,50"),
        (lambda to: to.date("2026-11-24"), "24 November 2026", "ngày 24 tháng 11 năm 2026"),
        (lambda to: to.date(datetime.date(2026, 1, 2)), "2 January 2026", "ngày 2 tháng 1 năm 2026"),
        (lambda to: to.list(["a", "b", "c"]), "a, b, and c", "a, b và c"),
        (lambda to: to.list([1, 2, 3]), "1, 2, and 3", "1, 2 và 3"),
        # A comma cannot be the decimal sign and stand between the numbers.
        (lambda to: to.list([number(-2.5), 3, number(4.5)]), "−2.5, 3, and 4.5", "−2,5; 3 và 4,5"),
        (lambda to: to.list(["A (1,5%)", "B (2,5%)", "C"]), "A (1,5%), B (2,5%), and C", "A (1,5%), B (2,5%) và C"),
        (lambda to: to.format({"as": "series", "values": [{"as": "list", "values": ["a", "b"]}, "c"]}), "a and b; c", "a và b; c"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(call, english: str, vietnamese: str) -> None:
    assert call(EN).replace("\u00a0", " ") == english
    assert call(VI).replace("\u00a0", " ") == vietnamese


def test_no_line_can_end_at_a_sign() -> None:
    assert EN.p_value(0.02) == "p\u00a0=\u00a0.020"
    assert VI.statistic("t", 46, 3.417) == "t(46)\u00a0=\u00a03,42"
    assert " " not in VI.interval(1, 2)


@pytest.mark.parametrize("value", [math.nan, math.inf, None, True])
def test_what_is_no_number_is_refused(value: object) -> None:
    for write in (EN.number, EN.integer, EN.percent, EN.p_value):
        with pytest.raises(CatalogueError, match="not a number that a report can print"):
            write(value)


def test_a_p_value_is_a_probability() -> None:
    with pytest.raises(CatalogueError, match="not a probability"):
        EN.p_value(1.2)


def test_a_bare_fraction_must_say_its_digits() -> None:
    with pytest.raises(CatalogueError, match="say how to write it"):
        EN.format(0.3)
    assert EN.format({"value": 0.31, "as": "number", "digits": 1}) == "0.3"
    assert VI.format({"as": "list", "values": [{"value": 1, "as": "integer"}, "b"]}) == "1 và b"


def test_a_sentence_needs_its_key_and_its_values() -> None:
    language = Language("en", {"a": "%(share)s of %(all)s, that is 5%%"})
    assert language.text("a", share=3, all=4, unused="x") == "3 of 4, that is 5%"
    with pytest.raises(CatalogueError, match="lacks a value for all"):
        language.text("a", share=3)
    with pytest.raises(CatalogueError, match="no sentence for the key 'b'"):
        language.text("b")


def test_a_lone_percent_sign_is_an_error() -> None:
    assert placeholders("%(a)s and %% and %(b)s") == {"a", "b"}
    with pytest.raises(CatalogueError, match="lone %"):
        placeholders("95% of %(a)s")


def test_labels_join_the_languages_once() -> None:
    beside = labels([Language("vi", {"layer": "Tầng", "mlp": "MLP"}), Language("en", {"layer": "Layer", "mlp": "MLP"})])
    assert beside("layer") == "Tầng / Layer"
    assert beside("mlp") == "MLP"


def catalogue(folder: Path, code: str, name: str, sentences: dict[str, str]) -> None:
    path = folder / "languages" / code / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ['msgid ""', 'msgstr "Content-Type: text/plain; charset=UTF-8\\n"', ""]
    for key, sentence in sentences.items():
        lines += [f'msgid "{key}"', f'msgstr "{sentence}"', ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def test_a_third_language_is_one_folder(tmp_path: Path) -> None:
    catalogue(tmp_path, "de", "a.po", {"format.leading_zero": "keep", "format.interval_separator": ";", "hello": "Guten Tag"})
    german = load_languages(templates_directory(), tmp_path)["de"]
    assert german.text("hello") == "Guten Tag"
    assert german.number(1234.5, 1) == "1.234,5"
    assert german.interval(0.1, 0.2, 1) == "[0,1;\u00a00,2]"


def test_a_user_may_change_one_sentence(tmp_path: Path) -> None:
    catalogue(tmp_path, "en", "mine.po", {"interface.contents": "What is in it"})
    changed = load_languages(templates_directory(), tmp_path)["en"]
    assert changed.text("interface.contents") == "What is in it"
    assert changed.text("interface.figure") == EN.text("interface.figure")


def test_the_same_key_twice_in_a_language_is_an_error(tmp_path: Path) -> None:
    catalogue(tmp_path, "en", "a.po", {"x": "1"})
    catalogue(tmp_path, "en", "b.po", {"x": "2"})
    with pytest.raises(InputError, match=r"b\.po: the key 'x' is already"):
        load_languages(tmp_path)


def test_a_folder_that_is_no_language_code_is_an_error(tmp_path: Path) -> None:
    catalogue(tmp_path, "klingonese", "a.po", {"x": "1"})
    with pytest.raises(InputError, match="name the folder by a language code"):
        load_languages(tmp_path)
