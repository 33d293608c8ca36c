"""What is drawn of two bundles is what moved between them."""

import matplotlib.pyplot as plt
import numpy
import pytest
import xarray

from analyses import mi_distance
from analyses.drawing.changes import changes
from analyses.protocol import Results
from reportgen.documents import Assets
from reportgen.documents.svg import figure_style


def results(*, moved_by=0.0, estimators=("histogram", "nearest_neighbour")):
    values = numpy.ones((len(estimators), 2, 6))
    values[0, 1, 3] += moved_by
    coordinates = {"estimator": list(estimators), "branch": ["attention", "mlp"], "layer": range(6)}
    return Results(xarray.Dataset({"kendall_tau": (list(coordinates), values)}, coordinates), xarray.Dataset(), {})


def drawn(before, after):
    (figure,) = changes(before, after, "kendall_tau", "estimator")
    with figure_style(Assets.of(mi_distance.analysis)):  # It knows the colours by their names.
        drawing = figure.draw(lambda key, **values: f"{key} {values}")
    titles = [axes.get_title(loc="left") for axes in drawing.figure.axes]
    lines = [len(axes.get_lines()) for axes in drawing.figure.axes]
    plt.close(drawing.figure)
    return titles, lines


def test_the_panel_that_moved_is_drawn_and_of_its_branches_the_one_that_did_twice():
    (title,), lines = drawn(results(), results(moved_by=0.1))
    assert "histogram" in title
    assert lines == [3]


@pytest.mark.parametrize("moved_by", [0.0, 1e-9])
def test_where_no_difference_is_seen_there_is_no_figure(moved_by):
    assert changes(results(), results(moved_by=moved_by), "kendall_tau", "estimator") == []


def test_an_estimator_that_only_one_bundle_has_is_no_panel():
    assert changes(results(), results(estimators=("histogram",)), "kendall_tau", "estimator") == []
    (title,), _ = drawn(results(), results(moved_by=0.1, estimators=("histogram",)))
    assert "histogram" in title
