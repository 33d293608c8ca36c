"""The grid of a sweep: which models read which texts, and which words are studied in each. Read from YAML."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import pydantic
from pydantic import Field, model_validator

from analyses.errors import InputError
from analyses.models.settings import ModelSettings
from analyses.occurrences.settings import DocumentSettings, Section, language_code
from analyses.readers import expanded, is_folder, unprintable
from analyses.words import words_of
from reportgen.problems import first_problem
from reportgen.registry import DEFAULT
from reportgen.settings import check_languages, keys_at, read_text
from reportgen.sweep.text_tables import rows_of
from reportgen.yaml_files import place_in, read_yaml

_STOP_WORDS = Path(__file__).parent / "stop_words"
# Longer names fit in no table.
_NAME_LIMIT = 200
# What a cell has of its own, and what makes it one.
_OF_A_CELL = ("name", "word", "text", "text_file", "model", "activations_file", "document", "robustness", "analysis")


class TextEntry(Section):
    """One text of a list."""

    name: str = Field(
        min_length=1,
        max_length=_NAME_LIMIT,
        pattern=r"^[^\r\n]*[^\s][^\r\n]*$",
        description="What the text is called in tables and figures.",
    )
    text: str | None = Field(None, description="The text itself; or give text_file.")
    text_file: str | None = Field(None, description="A UTF-8 file with the text.")
    language: str | None = Field(None, description="Code of its language, such as en or vi.")
    parallel: str | None = Field(None, min_length=1, description="What a text and its translations share: they count as one text.")
    word: tuple[str, ...] = Field((), description="The words to study in it, for words: {column: word}.")

    @pydantic.field_validator("word", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_a_text(self) -> Self:
        if (self.text is None) == (self.text_file is None):
            raise ValueError("expected either text or text_file")
        return self


class TextsSettings(Section):
    """Where the texts come from: exactly one of folder, file, list."""

    folder: str | None = Field(None, description="A folder of .txt files; each file's name is its text's.")
    file: str | None = Field(
        None, description="A CSV, JSON Lines or Parquet table with the columns text or file, name, language, parallel, word."
    )
    list: tuple[TextEntry, ...] | None = Field(None, min_length=1, description="The texts themselves.")
    language: str | None = Field(None, description="Code of the language of all texts that say nothing of their own.")
    most: int | None = Field(None, ge=1, description="At the most so many texts: a sample by the grid's seed.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.folder, self.file, self.list)) != 1:
            raise ValueError("expected exactly one of folder, file, list")
        return self


class EveryWord(Section):
    """Every word that occurs often enough in a text."""

    at_least: int = Field(6, ge=4, description="How often a word must occur in a text to be studied there.")
    stop_words: tuple[str, ...] | None = Field(
        None, description="Words that are left out, in place of the list of the text's language (en, vi; none of other languages)."
    )
    most: int | None = Field(None, ge=1, description="At the most so many words of a text, the most frequent ones first.")


class WordsSettings(Section):
    """Which words are studied: exactly one of list, by_text, column, every."""

    list: tuple[str, ...] | None = Field(None, min_length=1, description="These words, in every text.")
    by_text: dict[str, tuple[str, ...]] | None = Field(None, min_length=1, description="Name of a text -> its words.")
    column: Literal["word"] | None = Field(None, description="word: those that the texts' table names beside each text.")
    every: EveryWord | None = Field(None, description="Every word that occurs often enough.")

    @pydantic.field_validator("by_text", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        return {name: (words,) if isinstance(words, str) else words for name, words in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.list, self.by_text, self.column, self.every)) != 1:
            raise ValueError("expected exactly one of list, by_text, column, every")
        return self


class GridSettings(Section):
    """A grid of studies."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="What the sweep is called in files and addresses.")
    analysis: str = Field(DEFAULT, description="The analysis that studies each word.")
    models: tuple[ModelSettings, ...] = Field((ModelSettings(),), min_length=1, description="The models, as in a study file.")
    texts: TextsSettings = Field(description="Where the texts come from.")
    words: WordsSettings = Field(description="Which words are studied.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Keys of a study file that hold for every cell (estimation: ...).")
    seed: int = Field(20, ge=0, le=2**32 - 1, description="Seed of the sample of texts.")
    document: DocumentSettings = Field(default_factory=DocumentSettings, description="The title block of the pooled report.")

    @pydantic.field_validator("models")
    @classmethod
    def _are_different(cls, value: tuple[ModelSettings, ...]) -> tuple[ModelSettings, ...]:
        if twice := [model for number, model in enumerate(value) if model in value[:number]]:
            raise ValueError(f"the model {twice[0].name or twice[0].source} is there twice; leave one of them out")
        return value

    @pydantic.field_validator("settings")
    @classmethod
    def _leaves_the_cells_their_own(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in value:
            if key in _OF_A_CELL:
                raise ValueError(f"{key} is each cell's own; expected other keys of a study file, such as estimation or controls")
        return value


@dataclass(frozen=True)
class Text:
    """One text of a sweep, with the words that its table names; texts with the same `parallel` are versions of one."""

    name: str
    text: str
    language: str | None
    words: tuple[str, ...]
    parallel: str | None = None


def load_grid(file: Path, languages: Collection[str] | None = None) -> GridSettings:
    """Read a grid file; with `languages`, the codes of all there are, a text of the title block in any other is an error.

    Raises
    ------
    InputError
        One line that names the file, the key and what was expected there.
    """
    data = read_yaml(file, "grid of a sweep")
    if not isinstance(data.values, dict):
        raise InputError(f"{file}: expected the keys of a grid: name, texts, words, ...")
    try:
        grid = GridSettings.model_validate(data.values)
    except pydantic.ValidationError as error:
        problem = first_problem(error, lambda location: keys_at(GridSettings, location))
        raise InputError(f"{place_in(file, data.lines, problem.location)}: {problem}") from None
    if languages is not None:
        check_languages(grid, languages, lambda location: place_in(file, data.lines, location))
    return grid


def texts_of(grid: GridSettings, file: Path) -> list[Text]:
    """The texts of the grid in `file`, in the order of their names; raises InputError for what cannot be read."""
    settings = grid.texts
    if settings.folder is not None:
        found = list(_of_folder(_at(file, settings.folder, "texts.folder"), f"{file}: texts.folder"))
    elif settings.file is not None:
        found = list(_of_table(_at(file, settings.file, "texts.file"), f"{file}: texts.file"))
    else:
        found = [_of_entry(entry, file, number) for number, entry in enumerate(settings.list or ())]
    found = [replace(text, language=text.language or settings.language) for text in found]
    counts = Counter(text.name for text in found)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise InputError(f"{file}: texts: two texts are named {twice[0]}; give each a name of its own")
    named: dict[str, str] = {}
    for text in found:
        if (other := named.setdefault(text.text, text.name)) != text.name:
            # Pooled as two, it would count twice.
            raise InputError(f"{file}: texts: {other} and {text.name} are the same text; leave one of them out")
        if text.language is not None:
            try:
                language_code(text.language)
            except ValueError as error:
                raise InputError(f"{file}: texts: {text.name}: language: {error}") from None
    if not found:
        raise InputError(f"{file}: texts: there is none")
    found.sort(key=lambda text: text.name)
    if settings.most is not None and len(found) > settings.most:
        found = sorted(random.Random(grid.seed).sample(found, settings.most), key=lambda text: text.name)
    return found


def words_in(grid: GridSettings, text: Text) -> tuple[str, ...]:
    """The words that the grid studies in a text, in a fixed order."""
    words = grid.words
    if words.list is not None:
        return words.list
    if words.by_text is not None:
        return words.by_text.get(text.name, ())
    if words.column is not None:
        return text.words
    assert words.every is not None
    stop_words = words.every.stop_words
    left_out = stop_words_of(text.language) if stop_words is None else {word.casefold() for word in stop_words}
    counts = Counter(text.text[first:last].casefold() for first, last in words_of(text.text))
    kept = [(word, count) for word, count in counts.items() if count >= words.every.at_least and word not in left_out]
    kept.sort(key=lambda row: (-row[1], row[0]))
    return tuple(word for word, _ in kept[: words.every.most])


def stop_words_of(language: str | None) -> set[str]:
    """Words of a language that are about no thing; none of a language that has no list."""
    file = _STOP_WORDS / f"{(language or '').partition('-')[0]}.txt"
    return set(file.read_text(encoding="utf-8").split()) if file.is_file() else set()


def check_names(grid: GridSettings, texts: Sequence[Text], file: Path) -> None:
    """Raise InputError where words are given for a text that there is not."""
    names = {text.name for text in texts}
    for name in grid.words.by_text or ():
        if name not in names and grid.texts.most is None:
            raise InputError(f"{file}: words.by_text: there is no text named {name}; there are {', '.join(sorted(names)[:5])}, ...")


def _at(file: Path, path: str, key: str) -> Path:
    return file.parent / expanded(path, f"{file}: {key}")


def _text_at(place: Path, where: str) -> str:
    try:
        return read_text(place)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _of_entry(entry: TextEntry, file: Path, number: int) -> Text:
    key = f"texts.list.{number}.text_file"
    text = entry.text if entry.text is not None else _text_at(_at(file, entry.text_file or "", key), f"{file}: {key}")
    return Text(entry.name, text.strip(), entry.language, entry.word, entry.parallel)


def _of_folder(folder: Path, where: str) -> Iterator[Text]:
    if not is_folder(folder):
        raise InputError(f"{where}: there is no folder {folder}")
    for file in sorted(folder.glob("*.txt")):
        if found := unprintable(file.stem):
            raise InputError(f"{where}: the name of {file} holds the character {found[1]}, which is not for reading; rename the file")
        yield Text(_one_line(file.stem, where), _text_at(file, where).strip(), None, ())


def _of_table(file: Path, where: str) -> Iterator[Text]:
    for place, row in rows_of(file, where):
        text = row["text"] if row["text"] is not None else _text_at(file.parent / row["file"], place)
        yield Text(_one_line(row["name"], place), text.strip(), row["language"], row["word"], row["parallel"])


def _one_line(name: str, where: str) -> str:
    if len(name.splitlines()) != 1 or not name.strip() or len(name) > _NAME_LIMIT:
        raise InputError(f"{where}: name: expected one line of at most {_NAME_LIMIT} characters, found {name[:40]!r}")
    return name
