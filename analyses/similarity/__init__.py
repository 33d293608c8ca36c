"""The study of similarity between a word's occurrences, as an analysis that the report generator finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from analyses.occurrences import TEMPLATES
from analyses.progress import Progress
from analyses.protocol import Analysis, FigureSpec, Results
from analyses.similarity.settings import SimilaritySettings

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


class Similarity:
    """Implements `analyses.protocol.Analysis`; what computes or draws is imported only when it is called for."""

    name = "similarity"
    settings_type: type[pydantic.BaseModel] = SimilaritySettings
    templates = "similarity"
    template_folder = Path(__file__).parent / "templates"
    shared_templates = (TEMPLATES,)
    identity = ("word", "text", "model.source", "model.name")

    tolerances: Mapping[str, Mapping[str, float]] = {"*kendall_tau*": {"absolute": 2e-2}}
    stages: Mapping[str, str] = {"similarity": "Measuring similarity"}

    def studies(self) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((Path(__file__).parent / "studies").glob("*.yaml"))}

    def run(self, settings: SimilaritySettings, progress: Progress) -> Results:
        from analyses.similarity.study import run

        return run(settings, progress)

    def capture_settings(self, settings: SimilaritySettings) -> Mapping[str, Any]:
        from analyses.occurrences.capture_settings import capture_settings

        return capture_settings(settings)

    def capture(self, settings: SimilaritySettings, progress: Progress) -> tuple[xr.Dataset, dict[str, Any]]:
        from analyses.occurrences.capture import read_input

        vectors = read_input(settings, progress)
        return vectors.to_dataset(), {"text": vectors.text, "provenance": vectors.provenance}

    def compute(self, settings: SimilaritySettings, captured: xr.Dataset, facts: Mapping[str, Any], progress: Progress) -> Results:
        from analyses.occurrences.vectors import from_arrays
        from analyses.similarity.study import analyse

        arrays = {str(name): captured[name].values for name in captured.variables}
        return analyse(from_arrays(arrays, "captured activations", facts["text"], facts["provenance"]), settings, progress)

    def tables(self, results: Results) -> Mapping[str, pd.DataFrame]:
        from analyses.similarity.tables import tables

        return tables(results)

    def figures(self, results: Results) -> Sequence[FigureSpec]:
        from analyses.similarity.figures import figures

        return figures(results)

    def comparison_figures(self, before: Results, after: Results) -> Sequence[FigureSpec]:
        from analyses.drawing.changes import changes

        return [figure for name in ("mean_similarity", "kendall_tau") for figure in changes(before, after, name, "measure")]

    def example(self) -> Results:
        from analyses.occurrences.example import example_vectors
        from analyses.progress import SilentProgress
        from analyses.similarity.study import analyse

        settings = SimilaritySettings(name="example", word="example", activations_file="example.npz", permutations=199)
        return analyse(example_vectors(), settings, SilentProgress())

    def facts(self, results: Results) -> dict[str, Any]:
        from analyses.similarity.facts import facts

        return facts(results)


analysis: Analysis = Similarity()
