"""How small a difference a study of T occurrences could have shown."""

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from analyses.arrays import Array


def minimal_detectable_difference(standard_error: npt.ArrayLike, occurrences: int, alpha: float = 0.05, power: float = 0.8) -> Array:
    """Smallest true difference that a two-sided t-test with T - 1 degrees of freedom shows with the given power.

    Parameters
    ----------
    standard_error : (...) array_like
        Of the difference, for example the jackknife's.
    occurrences : int
        T.
    alpha, power : float
        Level of the test, and how surely it is to show the difference.

    Returns
    -------
    (...) float64
        In the unit of `standard_error`; NaN for T <= 3.

    Notes
    -----
    difference = delta * SE, with delta the noncentrality of t at which P(abs(t) > t_crit) = power: Cohen (1988), chapter 2.
    """
    errors = np.asarray(standard_error, dtype=np.float64)
    if occurrences <= 3:
        return np.full(errors.shape, np.nan)
    degrees = occurrences - 1
    critical = stats.t.ppf(1 - alpha / 2, degrees)
    # Power is nearly 1 once the noncentrality is far beyond the critical value; double until the root is bracketed.
    far = critical + 1.0
    while t_test_power(far, degrees, alpha) < power:
        far *= 2
    delta = optimize.brentq(lambda noncentrality: t_test_power(noncentrality, degrees, alpha) - power, 0.0, far)
    return np.asarray(delta * errors)


def t_test_power(noncentrality: float, degrees_of_freedom: float, alpha: float = 0.05) -> float:
    """Power of a two-sided t-test at a noncentrality (true difference / standard error)."""
    critical = stats.t.ppf(1 - alpha / 2, degrees_of_freedom)
    upper = 1 - special.nctdtr(degrees_of_freedom, noncentrality, critical)
    # The far tail underflows to NaN where the noncentrality is large; it adds nothing there.
    lower = np.nan_to_num(special.nctdtr(degrees_of_freedom, noncentrality, -critical))
    return float(upper + lower)
