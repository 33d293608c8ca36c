"""Fuzz the readers with coverage as the guide: `python -m tests.fuzz [SECONDS]` (default 60 for each reader; needs atheris).

Input that makes a reader do anything but read or refuse in one line is written to ``crash-*`` in the current folder: it becomes a
test. What chance alone finds, without coverage, is tests/reportgen/test_fuzz.py with FUZZ_EXAMPLES.
"""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path


def yaml(data: bytes) -> None:
    from reportgen.yaml_files import parse_yaml

    parse_yaml(data.decode("utf-8", "replace"), "here")


def study(data: bytes) -> None:
    from reportgen.settings import load_study

    load_study(_file("s.yaml", data), environment={})


def json(data: bytes) -> None:
    from analyses.readers import read_json

    read_json(_file("x.json", data))


def site(data: bytes) -> None:
    from reportgen.publish.history import history_json, read_history, with_entry
    from reportgen.publish.site import names_study, read_manifest

    names_study(_file("manifest.json", data))
    if data.startswith(b"["):
        entries = read_history(_file("history.json", b'{"regenerations": ' + data + b"}"))
        history_json(with_entry(entries, entries[-1], None) if entries else [])
    else:
        read_manifest(_file("manifest.json", data))


def npz(data: bytes) -> None:
    from analyses.readers import read_npz

    read_npz(_file("x.npz", data))


def netcdf(data: bytes) -> None:
    from analyses.readers import read_netcdf

    read_netcdf(_file("x.nc", data))


def grid(data: bytes) -> None:
    from reportgen.sweep.grid import load_grid, texts_of

    file = _file("grid.yaml", data)
    texts_of(load_grid(file, {"en", "vi"}), file)


def texts(data: bytes) -> None:
    from reportgen.sweep.text_tables import rows_of

    for name in ("texts.csv", "texts.jsonl"):
        list(rows_of(_file(name, data), "here"))


def tolerances(data: bytes) -> None:
    from reportgen.compare import read_tolerances

    read_tolerances(_file("tolerances.yaml", data))


def bundle(data: bytes) -> None:
    from reportgen.bundle import verify_bundle

    verify_bundle(_file("SHA256SUMS", data).parent)


def text(data: bytes) -> None:
    from reportgen.settings import read_text

    read_text(_file("text.txt", data))


def gguf(data: bytes) -> None:
    from analyses.models.gguf_files import read_header

    read_header(_file("model.gguf", data))


def safetensors(data: bytes) -> None:
    from analyses.models.weight_files import read_headers

    read_headers([_file("model.safetensors", data)], "model")


def template(data: bytes) -> None:
    import jinja2

    from reportgen.documents.sandbox import TemplateEnvironment

    environment = TemplateEnvironment(jinja2.DictLoader({"page": data.decode("utf-8", "replace")}))
    environment.render("page", {"a": "tea", "b": ["x", "y"]})


READERS = (yaml, study, json, site, npz, netcdf, grid, texts, tolerances, bundle, text, gguf, safetensors, template)
TARGETS = {function.__name__: function for function in READERS}
WATCHED = (
    "scipy.io._netcdf",
    "analyses.readers",
    "analyses.models.gguf_files",
    "analyses.models.weight_files",
    "reportgen.bundle",
    "reportgen.compare",
    "reportgen.documents.sandbox",
    "reportgen.publish.history",
    "reportgen.publish.site",
    "reportgen.settings",
    "reportgen.sweep.grid",
    "reportgen.yaml_files",
)
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))


def _file(name: str, data: bytes) -> Path:
    (_FOLDER / name).write_bytes(data)
    return _FOLDER / name


def _seeds(name: str) -> list[bytes]:
    """What a reader's files are like, where chance alone would hardly find their beginning."""
    import io
    import struct

    import numpy
    import xarray

    if name == "npz":
        stored, packed = io.BytesIO(), io.BytesIO()
        numpy.savez(stored, activation=numpy.ones((2, 3), "float32"), word=numpy.array("tea"))
        numpy.savez_compressed(packed, activation=numpy.ones((2, 3), "float32"))
        return [stored.getvalue(), packed.getvalue()]
    if name == "netcdf":
        dataset = xarray.Dataset({"activation": (("occurrence", "dimension"), numpy.ones((2, 3)))}, attrs={"word": "tea"})
        return [bytes(dataset.to_netcdf(engine="scipy", format=kind)) for kind in ("NETCDF3_CLASSIC", "NETCDF3_64BIT")]
    if name == "gguf":
        key, value, tensor = (struct.pack("<Q", len(word)) + word for word in (b"general.architecture", b"llama", b"w"))
        head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + key + struct.pack("<I", 8) + value
        return [head + tensor + struct.pack("<IQQIQ", 2, 4, 4, 0, 0) + bytes(128)]
    if name == "safetensors":
        header = b'{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
        return [struct.pack("<Q", len(header)) + header + bytes(16)]
    return {
        "study": [b"name: a\nword: tea\ntext: tea and tea\nmodel: {source: embedded}\n"],
        "site": [b'{"format": 1, "files": {}}', b'[{"date": "2026-01-01", "verdicts": []}]'],
        "grid": [b"name: g\ntexts: {list: [{name: a, text: tea, word: tea}]}\nwords: {column: word}\n"],
        "texts": [b"name,text,word\na,tea,tea\n", b'{"name": "a", "text": "tea"}\n'],
        "tolerances": [b'"*_p": {absolute: 0.1, relative: 0.2}\n'],
        "bundle": [b"0" * 64 + b"  study.json\n"],
    }.get(name, [])


def _fuzz(name: str, seconds: str) -> None:
    import atheris

    with atheris.instrument_imports(include=["reportgen", "analyses", "yaml", "jinja2", "zipfile", "scipy.io._netcdf"]):
        # What a reader loads at its first call would be loaded without being watched.
        for module in WATCHED:
            importlib.import_module(module)
    from analyses.errors import InputError, MissingError

    def one(data: bytes) -> None:
        try:
            TARGETS[name](data)
        except (InputError, MissingError) as error:
            if len(str(error).splitlines()) != 1:
                raise RuntimeError(f"not one line: {error}") from error

    corpus = _FOLDER / "corpus"
    corpus.mkdir()
    for number, content in enumerate(_seeds(name)):
        (corpus / str(number)).write_bytes(content)
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096", str(corpus)], one)
    atheris.Fuzz()


def main() -> None:
    """Fuzz every reader in a process of its own; end with an error if one was brought down."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in TARGETS:
        _fuzz(*arguments)
        return
    try:
        import atheris  # noqa: F401
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris")
    seconds = arguments[0] if arguments else "60"
    fallen = [name for name in TARGETS if subprocess.run([sys.executable, "-m", "tests.fuzz", name, seconds], check=False).returncode]
    sys.exit(f"brought down: {', '.join(fallen)}" if fallen else 0)


main()
