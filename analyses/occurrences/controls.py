"""Controls from the same text: pairs of different words, and of its other repeated words, matched to the distances of the word's pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyses.occurrences.pairs import Pairs

# A distance with fewer exact matches than this borrows from its neighbours.
FEWEST_MATCHES = 4
# Control pairs where not all are measured: so many in all, and at each distance no fewer than these.
ENOUGH_KEPT, FEWEST_KEPT = 1000, 8


@dataclass(frozen=True)
class ControlPairs:
    """C pairs of other words, and for each of the N pairs of occurrences the control pairs that match its distance.

    `first`, `second`, `distance` have shape (C,): indices into the control vectors, and tokens. `weight` (N, C) has rows
    that sum to 1: the mean over a pair's matches. `largest_deviation` is the worst mismatch of distance, in tokens.
    """

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    weight: np.ndarray
    largest_deviation: int


def match_control_pairs(
    pairs: Pairs,
    control_position: np.ndarray,
    control_word: Sequence[str],
    *,
    pairs_per_distance: int | None = None,
    same_word: bool = False,
) -> ControlPairs | None:
    """All pairs of other words at the distances of `pairs`; None when the text has too few of them.

    Parameters
    ----------
    control_position : (V,) token positions of the words other than the target, increasing
    control_word : their V words, case-folded
    pairs_per_distance : keep no more at each distance, evenly spaced over the text
    same_word : take pairs of the same word, which occurs more than once, instead of pairs of different words
    """
    first, second = np.triu_indices(len(control_position), k=1)
    word = np.asarray(control_word)
    wanted = (word[first] == word[second]) == same_word
    first, second = first[wanted], second[wanted]
    distance = np.asarray(control_position)[second] - np.asarray(control_position)[first]
    if len(first) < FEWEST_MATCHES:
        return None
    chosen: dict[int, np.ndarray] = {}
    deviation = 0
    for step in sorted(set(pairs.distance.tolist())):
        difference = np.abs(distance - step)
        # The smallest window that holds enough pairs; all at exactly the wanted distance where the text has them.
        window = int(np.sort(difference)[FEWEST_MATCHES - 1])
        matches = np.flatnonzero(difference <= window)
        deviation = max(deviation, window)
        chosen[step] = matches if pairs_per_distance is None else _evenly(matches, pairs_per_distance)
    used = np.unique(np.concatenate(list(chosen.values())))
    weight = np.zeros((len(pairs), len(used)))
    for row, step in enumerate(pairs.distance.tolist()):
        weight[row, np.searchsorted(used, chosen[step])] = 1 / len(chosen[step])
    return ControlPairs(first[used], second[used], distance[used], weight, deviation)


def matched_values(control: ControlPairs, values: np.ndarray) -> np.ndarray:
    """For each pair of occurrences the mean over its control pairs: values (..., C) -> (..., N).

    Pairs with the same control pairs get the same number to the last digit: ranks must see that they are tied.
    """
    weight, place = np.unique(control.weight, axis=0, return_inverse=True)
    return np.asarray((values @ weight.T)[..., place.ravel()])


def matched_medians(control: ControlPairs, values: np.ndarray) -> np.ndarray:
    """For each pair of occurrences the median over its control pairs: values (..., C) -> (..., N).

    What is ranked against distance is held against the median. The distribution over different-word pairs is skewed to the right, and
    more so at short distances, so that most values lie below its mean there: a rank correlation would take that for a rise.
    """
    names, sets = _matches(control)
    of_set = {name: np.median(values[..., indices], axis=-1) for name, indices in sets.items()}
    return np.stack([of_set[name] for name in names], axis=-1)


def _matches(control: ControlPairs) -> tuple[list[bytes], dict[bytes, np.ndarray]]:
    """A name for the control pairs of each of the N pairs, and by it which they are: pairs at one distance have the same."""
    used = control.weight > 0
    names = [row.tobytes() for row in used]
    return names, {name: np.flatnonzero(row) for name, row in zip(names, used, strict=True)}


def leave_one_token_out(
    control: ControlPairs, values: np.ndarray, tokens: np.ndarray | None = None, *, medians: bool = False
) -> list[np.ndarray]:
    """`matched_values` (or `matched_medians`) once without each control token; a pair whose matches would all go keeps all of them.

    `tokens` names the tokens to leave out in turn, where two controls are to lose the same ones; those of `control` unless given.
    """
    left_out = tokens_of(control) if tokens is None else tokens
    return _medians_without(control, values, left_out) if medians else _means_without(control, values, left_out)


def _means_without(control: ControlPairs, values: np.ndarray, tokens: np.ndarray) -> list[np.ndarray]:
    replicates = []
    for token in tokens:
        kept = control.weight * ((control.first != token) & (control.second != token))
        total = kept.sum(axis=1, keepdims=True)
        weight = np.where(total > 0, kept / np.where(total > 0, total, 1), control.weight)
        replicates.append(values @ weight.T)
    return replicates


def _medians_without(control: ControlPairs, values: np.ndarray, tokens: np.ndarray) -> list[np.ndarray]:
    names, sets = _matches(control)
    replicates: list[dict[bytes, np.ndarray]] = [{} for _ in tokens]
    for name, indices in sets.items():
        in_order = _InOrder(values[..., indices])
        first, second = control.first[indices], control.second[indices]
        whole = in_order.median_without(np.zeros(len(indices), dtype=bool))
        for token, replicate in zip(tokens, replicates, strict=True):
            touched = (first == token) | (second == token)
            # Most tokens have no pair at a distance.
            replicate[name] = whole if touched.all() or not touched.any() else in_order.median_without(touched)
    return [np.stack([replicate[name] for name in names], axis=-1) for replicate in replicates]


class _InOrder:
    """Values (..., m) sorted once, for their median without some of them."""

    def __init__(self, values: np.ndarray) -> None:
        order = np.argsort(values, axis=-1)
        self._ascending = np.take_along_axis(values, order, axis=-1)
        self._place = np.empty_like(order)
        np.put_along_axis(self._place, order, np.broadcast_to(np.arange(values.shape[-1]), order.shape), axis=-1)
        self._missing = np.isnan(values)

    def median_without(self, left_out: np.ndarray) -> np.ndarray:
        """As `numpy.median` of the others gives it; `left_out` (m,) must not be all."""
        gone = np.sort(self._place[..., left_out], axis=-1)
        kept = int(np.count_nonzero(~left_out))

        def ranked(rank: int) -> np.ndarray:
            place = np.full(gone.shape[:-1], rank)
            for each in np.moveaxis(gone, -1, 0):
                place += each <= place
            return np.take_along_axis(self._ascending, place[..., None], axis=-1)[..., 0]

        middle = ranked(kept // 2)
        median = middle if kept % 2 else (ranked(kept // 2 - 1) + middle) / 2
        return np.where(self._missing[..., ~left_out].any(axis=-1), np.nan, median)


def tokens_of(*controls: ControlPairs) -> np.ndarray:
    """The control tokens that take part in any of the pairs."""
    return np.unique(np.concatenate([end for control in controls for end in (control.first, control.second)]))


@dataclass(frozen=True)
class Adjusted:
    """Values with a control subtracted, (..., pair), and once without each control token; for means, and for ranks.

    For means the mean over a pair's control pairs is subtracted, for ranks their median (see `matched_medians`).
    """

    values: np.ndarray
    replicates: list[np.ndarray]
    ranked: np.ndarray
    ranked_replicates: list[np.ndarray]


def subtract(control: ControlPairs, measured: np.ndarray, values: np.ndarray, tokens: np.ndarray | None = None) -> Adjusted:
    """`values` (..., N) minus the control pairs' `measured` (..., C); `tokens` as for `leave_one_token_out`."""
    return Adjusted(
        values - matched_values(control, measured),
        [values - each for each in leave_one_token_out(control, measured, tokens)],
        values - matched_medians(control, measured),
        [values - each for each in leave_one_token_out(control, measured, tokens, medians=True)],
    )


def thinned(control: ControlPairs, pairs_per_distance: int | None) -> tuple[ControlPairs, np.ndarray]:
    """The same control with at most so many pairs at each distance, evenly over the text, and their indices among its pairs.

    None keeps as many at each distance as make 1,000 in all, and at least 8: the fewer are kept, the wider is an interval that
    holds the control's error, whatever else is chosen.
    """
    keep = np.zeros(len(control.first), dtype=bool)
    at_distance = {row.tobytes(): np.flatnonzero(row) for row in control.weight > 0}
    most = pairs_per_distance or _most_at_a_distance([len(indices) for indices in at_distance.values()])
    kept_rows = {row: _evenly(indices, most) for row, indices in at_distance.items()}
    for indices in kept_rows.values():
        keep[indices] = True
    weight = np.zeros_like(control.weight)
    for row, used in zip(weight, control.weight > 0, strict=True):
        indices = kept_rows[used.tobytes()]
        row[indices] = 1 / len(indices)
    return ControlPairs(
        control.first[keep], control.second[keep], control.distance[keep], weight[:, keep], control.largest_deviation
    ), np.flatnonzero(keep)


def _most_at_a_distance(counts: Sequence[int]) -> int:
    """The greatest number of pairs at a distance with which there are enough in all, of distances that have so many."""
    within = (most for most in range(max(counts), FEWEST_KEPT, -1) if sum(min(count, most) for count in counts) <= ENOUGH_KEPT)
    return next(within, FEWEST_KEPT)


def _evenly(indices: np.ndarray, most: int) -> np.ndarray:
    if len(indices) <= most:
        return indices
    return np.asarray(indices[np.linspace(0, len(indices) - 1, most).round().astype(np.intp)])


def plain(values: np.ndarray) -> Adjusted:
    """Values with nothing subtracted."""
    return Adjusted(values, [], values, [])
