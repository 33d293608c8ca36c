"""Plug-in mutual information from a joint histogram, with numpy.histogram2d's rule for edges."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from analyses.mutual_information.acceleration import kernels
from analyses.mutual_information.trimming import Array, Indices, Mask, Vectors, masked_range

Counts = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int16]
Bins = int | str

# The Freedman-Diaconis rule asks for ever more bins as tails grow heavier; joint cells beyond this many a side are all but empty.
MOST_FREEDMAN_DIACONIS_BINS = 128


@dataclass(frozen=True)
class JointCounts:
    """Joint histograms of P pairs: cells (P, B, B), and their sums rows (P, B), columns (P, B), total (P,)."""

    cells: Counts
    rows: Counts
    columns: Counts
    total: Counts


def joint_counts(vectors: Vectors, first: Indices, second: Indices, bins: Bins) -> JointCounts:
    """Joint histogram of each pair over the range of its own kept values.

    Parameters
    ----------
    first, second : (P,) indices into `vectors`.
    bins : equal-width bins for each vector, or "fd" for Freedman & Diaconis (1981) per vector of a pair, at most 128.
    """
    compiled = kernels()
    if compiled is not None and isinstance(bins, int):
        cells = np.zeros((len(first), bins, bins), dtype=np.int64)
        low, high = vectors.extremes
        compiled.count_joint(vectors.values, vectors.inlier, low, high, codes_of(vectors, bins), first, second, cells)
    else:
        cells = _count_joint(vectors, first, second, bins)
    rows = cells.sum(axis=2)
    return JointCounts(cells, rows, cells.sum(axis=1), rows.sum(axis=1))


def plug_in(counts: JointCounts) -> Array:
    """Plug-in mutual information in nats, sum p ln(p / (p_row p_column)), (P,); NaN for an empty histogram.

    Cover & Thomas, Elements of Information Theory (2nd ed. 2006), section 2.3.
    """
    # In counts: (sum c ln c - sum r ln r - sum k ln k) / n + ln n; the logarithms come from a table of whole numbers.
    whole = np.arange(int(counts.total.max(initial=0)) + 1, dtype=np.float64)
    table = special.xlogy(whole, whole)
    total = np.where(counts.total > 0, counts.total, np.nan)
    balance = table[counts.cells].sum(axis=(1, 2)) - table[counts.rows].sum(axis=1) - table[counts.columns].sum(axis=1)
    return np.maximum(balance / total + np.log(total), 0.0)


def codes_of(vectors: Vectors, bins: int) -> Codes:
    """(V, D) bin of every value over the range of its vector's own inliers; outliers get some bin, for no pair keeps them."""
    if bins not in vectors.codes:
        low, high = vectors.extremes
        vectors.codes[bins] = bin_codes(vectors.values, low, high, np.full(len(low), bins))
    return vectors.codes[bins]


def bin_codes(values: Array, low: Array, high: Array, bins: npt.NDArray[np.integer]) -> Codes:
    """Bin of each value, as numpy.histogram2d places it: edges low + k step, closed to the left, the last bin closed on both sides.

    Parameters
    ----------
    values : (R, D)
    low, high, bins : (R,) range and number of bins of each row. A row without a range goes to bin 0.
    """
    last = bins[:, None] - 1
    start, stop = low[:, None], high[:, None]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        step = (stop - start) / bins[:, None]
        codes = np.nan_to_num((values - start) / step, nan=0.0, posinf=0.0, neginf=0.0)
    codes = np.clip(codes, 0, last).astype(np.int16)
    ranged = np.isfinite(step) & (step > 0)
    step = np.where(ranged, step, 0.0)
    while True:  # the quotient may be off by rounding: compare with the edges themselves, as numpy does
        up = ranged & (codes < last) & (values >= (codes + 1) * step + start)
        down = ranged & (codes > 0) & (values < codes * step + start)
        if not (up.any() or down.any()):
            return np.where(ranged, codes, np.int16(0))
        codes = codes + up - down


def freedman_diaconis(values: Array, kept: Mask) -> npt.NDArray[np.int64]:
    """Number of bins of each row's kept values: range / (2 IQR n^(-1/3)) rounded up, from 1 to 128; 1 where the IQR is zero.

    Freedman & Diaconis (1981), Zeitschrift für Wahrscheinlichkeitstheorie 57, 453-476; as numpy's ``bins="fd"``.
    """
    bins = np.ones(len(values), dtype=np.int64)
    for index, (row, keep) in enumerate(zip(values, kept, strict=True)):
        sample = row[keep]
        if sample.size:
            quarter, three_quarters = np.percentile(sample, [25, 75])
            width = 2 * (three_quarters - quarter) * sample.size ** (-1 / 3)
            if width > 0:
                bins[index] = np.clip(np.ceil(np.ptp(sample) / width), 1, MOST_FREEDMAN_DIACONIS_BINS)
    return bins


def _count_joint(vectors: Vectors, first: Indices, second: Indices, bins: Bins) -> Counts:
    kept = vectors.kept(first, second)
    left, left_bins = _pair_codes(vectors, first, kept, bins)
    right, right_bins = _pair_codes(vectors, second, kept, bins)
    side = int(max(left_bins.max(initial=1), right_bins.max(initial=1)))
    cell = (np.arange(len(first))[:, None] * side + left) * side + right
    return np.bincount(cell[kept], minlength=len(first) * side * side).reshape(len(first), side, side)


def _pair_codes(vectors: Vectors, side: Indices, kept: Mask, bins: Bins) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Bins of one side of the pairs; binned afresh only where the other side's outliers took an extreme of the range."""
    values = vectors.values[side]
    low, high = masked_range(values, kept)
    if not isinstance(bins, int):
        counts = freedman_diaconis(values, kept)
        return bin_codes(values, low, high, counts), counts
    counts = np.full(len(side), bins)
    codes = codes_of(vectors, bins)[side]
    own_low, own_high = vectors.extremes
    afresh = (low != own_low[side]) | (high != own_high[side])
    if afresh.any():
        codes[afresh] = bin_codes(values[afresh], low[afresh], high[afresh], counts[afresh])
    return codes, counts
