"""What the layout engine reads again and again in drawings is read once: styles, addresses, lengths (see `remembered`).

A drawing of some hundred marks repeats few styles, and WeasyPrint 70 parses the style of every mark; of every element it parses four
addresses that most times are not there; and every length of a path goes through an import and a guard against units.
"""

import importlib
from functools import lru_cache
from typing import Any

from weasyprint import svg
from weasyprint.svg import utils
from weasyprint.svg.css import parse_declarations as _parse_declarations

# By its name: in the package it is hidden by the function of the same name.
_path = importlib.import_module("weasyprint.svg.path")

_parsed = lru_cache(maxsize=4096)(_parse_declarations)
_size = utils.size
normalize = lru_cache(maxsize=1024)(utils.normalize)
parse_url = lru_cache(maxsize=1024)(utils.parse_url)


def parse_declarations(written: Any) -> Any:
    """WeasyPrint's; a style attribute is text, while a rule's content is tokens, which are read once as it is."""
    return _parsed(written) if isinstance(written, str) else _parse_declarations(written)


def size(length: Any, font_size: float | None = None, percentage_reference: float | None = None) -> float:
    """WeasyPrint's; a plain number needs nothing else."""
    if not length:
        return 0
    try:
        return float(length)
    except ValueError:
        return _size(length, font_size, percentage_reference)


REPLACED: tuple[tuple[Any, str, Any], ...] = (
    (svg, "parse_declarations", parse_declarations),
    *((module, "normalize", normalize) for module in (svg, _path, utils)),
    *((module, "size", size) for module in (svg, utils)),
    (svg, "parse_url", parse_url),
)
