"""What is concluded of each statement once all of its verdicts are in."""

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.mi_distance.names import CO_PRIMARY, CONTROLS, LESSON
from analyses.statistics.verdicts import conjunction


def primary_control(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """What conclusions rest on: the excess over different words; plain MI, which holds for any two tokens, only where there is none."""
    return "different_word" if any(row["control"] == "different_word" for row in verdicts) else LESSON


def conclude(verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a statement: the verdict that both co-primary estimators share, and where the other verdicts leave it.

    Returns
    -------
    rows of {statement, name, control, verdict, parts, lesson, lesson_opposed, estimators_disagree, controls_disagree}: `control` is
    what the verdict rests on and `lesson` the verdict on plain MI, by the same rule; `parts` lists {measure, verdict, firm, side}. The
    last two list rows {estimator, control, verdict, opposed, joint}: of the same control those that differ from the conclusion, of
    other controls (not of the looks at position) those that differ from the same estimator's own verdict by the conclusion's control,
    for what another estimator finds is not the control's doing. `joint` is what the co-primary estimators conclude together by that
    control. A verdict that is the same word on the other side, such as taus that separate the other way round, is another one: it is
    `opposed`.
    """
    primary = primary_control(verdicts)
    rows = []
    for number in dict.fromkeys(row["statement"] for row in verdicts):
        of_statement = [row for row in verdicts if row["statement"] == number]
        # A statement on the estimators is judged on plain MI alone: nothing is subtracted from what it compares.
        control = primary if any(row["control"] == primary for row in of_statement) else LESSON
        own = [row for row in of_statement if row["control"] == control]
        parts = shared_parts(own)
        verdict = conjunction(parts)
        others = [row for row in of_statement if row["control"] in CONTROLS and row["control"] != control]
        lesson = shared_parts([row for row in of_statement if row["control"] == LESSON])
        rows.append(
            {
                "statement": number,
                "name": of_statement[0]["name"],
                "control": control,
                "verdict": verdict,
                "parts": parts,
                "lesson": conjunction(lesson),
                "lesson_opposed": opposed(lesson, parts),
                "estimators_disagree": _differing(own, {row["estimator"]: {"verdict": verdict, "parts": parts} for row in own}),
                "controls_disagree": _differing(others, {row["estimator"]: row for row in own}),
            }
        )
    return rows


def shared_parts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """{measure, verdict, firm, side} of every part, as the co-primary estimators among `rows` share them."""
    primary = [row for row in rows if row["estimator"] in CO_PRIMARY]
    return [_shared(together) for together in zip(*(row["parts"] for row in primary), strict=True)]


def _shared(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One part's verdict over the co-primary estimators; they must agree on the side too."""
    verdicts = {part["verdict"] for part in parts}
    sides = {part["side"] for part in parts}
    measure = parts[0]["measure"]
    if "not_testable" in verdicts:
        side = sides.pop() if len(verdicts) == len(sides) == 1 else None
        return {"measure": measure, "verdict": "not_testable", "firm": False, "side": side}
    if len(verdicts) > 1 or len(sides) > 1:
        return {"measure": measure, "verdict": "inconclusive", "firm": False, "side": None}
    return {"measure": measure, "verdict": verdicts.pop(), "firm": all(part["firm"] for part in parts), "side": sides.pop()}


def opposed(parts: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a part has the other's verdict on its other side."""
    return any(
        one["verdict"] == other["verdict"] and None not in (one["side"], other["side"]) and one["side"] != other["side"]
        for one, other in zip(parts, others, strict=True)
    )


def _differing(rows: Sequence[Mapping[str, Any]], held_against: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows whose verdict is another than that of what their estimator is held against, {verdict, parts}."""
    joint = {
        control: conjunction(shared_parts([row for row in rows if row["control"] == control]))
        for control in dict.fromkeys(row["control"] for row in rows)
    }
    found = []
    for row in rows:
        against = held_against[row["estimator"]]
        other_side = row["verdict"] == against["verdict"] and opposed(row["parts"], against["parts"])
        if row["verdict"] != against["verdict"] or other_side:
            head = {key: row[key] for key in ("estimator", "control", "verdict")}
            found.append(head | {"opposed": other_side, "joint": joint[row["control"]]})
    return found
