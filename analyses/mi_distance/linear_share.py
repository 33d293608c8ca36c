"""What mutual information adds here: the share of it that a linear correlation explains."""

import numpy as np
import pandas as pd
import xarray as xr

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.layer_statistics import over_occurrences
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.settings import StudySettings
from analyses.mutual_information.linear import linear_correlation, linear_information
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.pairs import Pairs
from analyses.records import Variable

DEPTHS = ("early", "middle", "deep", "all")
_TEXTS = {
    "linear_information": "mean linear information, in nats",
    "mutual_information": "mean nearest-neighbour mutual information, in nats",
    "linear_share": "linear information over mutual information (nearest neighbours)",
    "linear_share_low": "lower end of the share's 95 % jackknife interval",
    "linear_share_high": "upper end of the share's 95 % jackknife interval",
}
_SHARE = ("linear_share", "linear_share_low", "linear_share_high")


def linear_variables(
    activation: np.ndarray, values: np.ndarray, pairs: Pairs, bands: Bands, settings: StudySettings
) -> dict[str, Variable]:
    """Pearson's correlation of every pair, the information that it alone would mean, and its share of the nearest-neighbour MI.

    Where a vector is constant it tells nothing (0 nats, as in the estimators). Where a pair lies on a straight line that information
    is infinite: it is missing, and so is every share that it belongs to. A share is missing as well where the mean MI is not above
    zero, with all occurrences or without one of them.

    Parameters
    ----------
    activation : (branch, layer, occurrence, dimension)
    values : (estimator, branch, layer, pair), nats

    Returns
    -------
    Over (branch, layer, pair) the correlation and its information; over (branch, layer) and, layers taken together, over
    (branch, depth) the share with its jackknife interval; and one R^2 of MI on that information over all branches, layers and pairs.
    """
    correlation = linear_correlation(activation, pairs.first, pairs.second, trim=settings.estimation.trim)
    linear = np.where(np.isnan(correlation), 0.0, linear_information(correlation))
    linear[np.isinf(linear)] = np.nan
    nearest = values[ESTIMATORS.index("nearest_neighbour")]
    pair, by_layer, by_depth = ("branch", "layer", "pair"), ("branch", "layer"), ("branch", "depth")
    variables: dict[str, Variable] = {
        "depth": (("depth",), np.array(DEPTHS), {"long_name": "part of the depth of the model"}),
        "linear_correlation": (pair, correlation, {"long_name": "Pearson's correlation of the two occurrences"}),
        "linear_information": (pair, linear, {"long_name": "-ln(1 - r^2) / 2 of that correlation", "units": "nats"}),
        "linear_r_squared": ((), np.array(_r_squared(linear, nearest)), {"long_name": "R^2 of nearest-neighbour MI on linear information"}),
    }
    for name, value in zip(_SHARE, _share(linear, nearest, pairs), strict=True):
        variables[name] = (by_layer, value, {"long_name": _TEXTS[name]})
    for name, value in _of_depths(linear, nearest, pairs, bands).items():
        variables[f"depth_{name}"] = (by_depth, value, {"long_name": f"{_TEXTS[name]}; layers taken together"})
    return variables


def linear_table(dataset: xr.Dataset, bands: dict[str, list[int]], layers: list[int]) -> pd.DataFrame:
    """One row a branch and part of the depth: depth, branch, first_layer, last_layer, the two informations (nats), the share, its ends."""
    rows = []
    for depth, (first, last) in _ends(bands, layers).items():
        for branch in BRANCHES:
            here = dataset.sel(branch=branch, depth=depth)
            values = {name: float(here[f"depth_{name}"]) for name in _TEXTS}
            rows.append({"depth": depth, "branch": branch, "first_layer": first, "last_layer": last} | values)
    return pd.DataFrame(rows)


def _of_depths(linear: np.ndarray, nearest: np.ndarray, pairs: Pairs, bands: Bands) -> dict[str, np.ndarray]:
    """The two informations, the share and its ends with the layers of each part of the depth taken together, each (branch, depth)."""
    every = np.arange(bands.layers)
    middle = np.setdiff1d(every, np.concatenate([bands.early, bands.deep]))
    found = {name: np.full((len(BRANCHES), len(DEPTHS)), np.nan) for name in _TEXTS}
    for place, chosen in enumerate((bands.early, middle, bands.deep, every)):
        if not len(chosen):
            continue
        of_pairs = linear[:, chosen].mean(axis=1), nearest[:, chosen].mean(axis=1)
        columns = (*(each.mean(axis=-1) for each in of_pairs), *_share(*of_pairs, pairs))
        for column, value in zip(found.values(), columns, strict=True):
            column[:, place] = value
    return found


def _ends(bands: dict[str, list[int]], layers: list[int]) -> dict[str, tuple[int, int]]:
    """First and last layer, from 1, of each part of the depth that has layers."""
    middle = sorted(set(layers) - set(bands["early"]) - set(bands["deep"]))
    of_depth = {"early": bands["early"], "middle": middle, "deep": bands["deep"], "all": layers}
    return {depth: (chosen[0], chosen[-1]) for depth, chosen in of_depth.items() if chosen}


def _share(linear: np.ndarray, nearest: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean linear information over mean MI, with the ends of its jackknife interval, each (...), of values (..., pair)."""
    found = over_occurrences(_ratio_of_means, np.stack([linear, nearest]), pairs)
    # Without one occurrence the mean is not above zero: a share of next to nothing, which can be any number.
    lost = np.isnan(found.low) if np.isfinite(found.degrees_of_freedom).any() else np.isnan(found.estimate)
    return np.where(lost, np.nan, found.estimate), found.low, found.high


def _ratio_of_means(values: np.ndarray, _distance: np.ndarray) -> np.ndarray:
    linear, nearest = values.mean(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(nearest > 0, linear / nearest, np.nan)


def _r_squared(linear: np.ndarray, nearest: np.ndarray) -> float:
    """Of the least-squares line; NaN where either does not vary or fewer than three values are there."""
    both = np.isfinite(linear) & np.isfinite(nearest)
    x, y = linear[both], nearest[both]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1] ** 2)
