"""What the statements are judged by, once more: estimates, intervals and agreeing layers, as ``study.json`` has them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.stats

from analyses.mi_distance.reference import Sample, jackknife_error, mean_of_finite, numerators, taus, tied, untied_pairs

# Of a statement's own interval, and of the wider one by which one of its five later ways to fail contradicts it.
LEVELS = (0.95, 0.99)
# Measure of a part -> measure that its numbers are those of.
_SAME_NUMBERS = {"tau_half": "mean_tau"}
_LARGEST = {"mean_tau": 1.0, "attention": 1.0, "mlp": 1.0, "tau_difference": 2.0}
_NUMBERS = ("estimate", "low", "high")


@dataclass(frozen=True)
class Values:
    """Values of the pairs (estimator, branch, layer, pair) for means and for ranks, and the same once without each control token."""

    plain: np.ndarray
    ranked: np.ndarray
    without: Sequence[np.ndarray] = field(default=())
    ranked_without: Sequence[np.ndarray] = field(default=())

    @classmethod
    def bare(cls, values: np.ndarray) -> "Values":
        return cls(values, values)

    def of_pairs(self, keep: np.ndarray) -> "Values":
        """Only some of the pairs."""
        return Values(self.plain[..., keep], self.ranked[..., keep], [each[..., keep] for each in self.without],
                      [each[..., keep] for each in self.ranked_without])  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """One measure (estimator,), the ends (level, low and high, estimator) of its intervals, in how many of how many layers it agrees."""

    estimate: np.ndarray
    ends: np.ndarray
    agreeing: np.ndarray | None = None
    layers: int | None = None


def measures(values: Values, sample: Sample, bands: Mapping[str, np.ndarray], nearest: np.ndarray | None = None) -> dict[str, Measure]:
    """Every measure.

    Parameters
    ----------
    bands : the layers, from 0, called early, deep and separated
    nearest : (estimator,) the row of nearest-neighbour values that each row is held against; without it nothing is said of estimators
    """
    agreeing = _agreeing(values, sample, bands, nearest)
    found = _of_means(values, sample, bands, nearest) | _of_taus(values, sample, bands)
    return {name: Measure(estimate, ends, *agreeing.get(name, (None, None))) for name, (estimate, ends) in found.items()}


def _bands_measured(mean: np.ndarray, bands: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of layer means (estimator, branch, layer)."""
    early, deep = bands["early"], bands["deep"]
    before = np.arange(deep[0] if len(deep) else mean.shape[-1])

    def of(layers: np.ndarray, branch: int) -> np.ndarray:
        return np.array([row[branch, layers].mean() if len(layers) else np.nan for row in mean])

    def slope(layers: np.ndarray) -> np.ndarray:
        if len(layers) < 2:
            return np.full(len(mean), np.nan)
        return np.asarray(np.polyfit(layers, mean[:, 1, layers].T, 1)[0])

    return {
        "early_difference": of(early, 1) - of(early, 0),
        "deep_difference": of(deep, 0) - of(deep, 1),
        "attention_rise": of(deep, 0) - of(early, 0),
        "mlp_fall": of(early, 1) - of(deep, 1),
        "mlp_level": slope(deep),
        "before": slope(before),
    }


def shift_slopes(mean: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Theil's and Sen's slope of the nearest-neighbour layer means on each estimator's, by SciPy; NaN for nearest neighbours."""
    points = mean.reshape(len(mean), -1)
    usable = [own != near and np.isfinite(points[[own, near]]).all() and np.ptp(points[own]) > 0 for own, near in enumerate(nearest)]
    rows = zip(points, points[nearest], usable, strict=True)
    return np.array([scipy.stats.theilslopes(near, own)[0] if use else np.nan for own, near, use in rows])


def _of_means(
    values: Values, sample: Sample, bands: Mapping[str, np.ndarray], nearest: np.ndarray | None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    def measured(some: np.ndarray) -> dict[str, np.ndarray]:
        mean = some.mean(axis=-1)
        return _bands_measured(mean, bands) | ({"shift_slope": shift_slopes(mean, nearest)} if nearest is not None else {})

    whole = measured(values.plain)
    errors = {name: np.full(len(values.plain), np.nan) for name in whole}
    if sample.testable:
        kept = [(sample.first != each) & (sample.second != each) for each in range(sample.occurrences)]
        replicates = [measured(values.plain[..., keep]) for keep in kept]
        others = [measured(each) for each in values.without]
        for name in whole:
            error = jackknife_error(np.stack([each[name] for each in replicates]))
            errors[name] = np.hypot(error, jackknife_error(np.stack([each[name] for each in others]))) if others else error
    quantile = scipy.stats.t.ppf(0.5 + np.array(LEVELS) / 2, max(sample.occurrences - 1, 1))
    found = {}
    for name, estimate in whole.items():
        half = quantile[:, None] * errors[name]
        found[name] = (estimate, np.stack([estimate - half, estimate + half], axis=1))
    if nearest is not None:
        mean = values.plain.mean(axis=-1)
        layers = [shift_slopes(np.delete(mean, layer, axis=-1), nearest) for layer in range(mean.shape[-1] if mean.shape[-1] > 1 else 0)]
        extremes = np.stack([*layers, whole["shift_slope"]] if layers else [np.full(len(mean), np.nan)])
        found["shift_slope"][1][:, 0] += extremes.min(axis=0) - whole["shift_slope"]
        found["shift_slope"][1][:, 1] += extremes.max(axis=0) - whole["shift_slope"]
    return found


def _tau_weights(values: np.ndarray, bands: Mapping[str, np.ndarray]) -> np.ndarray:
    """(estimator, measure, branch, layer) of the measures of `_LARGEST`; a layer whose values are equal has no tau."""
    varies = np.isfinite(values).all(axis=-1) & (np.ptp(values, axis=-1) > 0)
    both = varies.all(axis=1) & np.isin(np.arange(values.shape[2]), bands["separated"])
    weights = np.zeros((len(values), len(_LARGEST), *values.shape[1:3]))
    for row, some in enumerate(varies):
        weights[row, 0] = some / max(some.sum(), 1)
        for branch in (0, 1):
            weights[row, 1 + branch, branch] = some[branch] / max(some[branch].sum(), 1)
        weights[row, 3] = np.array([1, -1])[:, None] * both[row] / max(both[row].sum(), 1)
    return weights


def tau_sums(tau: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(estimator, measure) sums of taus (estimator, branch, layer); NaN where nothing has a weight."""
    sums = (weights * np.where(np.isfinite(tau), tau, 0)[:, None]).sum(axis=(-2, -1))
    return np.where((weights != 0).any(axis=(-2, -1)), sums, np.nan)


def relabelled_sums(values: np.ndarray, weights: np.ndarray, sample: Sample) -> np.ndarray:
    """Absolute values (relabelling, sum) of sums of taus, values (series, N) and weights (sum, series)."""
    i, j = np.triu_indices(values.shape[-1], 1)
    kept = np.flatnonzero((weights != 0).any(axis=0))
    rows = tied(values[kept])
    scale = np.sqrt(untied_pairs(rows) * float(untied_pairs(sample.distance[None])[0]))
    signs = (weights[:, kept] / scale) @ np.sign(rows[:, i] - rows[:, j])
    blocks = (sample.distances(moved) for moved in sample.moved())
    return np.abs(np.concatenate([np.sign(block[:, i] - block[:, j]) @ signs.T for block in blocks]))


def _of_taus(values: Values, sample: Sample, bands: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    weights = _tau_weights(values.ranked, bands)
    estimate = tau_sums(taus(sample.distance, values.ranked), weights)
    half = np.full((len(LEVELS), *estimate.shape), np.nan)
    for row, series in enumerate(values.ranked):
        if sample.testable and np.isfinite(estimate[row]).any():
            spread = relabelled_sums(series.reshape(-1, series.shape[-1]), weights[row].reshape(len(_LARGEST), -1), sample)
            half[:, row] = np.where(np.isfinite(estimate[row]), sample.half_width(spread, LEVELS), np.nan)
    if len(values.ranked_without):
        replicates = [tau_sums(taus(sample.distance, each), _tau_weights(each, bands)) for each in values.ranked_without]
        half = with_tokens(half, replicates, LEVELS)
    found = {}
    for column, (name, largest) in enumerate(_LARGEST.items()):
        low, high = (estimate[:, column] + sign * half[..., column] for sign in (-1, 1))
        found[name] = (estimate[:, column], np.stack([np.maximum(low, -largest), np.minimum(high, largest)], axis=1))
    return found


def with_tokens(half: np.ndarray, replicates: Sequence[np.ndarray], levels: Sequence[float]) -> np.ndarray:
    """Half widths (level, ...) with the error that the control's tokens bring, from the statistic (...) once without each of them."""
    error = jackknife_error(np.stack(replicates))
    return np.stack(
        [np.hypot(each, scipy.stats.t.ppf(0.5 + level / 2, len(replicates) - 1) * error) for each, level in zip(half, levels, strict=True)]
    )


def _agreeing(
    values: Values, sample: Sample, bands: Mapping[str, np.ndarray], nearest: np.ndarray | None
) -> dict[str, tuple[np.ndarray, int]]:
    mean, tau = values.plain.mean(axis=-1), taus(sample.distance, values.ranked)
    early, deep, separated = bands["early"], bands["deep"], bands["separated"]
    difference, apart = mean[:, 0] - mean[:, 1], (tau[:, 0] - tau[:, 1])[:, separated]
    of_early = mean[..., early].mean(axis=-1) if len(early) else np.full(mean.shape[:2], np.nan)
    direction = np.array([np.sign(row[np.isfinite(row)].sum()) for row in apart])
    counted = {
        "early_difference": difference[:, early] < 0,
        "deep_difference": difference[:, deep] > 0,
        "attention_rise": mean[:, 0, deep] > of_early[:, :1],
        "mlp_fall": mean[:, 1, deep] < of_early[:, 1:],
        "mean_tau": (tau < 0).all(axis=1),
        "tau_difference": np.sign(apart) == direction[:, None],
    }
    if nearest is not None:
        counted["shift_slope"] = np.sign(difference) == np.sign(difference[nearest])
    return {name: (agrees.sum(axis=-1), agrees.shape[-1]) for name, agrees in counted.items()}


def of_verdicts(
    verdicts: Sequence[Mapping[str, Any]], control: str, found: Mapping[str, Measure], estimators: Sequence[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Each part of the verdicts under a control: its numbers as they are held and as they are anew.

    The numbers are the estimate, the ends, those of the wider interval, of each branch, of the slope before the deep layers, and the
    layer counts.
    """
    pairs = {}
    for row in (row for row in verdicts if row["control"] == control):
        index = list(estimators).index(row["estimator"])
        for part in row["parts"]:
            measure = found[_SAME_NUMBERS.get(part["measure"], part["measure"])]
            # Where one branch decides, the part's numbers are that branch's, and the mean's stand beside them.
            held, anew = [part.get("mean", part)[key] for key in _NUMBERS], _numbers(measure, index)
            for branch, numbers in part.get("branches", {}).items():
                held += [numbers[key] for key in (*_NUMBERS, "wide_low", "wide_high")]
                anew += _numbers(found[branch], index) + found[branch].ends[1, :, index].tolist()
            if "mean" in part:
                held += [part[key] for key in _NUMBERS]
                anew += _numbers(max((found[each] for each in part["branches"]), key=lambda each: each.ends[1, 0, index]), index)
            if "before" in part:
                held += [part["before"][key] for key in _NUMBERS]
                anew += _numbers(found["before"], index)
            for prefix, of in (("", measure), ("before_", found["before"])):
                if part.get("wide") and f"{prefix}low" in part["wide"]:
                    held += [part["wide"][f"{prefix}{end}"] for end in ("low", "high")]
                    anew += of.ends[1, :, index].tolist()
            if part["agreeing_layers"] is not None and measure.agreeing is not None and measure.layers is not None:
                held += [part["agreeing_layers"], part["layers"]]
                anew += [int(measure.agreeing[index]), measure.layers]
            name = f"verdicts.{part['measure']}.{row['estimator']}"
            sides = np.array(held, dtype=np.float64), np.array(anew, dtype=np.float64)
            pairs[name if control == "none" else f"{name}.{control}"] = sides
    return pairs


def _numbers(measure: Measure, index: int) -> list[float]:
    return [float(measure.estimate[index]), *measure.ends[0, :, index].tolist()]


def of_agreement(facts: Mapping[str, Any], values: np.ndarray, estimators: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """How nearest-neighbour layer means follow those of the other estimators: slopes, Lin's concordance, Spearman's rho."""
    mean = values.mean(axis=-1)
    nearest = list(estimators).index("nearest_neighbour")
    pairs = {}
    for index, estimator in enumerate(estimators):
        if estimator not in facts:
            continue
        own, near = mean[index], mean[nearest]
        x, y = own.ravel(), near.ravel()
        anew = {"shift_slope": shift_slopes(mean, np.full(len(mean), nearest))[index]}
        if np.isfinite([x, y]).all() and np.ptp(x) > 0:
            covariance = np.cov(x, y, ddof=0)
            anew["shift_concordance"] = 2 * covariance[0, 1] / np.trace(covariance)
            anew["shift_rank_correlation"] = scipy.stats.spearmanr(x, y).statistic if np.ptp(y) > 0 else np.nan
            if own.shape[-1] >= 3:
                anew["least_squares_slope"] = scipy.stats.linregress(x, y).slope
                layer = facts[estimator]["most_influential_layer"]
                left = [np.delete(side, layer, axis=-1).ravel() for side in (own, near)]
                anew["least_squares_slope_without"] = scipy.stats.linregress(*left).slope
        for name, value in anew.items():
            pairs[f"estimator_agreement.{name}.{estimator}"] = np.array([facts[estimator][name]], dtype=np.float64), np.array([value])
    return pairs


def mean_taus_without(sample: Sample, values: np.ndarray) -> np.ndarray:
    """(occurrence, estimator, branch, layer) tau without each occurrence."""
    return sample.replicates(values, lambda some, distance: taus(distance, some))


def relabelled_mean_partial_tau(
    sample: Sample, given: Callable[[np.ndarray], np.ndarray], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Partial taus (estimator, branch, layer) given a third variable, their mean (estimator,), and half the width of its 95 % interval.

    `given` makes positions (orders, T) to the third variable (orders, N).
    """
    third = given(sample.position[None])[0]
    partial = partial_tau(sample.distance, third, values)
    mean, half = mean_of_finite(partial), np.full(len(values), np.nan)
    between, of_third = taus(third, sample.distance[None])[0], taus(third, values)
    untied = untied_pairs(values)
    for row in range(len(values)):
        usable = np.isfinite(partial[row])
        if not (sample.testable and usable.any()):
            continue
        rows = values[row][usable]
        room = np.sqrt(untied[row][usable] * (1 - between**2) * (1 - of_third[row][usable] ** 2))
        spread = []
        for moved in sample.moved():
            total = np.zeros(len(moved))
            for sign, side in ((1.0, sample.distances(moved)), (-between, given(moved))):
                own = np.sqrt(float(untied_pairs(side[:1])[0]))
                total += sign * (numerators(side, rows) / own / room).mean(axis=-1)
            spread.append(np.abs(total))
        half[row] = sample.half_width(np.concatenate(spread)[:, None], LEVELS[:1])[0, 0]
    return partial, mean, half


def partial_tau(distance: np.ndarray, third: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Kendall's (1942) partial tau of distance and values given a third variable; NaN where that orders either without exception."""
    between, of_third = taus(third, distance[None])[0], taus(third, values)
    room = (1 - between**2) * (1 - of_third**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(room > 1e-12, (taus(distance, values) - between * of_third) / np.sqrt(room), np.nan))
