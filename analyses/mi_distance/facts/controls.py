"""Whether it is about the word: what becomes of the results once the different-word pairs are subtracted, and other repeated words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from analyses.mi_distance.facts.rows import band_values, part_of, verdict_row
from analyses.mi_distance.names import CO_PRIMARY
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.facts.counts import where
from analyses.occurrences.layer_numbers import places
from analyses.records import Study
from analyses.value_specs import interval, is_number, key, listed, number, percent

# Of many repeated words the first are named and the others counted, unless those are few.
_NAMED, _FEW = 12, 3


def control_facts(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    present = study["controls"]
    controls: dict[str, Any] = {
        "present": any(present.values()),
        **present,
        "primary": study["primary_control"],
        "order": {},
        "told": {},
        "excess": {},
        "repeated": None,
        "headline": None,
        "far_off": {name: _far_off(dataset, present[name] or None) for name in ("different_word", "repeated_words")},
    }
    if present["different_word"]:
        controls["order"] = {band: [_order(study, band, estimator) for estimator in CO_PRIMARY] for band in ("early", "deep")}
        controls["told"] = {band: _told(rows) for band, rows in controls["order"].items()}
        controls["excess"] = _excess(dataset, study)
        controls["headline"] = _headline(controls["order"]["deep"])
    if present["repeated_words"]:
        controls["repeated"] = _repeated(dataset, study)
    return controls


def _far_off(dataset: xr.Dataset, control: dict[str, Any] | None) -> bool:
    """Whether a control's pairs lie at distances so different, by over a tenth of the longest, that what differs may be distance."""
    return control is not None and 10 * control["largest_distance_deviation"] > int(dataset.token_distance.max())


def _headline(rows: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """The sentence on the deep layers' order that the abstract carries: none unless both estimators find the same."""
    keys = {None if row is None else row["key"] for row in rows}
    found = keys.pop() if len(keys) == 1 else None
    if found is None or found == "order.open_before":
        return None
    return {"key": found.replace("order.", "headline.", 1), "values": {}}


def _told(rows: Sequence[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """One sentence where both estimators find the same, with the first one's numbers; the other's are in the table of verdicts."""
    found = [row for row in rows if row is not None]
    if len(found) < 2 or len({row["key"] for row in found}) > 1:
        return found
    return [found[0] | {"key": found[0]["key"].replace("order.", "order.both.", 1)}]


def _order(study: Study, band: str, estimator: str) -> dict[str, Any] | None:
    """Which branch is higher in a band before and after the control is subtracted, and so what became of the order."""
    name, measure = {"early": ("early_layers", "early_difference"), "deep": ("deep_layers", "deep_difference")}[band]
    rows = [verdict_row(study, name, estimator, control) for control in ("none", "different_word")]
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
        "estimator": key(f"estimator.within.{estimator}"),
        "before": number(before[0]),
        "before_interval": interval(before[1], before[2]),
        "after": number(after[0]),
        "after_interval": interval(after[1], after[2]),
        "control": key("control.different_word"),
    }
    # The rows of the table of verdicts that hold the two numbers.
    statement = next(row["statement"] for row in rows if row is not None)
    places = {"before": f"{statement}-{estimator}-none", "after": f"{statement}-{estimator}-different_word"}
    return {"outcome": outcome.split(".")[0], "key": f"order.{outcome}", "values": values, "rows": places}


def _higher(_estimate: float, low: float, high: float) -> str:
    if low > 0:
        return "attention"
    return "mlp" if high < 0 else "open"


def _excess(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    """By branch: the layers whose excess is shown, and how much of the deep layers' MI is there for different words too.

    The share is that of the means over the deep layers; `testable` is False where there are no intervals.
    """
    deep = places(study, "deep")
    found: dict[str, Any] = {"testable": bool(np.isfinite(dataset.word_specific_excess_low).any())}
    for branch in BRANCHES:
        positive, negative, of_estimator = {}, {}, {}
        for estimator in CO_PRIMARY:
            here = dataset.sel(estimator=estimator, branch=branch)
            positive[estimator] = int((here.word_specific_excess_low > 0).sum())
            negative[estimator] = int((here.word_specific_excess_high < 0).sum())
            if len(deep):
                same, control = (
                    float(here[name].isel(layer=deep).mean()) for name in ("mean_mutual_information", "control_mean_mutual_information")
                )
                of_estimator[estimator] = {
                    "same_word": number(same),
                    "control": number(control),
                    "excess": number(same - control),
                    # A share of nothing, or of less, is none.
                    "share": percent(control / same) if same > 0 <= control else None,
                }
        layers = dataset.sizes["layer"]
        found[branch] = {"positive": where(positive, layers), "negative": where(negative, layers), "deep": of_estimator}
    return found


def _repeated(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    """Is it this word, or any that comes again? By branch, over the deep layers."""
    words = study["controls"]["repeated_words"]["words"]
    more = len(words) - _NAMED if len(words) > _NAMED + _FEW else 0
    found: dict[str, Any] = {"words": listed(list(words[: len(words) - more])), "more": more, "count": len(words), "branches": {}}
    for branch in BRANCHES:
        positive = {
            estimator: int((dataset.repeated_words_excess_low.sel(estimator=estimator, branch=branch) > 0).sum())
            for estimator in CO_PRIMARY
        }
        found["branches"][branch] = {"positive": where(positive, dataset.sizes["layer"]), "sentence": None}
        differences = study["controls"]["repeated_words"]["word_minus_repeated_deep"]
        if not differences:
            continue
        values: dict[str, Any] = {"branch": key(f"branch.named.{branch}")}
        sides = set()
        for estimator in CO_PRIMARY:
            row = differences[estimator][branch]
            if not is_number(row["low"]):
                continue
            sides.add("above" if row["low"] > 0 else "below" if row["high"] < 0 else "open")
            values[estimator] = number(row["estimate"])
            values[f"{estimator}_interval"] = interval(row["low"], row["high"])
        if sides:
            side = sides.pop() if len(sides) == 1 else "open"
            found["branches"][branch]["sentence"] = {"key": f"repeated.{side}", "values": values}
    return found
