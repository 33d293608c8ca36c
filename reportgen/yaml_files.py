"""YAML from people: bounded before it is built, with the line of every value, and one line for whatever is wrong."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from analyses.errors import InputError
from analyses.readers import MEGABYTE, read_text, unprintable

Location = tuple[str | int, ...]
LIMIT = 8 * MEGABYTE
DEPTH = 40
# Counted with every alias in the place where it is used: ten lines of aliases can stand for more values than there is memory.
NODES = 50_000
# Of more bits a number can be neither printed nor stored.
_BITS = 1024
_TYPES = {"int": "a whole number", "float": "a number", "bool": "true or false", "timestamp": "a date", "null": "nothing"}


@dataclass(frozen=True)
class YamlData:
    """The values of a YAML document and the line of each: by its keys and, in lists, its places."""

    values: Any
    lines: dict[Location, int]


def read_yaml(file: Path, what: str = "YAML file", *, foreign_tags: bool = False) -> YamlData:
    """Read a YAML file; see `parse_yaml`."""
    return parse_yaml(read_text(file, what, LIMIT), str(file), foreign_tags=foreign_tags)


def place_in(file: Path, lines: Mapping[Location, int], location: Location) -> str:
    """Return file and line of a key, or of what is nearest around it."""
    line = next((lines[location[:length]] for length in range(len(location), 0, -1) if location[:length] in lines), None)
    return str(file) if line is None else f"{file}, line {line}"


def parse_yaml(text: str, where: str, *, foreign_tags: bool = False) -> YamlData:
    """Return the values of a YAML document: finite numbers, printable strings, no key twice.

    Parameters
    ----------
    where
        Names the document in an error.
    foreign_tags
        Whether values with tags of another program (``!ENV``) are read as nothing, instead of being an error.

    Raises
    ------
    InputError
        One line with the document, the line, the key and what is wrong.
    """
    try:
        loader = (_TolerantLoader if foreign_tags else _Loader)(text)
        node = loader.get_single_node()
        if node is None:
            return YamlData(None, {})
        places = {id(each): (location, each) for location, each in _walk(node, ())}
        lines = dict(_lines(node, ()))
        values = loader.construct_document(node)
    except _ValueError as error:
        location, _ = places.get(id(error.node), ((), error.node))
        key = ".".join(map(str, location))
        raise InputError(f"{where}, line {error.node.start_mark.line + 1}: {key + ': ' if key else ''}{error}") from None
    except _KeyError as error:
        raise InputError(f"{where}, line {error.line}: {error}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(f"{where}, line {line}: the character U+{ord(text[error.position]):04X} is not allowed in YAML") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{where}{place}: not valid YAML: {problem}") from None
    _check_values(values, (), where, lines)
    return YamlData(values, lines)


class _ValueError(Exception):
    def __init__(self, message: str, node: yaml.Node) -> None:
        super().__init__(message)
        self.node = node


class _KeyError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._nodes = 0
        self._open: set[str] = set()
        self._weights: dict[str, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self._open:
                self._refuse(f"the alias *{event.anchor} stands within what it is an alias of", event)
            self._count(self._weights.get(str(event.anchor), 1), event)
            return super().compose_node(parent, index)
        before, anchor = self._nodes, event.anchor
        self._depth += 1
        if self._depth > DEPTH:
            self._refuse(f"nested more than {DEPTH} deep", event)
        self._count(1, event)
        if anchor:
            self._open.add(anchor)
        node = super().compose_node(parent, index)
        if anchor:
            self._open.discard(anchor)
            self._weights[anchor] = self._nodes - before
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
            kind = _TYPES.get(node.tag.rpartition(":")[2], "a value of the type " + node.tag)
            shown = repr(node.value)
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            raise _ValueError(f"expected {kind}, found {shown}", node) from error

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > NODES:
            self._refuse(f"more than {NODES:,} values, aliases counted where they stand", event)

    @staticmethod
    def _refuse(problem: str, event: Any) -> NoReturn:
        raise yaml.composer.ComposerError(None, None, problem, event.start_mark)


class _TolerantLoader(_Loader):
    pass


_TolerantLoader.add_multi_constructor("", lambda loader, suffix, node: None)


def _lines(node: yaml.Node, location: Location) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _KeyError("a key must be a word, not a list or a section", line)
            if key.value in seen:
                raise _KeyError(f"the key {key.value!r} is given twice", line)
            seen.add(key.value)
            yield (*location, key.value), line
            yield from _lines(value, (*location, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*location, index), item.start_mark.line + 1
            yield from _lines(item, (*location, index))


def _walk(node: yaml.Node, location: Location) -> Iterator[tuple[Location, yaml.Node]]:
    yield location, node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _walk(value, (*location, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(item, (*location, index))


def _check_values(value: Any, location: Location, where: str, lines: dict[Location, int]) -> None:
    """Raise InputError for a number that is not finite and for characters that are not for reading."""
    problem = ""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_values(key, (*location, str(key)), where, lines)
            _check_values(item, (*location, str(key)), where, lines)
    elif isinstance(value, list | tuple | set):
        for index, item in enumerate(value):
            _check_values(item, (*location, index), where, lines)
    elif isinstance(value, int) and value.bit_length() > _BITS:
        problem = "expected a whole number of fewer digits"
    elif isinstance(value, float) and not math.isfinite(value):
        problem = f"expected a finite number, found {value}"
    elif isinstance(value, str) and (found := unprintable(value)):
        problem = f"holds the control character {found[1]}, which is not for reading; remove it"
    if problem:
        line = next((lines[location[:length]] for length in range(len(location), 0, -1) if location[:length] in lines), None)
        key = "".join(part if part.isprintable() else "?" for part in ".".join(map(str, location)))
        raise InputError(f"{where}{f', line {line}' if line else ''}: {key + ': ' if key else ''}{problem}")
