"""Which layers a statement speaks of: the early and the deep ones, and those in which the taus are said to separate."""

from dataclasses import dataclass

import numpy as np

from analyses.mi_distance.settings import HypothesisSettings
from analyses.occurrences.bands import TOLERANCE, DepthBands, depth_bands
from analyses.occurrences.layer_numbers import LayerNumbers


@dataclass(frozen=True)
class Bands(DepthBands):
    """Indices (from 0) of the early, the deep, and the separating layers."""

    separated: np.ndarray


def bands_of(layers: int | LayerNumbers, settings: HypothesisSettings) -> Bands:
    """Divide the layers of a model, or all of `layers` layers, by the depths of the statements (`depth_bands`)."""
    numbers = LayerNumbers(tuple(range(1, layers + 1)), layers) if isinstance(layers, int) else layers
    found = depth_bands(numbers, settings)
    separated = np.flatnonzero(np.array(numbers.numbers) / numbers.of_model > settings.separation_after + TOLERANCE)
    return Bands(found.layers, found.early, found.deep, separated)
