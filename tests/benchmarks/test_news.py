"""What the documentation says of the corpus from outside is what the sweep's tables hold."""

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


def test_the_page_says_of_each_statement_what_the_tables_do():
    answers = pd.read_csv(news.RESULTS / "answers.csv")
    verdicts = dict(zip(answers.statement, answers.verdict, strict=True))
    assert verdicts == {1: "supported", 2: "contradicted", 3: "contradicted", 4: "contradicted", 5: "contradicted"}
    assert "Statement 1 is supported, 2, 3 and 5 are contradicted" in PAGE
    assert "Statement 4 is contradicted here" in PAGE
    assert f"{answers.texts.unique().item()} items have such words" in PAGE


def test_another_call_finds_the_same_items(tmp_path):
    pytest.importorskip("gensim")
    file = news.write_grid(tmp_path)
    grid = load_grid(file)
    words = [words_in(grid, text) for text in texts_of(grid, file)]
    assert f"{sum(map(bool, words))} items have such words, {sum(map(len, words))} in all" in PAGE
    items = news.items()
    assert len(items) == len(set(items)) > 250
    assert all(len(re.findall(r"\w+", item)) > 20 for item in items)
