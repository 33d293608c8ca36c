"""What a template can reach, and how far it can go.

A template may be somebody else's: it sees plain data (words, numbers, lists, mappings) and the functions that the program names,
nothing of the program's own. It cannot run for ever, nor fill the memory: every turn of a loop, call and piece of text is paid for
from a budget.
"""

import functools
import math
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.bccache import Bucket
from jinja2.runtime import BlockReference, LoopContext, Macro, TemplateReference, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError, safe_range
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from analyses.errors import InputError

STEPS = 500_000
CHARACTERS = 300_000_000
# A whole number of more bits than this is no number of a report.
_BITS = 4096
_INCLUDE = 100
_DIGITS = 15

_OF_TEXT = frozenset((
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower", "isspace", "isupper",
    "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rfind", "rpartition", "rsplit", "rstrip", "split", "splitlines",
    "startswith", "strip", "swapcase", "title", "upper",
))  # fmt: skip
METHODS: Mapping[type, frozenset[str]] = {
    str: _OF_TEXT,
    dict: frozenset({"items", "keys", "values", "get"}),
    list: frozenset({"index", "count"}),
    tuple: frozenset({"index", "count"}),
}
_OF_LOOP = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem", "cycle", "changed", "depth", "depth0"}
)
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "forceescape", "groupby", "int",
    "items", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "safe", "select",
    "selectattr", "sort", "string", "striptags", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
# A percent sign with a precision, as in "%.2f": never a width, which could be a thousand million.
_FORMAT = re.compile(r"%(?:%|(?:\.\d{1,2})?[defgsx])")


class _BudgetError(SecurityError):
    """A template wants more turns or more text than any report needs."""


def plain(value: Any, where: str = "facts") -> Any:
    """Return `value` as templates may see it: words, numbers, lists, mappings.

    Raises
    ------
    InputError
        If there is anything else within it; `where` leads to the place.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return plain(value.tolist(), where)
    raise InputError(f"{where}: a template may see words, numbers, lists and mappings; this is a {type(value).__name__}")


class PlainContext(dict[str, Any]):
    """Values for many templates, made plain once: no template can change them."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__({key: plain(value, key) for key, value in values.items()})


class _Compiled(jinja2.BytecodeCache):
    """Templates compiled in this process: each document has environments of its own, and the templates are the same in all of them."""

    MOST = 512

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], types.CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if len(self._kept) >= self.MOST:
            self._kept.clear()
        if bucket.code is not None:
            self._kept[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Jinja, strict about undefined values, escaping, and closed but for plain data and the functions of `offer`.

    Parameters
    ----------
    loader
        Gives the templates' sources.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, loader: jinja2.BaseLoader) -> None:
        super().__init__(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # What the optimizer computes beforehand nobody pays for.
            optimized=False,
            finalize=self._finalize,
            bytecode_cache=_COMPILED,
        )
        self._functions: set[Any] = set()
        self._steps = self._characters = 0
        self.globals = {"range": safe_range, "dict": dict, "namespace": Namespace}
        given = self.filters
        self.filters = {name: self._bounded_filter(given[name]) for name in _FILTERS}
        self.filters |= {"round": self._bounded_filter(_round), "sum": self._bounded_filter(_sum)}
        # What these two give can be far longer than what they are given: they pay beforehand.
        self.filters |= {"join": functools.partial(_join, self), "replace": functools.partial(_replace, self)}
        # Called by every template that was changed while it was compiled.
        self.bounded, self.concatenated = self._bounded, self._concatenated
        self._functions.update({self.bounded, self.concatenated})

    def offer(self, **functions: Callable[..., Any]) -> None:
        """Let templates call functions of the program; what these return must be plain."""
        self._functions.update(functions.values())
        self.globals.update(functions)

    def offer_filters(self, **functions: Callable[..., Any]) -> None:
        """Let templates use functions of the program as filters."""
        self.filters.update({name: self._bounded_filter(function) for name, function in functions.items()})

    def render(self, name: str, context: Mapping[str, Any], block: str | None = None) -> str:
        """Render a template, or one of its blocks, from plain data.

        Raises
        ------
        InputError
            For whatever goes wrong in a template; names it, and the block.
        """
        where = f"templates/{name.partition(':')[2] or name}{f', block {block}' if block else ''}"
        values = context if isinstance(context, PlainContext) else PlainContext(context)
        self._steps = self._characters = 0
        try:
            template = self.get_template(name)
            if block is None:
                return template.render(values)
            return "".join(template.blocks[block](template.new_context(values)))
        except jinja2.TemplateSyntaxError as error:
            raise InputError(f"{where}, line {error.lineno}: {error.message}") from error
        except RecursionError:
            raise InputError(f"{where}: it calls or includes itself without end, or is nested too deeply") from None
        except MemoryError:
            raise InputError(f"{where}: it needs more memory than there is") from None
        except Exception as error:  # A template can raise anything that its words lead a function of the program to.
            raise InputError(f"{where}: {' '.join(str(error).split())[:500] or type(error).__name__}") from error

    def blocks(self, name: str) -> frozenset[str]:
        """Names of the blocks of a template; raises InputError as `render` does."""
        try:
            return frozenset(self.get_template(name).blocks)
        except (jinja2.TemplateError, RecursionError, MemoryError, SyntaxError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"templates/{name.partition(':')[2] or name}: {reason}") from error

    def spend(self, steps: int = 1, characters: int = 0) -> None:
        """Pay for something that a template does; raises when it has nothing left."""
        self._steps += steps
        self._characters += characters
        if self._steps > STEPS:
            raise _BudgetError(f"more than {STEPS:,} turns of loops and calls; no report needs that many")
        if self._characters > CHARACTERS:
            raise _BudgetError(f"more than {CHARACTERS:,} characters of text; no report needs that many")

    # What Jinja calls.

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _Bounds().visit(super()._parse(source, name, filename))

    def _load_template(self, name: str, globals: Any) -> jinja2.Template:
        self.spend(_INCLUDE)
        return super()._load_template(name, globals)

    def getattr(self, obj: Any, attribute: str) -> Any:
        found = self._member(obj, attribute)
        if found is not None:
            return found
        found = self._item(obj, attribute)
        if isinstance(found, Undefined) and (attribute.startswith("_") or hasattr(obj, attribute)):
            return self.unsafe_undefined(obj, attribute)
        return found

    def getitem(self, obj: Any, argument: Any) -> Any:
        found = self._item(obj, argument)
        if isinstance(found, Undefined) and isinstance(argument, str):
            member = self._member(obj, argument)
            return found if member is None else member
        return found

    def is_safe_callable(self, obj: Any) -> bool:
        if isinstance(obj, Macro | BlockReference) or obj in (safe_range, dict, Namespace):
            return True
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, LoopContext):
            return obj.__name__ in ("cycle", "changed")
        if isinstance(obj, types.BuiltinMethodType) and owner is not None:
            return any(isinstance(owner, kind) and obj.__name__ in names for kind, names in METHODS.items())
        if isinstance(owner, Markup):
            return obj.__name__ in _OF_TEXT
        try:
            return obj in self._functions
        except TypeError:
            return False

    def call(self, context: Any, obj: Any, *arguments: Any, **named: Any) -> Any:
        if not self.is_safe_callable(obj):
            raise SecurityError("a template can call its own macros and the functions of the report, nothing else")
        self.spend()
        for argument in arguments if obj is not self.bounded else ():
            self._pay_for(argument)
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str | list | dict):
            self.spend(characters=len(owner))
        result = super().call(context, obj, *arguments, **named)
        self._pay_for(result)
        return result

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = all(isinstance(each, int | float) for each in (left, right))
        if numbers:
            if all(isinstance(each, int) for each in (left, right)):
                bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
                if bits > _BITS:
                    raise _BudgetError("a whole number that is too large")
        elif operator == "+" and all(isinstance(each, str) for each in (left, right)):
            self.spend(characters=len(left) + len(right))
        elif operator == "+" and all(isinstance(each, list) for each in (left, right)):
            self.spend(len(left) + len(right))
        elif operator == "%" and isinstance(left, str):
            values = right if isinstance(right, tuple) else (right,)
            if not all(isinstance(value, int | float | str) for value in values) or _FORMAT.sub("", left).count("%"):
                raise SecurityError(f"{left!r}: a format is such as %.2f, %d or %s")
            self.spend(characters=len(left) + sum(len(str(value)) for value in values))
        else:
            raise SecurityError(f"{type(left).__name__} {operator} {type(right).__name__} is nothing that a template can compute")
        return super().call_binop(context, operator, left, right)

    # What keeps the books.

    def _member(self, obj: Any, name: str) -> Any:
        """An attribute of one of the few things that have any for a template, else None."""
        if isinstance(obj, Undefined):
            # It says itself what there is not.
            obj._fail_with_undefined_error()
        if name.startswith("_"):
            return None
        if isinstance(obj, LoopContext):
            return getattr(obj, name) if name in _OF_LOOP else None
        if isinstance(obj, Namespace):
            return getattr(obj, name, None)
        if isinstance(obj, jinja2.environment.TemplateModule):
            found = vars(obj).get(name)
            return found if isinstance(found, Macro | str | int | float | list | dict) else None
        for kind, names in METHODS.items():
            if isinstance(obj, kind):
                return getattr(obj, name) if name in names else None
        return None

    def _item(self, obj: Any, key: Any) -> Any:
        if isinstance(obj, str | list | tuple | dict | range | TemplateReference):
            try:
                return obj[key]
            except (LookupError, TypeError, ValueError):
                pass
        elif isinstance(obj, types.GeneratorType | map | filter):
            return self.undefined("a list that is not made yet has no entries; add the filter list", obj=obj, name=key)
        return self.undefined(obj=obj, name=key)

    def _pay_for(self, value: Any) -> None:
        if isinstance(value, str):
            self.spend(0, len(value))
        elif isinstance(value, list | tuple | dict | range | set):
            self.spend(0, 8 * len(value))

    def _bounded_filter(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            self.spend()
            for argument in arguments:
                self._pay_for(argument)
            result = function(*arguments, **named)
            self._pay_for(result)
            return result

        return measured

    def _bounded(self, values: Any, weight: int) -> Iterator[Any]:
        if not isinstance(values, Iterable):
            raise SecurityError(f"a loop goes over a list or a mapping, not over {type(values).__name__}")

        def turns() -> Iterator[Any]:
            for value in values:
                self.spend(1, weight)
                yield value

        return turns()

    def _concatenated(self, *parts: Any) -> str:
        written = [self._finalize(part) for part in parts]
        texts = [part if isinstance(part, str) else str(part) for part in written]
        self.spend(1, sum(map(len, texts)))
        return Markup("").join(texts) if any(hasattr(part, "__html__") for part in parts) else "".join(texts)

    def _finalize(self, value: Any) -> Any:
        """What is about to be printed: words and numbers only."""
        if isinstance(value, Undefined):
            return value
        if isinstance(value, float) and not math.isfinite(value):
            raise SecurityError(f"{value} is no number that a report can print; decide in the facts what to say instead")
        if not isinstance(value, str | int | float):
            raise SecurityError(f"a template prints words and numbers; this is a {type(value).__name__}")
        self.spend(1, len(value) if isinstance(value, str) else 0)
        return value


class _Bounds(NodeTransformer):
    """Puts the budget into a template: into every loop, with the words in its body, and every joining of words by ``~``."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        if node.recursive:
            raise jinja2.TemplateSyntaxError("a recursive loop is not possible here; use a macro", node.lineno)
        weight = sum(len(text.data) for part in node.body for text in part.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.iter = _call("bounded", [node.iter, nodes.Const(weight)], node)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _call("concatenated", list(node.nodes), node)


def _call(name: str, arguments: list[Any], node: nodes.Node) -> nodes.Call:
    function = nodes.EnvironmentAttribute(name, lineno=node.lineno)
    call = nodes.Call(function, arguments, [], None, None, lineno=node.lineno)
    for each in arguments:
        each.set_lineno(node.lineno)
    call.environment = node.environment
    return call


def _join(environment: TemplateEnvironment, values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    items = [environment.getitem(value, attribute) if attribute is not None else value for value in values]
    texts = [environment._finalize(item) for item in items]
    environment.spend(len(texts), len(separator) * len(texts) + sum(len(str(text)) for text in texts))
    markup = isinstance(separator, Markup) or any(hasattr(text, "__html__") for text in texts)
    return (
        (Markup(separator) if isinstance(separator, Markup) else Markup.escape(separator)).join(texts)
        if markup
        else separator.join(map(str, texts))
    )


def _replace(environment: TemplateEnvironment, text: str, old: str, new: str) -> str:
    text = str(text) if not isinstance(text, str) else text
    count = text.count(old) if old else len(text) + 1
    environment.spend(1, len(text) + count * len(new))
    return text.replace(old, new)


def _round(value: float, digits: int = 0) -> float:
    if not isinstance(digits, int) or not 0 <= digits <= _DIGITS:
        raise SecurityError(f"round: 0 to {_DIGITS} digits")
    return round(float(value), digits)


def _sum(values: Iterable[float], start: float = 0) -> float:
    found = list(values)
    if not all(isinstance(value, int | float) for value in [*found, start]):
        raise SecurityError("sum: numbers only")
    return sum(found, start)
