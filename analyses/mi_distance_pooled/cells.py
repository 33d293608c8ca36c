"""The cells of a sweep: one study of a word in a text by a model each, read from their folder and held to belong together."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pydantic
import scipy.io

from analyses.errors import InputError
from analyses.mi_distance.hypotheses import STATEMENTS
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.settings import HypothesisSettings
from analyses.occurrences.branches import BRANCHES
from analyses.progress import Progress
from analyses.readers import MEGABYTE, is_file, is_folder, mapping_at, open_regular, parse_json, read_json

PLAN_VERSION = 1
PLAN = "plan.json"
# What is read of a cell's results: (estimator, branch, layer) each.
PROFILES = ("mean_mutual_information", "word_specific_excess", "kendall_tau", "word_specific_kendall_tau")
# Settings that cells must share: with others they measure something else.
SHARED = ("estimation", "controls", "hypotheses", "case_sensitive", "plural", "inside_words", "representative_token", "permutations")
_MEMBER_LIMIT = 64 * MEGABYTE
# Of a file's name, with its end.
_KEY_LIMIT = 200


@dataclass(frozen=True)
class Cell:
    """One study: its place in the plan, its ``study.json``, and its layer means (estimator, branch, layer) by name.

    `text` is what counts once: translations of each other share it. `version` is what the plan calls the text that was read.
    """

    key: str
    model: str
    text: str
    language: str
    word: str
    study: Mapping[str, Any]
    profiles: Mapping[str, np.ndarray]
    version: str


@dataclass(frozen=True)
class Sweep:
    """The cells of a plan that are there, and {model, text, word, reason} of those that could not be computed."""

    plan_hash: str
    planned: int
    cells: tuple[Cell, ...]
    failed: tuple[dict[str, str], ...]


def files(folder: Path) -> Iterator[Path]:
    """The files that a pooled study of the folder depends on: the plan, and what is there of its cells."""
    for entry in _plan(folder)["cells"]:
        for file in (_cell_file(folder, entry), _failure_file(folder, entry)):
            if is_file(file):
                yield file
    yield folder / PLAN


def read_sweep(folder: Path, progress: Progress) -> Sweep:
    """Read the cells of the folder's plan.

    Raises
    ------
    InputError
        The folder holds no plan, cells are missing or damaged, or they do not belong together.
    """
    plan = _plan(folder)
    cells, failed, missing = [], [], 0
    with progress.stage("cells", len(plan["cells"])) as advance:
        for entry in plan["cells"]:
            if is_file(_cell_file(folder, entry)):
                cells.append(_read_cell(_cell_file(folder, entry), entry))
            elif is_file(_failure_file(folder, entry)):
                failed.append(_failure(_failure_file(folder, entry), entry))
            else:
                missing += 1
            advance(1)
    if missing:
        raise InputError(
            f"{folder}: {missing} of the {len(plan['cells'])} cells of the plan are missing; run `reportgen sweep` again, "
            "which computes these"
        )
    if not cells:
        raise InputError(f"{folder}: none of the {len(plan['cells'])} cells of the plan could be computed; {PLAN} and failed/ say why")
    check_together(cells, str(folder))
    _check_profiles(cells, folder)
    cells = _named_apart(cells)
    # A model that packages carry is named by what its studies say.
    by_key = {cell.key: cell.model for cell in cells}
    named = {model_name(entry): by_key[entry["key"]] for entry in plan["cells"] if entry["key"] in by_key}
    failed = [row | {"model": named.get(row["model"], row["model"])} for row in failed]
    return Sweep(str(plan.get("hash", "")), len(plan["cells"]), tuple(cells), tuple(failed))


def _named_apart(cells: Sequence[Cell]) -> list[Cell]:
    """Give texts of one name in several languages names of their own, unless the plan says that they are versions of one text."""
    languages: dict[str, set[str]] = {}
    for cell in cells:
        languages.setdefault(cell.version, set()).add(cell.language)

    def named(cell: Cell) -> Cell:
        if len(languages[cell.version]) == 1:
            return cell
        version = f"{cell.version} ({cell.language})"
        return replace(cell, version=version, text=version if cell.text == cell.version else cell.text)

    return [named(cell) for cell in cells]


def check_together(cells: Sequence[Cell], where: str) -> None:
    """Raise InputError unless all cells measure the same: what differs is named, not averaged."""
    first = cells[0]
    for cell in cells[1:]:
        for name, of_first, of_cell in _identity(first.study, cell.study):
            if of_first != of_cell:
                raise InputError(
                    f"{where}: cells {first.key} ({first.word}, {first.text}) and {cell.key} ({cell.word}, {cell.text}) do not belong "
                    f"together: {name} is {_short(of_first)} in one and {_short(of_cell)} in the other; pool them apart"
                )
    sizes: dict[str, Cell] = {}
    for cell in cells:
        known = sizes.setdefault(cell.model, cell)
        if cell.study.get("layer_numbers") != known.study.get("layer_numbers"):
            raise InputError(f"{where}: cells {known.key} and {cell.key} are of the model {cell.model} with other layers; pool them apart")


def _check_profiles(cells: Sequence[Cell], folder: Path) -> None:
    for cell in cells:
        shape = (len(ESTIMATORS), len(BRANCHES), len(cell.study["layer_numbers"]))
        if not cell.profiles or any(profile.shape != shape or np.isinf(profile).any() for profile in cell.profiles.values()):
            raise InputError(
                f"{folder}: cell {cell.key}: results.nc: expected profiles of {' x '.join(map(str, shape))} finite values; "
                "remove the cell and run `reportgen sweep` again"
            )


def _identity(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(what it is, in one, in the other) of everything that cells share; sections entry by entry, so that the error names the entry."""
    yield "format_version", one.get("format_version"), other.get("format_version")
    yield "settings.model.branch_output", *(study["settings"].get("model", {}).get("branch_output") for study in (one, other))
    yield "settings.model.untrained", *(study["settings"].get("model", {}).get("untrained") for study in (one, other))
    for name in SHARED:
        of_one, of_other = one["settings"].get(name), other["settings"].get(name)
        if isinstance(of_one, dict) and isinstance(of_other, dict):
            for key in sorted(of_one.keys() | of_other.keys()):
                yield f"settings.{name}.{key}", of_one.get(key), of_other.get(key)
        else:
            yield f"settings.{name}", of_one, of_other


def _short(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= 40 else f"{written[:37]}..."


# Of what no study measures the squares could not be added up.
_Measured = Annotated[float, pydantic.Field(ge=-1e12, le=1e12)]
_Layer = Annotated[int, pydantic.Field(ge=1, le=1_000_000)]


class _Numbers(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    estimate: _Measured | None = None
    low: _Measured | None = None
    high: _Measured | None = None


class _Part(_Numbers):
    measure: Literal[tuple(part.name for statement in STATEMENTS for part in statement.parts)]  # type: ignore[valid-type]
    mean: _Numbers | None = None
    before: _Numbers | None = None
    branches: dict[Literal["attention", "mlp"], _Numbers] = {}


class _Row(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    control: str
    estimator: str
    parts: list[_Part]


class _Provenance(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    model: dict[str, Any] = {}
    versions: dict[str, str] = {}


class _Settings(pydantic.BaseModel):
    model: dict[str, Any] = {}
    hypotheses: HypothesisSettings


class _Bands(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="allow")
    deep: list[int]


class _Study(pydantic.BaseModel):
    """What a cell's study must say before anything is computed from it."""

    model_config = pydantic.ConfigDict(strict=True)
    settings: _Settings
    provenance: _Provenance
    verdicts: list[_Row]
    layer_numbers: list[_Layer] = pydantic.Field(min_length=1)
    layers_of_model: _Layer
    occurrences: int = pydantic.Field(ge=2, le=1_000_000_000)
    bands: _Bands

    @pydantic.model_validator(mode="after")
    def _has_the_layers(self) -> Self:
        if self.layer_numbers != sorted(set(self.layer_numbers)) or self.layer_numbers[-1] > self.layers_of_model:
            raise ValueError("layer_numbers: expected layers of the model, each once, the first of them first")
        return self


def _plan(folder: Path) -> Mapping[str, Any]:
    if not is_folder(folder):
        raise InputError(f"cells_folder: there is no folder {folder}; `reportgen sweep GRID --out DIR` makes one")
    file = folder / PLAN
    if not is_file(file):
        raise InputError(f"cells_folder: {folder} has no {PLAN}; expected the folder that `reportgen sweep` filled with cells")
    plan = read_json(file, "plan of a sweep")
    version = plan.get("format_version") if isinstance(plan, dict) else None
    if version != PLAN_VERSION:
        raise InputError(f"{file}: format_version is {version!r}, this reportgen reads {PLAN_VERSION}; run `reportgen sweep` again")
    entries = plan.get("cells")
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{file}: cells: expected the cells of the sweep, found none")
    for number, entry in enumerate(entries):
        where = f"{file}: cells[{number}]"
        model, text = mapping_at(entry, "model", where), mapping_at(entry, "text", where)
        for place, key in ((entry, "key"), (entry, "word"), (text, "name")):
            if not isinstance(place.get(key), str) or not place[key]:
                raise InputError(f"{where}: {key}: expected a word, found {place.get(key)!r}")
        if not isinstance(model.get("source"), str):
            raise InputError(f"{where}: model.source: expected a word, found {model.get('source')!r}")
        if not all(part.isalnum() or part in "-_." for part in entry["key"]) or entry["key"].startswith("."):
            raise InputError(f"{where}: key: expected letters and digits, found {_short(entry['key'])}")
        if len(entry["key"]) > _KEY_LIMIT:
            raise InputError(f"{where}: key: expected at most {_KEY_LIMIT} characters, found {len(entry['key'])}")
        for place, key in ((text, "language"), (text, "parallel"), (model, "name")):
            if not isinstance(place.get(key), str | None):
                raise InputError(f"{where}: {key}: expected a word, found {_short(place[key])}")
    keys = [entry["key"] for entry in entries]
    if len(set(keys)) < len(keys):
        # Pooled twice, a study would count twice.
        raise InputError(f"{file}: cells: {next(key for key in keys if keys.count(key) > 1)} is there twice; run `reportgen sweep` again")
    return plan


def _cell_file(folder: Path, entry: Mapping[str, Any]) -> Path:
    return folder / "cells" / f"{entry['key']}.zip"


def _failure_file(folder: Path, entry: Mapping[str, Any]) -> Path:
    return folder / "failed" / f"{entry['key']}.json"


def model_name(entry: Mapping[str, Any], study: Mapping[str, Any] | None = None) -> str:
    """What the plan calls a cell's model, or else its study: of a path or a name on the hub the last part."""
    model, studied = entry["model"], (study or {}).get("provenance", {}).get("model", {})
    return str(model.get("name") or studied.get("name") or model["source"]).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _failure(file: Path, entry: Mapping[str, Any]) -> dict[str, str]:
    found = read_json(file, "record of a failed cell", MEGABYTE)
    reason = found.get("reason") if isinstance(found, dict) else None
    return {"model": model_name(entry), "text": entry["text"]["name"], "word": entry["word"], "reason": str(reason or "")}


def _read_cell(file: Path, entry: Mapping[str, Any]) -> Cell:
    with open_regular(file, "cell of a sweep") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                study, results = (_member(archive, name) for name in ("study.json", "results.nc"))
        except InputError:
            raise
        except Exception as error:  # zipfile and zlib raise nine kinds of error on a damaged file.
            raise InputError(
                f"{file} is no cell of a sweep ({' '.join(str(error).split())}); remove it and run `reportgen sweep` again"
            ) from None
    try:
        found = parse_json(study.decode(), f"{file}: study.json")
        if not isinstance(found, dict) or found.get("analysis") != "mi_distance":
            raise InputError(f"{file}: study.json: expected a study of mi_distance; remove the file and run `reportgen sweep` again")
        _Study.model_validate(found)
        profiles = _profiles(results)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        said = f"{place + ': ' if place else ''}{problem['msg'].removeprefix('Value error, ')}"
        raise InputError(f"{file}: study.json: {said}; remove the file and run `reportgen sweep` again") from None
    except InputError:
        raise
    except Exception as error:  # scipy's reader raises whatever a damaged byte leads it to.
        raise InputError(f"{file} is damaged ({' '.join(str(error).split())[:120]}); remove it and run `reportgen sweep` again") from None
    text = entry["text"]
    language, counted = str(text.get("language") or ""), str(text.get("parallel") or text["name"])
    return Cell(entry["key"], model_name(entry, found), counted, language, entry["word"], found, profiles, text["name"])


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MEMBER_LIMIT:
        raise ValueError(f"{name} is larger than {_MEMBER_LIMIT // MEGABYTE} MB")
    return archive.read(name)


def _profiles(content: bytes) -> dict[str, np.ndarray]:
    with scipy.io.netcdf_file(io.BytesIO(content), "r", mmap=False) as dataset:
        return {name: np.array(dataset.variables[name][:], dtype=np.float64) for name in PROFILES if name in dataset.variables}
