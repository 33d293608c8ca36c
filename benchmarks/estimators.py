"""Mutual information of a pair: our estimators against loops over the libraries', in one process. Prints rows as JSON."""

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analyses.acceleration import SWITCH, kernels
from analyses.memory import keep_free_memory
from analyses.mutual_information import Estimator, mutual_information, pairwise_mutual_information
from benchmarks import peers
from benchmarks.measure import Row, at_most, compared, in_turn

Array = npt.NDArray[np.float64]
Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]

# First goals of the design: times as fast as the loop, at D = 576 and 1600, with numba and without, for the pairs of a study, whose
# vectors meet several times each.
_GOALS = {
    ("histogram", True): (90, 42),
    ("histogram", False): (27, 10),
    ("nearest_neighbour", True): (27, 11),
    ("nearest_neighbour", False): (4, 4),
}

# The same for pairs each of which has two vectors of its own: against the leanest loop, and against scikit-learn.
_GOALS_OF_SEPARATE_PAIRS: dict[Estimator, int] = {"histogram": 40, "nearest_neighbour": 20}

# Of two loops over numpy.histogram2d the lesson's is the one that took about 800 us a pair where the goals were set; the other
# is the leanest that numpy allows, and its ratios stand beside.
LESSON, LEANEST = "zscore, numpy.histogram2d, mutual_info_score", "leanest loop over numpy.histogram2d"
_SCIKIT_LEARN = "scikit-learn mutual_info_regression"
# Pairs of vectors of their own: 75 MB at D = 1600, far more than a processor keeps at hand.
_SEPARATE_PAIRS = 3000
NOTES = {LESSON: "the loop took 800 us where the goal was set", LEANEST: "no goal was set against this loop"}


def random_vectors(layers: int, occurrences: int, dimensions: int, seed: int = 0) -> Array:
    """(2, layers, occurrences, dimensions) with what activations have: a shared part, and heavy tails so that trimming bites."""
    generator = np.random.default_rng(seed)
    shared = generator.standard_t(5, size=(2, layers, 1, dimensions))
    return np.asarray(0.6 * shared + 0.8 * generator.standard_t(5, size=(2, layers, occurrences, dimensions)))


@contextmanager
def numba(wanted: bool) -> Iterator[None]:
    """With the compiled kernels or without."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "1" if wanted else "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before


@contextmanager
def one_core() -> Iterator[None]:
    """On one core only, as the loops are."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _whole_study(vectors: Array, estimator: Estimator, compiled: bool, alone: bool = False) -> Callable[[], object]:
    first, second = np.triu_indices(vectors.shape[-2], 1)

    def run() -> object:
        with numba(compiled):
            if alone:
                with one_core():
                    return pairwise_mutual_information(vectors, first, second, (estimator,))
            return pairwise_mutual_information(vectors, first, second, (estimator,))

    return run


def _loop(vectors: Array, function: Callable[[Array, Array], float], count: int) -> Callable[[], object]:
    return _loop_over(_some_pairs(vectors, count), function)


def _loop_over(pairs: list[tuple[Array, Array]], function: Callable[[Array, Array], float]) -> Callable[[], object]:
    return lambda: [function(x, y) for x, y in pairs]


def _some_pairs(vectors: Array, count: int) -> list[tuple[Array, Array]]:
    """Pairs spread evenly over branches and layers."""
    first, second = np.triu_indices(vectors.shape[-2], 1)
    every = np.linspace(0, vectors.shape[0] * vectors.shape[1] * len(first) - 1, count).astype(int)
    blocks = vectors.reshape(-1, *vectors.shape[-2:])
    return [(blocks[i // len(first)][first[i % len(first)]], blocks[i // len(first)][second[i % len(first)]]) for i in every]


def _rows(vectors: Array, place: int, what: str, rounds: int, peer_pairs: int) -> list[Row]:
    ours: dict[str, tuple[Estimator, bool, bool]] = {
        "histogram, numba": ("histogram", True, False),
        "histogram, numba, one core": ("histogram", True, True),
        "histogram, numpy": ("histogram", False, False),
        "corrected, numba": ("corrected", True, False),
        "nearest neighbour, numba": ("nearest_neighbour", True, False),
        "nearest neighbour, numba, one core": ("nearest_neighbour", True, True),
        "nearest neighbour, numpy": ("nearest_neighbour", False, False),
    }
    if kernels("mutual_information") is None:
        ours = {name: variant for name, variant in ours.items() if not variant[1]}
    if not hasattr(os, "sched_setaffinity"):
        ours = {name: variant for name, variant in ours.items() if not variant[2]}
    theirs = {
        LESSON: peers.lesson,
        LEANEST: peers.numpy_histogram2d,
        "scikit-learn expected_mutual_information": peers.scikit_learn_expected,
        _SCIKIT_LEARN: peers.scikit_learn,
    }
    if importlib.util.find_spec("ennemi") is not None:
        theirs["ennemi"] = peers.ennemi
    study_pairs = vectors.shape[0] * vectors.shape[1] * vectors.shape[2] * (vectors.shape[2] - 1) // 2
    # A loop in numpy alone takes minutes over the nearest neighbours of a whole study: its layers are thinned.
    thinned = vectors[:, :: max(vectors.shape[1] // 4, 1)]
    thinned_pairs = study_pairs * thinned.shape[1] // vectors.shape[1]
    contenders: dict[str, Callable[[], object]] = {}
    pairs: dict[str, int] = {}
    for name, (estimator, compiled, alone) in ours.items():
        slow = estimator == "nearest_neighbour"
        contenders[name] = _whole_study(thinned if slow else vectors, estimator, compiled, alone)
        pairs[name] = thinned_pairs if slow else study_pairs
    for name, function in theirs.items():
        pairs[name] = peer_pairs
        contenders[name] = _loop(vectors, function, peer_pairs)
    seconds = in_turn(contenders, rounds)
    each = {name: [value / pairs[name] * 1e6 for value in values] for name, values in seconds.items()}

    rows = []
    for name, (estimator, compiled, alone) in ours.items():
        goals = _GOALS.get((estimator, compiled))
        goal = goals[place] if goals is not None and not alone else None
        against = {"histogram": list(theirs)[:2], "corrected": list(theirs)[2:3]}.get(estimator, list(theirs)[3:])
        for peer in against:
            held = goal if peer == against[0] else None
            note = NOTES.get(peer, "") if goal is not None else ""
            rows.append(
                compared("estimators", f"{name}, pairs of a study, {what}", peer, "us a pair", each[name], each[peer], goal=held, note=note)
            )
    return rows


def _rows_of_separate_pairs(dimensions: int, rounds: int, peer_pairs: int) -> list[Row]:
    """`mutual_information` of pairs that share no vector, against what a user would write for one pair."""
    rows = []
    x, y = random_vectors(1, 2 * _SEPARATE_PAIRS, dimensions)[0, 0].reshape(2, _SEPARATE_PAIRS, dimensions)
    theirs = {"histogram": (LEANEST, peers.numpy_histogram2d), "nearest_neighbour": (_SCIKIT_LEARN, peers.scikit_learn)}
    for estimator, goal in _GOALS_OF_SEPARATE_PAIRS.items():
        name, function = theirs[estimator]
        # Nearest neighbours take a hundred times as long.
        pairs = _SEPARATE_PAIRS if estimator == "histogram" else _SEPARATE_PAIRS // 8
        contenders: dict[str, Callable[[], object]] = {
            "ours": partial(mutual_information, x[:pairs], y[:pairs], estimator),
            "theirs": _loop_over(list(zip(x[:peer_pairs], y[:peer_pairs], strict=True)), function),
        }
        seconds = in_turn(contenders, rounds)
        ours = [value / pairs * 1e6 for value in seconds["ours"]]
        loop = [value / peer_pairs * 1e6 for value in seconds["theirs"]]
        what = f"{estimator.replace('_', ' ')}, separate pairs, D = {dimensions}"
        held = goal if kernels("mutual_information") is not None else None
        rows.append(compared("estimators", what, name, "us a pair", ours, loop, goal=held))
    return rows


def _differences(vectors: Array, what: str, count: int) -> list[Row]:
    chosen = _some_pairs(vectors, count)
    stacked = np.array(chosen)
    rows = []
    checks: list[tuple[Estimator, Callable[[Array, Array], float], str, float]] = [
        ("histogram", peers.numpy_histogram2d, "numpy.histogram2d", 1e-12),
        ("nearest_neighbour", _scikit_learn_alone, "scikit-learn, where it is not clipped and equal distances leave it as it is", 1e-9),
    ]
    for estimator, function, name, goal in checks:
        theirs = np.array([function(x, y) for x, y in chosen])
        for compiled in [True, False] if kernels("mutual_information") is not None else [False]:
            with numba(compiled):
                ours = pairwise_mutual_information(stacked, [0], [1], (estimator,))[estimator][:, 0]
            away = float(np.abs(ours - theirs)[theirs > 0].max())
            which = f"{estimator.replace('_', ' ')}, {'numba' if compiled else 'numpy'}"
            rows.append(at_most("values", f"{which}, {what}: largest difference from {name}", "nats", away, goal))
    return rows


def _scikit_learn_alone(x: Array, y: Array) -> float:
    """Scikit-learn's estimate; zero, as if it were clipped, where the noise that it adds decides between equal distances."""
    one, other = (peers.scikit_learn(x, y, seed) for seed in (0, 1))
    return one if abs(one - other) < 1e-9 else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--activations", type=Path, help=".npy of real activations (2, L, T, D)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer-pairs", type=int, default=24)
    options = parser.parse_args()
    # As on the command line; the loops of the other libraries gain by it too.
    keep_free_memory()
    small = np.load(options.activations) if options.activations else random_vectors(30, 7, 576)
    kind = "coffee study" if options.activations else "random vectors"
    small = small.astype(np.float64)
    large = random_vectors(48, 7, 1600)
    rows = _rows(small, 0, f"D = {small.shape[-1]}", options.rounds, options.peer_pairs)
    rows += _rows(large, 1, "D = 1600", options.rounds, options.peer_pairs)
    for dimensions in (576, 1600):
        rows += _rows_of_separate_pairs(dimensions, options.rounds, options.peer_pairs)
    rows += _differences(small, f"D = {small.shape[-1]}, {kind}", 60) + _differences(large, "D = 1600", 30)
    sys.stdout.write(json.dumps([row.plain() for row in rows]) + "\n")


if __name__ == "__main__":
    main()
