"""A value of every kind at every key of every file that a user writes: it does, or one line says which file and which key.

What a file may hold is read from its schema, so that a new key is tried by itself.
"""

import datetime
import json
import math
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
import yaml

from analyses.errors import InputError, MissingError
from reportgen import registry
from reportgen.baseline import read_side, write_baseline
from reportgen.bundle import write_bundle, write_sums
from reportgen.compare import compare_bundles, read_tolerances
from reportgen.pipeline import analyze
from reportgen.resources import language_codes
from reportgen.settings import load_study
from reportgen.sweep.grid import GridSettings, load_grid, texts_of

pytestmark = pytest.mark.slow
VALUES: dict[str, Any] = {
    "null": None,
    "a truth value": True,
    "zero": 0,
    "a negative number": -1,
    "a fraction": 0.5,
    "no number": math.nan,
    "an infinite number": -math.inf,
    "a number of 30 digits": 10**30,
    "a word": "tea",
    "no letter": "",
    "a path": "../..",
    "two lines": "a\nb",
    "5,000 letters": "x" * 5000,
    "markup": "<b>&amp; $x$ {{ 1 }}",
    "a day": datetime.date(2026, 1, 1),
    "an empty list": [],
    "a list of a list": [[]],
    "a list of nothing": [None],
    "a list of a section": [{}],
    "a list of one word twice": ["tea", "tea"],
    "an empty section": {},
    "a section of other keys": {"a": "b"},
    "a section of lists": {"vi": [1]},
}
Place = tuple[str | int, ...]
STUDIES = sorted(registry.analyses())


def _sections(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _sections(argument)


def places(model: type[pydantic.BaseModel], above: Place = ()) -> Iterator[Place]:
    """Every key of a file, those of sections and of the first entry of lists of sections too."""
    for name, field in model.model_fields.items():
        yield (*above, name)
        listed = "tuple" in str(field.annotation) or "list" in str(field.annotation)
        for section in _sections(field.annotation):
            yield from places(section, (*above, name, 0) if listed else (*above, name))


def put(content: Any, place: Place, value: Any) -> Any:
    """A copy of some content with a value at one place."""
    if not place:
        return value
    first, *rest = place
    if isinstance(first, int):
        there = list(content) if isinstance(content, list) else []
        return [put(there[0] if there else {}, tuple(rest), value), *there[1:]]
    there = content if isinstance(content, Mapping) else {}
    return {**there, first: put(there.get(first), tuple(rest), value)}


def refusal(act: Any) -> str:
    """Do something that may refuse its input: return its one line, or nothing."""
    try:
        act()
    except (InputError, MissingError) as error:
        said = str(error)
        assert said.isprintable(), said
        assert 0 < len(said) < 700, said
        return said
    return ""


def without(said: str, file: Path) -> str:
    """A refusal without the file's name, which it begins with: the folders of a test hold words too."""
    assert not said or said.startswith(f"{file}"), said
    return said.removeprefix(f"{file}")


def written(file: Path, content: Any) -> Path:
    file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


@pytest.fixture
def captured(tmp_path):
    """Vectors of five occurrences in three layers, with one number in common."""
    generator = np.random.default_rng(2)
    activation = generator.normal(size=(2, 3, 1, 40)) + generator.normal(size=(2, 3, 5, 40))
    file = tmp_path / "captured.npz"
    np.savez(file, activation=activation.astype(np.float32), token_position=np.array([3, 9, 20, 41, 80]))
    return file


def study_of(analysis: str) -> dict[str, Any]:
    """A study that is computed in an instant, where its analysis takes ready vectors."""
    fields = registry.analyses()[analysis].settings_type.model_fields
    small = {
        "word": "tea",
        "text": "Tea, tea and more tea; no coffee, but tea and again tea.",
        "activations_file": "captured.npz",
        "detail_layer": 1,
        "permutations": 99,
        "robustness": {"enabled": False},
    }
    content = {"analysis": analysis, "name": "mine", **{key: value for key, value in small.items() if key in fields}}
    if "activations_file" in content:
        content.pop("text", None)
    return content


def refused_at(analysis: str, place: Place, value: Any, file: Path) -> str:
    content = put(study_of(analysis), place, value)
    said = refusal(lambda: load_study(written(file, content), environment={}, languages=language_codes()))
    return without(said, file)


def study_places() -> list[Any]:
    found = [(name, place) for name in STUDIES for place in places(registry.analyses()[name].settings_type)]
    return [pytest.param(name, place, id=f"{name}-{'.'.join(map(str, place))}") for name, place in found]


@pytest.mark.parametrize(("analysis", "place"), study_places())
def test_study_files(tmp_path, captured, analysis, place):
    file = tmp_path / "study.yaml"
    refused = [refused_at(analysis, place, value, file) for value in VALUES.values()]
    # No key takes everything: that would be one that nobody reads.
    assert any(str(place[-1]) in said for said in refused), place
    assert sorted(each.name for each in tmp_path.iterdir()) == ["captured.npz", "study.yaml"]


def test_what_a_study_may_say_is_computed_or_refused(tmp_path, captured):
    """Ready vectors: no model is asked for, and what its section says does not matter."""
    analysis = registry.DEFAULT
    file = tmp_path / "study.yaml"
    computed = 0
    for place in places(registry.analyses()[analysis].settings_type):
        if place[0] in ("model", "document", "activations_file"):
            continue
        for value in VALUES.values():
            if refused_at(analysis, place, value, file):
                continue
            computed += not refusal(lambda: analyze(file))
    assert computed > 40


def grid_of() -> dict[str, Any]:
    return {
        "name": "mine",
        "texts": {"list": [{"name": "one", "text": "Tea, tea and more tea; no coffee, but tea and again tea."}]},
        "words": {"list": ["tea"]},
    }


# Of several sources there is exactly one: the others are tried in its place.
SOURCES = {"texts": {"folder", "file", "list"}, "words": {"list", "by_text", "column", "every"}}


@pytest.mark.parametrize("place", [pytest.param(place, id=".".join(map(str, place))) for place in places(GridSettings)])
def test_grids(tmp_path, place):
    content = grid_of()
    others = SOURCES.get(str(place[0]), set())
    if len(place) > 1 and place[1] in others:
        content[str(place[0])] = {key: value for key, value in content[str(place[0])].items() if key not in others or key == place[1]}
    if place[-1] == "text_file":
        content["texts"]["list"][0].pop("text")
    file = tmp_path / "grid.yaml"
    refused = []
    for value in VALUES.values():
        written(file, put(content, place, value))
        refused.append(without(refusal(lambda: texts_of(load_grid(file, language_codes()), file)), file))
    assert any(str(place[-1]) in said for said in refused), place
    assert [each.name for each in tmp_path.iterdir()] == ["grid.yaml"]


@pytest.mark.parametrize("place", [(), ("mean_length",), ("mean_length", "absolute"), ("mean_length", "relative")])
def test_tolerance_files(tmp_path, place):
    file = tmp_path / "tolerances.yaml"
    refused = []
    for value in VALUES.values():
        said = refusal(lambda value=value: read_tolerances(written(file, put({"mean_length": {"absolute": 0.1}}, place, value))))
        refused.append(without(said, file))
    assert sum(map(bool, refused)) > len(VALUES) / 2


def json_places(content: Any, above: Place = ()) -> Iterator[Place]:
    """Every place in a JSON file, three keys deep, of equal entries only the first two."""
    yield above
    if len(above) == 3:
        return
    if isinstance(content, dict):
        for number, (key, value) in enumerate(content.items()):
            if number < 2 or not isinstance(value, dict):
                yield from json_places(value, (*above, key))
    elif isinstance(content, list) and content:
        yield from json_places(content[0], (*above, 0))


def test_baselines(tmp_path, captured):
    file = written(tmp_path / "study.yaml", study_of(registry.DEFAULT))
    results = analyze(file)
    analysis = registry.analyses()[registry.DEFAULT]
    bundle = write_bundle(results, analysis.tables, tmp_path / "bundle")
    baseline = tmp_path / "baseline"
    write_baseline(bundle, baseline)
    refused = {"baseline.json": set(), "study.json": set()}
    for name in ("baseline.json", "study.json"):
        before = (baseline / name).read_text(encoding="utf-8")
        content = json.loads(before)
        for place in json_places(content):
            for value in (None, True, -1, 0.5, "tea", [], [{}], {"a": "b"}):
                (baseline / name).write_text(json.dumps(put(content, place, value)), encoding="utf-8")
                (baseline / "SHA256SUMS").unlink()
                write_sums(baseline)
                said = refusal(lambda: compare_bundles(baseline, bundle).as_json())
                assert not said or str(baseline) in said, (place, value, said)
                if said:
                    refused[name].add(place)
        (baseline / name).write_text(before, encoding="utf-8")
    (baseline / "SHA256SUMS").unlink()
    write_sums(baseline)
    # Of a bundle's own study a comparison reads some keys; of a baseline's list it needs every one.
    assert refused["baseline.json"] == set(json_places(json.loads((baseline / "baseline.json").read_text(encoding="utf-8"))))
    assert {(), ("analysis",), ("verdicts",), ("format_version",)} <= refused["study.json"]
    assert not compare_bundles(baseline, bundle).changed
    assert read_side(baseline).digest
