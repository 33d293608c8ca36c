"""What the figures show and their captions speak of: the numbers behind both, so that neither needs the other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas
import scipy.stats

from analyses.frames import tidy
from analyses.mi_distance.position import EXCESS, PLAIN
from analyses.mutual_information.trimming import in_range
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import detail_layer
from analyses.protocol import Results

SERIES = ("histogram", "corrected", "expected", "nearest_neighbour")
# Figure -> its statements: those that share a unit stand beside each other.
FIGURES = {
    "specification_information": ("early_layers", "deep_layers"),
    "specification_tau": ("negative_tau", "tau_separation"),
    "specification_shift": ("constant_shift",),
}
# What is drawn, by the variable that holds it (behind the name of its subject); "all" has the look of its branch.
LOOKS = {
    "all": "kendall_tau",
    "without_first": "kendall_tau_without_first",
    "prefix": "prefix_kendall_tau",
    "partial": "partial_kendall_tau",
}
SUBJECTS = {PLAIN: "plain", EXCESS: "excess"}
SHARE = ("linear_share", "linear_share_low", "linear_share_high")
# Where MI is next to nothing a share can be anything: what lies beyond is cut off.
AXIS = (-0.5, 2.5)


def pair_values(results: Results) -> pandas.DataFrame:
    """One row a branch and pair of the detail layer, histogram estimator; occurrences and tokens numbered from 1."""
    layer, place = detail_layer(results.study)
    chosen = results.dataset.sel(estimator="histogram").isel(layer=place)
    position = results.dataset["token_position"].to_numpy() + 1
    first, second = chosen["first_occurrence"].to_numpy(), chosen["second_occurrence"].to_numpy()
    frames = [
        pandas.DataFrame(
            {
                "branch": branch,
                "layer": layer,
                "first_occurrence": first + 1,
                "second_occurrence": second + 1,
                "first_token_position": position[first],
                "second_token_position": position[second],
                "token_distance": chosen["token_distance"].to_numpy(),
                "mutual_information": chosen["mutual_information"].sel(branch=branch).to_numpy(),
            }
        )
        for branch in BRANCHES
    ]
    return pandas.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class PairOfVectors:
    """The first two occurrences in the detail layer: activations in standard deviations, and what the trimming drops."""

    frame: pandas.DataFrame
    trimmed: Mapping[str, int]


def first_pair(results: Results) -> PairOfVectors:
    """One row a branch and dimension: activations of occurrences 1 and 2, raw and as z-scores over the dimensions (sample sd)."""
    (layer, place), trim = detail_layer(results.study), results.study["settings"]["estimation"]["trim"]
    frames, trimmed = [], {}
    for index, branch in enumerate(BRANCHES):
        vectors = results.dataset["activation"].to_numpy()[index, place, :2].astype(np.float64)
        # Of huge and of tiny values too, the z-scores by which the estimators trim.
        scaled = in_range(vectors)
        spread = scaled.std(axis=-1, ddof=1, keepdims=True)
        z = (scaled - scaled.mean(axis=-1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        outlier = np.zeros(vectors.shape[-1], dtype=bool) if trim is None else (np.abs(z) > trim).any(axis=0)
        trimmed[branch] = int(outlier.sum())
        frames.append(
            pandas.DataFrame(
                {
                    "branch": branch,
                    "layer": layer,
                    "dimension": np.arange(vectors.shape[-1]),
                    "first_activation": vectors[0],
                    "second_activation": vectors[1],
                    "first_z": z[0],
                    "second_z": z[1],
                    "trimmed": outlier,
                }
            )
        )
    return PairOfVectors(pandas.concat(frames, ignore_index=True), trimmed)


def compressed_beyond(pair: PairOfVectors, trim: float | None) -> float | None:
    """The absolute z beyond which the axes are logarithmic; None where a linear axis shows every point well."""
    linear = 3.0 if trim is None else trim
    return linear if float(pair.frame[["first_z", "second_z"]].abs().to_numpy().max()) > 2.5 * linear else None


def layer_means(results: Results) -> pandas.DataFrame:
    """One row a branch and layer: the means by each estimator, the expected one (histogram minus corrected), and its share."""
    means = tidy(results.dataset, ("mean_mutual_information",))
    wide = means.pivot(index=["branch", "layer"], columns="estimator", values="mean_mutual_information").reset_index()
    wide.columns.name = None
    wide["expected"] = wide["histogram"] - wide["corrected"]
    wide["expected_share"] = np.where(wide["histogram"] > 0, wide["expected"] / wide["histogram"].where(wide["histogram"] > 0), np.nan)
    return wide[["branch", "layer", *SERIES, "expected_share"]]


def fitted_line(frame: pandas.DataFrame) -> tuple[float, float] | None:
    """Slope and intercept of the nearest-neighbour means on the histogram means, both branches together; None without spread.

    Theil and Sen's line, whose slope the statement on the estimators is judged by.
    """
    x, y = frame["histogram"].to_numpy(), frame["nearest_neighbour"].to_numpy()
    if len(x) < 2 or not np.ptp(x) > 0:
        return None
    line = scipy.stats.theilslopes(y, x)
    return float(line.slope), float(line.intercept)


def bonferroni_threshold(alpha: float, layers: int, pairs: int) -> float:
    """The absolute t above which p < alpha after Bonferroni over the layers, 2N - 2 degrees of freedom; NaN for a single pair."""
    return float(scipy.stats.t.isf(alpha / layers / 2, 2 * pairs - 2)) if pairs > 1 else math.nan


def critical_z(alpha: float) -> float:
    """The absolute Z above which a two-sided p lies below alpha."""
    return float(scipy.stats.norm.isf(alpha / 2))


def drawn(results: Results) -> dict[str, dict[str, str]]:
    """Subject -> look -> variable, as far as these results have them."""
    found = {kind: {look: f"{kind}{name}" for look, name in LOOKS.items() if f"{kind}{name}" in results.dataset} for kind in SUBJECTS}
    return {kind: looks for kind, looks in found.items() if "all" in looks}
