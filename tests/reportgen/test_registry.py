import pytest

from analyses.errors import InputError, MissingError
from reportgen import registry
from reportgen.settings import load_study


def test_an_analysis_is_found_by_its_entry_point(letters):
    assert registry.analyses() == {"letters": letters}
    assert registry.studies()["letters"][0] is letters
    assert registry.analysis_named("letters", "here") is letters
    assert registry.analysis_of(letters.settings_type(name="x", word="tea")) is letters


def test_an_unknown_analysis_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"study\.yaml: there is no analysis 'leters'; expected letters; did you mean \"letters\"\?"):
        registry.analysis_named("leters", "study.yaml")


def test_nothing_installed(monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    with pytest.raises(MissingError, match="no analysis is installed"):
        registry.analyses()


def test_one_that_cannot_be_loaded_is_named(monkeypatch):
    from importlib.metadata import EntryPoint

    broken = EntryPoint("broken", "no_such_module:analysis", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    with pytest.raises(MissingError, match=r"the analysis broken \(no_such_module:analysis\) cannot be loaded"):
        registry.analyses()


@pytest.mark.parametrize(("names", "phrase"), [([], "nothing"), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_choices(names, phrase):
    assert registry.choices(names) == phrase


BROKEN = {
    "absent": "no_such_module:analysis",
    "no analysis": "os:path",
    "no such name": "os:analysis",
    "raises": "raising_analysis:analysis",
    "no Python": "wrong_analysis:analysis",
}


@pytest.mark.parametrize("case", BROKEN)
def test_one_that_cannot_be_loaded_is_a_warning_and_the_others_go_on(monkeypatch, tmp_path, letters, case):
    from importlib.metadata import EntryPoint

    from typer.testing import CliRunner

    from reportgen.cli import app

    (tmp_path / "raising_analysis.py").write_text("raise RuntimeError('two\\nlines')")
    (tmp_path / "wrong_analysis.py").write_text("def:")
    monkeypatch.syspath_prepend(str(tmp_path))
    whole = list(registry.entry_points(group=registry.GROUP))
    broken = EntryPoint("broken", BROKEN[case], registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken, *whole])
    done = CliRunner().invoke(app, ["study", "list"])
    assert (done.exit_code, done.stdout) == (0, "letters  letters\n")
    assert done.stderr.startswith(f"reportgen: warning: the analysis broken ({BROKEN[case]}) cannot be loaded: ")
    assert done.stderr.count("\n") == 1
    assert CliRunner().invoke(app, ["study", "check", "letters"]).exit_code == 0
    (tmp_path / "s.yaml").write_text("analysis: broken\nname: a\nword: tea\ntext: tea\n")
    asked = CliRunner().invoke(app, ["study", "check", str(tmp_path / "s.yaml")])
    assert asked.exit_code == 3
    assert "reportgen: error: " in asked.stderr
    assert "the analysis broken" in asked.stderr


def test_a_study_that_does_not_say_its_analysis_is_of_the_first_one(monkeypatch, tmp_path, letters):
    class First(type(letters)):
        name = registry.DEFAULT

    monkeypatch.setattr(registry, "analyses", lambda: {"letters": letters, "other": First()})
    (tmp_path / "s.yaml").write_text("name: a\nword: tea\ntext: tea\n")
    assert load_study(tmp_path / "s.yaml", environment={})[0].name == "mi_distance"
