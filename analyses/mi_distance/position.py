"""How much of an effect of distance is one of position: the start of the text is unlike the rest, and early pairs are often far apart.

Three looks at it: the pairs without the first occurrence; the same text behind a neutral prefix, where positions shift and distances
stay; and tau given the position of the earlier occurrence. Each is taken of plain mutual information and, where there are different-word
pairs, of the excess over them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analyses.mi_distance.hypotheses import Measured, judge
from analyses.mi_distance.layer_statistics import BRANCH_LAYER
from analyses.mi_distance.settings import StudySettings
from analyses.occurrences.controls import Adjusted, ControlPairs, plain, subtract
from analyses.occurrences.pairs import Pairs, pairs_of
from analyses.occurrences.vectors import StudyInput
from analyses.progress import Advance, Progress
from analyses.records import Variable
from analyses.statistics.correlation import kendall_tau, kendall_tau_without, partial_kendall_tau
from analyses.statistics.relabelling import UNTESTABLE_OCCURRENCES, relabellings
from analyses.statistics.resampling import jackknife, leave_one_out, relabelled_partial_tau, relabelled_tau

# Mutual information (estimator, branch, layer, pair) of vectors (branch, layer, vector, dimension): vectors, first, second, stage.
Estimate = Callable[[np.ndarray, np.ndarray, np.ndarray, str], np.ndarray]
# Every measure of values at pairs, with intervals; the last is called with the relabellings finished since its last call.
Measure = Callable[[Adjusted, Pairs, Advance], Measured]

PAIR = ("estimator", "branch", "layer", "pair")
# The statements on distance: nothing else is about what the pairs left out or the prefix change.
STATEMENTS = ("negative_tau", "tau_separation")
PLAIN, EXCESS = "", "word_specific_"


@dataclass
class Position:
    """The part of the results that is about position; `provenance` is empty where the text was not read behind a prefix."""

    variables: dict[str, Variable] = field(default_factory=dict)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)


def position_of(
    vectors: StudyInput,
    pairs: Pairs,
    values: np.ndarray,
    excess: Adjusted | None,
    control: ControlPairs | None,
    settings: StudySettings,
    *,
    progress: Progress,
    estimate: Estimate,
    measure: Measure,
) -> Position:
    """Everything about position.

    Parameters
    ----------
    values : (estimator, branch, layer, pair) of the study, nats
    excess : the same minus different-word pairs; None without that control
    control : its different-word pairs: behind the prefix the same ones are taken, with the same weights
    estimate, measure : as the study estimates and measures
    """
    found = Position()
    studied = {PLAIN: plain(values)} if excess is None else {PLAIN: plain(values), EXCESS: excess}
    every = relabellings(pairs.occurrences, settings.permutations)
    without_one = relabellings(pairs.occurrences - 1, settings.permutations) if pairs.occurrences > UNTESTABLE_OCCURRENCES else 0
    # Given the position two taus are relabelled.
    with progress.stage("position", len(studied) * (without_one + 2 * every)) as advance:
        for kind, some in studied.items():
            _without_first(found, kind, some, vectors.token_position, pairs, settings, measure, advance)
            _given_position(found, kind, some, vectors.token_position, pairs, settings, advance)
    if settings.controls.prefix and vectors.prefix_activation is not None:
        _behind_prefix(found, studied, vectors, pairs, control, settings, progress, estimate, measure)
    return found


def control_name(kind: str, look: str) -> str:
    """What the verdicts of a look are filed under: "prefix" for plain mutual information, "prefix_different_word" for the excess."""
    return look if kind == PLAIN else f"{look}_different_word"


def _judge(found: Position, kind: str, look: str, measured: Measured, settings: StudySettings) -> None:
    rows = judge(measured, control_name(kind, look), settings.hypotheses)
    found.verdicts += [row for row in rows if row["name"] in STATEMENTS]


def _without_first(
    found: Position,
    kind: str,
    some: Adjusted,
    position: np.ndarray,
    pairs: Pairs,
    settings: StudySettings,
    measure: Measure,
    advance: Advance,
) -> None:
    # Two pairs at the least are needed for a tau.
    if pairs.occurrences <= UNTESTABLE_OCCURRENCES:
        return
    kept = leave_one_out(pairs.first, pairs.second, pairs.occurrences)
    tau = kendall_tau_without(pairs.distance, some.ranked, kept)
    found.variables |= {
        f"{kind}kendall_tau_without_first": (BRANCH_LAYER, tau[..., 0], {"long_name": "tau of the pairs without the first occurrence"}),
        f"{kind}mean_tau_without_occurrence": (
            ("estimator", "occurrence"),
            np.stack([_mean_over_layers(each) for each in np.moveaxis(tau, -1, 0)], axis=-1),
            {"long_name": "mean tau over branches and layers of the pairs without each occurrence"},
        ),
    }
    first_gone = Adjusted(
        some.values[..., kept[0]],
        [each[..., kept[0]] for each in some.replicates],
        some.ranked[..., kept[0]],
        [each[..., kept[0]] for each in some.ranked_replicates],
    )
    _judge(found, kind, "without_first", measure(first_gone, pairs_of(position[1:]), advance), settings)


def _mean_over_layers(tau: np.ndarray) -> np.ndarray:
    """(estimator, branch, layer) -> (estimator,); layers whose values are all equal have no tau."""
    flat = tau.reshape(len(tau), -1)
    finite = np.isfinite(flat)
    with np.errstate(invalid="ignore"):
        return np.where(finite.any(axis=-1), np.where(finite, flat, 0).sum(axis=-1) / finite.sum(axis=-1), np.nan)


def _given_position(
    found: Position, kind: str, some: Adjusted, position: np.ndarray, pairs: Pairs, settings: StudySettings, advance: Advance
) -> None:
    earlier = position[pairs.first]
    mean = relabelled_partial_tau(
        pairs.first,
        pairs.second,
        pairs.distance,
        earlier,
        some.ranked.reshape(len(some.ranked), -1, len(pairs)),
        permutations=settings.permutations,
        seed=settings.seed,
        advance=advance,
    )
    replicates = [_mean_over_layers(partial_kendall_tau(pairs.distance, earlier, each)) for each in some.ranked_replicates]
    found.variables[f"{kind}partial_kendall_tau"] = (
        BRANCH_LAYER,
        partial_kendall_tau(pairs.distance, earlier, some.ranked),
        {"long_name": "partial tau of mutual information and distance given the earlier occurrence's position (Kendall 1942)"},
    )
    description = "mean partial tau over branches and layers"
    found.variables |= _interval(f"{kind}partial_mean_tau", mean.estimate, mean.half_width, replicates, description)


def _interval(name: str, estimate: np.ndarray, half: np.ndarray, replicates: list[np.ndarray], description: str) -> dict[str, Variable]:
    """Three variables (estimator,); `replicates` are the estimate without each control token, whose error is added as for the measures."""
    if replicates:
        own = jackknife(estimate, np.stack(replicates, axis=-1))
        half = np.hypot(half, own.high - own.estimate)
    return {
        name: (("estimator",), estimate, {"long_name": description}),
        f"{name}_low": (("estimator",), estimate - half, {"long_name": "lower end of its 95 % interval, occurrences relabelled"}),
        f"{name}_high": (("estimator",), estimate + half, {"long_name": "upper end of its 95 % interval, occurrences relabelled"}),
    }


def _behind_prefix(
    found: Position,
    studied: dict[str, Adjusted],
    vectors: StudyInput,
    pairs: Pairs,
    control: ControlPairs | None,
    settings: StudySettings,
    progress: Progress,
    estimate: Estimate,
    measure: Measure,
) -> None:
    assert vectors.prefix_activation is not None
    assert vectors.prefix_token_position is not None
    there = pairs_of(vectors.prefix_token_position)
    measured = estimate(vectors.prefix_activation, pairs.first, pairs.second, "prefix")
    behind = {PLAIN: plain(measured)}
    found.variables |= {
        "prefix_token_distance": (("pair",), there.distance, {"long_name": "token distance behind the neutral prefix", "units": "tokens"}),
        "prefix_mutual_information": (PAIR, measured, {"long_name": "mutual information behind the neutral prefix", "units": "nats"}),
    }
    if EXCESS in studied and control is not None and vectors.prefix_control_activation is not None:
        different = estimate(vectors.prefix_control_activation, control.first, control.second, "prefix")
        behind[EXCESS] = excess = subtract(control, different, measured)
        of_control = ("estimator", "branch", "layer", "control_pair")
        ranked = "same-word minus the median of different-word pairs there, for ranks"
        found.variables |= {
            "prefix_control_mutual_information": (of_control, different, {"long_name": "of two different words there", "units": "nats"}),
            "prefix_excess_mutual_information": (
                PAIR,
                excess.values,
                {"long_name": "same-word minus different-word pairs' mean there", "units": "nats"},
            ),
            "prefix_ranked_excess_mutual_information": (PAIR, excess.ranked, {"long_name": ranked, "units": "nats"}),
        }
    distances_kept = bool((there.distance == pairs.distance).all())
    every = relabellings(pairs.occurrences, settings.permutations)
    with progress.stage("position", len(behind) * (1 + distances_kept) * every) as advance:
        for kind, some in behind.items():
            tau = kendall_tau(there.distance, some.ranked)
            found.variables[f"{kind}prefix_kendall_tau"] = (BRANCH_LAYER, tau, {"long_name": "tau behind the neutral prefix"})
            if distances_kept:
                found.variables |= _change(kind, studied[kind], some, pairs, settings, advance)
            _judge(found, kind, "prefix", measure(some, there, advance), settings)
    found.provenance = {
        **vectors.provenance.get("control_prefix", {}),
        "shift": int(vectors.prefix_token_position[0] - vectors.token_position[0]),
        "distances_kept": distances_kept,
    }


def _change(kind: str, here: Adjusted, behind: Adjusted, pairs: Pairs, settings: StudySettings, advance: Advance) -> dict[str, Variable]:
    """Mean tau behind the prefix minus mean tau without it; both sides are relabelled together, so that what they share stays shared."""
    both = np.concatenate([some.ranked.reshape(len(some.ranked), -1, len(pairs)) for some in (behind, here)], axis=1)
    series = both.shape[1] // 2
    varies = np.ptp(both, axis=-1) > 0
    weights = []
    for sign, side in ((1.0, varies[:, :series]), (-1.0, varies[:, series:])):
        with np.errstate(invalid="ignore", divide="ignore"):
            weights.append(np.where(side, sign / side.sum(axis=-1, keepdims=True), 0.0))
    change = relabelled_tau(
        pairs.first,
        pairs.second,
        pairs.distance,
        both,
        np.concatenate(weights, axis=1)[:, None],
        permutations=settings.permutations,
        seed=settings.seed,
        advance=advance,
    )
    replicates = [
        _mean_over_layers(kendall_tau(pairs.distance, there)) - _mean_over_layers(kendall_tau(pairs.distance, without))
        for there, without in zip(behind.ranked_replicates, here.ranked_replicates, strict=True)
    ]
    description = "mean tau behind the neutral prefix minus mean tau without it"
    return _interval(f"{kind}prefix_tau_change", change.estimate[:, 0], change.half_width[:, 0], replicates, description)
