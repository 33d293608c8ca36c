"""Language-neutral values for the prose: which sentence of the catalogue is true, and the numbers to put into it.

Nothing here is worded. A sentence's key is built from a verdict, so that what the report says is what the numbers earned.
"""

from typing import Any

from analyses.mi_distance.conclusions import conclude
from analyses.mi_distance.facts.answers import abstract_sentences, answers_table
from analyses.mi_distance.facts.captions import captions as figure_captions
from analyses.mi_distance.facts.controls import control_facts
from analyses.mi_distance.facts.description import limits, nat, table_captions, thresholds
from analyses.mi_distance.facts.layers import (
    bias_shares,
    differing_layers,
    power_facts,
    shift_facts,
    significance_table,
    significant_counts,
    tau_description,
)
from analyses.mi_distance.facts.linear import linear_facts
from analyses.mi_distance.facts.position import position_facts
from analyses.mi_distance.facts.robustness import minorities, robustness_facts
from analyses.mi_distance.facts.statements import lesson_sentences, other_verdicts, part_table, shown_parts, statement_facts, verdict_table
from analyses.mi_distance.facts.untrained import untrained_facts
from analyses.mi_distance.names import LESSON
from analyses.occurrences.facts.common import common_facts, conclusion_lists
from analyses.occurrences.facts.counts import counted
from analyses.occurrences.layer_numbers import studied
from analyses.protocol import Results
from analyses.statistics.verdicts import VERDICTS


def facts(results: Results) -> dict[str, Any]:
    """Everything that templates may name, at the top level of their context."""
    dataset, study = results.dataset, results.study
    settings = study["settings"]
    robustness = robustness_facts(results)
    untrained = untrained_facts(dataset, study)
    seldom = minorities(robustness["specification"])
    statements = [statement_facts(row, study) | {"minority": seldom.get(row["name"])} for row in study["conclusions"]]
    common = common_facts(results)
    common["counted"]["degrees"] = counted("degrees", study["occurrences"] - 1)
    return common | {
        "nat": nat(),
        "thresholds": thresholds(study),
        "limits": limits(study),
        "statements": statements,
        # What the figures of plain MI show: the worksheet asks of them.
        "plain_statements": [
            statement_facts(row, study) for row in conclude([row for row in study["verdicts"] if row["control"] == LESSON])
        ],
        "differing_layers": differing_layers(dataset, studied(study), settings["alpha"]),
        "findings": [statement["finding"] for statement in statements],
        "counts": {verdict: sum(statement["verdict"] == verdict for statement in statements) for verdict in VERDICTS},
        "lesson": lesson_sentences(statements),
        "other_verdicts": other_verdicts(statements),
        "conclusion_lists": [*conclusion_lists(statements), *shown_parts(statements)],
        "abstract": abstract_sentences(statements),
        "answers": answers_table(statements, study),
        "verdict_table": verdict_table(study),
        "part_table": part_table(study),
        "significance": significance_table(dataset, settings["alpha"]),
        "significant": significant_counts(dataset, settings["alpha"]),
        "bias": bias_shares(dataset),
        "tau": tau_description(dataset, settings["alpha"], studied(study)),
        "controls": control_facts(dataset, study, untrained),
        "position": position_facts(dataset, study),
        "study_prefix": study["provenance"].get("prefix"),
        "untrained": untrained,
        "power": power_facts(dataset),
        "linear": linear_facts(results),
        "robustness": robustness,
        "shift": shift_facts(dataset, study),
        "testable": study["occurrences"] > 3,
        "captions": figure_captions(results) | table_captions(study),
    }
