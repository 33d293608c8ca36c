"""The abstract: one or two sentences for every combination of verdicts, with subject and verb, without counts of zero and codes."""

import itertools
import re

import pytest

from analyses.mi_distance import analysis
from analyses.mi_distance.facts.answers import abstract_sentences
from analyses.statistics.verdicts import VERDICTS
from analyses.value_specs import key
from reportgen.documents import Assets, load_languages

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)
NAMES = ("early_layers", "deep_layers", "negative_tau", "tau_separation", "constant_shift")
COMBINATIONS = list(itertools.product(VERDICTS, repeat=len(NAMES)))
PARTS = {"negative_tau": ("mean_tau", "tau_half")}
SELDOM = {form: key(f"minority.{form}", count=21, total=180) for form in ("clause", "short", "sentence")}
VERB = {
    "vi": re.compile(r"^(Dữ liệu (ủng hộ|trái với|chưa đủ để kết luận|không cho phép kiểm định)|Với dữ liệu này, không )"),
    "en": re.compile(r"^(The data (support|contradict|settle|do not settle|allow|do not allow) )"),
}


def statements(verdicts, seldom=()):
    return [
        {
            "name": name,
            "verdict": verdict,
            "control": "different_word",
            "minority": SELDOM if name in seldom else None,
            "parts": [{"measure": measure, "verdict": verdict} for measure in PARTS.get(name, ())],
        }
        for name, verdict in zip(NAMES, verdicts, strict=True)
    ]


def claimed(language, name, control="different_word"):
    return language.format(key(name, quantity=key(f"quantity.short.{control}")))


@pytest.mark.parametrize("code", ["vi", "en"])
def test_every_combination_of_verdicts_is_prose(code):
    language = LANGUAGES[code]
    claims = {name: claimed(language, f"statement.{name}.claim") for name in NAMES}
    assert len(COMBINATIONS) == 4**5
    for verdicts in COMBINATIONS:
        written = [language.format(each) for each in abstract_sentences(statements(verdicts))]
        # With the question, the design, the order of the branches and the caution it is six sentences at the most.
        assert 1 <= len(written) <= 2
        text = " ".join(written)
        for sentence in written:
            assert VERB[code].search(sentence), sentence
            assert sentence.endswith(".")
            assert sentence.count(".") == 1 + sentence.count("−.5"), sentence
        assert not re.search(r"\b0\b(?!,)|[✓✗]|%\(|;|  |not_testable|: \.", text), text
        if len(set(verdicts)) > 1:
            # Each statement once, in the sentence of its own verdict.
            assert all(text.count(claim) == 1 for claim in claims.values()), text


@pytest.mark.parametrize("code", ["vi", "en"])
def test_a_claim_stands_with_its_own_verdict(code):
    language = LANGUAGES[code]
    decided = {"vi": ("ủng hộ nhận định", "trái với nhận định"), "en": ("support the view", "contradict the view")}[code]
    for verdicts in COMBINATIONS:
        if not {"supported", "contradicted"} <= set(verdicts):
            continue
        sentence = language.format(abstract_sentences(statements(verdicts))[0])
        before, after = sentence.split(decided[1])
        assert decided[0] in before
        for name, verdict in zip(NAMES, verdicts, strict=True):
            claim = claimed(language, f"statement.{name}.claim")
            assert (claim in before) == (verdict == "supported")
            assert (claim in after) == (verdict == "contradicted")


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("half", ["contradicted", "inconclusive", "not_testable"])
def test_a_negative_tau_that_is_shown_is_said_although_its_size_is_not(code, half):
    language = LANGUAGES[code]
    rows = statements(["supported", "inconclusive", half, "inconclusive", "contradicted"])
    rows[2]["parts"][0]["verdict"] = "supported"
    sentences = [language.format(each) for each in abstract_sentences(rows)]
    whole, sign, size = (claimed(language, name) for name in ("statement.negative_tau.claim", "claim.mean_tau", "claim.tau_half"))
    assert whole not in " ".join(sentences)
    contradicted = {"vi": "trái với nhận định", "en": "contradict the view"}[code]
    before, after = sentences[0].split(contradicted)
    assert sign in before
    assert (size in after) == (half == "contradicted")
    assert (size in sentences[1]) == (half != "contradicted")


@pytest.mark.parametrize(("code", "clause"), [("en", "21 of 180 ways of analysis"), ("vi", "21/180 phương án phân tích")])
def test_a_verdict_of_few_ways_of_analysis_says_so_where_it_stands(code, clause):
    """Beside its own claim, in the same sentence, whatever the verdicts are; and all five alike do not hide it."""
    language = LANGUAGES[code]
    for verdicts in [*COMBINATIONS[::7], *((verdict,) * len(NAMES) for verdict in VERDICTS)]:
        for name in NAMES:
            written = [language.format(each) for each in abstract_sentences(statements(verdicts, [name]))]
            assert len(written) <= 2
            claim = claimed(language, f"statement.{name}.claim")
            assert re.search(rf"{re.escape(claim)} \([^()]*{clause}\)", " ".join(written))
            assert " ".join(written).count(clause) == 1


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("whole", ["inconclusive", "not_testable", "contradicted"])
def test_what_the_verdict_on_the_whole_hides_is_said_part_by_part(code, whole):
    """That the whole is open says nothing of a part that is shown: two parts of a statement are not open where the third is."""
    language = LANGUAGES[code]
    rows = statements(["supported", whole, "supported", "supported", "supported"])
    parts = {"deep_difference": "supported", "attention_rise": "supported", "mlp_fall": "inconclusive", "mlp_level": whole}
    rows[1]["parts"] = [{"measure": measure, "verdict": verdict} for measure, verdict in parts.items()]
    text = " ".join(language.format(each) for each in abstract_sentences(rows))
    assert claimed(language, "statement.deep_layers.claim") not in text
    assert all(text.count(claimed(language, f"claim.{measure}")) == 1 for measure in parts)
    decided = {"vi": "ủng hộ nhận định", "en": "support the view"}[code]
    after = text.index(decided)
    ends = [text.find(word, after) for word in {"vi": ("trái với", "."), "en": ("contradict", ". The", ".")}[code]]
    supported = text[after : min(end for end in ends if end > 0)]
    for measure, verdict in parts.items():
        assert (claimed(language, f"claim.{measure}") in supported) == (verdict == "supported"), supported


@pytest.mark.parametrize("code", ["vi", "en"])
def test_a_tau_is_that_of_what_the_verdict_rests_on(code):
    language = LANGUAGES[code]
    for control in ("different_word", "none"):
        rows = statements(["supported", "supported", "inconclusive", "supported", "supported"])
        rows[2] |= {"control": control}
        text = " ".join(language.format(each) for each in abstract_sentences(rows))
        assert claimed(language, "statement.negative_tau.claim", control) in text
