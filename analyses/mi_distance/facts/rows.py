"""Finding one verdict in study.json, and the layers it speaks of."""

from collections.abc import Mapping
from typing import Any

from analyses.occurrences.facts.counts import layers_named
from analyses.occurrences.layer_numbers import studied
from analyses.records import Study


def verdict_row(study: Study, name: str, estimator: str, control: str = "none") -> Mapping[str, Any] | None:
    for row in study["verdicts"]:
        if (row["name"], row["estimator"], row["control"]) == (name, estimator, control):
            return row
    return None


def part_of(row: Mapping[str, Any], measure: str) -> Mapping[str, Any]:
    return next(part for part in row["parts"] if part["measure"] == measure)


def band_values(measure: str, study: Study) -> dict[str, Any]:
    everywhere = ("mean_tau", "tau_half", "shift_slope")
    name = None if measure in everywhere else {"early_difference": "early", "tau_difference": "separated"}.get(measure, "deep")
    layers = study["bands"][name] if name else studied(study)
    if not layers:
        return {}
    return {"band": layers_named(layers), "first_layer": layers[0], "last_layer": layers[-1]}
