"""How often the verdicts of the study of similarity are right: on vectors without an effect, and where a statement is true or false.

A data set is the vectors of a word's occurrences and of a text's other words, from which the study's own functions measure and judge.
Of a vector's unit variance, `common` is one direction that all tokens of a layer share, `word` one that the occurrences share, and the
rest is its own, half of it the same in all layers of a branch. An occurrence has its own share of the word's direction (a quarter of it
as sd, the same in all layers), so that pairs of one occurrence go together. `structure` gives each occurrence coordinates of its own,
by which some pairs are more alike than others.

- ``null``: the word's share is the same in all layers; centring takes off exactly half of the cosine, which is the edge of the second
  statement; the two branches' structures are drawn independently, once without distance in them, and once falling with it in both.
- ``planted``: each statement true, then its opposite, at small effects and large ones.

Run with ``python -m benchmarks.similarity_simulation``.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from analyses.occurrences.bands import depth_bands
from analyses.occurrences.layer_numbers import LayerNumbers
from analyses.occurrences.pairs import pairs_of
from analyses.occurrences.vectors import StudyInput
from analyses.similarity.settings import SimilaritySettings
from analyses.similarity.statements import STATEMENTS, removed
from analyses.similarity.study import judge_means, judge_structures, measure
from benchmarks.simulations import tally, write

Array = npt.NDArray[np.float64]

LAYERS = 12
DIMENSIONS = 128
OTHER_WORDS = 40
TEXT_TOKENS = 94
SETTINGS = SimilaritySettings(name="simulation", word="word", text="word", permutations=999)
BANDS = depth_bands(LayerNumbers(tuple(range(1, LAYERS + 1)), LAYERS), SETTINGS.depth)
FALLS, REMOVES, AGREES = (statement.name for statement in STATEMENTS)
# Of the variance: a token's own part has at least this much.
OCCURRENCE_SPREAD = 0.25
COORDINATES = 3

Structure = Literal["none", "independent", "distance", "shared", "opposite"]


@dataclass(frozen=True)
class Case:
    """One planted case: shares of the variance by layer, the two branches alike, and how the branches' structures are related."""

    effect: str
    common: float = 0.4
    word: Array = field(default_factory=lambda: np.full(LAYERS, 0.2))
    structure: Structure = "independent"
    strength: float = 0.15
    occurrences: int = 7


def falling(change: float) -> Array:
    """The word's share falls by `change` of its mean, .2, from the early layers to the deep ones."""
    layer = np.arange(LAYERS)
    ramp = np.clip((layer - BANDS.early[-1]) / (BANDS.deep[0] - BANDS.early[-1]), 0, 1)
    return np.asarray(0.2 * (1 + change / 2 - change * ramp))


def flat(share: float) -> Array:
    return np.full(LAYERS, share)


# The share of the word with which centring takes off half of the cosine in the mean over many data sets: found once with
# `removed_in_the_mean`, and held by a test.
EDGE = Case("centring takes off exactly half", common=0.4, word=flat(0.158))

# Of these numbers of occurrences each.
SIZES = (7, 12)
NULL: tuple[tuple[Case, str], ...] = (
    (Case("similarity is the same in all layers"), FALLS),
    (EDGE, REMOVES),
    (Case("structures drawn independently"), AGREES),
    (Case("both structures fall with distance", structure="distance"), AGREES),
)
# What is planted, the statement, and whether it is true.
PLANTED: tuple[tuple[Case, str, bool], ...] = (
    (Case("falls by a third of its mean", word=falling(1 / 3)), FALLS, True),
    (Case("falls by two thirds", word=falling(2 / 3)), FALLS, True),
    (Case("falls by four thirds", word=falling(4 / 3)), FALLS, True),
    (Case("rises by a third", word=falling(-1 / 3)), FALLS, False),
    (Case("rises by two thirds", word=falling(-2 / 3)), FALLS, False),
    (Case("rises by four thirds", word=falling(-4 / 3)), FALLS, False),
    (Case("centring takes off two thirds", common=0.5, word=flat(0.09)), REMOVES, True),
    (Case("centring takes off nine tenths", common=0.7, word=flat(0.01), strength=0.02), REMOVES, True),
    (Case("centring takes off a third", common=0.3, word=flat(0.2)), REMOVES, False),
    (Case("centring takes off a tenth", common=0.05, word=flat(0.35)), REMOVES, False),
    (Case("a weak structure in common", structure="shared", strength=0.1), AGREES, True),
    (Case("a strong structure in common", structure="shared", strength=0.25), AGREES, True),
    (Case("a strong structure in common", structure="shared", strength=0.25, occurrences=12), AGREES, True),
    (Case("what is alike in one branch is unlike in the other", structure="opposite", strength=0.25), AGREES, False),
    (Case("what is alike in one branch is unlike in the other", structure="opposite", strength=0.25, occurrences=12), AGREES, False),
)


def coordinates(generator: np.random.Generator, structure: Structure, position: Array, strength: float) -> Array:
    """(branch, occurrence, coordinate) with mean square length `strength`: whose products make some pairs more alike."""
    count = len(position)
    drawn = generator.normal(size=(2, count, COORDINATES))
    if structure == "none":
        return np.zeros((2, count, count))
    if structure == "shared":
        drawn[1] = drawn[0]
    found = np.zeros((2, count, count))
    found[..., :COORDINATES] = drawn / np.sqrt(COORDINATES)
    if structure == "opposite":
        # Products that are the first branch's with the other sign: a root of what they leave of a multiple of the unit matrix.
        products = found[0] @ found[0].T
        found[1] = np.linalg.cholesky(1.001 * np.linalg.eigvalsh(products)[-1] * np.eye(count) - products)
    if structure == "distance":
        near = np.linalg.cholesky(np.exp(-np.abs(np.subtract.outer(position, position)) / 20) + 1e-9 * np.eye(count))
        found = np.sqrt(0.5) * (found + near)
    length = (found**2).sum(axis=-1, keepdims=True).mean(axis=1, keepdims=True)
    return np.asarray(found * np.sqrt(strength / length))


def data_set(generator: np.random.Generator, case: Case) -> StudyInput:
    """The vectors of one study."""
    count = case.occurrences
    tokens = generator.choice(np.arange(1, TEXT_TOKENS), count + OTHER_WORDS, replace=False)
    position, others = np.sort(tokens[:count]), np.sort(tokens[count:])

    def own(vectors: int, share: Array) -> Array:
        """(branch, layer, vector, dimension) with `share` (layer,) of a unit variance, half of it common to the layers."""
        over_layers = generator.normal(size=(2, 1, vectors, DIMENSIONS)) + generator.normal(size=(2, LAYERS, vectors, DIMENSIONS))
        return np.asarray(np.sqrt(share[:, None, None] / (2 * DIMENSIONS)) * over_layers)

    scale = 1 + OCCURRENCE_SPREAD * generator.normal(size=(2, 1, count))
    placed = coordinates(generator, case.structure, position.astype(np.float64), case.strength)
    activation = own(count, 1 - case.common - case.word - case.strength)
    activation[..., 0] += np.sqrt(case.common)
    activation[..., 1] += np.sqrt(case.word)[:, None] * scale
    activation[..., 2 : 2 + count] += placed[:, None]
    control = own(OTHER_WORDS, np.full(LAYERS, 1 - case.common))
    control[..., 0] += np.sqrt(case.common)
    return StudyInput(
        activation=activation,
        token_position=position,
        control_activation=control,
        control_token_position=others,
        control_token_word=tuple(f"word{index}" for index in range(OTHER_WORDS)),
        untrained_activation=None,
        text=None,
        provenance={},
    )


def verdicts(vectors: StudyInput, name: str) -> dict[str, Any]:
    """The row of study.json that the conclusion on a statement rests on."""
    (statement,) = (each for each in STATEMENTS if each.name == name)
    pairs = pairs_of(vectors.token_position)
    if name == AGREES:
        # Different words have no part in it, and take most of the time.
        alone = replace(vectors, control_activation=None, control_token_position=None, control_token_word=None)
        _, rows = judge_structures(measure(alone, pairs, SETTINGS).plain.values, pairs, SETTINGS)
    else:
        _, _, rows = judge_means(measure(vectors, pairs, SETTINGS), pairs, BANDS)
    wanted = (name, statement.measure, statement.control)
    return next(row for row in rows if (row["name"], row["estimator"], row["control"]) == wanted)


def removed_in_the_mean(case: Case, data_sets: int, seed: int) -> list[float]:
    """What the second statement is judged by, the mean over data sets, of each branch: zero at the edge."""
    found = []
    for index in range(data_sets):
        vectors = data_set(np.random.default_rng([seed, 9, index]), case)
        pairs = pairs_of(vectors.token_position)
        profiles, _, _ = judge_means(measure(vectors, pairs, SETTINGS), pairs, BANDS)
        found.append(removed(profiles.mean))
    return [float(value) for value in np.mean(found, axis=0)]


def simulate(case: Case, data_sets: int, seed: list[int], name: str) -> dict[str, dict[str, float]]:
    """The statement ("conclusion") and each of its parts -> verdict -> share of the data sets."""

    def runs() -> Iterator[dict[str, dict[str, str]]]:
        for index in range(data_sets):
            row = verdicts(data_set(np.random.default_rng([*seed, index]), case), name)
            yield {name: {"conclusion": row["verdict"]} | {part["measure"]: part["verdict"] for part in row["parts"]}}

    return tally(runs())[name]


def null(data_sets: int, seed: int) -> list[dict[str, Any]]:
    """What is decided where nothing is to be found."""
    rows = []
    for index, (case, name) in enumerate(NULL):
        for occurrences in SIZES:
            shares = simulate(replace(case, occurrences=occurrences), data_sets, [seed, 1, index, occurrences], name)
            rows.append({"statement": name, "effect": case.effect, "occurrences": occurrences, "verdicts": shares})
    return rows


def planted(data_sets: int, seed: int) -> list[dict[str, Any]]:
    """Verdicts where a statement is true, and where its opposite is."""
    rows = []
    for index, (case, name, true) in enumerate(PLANTED):
        shares = simulate(case, data_sets, [seed, 2, index], name)
        rows.append({"statement": name, "true": true, "effect": case.effect, "occurrences": case.occurrences, "verdicts": shares})
    return rows


def type_one(row: dict[str, Any]) -> list[float]:
    """How often each part of a row is decided, in either direction, where there is nothing to decide."""
    return [shares["supported"] + shares["contradicted"] for source, shares in row["verdicts"].items() if source != "conclusion"]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _decided(row: dict[str, Any]) -> str:
    share = row["verdicts"]["conclusion"]
    return f"{_percent(share['supported'])} | {_percent(share['contradicted'])}"


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = ["| statement | data | T | supported | contradicted | a part decided |", "|---|---|---:|---:|---:|---:|"]
    for row in results["null"]:
        decided = " and ".join(map(_percent, type_one(row)))
        lines.append(f"| {row['statement']} | {row['effect']} | {row['occurrences']} | {_decided(row)} | {decided} |")
    lines += ["", "| statement | planted | T | supported | contradicted |", "|---|---|---:|---:|---:|"]
    for row in results["planted"]:
        effect = f"{row['effect']} ({'true' if row['true'] else 'false'})"
        lines.append(f"| {row['statement']} | {effect} | {row['occurrences']} | {_decided(row)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="How often the verdicts on similarity are right, with and without a planted effect.")
    parser.add_argument("--null-data-sets", type=int, default=1000)
    parser.add_argument("--planted-data-sets", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    options = parser.parse_args()
    results: dict[str, Any] = {
        "settings": {name: value for name, value in sorted(vars(options).items()) if name != "out"},
        "null": null(options.null_data_sets, options.seed),
        "planted": planted(options.planted_data_sets, options.seed),
    }
    write(table(results), results, options.out)


if __name__ == "__main__":
    main()
