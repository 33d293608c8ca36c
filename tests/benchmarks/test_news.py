"""What the documentation says of the corpus from outside is what the sweep's tables hold."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import news
from reportgen.sweep.grid import load_grid, texts_of, words_in

ROOT = Path(news.__file__).parents[1]
PAGE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8").partition("## A corpus from outside")[2]


def test_the_page_has_the_table_of_the_results_that_are_kept():
    assert news.kept() in PAGE
    assert news.kept(news.ONE_TOKEN) in PAGE


def test_the_page_says_of_each_statement_what_the_tables_do():
    answers = pd.read_csv(news.RESULTS / "answers.csv")
    verdicts = dict(zip(answers.statement, answers.verdict, strict=True))
    assert verdicts == {1: "supported", 2: "contradicted", 3: "contradicted", 4: "contradicted", 5: "contradicted"}
    assert "statement 1 is supported, 2, 3 and 5 are contradicted" in PAGE
    assert "Statement 4 is contradicted here" in PAGE
    assert f"{answers.texts.unique().item()} items have such words" in PAGE


# Means over 58 texts of 74 words by independent code on the same items (histogram, nearest neighbours), before this project's sweep.
MEASURED_BEFORE = {
    "early_difference": (0.279, 0.391),
    "deep_difference": (-0.093, -0.108),
    "mean_tau": (-0.180, -0.180),
    "tau_difference": (0.022, 0.016),
}


def test_what_was_measured_before_lies_within_the_intervals():
    pooled = pd.read_csv(news.ONE_TOKEN / "pooled.csv")
    for part, values in MEASURED_BEFORE.items():
        for estimator, value in zip(("histogram", "nearest_neighbour"), values, strict=True):
            rows = pooled[(pooled.language == "all") & (pooled.part == part) & (pooled.control == "different_word")]
            row = rows[rows.estimator == estimator].iloc[0]
            assert row.low <= value <= row.high, (part, estimator)


def test_another_call_finds_the_same_items(tmp_path):
    pytest.importorskip("gensim")
    file = news.write_grid(tmp_path)
    grid = load_grid(file)
    words = [words_in(grid, text) for text in texts_of(grid, file)]
    assert f"{sum(map(bool, words))} items have such words, {sum(map(len, words))} in all" in PAGE
    one_token = json.loads(news.write_one_token_grid(file).read_text(encoding="utf-8"))["words"]["by_text"]
    assert f"the {sum(map(len, one_token.values()))} of them, in {len(one_token)} items" in PAGE
    items = news.items()
    assert len(items) == len(set(items)) > 250
    assert all(len(re.findall(r"\w+", item)) > 20 for item in items)
