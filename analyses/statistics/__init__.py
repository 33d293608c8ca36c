"""Comparison, correlation, resampling, multiplicity and power for mutual information between pairs of occurrences."""

from analyses.statistics.comparison import IndependentTTest, independent_t_test
from analyses.statistics.correlation import (
    KendallResult,
    clip_tau,
    concordance,
    fisher_z,
    kendall,
    kendall_interval,
    kendall_tau,
    spearman,
)
from analyses.statistics.multiplicity import adjust
from analyses.statistics.power import minimal_detectable_difference, occurrences_needed
from analyses.statistics.resampling import Jackknife, Mantel, jackknife, leave_one_out, mantel

__all__ = [
    "IndependentTTest",
    "Jackknife",
    "KendallResult",
    "Mantel",
    "adjust",
    "clip_tau",
    "concordance",
    "fisher_z",
    "independent_t_test",
    "jackknife",
    "kendall",
    "kendall_interval",
    "kendall_tau",
    "leave_one_out",
    "mantel",
    "minimal_detectable_difference",
    "occurrences_needed",
    "spearman",
]
