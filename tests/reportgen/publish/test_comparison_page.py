"""`reportgen compare --html`: the page, and that it changes nothing about the exit codes."""

import re

import pytest
from typer.testing import CliRunner

from analyses import mi_distance
from analyses.protocol import Results
from reportgen.bundle import read_bundle, write_bundle
from reportgen.cli import app
from reportgen.documents import Assets, load_languages
from reportgen.documents.languages import Labels
from reportgen.documents.svg import compact, figure_style, render_svg
from reportgen.publish.comparison import comparison_page
from reportgen.publish.quantities import shape_words, words_of


@pytest.fixture
def moved(computed, tmp_path):
    """The same study with one mean moved, one verdict changed, another seed and another version of numpy."""
    dataset = computed.dataset.copy(deep=True)
    dataset["mean_mutual_information"][0, 0, 2] += 0.5
    first, *others = computed.study["verdicts"]
    study = {
        **computed.study,
        "settings": {**computed.study["settings"], "seed": 1234},
        "provenance": {**computed.study["provenance"], "versions": {**computed.study["provenance"]["versions"], "numpy": "9.9"}},
        "verdicts": [{**first, "verdict": "supported" if first["verdict"] != "supported" else "contradicted"}, *others],
    }
    return write_bundle(Results(dataset, computed.activations, study), mi_distance.analysis.tables, tmp_path / "moved")


def text_of(page):
    body = page.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"<svg.*?</svg>", "", body, flags=re.DOTALL)))


def test_the_page_says_what_moved_in_both_languages(bundle, moved):
    page = comparison_page(bundle, moved)
    words = text_of(page)
    assert "Số đánh giá thay đổi: 1/" in words
    assert "Verdicts that changed: 1 of" in words
    assert "tầng nông: nhánh MLP cao hơn nhánh chú ý" in words
    assert "early layers: MLP above attention" in words
    assert "ước lượng: histogram, nhánh: chú ý, tầng 3" in words
    assert "estimator: histogram, branch: attention, layer 3" in words
    assert "1 trên 24 / 1 of 24" in words
    # A quantity is named in words, in either language, beside the name that it has in the file.
    assert "Thông tin tương hỗ trung bình / Mean mutual information mean_mutual_information" in words
    assert re.search(r"seed 20 1234", words)
    assert "versions.numpy" in words
    # Drawn is what moved, and only that.
    assert page.count('class="figure"') == 1
    assert "chú ý, trước / attention, before" in page
    # Of three estimators the one that moved; of its branches, both after and one before. A line and its key look alike.
    first = page.partition("<svg ")[2].partition("</svg>")[0]
    assert re.findall(r">Cách ước lượng: ([^/<]*) / Estimator: ", first) == ["histogram"]
    looks = dict(re.findall(r"\.([\w-]+)\{([^}]*stroke: var\(--series-[^}]*)\}", first))
    assert {look: first.count(f'class="{look}"') for look in looks} == dict.fromkeys(looks, 2)
    assert sum("stroke-dasharray" in style for style in looks.values()) == 1
    assert len(looks) == 3


def test_the_page_needs_nothing_else_and_is_the_same_every_time(bundle, moved):
    page = comparison_page(bundle, moved)
    assert page == comparison_page(bundle, moved)
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert str(moved) not in page


def test_a_compact_figure_is_the_same_picture(bundle, moved):
    """Fewer words: every mark, word and reference of the figure is still there, and no group that says nothing."""
    before, after = (read_bundle(path) for path in (bundle, moved))
    assets = Assets.of(mi_distance.analysis)
    (figure, *_) = mi_distance.analysis.comparison_figures(before, after)
    with figure_style(assets):
        labels = Labels([load_languages(*assets.directories, analysis="mi_distance")["en"]])
        svg = render_svg(figure.draw(labels), "figure-1")
    small = compact(svg, "figure-1")
    assert len(small) < len(svg)
    for tag in ("path", "use", "text"):
        assert small.count(f"<{tag} ") == svg.count(f"<{tag} ")
    assert re.findall(r">([^<>]*)</text>", small) == re.findall(r">([^<>]*)</text>", svg)
    looks = dict(re.findall(r"\.([\w-]+)\{([^}]*)\}", small))
    written = re.sub(r'class="([^"]*)"', lambda found: f'style="{looks[found[1]]}"', small)
    assert sorted(re.findall(r'style="([^"]*)"', written)) == sorted(re.findall(r'style="([^"]*)"', svg))
    referred = {*re.findall(r"url\(#([^)]+)\)", small), *re.findall(r'href="#([^"]+)"', small)}
    assert referred == set(re.findall(r' id="([^"]+)"', small))
    numbers = [
        [float(each) for each in re.findall(r"(?<=[ML ])-?\d+(?:\.\d+)?", " ".join(re.findall(r' d="([^"]*)"', one)))]
        for one in (svg, small)
    ]
    assert numbers[1] == pytest.approx(numbers[0], abs=0.051)


def test_nothing_moved(bundle):
    words = text_of(comparison_page(bundle, bundle))
    for sentence in ("Không có đánh giá nào thay đổi.", "No verdict changed.", "No number moved beyond its tolerance.", "None differ."):
        assert sentence in words


def test_exit_codes_with_a_page(bundle, moved, tmp_path):
    page = tmp_path / "deep" / "changes.html"

    def call(*arguments):
        return CliRunner().invoke(app, ["compare", *map(str, arguments), "--html", str(page)]).exit_code

    assert call(bundle, bundle) == 0
    same = page.read_text(encoding="utf-8")
    assert call(bundle, moved) == 1
    assert page.read_text(encoding="utf-8") != same
    baseline = tmp_path / "baseline"
    page.unlink()
    assert call(baseline, bundle, "--update") == 0
    # There was nothing to compare with.
    assert not page.exists()
    assert call(baseline, moved, "--update") == 0
    assert "versions.numpy" in page.read_text(encoding="utf-8")
    assert call(baseline, moved) == 0


def test_every_quantity_has_words_in_every_language(computed):
    """No name of a variable stands alone on a page for readers, and another shape is said in words too."""
    assets = Assets.of(mi_distance.analysis)
    languages = load_languages(*assets.directories, analysis="mi_distance")
    for code, language in languages.items():
        said = {name: words_of(name, language) for name in map(str, computed.dataset.data_vars)}
        assert [name for name, words in said.items() if words is None] == []
        assert [words for words in said.values() if "_" in words or "%(" in words] == []
        assert len(set(said.values())) > 0.9 * len(said)
        shape = {"vi": "2 nhánh × 30 tầng", "en": "2 branch × 30 layer"}[code]
        assert shape_words("2 branch x 30 layer", language) == shape
        assert shape_words("a single value", language) == {"vi": "một giá trị", "en": "a single value"}[code]
