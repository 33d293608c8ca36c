"""A study as one of many: what a sweep computes of each word in each text, and keeps."""

import time
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal

import numpy as np
import xarray as xr

from analyses.errors import InputError
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.study import analyse
from analyses.mutual_information import pairwise_mutual_information
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.capture import places_of, read_inputs
from analyses.occurrences.controls import match_control_pairs
from analyses.occurrences.pairs import pairs_of
from analyses.progress import Progress
from analyses.protocol import Results

_POOLED = {"estimator", "branch", "layer"}
# Vectors of the trial by which `seconds` takes the estimators' speed: some hundred pairs, which take a tenth of a second.
_TRIAL = 20
# Of a cell's time, what its estimates take, as measured on the built-in corpus (.51 to .62); the rest is the model's pass and the tests.
_SHARE_OF_ESTIMATES = 0.57


def cell_settings(settings: StudySettings) -> StudySettings:
    """The settings with what only the report of a single study shows left out: other choices, the untrained model, the prefix."""
    return settings.model_copy(
        update={
            "controls": settings.controls.model_copy(update={"untrained": False, "prefix": False}),
            "robustness": settings.robustness.model_copy(update={"enabled": False}),
        }
    )


def seconds(study: StudySettings) -> float:
    """About how long one processor of this machine takes for a cell, by the number of its estimates and a trial of their speed.

    Raises
    ------
    InputError, MissingError
        As `analyses.occurrences.capture.read_input`; 0 for a study that would be refused for its own word.
    """
    from analyses.models.configuration import load_configuration
    from analyses.models.sources import resolve

    config = load_configuration(resolve(study.model)).get_text_config()
    try:
        position, other_position, other_word = places_of(study)
    except InputError:
        return 0.0
    pairs = pairs_of(position)
    estimates = len(pairs)
    if study.controls.different_word:
        per_distance = study.controls.pairs_per_distance
        controls = [
            match_control_pairs(pairs, other_position, other_word, pairs_per_distance=per_distance, same_word=same)
            for same in (False, True)
        ]
        # Once more for the vectors with the other words' mean taken off.
        estimates = 2 * len(pairs) + sum(len(control.first) for control in controls if control is not None)
    estimation = study.estimation
    speed = _seconds_per_estimate(config.hidden_size, estimation.bins, estimation.trim, estimation.neighbours)
    return len(BRANCHES) * config.num_hidden_layers * estimates * speed / _SHARE_OF_ESTIMATES


@cache
def _seconds_per_estimate(dimensions: int, bins: int | Literal["fd"], trim: float | None, neighbours: int) -> float:
    """Of one processor, all three estimators together."""
    vectors = np.random.default_rng(0).normal(size=(_TRIAL, dimensions))
    first, second = np.triu_indices(_TRIAL, 1)

    def trial() -> float:
        start = time.process_time()
        pairwise_mutual_information(vectors, first, second, bins=bins, trim=trim, neighbours=neighbours)
        return time.process_time() - start

    trial()  # Compiled code is read from the disk.
    return trial() / len(first)


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
