"""Counts of layers of both branches, by both estimators: what is alike is said once."""

from collections.abc import Mapping

from analyses.occurrences.facts.counts import where
from analyses.value_specs import Spec


def by_branch(counts: Mapping[str, Mapping[str, int]], layers: int) -> Spec:
    """In how many layers something is so; `counts` has branch -> estimator -> count."""
    if not any(count for of_branch in counts.values() for count in of_branch.values()):
        return {"key": "count.branches.none", "as": "key", "values": {}}
    written = {branch: where(of_branch, layers) for branch, of_branch in counts.items()}
    first, *others = written.values()
    if all(other == first for other in others):
        return {"key": "count.branches.alike", "as": "key", "values": {"where": first}}
    return {"key": "count.branches.each", "as": "key", "values": dict(written)}


def sides(counts: Mapping[str, int]) -> Spec:
    """How many of the layers just counted, by one estimator and the other: for brackets behind a count."""
    if len(set(counts.values())) > 1:
        return {"key": "count.sides.each", "as": "key", "values": dict(counts)}
    count = next(iter(counts.values()))
    return {"key": "count.sides.alike" if count else "count.sides.none", "as": "key", "values": {"count": count}}
