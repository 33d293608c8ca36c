"""From the values of texts to verdicts: the rules of one text's study on means over texts, and what the verdicts hang on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analyses.mi_distance.conclusions import conclude, opposed
from analyses.mi_distance.hypotheses import STATEMENTS, Measured, Part, decide, judge, level_margin
from analyses.mi_distance.names import CO_PRIMARY, ESTIMATORS
from analyses.mi_distance.settings import HypothesisSettings
from analyses.mi_distance_pooled.measured import CONTROLS, MEASURES, Values, measured_of
from analyses.statistics.multiplicity import adjust
from analyses.statistics.pooling import Mean, crossed_model, mean_over, meta_analysis, p_against, texts_needed
from analyses.statistics.verdicts import Interval, number_or_none

# The least effect that is worth a text: nats, or tau.
ASSUMED = 0.1
_PARTS = {part.name: part for statement in STATEMENTS for part in statement.parts}
_FIRST_PARTS = {statement.parts[0].name for statement in STATEMENTS}
# A later part contradicts at 99 %, a fifth of the risk.
_LATER = 5
Row = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    """The thresholds of the cells, and the number of their deep layers, which says how steep a level line may be."""

    hypotheses: HypothesisSettings
    layers_deep: int

    def bounds(self, part: Part) -> tuple[float, float] | None:
        """The range that a part claims its measure to be in; None where it claims a direction."""
        if part.rule == "tau_range":
            return self.hypotheses.tau_range
        if part.rule == "constant_shift":
            return self.hypotheses.shift_slope_range
        if part.rule == "level":
            margin = level_margin(self.layers_deep, self.hypotheses)
            return -margin, margin
        return None

    def assumed(self, part: Part) -> float:
        """The effect that texts are planned for: half a range, the margin of equal taus, or `ASSUMED`."""
        bounds = self.bounds(part)
        if bounds is not None:
            return (bounds[1] - bounds[0]) / 2
        return self.hypotheses.same_tau_margin if part.rule == "separated" else ASSUMED

    def decide(self, part: Part, found: Interval, before: Interval | None) -> str:
        return decide(part.rule, found, self.hypotheses, before=before, layers_deep=self.layers_deep)


def verdicts_of(values: Values, rules: Rules) -> list[Row]:
    """The rows of study.json: every statement by every estimator, on the excess and on plain MI, with the texts that go its way."""
    rows = []
    for index, control in enumerate(CONTROLS):
        if not np.isfinite(values.estimate[index]).any():
            continue
        for row in judge(values.pooled(index, rules.layers_deep), control, rules.hypotheses):
            rows.append(_with_texts(row, values, index, rules))
    return rows


def _with_texts(row: Row, values: Values, control: int, rules: Rules) -> Row:
    """A verdict with counts of texts in place of counts of layers, and its parts with the p-value that it holds by."""
    estimator = ESTIMATORS.index(row["estimator"])
    parts = []
    for part in row["parts"]:
        known = _PARTS[part["measure"]]
        of_texts = values.by_text[control, estimator, MEASURES.index(known.measure)]
        of_texts = of_texts[np.isfinite(of_texts)]
        agreeing = int(_agrees(known, of_texts, part["estimate"], rules).sum())
        parts.append(
            part | {"agreeing_layers": None, "layers": None, "agreeing_texts": agreeing, "texts": len(of_texts)}
            | {"p": number_or_none(_p_of(part, known, values, (control, estimator), rules))}
        )  # fmt: skip
    deciding = next(part for part in parts if part["measure"] == row["part"])
    return row | {
        "agreeing_layers": None,
        "layers": None,
        "agreeing_texts": deciding["agreeing_texts"],
        "texts": deciding["texts"],
        "p": number_or_none(_p_of_statement(row["verdict"], parts)),
        "parts": parts,
    }


def _agrees(part: Part, of_texts: np.ndarray, estimate: float | None, rules: Rules) -> np.ndarray:
    """Which texts go the way of a part; where either sign would do, that of the mean."""
    bounds = rules.bounds(part)
    if bounds is not None:
        return (of_texts >= bounds[0]) & (of_texts <= bounds[1])
    if part.rule == "positive":
        return of_texts > 0
    return of_texts < 0 if part.rule == "negative" else np.sign(of_texts) == np.sign(estimate or 0)


def _p_of(part: Mapping[str, Any], known: Part, values: Values, place: tuple[int, int], rules: Rules) -> float:
    """The level down to which a part's verdict holds: the p of the t-test at the bound that its interval must leave out; NaN where open."""

    def mean(measure: str) -> Mean:
        return values.means[(*place, MEASURES.index(measure))]

    found = mean(known.measure)
    bounds = rules.bounds(known)
    if part["verdict"] == "supported":
        if bounds is None:
            # A claim of both branches holds by the one that shows it less.
            return max(p_against(each, 0.0) for each in (found, *(mean(f"{branch}_tau") for branch in part.get("branches", ()))))
        of_range = max(p_against(found, bound) for bound in bounds)
        return max(of_range, p_against(mean("mlp_slope_before"), 0.0)) if known.rule == "level" else of_range
    if part["verdict"] != "contradicted":
        return np.nan
    if part["side"] == "one_branch":
        return min(p_against(mean(f"{branch}_tau"), 0.0) for branch in part["branches"]) * _LATER
    if known.rule == "separated":
        margin = rules.hypotheses.same_tau_margin
        return max(p_against(found, bound) for bound in (-margin, margin))
    if bounds is None:
        return p_against(found, 0.0)
    if bounds[0] <= found.estimate <= bounds[1]:  # Level, but the slope before it rises.
        return p_against(mean("mlp_slope_before"), 0.0)
    return p_against(found, bounds[0] if found.estimate < bounds[0] else bounds[1])


def _p_of_statement(verdict: str, parts: Sequence[Row]) -> float:
    """All parts must hold, or one of them fail; later parts have a fifth of the risk."""
    if verdict == "supported":
        return max(part["p"] for part in parts)
    if verdict == "contradicted":
        return min(part["p"] * (1 if part["measure"] in _FIRST_PARTS else _LATER) for part in parts if part["firm"])
    return np.nan


def conclusions_of(verdicts: Sequence[Row], alpha: float) -> list[Row]:
    """`mi_distance.conclusions.conclude`, each with the larger p of the two estimators, Holm's p, and whether the verdict stays by it.

    Statements that are open have no p and count as tests with p = 1: five were asked.
    """
    rows = [dict(row) for row in conclude(verdicts)]
    p = []
    for row in rows:
        own = [
            each for each in verdicts
            if each["statement"] == row["statement"] and each["control"] == row["control"] and each["estimator"] in CO_PRIMARY
        ]  # fmt: skip
        decided = row["verdict"] in ("supported", "contradicted") and all(each["p"] is not None for each in own)
        p.append(max(min(each["p"], 1.0) for each in own) if decided else 1.0)
    for row, one, corrected in zip(rows, p, adjust(p, "holm"), strict=True):
        decided = row["verdict"] in ("supported", "contradicted")
        row |= {
            "p": one if decided else None,
            "p_holm": float(corrected) if decided else None,
            "after_holm": (row["verdict"] if corrected <= alpha else "inconclusive") if decided else row["verdict"],
        }
    return rows


def pooled_rows(values: Values, rules: Rules, *, checks: bool) -> list[Row]:
    """Each part by each estimator and control: the mean over texts, a new text, how the texts differ, the two checks, texts to plan for.

    `checks`: also the meta-analysis and the crossed model, which cost time.
    """
    rows = []
    for control, estimator in np.ndindex(len(CONTROLS), len(ESTIMATORS)):
        for part in _PARTS.values():
            place = control, estimator, MEASURES.index(part.measure)
            found = values.means[place]
            if not found.units:
                continue
            row: Row = {
                "part": part.name, "estimator": ESTIMATORS[estimator], "control": CONTROLS[control], "texts": found.units,
                "estimate": found.estimate, "low": found.low, "high": found.high, "sd": found.sd,
            }  # fmt: skip
            before = values.means[control, estimator, MEASURES.index("mlp_slope_before")] if part.rule == "level" else None
            verdict = rules.decide(part, _interval(found), _interval(before) if before else None)
            row |= _planned(part, found, rules)
            if checks and ESTIMATORS[estimator] in CO_PRIMARY:
                row |= _checks(part, values, place, rules, found, before, verdict)
            rows.append({key: number_or_none(value) if isinstance(value, float) else value for key, value in row.items()})
    return rows


def _interval(found: Mean) -> Interval:
    return Interval(found.estimate, found.low, found.high)


def _planned(part: Part, found: Mean, rules: Rules) -> Row:
    assumed = rules.assumed(part)
    return {"assumed": assumed, "texts_needed": texts_needed(found.sd, assumed)}


def _checks(part: Part, values: Values, place: tuple[int, int, int], rules: Rules, found: Mean, before: Mean | None, verdict: str) -> Row:
    row: Row = {}
    meta = meta_analysis(values.by_text[place], values.error_by_text[place])
    if meta is not None:
        row |= {
            "meta_estimate": meta.estimate, "meta_low": meta.low, "meta_high": meta.high, "prediction_low": meta.prediction_low,
            "prediction_high": meta.prediction_high, "sd_between": float(np.sqrt(meta.variance_between)), "i_squared": meta.i_squared,
            "q": meta.q, "q_p": meta.q_p,
        }  # fmt: skip
        row["meta_disagrees"] = _disagrees(part, Interval(meta.estimate, meta.low, meta.high), found, before, verdict, rules)
    crossed = crossed_model(values.estimate[place], values.texts, values.words)
    if crossed is not None:
        row |= {
            "crossed_estimate": crossed.estimate, "crossed_low": crossed.low, "crossed_high": crossed.high,
            "sd_text": float(np.sqrt(crossed.variance_text)),
            "sd_word": float(np.sqrt(crossed.variance_word)) if crossed.has_word else None,
        }  # fmt: skip
        row["crossed_disagrees"] = _disagrees(part, Interval(crossed.estimate, crossed.low, crossed.high), found, before, verdict, rules)
    return row


def _disagrees(part: Part, check: Interval, found: Mean, before: Mean | None, verdict: str, rules: Rules) -> str | None:
    """How a check differs from the mean over texts: in the sign, in the verdict, or not at all."""
    if np.sign(check.estimate) != np.sign(found.estimate):
        return "sign"
    return "verdict" if rules.decide(part, check, _interval(before) if before else None) != verdict else None


def left_out(values: Values, rules: Rules, alpha: float) -> Row:
    """Without each text and without each word: the range of every part's estimate, and whose absence changes which verdict.

    Returns
    -------
    ``text`` and ``word``: {``ranges``: rows of part, estimator, control, lowest, highest; ``changes``: rows of left_out, statement,
    verdict, opposed}. None where there is only one.
    """

    def over(names: Sequence[str], without: Callable[[str], Values]) -> Row | None:
        if len(names) < 2:
            return None
        rest = {name: without(name) for name in names}
        whole = conclusions_of(verdicts_of(values, rules), alpha)
        changes = []
        for name, kept in rest.items():
            for one, other in zip(whole, conclusions_of(verdicts_of(kept, rules), alpha), strict=False):
                same = one["verdict"] == other["verdict"]
                if one["statement"] == other["statement"] and (not same or opposed(one["parts"], other["parts"])):
                    changes.append({"left_out": name, "statement": one["statement"], "verdict": other["verdict"], "opposed": same})
        stacked = np.stack([np.array([mean.estimate for mean in kept.means.values()]) for kept in rest.values()])
        stacked = stacked.reshape(len(rest), len(CONTROLS), len(ESTIMATORS), len(MEASURES))
        ranges = [
            {
                "part": part.name, "estimator": ESTIMATORS[estimator], "control": CONTROLS[control],
                "lowest": number_or_none(float(np.nanmin(stacked[(slice(None), *place)]))),
                "highest": number_or_none(float(np.nanmax(stacked[(slice(None), *place)]))),
            }
            for control, estimator in np.ndindex(len(CONTROLS), len(ESTIMATORS))
            for part in _PARTS.values()
            if np.isfinite(stacked[(slice(None), *(place := (control, estimator, MEASURES.index(part.measure))))]).any()
        ]  # fmt: skip
        return {"ranges": ranges, "changes": changes}

    words = tuple(dict.fromkeys(values.words))
    return {
        "text": over(values.text_names, lambda name: values.without(text=name)),
        "word": over(words, lambda name: values.without(word=name)),
    }


def over_models(means: Sequence[np.ndarray], rules: Rules) -> list[Row]:
    """Verdicts on the mean over models, each model's (control, estimator, measure) means counting once."""
    stacked = np.stack(means, axis=-1)
    rows = []
    for index, control in enumerate(CONTROLS):
        found: list[list[Mean]] = [
            [mean_over(stacked[index, estimator, measure]) for estimator in range(len(ESTIMATORS))] for measure in range(len(MEASURES))
        ]
        measured: Measured = measured_of(found, rules.layers_deep)
        rows += judge(measured, control, rules.hypotheses)
    return rows
