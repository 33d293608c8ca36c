"""Different words in the word's place go through the study's own rule, and the published shares of them are small."""

import json
from pathlib import Path

import numpy as np
import pytest

from analyses.mi_distance.hypotheses import STATEMENTS
from analyses.statistics.verdicts import VERDICTS
from benchmarks import word_null
from benchmarks.word_null import STUDIES, Words, shares, table
from reportgen.settings import load_study, option_overrides

RESULTS = Path(word_null.__file__).parent / "results"
ABOUT_WORD = [statement for statement in STATEMENTS if statement.about_word]
NAMES = {statement.name for statement in ABOUT_WORD} | {
    f"{statement.name}: {part.name}" for statement in ABOUT_WORD if len(statement.parts) > 1 for part in statement.parts
}


@pytest.fixture(scope="module")
def settings(tiny_gpt2_folder):
    _, settings = load_study("coffee-gpt2-xl", option_overrides(model=str(tiny_gpt2_folder), offline=True), environment={})
    return settings


def test_every_draw_gets_a_verdict_of_both_kinds_on_every_statement_about_the_word(settings):
    words = Words(settings)
    # No occurrence of the word itself is among those that are drawn from.
    assert "coffee" not in {word.strip().lower() for word in words.word}
    found = words.verdicts(np.random.default_rng(0))
    assert found.keys() == NAMES
    assert all(sources.keys() == {"primary", "lesson"} for sources in found.values())
    assert {verdict for sources in found.values() for verdict in sources.values()} <= set(VERDICTS)
    assert words.verdicts(np.random.default_rng(0)) == found


def test_shares_of_the_draws_fill_the_table(settings):
    few = shares(settings, 3, 0)
    for sources in few.values():
        for share in sources.values():
            assert sum(share.values()) == pytest.approx(1, abs=2e-4)
    assert len(table({"studies": {"coffee": few}}).splitlines()) == 2 + len(NAMES)


def test_published_figures_meet_the_studys_own_criterion():
    figures = json.loads((RESULTS / "word_null.json").read_text(encoding="utf-8"))
    assert figures["settings"]["draws"] >= 500
    assert list(figures["studies"]) == list(STUDIES)
    for found in figures["studies"].values():
        assert found.keys() == NAMES
        for name in (statement.name for statement in ABOUT_WORD):
            assert found[name]["primary"]["supported"] + found[name]["primary"]["contradicted"] <= 0.05, name
