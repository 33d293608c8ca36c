import hashlib
import json
import shutil

import numpy
import pytest
import xarray
from typer.testing import CliRunner

from analyses.errors import InputError
from analyses.protocol import Results
from reportgen import compare
from reportgen.bundle import read_bundle, read_study, write_bundle
from reportgen.cli import app
from reportgen.compare import DEFAULT_TOLERANCES, Tolerance, compare_bundles, comparison_text, read_tolerances


@pytest.fixture
def changed(results, letters, tmp_path):
    """Write a bundle like the first one but for what is given."""

    def write(dataset=None, activations=None, **study):
        made = Results(results.dataset if dataset is None else dataset, activations or results.activations, {**results.study, **study})
        return write_bundle(made, letters.tables, tmp_path / "changed")

    return write


def test_a_bundle_and_itself(bundle):
    comparison = compare_bundles(bundle, bundle)
    assert not comparison.changed
    assert comparison.as_json() == {
        "changed": False,
        "verdicts": (),
        "numbers": (),
        "settings": (),
        "provenance": (),
        "formats": (2, 2),
        "renamed": (),
        "added": (),
        "compared": 13,
        "left_out": (),
    }
    assert comparison_text(comparison) == "No verdict changed and no number moved beyond its tolerance."


def test_a_changed_verdict_is_named(bundle, results, changed):
    first, second = results.study["verdicts"]
    comparison = compare_bundles(bundle, changed(verdicts=[{**first, "verdict": "contradicted"}, second]))
    assert comparison.changed
    assert "long words (histogram): supported -> contradicted" in comparison_text(comparison)


def test_names_are_said_in_words(bundle, results, changed):
    """Of the statement, the estimator, the control and both verdicts: every underscore of each."""
    first, second = results.study["verdicts"]
    named = {**first, "estimator": "nearest_neighbour_one", "control": "other_repeated_words"}
    before = changed(verdicts=[{**named, "verdict": "not_testable"}, second])
    kept = before.rename(before.with_name("before"))
    after = changed(verdicts=[{**named, "verdict": "supported"}, second])
    (line,) = [line for line in comparison_text(compare_bundles(kept, after)).splitlines() if "->" in line]
    assert line == "  long words (nearest neighbour one, control other repeated words): not testable -> supported"


def test_a_verdict_that_is_gone_or_new(bundle, results, changed):
    first, second = results.study["verdicts"]
    comparison = compare_bundles(bundle, changed(verdicts=[first, {**second, "control": "untrained"}]))
    assert [(change.control, change.old, change.new) for change in comparison.verdicts] == [
        ("none", "not_testable", None),
        ("untrained", None, "not_testable"),
    ]


def test_verdicts_that_one_bundle_has_none_of_take_one_line_a_control(bundle, results, changed):
    first, second = results.study["verdicts"]
    text = comparison_text(
        compare_bundles(bundle, changed(verdicts=[first, second, *({**row, "control": "shuffled"} for row in (first, second))]))
    )
    assert "  control shuffled: 2 verdicts new (long words)" in text
    assert "absent" not in text
    assert "control shuffled: 1 verdict new (long words)" in comparison_text(
        compare_bundles(bundle, changed(verdicts=[first, second, {**first, "control": "shuffled"}]))
    )


def as_format(bundle, version, folder, **study):
    """A copy of a bundle as an older version of reportgen would have written it."""
    shutil.copytree(bundle, folder)
    content = json.loads((folder / "study.json").read_text()) | study | {"format_version": version}
    (folder / "study.json").write_text(json.dumps(content))
    digest = hashlib.sha256((folder / "study.json").read_bytes()).hexdigest()
    sums = [f"{digest}  study.json" if line.endswith("study.json") else line for line in (folder / "SHA256SUMS").read_text().splitlines()]
    (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    return folder


def test_a_bundle_of_an_older_format_is_compared_and_what_was_renamed_is_said(bundle, tmp_path, letters, monkeypatch):
    monkeypatch.setattr(letters, "renamed", {1: {"letter": "never"}, 2: {"text.former": "text.latter"}}, raising=False)
    old = as_format(bundle, 1, tmp_path / "old", text={"former": 3})
    new = as_format(bundle, 2, tmp_path / "new", text={"latter": 3})
    comparison = compare_bundles(old, new)
    assert comparison.formats == (1, 2)
    assert comparison.renamed == (("study.json: text.former", "study.json: text.latter"),)
    assert not comparison.changed
    text = comparison_text(comparison)
    assert "Formats that differ: 1\n  1 -> 2:" in text
    assert "Quantities that were renamed: 1\n  study.json: text.former -> study.json: text.latter" in text
    moved = compare_bundles(old, as_format(bundle, 2, tmp_path / "moved", text={"latter": 4}))
    assert [(movement.quantity, movement.old, movement.new) for movement in moved.numbers] == [("study.json: text.latter", 3.0, 4.0)]
    for read in (read_bundle, read_study):
        with pytest.raises(InputError, match="format_version is 1, this reportgen reads 2"):
            read(old)


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
        ("table lengths: word", 1, "Milk"),
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
    assert f"Origins and versions that differ: 2\n  seed: 20 -> None\n  versions.numpy: {numpy.__version__!r} -> '9'" in text


def test_two_analyses_cannot_be_compared(bundle, changed):
    with pytest.raises(InputError, match=r"analysis letters and .* of other: they cannot be compared"):
        compare_bundles(bundle, changed(analysis="other"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("kendall_tau: {absolut: 1}", 'kendall_tau.absolut: unknown key; did you mean "absolute"?'),
        ("kendall_tau: {absolute: -1}", "kendall_tau.absolute: expected greater than or equal to 0, found -1 ("),
        ("- a", "tolerances.yaml: expected a section with keys of its own, found ['a'] (an entry is such as mean_length: {"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_tolerance_file_that_is_wrong(tmp_path, content, expected):
    (tmp_path / "tolerances.yaml").write_text(content)
    with pytest.raises(InputError) as caught:
        read_tolerances(tmp_path / "tolerances.yaml")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["*", "mean_*", "mean_length", "*length"])
def test_a_tolerance_of_ones_own_wins_over_every_default(bundle, results, changed, monkeypatch, pattern):
    monkeypatch.setitem(DEFAULT_TOLERANCES, "mean_length", Tolerance())
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][0] += 5
    new = changed(dataset)
    assert compare_bundles(bundle, new).changed
    assert not compare_bundles(bundle, new, {pattern: Tolerance(absolute=1000)}).changed


def test_among_ones_own_the_last_that_fits_wins():
    own = {"mean_*": Tolerance(absolute=1), "*": Tolerance(absolute=2), "other": Tolerance(absolute=3)}
    assert compare._tolerance("mean_length", own).absolute == 2


def test_the_numbers_and_words_of_a_verdict_are_compared(bundle, results, changed):
    first, second = results.study["verdicts"]
    new = changed(verdicts=[{**first, "estimate": 99.0, "low": None, "agreeing_layers": 0, "reason": "other"}, second])
    numbers = {movement.quantity: movement for movement in compare_bundles(bundle, new).numbers}
    assert sorted(numbers) == ["verdicts: agreeing_layers", "verdicts: estimate", "verdicts: low"]
    assert numbers["verdicts: estimate"].where == "statement long_words, estimator histogram"
    assert (numbers["verdicts: low"].old, numbers["verdicts: low"].new) == (0.1, None)
    assert compare_bundles(bundle, new).added == ("verdicts: reason",)
    assert [movement.quantity for movement in compare_bundles(bundle, new, {"verdict.*": Tolerance(absolute=100)}).numbers] == [
        "verdicts: low"
    ]


def test_the_parts_of_a_verdict_are_compared_number_by_number(results, letters, tmp_path):
    def written(name, **changes):
        first, second = results.study["verdicts"]
        rise = {"measure": "rise", "verdict": "supported", "low": 0.1, "firm": False, "wide": None}
        parts = [rise, {"measure": "fall", "verdict": "supported", "low": 0.3, "firm": False, "wide": None} | changes]
        study = {**results.study, "verdicts": [{**first, "parts": parts}, second]}
        return write_bundle(Results(results.dataset, results.activations, study), letters.tables, tmp_path / name)

    old = written("old")
    assert not compare_bundles(old, written("within", low=0.3001)).changed
    (moved,) = compare_bundles(old, written("beyond", low=0.5)).numbers
    assert (moved.quantity, moved.where) == ("verdicts: parts.low", "statement long_words, estimator histogram, measure fall")
    assert (moved.old, moved.new) == (0.3, 0.5)
    (moved,) = compare_bundles(old, written("firm", firm=True)).numbers
    assert (moved.quantity, moved.old, moved.new) == ("verdicts: parts.firm", False, True)


def test_tables_are_compared(bundle, tmp_path, summed):
    new = tmp_path / "new"
    shutil.copytree(bundle, new)
    table = (new / "tables" / "lengths.csv").read_text().splitlines()
    table[2] = table[2].split(",")[0] + ",99"
    (new / "tables" / "lengths.csv").write_text("\n".join(table) + "\n")
    summed(new)
    (movement,) = compare_bundles(bundle, new).numbers
    assert (movement.quantity, movement.new, movement.where) == ("table lengths: third", 99.0, "row 2, word after")
    shutil.rmtree(new / "tables")
    summed(new)
    assert [movement.reason for movement in compare_bundles(bundle, new).numbers] == ["no longer there"] * 2


def test_all_else_that_study_json_holds_is_compared(bundle, results, changed, letters, tmp_path):
    old = write_bundle(
        Results(results.dataset, results.activations, {**results.study, "text": {"tokens": ["a", "b"], "share": 0.5}}),
        letters.tables,
        tmp_path / "old",
    )
    numbers = compare_bundles(old, changed(text={"tokens": ["a", "c"], "share": 0.9})).numbers
    assert [(movement.quantity, movement.where, movement.old, movement.new) for movement in numbers] == [
        ("study.json: text.share", "", 0.5, 0.9),
        ("study.json: text.tokens", "entry 2", "b", "c"),
    ]


def test_a_single_value_that_became_a_list_has_another_shape(results, letters, tmp_path):
    def written(name, **text):
        study = {**results.study, "text": text}
        return write_bundle(Results(results.dataset, results.activations, study), letters.tables, tmp_path / name)

    (movement,) = compare_bundles(written("old", share=0.5), written("new", share=[0.5])).numbers
    assert (movement.quantity, movement.reason) == ("study.json: text.share", "another shape: a single value before, 1 entry now")


def test_layers_are_counted_from_one_and_labels_are_matched(letters, results, tmp_path):
    def written(name, **coordinates):
        values = xarray.DataArray(numpy.arange(6.0).reshape(2, 3), dims=("branch", "layer"), coords=coordinates)
        dataset = xarray.Dataset({"tau": values})
        return write_bundle(Results(dataset, results.activations, results.study), lambda written: {}, tmp_path / name)

    old = written("old", branch=["attention", "mlp"], layer=[0, 1, 2])
    turned = read_bundle(old).dataset.isel(branch=[1, 0]).transpose("layer", "branch")
    new = write_bundle(Results(turned, results.activations, results.study), lambda written: {}, tmp_path / "new")
    assert not [movement for movement in compare_bundles(old, new).numbers if movement.quantity == "tau"]
    turned["tau"][2, 0] += 5
    moved = write_bundle(Results(turned, results.activations, results.study), lambda written: {}, tmp_path / "moved")
    (movement,) = (movement for movement in compare_bundles(old, moved).numbers if movement.quantity == "tau")
    assert movement.where == "branch mlp, layer 3"
    assert movement.place == (("branch", "mlp"), ("layer", "3"))


def test_a_page_that_cannot_be_made_hides_nothing(bundle, results, changed, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise AttributeError("no such variable")

    monkeypatch.setattr("reportgen.publish.comparison.comparison_page", fail)
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][0] += 5
    new = changed(dataset)
    done = CliRunner().invoke(app, ["compare", str(bundle), str(new), "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 4
    assert "mean_length: 1 of 2" in done.stdout
    assert "no such variable" in done.stderr
    as_json = CliRunner().invoke(app, ["compare", str(bundle), str(new), "--html", str(tmp_path / "page.html"), "--json"])
    content = json.loads(as_json.stdout)
    assert (content["exit"], content["page"], content["comparison"]["changed"]) == (4, None, True)
    assert "no such variable" in content["error"]


@pytest.mark.slow
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


def test_labels_in_another_order_are_the_same_bundle(bundle, results, changed):
    """Another program may write the labels of a dimension, and with them the rows of a table, in another order."""
    (name,) = [name for name in results.dataset.dims if name in results.dataset.coords and results.dataset.sizes[name] > 1][:1]
    backwards = results.dataset.isel({name: slice(None, None, -1)})
    assert backwards[name].values.tolist() != results.dataset[name].values.tolist()
    found = compare_bundles(bundle, changed(backwards))
    assert [movement.quantity for movement in found.numbers] == []


def test_rows_of_a_table_are_known_by_what_they_name():
    old = [["branch", "layer", "value"], ["a", "1", "0.5"], ["b", "1", "0.25"]]
    assert compare._in_order(old, [old[0], old[2], old[1]]) == old
    other = [old[0], ["c", "1", "0.5"], old[1]]
    assert compare._in_order(old, other) == other


def test_rows_of_a_table_without_any_and_of_another_table():
    head, row = ["branch", "value"], ["a", "0.5"]
    for old, new in (([], [head, row]), ([head, row], []), ([], []), ([head, row], [["layer", "value"], row])):
        assert compare._in_order(old, new) == new


def test_a_table_with_its_rows_in_another_order_is_the_same_table(bundle, tmp_path, summed):
    new = tmp_path / "new"
    shutil.copytree(bundle, new)
    head, *rows = (new / "tables" / "lengths.csv").read_text().splitlines()
    unique = sorted(rows, key=lambda row: row.split(",")[0], reverse=True)
    assert unique != rows
    old = tmp_path / "old"
    shutil.copytree(bundle, old)
    # A row of this table is known by its word where each word is there once.
    once = {row.split(",")[0]: row for row in rows}
    for folder, order in ((old, list(once.values())), (new, list(once.values())[::-1])):
        (folder / "tables" / "lengths.csv").write_text("\n".join([head, *order]) + "\n")
        summed(folder)
    assert not compare_bundles(old, new).changed


def test_a_row_is_named_by_words_and_whole_numbers_and_by_no_measure():
    place = compare._columns({"t": [["word", "layer", "share", "value"], ["a", "-3", "0.5", "1.5"], ["b", "2", "0.25", "2.5"]]})[
        "t", "value"
    ].place((0,))
    assert place == (("row", "1"), ("word", "a"), ("layer", "-3"))


def test_a_dimension_with_other_labels_is_compared_as_it_stands(letters, results, tmp_path):
    def written(name, *labels):
        values = xarray.Dataset({"tau": ("branch", [1.0, 2.0])}, coords={"branch": list(labels)})
        return write_bundle(Results(values, results.activations, results.study), lambda written: {}, tmp_path / name)

    moved = compare_bundles(written("old", "attention", "mlp"), written("new", "attention", "other")).numbers
    assert [(movement.quantity, movement.old, movement.new) for movement in moved] == [("branch", "mlp", "other")]
    assert not compare_bundles(written("one", "mlp", "mlp"), written("two", "mlp", "mlp")).changed


def test_a_statement_is_known_by_its_number_its_name_and_its_control(results, letters, tmp_path):
    """In the verdicts, in what they rest on, and in the lists of ``study.json``."""

    def written(folder, verdict, low, width):
        row = {"name": "tau", "estimator": "histogram", "control": "untrained", "verdict": verdict, "low": low}
        study = {
            **results.study,
            "verdicts": [{"statement": number, **row} for number in (3, 4)],
            "conclusions": [{"statement": number, "name": "tau", "verdict": "supported", "width": width} for number in (3, 4)],
        }
        study["verdicts"][0]["low"] = 0.25
        study["conclusions"][0]["width"] = 2
        return write_bundle(Results(results.dataset, results.activations, study), letters.tables, tmp_path / folder)

    found = compare_bundles(written("old", "supported", 0.1, 3), written("new", "contradicted", 0.3, 5))
    assert [(change.statement, change.control, change.new) for change in found.verdicts] == [
        ("3 tau", "untrained", "contradicted"),
        ("4 tau", "untrained", "contradicted"),
    ]
    assert [(movement.quantity, movement.where, movement.old, movement.new) for movement in found.numbers] == [
        ("verdicts: low", "statement 4 tau, estimator histogram, control untrained", 0.1, 0.3),
        ("study.json: conclusions.width", "statement 4 tau", 3.0, 5.0),
    ]


def test_a_movement_in_words(bundle, results, changed):
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][:] = [numpy.nan, 1.0]
    old = float(results.dataset["mean_length"][0])
    text = comparison_text(compare_bundles(bundle, changed(dataset)))
    assert text == f"Numbers that moved: 1\n  mean_length: 2 of 2, farthest {old:.6g} -> no value at estimator histogram"
    dataset["mean_length"][:] = [old + 5, numpy.nan]
    text = comparison_text(compare_bundles(bundle, changed(dataset)))
    assert text == f"Numbers that moved: 1\n  mean_length: 1 of 2, farthest {old:.6g} -> {old + 5:.6g} at estimator histogram"


def test_a_tolerance_for_what_is_not_there_is_refused_with_what_is_there(bundle):
    with pytest.raises(InputError) as caught:
        compare_bundles(bundle, bundle, {"heights_*": Tolerance()})
    named = "activation, estimator, even, length, lengths.third, lengths.word, mean_length, occurrence_word"
    assert str(caught.value).startswith(f"tolerances: no quantity fits heights_*; there are {named}")
    with pytest.raises(InputError, match=r'^mine\.yaml: there is no quantity mean_lenght; did you mean "mean_length"'):
        compare_bundles(bundle, bundle, {"mean_lenght": Tolerance()}, "mine.yaml")


def test_an_analysis_has_tolerances_of_its_own(bundle, results, changed, letters, monkeypatch):
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][0] += 5
    new = changed(dataset)
    monkeypatch.setattr(letters, "tolerances", {"mean_length": {"absolute": 6.0}}, raising=False)
    assert not compare_bundles(bundle, new).changed
    monkeypatch.setattr(letters, "tolerances", {"mean_length": {"absolute": 4.0}}, raising=False)
    assert compare_bundles(bundle, new).changed


def test_a_format_in_which_nothing_was_renamed(bundle, tmp_path, letters, monkeypatch):
    monkeypatch.setattr(letters, "renamed", {1: {"letter": "never"}}, raising=False)
    assert compare_bundles(as_format(bundle, 1, tmp_path / "old"), bundle).renamed == ()


def test_words_truth_values_and_nothing_keep_what_they_are():
    assert compare._as_array([True, "a", None, [1]]).tolist() == [True, "a", None, "[1]"]
    assert compare._as_array([1, None, 2.5]).tolist() == pytest.approx([1, numpy.nan, 2.5], nan_ok=True)
