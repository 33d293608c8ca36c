"""What every study writes down of itself beside its numbers: its settings, and the versions of what computed it."""

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from analyses.installation import DISTRIBUTION

# A study as its study.json says it.
Study = Mapping[str, Any]
# A variable of the bundle: its dimensions, its values, and what it is.
Variable = tuple[tuple[str, ...], np.ndarray, dict[str, str]]


def portable_settings(settings: pydantic.BaseModel) -> dict[str, Any]:
    """Settings in JSON form without what only this machine knows: of a path its last part, and neither device nor network."""
    portable = settings.model_dump(mode="json")
    model = {key: value for key, value in portable["model"].items() if key not in ("device", "offline")}
    portable["model"] = model
    if model["source"] in ("folder", "gguf"):
        model["name"] = Path(str(model["name"])).name
    if portable["activations_file"] is not None:
        portable["activations_file"] = Path(portable["activations_file"]).name
    return portable


def versions(*packages: str) -> dict[str, str]:
    """The versions of reportgen and of the packages that the numbers depend on, as far as they are installed."""
    found = {}
    for name in ("reportgen", *packages):
        try:
            found[name] = importlib.metadata.version(DISTRIBUTION if name == "reportgen" else name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
