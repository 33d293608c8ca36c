"""The bundle's tidy tables: one row an observation, layers numbered from 1 as in the report."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from analyses.frames import over
from analyses.mi_distance.calibration import calibration_table
from analyses.mi_distance.error_rates import error_rate_table
from analyses.mi_distance.linear_share import linear_table
from analyses.mi_distance.specification_curve import specification_table
from analyses.occurrences.layer_numbers import studied
from analyses.protocol import Results

_VERDICT_COLUMNS = ("statement", "name", "estimator", "control", "verdict", "part", "estimate", "low", "high", "agreeing_layers", "layers")


def tables(results: Results) -> dict[str, pd.DataFrame]:
    """File name without its suffix -> rows."""
    dataset = results.dataset
    found = {
        "layers": _layers(dataset),
        "branches": _branches(dataset),
        "pairs": _pairs(dataset),
        "verdicts": _verdicts(results.study["verdicts"]),
        "verdict_parts": _parts(results.study["verdicts"]),
    }
    if "linear_share" in dataset:
        found["linear"] = linear_table(dataset, results.study["bands"], studied(results.study))
    if "specification" in dataset.dims:
        found["specifications"] = specification_table(dataset, results.study)
        found["calibration"] = calibration_table(dataset)
    if "simulated_test" in dataset.dims:
        found["error_rates"] = error_rate_table(dataset)
    return found


def _layers(dataset: xr.Dataset) -> pd.DataFrame:
    """Both branches of a layer beside each other with everything that compares them: estimator x layer."""
    frame = over(dataset, ("estimator", "layer"))
    for branch in dataset.branch.values.tolist():
        here = dataset.sel(branch=branch)
        for name in ("mean_mutual_information", "kendall_tau", "kendall_p", "mantel_p"):
            frame.insert(2, f"{branch}_{name}", here[name].transpose("estimator", "layer").values.ravel())
    return frame


def _branches(dataset: xr.Dataset) -> pd.DataFrame:
    return over(dataset, ("estimator", "branch", "layer"))


def _pairs(dataset: xr.Dataset) -> pd.DataFrame:
    frame = over(dataset, ("estimator", "branch", "layer", "pair"))
    for position, name in enumerate(("first_occurrence", "second_occurrence", "token_distance"), start=4):
        frame.insert(position, name, dataset[name].values[frame["pair"]])
    # Occurrences, like layers, are numbered from 1 where people read them.
    frame[["pair", "first_occurrence", "second_occurrence"]] += 1
    return frame


def _verdicts(verdicts: list[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{column: row[column] for column in _VERDICT_COLUMNS} for row in verdicts], columns=list(_VERDICT_COLUMNS))


def _parts(verdicts: list[Mapping[str, Any]]) -> pd.DataFrame:
    where = ("statement", "name", "estimator", "control")
    rows = []
    for row in verdicts:
        for part in row["parts"]:
            flat = {name: value for name, value in part.items() if not isinstance(value, Mapping) and name != "wide"}
            before, wide = part.get("before", {}), part.get("wide") or {}
            flat |= {f"wide_{name}": wide.get(name) for name in ("low", "high", "before_low", "before_high")}
            flat |= {"margin": part.get("margin")} | {f"before_{name}": before.get(name) for name in ("estimate", "low", "high")}
            rows.append({column: row[column] for column in where} | flat)
    return pd.DataFrame(rows)
