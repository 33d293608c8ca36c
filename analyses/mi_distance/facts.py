"""Language-neutral values for the prose: which sentence of the catalogue is true, and the numbers to put into it.

Nothing here is worded. A sentence's key is built from a verdict, so that what the report says is what the numbers earned.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from analyses.mi_distance.conclusions import CO_PRIMARY
from analyses.mi_distance.figure_captions import captions as figure_captions
from analyses.mi_distance.names import CONTROLS, CORRECTIONS, ESTIMATORS, VERDICTS
from analyses.mi_distance.robustness_facts import robustness_captions, robustness_facts
from analyses.mi_distance.value_specs import interval, is_number, key, listed, number, percent
from analyses.protocol import Results

Study = Mapping[str, Any]

# How each measure is printed: digits, and whether it is bounded by 1.
_PRINTED = {"mean_tau": (2, True), "tau_difference": (2, True), "shift_slope": (2, False)}
# The correction that the text quotes; the others are in the table.
_QUOTED_CORRECTION = "fdr_bh"
_TESTS = {
    "t": "t_p",
    "jackknife": "mi_difference_p",
    "fisher": "fisher_p",
    "fieller": "fisher_p_fieller",
    "tau_relabelling": "tau_difference_p",
}


def facts(results: Results) -> dict[str, Any]:
    """Everything that templates may name, at the top level of their context."""
    dataset, study = results.dataset, results.study
    settings = study["settings"]
    statements = [_statement(row, study) for row in study["conclusions"]]
    return {
        "document": _title_block(settings),
        "headings": {"word": settings["word"], "model": _model(study)["label"]},
        "word": settings["word"],
        "settings": settings,
        "size": {name: study[name] for name in ("layers", "dimensions", "occurrences", "pairs")} | {"tokens": _token_count(study)},
        "model": _model(study),
        "source": _text(study),
        "bands": _bands(study),
        "distances": {"shortest": int(dataset.token_distance.min()), "longest": int(dataset.token_distance.max())},
        "statements": statements,
        "findings": [statement["finding"] for statement in statements],
        "counts": {verdict: sum(statement["verdict"] == verdict for statement in statements) for verdict in VERDICTS},
        "conclusion_lists": _conclusion_lists(statements),
        "verdict_table": _verdict_table(study),
        "significance": _significance(dataset, settings["alpha"]),
        "significant": _significant_counts(dataset, settings["alpha"]),
        "bias": _bias(dataset),
        "tau": _tau(dataset, settings["alpha"]),
        "controls": _controls(dataset, study),
        "power": _power(dataset),
        "robustness": robustness_facts(results),
        "shift": _shift(study),
        "testable": study["occurrences"] > 3,
        "reproduce": _reproduce(study),
        "captions": figure_captions(results) | robustness_captions(results) | _table_captions(study),
    }


def _conclusion_lists(statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One sentence for each verdict that was reached: which statements reached it."""
    lists = []
    for verdict in VERDICTS:
        names = [key(f"statement.{statement['name']}.short") for statement in statements if statement["verdict"] == verdict]
        if names:
            lists.append({"verdict": verdict, "key": f"conclusion.{verdict}", "values": {"names": listed(names)}})
    return lists


def _title_block(settings: Mapping[str, Any]) -> dict[str, Any]:
    document = settings["document"]
    return {name: value for name, value in document.items() if value} | {"word": settings["word"]}


def _token_count(study: Study) -> int | None:
    return len(study["text"]["tokens"]) if study["text"] else None


def _model(study: Study) -> dict[str, Any]:
    model = study["provenance"]["model"]
    name = model.get("name") or model.get("file")
    # On the hub the owner stands before the name; the prose needs the name alone.
    return {"name": name, "label": name.rsplit("/", 1)[-1], "source": model["source"].replace(" ", "_")} | {
        "module_names": {branch: ", ".join(names) for branch, names in model.get("modules", {}).items()},
    }


def _text(study: Study) -> dict[str, Any] | None:
    """The text cut into segments; a segment that is an occurrence carries its number and token position."""
    if not study["text"]:
        return None
    text, segments, end = study["text"]["text"], [], 0
    for index, occurrence in enumerate(study["text"]["occurrences"], start=1):
        segments.append({"text": text[end : occurrence["start"]], "occurrence": None})
        segments.append({"text": text[occurrence["start"] : occurrence["end"]], "occurrence": index, "position": occurrence["tokens"][-1]})
        end = occurrence["end"]
    segments.append({"text": text[end:], "occurrence": None})
    pieces = [study["text"]["tokens"][token] for token in study["text"]["occurrences"][0]["tokens"]]
    return {"segments": segments, "pieces": pieces, "tokens_per_word": len(pieces)}


def _bands(study: Study) -> dict[str, Any]:
    bands = {}
    for name, layers in study["bands"].items():
        bands[name] = {"first": layers[0], "last": layers[-1], "count": len(layers)} if layers else None
    return bands


def _row(study: Study, name: str, estimator: str, control: str = "none") -> Mapping[str, Any] | None:
    for row in study["verdicts"]:
        if (row["name"], row["estimator"], row["control"]) == (name, estimator, control):
            return row
    return None


def _part(row: Mapping[str, Any], measure: str) -> Mapping[str, Any]:
    return next(part for part in row["parts"] if part["measure"] == measure)


def _key(prefix: str, verdict: str, side: str | None) -> str:
    return ".".join(word for word in (prefix, verdict, side) if word)


def _statement(conclusion: Mapping[str, Any], study: Study) -> dict[str, Any]:
    name, verdict = conclusion["name"], conclusion["verdict"]
    parts = [_part_facts(name, part, study) for part in conclusion["parts"]]
    side = conclusion["parts"][0]["side"] if len(parts) == 1 else None
    values = dict(parts[0]["values"])
    values["parts"] = len(parts)
    for each in VERDICTS:
        values[f"parts_{each}"] = sum(part["verdict"] == each for part in parts)
    return {
        "number": conclusion["statement"],
        "name": name,
        "verdict": verdict,
        "finding": {
            "id": name,
            "number": conclusion["statement"],
            "verdict": verdict,
            "key": _key(f"finding.{name}", verdict, side),
            "values": values,
        },
        "abstract": {"key": _key(f"abstract.{name}", verdict, side), "values": values},
        "parts": parts if len(parts) > 1 else [],
        "reason": _reason(name, verdict, study),
        "estimators": _disagreement("estimators.", conclusion["estimators_disagree"], study, name),
        "controls": _disagreement("controls.", conclusion["controls_disagree"], study, name),
    }


def _part_facts(name: str, part: Mapping[str, Any], study: Study) -> dict[str, Any]:
    measure = part["measure"]
    digits, unit = _PRINTED.get(measure, (3, False))
    values: dict[str, Any] = _band_values(measure, study) | {"occurrences": study["occurrences"]}
    for estimator in CO_PRIMARY:
        row = _row(study, name, estimator)
        if row is None:
            continue
        found = _part(row, measure)
        if is_number(found["estimate"]) and is_number(found["low"]):
            values[estimator] = number(found["estimate"], digits, unit=unit)
            # A sentence that names the higher side gives the size of the difference, not its sign.
            values[f"{estimator}_reversed"] = number(-found["estimate"], digits, unit=unit)
            values[f"{estimator}_interval"] = interval(found["low"], found["high"], digits, unit=unit)
            values[f"{estimator}_interval_reversed"] = interval(-found["high"], -found["low"], digits, unit=unit)
        if found["agreeing_layers"] is not None:
            values[f"{estimator}_layers"] = found["agreeing_layers"]
            values[f"{estimator}_other_layers"] = found["layers"] - found["agreeing_layers"]
            values["layers"] = found["layers"]
    settings = study["settings"]["hypotheses"]
    values["tau_low"], values["tau_high"] = (number(end, 2, unit=True) for end in settings["tau_range"])
    values["slope_low"], values["slope_high"] = (number(end, 1) for end in settings["shift_slope_range"])
    values["margin"] = number(settings["same_tau_margin"], 1, unit=True)
    return {
        "measure": measure,
        "verdict": part["verdict"],
        "key": _key(f"part.{measure}", part["verdict"], part["side"]),
        "values": values,
    }


def _band_values(measure: str, study: Study) -> dict[str, Any]:
    name = {"early_difference": "early", "tau_difference": "separated", "mean_tau": None, "shift_slope": None}.get(measure, "deep")
    layers = study["bands"][name] if name else list(range(1, study["layers"] + 1))
    if not layers:
        return {}
    ends = {"first": layers[0], "last": layers[-1]}
    band = {"key": "layers.one" if len(layers) == 1 else "layers.range", "as": "key", "values": ends}
    return {"band": band, "first_layer": layers[0], "last_layer": layers[-1]}


def _reason(name: str, verdict: str, study: Study) -> str | None:
    """Why nothing could be concluded: the estimators differ, or the interval leaves it open, or the layers differ."""
    if verdict != "inconclusive":
        return None
    rows = [row for row in (_row(study, name, estimator) for estimator in CO_PRIMARY) if row is not None]
    if len({(row["verdict"], row["parts"][0]["side"]) for row in rows}) > 1:
        return "reason.estimators"
    if len(rows[0]["parts"]) > 1:
        return "reason.parts"
    low, high, rule = rows[0]["low"], rows[0]["high"], rows[0]["parts"][0]["measure"]
    ranges = {"mean_tau": study["settings"]["hypotheses"]["tau_range"], "shift_slope": study["settings"]["hypotheses"]["shift_slope_range"]}
    if rule in ranges:
        inside = ranges[rule][0] <= low and high <= ranges[rule][1]
        return "reason.layers" if inside else "reason.range"
    return "reason.layers" if low > 0 or high < 0 else "reason.interval"


def _disagreement(prefix: str, rows: Sequence[Mapping[str, Any]], study: Study, name: str) -> dict[str, Any] | None:
    """The sentence that says whether the verdict stands with another estimator, or with a control taken off."""
    of_kind = [row for row in study["verdicts"] if row["name"] == name and (row["control"] == "none") == (prefix == "estimators.")]
    if not of_kind:
        return None
    if not rows:
        return {"key": f"{prefix}same", "values": {"count": len(of_kind)}}
    items = [
        {
            "key": f"{prefix}item",
            "as": "key",
            "values": {
                "estimator": key(f"estimator.{row['estimator']}"),
                "control": key(f"control.{row['control']}"),
                "verdict": key(f"verdict.{row['verdict']}"),
            },
        }
        for row in rows
    ]
    return {"key": f"{prefix}differ", "values": {"items": listed(items), "count": len(of_kind), "differing": len(rows)}}


def _verdict_table(study: Study) -> list[dict[str, Any]]:
    """One row for every statement, estimator and control, with its numbers as they stand in study.json."""
    return [
        {name: row[name] for name in ("statement", "name", "estimator", "control", "verdict", "estimate", "low", "high")}
        | {"agreeing_layers": row["agreeing_layers"], "layers": row["layers"]}
        for row in study["verdicts"]
    ]


def _adjusted(dataset: xr.Dataset, p: str, correction: str, estimator: str) -> np.ndarray:
    name = p if correction == "none" else f"{p}_{correction}"
    return dataset[name].sel(estimator=estimator).values


def _significance(dataset: xr.Dataset, alpha: float) -> list[dict[str, Any]]:
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


def _significant_counts(dataset: xr.Dataset, alpha: float) -> dict[str, Any]:
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
    return counts


def _bias(dataset: xr.Dataset) -> dict[str, Any]:
    """The share of the plug-in estimate that random relabelling of the dimensions reaches too."""
    mean = dataset.mean_mutual_information
    plug_in, corrected = (mean.sel(estimator=name).mean("layer") for name in ("histogram", "corrected"))
    share = 1 - corrected / plug_in
    return {branch: percent(float(share.sel(branch=branch))) for branch in dataset.branch.values.tolist()}


def _tau(dataset: xr.Dataset, alpha: float) -> dict[str, Any]:
    """Per estimator and branch: the mean tau, the layers with a negative one, and those where the Mantel test shows it."""
    described: dict[str, Any] = {"testable": bool(np.isfinite(dataset.kendall_tau).any(dim="layer").all())}
    for estimator in CO_PRIMARY:
        described[estimator] = {}
        for branch in dataset.branch.values.tolist():
            tau = dataset.kendall_tau.sel(estimator=estimator, branch=branch).values
            described[estimator][branch] = {
                "mean": number(np.nanmean(tau), 2, unit=True) if np.isfinite(tau).any() else None,
                "lowest": number(np.nanmin(tau), 2, unit=True) if np.isfinite(tau).any() else None,
                "highest": number(np.nanmax(tau), 2, unit=True) if np.isfinite(tau).any() else None,
                "negative": int(np.sum(tau < 0)),
                "mantel": int(np.sum(dataset.mantel_p.sel(estimator=estimator, branch=branch).values < alpha)),
                "kendall": int(np.sum(dataset.kendall_p.sel(estimator=estimator, branch=branch).values < alpha)),
            }
    return described


def _controls(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    present = {name: study["controls"].get(name) for name in CONTROLS[1:]}
    controls: dict[str, Any] = {
        "present": any(present.values()),
        **present,
        "order": {},
        "untrained_order": {},
        "excess": {},
        "headline": None,
    }
    for control, target in (("different_word", "order"), ("untrained", "untrained_order")):
        if present[control]:
            controls[target] = {band: [_order(study, band, estimator, control) for estimator in CO_PRIMARY] for band in ("early", "deep")}
    if present["different_word"]:
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
    rows = [_row(study, name, estimator, each) for each in ("none", control)]
    parts = [_part(row, measure) for row in rows if row is not None]
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
    values = _band_values(measure, study) | {
        "estimator": key(f"estimator.{estimator}"),
        "before": number(before[0]),
        "before_interval": interval(before[1], before[2]),
        "after": number(after[0]),
        "after_interval": interval(after[1], after[2]),
        "control": key(f"control.{control}"),
    }
    return {"outcome": outcome.split(".")[0], "key": f"order.{outcome}", "values": values}


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


def _power(dataset: xr.Dataset) -> dict[str, Any] | None:
    """What the study could have shown: over the layers, the differences it would have seen, and the occurrences needed for its own."""
    found: dict[str, Any] = {}
    for estimator in CO_PRIMARY:
        detectable = dataset.minimal_detectable_difference.sel(estimator=estimator).values
        needed = dataset.occurrences_needed.sel(estimator=estimator).values
        if not np.isfinite(detectable).any():
            return None
        found[estimator] = {
            "smallest": number(np.nanmin(detectable)),
            "median": number(np.nanmedian(detectable)),
            "largest": number(np.nanmax(detectable)),
            "needed_median": int(np.median(needed)) if np.isfinite(np.median(needed)) else None,
            "within_reach": int(np.sum(needed <= dataset.sizes["occurrence"])),
        }
    return found


def _shift(study: Study) -> dict[str, Any] | None:
    agreement = study["estimator_agreement"]["histogram"]
    if not all(is_number(value) for value in agreement.values()):
        return None
    return {
        "slope": number(agreement["shift_slope"], 2),
        "concordance": number(agreement["shift_concordance"], 3, unit=True),
        "rank_correlation": number(agreement["shift_rank_correlation"], 3, unit=True),
    }


def _table_captions(study: Study) -> dict[str, dict[str, Any]]:
    counts = {name: study[name] for name in ("layers", "pairs", "occurrences")} | {
        "alpha": number(study["settings"]["alpha"], 2, unit=True)
    }
    return dict.fromkeys(("significance", "verdicts", "layers_histogram", "layers_nearest_neighbour", "made_with"), counts)


def _reproduce(study: Study) -> dict[str, Any]:
    return {
        "study": study["settings"]["name"],
        "seed": study["settings"]["seed"],
        "made_with": [
            *({"name": name, "version": version} for name, version in sorted(study["provenance"]["versions"].items())),
            *({"name": name, "version": digest} for name, digest in sorted(study["provenance"]["model"].get("sha256", {}).items())),
        ],
    }
