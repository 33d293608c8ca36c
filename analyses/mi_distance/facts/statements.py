"""Which sentence is true of each statement, and the numbers to put into it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from analyses.mi_distance.conclusions import conclude, shared_parts
from analyses.mi_distance.conclusions import opposed as on_other_sides
from analyses.mi_distance.facts.rows import band_values, part_of, verdict_row
from analyses.mi_distance.hypotheses import ONE_BRANCH
from analyses.mi_distance.names import CO_PRIMARY, CONTROLS, LESSON
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.facts.counts import where
from analyses.records import Study
from analyses.statistics.verdicts import VERDICTS
from analyses.value_specs import Spec, digits_telling, exact, interval, is_number, key, listed, number, series

# How each measure is printed: digits, and whether it is bounded by 1.
_PRINTED = {"mean_tau": (2, True), "tau_half": (2, True), "tau_difference": (2, True), "shift_slope": (2, False), "mlp_level": (4, False)}


def statement_facts(conclusion: Mapping[str, Any], study: Study) -> dict[str, Any]:
    name, verdict, control = conclusion["name"], conclusion["verdict"], conclusion["control"]
    parts = [_part_facts(name, part, control, study, first=conclusion["parts"][0]) for part in conclusion["parts"]]
    side = conclusion["parts"][0]["side"] if len(parts) == 1 else None
    values = dict(parts[0]["values"])
    values["parts"] = len(parts)
    of_statement = [row for row in study["verdicts"] if row["name"] == name]
    counted = [(each, sum(part["verdict"] == each for part in parts)) for each in VERDICTS]
    values["summary"] = listed(
        [
            {"key": f"parts.{each}.{_how_many(count, len(parts))}", "as": "key", "values": {"count": count}}
            for each, count in counted
            if count
        ]
    )
    return {
        "number": conclusion["statement"],
        "name": name,
        "verdict": verdict,
        "control": control,
        "lesson": conclusion["lesson"],
        "lesson_opposed": conclusion["lesson_opposed"],
        "lesson_parts": _other_parts(conclusion, study),
        "finding": {
            "id": name,
            "number": conclusion["statement"],
            "verdict": verdict,
            "key": _key(f"finding.{name}", verdict, side),
            "values": values,
            # Of several parts the numbers stand with the parts.
            "rows": _rows("verdicts", lambda estimator: f"{conclusion['statement']}-{estimator}-{control}", parts[0]["estimators"])
            if len(parts) == 1
            else {},
        },
        "parts": parts if len(parts) > 1 else [],
        # Of one part alone the statement's own sentence is the finding.
        "single": {name: parts[0][name] for name in ("measure", "says", "told", "values")} if len(parts) == 1 else None,
        "reason": _reason(conclusion, study),
        "crossing": _crossing(conclusion, study),
        "estimators": _disagreement("estimators", conclusion, of_statement),
        "controls": _disagreement("controls", conclusion, of_statement),
        "first_part": _of_first_part(conclusion, of_statement),
    }


def _how_many(count: int, parts: int) -> str:
    if count == parts == 2:
        return "both"
    return "all" if count == parts else ("one", "two", "three")[count - 1]


def _part_facts(name: str, part: Mapping[str, Any], control: str, study: Study, *, first: Mapping[str, Any]) -> dict[str, Any]:
    measure = part["measure"]
    _, unit = _PRINTED.get(measure, (3, False))
    values: dict[str, Any] = band_values(measure, study) | {"occurrences": study["occurrences"], "quantity": key(f"quantity.{control}")}
    agreeing: dict[str, int] = {}
    layers = 0
    one_branch = False
    by_estimator: dict[str, Mapping[str, Any]] = {}
    for estimator in CO_PRIMARY:
        row = verdict_row(study, name, estimator, control)
        if row is None:
            continue
        found = by_estimator[estimator] = part_of(row, measure)
        digits = _digits(found, study)
        if is_number(found["estimate"]) and is_number(found["low"]):
            values[estimator] = number(found["estimate"], digits, unit=unit)
            # A sentence that names the higher side gives the size of the difference, not its sign.
            values[f"{estimator}_reversed"] = number(-found["estimate"], digits, unit=unit)
            values[f"{estimator}_interval"] = interval(found["low"], found["high"], digits, unit=unit)
            values[f"{estimator}_interval_reversed"] = interval(-found["high"], -found["low"], digits, unit=unit)
        if "before" in found and is_number(found["before"]["low"]):
            before = found["before"]
            values[f"{estimator}_before"] = number(before["estimate"], digits)
            values[f"{estimator}_before_interval"] = interval(before["low"], before["high"], digits)
            values["margin"] = number(found["margin"], digits)
        for branch, own in found.get("branches", {}).items():
            if is_number(own["low"]):
                values[f"{estimator}_{branch}"] = number(own["estimate"], digits, unit=unit)
                values[f"{estimator}_{branch}_interval"] = interval(own["low"], own["high"], digits, unit=unit)
        one_branch |= found["side"] == ONE_BRANCH
        if found["agreeing_layers"] is not None:
            agreeing[estimator], layers = found["agreeing_layers"], found["layers"]
    if layers:
        values["where"] = where(agreeing, layers)
        values["where_other"] = where({estimator: layers - count for estimator, count in agreeing.items()}, layers)
    settings = study["settings"]["hypotheses"]
    values["tau_low"], values["tau_high"] = (exact(end, unit=True) for end in settings["tau_range"])
    values["slope_low"], values["slope_high"] = (exact(end) for end in settings["shift_slope_range"])
    if measure == "tau_difference":
        values["margin"] = exact(settings["same_tau_margin"], unit=True)
    side = part["side"]
    if measure == "tau_half" and all(f"{each}_interval" in values for each in CO_PRIMARY):
        side = _of_tau_range(part, first, list(by_estimator.values()), settings["tau_range"]) or side
    if (
        measure == "mlp_level"
        and part["verdict"] == "supported"
        and all(abs(found["before"]["estimate"]) <= found["margin"] for found in by_estimator.values())
    ):
        side = "alike"
    # Where one estimator's branch left it open and the other's did not, the branches are still what has to be told.
    if one_branch and part["verdict"] == "inconclusive":
        side = ONE_BRANCH
    return {
        "measure": measure,
        "verdict": part["verdict"],
        "key": _key(f"part.{measure}", part["verdict"], side),
        "says": _says(measure, part["verdict"], _told_side(side) or part["side"], values),
        "estimators": list(by_estimator),
        "rows": _rows("parts", lambda estimator: f"{measure}-{estimator}", list(by_estimator)),
        "alone": None if str(side).startswith("unjudged") else _alone(part["verdict"], by_estimator),
        "told": _told(measure, values),
        "values": values,
    }


def _told(measure: str, values: Mapping[str, Any]) -> Spec:
    """A part's estimates with their intervals in a line, without what follows of them."""
    of_branches = [f"{estimator}_{branch}" for estimator in CO_PRIMARY for branch in BRANCHES]
    if all(f"{name}_interval" in values for name in of_branches):
        given = {end: values[end] for name in of_branches for end in (name, f"{name}_interval")}
        return key("handout.part.branches", part=key(f"measure.{measure}"), **given)
    ends = [name for estimator in CO_PRIMARY for name in (estimator, f"{estimator}_interval")]
    given = {name: values[name] for name in ends if name in values}
    form = {len(ends): "both", 2: "one"}.get(len(given), "none")
    return key(f"handout.part.{form}", part=key(f"measure.{measure}"), **given)


def _rows(table: str, row: Callable[[str], str], estimators: Sequence[str]) -> dict[str, dict[str, str] | None]:
    """The rows of a table where the numbers of each estimator stand; a count of layers stands in the first estimator's.

    Single branches, and the slope before the deep layers, are in no table: their numbers lead nowhere.
    """
    found: dict[str, dict[str, str] | None] = {estimator: {"table": table, "row": row(estimator)} for estimator in estimators}
    nowhere = {f"{estimator}_{name}": None for estimator in estimators for name in (*BRANCHES, "before")}
    return found | nowhere | {name: found[estimators[0]] for name in ("where", "where_other") if estimators}


def _of_tau_range(
    part: Mapping[str, Any], first: Mapping[str, Any], found: Sequence[Mapping[str, Any]], tau_range: Sequence[float]
) -> str | None:
    """Why a tau was not held against its range: the intervals are too wide for it, or tau is not shown to be negative at all."""
    low, high = tau_range
    if part["verdict"] == "not_testable":
        return "wide.both" if all(each["high"] - each["low"] > high - low for each in found) else "wide"
    if part["verdict"] == "inconclusive" and first["verdict"] != "supported":
        outside = all(each["low"] > high or each["high"] < low for each in found)
        return "unjudged.outside" if outside else "unjudged"
    return None


def _alone(verdict: str, by_estimator: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The sentence that one estimator by itself would decide a part which both together leave open."""
    decided = [(estimator, part) for estimator, part in by_estimator.items() if part["verdict"] in ("supported", "contradicted")]
    if verdict != "inconclusive" or len(by_estimator) < 2 or len(decided) != 1:
        return None
    estimator, part = decided[0]
    values = {"estimator": key(f"estimator.within.{estimator}"), "verdict": key(f"verdict.{part['verdict']}")}
    return {"key": "part.alone", "values": values}


def shown_parts(statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A sentence for each part that the data support of a statement that they do not support as a whole."""
    return [
        {
            "verdict": "supported",
            "key": "conclusion.part",
            "values": {"number": each["number"], "part": key(f"measure.{part['measure']}")},
        }
        for each in statements
        if each["verdict"] != "supported"
        for part in each["parts"]
        if part["verdict"] == "supported"
    ]


def _crossing(conclusion: Mapping[str, Any], study: Study) -> str | None:
    """The sentence that a difference near zero is one of layers of either sign, where the taus are not shown to separate."""
    if conclusion["name"] != "tau_separation" or conclusion["verdict"] not in ("inconclusive", "contradicted"):
        return None
    rows = [verdict_row(study, conclusion["name"], estimator, conclusion["control"]) for estimator in CO_PRIMARY]
    parts = [row["parts"][0] for row in rows if row is not None]
    return "reason.crossing" if all((part["agreeing_layers"] or part["layers"]) < part["layers"] for part in parts) else None


def _told_side(side: str | None) -> str | None:
    """The side that an open part has to be told with: an interval below zero, or outside the range, would else seem to decide it."""
    if side is not None and side.startswith("unjudged"):
        return "unjudged"
    return side if side == ONE_BRANCH else None


def _says(measure: str, verdict: str, side: str | None, values: Mapping[str, Any]) -> Spec | None:
    """What was found, in a few words: of a part that is contradicted, and of taus, on which side, in which branch, or why not."""
    if verdict == "contradicted" or (verdict == "supported" and side is not None) or _told_side(side) is not None:
        return {"key": _key(f"says.{measure}", verdict, side), "as": "key", "values": dict(values)}
    return None


def _key(prefix: str, verdict: str, side: str | None) -> str:
    return ".".join(word for word in (prefix, verdict, side) if word)


def _reason(conclusion: Mapping[str, Any], study: Study) -> str | None:
    """Why nothing could be concluded: the estimators differ, or the interval leaves it open."""
    name = conclusion["name"]
    if conclusion["verdict"] != "inconclusive":
        return None
    found = (verdict_row(study, name, estimator, conclusion["control"]) for estimator in CO_PRIMARY)
    rows = [row for row in found if row is not None]
    if any(part["verdict"] == "contradicted" for part in conclusion["parts"]):
        return "reason.not_firm"
    if len(rows[0]["parts"]) > 1:
        return "reason.parts"
    if len({(row["verdict"], row["parts"][0]["side"]) for row in rows}) > 1:
        return "reason.estimators"
    return "reason.range" if name == "constant_shift" else "reason.interval"


def _of_first_part(conclusion: Mapping[str, Any], of_statement: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """{measure, estimators, controls} of the first part by itself, where it could be tested and the whole statement could not."""
    first = conclusion["parts"][0]
    if conclusion["verdict"] != "not_testable" or first["verdict"] == "not_testable":
        return None
    alone = [{**row, "verdict": row["parts"][0]["verdict"], "parts": row["parts"][:1]} for row in of_statement]
    (concluded,) = conclude(alone)
    return {
        "measure": first["measure"],
        "estimators": _disagreement("estimators", concluded, alone),
        "controls": _disagreement("controls", concluded, alone),
    }


def _other_parts(conclusion: Mapping[str, Any], study: Study) -> list[dict[str, Any]]:
    """{measure, verdict, opposed} of the parts that plain MI judges otherwise, in a statement of several parts."""
    rows = [row for row in study["verdicts"] if (row["name"], row["control"]) == (conclusion["name"], LESSON)]
    if conclusion["control"] == LESSON or len(conclusion["parts"]) < 2:
        return []
    found = []
    for own, other in zip(conclusion["parts"], shared_parts(rows), strict=True):
        other_side = on_other_sides([own], [other])
        if own["verdict"] != other["verdict"] or other_side:
            found.append({"measure": own["measure"], "verdict": other["verdict"], "opposed": other_side})
    return found


def _disagreement(
    about: Literal["estimators", "controls"], conclusion: Mapping[str, Any], of_statement: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """The sentence that says whether the verdict stands with another estimator, or with another control than the conclusion's.

    `of_statement` are the verdicts that the conclusion was made of, by every estimator and control.
    """
    own = conclusion["control"]
    # Plain MI has a sentence of its own, where it is not what the conclusion rests on.
    # The looks at position are no controls that a verdict is held against: their section has their verdicts.
    controls = [control for control in CONTROLS if control not in (own, LESSON)]
    of_kind = [row for row in of_statement if (row["control"] in controls if about == "controls" else row["control"] == own)]
    rows = [row for row in conclusion[f"{about}_disagree"] if about == "estimators" or row["control"] != LESSON]
    if not of_kind:
        return None
    if not rows:
        # That nothing could be tested by any of them is no agreement.
        if all(row["verdict"] == "not_testable" for row in of_kind):
            return None
        # A sentence names only what was measured: a text may repeat no other word.
        measured = list(dict.fromkeys(row["control"] for row in of_kind))
        alone = f".{measured[0]}" if about == "controls" and len(measured) == 1 else ""
        return {"key": f"{about}.same{alone}", "values": {}, "others": []}
    if about == "controls" and all(row["joint"] == conclusion["verdict"] and not row["opposed"] for row in rows):
        # By no control would the estimators conclude something else together.
        differ = "controls.single"
    else:
        differ = f"{about}.differ"
    # One sentence for each control and verdict: a list with every estimator in turn says the same words over and over.
    groups: dict[tuple[str, str, bool], list[str]] = {}
    for row in rows:
        groups.setdefault((row["control"], row["verdict"], row["opposed"]), []).append(row["estimator"])
    said = [
        {
            "key": f"{about}.other.{'all' if len(found) == sum(row['control'] == control for row in of_kind) else 'some'}",
            "values": {
                "estimators": listed([key(f"estimator.within.{estimator}") for estimator in found]),
                "control": key(f"control.{control}"),
                "verdict": verdict_words(verdict, opposed=opposed),
            },
        }
        for (control, verdict, opposed), found in groups.items()
    ]
    return {"key": differ, "values": {}, "others": said}


def verdict_words(verdict: str, *, opposed: bool) -> Spec:
    """A verdict in words, with what it is told apart by from the same word on the other side."""
    words = key(f"verdict.{verdict}")
    return key("verdict.opposed", verdict=words) if opposed else words


def lesson_sentences(statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the lesson's own version, plain MI, concludes by the same rule: of which statements the same, and of which something else.

    Of a statement with the same verdict the parts too that it judges otherwise: the verdict on the whole would hide them.
    """
    judged = [statement for statement in statements if statement["control"] != LESSON]
    same = [each for each in judged if each["lesson"] == each["verdict"] and not each["lesson_opposed"]]
    others: dict[tuple[str, bool], list[int]] = {}
    for statement in judged:
        if statement not in same:
            opposed = statement["lesson"] == statement["verdict"]
            others.setdefault((statement["lesson"], opposed), []).append(statement["number"])
    if not judged:
        return []
    values: dict[str, Any] = {"statements": _numbered([each["number"] for each in same])} if same else {}
    if others:
        values["others"] = series(
            [
                key("lesson.other", statements=_numbered(numbers), verdict=verdict_words(verdict, opposed=opposed))
                for (verdict, opposed), numbers in others.items()
            ]
        )
    whole = {"key": "lesson.some" if same and others else ("lesson.same" if same else "lesson.none"), "values": values}
    parts = [
        key(
            "lesson.part",
            number=each["number"],
            part=key(f"measure.{part['measure']}"),
            verdict=verdict_words(part["verdict"], opposed=part["opposed"]),
        )
        for each in same
        for part in each["lesson_parts"]
    ]
    return [whole, {"key": "lesson.parts", "values": {"parts": series(parts)}}] if parts else [whole]


def other_verdicts(statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of {statements, sentences}: the verdicts of other estimators, and of other controls, once for all statements they hold of.

    Of a statement that cannot be tested as a whole, a row says it of the first part, if that can be tested.
    """
    rows: dict[str, dict[str, Any]] = {}

    def add(said: Mapping[str, Any] | None, *, number: int, part: Spec | None = None) -> None:
        if said is None:
            return
        row = rows.setdefault(repr(said), {"numbers": [], "parts": [], "sentences": [said, *said["others"]]})
        if part is None:
            row["numbers"].append(number)
        else:
            row["parts"].append(key("answers.part_of", part=part, number=number))

    for about in ("estimators", "controls"):
        for statement in statements:
            add(statement[about], number=statement["number"])
            first = statement["first_part"]
            if first is not None:
                add(first[about], number=statement["number"], part=key(f"measure.{first['measure']}"))
    return [{"statements": _subjects(row["numbers"], row["parts"]), "sentences": row["sentences"]} for row in rows.values()]


def _subjects(numbers: Sequence[int], parts: list[Spec]) -> Spec:
    """What a sentence on other verdicts is about: whole statements, and parts of some."""
    subjects = [*([_numbered(numbers)] if numbers else []), *parts]
    return subjects[0] if len(subjects) == 1 else key("answers.subjects", subjects=series(subjects))


def _numbered(numbers: Sequence[int]) -> Spec:
    return {"key": "answers.numbered", "as": "key", "values": {"numbers": listed(list(numbers)), "count": len(numbers)}}


def verdict_table(study: Study) -> list[dict[str, Any]]:
    """One row for every statement, estimator and control, with the numbers of the part that decided as they stand in study.json."""
    order = {control: place for place, control in enumerate(CONTROLS)}
    kept = ("statement", "name", "estimator", "control", "verdict", "estimate", "low", "high", "agreeing_layers", "layers")
    several = {row["name"] for row in study["verdicts"] if len(row["parts"]) > 1}
    return [
        {name: row[name] for name in kept}
        | {"part": f"measure.{row['part']}" if row["name"] in several else None}
        | _written(row["part"], {**part_of(row, row["part"]), **{end: row[end] for end in ("estimate", "low", "high")}}, study)
        for row in sorted(study["verdicts"], key=lambda row: order.get(row["control"], len(order)))
    ]


def _digits(part: Mapping[str, Any], study: Study) -> int:
    """The digits that a part's numbers are printed with: more than usual where an end would else be printed as a limit of its rule."""
    digits, _ = _PRINTED.get(part["measure"], (3, False))
    settings = study["settings"]["hypotheses"]
    limits = {
        "tau_half": settings["tau_range"],
        "shift_slope": settings["shift_slope_range"],
        "tau_difference": (-settings["same_tau_margin"], settings["same_tau_margin"]),
        "mlp_level": (-part.get("margin", 0.0), part.get("margin", 0.0)),
    }
    ends = [part[end] for end in ("low", "high") if is_number(part[end])]
    return digits_telling(ends, limits.get(part["measure"], ()), digits)


def _written(measure: str, row: Mapping[str, Any], study: Study) -> dict[str, Spec | None]:
    """Estimate and interval of a row of a table, printed as the measure's are in the text."""
    _, unit = _PRINTED.get(measure, (3, False))
    digits = _digits({"measure": measure, **row}, study)
    return {
        "shown": number(row["estimate"], digits, unit=unit) if is_number(row["estimate"]) else None,
        "shown_interval": interval(row["low"], row["high"], digits, unit=unit) if is_number(row["low"]) else None,
    }


def part_table(study: Study) -> list[dict[str, Any]]:
    """The parts of the statements that have several, for every control and estimator; those that the conclusions rest on come first.

    These are named `by` part and estimator alone, as documents have linked to them since there were no others.
    """
    rests_on = {row["name"]: row["control"] for row in study["conclusions"]}
    return [
        {name: part[name] for name in ("measure", "verdict", "estimate", "low", "high", "agreeing_layers", "layers")}
        | {"statement": row["statement"], "estimator": row["estimator"], "control": row["control"]}
        | {"by": row["estimator"] if row["control"] == rests_on[row["name"]] else f"{row['estimator']}_{row['control']}"}
        | _written(part["measure"], part, study)
        for control in CONTROLS
        for row in study["verdicts"]
        if len(row["parts"]) > 1 and row["control"] == control
        for part in row["parts"]
    ]
