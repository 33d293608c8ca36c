"""A corpus from outside: the news items that the package gensim carries as test data, every word that occurs six times or more.

    python -m pip install gensim
    python -m benchmarks.news

sweeps them on the embedded model into build/news (a call that was interrupted goes on), keeps the tables of the pooled study in
benchmarks/results/news, and prints the tables of docs/evidence.md: over all words, and over those that are one token, from the same cells.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pandas as pd

from analyses.models import ModelSettings, tokenize
from analyses.progress import SilentProgress
from benchmarks.measure import ROOT
from reportgen.sweep import sweep
from reportgen.sweep.grid import load_grid, texts_of, words_in

RESULTS = Path(__file__).parent / "results" / "news"
ONE_TOKEN = RESULTS / "one-token"
FOLDER = ROOT / "build" / "news"
TABLES = ("answers.csv", "pooled.csv")
AT_LEAST = 6
PARTS = {
    "early_difference": "early layers, MLP minus attention (nats)",
    "deep_difference": "deep layers, attention minus MLP (nats)",
    "mean_tau": "mean tau",
    "tau_difference": "tau of attention minus tau of the MLP",
}


def items() -> list[str]:
    """The news items, each once, in the order of the file."""
    found = importlib.util.find_spec("gensim")
    if found is None or found.origin is None:
        raise SystemExit("news: gensim is not installed; run:  python -m pip install gensim")
    file = Path(found.origin).parent / "test" / "test_data" / "lee_background.cor"
    # A few of its signs are in no encoding that fits the rest.
    return list(dict.fromkeys(line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()))


def write_grid(folder: Path) -> Path:
    """The grid and the table of its texts."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"name": f"item-{number:03}", "text": text, "language": "en"} for number, text in enumerate(items(), start=1)]
    (folder / "items.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    grid = {
        "name": "news",
        "texts": {"file": "items.jsonl"},
        "words": {"every": {"at_least": AT_LEAST}},
        "settings": {"controls": {"pairs_per_distance": 24}},
    }
    (folder / "news.yaml").write_text(json.dumps(grid, indent=1), encoding="utf-8")
    return folder / "news.yaml"


def write_one_token_grid(file: Path) -> Path:
    """The grid in `file` with those words only that are a single token, in one case or another, where they follow a space."""
    grid, model = load_grid(file), ModelSettings(source="embedded", device="cpu", offline=True)

    def is_one_token(word: str) -> bool:
        return any(len(tokenize(model, f" {written}").ids) == 1 for written in (word, word.capitalize()))

    words = {text.name: [word for word in words_in(grid, text) if is_one_token(word)] for text in texts_of(grid, file)}
    content = json.loads(file.read_text(encoding="utf-8")) | {"words": {"by_text": {name: own for name, own in words.items() if own}}}
    (file.parent / "news-one-token.yaml").write_text(json.dumps(content, indent=1), encoding="utf-8")
    return file.parent / "news-one-token.yaml"


def table(pooled: pd.DataFrame) -> str:
    """Means over the texts of what the word shares beyond different words, by both estimators, with 95 % intervals."""
    lines = ["| mean over the texts | histogram | nearest neighbours |", "|---|---|---|"]
    for part, said in PARTS.items():
        cells = []
        for estimator in ("histogram", "nearest_neighbour"):
            rows = pooled[(pooled.language == "all") & (pooled.part == part) & (pooled.control == "different_word")]
            row = rows[rows.estimator == estimator].iloc[0]
            cells.append(f"{row.estimate:.3f} [{row.low:.3f}, {row.high:.3f}]")
        lines.append(f"| {said} | {' | '.join(cells)} |")
    return "\n".join(lines)


def kept(results: Path = RESULTS) -> str:
    """The table of the results that are kept."""
    return table(pd.read_csv(results / "pooled.csv"))


def main() -> None:
    file = write_grid(FOLDER)
    for grid, results in ((file, RESULTS), (write_one_token_grid(file), ONE_TOKEN)):
        out = FOLDER / results.name
        swept = sweep(grid, out, store=str(FOLDER / "store"), languages=("en",), formats=("html",), progress=SilentProgress())
        sys.stderr.write(f"{swept.done}\n")
        results.mkdir(parents=True, exist_ok=True)
        for name in TABLES:
            shutil.copyfile(out / "bundle" / "tables" / name, results / name)
        sys.stdout.write(kept(results) + "\n")


if __name__ == "__main__":
    main()
