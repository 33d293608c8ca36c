"""Correction of p-values for the number of layers, or of statements, tested."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Method = Literal["none", "bonferroni", "holm", "fdr_bh", "fdr_by"]


def adjust(p: npt.ArrayLike, method: Method) -> npt.NDArray[np.float64]:
    """Adjust p-values along the last axis; a NaN (not testable) stays NaN and does not count as a test.

    Parameters
    ----------
    p : (..., L) array_like
        p-values.
    method : str
        "none"; "bonferroni"; "holm" (Holm 1979, Scandinavian Journal of Statistics 6, 65-70);
        "fdr_bh" (Benjamini & Hochberg 1995, JRSS B 57, 289-300);
        "fdr_by" (Benjamini & Yekutieli 2001, Annals of Statistics 29, 1165-1188: valid under any dependence).

    Returns
    -------
    (..., L) float64
        Adjusted p-values, at most 1.

    Examples
    --------
    Four layers. Bonferroni takes each p four times; Benjamini and Hochberg take the k-th smallest 4 / k times:

    >>> from analyses.statistics import adjust
    >>> adjust([0.01, 0.02, 0.03, 0.5], "bonferroni").round(3).tolist()
    [0.04, 0.08, 0.12, 1.0]
    >>> adjust([0.01, 0.02, 0.03, 0.5], "fdr_bh").round(3).tolist()
    [0.04, 0.04, 0.04, 0.5]
    """
    values = np.asarray(p, dtype=np.float64)
    tests = np.count_nonzero(~np.isnan(values), axis=-1, keepdims=True)
    if method == "none":
        return values.copy()
    if method == "bonferroni":
        return np.minimum(values * tests, 1.0)
    if method not in ("holm", "fdr_bh", "fdr_by"):
        raise ValueError(f"unknown correction {method!r}; choose none, bonferroni, holm, fdr_bh or fdr_by")
    order = np.argsort(values, axis=-1)  # NaN sorts last, beyond the ranks 1 .. tests
    ranks = np.arange(1, values.shape[-1] + 1)
    if method == "holm":
        # Step down: the k-th smallest counts tests + 1 - k times, and none less than one before it.
        stepped_down = np.fmax.accumulate(np.take_along_axis(values, order, axis=-1) * (tests + 1 - ranks), axis=-1)
        found = np.where(np.isnan(values), np.nan, 0.0)
        np.put_along_axis(found, order, np.where(ranks <= tests, np.minimum(stepped_down, 1.0), np.nan), axis=-1)
        return found
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / ranks)])[tests] if method == "fdr_by" else 1.0
    scaled = np.take_along_axis(values, order, axis=-1) * harmonic * tests / ranks
    # Step up: each value is the smallest of those at or above its rank; fmin skips the NaNs behind the tests.
    stepped = np.fmin.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    adjusted = np.empty_like(values)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), axis=-1)
    return adjusted
