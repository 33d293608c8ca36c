"""What a model looks like from the study's point of view, without a study."""

from collections.abc import Mapping
from typing import Any

from analyses.models.capture import LayerCheck, capture
from analyses.models.configuration import context_length, load_configuration
from analyses.models.settings import ModelSettings
from analyses.models.sources import resolve
from analyses.progress import SilentProgress

_PROBE = "one two"
# Long enough that the branches of a layer differ from token to token, short enough for any context.
_TEXT = "Water boils in the pot, and the cook pours the water over the ground coffee; then the coffee rests in the cup."


def inspect_model(settings: ModelSettings) -> list[tuple[str, str]]:
    """Rows (property, value): where the branches were found, sizes and provenance; runs the model once on two words.

    Raises
    ------
    InputError, MissingError
        As `capture`: a model that passes here can be studied.
    """
    config = load_configuration(resolve(settings))
    text_config = config.get_text_config()
    found = capture(settings, _PROBE, None, SilentProgress())
    facts = found.provenance
    rows = [
        ("name", facts["name"]),
        ("source", facts["source"]),
        ("revision", facts["revision"] or "-"),
        ("architecture", f"{facts['architecture']} ({text_config.model_type})"),
        ("layers", _layers(facts)),
        ("hidden dimensions", str(facts["hidden_size"])),
        ("attention heads", str(text_config.num_attention_heads)),
        ("context length", str(context_length(config) or "not limited")),
        ("vocabulary", str(text_config.vocab_size)),
        ("attention branch", ", ".join(found.module_names["attention"])),
        ("MLP branch", ", ".join(found.module_names["mlp"])),
        ("device", facts["device"]),
    ]
    return rows + [(f"SHA-256 of {file}", value) for file, value in facts["sha256"].items()]


def _layers(facts: Mapping[str, Any]) -> str:
    """How many there are, and of a hybrid model how many have an attention."""
    of_model = facts.get("layers_of_model", facts["layers"])
    return str(of_model) if of_model == facts["layers"] else f"{of_model}, of which {facts['layers']} have an attention"


def verify_model(settings: ModelSettings) -> list[LayerCheck]:
    """Run the model once on a sentence; of each layer with an attention, how what it adds to the residual stream is made up.

    Raises
    ------
    InputError, MissingError
        As `capture`; a layer whose change the two branches do not make up is an error.
    """
    return list(capture(settings, _TEXT, None, SilentProgress()).checks)
