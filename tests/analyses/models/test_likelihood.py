"""Bits per byte against transformers' own loss, on tiny random models of many architectures."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from analyses.models import ModelSettings, capture, likelihood, tokenize
from analyses.progress import SilentProgress

TEXT = "Coffee, then more coffee: cà phê và cà phê nữa."
SIZES = {
    "vocab_size": 50257,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "gpt_neox": {},
    "gptj": {"rotary_dim": 4},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 16},
    "bloom": {},
    "falcon": {},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64},
    "llama": {},
    "gemma2": {"head_dim": 8, "final_logit_softcapping": 0.5},
    "phi": {},
    "stablelm": {},
    "olmo2": {},
    "cohere": {"logit_scale": 3.0},
    "granite": {"logits_scaling": 0.2},
    "smollm3": {},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
}


def saved(model_type: str, folder: Path, tokenizer_folder: Path, options: dict[str, Any], dtype: torch.dtype = torch.float32) -> Any:
    """A tiny model with its head and GPT-2's tokenizer in a folder; its weights are large enough for the words to differ."""
    config = transformers.AutoConfig.for_model(model_type, **(SIZES | options))
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(8)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(tokenizer_folder).save_pretrained(folder)
    return ModelSettings(source="folder", name=str(folder), device="cpu", offline=True)


def expected_bits(folder: Path, ids: tuple[int, ...], length: int) -> float:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        given = torch.tensor([ids])
        loss = float(model(input_ids=given, labels=given).loss)
    return loss * (len(ids) - 1) / math.log(2) / length


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Many pieces of the vocabulary and of the text, none of them whole."""
    monkeypatch.setattr(likelihood, "_VALUES", 32 * 1000)
    monkeypatch.setattr(likelihood, "_TOKENS", 5)
    return


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("model_type", OPTIONS)
def test_bits_per_byte_equal_transformers_loss(model_type: str, tied: bool, tmp_path: Path, tiny_gpt2_folder: Path):
    settings = saved(model_type, tmp_path, tiny_gpt2_folder, OPTIONS[model_type] | {"tie_word_embeddings": tied})
    tokens = tokenize(settings, TEXT)
    length = len(TEXT[tokens.offsets[0][1] :].encode())
    found = capture(settings, TEXT, [0], SilentProgress()).provenance["bits_per_byte"]
    assert found == pytest.approx(expected_bits(tmp_path, tokens.ids, length), abs=1e-4)


def test_half_precision_files(tmp_path: Path, tiny_gpt2_folder: Path):
    settings = saved("llama", tmp_path, tiny_gpt2_folder, {}, torch.bfloat16)
    tokens = tokenize(settings, TEXT)
    length = len(TEXT[tokens.offsets[0][1] :].encode())
    found = capture(settings, TEXT, [0], SilentProgress()).provenance["bits_per_byte"]
    assert found == pytest.approx(expected_bits(tmp_path, tokens.ids, length), abs=1e-4)


def test_the_head_is_never_held_as_a_whole(tmp_path: Path, tiny_gpt2_folder: Path, monkeypatch: pytest.MonkeyPatch):
    settings = saved("gpt2", tmp_path, tiny_gpt2_folder, {})
    read, plain = [], likelihood._Stored.rows

    def rows(stored: Any, start: int, stop: int) -> torch.Tensor:
        found = plain(stored, start, stop)
        read.append(found.shape)
        return found

    monkeypatch.setattr(likelihood._Stored, "rows", rows)
    capture(settings, TEXT, [0], SilentProgress())
    assert sum(shape[0] for shape in read) == 50257
    assert max(shape[0] * shape[1] for shape in read) <= likelihood._VALUES


def test_none_without_a_causal_head(tmp_path: Path, tiny_gpt2_folder: Path):
    bert = transformers.AutoConfig.for_model("bert", **SIZES)
    transformers.AutoModelForMaskedLM.from_config(bert).save_pretrained(tmp_path / "bert")
    llama = transformers.AutoConfig.for_model("llama", **SIZES, tie_word_embeddings=False)
    transformers.AutoModel.from_config(llama).save_pretrained(tmp_path / "headless")
    saved("llama", tmp_path / "untrained", tiny_gpt2_folder, {})
    for name in ("bert", "headless", "untrained"):
        transformers.AutoTokenizer.from_pretrained(tiny_gpt2_folder).save_pretrained(tmp_path / name)
        settings = ModelSettings(source="folder", name=str(tmp_path / name), device="cpu", offline=True, untrained=name == "untrained")
        assert capture(settings, TEXT, [0], SilentProgress()).provenance["bits_per_byte"] is None


def test_a_text_of_one_token_has_none(tmp_path: Path, tiny_gpt2_folder: Path):
    settings = saved("gpt2", tmp_path, tiny_gpt2_folder, {})
    assert capture(settings, "one", [0], SilentProgress()).provenance["bits_per_byte"] is None
