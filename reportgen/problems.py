"""What pydantic finds wrong in a file, in the words of one who wrote the file: keys, values and sections, no inputs and instances."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from reportgen.registry import choices, nearest
from reportgen.yaml_files import Location


@dataclass(frozen=True)
class Problem:
    """The first thing that is wrong: the place of its key, what pydantic calls it, what is given there, and that in words."""

    location: Location
    kind: str
    given: Any
    words: str
    more: int

    def __str__(self) -> str:
        key = ".".join(map(str, self.location))
        return f"{key + ': ' if key else ''}{self.words}"


def first_problem(error: pydantic.ValidationError, keys_at: Callable[[Location], Iterable[str]] = lambda _: ()) -> Problem:
    """The problem to say first, of all that pydantic found.

    Parameters
    ----------
    keys_at
        The keys that there are in the section at a place, to name the one that may have been meant.
    """
    problems = error.errors(include_url=False)
    # A misspelt key often also makes a required one missing: the misspelling is the thing to say.
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    words = _in_words(first, sorted(keys_at(first["loc"][:-1])))
    return Problem(first["loc"], first["type"], first.get("input"), words, len(problems) - 1)


def _in_words(problem: Mapping[str, Any], keys: list[str]) -> str:
    kind, given = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        return f"unknown key{nearest(problem['loc'][-1], keys) or (f'; expected {choices(keys)}' if keys else '')}"
    if kind == "missing":
        return "missing, and required"
    if kind == "value_error":
        return str(problem.get("ctx", {}).get("error", problem["msg"]))
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        expected = "a section with keys of its own"
    return f"expected {expected}, found {shortened(repr(given))}"


def shortened(shown: str) -> str:
    """Return at most sixty characters of what was found."""
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
