"""The linear share against an own computation, planted relations, and vectors that leave nothing to test."""

import math

import numpy as np
import pytest
import xarray as xr

from analyses.mi_distance.bands import bands_of
from analyses.mi_distance.calibration import calibration_variables
from analyses.mi_distance.facts import facts
from analyses.mi_distance.facts.linear import gaussian_share, linear_facts
from analyses.mi_distance.figures import figures
from analyses.mi_distance.linear_share import DEPTHS, linear_variables
from analyses.mi_distance.study import analyse
from analyses.mi_distance.tables import tables
from analyses.mutual_information import pairwise_mutual_information
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.pairs import pairs_of
from analyses.progress import SilentProgress
from analyses.protocol import Results

T_975 = 2.446911851144969  # Student's t, 6 degrees of freedom


def shares(activation, small_settings):
    pairs = pairs_of(np.arange(activation.shape[2]) * 5 + 1)
    names = ("histogram", "corrected", "nearest_neighbour")
    estimates = pairwise_mutual_information(activation, pairs.first, pairs.second, names)
    values = np.stack([estimates[name] for name in names])
    found = linear_variables(activation, values, pairs, bands_of(activation.shape[1], small_settings.hypotheses), small_settings)
    return {name: variable[1] for name, variable in found.items()}, values[-1], pairs


def related(strength, layers=6, occurrences=7, dimensions=400, seed=0):
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(2, layers, 1, dimensions))
    return strength * common + generator.normal(size=(2, layers, occurrences, dimensions))


def test_share_and_interval_by_hand(small_settings):
    found, nearest, pairs = shares(related(1.5), small_settings)
    correlation = np.array([np.corrcoef(block) for block in related(1.5).reshape(-1, 7, 400)])[:, pairs.first, pairs.second]
    # Vectors of 400 normal values have next to no outlier at 4 standard deviations.
    linear = found["linear_information"]
    assert np.abs(linear - -np.log(1 - correlation**2).reshape(linear.shape) / 2).max() < 0.02
    branch, layer = 1, 3
    ratio = linear[branch, layer].mean() / nearest[branch, layer].mean()
    without = []
    for left in range(7):
        keep = (pairs.first != left) & (pairs.second != left)
        without.append(linear[branch, layer][keep].mean() / nearest[branch, layer][keep].mean())
    half = T_975 * math.sqrt(6 / 7 * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert found["linear_share"][branch, layer] == pytest.approx(ratio, abs=1e-12)
    assert found["linear_share_low"][branch, layer] == pytest.approx(ratio - half, abs=1e-9)
    assert found["linear_share_high"][branch, layer] == pytest.approx(ratio + half, abs=1e-9)
    whole = DEPTHS.index("all")
    assert found["depth_linear_share"][branch, whole] == pytest.approx(linear[branch].mean() / nearest[branch].mean(), abs=1e-12)
    assert found["depth_mutual_information"][branch, DEPTHS.index("early")] == pytest.approx(nearest[branch, :2].mean(), abs=1e-12)
    slope = np.polynomial.Polynomial.fit(linear.ravel(), nearest.ravel(), 1)
    rest = ((nearest.ravel() - slope(linear.ravel())) ** 2).sum() / ((nearest - nearest.mean()) ** 2).sum()
    assert found["linear_r_squared"] == pytest.approx(1 - rest, abs=1e-9)


def test_normal_vectors_are_explained_and_a_circle_is_not(small_settings):
    found, _, _ = shares(related(1.5), small_settings)
    assert (found["depth_linear_share"][:, DEPTHS.index("all")] > 0.9).all()
    angle = np.random.default_rng(1).uniform(0, 2 * np.pi, size=(2, 6, 1, 400))
    # Sines of one angle and of its multiples depend on each other and do not correlate.
    circle = np.sin(angle * np.arange(1, 8)[:, None]) + 0.01 * np.random.default_rng(2).normal(size=(2, 6, 7, 400))
    found, nearest, _ = shares(circle, small_settings)
    assert nearest.mean() > 0.5
    assert (found["depth_linear_share"][:, DEPTHS.index("all")] < 0.1).all()


def test_a_middle_that_no_layer_lies_in_has_no_row(results_of):
    results = results_of(occurrences=4, layers=2)
    table = tables(results)["linear"]
    assert set(table["depth"]) <= {"deep", "middle", "early", "all"}
    rows = table.set_index(["depth", "branch"])
    assert (rows["last_layer"] >= rows["first_layer"]).all()
    assert len(table) == 2 * len(set(table["depth"]))


@pytest.mark.parametrize("occurrences", [2, 3])
def test_too_few_occurrences_have_a_share_and_no_interval(occurrences, small_settings):
    found, _, _ = shares(related(1.5, occurrences=occurrences), small_settings)
    assert np.isfinite(found["linear_share"]).all()
    assert np.isnan(found["linear_share_low"]).all()


def test_unrelated_vectors_are_not_testable(small_settings):
    found, nearest, _ = shares(related(0.0), small_settings)
    lost = np.isnan(found["linear_share"])
    # Whatever is given is positive, and rests on a mean that stays above zero without any one occurrence.
    assert lost[nearest.mean(axis=-1) <= 0].all()
    assert np.array_equal(lost, np.isnan(found["linear_share_low"]))
    assert (found["linear_share"][~lost] > 0).all()


def degenerate(kind, make_input):
    """Vectors of which all are constant, some, or all on one line."""
    given = make_input(occurrences=7, layers=6)
    activation = np.array(given.activation)
    if kind == "constant":
        activation[:] = 1.25
    elif kind == "one constant":
        activation[:, :, 2] = -3.0
    else:
        activation[:] = activation[:, :, :1] * np.arange(1, 8, dtype=np.float32)[:, None]
    return type(given)(**(vars(given) | {"activation": activation}))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["constant", "one constant", "line"])
def test_degenerate_vectors_leave_no_infinity_anywhere(kind, make_input, small_settings):
    results: Results = analyse(degenerate(kind, make_input), small_settings, SilentProgress())
    for name in results.dataset.data_vars:
        if str(name).startswith(("linear", "depth")) and results.dataset[name].dtype.kind == "f":
            assert not np.isinf(results.dataset[name].values).any(), name
    table = tables(results)["linear"].to_csv(index=False)
    assert "inf" not in table.replace("information", "")
    assert "nan" not in table.lower()
    spec = next(spec for spec in figures(results) if spec.id == "linear_share")
    assert "inf" not in spec.data.to_csv()
    sentence = linear_facts(results)["sentence"]
    if kind == "one constant":
        assert np.isfinite(results.dataset["linear_share"]).any()
    else:
        assert sentence["key"] == "linear.finding.not_testable.both"
        assert np.isnan(results.dataset["linear_share"]).all()
    assert facts(results)["linear"]["sentence"] == sentence


def test_the_sentence_says_what_the_table_holds(results_of):
    results = results_of(occurrences=7, layers=6)
    whole = tables(results)["linear"].query("depth == 'all'").set_index("branch")

    def said(low):
        shares = {name: np.full(results.dataset[f"depth_{name}"].shape, value) for name, value in
                  (("linear_share", 0.97), ("linear_share_low", low), ("linear_share_high", 0.99))}  # fmt: skip
        dataset = results.dataset.assign({f"depth_{name}": (("branch", "depth"), value) for name, value in shares.items()})
        return linear_facts(Results(dataset, results.activations, results.study))["sentence"]

    assert list(whole.index) == list(BRANCHES)
    assert said(0.95)["key"] == "linear.finding.nearly_all"
    assert said(0.9)["key"] == "linear.finding.part"
    assert said(np.nan)["key"] == "linear.finding.no_interval"
    assert said(0.95)["values"]["mlp_low"]["value"] == 0.95
    assert said(0.95)["values"]["limit"]["value"] == 0.9


def calibrated(dataset, share):
    """The data with a calibration in which Gaussian pairs have this share at any size of nearest-neighbour MI."""
    truth = np.array([0.0, 1.0, 2.0])
    return dataset.drop_dims(["calibrated_estimator", "correlation"], errors="ignore").assign(
        calibrated_estimator=(("calibrated_estimator",), ["nearest_neighbour"]),
        calibration_mean=(("calibrated_estimator", "correlation"), truth[None]),
        calibration_spread=(("calibrated_estimator", "correlation"), np.full((1, 3), 1e-6)),
        calibration_linear=(("correlation",), share * truth),
    )


def test_gaussian_pairs_have_about_the_whole_of_their_information(small_settings):
    """-ln(1 - r^2) / 2 is all there is of them; what is left is the error of two estimates at a hundred pairs of many dimensions."""
    dataset = xr.Dataset(calibration_variables(1600, small_settings, lambda count: None))
    for information in (0.2, 0.5, 1.0):
        share, least = gaussian_share(dataset, information)
        assert share == pytest.approx(1, abs=0.03)
        # Two standard errors of a mean of a hundred estimates with a spread of about .03 nats.
        assert share - least == pytest.approx(2 * 0.03 / 10 / information, rel=0.5)
    assert gaussian_share(dataset, 50.0) is None
    assert gaussian_share(dataset, 0.0) is None
    assert gaussian_share(dataset.drop_vars("calibration_linear"), 0.5) is None


@pytest.mark.parametrize(("high", "gaussian", "named"), [
    (0.98, 1.0, True), (0.98, 0.97, False), (0.98, 0.984, False), (0.996, 1.0, False), (1.0, 1.02, True), (1.2, 1.0, False),
])  # fmt: skip
def test_the_depth_with_the_lowest_share_is_named_where_it_is_shown_to_be_low(results_of, high, gaussian, named):
    """Where its interval lies below what the same estimators give Gaussian pairs, as both are printed."""
    results = results_of(occurrences=7, layers=6)
    shape = results.dataset["depth_linear_share"].shape
    share, low, ends = np.full(shape, 0.99), np.full(shape, 0.8), np.full(shape, 1.1)
    row, place = list(DEPTHS).index("middle"), list(BRANCHES).index("mlp")
    share[place, row], ends[place, row] = 0.85, high
    share[0, list(DEPTHS).index("all")] = 0.5  # all layers together are no part of the depth
    changed = {"linear_share": share, "linear_share_low": low, "linear_share_high": ends}
    changed["mutual_information"] = np.full(shape, 0.3)
    dataset = calibrated(results.dataset, gaussian)
    dataset = dataset.assign({f"depth_{name}": (("branch", "depth"), values) for name, values in changed.items()})
    said = linear_facts(Results(dataset, results.activations, results.study))["lowest"]
    assert (said is not None) == named
    if said is None:
        return
    assert (said["values"]["depth"]["key"], said["values"]["branch"]["key"]) == ("linear.depth.middle", "branch.named.mlp")
    assert [said["values"][name]["value"] for name in ("share", "share_low", "share_high")] == [0.85, 0.8, high]
    assert said["rows"]["share"] == {"table": "linear", "row": "middle-mlp"}
    # Of two that the table writes alike no reader sees which is the lower.
    share[1 - place, row] = 0.8532
    alike = dataset.assign(depth_linear_share=(("branch", "depth"), share))
    assert linear_facts(Results(alike, results.activations, results.study))["lowest"] is None
