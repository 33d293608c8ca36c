"""The real analysis in a language of its own and as a worksheet, from made-up vectors."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from babel.messages.pofile import read_po, write_po

from analyses.errors import InputError
from analyses.mi_distance import analysis
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.study import analyse
from analyses.occurrences.vectors import StudyInput
from analyses.progress import SilentProgress
from analyses.protocol import Results
from reportgen.documents import render_documents
from reportgen.documents.assets import export_templates
from reportgen.documents.languages import PLACEHOLDER

MARK = "\u0167"  # a letter that neither Vietnamese nor English has


@pytest.fixture(scope="module")
def results() -> Results:
    """Six occurrences in six layers, with both controls."""
    generator = np.random.default_rng(5)
    common = generator.normal(size=(2, 6, 1, 60))
    activation, control, untrained = (
        (strength * common + generator.normal(size=(2, 6, count, 60))).astype(np.float32)
        for count, strength in ((6, 1.0), (24, 0.6), (6, 0.3))
    )
    study = StudyInput(
        activation=activation,
        token_position=np.arange(3, 63, 10),
        control_activation=control,
        control_token_position=np.arange(4, 76, 3),
        control_token_word=tuple(f"word{index}" for index in range(24)),
        untrained_activation=untrained[None],
        text=None,
        provenance={"model": {"source": "ready activations", "file": "made-up.npz"}},
    )
    settings = StudySettings(
        name="made-up", word="coffee", activations_file="made-up.npz", detail_layer=1, permutations=199,
        controls={"pairs_per_distance": 4}, robustness={"enabled": False},
    )  # fmt: skip
    return analyse(study, settings, SilentProgress())


def pseudo(sentence: str) -> str:
    """A sentence in a language that does not exist: marked, its placeholders as they were."""
    return f"{MARK}{sentence}" if PLACEHOLDER.sub("", sentence).strip() else sentence


@pytest.fixture
def with_esperanto(tmp_path: Path) -> Path:
    """A user's folder with a third language, made as templates/README.md says."""
    own = tmp_path / "own"
    export_templates(tmp_path / "all", [analysis])
    for place in ("languages", "mi_distance/languages", "mi_distance"):
        shutil.copytree(tmp_path / "all" / place / "en", own / place / "eo")
    for path in own.rglob("languages/eo/*.po"):
        with path.open("rb") as stream:
            catalogue = read_po(stream)
        for message in catalogue:
            forms = message.string if message.pluralizable else (message.string,)
            if message.id and not str(message.id).startswith("format."):
                message.string = tuple(map(pseudo, forms)) if message.pluralizable else pseudo(*forms)
        with path.open("wb") as stream:
            write_po(stream, catalogue, width=10_000)
    for path in (own / "mi_distance" / "eo").glob("*.j2"):
        path.write_text(path.read_text(encoding="utf-8").replace("<p>", f"<p>{MARK} "), encoding="utf-8")
    return own


def test_a_third_language_is_a_folder_of_sentences_and_one_of_prose(results: Results, with_esperanto: Path, tmp_path: Path) -> None:
    files = render_documents(results, analysis, tmp_path / "out", languages=["eo", "vi-eo"], templates=with_esperanto)
    documents = [file for file in files if file.parent.name not in ("figures", "tables")]
    assert {str(file.relative_to(tmp_path / "out")) for file in documents} == {
        "eo/report.html", "eo/report.pdf", "report.html", "report.pdf"
    }  # fmt: skip
    page = (tmp_path / "out" / "eo" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="eo">' in page
    headings = re.findall(r"<h[1-6][^>]*>(.*?)</h[1-6]>", page, re.DOTALL)
    assert len(headings) > 20
    assert [heading for heading in headings if MARK not in heading] == []
    paragraphs = re.findall(r"<p>(.*?)</p>", re.sub(r"<blockquote.*?</blockquote>", "", page, flags=re.DOTALL), re.DOTALL)
    assert len([each for each in paragraphs if MARK in each]) > 40
    both = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert both.count('class="version" lang="vi"') == both.count('class="version" lang="eo"') > 100


def test_a_worksheet_asks_and_its_key_answers(results: Results, tmp_path: Path) -> None:
    files = render_documents(results, analysis, tmp_path, languages=["en"], formats=["html"], edition="handout")
    assert [file.name for file in files if file.suffix == ".html"] == ["handout.html", "handout-key.html"]
    assert len(files) == len(set(files))
    sheet, key = ((tmp_path / "en" / name).read_text(encoding="utf-8") for name in ("handout.html", "handout-key.html"))
    facts = analysis.facts(results)
    assert 'class="verdict' not in sheet
    # Each statement's verdict once; those of its parts beside their numbers and in the list of statements.
    parts = sum(len(statement["parts"]) for statement in facts["statements"])
    assert len(facts["statements"]) == 5
    assert key.count('class="verdict verdict--') == 5 + 2 * parts
    assert sheet.count('<div class="lines">') > 10
    assert '<div class="lines">' not in key
    assert re.findall(r'<figure id="([^"]+)"', sheet) == re.findall(r'<figure id="([^"]+)"', key)


def test_an_edition_that_is_not_there_is_one_line(results: Results, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^edition 'poster': choose from report, summary, handout$"):
        render_documents(results, analysis, tmp_path, languages=["en"], formats=["html"], edition="poster")
    assert list(tmp_path.iterdir()) == []
