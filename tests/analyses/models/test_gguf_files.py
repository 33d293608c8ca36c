"""GGUF files written with gguf-py from random models: what comes back is what went in, through llama.cpp's changes of each architecture."""

import gguf
import numpy as np
import pytest
import tokenizers
import torch
import transformers

from analyses.errors import InputError, MissingError
from analyses.models import ModelSettings, capture
from analyses.models.gguf_files import ARCHITECTURES, read_header
from analyses.progress import SilentProgress

HIDDEN, LAYERS, HEADS, GROUPS = 64, 2, 4, 2
SIZES = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
    "head_dim": HIDDEN // HEADS,
    "tie_word_embeddings": True,
    "pad_token_id": 0,
}
MODEL_TYPES = {"gemma3": "gemma3_text"}
TEXT = "tea and tea and tea"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path / "cache"))


def byte_vocabulary() -> list[str]:
    """GPT-2's 256 letters for bytes, and one special token."""
    return [*sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()), "te", "<|endoftext|>"]


def make(architecture: str):
    vocabulary = len(byte_vocabulary())
    model_type = MODEL_TYPES.get(architecture, architecture)
    sizes = SIZES | {"vocab_size": vocabulary}
    if architecture == "qwen2":
        sizes.pop("head_dim")
    if architecture.startswith("gemma"):
        # As in all Gemma models below 27B.
        sizes["query_pre_attn_scalar"] = HIDDEN // HEADS
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(model_type, **sizes), dtype=torch.float32)
        for name, parameter in model.named_parameters():
            with torch.no_grad():
                parameter.normal_(0.5 if "norm" in name else 0.0, 0.1)
    return model.eval()


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's convert_hf_to_gguf.py, LlamaModel.permute."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def write(
    architecture: str, model, file, extra=(), kind: gguf.GGMLQuantizationType | None = None, pre="default", more=(), blocks=LAYERS
) -> None:
    """As llama.cpp's converter writes a model; `more` are tensors of other names."""
    config = model.config
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_name("tiny")
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(blocks)
    writer.add_feed_forward_length(4 * HIDDEN if architecture == "gpt2" else 96)
    writer.add_head_count(HEADS)
    if architecture == "gpt2":
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_head_count_kv(GROUPS)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(10000.0 if architecture != "gemma3" else 1000000.0)
        writer.add_rope_dimension_count(HIDDEN // HEADS)
        writer.add_key_length(HIDDEN // HEADS)
        writer.add_value_length(HIDDEN // HEADS)
    if architecture in ("gemma2", "gemma3", "phi3"):
        writer.add_sliding_window(config.sliding_window or 4096)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(byte_vocabulary())
    writer.add_token_types([1] * 257 + [3])
    # Twice, for older transformers take a list of one for a scalar; no real tokenizer has one merge.
    writer.add_token_merges(["t e"] * 2)
    for special in ("bos", "eos", "unk", "pad"):
        getattr(writer, f"add_{special}_token_id")(257)
    for call, value in extra:
        getattr(writer, call)(value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], LAYERS)
    for name, tensor in model.state_dict().items():
        if name in ("lm_head.weight",) or name.endswith((".attn.bias", "masked_bias")):
            continue
        values = tensor.numpy()
        if architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            values = permuted(values, HEADS if "q_proj" in name else GROUPS)
        if architecture.startswith("gemma") and "norm" in name:
            values = values + 1
        if architecture == "gpt2" and name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            values = values.T
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert target is not None, name
        values = np.ascontiguousarray(values)
        if kind is not None and values.ndim > 1:
            values = gguf.quants.quantize(values, kind)
            writer.add_tensor(target, values, raw_dtype=kind)
        else:
            writer.add_tensor(target, values)
    for name, shape in more:
        writer.add_tensor(name, np.full(shape, 0.5, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def of(file) -> ModelSettings:
    return ModelSettings(source="gguf", name=str(file), device="cpu")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_activations_are_those_of_the_model_that_was_written(architecture, tmp_path):
    model = make(architecture)
    file = tmp_path / "tiny.gguf"
    write(architecture, model, file)
    found = capture(of(file), TEXT, None, SilentProgress())
    # The same through a folder of safetensors with the tokenizer that was read from the file.
    model.save_pretrained(tmp_path / "model")
    (converted,) = (tmp_path / "cache" / "models").iterdir()
    transformers.AutoTokenizer.from_pretrained(converted).save_pretrained(tmp_path / "model")
    expected = capture(ModelSettings(source="folder", name=str(tmp_path / "model"), device="cpu"), TEXT, None, SilentProgress())
    # Gemma's norms are stored plus one, which rounds.
    np.testing.assert_allclose(found.activation, expected.activation, rtol=1e-4, atol=1e-5 * np.abs(expected.activation).max())
    assert found.module_names == expected.module_names
    facts = found.provenance
    assert (facts["source"], facts["name"], facts["quantisation"]) == ("gguf", "tiny.gguf", "GGUF F32, dequantised to float32")
    assert len(facts["converted_from_sha256"]) == 64


@pytest.mark.parametrize("kind", ["Q8_0", "Q5_0", "Q4_0", "Q4_1"])
def test_quantised_tensors_are_what_gguf_py_makes_of_them(kind, tmp_path):
    quantisation = gguf.GGMLQuantizationType[kind]
    model = make("qwen3")
    write("qwen3", model, tmp_path / "small.gguf", kind=quantisation)
    capture(of(tmp_path / "small.gguf"), TEXT, [1], SilentProgress())
    (converted,) = (tmp_path / "cache" / "models").iterdir()
    loaded = transformers.AutoModelForCausalLM.from_pretrained(converted)
    name = "model.layers.1.mlp.down_proj.weight"
    packed = gguf.quants.quantize(model.state_dict()[name].numpy(), quantisation)
    np.testing.assert_array_equal(loaded.state_dict()[name].numpy(), gguf.quants.dequantize(packed, quantisation))


def test_a_file_is_converted_once(tmp_path):
    write("qwen2", make("qwen2"), tmp_path / "tiny.gguf")
    capture(of(tmp_path / "tiny.gguf"), TEXT, [1], SilentProgress())
    (converted,) = (tmp_path / "cache" / "models").iterdir()
    before = (converted / "model.safetensors").stat().st_mtime_ns
    capture(of(tmp_path / "tiny.gguf"), TEXT, [1], SilentProgress())
    assert (converted / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("architecture", "extra", "says"),
    [
        ("mamba", [], "GGUF files of architecture mamba are not read; expected llama, qwen2"),
        ("llama", [("add_rope_scaling_type", gguf.RopeScalingType.YARN)], "its rotary frequencies are scaled"),
    ],
)
def test_files_that_would_be_read_wrongly_are_refused(architecture, extra, says, tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", architecture)
    for call, value in extra:
        getattr(writer, call)(value)
    writer.add_tensor("output_norm.weight", np.ones(4, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match=f"model odd.gguf: {says}"):
        read_header(tmp_path / "odd.gguf")


def test_a_llama_of_version_3_1_with_its_table_of_frequencies_is_refused(tmp_path):
    """Its converter writes the factors of the rotary frequencies as a tensor, which transformers passes over: wrong angles."""
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "llama")
    writer.add_rope_freq_base(500000.0)
    writer.add_tensor("rope_freqs.weight", np.linspace(1, 8, 32, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match=r"its rotary frequencies are scaled for long texts, .*; use the model's safetensors"):
        read_header(tmp_path / "odd.gguf")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF\x03\x00\x00\x00" + b"\xff" * 40, b"<!DOCTYPE html>" * 9])
def test_files_of_another_kind(content, tmp_path):
    (tmp_path / "odd.gguf").write_bytes(content)
    with pytest.raises(InputError, match=r"model odd.gguf: the file is no GGUF file .* or it is cut short"):
        read_header(tmp_path / "odd.gguf")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingError, match="is not a file on this machine"):
        capture(of(tmp_path / "gone.gguf"), TEXT, None, SilentProgress())


@pytest.mark.parametrize(
    "more",
    [
        [("blk.0.attn_q.bias", (HIDDEN,))],
        [(f"blk.{block}.ffn_gate_exps.weight", (4, 96, HIDDEN)) for block in range(LAYERS)],
        [("blk.1.post_attention_norm.weight", (HIDDEN,))],
        [("blk.2.attn_q.weight", (HIDDEN, HIDDEN))],
    ],
    ids=["bias", "experts", "norm", "layer"],
)
def test_tensors_that_the_architecture_has_no_place_for_are_not_passed_over(more, tmp_path):
    write("llama", make("llama"), tmp_path / "more.gguf", more=more)
    with pytest.raises(InputError, match=rf"^model more.gguf: {len(more)} of its tensors have no place .*, the first is {more[0][0]};"):
        capture(of(tmp_path / "more.gguf"), TEXT, [1], SilentProgress())
    assert not list((tmp_path / "cache" / "models").glob("*"))


def test_a_head_of_its_own_has_a_place(tmp_path):
    write("llama", make("llama"), tmp_path / "untied.gguf", more=[("output.weight", (len(byte_vocabulary()), HIDDEN))])
    assert capture(of(tmp_path / "untied.gguf"), TEXT, [1], SilentProgress()).activation.shape[1] == LAYERS


@pytest.mark.parametrize("kept", [0.4, 0.7, -1])
def test_a_file_cut_short_in_its_tensors(kept, tmp_path):
    file = tmp_path / "short.gguf"
    write("llama", make("llama"), file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole)) if kept > 0 else kept])
    with pytest.raises(InputError, match=rf"it has {file.stat().st_size} bytes and its header speaks of {len(whole)}; download it again"):
        read_header(file)


def test_a_git_lfs_pointer(tmp_path):
    (tmp_path / "odd.gguf").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 2147483648\n")
    with pytest.raises(MissingError, match=r"odd.gguf is a Git LFS pointer and not the file itself; run git lfs pull"):
        read_header(tmp_path / "odd.gguf")


@pytest.mark.parametrize("kind", ["adapter", "mmproj"])
def test_a_file_that_is_no_whole_model(kind, tmp_path):
    write("llama", make("llama"), tmp_path / "part.gguf", extra=[("add_type", kind)])
    with pytest.raises(InputError, match=f"holds no whole model .general.type is '{kind}'"):
        read_header(tmp_path / "part.gguf")


@pytest.mark.parametrize(
    ("pre", "tokens"),
    [
        ("gpt-2", ["a", "Ġ12345", "Ġtea"]),
        ("llama-bpe", ["a", "Ġ", "123", "45", "Ġtea"]),
        ("smollm", ["a", "Ġ", "1", "2", "3", "4", "5", "Ġtea"]),
    ],
)
def test_a_text_is_split_as_the_file_says(pre, tokens, tmp_path):
    """By llama.cpp's table of these names: GPT-2 keeps a number whole, Llama 3 takes three digits at most, SmolLM one."""
    write("llama", make("llama"), tmp_path / "tiny.gguf", pre=pre)
    capture(of(tmp_path / "tiny.gguf"), TEXT, [1], SilentProgress())
    (converted,) = (tmp_path / "cache" / "models").iterdir()
    backend = transformers.AutoTokenizer.from_pretrained(converted).backend_tokenizer
    assert [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str("a 12345 tea")] == tokens


def test_another_way_to_split_a_text_is_refused(tmp_path):
    write("llama", make("llama"), tmp_path / "odd.gguf", pre="deepseek-llm")
    with pytest.raises(InputError, match="splits a text before making tokens in a way called 'deepseek-llm'"):
        read_header(tmp_path / "odd.gguf")


@pytest.mark.parametrize(("architecture", "blocks"), [("gemma2", 46), ("gemma3", 62)])
def test_queries_of_the_largest_gemma_are_scaled_by_its_width(architecture, blocks, tmp_path):
    """llama.cpp: 1/sqrt(n_embd / n_head) in the 27B models, 1/sqrt(head width) in all others, whatever the file says."""
    from analyses.models.gguf_files import _complete

    config = transformers.AutoConfig.for_model(MODEL_TYPES.get(architecture, architecture), **SIZES | {"head_dim": 32, "vocab_size": 258})
    for count, expected in ((blocks, HIDDEN // HEADS), (blocks - 1, 32)):
        write(architecture, make(architecture), tmp_path / f"{count}.gguf", blocks=count)
        header = read_header(tmp_path / f"{count}.gguf")
        header.values[f"{architecture}.attention.key_length"] = 32
        _complete(config, header)
        assert (config.query_pre_attn_scalar, config.head_dim) == (expected, 32)
