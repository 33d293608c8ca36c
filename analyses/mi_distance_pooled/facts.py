"""Language-neutral values for the prose: which sentence of the catalogue is true, and the numbers to put into it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analyses.mi_distance.conclusions import opposed
from analyses.mi_distance.facts.statements import verdict_words
from analyses.mi_distance.names import CO_PRIMARY
from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.facts.common import conclusion_lists
from analyses.occurrences.facts.counts import counted, in_how_many
from analyses.occurrences.layer_numbers import places
from analyses.protocol import Results
from analyses.value_specs import Spec, exact, interval, is_number, key, listed, number, percent, series

Study = Mapping[str, Any]
# How each part is printed: digits, and whether it is bounded by 1.
_PRINTED = {"mean_tau": (2, True), "tau_half": (2, True), "tau_difference": (2, True), "shift_slope": (2, False), "mlp_level": (4, False)}
_NONE = key("value.none")
# Of the texts that differ, so many are named at the most.
_MOST_NAMED = 6


def facts(results: Results) -> dict[str, Any]:
    """Everything that templates may name, at the top level of their context."""
    study = results.study
    group = study["groups"][0]
    statements = [_statement(row, group, study) for row in study["conclusions"]]
    provenance = study["provenance"]
    needed = _needed(group, study)
    return {
        "document": {name: value for name, value in study["settings"]["document"].items() if value},
        "headings": {"model": study["models"][0], "texts": counted("texts", group["texts"])},
        "settings": study["settings"],
        "model": study["models"][0],
        "models": listed(list(study["models"])),
        "size": {
            "texts": group["texts"],
            "words": group["words"],
            "versions": study["versions"],
            "cells": group["cells"],
            "models": len(study["models"]),
            "planned": provenance["cells_planned"],
            "failed": provenance["cells_failed"],
            "layers": study["layers"],
            "fewest": study["occurrences"]["fewest"],
            "most": study["occurrences"]["most"],
        },
        "counted": {
            "texts": counted("texts", group["texts"]),
            "versions": counted("texts", study["versions"]),
            "words": counted("words", group["words"]),
            "cells": counted("cells", group["cells"]),
            "layers": counted("layers", study["layers"]),
        },
        "computed": _computed(provenance["cells_planned"], provenance["cells_failed"]),
        "estimation": provenance["cell_settings"]["estimation"],
        "has_excess": study["primary_control"] == "different_word",
        "testable": group["texts"] > 2,
        # Spaces part the syllables of Vietnamese, not its words.
        "syllables": "vi" in study["languages"],
        "several_languages": len(study["languages"]) > 1,
        "translations": study["versions"] > group["texts"],
        "languages": listed([key(f"language.{code}") if code in ("en", "vi") else code for code in study["languages"]]),
        "several_models": len(study["models"]) > 1,
        "model_sentences": _model_sentences(study),
        "over_models": _over_models(study),
        "failed": bool(study["failed"]),
        "statements": statements,
        "findings": [statement["finding"] for statement in statements],
        "conclusion_lists": conclusion_lists(statements),
        "after_holm": _after_holm(study),
        "lesson": _lesson(study),
        "profile": _profile(results),
        "tau": _tau(results),
        "checks": _checks(group, study),
        "left_out": _left_out(study),
        "new_text": _new_text(group, study),
        "heterogeneity": _heterogeneity(group, study),
        "unlike": _unlike(results),
        "needed": needed,
        "language_sentences": _language_sentences(study),
        "alpha": exact(study["settings"]["alpha"], unit=True),
        "answer_table": _answer_table(group, study),
        "verdict_table": _verdict_table(study),
        "check_table": _check_table(group, study),
        "group_table": _group_table(study, language=True),
        "model_table": _group_table(study, language=False),
        "text_table": _text_table(results),
        "failed_table": study["failed"],
        "made_with": [
            {"name": name, "version": version}
            for name, version in sorted(
                {**provenance["versions"], **{f"{k} (cells)": ", ".join(v) for k, v in provenance["cell_versions"].items()}}.items()
            )
        ],
        "plan": provenance["plan"][:12],
        "captions": _captions(results),
    }


def _computed(planned: int, failed: int) -> Spec:
    """How many of the planned cells could be computed."""
    return key("cells.failed", count=failed, planned=planned) if failed else key("cells.computed", count=planned)


def _value(part: str, value: Any) -> Spec:
    digits, unit = _PRINTED.get(part, (3, False))
    return number(value, digits, unit=unit) if is_number(value) else _NONE


def _span(part: str, low: Any, high: Any) -> Spec:
    digits, unit = _PRINTED.get(part, (3, False))
    return interval(low, high, digits, unit=unit) if is_number(low) and is_number(high) else _NONE


def _pooled(group: Mapping[str, Any], part: str, estimator: str, control: str) -> Mapping[str, Any] | None:
    wanted = (part, estimator, control)
    return next((row for row in group["pooled"] if (row["part"], row["estimator"], row["control"]) == wanted), None)


def _estimators(part: str) -> tuple[str, ...]:
    """The statement on the estimators holds the histogram against the nearest neighbours: it has one value."""
    return ("histogram",) if part == "shift_slope" else CO_PRIMARY


def _numbers(part: str, control: str, group: Mapping[str, Any], study: Study) -> dict[str, Any]:
    values: dict[str, Any] = {
        "quantity": key(f"quantity.{control}"),
        "what": key(f"what.{part}"),
        "texts": counted("texts", group["texts"]),
    }
    for estimator in CO_PRIMARY:
        row = _pooled(group, part, estimator, control) or {}
        values[estimator] = _value(part, row.get("estimate"))
        values[f"{estimator}_interval"] = _span(part, row.get("low"), row.get("high"))
    hypotheses = study["provenance"]["cell_settings"]["hypotheses"]
    values |= {
        "tau_low": exact(hypotheses["tau_range"][0], unit=True),
        "tau_high": exact(hypotheses["tau_range"][1], unit=True),
        "slope_low": exact(hypotheses["shift_slope_range"][0]),
        "slope_high": exact(hypotheses["shift_slope_range"][1]),
        "margin": exact(hypotheses["same_tau_margin"], unit=True),
    }
    return values


def _claim(part: Mapping[str, Any], values: Mapping[str, Any]) -> Spec:
    """What the texts say of a part, as a clause: what was claimed, or what is so instead."""
    name = f"claim.{part['measure']}"
    if part["verdict"] == "contradicted" or (part["verdict"] == "supported" and part["side"]):
        name = ".".join(word for word in (name, part["verdict"], part["side"]) if word)
    return key(name, **values)


def _statement(conclusion: Mapping[str, Any], group: Mapping[str, Any], study: Study) -> dict[str, Any]:
    name, verdict, control = conclusion["name"], conclusion["verdict"], conclusion["control"]
    parts = []
    for part in conclusion["parts"]:
        values = _numbers(part["measure"], control, group, study)
        values |= {"where": _where_agreeing(part["measure"], name, control, study), "claim": _claim(part, values)}
        form = "one" if part["measure"] == "shift_slope" else "two"
        if part["measure"] == "tau_difference" and part["verdict"] in ("contradicted", "inconclusive"):
            # That taus separate goes no way: what is counted is the sign of their difference.
            form = "sign"
        said = "not_testable" if part["verdict"] == "not_testable" else f"{form}.{part['verdict']}"
        parts.append(
            {
                "measure": part["measure"],
                "verdict": part["verdict"],
                "key": f"part.{said}",
                "values": values,
                "claim": values["claim"],
                # Where the numbers of both estimators stand.
                "rows": dict.fromkeys((*CO_PRIMARY, "where"), _row("answers", f"{conclusion['statement']}-{part['measure']}")),
            }
        )
    if len(parts) == 1:
        finding = {name: parts[0][name] for name in ("key", "values", "rows")}
    else:
        finding = _of_parts(verdict, parts, conclusion["parts"], group)
    return {
        "number": conclusion["statement"],
        "name": name,
        "verdict": verdict,
        "control": control,
        "estimator": CO_PRIMARY[0],
        "finding": {"id": name, "number": conclusion["statement"], "verdict": verdict} | finding,
        "parts": parts if len(parts) > 1 else [],
        "beside": _beside(conclusion),
    }


def _of_parts(
    verdict: str, parts: Sequence[Mapping[str, Any]], judged: Sequence[Mapping[str, Any]], group: Mapping[str, Any]
) -> dict[str, Any]:
    """The finding of a statement of several parts: which of them make its verdict, and which hold."""
    claims = {
        each: [key("claim.with_values", **part["values"]) for part in parts if part["verdict"] == each]
        for each in ("supported", "inconclusive")
    }
    against = [
        key("claim.with_values", **part["values"])
        for part, row in zip(parts, judged, strict=True)
        if row["firm"] or (verdict != "contradicted" and part["verdict"] == "contradicted")
    ]
    values: dict[str, Any] = {
        "texts": counted("texts", group["texts"]),
        "supported": listed(claims["supported"]),
        "against": listed(against),
    }
    values["open"] = listed([part["claim"] for part in parts if part["verdict"] in ("inconclusive", "not_testable")])
    name = f"finding.parts.{verdict}"
    if verdict == "inconclusive" and against and not claims["inconclusive"]:
        name = f"{name}.against"
        return {"key": f"{name}.some" if claims["supported"] else name, "values": values}
    if verdict in ("contradicted", "inconclusive") and claims["supported"]:
        name = f"{name}.some"
    return {"key": name, "values": values}


def _row(table: str, row: str) -> dict[str, str]:
    """The row of a table that a number leads to."""
    return {"table": table, "row": row}


def _agreeing(part: str, name: str, control: str, study: Study) -> dict[str, tuple[int, int]]:
    """Estimator -> in how many texts a part goes the stated way, and in how many it has a value."""
    return {
        row["estimator"]: (each["agreeing_texts"], each["texts"])
        for row in study["verdicts"]
        if (row["name"], row["control"]) == (name, control) and row["estimator"] in CO_PRIMARY
        for each in row["parts"]
        if each["measure"] == part
    }


def _where_agreeing(part: str, name: str, control: str, study: Study) -> Spec:
    """In how many texts a part goes the stated way, by both estimators: once where they count alike."""
    counts = {estimator: in_how_many("texts", *found) for estimator, found in _agreeing(part, name, control, study).items()}
    if not counts:
        return _NONE
    first, *others = counts.values()
    if all(other == first for other in others):
        none = first["values"]["count"] == 0
        return key("count.alike.none" if none else "count.alike", where=first) if others else first
    return key("count.each", **{f"{estimator}_count": count for estimator, count in counts.items()})


def _beside(conclusion: Mapping[str, Any]) -> list[Spec]:
    """What Holm's correction leaves, and what plain MI and the estimators alone say."""
    said = []
    if conclusion["p_holm"] is not None:
        stays = "stays" if conclusion["after_holm"] == conclusion["verdict"] else "falls"
        said.append(key(f"holm.{stays}", p={"value": conclusion["p_holm"], "as": "p_value"}))
    if conclusion["control"] != "none":
        if _as_the_lesson(conclusion):
            said.append(key("plain.same"))
        else:
            said.append(key("plain.differs", verdict=_words_of_lesson(conclusion)))
    for row in conclusion["estimators_disagree"]:
        said.append(key("estimators.differs", estimator=key(f"estimator.{row['estimator']}"), verdict=key(f"verdict.{row['verdict']}")))
    return said


def _named(statements: Sequence[int]) -> Spec:
    return listed([str(number) for number in statements])


def _after_holm(study: Study) -> Spec:
    decided = [row for row in study["conclusions"] if row["p_holm"] is not None]
    fallen = [row["statement"] for row in decided if row["after_holm"] != row["verdict"]]
    if not decided:
        return key("holm.summary.none")
    return (
        key("holm.summary.falls", statements=_named(fallen), count=len(fallen)) if fallen else key("holm.summary.stays", count=len(decided))
    )


def _as_the_lesson(conclusion: Mapping[str, Any]) -> bool:
    return bool(conclusion["lesson"] == conclusion["verdict"] and not conclusion["lesson_opposed"])


def _words_of_lesson(conclusion: Mapping[str, Any]) -> Spec:
    return verdict_words(conclusion["lesson"], opposed=conclusion["lesson"] == conclusion["verdict"])


def _lesson(study: Study) -> Spec | None:
    """Which verdicts plain MI would have given instead."""
    rows = [row for row in study["conclusions"] if row["control"] != "none"]
    if not rows:
        return None
    differing = [row for row in rows if not _as_the_lesson(row)]
    if not differing:
        return key("lesson.same")
    items = [key("lesson.item", number=row["statement"], verdict=_words_of_lesson(row)) for row in differing]
    return key("lesson.differs", items=series(items))


def _drawn(results: Results, excess: str, plain: str) -> Any:
    """The excess of the drawn estimator where there is one, else plain values."""
    dataset = results.dataset.sel(estimator="nearest_neighbour")
    return dataset, excess if excess in dataset else plain


def _profile(results: Results) -> list[Spec]:
    """How each branch goes from the early to the deep layers."""
    dataset, name = _drawn(results, "word_specific_excess", "mean_mutual_information")
    early, deep = (places(results.study, band) for band in ("early", "deep"))
    said = []
    for branch in BRANCHES:
        values, low, high = (dataset[f"{name}{end}"].sel(branch=branch).values for end in ("", "_low", "_high"))
        if not (len(early) and len(deep) and np.isfinite(low).any()):
            continue
        said.append(
            key("profile.branch", branch=key(f"branch.named.{branch}"), quantity=key(f"quantity.{results.study['primary_control']}"),
                early=_value("", float(values[early].mean())), deep=_value("", float(values[deep].mean())),
                apart=in_how_many("layers", int(((low > 0) | (high < 0)).sum()), len(values)))
        )  # fmt: skip
    return said


def _tau(results: Results) -> list[Spec]:
    dataset, name = _drawn(results, "word_specific_kendall_tau", "kendall_tau")
    numbers, said = results.study["layer_numbers"], []
    for branch in BRANCHES:
        values = dataset[name].sel(branch=branch).values
        if not np.isfinite(values).any():
            continue
        lowest, highest = int(np.nanargmin(values)), int(np.nanargmax(values))
        said.append(
            key("profile.tau", branch=key(f"branch.named.{branch}"), quantity=key(f"quantity.{results.study['primary_control']}"),
                mean=_value("mean_tau", float(np.nanmean(values))), lowest=_value("mean_tau", float(values[lowest])),
                lowest_layer=numbers[lowest], highest=_value("mean_tau", float(values[highest])), highest_layer=numbers[highest])
        )  # fmt: skip
    return said


def _checks(group: Mapping[str, Any], study: Study) -> list[Spec]:
    """Whether the meta-analysis and the mixed model agree with the means, and where they do not."""
    said = []
    for check in ("meta", "crossed"):
        rows = [
            row for row in group["pooled"]
            if f"{check}_disagrees" in row and row["control"] in (study["primary_control"], "none" if row["part"] == "shift_slope" else "")
        ]  # fmt: skip
        if not rows:
            said.append(key(f"check.{check}.absent"))
            continue
        differing = [row for row in rows if row[f"{check}_disagrees"]]
        items = [
            key(f"check.item.{row[f'{check}_disagrees']}", part=key(f"measure.{row['part']}"),
                estimator=key(f"estimator.{row['estimator']}"), estimate=_value(row["part"], row[f"{check}_estimate"]),
                interval=_span(row["part"], row[f"{check}_low"], row[f"{check}_high"]))
            for row in differing
        ]  # fmt: skip
        differing_in = in_how_many("comparisons", len(items), len(rows))
        said.append(
            key(f"check.{check}.differs", where=differing_in, items=series(items))
            if items
            else key(f"check.{check}.same", where=in_how_many("comparisons", len(rows), len(rows)))
        )
    return said


def _of_change(change: Mapping[str, Any]) -> Spec:
    return verdict_words(change["verdict"], opposed=change["opposed"])


def _left_out(study: Study) -> list[Spec]:
    said = []
    for unit in ("text", "word"):
        found = study["left_out"][unit]
        if found is None:
            said.append(key(f"left_out.{unit}.absent"))
        elif not found["changes"]:
            said.append(key(f"left_out.{unit}.stays"))
        else:
            items = [
                key(
                    "left_out.item",
                    left=each["left_out"],
                    number=each["statement"],
                    verdict=verdict_words(each["verdict"], opposed=each["opposed"]),
                )
                for each in found["changes"][:_MOST_NAMED]
            ]
            form = "changes" if len(items) == len(found["changes"]) else "changes.more"
            said.append(key(f"left_out.{unit}.{form}", count=len({each["left_out"] for each in found["changes"]}), items=series(items)))
    return said


def _shown_rows(group: Mapping[str, Any], study: Study, parts: Sequence[str]) -> list[Mapping[str, Any]]:
    rows = [_pooled(group, part, "nearest_neighbour", study["primary_control"]) for part in parts]
    return [row for row in rows if row is not None]


def _new_text(group: Mapping[str, Any], study: Study) -> list[Spec]:
    """In what range a new text's true value is expected, and whether that leaves out zero."""
    said = []
    for row in _shown_rows(group, study, ("early_difference", "deep_difference", "mean_tau", "tau_difference")):
        if not is_number(row.get("prediction_low")):
            continue
        one_sided = row["prediction_low"] > 0 or row["prediction_high"] < 0
        said.append(
            key(f"new_text.{'same_sign' if one_sided else 'either_sign'}", what=key(f"what.{row['part']}"),
                interval=_span(row["part"], row["prediction_low"], row["prediction_high"]))
            | {"rows": {"interval": _row("checks_nearest", row["part"])}}
        )  # fmt: skip
    return said


def _heterogeneity(group: Mapping[str, Any], study: Study) -> list[Spec]:
    said = []
    for row in _shown_rows(group, study, ("early_difference", "deep_difference", "mean_tau", "tau_difference")):
        if not is_number(row.get("i_squared")):
            continue
        said.append(
            key("heterogeneity.of", what=key(f"what.{row['part']}"), sd=_value(row["part"], row["sd_between"]),
                share=percent(row["i_squared"]),
                p={"value": row["q_p"], "as": "p_value"})
            | {"rows": {"share": _row("checks_nearest", row["part"])}}
        )  # fmt: skip
    return said


def _unlike(results: Results) -> Spec:
    """Texts in which the two differences of branches have another sign than their mean, by both estimators."""
    values = results.dataset["text_estimate"].sel(control=results.study["primary_control"], estimator=list(CO_PRIMARY))
    items, count = [], 0
    for measure in ("early_difference", "deep_difference", "mean_tau"):
        of_texts = values.sel(measure=measure).values
        with np.errstate(invalid="ignore"):
            sign = np.sign(np.nansum(of_texts, axis=-1, keepdims=True))
            other = (np.sign(of_texts) == -sign).all(axis=0)
        names = [str(name) for name, is_other in zip(values["text"].values, other, strict=True) if is_other]
        count += len(names)
        if names:
            shown = listed(names[:_MOST_NAMED])
            items.append(
                key(
                    "unlike.item" if len(names) <= _MOST_NAMED else "unlike.item.more",
                    what=key(f"what.{measure}"),
                    count=len(names),
                    names=shown,
                )
            )
    return key("unlike.some", items=series(items)) if count else key("unlike.none")


def _assumed(part: str, value: Any) -> Spec:
    """An effect that is assumed, with no more digits than it takes."""
    digits, unit = _PRINTED.get(part, (3, False))
    return exact(round(value, digits), unit=unit) if is_number(value) else _NONE


def _needed(group: Mapping[str, Any], study: Study) -> list[Spec]:
    """How many texts an assumed effect takes, by the estimator that takes more, part by part."""
    said = []
    for part in dict.fromkeys(row["part"] for row in group["pooled"]):
        control = "none" if part == "shift_slope" else study["primary_control"]
        rows = [row for each in _estimators(part) if (row := _pooled(group, part, each, control)) is not None]
        numbers = [row["texts_needed"] for row in rows]
        if not rows or any(each is None for each in numbers):
            continue
        most = max(numbers)
        values = {
            "part": key(f"measure.{part}"),
            "assumed": _assumed(part, rows[0]["assumed"]),
            "needed": counted("texts", most),
            "texts": counted("texts", group["texts"]),
        }
        table = "checks_histogram" if rows[numbers.index(most)]["estimator"] == "histogram" else "checks_nearest"
        led = {"rows": {"needed": _row(table, part)}}
        said.append(key(f"needed.{'enough' if most <= group['texts'] else 'more'}", **values) | led)
    return said


def _language_sentences(study: Study) -> list[Spec]:
    """Whether the languages' texts, taken apart, give the same verdicts."""
    groups = [group for group in study["groups"] if group["model"] == study["models"][0] and group["language"]]
    return _side_by_side("languages.", [(_language(group["language"]), group) for group in groups])


def _model_sentences(study: Study) -> list[Spec]:
    """Whether all models give the same verdicts."""
    groups = [group for group in study["groups"] if group["language"] is None]
    return _side_by_side("models.", [(group["model"], group) for group in groups])


def _side_by_side(kind: str, named: Sequence[tuple[Spec | str, Mapping[str, Any]]]) -> list[Spec]:
    """On which statements several groups agree, and how each other one is judged, by the beginning of the keys; nothing of one group."""
    if len(named) < 2:
        return []
    said, alike = [], []
    for rows in zip(*(group["conclusions"] for _, group in named), strict=False):
        number, verdict = rows[0]["statement"], key(f"verdict.{rows[0]['verdict']}")
        if len({row["verdict"] for row in rows}) > 1:
            items = [
                key(f"{kind}item", of=name, verdict=key(f"verdict.{row['verdict']}"))
                for (name, _), row in zip(named, rows, strict=True)
            ]  # fmt: skip
            said.append(key(f"{kind}differ", number=number, items=series(items)))
        else:
            if any(opposed(row["parts"], rows[0]["parts"]) for row in rows[1:]):
                said.append(key(f"{kind}opposed", number=number, verdict=verdict))
            else:
                alike.append(number)
    if not alike:
        return said
    form = "all" if not said else "one" if len(alike) == 1 else "other"
    return [key(f"{kind}same.{form}", numbers=_named(alike)), *said]


def _language(code: str | None) -> Spec | str:
    if code is None:
        return key("language.all")
    return key(f"language.{code}") if code in ("en", "vi") else code


def _over_models(study: Study) -> list[Spec]:
    found = study["over_models"]
    if found is None:
        return []
    return [
        key("models.concluded", number=row["statement"], models=found["models"], verdict=key(f"verdict.{row['verdict']}"))
        for row in found["conclusions"]
    ]


def _answer_table(group: Mapping[str, Any], study: Study) -> list[dict[str, Any]]:
    """A row a part as the conclusions rest on it."""
    rows = []
    for conclusion in study["conclusions"]:
        for part in conclusion["parts"]:
            own = {}
            for estimator in _estimators(part["measure"]):
                row = _pooled(group, part["measure"], estimator, conclusion["control"]) or {}
                shown = is_number(row.get("low"))
                values = {
                    "estimate": _value(part["measure"], row.get("estimate")),
                    "interval": _span(part["measure"], row.get("low"), row.get("high")),
                }
                own[estimator] = key("table.value", **values) if shown else None
            counts = _agreeing(part["measure"], conclusion["name"], conclusion["control"], study).values()
            fewest, of_texts = (min(each) for each in zip(*counts, strict=True)) if counts else (0, 0)
            rows.append(
                {"statement": conclusion["statement"], "part": part["measure"], "verdict": part["verdict"]}
                | {"histogram": None, "nearest_neighbour": None} | own
                | {"agreeing": key("table.of", count=fewest, texts=of_texts) if counts else None}
            )  # fmt: skip
    return rows


def _verdict_table(study: Study) -> list[dict[str, Any]]:
    kept = ("statement", "name", "estimator", "control", "verdict", "estimate", "low", "high", "agreeing_texts")
    rows = [
        {name: row[name] for name in kept}
        | {"part": f"measure.{row['part']}"}
        | {
            "shown": _value(row["part"], row["estimate"]) if is_number(row["estimate"]) else None,
            "shown_interval": _span(row["part"], row["low"], row["high"]) if is_number(row["low"]) else None,
        }
        for row in study["verdicts"]
    ]
    return sorted(rows, key=lambda row: (row["statement"], row["control"]))


def _check_table(group: Mapping[str, Any], study: Study) -> list[dict[str, Any]]:
    rows = []
    for row in group["pooled"]:
        control = "none" if row["part"] == "shift_slope" else study["primary_control"]
        if row["control"] != control or row["estimator"] not in _estimators(row["part"]):
            continue
        part = row["part"]

        def pair(prefix: str, row: Mapping[str, Any] = row, part: str = part) -> Spec | None:
            if not is_number(row.get(f"{prefix}_low")):
                return None
            return key(
                "table.value",
                estimate=_value(part, row[f"{prefix}_estimate"]),
                interval=_span(part, row[f"{prefix}_low"], row[f"{prefix}_high"]),
            )

        has_new = is_number(row.get("prediction_low"))
        rows.append(
            {
                "part": part,
                "estimator": row["estimator"],
                "meta": pair("meta"),
                "crossed": pair("crossed"),
                "new_text": _span(part, row["prediction_low"], row["prediction_high"]) if has_new else None,
                "sd": _value(part, row["sd"]) if is_number(row["sd"]) else None,
                "i_squared": row.get("i_squared"),
                "needed": row["texts_needed"],
            }
        )
    return rows


def _group_table(study: Study, *, language: bool) -> list[dict[str, Any]]:
    """Verdicts side by side: of the first model by language, or of every model over all texts."""
    first = study["models"][0]
    groups = [group for group in study["groups"] if (group["model"] == first if language else group["language"] is None)]
    rows = []
    for group in groups:
        for conclusion in group["conclusions"]:
            measure = conclusion["parts"][0]["measure"]
            found = {estimator: _pooled(group, measure, estimator, conclusion["control"]) or {} for estimator in _estimators(measure)}
            shown = {
                estimator: key("table.value", estimate=_value(measure, row["estimate"]), interval=_span(measure, row["low"], row["high"]))
                if is_number(row.get("low"))
                else None
                for estimator, row in found.items()
            }
            rows.append(
                {"statement": conclusion["statement"], "of": _language(group["language"]) if language else group["model"]}
                | {"texts": group["texts"], "verdict": conclusion["verdict"], "histogram": None, "nearest_neighbour": None} | shown
            )  # fmt: skip
    return sorted(rows, key=lambda row: row["statement"])


def _text_table(results: Results) -> list[dict[str, Any]]:
    study = results.study
    values = results.dataset["text_estimate"].sel(control=study["primary_control"], estimator="nearest_neighbour")
    found = {name: values.sel(text=name) for name in map(str, values["text"].values)}
    names = ("early_difference", "deep_difference", "attention_rise", "mlp_fall", "mean_tau", "tau_difference")
    return [
        {"text": text["name"], "words": ", ".join(text["words"]), "occurrences": text["occurrences"]}
        | {name: float(value) if np.isfinite(value := found[text["name"]].sel(measure=name).values) else None for name in names}
        for text in study["texts"]
    ]


def _captions(results: Results) -> dict[str, dict[str, Any]]:
    """Values for captions, alternative texts and notes, by the name of the figure or table."""
    study = results.study
    group = study["groups"][0]
    values: dict[str, Any] = {
        "texts": counted("texts", group["texts"]),
        "cells": group["cells"],
        "layer_count": counted("layers", study["layers"]),
        "model": study["models"][0],
        "models": len(study["models"]),
        "failed": study["provenance"]["cells_failed"],
        "quantity": key(f"quantity.{study['primary_control']}"),
    }
    for part in ("early_difference", "deep_difference", "mean_tau", "tau_difference"):
        row = _pooled(group, part, "nearest_neighbour", study["primary_control"]) or {}
        values[part] = _value(part, row.get("estimate"))
        values[f"{part}_interval"] = _span(part, row.get("low"), row.get("high"))
    dataset = results.dataset.sel(estimator="nearest_neighbour")
    for name, variable in (("excess", "word_specific_excess"), ("tau", "word_specific_kendall_tau")):
        chosen = dataset[variable] if variable in dataset else dataset["mean_mutual_information" if name == "excess" else "kendall_tau"]
        for branch in ("attention", "mlp"):
            shown = chosen.sel(branch=branch).values
            ends = {"first": shown[0], "last": shown[-1], "mean": np.nanmean(shown) if np.isfinite(shown).any() else np.nan}
            values |= {f"{name}_{branch}_{end}": _value("mean_tau" if name == "tau" else "", float(value)) for end, value in ends.items()}
    figures = ("forest", "profiles", "tau_profile", "text_forest", "heat_map", "models")
    tables = (
        "answers",
        "verdicts",
        "checks_histogram",
        "checks_nearest",
        "languages",
        "models_table",
        "texts",
        "failed",
        "made_with",
        "layers_attention",
        "layers_mlp",
    )
    return dict.fromkeys((*figures, *tables), values)
