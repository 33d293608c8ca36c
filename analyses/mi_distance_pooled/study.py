"""One pooled study from its cells to its results: cells -> values of texts -> means -> verdicts."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.settings import HypothesisSettings
from analyses.mi_distance_pooled.cells import PROFILES, SHARED, Cell, Sweep, read_sweep
from analyses.mi_distance_pooled.judged import Rules, conclusions_of, left_out, over_models, pooled_rows, verdicts_of
from analyses.mi_distance_pooled.measured import CONTROLS, MEASURES, Values
from analyses.mi_distance_pooled.settings import PooledSettings
from analyses.occurrences.branches import BRANCHES
from analyses.progress import Progress
from analyses.protocol import Results
from analyses.records import Variable, versions
from analyses.statistics.pooling import mean_over

# A conclusion over models takes as many as these.
FEWEST_MODELS = 5
_PROFILE = ("estimator", "branch", "layer")
_UNITS = {"mean_mutual_information": "nats", "word_specific_excess": "nats", "kendall_tau": "1", "word_specific_kendall_tau": "1"}


def run(settings: PooledSettings, progress: Progress) -> Results:
    """Read the cells and pool them; raises InputError where they are missing or do not belong together."""
    return analyse(read_sweep(Path(settings.cells_folder), progress), settings, progress)


def analyse(sweep: Sweep, settings: PooledSettings, progress: Progress) -> Results:
    """Everything after the cells were read. The first model of the plan is the one that verdicts and figures speak of."""
    models = list(dict.fromkeys(cell.model for cell in sweep.cells))
    main = [cell for cell in sweep.cells if cell.model == models[0]]
    groups, means = [], []
    with progress.stage("pooling", len(models)) as advance:
        for model in models:
            own = [cell for cell in sweep.cells if cell.model == model]
            values, rules = Values.of(own), rules_of(own)
            means.append(np.array([[[values.means[c, e, m].estimate for m in range(len(MEASURES))] for e in range(len(ESTIMATORS))]
                                   for c in range(len(CONTROLS))]))  # fmt: skip
            groups.append(_group(own, model, None, settings, checks=True))
            languages = list(dict.fromkeys(cell.language for cell in own))
            if len(languages) > 1:
                groups += [
                    _group([cell for cell in own if cell.language == language], model, language, settings, checks=False)
                    for language in languages
                ]
            advance(1)
    values, rules = Values.of(main), rules_of(main)
    first = groups[0]
    study = {
        "settings": _portable(settings),
        "provenance": {
            "plan": sweep.plan_hash,
            "cells_planned": sweep.planned,
            "cells_pooled": len(sweep.cells),
            "cells_failed": len(sweep.failed),
            "models": [_model(model, sweep.cells) for model in models],
            "cell_settings": {name: main[0].study["settings"].get(name) for name in SHARED},
            "versions": versions("numpy", "scipy"),
            "cell_versions": _cell_versions(sweep.cells),
        },
        "models": models,
        "layers": len(main[0].study["layer_numbers"]),
        "layer_numbers": list(main[0].study["layer_numbers"]),
        "layers_of_model": main[0].study["layers_of_model"],
        "bands": dict(main[0].study["bands"]),
        "languages": sorted({cell.language for cell in main if cell.language}),
        "texts": _texts(main),
        "versions": len({cell.version for cell in main}),
        "words": sorted({cell.word for cell in main}),
        "occurrences": {name: int(of(cell.study["occurrences"] for cell in main)) for name, of in (("fewest", min), ("most", max))},
        "failed": list(sweep.failed),
        "primary_control": next(iter(row["control"] for row in first["conclusions"] if row["statement"] == 1)),
        "verdicts": first["verdicts"],
        "conclusions": first["conclusions"],
        "groups": [{key: value for key, value in group.items() if key != "verdicts"} for group in groups],
        "left_out": left_out(values, rules, settings.alpha),
        "over_models": _over_models(means, rules) if len(models) >= FEWEST_MODELS else None,
    }
    return Results(_dataset(main, values, sweep.cells, models), xr.Dataset(), study)


def rules_of(cells: Sequence[Cell]) -> Rules:
    """The thresholds that the cells were judged by, which they share."""
    study = cells[0].study
    return Rules(HypothesisSettings.model_validate(study["settings"]["hypotheses"]), len(study["bands"]["deep"]))


def _portable(settings: PooledSettings) -> dict[str, Any]:
    portable = settings.model_dump(mode="json")
    portable["cells_folder"] = Path(settings.cells_folder).name
    return portable


def _group(cells: Sequence[Cell], model: str, language: str | None, settings: PooledSettings, *, checks: bool) -> dict[str, Any]:
    values, rules = Values.of(cells), rules_of(cells)
    verdicts = verdicts_of(values, rules)
    return {
        "model": model,
        "language": language,
        "texts": len(values.text_names),
        "words": len(set(values.words)),
        "cells": len(cells),
        "verdicts": verdicts,
        "conclusions": conclusions_of(verdicts, settings.alpha),
        "pooled": pooled_rows(values, rules, checks=checks),
    }


def _over_models(means: Sequence[np.ndarray], rules: Rules) -> dict[str, Any]:
    verdicts = over_models(means, rules)
    return {"models": len(means), "verdicts": verdicts, "conclusions": conclude(verdicts)}


def _model(model: str, cells: Iterable[Cell]) -> dict[str, Any]:
    of_model = [cell for cell in cells if cell.model == model]
    provenance = of_model[0].study["provenance"].get("model", {})
    kept = ("source", "name", "revision", "architecture", "quantisation", "branch_output", "weights_sha256")
    described = {key: provenance[key] for key in kept if key in provenance}
    if described.get("source") in ("folder", "gguf") and isinstance(described.get("name"), str):
        described["name"] = Path(described["name"]).name
    return {"label": model, "layers": of_model[0].study["layers_of_model"], "cells": len(of_model)} | described


def _cell_versions(cells: Iterable[Cell]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for cell in cells:
        for name, version in cell.study["provenance"].get("versions", {}).items():
            found.setdefault(name, set()).add(version)
    return {name: sorted(of) for name, of in sorted(found.items())}


def _texts(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    texts: dict[str, dict[str, Any]] = {}
    for cell in cells:
        text = texts.setdefault(cell.text, {"name": cell.text, "languages": [], "versions": [], "words": [], "occurrences": 0})
        for several, one in (("languages", cell.language), ("versions", cell.version), ("words", cell.word)):
            if one and one not in text[several]:
                text[several].append(one)
        text["occurrences"] += cell.study["occurrences"]
    return list(texts.values())


def by_text(cells: Sequence[Cell], name: str) -> np.ndarray:
    """A profile, words averaged within their text: (text, estimator, branch, layer), NaN where a text has none."""
    names = tuple(dict.fromkeys(cell.text for cell in cells))
    found = []
    for text in names:
        own = [cell.profiles[name] for cell in cells if cell.text == text and name in cell.profiles]
        found.append(np.mean(own, axis=0) if own else None)
    shape = next((profile.shape for profile in found if profile is not None), None)
    if shape is None:
        return np.empty((0,))
    return np.stack([np.full(shape, np.nan) if profile is None else profile for profile in found])


def _dataset(main: Sequence[Cell], values: Values, cells: Sequence[Cell], models: Sequence[str]) -> xr.Dataset:
    variables: dict[str, Variable] = {}
    for name in PROFILES:
        profiles = by_text(main, name)
        if not profiles.size:
            continue
        ends = np.array([[getattr(mean, end) for end in ("estimate", "low", "high")]
                         for mean in (mean_over(profiles[(slice(None), *place)]) for place in np.ndindex(profiles.shape[1:]))])  # fmt: skip
        ends = ends.reshape(*profiles.shape[1:], 3)
        if "tau" in name:  # Of few texts an interval may reach beyond what there can be.
            ends = np.clip(ends, -1.0, 1.0)
        units = {"units": _UNITS[name]}
        variables[name] = (_PROFILE, ends[..., 0], {"long_name": "mean over the texts"} | units)
        variables[f"{name}_low"] = (_PROFILE, ends[..., 1], {"long_name": "lower end of its 95 % t interval over texts"} | units)
        variables[f"{name}_high"] = (_PROFILE, ends[..., 2], {"long_name": "upper end of its 95 % t interval over texts"} | units)
        variables[f"text_{name}"] = (("text", *_PROFILE), profiles, {"long_name": "mean over the words of a text"} | units)
    variables["text_estimate"] = (
        ("control", "estimator", "measure", "text"), values.by_text, {"long_name": "what the statements speak of, in each text"}
    )  # fmt: skip
    variables["text_standard_error"] = (
        ("control", "estimator", "measure", "text"), values.error_by_text, {"long_name": "its standard error within the text"}
    )  # fmt: skip
    variables["cell_estimate"] = (
        ("control", "estimator", "measure", "cell"), values.estimate, {"long_name": "the same in each cell: one word in one text"}
    )  # fmt: skip
    variables["cell_text"] = (
        ("cell",),
        np.array([values.text_names.index(text) for text in values.texts]),
        {"long_name": "index of its text"},
    )
    variables["cell_version"] = (("cell",), np.array([cell.version for cell in main]), {"long_name": "the text as the plan names it"})
    variables["cell_language"] = (("cell",), np.array([cell.language for cell in main]), {"long_name": "code of its language"})
    variables["cell_standard_error"] = (
        ("control", "estimator", "measure", "cell"), values.error, {"long_name": "standard error of what is measured in a cell"}
    )  # fmt: skip
    words = sorted(set(values.words))
    variables["cell_word"] = (("cell",), np.array([words.index(word) for word in values.words]), {"long_name": "index of its word"})
    variables["word_name"] = (("word",), np.array(words), {"long_name": "the words"})
    if len(models) > 1:
        variables |= _by_model(cells, models)
    dataset = xr.Dataset({name: (dims, value, attributes) for name, (dims, value, attributes) in variables.items()})
    named = {"estimator": list(ESTIMATORS), "branch": list(BRANCHES), "layer": np.array(main[0].study["layer_numbers"]) - 1}
    named |= {"control": list(CONTROLS), "measure": list(MEASURES), "text": list(values.text_names)}
    return dataset.assign_coords(named | ({"model": list(models)} if len(models) > 1 else {}))


def _by_model(cells: Sequence[Cell], models: Sequence[str]) -> dict[str, Variable]:
    """Means over texts of every model on its own layers: (model, estimator, branch, model_layer), NaN behind a model's last one."""
    own = {model: [cell for cell in cells if cell.model == model] for model in models}
    most = max(len(of[0].study["layer_numbers"]) for of in own.values())
    depth = np.full((len(models), most), np.nan)
    variables: dict[str, Variable] = {}
    for name in PROFILES:
        found = np.full((len(models), len(ESTIMATORS), len(BRANCHES), most), np.nan)
        for index, of in enumerate(own.values()):
            numbers, last = np.array(of[0].study["layer_numbers"]), of[0].study["layers_of_model"]
            depth[index, : len(numbers)] = (numbers - 1) / max(last - 1, 1)
            if (profiles := by_text(of, name)).size:
                found[index, ..., : len(numbers)] = np.nanmean(profiles, axis=0)
        variables[f"model_{name}"] = (("model", "estimator", "branch", "model_layer"), found, {"units": _UNITS[name]})
    variables["model_depth"] = (("model", "model_layer"), depth, {"long_name": "relative depth: 0 the first layer, 1 the last"})
    return variables
