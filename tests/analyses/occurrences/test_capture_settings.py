"""Vectors that are kept must not serve again where a setting that they depend on has changed."""

from typing import Any

import pytest

from analyses.mi_distance import analysis
from analyses.mi_distance.settings import StudySettings
from analyses.occurrences.capture import read_input
from analyses.progress import SilentProgress

TEXT = "Tea is hot. We drink tea, and tea again; Tea trees. " * 2
# Another value for every setting that may be read on the way to the vectors.
OTHER: dict[str, Any] = {
    "word": "trees",
    "text": TEXT + "More tea.",
    "case_sensitive": True,
    "plural": True,
    "inside_words": True,
    "except_in": ("tea trees",),
    "representative_token": "mean",
    "model": {"branch_output": "residual"},
    "activations_file": "other.npz",
    "seed": 5,
    "prefix": "Another text stands here.",
    "document.text_language": "tr",
    "controls.different_word": False,
    "controls.untrained": False,
    "controls.untrained_seeds": 2,
    "controls.prefix": False,
}


class Watched:
    """Settings that remember which of them were read."""

    def __init__(self, values: Any, read: set[str], path: str = "") -> None:
        self._values, self._read, self._path = values, read, path

    def __getattr__(self, name: str) -> Any:
        value, path = getattr(self._values, name), f"{self._path}{name}"
        if name in ("controls", "document"):
            return Watched(value, self._read, f"{path}.")
        self._read.add(path)
        return value


def given(**changed: Any) -> StudySettings:
    values: dict[str, Any] = {"name": "tea", "word": "tea", "text": TEXT}
    for path, value in changed.items():
        section, _, name = path.rpartition(".")
        (values.setdefault(section, {}) if section else values)[name] = value
    return StudySettings.model_validate(values)


@pytest.fixture
def read(tiny_gpt2) -> set[str]:
    """Every setting that is read while the vectors are captured."""
    seen: set[str] = set()
    settings = Watched(given().model_copy(update={"model": tiny_gpt2}), seen)
    read_input(settings, SilentProgress())  # type: ignore[arg-type]
    return seen


def test_whatever_the_capture_reads_is_part_of_what_its_vectors_are_kept_under(read):
    assert {"word", "text", "inside_words", "except_in", "document.text_language", "controls.untrained_seeds"} <= read
    same = analysis.capture_settings(given())
    for path in sorted(read):
        assert path in OTHER, f"{path} is read for the capture: name another value of it here"
        assert analysis.capture_settings(given(**{path: OTHER[path]})) != same, path
