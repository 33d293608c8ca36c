"""What is about position, once more: without the first occurrence, given where a pair begins, behind the neutral prefix."""

from collections.abc import Mapping

import numpy as np

from analyses.mi_distance.reference import Sample, Study, mean_of_finite, taus
from analyses.mi_distance.verification.statements import (
    LEVELS,
    Values,
    mean_taus_without,
    partial_tau,
    relabelled_mean_partial_tau,
    relabelled_sums,
    with_tokens,
)


def position_statistics(study: Study, kinds: Mapping[str, Values], behind: Mapping[str, Values]) -> dict[str, np.ndarray]:
    """All of them, by the kind ("" for plain values, "word_specific_" for the excess) that their names begin with.

    `kinds` are the values here, `behind` those behind the prefix.
    """
    found: dict[str, np.ndarray] = {}
    for kind, values in kinds.items():
        if study.testable:
            tau = mean_taus_without(study, values.ranked)
            found[f"{kind}kendall_tau_without_first"] = tau[0]
            found[f"{kind}mean_tau_without_occurrence"] = np.stack([mean_of_finite(each) for each in tau], axis=-1)
        found |= _given_position(study, kind, values)
    if behind:
        there = study.sample(study.vectors["prefix_token_position"].values)
        found["prefix_token_distance"] = there.distance
        for kind, values in behind.items():
            found[f"{kind}prefix_kendall_tau"] = taus(there.distance, values.ranked)
            if (there.distance == study.distance).all():
                found |= _change(study, kind, kinds[kind], values)
    return found


def _given_position(study: Study, kind: str, values: Values) -> dict[str, np.ndarray]:
    def earlier(position: np.ndarray) -> np.ndarray:
        return np.minimum(position[:, study.first], position[:, study.second])

    partial, mean, half = relabelled_mean_partial_tau(study, earlier, values.ranked)
    third = earlier(study.position[None])[0]
    replicates = [mean_of_finite(partial_tau(study.distance, third, each)) for each in values.ranked_without]
    return {f"{kind}partial_kendall_tau": partial} | _interval(f"{kind}partial_mean_tau", mean, half, replicates)


def _interval(name: str, estimate: np.ndarray, half: np.ndarray, replicates: list[np.ndarray]) -> dict[str, np.ndarray]:
    if replicates:
        half = with_tokens(half[None], replicates, LEVELS[:1])[0]
    return {name: estimate, f"{name}_low": estimate - half, f"{name}_high": estimate + half}


def _change(sample: Sample, kind: str, here: Values, there: Values) -> dict[str, np.ndarray]:
    """Mean tau behind the prefix minus mean tau here; both are relabelled together."""
    sides = (there, here)
    estimate = _difference(sample, there.ranked, here.ranked)
    half = np.full(len(estimate), np.nan)
    for row in range(len(estimate)):
        series = [side.ranked[row].reshape(-1, len(sample.first)) for side in sides]
        varies = [np.ptp(each, axis=-1) > 0 for each in series]
        if sample.testable and all(each.any() for each in varies):
            weights = np.concatenate([sign * each / each.sum() for sign, each in zip((1, -1), varies, strict=True)])
            half[row] = sample.half_width(relabelled_sums(np.concatenate(series), weights[None], sample), LEVELS[:1])[0, 0]
    replicates = [_difference(sample, one, other) for one, other in zip(there.ranked_without, here.ranked_without, strict=True)]
    return _interval(f"{kind}prefix_tau_change", estimate, half, replicates)


def _difference(sample: Sample, there: np.ndarray, here: np.ndarray) -> np.ndarray:
    return mean_of_finite(taus(sample.distance, there)) - mean_of_finite(taus(sample.distance, here))
