"""Cells that are missing, damaged, failed, or do not belong together: one line that says what and what to do."""

import io
import json
import os
import zipfile

import numpy
import pytest
import scipy.io
import xarray

from analyses.errors import InputError


def change(folder, key, **changes):
    """Rewrite a cell's study.json; names of changes are dotted with double underscores."""
    file = folder / "cells" / f"{key}.zip"
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    study = json.loads(members["study.json"])
    for name, value in changes.items():
        place = study
        *path, last = name.split("__")
        for part in path:
            place = place[int(part) if part.isdigit() else part]
        place[last] = value
    members["study.json"] = json.dumps(study).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_missing_cells_are_counted(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.holds, texts=3, missing=2)
    with pytest.raises(InputError, match="2 of the 6 cells of the plan are missing; run `reportgen sweep` again"):
        worlds.pooled(folder)


def test_failed_cells_are_counted_with_their_reasons(worlds, tmp_path):
    study = worlds.pooled(worlds.write(tmp_path, worlds.holds, texts=4, failed=1)).study
    assert study["provenance"]["cells_failed"] == 1
    assert study["failed"] == [
        {"model": "made-up", "text": "text-4", "word": "stone", "reason": "the word occurs once; expected at least twice"}
    ]


def test_a_plan_of_failures_is_refused(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.holds, texts=3, failed=6)
    with pytest.raises(InputError, match="none of the 6 cells"):
        worlds.pooled(folder)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"settings__estimation__bins": 20}, "settings.estimation.bins is 15 in one and 20 in the other"),
        ({"settings__controls__different_word": False}, "settings.controls.different_word"),
        ({"settings__hypotheses__early_until": 0.25}, "settings.hypotheses.early_until"),
        ({"settings__model__branch_output": "residual"}, 'branch_output is "projection" in one and "residual"'),
        ({"settings__plural": True}, "settings.plural"),
        ({"settings__representative_token": "mean"}, "settings.representative_token"),
        ({"format_version": 3}, "format_version is 2 in one and 3"),
        ({"layer_numbers": [1, 2, 3]}, "with other layers"),
    ],
)
def test_cells_that_do_not_belong_together_are_named(worlds, tmp_path, changes, named):
    folder = worlds.write(tmp_path, worlds.holds, texts=3)
    change(folder, "k3", **changes)
    with pytest.raises(InputError) as raised:
        worlds.pooled(folder)
    assert named in str(raised.value)
    assert "k3" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half"])
def test_a_damaged_cell_is_named(worlds, tmp_path, content):
    folder = worlds.write(tmp_path, worlds.holds, texts=3)
    (folder / "cells" / "k1.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"k1\.zip is no cell of a sweep .* run `reportgen sweep` again"):
        worlds.pooled(folder)


def test_a_cell_with_a_damaged_member_is_named(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.holds, texts=3)
    with zipfile.ZipFile(folder / "cells" / "k1.zip", "w") as archive:
        archive.writestr("study.json", "{")
        archive.writestr("results.nc", b"CDF\x02")
    with pytest.raises(InputError, match=r"k1\.zip: study\.json is not valid JSON"):
        worlds.pooled(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"verdicts": [{}]}, "verdicts.0.control"),
        ({"verdicts": [{"control": "none", "estimator": "histogram", "parts": [{"measure": "elsewhere"}]}]}, "verdicts.0.parts.0.measure"),
        ({"verdicts": [{"control": "none", "estimator": "histogram", "parts": ["x"]}]}, "verdicts.0.parts.0"),
        ({"verdicts__0__parts__0__estimate": "much"}, "verdicts.0.parts.0.estimate"),
        ({"verdicts__0__parts__0__low": [1]}, "verdicts.0.parts.0.low"),
        ({"verdicts__0__parts__0__high": True}, "verdicts.0.parts.0.high"),
        ({"verdicts__0__parts__0__estimate": float("nan")}, "NaN is no number"),
        ({"verdicts__0__parts__0__estimate": float("inf")}, "Infinity is no number"),
        ({"verdicts__0__parts__0__branches": {"other": {}}}, "branches.other"),
        ({"verdicts__0__parts__0__before": 3}, "before"),
        ({"verdicts": "x"}, "verdicts"),
        ({"settings__hypotheses": {}}, None),
        ({"settings__hypotheses": {"early_until": 9}}, "settings.hypotheses.early_until"),
        ({"settings__hypotheses": None}, "settings.hypotheses"),
        ({"settings__model": []}, "settings.model"),
        ({"settings": None}, "settings"),
        ({"provenance": []}, "provenance"),
        ({"provenance__versions": [1]}, "provenance.versions"),
        ({"provenance__versions": {"numpy": 2}}, "provenance.versions.numpy"),
        ({"provenance__model": "x"}, "provenance.model"),
        ({"layers_of_model": "six"}, "layers_of_model"),
        ({"layers_of_model": True}, "layers_of_model"),
        ({"layer_numbers": []}, "layer_numbers"),
        ({"layer_numbers": ["1"]}, "layer_numbers.0"),
        ({"layer_numbers": [3, 2, 1, 4, 5, 6]}, "layer_numbers: expected layers of the model"),
        ({"layer_numbers": [1, 2, 3, 4, 5, 7]}, "layer_numbers: expected layers of the model"),
        ({"layers_of_model": 10**299}, "layers_of_model"),
        ({"verdicts__0__parts__0__estimate": 1e300}, "verdicts.0.parts.0.estimate"),
        ({"occurrences": 0}, "occurrences"),
        ({"occurrences": 1}, "occurrences"),
        ({"occurrences": 10**299}, "occurrences"),
        ({"occurrences": -3}, "occurrences"),
        ({"occurrences": 1.5}, "occurrences"),
        ({"bands": {}}, "bands.deep"),
        ({"bands": {"deep": 3}}, "bands.deep"),
        ({"analysis": "similarity"}, "expected a study of mi_distance"),
    ],
)
def test_a_cell_that_says_what_no_study_says_is_one_line(worlds, tmp_path, changes, named):
    folder = worlds.write(tmp_path, worlds.holds, texts=3)
    for key in sorted(file.stem for file in (folder / "cells").iterdir()):
        change(folder, key, **changes)
    if named is None:  # The thresholds are those that hold unless others are set.
        worlds.pooled(folder)
        return
    with pytest.raises(InputError) as raised:
        worlds.pooled(folder)
    assert "k0.zip" in str(raised.value)
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("how", ["flipped", "encrypted", "method", "fifo", "folder", "deep", "other layers", "infinite"])
def test_a_cell_that_is_broken_in_another_way_is_one_line(worlds, tmp_path, how):
    folder = worlds.write(tmp_path, worlds.holds, texts=3)
    file = folder / "cells" / "k1.zip"
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = bytearray(file.read_bytes())
    if how in ("fifo", "folder"):
        file.unlink()
        (os.mkfifo if how == "fifo" else os.mkdir)(file)
    elif how == "flipped":
        content[len(content) // 3] ^= 255
        file.write_bytes(content)
    elif how in ("encrypted", "method"):
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(mark) + place + (2 if how == "method" else 0)] |= 1 if how == "encrypted" else 77
        file.write_bytes(content)
    else:
        if how == "deep":
            members["study.json"] = b"[" * 100_000
        else:
            with scipy.io.netcdf_file(io.BytesIO(members["results.nc"]), "r", mmap=False) as dataset:
                profiles = {name: (variable.dimensions, variable[:].copy()) for name, variable in dataset.variables.items()}
            stream = io.BytesIO()
            name = "mean_mutual_information"
            dims, values = profiles[name]
            if how == "infinite":
                values[0, 0, 0] = numpy.inf
            else:
                values = values[..., :2]
            xarray.Dataset({name: (dims, values)}).to_netcdf(stream, engine="scipy")
            members["results.nc"] = stream.getvalue()
        with zipfile.ZipFile(file, "w") as archive:
            for name, member in members.items():
                archive.writestr(name, member)
    with pytest.raises(InputError) as raised:
        worlds.pooled(folder)
    assert "\n" not in str(raised.value)
    assert "k1" in str(raised.value) or how in ("fifo", "folder")  # What is no file is a cell that is missing.


ENTRY = {"key": "k1", "model": {"source": "hub", "name": "m"}, "text": {"name": "t"}, "word": "w"}


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([ENTRY, ENTRY], "k1 is there twice"),
        ([{**ENTRY, "key": "k" * 5000}], "at most 200 characters"),
        ([{**ENTRY, "key": "a/b"}], "letters and digits"),
        ([{**ENTRY, "key": ".."}], "letters and digits"),
        ([{**ENTRY, "key": ""}], "key: expected a word"),
        ([{**ENTRY, "word": 5}], "word: expected a word"),
        ([{**ENTRY, "model": {"source": "hub", "name": []}}], "name: expected a word"),
        ([{**ENTRY, "text": {"name": "t", "language": 5}}], "language: expected a word"),
        ([{**ENTRY, "text": {"name": "t", "parallel": {}}}], "parallel: expected a word"),
        ([{**ENTRY, "text": None}], "text: expected keys and values"),
        (["x"], "model: expected keys and values"),
        ({}, "cells: expected the cells"),
        ([None], "model: expected keys and values"),
    ],
)
def test_entries_of_a_plan_that_are_none(worlds, tmp_path, entries, named):
    (tmp_path / "plan.json").write_text(json.dumps({"format_version": 1, "cells": entries}))
    with pytest.raises(InputError) as raised:
        worlds.pooled(tmp_path)
    assert named in str(raised.value)
    assert "plan.json" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        ({"format_version": 9, "cells": []}, "format_version is 9"),
        ({"format_version": 1, "cells": []}, "cells: expected the cells of the sweep"),
        ({"format_version": 1, "cells": [{"key": "a"}]}, r"cells\[0\]: model"),
        (
            {"format_version": 1, "cells": [{"key": "../a", "model": {"source": "hub"}, "text": {"name": "t"}, "word": "w"}]},
            "letters and digits",
        ),
    ],
)
def test_a_plan_that_cannot_be_read_is_named(worlds, tmp_path, plan, named):
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(InputError, match=named):
        worlds.pooled(tmp_path)


def test_no_folder_and_no_plan(worlds, tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        worlds.pooled(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no plan\.json"):
        worlds.pooled(tmp_path)


def test_only_the_cells_of_the_plan_are_read(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.holds, texts=3)
    (folder / "cells" / "other.zip").write_bytes(b"not asked for")
    assert worlds.pooled(folder).study["provenance"]["cells_pooled"] == 6


def test_a_model_without_a_name_in_the_plan_has_that_of_its_studies(worlds, tmp_path):
    folder = worlds.write(tmp_path, worlds.holds, texts=4, failed=1)
    plan = json.loads((folder / "plan.json").read_text())
    for entry in plan["cells"]:
        entry["model"] = {"name": None, "source": "embedded"}
    (folder / "plan.json").write_text(json.dumps(plan))
    study = worlds.pooled(folder).study
    assert study["models"] == ["made-up"]
    assert study["failed"][0]["model"] == "made-up"
