"""The study of mutual information against token distance, as an analysis that the report generator finds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pydantic

from analyses.mi_distance.settings import StudySettings
from analyses.progress import Progress
from analyses.protocol import Analysis, FigureSpec, Results


class MutualInformationAgainstDistance:
    """Implements `analyses.protocol.Analysis`; what computes or draws is imported only when it is called for."""

    name = "mi_distance"
    settings_type: type[pydantic.BaseModel] = StudySettings
    templates = "mi_distance"

    def studies(self) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((Path(__file__).parent / "studies").glob("*.yaml"))}

    def run(self, settings: StudySettings, progress: Progress) -> Results:
        from analyses.mi_distance.study import run

        return run(settings, progress)

    def tables(self, results: Results) -> Mapping[str, pd.DataFrame]:
        from analyses.mi_distance.tables import tables

        return tables(results)

    def figures(self, results: Results) -> Sequence[FigureSpec]:
        from analyses.mi_distance.figures import figures

        return figures(results)

    def facts(self, results: Results) -> dict[str, Any]:
        from analyses.mi_distance.facts import facts

        return facts(results)


analysis: Analysis = MutualInformationAgainstDistance()
