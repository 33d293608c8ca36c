"""How much of the effect of distance is one of position: which sentence is true, and its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from analyses.mi_distance.conclusions import shared_parts
from analyses.mi_distance.facts.rows import part_of, verdict_row
from analyses.mi_distance.hypotheses import ONE_BRANCH
from analyses.mi_distance.names import CO_PRIMARY, LESSON
from analyses.mi_distance.position import EXCESS, PLAIN, control_name
from analyses.records import Study
from analyses.value_specs import interval, is_number, key, listed, number, series

_STATEMENT, _MEASURE = "negative_tau", "mean_tau"
# What each statement on distance is judged by, as far as it speaks of the sign.
_JUDGED = {"negative_tau": "mean_tau", "tau_separation": "tau_difference"}
_SUBJECTS = {PLAIN: "position.subject.plain", EXCESS: "position.subject.excess"}
_LOOKS = ("without_first", "prefix")


def position_facts(dataset: xr.Dataset, study: Study) -> dict[str, Any] | None:
    """Per subject (the excess first, plain mutual information after it) its sentences; None where there are too few pairs.

    Returns
    -------
    {"prefix": what the prefix is, or None where the text was not read behind one; "left_out": why; "subjects": [{"key", "values",
    "sentences", "verdicts"}]; "answers": what the looks together say, in one sentence of all subjects that have the same answer}.
    """
    kinds = [kind for kind in (EXCESS, PLAIN) if f"{kind}mean_tau_without_occurrence" in dataset]
    subjects = [found for kind in kinds if (found := _subject(dataset, study, kind)) is not None]
    if not subjects:
        return None
    answers: dict[str, list[Any]] = {}
    for subject in subjects:
        answers.setdefault(subject["answer"], []).append(subject["answered"])
    return {
        "prefix": _prefix_described(study),
        "left_out": _left_out(study),
        "subjects": subjects,
        "answers": [{"key": f"position.answer.{answer}", "values": {"subject": listed(of)}} for answer, of in answers.items()],
    }


def _prefix_described(study: Study) -> dict[str, Any] | None:
    """What the text was read behind; ready activations hold the vectors and the shift, but not what stood there."""
    found = study["controls"].get("prefix")
    return {"text": None, "language": None} | found if found else None


def _left_out(study: Study) -> str | None:
    """The sentence that says why the text was not read behind the prefix, where it was to be."""
    reason = study["provenance"].get("control_prefix", {}).get("left_out")
    return f"position.prefix.left_out.{reason}" if reason else None


def _subject(dataset: xr.Dataset, study: Study, kind: str) -> dict[str, Any] | None:
    everything = _measured(study, LESSON if kind == PLAIN else "different_word")
    if everything is None:
        return None
    fall = _sign(everything) == "negative"
    values: dict[str, Any] = {"subject": key(_SUBJECTS[kind])}
    for estimator, found in everything.items():
        values |= {estimator: number(found[0], 2, unit=True), f"{estimator}_interval": interval(found[1], found[2], 2, unit=True)}
    without, prefix, partial = _without_first(dataset, kind), _prefix(dataset, study, kind, everything), _partial(dataset, kind)
    sentences = [sentence for sentence in (without, prefix, partial) if sentence is not None]
    return {
        "key": "position.all",
        "values": values,
        "sentences": sentences,
        "answer": _answer(fall, prefix, partial),
        # What is shown of the two branches together need not be of each.
        "answered": key(f"{_SUBJECTS[kind]}.together" if fall and not _shown(study, kind) else _SUBJECTS[kind]),
        "verdicts": [_verdicts(study, kind, name) for name in _JUDGED],
    }


def _measured(study: Study, control: str) -> dict[str, tuple[float, float, float]] | None:
    """Estimate and interval of the mean tau by the co-primary estimators; None where one of them has none."""
    found = {}
    for estimator in CO_PRIMARY:
        row = verdict_row(study, _STATEMENT, estimator, control)
        if row is None:
            return None
        part = part_of(row, _MEASURE)
        found[estimator] = (part["estimate"], part["low"], part["high"])
    return found if all(is_number(value) for values in found.values() for value in values) else None


def _of_estimators(dataset: xr.Dataset, name: str) -> dict[str, tuple[float, float, float]] | None:
    if name not in dataset:
        return None
    ends = ("", "_low", "_high")
    found = {}
    for estimator in CO_PRIMARY:
        estimate, low, high = (float(dataset[f"{name}{end}"].sel(estimator=estimator)) for end in ends)
        found[estimator] = (estimate, low, high)
    return found if all(is_number(value) for values in found.values() for value in values) else None


def _without_first(dataset: xr.Dataset, kind: str) -> dict[str, Any] | None:
    """Mean tau without the first occurrence, beside what it is without each of the others."""
    values: dict[str, Any] = {}
    nearer, farther = [], []
    for estimator in CO_PRIMARY:
        tau = dataset[f"{kind}mean_tau_without_occurrence"].sel(estimator=estimator).to_numpy()
        if not np.isfinite(tau).all():
            return None
        first, others = tau[0], tau[1:]
        # As printed: what looks alike there is not told apart.
        own, rest = abs(round(float(first), 2)), np.abs(others.round(2))
        nearer.append(own < rest.min())
        farther.append(own > rest.max())
        values |= {
            estimator: number(first, 2, unit=True),
            f"{estimator}_low": number(others.min(), 2, unit=True),
            f"{estimator}_high": number(others.max(), 2, unit=True),
        }
    outcome = "nearer" if all(nearer) else ("farther" if all(farther) else "beside")
    return {"key": f"position.without_first.{outcome}", "values": values}


def _prefix(dataset: xr.Dataset, study: Study, kind: str, everything: Mapping[str, tuple[float, float, float]]) -> dict[str, Any] | None:
    """Mean tau behind the prefix, and whether its difference from that without one excludes zero."""
    behind = _measured(study, control_name(kind, "prefix"))
    if behind is None:
        return None
    values: dict[str, Any] = {}
    for estimator, found in behind.items():
        values |= {estimator: number(found[0], 2, unit=True), f"{estimator}_interval": interval(found[1], found[2], 2, unit=True)}
    change = _of_estimators(dataset, f"{kind}prefix_tau_change")
    if change is None:
        return {"key": "position.prefix.uncompared", "values": values}
    for estimator, (estimate, low, high) in change.items():
        values |= {f"{estimator}_change": number(estimate, 2, unit=True), f"{estimator}_change_interval": interval(low, high, 2, unit=True)}
    return {"key": f"position.prefix.{_direction(everything, behind, change)}", "values": values}


def _direction(before: Mapping[str, Any], after: Mapping[str, Any], change: Mapping[str, Any]) -> str:
    outcomes = set()
    for estimator, (_, low, high) in change.items():
        one, other = before[estimator][0], after[estimator][0]
        if low <= 0 <= high:
            outcomes.add("open")
        elif abs(other) < abs(one):
            outcomes.add("weaker")
        else:
            outcomes.add("turned" if one * other < 0 else "stronger")
    if "open" in outcomes:
        return "open" if len(outcomes) == 1 else "one_open"
    return outcomes.pop() if len(outcomes) == 1 else "mixed"


def _partial(dataset: xr.Dataset, kind: str) -> dict[str, Any] | None:
    found = _of_estimators(dataset, f"{kind}partial_mean_tau")
    if found is None:
        return None
    values: dict[str, Any] = {}
    for estimator, (estimate, low, high) in found.items():
        values |= {estimator: number(estimate, 2, unit=True), f"{estimator}_interval": interval(low, high, 2, unit=True)}
    return {"key": f"position.partial.{_sign(found)}", "values": values}


def _sign(found: Mapping[str, tuple[float, float, float]]) -> str:
    """Where all intervals lie: below zero, above it, or neither."""
    if all(high < 0 for _, _, high in found.values()):
        return "negative"
    if all(low > 0 for _, low, _ in found.values()):
        return "positive"
    return "open" if all(low <= 0 <= high for _, low, high in found.values()) else "one_open"


def _shown(study: Study, kind: str) -> bool:
    """Whether tau is shown to be negative over all pairs, in both branches."""
    control = LESSON if kind == PLAIN else "different_word"
    rows = [row for row in study["verdicts"] if row["name"] == _STATEMENT and row["control"] == control]
    return any((part["measure"], part["verdict"]) == (_MEASURE, "supported") for part in shared_parts(rows))


def _answer(shown: bool, prefix: Mapping[str, Any] | None, partial: Mapping[str, Any] | None) -> str:
    """What the looks together say of a fall with distance."""
    given_position = partial is not None and partial["key"].endswith(".negative")
    if not shown:
        return "only_partial" if given_position else "none"
    if given_position:
        return "stays"
    weaker = prefix is not None and prefix["key"].endswith(".weaker")
    return "partly" if weaker else "unseparated"


def _verdicts(study: Study, kind: str, name: str) -> dict[str, Any]:
    """The shared verdict on a statement's first part over all pairs and by each look."""
    looks = {"all": LESSON if kind == PLAIN else "different_word"} | {look: control_name(kind, look) for look in _LOOKS}
    reached: dict[tuple[str, bool], list[Any]] = {}
    for look, control in looks.items():
        rows = [row for row in study["verdicts"] if row["name"] == name and row["control"] == control]
        if rows:
            part = next(part for part in shared_parts(rows) if part["measure"] == _JUDGED[name])
            reached.setdefault((part["verdict"], _in_one_branch(part, rows)), []).append(key(f"position.by.{look}"))
    items = [
        key("position.verdict.one_branch" if one_branch else "position.verdict.item", verdict=key(f"verdict.{verdict}"), looks=listed(by))
        for (verdict, one_branch), by in reached.items()
    ]
    number_of = next((row["statement"] for row in study["verdicts"] if row["name"] == name), 0)
    return {
        "key": f"position.verdict.{name}",
        "values": {"number": int(number_of), "subject": key(_SUBJECTS[kind]), "verdicts": series(items)},
    }


def _in_one_branch(shared: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a part is open because of one branch alone: beside means whose intervals leave out zero that has to be said."""
    parts = [part_of(row, shared["measure"]) for row in rows if row["estimator"] in CO_PRIMARY]
    return shared["verdict"] == "inconclusive" and any(part["side"] == ONE_BRANCH for part in parts)
