"""The lesson's five statements, written down before the data are seen, and the verdicts that the numbers earn.

The rule: a statement is *supported* when its 95 % interval excludes zero in the stated direction (or lies inside the stated
range) and enough layers agree; *contradicted* when the interval excludes that direction (or lies outside the range);
*inconclusive* otherwise; *not testable* where no interval exists. A statement of several parts is supported when all
parts are, and contradicted when one of them is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.stats

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.measures import MEASURES, agreeing_layers, measure
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.pairs import Pairs
from analyses.mi_distance.settings import HypothesisSettings
from analyses.statistics.resampling import jackknife

Rule = Literal["positive", "tau_range", "separated", "constant_shift"]


@dataclass(frozen=True)
class Part:
    """One measurable part of a statement."""

    measure: str
    rule: Rule


@dataclass(frozen=True)
class Statement:
    """One of the lesson's statements; the first part gives the estimate that is printed with its verdict."""

    number: int
    name: str
    parts: tuple[Part, ...]


STATEMENTS = (
    Statement(1, "early_layers", (Part("early_difference", "positive"),)),
    Statement(
        2,
        "deep_layers",
        (
            Part("deep_difference", "positive"),
            Part("attention_rise", "positive"),
            Part("mlp_fall", "positive"),
            Part("mlp_flattening", "positive"),
        ),
    ),
    Statement(3, "negative_tau", (Part("mean_tau", "tau_range"),)),
    Statement(4, "tau_separation", (Part("tau_difference", "separated"),)),
    Statement(5, "constant_shift", (Part("shift_slope", "constant_shift"),)),
)


@dataclass(frozen=True)
class Measured:
    """Every measure with its standard error and interval; arrays (estimator,) by the name of the measure."""

    estimate: dict[str, np.ndarray]
    standard_error: dict[str, np.ndarray]
    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]
    agreeing: dict[str, tuple[np.ndarray, int]]


def measure_with_intervals(
    values: np.ndarray,
    pairs: Pairs,
    bands: Bands,
    *,
    confidence: float,
    control_replicates: Sequence[np.ndarray] = (),
    reference: np.ndarray | None = None,
) -> Measured:
    """Measure, and take each measure's interval from the leave-one-occurrence-out jackknife.

    Parameters
    ----------
    values : (estimator, branch, layer, pair), nats; for a control, with the control taken off
    control_replicates : `values` again, once with each control token left out: the control's own sampling error, whose
        jackknife variance is added
    reference : as for `measure`

    Notes
    -----
    Jackknife after Tukey (1958); Efron & Stein (1981) show that its variance is biased upwards, so the interval errs
    on the side of caution. Student's t with T - 1 degrees of freedom.
    """
    estimate = measure(values, pairs.distance, bands, reference)
    kept = [pairs.without(occurrence) for occurrence in range(pairs.occurrences)]
    # Without two pairs in every replicate there is nothing to resample.
    replicates = [measure(values[..., keep], pairs.distance[keep], bands, reference) for keep in kept] if pairs.occurrences > 3 else []
    control = [measure(replicate, pairs.distance, bands, reference) for replicate in control_replicates]
    quantile = scipy.stats.t.ppf(0.5 + confidence / 2, max(pairs.occurrences - 1, 1))
    error, low, high = {}, {}, {}
    for name in MEASURES:
        if replicates:
            variance = jackknife(estimate[name], np.stack([r[name] for r in replicates], axis=-1)).standard_error ** 2
            if control:
                variance = variance + jackknife(estimate[name], np.stack([r[name] for r in control], axis=-1)).standard_error ** 2
            error[name] = np.sqrt(variance)
        else:
            error[name] = np.full(len(values), np.nan)
        low[name] = estimate[name] - quantile * error[name]
        high[name] = estimate[name] + quantile * error[name]
    return Measured(estimate, error, low, high, agreeing_layers(values, pairs.distance, bands, reference))


def decide(rule: Rule, estimate: float, low: float, high: float, agreement: float | None, settings: HypothesisSettings) -> str:
    """The verdict of one part: the only place where numbers become one of the four words."""
    if not (math.isfinite(estimate) and math.isfinite(low) and math.isfinite(high)):
        return "not_testable"
    enough = agreement is None or agreement >= settings.agreement
    if rule == "positive":
        in_favour, against = low > 0, high < 0
    elif rule == "separated":
        in_favour = low > 0 or high < 0
        against = -settings.same_tau_margin < low and high < settings.same_tau_margin and not in_favour
    else:
        range_low, range_high = settings.tau_range if rule == "tau_range" else settings.shift_slope_range
        in_favour = range_low <= low and high <= range_high
        against = high < range_low or low > range_high
    if against:
        return "contradicted"
    return "supported" if in_favour and enough else "inconclusive"


def conjunction(verdicts: Sequence[str]) -> str:
    """The verdict of a statement that claims all of its parts at once."""
    for verdict in ("contradicted", "not_testable", "inconclusive"):
        if verdict in verdicts:
            return verdict
    return "supported"


def judge(measured: Measured, control: str, settings: HypothesisSettings) -> list[dict[str, Any]]:
    """The verdicts of all statements for every estimator under one control, as they stand in study.json."""
    rows = []
    for statement in STATEMENTS:
        for index, estimator in enumerate(ESTIMATORS):
            if statement.name == "constant_shift" and estimator == "nearest_neighbour":
                continue  # The statement holds the other estimators against this one.
            head = {"statement": statement.number, "name": statement.name, "estimator": estimator, "control": control}
            rows.append(head | judge_statement(statement, index, measured, settings))
    return rows


def judge_statement(statement: Statement, index: int, measured: Measured, settings: HypothesisSettings) -> dict[str, Any]:
    """The verdict of one statement by the estimator at `index` of `measured`, with the numbers of its first part."""
    parts = [_judge_part(part, index, measured, settings) for part in statement.parts]
    numbers = {key: parts[0][key] for key in ("estimate", "low", "high", "agreeing_layers", "layers")}
    return {"verdict": conjunction([part["verdict"] for part in parts])} | numbers | {"parts": parts}


def _judge_part(part: Part, index: int, measured: Measured, settings: HypothesisSettings) -> dict[str, Any]:
    name = part.measure
    estimate, low, high = (float(values[name][index]) for values in (measured.estimate, measured.low, measured.high))
    agreeing, layers = (None, None)
    if name in measured.agreeing:
        counts, layers = measured.agreeing[name]
        agreeing = int(counts[index])
    agreement = None if agreeing is None or not layers else agreeing / layers
    verdict = decide(part.rule, estimate, low, high, agreement, settings)
    return {
        "measure": name,
        "verdict": verdict,
        "side": _side(part.rule, verdict, estimate, settings),
        "estimate": number_or_none(estimate),
        "low": number_or_none(low),
        "high": number_or_none(high),
        "agreeing_layers": agreeing,
        "layers": layers,
    }


def _side(rule: Rule, verdict: str, estimate: float, settings: HypothesisSettings) -> str | None:
    """Where a verdict has two ways to come about: which of them it was."""
    if rule == "separated" and verdict == "supported":
        return "attention_higher" if estimate > 0 else "mlp_higher"
    if rule in ("tau_range", "constant_shift") and verdict == "contradicted":
        _, high = settings.tau_range if rule == "tau_range" else settings.shift_slope_range
        return "above" if estimate > high else "below"
    return None


def number_or_none(value: float) -> float | None:
    """JSON has no NaN: what does not exist is null."""
    return value if math.isfinite(value) else None
