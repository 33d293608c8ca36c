"""Results drawn at random: whatever sentence is chosen, what it literally claims must be what its numbers say, in both languages.

The claims are written down here a second time, as words and what has to be true of the numbers beside them. No sentence may hold
words whose claim is false, and a statement that is open may hold none of the words that decide.
"""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses.mi_distance import analysis
from analyses.mi_distance.bands import bands_of
from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.facts.statements import statement_facts
from analyses.mi_distance.hypotheses import Measured, judge
from analyses.mi_distance.names import CO_PRIMARY
from analyses.mi_distance.settings import HypothesisSettings
from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)
LAYERS = 30
HYPOTHESES = HypothesisSettings()
BANDS = bands_of(LAYERS, HYPOTHESES)
COUNTED = {
    "early_difference": len(BANDS.early),
    **dict.fromkeys(("deep_difference", "attention_rise", "mlp_fall"), len(BANDS.deep)),
    "mean_tau": LAYERS,
    "tau_difference": len(BANDS.separated),
    "shift_slope": LAYERS,
}
MEASURES = {**dict.fromkeys(("early_difference", "deep_difference", "attention_rise", "mlp_fall"), 0.3), "mlp_level": 0.02}
MEASURES |= {"mlp_slope_before": 0.02, "mean_tau": 0.8, "attention_tau": 0.8, "mlp_tau": 0.8, "tau_difference": 0.4, "shift_slope": 2.0}


def positive(part):
    return part["low"] > 0


def negative(part):
    return part["high"] < 0


def one_branch_above(part):
    return any(branch["wide_low"] > 0 for branch in part["branches"].values())


TAU_LOW, TAU_HIGH = HYPOTHESES.tau_range
SLOPE_LOW, SLOPE_HIGH = HYPOTHESES.shift_slope_range

# (part, words in English, words in Vietnamese) -> what both primary estimators must show for the words to be true.
CLAIMS = [
    ("early_difference", "the MLP branch has the higher", "ở nhánh MLP cao hơn ở nhánh chú ý, chênh", positive),
    ("early_difference", "it is the other way round: the attention branch has the higher", "thứ tự ngược lại", negative),
    ("deep_difference", "Attention is above the MLP:", "Nhánh chú ý cao hơn nhánh MLP:", positive),
    ("deep_difference", "The MLP, not attention, has the higher", "là nhánh MLP chứ không phải nhánh chú ý", negative),
    ("attention_rise", "Attention rises:", "Nhánh chú ý tăng:", positive),
    ("attention_rise", "Attention falls:", "Nhánh chú ý giảm:", negative),
    ("mlp_fall", "The MLP falls:", "Nhánh MLP giảm:", positive),
    ("mlp_fall", "The MLP rises:", "Nhánh MLP tăng:", negative),
    (
        "mlp_level",
        "The MLP levels off:",
        "Nhánh MLP đi ngang:",
        lambda part: (
            -part["margin"] <= part["low"]
            and part["high"] <= part["margin"]
            and part["before"]["high"] < 0
            and part["before"]["estimate"] < part["estimate"]
        ),
    ),
    (
        "mlp_level",
        "The MLP does not level off:",
        "Nhánh MLP không đi ngang:",
        lambda part: part["low"] > part["margin"] or part["high"] < -part["margin"] or part["before"]["low"] > 0,
    ),
    ("mean_tau", "The tau is negative:", "Tau âm:", negative),
    ("mean_tau", "The tau is negative:", "Tau âm:", lambda part: all(branch["high"] < 0 for branch in part["branches"].values())),
    ("mean_tau", "The tau is positive:", "Tau dương:", positive),
    ("mean_tau", "Not both branches have a negative tau:", "Không phải cả hai nhánh đều có tau âm:", one_branch_above),
    ("tau_half", "The tau is about −.5:", "Tau xấp xỉ −0,5:", lambda part: part["low"] >= TAU_LOW and part["high"] <= TAU_HIGH),
    ("tau_half", "negative but nearer to zero", "âm nhưng gần số 0 hơn", lambda part: part["low"] > TAU_HIGH and part["high"] < 0),
    ("tau_half", "farther from zero than", "xa số 0 hơn", lambda part: part["high"] < TAU_LOW),
    ("tau_difference", "lies above the MLP’s:", "cao hơn ở nhánh MLP:", positive),
    ("tau_difference", "lies below the MLP’s:", "thấp hơn ở nhánh MLP:", negative),
    (
        "tau_difference",
        "lie within .1 of each other",
        "cách nhau chưa tới 0,1",
        lambda part: max(abs(part["low"]), abs(part["high"])) < HYPOTHESES.same_tau_margin,
    ),
    (
        "shift_slope",
        "The two estimates differ only by a constant shift",
        "Hai cách ước lượng chỉ lệch nhau một hằng số:",
        lambda part: part["low"] >= SLOPE_LOW and part["high"] <= SLOPE_HIGH,
    ),
    (
        "shift_slope",
        "differ by more than a constant shift",
        "Hai cách ước lượng không chỉ lệch",
        lambda part: part["low"] > SLOPE_HIGH or part["high"] < SLOPE_LOW,
    ),
]


@st.composite
def measured(draw):
    """Estimates with intervals and counts, as any data might give them."""
    estimate, low, high = {}, {}, {}
    for name, scale in MEASURES.items():
        centre = np.array(draw(st.lists(st.floats(-scale, scale), min_size=3, max_size=3)))
        # Often close together, so that the primary estimators agree.
        if draw(st.booleans()):
            centre = centre[:1] + centre * 0.05
        half = scale * np.array(draw(st.lists(st.floats(0.001, 0.9), min_size=3, max_size=3)))
        estimate[name], low[name], high[name] = centre, centre - half, centre + half
    estimate["shift_slope"][2] = low["shift_slope"][2] = high["shift_slope"][2] = np.nan
    counts = st.one_of(st.just(0), st.just(1), st.integers(0, LAYERS))
    agreeing = {name: (np.minimum([draw(counts) for _ in range(3)], total), total) for name, total in COUNTED.items()}
    wider = {name: draw(st.floats(1.0, 2.0)) * (high[name] - estimate[name]) for name in estimate}
    firm_low, firm_high = ({name: estimate[name] + sign * wider[name] for name in estimate} for sign in (-1, 1))
    return Measured(estimate, low, high, firm_low, firm_high, agreeing, len(BANDS.deep))


def study_of(primary, plain):
    verdicts = judge(plain, "none", HYPOTHESES)
    verdicts += [row for row in judge(primary, "different_word", HYPOTHESES) if row["name"] != "constant_shift"]
    return {
        "verdicts": verdicts,
        "conclusions": conclude(verdicts),
        "layers": LAYERS,
        "occurrences": 7,
        "settings": {"hypotheses": HYPOTHESES.model_dump(mode="json")},
        "bands": {name: (getattr(BANDS, name) + 1).tolist() for name in ("early", "deep", "separated")},
    }


def parts_beside(study, conclusion, measure):
    """The numbers of one part that the sentence's verdict rests on, of each primary estimator."""
    rows = [
        row for row in study["verdicts"]
        if (row["name"], row["control"]) == (conclusion["name"], conclusion["control"]) and row["estimator"] in CO_PRIMARY
    ]  # fmt: skip
    return [part for row in rows for part in row["parts"] if part["measure"] == measure]


@settings(max_examples=150, deadline=None)
@given(measured(), measured())
def test_no_sentence_claims_what_its_numbers_do_not_show(primary, plain):
    study = study_of(primary, plain)
    for conclusion in study["conclusions"]:
        said = statement_facts(conclusion, study)
        sentences = {part["measure"]: (part["key"], part["values"]) for part in said["parts"]}
        sentences = sentences or {conclusion["parts"][0]["measure"]: (said["finding"]["key"], said["finding"]["values"])}
        for measure, (key, values) in sentences.items():
            numbers = parts_beside(study, conclusion, measure)
            for code, language in LANGUAGES.items():
                text = language.text(key, **values)
                for part, english, vietnamese, holds in CLAIMS:
                    words = {"en": english, "vi": vietnamese}[code]
                    if part == measure and words in text:
                        assert all(holds(each) for each in numbers), text
                if measure in COUNTED:
                    assert_counts(text, numbers, code)


def assert_counts(text, numbers, code):
    """How many layers are named, against the counts of the part or of its opposite."""
    total = numbers[0]["layers"]
    counts = [part["agreeing_layers"] for part in numbers]
    allowed = {*counts, *(total - count for count in counts)}
    pattern = {"en": rf"in (\d+) of {total} layers", "vi": rf"ở (\d+)/{total} tầng"}[code]
    assert {int(found) for found in re.findall(pattern, text)} <= allowed, text
    if {"en": f"in all {total} layers", "vi": f"ở cả {total} tầng"}[code] in text:
        assert total in allowed
    if {"en": "in none of the", "vi": "ở 0/"}[code] in text:
        assert 0 in allowed
    assert "1 layers" not in text
    assert not re.search(r"\bin 0 of", text)


@pytest.mark.parametrize(("measure", "english", "vietnamese"), [claim[:3] for claim in CLAIMS])
def test_the_words_of_every_claim_are_in_the_catalogue(measure, english, vietnamese):
    """The list above would prove nothing if the sentences were worded otherwise."""
    finding = {"early_difference": "early_layers", "tau_difference": "tau_separation", "shift_slope": "constant_shift"}
    prefix = f"finding.{finding[measure]}." if measure in finding else f"part.{measure}."
    for code, words in (("en", english), ("vi", vietnamese)):
        texts = [LANGUAGES[code].catalogue[key] for key in LANGUAGES[code].catalogue if key.startswith(prefix)]
        wanted = words.replace(".1 of", "%(margin)s of").replace("0,1", "%(margin)s")
        assert any(wanted in text for text in texts), words
