"""Whole reports: the built-in study on the embedded model, made once; and small studies of vectors with planted effects."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray

from analyses.mi_distance import analysis
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.study import analyse
from analyses.occurrences.vectors import StudyInput
from analyses.progress import SilentProgress
from analyses.protocol import Drawing, Results
from reportgen.documents import Assets, Document, build_document, load_languages, render_html, render_pdf
from reportgen.documents.languages import PLACEHOLDER, Language

LANGUAGES = load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)
NOT_PROSE = ("style", "script", "svg", "math", "pre")


class _Text(HTMLParser):
    """The text of a page as it is read; a space where an element ends that stands alone."""

    BLOCKS = frozenset({"p", "li", "div", "h1", "h2", "h3", "h4", "td", "th", "tr", "figcaption", "section", "summary"})

    def __init__(self, without: Sequence[str]) -> None:
        super().__init__()
        self.without, self.parts, self.hidden = tuple(without), [], []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        classes = (dict(attributes).get("class") or "").split()
        if self.hidden or tag in self.without or any(f".{name}" in self.without for name in classes):
            if tag not in ("br", "wbr", "img", "meta", "col", "link"):
                self.hidden.append(tag)
        elif tag in self.BLOCKS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self.hidden:
            if tag == self.hidden[-1]:
                self.hidden.pop()
        elif tag in self.BLOCKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def plain_text(html: str, without: Sequence[str] = ()) -> str:
    """Words of some HTML, white space evened out; `without` names elements (``code``) and classes (``.cite``) to leave out."""
    reader = _Text([*NOT_PROSE, *without])
    reader.feed(html)
    return re.sub(r"[ \n\t]+", " ", "".join(reader.parts)).strip()


@pytest.fixture(scope="session")
def words_of() -> Callable[..., str]:
    return plain_text


@pytest.fixture(scope="session")
def languages() -> Mapping[str, Language]:
    return LANGUAGES


def _pattern(sentence: str) -> re.Pattern[str]:
    """What a sentence of the catalogue looks like with some values in it."""
    without_tags = re.sub(r"</?(?:i|em|b|strong|sub|sup|code)>", "", sentence)
    pieces, end = [], 0
    for match in PLACEHOLDER.finditer(without_tags):
        pieces += [re.escape(without_tags[end : match.start()]), "%" if match["escaped"] else r"(?:\[[^\]]*\]|[^;()\[\]]){1,160}?"]
        end = match.end()
    return re.compile("".join([*pieces, re.escape(without_tags[end:])]))


@pytest.fixture(scope="session")
def sentences_in() -> Callable[[str, str, Language], set[str]]:
    """The keys under a prefix whose sentence stands in a text, whatever its values."""
    known: dict[tuple[str, str], re.Pattern[str]] = {}

    def found(text: str, prefix: str, language: Language) -> set[str]:
        keys = [key for key in language.catalogue if key.startswith(f"{prefix}.")]
        for key in keys:
            known.setdefault((language.code, key), _pattern(language.catalogue[key]))
        return {key for key in keys if known[language.code, key].search(text)}

    return found


def _blank(_labels: Any) -> Drawing:
    figure, _ = plt.subplots(figsize=(1, 1))
    return Drawing(figure, {})


@dataclass(frozen=True)
class Report:
    """A document's tree and page in one language."""

    document: Document
    html: str

    @property
    def text(self) -> str:
        return plain_text(self.html)


def document_of(results: Results, codes: Sequence[str], edition: str = "report", *, drawn: bool = True) -> Document:
    figures = analysis.figures(results)
    if not drawn:
        figures = [replace(figure, draw=_blank) for figure in figures]
    languages = [LANGUAGES[code] for code in codes]
    return build_document(
        "mi_distance",
        analysis.facts(results),
        figures,
        analysis.tables(results),
        languages,
        assets=Assets.of(analysis),
        edition=edition,
    )


@pytest.fixture(scope="session")
def report_of() -> Callable[[Results, str], Report]:
    """A report without drawings, which are tested on their own."""

    def report(results: Results, code: str) -> Report:
        document = document_of(results, (code,), drawn=False)
        return Report(document, render_html(document))

    return report


@dataclass(frozen=True)
class Coffee:
    """The built-in study on the embedded model: its bundle, read with nothing of this project, and its results."""

    bundle: Path
    data: xarray.Dataset
    study: dict[str, Any]
    results: Results


@pytest.fixture(scope="session")
def coffee(embedded_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Coffee:
    import json

    from reportgen.pipeline import analyze_to

    bundle, results = analyze_to("coffee", tmp_path_factory.mktemp("coffee"))
    data = xarray.load_dataset(bundle / "results.nc", engine="scipy")
    return Coffee(bundle, data, json.loads((bundle / "study.json").read_text(encoding="utf-8")), results)


@pytest.fixture(scope="session")
def coffee_document(coffee: Coffee) -> Callable[..., Document]:
    """The built-in study's document by its languages and its edition, each made once."""
    return cache(lambda *codes, edition="report": document_of(coffee.results, codes, edition))


@pytest.fixture(scope="session")
def coffee_reports(coffee_document: Callable[..., Document]) -> Mapping[str, Report]:
    return {code: Report(coffee_document(code), render_html(coffee_document(code))) for code in ("vi", "en")}


@pytest.fixture(scope="session")
def coffee_pdf(coffee_document: Callable[..., Document], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The same as PDF, each laid out once."""
    folder = tmp_path_factory.mktemp("pdf")

    @cache
    def file(*codes: str, edition: str = "report") -> Path:
        path = folder / f"{'-'.join(codes)}-{edition}.pdf"
        path.write_bytes(render_pdf(coffee_document(*codes, edition=edition)))
        return path

    return file


@pytest.fixture(scope="session")
def coffee_pdfs(coffee_pdf: Callable[..., Path]) -> Mapping[str, Path]:
    return {code: coffee_pdf(code) for code in ("vi", "en")}


# Planted effects

POSITION = np.array([3, 8, 16, 27, 41, 58, 78])


def correlated(similarity: np.ndarray, dimensions: int, generator: np.random.Generator) -> np.ndarray:
    """Vectors (occurrence, dimension) of exactly these correlations with one another."""
    noise = generator.normal(size=(len(similarity), dimensions))
    noise -= noise.mean(axis=1, keepdims=True)
    white = np.linalg.solve(np.linalg.cholesky(noise @ noise.T / dimensions), noise)
    return np.linalg.cholesky(similarity) @ white


def planted(
    attention: Sequence[float],
    mlp: Sequence[float],
    attention_trend: int = -1,
    mlp_trend: int = -1,
    *,
    dimensions: int = 1000,
    seed: int = 0,
) -> StudyInput:
    """Vectors whose correlation is `attention` and `mlp` layer by layer, falling (-1) or rising (1) with token distance."""
    generator = np.random.default_rng(seed)
    distance = np.abs(POSITION[:, None] - POSITION)
    spread = distance / distance.max() - 0.5
    activation = np.empty((2, len(attention), len(POSITION), dimensions), dtype=np.float32)
    for branch, (levels, trend) in enumerate(((attention, attention_trend), (mlp, mlp_trend))):
        for layer, level in enumerate(levels):
            similarity = level + trend * 0.2 * spread
            np.fill_diagonal(similarity, 1)
            activation[branch, layer] = correlated(similarity, dimensions, generator)
    provenance = {"model": {"source": "ready activations", "file": "planted.npz"}}
    return StudyInput(activation, POSITION, None, None, None, None, None, provenance)


@pytest.fixture(scope="session")
def planted_study() -> Callable[..., Results]:
    """Results of planted vectors; hypotheses may be set."""

    def study(vectors: StudyInput, detail_layer: int | None = 1, **hypotheses: Any) -> Results:
        settings = StudySettings(
            name="planted",
            word="coffee",
            activations_file="planted.npz",
            permutations=99,
            detail_layer=detail_layer,
            hypotheses=hypotheses,
            robustness={"enabled": False},
        )
        return analyse(vectors, settings, SilentProgress())

    return study


@pytest.fixture(scope="session")
def plant() -> Callable[..., StudyInput]:
    return planted


@pytest.fixture(scope="session")
def planted_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ready activations of a small study, with both controls, as someone else might have captured them."""
    vectors = planted([0.3, 0.4, 0.5, 0.6], [0.6, 0.5, 0.4, 0.4], dimensions=80)
    generator = np.random.default_rng(1)
    file = tmp_path_factory.mktemp("planted") / "captured.npz"
    np.savez(
        file,
        activation=vectors.activation,
        token_position=vectors.token_position,
        control_activation=generator.normal(size=(2, 4, 30, 80)).astype(np.float32),
        control_token_position=np.setdiff1d(np.arange(1, 60), POSITION)[:30],
        control_token_word=np.array([f"word{index}" for index in range(30)]),
        untrained_activation=generator.normal(size=vectors.activation.shape).astype(np.float32),
    )
    return file
