"""What a study computes with: the captured vectors, from a model and a text or from a file of ready activations."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from analyses.errors import InputError
from analyses.models.settings import ModelSettings
from analyses.models.tokens import Tokens
from analyses.occurrences.left_out import without_silent_layers
from analyses.occurrences.prefixes import Prefix, control_prefix, study_prefix
from analyses.occurrences.settings import CaptureRequest
from analyses.occurrences.vectors import StudyInput, from_file
from analyses.progress import Progress
from analyses.words import Found, LeftOut, Occurrence, look_for, words_of

_LOG = logging.getLogger(__name__)


def read_input(settings: CaptureRequest, progress: Progress) -> StudyInput:
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


# A model's reading of a text at the tokens of some words.
_Reader = Callable[[ModelSettings, str, list[tuple[int, ...]], Progress], _Read]


def read_inputs(requests: Sequence[CaptureRequest], progress: Progress) -> Iterator[StudyInput | InputError]:
    """The vectors of many studies, each as `read_input` gives them; a model reads the same text once for all of its words.

    In place of vectors the error that a study's own word or settings make. A model that is not to be had ends all of it (MissingError).
    """
    known: dict[tuple[str, str], _Read] = {}

    def read(model: ModelSettings, text: str, words: list[tuple[int, ...]], progress: Progress) -> _Read:
        from analyses.models import tokenize

        key = (model.model_dump_json(), text)
        if key not in known:
            # Of the text before, nothing is wanted any more.
            known.clear()
            every: list[tuple[int, ...]] = [(position,) for position in range(len(tokenize(model, text).ids))]
            known[key] = _read(model, text, every, progress)
        return replace(known[key], words=words)

    for request in requests:
        try:
            yield without_silent_layers(_from_model(request, progress, read))
        except InputError as error:
            yield error


def _last_tokens(words: Iterable[Occurrence]) -> np.ndarray:
    return np.array([word.tokens[-1] for word in words], dtype=np.int64)


@dataclass(frozen=True)
class _Tokenized:
    """The text as a model is to read it, where the word and the other words stand in it; offsets are counted in the studied text."""

    text: str
    prefix: Prefix | None
    tokens: Tokens
    offsets: tuple[tuple[int, int], ...]
    found: Found
    occurrences: list[Occurrence]
    others: list[Occurrence]


def _tokenized(settings: CaptureRequest) -> _Tokenized:
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
    occurrences = list(found.occurrences)
    others = _other_words(settings.text, offsets, [*occurrences, *found.left_out]) if settings.controls.different_word else []
    return _Tokenized(text, prefix, tokens, offsets, found, occurrences, others)


def places_of(settings: CaptureRequest) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Token positions of the word and of the other words, and these words, case-folded: what a capture would find, without a model's pass.

    Raises
    ------
    InputError, MissingError
        As `read_input`.
    """
    seen = _tokenized(settings)
    return _last_tokens(seen.occurrences), _last_tokens(seen.others), _folded(settings.text or "", seen.others)


def _folded(text: str, words: Iterable[Occurrence]) -> tuple[str, ...]:
    return tuple(text[word.start : word.end].casefold() for word in words)


def _from_model(settings: CaptureRequest, progress: Progress, read: _Reader = _read) -> StudyInput:
    assert settings.text is not None
    words = _tokenized(settings)
    text, prefix, tokens, offsets = words.text, words.prefix, words.tokens, words.offsets
    found, occurrences, others = words.found, words.occurrences, words.others
    if remark := found.remark(settings.word):
        _LOG.warning(remark)
    of_word = [occurrence.tokens for occurrence in occurrences]
    seen = read(settings.model, text, [*of_word, *(other.tokens for other in others)], progress)
    vectors = seen.represented(settings.representative_token)
    count = len(occurrences)
    untrained = None
    if settings.controls.untrained:
        twins = [settings.model.model_copy(update={"untrained": True, "seed": seed}) for seed in untrained_seeds(settings)]
        untrained = np.stack([read(twin, text, of_word, progress).represented(settings.representative_token) for twin in twins])
    # What has the same vector by another choice is no choice.
    split = any(len(tokens_of) > 1 for tokens_of in of_word)
    another = "mean" if settings.representative_token == "last" else "last"
    alternative = seen.represented(another)[:, :, :count] if split else None
    other_output: dict[str, Any] = {}
    if seen.other_output is not None:
        other = seen.represented(settings.representative_token, other_output=True)
        other_output = {
            "other_output_activation": other[:, :, :count],
            "other_output_control_activation": other[:, :, count:] if others else None,
            "other_output_alternative_activation": seen.represented(another, other_output=True)[:, :, :count] if split else None,
        }
    behind, provenance = _behind_neutral_prefix(settings, occurrences, others, progress, read)
    if prefix:
        provenance = {"prefix": _described(prefix)}
    return StudyInput(
        activation=vectors[:, :, :count],
        token_position=_last_tokens(occurrences),
        control_activation=vectors[:, :, count:] if others else None,
        control_token_position=_last_tokens(others) if others else None,
        control_token_word=_folded(settings.text, others) if others else None,
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
        provenance={"model": seen.provenance} | provenance,
        alternative_activation=alternative,
        **behind,
        **other_output,
    )


def untrained_seeds(settings: CaptureRequest) -> list[int]:
    """The seeds of the untrained model's random weights."""
    return [(settings.seed + draw) % 2**32 for draw in range(settings.controls.untrained_seeds)]


def _behind_neutral_prefix(
    settings: CaptureRequest, occurrences: list[Occurrence], others: list[Occurrence], progress: Progress, read: _Reader
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
    vectors = read(settings.model, text, words, progress).represented(settings.representative_token)
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
