"""One study from its settings to its results: vectors -> mutual information -> statistics -> verdicts."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.stats

from analyses.errors import InputError
from analyses.mi_distance.bands import Bands, bands_of
from analyses.mi_distance.conclusions import conclude, primary_control
from analyses.mi_distance.hypotheses import Measured, judge, measure_with_intervals
from analyses.mi_distance.layer_statistics import (
    BRANCH_LAYER,
    branch_intervals,
    layer_statistics,
    over_occurrences,
)
from analyses.mi_distance.linear_share import linear_variables
from analyses.mi_distance.measures import least_squares_shift
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.position import position_of
from analyses.mi_distance.robustness import control_vectors, robustness_variables
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.specification_curve import Control, own_estimates, under_choices
from analyses.mutual_information import pairwise_mutual_information, share_of_ties
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.capture import read_input, untrained_seeds
from analyses.occurrences.controls import (
    Adjusted,
    ControlPairs,
    leave_one_token_out,
    match_control_pairs,
    matched_values,
    plain,
    subtract,
    tokens_of,
)
from analyses.occurrences.layer_numbers import LayerNumbers
from analyses.occurrences.pairs import Pairs, pairs_of
from analyses.occurrences.vectors import StudyInput
from analyses.progress import Advance, Progress
from analyses.protocol import Results
from analyses.records import Variable, portable_settings
from analyses.statistics.correlation import kendall_tau
from analyses.statistics.relabelling import relabellings
from analyses.statistics.resampling import Jackknife, jackknife
from analyses.statistics.verdicts import number_or_none

PAIR = ("estimator", "branch", "layer", "pair")
CONFIDENCE = 0.95
_COMPUTED_BY = ("numpy", "scipy", "statsmodels")


@dataclass
class _Control:
    """One control's part of the results: its variables, and the values of the study with the control subtracted.

    `pairs` are the control's own, measured as `measured` (estimator, branch, layer, control pair).
    """

    variables: dict[str, Variable] = field(default_factory=dict)
    adjusted: Adjusted | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    pairs: ControlPairs | None = None
    measured: np.ndarray | None = None


def run(settings: StudySettings, progress: Progress) -> Results:
    """Compute the whole study.

    Raises
    ------
    InputError
        The settings do not fit the text, the model or the activations.
    MissingError
        The model is not to be had on this machine.
    """
    return analyse(read_input(settings, progress), settings, progress)


def analyse(vectors: StudyInput, settings: StudySettings, progress: Progress) -> Results:
    """Everything after the capture: no model is needed any more."""
    layers, dimensions = vectors.activation.shape[1], vectors.activation.shape[3]
    if dimensions <= (most := settings.estimation.neighbours):
        # One of the two estimators that every verdict rests on would have no value at all.
        raise InputError(f"estimation.neighbours: {most} neighbours take vectors of more than {most} dimensions; these have {dimensions}")
    numbers = LayerNumbers.of(vectors.provenance, layers)
    detail_layer = numbers.detail(settings.detail_layer)
    pairs = pairs_of(vectors.token_position)
    bands = bands_of(numbers, settings.hypotheses)
    known, values = _estimates(vectors.activation, pairs, settings, progress)
    different_word = _different_word(vectors, pairs, values, settings, progress)
    repeated_words = _repeated_words(vectors, pairs, values, bands, different_word, settings, progress)
    centred = _centred(vectors, pairs, settings, progress)
    untrained = _untrained(vectors, pairs, settings, progress)

    variables = _pair_variables(pairs, values)
    ties = share_of_ties(vectors.activation).mean(axis=-1)
    variables["share_of_ties"] = (("branch", "layer"), ties, {"long_name": "values that another dimension of the same vector equals"})
    every = relabellings(pairs.occurrences, settings.permutations)
    with progress.stage("layers", every) as advance:
        variables |= layer_statistics(
            values, pairs, alpha=settings.alpha, permutations=settings.permutations, seed=settings.seed, advance=advance
        )
    variables |= different_word.variables | repeated_words.variables | centred.variables | untrained.variables
    variables |= linear_variables(vectors.activation, values, pairs, bands, settings)
    variables |= robustness_variables(
        vectors, values, pairs, bands, _for_robustness(vectors, different_word), known, settings, progress, confidence=CONFIDENCE
    )

    def measured(adjusted: Adjusted, at: Pairs, advance: Advance, *, estimators: bool = False) -> Measured:
        return measure_with_intervals(
            adjusted,
            at,
            bands,
            confidence=CONFIDENCE,
            seed=settings.seed,
            permutations=settings.permutations,
            estimators=estimators,
            advance=advance,
        )

    controls = {"different_word": different_word, "repeated_words": repeated_words, "centred": centred}
    adjusted = {name: control.adjusted for name, control in controls.items() if control.adjusted is not None}
    with progress.stage("statements", (1 + len(adjusted)) * every) as advance:
        of_plain = measured(plain(values), pairs, advance, estimators=True)
        verdicts = judge(of_plain, "none", settings.hypotheses)
        for name, of_control in adjusted.items():
            verdicts += judge(measured(of_control, pairs, advance), name, settings.hypotheses)
    position = position_of(
        vectors,
        pairs,
        values,
        different_word.adjusted,
        different_word.pairs,
        settings,
        progress=progress,
        estimate=lambda activation, first, second, stage: _all_estimators(activation, first, second, settings, progress, stage),
        measure=measured,
    )
    variables |= position.variables
    verdicts += position.verdicts

    dataset = vectors.to_dataset()[["activation", "token_position"]].assign(variables)
    dataset = dataset.assign_coords(branch=list(BRANCHES), estimator=list(ESTIMATORS), layer=np.array(numbers.numbers) - 1)
    study = {
        "settings": portable_settings(settings),
        "provenance": dict(vectors.provenance) | {"versions": vectors.versions(*_COMPUTED_BY)},
        "text": vectors.text,
        "layers": layers,
        "layer_numbers": list(numbers.numbers),
        "layers_of_model": numbers.of_model,
        "detail_layer": detail_layer,
        "dimensions": vectors.activation.shape[3],
        "occurrences": pairs.occurrences,
        "pairs": len(pairs),
        "bands": {name: [numbers.numbers[layer] for layer in getattr(bands, name)] for name in ("early", "deep", "separated")},
        "controls": {
            "different_word": different_word.provenance or None,
            "repeated_words": repeated_words.provenance or None,
            "centred": centred.provenance or None,
            "untrained": untrained.provenance or None,
            "prefix": position.provenance or None,
        },
        "primary_control": primary_control(verdicts),
        "verdicts": verdicts,
        "conclusions": conclude(verdicts),
        "estimator_agreement": _estimator_agreement(of_plain, values),
    }
    # Vectors that are read again must not pass for those of another word.
    return Results(dataset, vectors.to_dataset().assign_attrs(word=settings.word), study)


def _estimates(activation: np.ndarray, pairs: Pairs, settings: StudySettings, progress: Progress) -> tuple[np.ndarray | None, np.ndarray]:
    """The study's own mutual information (estimator, branch, layer, pair), and before it what the specification curve needs of it.

    The curve varies bins and neighbours, and what all of its choices share is the most of the work: it is done once for both.
    """
    stage = "mutual_information"
    if not settings.robustness.enabled:
        return None, _all_estimators(activation, pairs.first, pairs.second, settings, progress, stage)
    branches, layers = activation.shape[:2]
    with progress.stage(stage, branches * layers * len(pairs)) as advance:
        known = under_choices(activation, pairs.first, pairs.second, settings, settings.estimation.trim, advance)
    return known, own_estimates(known, settings)


def _all_estimators(
    activation: np.ndarray, first: np.ndarray, second: np.ndarray, settings: StudySettings, progress: Progress, stage: str
) -> np.ndarray:
    """Mutual information (estimator, branch, layer, pair) of vectors (branch, layer, vector, dimension)."""
    branches, layers = activation.shape[:2]
    with progress.stage(stage, branches * layers * len(first)) as advance:
        by_name = pairwise_mutual_information(
            activation.astype(np.float64),
            first,
            second,
            estimators=ESTIMATORS,
            bins=settings.estimation.bins,
            trim=settings.estimation.trim,
            neighbours=settings.estimation.neighbours,
            advance=advance,
        )
    return np.stack([by_name[name] for name in ESTIMATORS])


def _pair_variables(pairs: Pairs, values: np.ndarray) -> dict[str, Variable]:
    low, high = branch_intervals(values, pairs)
    return {
        "first_occurrence": (("pair",), pairs.first, {"long_name": "index of the earlier occurrence"}),
        "second_occurrence": (("pair",), pairs.second, {"long_name": "index of the later occurrence"}),
        "token_distance": (("pair",), pairs.distance, {"long_name": "difference of the token positions", "units": "tokens"}),
        "mutual_information": (PAIR, values, {"long_name": "mutual information of the two occurrences", "units": "nats"}),
        "mean_mutual_information": (BRANCH_LAYER, values.mean(axis=-1), {"long_name": "its mean over the pairs", "units": "nats"}),
        "mean_mutual_information_low": (BRANCH_LAYER, low, {"long_name": "lower end of the mean's 95 % interval", "units": "nats"}),
        "mean_mutual_information_high": (BRANCH_LAYER, high, {"long_name": "upper end of the mean's 95 % interval", "units": "nats"}),
    }


def _different_word(vectors: StudyInput, pairs: Pairs, values: np.ndarray, settings: StudySettings, progress: Progress) -> _Control:
    if not settings.controls.different_word or vectors.control_activation is None:
        return _Control()
    assert vectors.control_token_position is not None
    assert vectors.control_token_word is not None
    control = match_control_pairs(
        pairs,
        vectors.control_token_position,
        vectors.control_token_word,
        pairs_per_distance=settings.controls.pairs_per_distance,
    )
    if control is None:
        return _Control()
    measured = _all_estimators(vectors.control_activation, control.first, control.second, settings, progress, "control")
    adjusted = subtract(control, measured, values)
    variables = _control_variables(control, measured, values, adjusted, pairs) | _excess_variables(adjusted, pairs)
    provenance = {
        "words": len(set(vectors.control_token_word)),
        "tokens": len(vectors.control_token_position),
        "pairs": len(control.first),
        "largest_distance_deviation": control.largest_deviation,
    }
    return _Control(variables, adjusted, provenance, control, measured)


def _for_robustness(vectors: StudyInput, different_word: _Control) -> Control | None:
    if different_word.pairs is None or different_word.measured is None or vectors.control_activation is None:
        return None
    return Control(control_vectors(vectors), different_word.pairs, different_word.measured)


def _control_variables(
    control: ControlPairs, measured: np.ndarray, values: np.ndarray, adjusted: Adjusted, pairs: Pairs
) -> dict[str, Variable]:
    """The different-word pairs; the interval of their mean leaves out one token after the other."""
    matched = matched_values(control, measured)
    mean = jackknife(matched.mean(axis=-1), np.stack([(values - each).mean(axis=-1) for each in adjusted.replicates], axis=-1))
    dims = ("estimator", "branch", "layer", "control_pair")
    name = "control_mean_mutual_information"
    return {
        "control_first": (("control_pair",), control.first, {"long_name": "index of the earlier control token"}),
        "control_second": (("control_pair",), control.second, {"long_name": "index of the later control token"}),
        "control_distance": (("control_pair",), control.distance, {"long_name": "difference of the token positions", "units": "tokens"}),
        "control_weight": (("pair", "control_pair"), control.weight, {"long_name": "share of each control pair in a pair's control mean"}),
        "control_mutual_information": (dims, measured, {"long_name": "mutual information of two different words", "units": "nats"}),
        "control_matched_mutual_information": (PAIR, matched, {"long_name": "mean over the pair's controls", "units": "nats"}),
        name: (BRANCH_LAYER, mean.estimate, {"long_name": "its mean over the pairs", "units": "nats"}),
        f"{name}_low": (BRANCH_LAYER, mean.low, {"long_name": "lower end of its 95 % interval, tokens left out", "units": "nats"}),
        f"{name}_high": (BRANCH_LAYER, mean.high, {"long_name": "upper end of its 95 % interval, tokens left out", "units": "nats"}),
        "control_kendall_tau": (BRANCH_LAYER, kendall_tau(pairs.distance, matched), {"long_name": "tau of the pairs' control means"}),
    }


def _mean_over_pairs(values: np.ndarray, _distance: np.ndarray) -> np.ndarray:
    return values.mean(axis=-1)


def _with_control_error(values: np.ndarray, replicates: list[np.ndarray], pairs: Pairs) -> tuple[Jackknife, np.ndarray, np.ndarray]:
    """The mean over pairs with an interval that carries both errors: of the occurrences and of the control tokens."""
    over_words = over_occurrences(_mean_over_pairs, values, pairs)
    over_tokens = jackknife(over_words.estimate, np.stack([replicate.mean(axis=-1) for replicate in replicates], axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        widening = np.sqrt(over_words.standard_error**2 + over_tokens.standard_error**2) / over_words.standard_error
    low = over_words.estimate - widening * (over_words.estimate - over_words.low)
    high = over_words.estimate + widening * (over_words.high - over_words.estimate)
    # Values that no occurrence changes have the error of the control's tokens alone.
    alone = over_words.standard_error == 0
    half = scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, over_words.degrees_of_freedom) * over_tokens.standard_error
    low, high = (np.where(alone, over_words.estimate + sign * half, end) for sign, end in ((-1, low), (1, high)))
    return over_words, low, high


def _excess_variables(excess: Adjusted, pairs: Pairs) -> dict[str, Variable]:
    mean, low, high = _with_control_error(excess.values, excess.replicates, pairs)
    ranked = "same-word mutual information minus the median of different-word pairs, for ranks"
    return {
        "excess_mutual_information": (PAIR, excess.values, {"long_name": "same-word minus different-word pairs' mean", "units": "nats"}),
        "ranked_excess_mutual_information": (PAIR, excess.ranked, {"long_name": ranked, "units": "nats"}),
        "word_specific_excess": (BRANCH_LAYER, mean.estimate, {"long_name": "mean excess over the pairs", "units": "nats"}),
        "word_specific_excess_low": (BRANCH_LAYER, low, {"long_name": "lower end of its 95 % jackknife interval", "units": "nats"}),
        "word_specific_excess_high": (BRANCH_LAYER, high, {"long_name": "upper end of its 95 % jackknife interval", "units": "nats"}),
        "word_specific_kendall_tau": (BRANCH_LAYER, kendall_tau(pairs.distance, excess.ranked), {"long_name": "tau of the excess"}),
    }


def _repeated_words(
    vectors: StudyInput,
    pairs: Pairs,
    values: np.ndarray,
    bands: Bands,
    different_word: _Control,
    settings: StudySettings,
    progress: Progress,
) -> _Control:
    """The text's other repeated words: is it this word, or any token that comes again?"""
    if different_word.pairs is None or different_word.measured is None:
        return _Control()
    assert vectors.control_activation is not None
    assert vectors.control_token_position is not None
    assert vectors.control_token_word is not None
    control = match_control_pairs(
        pairs,
        vectors.control_token_position,
        vectors.control_token_word,
        pairs_per_distance=settings.controls.pairs_per_distance,
        same_word=True,
    )
    if control is None:
        return _Control()
    measured = _all_estimators(vectors.control_activation, control.first, control.second, settings, progress, "repeated_words")
    matched = matched_values(control, measured)
    tokens = tokens_of(control, different_word.pairs)
    without = leave_one_token_out(control, measured, tokens)
    different = leave_one_token_out(different_word.pairs, different_word.measured, tokens)
    excess = jackknife(
        (matched - matched_values(different_word.pairs, different_word.measured)).mean(axis=-1),
        np.stack([(one - other).mean(axis=-1) for one, other in zip(without, different, strict=True)], axis=-1),
    )
    adjusted = subtract(control, measured, values)
    beyond, low, high = _with_control_error(adjusted.values, adjusted.replicates, pairs)
    words = sorted({vectors.control_token_word[index] for index in tokens_of(control)})
    name = "repeated_words_excess"
    difference = "word_minus_repeated_words"
    return _Control(
        {
            "repeated_matched_mutual_information": (
                PAIR,
                matched,
                {"long_name": "mean over other repeated words", "units": "nats"},
            ),
            name: (BRANCH_LAYER, excess.estimate, {"long_name": "other repeated words minus different words", "units": "nats"}),
            f"{name}_low": (BRANCH_LAYER, excess.low, {"long_name": "lower end of its 95 % jackknife interval", "units": "nats"}),
            f"{name}_high": (BRANCH_LAYER, excess.high, {"long_name": "upper end of its 95 % jackknife interval", "units": "nats"}),
            difference: (BRANCH_LAYER, beyond.estimate, {"long_name": "the word minus other repeated words", "units": "nats"}),
            f"{difference}_low": (BRANCH_LAYER, low, {"long_name": "lower end of its 95 % jackknife interval", "units": "nats"}),
            f"{difference}_high": (BRANCH_LAYER, high, {"long_name": "upper end of its 95 % jackknife interval", "units": "nats"}),
        },
        adjusted,
        {
            "words": words,
            "pairs": len(control.first),
            "largest_distance_deviation": control.largest_deviation,
            "word_minus_repeated_deep": _deep_difference(adjusted, pairs, bands),
        },
        control,
        measured,
    )


def _deep_difference(adjusted: Adjusted, pairs: Pairs, bands: Bands) -> dict[str, dict[str, dict[str, float | None]]]:
    """The mean over the deep layers with its interval: estimator -> branch -> estimate, low, high."""
    if not len(bands.deep):
        return {}
    of_deep = [values[:, :, bands.deep].mean(axis=2) for values in (adjusted.values, *adjusted.replicates)]
    mean, low, high = _with_control_error(of_deep[0], of_deep[1:], pairs)
    return {
        estimator: {
            branch: {
                name: number_or_none(float(ends[index, column]))
                for name, ends in (("estimate", mean.estimate), ("low", low), ("high", high))
            }
            for column, branch in enumerate(BRANCHES)
        }
        for index, estimator in enumerate(ESTIMATORS)
    }


def centred_on_other_words(activation: np.ndarray, control_activation: np.ndarray) -> np.ndarray:
    """Vectors (branch, layer, vector, dimension) minus the mean vector of the text's other words, branch by branch and layer by layer.

    Most of what makes any two vectors of a layer alike is a common offset: Ethayarajh 2019; Timkey & van Schijndel 2021.
    """
    return activation.astype(np.float64) - control_activation.astype(np.float64).mean(axis=2, keepdims=True)


def _centred(vectors: StudyInput, pairs: Pairs, settings: StudySettings, progress: Progress) -> _Control:
    if not settings.controls.different_word or vectors.control_activation is None:
        return _Control()
    activation = centred_on_other_words(vectors.activation, vectors.control_activation)
    measured = _all_estimators(activation, pairs.first, pairs.second, settings, progress, "centred")
    variables: dict[str, Variable] = {
        "centred_mutual_information": (PAIR, measured, {"long_name": "mutual information of centred vectors", "units": "nats"}),
        "centred_mean_mutual_information": (BRANCH_LAYER, measured.mean(axis=-1), {"long_name": "its mean over pairs", "units": "nats"}),
    }
    return _Control(variables, plain(measured), {"tokens": vectors.control_activation.shape[2]})


def _untrained(vectors: StudyInput, pairs: Pairs, settings: StudySettings, progress: Progress) -> _Control:
    """The same measures in the untrained model, for each draw of its weights; nothing is subtracted, for MI of two networks does not."""
    if not settings.controls.untrained or vectors.untrained_activation is None:
        return _Control()
    draws = [
        _all_estimators(activation, pairs.first, pairs.second, settings, progress, "untrained")
        for activation in vectors.untrained_activation
    ]
    measured = np.stack(draws)
    variables: dict[str, Variable] = {
        "untrained_mutual_information": (
            ("untrained_seed", *PAIR),
            measured,
            {"long_name": "mutual information in the untrained model", "units": "nats"},
        ),
    }
    for name, values, unit in (
        ("untrained_mean_mutual_information", measured.mean(axis=-1), "nats"),
        ("untrained_kendall_tau", kendall_tau(pairs.distance, measured), "1"),
    ):
        variables |= {
            name: (BRANCH_LAYER, values.mean(axis=0), {"long_name": "its mean over the draws of random weights", "units": unit}),
            f"{name}_low": (BRANCH_LAYER, values.min(axis=0), {"long_name": "its lowest value over the draws", "units": unit}),
            f"{name}_high": (BRANCH_LAYER, values.max(axis=0), {"long_name": "its highest value over the draws", "units": unit}),
        }
    return _Control(variables, provenance={"seeds": untrained_seeds(settings)[: len(measured)]})


def _estimator_agreement(of_plain: Measured, values: np.ndarray) -> dict[str, dict[str, float | None]]:
    """How the nearest-neighbour layer means follow those of each other estimator, and what a single layer makes of the slope."""
    names = ("shift_slope", "shift_concordance", "shift_rank_correlation")
    agreement: dict[str, dict[str, float | None]] = {}
    for index, estimator in enumerate(ESTIMATORS):
        if estimator != "nearest_neighbour":
            agreement[estimator] = {name: number_or_none(float(of_plain.estimate[name][index])) for name in names}
            agreement[estimator] |= least_squares_shift(values, index)
    return agreement
