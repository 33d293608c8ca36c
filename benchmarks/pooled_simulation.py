"""How often the verdicts of a pooled study are right: texts that differ as measured texts do, with and without what is claimed.

A data set is the values of K texts, of each measure by both estimators, from which the study's own functions pool and judge. Of a
measure's standard deviation between texts, as measured over 58 English news items (`SD`: the mean over texts and its t give it), a part
`SHARED` is common to both estimators, for they see the same vectors; two words in a text differ by half as much as two texts do.

- ``coverage``: how often the 95 % t interval of each measure holds the mean over texts, with normal texts and with skewed ones.
- ``null``: what is decided where every statement is at the edge of being true: no difference between branches, no slope, tau at zero.
- ``planted``: each statement true, then its opposite, at assumed effects and at those measured.

Run with ``python -m benchmarks.pooled_simulation``.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyses.mi_distance.hypotheses import STATEMENTS
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.settings import HypothesisSettings
from analyses.mi_distance_pooled.judged import Rules, conclusions_of, verdicts_of
from analyses.mi_distance_pooled.measured import CONTROLS, MEASURES, Values
from benchmarks.simulations import tally, write

Array = npt.NDArray[np.float64]

TEXTS = 10
MEASURED_TEXTS = 58
# On the excess over different words, by the histogram and by nearest neighbours: the mean over 58 texts, and its t. The sd between
# texts is mean x sqrt(58) / t.
MEASURED: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "early_difference": ((0.279, 0.391), (25, 27)),
    "deep_difference": ((-0.093, -0.108), (-16, -17)),
    "attention_rise": ((-0.233, -0.362), (-14, -14)),
    "mlp_fall": ((0.419, 0.646), (18, 20)),
    "mean_tau": ((-0.180, -0.180), (-11, -11)),
    "tau_difference": ((0.022, 0.016), (2, 1.5)),
}
# What was not measured over texts: slopes (nats a layer) by what a fall of the MLP over ten layers would be, the slope of a shift.
OTHERS = {"mlp_level": 0.005, "mlp_slope_before": 0.01, "shift_slope": 0.2}
SHARED = 0.8
RULES = Rules(HypothesisSettings(), 10)
# Slopes at the edge of what counts as a constant shift.
NULL = dict.fromkeys(MEASURES, 0.0) | {"shift_slope": 1.1}
# The means under which a statement is true, and its opposite.
LESSON = NULL | {"early_difference": 0.1, "deep_difference": 0.1, "attention_rise": 0.1, "mlp_fall": 0.1, "mlp_slope_before": -0.01,
                 "mean_tau": -0.5, "attention_tau": -0.45, "mlp_tau": -0.55, "tau_difference": 0.1, "shift_slope": 1.0}  # fmt: skip
OPPOSITE = NULL | {"early_difference": -0.1, "deep_difference": -0.1, "attention_rise": -0.1, "mlp_fall": -0.1, "mlp_level": 0.03,
                   "mean_tau": 0.1, "attention_tau": 0.1, "mlp_tau": 0.1, "tau_difference": 0.0, "shift_slope": 1.8}  # fmt: skip
AS_MEASURED = NULL | {name: float(np.mean(means)) for name, (means, _) in MEASURED.items()} | {
    "attention_tau": -0.17, "mlp_tau": -0.19, "mlp_slope_before": -0.02, "shift_slope": 1.3,
}  # fmt: skip
SIZES = (3, 5, 10, 20)


def spread(measure: str) -> Array:
    """The standard deviation between texts (estimator,), the corrected estimator's that of the histogram."""
    if measure in OTHERS:
        return np.full(len(ESTIMATORS), OTHERS[measure])
    source = "mean_tau" if measure in ("attention_tau", "mlp_tau") else measure
    means, t = MEASURED[source]
    histogram, near = (abs(mean) * np.sqrt(MEASURED_TEXTS) / abs(value) for mean, value in zip(means, t, strict=True))
    return np.array([histogram, histogram, near])


def data_set(generator: np.random.Generator, truth: Mapping[str, float], texts: int, *, skewed: bool = False) -> Values:
    """Values of two words in each text whose mean over texts is `truth`; under a control nothing is said of the estimators."""

    def noise(*shape: int) -> Array:
        # A gamma variable of shape 4 has skewness 1.
        return (generator.gamma(4.0, 1.0, shape) - 4.0) / 2.0 if skewed else generator.normal(size=shape)

    estimate = np.full((len(CONTROLS), len(ESTIMATORS), len(MEASURES), 2 * texts), np.nan)
    for index, measure in enumerate(MEASURES):
        own = np.sqrt(SHARED) * noise(texts) + np.sqrt(1 - SHARED) * noise(len(ESTIMATORS), texts)
        # The mean over two words has the texts' measured variance: the words' part, (1/2)^2 / 2 of it, is taken from the texts'.
        words = 0.5 * generator.normal(size=(texts, 2))
        of_cells = np.sqrt(1 - 0.125) * own[..., None] + words
        estimate[:, :, index] = truth[measure] + spread(measure)[:, None] * of_cells.reshape(len(ESTIMATORS), -1)
    estimate[CONTROLS.index("different_word"), :, MEASURES.index("shift_slope")] = np.nan
    estimate[:, ESTIMATORS.index("nearest_neighbour"), MEASURES.index("shift_slope")] = np.nan
    labels = tuple(f"text {text}" for text in range(texts) for _ in range(2))
    return Values(estimate, np.full_like(estimate, np.nan), labels, ("one", "other") * texts)


def simulate(truth: Mapping[str, float], texts: int, data_sets: int, seed: list[int]) -> dict[str, dict[str, dict[str, float]]]:
    """Statement -> "conclusion", "after_holm" and each part -> verdict -> share of the data sets."""

    def runs() -> Iterator[dict[str, dict[str, str]]]:
        for index in range(data_sets):
            values = data_set(np.random.default_rng([*seed, index]), truth, texts)
            yield {
                row["name"]: {"conclusion": row["verdict"], "after_holm": row["after_holm"]}
                | {part["measure"]: part["verdict"] for part in row["parts"]}
                for row in conclusions_of(verdicts_of(values, RULES), 0.05)
            }

    return tally(runs())


def coverage(data_sets: int, seed: int) -> list[dict[str, Any]]:
    """How often the interval over K texts holds the mean, over all measures and both estimators: lowest, mean and highest share."""
    rows = []
    for skewed in (False, True):
        for texts in SIZES:
            inside = np.zeros((len(ESTIMATORS), len(MEASURES)))
            for index in range(data_sets):
                values = data_set(np.random.default_rng([seed, 1, skewed, texts, index]), NULL, texts, skewed=skewed)
                for estimator, measure in np.ndindex(inside.shape):
                    found = values.means[CONTROLS.index("none"), estimator, measure]
                    inside[estimator, measure] += found.low <= NULL[MEASURES[measure]] <= found.high
            shares = inside[[0, 2]] / data_sets
            shares = shares[shares > 0]
            rows.append(
                {"texts": "skewed" if skewed else "normal", "count": texts, "lowest": round(float(shares.min()), 4)}
                | {"mean": round(float(shares.mean()), 4), "highest": round(float(shares.max()), 4)}
            )  # fmt: skip
    return rows


def worlds(data_sets: int, seed: int) -> list[dict[str, Any]]:
    """Verdicts in the four worlds, and by the number of texts where the means are those measured."""
    cases = [
        ("nothing", NULL, TEXTS),
        ("as the lesson says, effects of .1", LESSON, TEXTS),
        ("the opposite, effects of .1", OPPOSITE, TEXTS),
    ]
    cases += [("as measured over 58 texts", AS_MEASURED, texts) for texts in SIZES]
    return [
        {"world": world, "texts": texts, "statements": simulate(truth, texts, data_sets, [seed, 2, index])}
        for index, (world, truth, texts) in enumerate(cases)
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def table(results: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    lines = ["| texts are | K | lowest | mean | highest coverage |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {row['texts']} | {row['count']} | {_percent(row['lowest'])} | {_percent(row['mean'])} | {_percent(row['highest'])} |"
        for row in results["coverage"]
    ]
    lines += ["", "| statement | world | K | supported | contradicted | either, after Holm |", "|---|---|---:|---:|---:|---:|"]
    for row in results["worlds"]:
        for statement in STATEMENTS:
            found = row["statements"][statement.name]
            kept = found["after_holm"]["supported"] + found["after_holm"]["contradicted"]
            shares = " | ".join(_percent(found["conclusion"][verdict]) for verdict in ("supported", "contradicted"))
            lines.append(f"| {statement.name} | {row['world']} | {row['texts']} | {shares} | {_percent(kept)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the verdicts of pooled studies are right, and how often their intervals cover.")
    parser.add_argument("--data-sets", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    options = parser.parse_args()
    results: dict[str, Any] = {
        "settings": {name: value for name, value in sorted(vars(options).items()) if name != "out"},
        "coverage": coverage(options.data_sets, options.seed),
        "worlds": worlds(options.data_sets, options.seed),
    }
    write(table(results), results, options.out)


if __name__ == "__main__":
    main()
