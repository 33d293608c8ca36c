"""Folders as people bring them: what is loaded is what transformers loads from the same folder, or one line says why nothing is."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers

from analyses.errors import InputError, MissingError
from analyses.models import ModelSettings, capture
from analyses.models.weight_files import weight_files
from analyses.progress import SilentProgress

TEXT = "Coffee, then more coffee."
LAYERS, HIDDEN = 3, 32
LLAMA = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "vocab_size": 50257,
}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}


def make(folder: Path, model_type: str = "llama", seed: int = 5, shard: str = "1GB", **options: object) -> transformers.PreTrainedModel:
    """A random model with its head, saved into `folder`; Mixtral's experts take the way of transformers' own conversion."""
    config = transformers.AutoConfig.for_model(model_type, **(LLAMA | (EXPERTS if model_type == "mixtral" else {}) | options))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder, max_shard_size=shard)
    return model


@pytest.fixture
def folder(tmp_path, tiny_gpt2_folder):
    """A folder that holds GPT-2's tokenizer and waits for a model."""
    transformers.AutoTokenizer.from_pretrained(tiny_gpt2_folder).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def read(folder: Path):
    return capture(ModelSettings(source="folder", name=str(folder), device="cpu", offline=True), TEXT, None, SilentProgress())


def by_transformers(folder: Path, kind: type = transformers.AutoModelForCausalLM) -> np.ndarray:
    """The attention's output projections, by plain hooks on the model as transformers loads it."""
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    ids = transformers.AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt").input_ids
    seen = []
    for block in model.base_model.layers:
        block.self_attn.o_proj.register_forward_hook(lambda _module, _inputs, output: seen.append(output[0].numpy()))
    with torch.no_grad():
        model.base_model(ids)
    return np.stack(seen)


def rewrite(file: Path, change) -> None:
    tensors = safetensors.torch.load_file(file)
    change(tensors)
    safetensors.torch.save_file(tensors, file, metadata={"format": "pt"})


def refused(folder: Path, error: type[Exception], *parts: str) -> None:
    with pytest.raises(error) as caught:
        read(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"model {folder.name}: ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize("model_type", ["llama", "mixtral"])
@pytest.mark.parametrize("shard", ["1GB", "500KB"])
@pytest.mark.parametrize("stray", ["old_checkpoint.safetensors", "zz_ema.safetensors", "model-00001-of-00002.safetensors", "a.safetensors"])
def test_another_checkpoint_in_the_folder_is_not_used(folder, tmp_path, model_type, shard, stray):
    make(folder, model_type, shard=shard)
    make(tmp_path / "other", model_type, seed=6)
    shutil.copy(tmp_path / "other" / "model.safetensors", folder / stray)
    found = read(folder)
    np.testing.assert_array_equal(found.activation[0], by_transformers(folder))
    assigned = {"model.safetensors"}
    if shard != "1GB":
        assigned = set(json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"].values())
    assert stray not in found.provenance["sha256"]
    assert set(found.provenance["sha256"]) <= assigned


def test_a_single_file_goes_before_an_index(folder, tmp_path):
    make(folder, shard="500KB")
    make(tmp_path / "other", seed=6)
    shutil.copy(tmp_path / "other" / "model.safetensors", folder)
    found = read(folder)
    np.testing.assert_array_equal(found.activation[0], by_transformers(folder))
    assert list(found.provenance["sha256"]) == ["model.safetensors"]


def test_the_file_that_the_configuration_names(folder, tmp_path):
    make(folder)
    make(tmp_path / "other", seed=6)
    shutil.copy(tmp_path / "other" / "model.safetensors", folder / "second.safetensors")
    config = json.loads((folder / "config.json").read_text()) | {"transformers_weights": "second.safetensors"}
    (folder / "config.json").write_text(json.dumps(config))
    found = read(folder)
    np.testing.assert_array_equal(found.activation[0], by_transformers(folder))
    assert list(found.provenance["sha256"]) == ["second.safetensors"]


def test_a_shard_of_the_head_alone_is_neither_needed_nor_listed(folder):
    make(folder, shard="500KB", tie_word_embeddings=False)
    expected = by_transformers(folder)
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    head = index["lm_head.weight"]
    assert [key for key, file in index.items() if file == head] == ["lm_head.weight"]
    assert head not in read(folder).provenance["sha256"]
    (folder / head).unlink()
    np.testing.assert_array_equal(read(folder).activation[0], expected)


def test_shards_without_their_index(folder):
    make(folder, shard="500KB")
    expected = by_transformers(folder)
    (folder / "model.safetensors.index.json").unlink()
    np.testing.assert_array_equal(read(folder).activation[0], expected)
    next(iter(sorted(folder.glob("model-*.safetensors")))).unlink()
    refused(folder, MissingError, "neither model.safetensors nor model.safetensors.index.json", "nothing says that model-0000")


def test_two_saves_mixed_in_the_shards(folder):
    make(folder, shard="500KB")
    first, second, *_ = sorted(folder.glob("model-*.safetensors"))
    with safetensors.safe_open(second, "pt") as file:
        key = next(iter(file.keys()))
        tensor = file.get_tensor(key)
    rewrite(first, lambda tensors: tensors.update({key: tensor}))
    refused(folder, InputError, key, first.name, second.name, "another save")


def test_an_index_that_leads_out_of_the_folder(folder):
    make(folder, shard="500KB")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}))
    refused(folder, InputError, "model.safetensors.index.json", "../../secret.safetensors")


@pytest.mark.parametrize("whole", [True, False], ids=["beside its base", "alone"])
def test_an_adapter_is_refused(folder, whole):
    if whole:
        make(folder)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "meta-llama/Llama-3.2-1B"}))
    safetensors.torch.save_file({"base_model.model.layers.0.lora_A.weight": torch.ones(2, 2)}, folder / "adapter_model.safetensors")
    refused(folder, InputError, "adapter_config.json", "an adapter of meta-llama/Llama-3.2-1B, not a whole model", "merge")


def test_an_adapter_saved_with_the_weights_is_refused(folder):
    make(folder)
    key = "model.layers.1.self_attn.q_proj.lora_A.weight"
    rewrite(folder / "model.safetensors", lambda tensors: tensors.update({key: torch.ones(2, HIDDEN)}))
    refused(folder, InputError, "1 weights of layers", "layers.1.self_attn.q_proj.lora_A.weight")


@pytest.mark.parametrize("model_type", ["llama", "mixtral"])
@pytest.mark.parametrize(
    ("kind", "named"), [(torch.float8_e4m3fn, "F8_E4M3"), (torch.float8_e5m2, "F8_E5M2"), (torch.int8, "I8"), (torch.uint8, "U8")]
)
def test_quantised_codes_are_refused(folder, model_type, kind, named):
    make(folder, model_type)

    def quantise(tensors):
        key = "model.layers.1.self_attn.q_proj.weight"
        scale = tensors[key].abs().max() / 100
        tensors[key] = (tensors[key] / scale).to(kind)
        tensors[f"{key}_scale"] = scale.reshape(1)

    rewrite(folder / "model.safetensors", quantise)
    refused(folder, InputError, f"model.layers.1.self_attn.q_proj.weight in model.safetensors is stored as {named}: quantised codes")


@pytest.mark.parametrize("model_type", ["llama", "mixtral"])
@pytest.mark.parametrize("key", ["weight_scale", "weight_scale_inv", "weight.absmax", "qzeros", "SCB"])
def test_scales_beside_codes_stored_as_floats_are_refused(folder, model_type, key):
    make(folder, model_type)
    name = f"model.layers.0.mlp.down_proj.{key}" if model_type == "llama" else f"model.layers.0.self_attn.o_proj.{key}"
    rewrite(folder / "model.safetensors", lambda tensors: tensors.update({name: torch.ones(1)}))
    refused(folder, InputError, name.removeprefix("model."), "quantised codes")


@pytest.mark.parametrize("model_type", ["llama", "mixtral"])
def test_weights_that_the_configuration_does_not_provide_for(folder, model_type):
    make(folder, model_type)
    key = "model.layers.0.self_attn.q_proj.bias"
    rewrite(folder / "model.safetensors", lambda tensors: tensors.update({key: torch.ones(HIDDEN)}))
    refused(folder, InputError, "layers.0.self_attn.q_proj.bias", "the configuration belongs to another model")


def test_more_layers_than_the_configuration_says(folder):
    make(folder)
    config = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": LAYERS - 1}
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder, InputError, "9 weights of layers", "the first is layers.2.")


def test_heads_towers_and_old_constants_are_rightly_unused(folder):
    make(folder)
    expected = by_transformers(folder)
    unused = {
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4),
        "model.layers.0.self_attn.bias": torch.ones(1, 1, 8, 8),
        "model.layers.0.self_attn.masked_bias": torch.tensor(-1e4),
        "score.weight": torch.ones(2, HIDDEN),
        "vision_tower.blocks.0.weight": torch.ones(2, 2),
    }
    rewrite(folder / "model.safetensors", lambda tensors: tensors.update(unused))
    np.testing.assert_array_equal(read(folder).activation[0], expected)


@pytest.mark.parametrize("model_type", ["llama", "mixtral"])
def test_tied_embeddings_under_the_heads_name(folder, model_type):
    make(folder, model_type, tie_word_embeddings=True)
    expected = by_transformers(folder)

    def rename(tensors):
        tensors["lm_head.weight"] = tensors.pop("model.embed_tokens.weight")

    rewrite(folder / "model.safetensors", rename)
    np.testing.assert_array_equal(by_transformers(folder), expected)
    np.testing.assert_array_equal(read(folder).activation[0], expected)


def test_embeddings_that_are_not_tied_are_missing(folder):
    make(folder, tie_word_embeddings=False)
    rewrite(folder / "model.safetensors", lambda tensors: tensors.pop("model.embed_tokens.weight"))
    refused(folder, InputError, "1 weights are missing in its files, the first is embed_tokens.weight")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_git_lfs_pointer(folder, name):
    make(folder)
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 2147483648\n")
    refused(folder, MissingError, f"{name} is a Git LFS pointer and not the file itself; run git lfs pull")


@pytest.mark.parametrize("model_type", ["llama", "mixtral"])
def test_weights_in_64_bits_are_no_codes(folder, model_type):
    make(folder, model_type)
    expected = by_transformers(folder)

    def widen(tensors):
        tensors |= {key: tensor.double() for key, tensor in tensors.items()}

    rewrite(folder / "model.safetensors", widen)
    np.testing.assert_array_equal(read(folder).activation[0], expected)


def test_a_link_to_nowhere(folder):
    make(folder)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder / "blobs" / "0123")
    refused(folder, MissingError, "model.safetensors is a link to a file that is not here; copy what the link leads to")


@pytest.mark.parametrize("bytes_left", [0, 4, 100, 5000, -1])
def test_a_file_cut_short(folder, bytes_left):
    make(folder)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:bytes_left])
    refused(folder, InputError, "model.safetensors", "download or save it again")


def test_a_file_of_another_kind(folder):
    make(folder)
    (folder / "model.safetensors").write_bytes(b"<!DOCTYPE html>" * 100)
    refused(folder, InputError, "model.safetensors (1500 bytes) is no whole safetensors file")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("key", "where"),
    [("mlp.down_proj", "the mlp branch of layer 2 (mlp.down_proj)"), ("self_attn.o_proj", "the attention branch of layer 2")],
)
def test_weights_that_are_no_finite_numbers(folder, value, key, where):
    make(folder)

    def damage(tensors):
        tensors[f"model.layers.1.{key}.weight"][3, 3] = value

    rewrite(folder / "model.safetensors", damage)
    refused(folder, InputError, where, "no finite numbers")


def test_weights_too_large_for_the_arithmetic(folder):
    make(folder)
    rewrite(folder / "model.safetensors", lambda tensors: [tensor.mul_(1e20) for tensor in tensors.values()])
    refused(folder, InputError, "no finite numbers", "too large for 32-bit arithmetic")


def test_a_model_without_layers(folder):
    make(folder, num_hidden_layers=0)
    refused(folder, InputError, "speaks of 0 layers (num_hidden_layers in config.json)")


def test_a_tokenizer_that_knows_more_tokens_than_the_model(folder):
    make(folder, vocab_size=300)
    refused(folder, InputError, "token number", "its embedding has 300 rows")


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ("weights.Q4_K_M.gguf", "its weights are GGUF files; give the file itself as the model"),
        ("pytorch_model.bin", "pickled weights (pytorch_model.bin) are not loaded"),
        ("finetune.safetensors", "nothing says that finetune.safetensors is the model"),
        (None, "no weights there (model.safetensors); the download is not complete"),
    ],
)
def test_a_folder_without_weights_says_what_is_there(folder, there, says):
    make(folder)
    (folder / "model.safetensors").rename(folder / there) if there else (folder / "model.safetensors").unlink()
    refused(folder, MissingError, says)


def test_no_tokenizer(folder):
    make(folder)
    for file in folder.glob("*token*"):
        file.unlink()
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)
    refused(folder, InputError, "it has no tokenizer beside it (tokenizer.json)")


def test_only_the_models_own_files_are_fetched_from_the_hub(tmp_path, monkeypatch):
    import huggingface_hub

    from analyses.models.sources import resolve

    make(tmp_path / "hub", shard="500KB")
    (tmp_path / "hub" / "old.safetensors").write_bytes(b"")
    asked = []

    def download(name, *, allow_patterns, **_options):
        asked.append(allow_patterns)
        target = tmp_path / "here"
        target.mkdir(exist_ok=True)
        for pattern in allow_patterns:
            for file in (tmp_path / "hub").glob(pattern):
                shutil.copy(file, target)
        return str(target)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr("analyses.models.hub.unreachable", lambda name, revision: None)
    found = resolve(ModelSettings(source="hub", name="someone/sharded"))
    assert not (found.path / "old.safetensors").exists()
    assert [file.name for file in weight_files(found.path, "sharded")] == sorted(
        set(json.loads((tmp_path / "hub" / "model.safetensors.index.json").read_text())["weight_map"].values())
    )
    assert len(asked) == 2
