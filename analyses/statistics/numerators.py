"""Kendall's tau counted: pairs of values in the same order on both sides, minus pairs in opposite orders.

Rows are sorted once. What is asked of them afterwards - tau against distances, against distances that relabelling hands round, without
some of the values - takes N log N steps for N values, and not the N (N - 1) / 2 comparisons of the definition (Knight 1966, Journal of
the American Statistical Association 61, 436-439). Without numba the comparisons are made, as a matrix product of signs: the same whole
numbers. Under many relabellings comparing is worth it with numba as well: up to some hundred values by that product, up to some thousand
with the comparisons as bits, 64 of them in a word (`_summed_by_bits`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyses.acceleration import kernels
from analyses.arrays import Array
from analyses.progress import Advance, in_steps
from analyses.statistics.relabelling import Relabelling
from analyses.threads import share_out, threads

Whole = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.float32]

# Largest difference of two values, as a share of the largest in their row, that may be rounding.
SAME = 1e-13
# Elements of the largest temporary array of signs (float32: 16 MB).
CHUNK_ELEMENTS = 4_000_000
# Whole numbers up to this one are exact in float32, and so are their sums.
EXACT = 2**24
# So few comparisons are made at once: to load the compiled code would take longer, in a process that has no other use for it.
FEW = 2_000_000
# Relabellings at once: enough for one call, few enough to share out.
_RELABELLINGS = 64
# Pairs of values at once in a product of signs.
_PAIRS = 4096
# Words of bits: of the planes that are held at once (64 MB), and of what some relabellings are compared by (1.6 MB).
_PLANE_WORDS, _SIDE_WORDS = 8_000_000, 200_000
# At least so many values and relabellings at once: for each set of values all are handed round anew, and each set of relabellings
# takes the planes into the processor's cache again.
_FEWEST_VALUES, _FEWEST_RELABELLINGS = 64, 16


@dataclass(frozen=True)
class Rows:
    """Rows of values, sorted once.

    Attributes
    ----------
    ascending, order : (M, N) the values in ascending order, and the indices that put them so.
    starts_tie : (M, N) whether a value in that order is above the one before; the first one's is False.
    ranks : (M, N) of the values as they were: 1, 2, ..., equal for ties. A row with a NaN has no others.
    untied : (M,) how many of the N (N - 1) / 2 pairs of its values differ.
    """

    ascending: Array
    order: npt.NDArray[np.int32]
    starts_tie: npt.NDArray[np.bool_]
    ranks: Ranks
    untied: Whole

    def __len__(self) -> int:
        return len(self.order)


class _Places(NamedTuple):
    """Of every value (N,) of one row: how many values lie below it, how many not above it, and its own place among all."""

    start: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]
    place: npt.NDArray[np.int32]


def sort_rows(values: npt.ArrayLike) -> Rows:
    """Sort rows (M, N).

    Values are tied that differ by rounding only, by `SAME` of the largest in their row or less: two pairs of vectors with the same
    counts in other cells have the same mutual information, but its terms are added in another order.
    """
    rows = np.asarray(values, dtype=np.float64)
    order = np.argsort(rows, axis=-1, kind="stable")
    ascending = np.take_along_axis(rows, order, axis=-1)
    largest = np.abs(ascending).max(axis=-1, keepdims=True, initial=0.0, where=np.isfinite(ascending))
    with np.errstate(invalid="ignore", over="ignore"):
        step = np.diff(ascending, axis=-1, prepend=ascending[..., :1]) > SAME * largest
    ranks = np.empty(rows.shape, dtype=np.float32)
    np.put_along_axis(ranks, order, 1 + np.cumsum(step, axis=-1, dtype=np.int64).astype(np.float32), axis=-1)
    ranks[np.isnan(rows).any(axis=-1)] = np.nan
    place = np.arange(rows.shape[-1])
    # Each value is tied with those before it of the same tie.
    tied = (place - np.maximum.accumulate(np.where(step, place, 0), axis=-1)).sum(axis=-1)
    return Rows(ascending, order.astype(np.int32), step, ranks, len(place) * (len(place) - 1) // 2 - tied)


def dense_ranks(values: npt.ArrayLike) -> Ranks:
    """Ranks 1, 2, ... along the last axis, equal for ties (see `sort_rows`). A NaN makes its row NaN."""
    rows = np.asarray(values, dtype=np.float64)
    return sort_rows(rows.reshape(-1, rows.shape[-1])).ranks.reshape(rows.shape)


def numerators(side: Rows, rows: Rows) -> Whole:
    """Concordant minus discordant pairs of each row with the only row of `side`, (M,); of rows without NaN."""
    count = rows.order.shape[1]
    return relabelled_numerators(side, rows, np.arange(count, dtype=np.int32)[None])[0]


def relabelled_numerators(side: Rows, rows: Rows, relabelling: npt.NDArray[np.int32]) -> Whole:
    """The same where `relabelling` (R, N) says whose value of `side` each index gets: (R, M)."""
    compiled = _compiled(side, len(relabelling) * len(rows))
    if compiled is None:
        return _counted_by_products(side.ranks[0][relabelling], rows.ranks)
    result = np.empty((len(relabelling), len(rows)), dtype=np.int64)
    has_ties = rows.untied < rows.order.shape[1] * (rows.order.shape[1] - 1) // 2
    compiled.relabelled(rows.order, rows.starts_tie, has_ties, *_places(side), int(side.untied[0]), relabelling, result)
    return result


def under_relabelling(side: Rows, rows: Rows, relabelling: Relabelling, advance: Advance | None = None) -> Whole:
    """The same under every relabelling, (relabelling, M); `advance` is called with the relabellings finished since its last call."""
    result = np.empty((relabelling.total, len(rows)), dtype=np.int64)
    values = rows.order.shape[1]
    pairs = values * (values - 1) // 2
    compiled = _compiled(rows, relabelling.total * len(rows))
    each = np.arange(len(rows))
    of_bits, of_products = _comparing([rows], [each]), _multiplying([rows], [np.eye(len(rows), dtype=np.float32)])
    of_counting = len(rows) * _counting(rows)
    if compiled is None or of_products < min(of_bits, of_counting):
        # The product of matrices is shared out by the library that makes it.
        for part in relabelling.parts(max(1, CHUNK_ELEMENTS // min(pairs, _PAIRS))):
            result[part] = _counted_by_products(side.ranks[0][relabelling.pairs(part)], rows.ranks)
            if advance is not None:
                advance(part.stop - part.start)
        return result
    if of_bits < of_counting:
        return _summed_by_bits(compiled, side, [rows], [each], relabelling, advance)[0]

    def block(part: slice) -> None:
        result[part] = relabelled_numerators(side, rows, relabelling.pairs(part))

    _share_out(block, relabelling.parts(_RELABELLINGS), advance)
    return result


def numerators_without(distance: Array, rows: Rows, kept: npt.NDArray[np.bool_]) -> tuple[Whole, Whole, Whole] | None:
    """Numerators (K, M) of rows of which only the values kept[k] (K, N) are left, and how many pairs differ in both sides.

    The rows are not sorted again.

    Returns
    -------
    The numerators; the pairs that differ of the distances (K,), and of the rows (K, M). None where it is not to be done by compiled code.
    """
    compiled = _compiled(rows, len(kept) * len(rows))
    if compiled is None:
        return None
    places = [np.full(kept.shape, -1, dtype=np.int32) for _ in _Places._fields]
    untied = np.empty(len(kept), dtype=np.int64)
    for k, stay in enumerate(kept):
        left = sort_rows(distance[stay][None])
        untied[k] = left.untied[0]
        for array, of_left in zip(places, _places(left), strict=True):
            array[k, stay] = of_left
    result, ties = (np.empty((len(kept), len(rows)), dtype=np.int64) for _ in range(2))

    def leave_out(part: slice) -> None:
        compiled.without(rows.ascending, rows.order, SAME, *(each[part] for each in places), result[part], ties[part])

    _share_out(leave_out, _parts(len(kept), -(-len(kept) // (4 * threads()))))
    left_over = kept.sum(axis=1)
    return result, untied, (left_over * (left_over - 1) // 2)[:, None] - ties


def _compiled(rows: Rows, times: int) -> ModuleType | None:
    """The compiled kernels, where they are there and all pairs of values of a row would be compared often enough."""
    values = rows.order.shape[1]
    return kernels("statistics") if times * values * (values - 1) // 2 > FEW else None


def _counting(rows: Rows) -> float:
    """About how many processor cycles counting one row's numerator takes; only how fast the answer comes depends on it."""
    values = rows.order.shape[1]
    ties = float((rows.untied < values * (values - 1) // 2).mean()) if len(rows) else 0.0
    return values * (13 + 23 * ties)


def _places(side: Rows) -> _Places:
    order = side.order[0]
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order))
    rank = side.ranks[0].astype(np.int64) - 1
    below = np.concatenate([[0], np.cumsum(np.bincount(rank))]).astype(np.int32)
    return _Places(below[rank], below[rank + 1], place)


def _parts(total: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, total)) for start in range(0, total, max(size, 1))]


def _share_out(work: Callable[[slice], None], parts: list[slice], advance: Advance | None = None) -> None:
    def of_part(part: slice) -> int:
        work(part)
        return part.stop - part.start

    for done in share_out(of_part, parts):
        if advance is not None:
            advance(done)


# Sums over rows.


def under_relabelling_of_sums(
    side: Rows, groups: Sequence[Rows], weights: Sequence[Array], relabelling: Relabelling, advance: Advance | None = None
) -> list[Array]:
    """Weighted sums of the numerators of many rows under every relabelling.

    Parameters
    ----------
    side : a single row, whose values are handed round
    groups : G sets of rows (M, N)
    weights : of each set (K, M); rows whose weights are all zero are left out
    advance : called with the relabellings finished since its last call, of all sets together

    Returns
    -------
    G arrays (relabelling, K).
    """
    used = [np.flatnonzero((each != 0).any(axis=0)) for each in weights]
    counted = [_some(rows, some) for rows, some in zip(groups, used, strict=True)]
    # Rows with the same weights everywhere are counted together: their sum of signs is a whole number.
    classes, places = zip(*(_classes(each[:, some]) for each, some in zip(weights, used, strict=True)), strict=True)
    members, of_members = zip(*map(_members, classes, places), strict=True)
    compiled = _compiled(side, relabelling.total * sum(map(len, counted)))
    of_products, of_bits = _multiplying(counted, members), _comparing(counted, places)
    of_counting = sum(len(rows) * _counting(rows) for rows in counted)
    if compiled is None or of_products < min(of_bits, of_counting):
        sums = _summed_by_products(side.ranks[0], [rows.ranks for rows in counted], members, relabelling, advance)
        return [found @ each.T for found, each in zip(sums, of_members, strict=True)]
    if of_bits < of_counting:
        found = _summed_by_bits(compiled, side, counted, places, relabelling, advance)
        return [whole @ each.T for whole, each in zip(found, classes, strict=True)]
    finished = in_steps(advance, relabelling.total, relabelling.total * len(groups))
    return [
        _summed_by_counting(side, rows, each[:, some], relabelling, finished)
        for rows, some, each in zip(counted, used, weights, strict=True)
    ]


def _classes(weights: Array) -> tuple[Array, npt.NDArray[np.intp]]:
    """The different columns (K, C) of weights (K, M), and which of them each row has (M,)."""
    classes, place = np.unique(weights, axis=1, return_inverse=True)
    return classes, np.ravel(place)


def _members(classes: Array, place: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.floating], Array]:
    """Sums (C, M) to be taken of rows by a product, and what (K, C) makes the weighted sums (K, M) of them.

    Those of the classes, whose products are exact in float32. Where there would be too many such sums they are the weighted ones
    themselves, in float64.
    """
    if classes.shape[1] > 2 * len(classes):
        return classes[:, place], np.eye(len(classes))
    return (np.arange(classes.shape[1])[:, None] == place).astype(np.float32), classes


def _some(rows: Rows, chosen: npt.NDArray[np.intp]) -> Rows:
    return Rows(*(getattr(rows, name)[chosen] for name in Rows.__dataclass_fields__))


def _summed_by_counting(side: Rows, rows: Rows, weights: Array, relabelling: Relabelling, advance: Advance) -> Array:
    result = np.empty((relabelling.total, len(weights)))

    def block(part: slice) -> None:
        result[part] = relabelled_numerators(side, rows, relabelling.pairs(part)) @ weights.T

    _share_out(block, relabelling.parts(_RELABELLINGS), advance)
    return result


# What each way takes, in processor cycles a relabelling, about; only how fast the answer comes depends on it.


def _multiplying(groups: Sequence[Rows], members: Sequence[npt.NDArray[np.floating]]) -> float:
    values = groups[0].order.shape[1]
    # 4 bytes a sum in float32, 8 in float64.
    width = sum(len(each) * each.itemsize for each in members)
    return values * (values - 1) / 2 * (1.5 + width / 64)


def _comparing(groups: Sequence[Rows], places: Sequence[npt.NDArray[np.intp]]) -> float:
    values = groups[0].order.shape[1]
    planes = sum(_Planes.of(rows, place).number for rows, place in zip(groups, places, strict=True))
    again = -(-values // _values_together(values, planes))
    return values * (100 * again + 0.75 * planes * (values / 512 + 0.5))


# Counting by bits.


class _Planes(NamedTuple):
    """The bits of classes of rows: `order` (M,) puts the rows of a class side by side, each beginning at starts[c] (C + 1,).

    Of each class the `lowest` (C,) bit that is needed, and where its planes begin, first[c] (C + 1,); sizes (C,) are the numbers of rows.
    """

    order: npt.NDArray[np.intp]
    starts: Whole
    lowest: Whole
    first: Whole

    @classmethod
    def of(cls, rows: Rows, place: npt.NDArray[np.intp]) -> "_Planes":
        """Of rows and the class that each belongs to, (M,)."""
        values = rows.order.shape[1]
        sizes = np.bincount(place)
        tied = np.bincount(place, weights=rows.untied < values * (values - 1) // 2) > 0
        # Twice the rows of a class is the largest number; it is even where nothing is tied.
        lowest = np.where(tied, 0, 1)
        bits = np.array([int(2 * size).bit_length() for size in sizes], dtype=np.int64) - lowest
        order = np.argsort(place, kind="stable")
        return cls(order, _running(sizes), lowest.astype(np.int64), _running(bits))

    @property
    def number(self) -> int:
        return int(self.first[-1])

    def some(self, begin: int, end: int) -> "_Planes":
        """Those of some classes."""
        order = self.order[self.starts[begin] : self.starts[end]]
        starts, first = self.starts[begin : end + 1], self.first[begin : end + 1]
        return _Planes(order, starts - starts[0], self.lowest[begin:end], first - first[0])


def _running(counts: npt.NDArray[np.integer]) -> Whole:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _values_together(values: int, planes: int) -> int:
    """How many values' planes are made at once."""
    words = _words(values)
    most = min(_PLANE_WORDS // (words * max(planes, 1)), _SIDE_WORDS // (2 * words * _FEWEST_RELABELLINGS))
    return min(values, max(_FEWEST_VALUES, most))


def _words(values: int) -> int:
    """Words of 64 bits, in whole groups of four, for one bit a value."""
    return -(-values // 256) * 4


def _summed_by_bits(
    compiled: ModuleType,
    side: Rows,
    groups: Sequence[Rows],
    places: Sequence[npt.NDArray[np.intp]],
    relabelling: Relabelling,
    advance: Advance | None,
) -> list[Whole]:
    """Of every group the numerators summed over its classes of rows, (relabelling, class).

    For each pair of values the number of rows in which the first is above the second, as bits; then of each relabelling for how many
    pairs a bit is set among those that it has in the same order: 64 pairs at once, with one count of the bits that are set.

    places : of each group which class each row belongs to, (M,).
    """
    bounds = _running(np.array([int(place.max(initial=-1)) + 1 for place in places]))
    ranks = np.concatenate([rows.ranks for rows in groups])
    every = _Planes.of(
        Rows(*(np.concatenate([getattr(rows, name) for rows in groups]) for name in Rows.__dataclass_fields__)),
        np.concatenate([place + start for place, start in zip(places, bounds[:-1], strict=True)]),
    )
    values = ranks.shape[1]
    most = max(1, _PLANE_WORDS // (_FEWEST_VALUES * _words(values)))
    batches = _in_batches(every.first, most)
    finished = in_steps(advance, relabelling.total, (relabelling.total + _making(relabelling)) * values * len(batches))
    found = [_batch_by_bits(compiled, side, ranks, every.some(begin, end), relabelling, finished) for begin, end in batches]
    sums = np.concatenate(found, axis=1)
    return [sums[:, begin:end] for begin, end in pairwise(bounds)]


def _making(relabelling: Relabelling) -> int:
    """What making the planes counts for beside as many relabellings; only how the progress moves depends on it."""
    return relabelling.total // 10


def _in_batches(first: Whole, most: int) -> list[tuple[int, int]]:
    """Classes from begin to end that have at most so many planes, or are a single one."""
    batches, begin = [], 0
    for end in range(1, len(first)):
        if end == len(first) - 1 or first[end + 1] - first[begin] > most:
            batches.append((begin, end))
            begin = end
    return batches


def _batch_by_bits(compiled: ModuleType, side: Rows, ranks: Ranks, planes: _Planes, relabelling: Relabelling, finished: Advance) -> Whole:
    values, words, classes = ranks.shape[1], _words(ranks.shape[1]), len(planes.lowest)
    sizes = np.diff(planes.starts)
    sums = np.zeros((relabelling.total, classes), dtype=np.int64)
    whole, ends, place = np.zeros(classes, dtype=np.int64), *_places(side)[1:]
    block = _values_together(values, planes.number)
    # Whole vectors of the processor: what is left over would be counted plane by plane.
    wide = -(-planes.number // 8) * 8
    bits = np.zeros((block, words, wide), dtype=np.uint64)
    shift = planes.lowest.repeat(np.diff(planes.first)) + np.arange(planes.number) - planes.first[:-1].repeat(np.diff(planes.first))
    together = max(1, min(256, _SIDE_WORDS // (2 * block * words)))
    in_order = ranks[planes.order]
    # Half of what whole numbers take elsewhere: it is kept from one set of values to the next.
    handed = np.empty((relabelling.total, values), dtype=np.int16 if values <= np.iinfo(np.int16).max else np.int32)
    for part in relabelling.parts(_RELABELLINGS):
        handed[part] = relabelling.pairs(part)

    def make(part: slice) -> Whole:
        of_part = np.zeros(classes, dtype=np.int64)
        known = in_order, planes.starts, planes.lowest, planes.first
        compiled.bit_planes(*known, begin + part.start, begin + part.stop, bits[part], of_part)
        return of_part

    def compare(part: slice) -> int:
        many = len(handed[part])
        below, equal = (np.empty((end - begin, many, words), dtype=np.uint64) for _ in range(2))
        compiled.lie_below(ends, place, handed[part], begin, below, equal)
        once, common = (np.zeros((many, wide), dtype=np.int64) for _ in range(2))
        pairs = np.zeros(many, dtype=np.int64)
        compiled.count_planes(begin, below, equal, bits, once, common, pairs)
        # Of the sign of a relabelled pair, and of a class's sum of signs, one is taken off that was added to have no number below zero.
        sums[part] += np.add.reduceat(common[:, : planes.number] << shift, planes.first[:-1], axis=1) - pairs[:, None] * sizes
        return many * (end - begin)

    for begin in range(0, values, block):
        end = min(begin + block, values)
        parts = _parts(end - begin, -(-(end - begin) // (4 * threads())))
        for of_part in share_out(make, parts):
            whole += of_part
            finished((end - begin) * _making(relabelling) // len(parts))
        finished((end - begin) * _making(relabelling) % len(parts))
        for done in share_out(compare, relabelling.parts(together)):
            finished(done)
    sums += sizes * (values * (values - 1) // 2) - whole
    return sums


# Products of signs.


def _summed_by_products(
    side: Ranks,
    ranks: Sequence[Ranks],
    members: Sequence[npt.NDArray[np.floating]],
    relabelling: Relabelling,
    advance: Advance | None,
) -> list[Array]:
    """Of every group the numerators of its sums, (relabelling, sum)."""
    handed = _handed_round(side, relabelling)
    # Those in float32 and those in float64 are multiplied apart.
    kinds = [[place for place, each in enumerate(members) if each.dtype == kind] for kind in (np.float32, np.float64)]
    ends = [np.cumsum([0, *(len(members[place]) for place in places)]) for places in kinds]
    sums = [np.zeros((relabelling.total, bounds[-1])) for bounds in ends]
    most = int(max((each.sum(axis=1).max(initial=0) for each in members if each.dtype == np.float32), default=0))
    finished = in_steps(advance, relabelling.total, relabelling.total * (len(side) * (len(side) - 1) // 2))
    for begin, end, pairs in _pair_blocks(len(side), min(_PAIRS, EXACT // max(most, 1))):
        combined = [[members[place] @ signs(ranks[place], begin, end, pairs) for place in places] for places in kinds]
        for part in _parts(relabelling.total, max(1, CHUNK_ELEMENTS // pairs)):
            of_side = signs(handed[part], begin, end, pairs)
            for result, of_groups in zip(sums, combined, strict=True):
                if of_groups:
                    result[part] += of_side @ np.concatenate(of_groups).T
            finished(pairs * (part.stop - part.start))
    found: dict[int, Array] = {}
    for places, bounds, of_kind in zip(kinds, ends, sums, strict=True):
        found |= {place: of_kind[:, bounds[index] : bounds[index + 1]] for index, place in enumerate(places)}
    return [found[place] for place in range(len(members))]


def _handed_round(side: Ranks, relabelling: Relabelling) -> Ranks:
    """The ranks (N,) under every relabelling, (relabelling, N)."""
    return np.concatenate([side[relabelling.pairs(part)] for part in relabelling.parts(_RELABELLINGS)])


def _counted_by_products(side: Ranks, ranks: Ranks) -> Whole:
    """Numerators (R, M) of ranks (R, N) and (M, N), by comparing all pairs of values."""
    result = np.zeros((len(side), len(ranks)))
    for begin, end, pairs in _pair_blocks(side.shape[1], _PAIRS):
        size = max(1, CHUNK_ELEMENTS // pairs)
        for part in _parts(len(side), size):
            of_side = signs(side[part], begin, end, pairs)
            for some in _parts(len(ranks), size):
                result[part, some] += of_side @ signs(ranks[some], begin, end, pairs).T
    return np.nan_to_num(result).astype(np.int64)


def _pair_blocks(count: int, most: int) -> Iterator[tuple[int, int, int]]:
    """First indices from begin to end whose pairs with later indices are about `most` at the most, and how many there are."""
    begin = 0
    while begin < count - 1:
        end, pairs = begin + 1, count - begin - 1
        while end < count - 1 and pairs + count - end - 1 <= most:
            pairs += count - end - 1
            end += 1
        yield begin, end, pairs
        begin = end


def signs(ranks: Ranks, begin: int, end: int, pairs: int) -> npt.NDArray[np.float32]:
    """Signs of the differences of all pairs of ranks (M, N) whose first index is from `begin` to `end`: (M, pairs)."""
    result = np.empty((len(ranks), pairs), dtype=np.float32)
    compiled = kernels("statistics") if len(ranks) * pairs > FEW else None
    if compiled is not None:

        def block(part: slice) -> None:
            compiled.signs(ranks[part], begin, end, result[part])

        _share_out(block, _parts(len(ranks), -(-len(ranks) // threads())))
        return result
    place = 0
    for first in range(begin, end):
        later = ranks.shape[1] - first - 1
        np.subtract(ranks[:, first, None], ranks[:, first + 1 :], out=result[:, place : place + later])
        place += later
    return np.sign(result, out=result)
