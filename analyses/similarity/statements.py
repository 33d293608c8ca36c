"""The analysis's own three statements, written down before the data are seen, and the verdicts that the numbers earn.

Each part of a statement is decided on a 95 % interval. A statement of several parts is supported when all of them are, and contradicted
when one of them still is by the wider interval at 1 - .05 / parts (Bonferroni): more parts are more ways to fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analyses.occurrences.bands import DepthBands
from analyses.occurrences.branches import BRANCHES
from analyses.similarity.names import CENTRED, COSINE, MEASURES
from analyses.similarity.profiles import Interval, Profiles
from analyses.similarity.structure import Agreement
from analyses.statistics.verdicts import Interval as Decidable
from analyses.statistics.verdicts import above_zero, conjunction, number_or_none

CONFIDENCE = 0.95
# "Centring removes most of it": more than this share.
MOST = 0.5


@dataclass(frozen=True)
class Statement:
    """One statement: its parts, and the measure and the control that its conclusion rests on where they are there."""

    number: int
    name: str
    parts: tuple[str, ...]
    measure: str
    control: str


STATEMENTS = (
    Statement(1, "falls_with_depth", ("attention_fall", "mlp_fall"), "cosine", "different_word"),
    Statement(2, "centring_removes", ("attention_removed", "mlp_removed"), "cosine", "none"),
    Statement(3, "structures_agree", ("structure_agreement",), "pearson", "distance"),
)
FALLS, REMOVES, AGREES = STATEMENTS


def falls(profiles: Profiles, bands: DepthBands, control: str) -> list[dict[str, Any]]:
    """Statement 1 by every measure: the mean over the early layers minus that over the deep ones, above zero in both branches."""

    def fall(mean: np.ndarray) -> np.ndarray:
        if not len(bands.early) or not len(bands.deep):
            return np.full(mean.shape[:2], np.nan)
        return np.asarray(mean[..., bands.early].mean(axis=-1) - mean[..., bands.deep].mean(axis=-1))

    intervals, wide = profiles.interval(fall, CONFIDENCE), profiles.interval(fall, _wide(FALLS))
    rows = []
    for index, measure in enumerate(MEASURES):
        parts = []
        for branch in range(len(BRANCHES)):
            profile = profiles.mean[index, branch]
            early = profile[bands.early].mean() if len(bands.early) else np.nan
            agreeing = int((profile[bands.deep] < early).sum())
            parts.append(_part(FALLS.parts[branch], intervals, wide, (index, branch), agreeing, len(bands.deep)))
        rows.append(_row(FALLS, measure, control, parts))
    return rows


def removed(mean: np.ndarray) -> np.ndarray:
    """How much less than half of the raw cosine is left after centring, mean over the layers: (branch,)."""
    return np.asarray((MOST * mean[COSINE] - mean[CENTRED]).mean(axis=-1))


def removes(profiles: Profiles) -> dict[str, Any]:
    """Statement 2: the centred cosine is less than half of the raw one, in both branches."""
    intervals, wide = profiles.interval(removed, CONFIDENCE), profiles.interval(removed, _wide(REMOVES))
    raw, centred = profiles.mean[COSINE], profiles.mean[CENTRED]
    agreeing = (centred < MOST * raw).sum(axis=-1)
    parts = [
        _part(REMOVES.parts[branch], intervals, wide, (branch,), int(agreeing[branch]), raw.shape[-1]) for branch in range(len(BRANCHES))
    ]
    return _row(REMOVES, REMOVES.measure, "none", parts)


def agrees(found: Agreement, control: str) -> list[dict[str, Any]]:
    """Statement 3 by every measure: the rank correlation of the two pair matrices, mean over the layers, is above zero."""
    intervals = Interval(found.mean, found.low, found.high)
    rows = []
    for index, measure in enumerate(MEASURES):
        layers = found.by_layer[index]
        parts = [_part(AGREES.parts[0], intervals, intervals, (index,), int((layers > 0).sum()), len(layers))]
        rows.append(_row(AGREES, measure, control, parts))
    return rows


def conclude(verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a statement: the verdict it was decided beforehand to rest on, and beside it what plain values and other measures say.

    Returns
    -------
    rows of {statement, name, measure, control, verdict, parts, plain, measures_disagree}: `plain` is the verdict without a control,
    `measures_disagree` lists {estimator, verdict} of the other measures under the same control that differ.
    """
    rows = []
    for statement in STATEMENTS:
        own = [row for row in verdicts if row["name"] == statement.name]
        control = statement.control if any(row["control"] == statement.control for row in own) else "none"
        main = next(row for row in own if (row["estimator"], row["control"]) == (statement.measure, control))
        plain = next(row for row in own if (row["estimator"], row["control"]) == (statement.measure, "none"))
        others = [row for row in own if row["control"] == control and row is not main and row["verdict"] != main["verdict"]]
        rows.append(
            {
                "statement": statement.number,
                "name": statement.name,
                "measure": statement.measure,
                "control": control,
                "verdict": main["verdict"],
                "parts": main["parts"],
                "plain": plain["verdict"],
                "measures_disagree": [{key: row[key] for key in ("estimator", "verdict")} for row in others],
            }
        )
    return rows


def _wide(statement: Statement) -> float:
    return 1 - (1 - CONFIDENCE) / len(statement.parts)


def _part(name: str, intervals: Interval, wide: Interval, place: tuple[int, ...], agreeing: int, layers: int) -> dict[str, Any]:
    found, wider = (Decidable(*(float(values[place]) for values in (each.estimate, each.low, each.high))) for each in (intervals, wide))
    return {
        "measure": name,
        "verdict": above_zero(found),
        "firm": above_zero(wider) == "contradicted",
        "estimate": number_or_none(found.estimate),
        "low": number_or_none(found.low),
        "high": number_or_none(found.high),
        "agreeing_layers": agreeing,
        "layers": layers,
    }


def _row(statement: Statement, measure: str, control: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    verdict = conjunction(parts)
    fitting = [part for part in parts if (part["firm"] if verdict == "contradicted" else part["verdict"] == verdict)]
    deciding = (fitting or parts)[0]
    head = {"statement": statement.number, "name": statement.name, "estimator": measure, "control": control, "verdict": verdict}
    numbers = {key: deciding[key] for key in ("estimate", "low", "high", "agreeing_layers", "layers")}
    return head | {"part": deciding["measure"]} | numbers | {"parts": parts}
