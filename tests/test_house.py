"""The house: which room may know of which, and that no two know of each other; what is common names nothing of one analysis."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Module -> the modules of the house that it imports, at its head or when it is called."""
    graph = grimp.build_graph("reportgen", "analyses", cache_dir=None)
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in sorted(graph.modules)}


def circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups in which each reaches each other (Tarjan 1972); nothing where there is no circle."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        open_.append(node)
        for other in sorted(arrows.get(node, ())):
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in open_:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            group = open_[open_.index(node) :]
            del open_[open_.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in arrows:
        if node not in number:
            visit(node)
    return found


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [["b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_modules_import_each_other_in_a_circle(imports):
    assert circles(imports) == []


@pytest.mark.parametrize("depth", [2, 3])
def test_no_packages_import_each_other_in_a_circle(imports, depth):
    def room(module: str) -> str:
        return ".".join(module.split(".")[:depth])

    arrows: dict[str, set[str]] = {}
    for module, others in imports.items():
        # The module of a package is its door: what it offers lies behind it.
        arrows.setdefault(room(module), set()).update(room(other) for other in others if room(other) != room(module))
    assert circles(arrows) == []


# An analysis that pools the results of another one is made of its statements and rules; the other way round nothing is known.
POOLS = {"analyses.mi_distance_pooled": "analyses.mi_distance"}


def test_no_analysis_knows_of_another_one(imports):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = settings["project"]["entry-points"]["reportgen.analyses"]
    folders = {f"analyses.{name}" for name in names}
    for module, others in imports.items():
        for folder in folders:
            if any(module.startswith(f"{pooling}.") and folder == pooled for pooling, pooled in POOLS.items()):
                continue
            if not (module == folder or module.startswith(f"{folder}.")):
                assert not [other for other in others if other == folder or other.startswith(f"{folder}.")], module


# What only one analysis, or only studies of a word's occurrences, speaks of.
WORDS = re.compile(
    r"attention|\bmlp\b|mutual.information|\bMI\b|kendall|\btaus?\b|mantel|cosine|similarity|selectivity|histogram|nearest.neighbour"
    r"|jackknife|\bnats?\b|early_layers|deep_layers|negative_tau|tau_separation|constant_shift|falls_with_depth|centring|structures_agree"
    r"|chú ý|thông tin tương hỗ|độ tương đồng|cosin\b",
    re.IGNORECASE,
)
# File -> what in it is allowed, and why.
ALLOWED: dict[str, tuple[str, str]] = {
    "reportgen/cli.py": (
        r"layer  attention x MLP x|attention, mlp = row|row\['attention'\]|attention:>11|mlp:>5|\['mlp'\]|with an attention:",
        "`models verify` shows where any model keeps the two parts of its layers; no analysis is asked",
    ),
    "reportgen/models.py": (r'"attention": check|"mlp": check', "the same"),
    "reportgen/documents/formulas.py": (r"\}mi\b", "an element of MathML"),
    "reportgen/pipeline.py": (r'(?s)Examples\n.*?"""', "the example of a public function, which a test runs"),
}


def common_files() -> Iterator[Path]:
    yield from (ROOT / "reportgen").rglob("*.py")
    for kind in ("*.po", "*.j2", "*.css", "*.yaml", "*.js"):
        yield from (ROOT / "templates").rglob(kind)


def test_what_is_common_names_nothing_of_one_analysis():
    found = {}
    for path in sorted(common_files()):
        name = path.relative_to(ROOT).as_posix()
        allowed = re.compile(ALLOWED[name][0]) if name in ALLOWED else None
        text = path.read_text(encoding="utf-8")
        words = sorted({match[0].lower() for match in WORDS.finditer(allowed.sub("", text) if allowed else text)})
        if words:
            found[name] = words
    assert found == {}


def test_every_exception_is_still_needed():
    for name, (allowed, reason) in ALLOWED.items():
        assert reason
        assert any(WORDS.search(match[0]) for match in re.finditer(allowed, (ROOT / name).read_text(encoding="utf-8"))), name
