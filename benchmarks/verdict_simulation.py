"""How often the verdicts are right: on data without an effect, and on data where each of the five statements is true or its opposite is.

A data set is a study's pairwise mutual information (estimator, branch, layer, pair). The true value of a pair is set by branch,
layer and token distance; noise is shared by the pairs of an occurrence, V_ij = truth + a_i + a_j + e_ij, with var(a) = var(e) / 2 so
that occurrences carry half of a pair's noise, and half of the variance of a and e is common to all layers of a branch.
The sd of a pair's noise is 1. The bias-corrected histogram is V, the histogram V + 1, nearest neighbours V - 1 with an own noise of
sd 0.1: the estimators see the same pairs. Verdicts are those of the study, by `judge` and `conclude`.

- ``null``: no difference between branches or layers, no relation to distance; for statement 5, nearest neighbours that are
  unrelated to the histogram. For statements 3 and 5, which claim a range, also the least favourable case: the truth at the range's edge.
- ``planted``: each statement true, then false (its opposite), at the effect sizes of `EFFECTS`.
- ``activations``: planted Gaussian correlations as ready activations through the whole computation, real estimators.

Run with ``python -m benchmarks.verdict_simulation``.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyses.mi_distance.bands import Bands, bands_of
from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.hypotheses import STATEMENTS, judge, measure_with_intervals
from analyses.mi_distance.inputs import from_file
from analyses.mi_distance.names import VERDICTS
from analyses.mi_distance.pairs import Pairs, pairs_of
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.study import analyse
from analyses.progress import SilentProgress
from analyses.statistics import kendall_tau

Array = npt.NDArray[np.float64]

LAYERS = 30
TEXT_TOKENS = 94
OWN_NOISE = 0.1
SETTINGS = StudySettings(name="simulation", word="word", text="word")
BANDS = bands_of(LAYERS, SETTINGS.hypotheses)
NAMES = tuple(statement.name for statement in STATEMENTS)


@dataclass(frozen=True)
class Truth:
    """What is planted: the mean of each branch and layer (2, layer), the slope of MI on standardised distance, and the estimators'.

    `slope` is by branch; `gain` is what one unit of the histogram is in nearest neighbours, None where they are unrelated.
    """

    means: Array
    slope: tuple[float, float] = (0.0, 0.0)
    gain: float | None = 1.0


@dataclass(frozen=True)
class Case:
    """One planted case: how it is described, its truth, the number of occurrences and the sd of the noise."""

    effect: str
    truth: Truth
    occurrences: int = 7
    noise: float = 1.0


def flat() -> Array:
    return np.zeros((2, LAYERS))


def early(difference: float) -> Array:
    """MLP above attention by `difference` in the early layers."""
    means = flat()
    means[1, BANDS.early] = difference
    return means


def deep(change: float) -> Array:
    """Attention rises by `change` from the early to the deep layers, the MLP falls by as much and levels off there."""
    layer = np.arange(LAYERS)
    start, end = BANDS.early[-1], BANDS.deep[0]
    ramp = np.clip((layer - start) / (end - start), 0, 1)
    return change * np.stack([ramp, -ramp])


def rising(change: float) -> Array:
    """Layer means with a spread, for the estimators to agree on."""
    return change * np.stack([np.linspace(-1, 1, LAYERS), np.linspace(1, -1, LAYERS)])


# Slopes on standardised distance, in sd of a pair's noise, with which the mean tau is close to -.5, and to -.35 at 7 occurrences;
# the results give the taus that came about.
HALF_SLOPE, EDGE_SLOPE = -0.95, -0.535

EFFECTS: dict[str, tuple[Case, Case]] = {
    "early_layers": (
        Case("MLP above attention by 2.5 sd", Truth(early(2.5))),
        Case("attention above MLP by 2.5 sd", Truth(early(-2.5))),
    ),
    "deep_layers": (
        Case("attention rises and MLP falls by 3.5 sd", Truth(deep(3.5))),
        Case("attention falls and MLP rises by 3.5 sd", Truth(deep(-3.5))),
    ),
    "negative_tau": (
        Case("tau -.5", Truth(flat(), (HALF_SLOPE, HALF_SLOPE)), occurrences=24),
        Case("tau +.5", Truth(flat(), (-HALF_SLOPE, -HALF_SLOPE))),
    ),
    "tau_separation": (
        Case("taus 0 and -.5", Truth(flat(), (0.0, HALF_SLOPE)), occurrences=16),
        Case("both taus -.5", Truth(flat(), (HALF_SLOPE, HALF_SLOPE)), occurrences=16),
    ),
    "constant_shift": (
        Case("slope 1", Truth(rising(2.5))),
        Case("slope 1.8", Truth(rising(2.5), gain=1.8)),
    ),
}


def positions(generator: np.random.Generator, occurrences: int) -> Array:
    """Occurrences scattered over a text."""
    return np.sort(generator.choice(TEXT_TOKENS, occurrences, replace=False))


def noise(generator: np.random.Generator, pairs: Pairs) -> Array:
    """(branch, layer, pair) noise with sd 1: occurrences carry half of the variance, half of each part is common to the layers."""

    def over_layers(count: int) -> Array:
        common = generator.normal(size=(2, 1, count))
        return np.sqrt(0.5) * (common + generator.normal(size=(2, LAYERS, count)))

    own = 0.5 * over_layers(pairs.occurrences)
    return own[..., pairs.first] + own[..., pairs.second] + np.sqrt(0.5) * over_layers(len(pairs))


def data_set(generator: np.random.Generator, case: Case) -> tuple[Array, Pairs]:
    """(estimator, branch, layer, pair) mutual information of one data set, and its pairs."""
    pairs = pairs_of(positions(generator, case.occurrences))
    distance = (pairs.distance - pairs.distance.mean()) / pairs.distance.std()
    truth = case.truth.means[..., None] + np.array(case.truth.slope)[:, None, None] * distance
    values = truth + case.noise * noise(generator, pairs)
    near = truth + case.noise * noise(generator, pairs) if case.truth.gain is None else case.truth.gain * values
    near = near - 1 + case.noise * OWN_NOISE * generator.normal(size=near.shape)
    return np.stack([values + 1, values, near]), pairs


def verdicts(values: Array, pairs: Pairs, bands: Bands = BANDS) -> dict[str, dict[str, str]]:
    """Statement -> "conclusion" and each estimator -> verdict."""
    measured = measure_with_intervals(values, pairs, bands, confidence=0.95)
    rows = judge(measured, "none", SETTINGS.hypotheses)
    found: dict[str, dict[str, str]] = {row["name"]: {"conclusion": row["verdict"]} for row in conclude(rows)}
    for row in rows:
        found[row["name"]][row["estimator"]] = row["verdict"]
    return found


def tally(runs: Iterator[dict[str, dict[str, str]]], names: tuple[str, ...]) -> dict[str, dict[str, dict[str, float]]]:
    """Statement -> "conclusion" and each estimator -> verdict -> share of the data sets."""
    counts: dict[str, dict[str, Counter[str]]] = {name: {} for name in names}
    total = 0
    for found in runs:
        total += 1
        for name in names:
            for source, verdict in found[name].items():
                counts[name].setdefault(source, Counter())[verdict] += 1
    return {
        name: {source: {verdict: round(counter[verdict] / total, 4) for verdict in VERDICTS} for source, counter in sources.items()}
        for name, sources in counts.items()
    }


def simulate(case: Case, data_sets: int, seed: list[int], names: tuple[str, ...]) -> dict[str, dict[str, dict[str, float]]]:
    def runs() -> Iterator[dict[str, dict[str, str]]]:
        for index in range(data_sets):
            yield verdicts(*data_set(np.random.default_rng([*seed, index]), case))

    return tally(runs(), names)


def mean_taus(case: Case, seed: list[int], data_sets: int = 20) -> list[float]:
    """The mean tau of each branch that a case brings about."""
    taus = []
    for index in range(data_sets):
        values, pairs = data_set(np.random.default_rng([*seed, index]), case)
        taus.append(kendall_tau(pairs.distance, values[1]).mean(axis=-1))
    return [round(float(tau), 3) for tau in np.mean(taus, axis=0)]


def null(data_sets: int, seed: int) -> list[dict[str, Any]]:
    """Wrong "supported" of each statement without an effect, and of the ranges at their edges."""
    rows = []
    cases = (
        (NAMES[:4], Case("no effect", Truth(flat()))),
        (NAMES[4:], Case("no effect", Truth(flat(), gain=None))),
        (("negative_tau",), Case("tau -.35, the edge of the range", Truth(flat(), (EDGE_SLOPE, EDGE_SLOPE)))),
        (("constant_shift",), Case("slope 1.1, the edge of the range", Truth(rising(2.5), gain=1.1))),
    )
    for index, (names, case) in enumerate(cases):
        for name, shares in simulate(case, data_sets, [seed, 1, index], names).items():
            rows.append({"statement": name, "effect": case.effect, "occurrences": case.occurrences, "verdicts": shares})
    return rows


def planted(data_sets: int, seed: int) -> list[dict[str, Any]]:
    """Verdicts of each statement where it is true, and where its opposite is."""
    rows = []
    for index, (name, cases) in enumerate(EFFECTS.items()):
        for true, case in zip((True, False), cases, strict=True):
            seeds = [seed, 2, index, int(true)]
            shares = simulate(case, data_sets, seeds, (name,))[name]
            row = {"statement": name, "true": true, "effect": case.effect, "occurrences": case.occurrences, "verdicts": shares}
            if any(case.truth.slope):
                row["mean_tau"] = mean_taus(case, seeds)
            rows.append(row)
    return rows


# What the vectors of `planted_activations` make true; the shift depends on the estimators alone and is not planted in them.
PLANTED_IN_VECTORS = {"early_layers": True, "deep_layers": True, "negative_tau": False, "tau_separation": False}


def planted_activations(
    generator: np.random.Generator, *, layers: int, occurrences: int, dimensions: int, swapped: bool
) -> dict[str, Array]:
    """Vectors whose correlation is set by branch and layer, attention first, and does not depend on distance.

    Statements 1 and 2 are true, or, with the branches swapped, their opposite.
    """
    number = np.arange(layers)
    bands = bands_of(layers, SETTINGS.hypotheses)
    ramp = np.clip((number - bands.early[-1]) / (bands.deep[0] - bands.early[-1]), 0, 1)
    correlation = np.stack([0.3 + 0.5 * ramp, 0.8 - 0.5 * ramp])[:, :, None, None]
    if swapped:
        correlation = correlation[::-1]
    common = generator.normal(size=(2, layers, 1, dimensions))
    own = generator.normal(size=(2, layers, occurrences, dimensions))
    return {
        "activation": np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own,
        "token_position": positions(generator, occurrences),
    }


def activations(data_sets: int, seed: int) -> list[dict[str, Any]]:
    """The whole computation on ready activations, with the study's real estimators."""
    rows = []
    for swapped in (False, True):

        def runs(swapped: bool = swapped) -> Iterator[dict[str, dict[str, str]]]:
            with tempfile.TemporaryDirectory() as folder:
                for index in range(data_sets):
                    generator = np.random.default_rng([seed, 4, int(swapped), index])
                    file = Path(folder) / "planted.npz"
                    arrays = planted_activations(generator, layers=12, occurrences=7, dimensions=576, swapped=swapped)
                    np.savez(file, activation=arrays["activation"], token_position=arrays["token_position"])
                    settings = StudySettings(
                        name="planted", word="word", activations_file=str(file), robustness={"enabled": False}, permutations=99
                    )
                    study = analyse(from_file(file), settings, SilentProgress()).study
                    yield {row["name"]: {"conclusion": row["verdict"]} for row in study["conclusions"]}

        for name, shares in tally(runs(), tuple(PLANTED_IN_VECTORS)).items():
            rows.append(
                {
                    "statement": name,
                    "true": PLANTED_IN_VECTORS[name] and not swapped,
                    "effect": f"correlations {'.8 to .3 and .3 to .8' if swapped else '.3 to .8 and .8 to .3'}",
                    "occurrences": 7,
                    "verdicts": shares,
                }
            )
    return rows


def table(results: dict[str, Any]) -> str:
    """The results as Markdown; shares are of the conclusion from both primary estimators, with the worst estimator for the null."""
    lines = [f'Without an effect, {results["settings"]["null_data_sets"]} data sets: wrong "supported"', ""]
    lines += ["| statement | data | conclusion | worst single estimator |", "|---|---|---|---|"]
    for row in results["null"]:
        shares = row["verdicts"]
        worst = max(share["supported"] for source, share in shares.items() if source != "conclusion")
        lines.append(f"| {row['statement']} | {row['effect']} | {shares['conclusion']['supported']:.1%} | {worst:.1%} |")
    lines += ["", f"Planted, {results['settings']['planted_data_sets']} data sets each", ""]
    lines += ["| statement | planted | occurrences | right | supported | contradicted |", "|---|---|---|---|---|---|"]
    for row in results["planted"]:
        share = row["verdicts"]["conclusion"]
        right = share["supported"] if row["true"] else 1 - share["supported"]
        cells = f"{right:.1%} | {share['supported']:.1%} | {share['contradicted']:.1%}"
        lines.append(f"| {row['statement']} | {row['effect']} ({'true' if row['true'] else 'false'}) | {row['occurrences']} | {cells} |")
    lines += ["", f"Ready activations through the whole computation, {results['settings']['activation_data_sets']} data sets each", ""]
    lines += ["| statement | planted | right | supported | contradicted |", "|---|---|---|---|---|"]
    for row in results["activations"]:
        share = row["verdicts"]["conclusion"]
        right = share["supported"] if row["true"] else 1 - share["supported"]
        cells = f"{right:.1%} | {share['supported']:.1%} | {share['contradicted']:.1%}"
        lines.append(f"| {row['statement']} | {row['effect']} ({'true' if row['true'] else 'false'}) | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the verdicts are right, with and without a planted effect.")
    parser.add_argument("--null-data-sets", type=int, default=500)
    parser.add_argument("--planted-data-sets", type=int, default=200)
    parser.add_argument("--activation-data-sets", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    options = parser.parse_args()
    results: dict[str, Any] = {
        "settings": {name: value for name, value in sorted(vars(options).items()) if name != "out"},
        "null": null(options.null_data_sets, options.seed),
        "planted": planted(options.planted_data_sets, options.seed),
        "activations": activations(options.activation_data_sets, options.seed),
    }
    sys.stdout.write(table(results) + "\n")
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
