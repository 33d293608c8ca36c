"""Whether it is about the word: what becomes of the results once the different-word pairs are subtracted, and other repeated words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from analyses.mi_distance.facts.by_branch import by_branch
from analyses.mi_distance.facts.rows import band_values, part_of, verdict_row
from analyses.mi_distance.names import CO_PRIMARY
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import places
from analyses.records import Study
from analyses.value_specs import Spec, exact, interval, is_number, key, listed, number, percent

# Of many repeated words the first are named and the others counted, unless those are few.
_NAMED, _FEW = 12, 3
# The share of 95% intervals about zero that lie on one side of it by chance.
_BEYOND = 0.025


def control_facts(dataset: xr.Dataset, study: Study, untrained: Mapping[str, Any] | None = None) -> dict[str, Any]:
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
    # Which tables of the controls' numbers there are.
    numbers = {"repeated": bool(controls["repeated"]), "untrained": bool(untrained and untrained["table"])}
    controls["numbers"] = numbers if any(numbers.values()) else None
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
    # The rows of the table of verdicts that hold the two numbers: a row whose statement another part decided shows that part's instead.
    led = {
        name: {"table": "verdicts", "row": f"{row['statement']}-{row['estimator']}-{row['control']}"}
        for name, row in zip(("before", "after"), rows, strict=True)
        if row is not None and row["part"] == measure
    }
    return {"outcome": outcome.split(".")[0], "key": f"order.{outcome}", "values": values, "rows": led}


def _higher(_estimate: float, low: float, high: float) -> str:
    if low > 0:
        return "attention"
    return "mlp" if high < 0 else "open"


def _excess(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    """By branch: the layers whose excess is shown, and how much of the deep layers' MI is there for different words too.

    The share is that of the means over the deep layers; `testable` is False where there are no intervals. `unshown` says that there
    are no more intervals above zero than chance would make.
    """
    deep = places(study, "deep")
    found: dict[str, Any] = {}
    positive: dict[str, dict[str, int]] = {branch: {} for branch in BRANCHES}
    negative: dict[str, dict[str, int]] = {branch: {} for branch in BRANCHES}
    for branch in BRANCHES:
        of_estimator = {}
        for estimator in CO_PRIMARY:
            here = dataset.sel(estimator=estimator, branch=branch)
            positive[branch][estimator] = int((here.word_specific_excess_low > 0).sum())
            negative[branch][estimator] = int((here.word_specific_excess_high < 0).sum())
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
        found[branch] = {"deep": of_estimator}
    found |= {"unshown": None, "chance": None}
    intervals = int(np.isfinite(dataset.word_specific_excess_low.sel(estimator=list(CO_PRIMARY))).sum())
    if intervals:
        found["sentence"] = _where_shown(positive, negative, dataset.sizes["layer"])
        if found["sentence"]["key"] != "excess.nowhere":
            found["chance"] = _by_chance(intervals)
        above = sum(count for of_branch in positive.values() for count in of_branch.values())
        found["unshown"] = _unshown(above, intervals)
    return found | {"testable": intervals > 0}


def _unshown(above: int, intervals: int) -> Spec | None:
    """The sentence of the abstract that no more intervals lie above zero than chance puts there; None where more do."""
    if above > _BEYOND * intervals:
        return None
    return key("abstract.excess.by_chance", above=above, intervals=intervals) if above else key("abstract.excess.nowhere")


def _by_chance(intervals: int) -> dict[str, Any]:
    """The sentence on how many of so many intervals would lie on one side of zero without any excess."""
    values = {"share": percent(_BEYOND, 1), "intervals": intervals, "expected": exact(round(_BEYOND * intervals, 1))}
    return {"key": "excess.chance", "values": values}


def _where_shown(positive: Mapping[str, Mapping[str, int]], negative: Mapping[str, Mapping[str, int]], layers: int) -> dict[str, Any]:
    """The sentence on the layers in which the interval of the excess leaves out zero."""
    counts = {"positive": positive, "negative": negative}
    shown = [name for name, found in counts.items() if any(count for of_branch in found.values() for count in of_branch.values())]
    if not shown:
        return {"key": "excess.nowhere", "values": {}}
    values = {name: by_branch(found, layers) for name, found in counts.items()}
    return {"key": "excess.where" if len(shown) == 2 else f"excess.only_{shown[0]}", "values": values}


def _repeated(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    """Is it this word, or any that comes again? By branch, over the deep layers."""
    words = study["controls"]["repeated_words"]["words"]
    more = len(words) - _NAMED if len(words) > _NAMED + _FEW else 0
    above = dataset.repeated_words_excess_low > 0
    positive = {
        branch: {estimator: int(above.sel(estimator=estimator, branch=branch).sum()) for estimator in CO_PRIMARY} for branch in BRANCHES
    }
    named = [key("controls.word", word=word) for word in words[: len(words) - more]]
    return {
        "words": listed(named),
        "more": more,
        "count": len(words),
        "positive": by_branch(positive, dataset.sizes["layer"]),
        "sentences": _against_repeated(study["controls"]["repeated_words"]["word_minus_repeated_deep"]),
        "table": _repeated_table(study["controls"]["repeated_words"]["word_minus_repeated_deep"], positive, dataset.sizes["layer"]),
    }


def _against_repeated(differences: Mapping[str, Mapping[str, Mapping[str, Any]]] | None) -> list[dict[str, Any]]:
    """The word against the other repeated words over the deep layers; `differences` by estimator and branch.

    One sentence of both branches where they are found on the same side, else one of each.
    """
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for branch in BRANCHES if differences else ():
        rows = {estimator: differences[estimator][branch] for estimator in CO_PRIMARY} if differences else {}
        if not all(is_number(row["low"]) for row in rows.values()):
            continue
        sides = {"above" if row["low"] > 0 else "below" if row["high"] < 0 else "open" for row in rows.values()}
        values: dict[str, Any] = {estimator: number(row["estimate"]) for estimator, row in rows.items()}
        values |= {f"{estimator}_interval": interval(row["low"], row["high"]) for estimator, row in rows.items()}
        found[branch] = (sides.pop() if len(sides) == 1 else "open", values)
    if len(found) == len(BRANCHES) and len({side for side, _ in found.values()}) == 1:
        side = found[BRANCHES[0]][0]
        together = {f"{branch}_{name}": value for branch, (_, values) in found.items() for name, value in values.items()}
        rows = {f"{branch}_{estimator}": _repeated_row(branch, estimator) for branch in BRANCHES for estimator in CO_PRIMARY}
        return [{"key": f"repeated.both.{side}", "values": together, "rows": rows}]
    return [
        {
            "key": f"repeated.{side}",
            "values": {"branch": key(f"branch.named.{branch}")} | values,
            "rows": {estimator: _repeated_row(branch, estimator) for estimator in CO_PRIMARY},
        }
        for branch, (side, values) in found.items()
    ]


def _repeated_row(branch: str, estimator: str) -> dict[str, str]:
    return {"table": "repeated", "row": f"{branch}-{estimator}"}


def _repeated_table(
    differences: Mapping[str, Mapping[str, Mapping[str, Any]]] | None, positive: Mapping[str, Mapping[str, int]], layers: int
) -> list[dict[str, Any]]:
    """Rows of {branch, estimator, shown, shown_interval, positive}: the word minus the others, and where the others' excess is shown."""
    rows = []
    for branch in BRANCHES:
        for estimator in CO_PRIMARY:
            found: Mapping[str, Any] = differences[estimator][branch] if differences else dict.fromkeys(("estimate", "low", "high"))
            rows.append(
                {
                    "branch": branch,
                    "estimator": estimator,
                    "shown": number(found["estimate"]) if is_number(found["estimate"]) else None,
                    "shown_interval": interval(found["low"], found["high"]) if is_number(found["low"]) else None,
                    "positive": key("answers.layers.alike", first=positive[branch][estimator], layers=layers),
                }
            )
    return rows
