"""What README says of the corpus is what the sweep's tables hold."""

from pathlib import Path

import pandas as pd

from benchmarks import corpus

ROOT = Path(corpus.__file__).parents[1]


def test_the_readme_has_the_table_of_the_results_that_are_kept():
    assert corpus.kept() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_says_of_each_statement_what_the_tables_do():
    answers = pd.read_csv(corpus.RESULTS / "answers.csv")
    by_language = {language: dict(zip(rows.statement, rows.verdict, strict=True)) for language, rows in answers.groupby("language")}
    for language in ("en", "vi"):
        verdicts = by_language[language]
        assert [verdicts[number] for number in (1, 4)] == ["supported"] * 2
        assert [verdicts[number] for number in (2, 5)] == ["contradicted"] * 2
    assert (by_language["en"][3], by_language["vi"][3]) == ("contradicted", "inconclusive")
    assert set(answers[answers.language != "all"].texts) == {24}
    pooled = pd.read_csv(corpus.RESULTS / "pooled.csv")
    taus = pooled[
        (pooled.part == "mean_tau") & (pooled.control == "different_word") & pooled.estimator.isin(["histogram", "nearest_neighbour"])
    ]
    assert len(taus) == 6
    assert (taus.high < 0).all()
