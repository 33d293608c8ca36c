"""One study from its settings to its results: vectors -> mutual information -> statistics -> verdicts."""

import importlib.metadata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from analyses.errors import InputError
from analyses.installation import DISTRIBUTION
from analyses.mi_distance.bands import Bands, bands_of
from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.controls import ControlPairs, draw_means, leave_one_token_out, match_control_pairs, matched_values
from analyses.mi_distance.hypotheses import Measured, judge, measure_with_intervals, number_or_none
from analyses.mi_distance.inputs import StudyInput, read_input
from analyses.mi_distance.layer_statistics import (
    BRANCH_LAYER,
    Variable,
    branch_intervals,
    comparison_statistics,
    correlation_statistics,
    over_occurrences,
)
from analyses.mi_distance.names import BRANCHES, ESTIMATORS
from analyses.mi_distance.pairs import Pairs, pairs_of
from analyses.mi_distance.robustness import robustness_variables
from analyses.mi_distance.settings import StudySettings
from analyses.mutual_information import pairwise_mutual_information
from analyses.progress import Progress
from analyses.protocol import Results
from analyses.statistics.correlation import kendall_tau
from analyses.statistics.resampling import jackknife

PAIR = ("estimator", "branch", "layer", "pair")
CONFIDENCE = 0.95


@dataclass
class _Control:
    """One control's part of the results: its variables, and the values of the study with the control taken off."""

    variables: dict[str, Variable] = field(default_factory=dict)
    adjusted: np.ndarray | None = None
    replicates: list[np.ndarray] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)


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
    layers = vectors.activation.shape[1]
    if settings.detail_layer > layers:
        raise InputError(
            f"detail_layer: expected a layer from 1 to {layers}, the number of layers of this model; got {settings.detail_layer}"
        )
    pairs = pairs_of(vectors.token_position)
    bands = bands_of(layers, settings.hypotheses)
    values = _all_estimators(vectors.activation, pairs.first, pairs.second, settings, progress, "mutual_information")
    different_word = _different_word(vectors, pairs, values, settings, progress)
    untrained = _untrained(vectors, pairs, values, settings, progress)

    variables = _pair_variables(pairs, values)
    variables |= correlation_statistics(values, pairs, permutations=settings.permutations, seed=settings.seed)
    variables |= comparison_statistics(
        values, pairs, variables["kendall_tau"][1], alpha=settings.alpha, permutations=settings.permutations, seed=settings.seed
    )
    variables |= different_word.variables | untrained.variables
    variables |= robustness_variables(vectors, values, pairs, bands, settings, progress, confidence=CONFIDENCE)
    plain = measure_with_intervals(values, pairs, bands, confidence=CONFIDENCE)
    verdicts = judge(plain, "none", settings.hypotheses)
    for name, control in (("different_word", different_word), ("untrained", untrained)):
        verdicts += _verdicts_without(name, control, pairs, bands, settings)

    dataset = vectors.to_dataset()[["activation", "token_position"]].assign(variables)
    dataset = dataset.assign_coords(branch=list(BRANCHES), estimator=list(ESTIMATORS), layer=np.arange(layers))
    study = {
        "settings": _portable_settings(settings),
        "provenance": dict(vectors.provenance) | {"versions": _versions()},
        "text": vectors.text,
        "layers": layers,
        "dimensions": vectors.activation.shape[3],
        "occurrences": pairs.occurrences,
        "pairs": len(pairs),
        "bands": {name: (getattr(bands, name) + 1).tolist() for name in ("early", "deep", "separated")},
        "controls": {"different_word": different_word.provenance or None, "untrained": untrained.provenance or None},
        "verdicts": verdicts,
        "conclusions": conclude(verdicts),
        "estimator_agreement": _estimator_agreement(plain),
    }
    # Vectors that are read again must not pass for those of another word.
    return Results(dataset, vectors.to_dataset().assign_attrs(word=settings.word), study)


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
        seed=settings.seed,
    )
    if control is None:
        return _Control()
    measured = _all_estimators(vectors.control_activation, control.first, control.second, settings, progress, "control")
    matched = matched_values(control, measured)
    replicates = [values - replicate for replicate in leave_one_token_out(control, measured)]
    variables = _control_variables(control, measured, pairs, settings) | _excess_variables(values - matched, replicates, pairs)
    variables["control_matched_mutual_information"] = (PAIR, matched, {"long_name": "mean over the pair's controls", "units": "nats"})
    provenance = {
        "words": len(set(vectors.control_token_word)),
        "tokens": len(vectors.control_token_position),
        "pairs": len(control.first),
        "draws": settings.controls.draws,
        "largest_distance_deviation": control.largest_deviation,
    }
    return _Control(variables, values - matched, replicates, provenance)


def _control_variables(control: ControlPairs, measured: np.ndarray, pairs: Pairs, settings: StudySettings) -> dict[str, Variable]:
    choice, means = draw_means(control, measured, draws=settings.controls.draws, seed=settings.seed)
    tau = np.stack([kendall_tau(pairs.distance, measured[..., indices]) for indices in choice], axis=-1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail), axis=-1)
    tau_low, tau_high = np.quantile(tau, (tail, 1 - tail), axis=-1)
    dims = ("estimator", "branch", "layer", "control_pair")
    return {
        "control_first": (("control_pair",), control.first, {"long_name": "index of the earlier control token"}),
        "control_second": (("control_pair",), control.second, {"long_name": "index of the later control token"}),
        "control_distance": (("control_pair",), control.distance, {"long_name": "difference of the token positions", "units": "tokens"}),
        "control_weight": (("pair", "control_pair"), control.weight, {"long_name": "share of each control pair in a pair's control mean"}),
        "control_mutual_information": (dims, measured, {"long_name": "mutual information of two different words", "units": "nats"}),
        "control_mean_mutual_information": (BRANCH_LAYER, means.mean(axis=-1), {"long_name": "mean over the draws", "units": "nats"}),
        "control_mean_mutual_information_low": (BRANCH_LAYER, low, {"long_name": "2.5 % point of the draws", "units": "nats"}),
        "control_mean_mutual_information_high": (BRANCH_LAYER, high, {"long_name": "97.5 % point of the draws", "units": "nats"}),
        "control_kendall_tau": (BRANCH_LAYER, tau.mean(axis=-1), {"long_name": "mean tau of the draws"}),
        "control_kendall_tau_low": (BRANCH_LAYER, tau_low, {"long_name": "2.5 % point of the draws' tau"}),
        "control_kendall_tau_high": (BRANCH_LAYER, tau_high, {"long_name": "97.5 % point of the draws' tau"}),
    }


def _excess_variables(excess: np.ndarray, replicates: list[np.ndarray], pairs: Pairs) -> dict[str, Variable]:
    """The word-specific excess with an interval that carries both errors: of the occurrences and of the control tokens."""

    def mean(values: np.ndarray, _distance: np.ndarray) -> np.ndarray:
        return values.mean(axis=-1)

    over_words = over_occurrences(mean, excess, pairs)
    over_tokens = jackknife(over_words.estimate, np.stack([replicate.mean(axis=-1) for replicate in replicates], axis=-1))
    with np.errstate(invalid="ignore"):
        widening = np.sqrt(over_words.standard_error**2 + over_tokens.standard_error**2) / over_words.standard_error
    low = over_words.estimate - widening * (over_words.estimate - over_words.low)
    high = over_words.estimate + widening * (over_words.high - over_words.estimate)
    return {
        "excess_mutual_information": (PAIR, excess, {"long_name": "same-word minus different-word mutual information", "units": "nats"}),
        "word_specific_excess": (BRANCH_LAYER, over_words.estimate, {"long_name": "its mean over the pairs", "units": "nats"}),
        "word_specific_excess_low": (BRANCH_LAYER, low, {"long_name": "lower end of its 95 % jackknife interval", "units": "nats"}),
        "word_specific_excess_high": (BRANCH_LAYER, high, {"long_name": "upper end of its 95 % jackknife interval", "units": "nats"}),
        "word_specific_kendall_tau": (BRANCH_LAYER, kendall_tau(pairs.distance, excess), {"long_name": "tau of the excess"}),
    }


def _untrained(vectors: StudyInput, pairs: Pairs, values: np.ndarray, settings: StudySettings, progress: Progress) -> _Control:
    if not settings.controls.untrained or vectors.untrained_activation is None:
        return _Control()
    measured = _all_estimators(vectors.untrained_activation, pairs.first, pairs.second, settings, progress, "untrained")
    low, high = branch_intervals(measured, pairs)
    variables: dict[str, Variable] = {
        "untrained_mutual_information": (PAIR, measured, {"long_name": "mutual information in the untrained model", "units": "nats"}),
        "untrained_mean_mutual_information": (BRANCH_LAYER, measured.mean(axis=-1), {"long_name": "its mean over pairs", "units": "nats"}),
        "untrained_mean_mutual_information_low": (BRANCH_LAYER, low, {"long_name": "lower end of its 95 % interval", "units": "nats"}),
        "untrained_mean_mutual_information_high": (BRANCH_LAYER, high, {"long_name": "upper end of its 95 % interval", "units": "nats"}),
        "untrained_kendall_tau": (BRANCH_LAYER, kendall_tau(pairs.distance, measured), {"long_name": "tau in the untrained model"}),
    }
    return _Control(variables, values - measured, [], {"seed": settings.seed})


def _verdicts_without(name: str, control: _Control, pairs: Pairs, bands: Bands, settings: StudySettings) -> list[dict[str, Any]]:
    """The verdicts once more with a control taken off; none where the study has no such control."""
    if control.adjusted is None:
        return []
    measured = measure_with_intervals(control.adjusted, pairs, bands, confidence=CONFIDENCE, control_replicates=control.replicates)
    return judge(measured, name, settings.hypotheses)


def _estimator_agreement(plain: Measured) -> dict[str, dict[str, float | None]]:
    """How the nearest-neighbour layer means follow those of each other estimator: slope, concordance, rank correlation."""
    names = ("shift_slope", "shift_concordance", "shift_rank_correlation")
    return {
        estimator: {name: number_or_none(float(plain.estimate[name][index])) for name in names}
        for index, estimator in enumerate(ESTIMATORS)
        if estimator != "nearest_neighbour"
    }


def _versions() -> dict[str, str]:
    """The versions of everything that the numbers depend on, as far as it is installed."""
    versions = {}
    for name in ("reportgen", "numpy", "scipy", "statsmodels", "torch", "transformers", "tokenizers"):
        try:
            versions[name] = importlib.metadata.version(DISTRIBUTION if name == "reportgen" else name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _portable_settings(settings: StudySettings) -> dict[str, Any]:
    """The settings without what only this machine knows: of a path its last part, and neither device nor network."""
    portable = settings.model_dump(mode="json")
    portable["model"] = {key: value for key, value in portable["model"].items() if key not in ("device", "offline")}
    if settings.model.source == "folder":
        portable["model"]["name"] = Path(str(settings.model.name)).name
    if settings.activations_file is not None:
        portable["activations_file"] = Path(settings.activations_file).name
    return portable
