"""The inner loops, compiled by numba and cached on disk. Each has a NumPy twin in its estimator's module, which gives the same numbers.

They hold no lock while running, so that several chunks of pairs run at once on a thread pool.
"""

import math

import numba
import numpy as np

# A hypergeometric probability below this adds nothing to a sum of order one in double precision.
NEGLIGIBLE = 1e-22


@numba.njit(cache=True, nogil=True)
def _bin(value, low, high, bins):  # type: ignore[no-untyped-def]
    step = (high - low) / bins
    if not step > 0.0:
        return 0
    code = min(max(int((value - low) / step), 0), bins - 1)
    while code < bins - 1 and value >= (code + 1) * step + low:
        code += 1
    while code > 0 and value < code * step + low:
        code -= 1
    return code


@numba.njit(cache=True, nogil=True)
def count_joint(values, inlier, low, high, codes, first, second, cells):  # type: ignore[no-untyped-def]
    """Add each pair's kept dimensions to its zeroed cells (P, B, B)."""
    dimensions = values.shape[1]
    bins = cells.shape[1]
    for pair in range(first.size):
        i, j = first[pair], second[pair]
        low_i, high_i, low_j, high_j = np.inf, -np.inf, np.inf, -np.inf
        for d in range(dimensions):
            if inlier[i, d] and inlier[j, d]:
                low_i, high_i = min(low_i, values[i, d]), max(high_i, values[i, d])
                low_j, high_j = min(low_j, values[j, d]), max(high_j, values[j, d])
        same_i = low_i == low[i] and high_i == high[i]
        same_j = low_j == low[j] and high_j == high[j]
        for d in range(dimensions):
            if inlier[i, d] and inlier[j, d]:
                a = codes[i, d] if same_i else _bin(values[i, d], low_i, high_i, bins)
                b = codes[j, d] if same_j else _bin(values[j, d], low_j, high_j, bins)
                cells[pair, a, b] += 1


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
    """Write one side's kept values in ascending order, divided by their standard deviation; return how many, and that deviation."""
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
    place = 0
    for d in order:
        if inlier[d] and other[d]:
            kept[place] = values[d]
            place += 1
    if kept[0] == kept[count - 1]:
        return count, 0.0
    for place in range(count):
        kept[place] /= deviation
    return count, deviation


@numba.njit(cache=True, nogil=True)
def _within(ascending, place, radius, left, right):  # type: ignore[no-untyped-def]
    """How many ascending values lie within `radius` of the one at `place`; all of them are in left .. right - 1."""
    value = ascending[place]
    low, high = left, place
    while low < high:
        middle = (low + high) // 2
        if value - ascending[middle] > radius:
            low = middle + 1
        else:
            high = middle
    start = low
    low, high = place + 1, right
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] - value > radius:
            high = middle
        else:
            low = middle + 1
    return low - start


@numba.njit(cache=True, nogil=True)
def _window(ascending, count, place, radius):  # type: ignore[no-untyped-def]
    """Bounds, found by doubling steps outwards, beyond which no value lies within `radius` of the one at `place`."""
    value = ascending[place]
    step = 1
    while place - step >= 0 and value - ascending[place - step] <= radius:
        step *= 2
    left = max(place - step, 0)
    step = 1
    while place + step < count and ascending[place + step] - value <= radius:
        step *= 2
    return left, min(place + step + 1, count)


@numba.njit(cache=True, nogil=True)
def _insert(nearest, distance):  # type: ignore[no-untyped-def]
    """Put a distance among the ascending nearest ones; the farthest falls out."""
    rank = nearest.size - 1
    while rank > 0 and nearest[rank - 1] > distance:
        nearest[rank] = nearest[rank - 1]
        rank -= 1
    nearest[rank] = distance


@numba.njit(cache=True, nogil=True)
def nearest_neighbour(values, inlier, order, first, second, neighbours, digamma, result):  # type: ignore[no-untyped-def]
    """Estimator 1 for each pair: neighbours are sought outwards in the order of x until x alone is too far."""
    dimensions = values.shape[1]
    x, y_ascending, y = np.empty(dimensions), np.empty(dimensions), np.empty(dimensions)
    y_place_of, y_place = np.empty(dimensions, np.int64), np.empty(dimensions, np.int64)
    nearest = np.empty(neighbours)
    for pair in range(first.size):
        i, j = first[pair], second[pair]
        count, deviation_x = _gather(values[i], inlier[i], inlier[j], order[i], x)
        _, deviation_y = _gather(values[j], inlier[j], inlier[i], order[j], y_ascending)
        if count <= neighbours:
            result[pair] = np.nan
            continue
        if deviation_x == 0.0 or deviation_y == 0.0:
            result[pair] = 0.0
            continue
        place = 0
        for d in order[j]:
            if inlier[i, d] and inlier[j, d]:
                y_place_of[d] = place
                place += 1
        place = 0
        for d in order[i]:
            if inlier[i, d] and inlier[j, d]:
                y_place[place] = y_place_of[d]
                y[place] = y_ascending[y_place_of[d]]
                place += 1
        inside = 0.0
        for point in range(count):
            nearest[:] = np.inf
            farthest = np.inf
            left, right = point - 1, point + 1
            here_x, here_y = x[point], y[point]
            # One step to either side in turn: each side's test goes the same way until its end, which a processor foresees.
            moved = True
            while moved:
                moved = False
                if left >= 0 and here_x - x[left] < farthest:
                    distance = max(here_x - x[left], abs(y[left] - here_y))
                    if distance < farthest:
                        _insert(nearest, distance)
                        farthest = nearest[neighbours - 1]
                    left -= 1
                    moved = True
                if right < count and x[right] - here_x < farthest:
                    distance = max(x[right] - here_x, abs(y[right] - here_y))
                    if distance < farthest:
                        _insert(nearest, distance)
                        farthest = nearest[neighbours - 1]
                    right += 1
                    moved = True
            radius = np.nextafter(farthest, 0.0)
            # The search passed every x nearer than the radius, unless the radius is zero and the neighbours are ties.
            x_left, x_right = (left + 1, right) if farthest > 0.0 else (0, count)
            y_left, y_right = _window(y_ascending, count, y_place[point], radius)
            inside += digamma[_within(x, point, radius, x_left, x_right)]
            inside += digamma[_within(y_ascending, y_place[point], radius, y_left, y_right)]
        result[pair] = digamma[count] + digamma[neighbours] - inside / count
