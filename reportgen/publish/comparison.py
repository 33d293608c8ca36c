"""The comparison of two bundles as a page in all languages: verdicts, profiles over each other, numbers, settings, versions."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot
import numpy
import xarray
from markupsafe import Markup

from analyses.protocol import Drawing
from reportgen.bundle import bundle_digest, read_bundle
from reportgen.compare import Comparison, Movement, Tolerance, compare_bundles
from reportgen.documents.assets import Assets
from reportgen.documents.languages import Labels, Language, load_languages
from reportgen.documents.svg import Palette, figure_style, follow_scheme, render_svg
from reportgen.publish.description import describe
from reportgen.publish.pages import Pages

# Quantities that are drawn, if the bundles have them with these dimensions.
PROFILES = ("mean_mutual_information", "kendall_tau")
_DIMENSIONS = {"estimator", "branch", "layer"}
_LONG = 120


def comparison_page(
    old: Path,
    new: Path,
    tolerances: Mapping[str, Tolerance] | None = None,
    *,
    pages: Pages | None = None,
    templates: Path | None = None,
) -> str:
    """Return the page that compares two bundles, as one self-contained HTML file.

    Parameters
    ----------
    old, new
        Bundles of the same analysis.
    tolerances
        As for `reportgen.compare.compare_bundles`.
    pages
        Templates and languages; all the languages there are, if not given.
    templates
        A folder of own templates, where `pages` is not given.

    Raises
    ------
    InputError
        If one is no bundle, or they are of different analyses.
    """
    if pages is None:
        assets = Assets.default(templates)
        known = load_languages(*assets.directories)
        # The order in which the report has them: vi, then en, then any other.
        pages = Pages(assets, sorted(known.values(), key=lambda language: (language.code != "vi", language.code)))
    comparison = compare_bundles(old, new, tolerances)
    before, after = read_bundle(old, older=True), read_bundle(new, older=True)
    study = describe(new, {language.code: language for language in pages.languages}, pages.assets)
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
        title=study.title,
        old_digest=bundle_digest(old),
        new_digest=bundle_digest(new),
        overview=overview,
        verdicts=list(_verdict_rows(comparison, pages)),
        figures=list(_figures(before.dataset, after.dataset, pages)),
        numbers=[_number_row(movement, pages) for movement in comparison.numbers],
        renamed=comparison.renamed,
        added=comparison.added,
        settings=_difference_rows(comparison.settings),
        provenance=_difference_rows(comparison.provenance),
    )


def _verdict_rows(comparison: Comparison, pages: Pages) -> Iterator[dict[str, Any]]:
    for change in comparison.verdicts:
        # A statement is shown as "1 early_layers" where it has a number and a name.
        number, _, name = change.statement.partition(" ")
        yield {
            "statement": pages.named([f"statement.{name or number}.short"], name or number),
            "estimator": pages.named([f"estimator.{change.estimator}"], change.estimator),
            "control": pages.named([f"control.{change.control}"], change.control),
            "old": change.old,
            "new": change.new,
        }


def _number_row(movement: Movement, pages: Pages) -> dict[str, Any]:
    if movement.reason == "no longer there":
        return {"quantity": movement.quantity, "reason": pages.both("compare.gone")}
    shapes = re.fullmatch(r"another shape: (.*) before, (.*) now", movement.reason)
    if shapes:
        return {"quantity": movement.quantity, "reason": pages.both("compare.shape", old=shapes[1], new=shapes[2])}
    return {
        "quantity": movement.quantity,
        "reason": None,
        "moved": pages.both("compare.moved_count", moved=movement.moved, total=movement.total),
        "where": _place(movement.place, pages),
        "old": _value(movement.old, pages),
        "new": _value(movement.new, pages),
    }


def _place(place: Sequence[tuple[str, str]], pages: Pages) -> Markup:
    """Where a value stands, in every language of the page: ``tầng 25``, ``layer 25``."""

    def words(language: Language) -> str:
        parts = []
        for name, label in place:
            number, _, statement = label.partition(" ")
            keys = (f"{name}.{label}", f"{name}.{label}.short", f"{name}.{statement or number}.short")
            said = next((language.catalogue[key] for key in keys if key in language.catalogue), label.replace("_", " "))
            parts.append(f"{language.catalogue.get(f'compare.place.{name}', name.replace('_', ' '))} {said}")
        return ", ".join(parts)

    return pages.each({language.code: words(language) for language in pages.languages})


def _value(value: float | str | bool | None, pages: Pages) -> Markup:
    if value is None:
        return pages.both("compare.no_value")
    if isinstance(value, bool | str) or value == 0:
        return Markup("{}").format(value)
    digits = max(0, 3 - int(numpy.floor(numpy.log10(abs(value)))))
    return Markup("{}").format(pages.languages[0].number(value, min(digits, 12)))


def _difference_rows(differences: Sequence[Any]) -> list[dict[str, str]]:
    return [{"key": each.key, "old": _shown(each.old), "new": _shown(each.new)} for each in differences]


def _shown(value: Any) -> str:
    if value is None:
        return "—"
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _LONG else f"{shown[: _LONG - 1]}…"


def _figures(before: xarray.Dataset, after: xarray.Dataset, pages: Pages) -> Iterator[dict[str, Any]]:
    palette = Palette.load(pages.assets)
    for name in PROFILES:
        if not all(name in dataset and set(dataset[name].dims) == _DIMENSIONS for dataset in (before, after)):
            continue
        with figure_style(pages.assets):
            drawing = _overlay(before[name], after[name], name, Labels(pages.languages))
            svg = render_svg(drawing, f"compare-{name.replace('_', '-')}", pages.languages[0].decimal_sign)
            matplotlib.pyplot.close(drawing.figure)
        words = {language.code: language.text(f"compare.{name}.caption") for language in pages.languages}
        yield {"svg": _scaled(follow_scheme(svg, palette), words, pages.languages), "caption": words, "alt": words}


def _scaled(svg: str, words: Mapping[str, str], languages: Sequence[Language]) -> Markup:
    """Let the page choose the size, and give the picture a name to be read by."""
    svg = re.sub(r'^(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'^(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return Markup(svg.replace("<svg ", Markup('<svg aria-label="{}" ').format(words[languages[0].code]), 1))


def _overlay(before: xarray.DataArray, after: xarray.DataArray, name: str, labels: Labels) -> Drawing:
    """Both bundles' profiles: a panel for each estimator that both have, a colour for each branch, dashed before, solid after."""
    estimators = [str(each) for each in before.estimator.values if each in after.estimator.values]
    figure, panels = matplotlib.pyplot.subplots(len(estimators), 1, figsize=(6.7, 1.1 + 1.9 * len(estimators)), sharex=True, squeeze=False)
    figure.subplots_adjust(left=0.1, right=0.98, bottom=0.5 / figure.get_figheight(), top=1 - 1.05 / figure.get_figheight(), hspace=0.32)
    for axes, estimator in zip(panels[:, 0], estimators, strict=True):
        for profile, moment, style in ((before, "old", (0, (4, 2))), (after, "new", "solid")):
            for branch in map(str, profile.branch.values):
                values = profile.sel(estimator=estimator, branch=branch)
                # Arrays count layers from 0, people from 1.
                layers = profile.layer.values + 1
                label = _in_every_language(labels, f"compare.series_{moment}", branch=f"branch.{branch}")
                axes.plot(
                    layers, values.values, color=f"branch:{branch}", linestyle=style, linewidth=1.6 if moment == "new" else 1.2, label=label
                )
        axes.set_title(_in_every_language(labels, "compare.panel", estimator=f"estimator.{estimator}"))
        axes.set_xticks([1, *range(5, int(max(before.layer.max(), after.layer.max())) + 2, 5)])
    panels[-1, 0].set_xlabel(labels("compare.layer"))
    figure.text(0.1, 1 - 0.1 / figure.get_figheight(), labels(f"compare.{name}"), va="top")
    handles, words = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="upper left", bbox_to_anchor=(0.09, 1 - 0.25 / figure.get_figheight()), ncols=2, borderaxespad=0)
    return Drawing(figure)


def _in_every_language(labels: Labels, key: str, **keys: str) -> str:
    """A sentence whose placeholders are themselves sentences, given by their keys."""
    return " / ".join(
        dict.fromkeys(language.text(key, **{name: language.text(inner) for name, inner in keys.items()}) for language in labels.languages)
    )
