"""From a question about a language model to a statistical report in several languages.

>>> import reportgen
>>> results = reportgen.analyze("coffee")          # doctest: +SKIP
>>> reportgen.render(results, "out")               # doctest: +SKIP
"""

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
