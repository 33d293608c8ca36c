"""What a user would write instead: one pair at a time, with the libraries' own functions."""

import warnings

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
BINS = 15
TRIM = 4.0
NEIGHBOURS = 3


def trimmed(x: Array, y: Array) -> tuple[Array, Array]:
    """The dimensions that neither vector has as an outlier."""
    keep = np.abs(x - x.mean()) <= TRIM * x.std(ddof=1)
    keep &= np.abs(y - y.mean()) <= TRIM * y.std(ddof=1)
    return x[keep], y[keep]


def numpy_histogram2d(x: Array, y: Array) -> float:
    """Plug-in mutual information from numpy.histogram2d with no more work around it than numpy needs."""
    joint = np.histogram2d(*trimmed(x, y), bins=BINS)[0]
    joint /= joint.sum()
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / independent[there])).sum())


def lesson(x: Array, y: Array) -> float:
    """The same the way a lesson writes it: SciPy's z-score, numpy.histogram2d, scikit-learn's mutual_info_score."""
    from scipy import stats
    from sklearn.metrics import mutual_info_score

    keep = (np.abs(stats.zscore(x, ddof=1)) <= TRIM) & (np.abs(stats.zscore(y, ddof=1)) <= TRIM)
    return float(mutual_info_score(None, None, contingency=np.histogram2d(x[keep], y[keep], bins=BINS)[0]))


def scikit_learn(x: Array, y: Array, seed: int = 0) -> float:
    """Nearest neighbours in scikit-learn, which clips at zero and adds noise of relative size 1e-10, from this seed."""
    from sklearn.feature_selection import mutual_info_regression

    kept_x, kept_y = trimmed(x, y)
    return float(mutual_info_regression(kept_x[:, None], kept_y, n_neighbors=NEIGHBOURS, random_state=seed)[0])


def scikit_learn_expected(x: Array, y: Array) -> float:
    """Plug-in minus scikit-learn's expected_mutual_information."""
    from scipy import sparse
    from sklearn.metrics import mutual_info_score
    from sklearn.metrics.cluster import expected_mutual_information

    kept_x, kept_y = trimmed(x, y)
    counts = np.histogram2d(kept_x, kept_y, bins=BINS)[0].astype(np.int64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    expected = expected_mutual_information(sparse.csr_matrix(counts), len(kept_x))
    return float(mutual_info_score(None, None, contingency=counts) - expected)


def ennemi(x: Array, y: Array) -> float:
    """Nearest neighbours in ennemi."""
    import ennemi as library

    kept_x, kept_y = trimmed(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(library.estimate_mi(kept_y, kept_x, k=NEIGHBOURS, preprocess=True)[0, 0])
