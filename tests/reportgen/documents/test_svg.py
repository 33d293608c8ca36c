"""Figures: same drawing, same bytes; nothing of one figure touches another or the page around it."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import matplotlib
import matplotlib.colors
import matplotlib.pyplot as plt
import pytest
import yaml

from analyses.errors import InputError
from analyses.protocol import Drawing
from reportgen.documents.assets import Assets
from reportgen.documents.document import Document
from reportgen.documents.languages import NumberSigns, labels, load_languages
from reportgen.documents.svg import SVG, Palette, figure_style, follow_scheme, legend_of, render_svg


@pytest.fixture
def profile(trial_module: ModuleType, assets: Assets) -> str:
    analysis = trial_module.TrialAnalysis()
    with figure_style(assets):
        figure = analysis.figures(None)[0]
        return render_svg(figure.draw(labels([load_languages(*assets.directories)["vi"]])), "figure-profile", NumberSigns(",", "."))


def test_it_is_one_bare_element_without_date_or_program(profile: str) -> None:
    assert profile.startswith("<svg ")
    for word in ("<!DOCTYPE", "<?xml", "<metadata", "<style", "matplotlib.org", "dc:date"):
        assert word not in profile


def test_identifiers_belong_to_the_figure_and_are_found(profile: str) -> None:
    identifiers = re.findall(r' id="([^"]*)"', profile)
    assert len(identifiers) == len(set(identifiers))
    assert all(identifier.startswith("figure-profile-") for identifier in identifiers)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', profile)) <= set(identifiers)


def test_text_stays_text_in_the_report_s_face_with_the_language_s_decimals(profile: str) -> None:
    root = ElementTree.fromstring(profile)
    words = ["".join(element.itertext()) for element in root.iter(f"{{{SVG}}}text")]
    assert "Tầng" in words
    assert "0,10" in words
    assert not any(re.search(r"\d\.\d", word) for word in words)
    assert profile.count("Reportgen Sans") >= len(words)


@pytest.mark.parametrize("code", ["vi", "en"])
def test_an_axis_is_numbered_as_the_sentences_are(assets: Assets, code: str) -> None:
    language = load_languages(*assets.directories)[code]
    whole, fractions = [-1500, 0, 500, 12000, 123000], [999.5, 1000.5, 1002.0]
    with figure_style(assets):
        figure, axes = plt.subplots()
        axes.set_xticks(whole)
        axes.set_yticks(fractions)
        svg = render_svg(Drawing(figure, {}), "f", language.number_signs)
        plt.close(figure)
    words = ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{{{SVG}}}text")]
    assert words == [language.number(value, 0) for value in whole] + [language.number(value, 1) for value in fractions]


def test_hover_text_is_the_first_child_of_its_element(profile: str) -> None:
    root = ElementTree.fromstring(profile)
    element = next(each for each in root.iter() if each.get("id") == "figure-profile-mlp-3")
    assert element[0].tag == f"{{{SVG}}}title"
    assert element[0].text is not None
    assert re.fullmatch(r"Tầng 3: 0,\d{3} nat", element[0].text)


def test_a_point_that_moved_is_a_few_lines(assets: Assets) -> None:
    """Lines of a length that a review shows, and no space within words that was not there."""

    def drawn(values: list[float]) -> str:
        figure, axes = plt.subplots()
        axes.plot(range(200), values)
        axes.set_title("two  spaces")
        svg = render_svg(Drawing(figure, {}), "f")
        plt.close(figure)
        return svg

    with figure_style(assets):
        values = [float(number % 7) for number in range(200)]
        before = drawn(values)
        after = drawn([*values[:99], 2.5, *values[100:]])
    assert max(map(len, before.splitlines())) < 400
    assert len(before.splitlines()) == len(after.splitlines())
    assert sum(one != other for one, other in zip(before.splitlines(), after.splitlines(), strict=True)) == 1
    words = ["".join(element.itertext()) for element in ElementTree.fromstring(before).iter(f"{{{SVG}}}text")]
    assert "two  spaces" in words
    assert not any("\n" in word for word in words)


def test_hover_text_without_an_element_is_an_error(assets: Assets) -> None:
    with figure_style(assets):
        figure, axes = plt.subplots()
        axes.plot([0, 1], gid="there")
        with pytest.raises(InputError, match="'elsewhere', but no element"):
            render_svg(Drawing(figure, {"elsewhere": "words"}), "f")
        plt.close(figure)


def test_the_style_is_lent_and_given_back(assets: Assets) -> None:
    before = dict(matplotlib.rcParams)
    with figure_style(assets) as palette:
        assert matplotlib.colors.to_hex("series:blue") == palette.light["series:blue"]
        assert matplotlib.colormaps["report_sequential"](0.0) != matplotlib.colormaps["report_sequential"](1.0)
    assert dict(matplotlib.rcParams) == before
    assert "series:blue" not in matplotlib.colors.get_named_colors_mapping()


def test_a_user_s_own_matplotlib_settings_do_not_show(assets: Assets) -> None:
    with matplotlib.rc_context({"axes.grid": False, "lines.linewidth": 9, "axes.facecolor": "red"}), figure_style(assets):
        assert matplotlib.rcParams["lines.linewidth"] < 3
        assert matplotlib.rcParams["axes.facecolor"] == "none"


def test_colors_of_the_palette_follow_the_scheme_of_the_page(profile: str, assets: Assets) -> None:
    palette = Palette.load(assets)
    turned = follow_scheme(profile, palette)
    assert "var(--series-blue)" in turned
    assert palette.light["series:blue"] not in turned
    assert palette.light["ink"] not in turned


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """WCAG 2.2, contrast ratio."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["series:blue", "series:vermilion", "series:grey", "series:green", "highlight", "ink", "muted", "link"])
@pytest.mark.parametrize("ground", ["paper", "panel"])
def test_words_in_a_color_can_be_read_on_both_grounds_in_both_schemes(name: str, ground: str, assets: Assets) -> None:
    palette = Palette.load(assets)
    for colors in (palette.light, palette.dark):
        assert contrast(colors[name], colors[ground]) >= 4.5


def test_figures_of_one_document_share_no_identifier(documents: dict[str, Document]) -> None:
    for document in documents.values():
        identifiers = [each for item in document.items() if item.kind == "figure" for each in re.findall(r' id="([^"]*)"', item.svg)]
        assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colors": None}, "colors: "),
        ({"colors": []}, "colors: "),
        ({"colors": {"ink": "#000000"}}, r"colors\.ink: "),
        ({"colors": {"ink": {"light": "#000000"}}}, r"colors\.ink\.dark: missing, and required"),
        ({"colors": {"ink": {"light": "black", "dark": "#ffffff"}}}, r"colors\.ink\.light: "),
        ({"colors": {"ink": {"light": "#000000", "dark": "#fff;} body {"}}}, r"colors\.ink\.dark: "),
        ({"colors": {"ink": {"light": "#000000", "dark": "#ffffff"}}}, "colors: series:blue is missing; expected"),
        ({"cycle": ["no name"]}, "cycle: no name is no name in colors"),
        ({"cycle": []}, "cycle: "),
        ({"sequential": ["#000000"]}, "sequential: "),
        ({"diverging": "#000000"}, "diverging: "),
    ],
)
def test_a_palette_that_is_none(tmp_path: Path, change: dict[str, object], message: str) -> None:
    built_in = yaml.safe_load((Assets.default().directories[0] / "styles/palette.yaml").read_text(encoding="utf-8"))
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles/palette.yaml").write_text(yaml.safe_dump({**built_in, **change}), encoding="utf-8")
    with pytest.raises(InputError, match=rf"palette\.yaml: {message}"):
        Palette.load(Assets.default(tmp_path))


def test_two_names_of_one_light_colour_are_refused(tmp_path: Path) -> None:
    built_in = yaml.safe_load((Assets.default().directories[0] / "styles/palette.yaml").read_text(encoding="utf-8"))
    built_in["colors"]["ink"]["light"] = built_in["colors"]["muted"]["light"].upper()
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles/palette.yaml").write_text(yaml.safe_dump(built_in), encoding="utf-8")
    with pytest.raises(InputError, match="two names have the same light colour"):
        Palette.load(Assets.default(tmp_path))


def test_a_legend_at_the_right_edge_is_a_picture_of_its_own() -> None:
    """On a narrow screen it stays in sight; a figure without one has none."""
    svg = '<svg data-legend="0.800" viewBox="0 0 480 200"><g/></svg>'
    legend = ElementTree.fromstring(legend_of(svg, "drawing-f"))
    assert legend.get("viewBox") == "384.0 0 96.0 200"
    assert legend.get("aria-hidden") == "true"
    assert (legend[0].get("href"), legend[0].get("width")) == ("#drawing-f", "480")
    assert legend_of('<svg viewBox="0 0 480 200"><g/></svg>', "drawing-f") == ""
