"""What `reportgen sweep corpus` found, as the table of README: run it on the bundle that the sweep made.

    python -m benchmarks.corpus out/bundle

keeps the bundle's tables in benchmarks/results/corpus and prints the table.
"""

import argparse
import shutil
import sys
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent / "results" / "corpus"
TABLES = ("answers.csv", "pooled.csv")
# What each statement is about, the part that its number is of, and the number's unit.
STATEMENTS = {
    1: ("early layers: MLP above attention", "early_difference", "MLP minus attention, nats"),
    2: ("deep layers: attention rises above the MLP", "deep_difference", "attention minus MLP, nats"),
    3: ("tau is negative, about -.5", "mean_tau", "mean tau"),
    4: ("the branches' taus separate", "tau_difference", "tau of attention minus MLP"),
    5: ("the estimators differ by a constant shift", "shift_slope", "slope, 1 for a shift"),
}


def table(answers: pd.DataFrame, pooled: pd.DataFrame) -> str:
    """The verdicts over the English and over the Vietnamese texts, with means by the histogram and 95 % intervals."""
    lines = ["| the lesson says | measured | English texts | Vietnamese texts |", "|---|---|---|---|"]
    for number, (says, part, measured) in STATEMENTS.items():
        cells = []
        for language in ("en", "vi"):
            verdict = answers[(answers.language == language) & (answers.statement == number)].verdict.item()
            control = "none" if number == 5 else "different_word"
            rows = pooled[(pooled.language == language) & (pooled.part == part) & (pooled.control == control)]
            row = rows[rows.estimator == "histogram"].iloc[0]
            cells.append(f"{verdict.replace('_', ' ')}: {row.estimate:.2f} [{row.low:.2f}, {row.high:.2f}]")
        lines.append(f"| {number}. {says} | {measured} | {' | '.join(cells)} |")
    return "\n".join(lines)


def kept() -> str:
    """The table of the results that are kept."""
    return table(*(pd.read_csv(RESULTS / name) for name in TABLES))


def main() -> None:
    parser = argparse.ArgumentParser(description="The table of README on the corpus.")
    parser.add_argument("bundle", type=Path, help="the bundle that `reportgen sweep corpus --out OUT` made: OUT/bundle")
    RESULTS.mkdir(parents=True, exist_ok=True)
    bundle = parser.parse_args().bundle
    for name in TABLES:
        shutil.copyfile(bundle / "tables" / name, RESULTS / name)
    sys.stdout.write(kept() + "\n")


if __name__ == "__main__":
    main()
