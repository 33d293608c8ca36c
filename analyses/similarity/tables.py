"""The bundle's tidy tables: one row an observation, layers numbered from 1 as in the report."""

import pandas as pd
import xarray as xr

from analyses.frames import over
from analyses.protocol import Results

_VERDICT_COLUMNS = ("statement", "name", "estimator", "control", "verdict", "part", "estimate", "low", "high", "agreeing_layers", "layers")


def tables(results: Results) -> dict[str, pd.DataFrame]:
    """File name without its suffix -> rows."""
    dataset = results.dataset
    verdicts = pd.DataFrame([{column: row[column] for column in _VERDICT_COLUMNS} for row in results.study["verdicts"]])
    counts = dict.fromkeys(("agreeing_layers", "layers"), "Int64")
    numbers = dict.fromkeys(("estimate", "low", "high"), "float64")
    return {
        "layers": _layers(dataset),
        "branches": over(dataset, ("measure", "branch", "layer")),
        "pairs": _pairs(dataset),
        "verdicts": verdicts.astype(counts | numbers),
    }


def _layers(dataset: xr.Dataset) -> pd.DataFrame:
    """Both branches of a layer beside each other, by every measure: what the report's appendix shows."""
    frame = over(dataset, ("measure", "layer"))
    for branch in dataset.branch.values.tolist():
        here = dataset.sel(branch=branch)
        for name in ("mean_similarity", "selectivity", "selectivity_low", "selectivity_high", "kendall_tau", "mantel_p"):
            if name in here:
                frame[f"{branch}_{name}"] = here[name].transpose("measure", "layer").values.ravel()
    return frame


def _pairs(dataset: xr.Dataset) -> pd.DataFrame:
    frame = over(dataset, ("measure", "branch", "layer", "pair"))
    for name in ("first_occurrence", "second_occurrence", "token_distance"):
        frame[name] = dataset[name].values[frame["pair"]] + (0 if name == "token_distance" else 1)
    return frame.drop(columns="pair")
