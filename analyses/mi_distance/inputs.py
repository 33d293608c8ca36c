"""What a study computes with: the captured vectors, from a model and a text or from a file of ready activations."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analyses.errors import InputError
from analyses.mi_distance.left_out import without_silent_layers
from analyses.mi_distance.names import BRANCHES
from analyses.mi_distance.prefixes import Prefix, control_prefix, study_prefix
from analyses.mi_distance.settings import StudySettings
from analyses.models.settings import BRANCH_OUTPUTS, ModelSettings
from analyses.progress import Progress
from analyses.readers import read_netcdf, read_npz
from analyses.words import LeftOut, Occurrence, look_for, words_of

# Fewer dimensions than a histogram has bins say nothing; the estimators need at least this many to give any number.
FEWEST_DIMENSIONS = 8

_LOG = logging.getLogger(__name__)


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


def read_input(settings: StudySettings, progress: Progress) -> StudyInput:
    """Capture the vectors of a study, or read ready ones.

    Raises
    ------
    InputError
        The word is not in the text, or only once; the text is too long for the model; a file of activations does not fit.
    MissingError
        The model is not to be had.
    """
    if settings.activations_file is not None:
        return without_silent_layers(from_file(Path(settings.activations_file), settings.word))
    return without_silent_layers(_from_model(settings, progress))


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


@dataclass(frozen=True)
class _Read:
    """A text that a model has read: vectors (branch, layer, position, dimension) at the tokens of some words.

    `other_output` are the same by the other ``branch_output``; None where they are the same.
    """

    activation: np.ndarray
    other_output: np.ndarray | None
    positions: list[int]
    words: list[tuple[int, ...]]
    provenance: dict[str, Any]

    def represented(self, representative: str, *, other_output: bool = False) -> np.ndarray:
        """One vector a word (branch, layer, word, dimension): that of its last token, or the mean over its tokens."""
        activation = self.activation
        if other_output:
            assert self.other_output is not None
            activation = self.other_output
        index = {position: column for column, position in enumerate(self.positions)}
        if representative == "last":
            return activation[:, :, [index[word[-1]] for word in self.words]]
        columns = [[index[position] for position in word] for word in self.words]
        return np.stack([activation[:, :, column].mean(axis=2) for column in columns], axis=2)


def _read(model: ModelSettings, text: str, words: list[tuple[int, ...]], progress: Progress) -> _Read:
    from analyses.models import capture

    positions = sorted({position for word in words for position in word})
    captured = capture(model, text, positions, progress)
    return _Read(captured.activation, captured.other_output, positions, words, dict(captured.provenance))


def _last_tokens(words: Iterable[Occurrence]) -> np.ndarray:
    return np.array([word.tokens[-1] for word in words], dtype=np.int64)


def _from_model(settings: StudySettings, progress: Progress) -> StudyInput:
    # Only this way of getting vectors needs torch; reports are rendered where it is not installed.
    from analyses.models import tokenize

    assert settings.text is not None
    prefix = study_prefix(settings)
    text = prefix.before(settings.text) if prefix else settings.text
    tokens = tokenize(settings.model, text)
    offsets = _in_text(tokens.offsets, prefix)
    found = look_for(
        settings.text,
        settings.word,
        offsets,
        case_sensitive=settings.case_sensitive,
        plural=settings.plural,
        inside_words=settings.inside_words,
        except_in=settings.except_in,
        language=settings.document.text_language,
        unknown=tokens.unknown,
    )
    if remark := found.remark(settings.word):
        _LOG.warning(remark)
    occurrences = list(found.occurrences)
    others = _other_words(settings.text, offsets, [*occurrences, *found.left_out]) if settings.controls.different_word else []
    of_word = [occurrence.tokens for occurrence in occurrences]
    read = _read(settings.model, text, [*of_word, *(other.tokens for other in others)], progress)
    vectors = read.represented(settings.representative_token)
    count = len(occurrences)
    untrained = None
    if settings.controls.untrained:
        twins = [settings.model.model_copy(update={"untrained": True, "seed": seed}) for seed in untrained_seeds(settings)]
        untrained = np.stack([_read(twin, text, of_word, progress).represented(settings.representative_token) for twin in twins])
    # What has the same vector by another choice is no choice.
    split = any(len(tokens_of) > 1 for tokens_of in of_word)
    another = "mean" if settings.representative_token == "last" else "last"
    alternative = read.represented(another)[:, :, :count] if split else None
    other_output: dict[str, Any] = {}
    if read.other_output is not None:
        other = read.represented(settings.representative_token, other_output=True)
        other_output = {
            "other_output_activation": other[:, :, :count],
            "other_output_control_activation": other[:, :, count:] if others else None,
            "other_output_alternative_activation": read.represented(another, other_output=True)[:, :, :count] if split else None,
        }
    behind, provenance = _behind_neutral_prefix(settings, occurrences, others, progress)
    if prefix:
        provenance = {"prefix": _described(prefix)}
    return StudyInput(
        activation=vectors[:, :, :count],
        token_position=_last_tokens(occurrences),
        control_activation=vectors[:, :, count:] if others else None,
        control_token_position=_last_tokens(others) if others else None,
        control_token_word=tuple(settings.text[other.start : other.end].casefold() for other in others) if others else None,
        untrained_activation=untrained,
        text={
            "text": settings.text,
            "tokens": list(tokens.pieces),
            # Counted in the studied text: the tokens of a prefix lie before its start.
            "offsets": [list(offset) for offset in offsets],
            "prefix_tokens": sum(end <= 0 for _, end in offsets) if prefix else 0,
            "occurrences": [
                {"start": occurrence.start, "end": occurrence.end, "tokens": list(occurrence.tokens)} for occurrence in occurrences
            ],
            "word": found.to_dict(),
        },
        provenance={"model": read.provenance} | provenance,
        alternative_activation=alternative,
        **behind,
        **other_output,
    )


def untrained_seeds(settings: StudySettings) -> list[int]:
    """The seeds of the untrained model's random weights."""
    return [(settings.seed + draw) % 2**32 for draw in range(settings.controls.untrained_seeds)]


def _behind_neutral_prefix(
    settings: StudySettings, occurrences: list[Occurrence], others: list[Occurrence], progress: Progress
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of the words of the study where its text stands behind the neutral prefix, and what that prefix is."""
    from analyses.models import tokenize

    prefix = control_prefix(settings)
    if prefix is None or settings.text is None:
        return {}, {}
    text = prefix.before(settings.text)
    try:
        offsets = _in_text(tokenize(settings.model, text).offsets, prefix)
    except InputError:
        # The text fits the model, or it would not have come so far: behind the prefix it does not.
        with progress.stage("prefix_left_out", 0):
            pass
        return {}, {"control_prefix": _described(prefix) | {"left_out": "too_long"}}

    def there(words: list[Occurrence]) -> list[Occurrence]:
        return [replace(word, tokens=_tokens_of(word, offsets)) for word in words]

    of_word, of_others = there(occurrences), there(others)
    words = [word.tokens for word in (*of_word, *of_others)]
    vectors = _read(settings.model, text, words, progress).represented(settings.representative_token)
    arrays = {"prefix_activation": vectors[:, :, : len(of_word)], "prefix_token_position": _last_tokens(of_word)}
    if of_others:
        arrays |= {"prefix_control_activation": vectors[:, :, len(of_word) :], "prefix_control_token_position": _last_tokens(of_others)}
    return arrays, {"control_prefix": _described(prefix) | {"tokens": sum(end <= 0 for _, end in offsets)}}


def _described(prefix: Prefix) -> dict[str, Any]:
    return {"text": prefix.text, "name": prefix.name, "language": prefix.language}


def _in_text(offsets: Iterable[tuple[int, int]], prefix: Prefix | None) -> tuple[tuple[int, int], ...]:
    """The tokens' spans counted from the start of the studied text."""
    before = prefix.characters if prefix else 0
    # A token may begin with the space that ends the prefix: of the text it is what lies in it.
    return tuple((max(start - before, 0) if end > before else start - before, end - before) for start, end in offsets)


def _tokens_of(word: Occurrence, offsets: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(index for index, (start, end) in enumerate(offsets) if start < word.end and end > word.start and end > start)


def _other_words(text: str, offsets: tuple[tuple[int, int], ...], occurrences: Iterable[Occurrence | LeftOut]) -> list[Occurrence]:
    """Every word of the text that is no occurrence of the target, with its tokens.

    The first token is left out: decoders park attention there and its activations are of another order of size
    (Sun, Chen, Kolter & Liu 2024, Massive activations in large language models).
    """
    taken = {token for occurrence in occurrences for token in occurrence.tokens} | {0}
    found = []
    for first, last in words_of(text):
        tokens = _tokens_of(Occurrence(first, last, ()), offsets)
        if tokens and taken.isdisjoint(tokens):
            found.append(Occurrence(first, last, tokens))
            taken.update(tokens)
    return found
