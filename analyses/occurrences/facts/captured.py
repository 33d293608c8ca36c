"""What was captured and what was not: spellings and places of the word, layers, where the branches were read, ties.

Each is a sentence of the catalogue and says nothing where there is nothing to say.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from analyses.occurrences.branches import BRANCHES
from analyses.occurrences.layer_numbers import of_model, runs, studied
from analyses.records import Study
from analyses.value_specs import Spec, key, listed, percent

# From this share of tied values on their number is said; a few equal values are chance in 32 bits.
MANY_TIES = 0.01
REASONS = ("first_token", "wider_token", "unknown_token", "address", "excluded")
NEAR = ("case", "plural", "inside")
WITHOUT_LAYERS = ("no_attention", "not_captured")


def captured_facts(dataset: xr.Dataset, study: Study) -> dict[str, Any]:
    """What the prose names under ``captured``."""
    model = study["provenance"]["model"]
    of_word, first_token = _word(study), _first_token(study)
    return {
        "of_text": bool(of_word or first_token),
        "word": of_word,
        "first_token": first_token,
        "layers": _layers(study),
        "output": model.get("branch_output"),
        "others": _others(model.get("other_contributions") or {}),
        "ties": _ties(dataset, study),
    }


def layers_captured(study: Study) -> int:
    """How many layers there were vectors of, those included that say nothing and are left out."""
    left_out = study["provenance"].get("model", {}).get("layers_left_out", [])
    return int(study["layers"]) + sum(each["reason"] == "constant" for each in left_out)


def _word(study: Study) -> list[dict[str, Any]]:
    found = (study["text"] or {}).get("word")
    if not found:
        return []
    settings, said = study["settings"], []
    spellings = found["spellings"]
    if set(spellings) != {settings["word"]}:
        items = [_item("spelling", spelling=spelling, times=_times(count)) for spelling, count in spellings.items()]
        said.append({"key": "captured.word.spellings", "values": {"spellings": listed(items)}})
    counts = Counter(place["reason"] for place in found["left_out"])
    if counts:
        excluded = listed([_item("expression", expression=each) for each in settings["except_in"]]) if counts["excluded"] else ""
        items = [_item(f"place.{reason}", times=_times(counts[reason]), expressions=excluded) for reason in REASONS if counts[reason]]
        said.append({"key": "captured.word.left_out", "values": {"places": listed(items), "count": counts.total()}})
    near = [_item(f"near.{kind}", times=_times(found["near"][kind])) for kind in NEAR if found["near"].get(kind)]
    if near:
        said.append({"key": "captured.word.near", "values": {"kinds": listed(near)}})
    return said


def _first_token(study: Study) -> str | None:
    """What stands at the first place, where no word is taken: the text's own first token, or one of the tokenizer's."""
    text = study["text"]
    if not text or text.get("prefix_tokens") or not text.get("offsets"):
        return None
    start, end = text["offsets"][0]
    return "of_text" if end > start else "special"


def _layers(study: Study) -> list[dict[str, Any]]:
    left_out = study["provenance"]["model"].get("layers_left_out", [])
    said = []
    for reason in WITHOUT_LAYERS:
        if these := [each["layer"] for each in left_out if each["reason"] == reason]:
            said.append(_left_out(reason, these, {"layers": of_model(study)}))
    for branch in BRANCHES:
        if these := [each["layer"] for each in left_out if each["reason"] == "constant" and each["branch"] == branch]:
            said.append(_left_out("constant", these, {"branch": key(f"branch.named.{branch}")}))
    return said


def _left_out(reason: str, layers: list[int], values: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": f"captured.layers.{reason}", "values": {"which": numbers(layers), "count": len(layers), **values}}


def numbers(layers: Iterable[int]) -> Spec:
    """Layer numbers, those without a gap as a range."""
    items = [str(first) if first == last else _item("range", first=first, last=last) for first, last in runs(list(layers))]
    return listed(items)


def _others(shares: Mapping[str, float]) -> dict[str, Any] | None:
    """What else the blocks add to the residual stream, each with its largest share over the layers."""
    if not shares:
        return None
    items = [_item("other", name=name, share=percent(share)) for name, share in shares.items()]
    return {"key": "captured.others", "values": {"parts": listed(items), "count": len(shares)}}


def _ties(dataset: xr.Dataset, study: Study) -> dict[str, Any] | None:
    """Where most values of a vector are tied, if that are many; the mean over the occurrences."""
    if "share_of_ties" not in dataset:
        return None
    share = dataset["share_of_ties"].to_numpy()
    branch, layer = divmod(int(share.argmax()), share.shape[1])
    if share[branch, layer] < MANY_TIES:
        return None
    values = {"share": percent(share[branch, layer]), "branch": key(f"branch.named.{BRANCHES[branch]}"), "layer": studied(study)[layer]}
    return {"key": "captured.ties", "values": values}


def _times(count: int) -> Spec:
    return _item("times", count=count)


def _item(which: str, /, **values: Any) -> Spec:
    return {"key": f"captured.{which}", "as": "key", "values": values}
