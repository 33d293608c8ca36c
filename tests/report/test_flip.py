"""Vectors with a planted effect and with its opposite: verdicts, sentences and the abstract must turn round with it, in both languages.

Nothing is compared with a stored text: the page is searched for the sentences of every possible verdict, and those of the verdict
that the numbers earned must be there and no others.
"""

import dataclasses
import re

import numpy as np
import pytest

from analyses.mi_distance.verification import recomputed
from analyses.progress import SilentProgress

RISING = [0.30, 0.35, 0.50, 0.60, 0.70, 0.75]
FALLING = [0.75, 0.70, 0.50, 0.40, 0.33, 0.32]
# A range that a tau near -1 with its whole interval lies in, so that statement 3 can be supported by vectors whose tau is known.
SETTINGS = {"tau_range": (-1.5, -0.2)}


@pytest.fixture(scope="module")
def worlds(plant, planted_study):
    """Name -> results. Only the vectors differ."""
    lesson, mixed = plant(RISING, FALLING), plant(RISING, FALLING, -1, 1)

    def swapped(vectors):
        return dataclasses.replace(vectors, activation=vectors.activation[::-1])

    inputs = {
        "lesson": lesson,
        "branches swapped": swapped(lesson),
        "layers reversed": dataclasses.replace(lesson, activation=lesson.activation[:, ::-1]),
        "distance reversed": plant(RISING, FALLING, 1, 1),
        "taus apart": mixed,
        "taus apart, swapped": swapped(mixed),
    }
    return {name: planted_study(vectors, **SETTINGS) for name, vectors in inputs.items()}


EARLY, DEEP, TAU, APART = "early_layers", "deep_layers", "negative_tau", "tau_separation"
EXPECTED = {
    "lesson": {EARLY: "supported", DEEP: "supported", TAU: "supported"},
    "branches swapped": {EARLY: "contradicted", DEEP: "contradicted", TAU: "supported"},
    "layers reversed": {EARLY: "contradicted", DEEP: "contradicted", TAU: "supported"},
    "distance reversed": {EARLY: "supported", DEEP: "supported", TAU: "contradicted"},
    # Attention's tau is near -1 and the MLP's near 1, or the other way round: that is no negative tau in both.
    "taus apart": {EARLY: "supported", TAU: "contradicted", APART: "supported.mlp_higher"},
    "taus apart, swapped": {EARLY: "contradicted", TAU: "contradicted", APART: "supported.attention_higher"},
}


def outcome(conclusion):
    side = conclusion["parts"][0]["side"] if len(conclusion["parts"]) == 1 else None
    return ".".join(filter(None, (conclusion["verdict"], side)))


@pytest.mark.parametrize("world", EXPECTED)
def test_verdicts_are_those_of_the_planted_effect(worlds, world):
    found = {row["name"]: outcome(row) for row in worlds[world].study["conclusions"]}
    assert {name: found[name] for name in EXPECTED[world]} == EXPECTED[world]


@pytest.mark.parametrize("world", EXPECTED)
def test_parts_of_the_statement_on_deep_layers(worlds, world):
    row = next(row for row in worlds[world].study["conclusions"] if row["name"] == DEEP)
    opposite = world in ("branches swapped", "layers reversed", "taus apart, swapped")
    assert [part["verdict"] for part in row["parts"]][:3] == ["contradicted" if opposite else "supported"] * 3


@pytest.fixture(scope="module")
def pages(worlds, report_of):
    known = {}

    def page(world, code):
        if (world, code) not in known:
            known[world, code] = report_of(worlds[world], code)
        return known[world, code]

    return page


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("world", EXPECTED)
def test_page_says_what_the_verdicts_say_and_nothing_else(worlds, pages, sentences_in, languages, world, code):
    text, language = pages(world, code).text, languages[code]
    for row in worlds[world].study["conclusions"]:
        wanted = f"{row['name']}.{outcome(row)}"
        found = sentences_in(text, f"finding.{row['name']}", language)
        assert f"finding.{wanted}" in found
        # Sentences of two sides may be worded alike where only the numbers tell them apart.
        alike = {key for key in found if language.catalogue[key] == language.catalogue[f"finding.{wanted}"]}
        assert found == alike
        if len(row["parts"]) > 1:
            for part in row["parts"]:
                wanted = ".".join(filter(None, ("part", part["measure"], part["verdict"], part["side"])))
                # Why something was not judged, or what goes with a verdict, is said by a sentence of its own.
                own = {wanted, *(f"{wanted}.{why}" for why in ("wide", "wide.both", "unjudged", "unjudged.outside", "alike"))}
                (found,) = sentences_in(text, f"part.{part['measure']}", language)
                assert found in own


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("world", EXPECTED)
def test_signs_of_the_verdicts_stand_in_the_table_of_answers_in_order(worlds, pages, world, code, languages, words_of):
    (table,) = [item for item in pages(world, code).document.front if item.kind == "table"]
    cells = {anchor: str(row[1].html) for anchor, row in zip(table.grid.row_ids, table.grid.rows, strict=True)}
    marks = [re.search(r"verdict--(\w+)", cell)[1] for anchor, cell in cells.items() if anchor.endswith("-whole")]
    assert marks == [row["verdict"] for row in worlds[world].study["conclusions"]]
    for row in worlds[world].study["conclusions"]:
        assert languages[code].text(f"verdict.{row['verdict']}") in words_of(cells[f"table-answers-{row['statement']}-whole"])
        for part in row["parts"] if len(row["parts"]) > 1 else ():
            assert f"verdict--{part['verdict']}" in cells[f"table-answers-{row['statement']}-{part['measure']}"]


def results_of(report, code):
    (section,) = [section for section in report.document.sections if section.id == "results"]
    items = [item for each in (section, *section.sections) for item in each.items]
    return " ".join(str(item.html[code]) for item in items if item.kind == "text")


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize(
    ("one", "other", "flipped"),
    [
        ("lesson", "branches swapped", (EARLY, DEEP)),
        ("lesson", "layers reversed", (EARLY, DEEP)),
        ("lesson", "distance reversed", (TAU,)),
        ("taus apart", "taus apart, swapped", (EARLY, DEEP, APART)),
    ],
)
def test_the_opposite_effect_is_said_the_other_way_round(worlds, pages, sentences_in, languages, words_of, one, other, flipped, code):
    def said(world):
        text = words_of(results_of(pages(world, code), code))
        return {name: sentences_in(text, f"finding.{name}", languages[code]) for name in flipped}

    before, after = said(one), said(other)
    for name in flipped:
        assert before[name]
        assert after[name]
        assert not before[name] & after[name]


@pytest.mark.parametrize("code", ["vi", "en"])
def test_swapping_the_branches_prints_the_same_size_on_the_other_side(worlds, languages, code, pages, words_of):
    """The sentence of a contradiction gives the size of the difference, so both pages print the same number for it."""
    row = next(row for row in worlds["lesson"].study["verdicts"] if row["name"] == EARLY)
    size = languages[code].number(row["estimate"], 3)
    for world in ("lesson", "branches swapped"):
        assert size in words_of(results_of(pages(world, code), code))


def test_conclusions_follow(worlds, pages, languages, words_of):
    """The last section lists each statement under its verdict."""
    for world in EXPECTED:
        for code in ("vi", "en"):
            document, language = pages(world, code).document, languages[code]
            (section,) = [section for section in document.sections if section.id == "conclusion"]
            text = words_of(" ".join(str(item.html[code]) for item in section.items))
            for verdict in ("supported", "contradicted", "inconclusive", "not_testable"):
                names = [
                    language.text("conclusion.item", number=row["statement"], statement=language.text(f"statement.{row['name']}.short"))
                    for row in worlds[world].study["conclusions"]
                    if row["verdict"] == verdict
                ]
                line = language.text(f"conclusion.{verdict}", names=language.list(names))
                assert (line in text) == bool(names)


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("occurrences", [2, 3])
def test_with_too_few_occurrences_nothing_is_claimed(plant, planted_study, report_of, sentences_in, languages, occurrences, code):
    vectors = plant(RISING, FALLING)
    few = dataclasses.replace(
        vectors, activation=vectors.activation[:, :, :occurrences], token_position=vectors.token_position[:occurrences]
    )
    results = planted_study(few)
    report = report_of(results, code)
    assert {row["verdict"] for row in results.study["conclusions"]} == {"not_testable"}
    for row in results.study["conclusions"]:
        found = sentences_in(report.text, f"finding.{row['name']}", languages[code])
        assert f"finding.{row['name']}.not_testable" in found
        assert {key for key in found if not key.endswith("not_testable")} == set()
    for leftover in ("nan", "None", "%(", "{{", "}}", "inf"):
        assert leftover not in report.text.split()
        assert f"({leftover})" not in report.text


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_model_of_few_layers_has_a_report(plant, planted_study, report_of, layers):
    results = planted_study(plant(RISING[:layers], FALLING[:layers]))
    for code in ("vi", "en"):
        assert len(report_of(results, code).text) > 5000


def test_correlations_are_planted_as_told(plant):
    vectors = plant(RISING, FALLING, -1, 1)
    for branch, levels, trend in ((0, RISING, -1), (1, FALLING, 1)):
        for layer, level in enumerate(levels):
            found = np.corrcoef(vectors.activation[branch, layer].astype(float))
            distance = np.abs(vectors.token_position[:, None] - vectors.token_position)
            expected = level + trend * 0.2 * (distance / distance.max() - 0.5)
            off = ~np.eye(7, dtype=bool)
            np.testing.assert_allclose(found[off], expected[off], rtol=0, atol=1e-4)


@pytest.mark.parametrize("world", ["taus apart", "taus apart, swapped"])
def test_where_one_branch_decides_its_numbers_stand_in_the_row_and_follow_from_the_vectors(worlds, world):
    results = worlds[world]
    row = next(row for row in results.study["verdicts"] if row["name"] == TAU)
    part, (positive, negative) = row["parts"][0], ("mlp", "attention") if world == "taus apart" else ("attention", "mlp")
    assert {key: part[key] for key in ("estimate", "low", "high")} == {
        key: part["branches"][positive][key] for key in ("estimate", "low", "high")
    }
    assert part["branches"][negative]["estimate"] < 0 < part["low"]
    found = recomputed(results, SilentProgress())
    for name, (held, anew) in found.items():
        np.testing.assert_allclose(anew, held, rtol=0, atol=1e-9, err_msg=name)
    held, _ = found["verdicts.mean_tau.histogram"]
    assert {part["mean"]["estimate"], *(each["wide_low"] for each in part["branches"].values())} <= set(held.tolist())
