import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from analyses.statistics.multiplicity import adjust

# Benjamini & Hochberg (1995), section 3: fifteen hypotheses on thrombolysis.
EXAMPLE = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]


def test_benjamini_and_hochbergs_example():
    adjusted = adjust(EXAMPLE, "fdr_bh")
    np.testing.assert_allclose(adjusted[:5], [0.0015, 0.003, 0.0095, 0.035625, 0.0603])
    assert np.count_nonzero(adjusted <= 0.05) == 4
    assert np.count_nonzero(adjust(EXAMPLE, "bonferroni") <= 0.05) == 3


@pytest.mark.parametrize("method", ["bonferroni", "fdr_bh", "fdr_by"])
def test_equals_statsmodels_along_the_last_axis(method):
    p = np.random.default_rng(2).beta(0.4, 1, (3, 2, 30))
    p[0, 0, :5] = p[0, 0, 0]
    expected = np.apply_along_axis(lambda row: multipletests(row, method=method)[1], -1, p)
    np.testing.assert_allclose(adjust(p, method), expected, rtol=1e-12)


@pytest.mark.parametrize("method", ["none", "bonferroni", "fdr_bh", "fdr_by"])
def test_a_layer_that_cannot_be_tested_does_not_count(method):
    holes = [np.nan, *EXAMPLE[:7], np.nan, *EXAMPLE[7:], np.nan]
    adjusted = adjust(holes, method)
    np.testing.assert_array_equal(np.isnan(adjusted), np.isnan(holes))
    np.testing.assert_allclose(adjusted[~np.isnan(adjusted)], adjust(EXAMPLE, method))
    assert np.isnan(adjust([np.nan, np.nan], method)).all()


def test_none_gives_a_copy():
    p = np.array(EXAMPLE)
    adjusted = adjust(p, "none")
    adjusted[0] = 1
    assert p[0] == 0.0001


def test_unknown_correction():
    with pytest.raises(ValueError, match="hommel"):
        adjust(EXAMPLE, "hommel")  # type: ignore[arg-type]
