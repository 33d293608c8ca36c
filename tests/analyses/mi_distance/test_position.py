"""Distance or position: the numbers against SciPy, planted effects of each kind, and sentences that turn with them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from analyses.mi_distance.bands import bands_of
from analyses.mi_distance.facts.position import _answer, _direction, _in_one_branch, position_facts
from analyses.mi_distance.hypotheses import ONE_BRANCH, measure_with_intervals
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.position import Position, position_of
from analyses.mi_distance.settings import HypothesisSettings, StudySettings
from analyses.mi_distance.study import analyse
from analyses.occurrences.controls import plain
from analyses.occurrences.pairs import pairs_of
from analyses.occurrences.vectors import StudyInput
from analyses.progress import SilentProgress

POSITION = np.array([2, 21, 43, 72, 88, 90, 105])
PAIRS = pairs_of(POSITION)
LAYERS = 4
SETTINGS = StudySettings(name="planted", word="coffee", activations_file="planted.npz")
SHAPE = (len(ESTIMATORS), 2, LAYERS, len(PAIRS))


def measure(adjusted, pairs, _advance=None):
    return measure_with_intervals(adjusted, pairs, bands_of(LAYERS, HypothesisSettings()), confidence=0.95, seed=0)


def vectors(**changes) -> StudyInput:
    activation = np.zeros((2, LAYERS, len(POSITION), 3))
    bare = StudyInput(activation, POSITION, None, None, None, None, None, {})
    return replace(bare, **changes)


def position(values: np.ndarray, behind: np.ndarray | None = None) -> Position:
    """Of planted values; `behind` are those behind a prefix."""
    changes = (
        {} if behind is None else {"prefix_activation": np.zeros((2, LAYERS, len(POSITION), 3)), "prefix_token_position": POSITION + 80}
    )
    return position_of(
        vectors(**changes), PAIRS, values, None, None, SETTINGS, progress=SilentProgress(), estimate=lambda *_: behind, measure=measure
    )


def world(of_pairs: np.ndarray, noise: float = 0.2, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return of_pairs + noise * generator.normal(size=SHAPE)


BY_DISTANCE = -0.02 * PAIRS.distance
BY_POSITION = 0.4 * np.log(POSITION[PAIRS.first])
BY_FIRST = 0.5 * (PAIRS.first > 0)


def ends(found: Position, name: str) -> tuple[float, float, float]:
    return tuple(float(found.variables[f"{name}{end}"][1][0]) for end in ("", "_low", "_high"))


def shared_verdict(found: Position, control: str) -> str:
    row = next(row for row in found.verdicts if (row["name"], row["control"]) == ("negative_tau", control))
    return next(part["verdict"] for part in row["parts"] if part["measure"] == "mean_tau")


def test_taus_are_those_of_scipy():
    values, behind = world(BY_DISTANCE, 0.5), world(BY_POSITION, 0.5, seed=1)
    found = position(values, behind)
    earlier = POSITION[PAIRS.first]
    rest = PAIRS.first > 0
    for index in itertools.product(range(len(ESTIMATORS)), range(2), range(LAYERS)):
        tau = lambda x, y: scipy.stats.kendalltau(x, y).statistic  # noqa: E731
        row = values[index]
        assert found.variables["kendall_tau_without_first"][1][index] == pytest.approx(tau(PAIRS.distance[rest], row[rest]), abs=1e-12)
        assert found.variables["prefix_kendall_tau"][1][index] == pytest.approx(tau(PAIRS.distance, behind[index]), abs=1e-12)
        xy, xz, yz = tau(PAIRS.distance, row), tau(earlier, PAIRS.distance), tau(earlier, row)
        partial = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
        assert found.variables["partial_kendall_tau"][1][index] == pytest.approx(partial, abs=1e-12)
    mean = found.variables["partial_kendall_tau"][1].mean(axis=(1, 2))
    np.testing.assert_allclose(found.variables["partial_mean_tau"][1], mean, atol=1e-12)
    without = [
        [
            np.mean([scipy.stats.kendalltau(PAIRS.distance[kept], row[kept]).statistic for row in rows])
            for kept in map(PAIRS.without, range(7))
        ]
        for rows in values.reshape(len(ESTIMATORS), -1, len(PAIRS))
    ]
    np.testing.assert_allclose(found.variables["mean_tau_without_occurrence"][1], without, atol=1e-12)


def test_an_effect_of_position_alone_is_not_taken_for_one_of_distance():
    found = position(world(BY_POSITION), world(np.zeros(len(PAIRS)), seed=1))
    everything = measure(plain(world(BY_POSITION)), PAIRS)
    assert everything.high["mean_tau"][0] < 0  # the trap
    estimate, low, high = ends(found, "partial_mean_tau")
    assert low < 0 < high
    assert abs(estimate) < 0.15
    change, change_low, _ = ends(found, "prefix_tau_change")
    assert change == pytest.approx(0 - everything.estimate["mean_tau"][0], abs=0.2)
    assert change_low > 0


def test_an_effect_of_distance_stays_in_every_look():
    found = position(world(BY_DISTANCE), world(BY_DISTANCE, seed=1))
    assert ends(found, "partial_mean_tau")[2] < 0
    assert shared_verdict(found, "without_first") == shared_verdict(found, "prefix") == "supported"
    _, low, high = ends(found, "prefix_tau_change")
    assert low < 0 < high


def test_an_effect_of_the_first_occurrence_goes_with_it():
    found = position(world(BY_FIRST))
    tau = found.variables["mean_tau_without_occurrence"][1][0]
    assert abs(tau[0]) < 0.1
    assert (tau[1:] < -0.1).all()
    assert shared_verdict(found, "without_first") == "inconclusive"


def test_the_change_behind_the_prefix_is_the_difference_of_the_mean_taus():
    values, behind = world(BY_DISTANCE, 1), world(BY_POSITION, 1, seed=1)
    found = position(values, behind)
    expected = measure(plain(behind), PAIRS).estimate["mean_tau"] - measure(plain(values), PAIRS).estimate["mean_tau"]
    np.testing.assert_allclose(found.variables["prefix_tau_change"][1], expected, atol=1e-12)
    assert {row["name"] for row in found.verdicts} == {"negative_tau", "tau_separation"}
    assert {row["control"] for row in found.verdicts} == {"without_first", "prefix"}


def test_distances_that_do_not_stay_are_not_compared():
    there = POSITION + 80
    there[0] -= 1
    inputs = vectors(prefix_activation=np.zeros((2, LAYERS, 7, 3)), prefix_token_position=there)
    values = world(BY_DISTANCE)
    found = position_of(inputs, PAIRS, values, None, None, SETTINGS, progress=SilentProgress(), estimate=lambda *_: values, measure=measure)
    assert "prefix_tau_change" not in found.variables
    assert found.provenance["distances_kept"] is False
    expected = scipy.stats.kendalltau(pairs_of(there).distance, values[0, 0, 0]).statistic
    assert found.variables["prefix_kendall_tau"][1][0, 0, 0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("occurrences", [2, 3])
def test_too_few_occurrences_have_no_position(results_of, occurrences):
    results = results_of(occurrences=occurrences, layers=6)
    assert "kendall_tau_without_first" not in results.dataset
    assert position_facts(results.dataset, results.study) is None


def test_behind_the_prefix_the_control_has_the_same_pairs_and_weights(results, make_input):
    data = results.dataset
    weight = data["control_weight"].to_numpy()
    excess = data["prefix_mutual_information"].to_numpy() - data["prefix_control_mutual_information"].to_numpy() @ weight.T
    np.testing.assert_allclose(data["prefix_excess_mutual_information"], excess, atol=1e-12)
    # Where the vectors behind the prefix are those of the study, so is everything that is made of them.
    vectors = make_input(occurrences=7, layers=6)
    same = replace(vectors, prefix_activation=vectors.activation, prefix_control_activation=vectors.control_activation)
    settings = StudySettings(
        name="same", word="coffee", activations_file="x.npz", detail_layer=1, permutations=199, robustness={"enabled": False}
    )
    data = analyse(same, settings, SilentProgress()).dataset
    np.testing.assert_array_equal(data["prefix_mutual_information"], data["mutual_information"])
    np.testing.assert_allclose(data["prefix_ranked_excess_mutual_information"], data["ranked_excess_mutual_information"], atol=1e-12)
    for kind in ("", "word_specific_"):
        np.testing.assert_allclose(data[f"{kind}prefix_kendall_tau"], data[f"{kind}kendall_tau"], atol=1e-12)
        np.testing.assert_allclose(data[f"{kind}prefix_tau_change"], 0, atol=1e-12)


def test_the_excess_is_looked_at_as_well(results):
    controls = {row["control"] for row in results.study["verdicts"]}
    assert {"without_first", "without_first_different_word", "prefix", "prefix_different_word"} <= controls
    assert [subject["values"]["subject"]["key"] for subject in position_facts(results.dataset, results.study)["subjects"]] == [
        "position.subject.excess",
        "position.subject.plain",
    ]


def test_a_control_that_is_switched_off_is_not_computed(make_input):
    settings = StudySettings(
        name="off",
        word="coffee",
        activations_file="x.npz",
        detail_layer=1,
        permutations=99,
        controls={"prefix": False},
        robustness={"enabled": False},
    )
    results = analyse(make_input(occurrences=5, layers=4), settings, SilentProgress())
    assert not [name for name in results.dataset if "prefix" in str(name)]
    assert results.study["controls"]["prefix"] is None


@pytest.fixture(scope="module")
def planted(results_of):
    """The facts of made-up results with position's numbers exchanged for those of a world."""

    def facts(values, behind=None, seed=0):
        results = results_of(occurrences=7, layers=4, seed=seed)
        dataset, study = results.dataset, results.study
        found = position(values, behind)
        kept = [name for name in dataset if not str(name).startswith("word_specific") and "prefix" not in str(name)]
        dataset = dataset[kept].assign({name: found.variables[name][:2] for name in found.variables})
        rows = [
            {"statement": 3, "name": "negative_tau", "estimator": estimator, "control": "none", "parts": [part]}
            for estimator, part in _parts(values)
        ]
        whole = position_facts(dataset, study | {"verdicts": rows + found.verdicts})
        (answer,) = whole["answers"]
        return whole["subjects"][0] | {"answer": answer["key"].removeprefix("position.answer.")}

    return facts


def _parts(values):
    measured = measure(plain(values), PAIRS)
    for index, estimator in enumerate(ESTIMATORS):
        low, high = measured.low["mean_tau"][index], measured.high["mean_tau"][index]
        verdict = "supported" if high < 0 else "contradicted" if low > 0 else "inconclusive"
        estimate = measured.estimate["mean_tau"][index]
        numbers = {"estimate": estimate, "low": low, "high": high}
        yield estimator, {"measure": "mean_tau", "verdict": verdict, "firm": verdict == "contradicted", "side": None} | numbers


NOTHING = np.zeros(len(PAIRS))


@pytest.mark.parametrize(
    ("here", "behind", "sentences", "answer"),
    [
        (BY_DISTANCE, BY_DISTANCE, {"prefix.open", "partial.negative"}, "stays"),
        (-BY_DISTANCE, -BY_DISTANCE, {"prefix.open", "partial.positive"}, "none"),
        (2 * BY_POSITION, NOTHING, {"prefix.weaker", "partial.open"}, "partly"),
        (BY_POSITION, BY_POSITION, {"prefix.open", "partial.open"}, "unseparated"),
        (BY_FIRST, None, {"without_first.nearer", "partial.open"}, "none"),
        (BY_POSITION, -BY_DISTANCE, {"prefix.turned", "partial.open"}, "unseparated"),
    ],
)
def test_the_sentences_turn_with_the_world(planted, here, behind, sentences, answer):
    found = planted(world(here), None if behind is None else world(behind, seed=1))
    keys = {sentence["key"].removeprefix("position.") for sentence in found["sentences"]}
    assert sentences <= keys
    assert found["answer"] == answer


def test_the_numbers_in_the_sentences_are_those_of_the_dataset(planted):
    values = world(BY_POSITION)
    found = planted(values, world(NOTHING, seed=1))
    sentences = {sentence["key"].split(".")[1]: sentence["values"] for sentence in found["sentences"]}
    of_world = position(values, world(NOTHING, seed=1))
    for index, estimator in ((0, "histogram"), (2, "nearest_neighbour")):
        assert sentences["partial"][estimator]["value"] == pytest.approx(of_world.variables["partial_mean_tau"][1][index])
        assert sentences["prefix"][f"{estimator}_change"]["value"] == pytest.approx(of_world.variables["prefix_tau_change"][1][index])
        others = of_world.variables["mean_tau_without_occurrence"][1][index][1:]
        assert sentences["without_first"][f"{estimator}_low"]["value"] == pytest.approx(others.min())
        assert sentences["without_first"][f"{estimator}_high"]["value"] == pytest.approx(others.max())


def test_directions_are_literal():
    """Every word for a change, against what it says."""
    generator = np.random.default_rng(3)
    estimators = ("histogram", "nearest_neighbour")
    for _ in range(500):
        before, after = (
            {name: (value, 0, 0) for name, value in zip(estimators, row, strict=True)} for row in generator.normal(size=(2, 2))
        )
        half = abs(generator.normal(size=2))
        change = {
            name: (after[name][0] - before[name][0], after[name][0] - before[name][0] - half[i], after[name][0] - before[name][0] + half[i])
            for i, name in enumerate(estimators)
        }
        word = _direction(before, after, change)
        excluded = [low > 0 or high < 0 for _, low, high in change.values()]
        assert word in ("open", "one_open") or all(excluded)
        assert (word == "open") == (not any(excluded))
        assert (word == "one_open") == (sum(excluded) == 1)
        if word in ("weaker", "stronger"):
            for name in estimators:
                assert (abs(after[name][0]) < abs(before[name][0])) == (word == "weaker")
                assert word == "weaker" or after[name][0] * before[name][0] > 0
        if word == "turned":
            assert all(after[name][0] * before[name][0] < 0 for name in estimators)


def test_no_fall_is_divided_where_none_is_shown():
    assert _answer(False, {"key": "position.prefix.weaker"}, {"key": "position.partial.open"}) == "none"


def test_a_fall_that_only_the_partial_tau_shows_is_not_said_to_be_shown_nowhere():
    assert _answer(False, {"key": "position.prefix.weaker"}, {"key": "position.partial.negative"}) == "only_partial"
    assert _answer(True, {"key": "position.prefix.weaker"}, {"key": "position.partial.negative"}) == "stays"


@pytest.mark.parametrize(("verdict", "sides", "told"), [
    ("inconclusive", (ONE_BRANCH, None), True), ("inconclusive", (None, None), False), ("supported", (None, None), False),
    ("contradicted", (ONE_BRANCH, ONE_BRANCH), False),
])  # fmt: skip
def test_a_look_that_one_branch_leaves_open_says_so(verdict, sides, told):
    """Behind it stands a mean whose interval may lie wholly below zero."""
    rows = [
        {"estimator": estimator, "parts": [{"measure": "mean_tau", "verdict": verdict, "side": side}]}
        for estimator, side in zip(("histogram", "nearest_neighbour"), sides, strict=True)
    ]
    assert _in_one_branch({"measure": "mean_tau", "verdict": verdict}, rows) == told
