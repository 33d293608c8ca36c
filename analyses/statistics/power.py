"""How small a difference a study of T occurrences could have shown, and how many occurrences a difference needs."""

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

Array = npt.NDArray[np.float64]

# Beyond this many occurrences an answer is of no use to a reader; it also bounds the search.
MOST_OCCURRENCES = 1_000_000


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


def occurrences_needed(
    difference: npt.ArrayLike, standard_error: npt.ArrayLike, occurrences: int, alpha: float = 0.05, power: float = 0.8
) -> Array:
    """Fewest occurrences with which `difference` would be shown with the given power, if the standard error falls as 1 / sqrt(T).

    Parameters
    ----------
    difference, standard_error : (...) array_like
        They broadcast together; the standard error is that seen with `occurrences`.
    occurrences : int
        T.
    alpha, power : float
        Level of the test, and how surely it is to show the difference.

    Returns
    -------
    (...) float64
        Whole numbers, at least 4; infinite for a zero difference or beyond a million; NaN for T <= 3 or NaN input.
    """
    sizes, errors = np.broadcast_arrays(np.abs(np.asarray(difference, dtype=np.float64)), np.asarray(standard_error, dtype=np.float64))
    if occurrences <= 3:
        return np.full(sizes.shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(errors > 0, sizes / errors, np.where(sizes > 0, np.inf, 0.0)) / np.sqrt(occurrences)
    unit = np.where(np.isnan(sizes) | np.isnan(errors), np.nan, unit)
    needed = [_fewest(value, alpha, power) for value in unit.ravel()]
    return np.array(needed, dtype=np.float64).reshape(sizes.shape)


def t_test_power(noncentrality: float, degrees_of_freedom: float, alpha: float = 0.05) -> float:
    """Power of a two-sided t-test at a noncentrality (true difference / standard error)."""
    critical = stats.t.ppf(1 - alpha / 2, degrees_of_freedom)
    upper = 1 - special.nctdtr(degrees_of_freedom, noncentrality, critical)
    # The far tail underflows to NaN where the noncentrality is large; it adds nothing there.
    lower = np.nan_to_num(special.nctdtr(degrees_of_freedom, noncentrality, -critical))
    return float(upper + lower)


def _fewest(unit: float, alpha: float, power: float) -> float:
    """Bisect for the fewest T with power at noncentrality unit * sqrt(T); power rises with T."""
    if np.isnan(unit):
        return np.nan
    if np.isinf(unit):
        return 4.0

    def enough(count: int) -> bool:
        # A noncentrality of 30 is certain to be shown, and larger ones strain the noncentral t's series.
        return t_test_power(min(unit * np.sqrt(count), 30.0), count - 1, alpha) >= power

    low, high = 4, 8
    if enough(low):
        return float(low)
    while not enough(high):
        low, high = high, high * 2
        if high > MOST_OCCURRENCES:
            return np.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(high)
