"""Sizes that no model has: refused before anything is built of them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from analyses.errors import InputError

# Building a model of more would take hours or all memory, before anything could say that its weights are of another size.
_MOST_LAYERS, _LARGEST_SIZE = 2_000, 10_000_000
_LAYERS = re.compile(r"(^|_)layers?$")
_SIZE = re.compile(r"(^|_)(size|dims?|width|inner|embd|heads?|groups|experts|blocks|rank|state)$")


def refuse_sizes(config: Any, name: str) -> None:
    """Refuse a transformers configuration that speaks of more layers, or of a larger size, than any model has.

    Parameters
    ----------
    config
        From transformers; what it holds within (of text, of images) is looked at as well.
    name
        The model's name, for the error.

    Raises
    ------
    InputError
        Names the first key that is too large.
    """
    for key, value in _numbers(config.to_dict()):
        most = _MOST_LAYERS if _LAYERS.search(key) else _LARGEST_SIZE if _SIZE.search(key) else None
        if most is not None and value > most:
            raise InputError(f"model {name}: its configuration says {key}: {value}; expected at most {most}")


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value)
        elif isinstance(value, int):
            yield str(key), value
