"""The captured vectors of one study, and how they are read from a file of ready activations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analyses.errors import InputError
from analyses.models.settings import BRANCH_OUTPUTS
from analyses.occurrences.branches import BRANCHES
from analyses.readers import read_netcdf, read_npz
from analyses.records import versions

# Fewer dimensions than a histogram has bins say nothing; the estimators need at least this many to give any number.
FEWEST_DIMENSIONS = 8
# What runs a model: ready activations need none of it.
_RUN_THE_MODEL = ("torch", "transformers", "tokenizers")


@dataclass(frozen=True)
class StudyInput:
    """The vectors of one study and where they come from.

    `activation` (branch, layer, occurrence, dimension) and `token_position` (occurrence,) are always there; control and
    untrained vectors are None where the study does without. `text` describes the tokens (None for ready activations).
    `alternative_activation` is `activation` by the other representation of a word of several tokens; None where they are the same.
    The `other_output_` arrays are the three before by the other value of ``model.branch_output``; None where no norm lies between.
    `untrained_activation` has one more axis in front, the draws of random weights. The `prefix_` arrays are the same words
    where the text stands behind a neutral paragraph: `prefix_token_position` says where that is, for distances stay only
    as long as the tokenizer cuts the text alike there.
    """

    activation: np.ndarray
    token_position: np.ndarray
    control_activation: np.ndarray | None
    control_token_position: np.ndarray | None
    control_token_word: tuple[str, ...] | None
    untrained_activation: np.ndarray | None
    text: dict[str, Any] | None
    provenance: dict[str, Any]
    alternative_activation: np.ndarray | None = None
    prefix_activation: np.ndarray | None = None
    prefix_token_position: np.ndarray | None = None
    prefix_control_activation: np.ndarray | None = None
    prefix_control_token_position: np.ndarray | None = None
    other_output_activation: np.ndarray | None = None
    other_output_control_activation: np.ndarray | None = None
    other_output_alternative_activation: np.ndarray | None = None

    def versions(self, *packages: str) -> dict[str, str]:
        """The versions of the packages that compute with the vectors and, where a model was run for them, of those that ran it."""
        return versions(*packages, *(_RUN_THE_MODEL if self.text is not None else ()))

    def to_dataset(self) -> xr.Dataset:
        """The captured vectors as they stand in ``activations.nc``; `from_file` reads them back."""
        variables: dict[str, Any] = {
            "activation": (("branch", "layer", "occurrence", "dimension"), self.activation, {"long_name": "branch output at the word"}),
            "token_position": (("occurrence",), self.token_position, {"long_name": "token position, from 0"}),
        }
        if self.control_activation is not None:
            dims = ("branch", "layer", "control_token", "dimension")
            variables["control_activation"] = (dims, self.control_activation, {"long_name": "branch output at the other words"})
            variables["control_token_position"] = (("control_token",), self.control_token_position, {"long_name": "token position, from 0"})
            variables["control_token_word"] = (("control_token",), list(self.control_token_word or ()), {"long_name": "word, case-folded"})
        if self.untrained_activation is not None:
            untrained = ("untrained_seed", "branch", "layer", "occurrence", "dimension")
            variables["untrained_activation"] = (untrained, self.untrained_activation, {"long_name": "the same, in the untrained model"})
        if self.alternative_activation is not None:
            dims = ("branch", "layer", "occurrence", "dimension")
            variables["alternative_activation"] = (dims, self.alternative_activation, {"long_name": "by the other representative token"})
        variables |= self._prefix_variables() | self._other_output_variables()
        model = self.provenance.get("model", {})
        if numbers := model.get("layer_numbers"):
            variables["layer_number"] = (("layer",), np.asarray(numbers, dtype=np.int64), {"long_name": "number of the layer in the model"})
            of_model = np.asarray(model.get("layers_of_model", numbers[-1]), dtype=np.int64)
            variables["layers_of_model"] = ((), of_model, {"long_name": "how many layers the model has"})
        # What is read again must know where its branches were read.
        attributes = {name: model[name] for name in ("branch_output",) if name in model}
        return xr.Dataset(variables, coords={"branch": list(BRANCHES)}, attrs=attributes)

    def _other_output_variables(self) -> dict[str, Any]:
        vectors = {"": "occurrence", "control_": "control_token", "alternative_": "occurrence"}
        variables: dict[str, Any] = {}
        for kind, dim in vectors.items():
            name = f"other_output_{kind}activation"
            if (values := getattr(self, name)) is not None:
                variables[name] = (("branch", "layer", dim, "dimension"), values, {"long_name": "the same, by the other branch_output"})
        return variables

    def _prefix_variables(self) -> dict[str, Any]:
        dims = {"prefix": "occurrence", "prefix_control": "control_token"}
        variables: dict[str, Any] = {}
        for name, dim in dims.items():
            activation, position = getattr(self, f"{name}_activation"), getattr(self, f"{name}_token_position")
            if activation is not None:
                description = {"long_name": "the same, behind the neutral prefix"}
                variables[f"{name}_activation"] = (("branch", "layer", dim, "dimension"), activation, description)
                variables[f"{name}_token_position"] = ((dim,), position, {"long_name": "token position there, from 0"})
        return variables


def from_file(file: Path, word: str) -> StudyInput:
    """Read ``activation`` and ``token_position`` (and the control and untrained vectors, if there) from an .npz or .nc file.

    Raises
    ------
    InputError
        The arrays do not fit, or the file says (``word``) that they were captured at another word than the study's.
    """
    content = _load(file)
    captured = str(content.get("word", word))
    if captured.casefold() != word.casefold():
        raise InputError(f'{file}: its vectors are those of the word "{captured}", not "{word}"; give --word "{captured}" or another file')
    model: dict[str, Any] = {"source": "ready activations", "file": file.name}
    if "branch_output" in content:
        model["branch_output"] = str(content["branch_output"])
        if model["branch_output"] not in BRANCH_OUTPUTS:
            raise InputError(f"{file}: branch_output must be one of {', '.join(BRANCH_OUTPUTS)}; it is {model['branch_output']!r}")
    if "layer_number" in content:
        # Some layers of the model were left out when these were captured: the others keep their numbers.
        numbers = model["layer_numbers"] = _layer_numbers(content, str(file))
        if "layers_of_model" in content:
            of_model = _layers_of_model(content, numbers, str(file))
            model["layers_of_model"] = of_model
            # Why they were left out, the file does not say.
            missing = sorted(set(range(1, of_model + 1)) - set(numbers))
            model["layers_left_out"] = [{"layer": number, "reason": "not_captured"} for number in missing]
    return from_arrays(content, str(file), None, {"model": model})


def _layer_numbers(content: Mapping[str, np.ndarray], where: str) -> list[int]:
    numbers, activation = np.asarray(content["layer_number"]), np.asarray(_required(content, "activation", where))
    fits = numbers.ndim == 1 and activation.ndim == 4 and numbers.shape == (activation.shape[1],)
    if not fits or not np.issubdtype(numbers.dtype, np.integer) or numbers.min(initial=1) < 1 or (np.diff(numbers) <= 0).any():
        raise InputError(f"{where}: layer_number must be one whole number a layer of activation, from 1 and in ascending order")
    return [int(number) for number in numbers]


def _layers_of_model(content: Mapping[str, np.ndarray], numbers: list[int], where: str) -> int:
    value = np.asarray(content["layers_of_model"])
    if value.ndim != 0 or not np.issubdtype(value.dtype, np.integer) or value < numbers[-1]:
        raise InputError(f"{where}: layers_of_model must be one whole number, at least the largest layer_number; it is {value}")
    return int(value)


def from_arrays(content: Mapping[str, np.ndarray], where: str, text: dict[str, Any] | None, provenance: dict[str, Any]) -> StudyInput:
    """Check arrays named as in `StudyInput.to_dataset`; `where` names their source in an error.

    Raises
    ------
    InputError
        An array is missing or has not the expected shape.
    """
    activation = np.asarray(_required(content, "activation", where))
    if activation.ndim != 4 or activation.shape[0] != len(BRANCHES) or not np.issubdtype(activation.dtype, np.floating):
        raise InputError(
            f"{where}: activation must be floats (branch, layer, occurrence, dimension) with {len(BRANCHES)} branches, "
            f"attention first; it is {activation.dtype} {activation.shape}"
        )
    if activation.shape[3] < FEWEST_DIMENSIONS:
        raise InputError(f"{where}: activation has {activation.shape[3]} dimensions a vector; expected at least {FEWEST_DIMENSIONS}")
    activation = _single(activation, "activation", where)
    position = _positions(content, activation.shape[2], where)
    control = _vectors(content, "control_activation", activation, where)
    untrained = _untrained_vectors(content, activation, where)
    if untrained is not None and untrained.shape[3] != activation.shape[2]:
        raise InputError(f"{where}: untrained_activation must hold the {activation.shape[2]} occurrences of activation")
    alternative = _vectors(content, "alternative_activation", activation, where)
    if alternative is not None and alternative.shape != activation.shape:
        raise InputError(f"{where}: alternative_activation must have the shape of activation")
    control_position, words = None, None
    if control is not None:
        control_position = np.asarray(_required(content, "control_token_position", where)).astype(np.int64)
        words = tuple(str(word) for word in _required(content, "control_token_word", where).tolist())
        if control_position.shape != (control.shape[2],) or len(words) != control.shape[2]:
            raise InputError(f"{where}: control_token_position and control_token_word must have one entry a control token")
    more = _behind_prefix_from(content, activation, where, activation.shape[2], None if control is None else control.shape[2])
    for name, like in (("activation", activation), ("control_activation", control), ("alternative_activation", alternative)):
        other = _vectors(content, f"other_output_{name}", activation, where)
        if other is not None and (like is None or other.shape != like.shape):
            raise InputError(f"{where}: other_output_{name} must have the shape of {name}")
        if other is not None and "branch_output" not in provenance.get("model", {}):
            raise InputError(f"{where}: with other_output_{name} it must say by branch_output what activation is: projection or residual")
        if other is not None:
            more[f"other_output_{name}"] = other
    return StudyInput(activation, position, control, control_position, words, untrained, text, provenance, alternative, **more)


def _behind_prefix_from(
    content: Mapping[str, np.ndarray], activation: np.ndarray, where: str, occurrences: int, control_tokens: int | None
) -> dict[str, np.ndarray]:
    """The arrays of the same words behind the neutral prefix, as far as they are there."""
    found: dict[str, np.ndarray] = {}
    for name, count in (("prefix", occurrences), ("prefix_control", control_tokens)):
        vectors = _vectors(content, f"{name}_activation", activation, where)
        if vectors is None or count is None:
            continue
        position = np.asarray(_required(content, f"{name}_token_position", where))
        if vectors.shape[2] != count or position.shape != (count,):
            raise InputError(f"{where}: {name}_activation and {name}_token_position must hold the {count} words of the study")
        found |= {f"{name}_activation": vectors, f"{name}_token_position": position.astype(np.int64)}
    return found


def _load(file: Path) -> Mapping[str, np.ndarray]:
    if not file.is_file():
        raise InputError(f"{file}: there is no such file of activations; expected .npz or .nc")
    if file.suffix == ".npz":
        return read_npz(file)
    if file.suffix == ".nc":
        dataset = read_netcdf(file)
        # A file from a bundle names its word in an attribute.
        return {**dataset.attrs, **{str(name): dataset[name].to_numpy() for name in dataset.variables}}
    raise InputError(f"{file}: expected a file of activations that ends in .npz or .nc")


def _required(content: Mapping[str, np.ndarray], name: str, where: str) -> np.ndarray:
    if name not in content:
        raise InputError(f"{where}: lacks the array {name!r}; it has {', '.join(sorted(content)) or 'none'}")
    return content[name]


def _vectors(content: Mapping[str, np.ndarray], name: str, like: np.ndarray, where: str) -> np.ndarray | None:
    return _checked(np.asarray(content[name]), name, like, where) if name in content else None


def _untrained_vectors(content: Mapping[str, np.ndarray], like: np.ndarray, where: str) -> np.ndarray | None:
    """Of every draw of random weights (untrained_seed, branch, layer, occurrence, dimension); without the first axis it is one draw."""
    name = "untrained_activation"
    if name not in content:
        return None
    values = np.asarray(content[name])
    draws = values if values.ndim == 5 else values[None]
    if not len(draws):
        raise InputError(f"{where}: {name} holds no draw of random weights")
    return np.stack([_checked(draw, name, like, where) for draw in draws])


def _checked(values: np.ndarray, name: str, like: np.ndarray, where: str) -> np.ndarray:
    if values.ndim != 4 or (values.shape[:2], values.shape[3]) != (like.shape[:2], like.shape[3]):
        raise InputError(f"{where}: {name} must have the branches, layers and dimensions of activation")
    return _single(values, name, where)


def _single(values: np.ndarray, name: str, where: str) -> np.ndarray:
    """Finite vectors, in 32 bits where they came in 16: half precision is no type that a netCDF file can hold."""
    if not np.isfinite(values).all():
        branch, layer = np.argwhere(~np.isfinite(values))[0][:2]
        raise InputError(
            f"{where}: {name} holds values that are no finite numbers, first in layer {layer + 1} of {BRANCHES[branch]}; "
            "capture it again in 32-bit precision"
        )
    return values.astype(np.float32) if values.dtype == np.float16 else values


def _positions(content: Mapping[str, np.ndarray], count: int, where: str) -> np.ndarray:
    """The occurrences' token positions: whole, from 0, each after the one before."""
    position = np.asarray(_required(content, "token_position", where))
    if position.shape != (count,) or not np.issubdtype(position.dtype, np.integer):
        raise InputError(
            f"{where}: token_position must be {count} whole numbers, one an occurrence; it is {position.dtype} {position.shape}"
        )
    if count and position.min() < 0:
        raise InputError(f"{where}: token_position counts from 0; it holds {position.min()}")
    if (np.diff(position.astype(np.int64)) <= 0).any():
        raise InputError(f"{where}: token_position must be in ascending order, each occurrence at a token of its own; sort the occurrences")
    return position.astype(np.int64)
