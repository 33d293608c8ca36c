"""The coordinates of every array of the study, in their fixed order."""

from typing import Final, Literal

BRANCHES = ("attention", "mlp")
ESTIMATORS: Final[tuple[Literal["histogram"], Literal["corrected"], Literal["nearest_neighbour"]]] = (
    "histogram",
    "corrected",
    "nearest_neighbour",
)
CONTROLS = ("none", "different_word", "untrained")
CORRECTIONS = ("none", "bonferroni", "fdr_bh", "fdr_by")
VERDICTS = ("supported", "contradicted", "inconclusive", "not_testable")

ATTENTION, MLP = 0, 1
