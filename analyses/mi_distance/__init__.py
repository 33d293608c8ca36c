"""The study of mutual information against token distance, as an analysis that the report generator finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from analyses.mi_distance.settings import StudySettings
from analyses.progress import Progress
from analyses.protocol import Analysis, FigureSpec, Results

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr


# Settings that no captured vector depends on. What is added to the settings counts for the capture until it is named here.
_OF_THE_COMPUTATION = ("estimation", "controls", "hypotheses", "robustness", "alpha", "permutations", "detail_layer", "document")


class MutualInformationAgainstDistance:
    """Implements `analyses.protocol.Analysis`; what computes or draws is imported only when it is called for."""

    name = "mi_distance"
    settings_type: type[pydantic.BaseModel] = StudySettings
    templates = "mi_distance"
    # Settings by which a study is another one, not the same one made again.
    identity = ("word", "model.source", "model.name")
    # Format of the bundle -> what has another name in study.json since then.
    renamed: Mapping[int, Mapping[str, str]] = {2: {"controls.untrained.seed": "controls.untrained.seeds"}}

    def studies(self) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((Path(__file__).parent / "studies").glob("*.yaml"))}

    def run(self, settings: StudySettings, progress: Progress) -> Results:
        from analyses.mi_distance.study import run

        return run(settings, progress)

    def capture_settings(self, settings: StudySettings) -> Mapping[str, Any]:
        """What the captured vectors depend on; with the rest changed they serve again without the model."""
        from analyses.mi_distance.prefixes import control_prefix, study_prefix

        relevant = settings.model_dump(
            mode="json",
            exclude={"name", "prefix", *_OF_THE_COMPUTATION},
        )
        # Which letters are the same depends on the language: in Turkish i and ı are two.
        relevant["text_language"] = settings.document.text_language
        relevant["model"].pop("offline")
        # The texts themselves, for which of the built-in ones is taken depends on the word and on the language of the text.
        prefixes = {"study": study_prefix(settings), "control": control_prefix(settings)}
        return relevant | {
            "prefixes": {name: prefix and prefix.text for name, prefix in prefixes.items()},
            "controls": settings.controls.model_dump(include={"different_word", "untrained", "untrained_seeds"}),
        }

    def capture(self, settings: StudySettings, progress: Progress) -> tuple[xr.Dataset, dict[str, Any]]:
        from analyses.mi_distance.inputs import read_input

        vectors = read_input(settings, progress)
        return vectors.to_dataset(), {"text": vectors.text, "provenance": vectors.provenance}

    def compute(self, settings: StudySettings, captured: xr.Dataset, facts: Mapping[str, Any], progress: Progress) -> Results:
        from analyses.mi_distance.inputs import from_arrays
        from analyses.mi_distance.study import analyse

        arrays = {str(name): captured[name].values for name in captured.variables}
        return analyse(from_arrays(arrays, "captured activations", facts["text"], facts["provenance"]), settings, progress)

    def tables(self, results: Results) -> Mapping[str, pd.DataFrame]:
        from analyses.mi_distance.tables import tables

        return tables(results)

    def figures(self, results: Results) -> Sequence[FigureSpec]:
        from analyses.mi_distance.figures import figures

        return figures(results)

    def facts(self, results: Results) -> dict[str, Any]:
        from analyses.mi_distance.facts import facts

        return facts(results)

    def recomputed(self, results: Results, progress: Progress, every: int = 1) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """Quantity -> as the bundle holds it, as the slow route gives it (every `every`-th layer's estimates)."""
        from analyses.mi_distance.verification import recomputed

        return recomputed(results, progress, every)


analysis: Analysis = MutualInformationAgainstDistance()
