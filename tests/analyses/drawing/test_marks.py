"""Axes around what is drawn on them."""

import matplotlib.pyplot as plt
import numpy
import pytest

from analyses.drawing.marks import limits, round_step


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


@pytest.mark.parametrize(("size", "step"), [(1, 1), (1.9, 1), (2, 2), (4.99, 2), (5, 5), (9.99, 5), (0.003, 0.002), (300, 200)])
def test_round_steps(size, step):
    assert round_step(size) == pytest.approx(step)


@pytest.mark.parametrize("scale", [1e-6, 0.01, 1, 730])
def test_limits_hold_every_value_and_are_round(axes, scale):
    values = numpy.random.default_rng(1).normal(size=30) * scale
    limits(axes, values, [numpy.nan])
    low, high = axes.get_ylim()
    span = numpy.ptp(values)
    # The margin, and at most one step of a sixteenth more.
    assert 0.06 <= (values.min() - low) / span <= 0.06 + 1 / 16
    assert 0.06 <= (high - values.max()) / span <= 0.06 + 1 / 16
    step = round_step(span / 16)
    for each in (low, high):
        assert each / step == pytest.approx(round(each / step))


def test_an_outermost_value_that_moves_a_little_leaves_the_limits(axes):
    limits(axes, [-0.63, -0.2, 0.0])
    before = axes.get_ylim()
    for moved in (-0.638, -0.626):
        limits(axes, [moved, -0.2, 0.0])
        assert axes.get_ylim() == before


def test_bounds_are_kept(axes):
    limits(axes, [0.02, 0.97], floor=0, ceiling=1)
    assert axes.get_ylim() == (0, 1)
