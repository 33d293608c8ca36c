"""Which layers are early and which are deep. Bands are fractions of depth, so that 4, 30 and 48 layers can be compared."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analyses.occurrences.layer_numbers import LayerNumbers

# A layer that ends exactly where a band does belongs to it, whatever the last digit of the fraction.
TOLERANCE = 1e-9


class Depths(Protocol):
    """Where the bands end and begin, as fractions of the depth."""

    @property
    def early_until(self) -> float: ...

    @property
    def deep_from(self) -> float: ...


@dataclass(frozen=True)
class DepthBands:
    """Indices (from 0) of the early and of the deep layers."""

    layers: int
    early: np.ndarray
    deep: np.ndarray

    @property
    def before_deep(self) -> np.ndarray:
        """All layers that lie before the deep ones."""
        return np.arange(self.deep[0] if len(self.deep) else self.layers)


def depth_bands(numbers: LayerNumbers, depths: Depths) -> DepthBands:
    """Divide the layers; layer number n (from 1) of L ends at depth n/L and begins at (n-1)/L.

    Depth is that in the model: each layer has its own number, and L counts those that are left out too.
    """
    number = np.array(numbers.numbers)
    return DepthBands(
        len(number),
        early=np.flatnonzero(number / numbers.of_model <= depths.early_until + TOLERANCE),
        deep=np.flatnonzero((number - 1) / numbers.of_model >= depths.deep_from - TOLERANCE),
    )
