"""The inner loops, compiled by numba and cached on disk. Each has a NumPy twin in its estimator's module, which gives the same numbers.

They hold no lock while running, so that several chunks of pairs run at once on a thread pool.
"""

import math

import numba
import numpy as np

from analyses.mutual_information.histogram import ROUNDING, SMALLEST_STEP

# A hypergeometric probability below this adds nothing to a sum of order one in double precision.
NEGLIGIBLE = 1e-22
# So many values are counted before the next decision whether to go on: two of the processor's widest registers.
BLOCK = 16
# So many points are swept at once in the search for neighbours: what is kept of them stays in the processor's nearest cache.
TOGETHER = 64
SMALLEST = np.nextafter(0.0, 1.0)
# An odd number that takes what belongs to different totals far apart.
SPREAD = 40_503
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
        result[pair] = _plug_in(code_i, code_j, bins, bins, cells, entropy, rows[pair], columns[pair])


@numba.njit(cache=True, nogil=True)
def _plug_in(code_x, code_y, bins_x, bins_y, cells, entropy, rows, columns):  # type: ignore[no-untyped-def]
    """Plug-in estimate from the codes of both sides; writes the sums rows, columns (B,). The joint `cells` come and go empty."""
    side = bins_y + 1
    for d in range(code_x.size):
        cells[code_x[d] * side + code_y[d]] += 1
    rows[:] = 0
    columns[:] = 0
    total, balance = 0, 0.0
    for a in range(bins_x):
        row = 0
        for b in range(bins_y):
            count = cells[a * side + b]
            row += count
            columns[b] += count
            balance += entropy[count]
        rows[a] = row
        total += row
        balance -= entropy[row]
    for b in range(bins_y):
        balance -= entropy[columns[b]]
    cells[: (bins_x + 1) * side] = 0
    return max(balance / total + math.log(total), 0.0) if total > 0 else np.nan


@numba.njit(cache=True, nogil=True)
def adapted_histogram(values, inlier, order, first, second, most, root, entropy, result, rows, columns):  # type: ignore[no-untyped-def]
    """Plug-in estimate of each pair with bins by the rule of Freedman and Diaconis over what both sides of a pair keep, at most so many.

    order : (V, D) each vector's dimensions in ascending order, or nearly so.
    root : n^(-1/3) for n = 0 .. D, as the twin in NumPy has it to the last bit.
    """
    dimensions = values.shape[1]
    cells, edges = np.zeros((most + 1) * (most + 1), np.int32), np.empty(most + 1)
    quotients, doubtful = np.empty(dimensions, np.int32), np.empty(dimensions, np.bool_)
    kept, ascending, places = np.empty(dimensions, np.bool_), np.empty(dimensions + 1), np.empty(dimensions + 1, np.int32)
    code_i, code_j = np.empty(dimensions, np.uint8), np.empty(dimensions, np.uint8)
    for pair in range(first.size):
        i, j = first[pair], second[pair]
        for d in range(dimensions):
            kept[d] = inlier[i, d] & inlier[j, d]
        count = _ascend(values[i], kept, order[i], ascending, places)
        bins_i = _freedman_diaconis(ascending[:count], most, root[count])
        _bin_row(values[i], kept, ascending[0], ascending[max(count - 1, 0)], bins_i, edges, quotients, doubtful, code_i)
        _ascend(values[j], kept, order[j], ascending, places)
        bins_j = _freedman_diaconis(ascending[:count], most, root[count])
        _bin_row(values[j], kept, ascending[0], ascending[max(count - 1, 0)], bins_j, edges, quotients, doubtful, code_j)
        plug_in = _plug_in(code_i, code_j, bins_i, bins_j, cells, entropy, rows[pair], columns[pair])
        # A side in one bin tells nothing, to the last digit.
        result[pair] = 0.0 if count > 0 and (bins_i == 1 or bins_j == 1) else plug_in


@numba.njit(cache=True, nogil=True)
def _ascend(row, kept, order, ascending, places):  # type: ignore[no-untyped-def]
    """Write the kept values of a row in ascending order, and their dimensions; return how many.

    order : of the values with ties broken, which can put values another way round that differ by next to nothing.
    """
    count = 0
    for d in order:
        ascending[count], places[count] = row[d], d
        count += kept[d]
    for here in range(1, count):
        value, place = ascending[here], places[here]
        back = here
        while back > 0 and ascending[back - 1] > value:
            ascending[back], places[back] = ascending[back - 1], places[back - 1]
            back -= 1
        ascending[back], places[back] = value, place
    return count


@numba.njit(cache=True, nogil=True)
def _freedman_diaconis(ascending, most, root):  # type: ignore[no-untyped-def]
    if ascending.size == 0:
        return 1
    width = 2 * (_quantile(ascending, 0.75) - _quantile(ascending, 0.25)) * root
    return int(min(max(math.ceil((ascending[-1] - ascending[0]) / width), 1), most)) if width > 0 else 1


@numba.njit(cache=True, nogil=True)
def _quantile(ascending, share):  # type: ignore[no-untyped-def]
    place = share * (ascending.size - 1)
    index = int(place)
    low, high, beyond = ascending[index], ascending[min(index + 1, ascending.size - 1)], place - index
    return low + (high - low) * beyond if beyond < 0.5 else high - (high - low) * (1 - beyond)


@numba.njit(cache=True, nogil=True)
def copula_correlation(values, inlier, order, first, second, scores, which, result):  # type: ignore[no-untyped-def]
    """The correlation (P,) of the normal scores of each pair, 0 where a side is constant.

    order : (V, D) each vector's dimensions in ascending order, or nearly so.
    scores : Phi^-1(h / 2 / (n + 1)) for h = 0 .. 2 n, in row which[pair] for the n dimensions that a pair keeps; ranks can be halves.
    """
    dimensions = values.shape[1]
    kept, ascending, places = np.empty(dimensions, np.bool_), np.empty(dimensions + 1), np.empty(dimensions + 1, np.int32)
    of_i, of_j = np.zeros(dimensions), np.zeros(dimensions)
    for pair in range(first.size):
        i, j = first[pair], second[pair]
        for d in range(dimensions):
            kept[d] = inlier[i, d] & inlier[j, d]
        table = scores[which[pair]]
        count = _ascend(values[i], kept, order[i], ascending, places)
        varies = _write_scores(ascending[:count], places, table, of_i)
        _ascend(values[j], kept, order[j], ascending, places)
        varies &= _write_scores(ascending[:count], places, table, of_j)
        result[pair] = _product(of_i, of_j) / math.sqrt(_product(of_i, of_i) * _product(of_j, of_j)) if varies else 0.0


@numba.njit(cache=True, nogil=True)
def _write_scores(ascending, places, table, scores):  # type: ignore[no-untyped-def]
    """Write the scores of values less their mean, zero in the other dimensions; return whether the values differ."""
    count = ascending.size
    if count == 0 or ascending[0] == ascending[-1]:
        return False
    scores[:] = 0.0
    total = 0.0
    here = 0
    while here < count:
        there = here + 1
        while there < count and ascending[there] == ascending[here]:
            there += 1
        # The mean of the ranks here + 1 .. there, in halves.
        score = table[here + 1 + there]
        total += score * (there - here)
        for place in places[here:there]:
            scores[place] = score
        here = there
    mean = total / count
    for place in places[:count]:
        scores[place] -= mean
    return True


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _product(x, y):  # type: ignore[no-untyped-def]
    total = 0.0
    for d in range(x.size):
        total += x[d] * y[d]
    return total


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
            plug_in = _plug_in(code_x, code_y, bins, bins, cells, entropy, rows, columns)
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
def expected_sums(rows, columns, total, log_factorial, log, known, sums, result):  # type: ignore[no-untyped-def]
    """Expected mutual information of each pair from its sums rows (P, B), columns (P, B) and total (P,).

    known, sums : (a power of 2,) what was summed last in each place, for the pairs of a study share most of it; -1 where nothing was.
    """
    bins = rows.shape[1]
    row_values, row_weights = np.empty(bins, np.int64), np.empty(bins, np.int64)
    column_values, column_weights = np.empty(bins, np.int64), np.empty(bins, np.int64)
    for pair in range(total.size):
        distinct_rows = _distinct(rows[pair], row_values, row_weights)
        distinct_columns = _distinct(columns[pair], column_values, column_weights)
        n, value = total[pair], 0.0
        for r in range(distinct_rows):
            for c in range(distinct_columns):
                smaller, larger = min(row_values[r], column_values[c]), max(row_values[r], column_values[c])
                name = (n << 42) | (smaller << 21) | larger
                place = (larger + (smaller << 7) + n * SPREAD) & (known.size - 1)
                if known[place] != name:
                    sums[place], known[place] = _hypergeometric_sum(smaller, larger, n, log_factorial, log), name
                value += row_weights[r] * column_weights[c] * sums[place]
        result[pair] = value


@numba.njit(cache=True, nogil=True)
def _gather(values, inlier, other, order, room, kept):  # type: ignore[no-untyped-def]
    """Write one side's kept values in ascending order, divided by their standard deviation; return how many, and that deviation.

    They stand in kept[room : room + count], with values at infinite distance before and behind.
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
    place = room
    for d in order:
        if inlier[d] and other[d]:
            kept[place] = values[d]
            place += 1
    if kept[room] == kept[place - 1]:
        return count, 0.0
    kept[:room] = -np.inf
    for point in range(room, place):
        kept[point] /= deviation
    kept[place : place + room] = np.inf
    return count, deviation


@numba.njit(cache=True, nogil=True)
def _reach(most, count):  # type: ignore[no-untyped-def]
    """How many places to either side the sweep along x looks: far enough for nine points of ten.

    Of n even points in a square, k are in one of k / n of it, whose side crosses sqrt(k n) points, half of them to either side; points
    that are far out look farther.
    """
    return min(int(math.sqrt(most * count)) + 1, count)


@numba.njit(cache=True, nogil=True)
def _lesser(one, other):  # type: ignore[no-untyped-def]
    return one if one < other else other


@numba.njit(cache=True, nogil=True)
def _greater(one, other):  # type: ignore[no-untyped-def]
    return one if one > other else other


@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _sweep(x, y, begin, end, steps, nearest):  # type: ignore[no-untyped-def]
    """Of the points from `begin` to `end` the smallest distances, ascending, to those up to so many `steps` away in the order of x.

    Many points at once, with `min` and `max` alone: in vector instructions, and without branches, which no processor would foresee.

    nearest : (3 or 5, at least so many points), contiguous, written to.
    """
    most, points = nearest.shape[0], end - begin
    here_x, here_y = x[begin:end], y[begin:end]
    nearest[:] = np.inf
    first, second, third, fourth, fifth = nearest[0], nearest[1], nearest[2], nearest[most - 2], nearest[most - 1]
    for step in range(1, steps + 1):
        x_below, y_below, x_above, y_above = x[begin - step :], y[begin - step :], x[begin + step :], y[begin + step :]
        if most == 3:
            for p in range(points):
                below = _greater(here_x[p] - x_below[p], abs(y_below[p] - here_y[p]))
                above = _greater(x_above[p] - here_x[p], abs(y_above[p] - here_y[p]))
                least, below = _lesser(first[p], below), _greater(first[p], below)
                first[p], above = _lesser(least, above), _greater(least, above)
                least, below = _lesser(second[p], below), _greater(second[p], below)
                second[p], above = _lesser(least, above), _greater(least, above)
                third[p] = _lesser(_lesser(third[p], below), above)
        else:
            for p in range(points):
                below = _greater(here_x[p] - x_below[p], abs(y_below[p] - here_y[p]))
                above = _greater(x_above[p] - here_x[p], abs(y_above[p] - here_y[p]))
                least, below = _lesser(first[p], below), _greater(first[p], below)
                first[p], above = _lesser(least, above), _greater(least, above)
                least, below = _lesser(second[p], below), _greater(second[p], below)
                second[p], above = _lesser(least, above), _greater(least, above)
                least, below = _lesser(third[p], below), _greater(third[p], below)
                third[p], above = _lesser(least, above), _greater(least, above)
                least, below = _lesser(fourth[p], below), _greater(fourth[p], below)
                fourth[p], above = _lesser(least, above), _greater(least, above)
                fifth[p] = _lesser(_lesser(fifth[p], below), above)


@numba.njit(cache=True, nogil=True)
def _search(x, y, point, nearest, found):  # type: ignore[no-untyped-def]
    """The smallest distances from one point to the others, sought outwards in the order of x until x alone is too far.

    nearest : ascending, and none too small: what is as far as its last one is not sought. The smallest are written to it.
    found : room for as many.
    """
    found[:] = np.inf
    limit = nearest[-1]
    here_x, here_y = x[point], y[point]
    left, right = point - 1, point + 1
    # One step to either side in turn: each side's test goes the same way until its end, which a processor foresees.
    moved = True
    while moved:
        moved = False
        if here_x - x[left] < limit:
            distance = _greater(here_x - x[left], abs(y[left] - here_y))
            if distance < limit:
                _insert(found, distance)
                limit = _lesser(limit, found[-1])
            left -= 1
            moved = True
        if x[right] - here_x < limit:
            distance = _greater(x[right] - here_x, abs(y[right] - here_y))
            if distance < limit:
                _insert(found, distance)
                limit = _lesser(limit, found[-1])
            right += 1
            moved = True
    for rank in range(nearest.size):
        nearest[rank] = _lesser(nearest[rank], found[rank])


@numba.njit(cache=True, nogil=True)
def _insert(nearest, distance):  # type: ignore[no-untyped-def]
    """Put a distance among the ascending nearest ones; the farthest falls out."""
    rank = nearest.size - 1
    while rank > 0 and nearest[rank - 1] > distance:
        nearest[rank] = nearest[rank - 1]
        rank -= 1
    nearest[rank] = distance


@numba.njit(cache=True, nogil=True)
def _all_nearest(x, y, x_by_y, y_ascending, y_place, room, count, nearest, swept, some, found):  # type: ignore[no-untyped-def]
    """The smallest distances (K, count) of every point, in the order of x: by a sweep along x, and for those it is too short for along y.

    A point far out on one side has its neighbours far away, but few others beside it on that side.
    """
    most = nearest.shape[0]
    reach = _reach(most, count)
    swept.fill(np.inf)
    for begin in range(0, count, TOGETHER):
        end = min(begin + TOGETHER, count)
        if most in (3, 5):
            _sweep(x, y, room + begin, room + end, reach, swept)
        for point in range(begin, end):
            some[:] = swept[:, point - begin]
            here, limit = x[room + point], some[-1]
            too_short = here - x[room + point - reach] < limit or x[room + point + reach] - here < limit
            if most not in (3, 5) or too_short:
                _search(y_ascending, x_by_y, y_place[room + point], some, found)
            nearest[:, point] = some


@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _count_nearer(ascending, begin, end, steps, distance, nearer):  # type: ignore[no-untyped-def]
    """Of the values from `begin` to `end` how many up to so many `steps` away, themselves among them, are nearer than their distance."""
    here = ascending[begin:end]
    for p in range(end - begin):
        nearer[p] = 1.0
    for step in range(1, steps + 1):
        below, above = ascending[begin - step :], ascending[begin + step :]
        for p in range(end - begin):
            nearer[p] += (1.0 if here[p] - below[p] < distance[p] else 0.0) + (1.0 if above[p] - here[p] < distance[p] else 0.0)


@numba.njit(cache=True, nogil=True)
def _beyond(ascending, place, distance, reach):  # type: ignore[no-untyped-def]
    """How many ascending values more than `reach` places away are nearer than `distance`: block by block to either side."""
    here = ascending[place]
    found = 0
    low, last = place - reach, BLOCK
    while last == BLOCK:
        low -= BLOCK
        last = 0
        block = ascending[low : low + BLOCK]
        for other in range(BLOCK):
            last += here - block[other] < distance
        found += last
    high, last = place + reach + 1, BLOCK
    while last == BLOCK:
        last = 0
        block = ascending[high : high + BLOCK]
        for other in range(BLOCK):
            last += block[other] - here < distance
        found += last
        high += BLOCK
    return found


@numba.njit(cache=True, nogil=True)
def _sum_within(ascending, room, distance, reach, digamma, nearer):  # type: ignore[no-untyped-def]
    """Sum over ascending values of the digamma of how many, each itself among them, are nearer to it than its distance (count,)."""
    count, total = distance.size, 0.0
    for begin in range(0, count, TOGETHER):
        end = min(begin + TOGETHER, count)
        _count_nearer(ascending, room + begin, room + end, reach, distance[begin:end], nearer)
        for point in range(begin, end):
            here, limit, found = ascending[room + point], distance[point], np.int64(nearer[point - begin])
            if here - ascending[room + point - reach] < limit or ascending[room + point + reach] - here < limit:
                found += _beyond(ascending, room + point, limit, reach)
            total += digamma[found]
    return total


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
    # Three and five are sought many points at once.
    most = 3 if most < 3 else 5 if most == 4 else most
    # So much room at either end that nothing looks beyond it.
    room = _reach(most, dimensions) + BLOCK
    x, y_ascending = np.empty(dimensions + 2 * room), np.empty(dimensions + 2 * room)
    y, x_by_y = np.zeros(dimensions + 2 * room), np.zeros(dimensions + 2 * room)
    y_place_of, y_place = np.empty(dimensions, np.int64), np.empty(dimensions + 2 * room, np.int64)
    nearest, swept, some, found = np.empty((most, dimensions)), np.empty((most, TOGETHER)), np.empty(most), np.empty(most)
    distance, distance_by_y, nearer = np.empty(dimensions), np.empty(dimensions), np.empty(TOGETHER)
    for pair in range(first.size):
        i, j = first[pair], second[pair]
        count, deviation_x = _gather(untied[i], inlier[i], inlier[j], order[i], room, x)
        _, deviation_y = _gather(untied[j], inlier[j], inlier[i], order[j], room, y_ascending)
        constant = deviation_x == 0.0 or deviation_y == 0.0 or _is_constant(values[i], inlier[i], inlier[j])
        constant = constant or _is_constant(values[j], inlier[j], inlier[i])
        for choice in range(neighbours.size):
            result[choice, pair] = np.nan if count <= neighbours[choice] else 0.0
        if constant or count <= neighbours.min():
            continue
        place = room
        for d in order[j]:
            if inlier[i, d] and inlier[j, d]:
                y_place_of[d] = place
                place += 1
        place = room
        for d in order[i]:
            if inlier[i, d] and inlier[j, d]:
                y_place[place] = y_place_of[d]
                y[place] = y_ascending[y_place_of[d]]
                x_by_y[y_place_of[d]] = x[place]
                place += 1
        _all_nearest(x, y, x_by_y, y_ascending, y_place, room, count, nearest, swept, some, found)
        reach = _reach(most, count)
        for choice in range(neighbours.size):
            k = neighbours[choice]
            if count > k:
                for point in range(count):
                    # Where even the neighbours are ties, what is nearer than the smallest number is equal.
                    distance[point] = _greater(nearest[k - 1, point], SMALLEST)
                    distance_by_y[y_place[room + point] - room] = distance[point]
                inside = _sum_within(x, room, distance[:count], reach, digamma, nearer)
                inside += _sum_within(y_ascending, room, distance_by_y[:count], reach, digamma, nearer)
                result[choice, pair] = digamma[count] + digamma[k] - inside / count
