"""A pooled bundle's numbers once more from what its cells measured, by the routines of pandas, SciPy and statsmodels.

Nothing here calls what made the numbers. The mixed model is left out: its likelihood is searched, and two searches agree to fewer
digits than are asked for; the tests hold it against statsmodels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.stats

from analyses.errors import InputError
from analyses.mi_distance.hypotheses import STATEMENTS
from analyses.progress import Progress
from analyses.protocol import Results

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]
_PARTS = {part.name: part for statement in STATEMENTS for part in statement.parts}
_PLACE = ["control", "estimator", "measure"]
_FEWEST = 3
_MEANS = ("estimate", "low", "high", "sd", "texts_needed")
_META = ("meta_estimate", "meta_low", "meta_high", "prediction_low", "prediction_high", "sd_between", "i_squared", "q", "q_p")


def recomputed(results: Results, progress: Progress) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Quantity -> as the bundle holds it, as it is recomputed; what only the cells of other models than the first say is left out.

    Raises
    ------
    InputError
        The bundle's parts do not fit one another.
    """
    try:
        return _of(results, progress)
    except (KeyError, IndexError) as error:
        raise InputError(f"results.nc and study.json do not fit one another ({error}); make the bundle again") from error


def _of(results: Results, progress: Progress) -> Pairs:
    dataset, study = results.dataset, results.study
    cells = _cells(results)
    found: Pairs = {}
    for name, column in (("text_estimate", "estimate"), ("text_standard_error", "error")):
        anew = _by_text(cells, column).reorder_levels([*_PLACE, "text"])
        held = dataset[name].to_series()
        found[name] = (held.to_numpy(), anew.reindex(held.index).to_numpy())
    for name in (str(name) for name in dataset.data_vars):
        if name.startswith("text_") and f"{name.removeprefix('text_')}_low" in dataset:
            found |= _profile(results, name.removeprefix("text_"))
    groups = [group for group in study["groups"] if group["model"] == study["models"][0]]
    held_rows: dict[str, list[Any]] = {}
    anew_rows: dict[str, list[Any]] = {}
    with progress.stage("pooling", len(groups)) as advance:
        for group in groups:
            own = cells if group["language"] is None else cells[cells["language"] == group["language"]]
            by_text, errors = _by_text(own, "estimate"), _by_text(own, "error")
            for row in group["pooled"]:
                place = row["control"], row["estimator"], _PARTS[row["part"]].measure
                # In the order of the texts, so that sums differ in nothing but what they are made by.
                values = by_text.loc[place].reindex(dataset["text"].values)
                numbers = _mean(values.dropna().to_numpy(), row["assumed"])
                if "meta_low" in row:
                    numbers |= _meta(values.to_numpy(), errors.loc[place].reindex(values.index).to_numpy())
                for name, number in numbers.items():
                    held_rows.setdefault(f"pooled_{name}", []).append(row[name])
                    anew_rows.setdefault(f"pooled_{name}", []).append(number)
            _judged(group["conclusions"], held_rows, anew_rows)
            advance(1)
    _directions(study["verdicts"], _by_text(cells, "estimate"), held_rows, anew_rows)
    for label in ("text", "word"):
        _ranges(study["left_out"][label], label, cells, held_rows, anew_rows)
    return found | {name: (_numbers(held_rows[name]), _numbers(anew_rows[name])) for name in sorted(held_rows)}


def _cells(results: Results) -> pd.DataFrame:
    """A row for what was measured in each cell, with its text, word and language."""
    dataset = results.dataset
    frame = dataset["cell_estimate"].to_dataframe(name="estimate")
    frame["error"] = dataset["cell_standard_error"].to_dataframe(name="error")["error"]
    frame = frame.reset_index()
    of_cell = frame["cell"].to_numpy()
    frame["text"] = dataset["text"].values[dataset["cell_text"].values[of_cell]]
    frame["word"] = dataset["word_name"].values[dataset["cell_word"].values[of_cell]]
    frame["language"] = dataset["cell_language"].values[of_cell]
    return frame


def _by_text(cells: pd.DataFrame, column: str) -> pd.Series:
    """Means over the words of each text; of standard errors the error of such a mean."""
    groups = cells.dropna(subset=[column]).groupby([*_PLACE, "text"])[column]
    return groups.mean() if column == "estimate" else groups.apply(lambda own: np.linalg.norm(own) / len(own))


def _profile(results: Results, name: str) -> Pairs:
    """Means over the texts and their intervals, by statsmodels."""
    from statsmodels.stats.weightstats import DescrStatsW

    def ends(of_texts: np.ndarray) -> np.ndarray:
        kept = of_texts[np.isfinite(of_texts)]
        mean = kept.mean() if len(kept) else np.nan
        return np.array([mean, *(DescrStatsW(kept).tconfint_mean() if len(kept) >= _FEWEST else (np.nan, np.nan))])

    anew = np.apply_along_axis(ends, 0, results.dataset[f"text_{name}"].values)
    if "tau" in name:
        anew = np.clip(anew, -1, 1)
    return {f"{name}{end}": (results.dataset[f"{name}{end}"].values, anew[index]) for index, end in enumerate(("", "_low", "_high"))}


def _mean(values: np.ndarray, assumed: float) -> dict[str, Any]:
    if len(values) < _FEWEST:
        return dict.fromkeys(_MEANS) | {"estimate": values.mean() if len(values) else None}
    interval = scipy.stats.ttest_1samp(values, 0.0).confidence_interval(0.95) if np.ptp(values) else (values.mean(),) * 2
    sd = scipy.stats.tstd(values)
    needed = next((count for count in range(_FEWEST, 10_001) if _half_width(sd, count) < assumed), None)
    return dict(zip(_MEANS, (values.mean(), *interval, sd, needed), strict=True))


def _half_width(sd: float, count: int) -> float:
    return float(scipy.stats.t.isf(0.025, count - 1) * sd / np.sqrt(count))


def _meta(values: np.ndarray, errors: np.ndarray) -> dict[str, Any]:
    """The root of the restricted likelihood's derivative, then weighted least squares, whose error is Hartung and Knapp's."""
    import statsmodels.api as sm

    usable = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    values, variances = values[usable], errors[usable] ** 2
    count, ones = len(values), np.ones(usable.sum())

    def derivative(between: float) -> float:
        weights = np.diag(1 / (variances + between))
        projection = weights - weights @ np.outer(ones, ones) @ weights / weights.sum()
        return float(values @ projection @ projection @ values - np.trace(projection))

    most = 10 * float(np.var(values) + variances.max())
    between = scipy.optimize.brentq(derivative, 0, most, xtol=1e-16, rtol=1e-14) if derivative(0) > 0 else 0.0
    random = sm.WLS(values, ones, weights=1 / (variances + between)).fit()
    fixed = sm.WLS(values, ones, weights=1 / variances).fit()
    (low, high), (error,) = random.conf_int()[0], random.bse
    reach = scipy.stats.t.isf(0.025, count - 1) * np.hypot(np.sqrt(between), error)
    mean, weights = random.params[0], 1 / variances
    typical = (count - 1) * weights.sum() / (weights.sum() ** 2 - (weights**2).sum())
    numbers = (
        mean, low, high, mean - reach, mean + reach, np.sqrt(between), between / (between + typical), fixed.ssr,
        scipy.stats.chi2.sf(fixed.ssr, count - 1),
    )  # fmt: skip
    return dict(zip(_META, numbers, strict=True))


def _judged(conclusions: Iterable[Mapping[str, Any]], held: dict[str, list[Any]], anew: dict[str, list[Any]]) -> None:
    """Holm's correction over the statements, by statsmodels; what is open counts as p = 1."""
    from statsmodels.stats.multitest import multipletests

    rows = list(conclusions)
    corrected = multipletests([1.0 if row["p"] is None else row["p"] for row in rows], method="holm")[1]
    held.setdefault("p_holm", []).extend(row["p_holm"] for row in rows)
    anew.setdefault("p_holm", []).extend(None if row["p"] is None else p for row, p in zip(rows, corrected, strict=True))


def _directions(verdicts: Iterable[Mapping[str, Any]], by_text: pd.Series, held: dict[str, list[Any]], anew: dict[str, list[Any]]) -> None:
    """The p-value of every supported part that claims a direction, by SciPy's t-test, and in how many texts it goes that way."""
    for verdict in verdicts:
        for row in verdict["parts"]:
            part = _PARTS[row["measure"]]
            if part.rule not in ("positive", "negative"):
                continue
            values = by_text.loc[verdict["control"], verdict["estimator"], part.measure].to_numpy()
            held.setdefault("agreeing_texts", []).append(row["agreeing_texts"])
            anew.setdefault("agreeing_texts", []).append(int(((values > 0) if part.rule == "positive" else (values < 0)).sum()))
            if row["verdict"] == "supported":
                held.setdefault("verdict_p", []).append(row["p"])
                # What is claimed of both branches holds by the one that shows it less.
                each = [values, *(by_text.loc[verdict["control"], verdict["estimator"], name].to_numpy() for name in part.of_branches)]
                anew.setdefault("verdict_p", []).append(max(float(scipy.stats.ttest_1samp(one, 0.0).pvalue) for one in each))


def _ranges(
    left_out: Mapping[str, Any] | None, label: str, cells: pd.DataFrame, held: dict[str, list[Any]], anew: dict[str, list[Any]]
) -> None:
    """The least and the largest mean without one text, or without one word."""
    if left_out is None:
        return
    without = {name: _by_text(cells[cells[label] != name], "estimate").groupby(_PLACE).mean() for name in cells[label].unique()}
    means = pd.DataFrame(without)
    for row in left_out["ranges"]:
        of_place = means.loc[(row["control"], row["estimator"], _PARTS[row["part"]].measure)]
        for name, number in (("lowest", of_place.min()), ("highest", of_place.max())):
            held.setdefault(f"without_one_{label}_{name}", []).append(row[name])
            anew.setdefault(f"without_one_{label}_{name}", []).append(number)


def _numbers(values: Iterable[Any]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
