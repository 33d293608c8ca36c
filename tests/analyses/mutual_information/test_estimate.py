import numpy as np
import pytest
import scipy.sparse
from scipy import special, stats
from sklearn.feature_selection import mutual_info_regression
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import expected_mutual_information

from analyses.acceleration import kernels
from analyses.errors import InputError
from analyses.mutual_information import ESTIMATORS, mutual_information, pairwise_mutual_information, pairwise_under_choices
from analyses.mutual_information.nearest_neighbour import _within


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def path(request, monkeypatch):
    """Every test runs with the compiled kernels and without."""
    if request.param == "numpy":
        monkeypatch.setenv("REPORTGEN_NUMBA", "0")
    else:
        monkeypatch.delenv("REPORTGEN_NUMBA", raising=False)
        if kernels("mutual_information") is None:
            pytest.skip("numba is not installed")
    return request.param


def gaussian(rho, count, seed, repeats=1):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(repeats, count))
    return x, rho * x + np.sqrt(1 - rho**2) * generator.normal(size=(repeats, count))


def heavy_tailed(seed, shape):
    return np.random.default_rng(seed).standard_t(3, size=shape)


def trimmed(x, y, limit=4.0):
    keep = (np.abs(stats.zscore(x, ddof=1)) <= limit) & (np.abs(stats.zscore(y, ddof=1)) <= limit)
    return x[keep], y[keep]


def plug_in_by_histogram2d(x, y, bins):
    counts = np.histogram2d(x, y, bins=bins)[0]
    return mutual_info_score(None, None, contingency=counts.astype(int))


# Histogram


@pytest.mark.parametrize("bins", [15, 4])
@pytest.mark.parametrize("kind", ["continuous", "float32", "on the edges"])
def test_histogram_equals_numpy_histogram2d_and_sklearn(bins, kind):
    x, y = heavy_tailed(0, (2, 8, 576))
    if kind == "float32":
        x, y = x.astype(np.float32), y.astype(np.float32)
    if kind == "on the edges":  # a grid, so that many values lie on an edge between bins
        x, y = np.round(x), np.round(y * 3) / 30
    expected = [plug_in_by_histogram2d(*trimmed(a.astype(float), b.astype(float)), bins) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(mutual_information(x, y, bins=bins), expected, rtol=0, atol=1e-12)


def test_outliers_in_the_same_dimensions_of_many_vectors():
    """As massive activations are; where one vector holds its largest inlier there, its bins change with each of the others, alike."""
    vectors = np.random.default_rng(23).normal(size=(8, 300))
    vectors[2:, 40], vectors[:2, 40] = 50.0, 3.9
    vectors[5:, 41], vectors[:5, 41] = -60.0, -3.8
    first, second = np.triu_indices(8, 1)
    values = pairwise_mutual_information(vectors, first, second, ["histogram"])["histogram"]
    expected = [plug_in_by_histogram2d(*trimmed(vectors[i], vectors[j]), 15) for i, j in zip(first, second, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("trim", [4.0, 1.0, None])
def test_pairs_that_meet_nobody_else_are_those_of_a_study(trim):
    """Each is read once only, summed in another order; a value at the limit of trimming falls on numpy's side all the same."""
    x, y = heavy_tailed(31, (2, 12, 333))
    # One unit from zero, the sample standard deviation with 333 values: all of these lie at the limit of one deviation.
    x[0] = np.where(np.arange(333) % 2 == 0, -1.0, 1.0) * np.sqrt(332 / 333)
    x[0, 0] = 0.0
    x[1], y[2] = 3.0, np.arange(333.0)
    x[3] *= 1e-130
    y[4] *= 1e130
    x[5] += 1e9
    y[6, 7] = np.nan
    x[7, :300] = 0.1
    y[8] = np.round(y[8])
    x[9, 100] = -np.inf
    found = mutual_information(x, y, trim=trim)
    vectors = np.stack([x, y], axis=1)
    of_study = pairwise_mutual_information(vectors, [0], [1], ["histogram", "corrected"], trim=trim)["histogram"][:, 0]
    np.testing.assert_array_equal(found, of_study)
    assert np.isnan(found).tolist() == [index in (6, 9) for index in range(12)]


def test_arrays_of_any_kind_are_read():
    x, y = np.round(100 * heavy_tailed(32, (2, 4, 100)))
    expected = mutual_information(x, y)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(mutual_information(frozen, np.asfortranarray(y)), expected)
    np.testing.assert_array_equal(mutual_information(x.astype(np.int64), y.astype(np.float32)), expected)
    np.testing.assert_array_equal(mutual_information(np.repeat(x, 2, axis=1)[:, ::2], y[::-1].copy()[::-1]), expected)


def test_freedman_diaconis_bins_are_numpys():
    x, y = np.random.default_rng(1).normal(size=(2, 6, 400))
    y = y + y**3 / 30
    expected = []
    for a, b in zip(x, y, strict=True):
        a, b = trimmed(a, b)
        sides = [len(np.histogram_bin_edges(side, "fd")) - 1 for side in (a, b)]
        expected.append(plug_in_by_histogram2d(a, b, sides))
    np.testing.assert_allclose(mutual_information(x, y, bins="fd"), expected, rtol=0, atol=1e-12)


def test_freedman_diaconis_stops_at_128_bins_and_at_a_zero_spread():
    heavy = np.random.default_rng(2).standard_cauchy(400)
    assert mutual_information(heavy, heavy, bins="fd", trim=None) == pytest.approx(plug_in_by_histogram2d(heavy, heavy, 128), abs=1e-12)
    mostly_zero = np.where(np.arange(400) < 390, 0.0, heavy)
    assert mutual_information(mostly_zero, heavy, bins="fd", trim=None) == 0.0


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ([[1, 2, 3], [6, 5, 4]], 0.034505),  # R package entropy: the example of mi.empirical
        ([[10, 20], [30, 5]], 0.1516708),  # G / 2N of the contingency table
    ],
)
def test_tables_with_a_known_value(table, value):
    rows, columns = np.indices(np.shape(table)).reshape(2, -1)
    x, y = np.repeat(rows, np.ravel(table)), np.repeat(columns, np.ravel(table))
    # As many bins as values in the longer side keep every cell of the table apart.
    assert mutual_information(x.astype(float), y.astype(float), bins=3, trim=None) == pytest.approx(value, abs=5e-7)


def test_mutual_information_with_itself_is_the_entropy():
    x = heavy_tailed(2, (5, 576))
    for row, value in zip(x, mutual_information(x, x, trim=None), strict=True):
        counts = np.histogram(row, 15)[0]
        assert value == pytest.approx(stats.entropy(counts), abs=1e-12)
        assert value <= np.log(15)


def test_mutual_information_is_between_zero_and_the_smaller_entropy():
    x, y = gaussian(0.7, 576, 3, repeats=20)
    value = mutual_information(x, y, trim=None)
    entropies = np.minimum(mutual_information(x, x, trim=None), mutual_information(y, y, trim=None))
    assert (value >= 0).all()
    assert (value <= entropies + 1e-12).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_symmetry(estimator):
    x, y = gaussian(0.5, 576, 4, repeats=5)
    np.testing.assert_allclose(mutual_information(x, y, estimator), mutual_information(y, x, estimator), rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_change_of_scale_and_origin_changes_nothing(estimator):
    x, y = heavy_tailed(5, (2, 5, 576))
    moved = mutual_information(8 * x + 2, 0.25 * y - 1, estimator)
    np.testing.assert_allclose(moved, mutual_information(x, y, estimator), rtol=0, atol=1e-9)


# Trimming


@pytest.mark.parametrize("estimator", ["histogram", "nearest_neighbour", "gaussian_copula"])
def test_trimming_drops_a_dimension_from_both_sides(estimator):
    x, y = gaussian(0.6, 300, 6)
    x, y = x[0], y[0]
    x[17], y[203] = 40.0, -60.0
    rest = np.delete(np.arange(300), [17, 203])
    expected = mutual_information(x[rest], y[rest], estimator, trim=None)
    assert mutual_information(x, y, estimator) == pytest.approx(expected, abs=1e-12)
    assert mutual_information(x, y, estimator, trim=None) != pytest.approx(expected, abs=1e-6)


# Expected and corrected


@pytest.mark.parametrize("count", [60, 576, 1600])
def test_expected_equals_sklearn(count):
    x, y = heavy_tailed(7, (2, 4, count))
    reference = []
    for a, b in zip(x, y, strict=True):
        counts = np.histogram2d(a, b, 15)[0].astype(int)
        counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
        reference.append(expected_mutual_information(scipy.sparse.csr_matrix(counts), count))
    np.testing.assert_allclose(mutual_information(x, y, "expected", trim=None), reference, rtol=0, atol=1e-11)


def test_expected_is_the_mean_over_relabellings():
    generator = np.random.default_rng(8)
    x, y = gaussian(0.6, 100, 8)
    shuffled = mutual_information(x, generator.permuted(np.repeat(y, 4000, axis=0), axis=1), bins=5, trim=None)
    tolerance = 4 * shuffled.std() / np.sqrt(4000)
    assert mutual_information(x[0], y[0], "expected", bins=5, trim=None) == pytest.approx(shuffled.mean(), abs=tolerance)


def test_expected_by_enumeration():
    # Row and column sums (1, 1): both relabellings give ln 2.
    assert mutual_information([0.0, 1.0], [0.0, 1.0], "expected", bins=2, trim=None) == pytest.approx(np.log(2))
    # Sums (1, 3) and (1, 3): the single points meet with probability 1/4 (MI = H), else three cells 1, 1, 2.
    entropy = stats.entropy([1, 3])
    apart = 2 * entropy - stats.entropy([1, 1, 2])
    value = mutual_information([0.0, 1, 1, 1], [0.0, 1, 1, 1], "expected", bins=2, trim=None)
    assert value == pytest.approx(entropy / 4 + 3 * apart / 4)


def test_corrected_is_the_difference():
    x, y = gaussian(0.4, 576, 9, repeats=6)
    difference = mutual_information(x, y, "histogram") - mutual_information(x, y, "expected")
    np.testing.assert_array_equal(mutual_information(x, y, "corrected"), difference)


# Nearest neighbours


@pytest.mark.parametrize("neighbours", [1, 3, 7])
def test_nearest_neighbour_equals_sklearn(neighbours):
    x, y = gaussian(0.6, 576, 10, repeats=6)
    expected = [
        mutual_info_regression(a[:, None], b, n_neighbors=neighbours, random_state=0)[0]
        for a, b in (trimmed(a, b) for a, b in zip(x, y, strict=True))
    ]
    assert min(expected) > 0  # scikit-learn clips at zero
    np.testing.assert_allclose(mutual_information(x, y, "nearest_neighbour", neighbours=neighbours), expected, rtol=0, atol=1e-9)


def test_nearest_neighbour_is_not_clipped():
    x, y = gaussian(0.0, 300, 11, repeats=40)
    assert (mutual_information(x, y, "nearest_neighbour") < 0).any()


def test_ends_of_a_neighbourhood_are_settled_by_the_difference_itself():
    """Decimals whose sum with a radius is rounded to the other side of what their difference is."""
    generator = np.random.default_rng(41)
    for step in (0.1, 0.3, 1 / 3, 1e-3):
        values = generator.integers(-9, 9, 80) * step
        for radius in (step, 2 * step, 3 * step, np.nextafter(3 * step, 0.0)):
            counted = (np.abs(values[:, None] - values) <= radius).sum(axis=1)
            np.testing.assert_array_equal(_within(values, np.full(80, radius)), counted)


def test_nearest_neighbour_by_hand():
    # Equal spacing on a diagonal, k = 1: no point is strictly nearer than the first neighbour, so psi(5) + psi(1) - 2 psi(1).
    line = np.arange(5.0)
    expected = special.digamma(5) - special.digamma(1)
    assert mutual_information(line, line, "nearest_neighbour", trim=None, neighbours=1) == pytest.approx(expected)


# Gaussian copula


def test_gaussian_copula_by_its_definition():
    x, y = gaussian(0.8, 200, 13)
    scores = [stats.norm.ppf(stats.rankdata(side) / 201) for side in (x[0], y[0])]
    expected = -np.log(1 - np.corrcoef(*scores)[0, 1] ** 2) / 2
    assert mutual_information(x[0], y[0], "gaussian_copula", trim=None) == pytest.approx(expected)
    # Only ranks count: any increasing map of a side gives the same.
    assert mutual_information(np.exp(x[0]), y[0] ** 3, "gaussian_copula", trim=None) == pytest.approx(expected)


def test_gaussian_copula_of_a_monotone_map_is_infinite():
    x = heavy_tailed(14, (50,))
    assert mutual_information(x, -(x**3), "gaussian_copula", trim=None) == np.inf


# Known values


@pytest.mark.parametrize(
    ("rho", "truth"), [(0.0, 0.0), (0.3, 0.047155), (0.5, 0.143841), (0.6, 0.223144), (0.8, 0.510826), (0.9, 0.830366)]
)
@pytest.mark.parametrize("estimator", ["nearest_neighbour", "gaussian_copula"])
def test_normal_pairs_have_minus_half_the_log_of_one_minus_rho_squared(rho, truth, estimator):
    assert truth == pytest.approx(-np.log(1 - rho**2) / 2, abs=5e-7)
    x, y = gaussian(rho, 1600, 15, repeats=24)
    values = mutual_information(x, y, estimator, trim=None)
    # Four standard errors of the mean, and the estimators' own bias at n = 1600: below .01 (Kraskov et al. 2004, figure 4).
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(24) + 0.01)


@pytest.mark.parametrize(
    ("rho", "plug_in", "corrected", "nearest"), [(0.0, 0.055, 0.001, 0.001), (0.6, 0.256, 0.201, 0.223), (0.9, 0.788, 0.733, 0.838)]
)
def test_known_bias_of_normal_pairs(rho, plug_in, corrected, nearest):
    x, y = gaussian(rho, 1600, 16, repeats=40)
    pairs = pairwise_mutual_information(np.concatenate([x, y]), np.arange(40), np.arange(40, 80))
    for name, value in zip(("histogram", "corrected", "nearest_neighbour"), (plug_in, corrected, nearest), strict=True):
        # The table was made from other samples: its own error is as large as ours.
        tolerance = 4 * np.sqrt(2) * pairs[name].std() / np.sqrt(40) + 0.0005
        assert pairs[name].mean() == pytest.approx(value, abs=tolerance), name
    # Independent cells add (rows - 1)(columns - 1) / 2n to the plug-in at the most: Miller (1955).
    assert pairs["histogram"].mean() - pairs["corrected"].mean() <= 14 * 14 / (2 * 1600)


# Shapes and limits


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_leading_axes_broadcast(estimator):
    x, y = heavy_tailed(17, (3, 1, 2, 60)), heavy_tailed(18, (4, 1, 60))
    values = mutual_information(x, y, estimator)
    assert values.shape == (3, 4, 2)
    assert values.dtype == np.float64
    assert values[2, 3, 1] == mutual_information(x[2, 0, 1], y[3, 0], estimator)


@pytest.mark.parametrize("bins", [15, "fd"])
def test_pairwise_gives_the_values_of_single_pairs(bins):
    vectors = heavy_tailed(19, (2, 3, 6, 200))
    first, second = np.triu_indices(6, 1)
    seen = []
    result = pairwise_mutual_information(vectors, first, second, ESTIMATORS, bins=bins, advance=seen.append)
    assert sum(seen) == 2 * 3 * 15
    for name in ESTIMATORS:
        expected = mutual_information(vectors[:, :, first], vectors[:, :, second], name, bins=bins)
        assert result[name].shape == (2, 3, 15)
        # Rows of the "fd" histogram are as long as the chunk's longest, which moves the order of its sums.
        np.testing.assert_allclose(result[name], expected, rtol=0, atol=1e-13 if bins == "fd" else 0)


def test_chunks_change_nothing(monkeypatch):
    vectors = heavy_tailed(20, (9, 100))
    first, second = np.triu_indices(9, 1)
    whole = pairwise_mutual_information(vectors, first, second)
    monkeypatch.setattr("analyses.mutual_information.estimate.CHUNK_PAIRS", 5)
    seen = []
    for name, values in pairwise_mutual_information(vectors, first, second, advance=seen.append).items():
        np.testing.assert_array_equal(values, whole[name])
    assert seen == [5] * 7 + [1]


def test_both_paths_give_the_same(path, monkeypatch):
    if path == "numpy":
        pytest.skip("compared from the compiled side")
    generator = np.random.default_rng(21)
    vectors = np.concatenate(
        [generator.standard_t(3, (12, 400)), generator.integers(0, 9, (4, 400)), np.ones((1, 400)), 1e6 + generator.normal(size=(3, 400))]
    )
    first, second = np.triu_indices(len(vectors), 1)
    compiled = pairwise_mutual_information(vectors, first, second, ESTIMATORS)
    monkeypatch.setenv("REPORTGEN_NUMBA", "0")
    assert kernels("mutual_information") is None
    for name, values in pairwise_mutual_information(vectors, first, second, ESTIMATORS).items():
        np.testing.assert_allclose(compiled[name], values, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("count", [1, 7, 8, 100, 128, 129, 576, 1600])
def test_the_compiled_sum_is_numpys_to_the_last_bit(count, path):
    if path == "numpy":
        pytest.skip("about the compiled kernel")
    rows = heavy_tailed(25, (40, count))
    np.testing.assert_array_equal([kernels("mutual_information").pairwise_sum(row) for row in rows], rows.sum(axis=-1))


@pytest.mark.parametrize("origin", [0.0, 1e3, -1e9])
def test_edges_far_from_the_origin_are_numpys(origin):
    generator = np.random.default_rng(26)
    # Steps of a fifteenth of the range, so that values lie on edges that rounding moves; half of them a last digit off.
    x, y = np.nextafter(origin + generator.integers(0, 16, (2, 30, 300)) / 15, np.where(generator.random(300) < 0.5, np.inf, 0.0))
    expected = [plug_in_by_histogram2d(a, b, 15) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(mutual_information(x, y, trim=None), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_constant_vector_tells_nothing(estimator):
    x, constant = heavy_tailed(22, (100,)), np.full(100, 0.1)
    assert mutual_information(x, constant, estimator) == 0.0
    assert mutual_information(constant, constant, estimator) == 0.0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_not_finite_gives_nan(estimator):
    x, y = heavy_tailed(23, (2, 3, 100))
    x[1, 5], y[2, 7] = np.nan, np.inf
    np.testing.assert_array_equal(np.isnan(mutual_information(x, y, estimator)), [False, True, True])


def test_too_few_dimensions_give_nan():
    assert np.isnan(mutual_information([1.0], [2.0]))
    assert np.isnan(mutual_information([1.0], [2.0], "corrected"))
    assert np.isnan(mutual_information([1.0], [2.0], "gaussian_copula"))
    x, y = heavy_tailed(24, (2, 4))
    assert np.isnan(mutual_information(x[:3], y[:3], "nearest_neighbour"))
    assert np.isfinite(mutual_information(x, y, "nearest_neighbour"))


@pytest.mark.parametrize("wrong", [{"estimator": "kde"}, {"bins": 1}, {"bins": "sturges"}, {"bins": 2.5}, {"trim": 0.0}, {"neighbours": 0}])
def test_settings_out_of_range(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        mutual_information(np.arange(9.0), np.arange(9.0), **wrong)


def test_vectors_of_different_length():
    with pytest.raises(ValueError, match="same D"):
        mutual_information(np.zeros(3), np.zeros(4))
    for x, y in ((0.5, np.zeros(3)), (np.zeros(3), 0.5), (0.5, 0.5)):
        with pytest.raises(ValueError, match="same D"):
            mutual_information(x, y)


def test_many_choices_at_once_give_what_each_gives_alone():
    vectors = np.random.default_rng(5).standard_t(3, size=(2, 6, 60))
    vectors[0, 0, :55] = 1.0  # constant but for what trimming may drop
    vectors[1, 2] = np.round(vectors[1, 2])  # ties
    first, second = np.triu_indices(6, 1)
    for trim in (None, 2.0):
        found = pairwise_under_choices(vectors, first, second, bins=(8, "fd"), neighbours=(5, 3, 58), trim=trim)
        assert len(found) == 3 * 2 + 3 + 1
        for (estimator, choice), values in found.items():
            options = {} if choice is None else {"neighbours" if estimator == "nearest_neighbour" else "bins": choice}
            alone = pairwise_mutual_information(vectors, first, second, (estimator,), trim=trim, **options)[estimator]
            np.testing.assert_array_equal(values, alone)
        other = None if trim else 2.0
        before = pairwise_under_choices(vectors, first, second, bins=(8, "fd"), neighbours=(5, 3, 58), trim=other)
        again = pairwise_under_choices(vectors, first, second, bins=(8, "fd"), neighbours=(5, 3, 58), trim=trim, known=(other, before))
        for key, values in again.items():
            np.testing.assert_allclose(values, found[key], rtol=0, atol=1e-14)
        assert np.isnan(found["nearest_neighbour", 58]).any() == (trim is not None)
        assert np.isfinite(found["nearest_neighbour", 3]).all()
    # Trimming leaves some pairs as they are, and those alone are not estimated again.
    unknown = dict.fromkeys(found, np.full((2, len(first)), -1.0))
    again = pairwise_under_choices(vectors, first, second, bins=(8, "fd"), neighbours=(5, 3, 58), trim=3.0, known=(3.2, unknown))
    taken = again["histogram", 8] == -1.0
    assert (unknown["histogram", 8] == -1.0).all()
    assert 0 < taken.sum() < taken.size
    kept = [np.abs(stats.zscore(vectors, axis=-1, ddof=1)) <= limit for limit in (3.0, 3.2)]
    same = [(inside[:, first] & inside[:, second]) for inside in kept]
    np.testing.assert_array_equal(taken, (same[0] == same[1]).all(axis=-1))
    with pytest.raises(InputError, match="neighbours is 0"):
        pairwise_under_choices(vectors, first, second, bins=(8,), neighbours=(3, 0))
