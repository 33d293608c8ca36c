"""Layer means with the error that comes from the occurrences, and that of the words they are held against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from analyses.occurrences.pairs import Pairs
from analyses.statistics.relabelling import UNTESTABLE_OCCURRENCES
from analyses.statistics.resampling import jackknife, leave_one_out, leave_two_out


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval, arrays of one shape; ends are NaN where there is no interval."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Profiles:
    """Means over the pairs (measure, branch, layer), and the same once without each occurrence and each token of the control.

    `without_occurrence` (T, measure, branch, layer) and `without_two` (N, measure, branch, layer), without the two occurrences of each
    pair, are empty where there are too few occurrences to leave one out; `without_token` (V, measure, branch, layer) and `control_parts`
    (C, measure, branch, layer) where no control comes in.
    """

    mean: np.ndarray
    without_occurrence: np.ndarray
    without_two: np.ndarray
    without_token: np.ndarray
    control_parts: np.ndarray

    @classmethod
    def of(
        cls, values: np.ndarray, pairs: Pairs, without_token: Sequence[np.ndarray] = (), control_parts: np.ndarray | None = None
    ) -> "Profiles":
        """Of values (measure, branch, layer, pair); `without_token` are the values once without each token of the control.

        `control_parts` (C, measure, branch, layer) is what each pair of the control contributes to what is taken off, its weight times
        its distance from the control's mean; None where no pairs are taken off.
        """
        one = two = np.empty((0, *values.shape[:-1]))
        if pairs.occurrences > UNTESTABLE_OCCURRENCES:
            kept = (leave(pairs.first, pairs.second, pairs.occurrences) for leave in (leave_one_out, leave_two_out))
            one, two = (np.moveaxis(values @ (stay / stay.sum(axis=1, keepdims=True)).T, -1, 0) for stay in kept)
        tokens = np.stack([each.mean(axis=-1) for each in without_token]) if len(without_token) else np.empty((0, *values.shape[:-1]))
        parts = np.empty((0, *values.shape[:-1])) if control_parts is None else control_parts
        return cls(values.mean(axis=-1), one, two, tokens, parts)

    def interval(self, statistic: Callable[[np.ndarray], np.ndarray], confidence: float = 0.95) -> Interval:
        """The interval of what `statistic` makes of the means (measure, branch, layer).

        The jackknife over the occurrences without its bias, with its degrees of freedom (`analyses.statistics.jackknife`): the plain one
        takes what belongs to single pairs twice. The control has a variance of its own, which is added: that of leaving out its tokens in
        turn, in which each pair counts twice as well, less what its pairs contribute (the variance of dyads that share members, Aronow,
        Samii & Assenova 2015, Political Analysis 23, 564-577), but no less than that. `statistic` is linear.
        """
        estimate = np.asarray(statistic(self.mean), dtype=np.float64)
        if not len(self.without_occurrence):
            nothing = np.full(estimate.shape, np.nan)
            return Interval(estimate, nothing, nothing)
        found = jackknife(estimate, _each(statistic, self.without_occurrence), leave_two_out_estimates=_each(statistic, self.without_two))
        variance = found.standard_error**2
        if len(self.without_token):
            of_control = jackknife(estimate, _each(statistic, self.without_token)).standard_error ** 2
            of_pairs = (_each(statistic, self.control_parts) ** 2).sum(axis=-1) if len(self.control_parts) else np.zeros(estimate.shape)
            variance = variance + np.maximum(of_control - of_pairs, of_pairs)
        half = scipy.stats.t.ppf(0.5 + confidence / 2, found.degrees_of_freedom) * np.sqrt(variance)
        return Interval(estimate, estimate - half, estimate + half)


def _each(statistic: Callable[[np.ndarray], np.ndarray], replicates: np.ndarray) -> np.ndarray:
    """The statistic of each replicate, along the last axis."""
    return np.stack([statistic(each) for each in replicates], axis=-1)
