import json

import pytest
from typer.testing import CliRunner

from analyses.errors import InputError
from reportgen.cli import app
from reportgen.models import model_settings


def call(*arguments):
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def test_what_a_name_means(tmp_path):
    assert model_settings("embedded").source == "embedded"
    assert model_settings(str(tmp_path)).source == "folder"
    hub = model_settings("openai-community/gpt2", offline=True, device="cpu")
    assert (hub.source, hub.name, hub.offline, hub.device) == ("hub", "openai-community/gpt2", True, "cpu")
    with pytest.raises(InputError, match=r"MODEL \./gone: there is no such folder"):
        model_settings("./gone")


def test_list_says_what_is_not_here(letters, tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text("name: a\nword: tea\nmodel: {source: embedded}\n")
    monkeypatch.setattr(type(letters), "studies", lambda self: {"a": tmp_path / "a.yaml"})
    done = call("list")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "embedded      not here: reportgen models fetch embedded  (studies: a)",
        "gemma-3-270m  not here: reportgen models fetch gemma-3-270m  (studies: none)",
    ]
    assert json.loads(call("list", "--json").stdout)["models"] == [
        {"model": "embedded", "studies": ["a"], "here": False},
        {"model": "gemma-3-270m", "studies": [], "here": False},
    ]


def test_terms_are_named_before_anything_is_fetched(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path))
    done = call("fetch", "gemma-3-270m")
    assert done.exit_code == 3
    assert "https://ai.google.dev/gemma/terms" in done.stderr
    assert "reportgen models fetch gemma-3-270m --accept-licence" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.model
def test_verify_prints_a_line_a_layer(tmp_path):
    tiny_word_model(tmp_path)
    done = call("verify", tmp_path)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 4
    assert done.stdout.splitlines()[1].endswith("attn.c_proj, mlp.c_proj")
    rows = json.loads(call("verify", tmp_path, "--json").stdout)["layers"]
    assert [row["coefficients"] for row in rows] == [[1.0, 1.0]] * 2


def test_a_model_that_is_nowhere(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    done = call("inspect", "nobody/nothing", "--offline")
    assert done.exit_code == 3
    assert done.stderr.startswith("reportgen: error: model not found: nobody/nothing")


def test_fetch_prints_the_folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert call("fetch", tmp_path).stdout == f"{tmp_path}\n"
    assert json.loads(call("fetch", tmp_path, "--json").stdout)["folder"] == str(tmp_path)


def tiny_word_model(tmp_path):
    """GPT-2 of two layers whose tokenizer knows two words."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?").save_pretrained(tmp_path)
    config = transformers.GPT2Config(vocab_size=3, n_positions=64, n_embd=8, n_layer=2, n_head=2)
    transformers.GPT2Model(config).save_pretrained(tmp_path)


@pytest.mark.model
def test_inspect_a_small_model(tmp_path):
    tiny_word_model(tmp_path)
    properties = json.loads(call("inspect", tmp_path, "--json").stdout)["properties"]
    assert (properties["attention branch"], properties["MLP branch"]) == ("attn.c_proj", "mlp.c_proj")
    assert (properties["layers"], properties["hidden dimensions"]) == ("2", "8")
    assert "attn.c_proj" in call("inspect", tmp_path).stdout


@pytest.mark.parametrize("command", ["run", "analyze"])
@pytest.mark.parametrize(
    ("model", "options", "fetched"),
    [
        ("gemma-3-270m", ["--accept-licence"], True),
        ("gemma-3-270m", [], False),
        ("gemma-3-270m", ["--accept-licence", "--offline"], False),
        ("embedded", ["--accept-licence"], False),
    ],
)
def test_terms_may_be_accepted_with_the_run_itself(command, model, options, fetched, monkeypatch, tmp_path):
    from analyses.models import embedded
    from reportgen import pipeline

    def stop(*_arguments, **_options):
        raise InputError("the model is asked for now")

    accepted = []
    monkeypatch.setattr(embedded, "packaged_folder", lambda which, **given: accepted.append((which.source, given["accepted"])))
    monkeypatch.setattr(pipeline, "run" if command == "run" else "analyze_to", stop)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(f"analysis: letters\nname: a\nword: tea\ntext: Tea and tea.\nmodel: {{source: {model}}}\n")
    done = CliRunner().invoke(app, [command, "a.yaml", "--quiet", *options])
    assert "the model is asked for now" in done.stderr
    assert accepted == ([("gemma-3-270m", True)] if fetched else [])
