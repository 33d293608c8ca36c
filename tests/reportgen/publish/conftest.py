"""One small study from ready activations, rendered once; every other bundle here borrows its documents."""

import os
import shutil

import numpy
import pytest
from markupsafe import Markup

from analyses.mi_distance import analysis
from analyses.mi_distance.settings import StudySettings
from analyses.progress import SilentProgress
from analyses.protocol import Results
from reportgen import pipeline
from reportgen.bundle import write_bundle
from reportgen.documents import SitePage

LAYERS, OCCURRENCES, DIMENSIONS = 4, 5, 48
HEAD, WORDS = "<!-- head -->", "about-the-study"
# Before any test puts something in its place.
_pages_of_site = pipeline.render_site_pages


@pytest.fixture(autouse=True)
def only_letters(monkeypatch, tmp_path):
    """Here the real analysis is wanted, not the one of the folder above."""
    for name in [name for name in os.environ if name.startswith("REPORTGEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def computed(tmp_path_factory):
    """Results of a study named "kettle", with people, a date and a licence."""
    generator = numpy.random.default_rng(4)
    shared = generator.normal(size=(2, LAYERS, 1, DIMENSIONS))
    file = tmp_path_factory.mktemp("activations") / "activations.npz"
    activation = (shared + generator.normal(size=(2, LAYERS, OCCURRENCES, DIMENSIONS))).astype("float32")
    numpy.savez(file, activation=activation, token_position=numpy.array([3, 9, 20, 41, 80]))
    settings = StudySettings.model_validate(
        {
            "name": "kettle",
            "word": "trà & <chè>",
            "activations_file": str(file),
            "robustness": {"simulations": 100},
            "permutations": 99,
            "detail_layer": 1,
            "document": {
                "authors": ["Nguyễn, Văn Ước", "Lê Thị Ẩn"],
                "institution": {"vi": "Đại học Ví Dụ", "en": "Example University"},
                "licence": "CC-BY-4.0",
                "date": "2026-03-02",
            },
        }
    )
    results = analysis.run(settings, SilentProgress())
    return Results(results.dataset, results.activations, {**results.study, "analysis": analysis.name})


@pytest.fixture(scope="session")
def bundle(computed, tmp_path_factory):
    return write_bundle(computed, analysis.tables, tmp_path_factory.mktemp("kettle") / "bundle")


@pytest.fixture(scope="session")
def rendered(bundle, tmp_path_factory):
    """The documents of the bundle, as `reportgen render` writes them."""
    out = tmp_path_factory.mktemp("rendered") / "out"
    pipeline.render(bundle, out)
    return out


@pytest.fixture(scope="session")
def pages_of_site(bundle, tmp_path_factory):
    """The folder with the bundle's pages in some languages, made once, which say HEAD and WORDS where a site has its own."""
    made = {}

    def folder_of(codes, self_contained):
        if (codes, self_contained) not in made:
            made[codes, self_contained] = tmp_path_factory.mktemp("pages") / "out"
            pages = {code: SitePage(Markup(HEAD), "../index.html", WORDS, self_contained) for code in codes}
            _pages_of_site(bundle, made[codes, self_contained], pages)
        return made[codes, self_contained]

    return folder_of


@pytest.fixture(scope="session")
def borrowed(rendered, pages_of_site):
    """The function that has documents borrowed, in a test or in what many tests share: rendering takes seconds a document."""

    def render(path, out, *, languages, **options):
        shutil.copytree(rendered, out, dirs_exist_ok=True)

    def render_site_pages(bundle, out, pages, **options):
        shutil.copytree(pages_of_site(tuple(pages), next(iter(pages.values())).self_contained), out)
        for code, page in pages.items():
            file = out / code / "index.html"
            html = file.read_text(encoding="utf-8").replace(HEAD, page.head).replace(WORDS, page.words)
            file.write_text(html, encoding="utf-8")

    def borrow(monkeypatch):
        monkeypatch.setattr(pipeline, "render", render)
        monkeypatch.setattr(pipeline, "render_site_pages", render_site_pages)

    return borrow


@pytest.fixture
def documents(monkeypatch, borrowed):
    """What is rendered matters to no test of a site's files."""
    borrowed(monkeypatch)


@pytest.fixture(scope="session")
def write_variant(computed):
    """Write a bundle like the first one but for its name, date, other settings, or its first verdict."""

    def write(place, *, name="kettle", date="2026-03-02", verdict=None, title=None, settings=None):
        settings = {**computed.study["settings"], **(settings or {})}
        document = {**settings["document"], "date": date, "title": title or {}}
        first, *others = computed.study["verdicts"]
        study = {
            **computed.study,
            "settings": {**settings, "name": name, "document": document},
            "verdicts": [{**first, "verdict": verdict or first["verdict"]}, *others],
        }
        return write_bundle(Results(computed.dataset, computed.activations, study), analysis.tables, place)

    return write


@pytest.fixture
def variant(write_variant, tmp_path):
    """Such a bundle in a folder of the test's own."""
    return lambda folder, **changes: write_variant(tmp_path / folder, **changes)
