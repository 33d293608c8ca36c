"""What the statements speak of, cell by cell, and pooled: from the verdicts' parts in ``study.json`` to means over texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import scipy.stats

from analyses.mi_distance.hypotheses import STATEMENTS, Measured, Part
from analyses.mi_distance.measures import OF_TAUS
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance_pooled.cells import Cell
from analyses.statistics.pooling import Mean, mean_over

# What conclusions rest on, and the lesson's version.
CONTROLS = ("different_word", "none")
MEASURES = (
    "early_difference", "deep_difference", "attention_rise", "mlp_fall", "mlp_level", "mlp_slope_before",
    *OF_TAUS, "shift_slope",
)  # fmt: skip
CONFIDENCE = 0.95
# A later part contradicts its statement by the interval at this level, as in the study of one text.
FIRM = 0.99
_PARTS = {part.name: part for statement in STATEMENTS for part in statement.parts}
_CUT = {"tau_difference": 2.0, **dict.fromkeys(("mean_tau", "attention_tau", "mlp_tau"), 1.0)}


@dataclass(frozen=True)
class Values:
    """Every measure of some cells: (control, estimator, measure, cell), NaN where a cell has none; its standard errors; the labels."""

    estimate: np.ndarray
    error: np.ndarray
    texts: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> "Values":
        shape = (len(CONTROLS), len(ESTIMATORS), len(MEASURES), len(cells))
        estimate, error = np.full(shape, np.nan), np.full(shape, np.nan)
        for column, cell in enumerate(cells):
            for row in cell.study["verdicts"]:
                if row["control"] not in CONTROLS or row["estimator"] not in ESTIMATORS:
                    continue
                at = CONTROLS.index(row["control"]), ESTIMATORS.index(row["estimator"])
                for measure, found in measures_of(row).items():
                    place = (*at, MEASURES.index(measure), column)
                    estimate[place] = _number(found.get("estimate"))
                    error[place] = standard_error(measure, found, cell.study["occurrences"])
        return cls(estimate, error, tuple(cell.text for cell in cells), tuple(cell.word for cell in cells))

    def without(self, *, text: str | None = None, word: str | None = None) -> "Values":
        """The same without the cells of a text or of a word."""
        pairs = zip(self.texts, self.words, strict=True)
        return self._at([index for index, (of, its) in enumerate(pairs) if of != text and its != word])

    def _at(self, kept: list[int]) -> "Values":
        texts, words = (tuple(labels[index] for index in kept) for labels in (self.texts, self.words))
        return Values(self.estimate[..., kept], self.error[..., kept], texts, words)

    @cached_property
    def text_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.texts))

    @cached_property
    def by_text(self) -> np.ndarray:
        """(control, estimator, measure, text): words averaged within their text."""
        sums, counts = self._summed(self.estimate)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    @cached_property
    def error_by_text(self) -> np.ndarray:
        """The standard error of each text's value, its words' errors taken as independent."""
        sums, counts = self._summed(self.error**2)
        return np.where(counts > 0, np.sqrt(sums) / np.maximum(counts, 1), np.nan)

    def _summed(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums over the cells of each text, and of how many; what is not finite is left out."""
        of_text = np.array(self.texts)[:, None] == np.array(self.text_names)
        finite = np.isfinite(values)
        return np.where(finite, values, 0.0) @ of_text.astype(np.float64), finite.astype(np.float64) @ of_text.astype(np.float64)

    @cached_property
    def means(self) -> dict[tuple[int, int, int], Mean]:
        """(control, estimator, measure) -> mean over the texts, 95 %."""
        return {place: mean_over(self.by_text[place], CONFIDENCE) for place in np.ndindex(self.by_text.shape[:-1])}

    def pooled(self, control: int, layers_deep: int) -> Measured:
        """The means under one control, as the rules of the statements take them."""
        return measured_of([[self.means[control, e, m] for e in range(len(ESTIMATORS))] for m in range(len(MEASURES))], layers_deep)


def measured_of(means: Sequence[Sequence[Mean]], layers_deep: int) -> Measured:
    """From means by measure and estimator to what `mi_distance.hypotheses.judge` takes; taus are cut at the largest there can be."""
    ends: dict[str, dict[str, np.ndarray]] = {name: {} for name in ("estimate", "low", "high", "firm_low", "firm_high")}
    for measure, row in zip(MEASURES, means, strict=True):
        if measure == "shift_slope" and not any(np.isfinite(found.estimate) for found in row):
            continue  # Under a control nothing is said of the estimators.
        largest = _CUT.get(measure, np.inf)
        firm = [wider(found) for found in row]
        for name, values in (
            ("estimate", [found.estimate for found in row]),
            ("low", [found.low for found in row]),
            ("high", [found.high for found in row]),
            ("firm_low", [low for low, _ in firm]),
            ("firm_high", [high for _, high in firm]),
        ):
            ends[name][measure] = np.clip(np.array(values), -largest, largest)
    return Measured(ends["estimate"], ends["low"], ends["high"], ends["firm_low"], ends["firm_high"], agreeing={}, layers_deep=layers_deep)


def wider(found: Mean) -> tuple[float, float]:
    """The ends of the interval by which a later part contradicts."""
    if not np.isfinite(found.standard_error):
        return np.nan, np.nan
    half = float(scipy.stats.t.ppf(0.5 + FIRM / 2, found.degrees_of_freedom)) * found.standard_error
    return found.estimate - half, found.estimate + half


def measures_of(row: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Measure -> {estimate, low, high} of a cell's verdict; a part that one branch alone decided shows that branch's numbers first."""
    found: dict[str, Mapping[str, Any]] = {}
    for part in row["parts"]:
        known: Part = _PARTS[part["measure"]]
        found.setdefault(known.measure, part.get("mean", part))
        if "before" in part:
            found["mlp_slope_before"] = part["before"]
        for branch, numbers in part.get("branches", {}).items():
            found[f"{branch}_tau"] = numbers
    return found


def standard_error(measure: str, found: Mapping[str, Any], occurrences: int) -> float:
    """The error that a cell's 95 % interval stands for: of means by t on T - 1 degrees of freedom, of taus by the normal distribution."""
    low, high = _number(found.get("low")), _number(found.get("high"))
    return (high - low) / (2 * _quantile(None if measure in OF_TAUS else max(occurrences - 1, 1)))


@cache
def _quantile(degrees_of_freedom: int | None) -> float:
    """What a 95 % interval reaches to either side, in standard errors; by the normal distribution where there are no degrees of freedom."""
    return float(scipy.stats.norm.ppf(0.975) if degrees_of_freedom is None else scipy.stats.t.ppf(0.975, degrees_of_freedom))


def _number(value: Any) -> float:
    return float(value) if value is not None else np.nan
