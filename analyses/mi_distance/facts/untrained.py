"""Is the effect a result of training? The trained model beside several draws of random weights; nothing is subtracted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from analyses.mi_distance.facts.rows import band_values, part_of, verdict_row
from analyses.mi_distance.names import CO_PRIMARY, LESSON
from analyses.occurrences.branches import ATTENTION, BRANCHES, MLP
from analyses.occurrences.facts.counts import in_how_many
from analyses.occurrences.layer_numbers import places
from analyses.records import Study
from analyses.statistics.correlation import kendall_tau
from analyses.value_specs import is_number, key, number

_BANDS = {"early": ("early_layers", "early_difference"), "deep": ("deep_layers", "deep_difference")}


def untrained_facts(dataset: xr.Dataset, study: Study) -> dict[str, Any] | None:
    """The sentences on distance (one a branch, and an answer) and on the order of the branches (one a band); None without that control."""
    if "untrained_mutual_information" not in dataset:
        return None
    # (untrained_seed, estimator, branch, layer, pair)
    values = dataset["untrained_mutual_information"].sel(estimator=list(CO_PRIMARY)).to_numpy()
    tau = kendall_tau(dataset["token_distance"].to_numpy(), values)
    distance = [found for index, branch in enumerate(BRANCHES) if (found := _distance(dataset, branch, tau[:, :, index])) is not None]
    answer = _answer([found["outcome"] for found in distance])
    bands = [found for band in _BANDS if (found := _order(study, band, values.mean(axis=-1))) is not None]
    return {
        "seeds": len(values),
        "distance": distance,
        "told": _told(distance),
        "told_order": _told_order(bands),
        "table": _table([{"branch": branch} | found for branch, found in zip(BRANCHES, distance, strict=False)])
        if len(distance) == len(BRANCHES)
        else [],
        "answer": answer,
        # The same, as the first pages say it.
        "learnt": answer.replace("untrained.answer.", "learnt.untrained.") if answer else None,
        "order": bands,
    }


def _distance(dataset: xr.Dataset, branch: str, tau: np.ndarray) -> dict[str, Any] | None:
    """Mean tau over the layers of one branch: trained, and in every draw; `tau` (untrained_seed, estimator, layer)."""
    values: dict[str, Any] = {"branch": key(f"figure.branch.{branch}"), "seeds": len(tau)}
    trained, untrained = [], []
    for index, estimator in enumerate(CO_PRIMARY):
        here = dataset["kendall_tau"].sel(estimator=estimator, branch=branch).to_numpy()
        if not (np.isfinite(here).all() and np.isfinite(tau[:, index]).all()):
            return None
        mean, draws = float(here.mean()), tau[:, index].mean(axis=-1)
        trained.append(mean)
        untrained.append(draws)
        values |= {
            estimator: number(mean, 2, unit=True),
            f"{estimator}_untrained": number(draws.mean(), 2, unit=True),
            f"{estimator}_low": number(draws.min(), 2, unit=True),
            f"{estimator}_high": number(draws.max(), 2, unit=True),
        }
    # What one draw of random weights shows may be that draw's alone: its numbers are said, and no answer rests on them.
    outcome = _outcome(np.array(trained), np.array(untrained)) if len(tau) > 1 else "one"
    rows = {estimator: {"table": "untrained", "row": f"{branch}-{estimator}"} for estimator in CO_PRIMARY}
    return {"outcome": outcome, "key": f"untrained.distance.{outcome}", "values": values, "rows": rows}


def _table(distance: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of {branch, estimator, trained, untrained, low, high}: the mean taus that the sentences name."""
    ends = {"trained": "", "untrained": "_untrained", "low": "_low", "high": "_high"}
    return [
        {"branch": found["branch"], "estimator": estimator} | {column: found["values"][f"{estimator}{end}"] for column, end in ends.items()}
        for found in distance
        for estimator in CO_PRIMARY
    ]


def _told(distance: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sentences on distance: of both branches together where the same is true of each."""
    outcomes = {found["outcome"] for found in distance}
    if len(distance) < len(BRANCHES) or len(outcomes) > 1 or outcomes <= {"mixed", "one"}:
        alone = [{"key": "untrained.one_draw", "values": {}}] if "one" in outcomes else []
        return [*distance, *alone]
    names = ("histogram", "histogram_untrained", "histogram_low", "histogram_high")
    values = {f"{branch}_{name}": found["values"][name] for branch, found in zip(BRANCHES, distance, strict=True) for name in names}
    rows = {branch: {"table": "untrained", "row": f"{branch}-histogram"} for branch in BRANCHES}
    return [{"key": f"untrained.both.{outcomes.pop()}", "values": {}}, {"key": "untrained.both.numbers", "values": values, "rows": rows}]


def _told_order(bands: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sentences on the order of the branches: of both bands of layers together where the same branch is higher in every draw."""
    outcomes = {found["outcome"] for found in bands}
    if len(bands) < len(_BANDS) or len(outcomes) > 1 or outcomes == {"mixed"}:
        return list(bands)
    values = {"seeds": bands[0]["values"]["seeds"]}
    for band, found in zip(_BANDS, bands, strict=True):
        values |= {band: found["values"]["band"], f"{band}_trained": found["values"]["trained"]}
    return [{"key": f"untrained.order.both.{outcomes.pop()}", "values": values}]


def _outcome(trained: np.ndarray, untrained: np.ndarray) -> str:
    """Trained (estimator,) against untrained (estimator, draw); "mixed" unless every estimator and draw says the same."""
    trained, untrained = trained.round(2), untrained.round(2)  # as printed: what looks alike there is not told apart
    falls, others = trained < 0, untrained < 0
    if falls.all():
        if others.all() and (untrained < trained[:, None]).all():
            return "stronger"
        if others.all() and (untrained > trained[:, None]).all():
            return "weaker"
        return "absent" if not others.any() else "mixed"
    if not falls.any():
        return "only_untrained" if others.all() else ("neither" if not others.any() else "mixed")
    return "mixed"


def _answer(outcomes: list[str]) -> str | None:
    """One answer where both branches give it."""
    if len(outcomes) < len(BRANCHES) or "one" in outcomes:
        return None
    if all(outcome in ("stronger", "weaker") for outcome in outcomes):
        both = outcomes[0] if len(set(outcomes)) == 1 else "both"
        return f"untrained.answer.{both}"
    return "untrained.answer.absent" if set(outcomes) == {"absent"} else "untrained.answer.mixed"


def _order(study: Study, band: str, means: np.ndarray) -> dict[str, Any] | None:
    """In how many draws attention lies above the MLP in a band; `means` (untrained_seed, estimator, branch, layer)."""
    layers = places(study, band)
    if not len(layers):
        return None
    difference = (means[:, :, ATTENTION] - means[:, :, MLP])[..., layers].mean(axis=-1)
    higher, lower = (difference > 0).sum(axis=0), (difference < 0).sum(axis=0)
    seeds = len(difference)
    values: dict[str, Any] = band_values(_BANDS[band][1], study) | {"seeds": seeds}
    for index, estimator in enumerate(CO_PRIMARY):
        values[f"{estimator}_attention"] = in_how_many("draws", int(higher[index]), seeds)
    same = "attention" if (higher == seeds).all() else ("mlp" if (lower == seeds).all() else "mixed")
    # "In every draw" is no word for one draw.
    outcome = same if seeds > 1 else "mixed"
    trained = _trained_order(study, band)
    return {
        "outcome": outcome,
        "key": f"untrained.order.{outcome}",
        "values": values | {"trained": key(f"untrained.trained.{trained}")},
    }


def _trained_order(study: Study, band: str) -> str:
    """Which branch plain mutual information puts higher in the trained model, as both estimators' intervals show it."""
    name, measure = _BANDS[band]
    sign = -1 if band == "early" else 1
    found = set()
    for estimator in CO_PRIMARY:
        row: Mapping[str, Any] | None = verdict_row(study, name, estimator, LESSON)
        part = part_of(row, measure) if row is not None else None
        if part is None or not is_number(part["low"]):
            return "untested"
        low, high = sorted((sign * part["low"], sign * part["high"]))
        found.add("attention" if low > 0 else ("mlp" if high < 0 else "open"))
    return found.pop() if len(found) == 1 else "open"
