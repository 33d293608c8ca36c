"""Input made by chance, ever new: whatever it is, a result or one line that says what is wrong."""

import json
import shutil
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses import readers
from analyses.errors import InputError
from reportgen import bundle as bundles
from reportgen import compare, settings
from reportgen.publish.history import read_history
from reportgen.publish.site import read_manifest
from reportgen.yaml_files import parse_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    "analysis", "name", "word", "text", "text_file", "activations_file", "model", "counting", "seed", "bins", "source",
    "<<", "*a",
]  # fmt: skip
SIGNS = [": ", "\n", "  ", "- ", "[", "]", "{", "}", ", ", "&a ", "*a", "!!int ", "!!float ", "|", ">", "'", '"', "#", "? ", "---\n", "~"]
YAML_WORDS = st.lists(st.sampled_from([*KEYS, *SIGNS, "é", "\\x1b", "1", ".nan"]), max_size=40).map("".join)


@pytest.fixture
def baseline(bundle, tmp_path):
    from reportgen.baseline import write_baseline

    write_baseline(bundle, tmp_path / "baseline")
    return tmp_path / "baseline"


@given(st.text() | YAML_WORDS)
def test_yaml(in_one_line, text):
    in_one_line(lambda: parse_yaml(text, "here"))


@given(st.binary(max_size=300) | st.text().map(str.encode) | YAML_WORDS.map(str.encode))
def test_study_files(in_one_line, tmp_path, content):
    file = tmp_path / "s.yaml"
    file.write_bytes(content)
    in_one_line(lambda: settings.load_study(file, environment={}))


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
def test_settings(in_one_line, tmp_path, values):
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps({"name": "a", "word": "tea", "text": "tea", **values}), encoding="utf-8")
    loaded = in_one_line(lambda: settings.load_study(file, environment={}))
    if loaded:
        # What is taken can be written down again.
        json.dumps(loaded[1].model_dump(mode="json"), allow_nan=False).encode()


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_texts(in_one_line, tmp_path, content):
    file = tmp_path / "t.txt"
    file.write_bytes(content)
    text = in_one_line(lambda: settings.read_text(file))
    if text:
        assert readers.unprintable(text) is None


@given(st.dictionaries(st.text(max_size=20), VALUES, max_size=4) | VALUES)
def test_tolerances(in_one_line, tmp_path, values):
    file = tmp_path / "t.yaml"
    file.write_text(json.dumps(values), encoding="utf-8")
    in_one_line(lambda: compare.read_tolerances(file))


@given(st.text(max_size=120) | st.binary(max_size=80), st.sampled_from(["SHA256SUMS", "baseline.json"]), VALUES)
def test_lists_of_hashes_and_baselines(in_one_line, bundle, baseline, tmp_path, summed, content, name, value):
    for folder, read in ((bundle, bundles.verify_bundle), (baseline, lambda path: compare.compare_bundles(path, bundle))):
        changed = tmp_path / "changed"
        shutil.rmtree(changed, ignore_errors=True)
        shutil.copytree(folder, changed)
        if name == "SHA256SUMS":
            kept = (changed / name).read_bytes()
            (changed / name).write_bytes(kept + (content if isinstance(content, bytes) else content.encode()))
            in_one_line(lambda read=read, changed=changed: read(changed))
        elif folder is baseline:
            whole = json.loads((changed / name).read_text())
            for key in whole:
                (changed / name).write_text(json.dumps(whole | {key: value}))
                summed(changed)
                in_one_line(lambda read=read, changed=changed: read(changed))


STUDY_KEYS = ["format_version", "analysis", "settings", "provenance", "verdicts", "text", "conclusions"]


@given(st.dictionaries(st.sampled_from(STUDY_KEYS), VALUES, max_size=3), st.lists(VALUES, max_size=2))
def test_bundles(in_one_line, bundle, tmp_path, summed, values, verdicts):
    changed = tmp_path / "changed"
    shutil.rmtree(changed, ignore_errors=True)
    shutil.copytree(bundle, changed)
    study = json.loads((bundle / "study.json").read_text()) | values
    if isinstance(study["verdicts"], list):
        study["verdicts"] += verdicts
    (changed / "study.json").write_text(json.dumps(study))
    summed(changed)
    in_one_line(lambda: bundles.read_bundle(changed))
    comparison = in_one_line(lambda: compare.compare_bundles(bundle, changed))
    if comparison:
        json.dumps(comparison.as_json(), allow_nan=False)
        compare.comparison_text(comparison)


@given(
    st.integers(0, 2**31),
    st.binary(min_size=1, max_size=8),
    st.sampled_from(["results.nc", "activations.nc", "study.json", "tables/lengths.csv"]),
)
def test_bytes_of_a_bundle(in_one_line, bundle, tmp_path, summed, place, replaced, name):
    changed = tmp_path / "changed"
    shutil.rmtree(changed, ignore_errors=True)
    shutil.copytree(bundle, changed)
    content = bytearray((changed / name).read_bytes())
    place %= len(content)
    content[place : place + len(replaced)] = replaced
    (changed / name).write_bytes(bytes(content))
    in_one_line(lambda: bundles.read_bundle(changed))
    summed(changed)
    in_one_line(lambda: bundles.read_bundle(changed))
    in_one_line(lambda: compare.compare_bundles(bundle, changed))


@given(st.integers(0, 2**31), st.binary(min_size=1, max_size=8), st.booleans())
def test_bytes_of_an_npz(in_one_line, tmp_path, place, replaced, compressed):
    import numpy

    file = tmp_path / "x.npz"
    (numpy.savez_compressed if compressed else numpy.savez)(file, activation=numpy.ones((2, 3), "float32"), word=numpy.array("chè"))
    content = bytearray(file.read_bytes())
    place %= len(content)
    content[place : place + len(replaced)] = replaced
    file.write_bytes(bytes(content))
    in_one_line(lambda: readers.read_npz(file))


@given(st.binary(max_size=400))
def test_arrays_of_any_bytes(in_one_line, tmp_path, content):
    for name, head in (
        ("x.npz", b"PK\x03\x04"),
        ("x.npz", b""),
        ("x.nc", b"CDF\x01"),
        ("x.nc", b"CDF\x02"),
        ("x.nc", b"\x89HDF\r\n\x1a\n"),
    ):
        (tmp_path / name).write_bytes(head + content)
        read = readers.read_npz if name.endswith("npz") else readers.read_netcdf
        in_one_line(lambda read=read, name=name: read(tmp_path / name))


@given(
    VALUES,
    st.dictionaries(st.sampled_from(["format", "files", "studies", "kind", "base_url", "languages", "title", "regenerations"]), VALUES),
)
def test_manifests_and_histories(in_one_line, tmp_path, whole, parts):
    file = tmp_path / "manifest.json"
    for content in (whole, {"format": 1, "files": {}, **parts}):
        file.write_text(json.dumps(content))
        in_one_line(lambda: read_manifest(file))
        in_one_line(lambda: read_history(file))
    file.write_text(json.dumps({"regenerations": [whole]}))
    in_one_line(lambda: read_history(file))


WORDS = [
    "a", "b", "x", ".", "|", "join", "(", ")", "[", "]", "'", "~", "*", "**", "9999999", "range", "dict", "__class__",
    "upper", "m()", "self", "loop", "{{", "}}",
]  # fmt: skip
TAGS = [
    "for a in b", "endfor", "if a", "endif", "set x =", "block q", "endblock", "macro m()", "endmacro",
]  # fmt: skip
PARTS = [*WORDS, *(f"{{% {tag} %}}" for tag in TAGS)]
TEMPLATE = st.lists(st.sampled_from(PARTS), max_size=25).map(" ".join)


@given(TEMPLATE | st.text(max_size=60))
def test_templates(in_one_line, source):
    import jinja2

    from reportgen.documents.sandbox import TemplateEnvironment

    environment = TemplateEnvironment(jinja2.DictLoader({"page": source}))
    in_one_line(lambda: environment.render("page", {"a": "tea", "b": ["x", "y"]}))


@given(st.text(max_size=200))
def test_catalogues(in_one_line, tmp_path, text):
    from reportgen.documents.languages import load_languages

    folder = tmp_path / "languages" / "en"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x.po").write_text(f'msgid "a.b"\nmsgstr "{text}"\n', encoding="utf-8", errors="replace")
    found = in_one_line(lambda: load_languages(tmp_path))
    if found and "a.b" in found["en"].catalogue:
        with suppress(InputError):
            found["en"].text("a.b")
