"""The coordinates of every array of the study, in their fixed order."""

from typing import Final, Literal

BRANCHES = ("attention", "mlp")
ESTIMATORS: Final[tuple[Literal["histogram"], Literal["corrected"], Literal["nearest_neighbour"]]] = (
    "histogram",
    "corrected",
    "nearest_neighbour",
)
# What the values of a verdict are: same-word minus different-word pairs (what is concluded rests on these), plain MI (the lesson's
# version), minus pairs of the text's other repeated words, and plain MI of vectors centred over the text's other words.
CONTROLS = ("different_word", "none", "repeated_words", "centred")
CORRECTIONS = ("none", "bonferroni", "fdr_bh", "fdr_by")
VERDICTS = ("supported", "contradicted", "inconclusive", "not_testable")

ATTENTION, MLP = 0, 1
