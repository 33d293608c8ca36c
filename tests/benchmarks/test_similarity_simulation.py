"""The simulated vectors have the similarities that they are said to have, and the published figures meet the study's own criterion."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import similarity_simulation
from benchmarks.similarity_simulation import (
    AGREES,
    EDGE,
    FALLS,
    LAYERS,
    NULL,
    PLANTED,
    REMOVES,
    SIZES,
    Case,
    coordinates,
    data_set,
    falling,
    flat,
    removed_in_the_mean,
    simulate,
    table,
    type_one,
)

ROOT = Path(similarity_simulation.__file__).parent
FIGURES = ROOT / "results" / "similarity_simulation.json"


def test_shares_of_the_variance_are_the_cosines():
    """Two occurrences share `common` and `word` of a unit variance, two other words `common` alone."""
    case = Case("none", common=0.4, word=flat(0.2), structure="none", strength=0.0)
    drawn = [data_set(np.random.default_rng(index), case) for index in range(30)]

    def cosine(vectors: np.ndarray) -> float:
        first, second = vectors[:, :, 0], vectors[:, :, 1]
        lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
        return float(((first * second).sum(axis=-1) / lengths).mean())

    assert np.mean([cosine(each.activation) for each in drawn]) == pytest.approx(0.6, abs=0.02)
    assert np.mean([cosine(each.control_activation) for each in drawn]) == pytest.approx(0.4, abs=0.02)


def test_the_word_falls_by_what_is_said():
    share = falling(2 / 3)
    assert share.shape == (LAYERS,)
    assert share[0] - share[-1] == pytest.approx(0.2 * 2 / 3)
    assert share.mean() == pytest.approx(0.2)


def test_structures_are_related_as_they_are_called():
    position = np.array([3.0, 11, 20, 34, 52, 61, 90])
    above = np.triu_indices(len(position), 1)

    def products(structure: str) -> list[np.ndarray]:
        found = coordinates(np.random.default_rng(2), structure, position, 0.2)
        return [(each @ each.T)[above] for each in found]

    first, second = products("shared")
    np.testing.assert_allclose(first, second)
    first, second = products("opposite")
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(-1)


@pytest.mark.slow
def test_at_the_edge_centring_takes_off_half():
    assert removed_in_the_mean(EDGE, 40, 3) == [pytest.approx(0, abs=0.02)] * 2


@pytest.mark.slow
def test_a_few_planted_data_sets_get_the_right_verdict():
    for name in (FALLS, REMOVES, AGREES):
        for true in (True, False):
            case = [case for case, statement, holds in PLANTED if (statement, holds, case.occurrences) == (name, true, 7)][-1]
            shares = simulate(case, 6, [5], name)["conclusion"]
            assert shares["supported" if true else "contradicted"] > 0.8, (name, true, shares)


def test_published_figures_meet_the_study_s_own_criterion():
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    count = figures["settings"]["null_data_sets"]
    assert {(row["effect"], row["occurrences"]) for row in figures["null"]} == {(case.effect, size) for case, _ in NULL for size in SIZES}
    # Five in a hundred, and two standard errors of a share of so many data sets.
    error = 2 * np.sqrt(0.05 * 0.95 / count)
    for row in figures["null"]:
        share = row["verdicts"]["conclusion"]
        assert share["supported"] <= 0.05, row
        assert share["contradicted"] <= 0.05, row
        assert all(part <= 0.07 + error for part in type_one(row)), row
    # Each statement's parts together: decided about as often as the level says.
    for name in (FALLS, REMOVES, AGREES):
        decided = [part for row in figures["null"] if row["statement"] == name for part in type_one(row)]
        assert 0.03 - error / 2 <= np.mean(decided) <= 0.07 + error / 2, name
    for row in figures["planted"]:
        share = row["verdicts"]["conclusion"]
        assert share["contradicted" if row["true"] else "supported"] <= 0.05, row


def test_the_table_of_the_documentation_is_that_of_the_figures():
    text = (ROOT.parent / "docs" / "evidence.md").read_text(encoding="utf-8")
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = [line for line in table(figures).splitlines() if line.startswith("| ") and not re.match(r"\| statement", line)]
    assert rows
    assert [row for row in rows if row not in text] == []
