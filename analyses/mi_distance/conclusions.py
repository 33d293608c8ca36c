"""What is concluded of each statement once all of its verdicts are in."""

from collections.abc import Sequence
from typing import Any

# The course's estimator and the one without its bias: a conclusion needs both. Statement 5 compares the two, so it has one verdict.
CO_PRIMARY = ("histogram", "nearest_neighbour")


def conclude(verdicts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a statement: the verdict that both co-primary estimators share, and where the other verdicts leave it.

    Returns
    -------
    rows of {statement, name, verdict, estimators_disagree, controls_disagree}; the last two list the rows
    {estimator, control, verdict} that differ from the conclusion, without and with a control.
    """
    rows = []
    for number in dict.fromkeys(row["statement"] for row in verdicts):
        of_statement = [row for row in verdicts if row["statement"] == number]
        plain = [row for row in of_statement if row["control"] == "none"]
        primary = [row["verdict"] for row in plain if row["estimator"] in CO_PRIMARY]
        verdict = primary[0] if len(set(primary)) == 1 else "inconclusive"

        def differing(candidates: list[dict[str, Any]], verdict: str = verdict) -> list[dict[str, Any]]:
            return [{key: row[key] for key in ("estimator", "control", "verdict")} for row in candidates if row["verdict"] != verdict]

        rows.append(
            {
                "statement": number,
                "name": of_statement[0]["name"],
                "verdict": verdict,
                "estimators_disagree": differing(plain),
                "controls_disagree": differing([row for row in of_statement if row["control"] != "none"]),
            }
        )
    return rows
