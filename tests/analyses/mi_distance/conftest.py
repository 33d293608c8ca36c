"""Made-up vectors to study: small, seeded, and with effects that are known because they were planted."""

from collections.abc import Callable

import numpy as np
import pytest

from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.study import analyse
from analyses.occurrences.vectors import StudyInput
from analyses.progress import SilentProgress
from analyses.protocol import Results


def made_up(
    occurrences: int = 7, layers: int = 6, dimensions: int = 60, control_tokens: int = 24, seed: int = 0, *, controls: bool = True
) -> StudyInput:
    """Vectors that share a common part: one that grows with depth in attention and fades in the MLP."""
    generator = np.random.default_rng(seed)
    position = np.sort(generator.choice(np.arange(2, 90), occurrences, replace=False))
    others = np.setdiff1d(np.arange(2, 90), position)
    control_position = np.sort(generator.choice(others, control_tokens, replace=False))
    share = np.stack([np.linspace(0.3, 1.5, layers), np.linspace(1.0, 0.4, layers)])[:, :, None, None]
    common = generator.normal(size=(2, layers, 1, dimensions)) * share

    def vectors(count: int, strength: float) -> np.ndarray:
        return (strength * common + generator.normal(size=(2, layers, count, dimensions))).astype(np.float32)

    activation, control, untrained = vectors(occurrences, 1.0), vectors(control_tokens, 0.6), vectors(occurrences, 0.3)
    untrained = np.stack([untrained, vectors(occurrences, 0.3)])
    behind, control_behind = vectors(occurrences, 1.0), vectors(control_tokens, 0.6)
    return StudyInput(
        activation=activation,
        token_position=position,
        control_activation=control if controls else None,
        control_token_position=control_position if controls else None,
        control_token_word=tuple(f"word{index // 2}" for index in range(control_tokens)) if controls else None,
        untrained_activation=untrained if controls else None,
        text=None,
        provenance={"model": {"source": "ready activations", "file": "made-up.npz"}},
        prefix_activation=behind if controls else None,
        prefix_token_position=position + 80 if controls else None,
        prefix_control_activation=control_behind if controls else None,
        prefix_control_token_position=control_position + 80 if controls else None,
    )


@pytest.fixture(scope="session")
def small_settings() -> StudySettings:
    """Settings for made-up vectors, with few draws."""
    return StudySettings(
        name="made-up",
        word="coffee",
        activations_file="made-up.npz",
        detail_layer=1,
        permutations=199,
        controls={"pairs_per_distance": 4},
        robustness={"enabled": False},
    )


@pytest.fixture(scope="session")
def make_input() -> Callable[..., StudyInput]:
    return made_up


@pytest.fixture(scope="session")
def results_of(small_settings: StudySettings) -> Callable[..., Results]:
    """From the numbers of occurrences, layers ... to results, each computed once."""
    known: dict[str, Results] = {}

    def results(**options: int) -> Results:
        name = repr(sorted(options.items()))
        if name not in known:
            known[name] = analyse(made_up(**options), small_settings, SilentProgress())
        return known[name]

    return results


@pytest.fixture(scope="session")
def results(results_of: Callable[..., Results]) -> Results:
    """Seven occurrences in six layers, with both controls."""
    return results_of(occurrences=7, layers=6)
