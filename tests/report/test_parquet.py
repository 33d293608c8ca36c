"""A bundle's tables as Parquet files: what the CSV files hold, in columns that have types."""

import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from analyses.errors import InputError, MissingError
from reportgen import registry
from reportgen.bundle import write_bundle
from reportgen.cli import app
from reportgen.parquet import write_parquet


@pytest.fixture(params=["mi_distance", "similarity"])
def bundle(request, tmp_path):
    analysis = registry.analysis_named(request.param, "test")
    results = analysis.example()
    results.study["analysis"] = request.param
    return write_bundle(results, analysis.tables, tmp_path / "bundle")


def test_the_same_rows_as_the_bundles_own_tables_and_the_same_bytes_each_time(bundle, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("stays")
    written = write_parquet(bundle, tmp_path / "out")
    assert {file.stem for file in written} == {file.stem for file in (bundle / "tables").glob("*.csv")}
    assert len(written) >= 3
    for file in written:
        table, own = pd.read_parquet(file), pd.read_csv(bundle / "tables" / f"{file.stem}.csv")
        assert list(table.columns) == list(own.columns)
        pd.testing.assert_frame_equal(table.astype(own.dtypes), own, check_exact=False, rtol=1e-15)
    again = write_parquet(bundle, tmp_path / "again")
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in written]
    assert (tmp_path / "out" / "mine.txt").read_text() == "stays"


def test_the_command(bundle, tmp_path):
    done = CliRunner().invoke(app, ["tables", str(bundle), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert sorted(done.stderr.split()) == sorted(str(file) for file in (tmp_path / "out").iterdir())


def test_what_is_no_bundle_leaves_nothing(tmp_path):
    with pytest.raises(InputError):
        write_parquet(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_pyarrow_it_says_what_to_install(bundle, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingError, match=r"pip install .*pyarrow"):
        write_parquet(bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()
