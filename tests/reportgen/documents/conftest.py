"""The trial analysis and its rendered documents, made once for the session."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from reportgen.documents import Assets, Document, build_document, load_languages, render_html, render_pdf

FIXTURE = Path(__file__).parent / "fixture"


@pytest.fixture(scope="session")
def trial_module() -> ModuleType:
    """The module of the trial analysis."""
    spec = importlib.util.spec_from_file_location("trial_analysis", FIXTURE / "trial_analysis.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def assets() -> Assets:
    """Built-in templates with the trial's in front."""
    return Assets.default(FIXTURE)


@pytest.fixture(scope="session")
def documents(trial_module: ModuleType, assets: Assets) -> dict[str, Document]:
    """The trial in English, Vietnamese and both."""
    analysis = trial_module.TrialAnalysis()
    results = analysis.run(None, None)
    known = load_languages(*assets.directories)
    return {
        code: build_document(
            "trial",
            analysis.facts(results),
            analysis.figures(results),
            analysis.tables(results),
            [known[each] for each in code.split("-")],
            assets=assets,
            alternates={"vi-en" if code != "vi-en" else "en": "../report.html"},
        )
        for code in ("en", "vi", "vi-en")
    }


@pytest.fixture(scope="session")
def pages(documents: dict[str, Document]) -> dict[str, str]:
    """The trial as HTML."""
    return {code: render_html(document, {"en": "English", "vi": "Tiếng Việt"}) for code, document in documents.items()}


@pytest.fixture(scope="session")
def papers(documents: dict[str, Document]) -> dict[str, bytes]:
    """The trial as PDF."""
    return {code: render_pdf(documents[code]) for code in ("en", "vi", "vi-en")}
