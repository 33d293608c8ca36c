"""The lesson's five statements and the verdicts that the numbers earn.

The rule: a part of a statement is *supported* when its 95 % interval excludes zero in the stated direction (or lies inside the stated
range), *contradicted* when the interval excludes zero in the other direction (or lies outside the range), *inconclusive* otherwise,
and *not testable* where no interval exists. How many layers agree decides nothing. A statement of several parts is supported when all
parts are. A negative tau is claimed of both branches: one that is above zero at 99 % contradicts it, and one whose own mean is not
below zero keeps it from being supported. A statement is contradicted when its first part is, or when a later one is at 99 % as well:
later parts give it up to five more ways to fail, which together get no more of the risk of a wrong "contradicted" than the first part
alone (Bonferroni).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.stats

from analyses.mi_distance.bands import Bands
from analyses.mi_distance.measures import (
    OF_TAUS,
    agreeing_layers,
    measure_bands,
    measure_estimators,
    measure_taus,
    references,
    shift_slopes_without_a_layer,
    tau_weights,
)
from analyses.mi_distance.names import ESTIMATORS
from analyses.mi_distance.settings import HypothesisSettings
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.controls import Adjusted
from analyses.occurrences.pairs import Pairs
from analyses.progress import Advance
from analyses.statistics.relabelling import UNTESTABLE_OCCURRENCES
from analyses.statistics.resampling import jackknife, relabelled_tau
from analyses.statistics.verdicts import Interval, above_zero, conjunction, number_or_none, verdict_of
from analyses.threads import share_out

Rule = Literal["positive", "negative", "tau_range", "separated", "level", "constant_shift"]


@dataclass(frozen=True)
class Part:
    """One testable part of a statement; several may speak of one measure.

    `of_branches` are the same measure in each branch alone, where the part claims it of both: a mean below zero can hide one above.
    """

    name: str
    measure: str
    rule: Rule
    of_branches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """One of the lesson's statements. `about_word` is False where it speaks of the estimators: no control can be subtracted then."""

    number: int
    name: str
    parts: tuple[Part, ...]
    about_word: bool = True


STATEMENTS = (
    Statement(1, "early_layers", (Part("early_difference", "early_difference", "positive"),)),
    Statement(
        2,
        "deep_layers",
        (
            Part("deep_difference", "deep_difference", "positive"),
            Part("attention_rise", "attention_rise", "positive"),
            Part("mlp_fall", "mlp_fall", "positive"),
            Part("mlp_level", "mlp_level", "level"),
        ),
    ),
    Statement(
        3,
        "negative_tau",
        (Part("mean_tau", "mean_tau", "negative", ("attention_tau", "mlp_tau")), Part("tau_half", "mean_tau", "tau_range")),
    ),
    Statement(4, "tau_separation", (Part("tau_difference", "tau_difference", "separated"),)),
    Statement(5, "constant_shift", (Part("shift_slope", "shift_slope", "constant_shift"),), about_word=False),
)
# The ways in which later parts can contradict a statement: at the most one of a rise, one of a fall, three of levelling off.
_LATER_WAYS = 5
# The side of a verdict on both branches that one of them made.
ONE_BRANCH = "one_branch"
# The side of a slope between layer means that differ by no more than their error; above this share of their variance it is error.
FLAT = "flat"
_MOSTLY_ERROR = 0.5
# The part whose slope must be negative before a profile can be said to level off.
_SLOPE_BEFORE = "mlp_slope_before"


@dataclass(frozen=True)
class Measured:
    """Every measure with its interval; arrays (estimator,) by the name of the measure. `layers_deep` is the size of the deep band.

    `firm_low` and `firm_high` are the ends of the wider interval by which a later part of a statement contradicts it. `error_share` is
    that of `shares_of_error`, the smaller one of an estimator's and its reference's, where the estimators are compared.
    """

    estimate: dict[str, np.ndarray]
    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]
    firm_low: dict[str, np.ndarray]
    firm_high: dict[str, np.ndarray]
    agreeing: dict[str, tuple[np.ndarray, int]]
    layers_deep: int
    error_share: np.ndarray | None = None


def measure_with_intervals(
    adjusted: Adjusted,
    pairs: Pairs,
    bands: Bands,
    *,
    confidence: float,
    seed: int,
    permutations: int = 9999,
    estimators: bool = False,
    reference: np.ndarray | None = None,
    advance: Advance | None = None,
) -> Measured:
    """Measure; intervals of means by leaving out one occurrence after the other, of taus by relabelling the occurrences.

    Parameters
    ----------
    adjusted : values (estimator, branch, layer, pair) in nats, with a control subtracted or none (`controls.plain`)
    seed, permutations : of the relabellings, where not all of them are listed
    estimators : also what the statement on the estimators speaks of
    reference : as for `measure_estimators`
    advance : called with the relabellings finished since its last call

    Notes
    -----
    Jackknife after Tukey (1958); Efron & Stein (1981) show that its variance is biased upwards, so the interval errs
    on the side of caution. Student's t with T - 1 degrees of freedom. The interval of `shift_slope` is widened to what it would be
    with the estimate without any one layer. Taus: `analyses.statistics.relabelled_tau`, cut at the largest value there can be.
    A control has an error of its own, which its tokens give in the same way: of means its variance is added, of taus the squares of
    the two half widths are.
    """
    values = adjusted.values

    levels = (confidence, 1 - (1 - confidence) / _LATER_WAYS)

    def of_means(some: np.ndarray) -> dict[str, np.ndarray]:
        return measure_bands(some, bands) | (measure_estimators(some, reference) if estimators else {})

    estimate = of_means(values)
    without = means_without(values, pairs)
    ends = _ends_of_means(of_means, estimate, without, pairs, levels, adjusted.replicates)
    if estimators:
        of_others = shift_slopes_without_a_layer(values, reference)
        ends["shift_slope"][:, 0] += np.minimum(of_others.min(axis=-1) - estimate["shift_slope"], 0)
        ends["shift_slope"][:, 1] += np.maximum(of_others.max(axis=-1) - estimate["shift_slope"], 0)
    for name, (centre, half) in _intervals_of_taus(adjusted, pairs, bands, levels, permutations, seed, advance).items():
        largest = 2.0 if name == "tau_difference" else 1.0
        estimate[name] = centre
        ends[name] = np.stack([np.maximum(centre - half, -largest), np.minimum(centre + half, largest)], axis=1)
    low, high, firm_low, firm_high = ({name: found[which] for name, found in ends.items()} for which in ((0, 0), (0, 1), (1, 0), (1, 1)))
    agreeing = agreeing_layers(values, adjusted.ranked, pairs.distance, bands, reference)
    error_share = None
    if estimators:
        shares = shares_of_error(values, without)
        error_share = np.minimum(shares, shares[references(values, reference)])
    return Measured(estimate, low, high, firm_low, firm_high, agreeing, len(bands.deep), error_share)


def means_without(values: np.ndarray, pairs: Pairs) -> np.ndarray | None:
    """The means over the pairs of values (..., pair) without each occurrence, (occurrence, ...); None where too few pairs would be left."""
    if pairs.occurrences <= UNTESTABLE_OCCURRENCES:
        return None
    means = np.empty((pairs.occurrences, *values.shape[:-1]))

    def leave_out(occurrence: int) -> None:
        means[occurrence] = values.take(pairs.without(occurrence), axis=-1).mean(axis=-1)

    for _ in share_out(leave_out, range(pairs.occurrences)):
        pass
    return means


def shares_of_error(values: np.ndarray, without: np.ndarray | None) -> np.ndarray:
    """How much of the variance of the layer means (branch, layer) is error, (estimator,): near 1 where they hardly differ.

    The error is that of a layer's mean about the mean of all, by leaving out one occurrence after the other: what moves all layers
    alike moves no slope between them. NaN where there are too few occurrences or one layer mean.

    Parameters
    ----------
    values : (estimator, branch, layer, pair) in nats
    without : their `means_without`
    """
    if without is None:
        return np.full(len(values), np.nan)

    def about_their_mean(means: np.ndarray) -> np.ndarray:
        flat = means.reshape(len(values), -1)
        return flat - flat.mean(axis=-1, keepdims=True)

    means = about_their_mean(values.mean(axis=-1))
    replicates = np.stack([about_their_mean(each) for each in without], axis=-1)
    error = (jackknife(means, replicates).standard_error ** 2).mean(axis=-1)
    variance = means.var(axis=-1)
    return np.divide(error, variance, out=np.full(len(values), np.nan), where=variance > 0)


def _intervals_of_taus(
    adjusted: Adjusted, pairs: Pairs, bands: Bands, levels: Sequence[float], permutations: int, seed: int, advance: Advance | None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Estimate (estimator,) and half widths (level, estimator) of each measure of taus."""
    values = adjusted.ranked
    taus = relabelled_tau(
        pairs.first,
        pairs.second,
        pairs.distance,
        values.reshape(len(values), -1, values.shape[-1]),
        tau_weights(values, bands),
        permutations=permutations,
        seed=seed,
        confidence=levels,
        advance=advance,
    )
    control = [measure_taus(replicate, pairs.distance, bands) for replicate in adjusted.ranked_replicates]
    found = {}
    for index, name in enumerate(OF_TAUS):
        centre, half = taus.estimate[:, index], taus.half_width[..., index]
        if control:
            replicates = np.stack([each[name] for each in control], axis=-1)
            own = [jackknife(centre, replicates, level) for level in levels]
            half = np.hypot(half, np.stack([each.high - each.estimate for each in own]))
        found[name] = (centre, half)
    return found


def _ends_of_means(
    of_means: Callable[[np.ndarray], dict[str, np.ndarray]],
    estimate: Mapping[str, np.ndarray],
    without: np.ndarray | None,
    pairs: Pairs,
    levels: Sequence[float],
    control_replicates: Sequence[np.ndarray],
) -> dict[str, np.ndarray]:
    """Ends (level, low and high, estimator) of each measure's intervals; `without` as `means_without` gives them."""
    # The measures ask for the mean over the pairs: that of one pair is its value.
    replicates = [] if without is None else [of_means(means[..., None]) for means in without]
    control = [] if without is None else [of_means(replicate) for replicate in control_replicates]
    quantile = scipy.stats.t.ppf(0.5 + np.asarray(levels) / 2, max(pairs.occurrences - 1, 1))
    ends = {}
    for name, centre in estimate.items():
        error = np.full(len(centre), np.nan)
        if replicates:
            variance = jackknife(centre, np.stack([r[name] for r in replicates], axis=-1)).standard_error ** 2
            if control:
                variance = variance + jackknife(centre, np.stack([r[name] for r in control], axis=-1)).standard_error ** 2
            error = np.sqrt(variance)
        half = quantile[:, None] * error
        ends[name] = np.stack([centre - half, centre + half], axis=1)
    return ends


def decide(rule: Rule, found: Interval, settings: HypothesisSettings, *, before: Interval | None = None, layers_deep: int = 0) -> str:
    """The verdict of one part: the only place where numbers become one of the four words.

    `before` and `layers_deep` are the slope before the deep layers and their number, for the rule "level".
    """
    if not found.exists:
        return "not_testable"
    if rule == "positive":
        return above_zero(found)
    low, high = found.low, found.high
    if rule == "negative":
        return verdict_of(high < 0, low > 0)
    if rule == "separated":
        apart = low > 0 or high < 0
        return verdict_of(apart, -settings.same_tau_margin < low and high < settings.same_tau_margin and not apart)
    if rule == "level":
        if before is None or not before.exists:
            return "not_testable"
        margin = level_margin(layers_deep, settings)
        # Only a fall that becomes flatter levels off; one that goes on as steeply, or more so, can be within the margin too.
        off = -margin <= low and high <= margin and before.high < 0 and found.estimate > before.estimate
        return verdict_of(off, high < -margin or low > margin or before.low > 0)
    range_low, range_high = settings.tau_range if rule == "tau_range" else settings.shift_slope_range
    # An interval that is wider than the range could never lie inside it, whatever the truth: the data cannot answer.
    if rule == "tau_range" and high - low > range_high - range_low:
        return "not_testable"
    return verdict_of(range_low <= low and high <= range_high, high < range_low or low > range_high)


def level_margin(layers_deep: int, settings: HypothesisSettings) -> float:
    """The steepest slope, nats a layer, that counts as level."""
    return settings.level_change / max(layers_deep - 1, 1)


def judge(measured: Measured, control: str, settings: HypothesisSettings) -> list[dict[str, Any]]:
    """The verdicts of all statements that were measured, for every estimator under one control, as they stand in study.json."""
    rows = []
    for statement in STATEMENTS:
        if not all(part.measure in measured.estimate for part in statement.parts):
            continue
        for index, estimator in enumerate(ESTIMATORS):
            if not statement.about_word and estimator == "nearest_neighbour":
                continue  # The statement holds the other estimators against this one.
            head = {"statement": statement.number, "name": statement.name, "estimator": estimator, "control": control}
            rows.append(head | judge_statement(statement, index, measured, settings))
    return rows


def judge_statement(statement: Statement, index: int, measured: Measured, settings: HypothesisSettings) -> dict[str, Any]:
    """The verdict of one statement by the estimator at `index` of `measured`, with the numbers of the part that decided it."""
    parts: list[dict[str, Any]] = []
    for number, part in enumerate(statement.parts):
        judged = _judge_part(part, index, measured, settings, later=number > 0)
        # How strong a relation is can be asked only where there is one: near zero, "not about -.5" would be said of any two tokens.
        if part.rule == "tau_range" and judged["verdict"] in ("supported", "contradicted") and parts[0]["verdict"] != "supported":
            judged |= {"verdict": "inconclusive", "firm": False, "side": None}
        parts.append(judged)
    verdict = conjunction(parts)
    deciding = _deciding(verdict, parts)
    numbers = {key: deciding[key] for key in ("estimate", "low", "high", "agreeing_layers", "layers")}
    return {"verdict": verdict, "part": deciding["measure"]} | numbers | {"parts": parts}


def _deciding(verdict: str, parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first part that makes the verdict; of an open statement one that is contradicted, but not firmly, where none is open itself."""
    if verdict == "contradicted":
        return next(part for part in parts if part["firm"])
    of_that_verdict = [part for part in parts if part["verdict"] == verdict]
    return (of_that_verdict or [part for part in parts if part["verdict"] == "contradicted"])[0]


def _judge_part(part: Part, index: int, measured: Measured, settings: HypothesisSettings, *, later: bool) -> dict[str, Any]:
    found = _interval(part.measure, index, measured)
    before = _interval(_SLOPE_BEFORE, index, measured) if part.rule == "level" else None
    agreeing, layers = (None, None)
    if part.name in measured.agreeing:
        counts, layers = measured.agreeing[part.name]
        agreeing = int(counts[index])
    verdict = decide(part.rule, found, settings, before=before, layers_deep=measured.layers_deep)
    firm, wide = verdict, None
    if later:
        wider = _interval(part.measure, index, measured, firm=True)
        wider_before = _interval(_SLOPE_BEFORE, index, measured, firm=True) if part.rule == "level" else None
        firm = decide(part.rule, wider, settings, before=wider_before, layers_deep=measured.layers_deep)
        ends = {"": wider} | ({"before_": wider_before} if wider_before else {})
        wide = {f"{of}{end}": number_or_none(getattr(found, end)) for of, found in ends.items() for end in ("low", "high")}
    side = _side(part.rule, verdict, found, settings)
    if part.rule == "constant_shift" and verdict != "not_testable" and _mostly_error(index, measured):
        verdict, firm, side = "not_testable", "not_testable", FLAT
    one_sided = _in_one_branch(part, index, measured, verdict)
    if one_sided is not None:
        verdict, firm, side = one_sided, one_sided, ONE_BRANCH
    row: dict[str, Any] = {
        "measure": part.name,
        "verdict": verdict,
        "firm": firm == "contradicted",
        "side": side,
        "estimate": number_or_none(found.estimate),
        "low": number_or_none(found.low),
        "high": number_or_none(found.high),
        "agreeing_layers": agreeing,
        "layers": layers,
        "wide": wide,
    }
    if before is not None:
        row["before"] = {name: number_or_none(getattr(before, name)) for name in ("estimate", "low", "high")}
        row["margin"] = level_margin(measured.layers_deep, settings)
    if part.of_branches:
        row["branches"] = {branch: _numbers(name, index, measured) for branch, name in zip(BRANCHES, part.of_branches, strict=True)}
    if one_sided == "contradicted":
        # The numbers beside a verdict are those that made it; the mean's stay too.
        columns = ("estimate", "low", "high")
        deciding = max(row["branches"].values(), key=lambda numbers: numbers["wide_low"])
        row |= {"mean": {name: row[name] for name in columns}} | {name: deciding[name] for name in columns}
    return row


def _mostly_error(index: int, measured: Measured) -> bool:
    """Whether neither the estimator's layer means nor those of the one it is held against differ by more than their error."""
    return measured.error_share is not None and bool(measured.error_share[index] > _MOSTLY_ERROR)


def _in_one_branch(part: Part, index: int, measured: Measured, verdict: str) -> str | None:
    """The verdict that one branch alone makes of a claim about both, or None where it changes nothing.

    A branch that is above zero by the wider interval contradicts, for there are two more ways to be wrong; one that its own interval
    does not show below zero keeps the mean from supporting: a mean is negative too where one branch has no tau at all. Two claims that
    must both hold make no more chances of being wrong.
    """
    if verdict not in ("supported", "inconclusive"):
        return None
    if any(_interval(name, index, measured, firm=True).low > 0 for name in part.of_branches):
        return "contradicted"
    hidden = verdict == "supported" and not all(_interval(name, index, measured).high < 0 for name in part.of_branches)
    return "inconclusive" if hidden else None


def _numbers(name: str, index: int, measured: Measured) -> dict[str, float | None]:
    """{estimate, low, high, wide_low, wide_high} of a measure, the last two of the wider interval."""
    usual, wider = _interval(name, index, measured), _interval(name, index, measured, firm=True)
    ends = {"estimate": usual.estimate, "low": usual.low, "high": usual.high, "wide_low": wider.low, "wide_high": wider.high}
    return {end: number_or_none(value) for end, value in ends.items()}


def _interval(name: str, index: int, measured: Measured, *, firm: bool = False) -> Interval:
    ends = (measured.firm_low, measured.firm_high) if firm else (measured.low, measured.high)
    return Interval(*(float(values[name][index]) for values in (measured.estimate, *ends)))


def _side(rule: Rule, verdict: str, found: Interval, settings: HypothesisSettings) -> str | None:
    """Where a verdict has several ways to come about: which of them it was."""
    if rule == "separated" and verdict == "supported":
        return "attention_higher" if found.estimate > 0 else "mlp_higher"
    if rule in ("tau_range", "constant_shift") and verdict == "contradicted":
        _, high = settings.tau_range if rule == "tau_range" else settings.shift_slope_range
        return "above" if found.low > high else "below"
    return None
