"""Which layers a statement speaks of. Bands are fractions of depth, so that 4, 30 and 48 layers can be compared."""

from dataclasses import dataclass

import numpy as np

from analyses.mi_distance.layer_numbers import LayerNumbers
from analyses.mi_distance.settings import HypothesisSettings


@dataclass(frozen=True)
class Bands:
    """Indices (from 0) of the early, the deep, and the separating layers."""

    layers: int
    early: np.ndarray
    deep: np.ndarray
    separated: np.ndarray

    @property
    def before_deep(self) -> np.ndarray:
        """All layers that lie before the deep ones."""
        return np.arange(self.deep[0] if len(self.deep) else self.layers)


def bands_of(layers: int | LayerNumbers, settings: HypothesisSettings) -> Bands:
    """Divide `layers` layers; layer number n (from 1) of L ends at depth n/L and begins at (n-1)/L.

    Depth is that in the model: of `LayerNumbers` each layer has its own number, and L counts those that are left out too.
    """
    if isinstance(layers, int):
        layers = LayerNumbers(tuple(range(1, layers + 1)), layers)
    number, layers = np.array(layers.numbers), layers.of_model
    tolerance = 1e-9
    return Bands(
        len(number),
        early=np.flatnonzero(number / layers <= settings.early_until + tolerance),
        deep=np.flatnonzero((number - 1) / layers >= settings.deep_from - tolerance),
        separated=np.flatnonzero(number / layers > settings.separation_after + tolerance),
    )
