"""No template states a result: numbers in prose come from the facts, and those that stand there as typed are listed here with a reason."""

import re

import pytest
import yaml

from analyses.mi_distance import analysis
from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages

TEMPLATES = analysis.template_folder
PROSE = sorted((TEMPLATES / "mi_distance").rglob("*.html.j2"))
LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)

DECIMAL = re.compile(r"(?<![\w.,])\d*[.,]\d+(?![\w])")
WHOLE = re.compile(r"(?<![\w.,])(?<!\w-)\d+(?!\w|[,.]\d)")

TYPED_DECIMALS = {
    ".5",  # the lesson's own claim: tau about -.5
    "0,5",
    "0.437",  # Fieller's variance
    ".437",
    "0,437",
}
TYPED_WHOLE = {
    "95",  # per cent, of every interval
    "99",  # per cent, of the wider interval by which a later part contradicts its statement
    "80",  # per cent, the power that the section on power speaks of
    "32",  # bits of the arithmetic
    "10",  # "layer 10 of 48 in the lesson"
    "48",
    "0",  # "số 0": zero in Vietnamese
    "1",  # layers are numbered from 1
    "256",  # SHA-256
}
# Numbers of statements and occurrences, constants of formulas, and a rule at the level .05: none of them is a result.
TYPED_IN_SENTENCE = {
    "figure.activation_scatter.y": {"2"},
    "figure.activation_scatter.alt": {"2"},
    "figure.z_profile.caption": {"2", "3", "4"},
    "figure.calibration.caption": {"2"},
    "figure.specification.title.deep_layers": {"2"},
    "figure.specification.title.negative_tau": {"3"},
    "figure.specification.title.tau_separation": {"4"},
    "figure.specification.title.constant_shift": {"5"},
    "figure.specification_information.caption": {"2"},
    "figure.error_rates.band": {"3", "7"},
    "figure.linear_share.caption": {"2"},
    # Per cent: all of it.
    "figure.linear_share.whole": {"100"},
    "figure.linear_share.cut": {"100"},
    "figure.linear_share.how_to_read": {"100"},
    "table.verdicts.caption": {"2", "3", "4", "5"},
    "table.answers.caption": {"2", "3", "4", "5"},
}


def prose_of(template: str) -> str:
    """A template's own words: no Jinja, no tags, no entities."""
    without = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", template, flags=re.DOTALL)
    return re.sub(r"<[^>]*>|&[a-z#0-9]+;", " ", without)


def unexplained(text: str) -> set[str]:
    decimals = set(DECIMAL.findall(text)) - TYPED_DECIMALS
    whole = set(WHOLE.findall(DECIMAL.sub(" ", text))) - TYPED_WHOLE
    return decimals | whole


def test_there_is_prose_to_look_at():
    assert len(PROSE) > 15


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.relative_to(TEMPLATES).as_posix())
def test_prose_has_no_typed_number(path):
    assert unexplained(prose_of(path.read_text(encoding="utf-8"))) == set()


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_sentences_have_no_typed_number(code):
    found = {}
    for key, sentence in LANGUAGES[code].catalogue.items():
        numbers = unexplained(re.sub(r"%\(\w+\)s|%%", " ", re.sub(r"</?\w+>", " ", sentence)))
        numbers -= TYPED_IN_SENTENCE.get(key, set())
        if numbers and not key.startswith(("interface.", "format.", "publish.", "compare.")):
            found[key] = numbers
    assert found == {}


def test_order_of_the_report_has_no_words():
    """document.yaml names catalogue keys, fields and widths; a sentence could hide in a heading or a caption."""

    def strings(value):
        if isinstance(value, dict):
            for each in value.values():
                yield from strings(each)
        elif isinstance(value, list):
            for each in value:
                yield from strings(each)
        elif isinstance(value, str):
            yield value

    text = (TEMPLATES / "mi_distance" / "document.yaml").read_text(encoding="utf-8")
    for value in strings(yaml.safe_load(text)):
        assert re.fullmatch(r"[a-z0-9_.\- ]+|\d+%", value), value


def test_formulas_hold_no_result():
    formulas = yaml.safe_load((TEMPLATES / "mi_distance" / "formulas.yaml").read_text(encoding="utf-8"))
    for name, formula in formulas.items():
        assert set(re.findall(r"\d*\.\d+", formula["latex"])) <= TYPED_DECIMALS, name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("attention is higher by 0.031 nats", {"0.031"}),
        ("cao hơn 0,031 nat", {"0,031"}),
        ("in 27 of 30 layers", {"27", "30"}),
        ("about −.5, a 95% interval", set()),
        ("SmolLM2-135M and layer%(x)s", set()),
    ],
)
def test_a_typed_result_would_be_found(text, found):
    assert unexplained(text) == found


def test_a_verdict_is_never_named_in_prose():
    """Prose asks for the sentence of a verdict; it never writes one of the four words' sentences out or branches on a single verdict."""
    for path in PROSE:
        template = path.read_text(encoding="utf-8")
        for verdict in ("supported", "contradicted", "inconclusive", "not_testable"):
            assert not re.search(rf"(==|!=)\s*[\"']{verdict}[\"']", template), path
            assert not re.search(rf"[\"'](finding|abstract|part)\.\w+\.{verdict}", template), path
