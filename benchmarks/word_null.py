"""Are the verdicts about the word? Random different words of the built-in texts put in the word's place, on the real model.

A draw takes as many different words of a text as its study has occurrences, one place each, as if they were one word's: whatever holds
for them holds for any tokens. The rest of the text is their control. All pairs of words are measured once; verdicts are those of the
study, by `judge` and `conclude`, for the primary verdict (the excess over different words) and for the lesson's (plain MI).
The statement on the estimators is not about a word, so it is left out.

Run with ``python -m benchmarks.word_null``.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyses.mi_distance import analysis
from analyses.mi_distance.bands import bands_of
from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.hypotheses import judge, measure_with_intervals
from analyses.mi_distance.names import ESTIMATORS, LESSON
from analyses.mi_distance.settings import StudySettings
from analyses.mutual_information import pairwise_mutual_information
from analyses.occurrences.controls import match_control_pairs, plain, subtract
from analyses.occurrences.pairs import pairs_of
from analyses.progress import SilentProgress
from analyses.statistics.verdicts import VERDICTS
from benchmarks.simulations import tally, write
from reportgen.settings import load_study

Array = npt.NDArray[np.float64]
STUDIES = ("coffee", "river", "ca-phe")


class Words:
    """All other words of a study's text, and the mutual information of every pair of them."""

    def __init__(self, settings: StudySettings) -> None:
        self.settings = settings
        captured, _ = analysis.capture(settings, SilentProgress())
        self.occurrences = captured.sizes["occurrence"]
        self.position = captured["control_token_position"].to_numpy().astype(np.int64)
        self.word = captured["control_token_word"].to_numpy().astype(str)
        vectors = captured["control_activation"].to_numpy().astype(np.float64)
        self.layers = vectors.shape[1]
        first, second = np.triu_indices(len(self.word), k=1)
        own = settings.estimation
        measured = pairwise_mutual_information(vectors, first, second, ESTIMATORS, bins=own.bins, trim=own.trim, neighbours=own.neighbours)
        # (estimator, branch, layer, word, word)
        self.values = np.full((len(ESTIMATORS), 2, self.layers, len(self.word), len(self.word)), np.nan)
        self.values[..., first, second] = np.stack([measured[name] for name in ESTIMATORS])

    def verdicts(self, generator: np.random.Generator) -> dict[str, dict[str, str]]:
        """One draw: statement, or its part, -> "primary" and "lesson" -> verdict."""
        words = generator.choice(np.unique(self.word), self.occurrences, replace=False)
        chosen = np.sort([generator.choice(np.flatnonzero(self.word == word)) for word in words])
        rest = np.flatnonzero(~np.isin(self.word, words))
        pairs = pairs_of(self.position[chosen])
        values = self.values[..., chosen[pairs.first], chosen[pairs.second]]
        control = match_control_pairs(pairs, self.position[rest], self.word[rest].tolist())
        assert control is not None
        different = self.values[..., rest[control.first], rest[control.second]]
        bands, hypotheses = bands_of(self.layers, self.settings.hypotheses), self.settings.hypotheses
        rows = {
            label: judge(measure_with_intervals(adjusted, pairs, bands, confidence=0.95, seed=self.settings.seed), label, hypotheses)
            for label, adjusted in (("different_word", subtract(control, different, values)), (LESSON, plain(values)))
        }
        found: dict[str, dict[str, str]] = {}
        # Conclusions rest on the excess where it is among the verdicts; of plain MI alone they are the lesson's.
        for name, verdicts in (("primary", rows["different_word"] + rows[LESSON]), ("lesson", rows[LESSON])):
            for conclusion in conclude(verdicts):
                found.setdefault(conclusion["name"], {})[name] = conclusion["verdict"]
                if len(conclusion["parts"]) > 1:
                    for part in conclusion["parts"]:
                        found.setdefault(f"{conclusion['name']}: {part['measure']}", {})[name] = part["verdict"]
        return found


def shares(settings: StudySettings, draws: int, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Statement, or its part, -> "primary" and "lesson" -> verdict -> share of the draws."""
    words = Words(settings)
    return tally(words.verdicts(np.random.default_rng([seed, index])) for index in range(draws))


def settings_of(study: str) -> StudySettings:
    """Settings of a built-in study of one text."""
    _, settings = load_study(study)
    assert isinstance(settings, StudySettings)
    return settings


def table(results: dict[str, Any]) -> str:
    """Shares of the draws as Markdown."""
    lines = [
        "| text | statement or part | supported | contradicted | the lesson's: supported | contradicted |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for study, found in results["studies"].items():
        for name, share in found.items():
            cells = " | ".join(f"{share[source][verdict]:.1%}" for source in ("primary", "lesson") for verdict in VERDICTS[:2])
            lines.append(f"| {study} | {name} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Verdicts on random different words: how often is anything decided?")
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--studies", nargs="+", default=list(STUDIES))
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    options = parser.parse_args()
    results = {
        "settings": {"draws": options.draws, "seed": options.seed},
        "studies": {study: shares(settings_of(study), options.draws, options.seed) for study in options.studies},
    }
    write(table(results), results, options.out)


if __name__ == "__main__":
    main()
