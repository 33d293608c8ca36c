"""A bundle's tables as Parquet files, for those who go on with them in columns that have types."""

from __future__ import annotations

import io
from pathlib import Path

from analyses.errors import InputError, MissingError
from analyses.installation import install_line
from reportgen import registry
from reportgen.atomic import staging
from reportgen.bundle import asking, read_bundle


def write_parquet(bundle: Path, out: Path) -> list[Path]:
    """Write each of a bundle's tables to ``NAME.parquet`` in a folder; the same bundle gives the same bytes.

    Parameters
    ----------
    bundle
        Of any analysis.
    out
        The folder; files of the same names are replaced, others stay.

    Raises
    ------
    InputError
        It is no bundle, or a table has a column of several kinds.
    MissingError
        pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingError(f"Parquet needs the Python package pyarrow; {install_line(['pyarrow'])}") from error
    results = read_bundle(bundle)
    analysis = registry.analysis_named(results.study["analysis"], str(bundle))
    with asking(analysis):
        tables = analysis.tables(results)
    contents = {}
    for name, table in tables.items():
        stream = io.BytesIO()
        try:
            pyarrow.parquet.write_table(pyarrow.Table.from_pandas(table, preserve_index=False), stream)
        except pyarrow.ArrowException as error:
            raise InputError(f"{bundle}: table {name}: {' '.join(str(error).split())}") from error
        contents[f"{name}.parquet"] = stream.getvalue()
    try:
        with staging(out) as staged:
            for name, content in contents.items():
                (staged.new / name).write_bytes(content)
            staged.commit()
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror or error}); choose another folder") from error
    return [out / name for name in contents]
