"""The study's figures, in the order of the report."""

from analyses.mi_distance.figures.comparisons import t_profile, z_profile
from analyses.mi_distance.figures.controls import control_profile, overview, untrained_profile
from analyses.mi_distance.figures.detail import activation_scatter, distance_scatter, mutual_information_matrix
from analyses.mi_distance.figures.estimators import estimator_comparison
from analyses.mi_distance.figures.linear import linear_share
from analyses.mi_distance.figures.position import position_profile
from analyses.mi_distance.figures.profiles import kendall_tau_profile, mutual_information_profile
from analyses.mi_distance.figures.robustness import calibration, error_rates, power
from analyses.mi_distance.figures.specification import specification_curves
from analyses.protocol import FigureSpec, Results

ALWAYS = (
    activation_scatter,
    mutual_information_matrix,
    distance_scatter,
    mutual_information_profile,
    t_profile,
    kendall_tau_profile,
    z_profile,
    estimator_comparison,
)


def figures(results: Results) -> list[FigureSpec]:
    """Every figure that these results have the numbers for; nothing is drawn before `FigureSpec.draw` is called."""
    specs = [figure(results) for figure in ALWAYS]
    if "word_specific_excess" in results.dataset:
        specs += [overview(results), control_profile(results)]
    if "kendall_tau_without_first" in results.dataset:
        specs.append(position_profile(results))
    if "untrained_mean_mutual_information" in results.dataset:
        specs.append(untrained_profile(results))
    if "linear_share" in results.dataset:
        specs.append(linear_share(results))
    specs.append(power(results))
    if "specification" in results.dataset.dims:
        specs += [calibration(results), *specification_curves(results)]
    if "simulated_test" in results.dataset.dims:
        specs.append(error_rates(results))
    return specs
