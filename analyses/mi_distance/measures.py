"""What the five statements speak of, each as one number computed from the pairwise mutual information.

Every measure takes the values (estimator, branch, layer, pair) and gives one number an estimator, so that the same
functions serve the estimate, every jackknife replicate and every control.
"""

from collections.abc import Callable

import numpy as np

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.names import ATTENTION, ESTIMATORS, MLP
from analyses.statistics.correlation import concordance, kendall_tau, spearman

NEAREST_NEIGHBOUR = ESTIMATORS.index("nearest_neighbour")

# The measures in the order of the statements; names are keys of the catalogue and of study.json.
MEASURES = (
    "early_difference",
    "deep_difference",
    "attention_rise",
    "mlp_fall",
    "mlp_flattening",
    "mean_tau",
    "tau_difference",
    "shift_slope",
    "shift_concordance",
    "shift_rank_correlation",
)


def measure(values: np.ndarray, distance: np.ndarray, bands: Bands, reference: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Compute every measure.

    Parameters
    ----------
    values : (estimator, branch, layer, pair), nats
    distance : (pair,), tokens
    bands : the layers that the statements speak of
    reference : (estimator,) for each row the index of the nearest-neighbour estimate that it is held against; the study's
        own three estimators have one between them, and that is what is taken when nothing is given

    Returns
    -------
    dict of (estimator,) arrays; NaN where a measure does not exist (an empty band, fewer than three pairs, constant values).
    """
    means = values.mean(axis=-1)
    attention, mlp = means[:, ATTENTION], means[:, MLP]
    tau = kendall_tau(distance, values)
    slope, agreement, ranks = _shift(means, _references(values, reference))
    return {
        "early_difference": _band_mean(mlp - attention, bands.early),
        "deep_difference": _band_mean(attention - mlp, bands.deep),
        "attention_rise": _band_mean(attention, bands.deep) - _band_mean(attention, bands.early),
        "mlp_fall": _band_mean(mlp, bands.early) - _band_mean(mlp, bands.deep),
        "mlp_flattening": _flattening(mlp, bands),
        "mean_tau": _band_mean(tau.mean(axis=1), np.arange(bands.layers)),
        "tau_difference": _band_mean(tau[:, ATTENTION] - tau[:, MLP], bands.separated),
        "shift_slope": slope,
        "shift_concordance": agreement,
        "shift_rank_correlation": ranks,
    }


def agreeing_layers(
    values: np.ndarray, distance: np.ndarray, bands: Bands, reference: np.ndarray | None = None
) -> dict[str, tuple[np.ndarray, int]]:
    """In how many layers (estimator,), and of how many, each measure has the direction that its statement gives it.

    `tau_difference` has no stated direction: there, a layer agrees when it has the sign of the mean over the layers.
    """
    means = values.mean(axis=-1)
    attention, mlp = means[:, ATTENTION], means[:, MLP]
    tau = kendall_tau(distance, values)
    separation = (tau[:, ATTENTION] - tau[:, MLP])[:, bands.separated]
    mean_sign = np.sign(separation.sum(axis=-1, keepdims=True))
    order = np.sign(attention - mlp)
    same_order = order == order[_references(values, reference)]

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


def _band_mean(profile: np.ndarray, layers: np.ndarray) -> np.ndarray:
    if not len(layers):
        return np.full(len(profile), np.nan)
    return profile[:, layers].mean(axis=-1)


def _flattening(mlp: np.ndarray, bands: Bands) -> np.ndarray:
    """How much less steeply the MLP's profile falls inside the deep band than on the way there, nats a layer (above 0: it flattens)."""
    if len(bands.deep) < 2 or not len(bands.early):
        return np.full(len(mlp), np.nan)
    way = bands.deep.mean() - bands.early.mean()
    before = (_band_mean(mlp, bands.deep) - _band_mean(mlp, bands.early)) / way
    centred = bands.deep - bands.deep.mean()
    inside = mlp[:, bands.deep] @ centred / (centred @ centred)
    return inside - before


def _references(values: np.ndarray, reference: np.ndarray | None) -> np.ndarray:
    return np.full(len(values), NEAREST_NEIGHBOUR) if reference is None else np.asarray(reference)


def _shift(means: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How the nearest-neighbour layer means follow those of each other estimator: slope, Lin's concordance, Spearman's rho.

    Both branches' layers enter together. Slope 1 is a constant shift. Lin's concordance is taken after the shift is
    removed, for a shift is what the statement allows. NaN for the nearest-neighbour estimator itself.
    """
    points = means.reshape(len(means), -1)
    usable = [own != other and np.ptp(points[own]) > 0 and np.isfinite(points[own]).all() for own, other in enumerate(reference)]

    def against_reference(statistic: Callable[[np.ndarray, np.ndarray], float]) -> np.ndarray:
        rows = zip(points, points[reference], usable, strict=True)
        return np.array([statistic(row, other) if use else np.nan for row, other, use in rows])

    def slope(row: np.ndarray, other: np.ndarray) -> float:
        centred = row - row.mean()
        return float(centred @ (other - other.mean()) / (centred @ centred))

    return (
        against_reference(slope),
        against_reference(lambda row, other: float(concordance(row - row.mean(), other - other.mean()))),
        against_reference(lambda row, other: float(spearman(row, other))),
    )
