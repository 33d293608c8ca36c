"""Numbers for the prose, with how each is to be printed; the language comes later."""

import math
from typing import Any

Spec = dict[str, Any]


def number(value: float, digits: int = 3, *, unit: bool = False) -> Spec:
    """`unit` marks a quantity that cannot exceed 1 (a tau, a correlation)."""
    return {"value": float(value), "as": "number", "digits": digits, "unit": unit}


def interval(low: float, high: float, digits: int = 3, *, unit: bool = False) -> Spec:
    return {"low": float(low), "high": float(high), "as": "interval", "digits": digits, "unit": unit}


def percent(share: float, digits: int = 0) -> Spec:
    return {"value": float(share), "as": "percent", "digits": digits}


def key(name: str) -> Spec:
    """A word or sentence of the catalogue."""
    return {"key": name, "as": "key"}


def listed(values: list[Any]) -> Spec:
    return {"values": values, "as": "list"}


def is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
