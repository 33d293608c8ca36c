"""What follows from the simulations' own rows; the seeded draws behind them do not follow from the activations."""

import numpy as np

from analyses.mi_distance.reference import Study


def simulation_statistics(study: Study) -> dict[str, np.ndarray]:
    """The truth that the estimators are held against, and Wilson's interval of each rate by statsmodels."""
    from statsmodels.stats.proportion import proportion_confint

    data, found = study.data, {}
    if "calibration_truth" in data:
        correlation = data["correlation"].values
        found["calibration_truth"] = -np.log(1 - correlation**2) / 2
    if "type_one_error" in data:
        rate, count = data["type_one_error"].values, data["simulated_data_sets"].values
        simulated = count > 0
        ends = np.full((2, len(rate)), np.nan)
        ends[:, simulated] = proportion_confint(np.rint(rate * count)[simulated], count[simulated], method="wilson")
        found |= {"type_one_error_low": ends[0], "type_one_error_high": ends[1]}
    return found
