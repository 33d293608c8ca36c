"""Numbers for the prose, with how each is to be printed; the language comes later."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

Spec = dict[str, Any]
# An end that is 0 at so many decimals is written as 0; a setting is not given with more.
_MOST_DIGITS = 6


def number(value: float, digits: int = 3, *, unit: bool = False) -> Spec:
    """`unit` marks a quantity that cannot exceed 1 (a tau, a correlation)."""
    return {"value": float(value), "as": "number", "digits": digits, "unit": unit}


def interval(low: float, high: float, digits: int = 3, *, unit: bool = False) -> Spec:
    return {"low": float(low), "high": float(high), "as": "interval", "digits": digits, "unit": unit}


def ends(low: float, high: float, digits: int = 3, *, unit: bool = False) -> tuple[Spec, Spec]:
    """Two numbers that a sentence names as "from ... to ...", with as many digits, up to six, as show the sign of each."""
    exact = [abs(Decimal(repr(float(end)))) for end in (low, high)]
    told = [end for end in exact if round(end, _MOST_DIGITS) > 0]
    telling = next((count for count in range(digits, _MOST_DIGITS) if all(round(end, count) > 0 for end in told)), _MOST_DIGITS)
    return number(low, telling, unit=unit), number(high, telling, unit=unit)


def digits_telling(values: Sequence[float], limits: Sequence[float], digits: int) -> int:
    """So many digits, up to six, that a value is printed on the side of a limit on which it lies, and as the limit only where it is it."""

    def told(count: int) -> bool:
        return all(_rounded(value, count) != _rounded(limit, count) for value in values for limit in limits if value != limit)

    return next((count for count in range(digits, _MOST_DIGITS) if told(count)), _MOST_DIGITS)


def exact(value: float, *, unit: bool = False) -> Spec:
    """A number that was set and not computed: with the decimals that it was given with."""
    return number(value, _decimals(value), unit=unit)


def exact_interval(low: float, high: float, *, unit: bool = False) -> Spec:
    """A range that was set, both ends with the decimals of the one that has more."""
    return interval(low, high, max(_decimals(low), _decimals(high)), unit=unit)


def _rounded(value: float, digits: int) -> Decimal:
    return round(Decimal(repr(float(value))), digits)


def _decimals(value: float) -> int:
    return next((count for count in range(_MOST_DIGITS) if math.isclose(round(value, count), value, abs_tol=1e-12)), _MOST_DIGITS)


def percent(share: float, digits: int = 0) -> Spec:
    return {"value": float(share), "as": "percent", "digits": digits}


def key(name: str, **values: Any) -> Spec:
    """A word or sentence of the catalogue, with its own values."""
    return {"key": name, "as": "key"} | ({"values": values} if values else {})


def listed(values: list[Any]) -> Spec:
    return {"values": values, "as": "list"}


def series(values: list[Any]) -> Spec:
    """Items that hold lists themselves: set apart by more than a comma, and without an "and" of their own."""
    return {"values": values, "as": "series"}


def is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
