import numpy as np
import pytest
from scipy import stats

from analyses.statistics.correlation import clip_tau, concordance, fisher_z, kendall, kendall_interval, kendall_tau, spearman
from analyses.statistics.numerators import dense_ranks


def test_kendall_gives_the_example_of_scipys_documentation():
    result = kendall([12, 2, 1, 12, 2], [1, 4, 7, 1, 0])
    assert result.tau == pytest.approx(-0.47140452079103173, abs=1e-12)
    assert result.p == pytest.approx(0.2827454599327748, abs=1e-12)


def test_kendall_gives_hollander_and_wolfes_tuna_example():
    # Hollander & Wolfe (1973), Nonparametric Statistical Methods, p. 185: lightness and panel quality of tuna; R cor.test's example.
    lightness = [44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1]
    quality = [2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8]
    result = kendall(lightness, quality)
    assert result.tau == pytest.approx(0.4444444, abs=1e-7)
    assert result.p == pytest.approx(0.1194, abs=5e-5)


@pytest.mark.parametrize("kind", ["continuous", "ties", "many pairs"])
def test_fast_tau_equals_scipy(kind):
    generator = np.random.default_rng(4)
    pairs = 190 if kind == "many pairs" else 21
    distance = generator.integers(1, 12, pairs)
    values = generator.integers(0, 5, (3, 4, pairs)) if kind == "ties" else generator.normal(size=(3, 4, pairs))
    expected = [[stats.kendalltau(distance, row).statistic for row in block] for block in values]
    np.testing.assert_allclose(kendall_tau(distance, values), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(kendall(distance, values).tau, expected, rtol=0, atol=1e-12)


def test_fast_tau_does_not_merge_values_that_float32_would():
    values = 1 + np.array([0.0, 1e-12, 2e-12, 3e-12])
    assert kendall_tau([1, 2, 3, 4], values) == 1.0


@pytest.mark.parametrize("estimate", [kendall_tau, lambda d, v: kendall(d, v).tau, lambda d, v: kendall(d, v).p])
def test_what_cannot_be_tested_is_nan(estimate):
    assert np.isnan(estimate([1, 2, 3, 4], [5, 5, 5, 5]))
    assert np.isnan(estimate([2, 2, 2, 2], [1, 2, 3, 4]))
    assert np.isnan(estimate([1], [1]))
    values = np.array([[1, 2, np.nan, 4], [1, 2, 3, 4]], dtype=float)
    np.testing.assert_array_equal(np.isnan(estimate([1, 2, 3, 4], values)), [True, False])


def test_distance_and_values_must_match():
    with pytest.raises(ValueError, match=r"\(3,\) and \(2, 4\)"):
        kendall_tau([1, 2, 3], np.zeros((2, 4)))


def test_interval_gives_the_example_of_r_statpsych():
    # statpsych::ci.kendall(.05, .734, 40): SE .05082, interval .6178 to .8188
    low, high = kendall_interval(0.734, 40)
    assert low == pytest.approx(0.6178, abs=1e-4)
    assert high == pytest.approx(0.8188, abs=1e-4)
    assert (1 - 0.734**2) * np.sqrt(0.437 / 36) == pytest.approx(0.05082, abs=1e-5)


@pytest.mark.slow
def test_interval_covers_the_tau_of_normal_pairs():
    # tau = (2 / pi) arcsin rho. Fieller's approximation; its error and that of 4000 trials are both under .02.
    generator = np.random.default_rng(6)
    x = generator.normal(size=(4000, 25))
    y = 0.5 * x + np.sqrt(0.75) * generator.normal(size=x.shape)
    tau = np.array([stats.kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)])
    low, high = kendall_interval(tau, 25)
    assert np.mean((low <= 1 / 3) & (high >= 1 / 3)) == pytest.approx(0.95, abs=0.02)


def test_interval_needs_more_than_four_pairs():
    assert np.isnan(kendall_interval(0.2, 4)).all()
    assert np.isfinite(kendall_interval(0.2, 5)).all()


def test_clipping_is_one_discordant_pair_short_of_perfect():
    # One discordant pair of C(7, 2) = 21 gives tau = (20 - 1) / 21.
    order = [1, 2, 3, 4, 5, 7, 6]
    clipped, flagged = clip_tau([1.0, -1.0, kendall_tau(range(7), order), 0.2, np.nan], 7)
    np.testing.assert_allclose(clipped, [19 / 21, -19 / 21, 19 / 21, 0.2, np.nan])
    np.testing.assert_array_equal(flagged, [True, True, False, False, False])


@pytest.mark.parametrize(("variance", "width"), [("course", np.sqrt(2 / 18)), ("fieller", np.sqrt(2 * 0.437 / 17))])
def test_fisher_z_by_hand(variance, width):
    # atanh(x) = ln((1 + x) / (1 - x)) / 2
    expected = (np.log(1.5 / 0.5) - np.log(1.2 / 0.8)) / 2 / width
    z, p = fisher_z(0.5, 0.2, 21, variance)
    assert z == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.norm.cdf(-expected))
    assert fisher_z(0.2, 0.5, 21, variance)[0] == pytest.approx(-expected)


def test_fisher_z_is_the_courses_unless_another_is_asked_for():
    assert fisher_z(0.5, 0.2, 21) == fisher_z(0.5, 0.2, 21, "course") != fisher_z(0.5, 0.2, 21, "fieller")


def test_fisher_z_without_variance_is_nan():
    assert np.isnan(fisher_z(0.5, 0.2, 3, "course")).all()
    assert np.isnan(fisher_z(0.5, 0.2, 4, "fieller")).all()


def test_spearman_equals_scipy():
    generator = np.random.default_rng(7)
    x, y = generator.integers(0, 9, (5, 30)), generator.normal(size=(5, 30))
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(spearman(x, y), expected, atol=1e-12)
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]))
    assert np.isnan(spearman([1, 2, np.nan], [1, 2, 3]))
    assert np.isnan(spearman([1, 2, 3], [1, np.nan, 3]))
    assert spearman([1, 2, 3], [10, 200, 3000]) == 1.0


def test_concordance_by_hand():
    # Means 2 and 3, variances 2/3 each, covariance 2/3: 2 (2/3) / (4/3 + 1) = 4/7.
    assert concordance([1, 2, 3], [2, 3, 4]) == pytest.approx(4 / 7)
    assert concordance([1, 2, 3], [1, 2, 3]) == pytest.approx(1.0)
    assert concordance([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert concordance([1, 2, 3], [2, 4, 6]) == pytest.approx(2 * (4 / 3) / (2 / 3 + 8 / 3 + 4))
    assert np.isnan(concordance([1, 1], [1, 1]))


def test_what_differs_by_rounding_alone_is_tied():
    # The same five terms added in another order, as in two histograms with the same counts in other cells.
    terms = np.array([0.1, 0.7, 0.3, 0.2, 0.45])
    forth, back = np.add.accumulate(terms)[-1], np.add.accumulate(terms[::-1])[-1]
    assert forth != back
    assert dense_ranks(np.array([forth, 2.0, back, 0.5])).tolist() == [2, 3, 2, 1]
    distance = np.array([1, 2, 3, 4])
    for values in ([forth, back, 0.5, 0.4], [back, forth, 0.5, 0.4]):
        expected = stats.kendalltau(distance, [3, 3, 2, 1])
        assert kendall_tau(distance, values) == pytest.approx(expected.statistic)
        assert kendall(distance, values).p == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e300])
def test_ranks_are_scipys_whatever_the_unit(scale):
    values = np.random.default_rng(0).integers(0, 30, size=(200, 21)) * scale
    values[7, 3] = np.nan
    np.testing.assert_array_equal(dense_ranks(values), stats.rankdata(values, method="dense", axis=-1))


def test_infinities_have_their_place():
    assert dense_ranks(np.array([1.0, np.inf, -np.inf, 1.0])).tolist() == [2, 3, 1, 2]
