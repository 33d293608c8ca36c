"""Language-neutral values for the prose: which sentence of the catalogue is true, and the numbers to put into it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.facts.common import common_facts, conclusion_lists
from analyses.occurrences.facts.counts import counted, where
from analyses.occurrences.layer_numbers import detail_layer, places, studied
from analyses.protocol import Results
from analyses.similarity.names import CONTROLS, MEASURES
from analyses.similarity.statements import MOST
from analyses.value_specs import Spec, interval, is_number, key, number, percent

Study = Mapping[str, Any]


def facts(results: Results) -> dict[str, Any]:
    """Everything that templates may name, at the top level of their context."""
    study, dataset = results.study, results.dataset
    statements = [_statement(row, study) for row in study["conclusions"]]
    return common_facts(results) | {
        "most": percent(MOST),
        "control": study["controls"]["different_word"],
        "centred": bool(np.isfinite(dataset.mean_similarity.sel(measure="centred")).any()),
        "testable": study["occurrences"] > 3,
        "statements": statements,
        "findings": [statement["finding"] for statement in statements],
        "conclusion_lists": conclusion_lists(statements),
        "means": _band_means(results, "mean_similarity"),
        "selectivity": _selectivity(results),
        "common": _common(results),
        "tau": _taus(results),
        "structure": _structure(results),
        "verdict_table": _verdict_table(study),
        "part_table": [
            {name: part[name] for name in ("measure", "verdict", "estimate", "low", "high", "agreeing_layers", "layers")}
            | {"statement": row["statement"], "by": row["estimator"], "control": row["control"]}
            for row in sorted(study["verdicts"], key=lambda row: row["statement"])
            if len(row["parts"]) > 1
            for part in row["parts"]
        ],
        "captions": _captions(results),
    }


def _shown(value: Any, digits: int = 2) -> Spec:
    """A similarity or a correlation; a word where there is none."""
    return number(float(value), digits, unit=True) if is_number(value) else key("value.none")


def _span(found: Mapping[str, Any], digits: int = 2) -> Spec:
    if is_number(found["low"]) and is_number(found["high"]):
        return interval(found["low"], found["high"], digits, unit=True)
    return key("value.none")


def _statement(conclusion: Mapping[str, Any], study: Study) -> dict[str, Any]:
    name, verdict, control = conclusion["name"], conclusion["verdict"], conclusion["control"]
    values: dict[str, Any] = {"occurrences": study["occurrences"], "quantity": key(f"quantity.{control}")}
    parts = []
    for part in conclusion["parts"]:
        branch = next((branch for branch in BRANCHES if part["measure"].startswith(branch)), None)
        own = {
            "estimate": _shown(part["estimate"], 3),
            "interval": _span(part, 3),
            "where": where({"": part["agreeing_layers"]}, part["layers"]),
        }
        if branch:
            share = study["share_removed"][branch]
            own |= {"branch": key(f"branch.named.{branch}"), "share": percent(share) if is_number(share) else key("value.none")}
        values |= {f"{branch}_{field}" if branch else field: value for field, value in own.items()}
        kind = part["measure"].removeprefix(f"{branch}_") if branch else part["measure"]
        said = "not_testable" if part["verdict"] == "not_testable" else kind
        parts.append({"measure": part["measure"], "verdict": part["verdict"], "key": f"part.{said}", "values": own})
    return {
        "number": conclusion["statement"],
        "name": name,
        "verdict": verdict,
        "control": control,
        "measure": conclusion["measure"],
        "finding": {
            "id": name,
            "number": conclusion["statement"],
            "verdict": verdict,
            "key": f"finding.{name}.{verdict}",
            "values": values,
        },
        "parts": parts,
        "beside": _beside(conclusion, study),
    }


def _beside(conclusion: Mapping[str, Any], study: Study) -> list[dict[str, Any]]:
    """What plain values and the other measures say of a statement."""
    said = []
    if conclusion["control"] != "none":
        same = conclusion["plain"] == conclusion["verdict"]
        values = {} if same else {"verdict": key(f"verdict.{conclusion['plain']}")}
        said.append({"key": f"plain.{conclusion['control']}.{'same' if same else 'differs'}", "values": values})
    own = [row for row in study["verdicts"] if (row["name"], row["control"]) == (conclusion["name"], conclusion["control"])]
    if len(own) > 1:
        differing = conclusion["measures_disagree"]
        if not differing:
            said.append({"key": "measures.same", "values": {}})
        for row in differing:
            values = {"measure": key(f"measure.name.{row['estimator']}"), "verdict": key(f"verdict.{row['verdict']}")}
            said.append({"key": "measures.differs", "values": values})
    return said


def _band_means(results: Results, name: str) -> dict[str, Any]:
    """Mean over the early, the deep and all layers: measure -> branch -> band."""
    values = results.dataset[name]
    bands = {band: places(results.study, band) for band in ("early", "deep")}
    bands["all"] = np.arange(values.sizes["layer"])
    return {
        measure: {
            branch: {
                band: _shown(values.sel(measure=measure, branch=branch).values[at].mean() if len(at) else np.nan)
                for band, at in bands.items()
            }
            for branch in BRANCHES
        }
        for measure in MEASURES
    }


def _selectivity(results: Results) -> dict[str, Any] | None:
    """The word against different words: means of bands, and in how many layers the interval lies above zero."""
    dataset = results.dataset
    if "selectivity" not in dataset:
        return None
    above = (dataset.selectivity_low > 0).sum("layer")
    return {
        "means": _band_means(results, "selectivity"),
        "above": {
            measure: {branch: where({"": int(above.sel(measure=measure, branch=branch))}, dataset.sizes["layer"]) for branch in BRANCHES}
            for measure in ("cosine", "centred")
        },
    }


def _common(results: Results) -> list[dict[str, Any]]:
    """For each branch the sentence that says how much of the word's raw cosine different words have too."""
    dataset = results.dataset
    if "mean_matched_similarity" not in dataset:
        return []
    sentences = []
    for branch in BRANCHES:
        same, different = (
            float(dataset[name].sel(measure="cosine", branch=branch).mean()) for name in ("mean_similarity", "mean_matched_similarity")
        )
        if not is_number(same) or not is_number(different):
            continue
        values: dict[str, Any] = {"branch": key(f"branch.named.{branch}"), "same": _shown(same), "different": _shown(different)}
        # A share of nothing, or of less, is none.
        if same > 0 and different > 0:
            values["share"] = percent(different / same)
        sentences.append({"branch": branch, "key": f"common.{'share' if 'share' in values else 'values'}", "values": values})
    return sentences


def _taus(results: Results) -> dict[str, Any]:
    """Similarity and token distance, raw cosine: a sentence for each branch, as it is and minus different words."""
    study, dataset = results.study, results.dataset
    found: dict[str, Any] = {"none": [], "different_word": []}
    for control, variable in (("none", "mantel_p"), ("different_word", "selectivity_mantel_p")):
        if control not in study["mean_tau"]:
            continue
        rows = study["mean_tau"][control]["cosine"]
        sentences = []
        for branch, row in rows.items():
            if not is_number(row["estimate"]):
                continue
            p = dataset[variable].sel(measure="cosine", branch=branch).values
            side = "untested" if not is_number(row["low"]) else "negative" if row["high"] < 0 else "positive" if row["low"] > 0 else "open"
            values = {
                "branch": key(f"branch.named.{branch}"),
                "tau": _shown(row["estimate"]),
                "interval": _span(row),
                "where": where({"": int((p < study["settings"]["alpha"]).sum())}, study["layers"]),
            }
            sentences.append({"branch": branch, "key": f"distance.{side}", "values": values})
        found[control] = sentences
    return found


def _structure(results: Results) -> dict[str, Any]:
    """Agreement of the branches' pair matrices by Pearson's r: mean, with and without distance, and the layers at both ends."""
    study = results.study
    by_layer = results.dataset["structure_agreement"].sel(measure="pearson").values
    rows = {control: found["pearson"] for control, found in study["structure"].items()}
    shown = {
        control: {
            "estimate": _shown(row["estimate"]),
            "interval": _span(row),
            "p": {"value": row["p"], "as": "p_value"} if is_number(row["p"]) else None,
        }
        for control, row in rows.items()
    }
    if not np.isfinite(by_layer).any():
        return shown | {"range": None}
    layers = studied(study)
    lowest, highest = int(np.nanargmin(by_layer)), int(np.nanargmax(by_layer))
    return shown | {
        "range": {
            "lowest": _shown(by_layer[lowest]),
            "lowest_layer": layers[lowest],
            "highest": _shown(by_layer[highest]),
            "highest_layer": layers[highest],
        }
    }


def _verdict_table(study: Study) -> list[dict[str, Any]]:
    order = {control: place for place, control in enumerate(CONTROLS)}
    kept = ("statement", "name", "estimator", "control", "verdict", "estimate", "low", "high", "agreeing_layers", "layers")
    return [
        {name: row[name] for name in kept} | {"part": f"measure.{row['part']}"}
        for row in sorted(study["verdicts"], key=lambda row: (row["statement"], order[row["control"]]))
    ]


def _captions(results: Results) -> dict[str, dict[str, Any]]:
    """Values for captions, alternative texts and notes, by the name of the figure or table."""
    study = results.study
    settings = study["settings"]
    base: dict[str, Any] = {
        "word": settings["word"],
        "pair_count": counted("pairs", study["pairs"]),
        "layer_count": counted("layers", study["layers"]),
        "occurrences": study["occurrences"],
        "detail": detail_layer(study)[0],
        "alpha": number(settings["alpha"], 2, unit=True),
    }
    means = _band_means(results, "mean_similarity")
    values = base | {
        f"{measure}_{branch}_{band}": means[measure][branch][band]
        for measure in ("cosine", "centred")
        for branch in BRANCHES
        for band in ("early", "deep", "all")
    }
    if "mean_matched_similarity" in results.dataset:
        different = _band_means(results, "mean_matched_similarity")
        values |= {
            f"different_{measure}_{branch}": different[measure][branch]["all"] for measure in ("cosine", "centred") for branch in BRANCHES
        }
    place = detail_layer(study)[1]
    tau = results.dataset["kendall_tau"].sel(measure="cosine").isel(layer=place)
    values |= {f"tau_{branch}": _shown(tau.sel(branch=branch)) for branch in BRANCHES}
    values |= {f"mean_tau_{branch}": _shown(study["mean_tau"]["none"]["cosine"][branch]["estimate"]) for branch in BRANCHES}
    structure = results.dataset["structure_agreement"].sel(measure="pearson")
    values |= {
        "structure": _shown(study["structure"]["none"]["pearson"]["estimate"]),
        "structure_beyond": _shown(study["structure"]["distance"]["pearson"]["estimate"]),
        "structure_detail": _shown(structure.isel(layer=place)),
    }
    names = ("similarity_profile", "selectivity_profile", "distance_scatter", "tau_profile", "structure_profile", "structure_scatter")
    return dict.fromkeys((*names, "verdicts", "parts", "layers_cosine", "layers_centred", "means", "made_with"), values)
