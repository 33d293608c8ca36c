"""What was studied and with what: title block, model, text, bands of layers, versions and hashes."""

import math
from typing import Any

from analyses.mi_distance.settings import HypothesisSettings
from analyses.occurrences.facts.counts import counted
from analyses.records import Study
from analyses.value_specs import Spec, exact, exact_interval, listed, number


def thresholds(study: Study) -> dict[str, Any]:
    """The sentence that says whether the verdicts' thresholds are the course's defaults, or which of them were changed to what."""
    given = study["settings"]["hypotheses"]
    defaults = HypothesisSettings().model_dump(mode="json")
    changed = [
        {"key": "thresholds.item", "as": "key", "values": {"name": name, "value": _setting(given[name])}}
        for name, default in defaults.items()
        if name in given and given[name] != default
    ]
    if not changed:
        return {"key": "thresholds.defaults", "values": {}, "changed": False}
    return {"key": "thresholds.changed", "values": {"changes": listed(changed)}, "changed": True}


def _setting(value: Any) -> Spec | str:
    """A setting as it was given: a number with the digits that it has, a range as an interval."""
    if isinstance(value, list | tuple):
        return exact_interval(value[0], value[1])
    return exact(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def limits(study: Study) -> dict[str, Spec | None]:
    """What the methods name of the rules' limits and of the estimators' settings, each written as it was set."""
    rules, trim = study["settings"]["hypotheses"], study["settings"]["estimation"]["trim"]
    return {
        "tau_range": exact_interval(*rules["tau_range"], unit=True),
        "slope_range": exact_interval(*rules["shift_slope_range"]),
        "same_tau_margin": exact(rules["same_tau_margin"], unit=True),
        "level_change": exact(rules["level_change"]),
        "trim": None if trim is None else exact(trim),
    }


def nat(information: float = 0.1) -> dict[str, Any]:
    """What an amount of information means: the correlation of a Gaussian pair that has it (Cover & Thomas 2006, example 8.5.1)."""
    return {"nats": number(information, 1), "correlation": number(math.sqrt(-math.expm1(-2 * information)), 2, unit=True)}


def table_captions(study: Study) -> dict[str, dict[str, Any]]:
    counts = {name: study[name] for name in ("layers", "pairs", "occurrences")} | {
        "alpha": exact(study["settings"]["alpha"], unit=True),
        "pair_count": counted("pairs", study["pairs"]),
    }
    names = (
        "significance",
        "verdicts",
        "parts",
        "linear",
        "layers_histogram",
        "layers_nearest_neighbour",
        "made_with",
        "specifications",
        "detectable",
        "repeated",
        "untrained",
    )
    return dict.fromkeys(names, counts)
