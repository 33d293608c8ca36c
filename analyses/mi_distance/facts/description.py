"""What was studied and with what: title block, model, text, bands of layers, versions and hashes."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from analyses.mi_distance.facts.rows import Study
from analyses.mi_distance.value_specs import number


def title_block(settings: Mapping[str, Any]) -> dict[str, Any]:
    document = settings["document"]
    return {name: value for name, value in document.items() if value} | {"word": settings["word"]}


def token_count(study: Study) -> int | None:
    return len(study["text"]["tokens"]) - study["text"]["prefix_tokens"] if study["text"] else None


def model_facts(study: Study) -> dict[str, Any]:
    model = study["provenance"]["model"]
    name = model.get("name") or model.get("file")
    # On the hub the owner stands before the name; the prose needs the name alone.
    return {"name": name, "label": name.rsplit("/", 1)[-1], "source": model["source"].replace(" ", "_")} | {
        "module_names": {branch: ", ".join(names) for branch, names in model.get("modules", {}).items()},
    }


def text_segments(study: Study) -> dict[str, Any] | None:
    """The text cut into segments; a segment that is an occurrence carries its number and token position."""
    if not study["text"]:
        return None
    text, segments, end = study["text"]["text"], [], 0
    for index, occurrence in enumerate(study["text"]["occurrences"], start=1):
        segments.append({"text": text[end : occurrence["start"]], "occurrence": None})
        segments.append({"text": text[occurrence["start"] : occurrence["end"]], "occurrence": index, "position": occurrence["tokens"][-1]})
        end = occurrence["end"]
    segments.append({"text": text[end:], "occurrence": None})
    return {
        "segments": segments,
        "prefix_tokens": study["text"]["prefix_tokens"],
        "splits": (splits := _splits(study)),
        "tokens_per_word": max(len(split["pieces"]) for split in splits),
    }


def _splits(study: Study) -> list[dict[str, Any]]:
    """The ways in which the tokenizer cuts the word, and how many occurrences are cut so; a space is shown as a dot."""
    tokens = study["text"]["tokens"]
    cuts = Counter(tuple(tokens[token].replace(" ", "·") for token in each["tokens"]) for each in study["text"]["occurrences"])
    return [{"pieces": list(pieces), "occurrences": count} for pieces, count in cuts.items()]


def band_ends(study: Study) -> dict[str, Any]:
    bands = {}
    for name, layers in study["bands"].items():
        bands[name] = {"first": layers[0], "last": layers[-1], "count": len(layers)} if layers else None
    return bands


def table_captions(study: Study) -> dict[str, dict[str, Any]]:
    counts = {name: study[name] for name in ("layers", "pairs", "occurrences")} | {
        "alpha": number(study["settings"]["alpha"], 2, unit=True)
    }
    return dict.fromkeys(("significance", "verdicts", "parts", "layers_histogram", "layers_nearest_neighbour", "made_with"), counts)


def reproduction(study: Study) -> dict[str, Any]:
    return {
        "study": study["settings"]["name"],
        "seed": study["settings"]["seed"],
        "made_with": [
            *({"name": name, "version": version} for name, version in sorted(study["provenance"]["versions"].items())),
            *({"name": name, "version": digest} for name, digest in sorted(study["provenance"]["model"].get("sha256", {}).items())),
        ],
    }
