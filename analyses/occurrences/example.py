"""Made-up vectors: a study of a word's occurrences in seconds and without a model, to try an analysis on."""

import numpy as np

from analyses.occurrences.vectors import StudyInput


def example_vectors(occurrences: int = 7, layers: int = 6, dimensions: int = 60, other_words: int = 24, seed: int = 0) -> StudyInput:
    """Vectors that share a common part: one that grows with depth in attention and fades in the MLP; other words share less of it."""
    generator = np.random.default_rng(seed)
    position = np.sort(generator.choice(np.arange(2, 90), occurrences, replace=False))
    others = np.sort(generator.choice(np.setdiff1d(np.arange(2, 90), position), other_words, replace=False))
    share = np.stack([np.linspace(0.3, 1.5, layers), np.linspace(1.0, 0.4, layers)])[:, :, None, None]
    common = generator.normal(size=(2, layers, 1, dimensions)) * share

    def vectors(count: int, strength: float) -> np.ndarray:
        return (strength * common + generator.normal(size=(2, layers, count, dimensions))).astype(np.float32)

    return StudyInput(
        activation=vectors(occurrences, 1.0),
        token_position=position,
        control_activation=vectors(other_words, 0.6),
        control_token_position=others,
        control_token_word=tuple(f"word{index // 2}" for index in range(other_words)),
        untrained_activation=None,
        text=None,
        provenance={"model": {"source": "ready activations", "file": "example.npz"}},
    )
