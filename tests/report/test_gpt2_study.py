"""The lesson's own study, set up for GPT-2 XL, on a GPT-2 of random weights with GPT-2's real tokenizer; and the built-in text."""

import pytest

from analyses.mi_distance.settings import StudySettings
from analyses.models import tokenize
from analyses.occurrences.layer_numbers import LayerNumbers
from analyses.words import find_occurrences
from reportgen.pipeline import analyze
from reportgen.settings import load_study, option_overrides


@pytest.fixture(scope="module")
def study(tiny_gpt2_folder) -> StudySettings:
    _, settings = load_study("coffee-gpt2-xl", option_overrides(model=str(tiny_gpt2_folder), offline=True), environment={})
    assert isinstance(settings, StudySettings)
    return settings


def test_built_in_study_asks_for_gpt2_xl_from_the_hub():
    _, settings = load_study("coffee-gpt2-xl", environment={})
    assert (settings.model.source, settings.model.name) == ("hub", "openai-community/gpt2-xl")
    assert (settings.word, settings.estimation.bins, settings.estimation.trim) == ("coffee", 15, 4.0)
    # The lesson shows its third layer pair by pair.
    assert LayerNumbers(tuple(range(1, 49)), 48).detail(settings.detail_layer) == 3


@pytest.mark.parametrize("model", ["tiny_gpt2", "embedded_model"])
def test_text_has_80_to_120_tokens_and_seven_occurrences_from_near_to_far(model, request, study):
    tokens = tokenize(request.getfixturevalue(model), study.text)
    occurrences = find_occurrences(study.text, study.word, tokens.offsets)
    assert 80 <= len(tokens.pieces) <= 120
    assert len(occurrences) == 7
    positions = [occurrence.tokens[-1] for occurrence in occurrences]
    distances = sorted(later - earlier for index, earlier in enumerate(positions) for later in positions[index + 1 :])
    assert len(distances) == 21
    assert distances[0] <= 3
    assert distances[-1] >= 60
    assert len(set(distances)) >= 15


@pytest.fixture(scope="module")
def results(study):
    small = study.model_copy(
        update={
            "permutations": 199,
            "controls": study.controls.model_copy(update={"pairs_per_distance": 12}),
            "robustness": study.robustness.model_copy(update={"enabled": False}),
        }
    )
    return analyze(small)


def test_lessons_array_is_there(results):
    data = results.dataset
    assert data.mean_mutual_information.dims == ("estimator", "branch", "layer")
    assert (data.sizes["branch"], data.sizes["layer"], data.sizes["pair"]) == (2, 3, 21)
    assert bool(data.kendall_tau.notnull().all())


def test_vectors_are_those_of_the_output_projections(results, tiny_gpt2_folder, study):
    """Against transformers with plain hooks."""
    import torch
    import transformers

    model = transformers.AutoModel.from_pretrained(tiny_gpt2_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_gpt2_folder)
    seen = {}
    for layer, block in enumerate(model.h):
        for branch, module in (("attention", block.attn.c_proj), ("mlp", block.mlp.c_proj)):
            module.register_forward_hook(lambda _, __, output, key=(branch, layer): seen.__setitem__(key, output[0]))
    with torch.no_grad():
        model(**tokenizer(study.text, return_tensors="pt"))
    position = results.dataset.token_position.values.tolist()
    for (branch, layer), output in seen.items():
        expected = output[position].numpy()
        found = results.dataset.activation.sel(branch=branch).isel(layer=layer).values
        assert abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("code", ["vi", "en"])
def test_report_of_it(results, report_of, sentences_in, languages, code, tiny_gpt2_folder):
    report = report_of(results, code)
    for row in results.study["conclusions"]:
        found = sentences_in(report.text, f"finding.{row['name']}", languages[code])
        assert any(key.split(".")[2] == row["verdict"] for key in found)
    assert tiny_gpt2_folder.name in report.text
    assert str(tiny_gpt2_folder.parent) not in report.html
    assert report.html.count("<mark ") == 7
