"""Input that is wrong in every way that we could think of: one line that names file and key, exit code 2, nothing left behind.

Each case stands for its kind.
"""

import json
import os
import shutil
import zipfile
from contextlib import suppress

import numpy
import pytest
import xarray

from analyses import readers
from analyses.errors import InputError
from reportgen.publish.history import read_history
from reportgen.publish.site import read_manifest
from reportgen.settings import load_study


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "cache" not in path.parts
    }


GOOD = "name: mine\nword: tea\ntext: Tea and tea.\n"
ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join(['*a' + str(n - 1)] * 10)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join(['*a' + str(n - 1)] * 9)}]}}\n" for n in range(1, 12))

YAML = {
    "alias bomb": (GOOD + ALIASES, "more than 50,000 values"),
    "merge bomb": (GOOD + MERGES, "more than 50,000 values"),
    "many values": (GOOD + "counting: {kinds: [" + "a, " * 60_000 + "]}\n", "more than 50,000 values"),
    "alias of itself in a list": (GOOD + "counting: &a [*a]\n", "s.yaml, line 4: not valid YAML: the alias *a stands within"),
    "alias of itself in a section": (GOOD + "counting: &a {bins: *a}\n", "line 4"),
    "unknown alias": (GOOD + "counting: *nothing\n", "line 4"),
    "deep lists": (GOOD + "counting: " + "[" * 5000 + "]" * 5000 + "\n", "s.yaml, line 4: not valid YAML: nested more than 40 deep"),
    "deep sections": (GOOD + "counting: " + "{a: " * 5000 + "1" + "}" * 5000 + "\n", "nested more than 40 deep"),
    "deep blocks": (GOOD + "".join(" " * n + "a:\n" for n in range(200)), "nested more than 40 deep"),
    "huge integer": (GOOD + "seed: " + "9" * 5000 + "\n", "s.yaml, line 4: seed: expected a whole number"),
    "huge hexadecimal": (GOOD + "seed: 0x" + "f" * 5000 + "\n", "s.yaml, line 4: seed: expected a whole number of fewer digits"),
    "infinite": (GOOD + "counting: {trim: .inf}\n", "s.yaml, line 4: counting.trim: expected a finite number, found inf"),
    "minus infinite": (GOOD + "counting: {trim: -.inf}\n", "counting.trim: expected a finite number"),
    "no number": (GOOD + "counting: {trim: .nan}\n", "counting.trim: expected a finite number, found nan"),
    "overflowing": (GOOD + "counting: {trim: 1.0e+999}\n", "counting.trim: expected a finite number"),
    "tag int": (GOOD + "seed: !!int abc\n", "s.yaml, line 4: seed: expected a whole number, found 'abc'"),
    "tag int of nothing": (GOOD + "seed: !!int\n", "s.yaml, line 4: seed: expected a whole number, found ''"),
    "tag float of nothing": (GOOD + "seed: !!float ''\n", "s.yaml, line 4: seed: expected a number, found ''"),
    "tag float": (GOOD + "counting: {trim: !!float abc}\n", "line 4: counting.trim: expected a number, found 'abc'"),
    "tag bool": (GOOD + "seed: !!bool abc\n", "line 4: seed: expected true or false, found 'abc'"),
    "tag timestamp": (GOOD + "seed: !!timestamp abc\n", "line 4: seed: expected a date, found 'abc'"),
    "impossible date": (GOOD + "seed: 2026-13-45\n", "line 4: seed: expected a date, found '2026-13-45'"),
    "tag binary": (GOOD + "seed: !!binary '*'\n", "s.yaml, line 4"),
    "tag python": (GOOD + "seed: !!python/object/apply:os.system [id]\n", "line 4: not valid YAML: could not determine a constructor"),
    "tag unknown": (GOOD + "seed: !ENV x\n", "line 4: not valid YAML"),
    "tag set": (GOOD + "seed: !!set {a, b}\n", "line 4: seed: expected"),
    "tag in a list": (GOOD + "counting:\n  kinds:\n  - a\n  - !!int b\n", "line 7: counting.kinds.1: expected a whole number"),
    "key is a list": (GOOD + "? [a]\n: b\n", "line 4: a key must be a word"),
    "key is a section": (GOOD + "? {a: 1}\n: b\n", "line 4: a key must be a word"),
    "key twice": (GOOD + "seed: 1\nseed: 2\n", "line 5: the key 'seed' is given twice"),
    "escape sequence": (GOOD.replace("mine", '"\\e[31mmine"'), "line 1: name: holds the control character U+001B"),
    "eight-bit escape": (GOOD.replace("mine", '"a\\x9bmine"'), "name: holds the control character U+009B"),
    "escape in a key": (GOOD + '"\\e[2J": 1\n', "holds the control character U+001B"),
    "null byte": (GOOD.replace("mine", '"a\\0b"'), "name: holds the control character U+0000"),
    "half a character": (GOOD.replace("mine", '"a\\ud800"'), "name: holds the control character U+D800"),
    "raw escape": (GOOD.replace("mine", "a\x1b[31m"), "s.yaml, line 1: the character U+001B is not allowed"),
    "nothing": ("", "found nothing"),
    "comment only": ("# nothing\n", "found nothing"),
    "a list": ("- a\n", "expected keys and values"),
    "a word": ("tea\n", "expected keys and values"),
    "two documents": (GOOD + "---\n" + GOOD, "s.yaml, line 4: not valid YAML"),
    "unclosed": ("name: [mine\n", "not valid YAML"),
    "tab": ("name: mine\n\tword: tea\n", "not valid YAML"),
    "text file null": ("name: mine\nword: tea\ntext_file: null\n", "line 3: text_file: expected the path"),
    "text file list": ("name: mine\nword: tea\ntext_file: [a]\n", "line 3: text_file: expected the path"),
    "text file empty": ("name: mine\nword: tea\ntext_file: ''\n", "s.yaml, line 3: text_file: . is a folder; expected a text file"),
    "text file folder": ("name: mine\nword: tea\ntext_file: .\n", "s.yaml, line 3: text_file: "),
    "text file of no name": ("name: mine\nword: tea\ntext_file: " + "x" * 3000 + "\n", "s.yaml, line 3: text_file: "),
    "text file device": ("name: mine\nword: tea\ntext_file: /dev/zero\n", "is no regular file"),
    "user of no name": (GOOD + "model: {source: folder, name: ~nobody-here/x}\n", "s.yaml, line 4: model.name: ~nobody-here/x: "),
    "analysis a list": ("analysis: [a]\n" + GOOD, "there is no analysis ['a']"),
    "analysis a section": ("analysis: {a: 1}\n" + GOOD, "there is no analysis {'a': 1}"),
}


@pytest.mark.parametrize("case", YAML)
def test_study_files(call, tmp_path, case, refused):
    content, words = YAML[case]
    (tmp_path / "s.yaml").write_text(content, encoding="utf-8")
    before = tree(tmp_path)
    refused(call("study", "check", "s.yaml"), "s.yaml", words)
    assert tree(tmp_path) == before


FILES = {
    "utf-16": GOOD.encode("utf-16"),
    "latin": GOOD.replace("mine", "caf\xe9").encode("latin-1"),
    "binary": bytes(range(256)),
    "large": b"# " + b"x" * 8_000_001,
}


@pytest.mark.parametrize("case", [*FILES, "folder", "pipe", "gone link", "own link", "unreadable name", "long name", "null name"])
def test_what_is_no_study_file(call, tmp_path, case, refused):
    file = tmp_path / "s.yaml"
    if case in FILES:
        file.write_bytes(FILES[case])
    elif case == "folder":
        file.mkdir()
    elif case == "pipe":
        os.mkfifo(file)
    elif case == "gone link":
        file.symlink_to("nowhere")
    elif case == "own link":
        file.symlink_to("s.yaml")
    named = {"unreadable name": "s.yaml\udcff", "long name": "s.yaml" + "x" * 5000 + ".yaml", "null name": "s.yaml\0.yaml"}.get(
        case, "s.yaml"
    )
    if case == "unreadable name":
        with pytest.raises(InputError):
            load_study(named, environment={})
    else:
        refused(call("study", "check", named), "s.yaml")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"caf\xe9", "is not UTF-8 text (byte 3)"),
        (b"Tea.\nTea \x1b[31mtea.", "t.txt, line 2: holds the control character U+001B"),
        (b"Tea \0 tea.", "t.txt, line 1: holds the control character U+0000"),
        ("Tea \ufffe tea.".encode(), "holds the control character U+FFFE"),
        (b"x" * 64_000_001, "t.txt is larger than 64 MB"),
        (None, "t.txt is no regular file"),
    ],
)
@pytest.mark.parametrize("way", ["option", "key"])
def test_texts(call, tmp_path, content, words, way, refused):
    if content is None:
        os.mkfifo(tmp_path / "t.txt")
    else:
        (tmp_path / "t.txt").write_bytes(content)
    if way == "option":
        refused(call("analyze", "letters", "--text", "t.txt", "--quiet"), words)
    else:
        (tmp_path / "s.yaml").write_text("name: mine\nword: tea\ntext_file: t.txt\n")
        refused(call("study", "check", "s.yaml"), "s.yaml, line 3: text_file: ", words)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("REPORTGEN_SEED", "[", "environment variable REPORTGEN_SEED"),
        ("REPORTGEN_SEED", "!!int x", "REPORTGEN_SEED"),
        ("REPORTGEN_SEED", "9" * 5000, "REPORTGEN_SEED"),
        ("REPORTGEN_COUNTING__TRIM", ".nan", "REPORTGEN_COUNTING__TRIM"),
        ("REPORTGEN_COUNTING__TRIM", "*x", "REPORTGEN_COUNTING__TRIM"),
        ("REPORTGEN_COUNTING__TRIM", "[" * 5000, "REPORTGEN_COUNTING__TRIM"),
        ("REPORTGEN_WORD", "\x1b[31mtea", "REPORTGEN_WORD: holds the character U+001B"),
        ("REPORTGEN_COUNTING__BINS__DEEPER", "1", "REPORTGEN_COUNTING__BINS__DEEPER: there is no such setting"),
    ],
)
def test_environment_variables(call, monkeypatch, name, value, words, refused):
    monkeypatch.setenv(name, value)
    refused(call("study", "check", "letters"), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "letters", "--word", "\x1b[31m"], "--word: holds the character U+001B"),
        (["run", "letters", "--text", "."], ". is a folder; expected a text file"),
        (["run", "letters", "--text", "x" * 3000], "File name too long"),
        (["run", "letters", "--activations", "."], "--activations .: there is no such file"),
        (["run", "letters", "--activations", "x" * 3000], "there is no such file"),
        (["run", "letters", "--model", "~nobody-here/model"], "--model: ~nobody-here/model"),
        (["run", "letters", "--out", "x" * 3000], "File name too long"),
        (["run", "letters", "--templates", "x" * 3000], "is not a directory"),
        (["run", "letters", "--templates", "s.txt"], "is not a directory"),
        (["render", "x" * 3000], "there is no such folder"),
        (["render", "s.txt"], "s.txt: there is no such folder"),
        (["compare", "x" * 3000, "y"], "there is no such folder"),
        (["baseline", "x" * 3000, "--out", "y"], "there is no such folder"),
        (["publish", "nowhere"], "nowhere: there is no such folder"),
        (["publish", "nowhere", "--base-url", "javascript:alert(1)"], "--base-url javascript:alert(1): expected"),
        (["study", "new", "folder", "--word", "tea", "--text", "s.txt", "--model", "embedded", "--force"], "folder exists already"),
        (["study", "new", "s.txt/x.yaml", "--word", "tea", "--text", "s.txt", "--model", "embedded"], "s.txt/x.yaml: cannot be written"),
        (["study", "new", "x" * 300, "--word", "tea", "--text", "s.txt", "--model", "embedded"], "File name too long"),
        (["study", "check", "folder"], "folder is a folder; expected a study file"),
        (["templates", "export", "s.txt"], "s.txt is there already"),
    ],
)
def test_options(call, renderer, tmp_path, arguments, words, refused):
    (tmp_path / "s.txt").write_text("Tea and tea.")
    (tmp_path / "folder").mkdir()
    before = tree(tmp_path)
    refused(call(*arguments), words)
    assert {name for name in tree(tmp_path) if not name.startswith("out")} == set(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that nobody can change")
def test_a_file_that_may_not_be_replaced(call, tmp_path, refused):
    (tmp_path / "t.txt").write_text("Tea and tea.")
    file = tmp_path / "s.yaml"
    file.write_text("mine")
    if shutil.which("chattr") is None or os.system(f"chattr +i {file} 2>/dev/null") != 0:
        pytest.skip("the file system has no such attribute")
    try:
        refused(
            call("study", "new", "s.yaml", "--word", "tea", "--text", "t.txt", "--model", "embedded", "--force"),
            "s.yaml: cannot be written",
        )
    finally:
        os.system(f"chattr -i {file}")
    assert file.read_text() == "mine"


# Bundles.


STUDY = {
    "deep": (lambda text: "[" * 100_000 + "]" * 100_000, "study.json is not valid JSON (nested too deeply)"),
    "deep within": (lambda text: text.replace('"seed": 20', '"seed": ' + "[" * 200 + "]" * 200), "nested too deeply"),
    "not a number": (lambda text: text.replace('"seed": 20', '"seed": NaN'), "study.json is not valid JSON (NaN is no number)"),
    "infinite": (lambda text: text.replace('"seed": 20', '"seed": -Infinity'), "-Infinity is no number"),
    "overflowing": (lambda text: text.replace('"seed": 20', '"seed": 1e999'), "1e999 is no finite number"),
    "huge integer": (lambda text: text.replace('"seed": 20', '"seed": ' + "9" * 5000), "study.json is not valid JSON"),
    "cut": (lambda text: text[: len(text) // 2], "study.json is not valid JSON"),
    "empty": (lambda text: "", "study.json is not valid JSON"),
    "a list": (lambda text: "[]", "format_version is None"),
    "a word": (lambda text: '"x"', "format_version is None"),
    "null": (lambda text: "null", "format_version is None"),
    "other version": (lambda text: text.replace('"format_version": 2', '"format_version": 99'), "format_version is 99"),
    "no verdicts": (lambda text: without(text, "verdicts"), "study.json: verdicts: expected a list"),
    "no settings": (lambda text: without(text, "settings"), "study.json: settings: expected keys and values, found nothing"),
    "no provenance": (lambda text: without(text, "provenance"), "study.json: provenance: expected keys and values"),
    "no analysis": (lambda text: without(text, "analysis"), "study.json: analysis: expected the name"),
    "settings a list": (lambda text: changed(text, settings=[1]), "study.json: settings: expected keys and values, found list"),
    "settings without a name": (lambda text: changed(text, settings={}), "study.json: settings.name"),
    "verdicts a section": (lambda text: changed(text, verdicts={}), "verdicts: expected a list of verdicts, found dict"),
    "verdict a word": (lambda text: changed(text, verdicts=["x"]), "study.json: verdicts[0]: statement"),
    "verdict without a statement": (lambda text: changed(text, verdicts=[{"verdict": "supported"}]), "verdicts[0]: statement"),
    "verdict a list": (
        lambda text: changed(text, verdicts=[{"statement": "a", "estimator": "b", "control": "none", "verdict": []}]),
        "verdicts[0]: verdict",
    ),
    "other analysis": (lambda text: changed(text, analysis="nothing"), "study.json: there is no analysis 'nothing'"),
    "latin": (lambda text: b"\xff", "study.json is not UTF-8 text"),
}


def changed(text, **keys):
    return json.dumps({**json.loads(text), **keys})


def without(text, key):
    return json.dumps({name: value for name, value in json.loads(text).items() if name != key})


@pytest.mark.parametrize("case", STUDY)
@pytest.mark.parametrize("command", ["render", "compare"])
def test_study_json(call, bundle, renderer, tmp_path, case, command, summed, refused):
    change, words = STUDY[case]
    whole = tmp_path / "whole"
    shutil.copytree(bundle, whole)
    content = change((bundle / "study.json").read_text())
    (bundle / "study.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    summed(bundle)
    before = tree(tmp_path)
    if case == "other analysis" and command == "compare":
        words = "they cannot be compared"
    refused(call(*({"render": ["render", bundle, "--quiet"], "compare": ["compare", whole, bundle]}[command])), words)
    assert {name: content for name, content in tree(tmp_path).items() if name != "out"} == before


NETCDF = {
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(b"garbage" * 100),
    "magic only": lambda file: file.write_bytes(b"CDF\x02"),
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "all but a byte": lambda file: file.write_bytes(file.read_bytes()[:-5]),
    "many dimensions": lambda file: file.write_bytes(b"CDF\x02" + b"\0\0\0\0" + b"\0\0\0\x0a" + b"\x7f\xff\xff\xff"),
    "netCDF-4": lambda file: xarray.Dataset({"x": ("a", [1.0])}).to_netcdf(file, engine="h5netcdf"),
    "HDF5 magic only": lambda file: file.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100),
}


@pytest.mark.parametrize("case", NETCDF)
@pytest.mark.parametrize("name", ["results.nc", "activations.nc"])
def test_netcdf(call, bundle, renderer, case, name, summed, refused):
    (bundle / name).unlink()
    shutil.copy(bundle.parent / "bundle" / ("activations.nc" if name == "results.nc" else "results.nc"), bundle / name)
    NETCDF[case](bundle / name)
    summed(bundle)
    refused(call("render", bundle, "--quiet"), name, "netCDF-3 as reportgen writes it" if case in ("netCDF-4", "HDF5 magic only") else "")


@pytest.mark.slow
def test_any_byte_of_a_netcdf_file(bundle):
    """One byte is another: read, or refused in one line."""
    content = (bundle / "results.nc").read_bytes()
    for place in range(0, min(len(content), 900), 3):
        for value in (0x00, 0x7F, 0xFF):
            (bundle / "results.nc").write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
            with suppress(InputError):
                readers.read_netcdf(bundle / "results.nc", netcdf4=False)


SUMS = {
    "binary": b"\xd0\xcf\x11\xe0",
    "empty": b"",
    "html": b"<!DOCTYPE html>\n",
    "short hash": b"abc  results.nc\n",
    "outside": b"0" * 64 + b"  ../outside\n",
    "absolute": b"0" * 64 + b"  /etc/hostname\n",
    "outside by a backslash": b"0" * 64 + b"  ..\\outside\n",
    "control character": b"0" * 64 + b"  a\x1b[31m\n",
    "not the shortest path": b"0" * 64 + b"  a/./b\n",
    "large": b"0" * 4_000_001,
}


@pytest.mark.parametrize("case", SUMS)
def test_lists_of_hashes(call, bundle, renderer, case, refused):
    (bundle / "SHA256SUMS").write_bytes(SUMS[case])
    refused(call("render", bundle), "SHA256SUMS")


@pytest.mark.parametrize("name", ["results.nc", "study.json", "SHA256SUMS"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "gone link"])
def test_files_of_a_bundle_that_are_none(call, bundle, renderer, name, kind, refused):
    (bundle / name).unlink()
    {"pipe": os.mkfifo, "folder": os.mkdir, "gone link": lambda place: os.symlink("nowhere", place)}[kind](bundle / name)
    refused(call("render", bundle), name)
    refused(call("compare", bundle, bundle), name)


def test_what_an_analysis_misses_in_a_bundle_is_the_bundles_fault(call, bundle, tmp_path, monkeypatch, summed, refused):
    xarray.Dataset({"other": ("a", [1.0])}).to_netcdf(bundle / "results.nc", engine="scipy")
    summed(bundle)
    refused(call("render", bundle, "--quiet"), str(bundle), "results.nc", "mean_length", "make the bundle again")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("update", [False, True])
def test_what_a_newer_version_adds_disturbs_nobody(call, bundle, tmp_path, update, summed):
    study = json.loads((bundle / "study.json").read_text())
    shutil.copytree(bundle, tmp_path / "newer")
    study["verdicts"] = [{**verdict, "reason": "more", "primary": True} for verdict in study["verdicts"]]
    (tmp_path / "newer" / "study.json").write_text(json.dumps({**study, "version": 2, "more": {"x": [1]}}))
    summed(tmp_path / "newer")
    done = call("compare", bundle, "newer", *(["--update"] if update else []))
    assert done.exit_code == 0
    assert "verdicts: primary" in done.stdout


# Ready activations.


def npz(file, **arrays):
    numpy.savez(file, **arrays)


def lying(file):
    npz(file, activation=numpy.zeros((2, 2), dtype="float32"))
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file, "w") as archive:
        header = (
            bytes(content[content.index(b"\x93NUMPY") :][:128]).replace(b"(2, 2), }", b"(2**9,)}").replace(b"(2, 2)", b"(99999999999999,)")
        )
        archive.writestr("activation.npy", header[:128] + b"\0" * 16)


def bomb(file):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("activation.npy", "w", force_zip64=True) as member:
        member.write(b"\0" * 1000)
    content = bytearray(file.read_bytes())
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    file.write_bytes(bytes(content))


NPZ = {
    "empty": lambda file: file.write_bytes(b""),
    "magic only": lambda file: file.write_bytes(b"PK\x03\x04"),
    "garbage": lambda file: file.write_bytes(b"garbage" * 100),
    "half": lambda file: (npz(file, activation=numpy.ones(1000)), file.write_bytes(file.read_bytes()[:3000])),
    "flipped": lambda file: (
        npz(file, activation=numpy.ones(1000)),
        file.write_bytes(file.read_bytes()[:3000] + b"\x01" + file.read_bytes()[3001:]),
    ),
    "pickled": lambda file: npz(file, activation=numpy.array([{"a": 1}], dtype=object)),
    "records": lambda file: npz(file, activation=numpy.zeros(3, dtype=[("a", "f4")])),
    "dates": lambda file: npz(file, activation=numpy.zeros(3, dtype="datetime64[s]")),
    "lying shape": lying,
    "bomb": bomb,
    "no array inside": lambda file: zipfile.ZipFile(file, "w").writestr("activation.npy", "text"),
    "pipe": os.mkfifo,
    "folder": os.mkdir,
}


@pytest.mark.parametrize("case", NPZ)
def test_npz(tmp_path, case):
    file = tmp_path / "x.npz"
    NPZ[case](file)
    with pytest.raises(InputError, match=r"x\.npz") as caught:
        readers.read_npz(file)
    assert "\n" not in str(caught.value)


def test_what_is_right_is_read(tmp_path):
    arrays = {"activation": numpy.ones((2, 3), "float32"), "token_position": numpy.arange(3), "word": numpy.array("chè")}
    npz(tmp_path / "x.npz", **arrays)
    for name, values in readers.read_npz(tmp_path / "x.npz").items():
        numpy.testing.assert_array_equal(values, arrays[name])
    numpy.savez_compressed(tmp_path / "y.npz", **arrays)
    assert sorted(readers.read_npz(tmp_path / "y.npz")) == sorted(arrays)
    for engine in ("scipy", "h5netcdf"):
        xarray.Dataset({"x": ("a", [1.0])}).to_netcdf(tmp_path / "x.nc", engine=engine)
        assert readers.read_netcdf(tmp_path / "x.nc")["x"].values.tolist() == [1.0]


# Tolerances.


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ALIASES, "more than 50,000 values"),
        ("a: &a [*a]", "stands within"),
        ("mean_length: {absolute: .nan}", "mean_length.absolute: expected a finite number"),
        ("mean_length: {absolute: .inf}", "mean_length.absolute: expected a finite number"),
        ("mean_length: {absolute: 1.0e+999}", "finite number"),
        ("mean_length: {absolute: -1}", "mean_length.absolute"),
        ("mean_length: {absolute: wide}", "mean_length.absolute"),
        ("mean_length: {absolut: 1}", "mean_length.absolut"),
        ("mean_length: 3", "mean_length"),
        ("mean_lenght: {absolute: 1}", 'there is no quantity mean_lenght; did you mean "mean_length"?'),
        ("'*_nothing': {absolute: 1}", "no quantity fits *_nothing"),
        ("- a", "expected a section with keys of its own"),
        ("a: [", "not valid YAML"),
        ("mean_length: !!python/name:os.system", "not valid YAML"),
        ('"\\e[31m": {absolute: 1}', "control character U+001B"),
    ],
)
def test_tolerances(call, bundle, tmp_path, content, words, refused):
    (tmp_path / "t.yaml").write_text(content)
    refused(call("compare", bundle, bundle, "--tolerances", "t.yaml"), "t.yaml", words)


# Settings of the real analysis.

REAL = "name: mine\nword: tea\ntext: Tea and tea.\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("hypotheses: {shift_slope_range: [0.9, .inf]}", "hypotheses.shift_slope_range.1: expected a finite number"),
        ("hypotheses: {tau_range: [.nan, 0]}", "hypotheses.tau_range.0: expected a finite number"),
        ("alpha: .nan", "alpha: expected a finite number"),
        ("robustness: {bins: [1]}", "robustness.bins"),
        ("robustness: {bins: [-5]}", "robustness.bins"),
        ("robustness: {neighbours: [0]}", "robustness.neighbours"),
        ("robustness: {trim: [-1]}", "robustness.trim"),
        ("document: {title: {xx: Tea}}", "document.title.xx: there is no language 'xx'; expected en or vi"),
        ("document: {course: {eng: Tea}}", "document.course.eng: there is no language 'eng'; expected en or vi; did you mean \"en\"?"),
        ('document: {lecturer: "a\\e]0;x\\a"}', "document.lecturer: holds the control character U+001B"),
    ],
)
def test_settings_of_the_real_analysis(call, tmp_path, monkeypatch, content, words, refused):
    import importlib.metadata

    from reportgen import registry

    monkeypatch.setattr(registry, "entry_points", importlib.metadata.entry_points)
    (tmp_path / "s.yaml").write_text(REAL + content + "\n")
    refused(call("study", "check", "s.yaml"), "s.yaml, line 4", words)


# What an earlier publication left.

MANIFESTS = {
    "a list": [1],
    "a word": "x",
    "null": None,
    "other format": {"format": 2, "files": {}},
    "no files": {"format": 1},
    "files a list": {"format": 1, "files": ["a"]},
    "hash a number": {"format": 1, "files": {"a": 1}},
    "outside": {"format": 1, "files": {"../../etc/passwd": "0"}},
    "absolute": {"format": 1, "files": {"/etc/passwd": "0"}},
    "studies a number": {"format": 1, "files": {}, "studies": 3},
    "study outside": {"format": 1, "files": {}, "studies": ["../x"]},
    "study of no name": {"format": 1, "files": {}, "studies": [""]},
    "languages a word": {"format": 1, "files": {}, "languages": "vi"},
    "title a word": {"format": 1, "files": {}, "title": "x"},
    "needed key": {"format": 1, "files": {}},
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_manifests(tmp_path, case):
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(MANIFESTS[case]))
    with pytest.raises(InputError, match=r"manifest\.json"):
        read_manifest(file, ("languages",))


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"regenerations": 3},
        {"regenerations": [3]},
        {"regenerations": [{"digest": "x", "label": "", "verdicts": [], "languages": [], "has_changes": True}]},
        {"regenerations": [{"digest": "0" * 64, "label": "", "verdicts": [{}], "languages": [], "has_changes": True}]},
        {"regenerations": [{"digest": "0" * 64, "label": "", "verdicts": [], "languages": ["../x"], "has_changes": True}]},
        {"regenerations": [{"digest": "../../x", "label": "", "verdicts": [], "languages": [], "has_changes": True}]},
    ],
)
def test_histories(tmp_path, content):
    file = tmp_path / "history.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"history\.json is damaged"):
        read_history(file)


@pytest.mark.parametrize("date", ["someday", "2026-13-01", "", "2026-03-02T00:00:00", 5, ["2026-03-02"]])
def test_dates_of_a_bundle(date):
    from reportgen.documents.document import _date

    with pytest.raises(InputError, match="expected a date such as 2026-03-02"):
        _date(date)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["run", "letters", "--out", ""], "--out"),
        (["run", "letters", "--out="], "--out"),
        (["run", "letters", "--templates", " "], "--templates"),
        (["run", "letters", "--word", ""], "--word"),
        (["run", "letters", "--model", ""], "--model"),
        (["run", ""], "an argument"),
        (["render", "", "--out", "here"], "an argument"),
        (["compare", "one", ""], "an argument"),
        (["publish", "one", "--to", "plain", "--out", "", "--json"], "--out"),
        (["study", "check", ""], "an argument"),
        (["templates", "export", "--out", ""], "--out"),
    ],
)
def test_an_empty_value_is_no_folder(call, tmp_path, arguments, name):
    before = tree(tmp_path)
    done = call(*arguments)
    assert done.exit_code == 2
    assert done.stderr == f"reportgen: error: {name}: expected a value, found an empty one (is a variable of the script not set?)\n"
    assert tree(tmp_path) == before
