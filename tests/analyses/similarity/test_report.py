"""The report's sentences: complete in both languages, and made of what was computed."""

import re
from itertools import product
from pathlib import Path

import pytest

from analyses.mi_distance import analysis as mutual_information
from analyses.similarity import analysis
from analyses.similarity.facts import facts
from analyses.similarity.figures import figures
from analyses.similarity.statements import STATEMENTS
from analyses.similarity.tables import tables
from reportgen.documents import Assets, build_document, load_languages, render_html
from reportgen.documents.languages import placeholders, read_catalogue

FOLDER = analysis.template_folder / analysis.templates
ASSETS = Assets.of(analysis)
LANGUAGES = load_languages(*ASSETS.directories, analysis=analysis.templates)
OWN = {path.parent.name: {m.id: m.string for m in read_catalogue(path) if m.id} for path in FOLDER.glob("languages/*/*.po")}
# Studies in which different things can be said.
STUDIES = {
    "usual": {"common": 1.0},
    "falling": {"word": (2.0, 0.3)},
    "rising": {"word": (0.3, 2.0)},
    "removed": {"common": 3.0, "word": (0.3, 0.3)},
    "alone": {"controls": False},
    "few": {"occurrences": 3},
    "many": {"occurrences": 12, "own": 2.0},
}


def test_both_languages_say_the_same_things():
    assert OWN["vi"].keys() == OWN["en"].keys()
    assert {key for key in OWN["vi"] if placeholders(OWN["vi"][key]) != placeholders(OWN["en"][key])} == set()


def test_no_sentence_is_left_that_nobody_asks_for():
    source = Path(analysis.template_folder).parent
    files = [path for kind in ("*.py", "*.j2", "*.yaml") for path in source.rglob(kind)]
    shared = [path for room in ("occurrences", "drawing") for path in (source.parent / room).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in (*files, *shared))
    words = set(re.findall(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\.?", text))
    for key in OWN["en"]:
        parts = key.split(".")
        beginnings = {".".join(parts[:count]) + "." for count in range(1, len(parts))}
        implied = parts[0] in ("figure", "table") and parts[-1] in ("caption", "alt", "how_to_read") and parts[1] in words
        # What `compare` and the site call a measure.
        implied = implied or parts[0] == "estimator"
        assert key in words or beginnings & words or implied, key


def test_every_statement_has_a_sentence_for_every_verdict():
    for statement, verdict, code in product(STATEMENTS, ("supported", "contradicted", "inconclusive", "not_testable"), ("vi", "en")):
        assert LANGUAGES[code].sentence(f"finding.{statement.name}.{verdict}")


@pytest.mark.parametrize("name", STUDIES)
def test_a_report_of_every_kind_of_study_is_made(name, results_of):
    """Every key is there, every number can be written, every figure is drawn, in both languages side by side."""
    results = results_of(**STUDIES[name])
    document = build_document(
        analysis.templates, facts(results), figures(results), tables(results), [LANGUAGES["vi"], LANGUAGES["en"]], assets=ASSETS
    )
    page = render_html(document, {"vi": "Tiếng Việt", "en": "English"})
    assert "None" not in page
    assert not re.search(r"\bnan\b", page)
    for statement in results.study["conclusions"]:
        assert f'id="table-verdicts-{statement["statement"]}-{statement["measure"]}-{statement["control"]}"' in page


def test_the_titles_of_the_two_analyses_do_not_meet():
    first = load_languages(*Assets.of(mutual_information).directories, analysis=mutual_information.templates)["en"].sentence(
        "document.title"
    )
    assert "utual information" in first
    assert LANGUAGES["en"].sentence("document.title") != first
    # Words that both need are the common ones.
    assert LANGUAGES["en"].sentence("verdict.supported") == "supported"
