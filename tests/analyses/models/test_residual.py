"""The check of what was read: a block's change of the residual stream, made by hand and in architectures known for theirs."""

import numpy as np
import pytest
import torch
import transformers

from analyses.errors import InputError
from analyses.models import ModelSettings, capture, verify_model
from analyses.models.residual import Norm, Term, explain
from analyses.progress import SilentProgress

TEXT = "Coffee, then more coffee."
HIDDEN, LAYERS = 32, 3
SIZES = {
    "vocab_size": 50257,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
LARGE = {"initializer_range": 0.3}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}


def save_with_tokenizer(config, folder, tokenizer_folder) -> ModelSettings:
    """A tiny random model on disk with GPT-2's tokenizer beside it."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        transformers.AutoModel.from_config(config, dtype=torch.float32).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(tokenizer_folder).save_pretrained(folder)
    return ModelSettings(source="folder", name=str(folder), device="cpu", offline=True)


def rows(seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(20, 16, generator=torch.Generator().manual_seed(seed))


def term(name: str, seed: int) -> Term:
    return Term(name, rows(seed), rows(seed))


def normed(values: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(values, (16,), weight=1 + 0.3 * rows(9)[0])


STREAM, ATTENTION, MLP, OTHER = rows(0, 5.0), term("attn", 1), term("mlp", 2), term("ssm", 3)


@pytest.mark.parametrize(
    ("after", "coefficients"),
    [
        (STREAM + ATTENTION.residual + MLP.residual, (1, 1)),
        (STREAM + 0.22 * ATTENTION.residual - 3 * MLP.residual, (0.22, -3)),
        (0.5 * STREAM + 0.25 * ATTENTION.residual + MLP.residual, (0.25, 1)),
    ],
)
def test_sums_and_multipliers(after, coefficients):
    found = explain(STREAM, after, [], [(ATTENTION, MLP)], [OTHER], lambda _name: False)
    assert found is not None
    assert found.coefficients == pytest.approx(coefficients, rel=1e-4)
    assert (found.others, found.normalised) == ({}, False)
    assert found.unexplained < 1e-5


def test_a_stream_that_is_normalised_behind_each_addition():
    first = STREAM + ATTENTION.residual
    second = normed(first) + MLP.residual
    norms = [Norm("one", first, normed(first)), Norm("two", second, normed(second))]
    found = explain(STREAM, normed(second), norms, [(ATTENTION, MLP)], [], lambda _name: False)
    assert found is not None
    assert found.normalised
    assert found.coefficients == pytest.approx((1, 1), rel=1e-4)


def test_a_third_contribution_is_named_with_its_share():
    after = STREAM + ATTENTION.residual + MLP.residual + 2 * OTHER.residual
    found = explain(STREAM, after, [], [(ATTENTION, MLP)], [term("other", 5), OTHER], lambda _name: False)
    assert found is not None
    added = ATTENTION.residual + MLP.residual + 2 * OTHER.residual
    assert found.others == pytest.approx({"ssm": float(2 * OTHER.residual.norm() / added.norm())}, rel=1e-4)


def test_shared_experts_are_a_part_of_the_mlp():
    shared = term("shared_mlp", 6)
    after = STREAM + ATTENTION.residual + MLP.residual + shared.residual
    found = explain(STREAM, after, [], [(ATTENTION, MLP)], [OTHER, shared], lambda name: "shared" in name)
    assert found is not None
    assert found.branches[1].name == "mlp + shared_mlp"
    torch.testing.assert_close(found.branches[1].projection, MLP.projection + shared.projection)


@pytest.mark.parametrize(
    "after",
    [
        STREAM + ATTENTION.residual + MLP.residual + rows(7, 0.3),
        STREAM + ATTENTION.residual.roll(1, 1) + MLP.residual,
        rows(8),
        STREAM + ATTENTION.residual + torch.relu(MLP.residual),
    ],
    ids=["something else", "other dimensions", "another stream", "not linear"],
)
def test_what_two_outputs_do_not_make_up_is_refused(after):
    assert explain(STREAM, after, [], [(ATTENTION, MLP)], [], lambda _name: False) is None


def test_a_dead_block_is_no_mismatch():
    nothing = Term("attn", torch.zeros(20, 16), torch.zeros(20, 16))
    assert explain(STREAM, STREAM.clone(), [], [(nothing, nothing)], [], lambda _name: False) is not None


def change_of(settings, layer: int) -> np.ndarray:
    """What a block adds to the stream, by plain hooks on the model as transformers loads it."""
    model = transformers.AutoModel.from_pretrained(settings.name, dtype=torch.float32).eval()
    ids = transformers.AutoTokenizer.from_pretrained(settings.name)(TEXT, return_tensors="pt").input_ids
    seen = {}
    block = model.layers[layer]
    block.register_forward_pre_hook(
        lambda _m, inputs, options: seen.update(before=(inputs[0] if inputs else options["hidden_states"]).clone()), with_kwargs=True
    )
    block.register_forward_hook(lambda _m, _i, output: seen.update(after=(output[0] if isinstance(output, tuple) else output).clone()))
    with torch.no_grad():
        model(ids, use_cache=False)
    return (seen["after"] - seen["before"])[..., :].reshape(-1, HIDDEN).numpy()


@pytest.mark.parametrize(
    ("model_type", "options", "attention", "mlp"),
    [
        ("granitemoeshared", EXPERTS | {"shared_intermediate_size": 16}, "self_attn.o_proj", "block_sparse_moe + shared_mlp"),
        (
            "granitemoehybrid",
            EXPERTS | {"shared_intermediate_size": 16, "layer_types": ["attention"] * LAYERS, "mamba_n_heads": 4, "mamba_d_head": 16},
            "self_attn.o_proj",
            "block_sparse_moe + shared_mlp",
        ),
        ("jetmoe", {"num_local_experts": 4, "kv_channels": 8, "num_key_value_heads": 4}, "self_attention", "mlp"),
        ("gemma2", {"head_dim": 8}, "self_attn.o_proj", "mlp.down_proj"),
        ("gemma3_text", {"head_dim": 8}, "self_attn.o_proj", "mlp.down_proj"),
        ("olmo2", {}, "self_attn.o_proj", "mlp.down_proj"),
        ("glm4", {"head_dim": 8}, "self_attn.o_proj", "mlp.down_proj"),
        ("granite", {"residual_multiplier": 0.22}, "self_attn.o_proj", "mlp.down_proj"),
    ],
)
def test_residual_outputs_add_up_to_the_change_of_the_stream(model_type, options, attention, mlp, tmp_path, tiny_gpt2_folder):
    config = transformers.AutoConfig.for_model(model_type, **(SIZES | LARGE | options))
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    result = capture(settings.model_copy(update={"branch_output": "residual"}), TEXT, None, SilentProgress())
    assert result.module_names == {"attention": (attention,), "mlp": (mlp,)}
    assert result.provenance["other_contributions"] == {}
    for layer in range(LAYERS):
        change = change_of(settings, layer)
        np.testing.assert_allclose(result.activation[:, layer].sum(axis=0), change, rtol=0, atol=2e-4 * np.abs(change).max())


def test_rwkv_reads_the_output_of_the_feed_forward_and_not_its_gate(tmp_path, tiny_gpt2_folder):
    options = {"attention_hidden_size": HIDDEN, "context_length": 64, "rescale_every": 0}
    config = transformers.AutoConfig.for_model("rwkv", **(SIZES | options))
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    assert capture(settings, TEXT, None, SilentProgress()).module_names == {"attention": ("attention.output",), "mlp": ("feed_forward",)}


def test_a_parallel_path_is_a_third_contribution(tmp_path, tiny_gpt2_folder):
    sizes = {"mamba_d_ssm": HIDDEN, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1, "head_dim": 8}
    config = transformers.AutoConfig.for_model("falcon_h1", **(SIZES | LARGE | sizes))
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    facts = capture(settings, TEXT, None, SilentProgress()).provenance
    assert list(facts["other_contributions"]) == ["mamba"]
    assert 0.01 < facts["other_contributions"]["mamba"] < 10


@pytest.mark.parametrize(
    ("model_type", "options", "numbers", "attention"),
    [
        ("qwen3_next", {"layer_types": ["linear_attention", "full_attention", "linear_attention"]}, [2], "self_attn.o_proj"),
        ("lfm2", {"layer_types": ["conv", "full_attention", "full_attention"]}, [2, 3], "self_attn.out_proj"),
        ("jamba", {"attn_layer_period": 2, "attn_layer_offset": 0, "num_experts": 2, "mamba_d_state": 4}, [1, 3], "self_attn.o_proj"),
    ],
)
def test_layers_without_attention_are_left_out_and_numbered(model_type, options, numbers, attention, tmp_path, tiny_gpt2_folder):
    config = transformers.AutoConfig.for_model(model_type, **(SIZES | {"head_dim": 8} | options))
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    result = capture(settings, TEXT, None, SilentProgress())
    assert result.layer_numbers == tuple(numbers)
    assert result.activation.shape[1] == len(numbers)
    assert (result.provenance["layer_numbers"], result.provenance["layers_of_model"]) == (numbers, LAYERS)
    assert result.module_names["attention"] == (attention,)


def test_a_path_for_each_kind_of_layer(tmp_path, tiny_gpt2_folder):
    config = transformers.AutoConfig.for_model("lfm2", **(SIZES | {"layer_types": ["conv", "full_attention", "conv"]}))
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    both = settings.model_validate(settings.model_dump() | {"branches": {"attention": ["self_attn.out_proj", "conv.out_proj"]}})
    result = capture(both, TEXT, None, SilentProgress())
    assert result.layer_numbers == (1, 2, 3)
    assert result.module_names["attention"] == ("conv.out_proj", "self_attn.out_proj")


def test_a_model_of_text_and_images_is_read_where_text_runs(tmp_path, tiny_gpt2_folder):
    text = SIZES | {"head_dim": 8, "model_type": "gemma3_text"}
    vision = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 28}
    config = transformers.Gemma3Config(text_config=text, vision_config=vision | {"patch_size": 14, "model_type": "siglip_vision_model"})
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    result = capture(settings, TEXT, None, SilentProgress())
    assert result.module_names == {"attention": ("self_attn.o_proj",), "mlp": ("mlp.down_proj",)}


def test_a_model_that_needs_an_image_says_so(tmp_path, tiny_gpt2_folder):
    sizes = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "intermediate_size": 48}
    config = transformers.Blip2Config(
        vision_config=sizes | {"image_size": 28}, qformer_config=sizes | {"num_hidden_layers": 2}, text_config=SIZES | {"model_type": "opt"}
    )
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    with pytest.raises(InputError) as error:
        capture(settings, TEXT, None, SilentProgress())
    assert "\n" not in str(error.value)


def test_verification_of_the_built_in_model(embedded_model):
    checks = verify_model(embedded_model)
    assert [check.layer for check in checks] == list(range(1, 31))
    for check in checks:
        assert check.modules == ("self_attn.o_proj", "mlp.down_proj")
        assert check.coefficients == pytest.approx((1, 1), abs=1e-3)
        assert not check.others


@pytest.mark.parametrize(
    ("model_type", "options", "differs"),
    [("gemma3_text", {"head_dim": 8}, True), ("olmo2", {}, True), ("granite", {"residual_multiplier": 0.22}, False), ("llama", {}, False)],
)
def test_both_outputs_are_kept_where_a_norm_lies_between(model_type, options, differs, tmp_path, tiny_gpt2_folder):
    config = transformers.AutoConfig.for_model(model_type, **(SIZES | LARGE | options))
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    projection = capture(settings, TEXT, None, SilentProgress())
    residual = capture(settings.model_copy(update={"branch_output": "residual"}), TEXT, None, SilentProgress())
    if not differs:
        # A multiplier alone changes no mutual information.
        assert projection.other_output is None
        assert residual.other_output is None
        return
    np.testing.assert_array_equal(projection.other_output, residual.activation)
    np.testing.assert_array_equal(residual.other_output, projection.activation)
    assert not np.allclose(projection.activation, residual.activation)
