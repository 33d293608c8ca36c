"""Pooling over texts: against SciPy, statsmodels, and what metafor publishes of the trials of the BCG vaccine."""

import warnings

import numpy as np
import pandas
import pytest
import scipy.stats
import statsmodels.formula.api
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from analyses.statistics.multiplicity import adjust
from analyses.statistics.pooling import crossed_model, mean_over, meta_analysis, p_against, texts_needed

# Colditz et al. (1994), JAMA 271, 698-702, as metafor's `dat.bcg`: cases and others, vaccinated and not.
BCG = np.array(
    [
        (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761), (180, 1361, 372, 1079),
        (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600), (186, 50448, 141, 27197),
        (5, 2493, 3, 2338), (27, 16886, 29, 17825),
    ],
    dtype=float,
)  # fmt: skip


def log_risk_ratios() -> tuple[np.ndarray, np.ndarray]:
    cases, others, control_cases, control_others = BCG.T
    treated, control = cases + others, control_cases + control_others
    ratio = np.log(cases / treated) - np.log(control_cases / control)
    return ratio, np.sqrt(1 / cases - 1 / treated + 1 / control_cases - 1 / control)


def test_the_mean_is_scipys():
    values = np.random.default_rng(1).normal(0.3, 0.5, 12)
    found, expected = mean_over(values, 0.99), scipy.stats.ttest_1samp(values, 0)
    ends = expected.confidence_interval(0.99)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=1e-12)
    assert p_against(found, 0) == pytest.approx(expected.pvalue, abs=1e-12)
    assert p_against(found, 0.2) == pytest.approx(scipy.stats.ttest_1samp(values, 0.2).pvalue, abs=1e-12)


def test_two_texts_have_no_interval():
    found = mean_over([1.0, 2.0])
    assert found.estimate == 1.5
    assert np.isnan([found.low, found.high, p_against(found, 0)]).all()
    assert meta_analysis([1.0, 2.0], [0.1, 0.1]) is None
    assert meta_analysis([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]).estimate == pytest.approx(2.0, abs=1e-12)


def test_meta_analysis_is_what_metafor_publishes():
    """Viechtbauer (2010), Journal of Statistical Software 36(3), and metafor's manual: REML, tau^2, I^2, H^2, Q and the estimate."""
    found = meta_analysis(*log_risk_ratios())
    assert found.variance_between == pytest.approx(0.3132, abs=5e-5)
    assert found.i_squared == pytest.approx(0.9222, abs=5e-5)
    assert 1 / (1 - found.i_squared) == pytest.approx(12.86, abs=5e-3)
    assert found.estimate == pytest.approx(-0.7145, abs=5e-5)
    assert found.q == pytest.approx(152.2330, abs=5e-5)


def test_a_unit_without_an_error_or_with_none_is_left_out():
    values, errors = log_risk_ratios()
    for value, error in ((0.4, 0.0), (0.4, np.nan), (np.nan, 0.1), (0.4, np.inf), (0.4, -0.1)):
        assert meta_analysis([*values, value], [*errors, error]) == meta_analysis(values, errors)


def test_the_interval_is_hartung_and_knapps_by_statsmodels():
    """At the same variance between the units, given to statsmodels as part of theirs."""
    values, errors = log_risk_ratios()
    found = meta_analysis(values, errors)
    total = errors**2 + found.variance_between
    expected = combine_effects(values, total, method_re="chi2", use_t=True)
    assert found.estimate == pytest.approx(expected.mean_effect_fe, abs=1e-12)
    assert found.standard_error == pytest.approx(expected.sd_eff_w_fe_hksj, abs=1e-12)
    assert found.low == pytest.approx(found.estimate - scipy.stats.t.ppf(0.975, 12) * expected.sd_eff_w_fe_hksj, abs=1e-12)


def test_reml_is_where_the_restricted_likelihood_is_highest():
    generator = np.random.default_rng(5)
    errors = generator.uniform(0.05, 0.4, 15)
    values = generator.normal(0.2, np.hypot(errors, 0.3))

    def deviance(between: float) -> float:
        weights = 1 / (errors**2 + between)
        mean = weights @ values / weights.sum()
        return float(-np.log(weights).sum() + np.log(weights.sum()) + weights @ (values - mean) ** 2)

    found = meta_analysis(values, errors).variance_between
    best = scipy.optimize.minimize_scalar(deviance, bounds=(0, 2), method="bounded", options={"xatol": 1e-10})
    assert found == pytest.approx(best.x, abs=1e-6)


def test_a_new_text_lies_in_the_prediction_interval_as_often_as_stated():
    generator, inside = np.random.default_rng(8), 0
    for _ in range(600):
        errors = generator.uniform(0.05, 0.1, 12)
        truth = generator.normal(0.4, 0.3, 13)
        found = meta_analysis(truth[:12] + generator.normal(0, errors), errors)
        inside += found.prediction_low <= truth[12] <= found.prediction_high
    assert inside / 600 == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 600))


@pytest.mark.parametrize("seed", [0, 3, 7])
def test_the_crossed_model_is_that_of_statsmodels(seed):
    generator = np.random.default_rng(seed)
    text, word = generator.normal(0, 0.3, 12), generator.normal(0, 0.2, 6)
    cells = [(t, w) for t in range(12) for w in range(6) if generator.random() < 0.6]
    frame = pandas.DataFrame(cells, columns=["text", "word"])
    frame["y"] = 0.3 + text[frame.text] + word[frame.word] + generator.normal(0, 0.15, len(frame))
    frame["all"] = 1
    found = crossed_model(frame.y, list(frame.text), list(frame.word))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = statsmodels.formula.api.mixedlm(
            "y ~ 1", frame, groups="all", re_formula="0", vc_formula={"text": "0 + C(text)", "word": "0 + C(word)"}
        )
        expected = model.fit(reml=True)
    assert found.has_word
    assert found.estimate == pytest.approx(expected.params["Intercept"], abs=1e-4)
    assert found.standard_error == pytest.approx(expected.bse["Intercept"], abs=1e-3)
    ends = scipy.stats.t.interval(0.95, 11, found.estimate, found.standard_error)
    assert (found.low, found.high) == pytest.approx(ends, abs=1e-12)
    narrow = crossed_model(frame.y, list(frame.text), list(frame.word), confidence=0.8)
    assert (narrow.low, narrow.high) == pytest.approx(scipy.stats.t.interval(0.8, 11, found.estimate, found.standard_error), abs=1e-12)
    assert [found.variance_text, found.variance_word] == pytest.approx(expected.vcomp.tolist(), abs=2e-3)
    assert found.variance_residual == pytest.approx(expected.scale, abs=1e-3)


def test_words_that_are_in_one_text_only_have_no_effect_of_their_own():
    found = crossed_model([1.0, 1.2, 2.0, 2.3, 3.0, 3.2], [1, 1, 2, 2, 3, 3], list("abcdef"))
    assert not found.has_word
    assert crossed_model([1.0, 2.0, 3.0], [1, 2, 3], ["a", "a", "a"]) is None


def test_holm_is_that_of_statsmodels():
    p = [0.011, 0.02, 0.0004, 0.6, 0.02]
    assert adjust(p, "holm") == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    with_none = adjust([0.011, np.nan, 0.0004], "holm")
    assert np.isnan(with_none[1])
    assert with_none[[0, 2]] == pytest.approx(multipletests([0.011, 0.0004], method="holm")[1], abs=1e-12)


def test_the_number_of_texts_is_the_smallest_whose_interval_leaves_out_zero():
    for sd, effect in ((0.1, 0.1), (0.3, 0.1), (0.02, 0.1)):
        count = texts_needed(sd, effect)
        half = [scipy.stats.t.ppf(0.975, k - 1) * sd / np.sqrt(k) for k in (count - 1, count) if k >= 3]
        assert half[-1] < effect
        assert len(half) == 1 or half[0] >= effect
    assert texts_needed(np.nan, 0.1) is None
    assert texts_needed(1e6, 0.1) is None
