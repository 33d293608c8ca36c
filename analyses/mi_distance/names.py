"""The coordinates of every array of the study, in their fixed order."""

BRANCHES = ("attention", "mlp")
ESTIMATORS = ("histogram", "corrected", "nearest_neighbour")
CONTROLS = ("none", "different_word", "untrained")
CORRECTIONS = ("none", "bonferroni", "fdr_bh", "fdr_by")
VERDICTS = ("supported", "contradicted", "inconclusive", "not_testable")

ATTENTION, MLP = 0, 1
