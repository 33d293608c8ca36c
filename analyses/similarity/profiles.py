"""Layer means with the error that comes from the occurrences, and that of the words they are held against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from analyses.occurrences.pairs import Pairs
from analyses.statistics.relabelling import UNTESTABLE_OCCURRENCES
from analyses.statistics.resampling import jackknife


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval, arrays of one shape; ends are NaN where there is no interval."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Profiles:
    """Means over the pairs (measure, branch, layer), and the same once without each occurrence and each token of the control.

    `without_occurrence` (T, measure, branch, layer) is empty where there are too few occurrences to leave one out;
    `without_token` (V, measure, branch, layer) where no control comes in.
    """

    mean: np.ndarray
    without_occurrence: np.ndarray
    without_token: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, pairs: Pairs, without_token: Sequence[np.ndarray] = ()) -> "Profiles":
        """Of values (measure, branch, layer, pair); `without_token` are the values once without each token of the control."""
        testable = pairs.occurrences > UNTESTABLE_OCCURRENCES
        left = [values[..., pairs.without(each)].mean(axis=-1) for each in range(pairs.occurrences)] if testable else []
        nothing = np.empty((0, *values.shape[:-1]))
        return cls(
            values.mean(axis=-1),
            np.stack(left) if left else nothing,
            np.stack([each.mean(axis=-1) for each in without_token]) if len(without_token) else nothing,
        )

    def interval(self, statistic: Callable[[np.ndarray], np.ndarray], confidence: float = 0.95) -> Interval:
        """The interval of what `statistic` makes of the means (measure, branch, layer).

        Leave-one-occurrence-out jackknife (Tukey 1958; for statistics of pairs Arvesen 1969), Student's t with T - 1 degrees of freedom.
        The control's tokens give its own variance in the same way; it is added.
        """
        estimate = np.asarray(statistic(self.mean), dtype=np.float64)
        nothing = np.full(estimate.shape, np.nan)
        if not len(self.without_occurrence):
            return Interval(estimate, nothing, nothing)
        variance = self._variance(statistic, estimate, self.without_occurrence)
        if len(self.without_token):
            variance = variance + self._variance(statistic, estimate, self.without_token)
        half = scipy.stats.t.ppf(0.5 + confidence / 2, len(self.without_occurrence) - 1) * np.sqrt(variance)
        return Interval(estimate, estimate - half, estimate + half)

    @staticmethod
    def _variance(statistic: Callable[[np.ndarray], np.ndarray], estimate: np.ndarray, replicates: np.ndarray) -> np.ndarray:
        values = np.stack([statistic(each) for each in replicates], axis=-1)
        return np.asarray(jackknife(estimate, values).standard_error ** 2)
