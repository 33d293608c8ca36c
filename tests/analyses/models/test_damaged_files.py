"""Model files whose values are of another kind or size, by chance and by table: a model, or one line that says what is wrong."""

import json
import os
import struct

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from analyses.errors import InputError
from analyses.models import ModelSettings, capture
from analyses.models.gguf_files import read_header
from analyses.models.sources import resolve
from analyses.models.weight_files import read_headers, weight_files
from analyses.progress import SilentProgress

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


# gguf-py's GGUFValueType: 4 uint32, 5 int32, 6 float32, 7 bool, 8 string, 9 array, 10 uint64, 12 float64.
OF_KIND = {4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 12: "<d"}


def gguf_file(file, values, axes=(4, 4)):
    """A GGUF file with one tensor; values by key as (kind, value), arrays as their bytes."""
    content = b"GGUF" + struct.pack("<IQQ", 3, 1, len(values))
    for key, (kind, value) in values.items():
        content += text(key) + struct.pack("<I", kind)
        content += text(value) if kind == 8 else value if kind == 9 else struct.pack(OF_KIND[kind], value)
    content += text("token_embd.weight") + struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, 0, 0)
    file.write_bytes(content + b"\0" * (-len(content) % 32) + b"\0" * 64)
    return file


ANY_VALUE = [
    (4, 0), (4, 7), (5, -1), (6, float("nan")), (12, float("inf")), (7, True), (8, ""), (8, "x\x1b[2J\n"), (8, "x" * 5000), (10, 2**63),
    (9, struct.pack("<IQ", 4, 0)), (9, struct.pack("<IQ", 9, 2**40)), (9, struct.pack("<IQ", 0, 2**62)), (9, struct.pack("<IQ", 8, 2**62)),
]  # fmt: skip
KEYS = [
    "general.architecture", "general.type", "general.alignment", "split.count", "tokenizer.ggml.model", "tokenizer.ggml.pre",
    "llama.rope.scaling.type", "llama.rope.scale_linear", "llama.block_count", "llama.attention.key_length",
]  # fmt: skip
LLAMA_IN_GGUF = {"general.architecture": (8, "llama"), "tokenizer.ggml.model": (8, "gpt2")}


@pytest.mark.parametrize("key", KEYS)
def test_a_gguf_file_whose_values_are_of_another_kind(in_one_line, key, tmp_path):
    for value in ANY_VALUE:
        in_one_line(lambda value=value: read_header(gguf_file(tmp_path / "m.gguf", LLAMA_IN_GGUF | {key: value})))


def test_a_gguf_file_that_is_what_the_others_are_made_of(tmp_path):
    """The table above tells something only if the file is read without its change."""
    assert read_header(gguf_file(tmp_path / "m.gguf", LLAMA_IN_GGUF)).shapes == {"token_embd.weight": (4, 4)}


@pytest.mark.parametrize(
    ("values", "axes"),
    [
        ({"general.alignment": (4, 0)}, (4, 4)),
        ({"general.alignment": (8, "32")}, (4, 4)),
        ({"split.count": (8, "2")}, (4, 4)),
        ({}, (2**63,) * 5),
        ({"more": (9, struct.pack("<IQ", 0, 2**62))}, (4, 4)),
    ],
)
def test_a_damaged_gguf_file_is_to_be_downloaded_again(values, axes, tmp_path):
    with pytest.raises(InputError, match=r"^model m\.gguf: the file is no GGUF file of version 2 or 3, or it is cut short; download it"):
        read_header(gguf_file(tmp_path / "m.gguf", LLAMA_IN_GGUF | values, axes))


@given(st.integers(0, 2**31), st.binary(min_size=1, max_size=8))
def test_bytes_of_a_gguf_file(in_one_line, tmp_path, place, replaced):
    file = gguf_file(tmp_path / "m.gguf", LLAMA_IN_GGUF | {"llama.block_count": (4, 2), "more": (9, struct.pack("<IQII", 4, 2, 1, 1))})
    content = bytearray(file.read_bytes())
    place %= len(content)
    content[place : place + len(replaced)] = replaced
    file.write_bytes(bytes(content))
    in_one_line(lambda: read_header(file))


@given(JSON, JSON, st.just(b"") | st.binary(max_size=40), st.none() | st.integers(0, 2**64 - 1))
def test_headers_of_safetensors_files(in_one_line, tmp_path, value, of_a_tensor, more, length):
    entry = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    headers = (
        {"w": entry},
        value,
        {"w": value},
        {"w": of_a_tensor},
        *({"w": entry | {key: value}} for key in entry),
        {"w": entry, "v": value},
    )
    for header in headers:
        content = json.dumps(header).encode()
        (tmp_path / "model.safetensors").write_bytes(
            struct.pack("<Q", len(content) if length is None else length) + content + bytes(16) + more
        )
        read = in_one_line(lambda: read_headers([tmp_path / "model.safetensors"], "m"))
        if header == {"w": entry}:
            assert (read is not None) == (length in (None, len(content)) and not more)


@given(JSON, JSON)
def test_indices_and_configurations_beside_weights(in_one_line, tmp_path, value, other):
    for whole in (value, {"weight_map": value}, {"weight_map": {"w": other}}):
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(whole))
        for configuration in (other, {"transformers_weights": value}):
            (tmp_path / "config.json").write_text(json.dumps(configuration))
            (tmp_path / "adapter_config.json").unlink(missing_ok=True)
            in_one_line(lambda: weight_files(tmp_path, "m"))
    (tmp_path / "adapter_config.json").write_text(json.dumps(value))
    in_one_line(lambda: weight_files(tmp_path, "m"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json", "adapter_config.json", "vocab.txt"]
)
def test_what_is_no_file_is_not_waited_for(tmp_path, name, kind):
    folder = tmp_path / "model"
    transformers.GPT2Model(transformers.GPT2Config(**SIZES)).save_pretrained(folder)
    (folder / name).unlink(missing_ok=True)
    if kind == "folder":
        (folder / name).mkdir()
    elif kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero")
    with pytest.raises(InputError, match=rf"^model model: {name} is no regular file"):
        resolve(ModelSettings(source="folder", name=str(folder), device="cpu", offline=True))


SIZES = {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 64}


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("n_layer", 10**9, "its configuration says n_layer: 1000000000; expected at most 2000"),
        ("n_layer", 10**30, "its configuration says n_layer: 1000000000000000000000000000000; expected at most 2000"),
        ("n_inner", 10**9, "its configuration says n_inner: 1000000000; expected at most 10000000"),
        ("n_embd", 10**9, "its configuration says n_embd: 1000000000; expected at most 10000000"),
        ("vocab_size", 10**12, "its configuration says vocab_size: 1000000000000; expected at most 10000000"),
        ("text_config", {"head_dim": 10**9}, "its configuration says head_dim: 1000000000; expected at most 10000000"),
        ("embd_pdrop", float("nan"), "RuntimeError"),
        ("pad_token_id", 10**30, ""),
        ("n_head", -1, ""),
        ("n_layer", "two", ""),
        ("vocab_size", None, ""),
        ("model_type", ["gpt2"], "its config.json cannot be read"),
    ],
)
def test_a_configuration_that_makes_no_sense(tmp_path, tiny_gpt2_folder, key, value, says):
    """In a time that a person waits, and in no more memory than a model takes."""
    folder = tmp_path / "model"
    transformers.GPT2Model(transformers.GPT2Config(**SIZES)).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(tiny_gpt2_folder).save_pretrained(folder)
    configuration = json.loads((folder / "config.json").read_text()) | {key: value}
    (folder / "config.json").write_text(json.dumps(configuration))
    for untrained in (False, True):
        settings = ModelSettings(source="folder", name=str(folder), device="cpu", offline=True, untrained=untrained)
        with pytest.raises(InputError) as caught:
            capture(settings, "Coffee, then more coffee.", None, SilentProgress())
        assert len(str(caught.value).splitlines()) == 1
        assert says in str(caught.value)
