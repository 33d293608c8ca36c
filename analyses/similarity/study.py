"""One study of similarity from its captured vectors to its results: vectors -> similarities -> statistics -> verdicts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analyses.occurrences.bands import DepthBands, depth_bands
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.capture import read_input
from analyses.occurrences.controls import Adjusted, ControlPairs, leave_one_token_out, match_control_pairs, matched_values, plain, subtract
from analyses.occurrences.layer_numbers import LayerNumbers
from analyses.occurrences.pairs import Pairs, pairs_of
from analyses.occurrences.vectors import StudyInput
from analyses.progress import Progress
from analyses.protocol import Results
from analyses.records import Variable, portable_settings
from analyses.similarity.measures import centres, of_other_words, similarities
from analyses.similarity.names import CENTRED, COSINE, MEASURES
from analyses.similarity.profiles import Interval, Profiles
from analyses.similarity.settings import SimilaritySettings
from analyses.similarity.statements import agrees, conclude, falls, removes
from analyses.similarity.structure import Agreement, agreement
from analyses.statistics.correlation import kendall_tau
from analyses.statistics.resampling import mantel, relabelled_tau
from analyses.statistics.verdicts import number_or_none

PAIR = ("measure", "branch", "layer", "pair")
BRANCH_LAYER = ("measure", "branch", "layer")
LAYER = ("measure", "layer")


@dataclass(frozen=True)
class Measured:
    """Similarities of the word's pairs: as they are, and minus different words (None where the text has none to compare with)."""

    plain: Adjusted
    excess: Adjusted | None
    control: ControlPairs | None
    control_words: int
    control_tokens: int
    matched: np.ndarray | None
    control_parts: np.ndarray | None = None


@dataclass(frozen=True)
class Judged:
    """Layer means plain and minus different words (None without them), agreement of the branches by control, and the verdicts."""

    profiles: Profiles
    excess: Profiles | None
    structures: dict[str, Agreement]
    verdicts: list[dict[str, Any]]


def run(settings: SimilaritySettings, progress: Progress) -> Results:
    """Capture and compute; raises InputError and MissingError as `read_input` does."""
    return analyse(read_input(settings, progress), settings, progress)


def analyse(vectors: StudyInput, settings: SimilaritySettings, progress: Progress) -> Results:
    """Everything after the capture: no model is needed any more."""
    layers = vectors.activation.shape[1]
    numbers = LayerNumbers.of(vectors.provenance, layers)
    detail_layer = numbers.detail(settings.detail_layer)
    pairs, bands = pairs_of(vectors.token_position), depth_bands(numbers, settings.depth)
    with progress.stage("similarity", 2) as advance:
        measured = measure(vectors, pairs, settings)
        advance(1)
        judged = judge(measured, pairs, bands, settings)
        advance(1)

    profiles, verdicts = judged.profiles, judged.verdicts
    variables = _variables(pairs, measured, profiles, judged.excess, settings)
    for control, found in judged.structures.items():
        name = "structure_agreement" if control == "none" else "structure_agreement_beyond_distance"
        variables[name] = (LAYER, found.by_layer, {"long_name": "rank correlation of the two branches' pair matrices", "units": "1"})

    dataset = vectors.to_dataset()[["activation", "token_position"]].assign(variables)
    dataset = dataset.assign_coords(branch=list(BRANCHES), measure=list(MEASURES), layer=np.array(numbers.numbers) - 1)
    taus = {"none": _mean_taus(measured.plain, pairs, settings)}
    if measured.excess:
        taus["different_word"] = _mean_taus(measured.excess, pairs, settings)
    study = {
        "settings": portable_settings(settings),
        "provenance": dict(vectors.provenance) | {"versions": vectors.versions("numpy", "scipy")},
        "text": vectors.text,
        "layers": layers,
        "layer_numbers": list(numbers.numbers),
        "layers_of_model": numbers.of_model,
        "detail_layer": detail_layer,
        "dimensions": vectors.activation.shape[3],
        "occurrences": pairs.occurrences,
        "pairs": len(pairs),
        "bands": {name: [numbers.numbers[layer] for layer in getattr(bands, name)] for name in ("early", "deep")},
        "controls": {"different_word": _control_facts(measured)},
        "share_removed": _share_removed(profiles),
        "mean_tau": taus,
        "structure": {
            control: {
                measure: {
                    name: number_or_none(float(getattr(found, field)[index]))
                    for name, field in (("estimate", "mean"), ("low", "low"), ("high", "high"), ("p", "p"))
                }
                for index, measure in enumerate(MEASURES)
            }
            for control, found in judged.structures.items()
        },
        "verdicts": verdicts,
        "conclusions": conclude(verdicts),
    }
    # Vectors that are read again must not pass for those of another word.
    return Results(dataset, vectors.to_dataset().assign_attrs(word=settings.word), study)


def measure(vectors: StudyInput, pairs: Pairs, settings: SimilaritySettings) -> Measured:
    """Similarities of the word's pairs, and of the pairs of different words that they are held against."""
    others, position, words = _other_words(vectors)
    if others is None or position is None or not settings.controls.different_word:
        return Measured(plain(similarities(vectors.activation, None, pairs.first, pairs.second)), None, None, 0, 0, None)
    centre, without = centres(others)
    values = similarities(vectors.activation, centre, pairs.first, pairs.second)
    replicates = [] if without is None else [similarities(vectors.activation, each, pairs.first, pairs.second) for each in without]
    own = Adjusted(values, replicates, values, replicates)
    control = match_control_pairs(pairs, position, words, pairs_per_distance=settings.controls.pairs_per_distance)
    if control is None:
        return Measured(own, None, None, len(set(words)), len(words), None)
    of_control = of_other_words(others, control.first, control.second)
    excess = subtract(control, of_control, values)
    tokens = np.arange(others.shape[2])
    matched = leave_one_token_out(control, of_control, tokens)
    # Without a token both change: the centre of the word's own vectors, and the pairs they are held against.
    left = [one - other for one, other in zip(replicates, matched, strict=True)] if replicates else [values - other for other in matched]
    return Measured(
        own,
        Adjusted(excess.values, left, excess.ranked, excess.ranked_replicates),
        control,
        len(set(words)),
        len(words),
        matched_values(control, of_control),
        _parts(control, of_control),
    )


def _parts(control: ControlPairs, values: np.ndarray) -> np.ndarray:
    """What each of C control pairs contributes to the mean of what is taken off: (C, measure, branch, layer) of values (..., C)."""
    weight = control.weight.mean(axis=0)
    return np.moveaxis(weight * (values - (values @ weight)[..., None]), -1, 0)


def judge(measured: Measured, pairs: Pairs, bands: DepthBands, settings: SimilaritySettings) -> Judged:
    """The verdicts that the similarities earn, and what they rest on."""
    profiles, excess, of_means = judge_means(measured, pairs, bands)
    structures, of_structures = judge_structures(measured.plain.values, pairs, settings)
    return Judged(profiles, excess, structures, of_means + of_structures)


def judge_means(measured: Measured, pairs: Pairs, bands: DepthBands) -> tuple[Profiles, Profiles | None, list[dict[str, Any]]]:
    """Layer means plain and minus different words, and the verdicts on them: of depth, and of centring."""
    profiles, excess = Profiles.of(measured.plain.values, pairs, measured.plain.replicates), None
    verdicts = falls(profiles, bands, "none")
    if measured.excess:
        excess = Profiles.of(measured.excess.values, pairs, measured.excess.replicates, measured.control_parts)
        verdicts += falls(excess, bands, "different_word")
    return profiles, excess, [*verdicts, removes(profiles)]


def judge_structures(values: np.ndarray, pairs: Pairs, settings: SimilaritySettings) -> tuple[dict[str, Agreement], list[dict[str, Any]]]:
    """How the branches' structures agree, as they are and without distance, and the verdicts on that; values (measure, branch, ...)."""
    structures = {
        control: agreement(values[:, 0], values[:, 1], pairs, distance=distance, relabellings=settings.permutations, seed=settings.seed)
        for control, distance in (("none", None), ("distance", pairs.distance))
    }
    return structures, [row for control, found in structures.items() for row in agrees(found, control)]


def _other_words(vectors: StudyInput) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...]]:
    """The text's other words, without what stands first in all that the model reads: every head attends there, and its vectors are huge.

    Sun, Chen, Kolter & Liu (2024): such activations are orders of magnitude above the rest, so one token would be most of the centre.
    """
    if vectors.control_activation is None or vectors.control_token_position is None or vectors.control_token_word is None:
        return None, None, ()
    kept = np.flatnonzero(vectors.control_token_position > 0)
    words = tuple(vectors.control_token_word[index] for index in kept)
    return vectors.control_activation[:, :, kept], vectors.control_token_position[kept], words


def _variables(
    pairs: Pairs, measured: Measured, profiles: Profiles, excess: Profiles | None, settings: SimilaritySettings
) -> dict[str, Variable]:
    values = measured.plain.values
    variables: dict[str, Variable] = {
        "first_occurrence": (("pair",), pairs.first, {"long_name": "index of the earlier occurrence"}),
        "second_occurrence": (("pair",), pairs.second, {"long_name": "index of the later occurrence"}),
        "token_distance": (("pair",), pairs.distance, {"long_name": "difference of the token positions", "units": "tokens"}),
        "similarity": (PAIR, values, {"long_name": "similarity of the two occurrences", "units": "1"}),
    }
    variables |= _with_ends("mean_similarity", profiles.interval(lambda mean: mean), "mean similarity over the pairs")
    variables |= _tau("", measured.plain, pairs, settings)
    if measured.excess is not None and excess is not None and measured.matched is not None:
        variables["matched_similarity"] = (PAIR, measured.matched, {"long_name": "mean over the pair's different-word pairs", "units": "1"})
        variables["mean_matched_similarity"] = (
            BRANCH_LAYER,
            measured.matched.mean(axis=-1),
            {"long_name": "its mean over the pairs", "units": "1"},
        )
        variables |= _with_ends("selectivity", excess.interval(lambda mean: mean), "same word minus different words, mean over the pairs")
        variables |= _tau("selectivity_", measured.excess, pairs, settings)
    return variables


def _with_ends(name: str, found: Interval, long_name: str) -> dict[str, Variable]:
    return {
        name: (BRANCH_LAYER, found.estimate, {"long_name": long_name, "units": "1"}),
        f"{name}_low": (BRANCH_LAYER, found.low, {"long_name": "lower end of its 95 % jackknife interval", "units": "1"}),
        f"{name}_high": (BRANCH_LAYER, found.high, {"long_name": "upper end of its 95 % jackknife interval", "units": "1"}),
    }


def _tau(prefix: str, adjusted: Adjusted, pairs: Pairs, settings: SimilaritySettings) -> dict[str, Variable]:
    tau = kendall_tau(pairs.distance, adjusted.ranked)
    test = mantel(
        pairs.first, pairs.second, pairs.distance, adjusted.ranked,
        permutations=settings.permutations, seed=settings.seed, alternative="two-sided",
    )  # fmt: skip
    return {
        f"{prefix}kendall_tau": (BRANCH_LAYER, tau, {"long_name": "Kendall's tau-b against token distance", "units": "1"}),
        f"{prefix}mantel_p": (BRANCH_LAYER, test.p, {"long_name": "two-sided permutation p of tau, occurrences relabelled"}),
    }


def _mean_taus(adjusted: Adjusted, pairs: Pairs, settings: SimilaritySettings) -> dict[str, dict[str, dict[str, float | None]]]:
    """Tau against token distance, mean over the layers of a branch, with its interval: measure -> branch -> estimate, low, high."""
    values = adjusted.ranked
    series = values.reshape(len(values), -1, values.shape[-1])
    varies = np.isfinite(series).all(axis=-1) & (np.ptp(np.nan_to_num(series), axis=-1) > 0)
    layers = values.shape[2]
    weights = np.stack([np.where(np.arange(series.shape[1]) // layers == branch, varies, False) for branch in range(len(BRANCHES))], axis=1)
    weights = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1)
    found = relabelled_tau(
        pairs.first, pairs.second, pairs.distance, series, weights, permutations=settings.permutations, seed=settings.seed
    )
    low, high = np.maximum(found.estimate - found.half_width, -1.0), np.minimum(found.estimate + found.half_width, 1.0)
    ends = {"estimate": found.estimate, "low": low, "high": high}
    return {
        measure: {
            branch: {name: number_or_none(float(values[index, column])) for name, values in ends.items()}
            for column, branch in enumerate(BRANCHES)
        }
        for index, measure in enumerate(MEASURES)
    }


def _share_removed(profiles: Profiles) -> dict[str, float | None]:
    """What share of the raw cosine, mean over the layers, is gone after centring; None where there is no raw similarity to remove."""
    raw, centred = profiles.mean[COSINE].mean(axis=-1), profiles.mean[CENTRED].mean(axis=-1)
    return {
        branch: number_or_none(float(1 - centred[index] / raw[index])) if raw[index] > 0 else None for index, branch in enumerate(BRANCHES)
    }


def _control_facts(measured: Measured) -> dict[str, Any] | None:
    if measured.control is None:
        return None
    return {
        "words": measured.control_words,
        "tokens": measured.control_tokens,
        "pairs": len(measured.control.first),
        "largest_distance_deviation": measured.control.largest_deviation,
    }
