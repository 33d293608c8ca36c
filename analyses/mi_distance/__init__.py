"""The study of mutual information against token distance, as an analysis that the report generator finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from analyses.mi_distance.settings import StudySettings
from analyses.occurrences import TEMPLATES
from analyses.progress import Progress
from analyses.protocol import Analysis, FigureSpec, Results

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr


class MutualInformationAgainstDistance:
    """Implements `analyses.protocol.Analysis`; what computes or draws is imported only when it is called for."""

    name = "mi_distance"
    settings_type: type[pydantic.BaseModel] = StudySettings
    templates = "mi_distance"
    template_folder = Path(__file__).parent / "templates"
    shared_templates = (TEMPLATES,)
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
        from analyses.occurrences.capture_settings import capture_settings

        return capture_settings(settings)

    def capture(self, settings: StudySettings, progress: Progress) -> tuple[xr.Dataset, dict[str, Any]]:
        from analyses.occurrences.capture import read_input

        vectors = read_input(settings, progress)
        return vectors.to_dataset(), {"text": vectors.text, "provenance": vectors.provenance}

    def compute(self, settings: StudySettings, captured: xr.Dataset, facts: Mapping[str, Any], progress: Progress) -> Results:
        from analyses.mi_distance.study import analyse
        from analyses.occurrences.vectors import from_arrays

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
        from analyses.mi_distance.reference import recomputed

        return recomputed(results, progress, every)


analysis: Analysis = MutualInformationAgainstDistance()
