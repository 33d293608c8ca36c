"""How similar two vectors are, by three measures.

Cosine: the angle of the vectors as they are. Pearson: the same after each vector's own mean over the dimensions is taken off.
Centred: the same after the mean vector of the text's other words is taken off, in each dimension, layer and branch. What all tokens of a
layer have in common makes any two vectors alike (Ethayarajh 2019; Timkey & van Schijndel 2021); only the centred cosine is free of it.
"""

import numpy as np

from analyses.similarity.names import MEASURES

# Fewer tokens give no centre that is worth taking off.
FEWEST_TOKENS = 8


def cosine(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of the angle between vectors (..., V, D), for pairs of them (N,) -> (..., N); NaN where one is zero."""
    data = np.asarray(vectors, dtype=np.float64)
    products = data @ np.swapaxes(data, -1, -2)
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(products[..., first, second] / np.sqrt(squares[..., first] * squares[..., second]))


def pearson(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's r of the two vectors' values over the dimensions, shapes as for `cosine`."""
    data = np.asarray(vectors, dtype=np.float64)
    return cosine(data - data.mean(axis=-1, keepdims=True), first, second)


def similarities(vectors: np.ndarray, centre: np.ndarray | None, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """All measures (measure, branch, layer, N) of vectors (branch, layer, V, D).

    `centre` (branch, layer, D) is the mean that the last measure takes off; without one that measure is NaN.
    """
    data = np.asarray(vectors, dtype=np.float64)
    raw = cosine(data, first, second)
    centred = np.full(raw.shape, np.nan) if centre is None else cosine(data - centre[:, :, None], first, second)
    found = {"cosine": raw, "pearson": pearson(data, first, second), "centred": centred}
    return np.stack([found[measure] for measure in MEASURES])


def of_other_words(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The same for pairs of the other words themselves (branch, layer, V, D), each pair centred on the mean without its two tokens.

    A token that is part of its own centre would look less like the others than it is, by about 1/V: the word's occurrences are not part
    of theirs either.
    """
    data = np.asarray(vectors, dtype=np.float64)
    found = similarities(data, None, first, second)
    count = data.shape[2]
    if count < FEWEST_TOKENS:
        return found
    total = data.sum(axis=2)
    for branch in range(data.shape[0]):
        for layer in range(data.shape[1]):
            one, other = data[branch, layer, first], data[branch, layer, second]
            centre = (total[branch, layer] - one - other) / (count - 2)
            one, other = one - centre, other - centre
            with np.errstate(invalid="ignore", divide="ignore"):
                lengths = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
                found[-1, branch, layer] = (one * other).sum(axis=-1) / lengths
    return found


def centres(vectors: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The mean of vectors (branch, layer, V, D) over V, and once without each of them (V, branch, layer, D); None for too few."""
    data = np.asarray(vectors, dtype=np.float64)
    count = data.shape[2]
    if count < FEWEST_TOKENS:
        return None, None
    total = data.sum(axis=2)
    return total / count, (total[None] - np.moveaxis(data, 2, 0)) / (count - 1)
