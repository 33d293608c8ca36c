"""Both branches in a tiny random instance of each architecture, held against a plain hook on the module known from its code."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from analyses.errors import InputError
from analyses.models import BranchModules, ModelSettings, branches, capture
from analyses.progress import SilentProgress

HIDDEN, LAYERS = 32, 3
TEXT = "Coffee, then more coffee."

# The usual names of the sizes; each configuration class takes those it knows.
SIZES: dict[str, Any] = {
    "vocab_size": 50257,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}


@dataclass(frozen=True)
class Architecture:
    """Where transformers' own code puts the two projections (one block), and what its tiny configuration needs besides."""

    model_type: str
    attention: str
    mlp: str
    options: dict[str, Any] = field(default_factory=dict)
    first_mlp: str | None = None  # where the first layer differs from the others

    def config(self) -> Any:
        return transformers.AutoConfig.for_model(self.model_type, **(SIZES | self.options))


def llama_like(model_type: str, **options: Any) -> Architecture:
    return Architecture(model_type, "self_attn.o_proj", "mlp.down_proj", options)


EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}

ARCHITECTURES = [
    Architecture("gpt2", "attn.c_proj", "mlp.c_proj"),
    Architecture("gpt_bigcode", "attn.c_proj", "mlp.c_proj"),
    Architecture(
        "gpt_neo", "attn.attention.out_proj", "mlp.c_proj", {"attention_types": [[["global", "local", "global"], 1]], "num_layers": 3}
    ),
    Architecture("gptj", "attn.out_proj", "mlp.fc_out", {"rotary_dim": 4}),
    Architecture("codegen", "attn.out_proj", "mlp.fc_out", {"rotary_dim": 4}),
    Architecture("gpt_neox", "attention.dense", "mlp.dense_4h_to_h"),
    Architecture("opt", "self_attn.out_proj", "fc2", {"ffn_dim": 48, "word_embed_proj_dim": HIDDEN}),
    Architecture("bloom", "self_attention.dense", "mlp.dense_4h_to_h"),
    Architecture("falcon", "self_attention.dense", "mlp.dense_4h_to_h"),
    Architecture("mpt", "attn.out_proj", "ffn.down_proj", {"d_model": HIDDEN, "n_heads": 4, "n_layers": LAYERS, "max_seq_len": 64}),
    llama_like("llama"),
    llama_like("mistral"),
    llama_like("qwen2"),
    llama_like("qwen3", head_dim=8),
    llama_like("gemma", head_dim=8),
    llama_like("gemma2", head_dim=8),
    llama_like("gemma3_text", head_dim=8),
    Architecture("phi", "self_attn.dense", "mlp.fc2"),
    llama_like("phi3"),
    llama_like("stablelm"),
    llama_like("olmo"),
    llama_like("olmo2"),
    llama_like("cohere"),
    llama_like("granite"),
    llama_like("smollm3"),
    Architecture("starcoder2", "self_attn.o_proj", "mlp.c_proj"),
    llama_like("nemotron", head_dim=8),
    llama_like("glm4", head_dim=8),
    Architecture("mixtral", "self_attn.o_proj", "mlp", EXPERTS),
    Architecture("qwen3_moe", "self_attn.o_proj", "mlp", EXPERTS | {"head_dim": 8}),
    Architecture("olmoe", "self_attn.o_proj", "mlp", EXPERTS),
    Architecture(
        "deepseek_v3",
        "self_attn.o_proj",
        "mlp",
        EXPERTS
        | {"n_routed_experts": 4, "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1, "num_key_value_heads": 4}
        | {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8},
        first_mlp="mlp.down_proj",
    ),
    Architecture("bert", "attention.output.dense", "output.dense"),
    Architecture("roberta", "attention.output.dense", "output.dense", {"pad_token_id": 1}),
]


def save_with_tokenizer(config: Any, folder: Path, tokenizer_folder: Path, dtype: torch.dtype = torch.float32) -> ModelSettings:
    """A tiny random model on disk with GPT-2's tokenizer beside it."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        transformers.AutoModel.from_config(config, dtype=dtype).save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.save_pretrained(folder)
    return ModelSettings(source="folder", name=str(folder), device="cpu", offline=True)


def plain_hooks(folder: str, paths: dict[str, list[str]], ids: tuple[int, ...]) -> np.ndarray:
    """The textbook way: load it all, hook the named modules, keep everything."""
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    _, blocks = branches.find_blocks(model, LAYERS, "plain")
    kept: dict[tuple[str, int], torch.Tensor] = {}

    def keep(key: tuple[str, int]) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            # A copy: Falcon adds the attention to the MLP's output in place afterwards.
            kept[key] = (output[0] if isinstance(output, tuple) else output).reshape(len(ids), HIDDEN).clone()

        return hook

    for branch, names in paths.items():
        for layer, path in enumerate(names):
            blocks[layer].get_submodule(path).register_forward_hook(keep((branch, layer)))
    with torch.no_grad():
        model(input_ids=torch.tensor([ids]))
    return np.stack([[kept[branch, layer].numpy() for layer in range(LAYERS)] for branch in ("attention", "mlp")])


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda item: item.model_type)
def test_both_branches_are_the_known_projections(architecture, tmp_path, tiny_gpt2_folder):
    settings = save_with_tokenizer(architecture.config(), tmp_path / "model", tiny_gpt2_folder)
    result = capture(settings, TEXT, None, SilentProgress())
    first = architecture.first_mlp or architecture.mlp
    assert result.module_names == {"attention": (architecture.attention,), "mlp": tuple(dict.fromkeys((first, architecture.mlp)))}

    ids = tuple(transformers.AutoTokenizer.from_pretrained(settings.name)(TEXT)["input_ids"])
    assert result.activation.shape == (2, LAYERS, len(ids), HIDDEN)
    assert result.activation.dtype == np.float32
    paths = {"attention": [architecture.attention] * LAYERS, "mlp": [first, *[architecture.mlp] * (LAYERS - 1)]}
    np.testing.assert_array_equal(result.activation, plain_hooks(str(settings.name), paths, ids))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize("model_type", ["llama", "gemma3_text", "gpt2", "bloom"])
def test_half_precision_files_are_computed_in_single(model_type, dtype, tmp_path, tiny_gpt2_folder):
    architecture = next(item for item in ARCHITECTURES if item.model_type == model_type)
    settings = save_with_tokenizer(architecture.config(), tmp_path / "model", tiny_gpt2_folder, dtype)
    result = capture(settings, TEXT, None, SilentProgress())
    ids = tuple(transformers.AutoTokenizer.from_pretrained(settings.name)(TEXT)["input_ids"])
    paths = {"attention": [architecture.attention] * LAYERS, "mlp": [architecture.mlp] * LAYERS}
    np.testing.assert_array_equal(result.activation, plain_hooks(str(settings.name), paths, ids))


@pytest.mark.parametrize(
    ("model_type", "options", "message"),
    [
        ("mamba", {}, "has no attention in its layers, so there are no two branches to compare"),
        ("t5", {"d_model": HIDDEN, "num_layers": LAYERS}, "is an encoder-decoder: it has two stacks of layers"),
        ("albert", {"embedding_size": 8}, "one attention each; its layers share weights, are nested or hold several"),
    ],
)
def test_architectures_without_two_branches_say_why(model_type, options, message, tmp_path, tiny_gpt2_folder):
    config = transformers.AutoConfig.for_model(model_type, **(SIZES | options))
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    with pytest.raises(InputError, match=message):
        capture(settings, TEXT, None, SilentProgress())


def test_settings_can_name_the_modules(tmp_path, tiny_gpt2_folder):
    config = next(item for item in ARCHITECTURES if item.model_type == "llama").config()
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    named = settings.model_copy(update={"branches": BranchModules(attention="self_attn", mlp="mlp")})
    result = capture(named, TEXT, None, SilentProgress())
    assert result.module_names == {"attention": ("self_attn",), "mlp": ("mlp",)}
    # In Llama the attention module ends with its output projection, so both names mean the same numbers.
    np.testing.assert_array_equal(result.activation[0], capture(settings, TEXT, None, SilentProgress()).activation[0])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("mlp.out", "no module 'mlp.out' in block 1"),
        ("self_attn.k_proj", "does not give 32 values for each token"),
        ("post_attention_layernorm", "is not made up of the outputs of self_attn.o_proj and post_attention_layernorm"),
    ],
)
def test_wrong_names_are_refused(path, message, tmp_path, tiny_gpt2_folder):
    config = next(item for item in ARCHITECTURES if item.model_type == "llama").config()
    settings = save_with_tokenizer(config, tmp_path / "model", tiny_gpt2_folder)
    named = settings.model_copy(update={"branches": BranchModules(mlp=path)})
    with pytest.raises(InputError, match=message):
        capture(named, TEXT, None, SilentProgress())
