import pytest

from analyses.errors import InputError, MissingError
from reportgen import registry


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
