"""What the five statements speak of, each as one number computed from the pairwise mutual information.

Every measure takes the values (estimator, branch, layer, pair) and gives one number an estimator, so that the same
functions serve the estimate, every jackknife replicate and every control.
"""

from collections.abc import Callable

import numpy as np

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.names import ESTIMATORS
from analyses.occurrences.branches import ATTENTION, MLP
from analyses.statistics.correlation import concordance, kendall_tau, spearman

NEAREST_NEIGHBOUR = ESTIMATORS.index("nearest_neighbour")

# The measures in the order of the statements; names are keys of the catalogue and of study.json.
OF_BANDS = ("early_difference", "deep_difference", "attention_rise", "mlp_fall", "mlp_level", "mlp_slope_before")
OF_TAUS = ("mean_tau", "attention_tau", "mlp_tau", "tau_difference")
OF_ESTIMATORS = ("shift_slope", "shift_concordance", "shift_rank_correlation")
MEASURES = OF_BANDS + OF_TAUS + OF_ESTIMATORS


def measure_bands(values: np.ndarray, bands: Bands) -> dict[str, np.ndarray]:
    """Compute every measure that rests on the layers' mean mutual information.

    Parameters
    ----------
    values : (estimator, branch, layer, pair), nats
    bands : the layers that the statements speak of

    Returns
    -------
    dict of (estimator,) arrays; NaN where a band has too few layers.
    """
    means = values.mean(axis=-1)
    attention, mlp = means[:, ATTENTION], means[:, MLP]
    return {
        "early_difference": _band_mean(mlp - attention, bands.early),
        "deep_difference": _band_mean(attention - mlp, bands.deep),
        "attention_rise": _band_mean(attention, bands.deep) - _band_mean(attention, bands.early),
        "mlp_fall": _band_mean(mlp, bands.early) - _band_mean(mlp, bands.deep),
        "mlp_level": _slope(mlp, bands.deep),
        "mlp_slope_before": _slope(mlp, bands.before_deep),
    }


def measure_estimators(values: np.ndarray, reference: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """How the nearest-neighbour layer means follow those of each other estimator: slope, Lin's concordance, Spearman's rho.

    Both branches' layers enter together. Slope 1 is a constant shift. Lin's concordance is taken after the shift is removed, for a
    shift is what the statement allows.

    Parameters
    ----------
    values : (estimator, branch, layer, pair), nats
    reference : (estimator,) for each row the index of the nearest-neighbour estimate that it is held against; the study's
        own three estimators have one between them, and that is what is taken when nothing is given

    Returns
    -------
    dict of (estimator,) arrays; NaN for the nearest-neighbour estimator itself and for constant values.
    """
    means = values.mean(axis=-1)
    points, others = means.reshape(len(means), -1), references(values, reference)
    usable = np.array(_usable(points, others), dtype=bool)

    def against_reference(statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        found = np.full(len(points), np.nan)
        found[usable] = statistic(points[usable], points[others][usable])
        return found

    def about_their_means(rows: np.ndarray) -> np.ndarray:
        return rows - rows.mean(axis=-1, keepdims=True)

    return {
        "shift_slope": _shift_slope(means, others),
        "shift_concordance": against_reference(lambda rows, of_others: concordance(about_their_means(rows), about_their_means(of_others))),
        "shift_rank_correlation": against_reference(spearman),
    }


def measure_taus(values: np.ndarray, distance: np.ndarray, bands: Bands) -> dict[str, np.ndarray]:
    """The measures that rest on Kendall's tau of mutual information against distance, (estimator,) each.

    `values` as for `measure_bands`, `distance` (pair,) in tokens. Sums of the layers' taus with the weights of `tau_weights`.
    """
    tau = kendall_tau(distance, values).reshape(len(values), -1)
    weights = tau_weights(values, bands)
    kept = np.where(np.isfinite(tau), tau, 0.0)
    sums = np.einsum("emr,er->em", weights, kept)
    sums[~(weights != 0).any(axis=-1)] = np.nan
    return {name: sums[:, index] for index, name in enumerate(OF_TAUS)}


def tau_weights(values: np.ndarray, bands: Bands) -> np.ndarray:
    """What each branch and layer counts in the mean taus and in the difference of taus: (estimator, measure, branch x layer).

    A layer whose values are all equal has no tau: it is left out, of a difference in both branches.
    """
    varies = np.isfinite(values).all(axis=-1) & (np.ptp(values, axis=-1) > 0)
    counted = varies.astype(np.float64)
    of_branch = np.eye(2)[:, None, :, None] * counted
    both = varies.all(axis=1, keepdims=True) & np.isin(np.arange(bands.layers), bands.separated)
    difference = both * np.array([1.0, -1.0])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [each / each.sum(axis=(1, 2), keepdims=True) for each in (counted, *of_branch)]
        difference /= both.sum(axis=2, keepdims=True)
    weights = np.stack([*means, difference], axis=1)
    return np.where(np.isfinite(weights), weights, 0.0).reshape(len(values), len(OF_TAUS), -1)


def shift_slopes_without_a_layer(values: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """`shift_slope` once without each layer, (estimator, layer): no verdict on it may rest on a single one."""
    means = values.mean(axis=-1)
    layers = means.shape[-1]
    if layers < 2:
        return np.full((len(values), layers), np.nan)
    others = references(values, reference)
    return np.stack([_shift_slope(np.delete(means, layer, axis=-1), others) for layer in range(layers)], axis=-1)


def least_squares_shift(values: np.ndarray, index: int) -> dict[str, float | None]:
    """The least-squares slope of the nearest-neighbour layer means on those of the estimator at `index`, and what one layer does to it.

    Returns
    -------
    least_squares_slope; most_influential_layer (from 0), without which it changes most; least_squares_slope_without it. None where
    there is no slope.
    """
    own, near = values[index].mean(axis=-1), values[NEAREST_NEIGHBOUR].mean(axis=-1)

    def slope(without: list[int]) -> float:
        x, y = (np.delete(side, without, axis=-1).ravel() for side in (own, near))
        centred = x - x.mean()
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(centred @ (y - y.mean()) / (centred @ centred))

    nothing = dict.fromkeys(("least_squares_slope", "most_influential_layer", "least_squares_slope_without"))
    if own.shape[-1] < 3:
        return nothing
    whole = slope([])
    without = np.array([slope([layer]) for layer in range(own.shape[-1])])
    if not np.isfinite(whole) or not np.isfinite(without).any():
        return nothing
    layer = int(np.nanargmax(np.abs(without - whole)))
    return {"least_squares_slope": whole, "most_influential_layer": layer, "least_squares_slope_without": float(without[layer])}


def agreeing_layers(
    values: np.ndarray, ranked: np.ndarray, distance: np.ndarray, bands: Bands, reference: np.ndarray | None = None
) -> dict[str, tuple[np.ndarray, int]]:
    """In how many layers (estimator,), and of how many, each measure has the direction that its statement gives it.

    Printed beside the verdict, which does not depend on it. `ranked` are the values for the taus. `tau_difference` has no stated
    direction: there, a layer agrees when it has the sign of the mean over the layers.
    """
    means = values.mean(axis=-1)
    attention, mlp = means[:, ATTENTION], means[:, MLP]
    tau = kendall_tau(distance, ranked)
    separation = (tau[:, ATTENTION] - tau[:, MLP])[:, bands.separated]
    mean_sign = np.sign(np.nansum(separation, axis=-1, keepdims=True))
    order = np.sign(attention - mlp)
    same_order = order == order[references(values, reference)]

    def count(agrees: np.ndarray) -> tuple[np.ndarray, int]:
        return agrees.sum(axis=-1), agrees.shape[-1]

    return {
        "early_difference": count((mlp > attention)[:, bands.early]),
        "deep_difference": count((attention > mlp)[:, bands.deep]),
        "attention_rise": count(attention[:, bands.deep] > _band_mean(attention, bands.early)[:, None]),
        "mlp_fall": count(mlp[:, bands.deep] < _band_mean(mlp, bands.early)[:, None]),
        "mean_tau": count(np.all(tau < 0, axis=1)),
        "tau_difference": count(np.sign(separation) == mean_sign),
        "shift_slope": count(same_order),
    }


def references(values: np.ndarray, reference: np.ndarray | None) -> np.ndarray:
    """The index of the nearest-neighbour row that each row is held against."""
    return np.full(len(values), NEAREST_NEIGHBOUR) if reference is None else np.asarray(reference)


def _band_mean(profile: np.ndarray, layers: np.ndarray) -> np.ndarray:
    if not len(layers):
        return np.full(len(profile), np.nan)
    return profile[:, layers].mean(axis=-1)


def _slope(profile: np.ndarray, layers: np.ndarray) -> np.ndarray:
    """Least-squares slope over some layers, nats a layer; NaN for fewer than two of them."""
    if len(layers) < 2:
        return np.full(len(profile), np.nan)
    centred = layers - layers.mean()
    return profile[:, layers] @ centred / (centred @ centred)


def _usable(points: np.ndarray, reference: np.ndarray) -> list[bool]:
    return [
        bool(own != other and np.ptp(points[own]) > 0 and np.isfinite(points[own]).all() and np.isfinite(points[other]).all())
        for own, other in enumerate(reference)
    ]


def _shift_slope(means: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Median of the slopes between all pairs of layer means, which no single layer can make (Theil 1950; Sen 1968).

    Sen (1968), Journal of the American Statistical Association 63, 1379-1389; pairs with the same histogram mean have no slope.
    """
    points = means.reshape(len(means), -1)
    first, second = np.triu_indices(points.shape[1], k=1)
    slopes = np.full(len(points), np.nan)
    for row, (other, use) in enumerate(zip(reference, _usable(points, reference), strict=True)):
        if use:
            across = points[row, second] - points[row, first]
            differs = across != 0
            slopes[row] = np.median((points[other, second] - points[other, first])[differs] / across[differs])
    return slopes
