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


def results(*, moved_by=0.0, estimators=("histogram", "nearest_neighbour"), numbers=None, of_model=6):
    values = numpy.ones((len(estimators), 2, 6))
    values[0, 1, 3] += moved_by
    coordinates = {"estimator": list(estimators), "branch": ["attention", "mlp"], "layer": range(6)}
    study = {"layers": 6, "layer_numbers": numbers, "layers_of_model": of_model}
    return Results(xarray.Dataset({"kendall_tau": (list(coordinates), values)}, coordinates), xarray.Dataset(), study)


def drawn(before, after):
    """The axes of the only figure."""
    (figure,) = changes(before, after, "kendall_tau", "estimator")
    with figure_style(Assets.of(mi_distance.analysis)):  # It knows the colours by their names.
        drawing = figure.draw(lambda key, **values: f"{key} {values}")
    plt.close(drawing.figure)
    return drawing.figure.axes


def test_the_panel_that_moved_is_drawn_and_of_its_branches_the_one_that_did_twice():
    (axes,) = drawn(results(), results(moved_by=0.1))
    assert "histogram" in axes.get_title(loc="left")
    assert len(axes.get_lines()) == 3


def test_layers_have_the_numbers_that_the_model_gives_them():
    (axes,) = drawn(results(numbers=[2, 4, 6, 8, 10, 12], of_model=12), results(numbers=[2, 4, 6, 8, 10, 12], of_model=12, moved_by=0.1))
    assert {tuple(line.get_xdata()) for line in axes.get_lines()} == {(2, 4, 6, 8, 10, 12)}


def test_of_few_layers_each_is_named():
    (axes,) = drawn(results(), results(moved_by=0.1))
    assert list(axes.get_xticks()) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("moved_by", [0.0, 1e-9])
def test_where_no_difference_is_seen_there_is_no_figure(moved_by):
    assert changes(results(), results(moved_by=moved_by), "kendall_tau", "estimator") == []


def test_an_estimator_that_only_one_bundle_has_is_no_panel():
    assert changes(results(), results(estimators=("histogram",)), "kendall_tau", "estimator") == []
    (axes,) = drawn(results(), results(moved_by=0.1, estimators=("histogram",)))
    assert "histogram" in axes.get_title(loc="left")
