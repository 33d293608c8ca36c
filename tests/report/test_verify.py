"""`reportgen verify`: a bundle's numbers against the slow route."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import xarray
from typer.testing import CliRunner

from analyses.mi_distance import reference
from reportgen.bundle import write_dataset
from reportgen.cli import app


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="reportgen")


def summed(bundle):
    names = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((bundle / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (bundle / "SHA256SUMS").write_text("".join(lines))


@pytest.fixture(scope="module")
def made(planted_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    study = folder / "planted.yaml"
    study.write_text(
        f"name: planted\nword: coffee\nactivations_file: {planted_file}\nrobustness: {{enabled: false}}\nestimation: {{bins: 8}}\n"
    )
    done = call("analyze", study, "--out", folder / "out", "--no-cache", "--quiet")
    assert done.exit_code == 0, done.output
    return folder / "out" / "bundle"


@pytest.fixture
def bundle(made, tmp_path):
    return shutil.copytree(made, tmp_path / "bundle")


def test_every_number_follows_from_the_vectors(bundle):
    done = call("verify", bundle, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {"mutual_information", "control_mutual_information", "untrained_mutual_information", "mantel_p"} <= set(found["differences"])
    assert max(found["differences"].values()) < 1e-9
    assert found["differing"] == []
    text = call("verify", bundle, "--every", 4)
    assert text.exit_code == 0
    assert "differs by more than 1e-09." in text.stdout


@pytest.mark.parametrize(
    ("quantity", "index"),
    [
        ("mutual_information", (2, 1, 0, 5)),
        ("control_mutual_information", (0, 0, 0, 7)),
        ("kendall_tau", (0, 1, 2)),
        ("mantel_p", (1, 0, 0)),
        ("t_p_fdr_bh", (0, 3)),
        ("mi_difference_low", (2, 2)),
        ("word_specific_excess_high", (1, 1, 1)),
    ],
)
def test_a_changed_number_is_found(bundle, quantity, index):
    """By a hundred-thousandth, and the hashes made to fit."""
    data = xarray.load_dataset(bundle / "results.nc", engine="scipy")
    data[quantity].values[index] += 1e-5
    write_dataset(data, bundle / "results.nc")
    summed(bundle)
    done = call("verify", bundle, "--every", 4)
    assert done.exit_code == 1
    (line,) = [line for line in done.stdout.splitlines() if line.split() and line.split()[0] == quantity]
    assert line.endswith("1.0e-05  differs")


def test_a_number_that_is_gone_is_found(bundle):
    data = xarray.load_dataset(bundle / "results.nc", engine="scipy")
    data["fisher_z"].values[0, 0] = np.nan
    write_dataset(data, bundle / "results.nc")
    summed(bundle)
    done = call("verify", bundle, "--every", 4, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["differing"] == ["fisher_z"]


def test_a_changed_estimate_of_a_verdict_is_found(bundle):
    study = json.loads((bundle / "study.json").read_text())
    part = next(part for row in study["verdicts"] if row["control"] == "none" for part in row["parts"] if part["measure"] == "mlp_fall")
    part["low"] -= 1e-6
    (bundle / "study.json").write_text(json.dumps(study))
    summed(bundle)
    done = call("verify", bundle, "--every", 4, "--json")
    assert json.loads(done.stdout)["differing"] == ["verdicts.mlp_fall.histogram"]


def test_changed_vectors_are_found(bundle):
    vectors = xarray.load_dataset(bundle / "activations.nc", engine="scipy")
    vectors["activation"].values[0, 0, 2] *= np.linspace(0.5, 2, vectors.sizes["dimension"])
    write_dataset(vectors, bundle / "activations.nc")
    summed(bundle)
    done = call("verify", bundle, "--every", 4, "--json")
    assert done.exit_code == 1
    assert "mutual_information" in json.loads(done.stdout)["differing"]


def test_no_bundle_and_no_activations(bundle, tmp_path):
    for path, said in ((tmp_path / "none", "there is no such folder"), (tmp_path, "is not a result bundle")):
        done = call("verify", path)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr
    write_dataset(xarray.load_dataset(bundle / "activations.nc", engine="scipy").drop_vars("activation"), bundle / "activations.nc")
    summed(bundle)
    done = call("verify", bundle)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "activations.nc: it holds no activations" in done.stderr


def test_vectors_of_another_study_are_one_line(bundle):
    vectors = xarray.load_dataset(bundle / "activations.nc", engine="scipy").isel(occurrence=slice(0, 5))
    write_dataset(vectors, bundle / "activations.nc")
    summed(bundle)
    done = call("verify", bundle, "--every", 4)
    assert done.exit_code in (1, 2)
    assert "Traceback" not in done.output


def test_without_the_libraries(bundle, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    done = call("verify", bundle)
    assert done.exit_code == 3
    assert "scikit-learn is not installed" in done.stderr


# The slow route's own formulas, against what is known.


def test_adjusted_leaves_out_what_is_not_testable():
    """Benjamini & Hochberg on .01, .02, .03, .5: 4 p / rank, by hand."""
    np.testing.assert_allclose(reference.adjusted(np.array([0.01, np.nan, 0.02, 0.03, 0.5]), "fdr_bh"), [0.04, np.nan, 0.04, 0.04, 0.5])


def test_nearest_neighbour_of_gaussians():
    """-ln(1 - rho^2) / 2, within four standard errors of the mean over 20 samples."""
    generator = np.random.default_rng(1)
    found = []
    for _ in range(20):
        x, noise = generator.normal(size=(2, 1000))
        found.append(reference.nearest_neighbour(x, 0.6 * x + 0.8 * noise, 3))
    assert abs(np.mean(found) + np.log(1 - 0.36) / 2) < 4 * np.std(found) / np.sqrt(20)
