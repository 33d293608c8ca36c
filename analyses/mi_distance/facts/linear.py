"""Language-neutral values for the section on what MI adds to a linear correlation, and for its figure's caption."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from analyses.mi_distance.calibration import REPETITIONS
from analyses.mi_distance.linear_share import linear_table
from analyses.mi_distance.shown import AXIS, SHARE
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.facts.counts import in_how_many
from analyses.occurrences.layer_numbers import studied
from analyses.protocol import Results
from analyses.value_specs import is_number, key, number, percent

# From this share on, at the lower end of the interval, next to nothing is said to lie beyond the correlation.
NEARLY_ALL = 0.9


def linear_facts(results: Results) -> dict[str, Any] | None:
    """What the prose names under ``linear``: the sentence that the shares over all layers call for; None without such shares."""
    if "linear_share" not in results.dataset:
        return None
    table = linear_table(results.dataset, results.study["bands"], studied(results.study))
    whole = table[table["depth"] == "all"].set_index("branch")
    values: dict[str, Any] = {"limit": percent(NEARLY_ALL)}
    for branch in BRANCHES:
        for name, end in zip(SHARE, ("", "_low", "_high"), strict=True):
            if is_number(whole.loc[branch, name]):
                values[f"{branch}{end}"] = percent(whole.loc[branch, name])
    if not all(branch in values for branch in BRANCHES):
        outcome = "not_testable" if any(branch in values for branch in BRANCHES) else "not_testable.both"
    elif not all(f"{branch}_low" in values for branch in BRANCHES):
        outcome = "no_interval"
    else:
        outcome = "nearly_all" if (whole["linear_share_low"] > NEARLY_ALL).all() else "part"
    led = {branch: {"table": "linear", "row": f"all-{branch}"} for branch in BRANCHES}
    r_squared = float(results.dataset["linear_r_squared"])
    return {
        "sentence": {"key": f"linear.finding.{outcome}", "values": values, "rows": led},
        "lowest": _lowest(table[table["depth"] != "all"], results.dataset),
        "r_squared": number(r_squared, 3, unit=True) if is_number(r_squared) else None,
        "values": int(np.isfinite(results.dataset["linear_information"].to_numpy()).sum()),
        "straight": int(np.isnan(results.dataset["linear_information"].to_numpy()).sum()),
    }


def _lowest(by_depth: pd.DataFrame, dataset: xr.Dataset) -> dict[str, Any] | None:
    """Where by depth the share is lowest, if that is shown to be less than Gaussian pairs have; else None, for nothing is shown.

    Estimates are compared with estimates: at the size of a study's MI the two are not the same of Gaussian pairs either.
    """
    rows = by_depth[by_depth["linear_share_low"].map(is_number)]
    # As printed: of two that are written alike neither is seen to be the lower.
    printed = rows["linear_share"].astype(float).round(2)
    if len(rows) < 2 or (printed == printed.min()).sum() > 1:
        return None
    row = rows.loc[rows["linear_share"].idxmin()]
    gaussian = gaussian_share(dataset, float(row["mutual_information"]))
    # So too an end that is written as the least that the Gaussian pairs' share may be does not lie below it.
    if gaussian is None or round(float(row["linear_share_high"]), 2) >= round(gaussian[1], 2):
        return None
    values: dict[str, Any] = {"depth": key(f"linear.depth.{row['depth']}"), "branch": key(f"branch.named.{row['branch']}")}
    values |= {"gaussian": percent(gaussian[0]), "gaussian_low": percent(gaussian[1]), "rows": len(rows)}
    values |= {name: percent(row[column]) for name, column in zip(("share", "share_low", "share_high"), SHARE, strict=True)}
    led = {"share": {"table": "linear", "row": f"{row['depth']}-{row['branch']}"}}
    return {"key": "linear.lowest", "values": values, "rows": led}


def gaussian_share(dataset: xr.Dataset, nearest_neighbour: float) -> tuple[float, float] | None:
    """The share of Gaussian pairs with such a nearest-neighbour estimate, in nats, and the least that it may be.

    None without a calibration or outside its range. The least is what two standard errors of the calibration's means leave: where
    there is little MI, a hundred pairs do not tell its share to the percent.
    """
    if "calibration_linear" not in dataset:
        return None
    calibrated = dataset.sel(calibrated_estimator="nearest_neighbour")
    estimated, spread = (calibrated[f"calibration_{name}"].to_numpy() for name in ("mean", "spread"))
    linear = dataset["calibration_linear"].to_numpy()
    order = np.argsort(estimated)
    if not max(estimated[order[0]], 0) < nearest_neighbour <= estimated[order[-1]]:
        return None

    def share(means: np.ndarray) -> float:
        return float(np.interp(nearest_neighbour, means[order], linear[order]) / nearest_neighbour)

    return share(estimated), share(estimated + 2 * spread / np.sqrt(REPETITIONS))


def linear_caption(results: Results) -> dict[str, Any]:
    """Placeholder -> value spec of the figure."""
    share = results.dataset["linear_share"].to_numpy()
    bands = np.isfinite(results.dataset["linear_share_low"].to_numpy()).any()

    def of_branch(values: np.ndarray) -> Any:
        found = values[np.isfinite(values)]
        if not len(found):
            return key("figure.linear_share.alt_none")
        return key(
            "figure.linear_share.alt_branch",
            low=percent(found.min()),
            high=percent(found.max()),
            layers=in_how_many("layers", len(found), len(values)),
        )

    drawn = results.dataset[list(SHARE)].to_array().to_numpy()
    beyond = bool((drawn < AXIS[0]).any() or (drawn > AXIS[1]).any())
    return {
        "cut": key("figure.linear_share.cut", low=percent(AXIS[0]), high=percent(AXIS[1])) if beyond else key("figure.linear_share.whole"),
        "intervals": key("figure.intervals.bands" if bands else "figure.linear_share.no_bands"),
        **{branch: of_branch(values) for branch, values in zip(BRANCHES, share, strict=True)},
    }
