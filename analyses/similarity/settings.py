"""What one study of similarity needs to know: the capture's settings, and few of its own."""

from typing import ClassVar

from pydantic import Field

from analyses.occurrences.settings import CaptureRequest, DocumentSettings, Section


class SimilarityControls(Section):
    """What the similarity of one word is held against."""

    different_word: bool = Field(
        True, description="Pairs of different words at the same token distances; their tokens give the centre too."
    )
    pairs_per_distance: int | None = Field(
        None, ge=2, le=100_000, description="Different-word pairs measured at each distance, at the most, evenly over the text; null: all."
    )
    # Nothing else is captured: no untrained model and no neutral prefix.
    untrained: ClassVar[bool] = False
    untrained_seeds: ClassVar[int] = 0
    prefix: ClassVar[bool] = False


class DepthSettings(Section):
    """Which layers the statement on depth speaks of."""

    early_until: float = Field(1 / 3, gt=0, le=0.5, description="The early layers: this first part of the depth.")
    deep_from: float = Field(2 / 3, ge=0.5, lt=1, description="The deep layers: from this part of the depth on.")


class SimilaritySettings(CaptureRequest):
    """One study of similarity: a word in a text, and a model."""

    controls: SimilarityControls = Field(default_factory=SimilarityControls)
    depth: DepthSettings = Field(default_factory=DepthSettings)
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Level at which a single layer's tau is marked; verdicts rest on 95 % intervals.")
    permutations: int = Field(9999, ge=99, le=1_000_000, description="Relabellings where not all can be listed (over 8 occurrences).")
    detail_layer: int | None = Field(
        None, ge=1, description="The layer, numbered from 1, that is shown pair by pair; null: 3, or the studied one next to it."
    )
    seed: int = Field(20, ge=0, le=2**32 - 1, description="Seed of the sampled relabellings; the same seed gives the same bytes.")
    document: DocumentSettings = Field(default_factory=DocumentSettings)
