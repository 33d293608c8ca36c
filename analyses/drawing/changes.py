"""A quantity of two bundles over each other: what moved between them, over the layers."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas
import xarray as xr

from analyses.drawing.marks import BRANCH_STYLE, layer_ticks
from analyses.occurrences.layer_numbers import of_model, studied
from analyses.protocol import Drawing, FigureSpec, Labels, Results
from analyses.value_specs import key

# As a share of the largest value: less than the width of a line in a panel, and more than what another processor rounds differently.
_SEEN = 1e-3


def changes(before: Results, after: Results, quantity: str, panels: str) -> list[FigureSpec]:
    """The figure of a quantity that both bundles have over `panels`, branch and layer; the catalogue names it ``compare.<quantity>``.

    Its panels are those in which a difference is seen; where none is, there is no figure, for it would show that something moved.
    """
    both = (before, after)
    if not all(quantity in each.dataset and set(each.dataset[quantity].dims) == {panels, "branch", "layer"} for each in both):
        return []
    # Arrays count layers from 0; people count all of a model's from 1.
    old, new = (each.dataset[quantity].assign_coords(layer=studied(each.study)) for each in both)
    ticks = layer_ticks(max(of_model(each.study) for each in both))
    moved = _seen(old, new).any("layer")
    shown = [str(each) for each in old[panels].values if each in new[panels].values and moved.sel({panels: each}).any()]
    if not shown:
        return []

    def draw(labels: Labels) -> Drawing:
        return _overlay(old, new, moved, shown, quantity, panels, ticks, labels)

    frames = {moment: values.to_dataframe()[[quantity]].reset_index() for moment, values in (("before", old), ("after", new))}
    return [FigureSpec(quantity, draw, pandas.concat(frames, names=["bundle"]).reset_index(level="bundle"))]


def _seen(before: xr.DataArray, after: xr.DataArray) -> xr.DataArray:
    """Where a reader sees a difference; a value that only one of them has is one."""
    old, new = xr.align(before, after, join="outer")
    spread = max(abs(old).max(), abs(new).max())
    return (abs(new - old) > _SEEN * spread) | (old.isnull() != new.isnull())


def _overlay(
    before: xr.DataArray,
    after: xr.DataArray,
    moved: xr.DataArray,
    shown: Sequence[str],
    quantity: str,
    panels: str,
    ticks: Sequence[int],
    labels: Labels,
) -> Drawing:
    """A panel for each of `shown`, a colour for each branch, solid after, dashed before where the branch `moved`."""
    figure, rows = plt.subplots(len(shown), 1, figsize=(6.7, 1.1 + 1.9 * len(shown)), sharex=True, squeeze=False)
    figure.subplots_adjust(left=0.1, right=0.98, bottom=0.5 / figure.get_figheight(), top=1 - 1.05 / figure.get_figheight(), hspace=0.32)
    for axes, each in zip(rows[:, 0], shown, strict=True):
        for profile, moment, style in ((before, "old", (0, (4, 2))), (after, "new", "solid")):
            for branch in map(str, profile.branch.values):
                if moment == "old" and not moved.sel({panels: each, "branch": branch}):
                    continue
                values = profile.sel({panels: each, "branch": branch})
                label = labels(f"compare.series_{moment}", branch=key(f"branch.{branch}"))
                look = {"color": BRANCH_STYLE[branch].color, "linestyle": style, "linewidth": 1.6 if moment == "new" else 1.2}
                axes.plot(values.layer.values, values.values, label=label, **look)
        axes.set_title(labels("compare.panel", panel=key(f"estimator.{each}")))
        axes.set_xticks(ticks)
        axes.patch.set_visible(False)
        # The grid alone says where the numbers are, and lies within the panel anyway.
        axes.tick_params(bottom=False, left=False)
        plt.setp([*axes.get_xgridlines(), *axes.get_ygridlines()], clip_on=False)
    rows[-1, 0].set_xlabel(labels("figure.layer"))
    figure.text(0.1, 1 - 0.1 / figure.get_figheight(), labels(f"compare.{quantity}"), va="top")
    figure.patch.set_visible(False)
    handles = {word: line for axes in rows[:, 0] for line, word in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="upper left",
        bbox_to_anchor=(0.09, 1 - 0.25 / figure.get_figheight()),
        ncols=2,
        borderaxespad=0,
    )
    return Drawing(figure)
