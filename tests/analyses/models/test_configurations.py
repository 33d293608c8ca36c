"""A model folder whose config.json says what no model says: one line that names it."""

import json
import shutil

import pytest

from analyses.errors import InputError
from analyses.models.inspection import inspect_model
from analyses.models.settings import ModelSettings

CHANGES = [
    {"model_type": 3}, {"model_type": "nothing"}, {"n_layer": "x"}, {"n_layer": -1}, {"n_head": 0}, {"n_head": 5},
    {"n_embd": 2**70}, {"vocab_size": -1}, {"activation_function": "nothing"},
]  # fmt: skip
CONTENTS = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep within": '{"model_type": "gpt2", "more": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a list": "[]",
    "a word": '"gpt2"',
    "nothing": "",
    "latin": "\udcff",
}


@pytest.fixture
def folder(tiny_gpt2_folder, tmp_path):
    return shutil.copytree(tiny_gpt2_folder, tmp_path / "model")


def refused(folder):
    with pytest.raises(
        InputError, match=r"config\.json|its weights cannot be loaded|weights are missing|has to be|does not run|expected at most"
    ) as caught:
        inspect_model(ModelSettings(source="folder", name=str(folder), device="cpu", offline=True))
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_value_that_makes_no_sense(folder, changes):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    refused(folder)


@pytest.mark.parametrize("case", CONTENTS)
def test_what_is_no_configuration(folder, case):
    (folder / "config.json").write_text(CONTENTS[case], encoding="utf-8", errors="surrogateescape")
    refused(folder)
