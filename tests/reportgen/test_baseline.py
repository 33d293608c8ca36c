"""A baseline says the same in a comparison as the bundle that it is of, and fits in git."""

import bz2
import dataclasses
import json
import shutil
import subprocess

import numpy
import pandas
import pytest
import xarray

from analyses.errors import InputError
from analyses.protocol import Results
from reportgen.baseline import read_side, write_baseline
from reportgen.bundle import bundle_digest, read_bundle, write_bundle
from reportgen.compare import Tolerance, compare_bundles, comparison_text


@pytest.fixture
def written(results, letters, tmp_path):
    """Write a bundle like the first one but for what is given."""

    def write(folder, dataset=None, activations=None, tables=letters.tables, **study):
        made = Results(results.dataset if dataset is None else dataset, activations or results.activations, {**results.study, **study})
        return write_bundle(made, tables, tmp_path / folder)

    return write


def baseline_of(bundle):
    path = bundle.with_name(f"{bundle.name}-baseline")
    write_baseline(bundle, path)
    return path


def without_vectors(comparison):
    numbers = tuple(each for each in comparison.numbers if not each.quantity.startswith("activations: activation"))
    return dataclasses.replace(comparison, numbers=numbers, compared=0, left_out=())


def moved(results):
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][0] += 5
    return {"dataset": dataset}


def no_value(results):
    dataset = results.dataset.copy(deep=True)
    dataset["mean_length"][:] = [numpy.nan, 1.0]
    return {"dataset": dataset}


def words(results):
    dataset = results.dataset.assign_coords(
        occurrence_word=("occurrence", ['Mi\nlk, "x"', "", *results.dataset["occurrence_word"].values[2:]])
    )
    dataset["even"] = ~dataset["even"]
    return {"dataset": dataset}


def shapes(results):
    return {"dataset": results.dataset.isel(occurrence=slice(0, 5)).drop_vars("mean_length").assign(brand_new=3.0)}


def verdict(results):
    first, second = results.study["verdicts"]
    return {"verdicts": [{**first, "verdict": "contradicted", "estimate": 99.0}, second]}


def texts(results):
    return {"text": {"tokens": ["a", "b"], "share": 0.5}, "settings": {**results.study["settings"], "seed": 9}}


def vectors(results):
    return {"activations": results.activations * numpy.float32(1.01)}


@pytest.mark.parametrize("change", [moved, no_value, words, shapes, verdict, texts, vectors])
def test_a_baseline_on_either_side_says_what_the_bundle_says(bundle, results, written, change):
    new = written("new", **change(results))
    expected = without_vectors(compare_bundles(bundle, new))
    assert without_vectors(compare_bundles(new, bundle)) != expected or change is vectors
    for one in (bundle, baseline_of(bundle)):
        for other in (new, baseline_of(new)):
            assert without_vectors(compare_bundles(one, other)) == expected


def test_what_did_not_move_does_not_seem_to_however_narrow_the_tolerance(bundle):
    comparison = compare_bundles(baseline_of(bundle), bundle, {"*": Tolerance()})
    assert not comparison.changed
    assert comparison.left_out == ("activation",)
    assert "Vectors that a baseline does not hold: 1\n  activation" in comparison_text(comparison)
    # A tolerance file for whole bundles serves as well.
    assert not compare_bundles(baseline_of(bundle), bundle, {"activation": Tolerance()}).changed


def test_a_moved_value_is_a_line_of_diff(bundle, results, written, tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    baseline = tmp_path / "baseline"
    write_baseline(bundle, baseline)
    subprocess.run(["git", "add", "baseline"], cwd=tmp_path, check=True)
    new = written("new", **moved(results))
    assert write_baseline(new, baseline)
    stat = subprocess.run(["git", "diff", "--numstat"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    lines = {line.split("\t")[2]: line.split("\t")[:2] for line in stat.splitlines()}
    # The value, the hash of its file, and the digest of the bundle.
    assert lines == {
        "baseline/results/mean_length.csv": ["1", "1"],
        "baseline/SHA256SUMS": ["2", "2"],
        "baseline/baseline.json": ["1", "1"],
    }
    assert not write_baseline(new, baseline)


def test_many_values_are_packed_and_each_of_them_counts(results, written):
    def dataset(step):
        values = numpy.random.default_rng(0).normal(size=(2, 3, 2000))
        values[1, 2, 1234] += step
        return xarray.Dataset({"information": (("branch", "layer", "pair"), values)}, {"branch": ["attention", "mlp"]})

    old, new = written("old", dataset(0), tables=lambda written: {}), written("new", dataset(0.5), tables=lambda written: {})
    baseline = baseline_of(old)
    packed = baseline / "results" / "information.csv.bz2"
    assert bz2.decompress(packed.read_bytes()).decode().splitlines()[1].startswith("attention,1,0.1257,-0.1321,")
    (expected,), (found,) = compare_bundles(old, new).numbers, compare_bundles(baseline, new).numbers
    assert (found.moved, found.total, found.where) == (1, 12000, "branch mlp, layer 3, pair 1235")
    assert found.place == expected.place
    assert (found.old, found.new) == (pytest.approx(expected.old, abs=5.1e-5), pytest.approx(expected.new, abs=5.1e-5))


def test_columns_that_are_variables_are_kept_once(results, written):
    dataset = xarray.Dataset({"tau": (("branch", "layer"), numpy.arange(6.0).reshape(2, 3) / 7)}, {"branch": ["attention", "mlp"]})

    def tables(written):
        frame = written.dataset["tau"].to_dataframe().reset_index()
        return {"taus": frame.assign(doubled=2 * frame["tau"]), "empty": pandas.DataFrame({"a": []})}

    baseline = baseline_of(written("old", dataset, tables=tables))
    assert "attention,0,0.0\nattention,1,0.285714\n" in (baseline / "tables" / "taus.csv").read_text()
    assert json.loads((baseline / "baseline.json").read_text())["tables"] == {"empty": {}, "taus": {"tau": "tau"}}
    rows = read_side(baseline).tables["taus"]
    assert rows[:3] == [["branch", "layer", "tau", "doubled"], ["attention", "0", "0.0", "0.0"], ["attention", "1", "0.142857", "0.285714"]]


def test_it_is_small_and_says_where_it_is_from(bundle, tmp_path):
    baseline = baseline_of(bundle)
    assert not list(baseline.glob("**/*.nc"))
    assert read_side(baseline).digest == bundle_digest(bundle)
    assert (baseline / "study.json").read_bytes() == (bundle / "study.json").read_bytes()
    assert (baseline / ".gitattributes").read_text() == "* -text\n"
    copy = tmp_path / "copy"
    assert write_baseline(baseline, copy)
    assert {file.name: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == {
        file.name: file.read_bytes() for file in baseline.rglob("*") if file.is_file()
    }


def test_a_whole_bundle_that_was_a_baseline_becomes_one(bundle, written, tmp_path):
    baseline = tmp_path / "baseline"
    shutil.copytree(bundle, baseline)
    (baseline / "notes.txt").write_text("mine")
    assert not compare_bundles(baseline, bundle).changed
    assert write_baseline(bundle, baseline)
    assert not (baseline / "results.nc").exists()
    assert (baseline / "notes.txt").read_text() == "mine"
    assert not compare_bundles(baseline, bundle).changed


def test_a_damaged_baseline_is_mended_and_no_other_folder_is_replaced(bundle, tmp_path):
    baseline = baseline_of(bundle)
    (baseline / "results" / "length.csv").write_text("damaged")
    with pytest.raises(InputError, match=r"results/length\.csv was changed after the baseline was made"):
        read_side(baseline)
    assert write_baseline(bundle, baseline)
    assert read_side(baseline)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match="not a result bundle"):
        write_baseline(bundle, tmp_path / "mine")


def edited(baseline, **changes):
    file = baseline / "baseline.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


LENGTH = {"dims": ["occurrence"], "shape": [8], "type": "integer"}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: edited(path, results={"../../secret": LENGTH}), "cannot be the name of a file"),
        (lambda path: edited(path, results={"absent": LENGTH}), "absent.csv is missing"),
        (lambda path: edited(path, results={"length": {**LENGTH, "shape": [9]}}), "expected 9 values, found 8"),
        (lambda path: edited(path, results={"length": {**LENGTH, "dims": ["a", "b"]}}), "do not fit one another"),
        (lambda path: edited(path, format=2), "baseline.json: format: "),
        (lambda path: edited(path, tables={"lengths": {"third": "mean_length"}}), "third is no column of it"),
        (lambda path: (path / "results" / "length.csv").write_text("\n" + "1,x\n" * 8), "expected values of the type integer"),
        (lambda path: (path / "tables" / "lengths.csv").write_text("word,third\na,b\n"), "its rows differ in length"),
        (lambda path: (path / "baseline.json").write_text("{"), "baseline.json"),
    ],
)
def test_a_baseline_that_is_wrong_is_one_clear_line(bundle, summed, damage, words):
    baseline = baseline_of(bundle)
    damage(baseline)
    summed(baseline)
    with pytest.raises(InputError) as caught:
        compare_bundles(baseline, bundle)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_commands(bundle, written, results, call, refused):
    made = call("baseline", bundle, "--out", "reports/baseline")
    assert (made.exit_code, made.stderr) == (0, "reports/baseline\n")
    new = written("new", **moved(results))
    assert call("compare", "reports/baseline", new).exit_code == 1
    assert call("compare", "reports/baseline", new, "--update").exit_code == 0
    assert call("compare", "reports/baseline", new).exit_code == 0
    refused(call("render", "reports/baseline", "--out", "out"), "reports/baseline is a baseline", "compare")
    refused(call("baseline", "nowhere"), "nowhere", "there is no such folder")
    assert read_bundle(new)
