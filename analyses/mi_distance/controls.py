"""Different-word control: pairs of different words of the same text, matched to the token distances of the target word's pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyses.mi_distance.pairs import Pairs

# A distance with fewer exact matches than this borrows from its neighbours.
FEWEST_MATCHES = 4


@dataclass(frozen=True)
class ControlPairs:
    """C pairs of different words, and for each of the N pairs of occurrences the control pairs that match its distance.

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
    pairs_per_distance: int,
    seed: int,
) -> ControlPairs | None:
    """Choose different-word pairs at the distances of `pairs`; None when the text has too few other words.

    Parameters
    ----------
    control_position : (V,) token positions of the words other than the target, increasing
    control_word : their V words, case-folded: a pair of the same word is no control
    """
    first, second = np.triu_indices(len(control_position), k=1)
    word = np.asarray(control_word)
    different = word[first] != word[second]
    first, second = first[different], second[different]
    distance = np.asarray(control_position)[second] - np.asarray(control_position)[first]
    if len(first) < FEWEST_MATCHES:
        return None
    generator = np.random.default_rng(seed)
    chosen: dict[int, np.ndarray] = {}
    deviation = 0
    for wanted in sorted(set(pairs.distance.tolist())):
        difference = np.abs(distance - wanted)
        # The smallest window that holds enough pairs; all at exactly the wanted distance where the text has them.
        window = int(np.sort(difference)[FEWEST_MATCHES - 1])
        matches = np.flatnonzero(difference <= window)
        deviation = max(deviation, window)
        if len(matches) > pairs_per_distance:
            matches = np.sort(generator.choice(matches, pairs_per_distance, replace=False))
        chosen[wanted] = matches
    used = np.unique(np.concatenate(list(chosen.values())))
    weight = np.zeros((len(pairs), len(used)))
    for row, wanted in enumerate(pairs.distance.tolist()):
        weight[row, np.searchsorted(used, chosen[wanted])] = 1 / len(chosen[wanted])
    return ControlPairs(first[used], second[used], distance[used], weight, deviation)


def matched_values(control: ControlPairs, values: np.ndarray) -> np.ndarray:
    """For each pair of occurrences the mean over its control pairs: values (..., C) -> (..., N)."""
    return values @ control.weight.T


def leave_one_token_out(control: ControlPairs, values: np.ndarray) -> list[np.ndarray]:
    """`matched_values` once without each control token; a pair whose matches would all go keeps its mean over all of them."""
    replicates = []
    for token in np.unique(np.concatenate([control.first, control.second])):
        kept = control.weight * ((control.first != token) & (control.second != token))
        total = kept.sum(axis=1, keepdims=True)
        weight = np.where(total > 0, kept / np.where(total > 0, total, 1), control.weight)
        replicates.append(values @ weight.T)
    return replicates


def draw_means(control: ControlPairs, values: np.ndarray, *, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one control pair for every pair of occurrences, many times over.

    Returns
    -------
    choice : (draw, N) indices of control pairs
    means : (..., draw) the mean over the N drawn pairs, from values (..., C)
    """
    generator = np.random.default_rng(seed)
    columns = []
    for row in control.weight:
        matches = np.flatnonzero(row)
        columns.append(generator.choice(matches, draws))
    choice = np.stack(columns, axis=1)
    means = np.stack([values[..., indices].mean(axis=-1) for indices in choice], axis=-1)
    return choice, means
