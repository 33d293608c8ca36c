"""What one study of mutual information against token distance needs to know. Read from YAML by the caller."""

from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from analyses.occurrences.settings import CaptureRequest, DocumentSettings, Section


class EstimatorSettings(Section):
    """How the mutual information of one pair of vectors is estimated."""

    bins: int = Field(15, ge=2, le=200, description="Equal-width bins per axis of the histogram estimator.")
    trim: float | None = Field(4.0, gt=0, description="Dimensions with a z-score above this in either vector are dropped; null keeps all.")
    neighbours: int = Field(3, ge=1, le=50, description="Neighbours k of the nearest-neighbour (KSG) estimator.")


class ControlSettings(Section):
    """What the study of one word is held against."""

    different_word: bool = Field(True, description="Pairs of different words at the same token distances.")
    pairs_per_distance: int | None = Field(
        None, ge=2, le=100_000, description="Different-word pairs measured at each distance, at the most, evenly over the text; null: all."
    )
    untrained: bool = Field(True, description="The same architecture with seeded random weights.")
    untrained_seeds: int = Field(5, ge=1, le=100, description="Draws of random weights: the seeds seed, seed + 1, ...")
    prefix: bool = Field(True, description="The text once more behind the built-in neutral paragraph: positions shift, distances stay.")


class HypothesisSettings(Section):
    """The thresholds of the five statements; the course's unless a study changes them."""

    early_until: float = Field(1 / 3, gt=0, lt=1, description="The early layers: this first part of the depth.")
    deep_from: float = Field(2 / 3, gt=0, lt=1, description="The deep layers: from this part of the depth on.")
    separation_after: float = Field(10 / 48, gt=0, lt=1, description="The taus are said to separate after this part of the depth.")
    level_change: float = Field(
        0.1,
        gt=0,
        le=10,
        description="A profile is level in the deep layers when its fitted line changes by less than this across them (nats); 0.1 nat "
        "is what a correlation of .43 carries between Gaussian variables.",
    )
    tau_range: tuple[float, float] = Field((-0.65, -0.35), description="What counts as a tau of about -0.5.")
    same_tau_margin: float = Field(0.1, gt=0, lt=1, description="Taus that differ by less than this count as not separated.")
    shift_slope_range: tuple[float, float] = Field((0.9, 1.1), description="Slopes that count as a constant shift.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.early_until > self.deep_from:
            raise ValueError("early_until must not lie after deep_from")
        for name in ("tau_range", "shift_slope_range"):
            low, high = getattr(self, name)
            if low >= high:
                raise ValueError(f"{name} must be [low, high] with low < high")
        return self


class RobustnessSettings(Section):
    """The choices that the specification curve varies."""

    enabled: bool = Field(True, description="Repeat the study under every combination of the choices below; false saves the time.")
    bins: tuple[int | Literal["fd"], ...] = Field(
        (8, 10, 15, 20, 30, "fd"), description="Numbers of bins to try; fd is the Freedman-Diaconis rule, which looks at the data."
    )
    trim: tuple[float | None, ...] = Field(
        (None, 3.0, 4.0, 5.0), description="Limits of the z-score to try in outlier trimming; null keeps every dimension."
    )
    neighbours: tuple[int, ...] = Field((3, 5), description="Numbers of neighbours to try in the nearest-neighbour estimator.")
    pairs_per_distance: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Different-word pairs at each distance under other choices than the study's own, at the most; "
        "null: as many as make 1,000 in all, and at least 8.",
    )
    simulations: int = Field(2000, ge=100, le=100_000, description="Data sets in the simulation of the tests' error rates.")

    @field_validator("bins", "trim", "neighbours")
    @classmethod
    def _as_for_the_study(cls, choices: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        # What the study's own choice may be, the others may be: nothing else can be computed.
        for choice in choices:
            if choice != "fd":
                EstimatorSettings.model_validate({str(info.field_name): choice})
        return choices


class StudySettings(CaptureRequest):
    """One study: a word in a text, a model, and how the numbers are made."""

    estimation: EstimatorSettings = Field(default_factory=EstimatorSettings)
    controls: ControlSettings = Field(default_factory=ControlSettings)
    hypotheses: HypothesisSettings = Field(default_factory=HypothesisSettings)
    robustness: RobustnessSettings = Field(default_factory=RobustnessSettings)
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Level of the tests: p-values below it count as significant.")
    permutations: int = Field(
        9999, ge=99, le=1_000_000, description="Mantel permutations where not all can be listed (over 8 occurrences)."
    )
    detail_layer: int | None = Field(
        None, ge=1, description="The layer, numbered from 1, that is shown pair by pair; null: 3, or the studied one next to it."
    )
    seed: int = Field(20, ge=0, le=2**32 - 1, description="Seed of everything that is drawn at random; the same seed gives the same bytes.")
    document: DocumentSettings = Field(default_factory=DocumentSettings)
