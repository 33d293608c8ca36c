"""`reportgen compare --html` of two pooled bundles: everything that they hold has a name in words, in every language."""

import re

import pytest

from analyses.mi_distance_pooled import analysis
from analyses.protocol import Results
from reportgen import compare
from reportgen.baseline import read_side
from reportgen.bundle import write_bundle
from reportgen.documents import Assets, load_languages
from reportgen.publish.comparison import comparison_page
from reportgen.publish.quantities import words_of

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)


def written(results, folder):
    study = {**results.study, "analysis": analysis.name}
    return write_bundle(Results(results.dataset, results.activations, study), analysis.tables, folder)


@pytest.fixture(scope="module")
def before(worlds, tmp_path_factory):
    """Words, languages and models enough that everything is there that a pooled bundle may hold, and a cell that failed."""
    results = worlds.results(worlds.holds, texts=4, models=tuple("abcde"), languages=("en", "vi"), failed=1)
    return results, written(results, tmp_path_factory.mktemp("before") / "bundle")


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_quantity_has_words(before, code):
    side = read_side(before[1])
    names = [pair.shown for pair in compare._pairs(side, side, {})]
    # Variables, verdicts, keys and columns are all there.
    assert {"cell_estimate", "verdicts: parts.low", "study.json: conclusions.after_holm", "table answers: p_holm"} <= set(names)
    assert any(name.startswith("study.json: over_models.conclusions") for name in names)
    said = {name: words_of(name, LANGUAGES[code]) for name in names}
    assert [name for name, words in said.items() if words is None] == []
    assert [words for words in said.values() if "_" in words or "%(" in words] == []
    # And those of one kind have names of their own.
    shared = [name for name, words in said.items() if list(said.values()).count(words) > 1]
    assert shared == []


def test_the_page_says_names_places_and_values_in_words(before, worlds, tmp_path):
    results, bundle = before
    dataset = results.dataset.copy(deep=True)
    dataset["cell_estimate"][0, 0, 0, 0] += 0.5
    first, *others = results.study["verdicts"]
    part, *parts = first["parts"]
    part = {**part, "low": part["low"] - 0.5, "firm": not part["firm"]}
    study = {**results.study, "verdicts": [{**first, "parts": [part, *parts]}, *others]}
    one, *rest = results.study["conclusions"]
    study["conclusions"] = [{**one, "after_holm": "inconclusive"}, *rest]
    page = comparison_page(bundle, written(Results(dataset, results.activations, study), tmp_path / "after"))
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"<(svg|style|code).*?</\1>", "", page, flags=re.DOTALL)))
    for said in (
        "Giá trị ước lượng, trong từng ô / Estimate, in each cell",
        "Đánh giá › Các vế › Cận dưới / Verdicts › Parts › Lower end",
        "Kết luận › Đánh giá sau hiệu chỉnh Holm / Conclusions › Verdict after Holm’s correction",
        "được ủng hộ / supported chưa kết luận được / inconclusive",
        "không / no có / yes",
    ):
        assert said in words
    table = words[words.index("Số liệu thay đổi") : words.index("Thiết lập khác nhau")]
    assert not re.search(r"[a-z]_[a-z]|[\[{]|\b(?:null|true|false)\b", table)
