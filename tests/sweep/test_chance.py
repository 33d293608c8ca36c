"""Grids, tables of texts and plans made by chance: what they say is read, or refused in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.errors import InputError
from analyses.mi_distance_pooled.cells import read_sweep
from analyses.progress import SilentProgress
from reportgen.sweep.grid import load_grid, texts_of, words_in

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(["a", "tea", "texts.csv", "..", "/"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
GRID = {"name": "g", "texts": {"list": [{"name": "a", "text": "tea tea tea tea tea tea", "word": "tea"}]}, "words": {"column": "word"}}
OF_TEXTS = ["folder", "file", "list", "language", "most"]
OF_WORDS = ["list", "by_text", "column", "every", "at_least"]
COLUMNS = ["name", "text", "file", "language", "parallel", "word", "x"]


def read_whole(file):
    grid = load_grid(file, {"en", "vi"})
    return [(text, words_in(grid, text)) for text in texts_of(grid, file)]


@given(
    st.dictionaries(st.sampled_from([*GRID, "models", "settings", "seed", "document", "analysis", "x"]), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(OF_TEXTS), VALUES, max_size=2),
    st.dictionaries(st.sampled_from(OF_WORDS), VALUES, max_size=2),
    st.dictionaries(st.sampled_from(COLUMNS), VALUES, max_size=4),
)
def test_grids(in_one_line, tmp_path, whole, texts, words, entry):
    file = tmp_path / "g.yaml"
    (tmp_path / "texts.csv").write_text("name,text,word\na,tea tea,tea\n")
    of_one = {"list": [{"name": "a", "text": "tea"} | entry]}
    for content in (GRID | whole, GRID | {"texts": texts}, GRID | {"words": words}, GRID | {"texts": of_one}, whole):
        file.write_text(json.dumps(content))
        in_one_line(lambda: read_whole(file))


def test_the_grid_that_the_others_are_made_of_is_read(tmp_path):
    (tmp_path / "g.yaml").write_text(json.dumps(GRID))
    ((text, words),) = read_whole(tmp_path / "g.yaml")
    assert (text.name, words) == ("a", ("tea",))


@given(
    st.binary(max_size=120) | st.text(max_size=120).map(str.encode),
    st.lists(st.lists(st.text(max_size=12), max_size=4), max_size=4),
    st.lists(st.dictionaries(st.sampled_from(COLUMNS), VALUES, max_size=5), max_size=3),
)
def test_tables_of_texts(in_one_line, tmp_path, content, cells, rows):
    import csv
    import io

    text = io.StringIO()
    csv.writer(text).writerows([["name", "text", "word"], *cells])
    lines = "\n".join(json.dumps(row) for row in rows)
    for end, tables in ((".csv", (content, text.getvalue().encode())), (".jsonl", (content, lines.encode()))):
        (tmp_path / "g.yaml").write_text(json.dumps(GRID | {"texts": {"file": f"texts{end}"}}))
        for table in tables:
            (tmp_path / f"texts{end}").write_bytes(table)
            in_one_line(lambda: read_whole(tmp_path / "g.yaml"))


ENTRY = {"key": "a", "word": "tea", "model": {"source": "embedded"}, "text": {"name": "t", "language": "en"}}


@given(st.binary(max_size=80), VALUES, VALUES, st.sampled_from(["key", "word", "model", "text", "source", "name", "language", "parallel"]))
def test_plans_and_records_of_failed_cells(in_one_line, tmp_path, content, whole, value, key):
    changed = ENTRY | ({key: value} if key in ENTRY else {"model": {"source": "x", key: value}, "text": {"name": "t", key: value}})
    (tmp_path / "failed").mkdir(exist_ok=True)
    for plan in (
        content,
        whole,
        {"format_version": 1, "cells": whole},
        *({"format_version": 1, "cells": [each]} for each in (whole, changed)),
    ):
        (tmp_path / "plan.json").write_bytes(plan if isinstance(plan, bytes) else json.dumps(plan).encode())
        for record in (content, json.dumps(whole).encode(), json.dumps({"reason": value}).encode()):
            (tmp_path / "failed" / "a.json").write_bytes(record)
            in_one_line(lambda: read_sweep(tmp_path, SilentProgress()))


def test_the_plan_that_the_others_are_made_of_is_read(tmp_path):
    (tmp_path / "failed").mkdir()
    (tmp_path / "plan.json").write_text(json.dumps({"format_version": 1, "cells": [ENTRY]}))
    (tmp_path / "failed" / "a.json").write_text(json.dumps({"reason": "too short"}))
    with pytest.raises(InputError, match="none of the 1 cells of the plan could be computed"):
        read_sweep(tmp_path, SilentProgress())
