"""What a study computes with: the captured vectors, from a model and a text or from a file of ready activations."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from analyses.errors import InputError
from analyses.mi_distance.left_out import without_silent_layers
from analyses.mi_distance.names import BRANCHES
from analyses.mi_distance.settings import StudySettings
from analyses.progress import Progress
from analyses.words import Occurrence, look_for, words_of

# Fewer dimensions than a histogram has bins say nothing; the estimators need at least this many to give any number.
FEWEST_DIMENSIONS = 8

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyInput:
    """The vectors of one study and where they come from.

    `activation` (branch, layer, occurrence, dimension) and `token_position` (occurrence,) are always there; control and
    untrained vectors are None where the study does without. `text` describes the tokens (None for ready activations).
    `alternative_activation` is `activation` by the other representation of a word of several tokens; None where they are the same.
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
            dims = ("branch", "layer", "occurrence", "dimension")
            variables["untrained_activation"] = (dims, self.untrained_activation, {"long_name": "the same, in the untrained model"})
        if self.alternative_activation is not None:
            dims = ("branch", "layer", "occurrence", "dimension")
            variables["alternative_activation"] = (dims, self.alternative_activation, {"long_name": "by the other representative token"})
        return xr.Dataset(variables, coords={"branch": list(BRANCHES)})


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
    return from_arrays(content, str(file), None, {"model": {"source": "ready activations", "file": file.name}})


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
    untrained = _vectors(content, "untrained_activation", activation, where)
    if untrained is not None and untrained.shape[2] != activation.shape[2]:
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
    return StudyInput(activation, position, control, control_position, words, untrained, text, provenance, alternative)


def _load(file: Path) -> Mapping[str, np.ndarray]:
    if not file.is_file():
        raise InputError(f"{file}: there is no such file of activations; expected .npz or .nc")
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        if file.suffix == ".nc":
            with xr.open_dataset(file) as dataset:
                # A file from a bundle names its word in an attribute.
                return {**dataset.attrs, **{str(name): dataset[name].values for name in dataset.variables}}
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as activations ({str(error).splitlines()[0]})") from None
    raise InputError(f"{file}: expected a file of activations that ends in .npz or .nc")


def _required(content: Mapping[str, np.ndarray], name: str, where: str) -> np.ndarray:
    if name not in content:
        raise InputError(f"{where}: lacks the array {name!r}; it has {', '.join(sorted(content)) or 'none'}")
    return content[name]


def _vectors(content: Mapping[str, np.ndarray], name: str, like: np.ndarray, where: str) -> np.ndarray | None:
    if name not in content:
        return None
    values = np.asarray(content[name])
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


def _from_model(settings: StudySettings, progress: Progress) -> StudyInput:
    # Only this way of getting vectors needs torch; reports are rendered where it is not installed.
    from analyses.models import capture, tokenize

    assert settings.text is not None
    tokens = tokenize(settings.model, settings.text)
    found = look_for(
        settings.text,
        settings.word,
        tokens.offsets,
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
    others = _other_words(settings.text, tokens.offsets, [*occurrences, *found.left_out]) if settings.controls.different_word else []
    words = [*(occurrence.tokens for occurrence in occurrences), *(token for _, token in others)]
    positions = sorted({position for word in words for position in word})
    captured = capture(settings.model, settings.text, positions, progress)
    vectors = _represent(captured.activation, positions, words, settings.representative_token)
    untrained = None
    if settings.controls.untrained:
        twin = settings.model.model_copy(update={"untrained": True, "seed": settings.seed})
        of_word = sorted({position for occurrence in occurrences for position in occurrence.tokens})
        random_weights = capture(twin, settings.text, of_word, progress)
        untrained = _represent(random_weights.activation, of_word, words[: len(occurrences)], settings.representative_token)
    count = len(occurrences)
    alternative = None
    if any(len(occurrence.tokens) > 1 for occurrence in occurrences):
        other = "mean" if settings.representative_token == "last" else "last"
        alternative = _represent(captured.activation, positions, words[:count], other)
    return StudyInput(
        activation=vectors[:, :, :count],
        token_position=np.array([occurrence.tokens[-1] for occurrence in occurrences], dtype=np.int64),
        control_activation=vectors[:, :, count:] if others else None,
        control_token_position=np.array([token[-1] for _, token in others], dtype=np.int64) if others else None,
        control_token_word=tuple(word for word, _ in others) if others else None,
        untrained_activation=untrained,
        text={
            "text": settings.text,
            "tokens": list(tokens.pieces),
            "offsets": [list(offset) for offset in tokens.offsets],
            "occurrences": [
                {"start": occurrence.start, "end": occurrence.end, "tokens": list(occurrence.tokens)} for occurrence in occurrences
            ],
            "word": found.to_dict(),
        },
        provenance={"model": dict(captured.provenance)},
        alternative_activation=alternative,
    )


def _other_words(text: str, offsets: tuple[tuple[int, int], ...], occurrences: list[Occurrence]) -> list[tuple[str, tuple[int, ...]]]:
    """Every word of the text that is no occurrence of the target, with its tokens.

    The first token is left out: decoders park attention there and its activations are of another order of size
    (Sun, Chen, Kolter & Liu 2024, Massive activations in large language models).
    """
    taken = {token for occurrence in occurrences for token in occurrence.tokens} | {0}
    found = []
    for first, last in words_of(text):
        tokens = tuple(index for index, (start, end) in enumerate(offsets) if start < last and end > first and end > start)
        if tokens and taken.isdisjoint(tokens):
            found.append((text[first:last].casefold(), tokens))
            taken.update(tokens)
    return found


def _represent(activation: np.ndarray, positions: list[int], words: list[tuple[int, ...]], representative: str) -> np.ndarray:
    """One vector a word (branch, layer, word, dimension) from one vector a token (branch, layer, position, dimension)."""
    index = {position: column for column, position in enumerate(positions)}
    if representative == "last":
        return activation[:, :, [index[word[-1]] for word in words]]
    return np.stack([activation[:, :, [index[position] for position in word]].mean(axis=2) for word in words], axis=2)
