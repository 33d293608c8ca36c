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
    kendall_tau_without,
    partial_kendall_tau,
    spearman,
)
from analyses.statistics.multiplicity import adjust
from analyses.statistics.power import minimal_detectable_difference
from analyses.statistics.resampling import (
    Jackknife,
    Mantel,
    MantelDifference,
    RelabelledTau,
    jackknife,
    jackknife_mean,
    leave_one_out,
    leave_two_out,
    mantel,
    mantel_difference,
    mantel_with_difference,
    relabelled_partial_tau,
    relabelled_tau,
)

__all__ = [
    "IndependentTTest",
    "Jackknife",
    "KendallResult",
    "Mantel",
    "MantelDifference",
    "RelabelledTau",
    "adjust",
    "clip_tau",
    "concordance",
    "fisher_z",
    "independent_t_test",
    "jackknife",
    "jackknife_mean",
    "kendall",
    "kendall_interval",
    "kendall_tau",
    "kendall_tau_without",
    "leave_one_out",
    "leave_two_out",
    "mantel",
    "mantel_difference",
    "mantel_with_difference",
    "minimal_detectable_difference",
    "partial_kendall_tau",
    "relabelled_partial_tau",
    "relabelled_tau",
    "spearman",
]
