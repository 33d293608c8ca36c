"""Which sentence is true of each statement, and the numbers to put into it."""

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.mi_distance.conclusions import CO_PRIMARY
from analyses.mi_distance.facts.rows import Study, band_values, part_of, verdict_row
from analyses.mi_distance.names import VERDICTS
from analyses.mi_distance.value_specs import interval, is_number, key, listed, number

# How each measure is printed: digits, and whether it is bounded by 1.
_PRINTED = {"mean_tau": (2, True), "tau_difference": (2, True), "shift_slope": (2, False)}


def statement_facts(conclusion: Mapping[str, Any], study: Study) -> dict[str, Any]:
    name, verdict = conclusion["name"], conclusion["verdict"]
    parts = [_part_facts(name, part, study) for part in conclusion["parts"]]
    side = conclusion["parts"][0]["side"] if len(parts) == 1 else None
    values = dict(parts[0]["values"])
    values["parts"] = len(parts)
    for each in VERDICTS:
        values[f"parts_{each}"] = sum(part["verdict"] == each for part in parts)
    return {
        "number": conclusion["statement"],
        "name": name,
        "verdict": verdict,
        "finding": {
            "id": name,
            "number": conclusion["statement"],
            "verdict": verdict,
            "key": _key(f"finding.{name}", verdict, side),
            "values": values,
        },
        "abstract": {"key": _key(f"abstract.{name}", verdict, side), "values": values},
        "parts": parts if len(parts) > 1 else [],
        "reason": _reason(name, verdict, study),
        "estimators": _disagreement("estimators.", conclusion["estimators_disagree"], study, name),
        "controls": _disagreement("controls.", conclusion["controls_disagree"], study, name),
    }


def _part_facts(name: str, part: Mapping[str, Any], study: Study) -> dict[str, Any]:
    measure = part["measure"]
    digits, unit = _PRINTED.get(measure, (3, False))
    values: dict[str, Any] = band_values(measure, study) | {"occurrences": study["occurrences"]}
    for estimator in CO_PRIMARY:
        row = verdict_row(study, name, estimator)
        if row is None:
            continue
        found = part_of(row, measure)
        if is_number(found["estimate"]) and is_number(found["low"]):
            values[estimator] = number(found["estimate"], digits, unit=unit)
            # A sentence that names the higher side gives the size of the difference, not its sign.
            values[f"{estimator}_reversed"] = number(-found["estimate"], digits, unit=unit)
            values[f"{estimator}_interval"] = interval(found["low"], found["high"], digits, unit=unit)
            values[f"{estimator}_interval_reversed"] = interval(-found["high"], -found["low"], digits, unit=unit)
        if found["agreeing_layers"] is not None:
            values[f"{estimator}_layers"] = found["agreeing_layers"]
            values[f"{estimator}_other_layers"] = found["layers"] - found["agreeing_layers"]
            values["layers"] = found["layers"]
    settings = study["settings"]["hypotheses"]
    values["tau_low"], values["tau_high"] = (number(end, 2, unit=True) for end in settings["tau_range"])
    values["slope_low"], values["slope_high"] = (number(end, 1) for end in settings["shift_slope_range"])
    values["margin"] = number(settings["same_tau_margin"], 1, unit=True)
    return {
        "measure": measure,
        "verdict": part["verdict"],
        "key": _key(f"part.{measure}", part["verdict"], part["side"]),
        "values": values,
    }


def _key(prefix: str, verdict: str, side: str | None) -> str:
    return ".".join(word for word in (prefix, verdict, side) if word)


def _reason(name: str, verdict: str, study: Study) -> str | None:
    """Why nothing could be concluded: the estimators differ, or the interval leaves it open, or the layers differ."""
    if verdict != "inconclusive":
        return None
    rows = [row for row in (verdict_row(study, name, estimator) for estimator in CO_PRIMARY) if row is not None]
    if len({(row["verdict"], row["parts"][0]["side"]) for row in rows}) > 1:
        return "reason.estimators"
    if len(rows[0]["parts"]) > 1:
        return "reason.parts"
    low, high, rule = rows[0]["low"], rows[0]["high"], rows[0]["parts"][0]["measure"]
    ranges = {"mean_tau": study["settings"]["hypotheses"]["tau_range"], "shift_slope": study["settings"]["hypotheses"]["shift_slope_range"]}
    if rule in ranges:
        inside = ranges[rule][0] <= low and high <= ranges[rule][1]
        return "reason.layers" if inside else "reason.range"
    return "reason.layers" if low > 0 or high < 0 else "reason.interval"


def _disagreement(prefix: str, rows: Sequence[Mapping[str, Any]], study: Study, name: str) -> dict[str, Any] | None:
    """The sentence that says whether the verdict stands with another estimator, or with a control taken off."""
    of_kind = [row for row in study["verdicts"] if row["name"] == name and (row["control"] == "none") == (prefix == "estimators.")]
    if not of_kind:
        return None
    if not rows:
        # That nothing could be tested by any of them is no agreement.
        if all(row["verdict"] == "not_testable" for row in of_kind):
            return None
        return {"key": f"{prefix}same", "values": {"count": len(of_kind)}, "others": []}
    # One sentence for each control and verdict: a list with every estimator in turn says the same words over and over.
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row["control"], row["verdict"]), []).append(row["estimator"])
    others = [
        {
            "key": f"{prefix}other.{'all' if len(found) == sum(row['control'] == control for row in of_kind) else 'some'}",
            "values": {
                "estimators": listed([key(f"estimator.{estimator}") for estimator in found]),
                "control": key(f"control.{control}"),
                "verdict": key(f"verdict.{verdict}"),
            },
        }
        for (control, verdict), found in groups.items()
    ]
    return {"key": f"{prefix}differ", "values": {"count": len(of_kind), "differing": len(rows)}, "others": others}


def conclusion_lists(statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One sentence for each verdict that was reached: which statements reached it."""
    lists = []
    for verdict in VERDICTS:
        names = [
            {
                "key": "conclusion.item",
                "as": "key",
                "values": {"number": statement["number"], "statement": key(f"statement.{statement['name']}.short")},
            }
            for statement in statements
            if statement["verdict"] == verdict
        ]
        if names:
            lists.append({"verdict": verdict, "key": f"conclusion.{verdict}", "values": {"names": listed(names)}})
    return lists


def verdict_table(study: Study) -> list[dict[str, Any]]:
    """One row for every statement, estimator and control, with its numbers as they stand in study.json."""
    return [
        {name: row[name] for name in ("statement", "name", "estimator", "control", "verdict", "estimate", "low", "high")}
        | {"agreeing_layers": row["agreeing_layers"], "layers": row["layers"]}
        for row in study["verdicts"]
    ]
