"""The study of mutual information against token distance, as an analysis that the report generator finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from analyses.mi_distance.settings import RobustnessSettings, StudySettings
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
    identity = ("word", "text", "model.source", "model.name")
    # Format of the bundle -> what has another name in study.json since then.
    renamed: Mapping[int, Mapping[str, str]] = {2: {"controls.untrained.seed": "controls.untrained.seeds"}}

    # How far a quantity may move between two machines: a value falls into the next bin, a rank tips.
    tolerances: Mapping[str, Mapping[str, float]] = {
        "*mutual_information*": {"absolute": 2e-3, "relative": 1e-2},
        "*kendall_tau*": {"absolute": 2e-2},
    }
    # What makes one answer of many studies.
    pooled = "mi_distance_pooled"
    stages: Mapping[str, str] = {
        "untrained": "Measuring the untrained twin",
        "prefix": "Measuring behind the prefix",
        "prefix_left_out": "Neutral prefix left out: the text would be too long for the model behind it",
        "mutual_information": "Estimating mutual information",
        "control": "Measuring the control words",
        "repeated_words": "Measuring other repeated words",
        "centred": "Measuring centred vectors",
        "layers": "Testing the layers",
        "robustness": "Varying the choices",
        "specifications": "Testing under every choice",
        "calibration": "Calibrating the estimators",
        "simulation": "Simulating error rates",
        "statements": "Testing the statements",
        "position": "Testing what position does",
    }

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

    def cell_settings(self, settings: StudySettings) -> StudySettings:
        from analyses.mi_distance.cells import cell_settings

        return cell_settings(settings)

    def seconds(self, study: StudySettings) -> float:
        from analyses.mi_distance.cells import seconds

        return seconds(study)

    def cells(self, studies: Sequence[StudySettings], progress: Progress) -> Iterator[Results | Exception]:
        from analyses.mi_distance.cells import cells

        return cells(studies, progress)

    def tables(self, results: Results) -> Mapping[str, pd.DataFrame]:
        from analyses.mi_distance.tables import tables

        return tables(results)

    def figures(self, results: Results) -> Sequence[FigureSpec]:
        from analyses.mi_distance.figures import figures

        return figures(results)

    def comparison_figures(self, before: Results, after: Results) -> Sequence[FigureSpec]:
        from analyses.drawing.changes import changes

        return [figure for name in ("mean_mutual_information", "kendall_tau") for figure in changes(before, after, name, "estimator")]

    def example(self) -> Results:
        from analyses.mi_distance.study import analyse
        from analyses.occurrences.example import example_vectors
        from analyses.progress import SilentProgress

        no_others = RobustnessSettings(enabled=False)
        settings = StudySettings(name="example", word="example", activations_file="example.npz", permutations=199, robustness=no_others)
        return analyse(example_vectors(), settings, SilentProgress())

    def facts(self, results: Results) -> dict[str, Any]:
        from analyses.mi_distance.facts import facts

        return facts(results)

    def recomputed(self, results: Results, progress: Progress, every: int = 1) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """Quantity -> as the bundle holds it, as the slow route gives it (every `every`-th layer's estimates)."""
        from analyses.mi_distance.verification import recomputed

        return recomputed(results, progress, every)


analysis: Analysis = MutualInformationAgainstDistance()
