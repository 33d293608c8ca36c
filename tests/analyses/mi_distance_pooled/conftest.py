"""Made-up cells with known values: what a sweep would have written, without vectors or a model."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from analyses.mi_distance.hypotheses import STATEMENTS
from analyses.mi_distance.measures import OF_TAUS
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance_pooled.cells import PROFILES
from analyses.mi_distance_pooled.settings import PooledSettings
from analyses.mi_distance_pooled.study import run
from analyses.progress import SilentProgress
from analyses.protocol import Results

LAYERS = 6
OCCURRENCES = 8
# What each measure is in the mean, under which all statements hold.
HOLDS = {
    "early_difference": 0.3, "deep_difference": 0.2, "attention_rise": 0.3, "mlp_fall": 0.3, "mlp_level": 0.0, "mlp_slope_before": -0.1,
    "mean_tau": -0.5, "attention_tau": -0.4, "mlp_tau": -0.6, "tau_difference": 0.2, "shift_slope": 1.0,
}  # fmt: skip
FAILS = HOLDS | {
    "early_difference": -0.3, "deep_difference": -0.2, "attention_rise": -0.3, "mlp_fall": -0.3, "mlp_level": 0.5, "mlp_slope_before": 0.1,
    "mean_tau": 0.4, "attention_tau": 0.4, "mlp_tau": 0.4, "tau_difference": 0.0, "shift_slope": 1.8,
}  # fmt: skip
NOTHING = HOLDS | dict.fromkeys(
    ("early_difference", "deep_difference", "attention_rise", "mlp_fall", "mlp_slope_before", "mean_tau", "attention_tau", "mlp_tau"), 0.0
) | {"tau_difference": 0.1, "shift_slope": 1.1}  # fmt: skip


def cell_values(truth: Mapping[str, float], generator: np.random.Generator, spread: float) -> dict[str, float]:
    scale = {"mlp_level": 0.02, "mlp_slope_before": 0.2, "shift_slope": 0.2}
    return {name: value + spread * scale.get(name, 1.0) * generator.normal() for name, value in truth.items()}


def study_of(values: Mapping[tuple[str, str], Mapping[str, float]], word: str, error: float = 0.04) -> dict[str, Any]:
    """A cell's study.json with these values, by (control, estimator), each with the interval of its standard error."""
    rows = []
    for (control, estimator), measures in values.items():

        def numbers(measure: str, measures: Mapping[str, float] = measures) -> dict[str, float]:
            quantile = scipy.stats.norm.ppf(0.975) if measure in OF_TAUS else scipy.stats.t.ppf(0.975, OCCURRENCES - 1)
            half = error * float(quantile)
            return {"estimate": measures[measure], "low": measures[measure] - half, "high": measures[measure] + half}

        for statement in STATEMENTS:
            if not statement.about_word and (control != "none" or estimator == "nearest_neighbour"):
                continue
            parts: list[dict[str, Any]] = []
            for part in statement.parts:
                row = {"measure": part.name, **numbers(part.measure)}
                if part.rule == "level":
                    row["before"] = numbers("mlp_slope_before")
                if part.of_branches:
                    row["branches"] = {branch: numbers(f"{branch}_tau") for branch in ("attention", "mlp")}
                parts.append(row)
            head = {"statement": statement.number, "name": statement.name, "estimator": estimator, "control": control}
            rows.append(head | {"verdict": "inconclusive", "parts": parts})
    settings = StudySettings(name="cell", word=word, text=word).model_dump(mode="json")
    return {
        "format_version": 2,
        "analysis": "mi_distance",
        "settings": settings,
        "provenance": {"model": {"source": "embedded", "name": "made-up"}, "versions": {"numpy": "2"}},
        "verdicts": rows,
        "layers": LAYERS,
        "layer_numbers": list(range(1, LAYERS + 1)),
        "layers_of_model": LAYERS,
        "occurrences": OCCURRENCES,
        "bands": {"early": [1, 2], "deep": [5, 6], "separated": [2, 3, 4, 5, 6]},
    }


def write_cell(folder: Path, key: str, study: Mapping[str, Any], seed: int) -> None:
    generator = np.random.default_rng([7, seed])
    shape = (len(ESTIMATORS), 2, LAYERS)
    variables = {name: (("estimator", "branch", "layer"), generator.normal(0.2, 0.05, shape)) for name in PROFILES}
    file = folder / "results.nc"
    xr.Dataset(variables).to_netcdf(file, engine="scipy", format="NETCDF3_64BIT")
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "cells" / f"{key}.zip", "w") as archive:
        archive.writestr("study.json", json.dumps(study))
        archive.write(file, "results.nc")
    file.unlink()


def write_sweep(
    folder: Path,
    truth: Mapping[str, float],
    *,
    texts: int = 10,
    words: tuple[str, ...] = ("river", "stone"),
    models: tuple[str, ...] = ("made-up",),
    languages: tuple[str, ...] = ("en",),
    spread: float = 0.05,
    seed: int = 0,
    missing: int = 0,
    failed: int = 0,
    translated: bool = False,
) -> Path:
    """A plan with its cells: every word in every text by every model; the last cells are missing, those before them failed.

    `translated`: texts 1 and 2 are versions of one, 3 and 4 of the next, and so on.
    """
    generator = np.random.default_rng(seed)
    entries = []
    for model in models:
        for text in range(texts):
            own = cell_values(truth, generator, spread)
            for word in words:
                of_word = cell_values(own, generator, spread / 2)
                values = {
                    (control, estimator): cell_values(of_word, generator, spread / 10)
                    for control in ("none", "different_word")
                    for estimator in ESTIMATORS
                }
                key = f"k{len(entries)}"
                write_cell(folder, key, study_of(values, word), len(entries))
                entries.append(
                    {
                        "key": key,
                        "model": {"name": model, "source": "hub"},
                        "text": {"name": f"text-{text + 1}", "language": languages[text % len(languages)], "sha256": "0" * 64}
                        | ({"parallel": f"passage-{text // 2 + 1}"} if translated else {}),
                        "word": word,
                        "settings": {},
                    }
                )
    gone = entries[len(entries) - missing - failed :]
    (folder / "failed").mkdir(exist_ok=True)
    for place, entry in enumerate(gone):
        (folder / "cells" / f"{entry['key']}.zip").unlink()
        if place < failed:
            reason = {"reason": "the word occurs once; expected at least twice"}
            (folder / "failed" / f"{entry['key']}.json").write_text(json.dumps(reason), encoding="utf-8")
    plan = {"format_version": 1, "hash": "a" * 64, "cells": entries}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return folder


def pooled(folder: Path, **more: Any) -> Results:
    return run(PooledSettings(name="made-up", cells_folder=str(folder), **more), SilentProgress())


class Worlds:
    """Truths, the cells that hold them, and what pooling makes of them, each computed once."""

    holds, fails, nothing = HOLDS, FAILS, NOTHING
    write, pooled, write_cell, study_of = map(staticmethod, (write_sweep, pooled, write_cell, study_of))

    def __init__(self, folders: Callable[[], Path]) -> None:
        self.folders = folders
        self.known: dict[str, Results] = {}

    def results(self, truth: Mapping[str, float], **options: Any) -> Results:
        name = repr((sorted(truth.items()), sorted(options.items())))
        if name not in self.known:
            self.known[name] = pooled(write_sweep(self.folders(), truth, **options))
        return self.known[name]


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    return Worlds(lambda: tmp_path_factory.mktemp("sweep"))
