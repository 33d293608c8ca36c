"""The plan of a sweep: its cells, each known by the hash of all that its numbers depend on, in a fixed order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from analyses.errors import InputError
from analyses.progress import Progress
from analyses.protocol import Analysis, Swept
from analyses.records import portable_settings
from reportgen import registry
from reportgen.cache import cache_key
from reportgen.identity import computation_code, inputs_of
from reportgen.problems import first_problem
from reportgen.settings import keys_at
from reportgen.sweep.grid import GridSettings, Text, check_names, texts_of, words_in
from reportgen.sweep.store import as_json

FORMAT_VERSION = 1
# What every cell is called: a cell serves every grid that has it, whatever the grid is called.
CELL = "cell"


@dataclass(frozen=True)
class Cell:
    """One study of the sweep: its key in the store, its settings, the name of its text."""

    key: str
    settings: Any
    text: Text

    @property
    def group(self) -> tuple[str, str]:
        """What cells share that are computed together: the model and the text, which it reads once."""
        return self.settings.model.model_dump_json(), self.text.name


@dataclass(frozen=True)
class Plan:
    """The cells of a grid, and what the pooled report says of itself."""

    grid: GridSettings
    cells: tuple[Cell, ...]

    def to_json(self) -> bytes:
        """``plan.json``."""
        rows = [_row(cell) for cell in self.cells]
        content = {"format_version": FORMAT_VERSION, "name": self.grid.name, "cells": rows}
        digest = hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
        return as_json({**content, "hash": digest})

    def groups(self) -> list[list[Cell]]:
        """Cells by model and text, in the order of the plan: a model's texts stand together."""
        found: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.group, []).append(cell)
        return list(found.values())


def plan(grid: GridSettings, file: Path, progress: Progress) -> Plan:
    """Lay out the cells of the grid that `file` holds.

    Raises
    ------
    InputError
        A text, a word or a setting is none; the line names file and key.
    MissingError
        A model is not to be had.
    """
    analysis = swept(grid, file)
    texts = texts_of(grid, file)
    check_names(grid, texts, file)
    code: str = computation_code(analysis)
    found = []
    for model in grid.models:
        for text in texts:
            for word in dict.fromkeys(words_in(grid, text)):
                settings = analysis.cell_settings(_settings(analysis, grid, file, text, word, model.model_dump(mode="json")))
                found.append(Cell(cache_key(analysis=analysis.name, code=code, inputs=inputs_of(settings, progress)), settings, text))
    if not found:
        raise InputError(f"{file}: words: no text has a word to study")
    return Plan(grid, tuple(found))


def swept(grid: GridSettings, file: Path) -> Any:
    """The analysis of the grid's cells; raises InputError where its studies cannot be cells."""
    analysis = registry.analysis_named(grid.analysis, str(file))
    if not isinstance(analysis, Swept):
        raise InputError(f"{file}: analysis: studies of {grid.analysis} are not made for a sweep; leave the key out")
    return analysis


def shard(groups: Sequence[list[Cell]], part: str) -> list[list[Cell]]:
    """The groups of one part of many, such as ``2/3``; raises InputError where it is no part."""
    number, slash, count = part.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise InputError(f"--shard {part}: expected a part such as 1/3, 2/3 or 3/3")
    return list(groups[int(number) - 1 :: int(count)])


def _settings(analysis: Analysis, grid: GridSettings, file: Path, text: Text, word: str, model: Mapping[str, Any]) -> Any:
    values = {**grid.settings, "name": CELL, "word": word, "text": text.text, "model": model}
    if text.language is not None:
        values["document"] = {"text_language": text.language}
    try:
        return analysis.settings_type.model_validate(values)
    except pydantic.ValidationError as error:
        problem = first_problem(error, lambda location: keys_at(analysis.settings_type, location))
        raise InputError(f"{file}: settings.{problem} (text {text.name}, word {word})") from None


def _row(cell: Cell) -> dict[str, Any]:
    settings = portable_settings(cell.settings)
    model = settings["model"]
    return {
        "key": cell.key,
        "model": {"name": model["name"], "source": model["source"]},
        "text": {
            "name": cell.text.name,
            "language": cell.text.language or "",
            "parallel": cell.text.parallel or "",
            "sha256": hashlib.sha256(cell.text.text.encode()).hexdigest(),
        },
        "word": cell.settings.word,
        "settings": {key: value for key, value in settings.items() if key not in ("text", "word", "name", "document")},
    }
