"""What is said of thresholds, of the model, of its text, and of a nat."""

import copy

import pytest

from analyses.mi_distance import analysis
from analyses.mi_distance.facts.description import nat, thresholds
from analyses.mi_distance.settings import HypothesisSettings
from analyses.occurrences.facts.description import model_facts, reproduction, text_segments, token_count
from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)


def study(**hypotheses):
    return {"settings": {"hypotheses": HypothesisSettings(**hypotheses).model_dump(mode="json")}}


def written(fact, code):
    return LANGUAGES[code].text(fact["key"], **fact["values"]).replace("\u00a0", " ")


def test_untouched_thresholds_are_the_courses():
    fact = thresholds(study())
    assert fact == {"key": "thresholds.defaults", "values": {}, "changed": False}
    assert written(fact, "en") == "The rules of their verdicts use the course’s default thresholds."
    # Thresholds given as they are by default anyway are no change.
    assert not thresholds(study(tau_range=(-0.65, -0.35), deep_from=2 / 3))["changed"]


def test_every_changed_threshold_is_named_with_what_it_was_set_to():
    fact = thresholds(study(deep_from=0.75, tau_range=(-0.6, -0.325)))
    assert written(fact, "en").endswith("defaults: deep_from = 0.75 and tau_range = [−0.600, −0.325].")
    assert written(fact, "vi").endswith("khoá học: deep_from = 0,75 và tau_range = [−0,600; −0,325].")


@pytest.mark.parametrize("name", HypothesisSettings.model_fields)
def test_no_threshold_is_forgotten(name):
    given = study()
    value = given["settings"]["hypotheses"][name]
    given["settings"]["hypotheses"][name] = [end + 0.01 for end in value] if isinstance(value, list) else value + 0.01
    for code in LANGUAGES:
        assert name in written(thresholds(given), code)


def test_a_nat_is_explained_by_the_correlation_that_has_it():
    # Solved from -ln(1 - r^2) / 2 = 0.1: the table of Cover & Thomas's formula gives .1 between r = .42 (.0971) and r = .43 (.1022).
    found = nat()
    assert found["nats"]["value"] == 0.1
    assert found["correlation"]["value"] == pytest.approx(0.42575, abs=5e-5)


def provenance(**model):
    return {"provenance": {"model": {"source": "embedded", "name": "Owner/Model-1B"} | model}}


def test_a_model_is_called_by_its_name_and_a_file_is_no_model():
    named, ready = model_facts(provenance()), model_facts({"provenance": {"model": {"source": "ready activations", "file": "as.npz"}}})
    language = LANGUAGES["vi"]
    assert language.format(named["called"]) == "mô hình Model-1B"
    assert LANGUAGES["en"].format(named["called"]) == "Model-1B"
    for code in LANGUAGES:
        assert "as.npz" not in LANGUAGES[code].format(ready["called"])
    assert ready["label"] == "as.npz"


@pytest.mark.parametrize(
    ("quantisation", "stored"),
    [
        ("GGUF Q4_1, dequantised to float32", {"format": "GGUF Q4_1", "bits": 4, "most_bits": 4}),
        ("GGUF Q8_0, dequantised to float32", {"format": "GGUF Q8_0", "bits": 8, "most_bits": 8}),
        ("GGUF Q4_K, Q6_K, F32, dequantised to float32", {"format": "GGUF Q4_K, Q6_K, F32", "bits": 4, "most_bits": 6}),
        ("GGUF IQ3_S, dequantised to float32", {"format": "GGUF IQ3_S", "bits": 3, "most_bits": 3}),
        ("GGUF MXFP4, Q8_0, dequantised to float32", {"format": "GGUF MXFP4, Q8_0", "bits": 4, "most_bits": 8}),
        # Published weights come in these.
        ("GGUF F16, F32, dequantised to float32", None),
        ("GGUF BF16, dequantised to float32", None),
        (None, None),
    ],
)
def test_precision_of_the_stored_weights(quantisation, stored):
    assert model_facts(provenance(quantisation=quantisation))["stored"] == stored


def test_the_embedded_models_own_words_are_understood():
    from analyses.models.embedded import GEMMA, QUANTISATION

    assert model_facts(provenance(quantisation=QUANTISATION))["stored"]["bits"] == 4
    stored = model_facts(provenance(quantisation=GEMMA.quantisation))["stored"]
    assert (stored["format"], stored["bits"], stored["most_bits"]) == ("GGUF Q4_K_M (Q4_K, Q5_0, Q6_K, Q8_0)", 4, 8)


@pytest.mark.parametrize(("bits", "digits"), [(2.4231, 2), (None, None)])
def test_bits_per_byte_where_there_are_any(bits, digits):
    found = model_facts(provenance(bits_per_byte=bits))["bits_per_byte"]
    assert found is None if bits is None else (found["value"], found["digits"]) == (bits, digits)


def text_study(language=None):
    text = "cà phê và cà phê"
    pieces = [("c", 0, 1), ("à", 1, 2), (" phê", 2, 6), (" và", 6, 9), (" cà", 9, 12), (" phê", 12, 16)]
    return {
        "settings": {"document": {"text_language": language}},
        "text": {
            "text": text,
            "tokens": ["<s>", *(piece for piece, _, _ in pieces)],
            "offsets": [[0, 0], *([start, end] for _, start, end in pieces)],
            "occurrences": [{"start": 0, "end": 6, "tokens": [1, 2, 3]}, {"start": 10, "end": 16, "tokens": [5, 6]}],
        },
    }


def test_tokens_to_a_word_leave_special_tokens_out():
    found = text_segments(text_study())
    # Six tokens stand for five words between spaces and sixteen characters; the seventh stands for nothing.
    assert found["mean_tokens_per_word"]["value"] == pytest.approx(6 / 5)
    assert found["characters_per_token"]["value"] == pytest.approx(16 / 6)


@pytest.mark.parametrize("text", ["ดื่มกาแฟ กาแฟ", "喝咖啡 咖啡", "コーヒー を飲む", "ກາເຟ ກາເຟ", "កាហ្វេ កាហ្វេ", "ကော်ဖီ ကော်ဖီ"])
def test_there_are_no_words_between_spaces_where_a_script_sets_none(text):
    study = text_study()
    study["text"]["text"] = text
    assert text_segments(study)["mean_tokens_per_word"] is None


@pytest.mark.parametrize(("language", "syllables"), [(None, False), ("en", False), ("vi", True), ("vi-VN", True)])
def test_spaces_part_syllables_in_vietnamese(language, syllables):
    assert text_segments(text_study(language))["syllables"] is syllables


def test_tokens_of_a_prefix_are_not_the_texts():
    plain, behind = text_study(), text_study()
    behind["text"] |= {"tokens": ["A", " b.", *plain["text"]["tokens"]], "offsets": [[-5, -3], [-3, 0], *plain["text"]["offsets"]]}
    for occurrence in behind["text"]["occurrences"]:
        occurrence["tokens"] = [token + 2 for token in occurrence["tokens"]]
    behind["text"]["prefix_tokens"] = 2
    measures = ("mean_tokens_per_word", "characters_per_token")
    assert [text_segments(behind)[name] for name in measures] == [text_segments(plain)[name] for name in measures]
    assert token_count(behind) == token_count(plain) == 7


def test_a_bundle_without_offsets_has_no_such_measures():
    old = copy.deepcopy(text_study())
    del old["text"]["offsets"]
    assert text_segments(old)["mean_tokens_per_word"] is None


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        ({"name": "tiny.gguf", "converted_from_sha256": "ab"}, ["model.safetensors", "tiny.gguf"]),
        ({"name": "google/gemma-3-270m", "converted_from_sha256": "ab"}, ["google/gemma-3-270m, GGUF", "model.safetensors"]),
        ({"name": "owner/plain"}, ["model.safetensors"]),
    ],
)
def test_the_file_that_weights_were_converted_from_is_listed_beside_them(model, rows):
    study = provenance(sha256={"model.safetensors": "cd"}, **model)
    study["provenance"]["versions"] = {}
    found = reproduction(study | {"settings": {"seed": 20}})["made_with"]
    assert {row["name"]: row["version"] for row in found} == {name: "cd" if name == "model.safetensors" else "ab" for name in rows}
