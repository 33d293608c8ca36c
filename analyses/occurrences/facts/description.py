"""What was studied and with what: title block, model, text, bands of layers, versions and hashes."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from analyses.occurrences.facts.counts import layers_named
from analyses.records import Study
from analyses.value_specs import is_number, number

# Scripts that set no spaces between words: Thai, Lao, Burmese, Khmer, Chinese, Japanese.
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def title_block(settings: Mapping[str, Any]) -> dict[str, Any]:
    document = settings["document"]
    return {name: value for name, value in document.items() if value} | {"word": settings["word"]}


def token_count(study: Study) -> int | None:
    return len(study["text"]["tokens"]) - study["text"].get("prefix_tokens", 0) if study["text"] else None


def model_facts(study: Study) -> dict[str, Any]:
    model = study["provenance"]["model"]
    name, bits = model.get("name"), model.get("bits_per_byte")
    # On the hub the owner stands before the name; the prose needs the name alone.
    label = name.rsplit("/", 1)[-1] if name else model.get("file")
    return {
        "name": name or label,
        "label": label,
        # Ready activations name no model, and their file's name is none.
        "called": {"key": "model.called" if name else "model.unnamed", "as": "key", "values": {"name": label}},
        "source": model["source"].replace(" ", "_"),
        "module_names": {branch: ", ".join(names) for branch, names in model.get("modules", {}).items()},
        "stored": _stored_precision(model.get("quantisation")),
        "bits_per_byte": number(bits, 2) if is_number(bits) else None,
    }


def _stored_precision(quantisation: str | None) -> dict[str, Any] | None:
    """The format of weights that were stored in few bits, and the fewest and most of its bits ("GGUF Q4_1, dequantised to float32").

    Formats of 16 and 32 bits alone are none: published weights come in them.
    """
    form = (quantisation or "").removesuffix(", dequantised to float32")
    bits = [int(found) for found in re.findall(r"(?:Q|FP)(\d)", form)]
    return {"format": form, "bits": min(bits), "most_bits": max(bits)} if bits else None


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
    splits = _splits(study)
    offsets = study["text"].get("offsets", ())
    # Special tokens stand for no part of the text, and those of a prefix lie before it.
    tokens, words = sum(end > max(start, 0) for start, end in offsets), len(text.split())
    return {
        "text": text,
        "segments": segments,
        "prefix_tokens": study["text"].get("prefix_tokens", 0),
        "splits": splits,
        "tokens_per_word": max(len(split["pieces"]) for split in splits),
        "mean_tokens_per_word": number(tokens / words, 1) if tokens and words and not _SPACELESS.search(text) else None,
        "characters_per_token": number(len(text) / tokens, 1) if tokens else None,
        "syllables": in_syllables(study),
    }


def in_syllables(study: Study) -> bool:
    """Whether spaces part the text's syllables: they part the words of most languages, but not those of Vietnamese."""
    return (study["settings"]["document"].get("text_language") or "").split("-")[0] == "vi"


def _splits(study: Study) -> list[dict[str, Any]]:
    """The ways in which the tokenizer cuts the word, and how many occurrences are cut so; a space is shown as a dot."""
    tokens = study["text"]["tokens"]
    cuts = Counter(tuple(tokens[token].replace(" ", "·") for token in each["tokens"]) for each in study["text"]["occurrences"])
    return [{"pieces": list(pieces), "occurrences": count} for pieces, count in cuts.items()]


def band_ends(study: Study) -> dict[str, Any]:
    bands = {}
    for name, layers in study["bands"].items():
        bands[name] = {"first": layers[0], "last": layers[-1], "count": len(layers), "words": layers_named(layers)} if layers else None
    return bands


def reproduction(study: Study) -> dict[str, Any]:
    model = study["provenance"]["model"]
    files = dict(model.get("sha256", {}))
    if source := model.get("converted_from_sha256"):
        # The weights that were loaded were made from it on this machine; it is what others can get.
        name = str(model["name"])
        files[name if name.endswith(".gguf") else f"{name}, GGUF"] = source
    return {
        "seed": study["settings"]["seed"],
        "made_with": [
            *({"name": name, "version": version} for name, version in sorted(study["provenance"]["versions"].items())),
            *({"name": name, "version": digest} for name, digest in sorted(files.items())),
        ],
    }
