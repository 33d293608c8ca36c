"""What a study writes down of itself holds nothing of the machine that it was made on."""

import importlib.metadata

import pytest

from analyses.mi_distance.settings import StudySettings
from analyses.records import portable_settings, versions
from analyses.similarity.settings import SimilaritySettings


@pytest.mark.parametrize("settings_type", [StudySettings, SimilaritySettings])
@pytest.mark.parametrize(
    ("source", "name", "kept"),
    [("folder", "/home/a/models/small", "small"), ("gguf", "/home/a/small.gguf", "small.gguf"), ("hub", "some/model", "some/model")],
)
def test_of_a_path_the_last_part_is_kept(settings_type, source, name, kept):
    given = {"name": "tea", "word": "tea", "text": "tea", "model": {"source": source, "name": name, "device": "cpu", "offline": True}}
    settings = portable_settings(settings_type.model_validate(given))
    assert settings["model"]["name"] == kept
    assert not {"device", "offline"} & settings["model"].keys()
    ready = portable_settings(settings_type.model_validate({"name": "tea", "word": "tea", "activations_file": "/home/a/vectors.npz"}))
    assert ready["activations_file"] == "vectors.npz"
    assert "/home" not in str(settings) + str(ready)


def test_versions_are_those_of_what_is_installed():
    found = versions("numpy", "a-package-that-is-not-there")
    assert found == {
        "reportgen": importlib.metadata.version("reportgen-interpretability"),
        "numpy": importlib.metadata.version("numpy"),
    }
