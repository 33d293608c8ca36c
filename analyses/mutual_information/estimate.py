"""The entry points: one pair of arrays, or many pairs among shared vectors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from analyses.arrays import Array
from analyses.errors import InputError
from analyses.mutual_information.expected import expected
from analyses.mutual_information.gaussian_copula import gaussian_copula
from analyses.mutual_information.histogram import histograms, separate_pairs
from analyses.mutual_information.nearest_neighbour import nearest_neighbour
from analyses.mutual_information.trimming import Indices, Vectors, prepare
from analyses.threads import share_out, threads

Estimator = Literal["histogram", "expected", "corrected", "nearest_neighbour", "gaussian_copula"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
# An estimator, and the number of bins or of neighbours that it was given; None where there is only one.
_Key = tuple[Estimator, int | Literal["fd"] | None]
FROM_COUNTS = frozenset({"histogram", "expected", "corrected"})

# Pairs worked on at once: large enough to pay for the call, small enough to stay in the processor's cache and to share out.
CHUNK_PAIRS = 128
# A histogram takes some microseconds a pair, compiled or not, so that a call has to hold more of them.
CHUNK_PAIRS_OF_HISTOGRAM = 1024
# Values of the vectors of several blocks in one job: 2 MB of them.
JOB_VALUES = 250_000


def mutual_information(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    estimator: Estimator = "histogram",
    bins: int | Literal["fd"] = 15,
    trim: float | None = 4.0,
    neighbours: int = 3,
) -> Array:
    """Mutual information between vectors, across their dimensions.

    Parameters
    ----------
    x, y : (..., D) array_like
        Floats; the leading axes broadcast together.
    estimator : str
        "histogram" plug-in from equal-width bins; "expected" its exact mean when the dimensions of one vector are shuffled;
        "corrected" plug-in minus expected; "nearest_neighbour" Kraskov et al. (2004), estimator 1; "gaussian_copula".
    bins : int or "fd"
        Number of bins of each vector over its range, or the Freedman-Diaconis rule. Used by the first three.
    trim : float or None
        Drop, for a pair, the dimensions where either vector has abs(z) > trim (z over D, sample standard deviation); None keeps all.
    neighbours : int
        k of the nearest-neighbour estimator.

    Returns
    -------
    (...) float64
        In nats. Zero where a vector is constant over the dimensions left: it tells nothing. NaN where a vector holds a NaN or an
        infinity, and where trimming leaves fewer than two dimensions, or no more than `neighbours` for "nearest_neighbour".

    Raises
    ------
    InputError
        An unknown estimator, or bins, trim or neighbours out of range.
    ValueError
        x and y differ in D or do not broadcast.

    Examples
    --------
    A fair coin tells everything about itself, ln 2 nats (one bit), and nothing about another coin:

    >>> import numpy as np
    >>> from analyses.mutual_information import mutual_information
    >>> coin = np.tile([0.0, 0.0, 1.0, 1.0], 25)
    >>> other = np.tile([0.0, 1.0, 0.0, 1.0], 25)
    >>> print(f"{mutual_information(coin, coin):.4f}, {mutual_information(coin, other):.4f}")
    0.6931, 0.0000

    Normal values of correlation r share -ln(1 - r^2) / 2 nats, .511 for r = .8. The nearest neighbours find it; 15 x 15 bins
    filled with 576 values only are biased upward, and the bias is what shuffled values would give:

    >>> generator = np.random.default_rng(0)
    >>> x, noise = generator.normal(size=(2, 200, 576))
    >>> y = 0.8 * x + 0.6 * noise
    >>> names = ("histogram", "corrected", "nearest_neighbour")
    >>> for name in names:
    ...     print(f"{name:17} {mutual_information(x, y, name).mean():.1f}")
    histogram         0.6
    corrected         0.4
    nearest_neighbour 0.5
    """
    left, right = np.asarray(x), np.asarray(y)
    if left.ndim == 0 or right.ndim == 0 or left.shape[-1] != right.shape[-1]:
        raise ValueError(f"x and y must both be (..., D) with the same D, got {left.shape} and {right.shape}")
    shape = np.broadcast_shapes(left.shape[:-1], right.shape[:-1])
    dimensions = left.shape[-1]
    left_rows, right_rows = left.reshape(-1, dimensions), right.reshape(-1, dimensions)
    if left.shape == right.shape:
        _check((estimator,), (bins,), trim, (neighbours,))
        return _of_separate(left_rows, right_rows, estimator, bins, trim, neighbours).reshape(shape)
    # Indices broadcast, not vectors: each vector is sorted and binned once however many others it meets.
    first = np.broadcast_to(np.arange(len(left_rows)).reshape(left.shape[:-1]), shape).ravel()
    second = np.broadcast_to(np.arange(len(right_rows)).reshape(right.shape[:-1]), shape).ravel() + len(left_rows)
    vectors = np.concatenate([left_rows, right_rows])
    result = pairwise_mutual_information(vectors, first, second, (estimator,), bins, trim, neighbours)
    return result[estimator].reshape(shape)


def _of_separate(
    left: npt.NDArray[Any], right: npt.NDArray[Any], estimator: Estimator, bins: int | Literal["fd"], trim: float | None, neighbours: int
) -> Array:
    """The estimates (P,) of pairs of vectors (P, D) none of which meets another."""
    values = np.empty(len(left))
    rest = np.ones(len(left), dtype=bool)
    if estimator == "histogram":

        def estimate(part: slice) -> None:
            values[part], usual = separate_pairs(left[part], right[part], trim, bins)
            rest[part] = ~usual

        together = max(JOB_VALUES // max(2 * left.shape[1], 1), 1)
        for _ in share_out(estimate, [slice(start, start + together) for start in range(0, len(left), together)]):
            pass
    if rest.any():
        x, y = (left, right) if rest.all() else (left[rest], right[rest])
        # Stacked a few at a time: a copy of everything would leave the processor's cache.
        blocks = _Blocks(len(x), 2, x.shape[1], lambda part: np.stack([x[part], y[part]], axis=1))
        values[rest] = _of_blocks(blocks, [0], [1], [(estimator, None)], (bins,), trim, (neighbours,))[estimator, None][:, 0]
    return values


def pairwise_mutual_information(
    vectors: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    estimators: Sequence[Estimator] = ("histogram", "corrected", "nearest_neighbour"),
    bins: int | Literal["fd"] = 15,
    trim: float | None = 4.0,
    neighbours: int = 3,
    advance: Callable[[int], None] | None = None,
) -> dict[Estimator, Array]:
    """Mutual information of many pairs among the same vectors; the values are those of `mutual_information`.

    Trimming, sorting and binning are done once per vector, the joint histogram once for all estimators that need it.

    Parameters
    ----------
    vectors : (..., V, D) array_like
        For example (branch, layer, occurrence, dimension).
    first, second : (P,) array_like of int
        Indices into V.
    estimators : sequence of str
        Any of `ESTIMATORS`.
    bins, trim, neighbours
        As for `mutual_information`.
    advance : function, optional
        Called with the number of pairs finished since the last call; (...) times P in all.

    Returns
    -------
    dict of str to (..., P) float64
        The estimates of each estimator, in nats.

    Raises
    ------
    InputError
        As `mutual_information`.

    Examples
    --------
    Three vectors, three pairs; the first two are one and the same coin:

    >>> import numpy as np
    >>> from analyses.mutual_information import pairwise_mutual_information
    >>> vectors = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    >>> found = pairwise_mutual_information(vectors, [0, 0, 1], [1, 2, 2], ["histogram"])
    >>> found["histogram"].round(4).tolist()
    [0.6931, 0.0, 0.0]
    """
    _check(estimators, (bins,), trim, (neighbours,))
    found = _of_many(vectors, first, second, [(name, None) for name in estimators], (bins,), trim, (neighbours,), advance)
    return {name: found[name, None] for name in estimators}


def pairwise_under_choices(
    vectors: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    bins: Sequence[int | Literal["fd"]],
    neighbours: Sequence[int],
    estimators: Sequence[Estimator] = ESTIMATORS,
    trim: float | None = 4.0,
    known: tuple[float | None, Mapping[tuple[Estimator, int | Literal["fd"] | None], Array]] | None = None,
    advance: Callable[[int], None] | None = None,
) -> dict[tuple[Estimator, int | Literal["fd"] | None], Array]:
    """Some estimators under several choices of bins and neighbours, of the same pairs, as `pairwise_mutual_information` gives them.

    What the choices share is done once: trimming, sorting, and the search for neighbours, which finds the fewer on the way to the many.

    Parameters
    ----------
    vectors, first, second
        As for `pairwise_mutual_information`.
    bins : sequence of int or "fd"
        The numbers of bins, or the Freedman-Diaconis rule.
    neighbours : sequence of int
        The k of the nearest-neighbour estimator.
    estimators : sequence of str
        Any of `ESTIMATORS`.
    trim
        As for `mutual_information`.
    known : pair of a trimming and a dict like the one that is returned, optional
        Another trimming, and what it gave by the same choices: a pair that keeps the same dimensions under both is not estimated again.
    advance
        As for `pairwise_mutual_information`.

    Returns
    -------
    dict of (estimator, choice) to (..., P) float64
        The choice is the number of bins or "fd", the number of neighbours, and None for the Gaussian copula.
    """
    names: list[_Key] = []
    for estimator in estimators:
        choices = bins if estimator in FROM_COUNTS else neighbours if estimator == "nearest_neighbour" else (None,)
        names += [(estimator, choice) for choice in choices]
    _check(estimators, bins, trim, neighbours)
    return _of_many(vectors, first, second, names, bins, trim, neighbours, advance, known)


def _of_many(
    vectors: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    names: Sequence[_Key],
    bins: Sequence[int | Literal["fd"]],
    trim: float | None,
    neighbours: Sequence[int],
    advance: Callable[[int], None] | None,
    known: tuple[float | None, Mapping[_Key, Array]] | None = None,
) -> dict[_Key, Array]:
    data = np.asarray(vectors)
    blocks = data.reshape(-1, *data.shape[-2:])
    taken = _Blocks(len(blocks), data.shape[-2], data.shape[-1], blocks.__getitem__)
    flat = None if known is None else (known[0], {name: known[1][name].reshape(len(blocks), -1) for name in names})
    values = _of_blocks(taken, first, second, names, bins, trim, neighbours, advance, flat)
    return {name: array.reshape(*data.shape[:-2], -1) for name, array in values.items()}


class _Blocks(NamedTuple):
    """`number` sets of `vectors` vectors, (vectors, dimensions) each; `take` gives some of them."""

    number: int
    vectors: int
    dimensions: int
    take: Callable[[slice], npt.NDArray[Any]]


def _of_blocks(
    blocks: _Blocks,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    names: Sequence[_Key],
    bins: Sequence[int | Literal["fd"]],
    trim: float | None,
    neighbours: Sequence[int],
    advance: Callable[[int], None] | None = None,
    known: tuple[float | None, Mapping[_Key, Array]] | None = None,
) -> dict[_Key, Array]:
    """The pairs' estimates in each block, (count, P), where not `known` by another trimming that keeps the same dimensions of a pair."""
    left, right = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp)
    values: dict[_Key, Array] = {name: np.empty((blocks.number, len(left))) for name in names}
    histogram_only = {estimator for estimator, _ in names} == {"histogram"}

    def prepared(part: slice) -> _Prepared:
        vectors = blocks.take(part).reshape(-1, blocks.dimensions)
        return _Prepared(prepare(vectors, trim), None if known is None else prepare(vectors, known[0]))

    def estimate(job: _Job) -> int:
        count = job.blocks.stop - job.blocks.start
        shift = np.arange(count)[:, None] * blocks.vectors
        pairs = (left[job.pairs] + shift).ravel(), (right[job.pairs] + shift).ravel()
        vectors, others = job.prepared or prepared(job.blocks)
        if others is None or known is None:
            estimates = _estimate(vectors, *pairs, names, bins, neighbours)
        else:
            afresh = np.flatnonzero((vectors.kept(*pairs) != others.kept(*pairs)).any(axis=1))
            estimates = {name: known[1][name][job.blocks, job.pairs].flatten() for name in names}
            for name, array in _estimate(vectors, pairs[0][afresh], pairs[1][afresh], names, bins, neighbours).items():
                estimates[name][afresh] = array
        for name, array in values.items():
            array[job.blocks, job.pairs] = estimates[name].reshape(count, -1)
        return len(pairs[0])

    for jobs in _jobs(blocks, len(left), CHUNK_PAIRS_OF_HISTOGRAM if histogram_only else CHUNK_PAIRS, prepared):
        for done in share_out(estimate, jobs):
            if advance is not None:
                advance(done)
    return values


class _Prepared(NamedTuple):
    """The vectors of some blocks, and the same by the trimming whose estimates are known, if any."""

    vectors: Vectors
    others: Vectors | None


class _Job(NamedTuple):
    """Some pairs of some blocks; blocks that several jobs share come prepared."""

    blocks: slice
    pairs: slice
    prepared: _Prepared | None


def _jobs(blocks: _Blocks, pairs: int, chunk: int, prepared: Callable[[slice], _Prepared]) -> Iterator[list[_Job]]:
    """Share the pairs out: several whole blocks to a job where they are small, several jobs to a block where it is large."""
    if pairs > chunk:
        for index in range(blocks.number):
            block = slice(index, index + 1)
            vectors = prepared(block)
            yield [_Job(block, slice(start, min(start + chunk, pairs)), vectors) for start in range(0, pairs, chunk)]
    elif pairs > 0:
        fitting = JOB_VALUES // max(blocks.vectors * blocks.dimensions, 1)
        together = max(min(chunk // pairs, fitting), 1)
        # Equally many for every worker, so that none waits for another's last job.
        rounds = -(-blocks.number // (together * threads()))
        together = -(-blocks.number // max(rounds * threads(), 1))
        starts = range(0, blocks.number, together)
        yield [_Job(slice(start, min(start + together, blocks.number)), slice(0, pairs), None) for start in starts]


def _estimate(
    vectors: Vectors,
    first: Indices,
    second: Indices,
    names: Sequence[_Key],
    bins: Sequence[int | Literal["fd"]],
    neighbours: Sequence[int],
) -> dict[_Key, Array]:
    """Each estimator under each choice; under `None`, where it is the only one."""
    result: dict[_Key, Array] = {}
    wanted = {estimator for estimator, _ in names}
    if FROM_COUNTS.intersection(wanted):
        for choice in bins:
            counts = histograms(vectors, first, second, choice)
            plug_in = result["histogram", choice] = np.where(counts.total < 2, np.nan, counts.plug_in)
            if {"expected", "corrected"}.intersection(wanted):
                mean = result["expected", choice] = np.where(counts.total < 2, np.nan, expected(counts))
                result["corrected", choice] = plug_in - mean
    if "nearest_neighbour" in wanted:
        found = nearest_neighbour(vectors, first, second, neighbours)
        result |= {("nearest_neighbour", k): row for k, row in zip(neighbours, found, strict=True)}
    if "gaussian_copula" in wanted:
        result["gaussian_copula", None] = gaussian_copula(vectors, first, second)
    usable = vectors.finite[first] & vectors.finite[second]
    only = {estimator: array for (estimator, _), array in result.items()}
    return {name: np.where(usable, result[name] if name in result else only[name[0]], np.nan) for name in names}


def _check(estimators: Sequence[Estimator], bins: Sequence[int | str], trim: float | None, neighbours: Sequence[int]) -> None:
    for name in estimators:
        if name not in ESTIMATORS:
            raise InputError(f"estimator {name!r} is unknown: choose one of {', '.join(ESTIMATORS)}")
    for choice in bins:
        if choice != "fd" and not (isinstance(choice, int) and 2 <= choice <= 1000):
            raise InputError(f"bins is {choice!r}: give a whole number from 2 to 1000, or fd")
    if trim is not None and not trim > 0:
        raise InputError(f"trim is {trim!r}: give a positive number of standard deviations, or none to keep every dimension")
    for k in neighbours:
        if k < 1:
            raise InputError(f"neighbours is {k!r}: give a whole number of at least 1")
