"""Language-neutral values for the prose: which sentence of the catalogue is true, and the numbers to put into it.

Nothing here is worded. A sentence's key is built from a verdict, so that what the report says is what the numbers earned.
"""

from typing import Any

from analyses.mi_distance.facts.answers import abstract_sentences, answers_table
from analyses.mi_distance.facts.captured import captured_facts, layers_captured
from analyses.mi_distance.facts.controls import control_facts
from analyses.mi_distance.facts.description import (
    band_ends,
    model_facts,
    nat,
    reproduction,
    table_captions,
    text_segments,
    thresholds,
    title_block,
    token_count,
)
from analyses.mi_distance.facts.layers import (
    bias_shares,
    power_facts,
    shift_facts,
    significance_table,
    significant_counts,
    tau_description,
)
from analyses.mi_distance.facts.position import position_facts
from analyses.mi_distance.facts.statements import (
    conclusion_lists,
    lesson_sentences,
    other_verdicts,
    part_table,
    statement_facts,
    verdict_table,
)
from analyses.mi_distance.facts.untrained import untrained_facts
from analyses.mi_distance.figure_captions import captions as figure_captions
from analyses.mi_distance.layer_counts import counted
from analyses.mi_distance.layer_numbers import detail_layer, of_model
from analyses.mi_distance.linear_facts import linear_facts
from analyses.mi_distance.names import VERDICTS
from analyses.mi_distance.robustness_facts import robustness_facts
from analyses.protocol import Results


def facts(results: Results) -> dict[str, Any]:
    """Everything that templates may name, at the top level of their context."""
    dataset, study = results.dataset, results.study
    settings = study["settings"]
    statements = [statement_facts(row, study) for row in study["conclusions"]]
    return {
        "document": title_block(settings),
        "headings": {"word": settings["word"], "model": model_facts(study)["called"]},
        "word": settings["word"],
        "settings": settings,
        "size": {name: study[name] for name in ("layers", "dimensions", "occurrences", "pairs")}
        | {"tokens": token_count(study), "layers_of_model": of_model(study), "layers_captured": layers_captured(study)},
        "captured": captured_facts(dataset, study),
        "counted": {
            "pairs": counted("pairs", study["pairs"]),
            "pairs_of_one": counted("pairs", study["occurrences"] - 1),
            "layers": counted("layers", study["layers"]),
            "layers_captured": counted("layers", layers_captured(study)),
            "degrees": counted("degrees", study["occurrences"] - 1),
        },
        "model": model_facts(study),
        "nat": nat(),
        "thresholds": thresholds(study),
        "detail_layer": detail_layer(study)[0],
        "source": text_segments(study),
        "bands": band_ends(study),
        "distances": {"shortest": int(dataset.token_distance.min()), "longest": int(dataset.token_distance.max())},
        "statements": statements,
        "findings": [statement["finding"] for statement in statements],
        "counts": {verdict: sum(statement["verdict"] == verdict for statement in statements) for verdict in VERDICTS},
        "lesson": lesson_sentences(statements),
        "other_verdicts": other_verdicts(statements),
        "conclusion_lists": conclusion_lists(statements),
        "abstract": abstract_sentences(statements),
        "answers": answers_table(statements, study),
        "verdict_table": verdict_table(study),
        "part_table": part_table(study),
        "significance": significance_table(dataset, settings["alpha"]),
        "significant": significant_counts(dataset, settings["alpha"]),
        "bias": bias_shares(dataset),
        "tau": tau_description(dataset, settings["alpha"]),
        "controls": control_facts(dataset, study),
        "position": position_facts(dataset, study),
        "study_prefix": study["provenance"].get("prefix"),
        "untrained": untrained_facts(dataset, study),
        "power": power_facts(dataset),
        "linear": linear_facts(results),
        "robustness": robustness_facts(results),
        "shift": shift_facts(dataset, study),
        "testable": study["occurrences"] > 3,
        "reproduce": reproduction(study),
        "captions": figure_captions(results) | table_captions(study),
    }
