"""Counts in words: in how many layers something is so, and how many there are of something."""

from collections.abc import Mapping

from analyses.value_specs import Spec


def where(counts: Mapping[str, int], layers: int) -> Spec:
    """In how many of `layers` layers something is so, by estimator: one phrase where the estimators count alike, two where not."""
    if len(set(counts.values())) == 1:
        return _in_layers(next(iter(counts.values())), layers)
    values = {f"{estimator}_count": {**_in_layers(count, layers), "as": "key"} for estimator, count in counts.items()}
    return {"key": "count.each", "as": "key", "values": values}


def _in_layers(count: int, layers: int) -> Spec:
    """None, one, both, all and some are each said in their own words."""
    if count == layers:
        name = {1: "only", 2: "both"}.get(layers, "all")
    else:
        name = {0: "none" if layers > 1 else "not_one", 1: "one"}.get(count, "some")
    return {"key": f"count.{name}", "as": "key", "values": {"count": count, "layers": layers}}


def counted(noun: str, count: int) -> Spec:
    """How many there are, with the noun: one is said otherwise than several. `noun` names the catalogue's ``counted.<noun>``."""
    return {"key": f"counted.{noun}.{'one' if count == 1 else 'other'}", "as": "key", "values": {"count": count}}
