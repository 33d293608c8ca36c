"""Mutual information between pairs of vectors, in nats: one module per estimator, one signature for all."""

from analyses.mutual_information.estimate import (
    ESTIMATORS,
    Estimator,
    mutual_information,
    pairwise_mutual_information,
    pairwise_under_choices,
)
from analyses.mutual_information.ties import share_of_ties

__all__ = ["ESTIMATORS", "Estimator", "mutual_information", "pairwise_mutual_information", "pairwise_under_choices", "share_of_ties"]
