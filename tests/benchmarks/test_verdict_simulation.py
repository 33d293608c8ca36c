"""The simulated data have the noise and the truth that they are said to have, and a few of them get the right verdicts."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from analyses.mi_distance.error_rates import occurrence_variance
from analyses.mi_distance.measures import OF_TAUS
from analyses.occurrences.pairs import pairs_of
from benchmarks import verdict_simulation
from benchmarks.verdict_simulation import (
    BANDS,
    LAYERS,
    NAMES,
    PARTS,
    PLANTED,
    UNIT,
    Case,
    Truth,
    data_set,
    flat,
    mean_taus,
    noise,
    simulate,
    sizes,
    verdicts,
)

RESULTS = Path(verdict_simulation.__file__).parent / "results"


def test_half_of_the_noise_belongs_to_the_occurrences_and_half_is_common_to_the_layers():
    pairs = pairs_of(np.array([3, 11, 20, 34, 52, 61, 90]))
    generator = np.random.default_rng(0)
    drawn = np.stack([noise(generator, pairs) for _ in range(2000)])
    assert drawn.shape == (2000, 2, LAYERS, 21)
    assert drawn[:, 0, 0].std() == pytest.approx(1, abs=0.02)
    own, residual = occurrence_variance(drawn[:, 0, 0], pairs)
    assert 2 * own.mean() == pytest.approx(0.5, abs=0.03)
    assert residual.mean() == pytest.approx(0.5, abs=0.03)
    between_layers = scipy.stats.pearsonr(drawn[:, 0, 0, 0], drawn[:, 0, 1, 0]).statistic
    assert between_layers == pytest.approx(0.5, abs=0.06)
    assert scipy.stats.pearsonr(drawn[:, 0, 0, 0], drawn[:, 1, 0, 0]).statistic == pytest.approx(0, abs=0.07)


@pytest.mark.parametrize("index", [index for index, (case, *_) in enumerate(PLANTED) if not any(case.truth.slope)])
def test_almost_without_noise_what_is_planted_is_supported_and_its_opposite_contradicted(index):
    case, true, false = PLANTED[index]
    values, pairs = data_set(np.random.default_rng(1), Case(case.effect, case.truth, noise=1e-3))
    found = verdicts(values, pairs)
    assert {verdict for name in true for verdict in found[name].values()} <= {"supported"}
    assert {verdict for name in false for verdict in found[name].values()} <= {"contradicted"}


def test_planted_taus_are_those_that_are_said():
    of_effect = {(case.effect, case.occurrences): case for case, *_ in PLANTED}
    assert mean_taus(of_effect["tau -.5", 24], [0, 9], 5) == [pytest.approx(-0.5, abs=0.05)] * 2
    assert mean_taus(of_effect["tau -.25", 7], [0, 9], 20) == [pytest.approx(-0.25, abs=0.08)] * 2
    attention, mlp = mean_taus(of_effect["taus 0 and -.5", 16], [0, 9], 5)
    assert attention == pytest.approx(0, abs=0.1)
    assert mlp == pytest.approx(-0.5, abs=0.07)


def test_values_are_in_nats():
    values, _ = data_set(np.random.default_rng(1), Case("none", Truth(flat())))
    assert values[1].std() == pytest.approx(UNIT, rel=0.2)


def test_bands_are_those_of_thirty_layers():
    assert BANDS.early.tolist() == list(range(10))
    assert BANDS.deep.tolist() == list(range(20, 30))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["early_layers", "deep_layers: deep_difference", "constant_shift"])
def test_a_few_planted_data_sets_get_the_right_verdict(name):
    # The largest effect of each kind stands last of its kind.
    true = [case for case, names, _ in PLANTED if name in names and case.occurrences == 7][-1]
    false = [case for case, _, names in PLANTED if name in names][-1]
    assert simulate(true, 12, [5], (name,))[name]["conclusion"]["supported"] > 0.8
    assert simulate(false, 12, [5], (name,))[name]["conclusion"]["supported"] == 0


def test_sizes_are_shares_of_the_data_sets():
    few = sizes(20, 4)
    assert few.keys() == set(OF_TAUS)
    assert all(0 <= share <= 0.25 and 20 * share == pytest.approx(round(20 * share)) for share in few.values())


def test_nothing_is_supported_where_there_is_nothing():
    shares = simulate(Case("none", Truth(flat())), 20, [6], (*NAMES[:4], *PARTS))
    assert all(sources["conclusion"]["supported"] <= 0.15 for sources in shares.values())


def test_published_figures_meet_the_studys_own_criterion():
    figures = json.loads((RESULTS / "verdict_simulation.json").read_text(encoding="utf-8"))
    assert {row["statement"] for row in figures["null"]} == set(NAMES) | set(PARTS)
    # Five in a hundred, and two standard errors of a share of so many data sets.
    error = np.sqrt(0.05 * 0.95 / figures["settings"]["null_data_sets"])
    # That the taus separate rests on an exact test and is right at its level; how often it rejects, more data sets say below.
    limits = {"tau_separation": 0.05 + 4 * error}
    for row in figures["null"]:
        share = row["verdicts"]["conclusion"]
        assert share["supported"] <= limits.get(row["statement"], 0.05 + 2 * error), row
        assert share["contradicted"] <= 0.05, row
    error = np.sqrt(0.05 * 0.95 / figures["settings"]["size_data_sets"])
    assert figures["sizes"] == {name: pytest.approx(0.05, abs=2.6 * error) for name in OF_TAUS}
    for row in figures["planted"]:
        share = row["verdicts"]["conclusion"]
        assert share["contradicted" if row["true"] else "supported"] <= 0.05, row
    # Relabelling finds what the jackknife missed: 83 and 86 % were asked for at the lesson's seven occurrences.
    found = {(row["statement"], row["effect"], row["occurrences"]): row["verdicts"] for row in figures["planted"]}
    assert found["negative_tau: mean_tau", "tau -.5", 7]["conclusion"]["supported"] >= 0.86
    assert found["tau_separation", "taus 0 and -.5", 7]["conclusion"]["supported"] >= 0.83
    for key, shares in found.items():
        if "jackknife" in shares and key[2] == 7:
            decided = [sum(shares[source][verdict] for verdict in ("supported", "contradicted")) for source in ("conclusion", "jackknife")]
            assert decided[0] > decided[1], key
