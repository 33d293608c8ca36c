"""Layers that a study leaves out, by name: those without an attention, and those that say nothing because their output is constant."""

import logging
from dataclasses import fields, replace
from typing import Any

import numpy as np

from analyses.errors import InputError
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import ranges
from analyses.occurrences.vectors import StudyInput

_LOG = logging.getLogger(__name__)


def without_silent_layers(found: StudyInput) -> StudyInput:
    """The same study without the layers in which a branch is constant, and with word of every layer that is left out.

    A branch is constant where a vector has the same value in all its dimensions (a dead layer) or where all occurrences have the
    same vector. Mutual information says nothing there, and one such layer would make statements untestable for all.

    ``provenance["model"]`` gains ``layer_numbers`` (which layers of the model are studied, from 1), ``layers_of_model`` (how many
    it has) and ``layers_left_out`` (a list of ``layer`` and ``reason``: ``no_attention``, ``not_captured``, or ``constant`` with
    ``branch``) where any layer is left out.

    Raises
    ------
    InputError
        No layer is left.
    """
    model: dict[str, Any] = dict(found.provenance.get("model", {}))
    layers = found.activation.shape[1]
    numbers = list(model.get("layer_numbers", range(1, layers + 1)))
    silent = {layer: branch for branch in reversed(BRANCHES) for layer in _constant(found.activation[BRANCHES.index(branch)])}
    left_out = list(model.get("layers_left_out", []))
    known = {each["layer"] for each in left_out} | set(numbers)
    left_out += [{"layer": each, "reason": "no_attention"} for each in range(1, model.get("layers_of_model", 0) + 1) if each not in known]
    left_out += [{"layer": numbers[layer], "reason": "constant", "branch": branch} for layer, branch in sorted(silent.items())]
    if not left_out:
        return found
    kept = [layer for layer in range(layers) if layer not in silent]
    if not kept:
        raise InputError("in every layer a branch gives the same values for all occurrences or dimensions; there is nothing to study")
    left_out.sort(key=lambda each: each["layer"])
    for reason, said in (("no_attention", "there is no attention"), ("constant", "the output of a branch is constant")):
        if these := [each["layer"] for each in left_out if each["reason"] == reason]:
            _LOG.warning(f"left out: {'layers' if len(these) > 1 else 'layer'} {ranges(these)}, for {said}")
    changed: dict[str, Any] = {}
    for field in fields(found):
        values = getattr(found, field.name)
        if field.name.endswith("activation") and values is not None and silent:
            # The layer is the third axis from behind but one: (..., branch, layer, occurrence, dimension).
            changed[field.name] = np.take(values, kept, axis=values.ndim - 3)
    model |= {
        "layers_of_model": model.get("layers_of_model", numbers[-1]),
        "layer_numbers": [numbers[layer] for layer in kept],
        "layers_left_out": left_out,
    }
    return replace(found, provenance={**found.provenance, "model": model}, **changed)


def _constant(activation: np.ndarray) -> list[int]:
    """Which layers of (layer, occurrence, dimension) hold a vector without a range, or one vector for all occurrences."""
    flat = (np.ptp(activation, axis=2) == 0).any(axis=1)
    same = (np.ptp(activation, axis=1) == 0).all(axis=1)
    return np.flatnonzero(flat | same).tolist()
