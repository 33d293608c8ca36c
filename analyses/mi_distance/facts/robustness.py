"""Language-neutral values for the sections on robustness, and for the captions of their figures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analyses.mi_distance.calibration import REPETITIONS, calibration_table
from analyses.mi_distance.error_rates import error_rate_table
from analyses.mi_distance.names import CO_PRIMARY
from analyses.mi_distance.shown import FIGURES
from analyses.mi_distance.specification_curve import specification_table
from analyses.occurrences.facts.counts import counted, in_how_many
from analyses.protocol import Results
from analyses.statistics.verdicts import VERDICTS
from analyses.value_specs import Spec, ends, exact, exact_interval, interval, is_number, key, listed, number, percent, series

# The correlations that the text quotes: unrelated vectors, and a middling relation.
QUOTED = {"zero": 0.0, "related": 0.6}
# A test is said to miss its level when its error rate is shown to be farther from alpha than this part of it: .03 to .07 at .05.
TOLERANCE = 0.4
# A change of tau that is no more than rounding error.
_NOTHING = 1e-6
_UNITS = {"early_layers": (3, False), "deep_layers": (3, False), "negative_tau": (2, True), "tau_separation": (2, True)}


def robustness_facts(results: Results) -> dict[str, Any]:
    """What the prose on robustness names, under ``robustness``; each part None where the study has no such numbers."""
    found = {
        "specification": _specification(results) if "specification" in results.dataset.dims else None,
        "calibration": _calibration(results) if "correlation" in results.dataset.dims else None,
        "independence": _independence(results) if "simulated_test" in results.dataset.dims else None,
    }
    return found | {"any": any(found.values())}


def robustness_captions(results: Results) -> dict[str, dict[str, Any]]:
    """Figure id -> placeholder -> value spec."""
    study = results.study
    common: dict[str, Any] = {name: int(study[name]) for name in ("layers", "dimensions", "occurrences", "pairs")}
    common["layer_count"] = counted("layers", common["layers"])
    captions: dict[str, dict[str, Any]] = {"power": common | _power_caption(results)}
    if "specification" in results.dataset.dims:
        captions["calibration"] = common | _calibration_caption(results)
        captions |= {name: common | _specification_caption(results, statements) for name, statements in FIGURES.items()}
    if "simulated_test" in results.dataset.dims:
        captions["error_rates"] = common | _error_caption(results)
    return captions


def _span(name: str, estimates: pd.Series) -> dict[str, Spec]:
    """The least and the greatest estimate of a statement."""
    digits, unit = _UNITS.get(name, (2, False))
    low, high = ends(estimates.min(), estimates.max(), digits, unit=unit)
    return {"low": low, "high": high}


def _specification(results: Results) -> dict[str, Any]:
    study = results.study
    table = specification_table(results.dataset, study)
    conclusions = {row["name"]: row["verdict"] for row in study["conclusions"]}
    rows = table[table["name"] == "early_layers"]
    statements = [_stands(name, verdict, table[table["name"] == name], study) for name, verdict in conclusions.items()]
    change = float(results.dataset["specification_log_distance_change"])
    tokens = "several" if rows["token"].nunique() > 1 else ("given" if study["text"] is None else "one")
    return {
        "count": len(rows),
        "shift_count": next((each["count"] for each in statements if each["name"] == "constant_shift"), None),
        "bins": _listed_choices("bins", rows),
        "trim": _listed_choices("trim", rows),
        "neighbours": _listed_choices("neighbours", rows),
        "tokens": f"specification.tokens.{tokens}",
        "outputs": "specification.outputs" if rows["output"].nunique() > 1 else None,
        # Computed in the study to see that it is so; beyond what floating point makes of it there is nothing to tell.
        "log_change": number(change, 3, unit=True) if is_number(change) and change > _NOTHING else None,
        "statements": statements,
        "table": [_row(statement) for statement in statements],
    }


def _row(statement: Mapping[str, Any]) -> dict[str, Any]:
    """What the specifications say of a statement, as a row: how many give its verdict, and the least and greatest estimate."""
    values = statement["values"]
    spread = statement["spread"]["values"] if statement["spread"] else {}
    counts = (spread.get("above") or spread.get("inside") or {}).get("values")
    return {
        "statement": values["number"],
        "lesson": key("answers.statement", number=values["number"], heading=key(f"statement.{statement['name']}.heading")),
        "verdict": statement["verdict"],
        "same": key("answers.layers.alike", first=statement["same"], layers=statement["count"]),
        "low": spread.get("low"),
        "high": spread.get("high"),
        "inside": key("answers.layers.alike", first=counts["count"], layers=counts["total"]) if counts else None,
    }


def _listed_choices(column: str, rows: pd.DataFrame) -> Spec:
    def choice(value: str) -> Spec:
        if value in ("fd", "none"):
            return key(f"specification.{column}.{value}")
        return exact(float(value))

    return listed([choice(value) for value in dict.fromkeys(rows[column]) if value])


def _stands(name: str, conclusion: str, rows: pd.DataFrame, study: Mapping[str, Any]) -> dict[str, Any]:
    """In how many specifications a statement has the verdict that was concluded, and which others it has."""
    counts = rows["verdict"].value_counts()
    same = int(counts.get(conclusion, 0))
    control = next(row["control"] for row in study["conclusions"] if row["name"] == name)
    own = rows[rows["control"] == control]
    others = [
        {"key": "specification.other", "as": "key", "values": {"verdict": key(f"verdict.{verdict}"), "count": int(counts[verdict])}}
        for verdict in VERDICTS
        if verdict != conclusion and counts.get(verdict, 0)
    ]
    outcome = "all" if same == len(rows) else ("some" if same else "none")
    if outcome == "all" and conclusion == "not_testable":
        outcome = "untestable"
    values: dict[str, Any] = {
        "number": int(rows["statement"].iloc[0]),
        "statement": key(f"statement.{name}.short"),
        "same": same,
        "count": len(rows),
        "share": percent(same / len(rows)),
        "others": listed(others),
    }
    estimates = rows["estimate"].dropna()
    spread = None
    row = {"table": "specifications", "row": str(values["number"])}
    if len(estimates):
        found: dict[str, Any] = _span(name, estimates)
        claimed = {"negative_tau": "tau_range", "constant_shift": "shift_slope_range"}.get(name)
        if claimed is None:
            found["above"] = in_how_many("specifications", int((estimates > 0).sum()), len(estimates))
        else:
            low, high = study["settings"]["hypotheses"][claimed]
            found["range"] = exact_interval(low, high, unit=name == "negative_tau")
            found["inside"] = in_how_many("specifications", int(estimates.between(low, high).sum()), len(estimates))
        spread = {"key": f"specification.spread.{name}", "values": found, "rows": {name: row for name in found if name != "range"}}
    return {
        "name": name,
        "verdict": conclusion,
        "same": same,
        "count": len(rows),
        "key": f"specification.{outcome}",
        "values": values,
        "rows": {"same": row},
        "by_control": _by_control(rows),
        "control": control,
        "own": (int((own["verdict"] == conclusion).sum()), len(own)),
        "spread": spread,
    }


def minorities(specification: Mapping[str, Any] | None) -> dict[str, dict[str, Spec]]:
    """Statement -> how few ways of analysis give its verdict, of those that decide something and that less than half of the ways give.

    The ways are those of the control that the verdict rests on: another control asks another question.

    As a "clause" that follows the verdict, "short" for a table, and as a "sentence" of its own.
    """
    found = {}
    for row in specification["statements"] if specification else ():
        same, total = row["own"]
        if row["verdict"] in ("supported", "contradicted") and 2 * same < total:
            values = {"count": same, "total": total}
            end = "" if same else ".none"
            found[row["name"]] = {form: key(f"minority.{form}{end}", **values) for form in ("clause", "short", "sentence")}
    return found


def _by_control(rows: pd.DataFrame) -> dict[str, Any] | None:
    """The verdicts apart by what the values are, where that is varied and makes a difference."""
    groups = []
    for control, of_control in rows.groupby("control", sort=False):
        counts = of_control["verdict"].value_counts()
        found = [
            {"key": "specification.other", "as": "key", "values": {"verdict": key(f"verdict.{verdict}"), "count": int(counts[verdict])}}
            for verdict in VERDICTS
            if counts.get(verdict, 0)
        ]
        values = {"control": key(f"specification.control.{control}"), "verdicts": listed(found)}
        groups.append({"key": "specification.group", "as": "key", "values": values})
    if len(groups) < 2 or rows["verdict"].nunique() == 1:
        return None
    return {"key": "specification.by_control", "values": {"groups": series(groups)}}


def _calibration(results: Results) -> dict[str, Any]:
    table = calibration_table(results.dataset).set_index(["calibrated_estimator", "correlation"])
    found: dict[str, Any] = {"repetitions": REPETITIONS}
    for name, correlation in QUOTED.items():
        here = table.xs(correlation, level="correlation")
        found[name] = {
            "correlation": exact(correlation, unit=True),
            "truth": number(here["truth"].iloc[0]),
            "error": {estimator: number(row["mean"] - row["truth"]) for estimator, row in here.iterrows()},
            "spread": {estimator: number(row["spread"]) for estimator, row in here.iterrows()},
        }
    return found


def _fewer(data_sets: pd.Series) -> int | None:
    """In how many data sets the tests were simulated that were simulated in fewer than others; None where there are none."""
    simulated = data_sets[data_sets > 0]
    return int(simulated.min()) if simulated.min() < simulated.max() else None


def _independence(results: Results) -> dict[str, Any]:
    table = error_rate_table(results.dataset).set_index("simulated_test")
    alpha = results.study["settings"]["alpha"]
    found: dict[str, Any] = {
        "share": percent(float(results.dataset["simulated_variance_share"])),
        "data_sets": int(table["simulated_data_sets"].max()),
        "fewest": _fewer(table["simulated_data_sets"]),
        "alpha": exact(alpha, unit=True),
        "band": {end: percent(alpha * (1 + sign * TOLERANCE)) for end, sign in (("low", -1), ("high", 1))},
        "rates": {},
        "within": [],
        "above": [],
        "below": [],
    }
    for name, row in table.iterrows():
        if not is_number(row["type_one_error"]):
            found["rates"][name] = None
            continue
        found["rates"][name] = percent(row["type_one_error"], 1)
        place = "within"
        # A rate is outside when its whole Monte-Carlo interval is: few data sets show little.
        if row["type_one_error_low"] > alpha * (1 + TOLERANCE) + 1e-12:
            place = "above"
        elif row["type_one_error_high"] < alpha * (1 - TOLERANCE) - 1e-12:
            place = "below"
        item = {"test": key(f"simulated.{name}"), "rate": found["rates"][name]}
        found[place].append({"key": "simulated.item", "as": "key", "values": item})
    t = table.loc["independent_t"]
    found["t_too_often"] = bool(t["type_one_error_low"] > alpha * (1 + TOLERANCE) + 1e-12)
    found["independent_t_interval"] = interval(100 * t["type_one_error_low"], 100 * t["type_one_error_high"], 1)
    for place in ("within", "above", "below"):
        found[place] = listed(found[place]) if found[place] else None
    return found


def _specification_caption(results: Results, statements: tuple[str, ...]) -> dict[str, Any]:
    study = results.study
    table = specification_table(results.dataset, study)
    hypotheses = study["settings"]["hypotheses"]
    tau_range, slope_range = hypotheses["tau_range"], hypotheses["shift_slope_range"]
    values: dict[str, Any] = {
        "tau_range": exact_interval(*tau_range, unit=True),
        "slope_range": exact_interval(*slope_range),
        "values": _what_is_judged(table),
    }
    for name in statements:
        rows = table[table["name"] == name]
        estimates = rows["estimate"].dropna()
        values["count"] = len(rows)
        counts = [
            {"key": "specification.other", "as": "key", "values": {"verdict": key(f"verdict.{verdict}"), "count": int(count)}}
            for verdict, count in ((verdict, (rows["verdict"] == verdict).sum()) for verdict in VERDICTS)
            if count
        ]
        values[name] = {"key": "specification.alt.untested", "as": "key", "values": {"verdicts": listed(counts)}}
        if len(estimates):
            values[name] = {
                "key": "specification.alt.statement",
                "as": "key",
                "values": _span(name, estimates) | {"verdicts": listed(counts)},
            }
    return values


def _what_is_judged(table: pd.DataFrame) -> Spec | str:
    """What was taken off the values of one specification or another; nothing where all are of one kind."""
    controls = list(dict.fromkeys(table["control"]))
    if len(controls) < 2:
        return ""
    return key("figure.specification.values", controls=listed([key(f"figure.specification.value.{control}") for control in controls]))


def _calibration_caption(results: Results) -> dict[str, Any]:
    estimation = results.study["settings"]["estimation"]
    found = _calibration(results)
    trim = estimation["trim"]
    values: dict[str, Any] = {
        "repetitions": REPETITIONS,
        "bins": estimation["bins"],
        "neighbours": estimation["neighbours"],
        "trimming": key("figure.calibration.untrimmed")
        if trim is None
        else {"key": "figure.calibration.trimmed", "as": "key", "values": {"trim": exact(trim)}},
    }
    for name in QUOTED:
        values[f"{name}_correlation"], values[f"{name}_truth"] = found[name]["correlation"], found[name]["truth"]
        values |= {f"{name}_{estimator}": error for estimator, error in found[name]["error"].items()}
    return values


def _error_caption(results: Results) -> dict[str, Any]:
    found = _independence(results)
    table = error_rate_table(results.dataset)
    rates = [
        {
            "key": "simulated.item",
            "as": "key",
            "values": {"test": key(f"simulated.{row['simulated_test']}"), "rate": percent(row["type_one_error"], 1)},
        }
        for _, row in table.iterrows()
        if is_number(row["type_one_error"])
    ]
    fewest, most = found["fewest"], found["data_sets"]
    counted: dict[str, Any] = {"key": "figure.error_rates.data_sets", "as": "key", "values": {"most": most}}
    if fewest is not None:
        counted = {"key": "figure.error_rates.fewer_data_sets", "as": "key", "values": {"most": most, "fewest": fewest}}
    band = "band" if results.study["settings"]["alpha"] == 0.05 else "no_band"
    return {
        "share": found["share"],
        "alpha": found["alpha"],
        "data_sets": counted,
        "band": key(f"figure.error_rates.{band}"),
        "rates": listed(rates),
    }


def _power_caption(results: Results) -> dict[str, Any]:
    def of_estimator(estimator: str) -> dict[str, Any]:
        here = results.dataset.sel(estimator=estimator)
        difference, detectable = np.abs(here["mi_difference"].to_numpy()), here["minimal_detectable_difference"].to_numpy()
        observed = {"observed_low": number(difference.min()), "observed_high": number(difference.max())}
        if not np.isfinite(detectable).any():
            return {"key": "figure.power.alt_untested", "as": "key", "values": observed}
        values = {
            "low": number(np.nanmin(detectable)),
            "high": number(np.nanmax(detectable)),
        }
        return {"key": "figure.power.alt_estimator", "as": "key", "values": observed | values}

    return {"alpha": exact(results.study["settings"]["alpha"], unit=True)} | {name: of_estimator(name) for name in CO_PRIMARY}
