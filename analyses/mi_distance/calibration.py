"""How far off the estimators are where the truth is known: Gaussian pairs with the study's own dimensions, bins and trimming."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from analyses.mi_distance.settings import StudySettings
from analyses.mutual_information import pairwise_mutual_information
from analyses.mutual_information.estimate import Estimator
from analyses.mutual_information.linear import linear_correlation, linear_information
from analyses.records import Variable

CORRELATIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CALIBRATED: tuple[Estimator, ...] = ("histogram", "corrected", "nearest_neighbour", "gaussian_copula")
# Pairs of vectors at each correlation: the standard error of a mean is then a tenth of the spread.
REPETITIONS = 100


def gaussian_mutual_information(correlation: np.ndarray) -> np.ndarray:
    """-ln(1 - rho^2) / 2, in nats: Cover & Thomas, Elements of Information Theory (2nd ed. 2006), example 8.5.1."""
    return -np.log1p(-(np.asarray(correlation, dtype=np.float64) ** 2)) / 2


def calibration_variables(dimensions: int, settings: StudySettings, advance: Callable[[int], None]) -> dict[str, Variable]:
    """Estimate `REPETITIONS` seeded pairs of correlated normal vectors at each of `CORRELATIONS`.

    Parameters
    ----------
    dimensions : D, the length of each vector
    advance : called with the number of pairs finished since the last call

    Returns
    -------
    Variables over (calibrated_estimator, correlation): mean and standard deviation of the estimates; and (correlation,) the truth, and
    the mean of what Pearson's correlation of the same pairs makes of it.
    """
    correlation = np.array(CORRELATIONS)
    generator = np.random.default_rng([settings.seed, dimensions])
    own = generator.normal(size=(len(correlation), 2, REPETITIONS, dimensions))
    own[:, 1] = correlation[:, None, None] * own[:, 0] + np.sqrt(1 - correlation**2)[:, None, None] * own[:, 1]
    vectors = own.reshape(len(correlation), 2 * REPETITIONS, dimensions)
    first = np.arange(REPETITIONS)
    second = first + REPETITIONS
    linear = linear_information(linear_correlation(vectors, first, second, trim=settings.estimation.trim))
    estimates = pairwise_mutual_information(
        vectors,
        first,
        second,
        CALIBRATED,
        bins=settings.estimation.bins,
        trim=settings.estimation.trim,
        neighbours=settings.estimation.neighbours,
        advance=advance,
    )
    values = np.stack([estimates[name] for name in CALIBRATED])
    over = ("calibrated_estimator", "correlation")
    return {
        "calibrated_estimator": (over[:1], np.array(CALIBRATED), {"long_name": "estimator of mutual information"}),
        "correlation": (over[1:], correlation, {"long_name": "correlation of a Gaussian pair"}),
        "calibration_truth": (over[1:], gaussian_mutual_information(correlation), {"long_name": "its true value", "units": "nats"}),
        "calibration_linear": (over[1:], linear.mean(axis=-1), {"long_name": "mean -ln(1 - r^2) / 2 of Gaussian pairs", "units": "nats"}),
        "calibration_mean": (over, values.mean(axis=-1), {"long_name": "mean estimate of Gaussian pairs", "units": "nats"}),
        "calibration_spread": (over, values.std(axis=-1, ddof=1), {"long_name": "standard deviation of the estimates", "units": "nats"}),
    }


def calibration_table(dataset: xr.Dataset) -> pd.DataFrame:
    """One row an estimator and correlation: calibrated_estimator, correlation, truth, mean, spread (nats)."""
    names = ("calibration_truth", "calibration_mean", "calibration_spread")
    frame = dataset[list(names)].to_dataframe(dim_order=["calibrated_estimator", "correlation"])[list(names)].reset_index()
    return frame.rename(columns={name: name.removeprefix("calibration_") for name in names})
