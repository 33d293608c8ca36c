"""Controls once more: which pairs of other words match, what the word's other repeated words make of it, the model without training."""

from dataclasses import dataclass

import numpy as np
import scipy.stats

from analyses.mi_distance.reference import Sample, Study, agreeing, control_values, controls_of, jackknife, jackknife_error
from analyses.mi_distance.verification.statements import Values

# A distance with fewer pairs of other words borrows from its neighbours.
_FEWEST = 4


@dataclass(frozen=True)
class Match:
    """Pairs of other words: their ends among the tokens, their distances, and which of them each pair of occurrences has (N, C)."""

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    used: np.ndarray

    @property
    def tokens(self) -> np.ndarray:
        return np.unique([self.first, self.second])

    def values(self, control: np.ndarray, values: np.ndarray, tokens: np.ndarray) -> Values:
        """`values` (..., N) minus the control's (..., C): its mean for means, its median for ranks."""
        kept = [controls_of(self.used, self.first, self.second, token) for token in tokens]
        means = [values - control_values(control, each, np.mean) for each in kept]
        medians = [values - control_values(control, each, np.median) for each in kept]
        mean, median = (values - control_values(control, self.used, statistic) for statistic in (np.mean, np.median))
        return Values(mean, median, means, medians)

    def thinned(self, most: int | None) -> "Match":
        """With at most so many for each pair of occurrences, evenly over the text; None for 1,000 in all, and at least 8 each."""
        if most is None:
            counts = np.unique(self.used, axis=0).sum(axis=1)
            most = 8
            while most < counts.max() and np.minimum(counts, most + 1).sum() <= 1000:
                most += 1
        used = np.zeros_like(self.used)
        for row, wanted in zip(used, self.used, strict=True):
            row[_evenly(np.flatnonzero(wanted), most)] = True
        keep = used.any(axis=0)
        return Match(self.first[keep], self.second[keep], self.distance[keep], used[:, keep])


def matched(study: Study, *, same_word: bool = False) -> Match | None:
    """The pairs of other words (of one and the same other word) at the distances of the word's pairs; None for too few."""
    position = study.vectors["control_token_position"].values.astype(int).tolist()
    words = [str(word) for word in study.vectors["control_token_word"].values]
    every = [(i, j) for i in range(len(words)) for j in range(i + 1, len(words)) if (words[i] == words[j]) == same_word]
    if len(every) < _FEWEST:
        return None
    most = study.settings["controls"]["pairs_per_distance"]
    apart = np.array([position[j] - position[i] for i, j in every])
    chosen = {}
    for distance in set(study.distance.tolist()):
        window = next(step for step in range(int(apart.max()) + distance + 1) if (abs(apart - distance) <= step).sum() >= _FEWEST)
        fitting = np.flatnonzero(abs(apart - distance) <= window)
        chosen[distance] = set((fitting if most is None else _evenly(fitting, most)).tolist())
    union = sorted(set().union(*chosen.values()))
    first, second = (np.array([every[index][side] for index in union]) for side in (0, 1))
    used = np.array([[index in chosen[distance] for index in union] for distance in study.distance.tolist()])
    return Match(first, second, apart[union], used)


def _evenly(indices: np.ndarray, most: int) -> np.ndarray:
    if len(indices) <= most:
        return indices
    return indices[np.round(np.linspace(0, len(indices) - 1, most)).astype(int)]


def match_statistics(match: Match) -> dict[str, np.ndarray]:
    """The pairs of different words as the bundle names them."""
    return {
        "control_first": match.first,
        "control_second": match.second,
        "control_distance": match.distance,
        "control_weight": match.used / match.used.sum(axis=1, keepdims=True),
    }


def with_both_errors(values: Values, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over pairs, and ends that carry the errors of the occurrences and of the control's tokens."""
    mean = values.plain.mean(axis=-1)
    error, *_ = jackknife(mean, sample.replicates(values.plain, lambda some, _: some.mean(axis=-1)))
    own = jackknife_error(np.stack([each.mean(axis=-1) for each in values.without]))
    half = scipy.stats.t.ppf(0.975, max(sample.occurrences - 1, 1)) * np.hypot(error, own)
    return mean, mean - half, mean + half


def repeated_statistics(
    study: Study, values: np.ndarray, different: Match, different_values: np.ndarray, repeated: Match, repeated_values: np.ndarray
) -> tuple[dict[str, np.ndarray], Values]:
    """Other repeated words beside different words, and the word beside them; values of pairs (estimator, branch, layer, ...)."""
    tokens = np.unique(np.concatenate([different.tokens, repeated.tokens]))
    both = []
    for match, control in ((repeated, repeated_values), (different, different_values)):
        kept = [controls_of(match.used, match.first, match.second, token) for token in tokens]
        both.append((control_values(control, match.used, np.mean), [control_values(control, each, np.mean) for each in kept]))
    (of_repeated, without_repeated), (of_different, without_different) = both
    excess = (of_repeated - of_different).mean(axis=-1)
    left = np.stack([(one - other).mean(axis=-1) for one, other in zip(without_repeated, without_different, strict=True)])
    _, low, high = jackknife(excess, left)
    beyond = repeated.values(repeated_values, values, repeated.tokens)
    mean, mean_low, mean_high = with_both_errors(beyond, study)
    found = {
        "repeated_matched_mutual_information": of_repeated,
        "repeated_words_excess": excess,
        "repeated_words_excess_low": low,
        "repeated_words_excess_high": high,
        "word_minus_repeated_words": mean,
        "word_minus_repeated_words_low": mean_low,
        "word_minus_repeated_words_high": mean_high,
    }
    return found, beyond


def deep_statistics(study: Study, beyond: Values) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The word minus other repeated words over the deep layers, as ``study.json`` has it."""
    deep = study.bands["deep"]
    held = study.facts["controls"]["repeated_words"]["word_minus_repeated_deep"]
    if not held:
        return {}
    plain, ranked, *without = (each[:, :, deep].mean(axis=2) for each in (beyond.plain, beyond.ranked, *beyond.without))
    of_deep = Values(plain, ranked, without)
    anew = with_both_errors(of_deep, study)
    found = {}
    for index, estimator in enumerate(study.data["estimator"].values.tolist()):
        for column, branch in enumerate(study.data["branch"].values.tolist()):
            told = [held[estimator][branch][key] for key in ("estimate", "low", "high")]
            found[f"controls.repeated_words.{estimator}.{branch}"] = (
                np.array(told, dtype=np.float64),
                np.array([each[index, column] for each in anew]),
            )
    return found


def prefix_control(study: Study, match: Match, values: np.ndarray, control: np.ndarray) -> tuple[dict[str, np.ndarray], Values]:
    """The excess behind the prefix; its ties are those that the bundle has."""
    found = match.values(control, values, match.tokens)
    ranked = agreeing(study.held("prefix_ranked_excess_mutual_information"), found.ranked)
    found = Values(found.plain, ranked, found.without, found.ranked_without)
    return {"prefix_excess_mutual_information": found.plain, "prefix_ranked_excess_mutual_information": found.ranked}, found
