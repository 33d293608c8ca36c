"""The specification curve once more: every `every`-th specification from the vectors, by the slow estimates."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import scipy.special
import scipy.stats

from analyses.mi_distance.reference import Study, contingency, expected, freedman_diaconis, inliers, nearest_neighbour, plug_in, taus
from analyses.mi_distance.verification.controls import Match
from analyses.mi_distance.verification.statements import Measure, Values, measures
from analyses.mutual_information.ties import break_ties
from analyses.progress import Progress

# Measure of the first part of each statement, which the curve is drawn of.
_OF_STATEMENT = {1: "early_difference", 2: "deep_difference", 3: "mean_tau", 4: "tau_difference", 5: "shift_slope"}
_HISTOGRAMS = ("histogram", "corrected")


@dataclass(frozen=True)
class _Choice:
    """A specification as the bundle spells it; `bins`, `neighbours` are empty where they do not apply."""

    control: str
    estimator: str
    bins: str
    neighbours: str
    trim: str
    token: str
    output: str

    @property
    def limit(self) -> float | None:
        return None if self.trim == "none" else float(self.trim)


def specifications_anew(
    study: Study, match: Match | None, control: np.ndarray | None, progress: Progress, every: int
) -> dict[str, np.ndarray]:
    """The variables of the curve; specifications between are left as the bundle has them.

    Parameters
    ----------
    match, control : the pairs of different words, and their values (estimator, branch, layer, control pair)
    """
    names = ("control", "estimator", "bins", "neighbours", "trim", "token", "output")
    columns = [[str(value) for value in study.data[f"specification_{name}"].values] for name in names]
    listed = [_Choice(*row) for row in zip(*columns, strict=True)]
    chosen = range(0, len(listed), every)
    curve = _Curve(study, match, control)
    found = {name: study.held(f"specification_{name}") for name in ("estimate", "low", "high")}
    change = 0.0
    with progress.stage("verify", len(chosen)) as advance:
        for index in chosen:
            measured, largest = curve.of(listed[index])
            change = np.fmax(change, largest)
            for row, number in enumerate(_OF_STATEMENT):
                measure = measured.get(_OF_STATEMENT[number])
                numbers = (np.nan,) * 3 if measure is None else (measure.estimate[0], *measure.ends[0, :, 0])
                for array, number_found in zip(found.values(), numbers, strict=True):
                    array[row, index] = number_found
            advance(1)
    anew = {f"specification_{name}": array for name, array in found.items()}
    return anew | ({"specification_log_distance_change": np.array(change)} if every == 1 else {})


class _Curve:
    """Works one specification out after the other; estimates that two of them share are kept."""

    def __init__(self, study: Study, match: Match | None, control: np.ndarray | None) -> None:
        self.study, self.match, self.control = study, match, control
        self._kept: dict[_Choice, np.ndarray] = {}
        self._own_output = study.facts["provenance"].get("model", {}).get("branch_output", "")

    def of(self, one: _Choice) -> tuple[dict[str, Measure], float]:
        """Measures of one specification, and how far the logarithm of distance moves any of its taus."""
        study = self.study
        own = self._word(one)[None]
        if one.control == "different_word":
            values = self._minus_control(one, own)
        elif one.estimator in _HISTOGRAMS and one.control == "none":
            near = replace(one, estimator="nearest_neighbour", bins="", neighbours=f"{study.how.neighbours:g}")
            values = Values.bare(np.concatenate([own, self._word(near)[None]]))
        else:
            values = Values.bare(own)
        nearest = np.array([1, 1]) if len(values.plain) == 2 else None
        measured = measures(values, study, study.bands, nearest)
        moved = np.abs(taus(np.log(study.distance), values.ranked) - taus(study.distance, values.ranked))
        return measured, float(moved[np.isfinite(moved)].max(initial=0.0))

    def _word(self, one: _Choice) -> np.ndarray:
        """(branch, layer, pair) of the word's own pairs."""
        key = replace(one, control="centred" if one.control == "centred" else "none")
        if key not in self._kept:
            another = one.token != self.study.settings["representative_token"]
            rows = self._vectors(f"{'alternative_' if another else ''}activation", one).astype(np.float64)
            if one.control == "centred":
                rows = rows - self._vectors("control_activation", one).astype(np.float64).mean(axis=2, keepdims=True)
            self._kept[key] = _estimated(rows, self.study.first, self.study.second, one)
        return self._kept[key]

    def _vectors(self, name: str, one: _Choice) -> np.ndarray:
        return np.asarray(self.study.vectors[name if one.output == self._own_output else f"other_output_{name}"].values)

    def _minus_control(self, one: _Choice, own: np.ndarray) -> Values:
        """The study's own choices against all pairs of different words, others against some of them."""
        assert self.match is not None
        assert self.control is not None
        study, how = self.study, self.study.how
        estimators = study.data["estimator"].values.tolist()
        as_the_study = (
            one.estimator in estimators
            and one.limit == how.trim
            and one.bins in ("", f"{how.bins:g}")
            and one.neighbours in ("", f"{how.neighbours:g}")
            and one.token == study.settings["representative_token"]
            and one.output == self._own_output
        )
        if as_the_study:
            return self.match.values(self.control[[estimators.index(one.estimator)]], own, self.match.tokens)
        fewer = self.match.thinned(study.settings["robustness"]["pairs_per_distance"])
        rows = self._vectors("control_activation", one).astype(np.float64)
        return fewer.values(_estimated(rows, fewer.first, fewer.second, one)[None], own, self.match.tokens)


def _estimated(vectors: np.ndarray, first: np.ndarray, second: np.ndarray, one: _Choice) -> np.ndarray:
    """(branch, layer, pair) by one specification's estimator of vectors (branch, layer, V, D)."""
    found = np.empty((*vectors.shape[:2], len(first)))
    for branch, layer in np.ndindex(vectors.shape[:2]):
        rows = np.ascontiguousarray(vectors[branch, layer])
        found[branch, layer] = list(_of_pairs(rows, first, second, one))
    return found


def _of_pairs(rows: np.ndarray, first: np.ndarray, second: np.ndarray, one: _Choice) -> Iterable[float]:
    kept = [inliers(row, one.limit) for row in rows]
    untied = break_ties(rows)[0] if one.estimator == "nearest_neighbour" else rows
    for i, j in zip(first, second, strict=True):
        keep = kept[i] & kept[j]
        x, y = rows[i][keep], rows[j][keep]
        if not (np.isfinite(rows[i]).all() and np.isfinite(rows[j]).all()):
            yield np.nan
        elif one.estimator == "nearest_neighbour":
            constant = len(x) > int(one.neighbours) and (np.ptp(x) == 0 or np.ptp(y) == 0)
            yield 0.0 if constant else nearest_neighbour(untied[i][keep], untied[j][keep], int(one.neighbours))
        elif len(x) < 2:
            yield np.nan
        elif one.estimator == "gaussian_copula":
            yield _gaussian_copula(x, y)
        else:
            counts = contingency(x, y, [freedman_diaconis(x), freedman_diaconis(y)] if one.bins == "fd" else int(one.bins))
            yield plug_in(counts) - (expected(counts) if one.estimator == "corrected" else 0.0)


def _gaussian_copula(x: np.ndarray, y: np.ndarray) -> float:
    """-ln(1 - r^2) / 2 of normal scores; NaN in place of an infinite one, over which no mean can be taken."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    scores = [scipy.special.ndtri(scipy.stats.rankdata(side) / (len(side) + 1)) for side in (x, y)]
    correlation = float(scipy.stats.pearsonr(*scores).statistic)
    return float(np.nan if abs(correlation) > 1 - 1e-15 else -np.log1p(-(correlation**2)) / 2)
