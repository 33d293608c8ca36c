"""One quantity measured in many texts: its mean over the texts, how much the texts differ, and what a new text would show.

The text is the unit that generalises: `mean_over` with Student's t is what verdicts rest on. `meta_analysis` and `crossed_model` are
checks of it under other assumptions: that texts are measured with known errors, and that a word is alike in all of its texts.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.stats

Array = npt.NDArray[np.float64]
# With two units one degree of freedom is left, and an interval that no result could leave.
FEWEST = 3
# So many texts at the most are looked for by `texts_needed`.
_MOST_TEXTS = 10_000


@dataclass(frozen=True)
class Mean:
    """A mean over K units: its standard error, the units' sd, and the two-sided interval at `confidence`; NaN below three units."""

    estimate: float
    standard_error: float
    sd: float
    units: int
    low: float
    high: float

    @property
    def degrees_of_freedom(self) -> int:
        return self.units - 1


def mean_over(values: npt.ArrayLike, confidence: float = 0.95) -> Mean:
    """Mean of independent units with the t interval on K - 1 degrees of freedom.

    Parameters
    ----------
    values : (K,) array_like
        One value a unit, in any unit of measurement; NaN (not measured in that unit) is left out.
    confidence : float
        Of the interval.

    Examples
    --------
    Four texts with mean 2.5 and sd 1.291: t(3) = 3.182 at 95 %, so that the half width is 3.182 x 1.291 / 2 = 2.054.

    >>> found = mean_over([1, 2, 3, 4])
    >>> found.estimate, round(found.low, 3), round(found.high, 3)
    (2.5, 0.446, 4.554)
    """
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[np.isfinite(kept)]
    count = len(kept)
    estimate = float(kept.mean()) if count else np.nan
    if count < FEWEST:
        return Mean(estimate, np.nan, np.nan, count, np.nan, np.nan)
    sd = float(kept.std(ddof=1))
    error = float(sd / np.sqrt(count))
    half = float(scipy.stats.t.ppf(0.5 + confidence / 2, count - 1) * error)
    return Mean(estimate, error, sd, count, estimate - half, estimate + half)


def p_against(found: Mean, bound: float) -> float:
    """Two-sided p of the t-test that the mean is `bound`: the level at which the interval just touches it.

    >>> round(p_against(mean_over([1, 2, 3, 4]), 0.446), 3)
    0.05
    """
    if not np.isfinite(found.standard_error):
        return np.nan
    if found.standard_error == 0:
        return 1.0 if found.estimate == bound else 0.0
    return float(2 * scipy.stats.t.sf(abs(found.estimate - bound) / found.standard_error, found.degrees_of_freedom))


@dataclass(frozen=True)
class MetaAnalysis:
    """A random-effects meta-analysis of K units.

    `variance_between` is tau^2 of the model (not Kendall's), `i_squared` the share of the variance that is not the units' own error,
    `q` and `q_p` Cochran's test that there is none between them, `low` and `high` the interval of the mean, `prediction_low` and
    `prediction_high` that of the true value in a new unit.
    """

    estimate: float
    standard_error: float
    low: float
    high: float
    variance_between: float
    i_squared: float
    q: float
    q_p: float
    prediction_low: float
    prediction_high: float
    units: int


def meta_analysis(estimates: npt.ArrayLike, standard_errors: npt.ArrayLike, confidence: float = 0.95) -> MetaAnalysis | None:
    """Random-effects meta-analysis: variance between units by REML, interval after Hartung & Knapp, prediction interval.

    Parameters
    ----------
    estimates, standard_errors : (K,) array_like
        One of each a unit; units without an error, or with none, are left out.

    Returns
    -------
    MetaAnalysis, or None for fewer than three units.

    Notes
    -----
    REML by Fisher scoring: Viechtbauer (2005), Journal of Educational and Behavioral Statistics 30, 261-293. Standard error and t on
    K - 1 degrees of freedom: Hartung & Knapp (2001), Statistics in Medicine 20, 3875-3889. I^2: Higgins & Thompson (2002), Statistics in
    Medicine 21, 1539-1558. Prediction: Higgins, Thompson & Spiegelhalter (2009), Journal of the Royal Statistical Society A 172, 137-159,
    on the degrees of freedom of the mean.

    Examples
    --------
    Errors that explain all of the spread leave no variance between the units, and the mean is the weighted one:

    >>> found = meta_analysis([1.0, 1.1, 0.9], [1.0, 1.0, 1.0])
    >>> round(found.estimate, 3), found.variance_between, found.i_squared
    (1.0, 0.0, 0.0)
    """
    values, errors = np.asarray(estimates, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    usable = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    values, variances = values[usable], errors[usable] ** 2
    count = len(values)
    if count < FEWEST:
        return None
    between = _reml(values, variances)
    weights = 1 / (variances + between)
    estimate = float(weights @ values / weights.sum())
    error = float(np.sqrt(weights @ (values - estimate) ** 2 / ((count - 1) * weights.sum())))
    quantile = float(scipy.stats.t.ppf(0.5 + confidence / 2, count - 1))
    fixed = 1 / variances
    q = float(fixed @ (values - fixed @ values / fixed.sum()) ** 2)
    typical = (count - 1) * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())
    reach = quantile * np.sqrt(between + error**2)
    return MetaAnalysis(
        estimate, error, estimate - quantile * error, estimate + quantile * error,
        between, float(between / (between + typical)), q, float(scipy.stats.chi2.sf(q, count - 1)),
        float(estimate - reach), float(estimate + reach), count,
    )  # fmt: skip


def _reml(values: Array, variances: Array) -> float:
    """The variance between units that maximises the restricted likelihood; 0 where it would be below."""
    between = max(0.0, float(values.var(ddof=1) - variances.mean()))
    for _ in range(200):
        weights = 1 / (variances + between)
        # The projection P = W - W 1 1' W / sum(W), by its products only.
        residual = weights * (values - weights @ values / weights.sum())
        trace = weights.sum() - (weights**2).sum() / weights.sum()
        squares = (weights**2).sum()
        trace_of_square = squares - 2 * (weights**3).sum() / weights.sum() + (squares / weights.sum()) ** 2
        step = float((residual @ residual - trace) / trace_of_square)
        moved = max(0.0, between + step)
        if abs(moved - between) <= 1e-12 * (1 + between):
            return moved
        between = moved
    return between


@dataclass(frozen=True)
class CrossedModel:
    """A mixed model of cells with text and word as random effects: the mean, its interval, and the variances (0 where not estimated)."""

    estimate: float
    standard_error: float
    low: float
    high: float
    variance_text: float
    variance_word: float
    variance_residual: float
    has_word: bool


def crossed_model(
    values: npt.ArrayLike, texts: Sequence[Hashable], words: Sequence[Hashable], confidence: float = 0.95
) -> CrossedModel | None:
    """Mean of cells (text, word) with crossed random effects of text and word, by REML.

    Parameters
    ----------
    values : (N,) array_like
        One value a cell; NaN is left out.
    texts, words : N labels each.

    Returns
    -------
    CrossedModel, or None where text and cell cannot be told apart: fewer than three texts, or no text with two words. Words have an
    effect of their own in the model only where two of them are in several texts each.

    Notes
    -----
    y = mean + text + word + residual (Baayen, Davidson & Bates 2008, Journal of Memory and Language 59, 390-412). The restricted
    likelihood is profiled over the ratios of variances and searched from the best point of a grid. The interval has K - 1
    degrees of freedom.

    Examples
    --------
    In a balanced design it is the mean over the texts, with the same interval:

    >>> values = [1.0, 1.2, 2.0, 2.2, 3.0, 3.2]
    >>> found = crossed_model(values, [1, 1, 2, 2, 3, 3], ["a", "b", "c", "d", "e", "f"])
    >>> plain = mean_over([1.1, 2.1, 3.1])
    >>> round(found.estimate, 3), round(found.low - plain.low, 3)
    (2.1, -0.0)
    """
    observed = np.asarray(values, dtype=np.float64)
    kept = np.flatnonzero(np.isfinite(observed)).tolist()
    y = observed[kept]
    of_text = _indicators([texts[index] for index in kept])
    of_word = _indicators([words[index] for index in kept])
    count = of_text.shape[1]
    if count < FEWEST or of_text.sum(axis=0).max() < 2 or np.ptp(y) == 0:
        return None
    has_word = int((np.minimum(of_word.T @ of_text, 1).sum(axis=1) > 1).sum()) >= 2
    designs = [of_text, of_word] if has_word else [of_text]

    def solve(ratios: Array) -> tuple[float, float, float, float]:
        """Twice the negative restricted log-likelihood at ratios to the residual variance; mean, its error, the residual variance."""
        scaled = np.concatenate([np.sqrt(ratio) * design for ratio, design in zip(ratios, designs, strict=True)], axis=1)
        # Woodbury: the inverse of I + Z Z' by one matrix of the size of the random effects.
        inner = np.eye(scaled.shape[1]) + scaled.T @ scaled
        factor = np.linalg.cholesky(inner)
        both = np.stack([np.ones(len(y)), y], axis=1)
        projected = np.linalg.solve(factor, scaled.T @ both)
        products = both.T @ both - projected.T @ projected
        mean = products[0, 1] / products[0, 0]
        residual = max(products[1, 1] - mean * products[0, 1], 1e-300) / (len(y) - 1)
        deviance = 2 * np.log(np.diag(factor)).sum() + np.log(products[0, 0]) + (len(y) - 1) * np.log(residual)
        return float(deviance), float(mean), float(np.sqrt(residual / products[0, 0])), float(residual)

    grid = np.array(np.meshgrid(*[np.array([-8.0, -2.0, 0.0, 2.0, 6.0])] * len(designs))).reshape(len(designs), -1).T

    def deviance(logs: Array) -> float:
        return solve(np.exp(logs))[0]

    best = scipy.optimize.minimize(
        deviance, np.asarray(min(grid, key=deviance), dtype=np.float64), method="Nelder-Mead",
        bounds=scipy.optimize.Bounds(-16.0, 16.0), options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 1000},
    )  # fmt: skip
    ratios = np.exp(best.x)
    _, mean, error, residual = solve(ratios)
    half = float(scipy.stats.t.ppf(0.5 + confidence / 2, count - 1) * error)
    return CrossedModel(
        mean, error, mean - half, mean + half,
        float(ratios[0] * residual), float(ratios[1] * residual) if has_word else 0.0, residual, has_word,
    )  # fmt: skip


def _indicators(labels: Sequence[Hashable]) -> Array:
    """(label, kind) ones where a label is of a kind, kinds in the order of their first appearance."""
    kinds = {label: index for index, label in enumerate(dict.fromkeys(labels))}
    found = np.zeros((len(labels), len(kinds)))
    found[np.arange(len(labels)), [kinds[label] for label in labels]] = 1
    return found


def texts_needed(sd: float, effect: float, confidence: float = 0.95) -> int | None:
    """The smallest K at which the t interval of a mean over K texts, with the texts' sd, is no wider than `effect` to either side.

    A number to plan with: `effect` is an assumed one, never the one that was found. None where no number of texts suffices.

    Examples
    --------
    An effect as large as the sd: t(6) = 2.447 gives a half width of .92 sd at K = 7, and t(5) = 2.571 one of 1.05 sd at K = 6.

    >>> texts_needed(1.0, 1.0)
    7
    """
    if not (np.isfinite(sd) and effect > 0):
        return None
    counts = np.arange(FEWEST, _MOST_TEXTS + 1)
    enough = scipy.stats.t.ppf(0.5 + confidence / 2, counts - 1) * sd / np.sqrt(counts) < effect
    return int(counts[np.argmax(enough)]) if enough.any() else None
