"""The share of mutual information that a linear correlation explains, once more: NumPy's correlation, pair by pair."""

import numpy as np

from analyses.mi_distance.reference import Sample, Study, inliers, jackknife


def linear_statistics(study: Study, values: np.ndarray) -> dict[str, np.ndarray]:
    """All variables that are called linear, from the vectors and the nearest-neighbour estimates of `values`."""
    activation = study.vectors["activation"].values.astype(np.float64)
    nearest = values[study.data["estimator"].values.tolist().index("nearest_neighbour")]
    correlation = _correlations(activation, study)
    with np.errstate(divide="ignore"):
        information = np.where(np.isnan(correlation), 0.0, -np.log((1 - np.abs(correlation)) * (1 + np.abs(correlation))) / 2)
    information[np.isinf(information)] = np.nan
    found = {"linear_correlation": correlation, "linear_information": information}
    both = np.isfinite(information) & np.isfinite(nearest)
    x, y = information[both], nearest[both]
    varies = len(x) > 2 and np.ptp(x) > 0 and np.ptp(y) > 0
    found["linear_r_squared"] = np.array(np.corrcoef(x, y)[0, 1] ** 2 if varies else np.nan)
    for end, value in zip(("", "_low", "_high"), _shares(information, nearest, study), strict=True):
        found[f"linear_share{end}"] = value
    layers = activation.shape[1]
    middle = [layer for layer in range(layers) if layer not in study.bands["early"] and layer not in study.bands["deep"]]
    of_depth = {"early": study.bands["early"].tolist(), "middle": middle, "deep": study.bands["deep"].tolist(), "all": [*range(layers)]}
    names = ("linear_information", "mutual_information", "linear_share", "linear_share_low", "linear_share_high")
    columns = {name: np.full((2, len(of_depth)), np.nan) for name in names}
    for place, depth in enumerate(study.data["depth"].values.tolist()):
        if chosen := of_depth[depth]:
            linear, near = (each[:, chosen].mean(axis=1) for each in (information, nearest))
            anew = (linear.mean(axis=-1), near.mean(axis=-1), *_shares(linear, near, study))
            for column, value in zip(columns.values(), anew, strict=True):
                column[:, place] = value
    return found | {f"depth_{name}": column for name, column in columns.items()}


def _correlations(activation: np.ndarray, study: Study) -> np.ndarray:
    """(branch, layer, pair) Pearson's r over the dimensions in which neither vector has an outlier; NaN for constants."""
    found = np.full((*activation.shape[:2], len(study.first)), np.nan)
    for branch, layer in np.ndindex(activation.shape[:2]):
        rows = activation[branch, layer]
        kept = [inliers(row, study.how.trim) for row in rows]
        for index, (i, j) in enumerate(zip(study.first, study.second, strict=True)):
            keep = kept[i] & kept[j]
            x, y = rows[i][keep], rows[j][keep]
            if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0 and np.isfinite([x, y]).all():
                found[branch, layer, index] = np.corrcoef(x, y)[0, 1]
    return found


def _shares(linear: np.ndarray, nearest: np.ndarray, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear information over mutual information of pairs (..., N), and the ends of the jackknife's interval."""

    def ratio(both: np.ndarray, _distance: np.ndarray) -> np.ndarray:
        above, below = both.mean(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(below > 0, above / below, np.nan))

    both = np.stack([linear, nearest])
    share = ratio(both, sample.distance)
    _, low, high = jackknife(share, sample.replicates(both, ratio))
    # A share is not given where it is lost without one of the occurrences.
    return np.where(np.isnan(low), np.nan, share) if sample.testable else share, low, high
