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
        f"name: planted\nword: coffee\nactivations_file: {planted_file}\nestimation: {{bins: 8}}\n"
        "robustness: {bins: [8, fd], trim: [null, 4.0], neighbours: [3, 5], simulations: 100, pairs_per_distance: 2}\n"
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
    # Seeded draws, and nothing else, do not follow from the vectors.
    assert found["not_recomputed"] == [
        "calibration_linear",
        "calibration_mean",
        "calibration_spread",
        "simulated_data_sets",
        "type_one_error",
    ]
    assert max(found["differences"].values()) < 1e-9
    assert found["differing"] == []
    text = call("verify", bundle, "--every", 4)
    assert text.exit_code == 0
    assert "differs by more than 1e-09." in text.stdout


CHANGED = {
    "mutual_information": (2, 1, 0, 5),
    "control_mutual_information": (0, 0, 0, 7),
    "kendall_tau": (0, 1, 2),
    "mantel_p": (1, 0, 0),
    "t_p_fdr_bh": (0, 3),
    "mi_difference_low": (2, 2),
    "word_specific_excess_high": (1, 1, 1),
    "control_weight": (3, 5),
    "cohens_d_low": (0, 1),
    "minimal_detectable_difference": (1, 2),
    "occurrence_variance_share": (0, 0),
    "linear_share_high": (1, 2),
    "depth_linear_information": (0, 3),
    "share_of_ties": (0, 0),
    "kendall_tau_without_first": (0, 1, 3),
    "word_specific_partial_mean_tau_low": (2,),
    "specification_low": (2, 4),
    "type_one_error_high": (1,),
}
# Under each control a number behind a verdict by the corrected estimator: control -> measure, key.
CHANGED_VERDICTS = {
    "none": ("early_difference", "high"),
    "different_word": ("mean_tau", "low"),
    "centred": ("attention_rise", "estimate"),
    "without_first": ("tau_difference", "high"),
    "without_first_different_word": ("mean_tau", "agreeing_layers"),
}


def test_a_changed_number_is_found(bundle):
    """By a hundred-thousandth or by one layer, and the hashes made to fit; nothing else is named."""
    data = xarray.load_dataset(bundle / "results.nc", engine="scipy")
    for quantity, index in CHANGED.items():
        data[quantity].values[index] += 1e-5
    write_dataset(data, bundle / "results.nc")
    study = json.loads((bundle / "study.json").read_text())
    expected = set(CHANGED)
    for control, (measure, key) in CHANGED_VERDICTS.items():
        rows = [row for row in study["verdicts"] if (row["control"], row["estimator"]) == (control, "corrected")]
        (part,) = [part for row in rows for part in row["parts"] if part["measure"] == measure]
        part[key] += 1 if key == "agreeing_layers" else 1e-5
        expected.add(f"verdicts.{measure}.corrected{'' if control == 'none' else f'.{control}'}")
    (bundle / "study.json").write_text(json.dumps(study))
    summed(bundle)
    done = call("verify", bundle, "--every", 4)
    assert done.exit_code == 1
    differing = {line.split()[0]: line for line in done.stdout.splitlines() if line.endswith("  differs")}
    assert set(differing) == expected
    assert all(line.endswith(("1.0e-05  differs", "1.0e+00  differs")) for line in differing.values())


def test_a_number_that_is_gone_is_found(bundle):
    data = xarray.load_dataset(bundle / "results.nc", engine="scipy")
    data["fisher_z"].values[0, 0] = np.nan
    write_dataset(data, bundle / "results.nc")
    summed(bundle)
    done = call("verify", bundle, "--every", 4, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["differing"] == ["fisher_z"]


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
