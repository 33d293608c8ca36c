"""The coordinates of every array of the study, in their fixed order."""

from typing import Final, Literal

ESTIMATORS: Final[tuple[Literal["histogram"], Literal["corrected"], Literal["nearest_neighbour"]]] = (
    "histogram",
    "corrected",
    "nearest_neighbour",
)
# What the values of a verdict are: same-word minus different-word pairs (what is concluded rests on these), plain MI (the lesson's
# version), minus pairs of the text's other repeated words, and plain MI of vectors centred over the text's other words.
CONTROLS = ("different_word", "none", "repeated_words", "centred")
CORRECTIONS = ("none", "bonferroni", "fdr_bh", "fdr_by")

# The course's estimator and the one without its bias: a conclusion needs both. Statement 5 compares the two, so it has one verdict.
CO_PRIMARY = ("histogram", "nearest_neighbour")
LESSON = "none"
