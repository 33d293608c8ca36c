"""A bundle's numbers once more from its activations, by the slow route of `analyses.mi_distance.reference`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyses.errors import InputError
from analyses.mi_distance.reference import (
    Study,
    agreeing,
    control_statistics,
    estimates,
    layer_statistics,
    untrained_statistics,
)
from analyses.mi_distance.verification.controls import (
    Match,
    deep_statistics,
    match_statistics,
    matched,
    prefix_control,
    repeated_statistics,
)
from analyses.mi_distance.verification.linear import linear_statistics
from analyses.mi_distance.verification.position import position_statistics
from analyses.mi_distance.verification.simulations import simulation_statistics
from analyses.mi_distance.verification.specifications import specifications_anew
from analyses.mi_distance.verification.statements import Values, measures, of_agreement, of_verdicts
from analyses.mutual_information.ties import break_ties
from analyses.progress import Progress
from analyses.protocol import Results

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]
_WORD = "word_specific_"


def recomputed(results: Results, progress: Progress, every: int = 1) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Quantity -> as the bundle holds it, as it is recomputed.

    Parameters
    ----------
    every : estimate the mutual information of each `every`-th layer only, and work out each `every`-th specification; what rests on
        the estimates of the study itself is worked out for every layer.

    Raises
    ------
    InputError
        The bundle has no vectors, or its numbers and its vectors do not fit one another.
    """
    if "activation" not in results.activations:
        raise InputError("activations.nc: it holds no activations, so nothing can be recomputed from it")
    try:
        return _Bundle(results, progress, every).recomputed()
    except (KeyError, IndexError, StopIteration) as error:
        raise InputError(f"results.nc and activations.nc do not fit one another ({error}); make the bundle again") from error


class _Bundle:
    """One bundle on its way through the slow route."""

    def __init__(self, results: Results, progress: Progress, every: int) -> None:
        self.study, self.progress, self.every = Study(results), progress, every
        self.layers = list(range(0, results.dataset.sizes["layer"], every))
        self.estimators = results.dataset["estimator"].values.tolist()
        # What the study's own numbers rest on, each to the bundle's last digit where both agree.
        self.sound: dict[str, np.ndarray] = {}
        self.found: dict[str, np.ndarray] = {}
        self.pairs: Pairs = {}

    def recomputed(self) -> Pairs:
        study, found = self.study, self.found
        different = matched(study) if "control_mutual_information" in study.data else None
        self._estimate(different)
        values = self.sound["mutual_information"]
        found |= layer_statistics(study, values) | linear_statistics(study, values) | simulation_statistics(study)
        found["share_of_ties"] = _share_of_ties(study.vectors["activation"].values)
        self._judge("none", Values.bare(values), estimators=True)
        self.pairs |= of_agreement(study.facts["estimator_agreement"], values, self.estimators)
        kinds, behind = {"": Values.bare(values)}, {}
        if "prefix_mutual_information" in self.sound:
            behind[""] = Values.bare(self.sound["prefix_mutual_information"])
        if different is not None:
            kinds[_WORD] = self._different_words(different, values)
            if "prefix_control_mutual_information" in self.sound:
                more, behind[_WORD] = prefix_control(study, different, behind[""].plain, self.sound["prefix_control_mutual_information"])
                found |= more
        if "centred_mutual_information" in self.sound:
            found["centred_mean_mutual_information"] = self.sound["centred_mutual_information"].mean(axis=-1)
            self._judge("centred", Values.bare(self.sound["centred_mutual_information"]))
        if "untrained_mutual_information" in self.sound:
            found |= untrained_statistics(study, self.sound["untrained_mutual_information"])
        self._position(kinds, behind)
        if "specification_estimate" in study.data:
            control = self.sound.get("control_mutual_information")
            found |= specifications_anew(study, different, control, self.progress, self.every)
        return {name: (study.held(name), value) for name, value in found.items()} | self.pairs

    def _estimate(self, different: Match | None) -> None:
        """Every pair's estimates, under the names of the bundle; layers between are left as the bundle has them."""
        study, vectors, data = self.study, self.study.vectors, self.study.data
        activation = vectors["activation"].values
        word = (study.first, study.second)
        wanted: list[tuple[str, np.ndarray, tuple[np.ndarray, np.ndarray]]] = [("mutual_information", activation, word)]
        if different is not None:
            control = vectors["control_activation"].values
            offset = control.astype(np.float64).mean(axis=2, keepdims=True)
            wanted.append(("control_mutual_information", control, (different.first, different.second)))
            wanted.append(("centred_mutual_information", activation - offset, word))
            if "prefix_control_mutual_information" in data:
                behind = vectors["prefix_control_activation"].values
                wanted.append(("prefix_control_mutual_information", behind, (different.first, different.second)))
        elif "centred_mutual_information" in data:
            offset = vectors["control_activation"].values.astype(np.float64).mean(axis=2, keepdims=True)
            wanted.append(("centred_mutual_information", activation - offset, word))
        if "untrained_mutual_information" in data:
            wanted.append(("untrained_mutual_information", vectors["untrained_activation"].values, word))
        if "prefix_mutual_information" in data:
            wanted.append(("prefix_mutual_information", vectors["prefix_activation"].values, word))
        for name, array, ends in wanted:
            anew = study.held(name)
            draws = array if name == "untrained_mutual_information" else array[None]
            for draw, into in zip(draws, anew if draws is array else anew[None], strict=True):
                into[:, :, self.layers] = self._of_pairs(draw, *ends)
            self.found[name] = anew
            self.sound[name] = agreeing(study.held(name), anew)

    def _of_pairs(self, vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(estimator, branch, chosen layer, pair) of vectors (branch, layer, V, D)."""
        found = np.empty((3, 2, len(self.layers), len(first)))
        with self.progress.stage("verify", found[0].size) as advance:
            for branch, (place, layer) in ((branch, each) for branch in (0, 1) for each in enumerate(self.layers)):
                rows = np.ascontiguousarray(vectors[branch, layer], dtype=np.float64)
                untied, _ = break_ties(rows)
                for index, (i, j) in enumerate(zip(first, second, strict=True)):
                    found[:, branch, place, index] = estimates(rows[i], rows[j], (untied[i], untied[j]), self.study.how)
                advance(len(first))
        return found

    def _judge(self, control: str, values: Values, position: np.ndarray | None = None, *, estimators: bool = False) -> None:
        """The numbers behind the verdicts under one control."""
        study = self.study
        sample = study if position is None else study.sample(position)
        nearest = np.full(len(self.estimators), self.estimators.index("nearest_neighbour")) if estimators else None
        found = measures(values, sample, study.bands, nearest)
        self.pairs |= of_verdicts(study.facts["verdicts"], control, found, self.estimators)

    def _different_words(self, match: Match, values: np.ndarray) -> Values:
        """Different words and, beside them, the text's other repeated words; the excess."""
        study, control = self.study, self.sound["control_mutual_information"]
        self.found |= match_statistics(match) | control_statistics(study, values, control, match.first, match.second, match.used)
        excess = match.values(control, values, match.tokens)
        ranked = agreeing(study.held("ranked_excess_mutual_information"), excess.ranked)
        excess = Values(excess.plain, ranked, excess.without, excess.ranked_without)
        self._judge("different_word", excess)
        repeated = matched(study, same_word=True) if "repeated_words_excess" in study.data else None
        if repeated is not None:
            some = self._of_pairs(study.vectors["control_activation"].values, repeated.first, repeated.second)
            more, beyond = repeated_statistics(study, values[:, :, self.layers], match, control[:, :, self.layers], repeated, some)
            for name, anew in more.items():
                self.found[name] = study.held(name)
                self.found[name][:, :, self.layers] = anew
            if self.every == 1:  # bands of layers are whole only then
                self._judge("repeated_words", beyond)
                self.pairs |= deep_statistics(study, beyond)
        return excess

    def _position(self, kinds: Mapping[str, Values], behind: Mapping[str, Values]) -> None:
        study = self.study
        self.found |= position_statistics(study, kinds, behind)
        kept = (study.first != 0) & (study.second != 0)
        for kind, values in kinds.items():
            suffix = "_different_word" if kind else ""
            if study.testable:
                self._judge(f"without_first{suffix}", values.of_pairs(kept), study.position[1:])
            if kind in behind:
                self._judge(f"prefix{suffix}", behind[kind], study.vectors["prefix_token_position"].values)


def _share_of_ties(activation: np.ndarray) -> np.ndarray:
    """(branch, layer) share of a vector's values that another of its values equals, mean over the occurrences."""

    def share(vector: np.ndarray) -> float:
        counts = np.unique(vector, return_counts=True)[1]
        return float(counts[counts > 1].sum() / len(vector))

    return np.apply_along_axis(share, -1, activation).mean(axis=-1)
