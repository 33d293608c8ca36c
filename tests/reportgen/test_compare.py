import json
import shutil

import numpy
import pytest
from typer.testing import CliRunner

from analyses.errors import InputError
from analyses.protocol import Results
from reportgen.bundle import bundle_digest, write_bundle
from reportgen.cli import app
from reportgen.compare import Tolerance, accept, compare_bundles, comparison_text, read_tolerances


@pytest.fixture
def changed(results, tmp_path):
    """Write a bundle like the first one but for what is given."""

    def write(dataset=None, activations=None, **study):
        made = Results(results.dataset if dataset is None else dataset, activations or results.activations, {**results.study, **study})
        return write_bundle(made, lambda written: {}, tmp_path / "changed")

    return write


def test_a_bundle_and_itself(bundle):
    comparison = compare_bundles(bundle, bundle)
    assert not comparison.changed
    assert comparison.as_json() == {"changed": False, "verdicts": (), "numbers": (), "settings": (), "provenance": (), "added": ()}
    assert comparison_text(comparison) == "No verdict changed and no number moved beyond its tolerance."


def test_a_changed_verdict_is_named(bundle, results, changed):
    first, second = results.study["verdicts"]
    comparison = compare_bundles(bundle, changed(verdicts=[{**first, "verdict": "contradicted"}, second]))
    assert comparison.changed
    assert "long words (histogram): supported -> contradicted" in comparison_text(comparison)


def test_a_verdict_that_is_gone_or_new(bundle, results, changed):
    first, second = results.study["verdicts"]
    comparison = compare_bundles(bundle, changed(verdicts=[first, {**second, "control": "untrained"}]))
    assert [(change.control, change.old, change.new) for change in comparison.verdicts] == [
        ("none", "not_testable", None),
        ("untrained", None, "not_testable"),
    ]


def test_the_farthest_number_is_shown_with_its_place(bundle, results, changed):
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][0] += 5
    (movement,) = compare_bundles(bundle, changed(dataset)).numbers
    assert (movement.quantity, movement.moved, movement.total, movement.where) == ("mean_length", 1, 2, "estimator histogram")
    assert movement.new - movement.old == pytest.approx(5)


@pytest.mark.parametrize(("step", "moves"), [(0.0999, False), (0.1001, True)])
def test_the_tolerance_is_absolute_plus_relative_of_the_old_value(bundle, results, changed, step, moves):
    old = float(results.dataset["mean_length"][0])
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][0] = old + step
    tolerance = {"mean_*": Tolerance(absolute=0.06, relative=0.04 / old)}
    assert compare_bundles(bundle, changed(dataset), tolerance).changed is moves


def test_a_number_that_became_nothing_has_moved(bundle, results, changed):
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][:] = [numpy.nan, 1.0]
    (movement,) = compare_bundles(bundle, changed(dataset)).numbers
    assert (movement.moved, movement.new) == (2, None)
    assert "no value" in comparison_text(compare_bundles(bundle, changed(dataset)))


def test_words_and_truth_values_are_compared_too(bundle, results, changed):
    dataset = results.dataset.copy(deep=True)
    dataset["even"][0] = not bool(dataset["even"][0])
    dataset = dataset.assign_coords(occurrence_word=("occurrence", ["Milk", *results.dataset["occurrence_word"].values[1:]]))
    numbers = compare_bundles(bundle, changed(dataset)).numbers
    assert [(movement.quantity, movement.moved, movement.new) for movement in numbers] == [
        ("even", 1, bool(dataset["even"][0])),
        ("occurrence_word", 1, "Milk"),
    ]


def test_shapes_and_quantities_that_come_and_go(bundle, results, changed):
    dataset = results.dataset.isel(occurrence=slice(0, 5)).drop_vars("mean_length").assign(brand_new=3.0)
    comparison = compare_bundles(bundle, changed(dataset))
    text = comparison_text(comparison)
    assert "length: another shape: 8 occurrence before, 5 occurrence now" in text
    assert "mean_length: no longer there" in text
    assert comparison.added == ("brand_new",)


def test_activations_count(bundle, results, changed):
    activations = results.activations * numpy.float32(1.01)
    (movement,) = compare_bundles(bundle, changed(activations=activations)).numbers
    assert (movement.quantity, movement.moved) == ("activations: activation", 16)


def test_settings_and_versions_are_shown_but_do_not_count(bundle, results, changed):
    settings = {**results.study["settings"], "counting": {**results.study["settings"]["counting"], "bins": 20}}
    comparison = compare_bundles(bundle, changed(settings=settings, provenance={"versions": {"numpy": "9"}}))
    assert not comparison.changed
    text = comparison_text(comparison)
    assert "counting.bins: 15 -> 20" in text
    assert f"versions.numpy: {numpy.__version__!r} -> '9'" in text
    assert "seed: 20 -> None" in text


def test_two_analyses_cannot_be_compared(bundle, changed):
    with pytest.raises(InputError, match=r"analysis letters and .* of other: they cannot be compared"):
        compare_bundles(bundle, changed(analysis="other"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("kendall_tau: {absolut: 1}", "kendall_tau.absolut: "),
        ("kendall_tau: {absolute: -1}", "kendall_tau.absolute: Input should be greater than or equal to 0"),
        ("- a", "expected quantities with absolute and relative tolerances"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_tolerance_file_that_is_wrong(tmp_path, content, expected):
    (tmp_path / "tolerances.yaml").write_text(content)
    with pytest.raises(InputError) as caught:
        read_tolerances(tmp_path / "tolerances.yaml")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_accept_copies_once(bundle, changed, tmp_path):
    new = changed()
    assert accept(new, tmp_path / "deep" / "baseline")
    assert bundle_digest(tmp_path / "deep" / "baseline") == bundle_digest(new)
    assert not accept(new, tmp_path / "deep" / "baseline")
    assert accept(bundle, tmp_path / "deep" / "baseline")
    assert sorted((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "baseline"]


def test_accept_replaces_no_other_folder(bundle, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match="not a result bundle"):
        accept(bundle, tmp_path / "mine")


def test_exit_codes(bundle, results, changed, tmp_path):
    def call(*arguments):
        return CliRunner().invoke(app, ["compare", *map(str, arguments)])

    assert call(bundle, bundle).exit_code == 0
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][0] += 5
    new = changed(dataset)
    shown = call(bundle, new)
    assert shown.exit_code == 1
    assert "mean_length: 1 of 2" in shown.stdout
    as_json = json.loads(call(bundle, new, "--json").stdout)
    assert (as_json["exit"], as_json["comparison"]["numbers"][0]["quantity"]) == (1, "mean_length")
    (tmp_path / "wide.yaml").write_text("mean_length: {absolute: 6}")
    assert call(bundle, new, "--tolerances", tmp_path / "wide.yaml").exit_code == 0
    updated = json.loads(call(bundle, new, "--update", "--json").stdout)
    assert (updated["exit"], updated["updated"], updated["comparison"]["changed"]) == (0, True, True)
    assert call(bundle, new).exit_code == 0
    assert call(bundle, tmp_path / "nowhere").exit_code == 2
    shutil.rmtree(bundle)
    assert call(bundle, new).exit_code == 2
    assert call(bundle, new, "--update").exit_code == 0
    assert call(bundle, new).exit_code == 0
