"""Counts in words: in how many layers something is so, and how many there are of something.

That one is said otherwise than several is the catalogues' matter (gettext's plurals); that none, one, both, all and some of a number
are each said in their own words is decided here.
"""

from collections.abc import Mapping, Sequence

from analyses.value_specs import Spec, key


def where(counts: Mapping[str, int], layers: int) -> Spec:
    """In how many of `layers` layers something is so, by estimator: one phrase where the estimators count alike, two where not.

    Of several estimators the phrase names those that count so; of a single one the sentence around it does.
    """
    if len(set(counts.values())) == 1:
        alike = in_how_many("layers", next(iter(counts.values())), layers)
        if len(counts) == 1:
            return alike
        return {"key": "count.alike" if any(counts.values()) else "count.alike.none", "as": "key", "values": {"where": alike}}
    return {
        "key": "count.each",
        "as": "key",
        "values": {f"{estimator}_count": in_how_many("layers", count, layers) for estimator, count in counts.items()},
    }


def in_how_many(noun: str, count: int, total: int) -> Spec:
    """In how many of all there are something is so, with the noun of the catalogue's ``count.<noun>``."""
    if count == total:
        name = {1: "only", 2: "both"}.get(total, "all")
    else:
        name = {0: "none" if total > 1 else "not_one", 1: "one"}.get(count, "some")
    return {"key": f"count.{noun}.{name}", "as": "key", "values": {"count": count, "total": total}}


def counted(noun: str, count: int) -> Spec:
    """How many there are, with the noun of the catalogue's ``counted.<noun>``."""
    return {"key": f"counted.{noun}", "as": "key", "values": {"count": count}}


def layers_named(layers: Sequence[int]) -> Spec:
    """Adjacent layers by their numbers: "layer 3", "layers 3-6"."""
    return key("layers.one" if len(layers) == 1 else "layers.range", first=layers[0], last=layers[-1])
