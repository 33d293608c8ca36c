"""The inner loops, compiled by numba and cached on disk. Each has a NumPy twin in its estimator's module, which gives the same numbers.

They hold no lock while running, so that several chunks of pairs run at once on a thread pool.
"""

import math

import numba
import numpy as np

from analyses.mutual_information.histogram import ROUNDING, SMALLEST_STEP

# A hypergeometric probability below this adds nothing to a sum of order one in double precision.
NEGLIGIBLE = 1e-22
# So many values are looked at before the next decision in the search for neighbours: two of the processor's widest registers.
BLOCK = 16
SMALLEST = np.nextafter(0.0, 1.0)
# Sums of squares between these are of values that need no other unit.
LEAST_SQUARES, MOST_SQUARES = 1e-180, 1e200


@numba.njit(cache=True, nogil=True)
def pairwise_sum(values):  # type: ignore[no-untyped-def]
    """Sum in numpy's order, to the last bit: a value exactly at the limit of trimming must fall on the same side with and without numba."""
    count = values.size
    if count > 128:
        half = count // 2
        half -= half % 8
        return pairwise_sum(values[:half]) + pairwise_sum(values[half:])
    if count < 8:
        total = 0.0
        for value in values:
            total += value
        return total
    s0, s1, s2, s3, s4, s5, s6, s7 = values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7]
    whole = count - count % 8
    for d in range(8, whole, 8):
        s0 += values[d]
        s1 += values[d + 1]
        s2 += values[d + 2]
        s3 += values[d + 3]
        s4 += values[d + 4]
        s5 += values[d + 5]
        s6 += values[d + 6]
        s7 += values[d + 7]
    total = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
    for d in range(whole, count):
        total += values[d]
    return total


@numba.njit(cache=True, nogil=True)
def _squared_distances(row, mean, squares):  # type: ignore[no-untyped-def]
    for d in range(row.size):
        squares[d] = (row[d] - mean) * (row[d] - mean)


@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _mark_row(row, mean, limit, inlier):  # type: ignore[no-untyped-def]
    # Written with comparisons, for the compiler turns these into vector instructions, and not `min` and `max`.
    smallest, largest, low, high = np.inf, -np.inf, np.inf, -np.inf
    for d in range(row.size):
        value = row[d]
        keep = abs(value - mean) <= limit
        inlier[d] = keep
        from_below = value if keep else np.inf
        from_above = value if keep else -np.inf
        smallest = value if value < smallest else smallest
        largest = value if value > largest else largest
        low = from_below if from_below < low else low
        high = from_above if from_above > high else high
    if smallest == largest:
        inlier[:] = True
        low, high = smallest, largest
    return low, high


@numba.njit(cache=True, nogil=True)
def mark_outliers(values, trim, inlier, low, high):  # type: ignore[no-untyped-def]
    """Mark what lies more than `trim` standard deviations from its row's mean, unless the row is constant.

    Writes inlier (V, D), and the smallest and largest inlier low, high (V,).
    """
    dimensions = values.shape[1]
    squares = np.empty(dimensions)
    for v in range(low.size):
        mean = pairwise_sum(values[v]) / dimensions
        _squared_distances(values[v], mean, squares)
        limit = trim * math.sqrt(pairwise_sum(squares) / (dimensions - 1)) if dimensions > 1 and trim < np.inf else np.inf
        low[v], high[v] = _mark_row(values[v], mean, limit, inlier[v])


@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _divide(row, low, step, bins, doubt, quotients, doubtful):  # type: ignore[no-untyped-def]
    """Whole steps from low to each value, and whether rounding could have moved them; in vector instructions, so without branches.

    Nothing moves a value out of the first bin downwards, or out of the last one upwards. Returns whether any is doubtful.
    """
    inverse = 1.0 / step
    top, last = float(bins), np.int32(bins - 1)
    some = False
    for d in range(row.size):
        quotient = (row[d] - low) * inverse
        quotient = quotient if quotient > 0.0 else 0.0
        quotient = quotient if quotient < top else top
        code = np.int32(quotient)
        code = code if code < last else last
        beyond = quotient - code
        quotients[d] = code
        doubts = ((beyond <= doubt) & (quotient > 0.5)) | ((beyond >= 1.0 - doubt) & (quotient < top - 0.5))
        doubtful[d] = doubts
        some |= doubts
    return some


@numba.njit(cache=True, nogil=True)
def _bin_row(row, inlier, low, high, bins, edges, quotients, doubtful, codes):  # type: ignore[no-untyped-def]
    """Bin of every inlier as numpy.histogram2d places it; what is no inlier goes to one bin more, which nobody counts."""
    step = (high - low) / bins
    if not (step > 0.0 and step < np.inf):
        for d in range(row.size):
            codes[d] = 0 if inlier[d] else bins
        return
    for k in range(bins):
        edges[k] = k * step + low
    edges[bins] = np.inf  # the last bin is closed on both sides
    # A quotient that is not near a whole number is in its bin whatever the rounding; only the others meet the edges themselves.
    doubt = ROUNDING * (1.0 + (abs(low) + abs(high)) / step + bins)
    if step > SMALLEST_STEP:
        some = _divide(row, low, step, bins, doubt, quotients, doubtful)
    else:  # its inverse is infinite
        quotients[:] = 0
        doubtful[:] = some = True
    for d in range(row.size if some else 0):
        if doubtful[d]:
            code = quotients[d]
            while row[d] >= edges[code + 1]:
                code += 1
            while code > 0 and row[d] < edges[code]:
                code -= 1
            quotients[d] = code
    outside = np.int32(bins)
    for d in range(row.size):
        codes[d] = quotients[d] if inlier[d] else outside


@numba.njit(cache=True, nogil=True)
def bin_rows(values, inlier, low, high, bins, codes):  # type: ignore[no-untyped-def]
    """Codes (V, D) of each row over the range of its own inliers."""
    edges = np.empty(bins + 1)
    quotients, doubtful = np.empty(values.shape[1], np.int32), np.empty(values.shape[1], np.bool_)
    for v in range(low.size):
        _bin_row(values[v], inlier[v], low[v], high[v], bins, edges, quotients, doubtful, codes[v])


@numba.njit(cache=True, nogil=True)
def _takes_an_extreme(row, inlier, low, high, outliers):  # type: ignore[no-untyped-def]
    """Whether the other side's outliers are where this row has its smallest or largest inlier."""
    found = False
    for d in outliers:
        found |= inlier[d] and (row[d] == low or row[d] == high)
    return found


@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _range_among(row, inlier, other):  # type: ignore[no-untyped-def]
    """Smallest and largest of what both sides keep."""
    low, high = np.inf, -np.inf
    for d in range(row.size):
        keep = inlier[d] & other[d]
        from_below = row[d] if keep else np.inf
        from_above = row[d] if keep else -np.inf
        low = from_below if from_below < low else low
        high = from_above if from_above > high else high
    return low, high


@numba.njit(cache=True, nogil=True)
def histogram(values, inlier, low, high, starts, places, codes, first, second, bins, entropy, result, rows, columns):  # type: ignore[no-untyped-def]
    """Plug-in estimate of each pair, and the sums rows, columns (P, B) of its joint histogram.

    Every vector comes with its codes; a side is binned afresh only where the other's outliers take an extreme of its range. What
    either side does not keep is counted in the bin beyond the last one, so that the counting loop has no branches.

    entropy : c ln c for c = 0 .. D.
    """
    side = bins + 1
    cells = np.zeros(side * side, np.int32)
    edges = np.empty(bins + 1)
    quotients, doubtful = np.empty(values.shape[1], np.int32), np.empty(values.shape[1], np.bool_)
    fresh_i, fresh_j = np.empty(values.shape[1], codes.dtype), np.empty(values.shape[1], codes.dtype)
    for pair in range(first.size):
        i, j = first[pair], second[pair]
        code_i, code_j = codes[i], codes[j]
        if _takes_an_extreme(values[i], inlier[i], low[i], high[i], places[starts[j] : starts[j + 1]]):
            low_i, high_i = _range_among(values[i], inlier[i], inlier[j])
            _bin_row(values[i], inlier[i], low_i, high_i, bins, edges, quotients, doubtful, fresh_i)
            code_i = fresh_i
        if _takes_an_extreme(values[j], inlier[j], low[j], high[j], places[starts[i] : starts[i + 1]]):
            low_j, high_j = _range_among(values[j], inlier[j], inlier[i])
            _bin_row(values[j], inlier[j], low_j, high_j, bins, edges, quotients, doubtful, fresh_j)
            code_j = fresh_j
        result[pair] = _plug_in(code_i, code_j, bins, cells, entropy, rows[pair], columns[pair])


@numba.njit(cache=True, nogil=True)
def _plug_in(code_x, code_y, bins, cells, entropy, rows, columns):  # type: ignore[no-untyped-def]
    """Plug-in estimate from the codes of both sides; writes the sums rows, columns (B,). The joint `cells` come and go empty."""
    side = bins + 1
    for d in range(code_x.size):
        cells[code_x[d] * side + code_y[d]] += 1
    columns[:] = 0
    total, balance = 0, 0.0
    for a in range(bins):
        row = 0
        for b in range(bins):
            count = cells[a * side + b]
            row += count
            columns[b] += count
            balance += entropy[count]
        rows[a] = row
        total += row
        balance -= entropy[row]
    for b in range(bins):
        balance -= entropy[columns[b]]
    cells[:] = 0
    return max(balance / total + math.log(total), 0.0) if total > 0 else np.nan


@numba.njit(cache=True, nogil=True)
def separate_pairs(x, y, trim, bins, entropy, code_x, code_y, result, usual):  # type: ignore[no-untyped-def]
    """Plug-in estimate (P,) of pairs of vectors x, y (P, D) that meet in no other pair: each is read once, and nothing is kept of it.

    code_x, code_y : (D,) room for one pair's codes, of the narrowest type: the counting is twice as fast as with whole words.
    usual : (P,) False where a vector is constant, not finite, so large or small that its squares leave float64, or has a value at the
        limit of trimming: not estimated here.
    """
    dimensions = x.shape[1]
    kept, doubtful, quotients = np.empty(dimensions, np.bool_), np.empty(dimensions, np.bool_), np.empty(dimensions, np.int32)
    edges, cells = np.empty(bins + 1), np.zeros((bins + 1) * (bins + 1), np.int32)
    rows, columns = np.empty(bins, np.int64), np.empty(bins, np.int64)
    for pair in range(result.size):
        mean_x, limit_x, doubt_x = _mean_and_limit(x[pair], trim)
        mean_y, limit_y, doubt_y = _mean_and_limit(y[pair], trim)
        usual[pair] = False
        if limit_x > 0.0 and limit_y > 0.0:
            of_x, of_y = (mean_x, limit_x - doubt_x, limit_x + doubt_x), (mean_y, limit_y - doubt_y, limit_y + doubt_y)
            usual[pair], low_x, high_x, low_y, high_y = _keep_of_both(x[pair], y[pair], of_x, of_y, kept)
        if usual[pair]:
            _bin_row(x[pair], kept, low_x, high_x, bins, edges, quotients, doubtful, code_x)
            _bin_row(y[pair], kept, low_y, high_y, bins, edges, quotients, doubtful, code_y)
            plug_in = _plug_in(code_x, code_y, bins, cells, entropy, rows, columns)
            result[pair] = plug_in if rows.sum() > 1 else np.nan


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def _mean_and_limit(row, trim):  # type: ignore[no-untyped-def]
    """About a row's mean, how far from it an inlier may be, and how much both may be off together; a limit of 0 if it is not usual.

    Summed in the order that is fastest, which is not numpy's: an error of at most one rounding a value.
    """
    total = 0.0
    for d in range(row.size):
        total += row[d]
    mean, summed = total / row.size, 0.0
    for d in range(row.size):
        summed += (row[d] - mean) * (row[d] - mean)
    same = 1
    while same < row.size and row[same] == row[0]:
        same += 1
    if same == row.size or not LEAST_SQUARES < summed < MOST_SQUARES:
        return mean, 0.0, 0.0
    if trim == np.inf:
        return mean, np.inf, 0.0
    deviation = math.sqrt(summed / (row.size - 1))
    return mean, trim * deviation, ROUNDING * row.size * (abs(mean) + deviation * max(trim, 1.0))


@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _keep_of_both(x, y, of_x, of_y, kept):  # type: ignore[no-untyped-def]
    """Mark the dimensions that both vectors keep; whether none is in doubt, and the smallest and largest of either among them.

    of_x, of_y : its mean, and how far from it a value is kept for certain, and perhaps.
    """
    mean_x, certain_x, perhaps_x = of_x
    mean_y, certain_y, perhaps_y = of_y
    low_x, high_x, low_y, high_y = np.inf, -np.inf, np.inf, -np.inf
    doubt = False
    for d in range(x.size):
        here_x, here_y = x[d], y[d]
        far_x, far_y = abs(here_x - mean_x), abs(here_y - mean_y)
        keep = (far_x <= certain_x) & (far_y <= certain_y)
        doubt |= keep != ((far_x <= perhaps_x) & (far_y <= perhaps_y))
        kept[d] = keep
        below_x, above_x = here_x if keep else np.inf, here_x if keep else -np.inf
        below_y, above_y = here_y if keep else np.inf, here_y if keep else -np.inf
        low_x = below_x if below_x < low_x else low_x
        high_x = above_x if above_x > high_x else high_x
        low_y = below_y if below_y < low_y else low_y
        high_y = above_y if above_y > high_y else high_y
    return not doubt, low_x, high_x, low_y, high_y


@numba.njit(cache=True, nogil=True)
def _hypergeometric_sum(a, b, n, log_factorial, log):  # type: ignore[no-untyped-def]
    fewest, most = max(1, a + b - n), min(a, b)
    mode = min(max((a + 1) * (b + 1) // (n + 2), fewest), most)
    peak = math.exp(
        log_factorial[a]
        + log_factorial[b]
        + log_factorial[n - a]
        + log_factorial[n - b]
        - log_factorial[n]
        - log_factorial[mode]
        - log_factorial[a - mode]
        - log_factorial[b - mode]
        - log_factorial[n - a - b + mode]
    )
    gain = log[n] - log[a] - log[b]
    total = mode * (log[mode] + gain) * peak
    probability = peak
    for m in range(mode + 1, most + 1):
        probability *= (a - m + 1) * (b - m + 1) / (m * (n - a - b + m))
        if probability < NEGLIGIBLE:
            break
        total += m * (log[m] + gain) * probability
    probability = peak
    for m in range(mode - 1, fewest - 1, -1):
        probability *= (m + 1) * (n - a - b + m + 1) / ((a - m) * (b - m))
        if probability < NEGLIGIBLE:
            break
        total += m * (log[m] + gain) * probability
    return total / n


@numba.njit(cache=True, nogil=True)
def _distinct(counts, values, weights):  # type: ignore[no-untyped-def]
    """Collect the distinct non-zero counts and how often each occurs; return how many there are."""
    found = 0
    for count in counts:
        if count > 0:
            place = 0
            while place < found and values[place] != count:
                place += 1
            if place == found:
                values[place], weights[place] = count, 0
                found += 1
            weights[place] += 1
    return found


@numba.njit(cache=True, nogil=True)
def expected_sums(rows, columns, total, log_factorial, log, result):  # type: ignore[no-untyped-def]
    """Expected mutual information of each pair from its sums rows (P, B), columns (P, B) and total (P,)."""
    bins = rows.shape[1]
    row_values, row_weights = np.empty(bins, np.int64), np.empty(bins, np.int64)
    column_values, column_weights = np.empty(bins, np.int64), np.empty(bins, np.int64)
    for pair in range(total.size):
        distinct_rows = _distinct(rows[pair], row_values, row_weights)
        distinct_columns = _distinct(columns[pair], column_values, column_weights)
        value = 0.0
        for r in range(distinct_rows):
            for c in range(distinct_columns):
                term = _hypergeometric_sum(row_values[r], column_values[c], total[pair], log_factorial, log)
                value += row_weights[r] * column_weights[c] * term
        result[pair] = value


@numba.njit(cache=True, nogil=True)
def _gather(values, inlier, other, order, kept):  # type: ignore[no-untyped-def]
    """Write one side's kept values in ascending order, divided by their standard deviation; return how many, and that deviation.

    They stand in kept[BLOCK : BLOCK + count], with values at infinite distance before and behind.
    """
    count = 0
    total = 0.0
    for d in range(values.size):
        if inlier[d] and other[d]:
            total += values[d]
            count += 1
    if count == 0:
        return 0, 0.0
    mean = total / count
    squares = 0.0
    for d in range(values.size):
        if inlier[d] and other[d]:
            centred = values[d] - mean
            squares += centred * centred
    deviation = math.sqrt(squares / count)
    place = BLOCK
    for d in order:
        if inlier[d] and other[d]:
            kept[place] = values[d]
            place += 1
    if kept[BLOCK] == kept[place - 1]:
        return count, 0.0
    kept[:BLOCK] = -np.inf
    for point in range(BLOCK, place):
        kept[point] /= deviation
    kept[place : place + BLOCK] = np.inf
    return count, deviation


@numba.njit(cache=True, nogil=True)
def _three_nearest(x, y, point):  # type: ignore[no-untyped-def]
    """The three smallest distances from one point to the others, sought outwards in the order of x until x alone is too far.

    Three numbers kept by `min` and `max` alone: a branch for each distance, which no processor foresees, would take most of the time.
    """
    here_x, here_y = x[point], y[point]
    smallest = second = third = np.inf
    left, right = point, point + 1
    while True:
        to_left, to_right = here_x - x[left - 1] < third, x[right] - here_x < third
        if to_left:
            left -= BLOCK
            for other in range(left, left + BLOCK):
                distance = _distance(here_x, here_y, x[other], y[other])
                smallest, second, third = _among_three(smallest, second, third, distance)
        if to_right:
            for other in range(right, right + BLOCK):
                distance = _distance(here_x, here_y, x[other], y[other])
                smallest, second, third = _among_three(smallest, second, third, distance)
            right += BLOCK
        if not (to_left or to_right):
            return smallest, second, third


@numba.njit(cache=True, nogil=True)
def _distance(here_x, here_y, x, y):  # type: ignore[no-untyped-def]
    along_x, along_y = abs(x - here_x), abs(y - here_y)
    return along_x if along_x > along_y else along_y


@numba.njit(cache=True, nogil=True)
def _among_three(smallest, second, third, distance):  # type: ignore[no-untyped-def]
    """The three smallest of four; the first three are ascending."""
    above_second = second if second > distance else distance
    above_smallest = smallest if smallest > distance else distance
    return (
        smallest if smallest < distance else distance,
        second if second < above_smallest else above_smallest,
        third if third < above_second else above_second,
    )


@numba.njit(cache=True, nogil=True)
def _five_nearest(x, y, point):  # type: ignore[no-untyped-def]
    """The five smallest distances, as `_three_nearest` finds three."""
    here_x, here_y = x[point], y[point]
    smallest = second = third = fourth = fifth = np.inf
    left, right = point, point + 1
    while True:
        to_left, to_right = here_x - x[left - 1] < fifth, x[right] - here_x < fifth
        if to_left:
            left -= BLOCK
            for other in range(left, left + BLOCK):
                distance = _distance(here_x, here_y, x[other], y[other])
                smallest, second, third, fourth, fifth = _among_five(smallest, second, third, fourth, fifth, distance)
        if to_right:
            for other in range(right, right + BLOCK):
                distance = _distance(here_x, here_y, x[other], y[other])
                smallest, second, third, fourth, fifth = _among_five(smallest, second, third, fourth, fifth, distance)
            right += BLOCK
        if not (to_left or to_right):
            return smallest, second, third, fourth, fifth


@numba.njit(cache=True, nogil=True)
def _among_five(smallest, second, third, fourth, fifth, distance):  # type: ignore[no-untyped-def]
    """The five smallest of six; the first five are ascending."""
    least, next_to_it, middle = _among_three(smallest, second, third, distance)
    above_third = third if third > distance else distance
    above_fourth = fourth if fourth > distance else distance
    return (
        least,
        next_to_it,
        middle,
        fourth if fourth < above_third else above_third,
        fifth if fifth < above_fourth else above_fourth,
    )


@numba.njit(cache=True, nogil=True)
def _nearest(x, y, point, nearest):  # type: ignore[no-untyped-def]
    """The smallest distances from one point to the others, as many as `nearest` has places, ascending."""
    nearest[:] = np.inf
    here_x, here_y = x[point], y[point]
    left, right = point - 1, point + 1
    # One step to either side in turn: each side's test goes the same way until its end, which a processor foresees.
    moved = True
    while moved:
        moved = False
        if here_x - x[left] < nearest[-1]:
            distance = _distance(here_x, here_y, x[left], y[left])
            if distance < nearest[-1]:
                _insert(nearest, distance)
            left -= 1
            moved = True
        if x[right] - here_x < nearest[-1]:
            distance = _distance(here_x, here_y, x[right], y[right])
            if distance < nearest[-1]:
                _insert(nearest, distance)
            right += 1
            moved = True


@numba.njit(cache=True, nogil=True)
def _insert(nearest, distance):  # type: ignore[no-untyped-def]
    """Put a distance among the ascending nearest ones; the farthest falls out."""
    rank = nearest.size - 1
    while rank > 0 and nearest[rank - 1] > distance:
        nearest[rank] = nearest[rank - 1]
        rank -= 1
    nearest[rank] = distance


@numba.njit(cache=True, nogil=True)
def _nearer(ascending, place, distance):  # type: ignore[no-untyped-def]
    """How many ascending values, itself among them, are nearer than `distance` to the one at `place`: block by block to either side."""
    here = ascending[place]
    found, last = 1, BLOCK
    low = place
    while last == BLOCK:
        low -= BLOCK
        last = 0
        block = ascending[low : low + BLOCK]
        for other in range(BLOCK):
            last += here - block[other] < distance
        found += last
    high, last = place + 1, BLOCK
    while last == BLOCK:
        last = 0
        block = ascending[high : high + BLOCK]
        for other in range(BLOCK):
            last += block[other] - here < distance
        found += last
        high += BLOCK
    return found


@numba.njit(cache=True, nogil=True)
def _is_constant(row, inlier, other):  # type: ignore[no-untyped-def]
    low, high = _range_among(row, inlier, other)
    return low == high


@numba.njit(cache=True, nogil=True)
def nearest_neighbour(values, untied, inlier, order, first, second, neighbours, digamma, result):  # type: ignore[no-untyped-def]
    """Estimator 1 for each pair.

    untied : `values` with ties broken, and its order; `values` itself says what is constant.
    neighbours : numbers of neighbours (K,); one search for the largest finds them all.
    result : (K, P), written to.
    """
    dimensions = values.shape[1]
    most = neighbours.max()
    # Three and five are sought without a branch for each distance.
    most = 3 if most < 3 else 5 if most == 4 else most
    # A block of room at either end: what is read in blocks never ends within one.
    x, y_ascending, y = np.empty(dimensions + 2 * BLOCK), np.empty(dimensions + 2 * BLOCK), np.zeros(dimensions + 2 * BLOCK)
    y_place_of, y_place = np.empty(dimensions, np.int64), np.empty(dimensions + 2 * BLOCK, np.int64)
    nearest = np.empty(most)
    inside = np.empty(neighbours.size)
    for pair in range(first.size):
        i, j = first[pair], second[pair]
        count, deviation_x = _gather(untied[i], inlier[i], inlier[j], order[i], x)
        _, deviation_y = _gather(untied[j], inlier[j], inlier[i], order[j], y_ascending)
        constant = deviation_x == 0.0 or deviation_y == 0.0 or _is_constant(values[i], inlier[i], inlier[j])
        constant = constant or _is_constant(values[j], inlier[j], inlier[i])
        for choice in range(neighbours.size):
            result[choice, pair] = np.nan if count <= neighbours[choice] else 0.0
        if constant or count <= neighbours.min():
            continue
        place = BLOCK
        for d in order[j]:
            if inlier[i, d] and inlier[j, d]:
                y_place_of[d] = place
                place += 1
        place = BLOCK
        for d in order[i]:
            if inlier[i, d] and inlier[j, d]:
                y_place[place] = y_place_of[d]
                y[place] = y_ascending[y_place_of[d]]
                place += 1
        inside[:] = 0.0
        for point in range(BLOCK, BLOCK + count):
            if most == 3:
                nearest[0], nearest[1], nearest[2] = _three_nearest(x, y, point)
            elif most == 5:
                nearest[0], nearest[1], nearest[2], nearest[3], nearest[4] = _five_nearest(x, y, point)
            else:
                _nearest(x, y, point, nearest)
            for choice in range(neighbours.size):
                if count > neighbours[choice]:
                    # Where even the neighbours are ties, what is nearer than the smallest number is equal.
                    distance = max(nearest[neighbours[choice] - 1], SMALLEST)
                    inside[choice] += digamma[_nearer(x, point, distance)]
                    inside[choice] += digamma[_nearer(y_ascending, y_place[point], distance)]
        for choice in range(neighbours.size):
            if count > neighbours[choice]:
                result[choice, pair] = digamma[count] + digamma[neighbours[choice]] - inside[choice] / count
