import json
import subprocess

import numpy
import pytest
import scipy.io
import xarray

from analyses.errors import InputError
from analyses.protocol import Results
from reportgen.bundle import read_bundle, verify_bundle, write_bundle


def no_tables(written):
    return {}


def files(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_values_come_back(results, bundle):
    read = read_bundle(bundle)
    for name, variable in results.dataset.variables.items():
        assert read.dataset[name].dims == variable.dims
        numpy.testing.assert_array_equal(read.dataset[name].values, variable.values)
    assert read.dataset["even"].dtype == bool
    assert read.dataset["mean_length"].dtype == numpy.float64
    assert read.activations["activation"].dtype == numpy.float32
    assert read.dataset["occurrence_word"].values[-2] == "Huế,"
    numpy.testing.assert_array_equal(read.activations["activation"], results.activations["activation"])


def test_a_tool_that_knows_only_netcdf_reads_it(results, bundle):
    with scipy.io.netcdf_file(bundle / "results.nc", mmap=False) as file:
        assert file.version_byte == 2
        numpy.testing.assert_array_equal(file.variables["length"][:], results.dataset["length"])
        assert "_FillValue" not in file.variables["mean_length"]._attributes


def test_same_results_same_bytes(results, letters, bundle, tmp_path):
    again = write_bundle(results, letters.tables, tmp_path / "again")
    assert files(again) == files(bundle)
    read = read_bundle(bundle)
    rewritten = write_bundle(read, letters.tables, tmp_path / "rewritten")
    assert files(rewritten) == files(bundle)


@pytest.mark.slow
def test_same_bytes_under_any_hash_seed(reportgen_process, tmp_path):
    written = []
    for seed in ("1", "2", "3"):
        done = reportgen_process("analyze", "letters", "--out", seed, PYTHONHASHSEED=seed, TZ=f"UTC+{seed}")
        assert done.returncode == 0, done.stderr
        written.append(files(tmp_path / seed / "bundle"))
    assert written[0] == written[1] == written[2]


def test_sha256sum_accepts_it(bundle):
    check = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=bundle, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    assert set(check.stdout.split(": OK\n")[:-1]) == {"activations.nc", "results.nc", "study.json", "tables/lengths.csv"}


def test_study_json(bundle):
    text = (bundle / "study.json").read_text(encoding="utf-8")
    study = json.loads(text, parse_constant=pytest.fail)
    assert list(study) == ["format_version", "analysis", "settings", "provenance", "verdicts"]
    assert study["verdicts"][1]["estimate"] is None
    assert list(study["provenance"]) == ["seed", "versions"]
    assert list(study["settings"])[:2] == ["name", "word"]
    assert "Huế" in text


def test_tables_hold_every_digit(results, bundle):
    header, first, *_ = (bundle / "tables" / "lengths.csv").read_bytes().decode().split("\n")
    assert header == "word,third"
    assert float(first.split(",")[1]) == 3 / 3
    assert b"\r" not in (bundle / "tables" / "lengths.csv").read_bytes()
    assert "Huế" in (bundle / "tables" / "lengths.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["results.nc", "activations.nc", "study.json", "tables/lengths.csv"])
def test_a_changed_or_missing_file_is_named(bundle, name):
    content = (bundle / name).read_bytes()
    (bundle / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=rf"{name} was changed"):
        read_bundle(bundle)
    (bundle / name).unlink()
    with pytest.raises(InputError, match=rf"{name} is missing"):
        read_bundle(bundle)


def test_what_is_no_bundle(bundle, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_bundle(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"not a result bundle.*did you mean .*bundle\?"):
        read_bundle(tmp_path)


def test_an_unknown_format_version(bundle):
    import hashlib

    study = (bundle / "study.json").read_text().replace('"format_version": 2', '"format_version": 99')
    (bundle / "study.json").write_text(study)
    sums = (bundle / "SHA256SUMS").read_text().splitlines()
    digest = hashlib.sha256(study.encode()).hexdigest()
    (bundle / "SHA256SUMS").write_text("\n".join(f"{digest}  study.json" if line.endswith("study.json") else line for line in sums))
    with pytest.raises(InputError, match="format_version is 99, this reportgen reads 2"):
        read_bundle(bundle)


@pytest.mark.parametrize("line", ["nonsense", "0" * 64 + "  ../outside", "0" * 64 + "  /etc/hostname"])
def test_sums_that_lead_elsewhere(bundle, line):
    with (bundle / "SHA256SUMS").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match="SHA256SUMS, line 5"):
        verify_bundle(bundle)


def test_sums_that_leave_out_the_results(bundle):
    sums = (bundle / "SHA256SUMS").read_text().splitlines(keepends=True)
    (bundle / "SHA256SUMS").write_text("".join(line for line in sums if "results.nc" not in line))
    with pytest.raises(InputError, match=r"does not list results\.nc"):
        read_bundle(bundle)


def test_a_failed_write_leaves_the_old_bundle(results, letters, bundle):
    before = files(bundle)
    broken = Results(results.dataset, results.activations.assign(big=("x", numpy.array([2**40]))), results.study)
    with pytest.raises(ValueError, match="int64"):
        write_bundle(broken, letters.tables, bundle)
    assert files(bundle) == before
    assert [path.name for path in bundle.parent.iterdir() if "partial" in path.name] == []


def test_a_new_bundle_replaces_the_old_one_whole(results, letters, bundle):
    changed = Results(results.dataset * 2, results.activations, results.study)
    write_bundle(changed, no_tables, bundle)
    assert sorted(files(bundle)) == ["SHA256SUMS", "activations.nc", "results.nc", "study.json"]
    xarray.testing.assert_equal(read_bundle(bundle).dataset["mean_length"], changed.dataset["mean_length"])


def test_what_is_of_no_bundle_stays_in_its_folder(results, bundle):
    for name in ("notes.txt", "tables/mine.csv"):
        (bundle / name).write_text("mine")
    write_bundle(Results(results.dataset * 2, results.activations, results.study), no_tables, bundle)
    assert (bundle / "notes.txt").read_text() == (bundle / "tables" / "mine.csv").read_text() == "mine"
    assert not (bundle / "tables" / "lengths.csv").exists()


def test_an_equal_bundle_is_left_alone_unless_damaged(results, letters, bundle):
    inode = bundle.stat().st_ino
    write_bundle(results, letters.tables, bundle)
    assert bundle.stat().st_ino == inode
    (bundle / "study.json").write_text("{}")
    write_bundle(results, letters.tables, bundle)
    assert read_bundle(bundle).study["analysis"] == "letters"


def test_other_folders_are_never_replaced(results, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a result bundle, so it is not replaced"):
        write_bundle(results, no_tables, tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "years of work"
