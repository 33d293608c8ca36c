"""What the prose of every study of a word's occurrences names, whatever is measured of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from analyses.occurrences.facts.captured import captured_facts, layers_captured
from analyses.occurrences.facts.counts import counted
from analyses.occurrences.facts.description import band_ends, model_facts, reproduction, text_segments, title_block, token_count
from analyses.occurrences.layer_numbers import detail_layer, of_model
from analyses.protocol import Results
from analyses.statistics.verdicts import VERDICTS
from analyses.value_specs import Spec, key, listed


def common_facts(results: Results) -> dict[str, Any]:
    """Title block, word, model, text, layers and sizes of a study, and how to make it again."""
    study, dataset = results.study, results.dataset
    settings = study["settings"]
    return {
        "document": title_block(settings),
        "headings": {"word": settings["word"], "model": model_facts(study)["called"]},
        "word": settings["word"],
        "settings": settings,
        "size": {name: study[name] for name in ("layers", "dimensions", "occurrences", "pairs")}
        | {"tokens": token_count(study), "layers_of_model": of_model(study), "layers_captured": layers_captured(study)},
        "counted": {
            "layers": counted("layers", study["layers"]),
            "layers_captured": counted("layers", layers_captured(study)),
            "pairs": counted("pairs", study["pairs"]),
            "pairs_of_one": counted("pairs", study["occurrences"] - 1),
        },
        "captured": captured_facts(dataset, study),
        "model": model_facts(study),
        "detail_layer": detail_layer(study)[0],
        "source": text_segments(study),
        "bands": band_ends(study),
        "distances": {"shortest": int(dataset.token_distance.min()), "longest": int(dataset.token_distance.max())},
        "reproduce": reproduction(study),
    }


def conclusion_lists(statements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One sentence for each verdict that was reached: which statements reached it.

    A statement may say under ``minority`` how few ways of analysis give its verdict; that stands beside its name then.
    """
    lists = []
    for verdict in VERDICTS:
        names = [_named(statement) for statement in statements if statement["verdict"] == verdict]
        if names:
            lists.append({"verdict": verdict, "key": f"conclusion.{verdict}", "values": {"names": listed(names)}})
    return lists


def _named(statement: Mapping[str, Any]) -> Spec:
    values = {"number": statement["number"], "statement": key(f"statement.{statement['name']}.short")}
    if statement.get("minority"):
        return key("conclusion.item.minority", **values, seldom=statement["minority"]["clause"])
    return key("conclusion.item", **values)
