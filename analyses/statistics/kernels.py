"""The inner loops of Kendall's tau, compiled by numba and cached on disk; `numerators` has their NumPy twins.

Rows come sorted; what is counted for each of their values is how many of those before it lie lower, and how many higher, on the other
side (Knight 1966, Journal of the American Statistical Association 61, 436-439). The values met so far are bits in the order of the
other side, and for every 64 of them there is a count of all that lie below: to count is to look at one word, and to add a value is to
add 1 to the words above, which a processor does sixteen at a time. A counting tree (Fenwick 1994) takes twice as long.

They hold no lock while running, so that several run at once on a thread pool.
"""

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

# Counts are kept for so many words at once: two of the processor's widest registers.
_TOGETHER = 16
# Words of bits that are compared with a plane before its count is written back.
WORDS = 4
# Planes that are compared with one relabelling after the other: their words stay in the processor's nearest cache.
PLANES = 256


@intrinsic
def _bits_set(typingctx, word):  # type: ignore[no-untyped-def]
    """How many bits of a word are 1."""
    del typingctx, word

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        del context, signature
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@numba.njit(cache=True, nogil=True)
def _lower(bits, below, place):  # type: ignore[no-untyped-def]
    """How many of the values met so far have a lower place."""
    word = place >> 6
    return np.int64(below[word]) + np.int64(_bits_set(bits[word] & ((np.uint64(1) << np.uint64(place & 63)) - np.uint64(1))))


@numba.njit(cache=True, nogil=True)
def _meet(bits, below, place):  # type: ignore[no-untyped-def]
    word = np.int32(place >> 6)
    bits[word] |= np.uint64(1) << np.uint64(place & 63)
    for other in range(below.size):
        below[other] += np.int32(np.int32(other) > word)


@numba.njit(cache=True, nogil=True)
def _room(count):  # type: ignore[no-untyped-def]
    words = (count >> 6) + 1
    return (words + _TOGETHER - 1) // _TOGETHER * _TOGETHER


@numba.njit(cache=True, nogil=True)
def _concordant_minus_discordant(order, starts_tie, start, end, place, bits, below):  # type: ignore[no-untyped-def]
    """Tau's numerator of one sorted row, where either side may have ties.

    order : the values' indices, ascending; starts_tie : False where a value equals the one before.
    start, end, place : of every value the number of values that the other side has below it, not above it, and its own place there.
    """
    bits[:] = 0
    below[:] = 0
    count, total, here = order.size, 0, 0
    while here < count:
        there = here + 1
        while there < count and not starts_tie[there]:
            there += 1
        for index in range(here, there):
            value = order[index]
            low = _lower(bits, below, start[value])
            high = low if end[value] == start[value] + 1 else _lower(bits, below, end[value])
            total += low + high - here
        for index in range(here, there):
            _meet(bits, below, place[order[index]])
        here = there
    return total


@numba.njit(cache=True, nogil=True)
def _concordant(order, start, place, bits, below):  # type: ignore[no-untyped-def]
    """How many pairs of a sorted row without ties have the same order on the other side."""
    bits[:] = 0
    below[:] = 0
    total = 0
    for value in order:
        total += _lower(bits, below, start[value])
        _meet(bits, below, place[value])
    return total


@numba.njit(cache=True, nogil=True)
def relabelled(orders, starts_tie, has_ties, start, end, place, untied, relabelling, result):  # type: ignore[no-untyped-def]
    """Tau's numerators of rows against another side whose values are handed round.

    Parameters
    ----------
    orders, starts_tie : (M, N) each row's indices, ascending, and whether a value is above the one before
    has_ties : (M,)
    start, end, place : (N,) of the other side, as above
    untied : how many pairs of its values differ
    relabelling : (R, N) whose value each index gets
    result : (R, M), written to
    """
    count = start.size
    own_start, own_end, own_place = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    bits, below = np.empty(_room(count), np.uint64), np.empty(_room(count), np.int32)
    for r in range(relabelling.shape[0]):
        for index in range(count):
            value = relabelling[r, index]
            own_start[index], own_end[index], own_place[index] = start[value], end[value], place[value]
        for row in range(orders.shape[0]):
            if has_ties[row]:
                result[r, row] = _concordant_minus_discordant(orders[row], starts_tie[row], own_start, own_end, own_place, bits, below)
            else:
                result[r, row] = 2 * _concordant(orders[row], own_start, own_place, bits, below) - untied


@numba.njit(cache=True, nogil=True)
def without(ascending, orders, same, starts, ends, places, result, ties):  # type: ignore[no-untyped-def]
    """Tau's numerators of rows against another side, several times with some of the values left out.

    Parameters
    ----------
    ascending, orders : (M, N) the rows' values in ascending order, and their indices
    same : differences up to this share of the largest in what is left of a row are ties
    starts, ends, places : (K, N) of the other side with those values that are left, as above; places are -1 of the others
    result : (K, M), written to
    ties : (K, M) pairs of equal values in what is left of each row, written to
    """
    rows, count = orders.shape
    order, starts_tie, left = np.empty(count, np.int32), np.empty(count, np.bool_), np.empty(count, np.float64)
    bits, below = np.empty(_room(count), np.uint64), np.empty(_room(count), np.int32)
    for k in range(places.shape[0]):
        place = places[k]
        for row in range(rows):
            kept = 0
            for index in range(count):
                value = orders[row, index]
                if place[value] >= 0:
                    order[kept], left[kept] = value, ascending[row, index]
                    kept += 1
            largest = 0.0
            for index in range(kept):
                if np.isfinite(left[index]):
                    largest = max(largest, abs(left[index]))
                    break
            for index in range(kept - 1, -1, -1):
                if np.isfinite(left[index]):
                    largest = max(largest, abs(left[index]))
                    break
            limit, tied, run = same * largest, 0, 0
            for index in range(kept):
                starts_tie[index] = index == 0 or left[index] - left[index - 1] > limit
                run = 0 if starts_tie[index] else run + 1
                tied += run
            ties[k, row] = tied
            result[k, row] = _concordant_minus_discordant(order[:kept], starts_tie[:kept], starts[k], ends[k], place, bits, below)


@numba.njit(cache=True, nogil=True)
def signs(ranks, begin, end, result):  # type: ignore[no-untyped-def]
    """Signs of the differences of all pairs of ranks (M, N) whose first index is from `begin` to `end`, (M, pairs)."""
    for row in range(ranks.shape[0]):
        place = 0
        for first in range(begin, end):
            later = ranks.shape[1] - first - 1
            _signs_of_first(ranks[row], first, result[row, place : place + later])
            place += later


@numba.njit(cache=True, nogil=True)
def _signs_of_first(ranks, first, of_first):  # type: ignore[no-untyped-def]
    here, later = ranks[first], ranks[first + 1 :]
    for index in range(later.size):
        of_first[index] = np.float32(here > later[index]) - np.float32(here < later[index])


@numba.njit(cache=True, nogil=True)
def bit_planes(ranks, classes, lowest, plane_of, begin, end, planes, whole):  # type: ignore[no-untyped-def]
    """For each class of rows and each pair of values in how many of the rows the first is above the second, as bits.

    Twice that number, where a tie counts once.

    Parameters
    ----------
    ranks : (M, N) of the classes' rows, one class after the other
    classes : (C + 1,) where each class begins among them
    lowest : (C,) the lowest bit that is kept; without ties the numbers are even
    plane_of : (C + 1,) where the planes of each class begin, one for each bit
    begin, end : the pairs' first values, all values before which are their second ones
    planes : (at least end - begin, words, planes), written to: bit `second % 64` of word `second // 64`
    whole : (C,) the sum of the numbers, added to
    """
    count = np.empty(ranks.shape[1], np.int32)
    for first in range(begin, end):
        planes[first - begin] = 0
        for of_class in range(classes.size - 1):
            count[:first] = 0
            for row in range(classes[of_class], classes[of_class + 1]):
                _count_below(ranks[row], first, count)
            for second in range(first):
                whole[of_class] += count[second]
            for plane in range(plane_of[of_class], plane_of[of_class + 1]):
                shift = lowest[of_class] + plane - plane_of[of_class]
                for word in range((first + 63) >> 6):
                    bits = np.uint64(0)
                    for second in range(word << 6, min((word + 1) << 6, first)):
                        bits |= np.uint64((count[second] >> shift) & 1) << np.uint64(second & 63)
                    planes[first - begin, word, plane] = bits


@numba.njit(cache=True, nogil=True)
def _count_below(ranks, first, count):  # type: ignore[no-untyped-def]
    here = ranks[first]
    for second in range(first):
        count[second] += np.int32(here > ranks[second]) + np.int32(here >= ranks[second])


@numba.njit(cache=True, nogil=True)
def lie_below(end, place, relabelling, begin, below, equal):  # type: ignore[no-untyped-def]
    """Which values lie below each value from `begin` on, on a side whose values are handed round.

    Parameters
    ----------
    end, place : (N,) of the side, as for `relabelled`
    relabelling : (R, N) whose value each index gets
    below, equal : (values from `begin` on, R, words), written to: bits of the values before it that are lower, and of those equal to it,
        up to the last group of words that has any
    """
    many, count = relabelling.shape
    stop, words = begin + below.shape[0], below.shape[2]
    value_at, ends, met = np.empty(count, np.int32), np.empty(count, np.int32), np.zeros(words, np.uint64)
    for r in range(many):
        met[:] = 0
        for index in range(count):
            value = relabelling[r, index]
            value_at[place[value]], ends[place[value]] = index, end[value]
        # Values behind the last one asked for are nobody's second ones.
        met_so_far, here = 0, 0
        while here < count:
            there, first = ends[here], met_so_far
            for at in range(here, there):
                value_at[met_so_far] = value_at[at]
                met_so_far += value_at[at] < stop
            for at in range(first, met_so_far):
                index = value_at[at]
                if index >= begin:
                    row, last = index - begin, index >> 6
                    for word in range((last + WORDS) // WORDS * WORDS):
                        below[row, r, word] = met[word] if word < last else np.uint64(0)
                        equal[row, r, word] = 0
                    below[row, r, last] = met[last] & ((np.uint64(1) << np.uint64(index & 63)) - np.uint64(1))
                    for other in range(first, met_so_far):
                        if value_at[other] < index:
                            equal[row, r, value_at[other] >> 6] |= np.uint64(1) << np.uint64(value_at[other] & 63)
            for at in range(first, met_so_far):
                met[value_at[at] >> 6] |= np.uint64(1) << np.uint64(value_at[at] & 63)
            here = there


@numba.njit(cache=True, nogil=True)
def count_planes(begin, below, equal, planes, once, result, pairs):  # type: ignore[no-untyped-def]
    """Twice the number of bits that a relabelled side has in common with each plane; equal values count once.

    Parameters
    ----------
    begin, below, equal : as `lie_below` wrote them
    planes : as `bit_planes` wrote them
    once : (R, planes) room, all zero, and so again in the end
    result : (R, planes), added to
    pairs : (R,) twice the number of bits of the side, equal values once, added to
    """
    rows, many, words = below.shape
    flat_planes, flat_once, flat_result = planes.reshape(-1), once.reshape(-1), result.reshape(-1)
    width = np.uint64(result.shape[1])
    for row in range(rows):
        # Whole groups of words; those beyond the last are empty.
        used = ((begin + row) // 64 + WORDS) // WORDS * WORDS
        here = np.uint64(row * words) * width
        for r in range(many):
            of_relabelling = np.uint64(r) * width
            for word in range(used):
                bits = equal[row, r, word]
                pairs[r] += 2 * np.int64(_bits_set(below[row, r, word])) + np.int64(_bits_set(bits))
                if bits:
                    _add_common(bits, flat_planes, here + np.uint64(word) * width, flat_result, of_relabelling, width)
        for first in range(0, result.shape[1], PLANES):
            some = np.uint64(min(PLANES, result.shape[1] - first))
            for r in range(0, many, 2):
                to = np.uint64(r) * width + np.uint64(first)
                for word in range(0, used, WORDS):
                    at = here + np.uint64(word) * width + np.uint64(first)
                    if r + 1 < many:
                        _add_common_of_two(below, row, r, word, flat_planes, at, width, flat_once, to, some)
                    else:
                        _add_common_of_four(below, row, r, word, flat_planes, at, width, flat_once, to, some)
    for r in range(many):
        for plane in range(once.shape[1]):
            result[r, plane] += 2 * once[r, plane]
            once[r, plane] = 0


@numba.njit(cache=True, nogil=True)
def _add_common(bits, planes, at, result, to, some):  # type: ignore[no-untyped-def]
    """Add to some places of `result` from `to` on how many bits a word has in common with those of the planes from `at` on.

    Numbers without a sign: the compiler makes vector instructions only where it need not ask whether a place is counted from the end.
    """
    for plane in range(some):
        result[to + plane] += np.int64(_bits_set(bits & planes[at + plane]))


@numba.njit(cache=True, nogil=True)
def _add_common_of_four(below, row, r, word, planes, at, width, result, to, some):  # type: ignore[no-untyped-def]
    """The same of `WORDS` words one after the other, each of whose planes are `width` places behind those of the one before."""
    bits_0, bits_1, bits_2, bits_3 = below[row, r, word], below[row, r, word + 1], below[row, r, word + 2], below[row, r, word + 3]
    at_1, at_2, at_3 = at + width, at + width + width, at + width + width + width
    for plane in range(some):
        result[to + plane] += np.int64(
            _bits_set(bits_0 & planes[at + plane])
            + _bits_set(bits_1 & planes[at_1 + plane])
            + _bits_set(bits_2 & planes[at_2 + plane])
            + _bits_set(bits_3 & planes[at_3 + plane])
        )


@numba.njit(cache=True, nogil=True)
def _add_common_of_two(below, row, r, word, planes, at, width, result, to, some):  # type: ignore[no-untyped-def]
    """The same of two relabellings one after the other, for which the planes are read once: reading takes longer than counting."""
    bits_0, bits_1, bits_2, bits_3 = below[row, r, word], below[row, r, word + 1], below[row, r, word + 2], below[row, r, word + 3]
    next_0, next_1, next_2, next_3 = (
        below[row, r + 1, word],
        below[row, r + 1, word + 1],
        below[row, r + 1, word + 2],
        below[row, r + 1, word + 3],
    )
    at_1, at_2, at_3, then = at + width, at + width + width, at + width + width + width, to + width
    for plane in range(some):
        plane_0, plane_1, plane_2, plane_3 = planes[at + plane], planes[at_1 + plane], planes[at_2 + plane], planes[at_3 + plane]
        result[to + plane] += np.int64(
            _bits_set(bits_0 & plane_0) + _bits_set(bits_1 & plane_1) + _bits_set(bits_2 & plane_2) + _bits_set(bits_3 & plane_3)
        )
        result[then + plane] += np.int64(
            _bits_set(next_0 & plane_0) + _bits_set(next_1 & plane_1) + _bits_set(next_2 & plane_2) + _bits_set(next_3 & plane_3)
        )
