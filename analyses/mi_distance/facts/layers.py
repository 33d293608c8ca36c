"""What the layers show, counted: significance under every correction, taus, bias, power, agreement of the estimators."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from analyses.mi_distance.facts.by_branch import by_branch, sides
from analyses.mi_distance.facts.rows import verdict_row
from analyses.mi_distance.names import CO_PRIMARY, CORRECTIONS, ESTIMATORS
from analyses.occurrences.facts.captured import numbers
from analyses.occurrences.facts.counts import where
from analyses.occurrences.layer_numbers import studied
from analyses.records import Study
from analyses.value_specs import Spec, is_number, key, listed, number, percent

# The correction that the text quotes; the others are in the table.
_QUOTED_CORRECTION = "fdr_bh"
_TESTS = {
    "t": "t_p",
    "jackknife": "mi_difference_p",
    "fisher": "fisher_p",
    "fieller": "fisher_p_fieller",
    "tau_relabelling": "tau_difference_p",
}


# The tests that compare the two branches' taus.
_TAU_TESTS = ("fisher", "fieller", "tau_relabelling")
_SIDES = ("attention_higher", "mlp_higher")


def significance_table(dataset: xr.Dataset, alpha: float) -> list[dict[str, Any]]:
    """Significant layers of every test under every correction; None where no layer is testable."""
    rows = []
    for test, p in _TESTS.items():
        for estimator in ESTIMATORS:
            row: dict[str, Any] = {"test": test, "estimator": estimator, "layers": dataset.sizes["layer"]}
            for correction in CORRECTIONS:
                adjusted = _adjusted(dataset, p, correction, estimator)
                row[correction] = int(np.sum(adjusted < alpha)) if np.isfinite(adjusted).any() else None
            rows.append(row)
    return rows


def significant_counts(dataset: xr.Dataset, alpha: float) -> dict[str, Any]:
    """The counts that the text quotes: with direction, after the quoted correction, for the co-primary estimators."""
    counts: dict[str, Any] = {"correction": key(f"correction.{_QUOTED_CORRECTION}")}
    for test, p in _TESTS.items():
        difference = "mi_difference" if test in ("t", "jackknife") else "tau_difference"
        counts[test] = {}
        for estimator in CO_PRIMARY:
            significant = _adjusted(dataset, p, _QUOTED_CORRECTION, estimator) < alpha
            attention = dataset[difference].sel(estimator=estimator).values > 0
            counts[test][estimator] = {
                "all": int(significant.sum()),
                "attention_higher": int((significant & attention).sum()),
                "mlp_higher": int((significant & ~attention).sum()),
            }
        of_side = {side: {estimator: counts[test][estimator][side] for estimator in CO_PRIMARY} for side in counts[test][CO_PRIMARY[0]]}
        counts[test]["where"] = where(of_side["all"], dataset.sizes["layer"])
        # Of no layer there are no sides to tell.
        counts[test]["sides"] = {side: sides(of_side[side]) for side in _SIDES} if any(of_side["all"].values()) else None
    return counts | {"taus": _alike({test: counts[test]["where"] for test in _TAU_TESTS})}


def _alike(found: Mapping[str, Spec]) -> list[dict[str, Any]]:
    """Rows of {tests, where, row}: tests that find the same are named together, and lead to the first one's row."""
    rows: list[dict[str, Any]] = []
    for test, count in found.items():
        row = next((row for row in rows if row["where"] == count), None)
        if row is None:
            row = {"names": [], "where": count, "row": f"{test}-{CO_PRIMARY[0]}"}
            rows.append(row)
        row["names"].append(key(f"test.within.{test}"))
    return [{"tests": listed(row["names"]), "where": row["where"], "row": row["row"]} for row in rows]


def differing_layers(dataset: xr.Dataset, layers: Sequence[int], alpha: float) -> Spec | None:
    """The layers, by their numbers, whose branches differ by the corrected jackknife, as the figure of the profile marks them.

    None where no layer is testable.
    """
    found: dict[str, Spec] = {}
    for estimator in CO_PRIMARY:
        adjusted = _adjusted(dataset, _TESTS["jackknife"], _QUOTED_CORRECTION, estimator)
        if not np.isfinite(adjusted).any():
            return None
        these = [number for number, differs in zip(layers, adjusted < alpha, strict=True) if differs]
        form = "these" if len(these) > 1 else "one"
        found[estimator] = key(f"differing_layers.{form}", layers=numbers(these)) if these else key("differing_layers.none")
    return key("differing_layers", **found)


def _adjusted(dataset: xr.Dataset, p: str, correction: str, estimator: str) -> np.ndarray:
    name = p if correction == "none" else f"{p}_{correction}"
    return dataset[name].sel(estimator=estimator).values


def bias_shares(dataset: xr.Dataset) -> dict[str, Any]:
    """The share of the plug-in estimate that random relabelling of the dimensions reaches too: the mean of the layers' shares."""
    mean = dataset.mean_mutual_information
    plug_in, corrected = (mean.sel(estimator=name) for name in ("histogram", "corrected"))
    share = (1 - corrected / plug_in.where(plug_in > 0)).mean("layer")
    found = {branch: float(share.sel(branch=branch)) for branch in dataset.branch.values.tolist()}
    return {branch: percent(value) if is_number(value) else None for branch, value in found.items()}


def tau_description(dataset: xr.Dataset, alpha: float, numbers: Sequence[int]) -> dict[str, Any]:
    """Per estimator and branch: the mean tau, its extremes and their layers, and in how many it is negative, and is so by the Mantel test.

    `numbers` are those of the layers, as the model counts them.
    """
    described: dict[str, Any] = {"testable": bool(np.isfinite(dataset.kendall_tau).any(dim="layer").all())}
    for estimator in CO_PRIMARY:
        described[estimator] = {}
        for branch in dataset.branch.values.tolist():
            tau = dataset.kendall_tau.sel(estimator=estimator, branch=branch).values
            described[estimator][branch] = {
                "mean": number(np.nanmean(tau), 2, unit=True) if np.isfinite(tau).any() else None,
                "lowest": number(np.nanmin(tau), 2, unit=True) if np.isfinite(tau).any() else None,
                "lowest_layer": str(numbers[int(np.nanargmin(tau))]) if np.isfinite(tau).any() else None,
                "highest": number(np.nanmax(tau), 2, unit=True) if np.isfinite(tau).any() else None,
                "highest_layer": str(numbers[int(np.nanargmax(tau))]) if np.isfinite(tau).any() else None,
                "negative": int(np.sum(tau < 0)),
                "mantel": int(np.sum(dataset.mantel_p.sel(estimator=estimator, branch=branch).values < alpha)),
                "kendall": int(np.sum(dataset.kendall_p.sel(estimator=estimator, branch=branch).values < alpha)),
            }
    branches = dataset.branch.values.tolist()
    described["where"] = {
        name: by_branch(
            {branch: {estimator: described[estimator][branch][name] for estimator in CO_PRIMARY} for branch in branches},
            dataset.sizes["layer"],
        )
        for name in ("negative", "mantel")
    }
    return described


def power_facts(dataset: xr.Dataset) -> dict[str, Any] | None:
    """What the study could have shown: over the layers, the least assumed difference that it would have seen."""
    found: dict[str, Any] = {}
    for estimator in CO_PRIMARY:
        detectable = dataset.minimal_detectable_difference.sel(estimator=estimator).values
        if not np.isfinite(detectable).any():
            return None
        found[estimator] = {
            "smallest": number(np.nanmin(detectable)),
            "median": number(np.nanmedian(detectable)),
            "largest": number(np.nanmax(detectable)),
        }
    found["table"] = [{"estimator": estimator} | found[estimator] for estimator in CO_PRIMARY]
    return found


def shift_facts(dataset: xr.Dataset, study: Study) -> dict[str, Any] | None:
    """How the histogram and the nearest-neighbour layer means go together, and what their known bias alone would make of it."""
    agreement = study["estimator_agreement"]["histogram"]
    names = ("shift_slope", "shift_concordance", "shift_rank_correlation")
    if not all(is_number(agreement[name]) for name in names):
        return None
    found: dict[str, Any] = {
        "slope": number(agreement["shift_slope"], 2),
        "concordance": number(agreement["shift_concordance"], 3, unit=True),
        "rank_correlation": number(agreement["shift_rank_correlation"], 3, unit=True),
        "one_layer": None,
        "predicted": _predicted(dataset, study),
    }
    if is_number(agreement["least_squares_slope_without"]):
        values = {
            "whole": number(agreement["least_squares_slope"], 2),
            "without": number(agreement["least_squares_slope_without"], 2),
            "layer": studied(study)[int(agreement["most_influential_layer"])],
        }
        found["one_layer"] = {"key": "shift.one_layer", "values": values}
    return found


def _predicted(dataset: xr.Dataset, study: Study) -> dict[str, Any] | None:
    """The slope that the calibration on Gaussian pairs predicts over the histogram's range of layer means, against the interval."""
    slope = predicted_slope(dataset)
    row = verdict_row(study, "constant_shift", "histogram")
    if slope is None or row is None or not is_number(row["low"]):
        return None
    low, high = study["settings"]["hypotheses"]["shift_slope_range"]
    if low <= row["estimate"] <= high or row["verdict"] == "not_testable":
        # There is no deviation to explain.
        return None
    side = "above" if slope > row["high"] else "below" if slope < row["low"] else "inside"
    return {"key": f"shift.predicted.{side}", "values": {"predicted": number(slope, 2)}}


def predicted_slope(dataset: xr.Dataset) -> float | None:
    """Median slope between the layer means of the histogram and what nearest neighbours give Gaussian pairs of the same histogram MI.

    None without a calibration, or where fewer than two layer means lie in its range.
    """
    if "calibration_mean" not in dataset:
        return None
    histogram, near = (dataset.calibration_mean.sel(calibrated_estimator=name).to_numpy() for name in ("histogram", "nearest_neighbour"))
    order = np.argsort(histogram)
    means = np.unique(dataset.mean_mutual_information.sel(estimator="histogram").to_numpy())
    means = means[(means >= histogram.min()) & (means <= histogram.max())]
    if len(means) < 2:
        return None
    expected = np.interp(means, histogram[order], near[order])
    first, second = np.triu_indices(len(means), k=1)
    return float(np.median((expected[second] - expected[first]) / (means[second] - means[first])))
