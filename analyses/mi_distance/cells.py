"""A study as one of many: what a sweep computes of each word in each text, and keeps."""

from collections.abc import Iterator, Sequence

import xarray as xr

from analyses.errors import InputError
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.study import analyse
from analyses.occurrences.capture import read_inputs
from analyses.progress import Progress
from analyses.protocol import Results

_POOLED = {"estimator", "branch", "layer"}


def cell_settings(settings: StudySettings) -> StudySettings:
    """The settings with what only the report of a single study shows left out: other choices, the untrained model, the prefix."""
    return settings.model_copy(
        update={
            "controls": settings.controls.model_copy(update={"untrained": False, "prefix": False}),
            "robustness": settings.robustness.model_copy(update={"enabled": False}),
        }
    )


def cells(studies: Sequence[StudySettings], progress: Progress) -> Iterator[Results | Exception]:
    """The results of studies of one text, without the vectors; where a study cannot be made, the error that says why.

    The numbers are those of `analyses.mi_distance.study.run`, to the last bit; the text is read once.
    """
    for study, vectors in zip(studies, read_inputs(studies, progress), strict=True):
        if isinstance(vectors, InputError):
            yield vectors
            continue
        try:
            results = analyse(vectors, study, progress)
        except InputError as error:
            yield error
            continue
        # Vectors and single pairs would be a hundred times what is pooled: means over the pairs, taus, and their intervals.
        pooled = [name for name, variable in results.dataset.data_vars.items() if set(variable.dims) <= _POOLED]
        yield Results(results.dataset[pooled].drop_vars("pair", errors="ignore"), xr.Dataset(), results.study)
