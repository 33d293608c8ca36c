"""The bundle's tidy tables: verdicts, pooled estimates, texts, cells and layers."""

from typing import Any

import pandas as pd

from analyses.frames import over
from analyses.protocol import Results

_VERDICT_COLUMNS = (
    "statement",
    "name",
    "estimator",
    "control",
    "verdict",
    "part",
    "estimate",
    "low",
    "high",
    "agreeing_texts",
    "texts",
    "p",
)
POOLED_COLUMNS = (
    "part", "estimator", "control", "texts", "estimate", "low", "high", "sd", "prediction_low", "prediction_high", "sd_between",
    "i_squared", "q", "q_p", "meta_estimate", "meta_low", "meta_high", "meta_disagrees", "crossed_estimate", "crossed_low", "crossed_high",
    "crossed_disagrees", "sd_text", "sd_word", "assumed", "texts_needed",
)  # fmt: skip


def tables(results: Results) -> dict[str, pd.DataFrame]:
    """File name without its suffix -> rows."""
    study, dataset = results.study, results.dataset
    verdicts = pd.DataFrame([{column: row[column] for column in _VERDICT_COLUMNS} for row in study["verdicts"]])
    pooled = [
        {"model": group["model"], "language": group["language"] or "all"} | row for group in study["groups"] for row in group["pooled"]
    ]
    frame = pd.DataFrame([{column: row.get(column) for column in ("model", "language", *POOLED_COLUMNS)} for row in pooled])
    return {
        "verdicts": verdicts.astype(
            {"agreeing_texts": "Int64", "texts": "Int64", **dict.fromkeys(("estimate", "low", "high", "p"), "float64")}
        ),
        "pooled": frame.astype({"texts": "Int64", "texts_needed": "Int64"}),
        "answers": pd.DataFrame([_answer(group, row) for group in study["groups"] for row in group["conclusions"]]),
        "texts": _texts(results),
        "cells": _cells(results),
        "layers": over(dataset, ("estimator", "branch", "layer")),
        "failed": pd.DataFrame(study["failed"], columns=["model", "text", "word", "reason"]),
    }


def _answer(group: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    head = {"model": group["model"], "language": group["language"] or "all", "texts": group["texts"]}
    return head | {name: row[name] for name in ("statement", "name", "control", "verdict", "lesson", "p", "p_holm", "after_holm")}


def _texts(results: Results) -> pd.DataFrame:
    frame = results.dataset["text_estimate"].to_dataframe(name="estimate").join(
        results.dataset["text_standard_error"].to_dataframe(name="standard_error")["standard_error"]
    )  # fmt: skip
    languages = {text["name"]: ", ".join(text["languages"]) for text in results.study["texts"]}
    frame = frame.reset_index().dropna(subset=["estimate"])
    frame.insert(0, "language", [languages[name] for name in frame["text"]])
    return frame[["text", "language", "control", "estimator", "measure", "estimate", "standard_error"]].reset_index(drop=True)


def _cells(results: Results) -> pd.DataFrame:
    dataset = results.dataset
    frame = dataset["cell_estimate"].to_dataframe(name="estimate").reset_index().dropna(subset=["estimate"])
    frame.insert(0, "text", dataset["text"].values[dataset["cell_text"].values[frame["cell"]]])
    frame.insert(1, "version", dataset["cell_version"].values[frame["cell"]])
    frame.insert(2, "language", dataset["cell_language"].values[frame["cell"]])
    frame.insert(3, "word", dataset["word_name"].values[dataset["cell_word"].values[frame["cell"]]])
    return frame[["text", "version", "language", "word", "control", "estimator", "measure", "estimate"]].reset_index(drop=True)
