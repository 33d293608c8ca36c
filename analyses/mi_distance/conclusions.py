"""What is concluded of each statement once all of its verdicts are in."""

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.mi_distance.hypotheses import conjunction

# The course's estimator and the one without its bias: a conclusion needs both. Statement 5 compares the two, so it has one verdict.
CO_PRIMARY = ("histogram", "nearest_neighbour")


def conclude(verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a statement: the verdict that both co-primary estimators share, and where the other verdicts leave it.

    Returns
    -------
    rows of {statement, name, verdict, parts, estimators_disagree, controls_disagree}: `parts` lists {measure, verdict, side};
    the last two list the rows {estimator, control, verdict} that differ from the conclusion, without and with a control.
    """
    rows = []
    for number in dict.fromkeys(row["statement"] for row in verdicts):
        of_statement = [row for row in verdicts if row["statement"] == number]
        plain = [row for row in of_statement if row["control"] == "none"]
        primary = [row for row in plain if row["estimator"] in CO_PRIMARY]
        parts = [_shared(together) for together in zip(*(row["parts"] for row in primary), strict=True)]
        verdict = conjunction([part["verdict"] for part in parts])
        rows.append(
            {
                "statement": number,
                "name": of_statement[0]["name"],
                "verdict": verdict,
                "parts": parts,
                "estimators_disagree": _differing(plain, verdict),
                "controls_disagree": _differing([row for row in of_statement if row["control"] != "none"], verdict),
            }
        )
    return rows


def _shared(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One part's verdict over the co-primary estimators; they must agree on the side too."""
    verdicts = {part["verdict"] for part in parts}
    sides = {part["side"] for part in parts}
    measure = parts[0]["measure"]
    if "not_testable" in verdicts:
        return {"measure": measure, "verdict": "not_testable", "side": None}
    if len(verdicts) > 1 or len(sides) > 1:
        return {"measure": measure, "verdict": "inconclusive", "side": None}
    return {"measure": measure, "verdict": verdicts.pop(), "side": sides.pop()}


def _differing(rows: Sequence[Mapping[str, Any]], verdict: str) -> list[dict[str, Any]]:
    return [{key: row[key] for key in ("estimator", "control", "verdict")} for row in rows if row["verdict"] != verdict]
