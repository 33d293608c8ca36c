"""Random weights made block by block against transformers' own `from_config`, which makes the whole model at once."""

import numpy as np
import pytest
import torch
import transformers

from analyses.models import ModelSettings, branches, capture, weights
from analyses.progress import SilentProgress

LAYERS = 4
CONFIGS = {
    "gpt2": transformers.GPT2Config(n_layer=LAYERS, n_embd=64, n_head=4, n_positions=32, vocab_size=500),
    "llama": transformers.LlamaConfig(
        num_hidden_layers=LAYERS, hidden_size=64, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96, vocab_size=500
    ),
    "gemma3_text": transformers.Gemma3TextConfig(
        num_hidden_layers=LAYERS,
        hidden_size=64,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=96,
        vocab_size=500,
    ),
    "mixtral": transformers.MixtralConfig(
        num_hidden_layers=LAYERS,
        hidden_size=64,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=96,
        vocab_size=500,
        num_local_experts=4,
    ),
    "bloom": transformers.BloomConfig(n_layer=LAYERS, hidden_size=64, n_head=4, vocab_size=500),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_weights_have_the_spread_and_the_constants_of_the_architectures_own_initialisation(name):
    config = CONFIGS[name]
    expected = transformers.AutoModel.from_config(config, dtype=torch.float32)
    model = weights.without_weights(config)
    _, blocks = branches.find_blocks(model, LAYERS, name)
    seen: dict[str, torch.Tensor] = {}
    weights.RandomWeights(model, blocks, torch.device("cpu"), seed=3)
    # Registered after RandomWeights, so that a block's weights are there when this hook looks.
    for index, block in enumerate(blocks):
        block.register_forward_pre_hook(
            lambda block, _, index=index: seen.update({f"{index}.{k}": v.clone() for k, v in block.named_parameters()})
        )
    with torch.no_grad():
        model(input_ids=torch.arange(8)[None])
    path, _ = branches.find_blocks(expected, LAYERS, name)
    for key, reference in expected.get_submodule(path).named_parameters():
        if reference.std() == 0:
            torch.testing.assert_close(seen[key], reference, rtol=0, atol=0)
        else:
            assert seen[key].std().item() == pytest.approx(reference.std().item(), rel=0.25), key
    for key, reference in expected.named_buffers():
        torch.testing.assert_close(model.get_buffer(key), reference, rtol=0, atol=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_no_weight_of_a_block_stays_in_memory(name):
    model = weights.without_weights(CONFIGS[name])
    _, blocks = branches.find_blocks(model, LAYERS, name)
    weights.RandomWeights(model, blocks, torch.device("cpu"), seed=3)
    with torch.no_grad():
        model(input_ids=torch.arange(8)[None])
    assert {parameter.device.type for parameter in blocks.parameters()} == {"meta"}


def test_a_seed_gives_the_same_bits_and_another_seed_others(tiny_gpt2):
    text = "Coffee and coffee"
    first = tiny_gpt2.model_copy(update={"untrained": True, "seed": 1})
    torch.manual_seed(11)
    one = capture(first, text, None, SilentProgress())
    torch.manual_seed(12)
    state = torch.random.get_rng_state()
    two = capture(first, text, None, SilentProgress())
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(one.activation, two.activation)
    other = capture(first.model_copy(update={"seed": 2}), text, None, SilentProgress())
    assert abs(np.corrcoef(one.activation.ravel(), other.activation.ravel())[0, 1]) < 0.2


def test_provenance_names_seed_and_configuration_and_no_weights(tiny_gpt2):
    facts = capture(tiny_gpt2.model_copy(update={"untrained": True, "seed": 7}), "Coffee", None, SilentProgress()).provenance
    assert facts["untrained"] is True
    assert facts["seed"] == 7
    assert list(facts["sha256"]) == ["config.json"]


def test_an_architecture_that_does_not_initialise_all_its_weights_names_the_remedy(tmp_path, tiny_gpt2_folder):
    from analyses.errors import InputError

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
    config = transformers.AutoConfig.for_model("apertus", vocab_size=50257, pad_token_id=0, eos_token_id=1, **sizes)
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_gpt2_folder).save_pretrained(tmp_path)
    settings = ModelSettings(source="folder", name=str(tmp_path), device="cpu", untrained=True)
    with pytest.raises(InputError, match=r"set controls\.untrained to false"):
        capture(settings, "Coffee", None, SilentProgress())
