"""Files of every kind that are not what they should be (see `test_bad_input`): one line, nothing left behind."""

import json
import struct
import zipfile

import numpy
import pytest
import xarray

from analyses import readers
from analyses.errors import InputError, MissingError
from analyses.models.gguf_files import read_header
from analyses.models.weight_files import read_headers, weight_files
from reportgen.compare import read_tolerances

GOOD = "name: mine\nword: tea\ntext: Tea and tea.\n"


def one_line(error):
    text = str(error)
    assert "\n" not in text
    assert len(text) < 600
    assert all(character.isprintable() for character in text)
    return text


YAML = {
    "merge of a word": GOOD + "counting: {<<: word}\n",
    "merge of a list of words": GOOD + "counting: {<<: [a, b]}\n",
    "empty key": GOOD + "'': 1\n",
    "key of a null": GOOD + "~: 1\n",
    "key of a number": GOOD + "3: 1\n",
    "key of a truth value": GOOD + "yes: 1\n",
    "ordered map": GOOD + "counting: !!omap [{bins: 3}, {bins: 4}]\n",
    "pairs": GOOD + "counting: !!pairs [a: 1, a: 2]\n",
    "negative seed": GOOD + "seed: -1\n",
    "seed of a float": GOOD + "seed: 1.5\n",
    "word of a number": GOOD.replace("tea\n", "5\n", 1),
    "word of white space": GOOD.replace("word: tea", "word: '  '"),
    "directive of a later version": "%YAML 9.9\n---\n" + GOOD,
    "directive of nothing": "%\n---\n" + GOOD,
    "anchor of nothing": GOOD + "counting: &\n",
    "byte order mark within": GOOD + "\ufeffseed: 1\n",
    "next line characters": GOOD + "seed\x85: 1\n",
    "long line": GOOD + "other: " + "x" * 100_000 + "\n",
    "key of a thousand letters": GOOD + "x" * 1000 + ": 1\n",
}


@pytest.mark.parametrize("case", YAML)
def test_study_files(call, tmp_path, case, refused):
    (tmp_path / "s.yaml").write_text(YAML[case], encoding="utf-8")
    refused(call("study", "check", "s.yaml"), "s.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


JSON = {
    "white space": " \n ",
    "two values": "{} {}",
    "key twice": '{"a": 1, "a": 2}',
    "comment": "{} // x",
    "a number of a million digits": "1" * 1_000_000,
    "a number of 301 digits": '{"a": ' + "9" * 301 + "}",
    "a number that overflows in a million digits": "1" * 1_000_000 + ".5",
    "a key of a million letters twice": '{"' + "a" * 1_000_000 + '": 1, "' + "a" * 1_000_000 + '": 1}',
    "minus alone": "-",
    "surrogate": '{"a": "\\ud800"}',
    "control character": '{"a": "\x1b"}',
}


@pytest.mark.parametrize("case", JSON)
def test_json(tmp_path, case):
    file = tmp_path / "x.json"
    file.write_text(JSON[case], encoding="utf-8")
    with pytest.raises(InputError, match=r"x\.json") as caught:
        readers.read_json(file)
    one_line(caught.value)


def test_a_number_that_json_may_hold_has_a_floating_point_number_beside_it(tmp_path):
    (tmp_path / "x.json").write_text(f"[{'9' * 300}, -{'9' * 299}, 0]")
    assert [float(number) for number in readers.read_json(tmp_path / "x.json")] == [1e300, -1e299, 0.0]


def raw(header, data=b"", version=b"\x01\x00"):
    """One .npy file of a header as it stands."""
    text = header.encode("latin-1")
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


NPZ = {
    "header that is code": raw("__import__('os').system('id')\n"),
    "header of a million brackets": raw("[" * 60_000 + "\n"),
    "negative shape": raw("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n"),
    "shape of floats": raw("{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,), }\n"),
    "type of nothing": raw("{'descr': '', 'fortran_order': False, 'shape': (1,), }\n", b"\0" * 8),
    "type of no size": raw("{'descr': '|S0', 'fortran_order': False, 'shape': (99999999999,), }\n"),
    "header without a shape": raw("{'descr': '<f4', 'fortran_order': False}\n"),
    "later version": raw("{}\n", version=b"\x09\x00"),
    "header cut short": b"\x93NUMPY\x01\x00\xff\xff{",
    "void": raw("{'descr': '|V8', 'fortran_order': False, 'shape': (1,), }\n", b"\0" * 8),
}


@pytest.mark.parametrize("case", NPZ)
def test_npz(tmp_path, case):
    file = tmp_path / "x.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("activation.npy", NPZ[case])
    with pytest.raises(InputError, match=r"x\.npz") as caught:
        readers.read_npz(file)
    one_line(caught.value)


def test_an_encrypted_archive(tmp_path):
    file = tmp_path / "x.npz"
    numpy.savez(file, activation=numpy.ones(3))
    content = bytearray(file.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz") as caught:
        readers.read_npz(file)
    one_line(caught.value)


@pytest.mark.parametrize("engine", ["scipy", "h5netcdf"])
@pytest.mark.parametrize("units", ["days since yesterday", "days since 0000-99-99", "\x1b[31m since 2000-01-01"])
def test_netcdf_whose_times_are_none(tmp_path, engine, units):
    """xarray decodes what calls itself a time."""
    file = tmp_path / "x.nc"
    xarray.Dataset({"time": ("time", [1.0], {"units": units})}).to_netcdf(file, engine=engine)
    with pytest.raises(InputError, match=r"x\.nc") as caught:
        readers.read_netcdf(file)
    one_line(caught.value)


SUMS = {
    "the same file twice": "0" * 64 + "  results.nc\n" + "1" * 64 + "  results.nc\n",
    "capital letters": "A" * 64 + "  results.nc\n",
    "the list itself": "0" * 64 + "  SHA256SUMS\n",
    "a line without a name": "0" * 64 + "\n",
    "the folder": "0" * 64 + "  .\n",
    "a name of 5,000 letters": "0" * 64 + "  " + "x" * 5000 + "\n",
    "direction override": "0" * 64 + "  a\u202eb\n",
}


@pytest.mark.parametrize("case", SUMS)
def test_lists_of_hashes(call, bundle, renderer, case, refused):
    (bundle / "SHA256SUMS").write_text(SUMS[case], encoding="utf-8")
    refused(call("render", bundle), str(bundle))


def gguf(values=b"", count=0, tensors=0, version=3):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, count) + values


def entry(key, kind, value):
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


GGUF = {
    "empty": b"",
    "magic only": b"GGUF",
    "version 1": gguf(version=1),
    "the other byte order": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "more keys than it holds": gguf(count=2**60),
    "more tensors than it holds": gguf(tensors=2**63),
    "a key of 2^60 letters": gguf(struct.pack("<Q", 2**60), 1),
    "a string of 2^62 letters": gguf(entry(b"general.architecture", 8, struct.pack("<Q", 2**62)), 1),
    "an array of 2^61 numbers": gguf(entry(b"x", 9, struct.pack("<IQ", 4, 2**61)), 1),
    "arrays within arrays": gguf(entry(b"x", 9, struct.pack("<IQ", 9, 1) * 5000), 1),
    "a kind that is none": gguf(entry(b"x", 99, b"\0" * 8), 1),
    "a key that is no text": gguf(entry(b"\xff\xfe", 4, b"\0" * 4), 1),
    "an architecture of a terminal": gguf(entry(b"general.architecture", 8, struct.pack("<Q", 4) + b"\x1b[2J"), 1),
    "an architecture that is a number": gguf(entry(b"general.architecture", 4, b"\0" * 4), 1),
}


@pytest.mark.parametrize("case", GGUF)
def test_gguf(tmp_path, case):
    file = tmp_path / "x.gguf"
    file.write_bytes(GGUF[case])
    with pytest.raises((InputError, MissingError), match=r"x\.gguf") as caught:
        read_header(file)
    one_line(caught.value)


def tensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


SAFETENSORS = {
    "header of 2^63 bytes": struct.pack("<Q", 2**63),
    "header of nothing": struct.pack("<Q", 0),
    "header that is a list": tensors([]),
    "header that is no text": tensors(b"\xff" * 8),
    "header nested deeply": tensors(b"[" * 100_000),
    "tensor that is a word": tensors({"a": "x"}),
    "tensor without a shape": tensors({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, b"\0" * 4),
    "shape that is negative": tensors({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"\0" * 4),
    "offsets beyond the end": tensors({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, b"\0" * 4),
    "offsets that are words": tensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": ["0", "4"]}}, b"\0" * 4),
    "type of a terminal": tensors({"a": {"dtype": "\x1b[2J", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors(tmp_path, case):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(SAFETENSORS[case])
    with pytest.raises((InputError, MissingError), match=r"model\.safetensors") as caught:
        read_headers(weight_files(tmp_path, "tiny"), "tiny")
    one_line(caught.value)


TOLERANCES = {
    "a pattern that is open": "'[': {absolute: 1}",
    "a null": "mean_length: ~",
    "a truth value": "mean_length: {absolute: yes}",
    "a date": "mean_length: {absolute: 2026-01-01}",
    "a number as a key": "3: {absolute: 1}",
    "a tolerance of 400 digits": "mean_length: {absolute: " + "9" * 400 + "}",
}


@pytest.mark.parametrize("case", TOLERANCES)
def test_tolerances(call, bundle, tmp_path, case, refused):
    (tmp_path / "t.yaml").write_text(TOLERANCES[case])
    refused(call("compare", bundle, bundle, "--tolerances", "t.yaml"), "t.yaml")


def test_tolerances_in_a_folder(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_tolerances(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["study", "check", ""], ""),
        (["verify", ""], ""),
        (["verify", "/dev/null"], "/dev/null"),
        (["verify", "x\x1b[2J"], ""),
        (["compare", "", ""], ""),
        (["render", "\udcff"], ""),
    ],
)
def test_values_of_options(call, tmp_path, arguments, words):
    done = call(*arguments)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    assert "\x1b[2J" not in done.output
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_analysis_without_a_slow_route_cannot_be_verified(call, bundle, refused):
    refused(call("verify", bundle), "the analysis letters has no slow route to recompute its numbers by")
