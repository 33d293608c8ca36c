"""Made-up vectors with known similarities: a part that all tokens share, one that the word's occurrences share, and noise."""

from collections.abc import Callable

import numpy as np
import pytest

from analyses.occurrences.vectors import StudyInput
from analyses.progress import SilentProgress
from analyses.protocol import Results
from analyses.similarity.settings import SimilaritySettings
from analyses.similarity.study import analyse

LAYERS = 6


def made_up(
    occurrences: int = 7,
    dimensions: int = 200,
    control_tokens: int = 30,
    seed: int = 0,
    *,
    common: float = 0.0,
    word: tuple[float, float] = (1.0, 1.0),
    own: float = 0.0,
    controls: bool = True,
) -> StudyInput:
    """`common` is the strength of what all tokens share, `word` (first, last layer) of what the word's occurrences share besides, and
    `own` of what each occurrence has in both branches alike, two and two of them in common."""
    generator = np.random.default_rng(seed)
    position = np.sort(generator.choice(np.arange(2, 90), occurrences, replace=False))
    control_position = np.sort(generator.choice(np.setdiff1d(np.arange(2, 90), position), control_tokens, replace=False))
    shape = (2, LAYERS, 1, dimensions)
    shared, of_word = common * generator.normal(size=shape), generator.normal(size=shape)
    strength = np.linspace(*word, LAYERS)[None, :, None, None]
    # Every two occurrences that stand in one group are alike, in both branches and in all layers.
    groups = own * np.repeat(generator.normal(size=(1, 1, (occurrences + 1) // 2, dimensions)), 2, axis=2)[:, :, :occurrences]
    activation = shared + strength * of_word + groups + generator.normal(size=(2, LAYERS, occurrences, dimensions))
    control = shared + generator.normal(size=(2, LAYERS, control_tokens, dimensions))
    return StudyInput(
        activation=activation.astype(np.float32),
        token_position=position,
        control_activation=control.astype(np.float32) if controls else None,
        control_token_position=control_position if controls else None,
        control_token_word=tuple(f"word{index // 2}" for index in range(control_tokens)) if controls else None,
        untrained_activation=None,
        text=None,
        provenance={"model": {"source": "ready activations", "file": "made-up.npz"}},
    )


@pytest.fixture(scope="session")
def settings() -> SimilaritySettings:
    return SimilaritySettings(name="made-up", word="coffee", activations_file="made-up.npz", permutations=199)


@pytest.fixture(scope="session")
def make_input() -> Callable[..., StudyInput]:
    return made_up


@pytest.fixture(scope="session")
def results_of(settings: SimilaritySettings) -> Callable[..., Results]:
    """From the options of `made_up` to results, each computed once."""
    known: dict[str, Results] = {}

    def results(**options: object) -> Results:
        name = repr(sorted(options.items()))
        if name not in known:
            known[name] = analyse(made_up(**options), settings, SilentProgress())  # type: ignore[arg-type]
        return known[name]

    return results
