"""The numbers that the studied layers have in their model. Where some are left out, the others keep theirs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analyses.errors import InputError

# The layer that is shown pair by pair unless a study names one: the lesson's own.
USUAL_DETAIL = 3


@dataclass(frozen=True)
class LayerNumbers:
    """Which layers of a model are studied: `numbers`, from 1 and ascending, of `of_model` layers."""

    numbers: tuple[int, ...]
    of_model: int

    @classmethod
    def of(cls, provenance: Mapping[str, Any], layers: int) -> "LayerNumbers":
        """As the provenance of a study of `layers` layers says: all of the model's, unless it says otherwise."""
        model = provenance.get("model", {})
        numbers = tuple(int(number) for number in model.get("layer_numbers", range(1, layers + 1)))
        return cls(numbers, max(int(model.get("layers_of_model", 0)), numbers[-1]))

    def detail(self, wanted: int | None) -> int:
        """The number of the layer that is shown pair by pair.

        Parameters
        ----------
        wanted : what the settings name; None takes the lesson's third layer, or the studied one next to it.

        Raises
        ------
        InputError
            The layer that is named is not studied.
        """
        if wanted is None:
            return next((number for number in self.numbers if number >= USUAL_DETAIL), self.numbers[-1])
        if wanted in self.numbers:
            return wanted
        if len(self.numbers) == self.of_model:
            expected = f"a layer from 1 to {self.of_model}, the number of layers of this model"
        else:
            expected = f"one of the layers that are studied, {ranges(self.numbers)} of {self.of_model}"
        raise InputError(f"detail_layer: expected {expected}; got {wanted}")


def studied(study: Mapping[str, Any]) -> list[int]:
    """The numbers of the studied layers, in the order of the arrays."""
    return list(study.get("layer_numbers") or range(1, study["layers"] + 1))


def of_model(study: Mapping[str, Any]) -> int:
    """How many layers the model has, studied or not."""
    return int(study.get("layers_of_model") or study["layers"])


def detail_layer(study: Mapping[str, Any]) -> tuple[int, int]:
    """The layer that is shown pair by pair: its number, and its place in the arrays."""
    number = int(study.get("detail_layer") or study["settings"]["detail_layer"])
    return number, studied(study).index(number)


def places(study: Mapping[str, Any], band: str) -> np.ndarray:
    """Where the layers of a band stand in the arrays."""
    numbers = studied(study)
    return np.array([numbers.index(number) for number in study["bands"][band]], dtype=int)


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as (first, last) of each run without a gap."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def ranges(numbers: Sequence[int]) -> str:
    """The same for a message, such as "1-3, 7"."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs(numbers))
