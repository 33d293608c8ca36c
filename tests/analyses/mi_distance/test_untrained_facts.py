"""Is the effect a result of training? Planted worlds, and the sentences that turn with them."""

import itertools

import numpy as np
import pytest
import scipy.stats

from analyses.mi_distance.facts.untrained import _outcome, untrained_facts
from analyses.mi_distance.names import ESTIMATORS

PAIR = ("estimator", "branch", "layer", "pair")
LAYERS, DRAWS = 6, 3


@pytest.fixture
def planted(results):
    """Facts where MI of the trained and of the untrained model falls with distance by a planted amount, by branch."""
    distance = results.dataset["token_distance"].to_numpy()

    def facts(trained, untrained, level=(0.0, 0.0), draws=DRAWS):
        generator = np.random.default_rng(0)
        noise = generator.normal(size=(draws + 1, len(ESTIMATORS), 2, LAYERS, len(distance)))
        slope = np.array([trained, *[untrained] * draws])[:, None, :, None, None]
        values = -0.1 * slope * distance + noise + np.array(level)[:, None, None]
        tau = np.apply_along_axis(lambda row: scipy.stats.kendalltau(distance, row).statistic, -1, values[0])
        dataset = results.dataset.drop_vars("untrained_mutual_information").assign(
            kendall_tau=(PAIR[:3], tau), untrained_mutual_information=(("untrained_seed", *PAIR), values[1:])
        )
        return untrained_facts(dataset, results.study), values

    return facts


@pytest.mark.parametrize(
    ("trained", "untrained", "outcomes", "answer"),
    [
        ((0.5, 0.5), (3, 3), ["stronger", "stronger"], "stronger"),
        ((3, 3), (0.5, 0.5), ["weaker", "weaker"], "weaker"),
        ((0.5, 3), (3, 0.5), ["stronger", "weaker"], "both"),
        ((3, 3), (-3, -3), ["absent", "absent"], "absent"),
        ((-3, -3), (3, 3), ["only_untrained", "only_untrained"], "mixed"),
        ((-3, 3), (-3, -3), ["neither", "absent"], "mixed"),
    ],
)
def test_the_sentences_on_distance_turn_with_the_world(planted, trained, untrained, outcomes, answer):
    found, _ = planted(trained, untrained)
    assert [each["key"] for each in found["distance"]] == [f"untrained.distance.{outcome}" for outcome in outcomes]
    assert found["answer"] == f"untrained.answer.{answer}"
    assert found["seeds"] == DRAWS


def test_the_numbers_on_distance_are_scipys(planted, results):
    found, values = planted((1, 1), (2, 2))
    distance = results.dataset["token_distance"].to_numpy()
    for branch, (index, estimator) in itertools.product(range(2), ((0, "histogram"), (2, "nearest_neighbour"))):
        tau = np.apply_along_axis(lambda row: scipy.stats.kendalltau(distance, row).statistic, -1, values[:, index, branch]).mean(axis=-1)
        numbers = found["distance"][branch]["values"]
        assert numbers[estimator]["value"] == pytest.approx(tau[0])
        assert numbers[f"{estimator}_untrained"]["value"] == pytest.approx(tau[1:].mean())
        assert numbers[f"{estimator}_low"]["value"] == pytest.approx(tau[1:].min())
        assert numbers[f"{estimator}_high"]["value"] == pytest.approx(tau[1:].max())


@pytest.mark.parametrize(("level", "outcome", "count"), [((5, 0), "attention", DRAWS), ((0, 5), "mlp", 0)])
def test_the_order_of_the_branches_turns_with_the_world(planted, level, outcome, count):
    found, _ = planted((0, 0), (0, 0), level)
    assert [each["key"] for each in found["order"]] == [f"untrained.order.{outcome}"] * 2
    for each in found["order"]:
        for estimator in ("histogram", "nearest_neighbour"):
            assert each["values"][f"{estimator}_attention"]["values"] == {"count": count, "total": DRAWS}


def test_one_draw_has_its_numbers_and_no_answer(planted):
    """What would be said of several is told of none: no "in every draw", no range over draws."""
    found, values = planted((3, 3), (0.5, 0.5), (5, 0), draws=1)
    assert found["answer"] is None
    assert [each["key"] for each in found["told"]] == ["untrained.distance.one", "untrained.distance.one", "untrained.one_draw"]
    # The planted order of the branches, counted in the one draw.
    assert (values[1, 0, 0].mean() > values[1, 0, 1].mean(), [each["key"] for each in found["told_order"]]) == (
        True,
        ["untrained.order.mixed"] * 2,
    )
    assert {each["values"]["histogram_attention"]["key"] for each in found["told_order"]} == {"count.draws.only"}


def test_what_an_outcome_says_is_so_in_every_draw():
    generator = np.random.default_rng(1)
    for _ in range(2000):
        trained, untrained = generator.normal(size=2).round(2), (generator.normal(size=(2, 2)) * 0.7 - 0.3).round(2)
        outcome = _outcome(trained, untrained)
        below = untrained < trained[:, None]
        expected = {
            "stronger": (trained < 0).all() and (untrained < 0).all() and below.all(),
            "weaker": (trained < 0).all() and (untrained < 0).all() and (untrained > trained[:, None]).all(),
            "absent": (trained < 0).all() and (untrained >= 0).all(),
            "only_untrained": (trained >= 0).all() and (untrained < 0).all(),
            "neither": (trained >= 0).all() and (untrained >= 0).all(),
        }
        assert [name for name, so in expected.items() if so] == ([outcome] if outcome != "mixed" else [])


def test_nothing_is_subtracted_and_nothing_judged(results):
    assert not [row for row in results.study["verdicts"] if row["control"] == "untrained"]
    assert results.study["controls"]["untrained"] == {"seeds": [20, 21]}
    data = results.dataset
    assert data["untrained_mutual_information"].dims == ("untrained_seed", *PAIR)
    for name, values in (
        ("mean_mutual_information", data["untrained_mutual_information"].mean("pair")),
        ("kendall_tau", data["untrained_mutual_information"].reduce(lambda rows, axis: _taus(data, rows), "pair")),
    ):
        np.testing.assert_allclose(data[f"untrained_{name}"], values.mean("untrained_seed"), atol=1e-12)
        np.testing.assert_allclose(data[f"untrained_{name}_low"], values.min("untrained_seed"), atol=1e-12)
        np.testing.assert_allclose(data[f"untrained_{name}_high"], values.max("untrained_seed"), atol=1e-12)


def _taus(data, rows):
    return np.apply_along_axis(lambda row: scipy.stats.kendalltau(data["token_distance"].to_numpy(), row).statistic, -1, rows)


def test_without_the_control_there_are_no_facts(results):
    assert untrained_facts(results.dataset.drop_vars("untrained_mutual_information"), results.study) is None
