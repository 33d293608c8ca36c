"""What no report may say: that anything was fixed before the data, where ready vectors come from, what a study would have needed."""

import itertools
import re
from dataclasses import replace

import pytest

from analyses.mi_distance import analysis
from reportgen.documents import Assets

# A program that anyone may run again with other settings cannot know what was fixed when, and no power is computed after the fact.
NEVER = {
    "en": r"beforehand|before any number|before the data|would be needed|at home|median layer|nats a layer|ordinal|twice over",
    "vi": r"từ trước khi|định từ trước|ra từ trước|xem đến|tầng trung vị|biến thứ bậc|dòng dư|hạt giống \d",
}


def sources(code):
    for folder in Assets.of(analysis).directories:
        yield from (folder / analysis.templates / code).glob("*.j2")
        yield from (folder / analysis.templates / "languages" / code).glob("*.po")
        yield from (folder / "languages" / code).glob("*.po")


@pytest.mark.parametrize("code", NEVER)
def test_no_template_and_no_sentence_says_it(code):
    found = [
        (path.name, match.group())
        for path in sources(code)
        if path.name != "report.po"
        for match in re.finditer(NEVER[code], path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("code", ["vi", "en"])
def test_ready_activations_are_given_no_model_and_no_origin(plant, planted_study, report_of, words_of, code):
    report = report_of(planted_study(plant([0.3, 0.4, 0.5], [0.6, 0.5, 0.4])), code)
    assert "planted.npz" not in "".join([*report.document.title.values(), *report.document.subtitle.values()])
    said = [section.id for section in report.document.sections if "planted.npz" in words_of("".join(
        str(item.html[code]) for item in section.items if item.kind == "text"))]  # fmt: skip
    assert said == []
    assert report.text.count("planted.npz") == 1  # the methods name the file that was read
    front = words_of("".join(str(item.html[code]) for item in report.document.front if item.kind == "text"))
    assert "planted.npz" not in front
    claim = {"en": "before either is normalised", "vi": "trước khi chuẩn hoá"}[code]
    assert claim not in report.text


@pytest.mark.parametrize("code", ["vi", "en"])
def test_thresholds_are_the_courses_or_named(plant, planted_study, report_of, languages, code):
    vectors = plant([0.3, 0.4, 0.5], [0.6, 0.5, 0.4])
    default = languages[code].text("thresholds.defaults")
    assert default in report_of(planted_study(vectors), code).text
    changed = report_of(planted_study(vectors, same_tau_margin=0.2), code).text
    assert default not in changed
    assert {"en": "same_tau_margin\u00a0=\u00a00.2", "vi": "same_tau_margin\u00a0=\u00a00,2"}[code] in changed


@pytest.mark.parametrize("code", ["vi", "en"])
def test_methods_of_the_built_in_study(coffee, coffee_reports, code):
    text = coffee_reports[code].text
    bits = coffee.study["provenance"]["model"]["bits_per_byte"]
    written = f"{bits:.2f}".replace(".", "," if code == "vi" else ".")
    said = {"en": f"The model needs {written} bits for each byte", "vi": f"Mô hình cần {written} bit cho mỗi byte"}
    assert said[code] in text
    # English prose of a model that knows English: between one and two bits a byte.
    assert 0.8 < bits < 2
    assert {"en": "4-bit format GGUF Q4_1", "vi": "định dạng 4 bit GGUF Q4_1"}[code] in text
    assert {"en": "0.1 nat is the MI of a Gaussian pair with a correlation of .43", "vi": "có hệ số tương quan 0,43"}[code] in text
    assert {"en": "The intervals speak of this text.", "vi": "Các khoảng tin cậy chỉ nói về văn bản này."}[code] in text
    assert {"en": "autocorrelated in position", "vi": "tự tương quan theo vị trí"}[code] in text


@pytest.mark.parametrize("code", ["vi", "en"])
def test_the_share_of_bias_is_one_statistic(coffee, coffee_reports, code):
    """The text's share, and the figure's alternative's, are the mean of the layers' shares."""
    means = coffee.data.mean_mutual_information
    (figure,) = [item for item in coffee_reports[code].document.items() if item.kind == "figure" and item.id == "estimator_comparison"]
    for branch in ("attention", "mlp"):
        plug_in, corrected = (means.sel(branch=branch, estimator=name) for name in ("histogram", "corrected"))
        share = f"{100 * float((1 - corrected / plug_in).mean()):.0f}%"
        assert share in figure.alt[code]
        assert share in coffee_reports[code].text


@pytest.mark.parametrize("code", ["vi", "en"])
def test_no_words_are_doubled_and_no_paragraph_says_a_sentence_twice(coffee_reports, plant, planted_study, report_of, words_of, code):
    vectors = replace(plant([0.3, 0.4, 0.5], [0.6, 0.5, 0.4]), provenance={"model": {"source": "hub", "name": "owner/plain"}})
    for report in (coffee_reports[code], report_of(planted_study(vectors), code)):
        paragraphs = [words_of(each) for each in re.findall(r"<(?:p|li)\b[^>]*>(.*?)</(?:p|li)>", report.html, re.DOTALL)]
        # One word may be doubled in Vietnamese (xa xa); two are not.
        assert [found[0] for each in paragraphs for found in re.finditer(r"\b([^\W\d]+ [^\W\d]+) \1\b", each)] == []
        for each in paragraphs:
            starts = [tuple(words.split()[:4]) for words in re.split(r"(?<=[.!?])\s+(?=[^\W\d_a-z])", each) if len(words.split()) > 6]
            assert [one for one, other in itertools.pairwise(starts) if one == other] == [], each
            sentences = [sentence for sentence in re.split(r"(?<=[.!?])\s+(?=[^\W\d_a-z])", each) if len(sentence) > 40]
            assert len(sentences) == len(set(sentences)), each
