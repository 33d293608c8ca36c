"""The comparison of two bundles as a page in all languages: verdicts, profiles over each other, numbers, settings, versions."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot

from analyses.errors import InputError
from analyses.protocol import Analysis, Compared, Results
from reportgen.baseline import alike, read_side
from reportgen.bundle import asking
from reportgen.compare import Comparison, Movement, Tolerance, compare_bundles
from reportgen.documents.assets import Assets
from reportgen.documents.languages import Labels, load_languages
from reportgen.documents.svg import Palette, compact, figure_style, follow_scheme, in_page, render_svg
from reportgen.publish.description import describe
from reportgen.publish.pages import Pages
from reportgen.publish.quantities import place_words, quantity_words, shape_words, value_words

_LONG = 120


def comparison_page(
    old: Path,
    new: Path,
    tolerances: Mapping[str, Tolerance] | None = None,
    *,
    pages: Pages | None = None,
    templates: Path | None = None,
    style: str | None = None,
) -> str:
    """Return the page that compares two bundles, as one self-contained HTML file (but for its style sheet, if that lies elsewhere).

    Parameters
    ----------
    old, new
        Bundles of the same analysis; one of them may be a baseline.
    tolerances
        As for `reportgen.compare.compare_bundles`.
    pages
        Templates and languages; all the languages there are, if not given.
    templates
        A folder of own templates, where `pages` is not given.
    style
        Address of the style sheet, where many pages share one; it is in the page, if not given.

    Raises
    ------
    InputError
        If one is no bundle, they are of different analyses, or both are baselines.
    """
    if pages is None:
        assets = Assets.default(templates)
        known = load_languages(*assets.directories)
        # The order in which the report has them: vi, then en, then any other.
        pages = Pages(assets, sorted(known.values(), key=lambda language: (language.code != "vi", language.code)))
    comparison = compare_bundles(old, new, tolerances)
    one, other = read_side(old), read_side(new)
    whole = next((side for side in (other, one) if not side.reduced), None)
    if whole is None:
        raise InputError(f"{old} and {new} are baselines: a page needs the whole bundle of one of them")
    study = describe(whole.path, {language.code: language for language in pages.languages}, pages.assets, whole)
    before, after = (side.results for side in alike(one, other))
    # What a statement or a layer's quantity is called, the analysis says.
    pages = Pages(study.assets, list(study.languages.values()))
    verdict_count = len({(str(row["statement"]), row["estimator"], row["control"]) for row in after.study["verdicts"]})
    older, newer = comparison.formats
    overview = [
        *([pages.both("compare.formats", old=older, new=newer)] if older != newer else []),
        pages.both("compare.verdict_count", changed=len(comparison.verdicts), total=verdict_count),
        pages.both("compare.number_count", moved=len(comparison.numbers), total=comparison.compared),
    ]
    return pages.render(
        "compare/comparison.html.j2",
        style=style,
        title=study.title,
        old_digest=one.digest,
        new_digest=other.digest,
        overview=overview,
        verdicts=list(_verdict_rows(comparison, pages)),
        figures=list(_figures(before, after, study.analysis, comparison, pages)),
        numbers=[_number_row(movement, pages) for movement in comparison.numbers],
        renamed=[(_named(was, pages), _named(now, pages)) for was, now in comparison.renamed],
        added=[_named(name, pages) for name in comparison.added],
        settings=_difference_rows(comparison.settings),
        provenance=_difference_rows(comparison.provenance),
    )


def _verdict_rows(comparison: Comparison, pages: Pages) -> Iterator[dict[str, Any]]:
    for change in comparison.verdicts:
        # A statement is shown as "1 its_name" where it has a number and a name.
        number, _, name = change.statement.partition(" ")
        yield {
            "statement": pages.named([f"statement.{name or number}.short"], name or number),
            "estimator": pages.named([f"estimator.{change.estimator}"], change.estimator),
            "control": pages.named([f"control.{change.control}"], change.control),
            "old": change.old,
            "new": change.new,
        }


def _named(quantity: str, pages: Pages) -> dict[str, Any]:
    """A quantity as the file has it, and in words."""
    return {"quantity": quantity, "words": quantity_words(quantity, pages)}


def _number_row(movement: Movement, pages: Pages) -> dict[str, Any]:
    named = _named(movement.quantity, pages)
    if movement.reason == "no longer there":
        return {**named, "reason": pages.both("compare.gone")}
    shapes = re.fullmatch(r"another shape: (.*) before, (.*) now", movement.reason)
    if shapes:
        said = {
            language.code: language.text("compare.shape", old=shape_words(shapes[1], language), new=shape_words(shapes[2], language))
            for language in pages.languages
        }
        return {**named, "reason": pages.each(said)}
    return {
        **named,
        "reason": None,
        "moved": pages.both("compare.moved_count", moved=movement.moved, total=movement.total),
        "where": place_words(movement.place, pages),
        "old": value_words(movement.old, movement.quantity, pages),
        "new": value_words(movement.new, movement.quantity, pages),
    }


def _difference_rows(differences: Sequence[Any]) -> list[dict[str, str]]:
    return [{"key": each.key, "old": _shown(each.old), "new": _shown(each.new)} for each in differences]


def _shown(value: Any) -> str:
    if value is None:
        return "—"
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _LONG else f"{shown[: _LONG - 1]}…"


def _figures(before: Results, after: Results, analysis: Analysis, comparison: Comparison, pages: Pages) -> Iterator[dict[str, Any]]:
    """What the analysis draws of both, but for quantities that did not move."""
    if not isinstance(analysis, Compared):
        return
    palette = Palette.load(pages.assets)
    with asking(analysis):
        figures = analysis.comparison_figures(before, after)
    unmoved = set(map(str, after.dataset.data_vars)) - {movement.quantity for movement in comparison.numbers}
    for number, figure in enumerate((figure for figure in figures if figure.id not in unmoved), 1):
        with figure_style(pages.assets):
            drawing = figure.draw(Labels(pages.languages))
            name = f"f{number}"
            svg = compact(follow_scheme(render_svg(drawing, name, pages.languages[0].number_signs), palette), name)
            matplotlib.pyplot.close(drawing.figure)
        words = {language.code: language.text(f"compare.{figure.id}.caption") for language in pages.languages}
        yield {"svg": in_page(svg, words[pages.languages[0].code], f"drawing-{number}"), "caption": words}
