"""The four verdicts, and what every statement's rule is made of: an interval that excludes zero, and parts that are claimed at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERDICTS = ("supported", "contradicted", "inconclusive", "not_testable")


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its interval; NaN where there is none."""

    estimate: float
    low: float
    high: float

    @property
    def exists(self) -> bool:
        return all(math.isfinite(value) for value in (self.estimate, self.low, self.high))


def verdict_of(in_favour: bool, against: bool) -> str:
    """The verdict of a rule that found the numbers against what is claimed, or else in favour of it, or neither."""
    if against:
        return "contradicted"
    return "supported" if in_favour else "inconclusive"


def conjunction(parts: Sequence[Mapping[str, Any]]) -> str:
    """The verdict of a statement that claims all of its parts {verdict, firm} at once."""
    if any(part["firm"] for part in parts):
        return "contradicted"
    verdicts = {part["verdict"] for part in parts}
    if verdicts == {"supported"}:
        return "supported"
    return "not_testable" if "not_testable" in verdicts else "inconclusive"


def number_or_none(value: float) -> float | None:
    """JSON has no NaN: what does not exist is null."""
    return value if math.isfinite(value) else None


def above_zero(found: Interval) -> str:
    """The verdict on a claim that something is positive: the interval lies above zero, below it, or holds it."""
    return verdict_of(found.low > 0, found.high < 0) if found.exists else "not_testable"
