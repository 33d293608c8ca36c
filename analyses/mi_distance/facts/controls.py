"""What becomes of the results once a control is taken off."""

from collections.abc import Sequence
from typing import Any

import xarray as xr

from analyses.mi_distance.conclusions import CO_PRIMARY
from analyses.mi_distance.facts.rows import Study, band_values, part_of, verdict_row
from analyses.mi_distance.value_specs import interval, is_number, key, number


def control_facts(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    present = study["controls"]
    controls: dict[str, Any] = {
        "present": any(present.values()),
        **present,
        "order": {},
        "excess": {},
        "headline": None,
    }
    if present["different_word"]:
        controls["order"] = {
            band: [_order(study, band, estimator, "different_word") for estimator in CO_PRIMARY] for band in ("early", "deep")
        }
        controls["excess"] = _excess(dataset, study)
        controls["headline"] = _headline(controls["order"]["deep"])
    return controls


def _headline(rows: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """The sentence on the deep layers' order that the abstract carries: a reversal if there is one, else the unbiased estimate's."""
    found = [row for row in rows if row is not None]
    reversals = [row for row in found if row["outcome"] == "reverses"]
    chosen = reversals or found
    return chosen[-1] if chosen else None


def _order(study: Study, band: str, estimator: str, control: str) -> dict[str, Any] | None:
    """Which branch is higher in a band before and after the control is taken off, and so what became of the order."""
    name, measure = {"early": ("early_layers", "early_difference"), "deep": ("deep_layers", "deep_difference")}[band]
    rows = [verdict_row(study, name, estimator, each) for each in ("none", control)]
    parts = [part_of(row, measure) for row in rows if row is not None]
    if len(parts) < 2 or not all(is_number(part["low"]) for part in parts):
        return None
    # Both measures are turned to attention minus MLP.
    sign = -1 if band == "early" else 1
    before, after = ((sign * part["estimate"], *sorted((sign * part["low"], sign * part["high"]))) for part in parts)
    higher = [_higher(*each) for each in (before, after)]
    if higher[0] == "open":
        outcome = "open_before" if higher[1] == "open" else f"appears.{higher[1]}"
    elif higher[1] == "open":
        outcome = f"lost.{higher[0]}"
    else:
        outcome = f"stays.{higher[0]}" if higher[0] == higher[1] else f"reverses.{higher[0]}"
    values = band_values(measure, study) | {
        "estimator": key(f"estimator.{estimator}"),
        "before": number(before[0]),
        "before_interval": interval(before[1], before[2]),
        "after": number(after[0]),
        "after_interval": interval(after[1], after[2]),
        "control": key(f"control.{control}"),
    }
    # The rows of the table of verdicts that hold the two numbers.
    statement = next(row["statement"] for row in rows if row is not None)
    places = {"before": f"{statement}-{estimator}-none", "after": f"{statement}-{estimator}-{control}"}
    return {"outcome": outcome.split(".")[0], "key": f"order.{outcome}", "values": values, "rows": places}


def _higher(_estimate: float, low: float, high: float) -> str:
    if low > 0:
        return "attention"
    return "mlp" if high < 0 else "open"


def _excess(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    """Per co-primary estimator and branch: the layers whose same-word mean leaves the draws' range, and those whose excess is shown."""
    found: dict[str, Any] = {}
    deep = [layer - 1 for layer in study["bands"]["deep"]]
    for estimator in CO_PRIMARY:
        found[estimator] = {}
        for branch in dataset.branch.values.tolist():
            here = dataset.sel(estimator=estimator, branch=branch)
            found[estimator][branch] = {
                "above_control": int((here.mean_mutual_information > here.control_mean_mutual_information_high).sum()),
                "below_control": int((here.mean_mutual_information < here.control_mean_mutual_information_low).sum()),
                "excess_positive": int((here.word_specific_excess_low > 0).sum()),
                "excess_negative": int((here.word_specific_excess_high < 0).sum()),
                "deep_same_word": number(float(here.mean_mutual_information.isel(layer=deep).mean())) if deep else None,
                "deep_control": number(float(here.control_mean_mutual_information.isel(layer=deep).mean())) if deep else None,
                "deep_excess": number(float(here.word_specific_excess.isel(layer=deep).mean())) if deep else None,
            }
    return found
