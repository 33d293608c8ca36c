"""The pooled study: the lesson's five statements over many texts, as an analysis that the report generator finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from analyses.mi_distance_pooled.settings import PooledSettings
from analyses.occurrences import TEMPLATES
from analyses.progress import Progress
from analyses.protocol import Analysis, FigureSpec, Results

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class PooledMutualInformation:
    """Implements `analyses.protocol.Analysis`; what computes or draws is imported only when it is called for."""

    name = "mi_distance_pooled"
    settings_type: type[pydantic.BaseModel] = PooledSettings
    templates = "mi_distance_pooled"
    template_folder = Path(__file__).parent / "templates"
    shared_templates = (TEMPLATES,)
    identity = ("cells_folder",)

    tolerances: Mapping[str, Mapping[str, float]] = {
        "*mutual_information*": {"absolute": 1e-3, "relative": 1e-2},
        "*excess*": {"absolute": 2e-3, "relative": 1e-2},
        "*kendall_tau*": {"absolute": 2e-2},
    }
    stages: Mapping[str, str] = {"cells": "Reading cells", "pooling": "Pooling over texts"}

    def studies(self) -> Mapping[str, Path]:
        return {}

    def grids(self) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((Path(__file__).parent / "grids").glob("*.yaml"))}

    def input_files(self, settings: PooledSettings) -> Sequence[Path]:
        from analyses.mi_distance_pooled.cells import files

        return tuple(files(Path(settings.cells_folder)))

    def run(self, settings: PooledSettings, progress: Progress) -> Results:
        from analyses.mi_distance_pooled.study import run

        return run(settings, progress)

    def tables(self, results: Results) -> Mapping[str, pd.DataFrame]:
        from analyses.mi_distance_pooled.tables import tables

        return tables(results)

    def figures(self, results: Results) -> Sequence[FigureSpec]:
        from analyses.mi_distance_pooled.figures import figures

        return figures(results)

    def comparison_figures(self, before: Results, after: Results) -> Sequence[FigureSpec]:
        from analyses.drawing.changes import changes

        return [
            figure for name in ("word_specific_excess", "mean_mutual_information") for figure in changes(before, after, name, "estimator")
        ]

    def example(self) -> Results:
        from analyses.mi_distance_pooled.example import example_sweep
        from analyses.mi_distance_pooled.study import analyse
        from analyses.progress import SilentProgress

        return analyse(example_sweep(), PooledSettings(name="example", cells_folder="cells"), SilentProgress())

    def facts(self, results: Results) -> dict[str, Any]:
        from analyses.mi_distance_pooled.facts import facts

        return facts(results)

    def recomputed(self, results: Results, progress: Progress, every: int = 1) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """Quantity -> as the bundle holds it, as other libraries give it from the cells' values; nothing is estimated, so all of it."""
        from analyses.mi_distance_pooled.verification import recomputed

        return recomputed(results, progress)


analysis: Analysis = PooledMutualInformation()
