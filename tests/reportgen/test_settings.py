import json

import pydantic
import pytest
import yaml

from analyses.errors import InputError
from reportgen.settings import environment_overrides, load_study, new_study, option_overrides, study_schema


@pytest.fixture
def study(tmp_path):
    def write(content):
        file = tmp_path / "study.yaml"
        file.write_text(content, encoding="utf-8")
        return file

    return write


GOOD = "name: mine\nword: tea\ntext: Tea and tea.\n"


def message(file, **options):
    with pytest.raises(InputError) as caught:
        load_study(file, environment={}, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_built_in_study_reads_its_text_from_beside_it(letters):
    analysis, settings = load_study("letters", environment={})
    assert analysis is letters
    assert settings.text.startswith("Tea after tea")


def test_a_file_with_a_text_in_its_folder(study, tmp_path, monkeypatch):
    (tmp_path / "tea.txt").write_text("\ufeffTea.", encoding="utf-8")
    file = study("analysis: letters\nname: mine\nword: tea\ntext_file: tea.txt\n")
    monkeypatch.chdir("/")
    assert load_study(file, environment={})[1].text == "Tea."


def test_paths_in_a_file_start_at_its_folder(study, tmp_path):
    file = study(GOOD + "activations_file: captured/a.nc\nmodel: {source: folder, name: ../models/gpt2}\n")
    settings = load_study(file, environment={})[1]
    assert settings.activations_file == str(tmp_path / "captured" / "a.nc")
    assert settings.model.name == str(tmp_path.parent / "models" / "gpt2")


def test_a_name_on_the_hub_is_no_path(study):
    settings = load_study(study(GOOD + "model: {source: hub, name: openai-community/gpt2}\n"), environment={})[1]
    assert settings.model.name == "openai-community/gpt2"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GOOD + "wrod: x\n", 'study.yaml, line 4: wrod: unknown key; did you mean "word"?'),
        (GOOD + "counting:\n  bnis: 3\n", 'study.yaml, line 5: counting.bnis: unknown key; did you mean "bins"?'),
        (GOOD + "counting:\n  zzz: 3\n", "study.yaml, line 5: counting.zzz: unknown key; expected bins, kinds or trim"),
        (GOOD + "counting:\n  bins: 1\n", "study.yaml, line 5: counting.bins: expected greater than or equal to 2, found 1"),
        (GOOD + "counting: 7\n", "study.yaml, line 4: counting: expected a section with keys of its own, found 7"),
        (GOOD + "counting:\n  bins: many\n", "study.yaml, line 5: counting.bins: expected a valid integer, unable to parse"),
        ("name: mine\nword: green tea\ntext: x\n", "study.yaml, line 2: word: must be one word"),
        ("name: mine\ntext: x\n", "study.yaml: word: missing, and required"),
        ("wrod: tea\nname: mine\n", 'study.yaml, line 1: wrod: unknown key; did you mean "word"? (and 1 more)'),
        ("name: [mine\nword: tea\n", "study.yaml, line 2: not valid YAML"),
        ("name: mine\n\tword: tea\n", "study.yaml, line 2: not valid YAML"),
        ("name: a\nword: tea\nname: b\n", "study.yaml, line 3: the key 'name' is given twice"),
        ("", "study.yaml: expected keys and values such as `word: coffee`, found nothing"),
        ("- a\n", "expected keys and values such as `word: coffee`, found ['a']"),
        (GOOD + "text_file: x.txt\n", "study.yaml, line 4: give either text or text_file, not both"),
        ("name: mine\nword: tea\ntext_file: gone.txt\n", "gone.txt: there is no such text file"),
        ("name: mine\nword: tea\ntext_file: 3\n", "study.yaml, line 3: text_file: expected the path of a text file, found 3"),
        ("analysis: lettres\n" + GOOD, "study.yaml: there is no analysis 'lettres'; expected letters"),
        (GOOD + "model: {source: hub}\n", "study.yaml, line 4: model: name: expected the model name on the hub"),
        ("name: search\nword: tea\ntext: Tea.\n", "study.yaml, line 1: name: a site has a folder 'search' of its own"),
        ("name: CNAME\nword: tea\ntext: Tea.\n", "study.yaml, line 1: name: a site has a folder 'CNAME' of its own"),
    ],
)
def test_one_line_names_file_key_and_what_was_expected(study, content, expected):
    assert expected in message(study(content))


def test_a_text_that_is_not_utf8(study, tmp_path):
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    assert "latin.txt is not UTF-8 text (byte 3)" in message(study("name: m\nword: tea\ntext_file: latin.txt\n"))


def test_an_unknown_study_and_a_file_that_is_not_there():
    assert message("leters") == "there is no study 'leters'; expected letters, or a YAML file; did you mean \"letters\"?"
    assert "there is no such study file" in message("nowhere/mine.yaml")


def test_options_win_over_the_environment_and_that_over_the_file(study):
    file = study(GOOD + "counting: {bins: 3, trim: null}\nseed: 1\n")
    environment = {"REPORTGEN_SEED": "2", "REPORTGEN_COUNTING__BINS": "5", "REPORTGEN_WORD": "on", "REPORTGEN_DEBUG": "1", "HOME": "/"}
    settings = load_study(file, option_overrides(seed=3), environment)[1]
    assert (settings.seed, settings.counting.bins, settings.counting.trim, settings.word) == (3, 5, None, "on")
    assert load_study(file, (), environment)[1].seed == 2


def test_an_error_names_the_option_or_variable(study):
    file = study(GOOD + "seed: 1\n")
    assert message(file, overrides=option_overrides(seed=-1)).startswith("--seed: seed: expected greater than or equal to 0, found -1")
    with pytest.raises(InputError, match="environment variable REPORTGEN_SEED: seed: expected a valid integer"):
        load_study(file, environment={"REPORTGEN_SEED": "soon"})


def test_a_misspelt_variable(letters):
    with pytest.raises(InputError, match='REPORTGEN_SED: there is no such setting; did you mean "REPORTGEN_SEED"'):
        environment_overrides({"REPORTGEN_SED": "3"}, letters.settings_type)


def test_a_text_option_replaces_the_text_file(tmp_path):
    (tmp_path / "other.txt").write_text("Another tea.")
    assert load_study("letters", option_overrides(text=tmp_path / "other.txt"), {})[1].text == "Another tea."


def test_model_option(study, tmp_path):
    def model(name, content=GOOD):
        return load_study(study(content), option_overrides(model=name), {})[1].model

    assert (model("gpt2-xl").source, model("gpt2-xl").name) == ("hub", "gpt2-xl")
    assert (model(str(tmp_path)).source, model(str(tmp_path)).name) == ("folder", str(tmp_path))
    hub = GOOD + "model: {source: hub, name: gpt2, revision: main, device: cpu}\n"
    assert model("embedded", hub).model_dump(include={"source", "name", "revision", "device"}) == {
        "source": "embedded", "name": None, "revision": None, "device": "cpu",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"--model \./nowhere: there is no such folder"):
        option_overrides(model="./nowhere")


def test_activations_option(tmp_path):
    with pytest.raises(InputError, match=r"--activations .*gone\.nc: there is no such file"):
        option_overrides(activations=tmp_path / "gone.nc")


def test_a_setting_that_the_analysis_does_not_have(monkeypatch, letters):
    class Wordless(pydantic.BaseModel):
        name: str

    monkeypatch.setattr(type(letters), "settings_type", Wordless)
    with pytest.raises(InputError, match="--word: the analysis letters has no setting word"):
        load_study("letters", option_overrides(word="tea"), {})


def test_the_schema_accepts_what_the_loader_accepts(letters):
    schema = study_schema(letters)
    assert {"analysis", "text_file", "word", "counting"} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema


def test_a_new_study_is_valid_and_its_comments_are_the_defaults(letters, tmp_path):
    text = "Tea: 'one' # two\n\nsecond paragraph, trà " + "long " * 40
    content = new_study(letters, "mine", "tea", text, "openai-community/gpt2")
    file = tmp_path / "mine.yaml"
    file.write_text(content, encoding="utf-8")
    settings = load_study(file, environment={})[1]
    assert settings == letters.settings_type(
        name="mine", word="tea", text=text.strip(), model={"source": "hub", "name": "openai-community/gpt2"}
    )
    everything = content[content.index("# Everything else") :].split("\n", 1)[1]
    uncommented = yaml.safe_load("".join(line.removeprefix("# ") + "\n" for line in everything.splitlines()))
    defaults = letters.settings_type(name="mine", word="tea").model_dump(mode="json", exclude={"name", "word", "text", "model"})
    assert uncommented == defaults
    assert "bins: 15  # Bins of the count." in content
