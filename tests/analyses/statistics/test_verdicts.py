"""The rules of the four verdicts: what an interval decides, and what parts that are claimed at once make of a statement."""

import itertools
import math

import pytest

from analyses.statistics.verdicts import Interval, above_zero, conjunction, number_or_none, verdict_of

ORDER = ("firmly contradicted", "not_testable", "contradicted", "inconclusive", "supported")  # the first one met decides


def test_conjunction_of_all_verdicts():
    whole = {"firmly contradicted": "contradicted", "contradicted": "inconclusive"}
    for size in (1, 2, 3):
        for verdicts in itertools.product(ORDER, repeat=size):
            parts = [{"verdict": verdict.removeprefix("firmly "), "firm": verdict.startswith("firmly")} for verdict in verdicts]
            first = min(verdicts, key=ORDER.index)
            assert conjunction(parts) == whole.get(first, first)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.3, "supported"),
        (0.0, 0.3, "inconclusive"),
        (-0.1, 0.3, "inconclusive"),
        (-0.1, 0.0, "inconclusive"),
        (-0.3, -0.01, "contradicted"),
        (math.nan, 0.3, "not_testable"),
        (0.1, math.inf, "not_testable"),
    ],
)
def test_an_interval_that_holds_zero_decides_nothing(low, high, verdict):
    assert above_zero(Interval(0.1, low, high)) == verdict


def test_without_an_estimate_nothing_is_testable():
    assert above_zero(Interval(math.nan, 0.1, 0.3)) == "not_testable"


def test_what_is_against_wins():
    found = {(for_it, against): verdict_of(for_it, against) for for_it in (True, False) for against in (True, False)}
    assert found == {
        (True, True): "contradicted",
        (False, True): "contradicted",
        (True, False): "supported",
        (False, False): "inconclusive",
    }


def test_what_does_not_exist_is_null():
    assert [number_or_none(value) for value in (0.5, math.nan, math.inf, -math.inf)] == [0.5, None, None, None]
