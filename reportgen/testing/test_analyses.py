"""Every registered analysis: its contract, its studies, its languages, its figures, its documents."""

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import matplotlib.pyplot
import pytest
from matplotlib.text import Text

from analyses.protocol import Analysis, Exampled, Results, Verdict, problems
from reportgen import registry
from reportgen.bundle import read_bundle, write_bundle
from reportgen.documents import Assets, render_documents
from reportgen.documents.languages import Labels, Language, load_languages, placeholders
from reportgen.documents.svg import figure_style
from reportgen.pipeline import analyze
from reportgen.printing import obstacle
from reportgen.settings import load_study

NAMES = sorted(registry.registered())
# The smallest type that paper still shows well, in points.
SMALLEST = 6.0

pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[Results, Results]]:
    return {}


@pytest.fixture
def analysis(name: str) -> Analysis:
    found = registry.analyses().get(name)
    assert found is not None, registry.registered()[name]
    return found


@pytest.fixture
def made_and_read(
    name: str, analysis: Analysis, known: dict[str, tuple[Results, Results]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Results, Results]:
    """Of the analysis's `example`, or of the first of its studies: as computed, and as a bundle gives them back."""
    if name not in known:
        made = analysis.example() if isinstance(analysis, Exampled) else analyze(next(iter(analysis.studies())))
        named = Results(made.dataset, made.activations, {**made.study, "analysis": name})
        known[name] = named, read_bundle(write_bundle(named, analysis.tables, tmp_path_factory.mktemp(name)))
    return known[name]


@pytest.fixture
def results(made_and_read: tuple[Results, Results]) -> Results:
    return made_and_read[1]


@pytest.fixture
def languages(analysis: Analysis) -> dict[str, Language]:
    return load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)


def test_the_contract_is_kept(name: str, analysis: Analysis) -> None:
    assert problems(analysis) == []
    assert analysis.name == name, "an analysis has the name of its entry point"


def test_its_studies_are_valid(analysis: Analysis) -> None:
    for study, file in analysis.studies().items():
        of, _ = load_study(file)
        assert of.name == analysis.name, f"{study}: {file} must say analysis: {analysis.name}"


def test_a_study_says_what_every_study_says(results: Results) -> None:
    json.dumps(results.study, allow_nan=False)
    assert {"settings", "provenance", "verdicts"} <= results.study.keys()
    for row in results.study["verdicts"]:
        assert {"statement", "estimator", "control", "verdict", "estimate", "low", "high"} <= row.keys()
        assert row["verdict"] in get_args(Verdict)


def test_each_language_says_everything_with_the_same_values(languages: dict[str, Language]) -> None:
    every = set().union(*(language.catalogue for language in languages.values()))
    lacking = {code: sorted(every - language.catalogue.keys()) for code, language in languages.items()}
    assert lacking == {code: [] for code in languages}
    differing = [key for key in every if len({placeholders(language.catalogue[key]) for language in languages.values()}) > 1]
    assert sorted(differing) == []


def test_its_prose_has_the_same_files_in_each_language(analysis: Analysis, languages: dict[str, Language]) -> None:
    files = {
        code: {path.name for folder in Assets.of(analysis).directories for path in (folder / analysis.templates / code).glob("*.j2")}
        for code in languages
    }
    assert len({frozenset(names) for names in files.values()}) == 1, files


def _drawn(analysis: Analysis, results: Results, labels: Labels) -> Iterator[tuple[str, Any]]:
    with figure_style(Assets.of(analysis)):
        for spec in analysis.figures(results):
            drawing = spec.draw(labels)
            drawing.figure.canvas.draw()
            yield spec.id, drawing.figure
            matplotlib.pyplot.close(drawing.figure)


def _texts(figure: Any) -> list[Text]:
    """What is written in a figure; matplotlib also keeps labels of ticks outside the limits, which it does not draw."""
    outside = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if not low - 1e-9 <= tick.get_loc() <= high + 1e-9]
        outside |= {label for tick in ticks for label in (tick.label1, tick.label2)}
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip() and text not in outside]


def test_every_figure_can_be_read(analysis: Analysis, results: Results, languages: dict[str, Language]) -> None:
    """No word is cut off or too small, and none stands over another one, in each language and in two beside each other."""
    pair = [languages[code] for code in ("vi", "en") if code in languages]
    for chosen in ([each] for each in languages.values()) if len(pair) < 2 else itertools.chain(([each] for each in pair), [pair]):
        for figure_id, figure in _drawn(analysis, results, Labels(chosen)):
            where = f"{figure_id} ({'-'.join(each.code for each in chosen)})"
            renderer = figure.canvas.get_renderer()
            texts = _texts(figure)
            boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
            width, height = figure.bbox.width, figure.bbox.height
            for text in texts:
                assert float(text.get_fontsize()) >= SMALLEST, f"{where}: {text.get_text()!r} is set in {text.get_fontsize()} points"
            for words, box in boxes:
                whole = box.x0 >= -0.5 and box.x1 <= width + 0.5 and box.y0 >= -0.5 and box.y1 <= height + 0.5
                assert whole, f"{where}: {words!r} is cut off"
            for (first, one), (second, other) in itertools.combinations(boxes, 2):
                # The boxes hold room for accents and descenders that the words in them need not have.
                over = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
                assert over[0] <= 1 or over[1] <= 3, f"{where}: {first!r} stands over {second!r}"


def test_every_figure_has_its_words_and_its_numbers(analysis: Analysis, results: Results, languages: dict[str, Language]) -> None:
    captions = analysis.facts(results).get("captions", {})
    for spec in analysis.figures(results):
        assert len(spec.data), f"{spec.id}: a reader is offered the numbers of a figure"
        for language in languages.values():
            for part in ("caption", "alt"):
                language.text(f"figure.{spec.id}.{part}", **captions.get(spec.id, {}))


def test_facts_say_the_same_of_what_is_read_back(analysis: Analysis, made_and_read: tuple[Results, Results]) -> None:
    made, read = (json.dumps(analysis.facts(each), default=str, sort_keys=True) for each in made_and_read)
    assert made == read
    assert len(made) > 2


def test_it_renders_in_each_language_and_in_two(analysis: Analysis, results: Results, tmp_path: Path) -> None:
    pages = [file for file in render_documents(results, analysis, tmp_path, formats=["html"]) if file.suffix == ".html"]
    assert {file.parent.relative_to(tmp_path).as_posix() for file in pages} == {"vi", "en", "."}
    for file in pages:
        page = file.read_text(encoding="utf-8")
        assert ">None<" not in page
        assert ">nan<" not in page


@pytest.mark.skipif(os.environ.get("REPORTGEN_TESTING_PDF") == "no", reason="REPORTGEN_TESTING_PDF=no")
def test_it_is_printed(analysis: Analysis, results: Results, tmp_path: Path) -> None:
    if reason := obstacle(frozenset()):
        pytest.skip(reason)
    (paper,) = [file for file in render_documents(results, analysis, tmp_path, languages=["en"], formats=["pdf"]) if file.suffix == ".pdf"]
    assert paper.read_bytes().startswith(b"%PDF-")
