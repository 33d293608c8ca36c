"""The tree: order, numbers, references between parts, and errors that say where they are."""

import dataclasses
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from analyses.errors import InputError
from reportgen.documents import Assets, Document, build_document, load_languages
from reportgen.documents.document import FigureItem, Section, TableItem, TextItem, title_block

Build = Callable[..., Document]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the trial's templates to change."""
    return Path(shutil.copytree(Path(__file__).parent / "fixture", tmp_path / "own"))


@pytest.fixture
def build(trial_module: ModuleType, own: Path) -> Build:
    def build_(code: str = "en", facts: dict[str, Any] | None = None, **options: Any) -> Document:
        analysis = trial_module.TrialAnalysis(layers=4)
        assets = Assets.default(own)
        return build_document(
            "trial", analysis.facts(None) | (facts or {}), analysis.figures(None), analysis.tables(None),
            [load_languages(*assets.directories)[each] for each in code.split("-")], assets=assets, **options,
        )  # fmt: skip

    return build_


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def flat(sections: tuple[Section, ...]) -> list[tuple[str, str]]:
    return [pair for section in sections for pair in [(section.id, section.number), *flat(section.sections)]]


def test_sections_figures_and_tables_are_numbered_in_order(documents: dict[str, Document]) -> None:
    document = documents["vi"]
    assert flat(document.sections) == [("question", "1"), ("method", "2"), ("method-estimator", "2.1"), ("all-layers", "A")]
    assert [(item.id, item.number) for item in document.items() if isinstance(item, FigureItem)] == [("profile", "1"), ("scatter", "2")]
    assert [(item.id, item.number) for item in document.items() if isinstance(item, TableItem)] == [("verdicts", "1"), ("layers", "2")]


def test_references_between_parts_are_links_in_the_language(documents: dict[str, Document]) -> None:
    english, vietnamese = (
        " ".join(str(item.html[code]) for item in documents[code].items() if item.kind == "text") for code in ("en", "vi")
    )
    assert '<a class="ref" href="#figure-profile">Figure\u00a01</a>' in english
    assert '<a class="ref" href="#all-layers">Appendix\u00a0A</a>' in english
    assert '<a class="ref" href="#figure-profile">Hình\u00a01</a>' in vietnamese
    assert '<a class="ref" href="#method">Mục\u00a02</a>' in vietnamese


def test_only_what_was_cited_is_listed(documents: dict[str, Document]) -> None:
    assert [key for key, _ in documents["en"].references["en"]] == ["cover2006", "fieller1957", "kraskov2004"]
    assert "unused1999" not in documents["en"].bibliography


def test_conditions_choose(build: Build) -> None:
    def prose(document: Document) -> str:
        return " ".join(str(item.html["en"]) for item in document.items() if item.kind == "text")

    assert "must not be shown" not in prose(build())
    assert "must not be shown" in prose(build(facts={"shows_never": True}))


def test_an_edition_has_its_own_sections(build: Build) -> None:
    assert "handout-only" not in dict(flat(build().sections))
    assert dict(flat(build(edition="handout").sections))["handout-only"] == "2.2"


def test_a_user_s_file_may_hold_a_single_block(build: Build, own: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "trial" / "en"
    mine.mkdir(parents=True)
    (mine / "text.html.j2").write_text("{% block appendix %}<p>My own words.</p>{% endblock %}", encoding="utf-8")
    theirs = build()
    assets = Assets([*Assets.default(own).directories, tmp_path / "mine"])
    from reportgen.documents.writer import Writer

    writer = Writer(load_languages(*assets.directories)["en"], assets, "trial", {"occurrences": 7, "layer_count": 4}, {}, {}, {})
    assert writer.block("text.appendix") == "<p>My own words.</p>"
    assert "7 times" in writer.block("text.abstract")
    assert "My own words" not in str(theirs)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{{ integer(occurrences) }}", "{{ integer(no_such_fact) }}", r"en/text\.html\.j2, block abstract.*no_such_fact"),
        ('ref("figure:profile")', 'ref("figure:absent")', r"text\.html\.j2.*figure:absent"),
        ('cite_text("fieller1957")', 'cite_text("nobody")', r"block method.*'nobody'.*references\.yaml"),
        ('formula("mutual_information")', 'formula("absent")', r"'absent'.*formulas\.yaml"),
        ("{{ p_value(0.0008) }}", "{{ p_value(1.8) }}", r"block question.*not a probability"),
        ("{{ integer(occurrences) }}", "{{ occurrences.__class__.__mro__ }}", r"block abstract.*unsafe"),
    ],
)
def test_a_mistake_in_prose_is_one_line_that_says_where(build: Build, own: Path, old: str, new: str, message: str) -> None:
    change(own / "trial/en/text.html.j2", old, new)
    with pytest.raises(InputError, match=message) as error:
        build()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("figure: profile", "figure: absent", "no figure 'absent'; the analysis has profile, scatter"),
        ("prose: text.question", "prose: text.absent", "no block 'absent'"),
        ("when: shows_never", "when: absent.path", "no 'absent' in the facts"),
        ("id: method-estimator", "id: question", "two sections have the id question"),
        ("rows: layers", "rows: absent", "no 'absent' in the facts"),
        ("field: attention_tau", "field: absent", "table layers: no field 'absent' in layers; there are layer"),
        ("title: trial.title", "titel: trial.title", r"document\.yaml: titel: unknown key"),
        ("format: integer", "format: roman", r"document\.yaml: tables\.layers\.columns\.0\.format"),
    ],
)
def test_a_mistake_in_the_order_is_named(build: Build, own: Path, old: str, new: str, message: str) -> None:
    change(own / "trial/document.yaml", old, new)
    with pytest.raises(InputError, match=message):
        build()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a", r"formulas\.yaml: expected a section with keys of its own"),
        ("mutual_information: x^2", r"formulas\.yaml: mutual_information: "),
        ("mutual_information: {latex: x^2}", r"formulas\.yaml: mutual_information\.alt: missing, and required"),
        ("mutual_information: {latex: 3, alt: trial.title}", r"formulas\.yaml: mutual_information\.latex: "),
    ],
)
def test_formulas_that_are_none(build: Build, own: Path, content: str, message: str) -> None:
    (own / "trial/formulas.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        build()


def test_facts_may_not_hide_a_function(build: Build) -> None:
    with pytest.raises(InputError, match="number are names of functions"):
        build(facts={"number": 3})


def test_what_cannot_be_tested_is_a_dash_and_words_never_nan(documents: dict[str, Document]) -> None:
    table = next(item for item in documents["en"].items() if isinstance(item, TableItem) and item.id == "layers")
    assert table.grid.rows[1][-1].html == '<span aria-hidden="true">–</span><span class="spoken">no value</span>'
    assert not any(re.search("nan", str(cell.html), re.IGNORECASE) for row in table.grid.rows for cell in row)


def test_words_from_the_facts_are_escaped(build: Build) -> None:
    document = build(facts={"document": {"course": "<script>alert(1)</script>", "date": "2026-11-24"}})
    from reportgen.documents import render_html

    page = render_html(document)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_document_is_made_of_values_that_do_not_change(documents: dict[str, Document]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        documents["en"].edition = "handout"


def test_a_finding_leads_to_its_row(documents: dict[str, Document]) -> None:
    document = documents["vi"]
    table = next(item for item in document.items() if isinstance(item, TableItem) and item.id == "verdicts")
    findings = document.front[1]
    assert isinstance(findings, TextItem)
    assert re.findall(r'class="row" href="#([^"]+)"', findings.html["vi"]) == list(table.grid.row_ids)


def test_a_link_to_a_row_that_is_not_there_is_named(build: Build, own: Path) -> None:
    component = own / "trial" / "components" / "findings.html.j2"
    component.write_text(component.read_text().replace("finding.id", "'nobody'"))
    with pytest.raises(InputError, match=r"row\(\): no table row table-verdicts-nobody"):
        build()


def test_names_typed_with_separate_accents_are_composed() -> None:
    """As another system types them: a search for the name as it is usually written finds it."""
    block = title_block({"document": {"lecturer": "Nguye\u0302\u0303n Va\u0306n", "authors": ["Tra\u0302\u0300n, A\u0301nh"]}})
    assert (block["lecturer"], block["authors"]) == ("Nguyễn Văn", ["Trần, Ánh"])
