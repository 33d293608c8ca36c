"""The whole computation on made-up vectors: what the bundle's contract promises, and what is left when little can be tested."""

import dataclasses

import numpy as np
import pytest

from analyses.errors import InputError
from analyses.mi_distance.study import analyse
from analyses.progress import SilentProgress

# Names and dimensions as the bundle's contract has them.
CONTRACT = {
    "activation": ("branch", "layer", "occurrence", "dimension"),
    "token_position": ("occurrence",),
    "token_distance": ("pair",),
    "first_occurrence": ("pair",),
    "second_occurrence": ("pair",),
    "mutual_information": ("estimator", "branch", "layer", "pair"),
    **dict.fromkeys(("mean_mutual_information", "kendall_tau", "kendall_p", "mantel_p"), ("estimator", "branch", "layer")),
    **dict.fromkeys(
        (
            *("t_statistic", "t_p", "t_p_bonferroni", "t_p_fdr_bh", "t_p_fdr_by"),
            *("fisher_z", "fisher_p", "fisher_z_fieller", "fisher_p_fieller"),
            *("mi_difference", "mi_difference_low", "mi_difference_high"),
        ),
        ("estimator", "layer"),
    ),
}


def test_dataset_keeps_the_contract(results):
    for name, dimensions in CONTRACT.items():
        assert results.dataset[name].dims == dimensions, name
    assert results.dataset.branch.values.tolist() == ["attention", "mlp"]
    assert results.dataset.estimator.values.tolist() == ["histogram", "corrected", "nearest_neighbour"]
    assert results.dataset.sizes["pair"] == 21
    assert all("long_name" in variable.attrs for variable in results.dataset.data_vars.values())


def test_study_keeps_the_contract(results):
    keys = {"statement", "estimator", "control", "verdict", "estimate", "low", "high", "agreeing_layers", "layers"}
    verdicts = results.study["verdicts"]
    assert all(keys <= row.keys() for row in verdicts)
    on_position = {f"{look}{kind}" for look in ("without_first", "prefix") for kind in ("", "_different_word")}
    assert {row["control"] for row in verdicts} == {"none", "different_word", "repeated_words", "centred"} | on_position
    # Four statements by three estimators under each, and the one on the estimators, which has two and no control; of the looks at
    # position, the two statements on distance.
    assert len(verdicts) == 4 * 12 + 2 + 4 * 6
    assert results.study["primary_control"] == "different_word"
    assert {row["statement"]: row["control"] for row in results.study["conclusions"]} == dict.fromkeys(range(1, 5), "different_word") | {
        5: "none"
    }
    assert [row["statement"] for row in results.study["conclusions"]] == [1, 2, 3, 4, 5]


def test_intervals_hold_their_estimate(results):
    data = results.dataset
    lows = [str(name) for name in data.data_vars if str(name).endswith("_low") and not str(name).startswith("kendall")]
    assert "mi_difference_low" in lows
    assert "word_specific_excess_low" in lows
    for low in lows:
        middle = data[low.removesuffix("_low")]
        # Neither is there where a share cannot be tested.
        assert ((data[low] <= middle) | middle.isnull()).all(), low
        assert ((middle <= data[low.replace("_low", "_high")]) | middle.isnull()).all(), low


def test_excess_is_same_word_minus_different_word(results):
    data = results.dataset
    matched = data.control_mutual_information @ data.control_weight
    same = data.mutual_information
    np.testing.assert_allclose(data.excess_mutual_information, same - matched.transpose(*same.dims), rtol=0, atol=1e-12)
    np.testing.assert_allclose(data.word_specific_excess, data.excess_mutual_information.mean("pair"), rtol=0, atol=1e-12)
    deviation = results.study["controls"]["different_word"]["largest_distance_deviation"]
    mismatch = np.where(data.control_weight > 0, np.abs(data.control_distance - data.token_distance).transpose("pair", "control_pair"), 0)
    assert mismatch.max() == deviation


def test_control_pairs_are_of_different_words(results):
    words = results.activations.control_token_word.values
    data = results.dataset
    assert (words[data.control_first.values] != words[data.control_second.values]).all()


def test_swapped_branches_turn_every_comparison_round(make_input, small_settings, results):
    vectors = make_input(occurrences=7, layers=6)
    swapped = analyse(
        dataclasses.replace(
            vectors,
            activation=vectors.activation[::-1],
            control_activation=vectors.control_activation[::-1],
            untrained_activation=vectors.untrained_activation[::-1],
        ),
        small_settings,
        SilentProgress(),
    )
    for name in ("t_statistic", "fisher_z", "fisher_z_fieller", "mi_difference", "tau_difference", "cohens_d"):
        np.testing.assert_allclose(swapped.dataset[name], -results.dataset[name], rtol=0, atol=1e-9)
    for name in ("t_p", "fisher_p", "mi_difference_p", "tau_difference_p", "mi_difference_p_fdr_bh", "t_p_bonferroni"):
        np.testing.assert_allclose(swapped.dataset[name], results.dataset[name], rtol=0, atol=1e-9)
    for name in ("mean_mutual_information", "kendall_tau", "mantel_p", "word_specific_excess"):
        np.testing.assert_allclose(swapped.dataset[name], results.dataset[name][:, ::-1], rtol=0, atol=1e-12)


def test_same_input_same_numbers(make_input, small_settings, results):
    again = analyse(make_input(occurrences=7, layers=6), small_settings, SilentProgress())
    assert again.dataset.identical(results.dataset)
    assert again.study == results.study


@pytest.mark.parametrize("occurrences", [2, 3])
def test_so_few_occurrences_leave_everything_untestable(results_of, occurrences):
    results = results_of(occurrences=occurrences, layers=6)
    assert {row["verdict"] for row in results.study["verdicts"]} == {"not_testable"}
    assert {row["verdict"] for row in results.study["conclusions"]} == {"not_testable"}
    assert all(row["low"] is None and row["high"] is None for row in results.study["verdicts"])
    for name in ("mi_difference_low", "mi_difference_p", "mantel_p", "fisher_p", "tau_difference_p", "word_specific_excess_low"):
        assert results.dataset[name].isnull().all(), name
    assert np.isfinite(results.dataset.mutual_information).all()


def test_four_occurrences_can_be_tested(results_of):
    verdicts = results_of(occurrences=4, layers=6).study["verdicts"]
    assert "not_testable" not in {row["verdict"] for row in verdicts if row["name"] == "early_layers"}


def test_no_controls_no_verdicts_with_controls(make_input, small_settings):
    results = analyse(make_input(occurrences=5, layers=3, controls=False), small_settings, SilentProgress())
    assert set(results.study["controls"].values()) == {None}
    assert results.study["primary_control"] == "none"
    assert {row["control"] for row in results.study["verdicts"]} == {"none", "without_first"}
    assert not [name for name in results.dataset.data_vars if str(name).startswith(("control", "untrained", "excess", "word_specific"))]


@pytest.mark.parametrize(("layers", "shown"), [(1, 1), (2, 2), (3, 3), (6, 3)])
def test_the_layer_shown_pair_by_pair_adapts_to_short_models(make_input, small_settings, layers, shown):
    settings = small_settings.model_copy(update={"detail_layer": None})
    assert analyse(make_input(occurrences=4, layers=layers), settings, SilentProgress()).study["detail_layer"] == shown


def test_a_layer_to_show_must_be_one_of_those_that_are_studied(make_input, small_settings):
    model = {"model": {"source": "hub", "name": "x", "layer_numbers": [4, 5, 12], "layers_of_model": 12}}
    found = dataclasses.replace(make_input(occurrences=4, layers=3), provenance=model)
    settings = small_settings.model_copy(update={"detail_layer": 12})
    assert analyse(found, settings, SilentProgress()).study["detail_layer"] == 12
    with pytest.raises(InputError, match=r"detail_layer: expected one of the layers that are studied, 4-5, 12 of 12; got 3"):
        analyse(found, settings.model_copy(update={"detail_layer": 3}), SilentProgress())


def test_detail_layer_beyond_the_model(make_input, small_settings):
    with pytest.raises(InputError, match="detail_layer: expected a layer from 1 to 3"):
        analyse(make_input(occurrences=5, layers=3), small_settings.model_copy(update={"detail_layer": 4}), SilentProgress())


def test_nothing_of_this_machine_is_kept(make_input, small_settings, tmp_path):
    settings = small_settings.model_copy(update={"activations_file": str(tmp_path / "made-up.npz")})
    study = analyse(make_input(occurrences=4, layers=2), settings, SilentProgress()).study
    assert str(tmp_path) not in repr(study)
    assert study["settings"]["activations_file"] == "made-up.npz"


def test_centred_vectors_have_the_other_words_mean_subtracted(make_input, small_settings, results):
    from analyses.mutual_information import pairwise_mutual_information

    vectors = make_input(occurrences=7, layers=6)
    centred = vectors.activation - vectors.control_activation.mean(axis=2, keepdims=True, dtype=np.float64)
    data = results.dataset
    found = pairwise_mutual_information(
        centred, data.first_occurrence.values, data.second_occurrence.values, ("histogram",), bins=15, trim=4.0
    )["histogram"]
    np.testing.assert_allclose(data.centred_mutual_information.sel(estimator="histogram"), found, rtol=0, atol=1e-12)
    # A common offset of all vectors is gone: the same numbers as without it.
    offset = 3 * np.random.default_rng(0).normal(size=(2, 6, 1, 60)).astype(np.float32)
    moved = analyse(
        dataclasses.replace(vectors, activation=vectors.activation + offset, control_activation=vectors.control_activation + offset),
        small_settings,
        SilentProgress(),
    )
    np.testing.assert_allclose(moved.dataset.centred_mutual_information, data.centred_mutual_information, rtol=0, atol=2e-2)
    assert not np.allclose(moved.dataset.mutual_information, data.mutual_information, rtol=0, atol=2e-2)


def test_other_repeated_words_are_held_against_different_words(make_input, small_settings):
    # Two words that come again carry a part of their own, as the target word does: the word is then no exception.
    vectors = make_input(occurrences=7, layers=6, control_tokens=30)
    generator = np.random.default_rng(5)
    words = [f"word{index}" for index in range(30)]
    control = vectors.control_activation.copy()
    for name, places in (("alpha", (1, 9, 17, 25)), ("beta", (3, 11, 20, 28))):
        own = 2 * generator.normal(size=(2, 6, 60))
        for place in places:
            words[place] = name
            control[:, :, place] += own
    study = analyse(
        dataclasses.replace(vectors, control_activation=control, control_token_word=tuple(words)), small_settings, SilentProgress()
    )
    assert study.study["controls"]["repeated_words"]["words"] == ["alpha", "beta"]
    excess = study.dataset.repeated_words_excess.sel(estimator="histogram")
    assert (excess > 0).all()
    assert float(excess.mean()) > 0.05
    gap = study.dataset.repeated_matched_mutual_information - study.dataset.control_matched_mutual_information
    np.testing.assert_allclose(study.dataset.repeated_words_excess, gap.mean("pair"), rtol=0, atol=1e-12)
    beyond = study.dataset.mutual_information - study.dataset.repeated_matched_mutual_information
    np.testing.assert_allclose(study.dataset.word_minus_repeated_words, beyond.mean("pair"), rtol=0, atol=1e-12)
    deep = [layer - 1 for layer in study.study["bands"]["deep"]]
    told = study.study["controls"]["repeated_words"]["word_minus_repeated_deep"]["histogram"]["mlp"]
    expected = study.dataset.word_minus_repeated_words.sel(estimator="histogram", branch="mlp").isel(layer=deep).mean()
    assert told["estimate"] == pytest.approx(float(expected))
    assert told["low"] < told["estimate"] < told["high"]
