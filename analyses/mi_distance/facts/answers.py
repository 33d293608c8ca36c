"""What the first pages say: each statement beside what the data say of it and why, and the sentences of the abstract."""

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.mi_distance.facts.rows import part_of, verdict_row
from analyses.mi_distance.names import CO_PRIMARY
from analyses.records import Study
from analyses.statistics.verdicts import VERDICTS
from analyses.value_specs import Spec, key, listed

# What was found instead is said of these, beside the verdict's own word.
_SAID = ("contradicted", "supported")


def answers_table(statements: Sequence[Mapping[str, Any]], study: Study) -> list[dict[str, Any]]:
    """One row a statement, and one a part of a statement that has several, as the conclusions rest on them.

    Rows of {statement, measure, lesson, verdict, says, histogram, nearest_neighbour, layers}; the last five are value specs or None.
    """
    rows = []
    for statement in statements:
        heading = key(f"statement.{statement['name']}.heading")
        whole = {"statement": statement["number"], "measure": "whole", "verdict": statement["verdict"]}
        seldom = statement["minority"]["short"] if statement.get("minority") else None
        lesson = {"key": "answers.statement", "as": "key", "values": {"number": statement["number"], "heading": heading}}
        nothing = {"says": seldom, "histogram": None, "nearest_neighbour": None, "layers": None}
        if not statement["parts"]:
            evidence = _evidence(statement["single"], statement, study)
            rows.append(whole | {"lesson": lesson} | evidence | {"says": _both(evidence["says"], seldom)})
            continue
        rows.append(whole | {"lesson": lesson} | nothing)
        for part in statement["parts"]:
            row = {"statement": statement["number"], "measure": part["measure"], "verdict": part["verdict"]}
            words = {"key": "answers.part", "as": "key", "values": {"part": key(f"measure.{part['measure']}")}}
            rows.append(row | {"lesson": words} | _evidence(part, statement, study))
    return rows


def _both(found: Spec | None, seldom: Spec | None) -> Spec | None:
    """What was found instead, and how few ways of analysis find it."""
    return key("answers.says", found=found, seldom=seldom) if found and seldom else found or seldom


def _evidence(part: Mapping[str, Any], statement: Mapping[str, Any], study: Study) -> dict[str, Any]:
    """What was found where that is not the lesson's own words, and both estimators' values with their intervals."""
    values = part["values"]
    found: dict[str, Any] = {"says": part["says"]}
    for estimator in ("histogram", "nearest_neighbour"):
        parts = ("estimate", "interval")
        specs = (values.get(estimator), values.get(f"{estimator}_interval"))
        found[estimator] = None if None in specs else {"key": "answers.value", "as": "key", "values": dict(zip(parts, specs, strict=True))}
    counts = {}
    for estimator in CO_PRIMARY:
        row = verdict_row(study, statement["name"], estimator, statement["control"])
        if row is not None and part_of(row, part["measure"])["agreeing_layers"] is not None:
            counts[estimator] = part_of(row, part["measure"])
    found["layers"] = _layers(counts) if values.get("histogram") is not None else None
    return found


def _layers(counts: Mapping[str, Mapping[str, Any]]) -> Spec | None:
    if not counts:
        return None
    agreeing = [part["agreeing_layers"] for part in counts.values()]
    values = {"first": agreeing[0], "last": agreeing[-1], "layers": next(iter(counts.values()))["layers"]}
    return {"key": "answers.layers.alike" if len(set(agreeing)) == 1 else "answers.layers.each", "as": "key", "values": values}


def abstract_sentences(statements: Sequence[Mapping[str, Any]]) -> list[Spec]:
    """One or two sentences that say of every statement what became of it: what was decided, and what was not."""
    claims = [claim for each in statements for claim in _claims_of(each)]
    of_verdict = {verdict: [(claim, seldom) for reached, claim, seldom in claims if reached == verdict] for verdict in VERDICTS}
    present = [verdict for verdict in VERDICTS if of_verdict[verdict]]
    if len(present) == 1 and not any(seldom for _, _, seldom in claims):
        return [{"key": f"abstract.all.{present[0]}", "as": "key", "values": {}}]
    sentences = []
    for pair in (("supported", "contradicted"), ("inconclusive", "not_testable")):
        here = [verdict for verdict in pair if of_verdict[verdict]]
        if here:
            values = {verdict: _claims(of_verdict[verdict], verdict) for verdict in here}
            sentences.append({"key": f"abstract.{'.'.join(here)}", "as": "key", "values": values})
    return sentences


def _claims_of(statement: Mapping[str, Any]) -> list[tuple[str, Spec, Spec | None]]:
    """(verdict, the claim, how few ways of analysis give the verdict if it is less than half of them).

    One of the statement; one of each part where the verdict on the whole hides that the data say something else of some of them.
    """
    quantity = key(f"quantity.short.{statement['control']}")
    if _says_less(statement):
        # The ways of analysis are counted by the verdict on the whole, which is not what is said here.
        return [(part["verdict"], key(f"claim.{part['measure']}", quantity=quantity), None) for part in statement["parts"]]
    seldom = statement["minority"]["clause"] if statement.get("minority") else None
    return [(statement["verdict"], key(f"statement.{statement['name']}.claim", quantity=quantity), seldom)]


def _says_less(statement: Mapping[str, Any]) -> bool:
    """Whether a part was supported, decided or tested that the verdict on the whole says the opposite, or nothing, of."""
    verdicts = {part["verdict"] for part in statement["parts"]}
    if statement["verdict"] == "contradicted":
        return "supported" in verdicts
    return statement["verdict"] != "supported" and len(verdicts) > 1


def _claims(claims: Sequence[tuple[Spec, Spec | None]], verdict: str) -> Spec:
    """The claims as clauses that follow "that" or "whether"."""
    form = "that" if verdict in _SAID else "whether"
    return listed(
        [
            key(f"abstract.{form}.minority", claim=claim, seldom=seldom) if seldom else key(f"abstract.{form}", claim=claim)
            for claim, seldom in claims
        ]
    )
