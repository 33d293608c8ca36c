"""Citations and the list of references; expected forms from the APA manual (7th edition) and BibTeX's own rules."""

import dataclasses

import pytest

from analyses.errors import InputError
from reportgen.documents.languages import load_languages
from reportgen.documents.references import Reference, bibtex, entry, load_references, plain_letters, short_authors, sort_key
from reportgen.resources import templates_directory

KNOWN = load_languages(templates_directory())
DATA = {
    "kraskov2004": {
        "type": "article", "authors": ["Kraskov, Alexander", "Stögbauer, Harald", "Grassberger, Peter"], "year": 2004,
        "title": "Estimating mutual information", "journal": "Physical Review E", "volume": 69, "issue": 6, "pages": "066138",
        "doi": "10.1103/PhysRevE.69.066138",
    },
    "cover2006": {
        "type": "book", "authors": ["Cover, Thomas M.", "Thomas, Joy A."], "year": 2006, "title": "Elements of information theory",
        "edition": "2nd ed.", "publisher": "Wiley & Sons",
    },
    "angstrom1900": {"type": "misc", "authors": ["Ångström, Jean-Luc"], "year": 1900, "title": "Ein <Titel>"},
}  # fmt: skip
REFERENCES = load_references(DATA)


def test_names_in_the_text() -> None:
    names = {key: [short_authors(reference, KNOWN[code]) for code in ("en", "vi")] for key, reference in REFERENCES.items()}
    assert names == {
        "kraskov2004": ["Kraskov et al.", "Kraskov và cộng sự"],
        "cover2006": ["Cover & Thomas", "Cover và Thomas"],
        "angstrom1900": ["Ångström", "Ångström"],
    }


def test_an_article_in_the_list() -> None:
    line = entry(REFERENCES["kraskov2004"], KNOWN["en"]).replace("\u00a0", " ")
    assert line == (
        "Kraskov, A., Stögbauer, H., and Grassberger, P. (2004). Estimating mutual information. "
        "<i>Physical Review E</i>, <i>69</i>(6), 066138. "
        '<a href="https://doi.org/10.1103/PhysRevE.69.066138">doi.org/10.1103/PhysRevE.69.066138</a>'
    )


def test_a_book_and_a_title_that_looks_like_markup() -> None:
    assert entry(REFERENCES["cover2006"], KNOWN["en"]).endswith("<i>Elements of information theory</i> (2nd ed.). Wiley &amp; Sons. ")
    assert "J.-L. (1900). <i>Ein &lt;Titel&gt;</i>" in entry(REFERENCES["angstrom1900"], KNOWN["en"]).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("edition", "english", "vietnamese"),
    [(1, "1st ed.", "ấn bản thứ 1"), (2, "2nd ed.", "ấn bản thứ 2"), (3, "3rd ed.", "ấn bản thứ 3"), (11, "11th ed.", "ấn bản thứ 11"),
     (22, "22nd ed.", "ấn bản thứ 22"), ("revised", "revised", "revised")],
)  # fmt: skip
def test_an_edition_is_a_numeral_for_an_order(edition: object, english: str, vietnamese: str) -> None:
    (book,) = load_references({"cover2006": {**DATA["cover2006"], "edition": edition}}).values()
    assert f"</i> ({english}). " in entry(book, KNOWN["en"])
    assert f"</i> ({vietnamese}). " in entry(book, KNOWN["vi"])


@pytest.mark.parametrize(("count", "shown", "left_out"), [(20, 20, False), (21, 20, True), (40, 20, True)])
def test_of_more_than_twenty_people_the_first_and_the_last_are_named(count: int, shown: int, left_out: bool) -> None:
    """The APA manual, section 9.8: nineteen names, an ellipsis and the last one."""
    authors = [f"Family{number}, Given" for number in range(1, count + 1)]
    (many,) = load_references({"angstrom1900": {**DATA["angstrom1900"], "authors": authors}}).values()
    line = entry(many, KNOWN["en"]).replace("\u00a0", " ")
    assert line.count("Family") == shown
    assert f"Family{count}, G. (1900)" in line
    assert ("Family19, G., … Family" in line) == left_out
    assert ("and" in line.partition("(1900)")[0]) != left_out


def test_what_nobody_signed_and_dated_begins_with_its_title() -> None:
    own = Reference("report", "misc", (), "", "A report", {})
    assert entry(own, KNOWN["en"]) == "<i>A report</i>. "
    assert bibtex(own) == "@misc{report,\n  title = {{A report}}\n}\n"
    assert entry(dataclasses.replace(own, year="2026"), KNOWN["vi"]) == "<i>A report</i> (2026). "


def test_the_list_is_sorted_without_regard_to_diacritics() -> None:
    assert [reference.key for reference in sorted(REFERENCES.values(), key=sort_key)] == ["angstrom1900", "cover2006", "kraskov2004"]


def test_bibtex_escapes_what_tex_would_read() -> None:
    made = bibtex(REFERENCES["cover2006"])
    assert made.startswith("@book{cover2006,\n  author = {Cover, Thomas M. and Thomas, Joy A.},\n")
    assert r"publisher = {Wiley \& Sons}" in made
    assert "number = {6}" in bibtex(REFERENCES["kraskov2004"])


@pytest.mark.parametrize(
    ("change", "message"),
    [({"type": "blog"}, "type must be one of"), ({"yer": 2004}, "yer"), ({"url": "javascript:alert(1)"}, "url must begin with https://")],
)
def test_a_wrong_entry_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        load_references({"angstrom1900": {**DATA["angstrom1900"], **change}})
    assert "angstrom1900" in str(error.value)


@pytest.mark.parametrize("value", [None, 3, [], {}, [["x"]], "Cover, Thomas M."])
@pytest.mark.parametrize("field", ["type", "title", "authors", "editors", "journal"])
def test_a_value_of_another_type_is_named(field: str, value: object) -> None:
    whole = DATA["angstrom1900"]
    # What may stand there: nobody as editor, and words and numbers.
    if (field == "editors" and value == []) or (field in ("title", "journal") and isinstance(value, int | str)):
        assert load_references({"a": {**whole, field: value}})
        return
    with pytest.raises(InputError, match=rf"references\.yaml: a.*{field}"):
        load_references({"a": {**whole, field: value}})


@pytest.mark.parametrize("data", [[], ["x"], "x", 3, {"a": 3}, {"a": ["x"]}])
def test_references_that_are_none(data: object) -> None:
    with pytest.raises(InputError, match=r"references\.yaml: (a: )?expected a section with keys of its own"):
        load_references(data)  # type: ignore[arg-type]


def test_what_is_unknown_of_a_source_is_left_out() -> None:
    title = "Thông tin tương hỗ"
    house = {"institution": "Trường Đại học A"}
    assert entry(Reference("report", "misc", (), "", title, {}), KNOWN["vi"]) == f"<i>{title}</i>. "
    assert entry(Reference("report", "misc", (), "2026", title, house), KNOWN["vi"]) == f"<i>{title}</i> (2026). Trường Đại học A. "
    named = entry(Reference("an", "misc", ("Nguyễn, An",), "", title, {}), KNOWN["vi"])
    assert named.replace("\u00a0", " ") == f"Nguyễn, A. <i>{title}</i>. "
    assert bibtex(Reference("report", "misc", (), "", title, {})) == f"@misc{{report,\n  title = {{{{{title}}}}}\n}}\n"
    assert bibtex(Reference("report2026", "misc", (), "2026", title, house)) == (
        f"@misc{{report2026,\n  title = {{{{{title}}}}},\n  year = {{2026}},\n  institution = {{Trường Đại học A}}\n}}\n"
    )


def test_titles_in_another_language_are_marked() -> None:
    source = REFERENCES["kraskov2004"]
    assert '<span lang="en">Estimating mutual information</span>' in entry(source, KNOWN["vi"])
    assert '<i><span lang="en">Physical Review E</span></i>' in entry(source, KNOWN["vi"])
    assert "<span" not in entry(source, KNOWN["en"])
    (french,) = load_references({"a": {**DATA["kraskov2004"], "language": "fr"}}).values()
    assert 'lang="fr"' in entry(french, KNOWN["en"])


def test_a_key_has_no_diacritics() -> None:
    assert plain_letters("Nguyễn Đức Ångström") == "nguyen duc angstrom"
