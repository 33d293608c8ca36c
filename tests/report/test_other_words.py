"""Studies of words other than "coffee": what ships, and that the report speaks of the word it was asked about."""

import re
import unicodedata

import numpy as np
import pytest

from analyses.errors import InputError
from analyses.mi_distance import analysis
from analyses.mi_distance.verification import recomputed
from analyses.models.embedded import embedded_folder
from analyses.progress import SilentProgress
from analyses.words import find_occurrences
from reportgen.documents import Assets, build_document, load_languages, render_html
from reportgen.settings import load_study, option_overrides, study_name

WORDS = {"ca-phe": "cà phê", "river": "river"}


@pytest.mark.parametrize(("name", "word"), WORDS.items())
def test_the_built_in_text_has_near_and_far_occurrences(name, word):
    from tokenizers import Tokenizer

    found, settings = load_study(name, environment={})
    assert (found.name, settings.word) == ("mi_distance", word)
    assert settings.text == unicodedata.normalize("NFC", settings.text)
    assert 100 <= len(settings.text.split()) <= 150
    offsets = Tokenizer.from_file(str(embedded_folder() / "tokenizer.json")).encode(settings.text).offsets
    occurrences = find_occurrences(settings.text, word, offsets)
    assert len(occurrences) >= 7
    assert all(settings.text[each.start : each.end].lower() == word for each in occurrences)
    pieces = {len(each.tokens) for each in occurrences}
    assert min(pieces) > 1 if name == "ca-phe" else pieces == {1}
    positions = [each.tokens[-1] for each in occurrences]
    distances = [later - earlier for index, earlier in enumerate(positions) for later in positions[index + 1 :]]
    assert min(distances) < 20
    assert max(distances) > 100


def test_another_text_is_not_said_to_be_in_the_first_one_s_language(tmp_path):
    (tmp_path / "other.txt").write_text("Cà phê rồi lại cà phê.", encoding="utf-8")
    assert load_study("coffee", environment={})[1].document.text_language == "en"
    other = option_overrides(text=tmp_path / "other.txt")
    assert load_study("coffee", other, {})[1].document.text_language is None
    assert load_study("coffee", other, {"REPORTGEN_DOCUMENT__TEXT_LANGUAGE": "vi"})[1].document.text_language == "vi"


def test_a_language_is_given_by_its_code(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("name: mine\nword: tea\ntext: Tea and tea.\ndocument:\n  text_language: English\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 5: document\.text_language: expected the code of a language such as en, vi or pt-BR"):
        load_study(study, environment={})


@pytest.fixture(scope="module", params=WORDS)
def study(request, tiny_gpt2):
    """A built-in study computed on a model of three layers with GPT-2's real tokenizer: its settings, its results."""
    _, settings = load_study(request.param, environment={})
    robustness = settings.robustness.model_copy(update={"simulations": 100})
    # That model takes 256 tokens, and GPT-2's tokenizer needs about four for a Vietnamese syllable.
    beginning = " ".join(settings.text.split()[:60])
    small = settings.model_copy(update={"text": beginning, "model": tiny_gpt2, "robustness": robustness, "permutations": 99})
    return settings, analysis.run(small, SilentProgress())


@pytest.fixture(scope="module")
def documents(study):
    """Its report in each language."""
    settings, results = study
    facts, figures, tables, assets = analysis.facts(results), analysis.figures(results), analysis.tables(results), Assets.of(analysis)
    languages = load_languages(*assets.directories, analysis=analysis.templates)
    return settings, {
        code: build_document(analysis.templates, facts, figures, tables, [languages[code]], assets=assets) for code in ("vi", "en")
    }


def test_its_numbers_follow_from_its_vectors(study):
    """All layers and specifications, also of the words' two representations, by the slow route."""
    _, results = study
    found = recomputed(results, SilentProgress())
    numbers = {str(name) for name, variable in results.dataset.data_vars.items() if variable.dtype.kind in "iuf"}
    drawn = {"calibration_linear", "calibration_mean", "calibration_spread", "simulated_data_sets", "type_one_error"}
    assert numbers - set(found) - set(results.activations.variables) == drawn
    for name, (held, anew) in found.items():
        np.testing.assert_allclose(anew, held, rtol=0, atol=1e-9, err_msg=name)


def test_titles_and_prose_follow_the_word(documents):
    settings, by_code = documents
    word = settings.word
    for code, document in by_code.items():
        assert f"“{word}”" in document.title[code]
        assert word in document.running_title[code]
        page = render_html(document)
        assert page.count(word) > 7
        assert f'<blockquote class="study-text" dir="auto" lang="{settings.document.text_language}">' in page
        # The lesson's own word has nothing to do in a report on another one.
        visible = re.sub(r"<(style|script).*?</\1>|data:[^\"]*|<[^>]*>", " ", page, flags=re.DOTALL)
        assert "coffee" not in visible.lower()


@pytest.mark.parametrize(("words", "name"), [("phở bò", "pho-bo"), ("Đường", "Duong"), ("茶", "study"), ("tea.2", "tea.2"), ("-x-", "x")])
def test_a_study_is_named_as_closely_as_ascii_allows(words, name):
    assert study_name(words) == name
