import json
import os
import re

import pydantic
import pytest
import torch

from analyses.errors import InputError, MissingError
from analyses.models import ModelSettings, capture, tokenize
from analyses.models.configuration import context_length, load_configuration
from analyses.models.sources import ModelFolder, resolve
from analyses.progress import SilentProgress


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "hub"}, "expected the model name on the hub"),
        ({"source": "folder"}, "expected the path of the model folder"),
        ({"name": "gpt2"}, "the embedded model has neither"),
        ({"source": "folder", "name": "x", "revision": "main"}, "revision belongs to source hub only"),
        ({"sorce": "hub"}, "Extra inputs are not permitted"),
        ({"device": "tpu"}, "'auto', 'cpu', 'cuda' or 'mps'"),
    ],
)
def test_settings_that_contradict_themselves(values, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        ModelSettings(**values)


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(MissingError, match=r"model not found: .*nowhere is not a folder"):
        resolve(ModelSettings(source="folder", name=str(tmp_path / "nowhere")))


def test_folder_without_configuration(tmp_path):
    with pytest.raises(InputError, match=re.escape("expected a config.json")):
        resolve(ModelSettings(source="folder", name=str(tmp_path)))


def test_pickled_weights_are_not_loaded(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save(Payload(), tmp_path / "pytorch_model.bin")
    settings = ModelSettings(source="folder", name=str(tmp_path), device="cpu")
    with pytest.raises(MissingError, match=r"no \.safetensors weights there; pickled weights \(pytorch_model\.bin\) are not loaded"):
        capture(settings, "tea", None, SilentProgress())
    assert not (tmp_path / "executed").exists()


def test_code_in_a_model_folder_is_not_run(tmp_path, tiny_gpt2_folder):
    for file in tiny_gpt2_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(f"import os; os.mkdir({str(tmp_path / 'executed')!r})\nclass OwnConfig: pass\nclass OwnModel: pass\n")
    with pytest.raises(InputError, match=re.escape("its config.json cannot be read by transformers")):
        tokenize(ModelSettings(source="folder", name=str(tmp_path)), "tea")
    assert not (tmp_path / "executed").exists()


def test_hub_name_offline(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match=r"model not found: openai-community/gpt2-xl: it is not in the hub's cache and --offline is set"):
        resolve(ModelSettings(source="hub", name="openai-community/gpt2-xl", offline=True))


def test_hub_cache_is_used_offline_and_its_commit_is_the_revision(tmp_path, monkeypatch, tiny_gpt2_folder):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    for file in tiny_gpt2_folder.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    result = capture(ModelSettings(source="hub", name="someone/tiny", offline=True, device="cpu"), "tea", None, SilentProgress())
    assert (result.provenance["name"], result.provenance["revision"]) == ("someone/tiny", commit)


def test_hub_name_that_is_no_name():
    with pytest.raises(InputError, match="expected OWNER/NAME"):
        resolve(ModelSettings(source="hub", name="a/b/c", offline=True))


def test_quantised_models_are_refused(tmp_path, tiny_gpt2_folder):
    config = json.loads((tiny_gpt2_folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="its weights are quantised"):
        load_configuration(ModelFolder(tmp_path, "small", None))


@pytest.mark.parametrize(
    ("model_type", "options", "expected"),
    [
        ("gpt2", {}, 1024),
        ("codegen", {"n_positions": 2048, "n_ctx": 2048}, 2048),
        ("mpt", {"max_seq_len": 65}, 65),
        ("bloom", {}, None),
        ("roberta", {"max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ("bert", {}, 512),
    ],
)
def test_context_lengths(model_type, options, expected):
    import transformers

    assert context_length(transformers.AutoConfig.for_model(model_type, **options)) == expected
