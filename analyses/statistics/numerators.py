"""Kendall's tau counted: pairs of values in the same order on both sides, minus pairs in opposite orders.

Rows are sorted once. What is asked of them afterwards - tau against distances, against distances that relabelling hands round, without
some of the values - takes N log N steps for N values, and not the N (N - 1) / 2 comparisons of the definition (Knight 1966, Journal of
the American Statistical Association 61, 436-439). Without numba the comparisons are made, as a matrix product of signs: the same whole
numbers. For sums over many rows that product is worth it with numba as well, up to some thousand values.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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
# So few sums are added up without a product of matrices, so many of their terms at once (256 kB, which stay in the processor's cache).
_FEW_SUMS = 16
_FEW_ELEMENTS = 32_768


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
    by_products = _compiled(rows, relabelling.total * len(rows)) is None or pairs * (1 / 16 + 1.5 / max(len(rows), 1)) < _counting(rows)
    if by_products:
        # The product of matrices is shared out by the library that makes it.
        for part in relabelling.parts(max(1, CHUNK_ELEMENTS // min(pairs, _PAIRS))):
            result[part] = _counted_by_products(side.ranks[0][relabelling.pairs(part)], rows.ranks)
            if advance is not None:
                advance(part.stop - part.start)
        return result

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
    members, of_members = zip(*(_in_classes(each[:, some]) for each, some in zip(weights, used, strict=True)), strict=True)
    counted = [_some(rows, some) for rows, some in zip(groups, used, strict=True)]
    if _products_are_cheaper(side, relabelling.total, counted, members):
        ranks = [rows.ranks for rows in counted]
        compiled = _compiled(side, relabelling.total * sum(map(len, counted)))
        if compiled is not None and 0 < sum(map(len, members)) <= _FEW_SUMS:
            sums = _few_summed(compiled, side.ranks[0], ranks, members, relabelling, advance)
        else:
            sums = _summed_by_products(side.ranks[0], ranks, members, relabelling, advance)
        return [found @ each.T for found, each in zip(sums, of_members, strict=True)]
    finished = in_steps(advance, relabelling.total, relabelling.total * len(groups))
    return [
        _summed_by_counting(side, rows, each[:, some], relabelling, finished)
        for rows, some, each in zip(counted, used, weights, strict=True)
    ]


def _in_classes(weights: Array) -> tuple[npt.NDArray[np.floating], Array]:
    """Sums (C, M) to be taken of rows, and what (K, C) makes the weighted sums (K, M) of them.

    Rows with the same weights everywhere are counted together: their sum of signs is a whole number, so that products of it are exact
    in float32. Where there would be too many such sums they are the weighted ones themselves, in float64.
    """
    classes, place = np.unique(weights, axis=1, return_inverse=True)
    if classes.shape[1] > 2 * len(weights):
        return weights, np.eye(len(weights))
    return (np.arange(classes.shape[1])[:, None] == np.ravel(place)).astype(np.float32), classes


def _some(rows: Rows, chosen: npt.NDArray[np.intp]) -> Rows:
    return Rows(*(getattr(rows, name)[chosen] for name in Rows.__dataclass_fields__))


def _summed_by_counting(side: Rows, rows: Rows, weights: Array, relabelling: Relabelling, advance: Advance) -> Array:
    result = np.empty((relabelling.total, len(weights)))

    def block(part: slice) -> None:
        result[part] = relabelled_numerators(side, rows, relabelling.pairs(part)) @ weights.T

    _share_out(block, relabelling.parts(_RELABELLINGS), advance)
    return result


def _products_are_cheaper(side: Rows, relabellings: int, groups: Sequence[Rows], members: Sequence[npt.NDArray[np.floating]]) -> bool:
    """Whether a product of signs for the sums takes less than counting in each row; in processor cycles a relabelling, about."""
    if _compiled(side, relabellings * sum(map(len, groups))) is None:
        return True
    values, sums = side.order.shape[1], sum(map(len, members))
    # 4 bytes a sum in float32, 8 in float64.
    width = sum(len(each) * each.itemsize for each in members)
    a_pair = 0.7 + 0.3 * sums if sums <= _FEW_SUMS else 1.5 + width / 64
    return values * (values - 1) / 2 * a_pair < sum(len(rows) * _counting(rows) for rows in groups)


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


def _few_summed(
    compiled: ModuleType,
    side: Ranks,
    ranks: Sequence[Ranks],
    members: Sequence[npt.NDArray[np.floating]],
    relabelling: Relabelling,
    advance: Advance | None,
) -> list[Array]:
    """The same for few sums, of which the signs of a relabelling are never kept: a product of matrices would wait for memory."""
    handed = _handed_round(side, relabelling)
    exact = [each.astype(np.float64) for each in members]
    bounds = np.cumsum([0, *map(len, exact)])
    sums, values = np.zeros((relabelling.total, bounds[-1])), handed.shape[1]
    finished = in_steps(advance, relabelling.total, relabelling.total * (values * (values - 1) // 2))
    parts = _parts(relabelling.total, -(-relabelling.total // (4 * threads())))
    for begin, end, pairs in _pair_blocks(values, max(1, _FEW_ELEMENTS // bounds[-1])):
        combined = np.concatenate([some @ signs(rows, begin, end, pairs) for some, rows in zip(exact, ranks, strict=True)])
        _share_out(partial(_add_signed, compiled, handed, begin, end, combined, sums), parts, partial(_times, finished, pairs))
    return [sums[:, start:stop] for start, stop in pairwise(bounds)]


def _add_signed(compiled: ModuleType, handed: Ranks, begin: int, end: int, combined: Array, sums: Array, part: slice) -> None:
    compiled.signed_sums(handed[part], begin, end, combined, sums[part])


def _times(finished: Advance, pairs: int, relabellings: int) -> None:
    finished(pairs * relabellings)


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
