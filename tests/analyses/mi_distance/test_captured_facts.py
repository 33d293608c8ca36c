"""What is said of the word's places, the layers, third contributions and ties is what was found, in both languages.

The facts are made by the code that finds them (`look_for`, `without_silent_layers`, `share_of_ties`), and the sentences are compared
with words and numbers written down here.
"""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from analyses.mi_distance import analysis
from analyses.mi_distance.study import analyse
from analyses.occurrences.facts.captured import MANY_TIES, NEAR, REASONS, captured_facts, layers_captured
from analyses.occurrences.left_out import without_silent_layers
from analyses.occurrences.vectors import from_arrays, from_file
from analyses.progress import SilentProgress
from analyses.words import look_for
from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)
NOTHING = xr.Dataset()


def said(fact, code):
    return LANGUAGES[code].text(fact["key"], **fact["values"]).replace("\u00a0", " ")


def spans_of(text):
    """A tokenizer that cuts at spaces, the space in front of its word."""
    ends = [place for place, sign in enumerate(text) if sign == " "] + [len(text)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def study_of(text, word, *, offsets=None, unknown=(), model=None, **options):
    offsets = spans_of(text) if offsets is None else offsets
    found = look_for(text, word, offsets, unknown=unknown, **options)
    settings = {"word": word, "except_in": list(options.get("except_in", ()))}
    of_text = {"text": text, "offsets": offsets, "prefix_tokens": 0, "word": found.to_dict()}
    return {"settings": settings, "text": of_text, "provenance": {"model": model or {}}, "layers": 6}


def word_sentences(study, code):
    return [said(fact, code) for fact in captured_facts(NOTHING, study)["word"]]


def test_nothing_is_said_of_a_word_that_is_spelled_as_it_was_asked_for():
    study = study_of("A tea, then tea and tea", "tea")
    assert captured_facts(NOTHING, study)["word"] == []


def test_spellings_are_listed_with_their_counts():
    study = study_of("Some Tea, then tea and TEA or tea", "tea")
    assert word_sentences(study, "en") == ["Counted as the word are “Tea” (once), “tea” (2 times), and “TEA” (once)."]
    assert word_sentences(study, "vi") == ["Những dạng viết sau được tính là từ này: “Tea” (1 lần), “tea” (2 lần) và “TEA” (1 lần)."]


@pytest.mark.parametrize(
    ("reason", "text", "options", "english", "vietnamese"),
    [
        ("first_token", "tea and tea, tea", {}, "once at the first token of the text", "1 lần ở token đầu tiên của văn bản"),
        (
            "address",
            "A tea tea http://x.org/tea http://y.org/tea",
            {},
            "2 times in an address",
            "2 lần trong một địa chỉ mạng hoặc thư điện tử",
        ),
        (
            "excluded",
            "A tea tea or tea trees",
            {"except_in": ("tea trees",)},
            "once in an expression that the settings exclude (“tea trees”)",
            "1 lần trong cụm từ mà thiết lập đã loại ra (“tea trees”)",
        ),
        (
            "wider_token",
            "A tea tea or tea-bag",
            {},
            "once in a token that holds more than the word",
            "1 lần trong một token chứa nhiều hơn",
        ),
        (
            "unknown_token",
            "A tea tea or tea",
            {"unknown": (4,)},
            "once where the tokenizer knows no token for it",
            "1 lần ở chỗ bộ tách token không có token tương ứng",
        ),
    ],
)
def test_places_that_do_not_count_are_counted_with_their_reason(reason, text, options, english, vietnamese):
    study = study_of(text, "tea", **options)
    assert {place["reason"] for place in study["text"]["word"]["left_out"]} == {reason}
    for code, words in (("en", english), ("vi", vietnamese)):
        sentence = word_sentences(study, code)[0]
        assert words in sentence
        several = {"en": "those places do not count", "vi": "những chỗ đó không được tính"}[code]
        assert (several in sentence) is (len(study["text"]["word"]["left_out"]) > 1)


def test_every_reason_and_every_near_miss_has_its_words():
    left_out = [{"start": 0, "end": 1, "reason": reason} for reason in REASONS]
    study = study_of("A tea tea", "tea")
    study["text"]["word"] |= {"left_out": left_out, "near": dict.fromkeys(NEAR, 3)}
    for code, once, times in (("en", "once", "3 times"), ("vi", "1 lần", "3 lần")):
        places, near = word_sentences(study, code)
        assert places.count(once) == len(REASONS)
        assert near.count(times) == len(NEAR)
    # No other reason or kind can come from the search.
    from analyses import words

    assert set(REASONS) == set(words._REASONS)


def test_what_the_settings_do_not_count_is_said():
    study = study_of("A tea tea, many teas and Tea or steamer", "tea", case_sensitive=True)
    english, vietnamese = (word_sentences(study, code)[-1] for code in ("en", "vi"))
    assert english.startswith("Not counted under the settings of this study: the word in another case (once)")
    assert "its plural (once)" in english
    assert "từ này khi chỉ là một phần của từ dài hơn (1 lần)" in vietnamese


def test_what_stands_at_the_first_place():
    text = "A tea and tea"
    of_text = study_of(text, "tea")
    special = study_of(text, "tea", offsets=[(0, 0), *spans_of(text)])
    prefixed = study_of(text, "tea")
    prefixed["text"]["prefix_tokens"] = 4
    found = [captured_facts(NOTHING, study)["first_token"] for study in (of_text, special, prefixed)]
    assert found == ["of_text", "special", None]
    ready = {"settings": {"word": "tea"}, "text": None, "provenance": {"model": {}}, "layers": 6}
    assert not captured_facts(NOTHING, ready)["of_text"]


@given(counts=st.lists(st.sampled_from(REASONS), max_size=9), near=st.dictionaries(st.sampled_from(NEAR), st.integers(1, 30)))
@hypothesis_settings(max_examples=60, deadline=None)
def test_the_numbers_of_a_sentence_are_the_counts(counts, near):
    study = study_of("A tea tea", "tea")
    study["text"]["word"] |= {"left_out": [{"start": 0, "end": 1, "reason": reason} for reason in counts], "near": near}
    sentences = word_sentences(study, "vi")
    numbers = [int(part) for sentence in sentences for part in sentence.replace("(", " ").split() if part.isdigit()]
    expected = [counts.count(reason) for reason in REASONS if reason in counts] + [near[kind] for kind in NEAR if kind in near]
    assert numbers == expected


# Layers


def of_layers(found):
    return {
        "provenance": found.provenance,
        "layers": found.activation.shape[1],
        "layer_numbers": None,
        "text": None,
        "settings": {"word": "tea"},
    }


def test_layers_without_attention_are_counted_and_named(make_input):
    model = {"layers_of_model": 12, "layer_numbers": [4, 8, 12]}
    found = without_silent_layers(replace(make_input(occurrences=5, layers=3), provenance={"model": model}))
    study = of_layers(found) | {"layers_of_model": 12}
    (fact,) = captured_facts(NOTHING, study)["layers"]
    assert said(fact, "en") == (
        "Of these 12 layers 9 have no attention and are left out: 1–3, 5–7, and 9–11. The others keep their numbers."
    )
    assert said(fact, "vi").startswith("Trong 12 tầng này, 9 tầng không có nhánh chú ý nên không được xét: 1–3, 5–7 và 9–11.")


@pytest.mark.parametrize("branch", [0, 1])
@pytest.mark.parametrize("dead", [[2], [2, 4]])
def test_dead_layers_are_named_with_their_branch(make_input, branch, dead):
    names = {"en": ("the attention branch", "the MLP branch"), "vi": ("nhánh chú ý", "nhánh MLP")}
    found = make_input(occurrences=5, layers=6)
    activation = found.activation.copy()
    activation[branch, dead] = 0
    (fact,) = captured_facts(NOTHING, of_layers(without_silent_layers(replace(found, activation=activation))))["layers"]
    numbers = {
        "en": ["Layer 3 is left out", "Layers 3 and 5 are left out"],
        "vi": ["Tầng 3 không được xét", "Các tầng 3 và 5 không được xét"],
    }
    for code in ("en", "vi"):
        assert said(fact, code).startswith(numbers[code][len(dead) - 1])
        assert names[code][branch] in said(fact, code)


def test_layers_that_a_file_lacks(make_input, tmp_path):
    found = make_input(occurrences=5, layers=3)
    arrays = {"activation": found.activation, "token_position": found.token_position, "layer_number": [1, 2, 6]}
    np.savez(tmp_path / "vectors.npz", layers_of_model=np.int64(7), **arrays)
    study = of_layers(without_silent_layers(from_file(tmp_path / "vectors.npz", "tea"))) | {"layers_of_model": 7}
    (fact,) = captured_facts(NOTHING, study)["layers"]
    assert said(fact, "en") == "Of the model’s 7 layers the file lacks 4: 3–5 and 7. The others keep their numbers."


def test_the_layers_of_a_file_are_counted_with_those_that_say_nothing(make_input):
    found = make_input(occurrences=5, layers=6)
    activation = found.activation.copy()
    activation[0, [1, 4]] = 0
    assert layers_captured(of_layers(without_silent_layers(replace(found, activation=activation)))) == 6
    assert layers_captured(of_layers(found)) == 6


def test_nothing_is_said_where_all_layers_are_studied(make_input):
    assert captured_facts(NOTHING, of_layers(make_input(occurrences=5, layers=3)))["layers"] == []


def test_bands_figures_and_tables_have_the_models_numbers(make_input, small_settings):
    numbers = [4, 8, 12, 16, 20, 24]
    model = {"source": "hub", "name": "owner/hybrid", "layers_of_model": 24, "layer_numbers": numbers}
    found = without_silent_layers(replace(make_input(occurrences=6, layers=6), provenance={"model": model}))
    results = analyse(found, small_settings.model_copy(update={"detail_layer": None}), SilentProgress())
    # The first third of 24 layers ends with layer 8, the last begins behind layer 16; layer 3 is not there, the next one is.
    assert results.study["bands"] == {"early": [4, 8], "deep": [20, 24], "separated": [8, 12, 16, 20, 24]}
    assert results.study["detail_layer"] == 4
    assert results.dataset.layer.to_numpy().tolist() == [number - 1 for number in numbers]
    tables = analysis.tables(results)
    assert sorted(set(tables["layers"]["layer"])) == sorted(set(tables["pairs"]["layer"])) == numbers
    assert tables["linear"].groupby("depth")["last_layer"].first().to_dict() == {"all": 24, "deep": 24, "early": 8, "middle": 16}
    for figure in analysis.figures(results):
        if "layer" in figure.data:
            assert set(figure.data["layer"]) <= set(numbers), figure.id
    assert analysis.facts(results)["size"] | {"layers": 6, "layers_of_model": 24} == analysis.facts(results)["size"]


# Third contributions, and where the branches are read


def test_a_third_contribution_is_named_with_its_share():
    study = {"settings": {"word": "tea"}, "text": None, "layers": 6}
    one = captured_facts(NOTHING, study | {"provenance": {"model": {"other_contributions": {"mamba": 0.343}}}})["others"]
    assert said(one, "en").endswith(
        "a third contribution to the residual stream, which is not studied: “mamba” (in length up to 34% of all that a layer adds)."
    )
    two = captured_facts(NOTHING, study | {"provenance": {"model": {"other_contributions": {"mamba": 0.3, "conv": 1.2}}}})["others"]
    assert "“mamba” (độ dài tới 30%" in said(two, "vi")
    assert "“conv” (độ dài tới 120%" in said(two, "vi")
    assert captured_facts(NOTHING, study | {"provenance": {"model": {"other_contributions": {}}}})["others"] is None


# Ties


def test_ties_are_said_where_they_are_many(make_input, small_settings):
    found = make_input(occurrences=5, layers=4)
    plain = analyse(found, small_settings, SilentProgress())
    assert float(plain.dataset["share_of_ties"].max()) < MANY_TIES
    assert captured_facts(plain.dataset, plain.study)["ties"] is None
    activation = found.activation.copy()
    # A quarter of the dimensions of one branch and layer is zero.
    activation[1, 2, :, :15] = 0
    tied = analyse(
        from_arrays({"activation": activation, "token_position": found.token_position}, "x", None, found.provenance),
        small_settings,
        SilentProgress(),
    )
    fact = captured_facts(tied.dataset, tied.study)["ties"]
    assert "up to 25% of the values of a vector" in said(fact, "en")
    assert "(the MLP branch, layer 3;" in said(fact, "en")
    assert "(nhánh MLP, tầng 3;" in said(fact, "vi")


def test_every_sentence_is_in_every_language():
    english, vietnamese = ({key for key in LANGUAGES[code].catalogue if key.startswith("captured.")} for code in ("en", "vi"))
    assert english == vietnamese
