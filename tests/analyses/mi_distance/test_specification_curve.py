"""Every choice once, each judged as the study itself judges, and held against its own nearest-neighbour estimate."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from sklearn.feature_selection import mutual_info_regression

from analyses.mi_distance.robustness import robustness_variables
from analyses.mi_distance.specification_curve import Vectors, references, specification_table, specifications, specified_values
from analyses.mi_distance.study import analyse
from analyses.occurrences.pairs import pairs_of
from analyses.progress import SilentProgress

# The word's last token, read where nobody said: ready activations.
LAST = [("last", "")]
ROBUSTNESS = {"bins": (8, "fd"), "trim": (None, 3.0), "neighbours": (5,), "simulations": 100}


@pytest.fixture(scope="module")
def settings(small_settings):
    return small_settings.model_copy(update={"robustness": small_settings.robustness.model_copy(update=ROBUSTNESS | {"enabled": True})})


@pytest.fixture(scope="module")
def varied(make_input, settings):
    return analyse(make_input(occurrences=6, layers=6, controls=False), settings, SilentProgress())


@pytest.fixture(scope="module")
def table(varied):
    return specification_table(varied.dataset, varied.study)


def test_default_choices_give_sixty_specifications_for_one_token(small_settings):
    listed = specifications(small_settings, LAST)
    # 2 histograms x 6 bins x 4 trimmings, k = 3 and 5 x 4 trimmings, the copula x 4 trimmings
    assert Counter(one.estimator for one in listed) == {"histogram": 24, "corrected": 24, "nearest_neighbour": 8, "gaussian_copula": 4}
    assert len(set(listed)) == len(listed) == 60
    assert len(specifications(small_settings, [("last", ""), ("mean", "")])) == 120


def test_the_studys_own_choice_is_among_those_varied(settings):
    listed = specifications(settings, LAST)
    assert {one.bins for one in listed if one.bins} == {8, "fd", 15}
    assert {one.trim for one in listed} == {None, 3.0, 4.0}
    assert {one.neighbours for one in listed if one.neighbours} == {5, 3}


def assert_own_are_the_studys(results, table, count):
    own = table[table["own"]]
    found = {(row["name"], row["estimator"]): row for row in own.to_dict("records")}
    rests_on = {row["name"]: row["control"] for row in results.study["conclusions"]}
    concluded = [row for row in results.study["verdicts"] if row["control"] == rests_on[row["name"]]]
    assert len(found) == len(own) == len(concluded) == count
    for row in concluded:
        here, first = found[row["name"], row["estimator"]], row["parts"][0]
        assert (here["verdict"], here["control"]) == (row["verdict"], row["control"])
        np.testing.assert_allclose(
            [here[name] for name in ("estimate", "low", "high")], [first[name] for name in ("estimate", "low", "high")]
        )


def test_own_specifications_have_the_studys_verdicts(varied, table):
    assert_own_are_the_studys(varied, table, 14)


def test_what_the_values_are_is_a_choice_where_there_are_control_words(make_input, settings):
    # Few pairs at each distance under other choices; the study's own keep all of them, and so its verdicts.
    few = settings.model_copy(
        update={
            "robustness": settings.robustness.model_copy(update={"pairs_per_distance": 2}),
            "controls": settings.controls.model_copy(update={"pairs_per_distance": None}),
        }
    )
    results = analyse(make_input(occurrences=6, layers=6), few, SilentProgress())
    table = specification_table(results.dataset, results.study)
    assert_own_are_the_studys(results, table, 14)
    early = table[table["name"] == "early_layers"]
    assert early.groupby("control", sort=False).size().to_dict() == {"different_word": 27, "none": 27, "centred": 27}
    assert set(table[table["name"] == "constant_shift"]["control"]) == {"none"}
    centred = early[
        (early["control"] == "centred") & (early["bins"] == "15") & (early["trim"] == "4") & (early["estimator"] == "histogram")
    ]
    row = next(
        row
        for row in results.study["verdicts"]
        if (row["name"], row["control"], row["estimator"]) == ("early_layers", "centred", "histogram")
    )
    np.testing.assert_allclose(centred["estimate"], row["estimate"])


def test_one_row_for_each_statement_and_specification_that_speaks_to_it(table):
    assert table.groupby("name", sort=False).size().to_dict() == {
        "early_layers": 27,
        "deep_layers": 27,
        "negative_tau": 27,
        "tau_separation": 27,
        "constant_shift": 18,
    }
    assert set(table[table["name"] == "constant_shift"]["estimator"]) == {"histogram", "corrected"}


def test_values_are_those_of_other_libraries(make_input, settings):
    study = make_input(occurrences=4, layers=2, controls=False)
    pairs = pairs_of(study.token_position)
    found = specified_values(Vectors({LAST[0]: study.activation}), pairs, settings, lambda count: None)
    listed, values = found["none"][0], found["none"][1].values
    x, y = study.activation[1, 0, pairs.first[2]].astype(float), study.activation[1, 0, pairs.second[2]].astype(float)

    def of(estimator, **choice):
        index = next(i for i, one in enumerate(listed) if one.estimator == estimator and choice.items() <= vars(one).items())
        return values[index, 1, 0, 2]

    counts = np.histogram2d(x, y, 8)[0]
    g = scipy.stats.chi2_contingency(counts[counts.sum(1) > 0][:, counts.sum(0) > 0], correction=False, lambda_="log-likelihood").statistic
    assert of("histogram", bins=8, trim=None) == pytest.approx(g / (2 * counts.sum()))
    near = mutual_info_regression(x[:, None], y, n_neighbors=5)[0]
    assert max(of("nearest_neighbour", neighbours=5, trim=None), 0) == pytest.approx(near, abs=1e-9)
    scores = [scipy.stats.norm.ppf(scipy.stats.rankdata(values_) / (len(x) + 1)) for values_ in (x, y)]
    r = scipy.stats.pearsonr(*scores).statistic
    assert of("gaussian_copula", trim=None) == pytest.approx(-np.log(1 - r**2) / 2)


def test_shift_is_held_against_nearest_neighbours_with_the_same_trimming_and_the_studys_k(make_input, settings, table):
    study = make_input(occurrences=6, layers=6, controls=False)
    pairs = pairs_of(study.token_position)
    found = specified_values(Vectors({LAST[0]: study.activation}), pairs, settings, lambda count: None)
    listed, values = found["none"][0], found["none"][1].values
    for index, reference in enumerate(references(listed, 3)):
        assert (listed[reference].estimator, listed[reference].neighbours) == ("nearest_neighbour", 3)
        assert listed[reference].trim == listed[index].trim
    means = values.mean(axis=-1).reshape(len(listed), -1)
    index = next(i for i, one in enumerate(listed) if (one.estimator, one.bins, one.trim) == ("histogram", 8, 3.0))
    near = next(i for i, one in enumerate(listed) if (one.neighbours, one.trim) == (3, 3.0))
    rows = table[
        (table["name"] == "constant_shift") & (table["estimator"] == "histogram") & (table["bins"] == "8") & (table["trim"] == "3")
    ]
    assert rows["estimate"].tolist() == [pytest.approx(scipy.stats.theilslopes(means[near], means[index])[0])]


def test_logarithm_of_the_distance_changes_no_tau(varied):
    assert float(varied.dataset["specification_log_distance_change"]) == 0.0


def test_a_word_of_several_tokens_is_represented_in_both_ways(make_input, settings):
    study = make_input(occurrences=5, layers=4, controls=False)
    generator = np.random.default_rng(1)
    other = study.activation + generator.normal(size=study.activation.shape).astype(np.float32)
    results = analyse(replace(study, alternative_activation=other), settings, SilentProgress())
    table = specification_table(results.dataset, results.study)
    tokens = table[table["name"] == "early_layers"].groupby("token")["estimate"]
    assert tokens.size().to_dict() == {"last": 27, "mean": 27}
    assert not set(tokens.get_group("last")) & set(tokens.get_group("mean"))
    assert set(table[table["own"]]["token"]) == {"last"}
    swapped = analyse(replace(study, activation=other, alternative_activation=study.activation), settings, SilentProgress())
    again = specification_table(swapped.dataset, swapped.study)
    mean = again[(again["name"] == "early_layers") & (again["token"] == "mean")]["estimate"]
    np.testing.assert_allclose(mean, tokens.get_group("last"))


def read_behind_a_norm(study, seed=1):
    """The same study with vectors read behind a norm of each branch: other ones, dimension by dimension."""
    gain = np.random.default_rng(seed).lognormal(size=(2, 1, 1, study.activation.shape[-1]))

    def behind(vectors):
        return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True) * gain).astype(np.float32)

    return {"other_output_activation": behind(study.activation), "other_output_control_activation": behind(study.control_activation)}


@pytest.mark.slow
def test_where_the_branches_are_read_is_a_choice_in_which_the_control_follows(make_input, settings):
    study = make_input(occurrences=5, layers=4)
    model = {"model": {"source": "hub", "name": "m", "branch_output": "projection"}}
    study = replace(study, provenance=model, **read_behind_a_norm(study))
    results = analyse(study, settings, SilentProgress())
    table = specification_table(results.dataset, results.study)
    rows = table[table["name"] == "early_layers"].set_index(["output", "control"])["estimate"]
    assert rows.groupby(level=[0, 1]).size().to_dict() == {
        (output, control): 27 for output in ("projection", "residual") for control in ("different_word", "none", "centred")
    }
    assert set(table[table["own"]]["output"]) == {"projection"}
    # The study as it would be with the other choice made, control words and all.
    other = {
        "activation": study.other_output_activation,
        "control_activation": study.other_output_control_activation,
        "other_output_activation": study.activation,
        "other_output_control_activation": study.control_activation,
        "provenance": {"model": {"source": "hub", "name": "m", "branch_output": "residual"}},
    }
    swapped = analyse(replace(study, **other), settings, SilentProgress())
    again = specification_table(swapped.dataset, swapped.study)
    assert set(again[again["own"]]["output"]) == {"residual"}
    again = again[again["name"] == "early_layers"].set_index(["output", "control"])["estimate"]
    for control in ("none", "centred"):
        np.testing.assert_allclose(rows["residual", control], again["residual", control])
    # The study's own choices keep all control pairs, the others a part of them.
    own = Counter(np.isclose(rows["residual", "different_word"], again["residual", "different_word"]).tolist())
    assert own[True] >= 24


def test_two_occurrences_leave_nothing_testable(make_input, settings):
    study = make_input(occurrences=2, layers=4, controls=False)
    results = analyse(study, settings, SilentProgress())
    table = specification_table(results.dataset, results.study)
    assert set(table["verdict"]) == {"not_testable"}
    assert np.isnan(table["low"]).all()
    assert "simulated_test" not in results.dataset


def test_nothing_is_computed_where_the_settings_switch_it_off(make_input, small_settings):
    study = make_input(occurrences=5, layers=4, controls=False)
    pairs = pairs_of(study.token_position)
    off = robustness_variables(study, np.zeros((3, 2, 4, 10)), pairs, None, None, None, small_settings, SilentProgress(), confidence=0.95)
    assert off == {}
