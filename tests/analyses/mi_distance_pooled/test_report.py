"""The pooled report: complete in both languages, made of what was computed, and turning round when the data do."""

import copy
import re
from itertools import product
from pathlib import Path

import pypdf
import pytest

from analyses.mi_distance.hypotheses import STATEMENTS
from analyses.mi_distance_pooled import analysis
from analyses.mi_distance_pooled.facts import facts
from analyses.mi_distance_pooled.figures import figures
from analyses.mi_distance_pooled.tables import tables
from analyses.protocol import Results
from reportgen.bundle import read_bundle, write_bundle
from reportgen.documents import Assets, build_document, load_languages, render_documents, render_html
from reportgen.documents.languages import placeholders, read_catalogue

FOLDER = analysis.template_folder / analysis.templates
ASSETS = Assets.of(analysis)
LANGUAGES = load_languages(*ASSETS.directories, analysis=analysis.templates)
OWN = {
    # Of a sentence that counts the form for many.
    path.parent.name: {
        m.id if isinstance(m.id, str) else m.id[0]: m.string if isinstance(m.string, str) else m.string[-1]
        for m in read_catalogue(path)
        if m.id
    }
    for path in FOLDER.glob("languages/*/*.po")
}


def page_of(results, *codes):
    document = build_document(
        analysis.templates, facts(results), figures(results), tables(results), [LANGUAGES[code] for code in codes], assets=ASSETS
    )
    return render_html(document, {"vi": "Tiếng Việt", "en": "English"})


def said(results, number, code="en"):
    finding = facts(results)["findings"][number - 1]
    return LANGUAGES[code].text(finding["key"], **finding["values"])


def test_both_languages_say_the_same_things():
    assert OWN["vi"].keys() == OWN["en"].keys()
    assert {key for key in OWN["vi"] if placeholders(OWN["vi"][key]) != placeholders(OWN["en"][key])} == set()


def test_every_part_has_a_claim_for_every_verdict():
    sides = {"tau_half": (".above", ".below"), "shift_slope": (".above", ".below"), "mean_tau": ("", ".one_branch")}
    for statement, code in product(STATEMENTS, ("vi", "en")):
        for part in statement.parts:
            for ending in ("", *(f".contradicted{side}" for side in sides.get(part.name, ("",)))):
                assert LANGUAGES[code].sentence(f"claim.{part.name}{ending}")


def test_no_sentence_is_left_that_nobody_asks_for():
    source = Path(analysis.template_folder).parent
    files = [path for kind in ("*.py", "*.j2", "*.yaml") for path in source.rglob(kind)]
    shared = [path for room in ("occurrences", "drawing") for path in (source.parent / room).rglob("*.py")]
    words = set(
        re.findall(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\.?", "\n".join(path.read_text(encoding="utf-8") for path in (*files, *shared)))
    )
    for key in OWN["en"]:
        parts = key.split(".")
        beginnings = {".".join(parts[:count]) + "." for count in range(1, len(parts))}
        implied = parts[0] in ("figure", "table") and parts[-1] in ("caption", "alt", "how_to_read") and parts[1] in words
        assert key in words or beginnings & words or implied or key.startswith(("compare.place.", "claim.")), key


@pytest.mark.parametrize(
    ("truth", "options"),
    [
        ("holds", {"languages": ("en", "vi")}),
        ("holds", {"texts": 8, "languages": ("en", "vi"), "translated": True}),
        ("fails", {}),
        ("nothing", {"spread": 0.15, "seed": 4}),
        ("holds", {"texts": 2}),
        ("holds", {"texts": 1, "words": ("river",)}),
        ("holds", {"texts": 4, "models": ("one", "two")}),
        ("fails", {"texts": 3, "models": tuple("abcde"), "failed": 1}),
    ],
)
def test_a_report_of_every_world_is_made(worlds, truth, options):
    page = page_of(worlds.results(getattr(worlds, truth), **options), "vi", "en")
    assert "None" not in page
    assert not re.search(r"\bnan\b", page)


def test_findings_follow_what_was_planted(worlds):
    holds, fails = worlds.results(worlds.holds), worlds.results(worlds.fails)
    assert said(holds, 1).startswith("The texts support the view that the MLP is above attention in the early layers")
    assert said(fails, 1).startswith("The texts say otherwise: attention is above the MLP in the early layers")
    assert "it goes that way in all 10 texts by both estimators" in said(holds, 1)
    assert said(holds, 2).startswith("Over 10 texts all of it is supported")
    assert "the MLP is above attention in the deep layers" in said(fails, 2)
    assert "tau is positive" in said(fails, 3)
    assert "attention’s being the higher one" in said(holds, 4)
    assert "differ by less than .1" in said(fails, 4)
    assert "spread more than the histogram" in said(fails, 5)
    assert said(fails, 1, "vi").startswith("Các văn bản cho thấy điều khác: nhánh chú ý cao hơn nhánh MLP ở tầng nông")


def test_translations_are_counted_once_and_said_so(worlds):
    results = worlds.results(worlds.holds, texts=8, languages=("en", "vi"), translated=True)
    page = page_of(results, "en")
    assert "the same of 4 texts, 8 with their translations, and" in page
    assert "the 8 versions are averaged to 4 texts" in page
    assert "it goes that way in all 4 texts by both estimators" in said(results, 1)
    apart = page_of(worlds.results(worlds.holds, languages=("en", "vi")), "en")
    assert "translations" not in apart


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("options", [{"texts": 1, "words": ("river",)}, {"texts": 2}, {"texts": 3, "words": ("river",)}])
def test_one_of_something_is_said_as_one(worlds, options, code):
    """One text, one word, one cell: no page says "1 texts", and no "1 of" of a noun that is alone."""
    page = re.sub(r"<style.*?</style>|<svg.*?</svg>|<[^>]*>", " ", page_of(worlds.results(worlds.holds, **options), code), flags=re.DOTALL)
    assert not re.search(r"(?<![\d.,])1 (?:texts|words|cells|layers|comparisons|models|verdicts)\b", page)
    assert not re.search(r"\b(?:in all 1|All 1|of 1 texts|cả 1)\b", page)


@pytest.mark.parametrize(("agreeing", "english"), [
    ((10, 10), "in all 10 texts by both estimators"), ((0, 0), "in none of the 10 texts by either estimator"),
    ((1, 1), "in 1 of 10 texts by both estimators"),
    ((4, 10), "in 4 of 10 texts with the histogram and in all 10 texts by nearest neighbours"),
])  # fmt: skip
def test_texts_are_counted_by_both_estimators(worlds, agreeing, english):
    results = worlds.results(worlds.holds)
    study = copy.deepcopy(results.study)
    counts = dict(zip(("histogram", "nearest_neighbour"), agreeing, strict=True))
    for row in study["verdicts"]:
        if row["name"] == "early_layers" and row["estimator"] in counts:
            row["parts"][0] |= {"agreeing_texts": counts[row["estimator"]], "texts": 10}
    assert english in said(Results(results.dataset, results.activations, study), 1)


@pytest.mark.parametrize(("changes", "form"), [(1, "changes"), (6, "changes"), (7, "changes.more")])
def test_a_list_that_is_cut_says_so(worlds, changes, form):
    results = worlds.results(worlds.holds)
    study = copy.deepcopy(results.study)
    change = {"statement": 1, "verdict": "inconclusive", "opposed": False}
    study["left_out"]["text"] = {"changes": [change | {"left_out": f"t{number}"} for number in range(changes)]}
    (found,) = [each for each in facts(Results(results.dataset, results.activations, study))["left_out"] if ".text." in each["key"]]
    assert found["key"] == f"left_out.text.{form}"
    sentence = LANGUAGES["en"].text(found["key"], **found["values"])
    assert ("for example" in sentence) == (changes > 6)
    assert sentence.count("without") == min(changes, 6)
    assert "one of 1 " not in sentence


def test_models_that_differ_are_named(worlds):
    results = worlds.results(worlds.holds, texts=4, models=("one", "two"))
    assert [LANGUAGES["en"].format(spec) for spec in facts(results)["model_sentences"]] == [
        "The models give the same verdict on every statement."
    ]
    other = worlds.results(worlds.fails, texts=4).study["groups"][0]
    mixed = Results(
        results.dataset, results.activations, {**results.study, "groups": [results.study["groups"][0], other | {"model": "two"}]}
    )
    sentences = [LANGUAGES["en"].format(spec) for spec in facts(mixed)["model_sentences"]]
    assert sentences[0] == "Models differ on statement 1 (one: supported; two: contradicted)."
    assert facts(worlds.results(worlds.holds))["model_sentences"] == []


def test_what_is_open_is_said_to_be_open(worlds):
    results = worlds.results(worlds.nothing, spread=0.15, seed=4)
    for row, number in zip(results.study["conclusions"], range(1, 6), strict=True):
        sentence = said(results, number)
        assert "support the view" not in sentence
        assert re.search("[Oo]pen|cannot be tested", sentence), (row["verdict"], sentence)


def test_a_check_that_disagrees_is_named(worlds):
    results = worlds.results(worlds.holds, texts=4)
    row = next(
        row for row in results.study["groups"][0]["pooled"] if row["part"] == "early_difference" and row["control"] == "different_word"
    )
    before = row["meta_disagrees"]
    row["meta_disagrees"] = "sign"
    try:
        sentences = [LANGUAGES["en"].format(spec) for spec in facts(results)["checks"]]
    finally:
        row["meta_disagrees"] = before
    assert any("“Early: MLP minus attention” (histogram) has the other sign" in sentence for sentence in sentences)


@pytest.mark.render
def test_a_large_sweep_stays_small_and_the_paper_short(worlds, tmp_path):
    """500 cells: at most 5 MB of HTML; the paper has at most 14 pages before its appendix."""
    made = worlds.results(worlds.holds, texts=50, words=tuple(f"word{index}" for index in range(10)))
    named = Results(made.dataset, made.activations, {**made.study, "analysis": analysis.name})
    results = read_bundle(write_bundle(named, analysis.tables, tmp_path / "bundle"))
    files = {file.name: file for file in render_documents(results, analysis, tmp_path, languages=["en"], formats=["html", "pdf"])}
    assert files["report.html"].stat().st_size <= 5_000_000
    pages = [page.extract_text() for page in pypdf.PdfReader(files["report.pdf"]).pages]
    appendix = next(
        number for number, page in enumerate(pages) if re.search(r"^\s*A\s+How to reproduce", page, re.MULTILINE) and number > 3
    )
    assert 8 <= appendix <= 14
