"""Plug-in mutual information from a joint histogram, with numpy.histogram2d's rule for edges."""

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from analyses.acceleration import kernels
from analyses.arrays import Array
from analyses.mutual_information.trimming import Indices, Mask, Vectors, masked_range, range_without

Counts = npt.NDArray[np.int64]
Codes = npt.NDArray[Any]
Bins = int | str

# The Freedman-Diaconis rule asks for ever more bins as tails grow heavier; joint cells beyond this many a side are all but empty.
MOST_FREEDMAN_DIACONIS_BINS = 128

# Far above what rounding can do to a quotient (value - low) / step, in units of (1 + range and origin in steps).
ROUNDING = 4e-15
# Below this, one divided by a step may be infinite.
SMALLEST_STEP = 1e-300


@dataclass(frozen=True)
class Histograms:
    """What the joint histograms of P pairs say: plug_in (P,) nats, and their sums rows (P, B), columns (P, B), total (P,)."""

    plug_in: Array
    rows: Counts
    columns: Counts
    total: Counts


def histograms(vectors: Vectors, first: Indices, second: Indices, bins: Bins) -> Histograms:
    """Plug-in mutual information of each pair from its joint histogram over the range of its own kept values.

    sum p ln(p / (p_row p_column)) in nats; NaN for an empty histogram. Cover & Thomas, Elements of Information Theory (2nd ed.
    2006), section 2.3. In counts: (sum c ln c - sum r ln r - sum k ln k) / n + ln n, with c ln c from a table of whole numbers.

    Parameters
    ----------
    first, second : (P,) indices into `vectors`.
    bins : equal-width bins for each vector, or "fd" for Freedman & Diaconis (1981) per vector of a pair, at most 128.
    """
    entropy = _entropy_table(vectors.values.shape[1])
    compiled = kernels("mutual_information")
    if compiled is not None and not isinstance(bins, int):
        return _adapted_compiled(compiled, vectors, first, second, entropy)
    if compiled is None or not isinstance(bins, int):
        return _from_cells(_count_joint(vectors, first, second, bins), entropy)
    if bins not in vectors.codes:
        codes = _room_for_codes(vectors.values.shape, bins)
        compiled.bin_rows(vectors.values, vectors.inlier, vectors.low, vectors.high, bins, codes)
        vectors.codes[bins] = codes
    result = np.empty(len(first))
    rows, columns = np.empty((len(first), bins), dtype=np.int64), np.empty((len(first), bins), dtype=np.int64)
    known = vectors.values, vectors.inlier, vectors.low, vectors.high, *vectors.outliers, vectors.codes[bins]
    compiled.histogram(*known, first, second, bins, entropy, result, rows, columns)
    return Histograms(result, rows, columns, rows.sum(axis=1))


def _adapted_compiled(compiled: ModuleType, vectors: Vectors, first: Indices, second: Indices, entropy: Array) -> Histograms:
    """The histograms with bins by the rule of Freedman and Diaconis."""
    most, dimensions = MOST_FREEDMAN_DIACONIS_BINS, vectors.values.shape[1]
    result = np.empty(len(first))
    rows, columns = np.empty((len(first), most), dtype=np.int64), np.empty((len(first), most), dtype=np.int64)
    known = vectors.values, vectors.inlier, vectors.untied_and_order[1]
    compiled.adapted_histogram(*known, first, second, most, _roots(dimensions), entropy, result, rows, columns)
    return Histograms(result, rows, columns, rows.sum(axis=1))


@lru_cache(maxsize=4)
def _roots(most: int) -> Array:
    """n^(-1/3) for n = 0 .. most, the first without meaning."""
    return np.array([float(max(n, 1)) ** (-1 / 3) for n in range(most + 1)])


def separate_pairs(x: npt.NDArray[Any], y: npt.NDArray[Any], trim: float | None, bins: Bins) -> tuple[Array, Mask]:
    """The same for pairs of vectors x, y (P, D) that meet in no other pair, each worked out while it is in the processor's cache.

    Returns
    -------
    Plug-in estimates (P,), NaN where fewer than two dimensions are kept; and (P,) where they were worked out: not where a vector does
    not vary, is not finite, is so large or small that its unit must be changed (`prepare`), or has a value so near to the limit of
    trimming that rounding decides; and nowhere where nothing is compiled.
    """
    result, usual = np.empty(len(x)), np.zeros(len(x), dtype=bool)
    compiled = kernels("mutual_information")
    if compiled is None or not isinstance(bins, int) or x.shape[1] == 0:
        return result, usual
    # Of one kind, a read-only array included: the code is compiled for each kind of array.
    sides = (np.require(side, np.float64, ["C_CONTIGUOUS", "WRITEABLE"]) for side in (x, y))
    codes = _room_for_codes((2, x.shape[1]), bins)
    compiled.separate_pairs(*sides, np.inf if trim is None else float(trim), bins, _entropy_table(x.shape[1]), *codes, result, usual)
    return result, usual


def _room_for_codes(shape: tuple[int, ...], bins: int) -> Codes:
    """Of the compiled code, which counts what is in no bin as one bin more."""
    return np.empty(shape, dtype=np.uint8 if bins < 255 else np.uint16)


@lru_cache(maxsize=4)
def _entropy_table(most: int) -> Array:
    """c ln c for c = 0 .. most."""
    whole = np.arange(most + 1, dtype=np.float64)
    return np.asarray(special.xlogy(whole, whole))


def _from_cells(cells: Counts, entropy: Array) -> Histograms:
    """From the counts (P, B, B); einsum sums along so short an axis in a third of the time that `sum` takes."""
    rows, columns = np.einsum("pij->pi", cells), np.einsum("pij->pj", cells)
    total = np.einsum("pi->p", rows)
    present = np.where(total > 0, total, np.nan)
    balance = entropy.take(cells).reshape(len(cells), -1).sum(axis=1) - entropy.take(rows).sum(axis=1) - entropy.take(columns).sum(axis=1)
    return Histograms(np.maximum(balance / present + np.log(present), 0.0), rows, columns, total)


def bin_codes(values: Array, low: Array, high: Array, bins: npt.NDArray[np.integer], kind: npt.DTypeLike) -> Codes:
    """Bin of each value, as numpy.histogram2d places it: edges low + k step, closed to the left, the last bin closed on both sides.

    Parameters
    ----------
    values : (R, D)
    low, high, bins : (R,) range and number of bins of each row. A row without a range goes to bin 0.
    kind : integer type of the result, wide enough for the bins.
    """
    start, stop = low[:, None], high[:, None]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        step = (stop - start) / bins[:, None]
        ranged = np.isfinite(step) & (step > 0)
        start, step = np.where(ranged, start, 0.0), np.where(ranged, step, 1.0)
        doubt = ROUNDING * (1 + np.where(ranged, np.abs(start) + np.abs(stop), 0.0) / step + bins[:, None])
        # Zero where the inverse would be infinite: everything is in doubt there.
        inverse = np.where(step > SMALLEST_STEP, 1 / step, 0.0)
        # In place wherever it can be: a new array costs more than what is worked out in it.
        quotient = values * inverse
        quotient -= start * inverse + 0.5
        whole = np.rint(quotient)
        quotient -= whole
        np.abs(quotient, out=quotient)
        # Where rounding could have moved a quotient into the next bin, the edges themselves decide, as in numpy. One limit for
        # all rows, and no number a row: against a column numpy works several times as long.
        doubtful = np.flatnonzero(~(quotient < 0.5 - doubt.max(initial=0.0)))
    codes = np.clip(whole, 0.0, bins.max(initial=1) - 1.0, out=whole).astype(kind)
    rows = doubtful // max(values.shape[1], 1)
    top, origin, width = bins[rows] - 1, start[rows, 0], step[rows, 0]
    value, code = values.reshape(-1)[doubtful], np.minimum(codes.reshape(-1)[doubtful], top)
    while (move := (code < top) & (value >= (code + 1) * width + origin)).any():
        code = code + move
    while (move := (code > 0) & (value < code * width + origin)).any():
        code = code - move
    codes.reshape(-1)[doubtful] = code
    codes[~ranged[:, 0]] = 0
    return codes


def freedman_diaconis(values: Array, kept: Mask) -> npt.NDArray[np.int64]:
    """Number of bins of each row's kept values: range / (2 IQR n^(-1/3)) rounded up, from 1 to 128; 1 where the IQR is zero.

    Freedman & Diaconis (1981), Zeitschrift für Wahrscheinlichkeitstheorie 57, 453-476; as numpy's ``bins="fd"``.
    """
    bins = np.ones(len(values), dtype=np.int64)
    for index, (row, keep) in enumerate(zip(values, kept, strict=True)):
        ascending = np.sort(row[keep])
        if ascending.size:
            width = 2 * (_quantile(ascending, 0.75) - _quantile(ascending, 0.25)) * ascending.size ** (-1 / 3)
            if width > 0:
                bins[index] = np.clip(np.ceil((ascending[-1] - ascending[0]) / width), 1, MOST_FREEDMAN_DIACONIS_BINS)
    return bins


def _quantile(ascending: Array, share: float) -> float:
    """As `numpy.quantile` to the last digit, which takes ten times as long for a vector of this size."""
    place = share * (len(ascending) - 1)
    index = int(place)
    low, high = float(ascending[index]), float(ascending[min(index + 1, len(ascending) - 1)])
    beyond = place - index
    return low + (high - low) * beyond if beyond < 0.5 else high - (high - low) * (1 - beyond)


def _count_joint(vectors: Vectors, first: Indices, second: Indices, bins: Bins) -> Counts:
    """Counts (P, B, B): what either side does not keep is counted in a bin beyond the last one, which is then emptied."""
    if isinstance(bins, int):
        side = bins + 1
        codes = _codes_of_pairs(vectors, np.concatenate([first, second]), np.concatenate([second, first]), bins)
        left, right = codes[: len(first)], codes[len(first) :]
    else:
        (left, left_bins), (right, right_bins) = _adapted_codes(vectors, first, second), _adapted_codes(vectors, second, first)
        side = int(max(left_bins.max(initial=1), right_bins.max(initial=1))) + 1
        left[~vectors.inlier[first]] = side - 1
        right[~vectors.inlier[second]] = side - 1
    left *= np.array(side, dtype=left.dtype)
    left += right
    cells = np.add(left, np.arange(len(first))[:, None] * side**2, dtype=np.intp)
    counts = np.bincount(cells.reshape(-1), minlength=len(first) * side**2).reshape(len(first), side, side)
    counts[:, -1, :] = 0
    counts[:, :, -1] = 0
    return counts


def _adapted_codes(vectors: Vectors, side: Indices, other: Indices) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Bins of one side of the pairs, and how many, by the rule of Freedman and Diaconis."""
    values, kept = vectors.values[side], vectors.kept(side, other)
    counts = freedman_diaconis(values, kept)
    return bin_codes(values, *masked_range(values, kept), counts, np.uint16), counts


def _codes_of_pairs(vectors: Vectors, side: Indices, other: Indices, bins: int) -> Codes:
    """Bins of one side of the pairs, outliers in one bin more; binned afresh where the other side's outliers take an extreme."""
    kind = np.min_scalar_type((bins + 1) ** 2 - 1)
    if bins not in vectors.codes:
        own = bin_codes(vectors.values, vectors.low, vectors.high, np.full(len(vectors.low), bins), kind)
        starts, places = vectors.outliers
        own[np.repeat(np.arange(len(own)), np.diff(starts)), places] = bins
        vectors.codes[bins] = own
    codes: Codes = vectors.codes[bins][side]
    # Few pairs are binned afresh, and of those many alike: occurrences of a word have their outliers in the same dimensions.
    indices, places = vectors.outliers_of(other)
    rows = side[indices]
    value = vectors.values[rows, places]
    lost = vectors.inlier[rows, places] & ((value == vectors.low[rows]) | (value == vectors.high[rows]))
    afresh = np.unique(indices[lost])
    if afresh.size:
        side, other = side[afresh], other[afresh]
        width = vectors.values.shape[1]
        left_out = [pair * width + place for pair, place in (vectors.outliers_of(side), vectors.outliers_of(other))]
        low, high = range_without(vectors.values[side], np.concatenate(left_out))
        distinct, place_of = _distinct(side, low, high)
        fresh = bin_codes(vectors.values[side[distinct]], low[distinct], high[distinct], np.full(len(distinct), bins), kind)
        pair, place = vectors.outliers_of(side[distinct])
        fresh[pair, place] = bins
        codes[afresh] = fresh[place_of]
    return codes


def _distinct(*keys: npt.NDArray[Any]) -> tuple[Indices, Indices]:
    """Which places (K,) hold different keys, and for each place (N,) where its own key is among those.

    A quarter of what `numpy.unique` takes over the rows of a matrix.
    """
    order = np.lexsort(keys)
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = np.logical_or.reduce([key[order[1:]] != key[order[:-1]] for key in keys])
    place_of = np.empty(len(order), dtype=np.intp)
    place_of[order] = np.cumsum(begins) - 1
    return order[begins], place_of
