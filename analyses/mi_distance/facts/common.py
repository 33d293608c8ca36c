"""What the prose of every study of a word's occurrences names, whatever is measured of them."""

from typing import Any

from analyses.mi_distance.facts.captured import captured_facts, layers_captured
from analyses.mi_distance.facts.description import band_ends, model_facts, reproduction, text_segments, title_block, token_count
from analyses.mi_distance.layer_counts import counted
from analyses.mi_distance.layer_numbers import detail_layer, of_model
from analyses.protocol import Results


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
        "counted": {"layers": counted("layers", study["layers"]), "layers_captured": counted("layers", layers_captured(study))},
        "captured": captured_facts(dataset, study),
        "model": model_facts(study),
        "detail_layer": detail_layer(study)[0],
        "source": text_segments(study),
        "bands": band_ends(study),
        "distances": {"shortest": int(dataset.token_distance.min()), "longest": int(dataset.token_distance.max())},
        "reproduce": reproduction(study),
    }
