"""From a question about a language model to a statistical report in several languages.

>>> import reportgen
>>> results = reportgen.analyze("coffee")          # doctest: +SKIP
>>> reportgen.render(results, "out")               # doctest: +SKIP
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reportgen.pipeline import analyze, render, run

__all__ = ["analyze", "render", "run"]


def __getattr__(name: str) -> Any:
    # Imported on first use: the command line must answer `--help` without loading numpy.
    if name in __all__:
        from reportgen import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _CallableModule(ModuleType):
    """The package `reportgen.render`, which is also what the public function of that name is called by."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from reportgen import pipeline

        return pipeline.render(*arguments, **options)


class _Package(ModuleType):
    """Keeps `reportgen.render(...)` callable after the package of the same name was imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "render" and type(value) is ModuleType:
            value.__class__ = _CallableModule
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
