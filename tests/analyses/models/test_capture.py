import contextlib
import hashlib
import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from analyses.errors import InputError, MissingError
from analyses.kept import is_kept, keeping
from analyses.models import ModelSettings, capture, inspect_model, tokenize, weights
from analyses.models.inspection import _layers
from analyses.progress import SilentProgress
from analyses.words import find_occurrences

TEXT = "Coffee is coffee, and more coffee."


def test_two_captures_have_the_same_bits(tiny_gpt2, embedded_model):
    for settings in (tiny_gpt2, embedded_model):
        one, two = (capture(settings, TEXT, None, SilentProgress()) for _ in range(2))
        np.testing.assert_array_equal(one.activation, two.activation)


@pytest.mark.parametrize("model", ["tiny_gpt2", "half_precision", pytest.param("embedded_model", marks=pytest.mark.model)])
def test_a_model_that_is_kept_is_loaded_once_and_gives_the_same_bits(model, request, monkeypatch):
    settings, loads = request.getfixturevalue(model), []
    texts = ["The cat sat.", "A dog ran over the hill.", "The cat sat."]
    alone = [capture(settings, text, None, SilentProgress()) for text in texts]
    load = weights.load_stored
    monkeypatch.setattr(weights, "load_stored", lambda *arguments: loads.append(arguments) or load(*arguments))
    with keeping():
        together = [capture(settings, text, None, SilentProgress()) for text in texts]
        assert len(loads) == 1
        # An untrained twin reads the same text in between, and another choice makes another model.
        capture(settings.model_copy(update={"untrained": True}), texts[0], None, SilentProgress())
        capture(settings, texts[0], [1], SilentProgress())
        assert len(loads) == 1
        capture(settings.model_copy(update={"branch_output": "residual"}), texts[0], None, SilentProgress())
        assert len(loads) == 2
    for one, other in zip(alone, together, strict=True):
        assert one.activation.tobytes() == other.activation.tobytes()
        assert one.provenance == other.provenance
        assert one.checks == other.checks
    capture(settings, texts[0], None, SilentProgress())
    assert len(loads) == 3


def test_a_model_that_failed_is_not_kept(tiny_gpt2, monkeypatch):
    with keeping():
        expected = capture(tiny_gpt2, "The cat sat.", None, SilentProgress())

        class StopsHalfway(SilentProgress):
            @contextlib.contextmanager
            def stage(self, name, steps):
                done = []

                def advance(_):
                    done.append(1)
                    if len(done) == 2:
                        raise KeyboardInterrupt

                yield advance

        with pytest.raises(KeyboardInterrupt):
            capture(tiny_gpt2, "The cat sat.", None, StopsHalfway())
        assert not is_kept("model")
        again = capture(tiny_gpt2, "The cat sat.", None, SilentProgress())
    assert again.activation.tobytes() == expected.activation.tobytes()


@pytest.fixture
def half_precision(tiny_gpt2_folder, tmp_path):
    """The tiny GPT-2 with weights of 16 bits, which become 32 while a block runs."""
    folder = shutil.copytree(tiny_gpt2_folder, tmp_path / "half")
    file = folder / "model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    return ModelSettings(source="folder", name=str(folder), device="cpu", offline=True)


def test_positions_choose_rows_of_the_whole(tiny_gpt2):
    whole = capture(tiny_gpt2, TEXT, None, SilentProgress()).activation
    chosen = capture(tiny_gpt2, TEXT, [5, 0], SilentProgress()).activation
    np.testing.assert_array_equal(chosen, whole[:, :, [5, 0]])


def test_earlier_tokens_do_not_see_later_ones(embedded_model):
    # A causal model: what stands later in the text changes nothing before it. (The bits may differ: other shapes, other sums.)
    short, long = (capture(embedded_model, text, [0, 1], SilentProgress()).activation for text in ("Coffee is", TEXT))
    np.testing.assert_allclose(short, long, rtol=1e-3, atol=1e-4)


def test_position_outside_the_text(tiny_gpt2):
    with pytest.raises(InputError, match="between 0 and 9"):
        capture(tiny_gpt2, TEXT, [10], SilentProgress())


def test_progress_counts_the_layers(tiny_gpt2):
    seen = []

    class Recorder:
        @contextlib.contextmanager
        def stage(self, key, total):
            seen.append((key, total))
            yield lambda steps: seen.append(steps)

    capture(tiny_gpt2, TEXT, [0], Recorder())
    assert seen == [("capture", 3), 1, 1, 1]


def test_provenance_pins_the_weights_and_names_no_path(tiny_gpt2, tiny_gpt2_folder):
    facts = capture(tiny_gpt2, TEXT, [0], SilentProgress()).provenance
    weights = (tiny_gpt2_folder / "model.safetensors").read_bytes()
    assert facts["sha256"] == {"model.safetensors": hashlib.sha256(weights).hexdigest()}
    assert facts["name"] == "tiny-gpt2"
    assert str(tiny_gpt2_folder.parent) not in json.dumps(facts)


def test_global_switches_of_torch_are_restored(tiny_gpt2):
    capture(tiny_gpt2, TEXT, [0], SilentProgress())
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.is_grad_enabled()


def test_device_that_is_not_there(tiny_gpt2):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(MissingError, match="cuda is not available"):
        capture(tiny_gpt2.model_copy(update={"device": "cuda"}), TEXT, None, SilentProgress())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_gives_the_same_numbers(embedded_model):
    cpu, gpu = (
        capture(embedded_model.model_copy(update={"device": device}), TEXT, None, SilentProgress()).activation for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(gpu, cpu, rtol=1e-3, atol=1e-3)


def test_weights_that_are_missing_in_the_file_are_never_made_up(tiny_gpt2, tiny_gpt2_folder, tmp_path):
    import safetensors.torch

    folder = tmp_path / "holes"
    shutil.copytree(tiny_gpt2_folder, folder)
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_proj.weight"]
    safetensors.torch.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"1 weights are missing in its files, the first is h\.1\.mlp\.c_proj\.weight"):
        capture(tiny_gpt2.model_copy(update={"name": str(folder)}), TEXT, None, SilentProgress())


def test_text_longer_than_the_context(tiny_gpt2):
    with pytest.raises(InputError, match="the text has 300 tokens and model tiny-gpt2 takes 256"):
        tokenize(tiny_gpt2, " coffee" * 300)


def test_empty_text(tiny_gpt2):
    with pytest.raises(InputError, match="holds no token"):
        tokenize(tiny_gpt2, "")


def test_pieces_put_together_are_the_text_and_ids_are_gpt2s(tiny_gpt2, gpt2_tokenizer_files: Path):
    tokens = tokenize(tiny_gpt2, TEXT)
    assert "".join(tokens.pieces) == TEXT
    assert tokens.context_length == 256
    vocabulary = json.loads((gpt2_tokenizer_files / "encoder.json").read_text(encoding="utf-8"))
    assert tokens.ids == tuple(vocabulary[piece.replace(" ", "Ġ")] for piece in tokens.pieces)


@pytest.mark.parametrize("model", ["tiny_gpt2", "embedded_model"])
def test_vietnamese_phrase_over_many_byte_tokens(model, request):
    settings = request.getfixturevalue(model)
    text = unicodedata.normalize("NFC", "Sáng nay tôi uống cà phê đen; tối nay tôi uống cà phê sữa.")
    tokens = tokenize(settings, text)
    for occurrence in find_occurrences(text, unicodedata.normalize("NFD", "cà phê"), tokens.offsets):
        assert text[occurrence.start : occurrence.end] == "cà phê"
        covered = [tokens.offsets[index] for index in occurrence.tokens]
        assert len(covered) >= 3
        assert min(start for start, _ in covered) in (occurrence.start, occurrence.start - 1)
        assert max(end for _, end in covered) == occurrence.end
        assert list(occurrence.tokens) == list(range(occurrence.tokens[0], occurrence.tokens[-1] + 1))


def test_the_lessons_text_in_gpt2s_tokens(tiny_gpt2):
    # "Turkish coffee is ..." begins with two tokens for the name of the country's people, then one for the word.
    tokens = tokenize(tiny_gpt2, "Turkish coffee is strong. Coffee keeps.")
    found = find_occurrences("Turkish coffee is strong. Coffee keeps.", "coffee", tokens.offsets)
    assert [tuple(tokens.pieces[index] for index in item.tokens) for item in found] == [(" coffee",), (" Coffee",)]


def test_inspection_names_the_modules_and_the_sizes(tiny_gpt2):
    rows = dict(inspect_model(tiny_gpt2))
    assert rows["architecture"] == "GPT2Model (gpt2)"
    assert (rows["layers"], rows["hidden dimensions"], rows["context length"]) == ("3", "48", "256")
    assert (rows["attention branch"], rows["MLP branch"]) == ("attn.c_proj", "mlp.c_proj")


@pytest.mark.parametrize(
    ("facts", "said"), [({"layers": 3}, "3"), ({"layers": 4, "layers_of_model": 8}, "8, of which 4 have an attention")]
)
def test_inspection_of_a_hybrid_says_which_layers_it_counts(facts, said):
    assert _layers(facts) == said
