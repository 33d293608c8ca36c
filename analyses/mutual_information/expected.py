"""What the plug-in estimate gives on average when the dimensions of one vector are shuffled: its bias under independence."""

import threading

import numpy as np
import numpy.typing as npt
from scipy import special

from analyses.acceleration import kernels
from analyses.arrays import Array
from analyses.mutual_information.histogram import Histograms

# Sums that a thread keeps for the pairs to come, a power of 2 of them (1 MB, which stays in the processor's cache).
_KEPT = 65_536
_OF_THREAD = threading.local()


def expected(counts: Histograms) -> Array:
    """Exact mean of the plug-in mutual information under random relabelling, in nats, (P,); NaN for an empty histogram.

    With row sums a, column sums b and total n, the sum over all a, b and cell counts m of
    (m / n) ln(n m / (a b)) P(m), P hypergeometric: Vinh, Epps & Bailey (2010), JMLR 11, 2837-2854, equation 24a.
    """
    most = int(counts.total.max(initial=0))
    log_factorial = special.gammaln(np.arange(most + 1) + 1.0)
    log = np.log(np.maximum(np.arange(most + 1), 1))
    compiled = kernels("mutual_information")
    result = np.empty(len(counts.total))
    if compiled is not None:
        compiled.expected_sums(counts.rows, counts.columns, counts.total, log_factorial, log, *_kept_sums(), result)
    else:
        _expected_sums(counts, log_factorial, log, result)
    result[counts.total == 0] = np.nan
    return np.maximum(result, 0.0)  # rounding can leave a sum of nothing a digit below zero


def _kept_sums() -> tuple[npt.NDArray[np.int64], Array]:
    """Of this thread: which sums it has kept (-1 for none), and the sums."""
    if not hasattr(_OF_THREAD, "kept"):
        _OF_THREAD.kept = np.full(_KEPT, -1, dtype=np.int64), np.empty(_KEPT)
    kept: tuple[npt.NDArray[np.int64], Array] = _OF_THREAD.kept
    return kept


def _expected_sums(counts: Histograms, log_factorial: Array, log: Array, result: Array) -> None:
    """Work out each distinct (a, b, n) once; most bins in the tails share theirs."""
    base = len(log)
    a, b = counts.rows[:, :, None], counts.columns[:, None, :]
    keys = (counts.total[:, None, None] * base + np.minimum(a, b)) * base + np.maximum(a, b)
    distinct, inverse = np.unique(keys[(a > 0) & (b > 0)], return_inverse=True)
    smaller, larger, total = distinct // base % base, distinct % base, distinct // base // base
    sums = _hypergeometric_sums(smaller, larger, total, log_factorial, log)
    terms = np.zeros(keys.shape)
    terms[(a > 0) & (b > 0)] = sums[inverse]
    result[:] = terms.sum(axis=(1, 2))


def _hypergeometric_sums(
    a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], n: npt.NDArray[np.int64], log_factorial: Array, log: Array
) -> Array:
    """sum over m of (m / n) ln(n m / (a b)) P(m) for each a <= b, with the ragged sums laid end to end."""
    if not len(a):
        return np.empty(0)
    fewest = np.maximum(1, a + b - n)
    lengths = a - fewest + 1
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    m = np.arange(lengths.sum()) - np.repeat(starts - fewest, lengths)
    constant = log_factorial[a] + log_factorial[b] + log_factorial[n - a] + log_factorial[n - b] - log_factorial[n]
    a, b, n, constant, gain = (np.repeat(values, lengths) for values in (a, b, n, constant, log[n] - log[a] - log[b]))
    probability = np.exp(constant - log_factorial[m] - log_factorial[a - m] - log_factorial[b - m] - log_factorial[n - a - b + m])
    return np.add.reduceat(m / n * (log[m] + gain) * probability, starts)
