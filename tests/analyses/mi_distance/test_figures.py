"""Every figure for few, some and many layers, from two occurrences (nothing testable) to twelve, in two languages at once."""

import functools
import itertools
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.stats
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from matplotlib.text import Text

from analyses.drawing.canvas import _apart
from analyses.drawing.marks import layer_ticks
from analyses.mi_distance import analysis
from analyses.mi_distance.facts.captions import captions
from analyses.mi_distance.figures import figures
from analyses.mi_distance.settings import StudySettings
from analyses.mi_distance.shown import bonferroni_threshold, critical_z, first_pair, fitted_line
from analyses.mi_distance.study import analyse
from analyses.occurrences.vectors import StudyInput
from analyses.progress import SilentProgress
from analyses.protocol import FigureSpec, Results
from reportgen.documents.assets import Assets
from reportgen.documents.languages import Labels, Language, load_languages, placeholders
from reportgen.documents.svg import figure_style, render_svg

SIZES = [*itertools.product((4, 30, 48), (2, 3, 4, 7, 12)), (4, 32), (4, 40), (200, 3)]
PARTS = ("caption", "alt", "how_to_read")


@functools.cache
def study(layers: int, occurrences: int, *, controls: bool = True, swapped: bool = False, trim: float | None = 4.0) -> Results:
    """Vectors that share more the nearer they stand; one dimension of each lies far out. `swapped` exchanges the branches."""
    generator = np.random.default_rng(layers * 100 + occurrences)
    dimensions = 48
    position = np.cumsum(generator.integers(3, 12, occurrences)) + 2
    control_position = np.setdiff1d(np.arange(1, position[-1] + 12), position)[:50]

    def vectors(where: np.ndarray, strength: float) -> np.ndarray:
        noise = generator.normal(size=(2, layers, len(where), dimensions))
        common = generator.normal(size=(2, layers, 1, dimensions))
        near = np.exp(-np.abs(where[:, None] - where[None]) / 10) @ generator.normal(size=(2, layers, len(where), dimensions))
        share = np.stack([np.linspace(0.2, 1.2, layers), np.linspace(1, 0.4, layers)])[..., None, None] * strength
        return share * common + 0.7 * near + noise

    activation = vectors(position, 1)
    activation[..., 5] += 40
    if swapped:
        activation = activation[::-1]
    settings = StudySettings(
        name="planted",
        word="coffee",
        text="coffee",
        permutations=99,
        controls={"pairs_per_distance": 3},
        estimation={"trim": trim},
        # Hundreds of ways of many occurrences would take minutes, and show nothing that those of few do not.
        robustness={"enabled": occurrences <= 12, "simulations": 100, "trim": (None, 4.0), "neighbours": (3,)},
    )
    vectors_of_study = StudyInput(
        activation=activation,
        token_position=position,
        control_activation=vectors(control_position, 0.5) if controls else None,
        control_token_position=control_position if controls else None,
        control_token_word=tuple(f"w{index % 30}" for index in range(len(control_position))) if controls else None,
        untrained_activation=np.stack([vectors(position, 0.1) for _ in range(3)]) if controls else None,
        text=None,
        provenance={"model": {"source": "folder"}},
        prefix_activation=vectors(position, 0.8) if controls else None,
        prefix_token_position=position + 70 if controls else None,
        prefix_control_activation=vectors(control_position, 0.5) if controls else None,
        prefix_control_token_position=control_position + 70 if controls else None,
    )
    return analyse(vectors_of_study, settings, SilentProgress())


@pytest.fixture(scope="module")
def languages() -> dict[str, Language]:
    return load_languages(*Assets.of(analysis).directories, analysis=analysis.templates)


@pytest.fixture
def style() -> Iterator[None]:
    with figure_style(Assets.of(analysis)):
        yield
    plt.close("all")


def of_id(results: Results, name: str) -> FigureSpec:
    return next(spec for spec in figures(results) if spec.id == name)


def texts_of(figure: plt.Figure) -> list[Text]:
    """What is written in a figure. Matplotlib also keeps labels of ticks outside the limits, which it does not draw."""
    figure.draw_without_rendering()
    outside = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        outside |= {tick.label1 for tick in axis.get_major_ticks() if not low - 1e-9 <= tick.get_loc() <= high + 1e-9}
        outside |= {tick.label2 for tick in axis.get_major_ticks() if not low - 1e-9 <= tick.get_loc() <= high + 1e-9}
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip() and text not in outside]


def check_texts(figure: plt.Figure, name: str) -> None:
    """No text leaves the figure or touches another one."""
    renderer = figure.canvas.get_renderer()
    width, height = figure.get_size_inches() * figure.dpi
    boxes = []
    for text in texts_of(figure):
        box = text.get_window_extent(renderer)
        inside = (box.x0 >= -0.5, box.x1 <= width + 0.5, box.y0 >= -0.5, box.y1 <= height + 0.5)
        assert all(inside), f"{name}: clipped: {text.get_text()!r}"
        boxes.append((text.get_text(), box))
        assert text.get_fontsize() >= 6.5, f"{name}: too small: {text.get_text()!r}"
    for (first, a), (second, b) in itertools.combinations(boxes, 2):
        overlap_x, overlap_y = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        # The boxes hold room for accents and descenders that the words in them need not have.
        assert overlap_x <= 1 or overlap_y <= 3, f"{name}: {first!r} over {second!r}"


@pytest.mark.parametrize(("layers", "occurrences"), SIZES)
@pytest.mark.usefixtures("style")
def test_every_figure_is_drawn_with_both_languages_and_no_text_over_another(
    languages: dict[str, Language], layers: int, occurrences: int
) -> None:
    labels = Labels([languages["vi"], languages["en"]])
    for spec in figures(study(layers, occurrences)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            drawing = spec.draw(labels)
            check_texts(drawing.figure, f"{spec.id} of {layers} layers")
            render_svg(drawing, spec.id)  # refuses a hover text without its element
        assert drawing.figure.get_size_inches()[0] == 6.7
        assert not any("nan" in text for text in drawing.hover.values())
        plt.close(drawing.figure)


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.usefixtures("style")
def test_one_language_alone(languages: dict[str, Language], code: str) -> None:
    other = {"vi": "Layer", "en": "Tầng"}[code]
    for spec in figures(study(30, 7)):
        drawing = spec.draw(Labels([languages[code]]))
        check_texts(drawing.figure, spec.id)
        assert not any(other in text.get_text() for text in texts_of(drawing.figure))
        plt.close(drawing.figure)


@pytest.mark.usefixtures("style")
def test_hover_texts_give_the_numbers_of_the_data_in_each_language(languages: dict[str, Language]) -> None:
    results = study(4, 7)
    value = float(results.dataset["mean_mutual_information"].sel(estimator="histogram", branch="mlp", layer=2))
    spec = of_id(results, "mutual_information_profile")
    for code, written in (("en", f"{value:.3f}"), ("vi", f"{value:.3f}".replace(".", ","))):
        hover = spec.draw(Labels([languages[code]])).hover["histogram-mlp#2"]
        assert written in hover
        assert "3" in hover  # layers count from 1


@pytest.mark.parametrize(("layers", "occurrences"), SIZES)
def test_captions_alternatives_and_readings_exist_and_hold_no_missing_number(
    languages: dict[str, Language], layers: int, occurrences: int
) -> None:
    results = study(layers, occurrences)
    values = captions(results)
    assert sorted(values) == sorted(spec.id for spec in figures(results))
    for name, code, part in itertools.product(values, ("vi", "en"), PARTS):
        sentence = languages[code].text(f"figure.{name}.{part}", **values[name])
        assert "nan" not in sentence.split()
        assert "  " not in sentence


def test_figures_of_controls_only_where_there_are_controls() -> None:
    results = study(4, 7, controls=False)
    names = [spec.id for spec in figures(results)]
    assert not {"control_profile", "untrained_profile"} & set(names)
    assert list(captions(results)) == names


def test_the_order_in_the_text_alternative_turns_round_with_the_data() -> None:
    plain, swapped = (
        captions(study(30, 7, swapped=turned))["mutual_information_profile"]["histogram"]["values"] for turned in (False, True)
    )
    assert plain["attention_low"] == swapped["mlp_low"] != plain["mlp_low"]
    for count in ("higher", "early", "deep"):
        one, other = (each["order"]["values"][count]["values"] for each in (plain, swapped))
        assert one["count"] + other["count"] == one["total"] == other["total"]
    assert plain["order"] != swapped["order"]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("mutual_information_profile", ("mean_mutual_information", "mean_mutual_information_low", "t_p_fdr_bh", "mi_difference_p_fdr_bh")),
        ("t_profile", ("t_statistic", "t_p_bonferroni", "mi_difference", "mi_difference_high")),
        ("kendall_tau_profile", ("kendall_tau", "kendall_tau_low", "mantel_p")),
        ("z_profile", ("fisher_z", "fisher_p", "fisher_z_fieller")),
        ("control_profile", ("control_mean_mutual_information", "word_specific_excess_low")),
        ("untrained_profile", ("untrained_mean_mutual_information", "untrained_kendall_tau", "untrained_kendall_tau_high")),
        ("position_profile", ("kendall_tau", "kendall_tau_without_first", "prefix_kendall_tau", "word_specific_partial_kendall_tau")),
    ],
)
def test_data_of_profiles_are_those_of_the_dataset(name: str, columns: tuple[str, ...]) -> None:
    results = study(30, 7)
    frame = of_id(results, name).data
    assert set(frame["layer"]) == set(range(1, 31))
    for row in frame.to_dict("records"):
        for column in columns:
            variable = results.dataset[column]
            place = {"estimator": row.get("estimator", "histogram"), "branch": row.get("branch"), "layer": row["layer"] - 1}
            np.testing.assert_equal(row[column], float(variable.sel({dim: place[dim] for dim in variable.dims})))


@pytest.mark.parametrize("name", ["mutual_information_matrix", "distance_scatter"])
def test_data_of_pairs_are_those_of_the_detail_layer(name: str) -> None:
    results = study(30, 7)
    frame = of_id(results, name).data
    assert len(frame) == 2 * 21
    position = results.dataset["token_position"].to_numpy()
    for row in frame.itertuples():
        assert row.token_distance == position[row.second_occurrence - 1] - position[row.first_occurrence - 1]
    expected = results.dataset["mutual_information"].sel(estimator="histogram", layer=2)
    for branch, rows in frame.groupby("branch"):
        np.testing.assert_array_equal(rows["mutual_information"], expected.sel(branch=branch))


@pytest.mark.usefixtures("style")
def test_pairs_of_sixty_occurrences_weigh_little_and_are_all_there(languages: dict[str, Language]) -> None:
    """1,770 pairs and two branches; those of 12 occurrences are marks with hover texts of their own."""
    results, labels = study(4, 60), Labels([languages["vi"]])
    for name, parts in (("distance_scatter", 1), ("mutual_information_matrix", 2)):
        drawing = of_id(results, name).draw(labels)
        svg = render_svg(drawing, name)
        plt.close(drawing.figure)
        assert len(svg) < parts * 200_000
        assert not drawing.hover
        for branch in ("attention", "mlp"):
            drawn = re.findall(rf'<g id="{name}-{branch}-[^"]*">(.*?)</g>', svg, re.DOTALL)
            # A move and a line for each pair, twice in the symmetric matrix.
            assert sum(part.count("M ") for part in drawn) == sum(part.count("L ") for part in drawn) == parts * 1770
        assert of_id(study(4, 12), name).draw(labels).hover


@pytest.mark.parametrize("trim", [4.0, None])
def test_outliers_of_the_first_pair_are_those_beyond_the_limit(trim: float | None) -> None:
    results = study(4, 7, trim=trim)
    pair = first_pair(results)
    for index, branch in enumerate(("attention", "mlp")):
        vectors = results.dataset["activation"].to_numpy()[index, 2, :2]
        z = scipy.stats.zscore(vectors, axis=1, ddof=1)
        rows = pair.frame[pair.frame["branch"] == branch]
        np.testing.assert_allclose(rows[["first_z", "second_z"]].to_numpy().T, z, rtol=1e-12, atol=1e-12)
        expected = (np.abs(z) > 4).any(axis=0) if trim else np.zeros(48, dtype=bool)
        np.testing.assert_array_equal(rows["trimmed"], expected)
        assert pair.trimmed[branch] == expected.sum()
    assert (sum(pair.trimmed.values()) > 0) == (trim is not None)


@pytest.mark.parametrize("unit", [2.0**1000, 2.0**-1040])
def test_outliers_of_the_first_pair_do_not_depend_on_the_unit(unit: float) -> None:
    """Not even where the squares would overflow or vanish: the estimators trim by the same z-scores."""
    results = study(4, 7, trim=4.0)
    exact = np.round(results.dataset["activation"].astype(np.float64), 6)
    vectors = exact * 2.0**-20 if unit > 1 else exact
    here, there = (first_pair(replace(results, dataset=results.dataset.assign(activation=each))) for each in (vectors, vectors * unit))
    assert here.trimmed == there.trimmed
    tolerance = {"rtol": 1e-12, "atol": 1e-12} if unit > 1 else {"rtol": 1e-3, "atol": 1e-3}  # denormal numbers have fewer digits
    for column in ("first_z", "second_z"):
        np.testing.assert_allclose(there.frame[column], here.frame[column], **tolerance)


def test_estimators_split_the_histogram_into_corrected_and_expected() -> None:
    results = study(30, 7)
    frame = of_id(results, "estimator_comparison").data
    np.testing.assert_allclose(frame["corrected"] + frame["expected"], frame["histogram"], rtol=1e-12)
    np.testing.assert_allclose(frame["expected_share"] * frame["histogram"], frame["expected"], rtol=1e-12)
    slope, intercept = fitted_line(frame)
    line = scipy.stats.theilslopes(frame["nearest_neighbour"], frame["histogram"])
    assert (slope, intercept) == pytest.approx((line.slope, line.intercept), rel=1e-9)
    # The slope drawn is the one on which statement 5 is judged.
    assert slope == pytest.approx(results.study["estimator_agreement"]["histogram"]["shift_slope"], rel=1e-9)


@pytest.mark.parametrize(("layers", "occurrences"), [(30, 7), (48, 12)])
def test_beyond_the_bonferroni_line_is_significant_after_bonferroni(layers: int, occurrences: int) -> None:
    results = study(layers, occurrences)
    of_layer = results.dataset.sel(estimator="histogram")
    threshold = bonferroni_threshold(0.05, layers, results.study["pairs"])
    beyond = np.abs(of_layer["t_statistic"].to_numpy()) > threshold
    assert 0 < beyond.sum() < layers
    np.testing.assert_array_equal(beyond, of_layer["t_p_bonferroni"].to_numpy() < 0.05)


def test_critical_values() -> None:
    assert critical_z(0.05) == pytest.approx(1.959964, abs=1e-6)
    # Student's t, two-sided .05, 40 degrees of freedom (any printed table).
    assert bonferroni_threshold(0.05, 1, 21) == pytest.approx(2.021, abs=5e-4)
    assert np.isnan(bonferroni_threshold(0.05, 4, 1))


def test_layer_ticks_begin_at_one_and_stay_apart() -> None:
    assert layer_ticks(4) == [1, 2, 3, 4]
    assert layer_ticks(30) == [1, 5, 10, 15, 20, 25, 30]
    assert layer_ticks(48) == [1, 10, 20, 30, 40, 48]
    for layers in range(1, 200):
        ticks = layer_ticks(layers)
        assert ticks[0] == 1
        assert ticks[-1] <= layers
        assert len(ticks) <= 8


def test_labels_are_moved_apart_in_order_and_no_farther_than_needed() -> None:
    heights = np.full(3, 0.2)
    np.testing.assert_allclose(_apart(np.array([0.5, 1.0, 1.5]), heights, 0, 2), [0.5, 1.0, 1.5])
    centres = _apart(np.array([1.0, 1.01, 1.02]), heights, 0, 2)
    np.testing.assert_allclose(np.diff(centres), 0.2)
    assert centres.mean() == pytest.approx(1.01)
    assert _apart(np.array([1.95, 1.96, 1.97]), heights, 0, 2)[-1] + 0.1 == pytest.approx(2)


def marks_of(axes: Axes) -> list[tuple[np.ndarray, float]]:
    """What is marked in a panel: the places in pixels of each group of marks, and from their middle to their edge."""
    dots = [(each.get_offsets(), np.sqrt(each.get_sizes().max()) / 2) for each in axes.collections if isinstance(each, PathCollection)]
    dots += [(line.get_xydata(), line.get_markersize() / 2) for line in axes.lines if line.get_marker() not in ("", "None", None)]
    seen = axes.viewLim
    inside = [(np.ma.filled(np.ma.asarray(points, dtype=float), np.nan), radius) for points, radius in dots]
    inside = [
        (points[(points[:, 0] >= seen.x0) & (points[:, 0] <= seen.x1) & (points[:, 1] >= seen.y0) & (points[:, 1] <= seen.y1)], radius)
        for points, radius in inside
    ]
    return [(axes.transData.transform(points), radius * axes.figure.dpi / 72) for points, radius in inside if len(points)]


@pytest.mark.parametrize(("layers", "occurrences"), [(4, 7), (30, 7), (48, 7)])
@pytest.mark.usefixtures("style")
def test_no_mark_is_cut_at_the_side_of_its_panel(languages: dict[str, Language], layers: int, occurrences: int) -> None:
    for spec in figures(study(layers, occurrences)):
        drawing = spec.draw(Labels([languages["vi"], languages["en"]]))
        for axes in drawing.figure.axes:
            box = axes.get_window_extent()
            for places, radius in marks_of(axes):
                assert places[:, 0].min() - radius >= box.x0 - 0.5, spec.id
                assert places[:, 0].max() + radius <= box.x1 + 0.5, spec.id
        plt.close(drawing.figure)


@pytest.mark.parametrize("layers", [4, 30, 48])
@pytest.mark.usefixtures("style")
def test_every_layer_of_a_curve_is_marked(languages: dict[str, Language], layers: int) -> None:
    for spec in figures(study(layers, 7)):
        drawing = spec.draw(Labels([languages["en"]]))
        for line in (line for axes in drawing.figure.axes for line in axes.lines):
            assert line.get_markevery() is None, spec.id
        plt.close(drawing.figure)


@pytest.mark.parametrize("layers", [4, 30, 48])
@pytest.mark.usefixtures("style")
def test_nothing_is_written_over_a_curve_of_the_first_page_or_of_specifications(languages: dict[str, Language], layers: int) -> None:
    for spec in figures(study(layers, 7)):
        if spec.id != "overview" and not spec.id.startswith("specification"):
            continue
        drawing = spec.draw(Labels([languages["vi"], languages["en"]]))
        drawing.figure.draw_without_rendering()
        written = [text.get_window_extent() for text in texts_of(drawing.figure)]
        for axes in drawing.figure.axes:
            for (places, radius), box in itertools.product(marks_of(axes), written):
                apart = (
                    (places[:, 0] < box.x0 - radius) | (places[:, 0] > box.x1 + radius) | (places[:, 1] < box.y0) | (places[:, 1] > box.y1)
                )
                assert apart.all(), spec.id
        plt.close(drawing.figure)


@pytest.mark.usefixtures("style")
def test_the_colours_of_every_panel_are_explained(languages: dict[str, Language]) -> None:
    """By a sample beside the panels of its row or at the edge, by words of that colour in the panel, or by the panel's own title."""
    for spec in figures(study(30, 7)):
        drawing = spec.draw(Labels([languages["vi"], languages["en"]]))
        samples = [line for line in drawing.figure.findobj(Line2D) if line.axes is None]
        for axes in drawing.figure.axes:
            box = axes.get_position()
            beside = {line.get_color() for line in samples if box.y0 - 0.1 <= line.get_ydata()[0] <= box.y1 + 0.15}
            drawn = {line.get_color() for line in axes.lines if isinstance(line.get_color(), str)}
            drawn = {colour for colour in drawn if colour.startswith("series:")}
            assert not beside or drawn <= beside | {text.get_color() for text in axes.texts}, spec.id
        plt.close(drawing.figure)


def _with_text(results: Results) -> Results:
    """The same, had the vectors come from a text."""
    return Results(results.dataset, results.activations, results.study | {"text": {}})


def _both_tokens(results: Results) -> Results:
    """The same, had the word two tokens: half of the specifications with their mean."""
    token = results.dataset["specification_token"]
    mean = np.arange(token.size) % 2 == 1
    dataset = results.dataset.assign(specification_token=(token.dims, np.where(mean, "mean", "last")))
    return Results(dataset, results.activations, results.study)


def _both_outputs(results: Results) -> Results:
    """The same, had the model a norm behind each branch: half of the specifications behind it."""
    estimator = results.dataset["specification_estimator"]
    behind = np.arange(estimator.size) % 2 == 1
    dataset = results.dataset.assign(specification_output=(estimator.dims, np.where(behind, "residual", "projection")))
    return Results(dataset, results.activations, results.study)


def _stricter(results: Results) -> Results:
    """The same at another level."""
    return Results(results.dataset, results.activations, results.study | {"settings": results.study["settings"] | {"alpha": 0.01}})


def _few_simulated(results: Results) -> Results:
    """The same with so many pairs that the tests on tau are simulated less often, and the last one not at all."""
    counts = np.where(np.arange(8) < 4, 100, 50)
    counts[-1] = 0
    rates = results.dataset["type_one_error"].to_numpy().copy()
    rates[-1] = np.nan
    along = ("simulated_test",)
    dataset = results.dataset.assign(simulated_data_sets=(along, counts), type_one_error=(along, rates))
    return Results(dataset, results.activations, results.study)


class _Recorded(dict[str, str]):
    """A catalogue that remembers which of its sentences were asked for."""

    def __init__(self, sentences: dict[str, str]) -> None:
        super().__init__(sentences)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.asked.add(key)
        return super().__getitem__(key)


@pytest.mark.usefixtures("style")
def test_the_catalogues_hold_the_sentences_of_the_figures_and_no_others(languages: dict[str, Language]) -> None:
    recorded = {code: Language(code, _Recorded(dict(languages[code].catalogue))) for code in ("vi", "en")}
    cases = [study(4, occurrences) for occurrences in (2, 3, 4, 7, 12)] + [study(30, 12), study(4, 7, trim=None), study(4, 7, trim=2.0)]
    cases += [
        _without_values(study(4, 7)),
        _other_matching(study(4, 7)),
        _without_bands(study(4, 7)),
        _gentle(study(4, 7)),
        _one_draw(study(4, 7)),
        _one_draw(study(4, 2)),
        _ready(study(4, 7)),
        *(_constant(study(4, 7), tests) for tests in (("mi_difference_p",), ("mi_difference_p", "t_p", "mantel_p"))),
    ]
    for results in [
        *cases,
        _with_text(study(4, 7)),
        _both_tokens(study(4, 7)),
        _both_outputs(study(4, 7)),
        _stricter(study(4, 7)),
        _few_simulated(study(4, 7)),
    ]:
        for spec in figures(results):
            drawing = spec.draw(Labels(list(recorded.values())))
            plt.close(drawing.figure)
        for name, values in captions(results).items():
            for language, part in itertools.product(recorded.values(), PARTS):
                language.text(f"figure.{name}.{part}", **values)
    for code, language in recorded.items():
        existing = {key for key in languages[code].catalogue if key.startswith("figure.")}
        assert existing == {key for key in language.catalogue.asked if key.startswith("figure.")}
    for key in existing:
        vietnamese, english = (placeholders(languages[code].catalogue[key]) for code in ("vi", "en"))
        assert vietnamese == english, key
        assert not re.search(r"\d\.\d", languages["vi"].catalogue[key]), key


def _without_values(results: Results) -> Results:
    """No mutual information at all: no share of it is bias or linear, and no line can be fitted."""
    lost = {name: results.dataset[name] * np.nan for name in ("linear_share", "linear_share_low", "linear_share_high")}
    dataset = results.dataset.assign(mean_mutual_information=results.dataset["mean_mutual_information"] * 0, **lost)
    return Results(dataset, results.activations, results.study)


def _other_matching(results: Results) -> Results:
    """Control pairs whose distances match exactly, or do not where they did."""
    control = results.study["controls"]["different_word"]
    other = control | {"largest_distance_deviation": 0 if control["largest_distance_deviation"] else 2}
    return Results(
        results.dataset, results.activations, results.study | {"controls": results.study["controls"] | {"different_word": other}}
    )


def _without_bands(results: Results) -> Results:
    """A model so shallow that it has neither early nor deep layers."""
    return Results(results.dataset, results.activations, results.study | {"bands": results.study["bands"] | {"early": [], "deep": []}})


def _constant(results: Results, tests: tuple[str, ...]) -> Results:
    """Enough occurrences, and values that do not vary: some tests do not exist, or none does."""
    p_values = [name for name in map(str, results.dataset.data_vars) if "_p" in name and name.startswith(tests)]
    lost = {name: results.dataset[name] * np.nan for name in p_values if results.dataset[name].dtype.kind == "f"}
    return Results(results.dataset.assign(lost), results.activations, results.study)


def _ready(results: Results) -> Results:
    """Vectors from a file, which does not say by which seeds an untrained model was drawn."""
    return Results(results.dataset, results.activations, results.study | {"provenance": {"model": {"source": "ready activations"}}})


def _one_draw(results: Results) -> Results:
    """Random weights drawn once, and no tau behind the prefix."""
    untrained = results.study["controls"]["untrained"] | {"seeds": results.study["controls"]["untrained"]["seeds"][:1]}
    lost = {name: results.dataset[name] * np.nan for name in results.dataset.data_vars if str(name).endswith("kendall_tau_without_first")}
    study_of = results.study | {"controls": results.study["controls"] | {"untrained": untrained}}
    return Results(results.dataset.assign(lost), results.activations, study_of)


def _gentle(results: Results) -> Results:
    """Activations without any outlier."""
    gentle = np.tanh(results.dataset["activation"])
    return Results(results.dataset.assign(activation=gentle), results.activations, results.study)
