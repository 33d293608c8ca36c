"""Cells made of made-up vectors: a pooled study in seconds and without a model, to try the analysis on."""

from collections.abc import Sequence

from analyses.mi_distance.settings import ControlSettings, RobustnessSettings, StudySettings
from analyses.mi_distance.study import analyse
from analyses.mi_distance_pooled.cells import PROFILES, Cell, Sweep
from analyses.occurrences.example import example_vectors
from analyses.progress import SilentProgress

WORDS = ("river", "stone")


def example_cells(texts: int = 5, words: Sequence[str] = WORDS, occurrences: int = 7, dimensions: int = 60) -> tuple[Cell, ...]:
    """A cell for each word in each text, half of the texts said to be Vietnamese."""
    cells = []
    for text in range(texts):
        for place, word in enumerate(words):
            seed = 1 + len(words) * text + place
            settings = StudySettings(
                name="cell", word=word, activations_file="example.npz", permutations=199,
                controls=ControlSettings(untrained=False, prefix=False), robustness=RobustnessSettings(enabled=False),
            )  # fmt: skip
            vectors = example_vectors(occurrences=occurrences, dimensions=dimensions, seed=seed)
            cells.append(cell_of(vectors, settings, f"c{seed}", f"text-{text + 1}", "vi" if 2 * text >= texts else "en"))
    return tuple(cells)


def cell_of(vectors: object, settings: StudySettings, key: str, text: str, language: str, model: str = "example") -> Cell:
    """The cell that a sweep would make of captured vectors."""
    results = analyse(vectors, settings, SilentProgress())  # type: ignore[arg-type]
    profiles = {name: results.dataset[name].values for name in PROFILES if name in results.dataset}
    study = {"format_version": 2, "analysis": "mi_distance"} | results.study
    return Cell(key, model, text, language, settings.word, study, profiles, text)


def example_sweep() -> Sweep:
    cells = example_cells()
    failed = ({"model": "example", "text": "text-5", "word": "tree", "reason": "the word occurs twice; expected at least three times"},)
    return Sweep("0" * 64, len(cells) + 1, cells, failed)
