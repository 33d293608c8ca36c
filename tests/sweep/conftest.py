"""A small grid that sweeps in seconds."""

import json

import pytest

# Five occurrences of coffee and four of tea; each text has its own order of words, so that no two cells are alike.
SENTENCES = (
    "In the morning the coffee was hot and the tea was cold.",
    "A guest asked for coffee, and then for tea.",
    "Nobody in the house drank coffee after noon, but tea was drunk at night.",
    "The old pot held coffee for eight people.",
    "Somebody spilled the coffee over the tea towels.",
)


def _text_of(turn):
    return " ".join([*SENTENCES[turn:], *SENTENCES[:turn]])


@pytest.fixture(scope="session")
def text_of():
    """The sentences from one of them on, and then those before it."""
    return _text_of


@pytest.fixture(scope="session")
def write_grid(tiny_gpt2_folder):
    """Writes a grid of three texts and two words for the tiny model into a folder."""

    def write(folder, **changes):
        content = {
            "name": "small",
            "models": [{"source": "folder", "name": str(tiny_gpt2_folder), "device": "cpu"}],
            "texts": {"list": [{"name": f"t{turn}", "text": _text_of(turn), "language": "en"} for turn in range(3)]},
            "words": {"list": ["coffee", "tea"]},
            "settings": {"permutations": 99},
            **changes,
        }
        file = folder / "grid.yaml"
        file.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML too
        return file

    return write


@pytest.fixture
def grid(write_grid, tmp_path):
    """That grid's file in the test's own folder."""
    return lambda **changes: write_grid(tmp_path, **changes)
