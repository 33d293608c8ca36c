"""Examples of the public functions are run, and their docstrings are in NumPy's style, which the API reference reads."""

import doctest
import importlib
import inspect
import re

import pytest

WITH_EXAMPLES = {
    "analyses.mutual_information.estimate": {"mutual_information", "pairwise_mutual_information"},
    "analyses.statistics.correlation": {"kendall_tau"},
    "analyses.statistics.multiplicity": {"adjust"},
    "analyses.statistics.resampling": {"jackknife_mean", "mantel"},
    "reportgen": set(),
    "reportgen.pipeline": {"analyze", "render"},
}
PUBLIC = [*(name for name in WITH_EXAMPLES if name != "reportgen"), "analyses.statistics.comparison", "analyses.statistics.power"]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_say(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0
    for function in WITH_EXAMPLES[name]:
        assert "Examples\n" in inspect.getdoc(getattr(module, function))


def functions():
    for name in PUBLIC:
        module = importlib.import_module(name)
        for function, value in inspect.getmembers(module, inspect.isfunction):
            if value.__module__ == name and not function.startswith("_") and "Parameters\n----------" in (inspect.getdoc(value) or ""):
                yield pytest.param(value, id=f"{name}.{function}")


@pytest.mark.parametrize("function", list(functions()))
def test_a_section_of_parameters_names_every_parameter_and_describes_it_below(function):
    section = re.split(r"\n\n(?=\w+\n-{3,})", inspect.getdoc(function).partition("Parameters\n----------\n")[2])[0]
    named = []
    lines = section.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line and not line.startswith(" "):
            assert after.startswith("    "), f"{line!r} is not described on the lines below it"
            named += [name.strip() for name in line.partition(" : ")[0].split(",")]
    assert named == list(inspect.signature(function).parameters)
