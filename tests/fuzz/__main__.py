"""Fuzz the readers with coverage as the guide: `python -m tests.fuzz [SECONDS]` (default 60 for each reader; needs atheris).

Input that makes a reader do anything but read or refuse in one line is written to ``crash-*`` in the current folder: it becomes a
test. What chance alone finds, without coverage, is tests/reportgen/test_fuzz.py with FUZZ_EXAMPLES.
"""

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


def template(data: bytes) -> None:
    import jinja2

    from reportgen.documents.sandbox import TemplateEnvironment

    environment = TemplateEnvironment(jinja2.DictLoader({"page": data.decode("utf-8", "replace")}))
    environment.render("page", {"a": "tea", "b": ["x", "y"]})


TARGETS = {function.__name__: function for function in (yaml, study, json, site, npz, netcdf, template)}
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))


def _file(name: str, data: bytes) -> Path:
    (_FOLDER / name).write_bytes(data)
    return _FOLDER / name


def _fuzz(name: str, seconds: str) -> None:
    import atheris

    with atheris.instrument_imports(include=["reportgen", "analyses", "yaml", "jinja2"]):
        import reportgen.settings
        import reportgen.yaml_files  # noqa: F401
    from analyses.errors import InputError

    def one(data: bytes) -> None:
        try:
            TARGETS[name](data)
        except InputError as error:
            if len(str(error).splitlines()) != 1:
                raise RuntimeError(f"not one line: {error}") from error

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096"], one)
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
