"""The part of a study's settings that its captured vectors depend on; with the rest changed they serve again without the model."""

from typing import Any

from analyses.occurrences.prefixes import control_prefix, study_prefix
from analyses.occurrences.settings import CaptureRequest, CaptureSettings

_OF_NO_VECTOR = {"name", "prefix"}


def capture_settings(settings: CaptureRequest) -> dict[str, Any]:
    """Those settings in JSON form: the same for every analysis, so that one captures for all."""
    relevant = settings.model_dump(mode="json", include=set(CaptureSettings.model_fields) - _OF_NO_VECTOR)
    relevant["model"].pop("offline")
    # The texts themselves, for which of the built-in ones is taken depends on the word and on the language of the text.
    prefixes = {"study": study_prefix(settings), "control": control_prefix(settings)}
    return relevant | {
        "seed": settings.seed,
        # Which letters are the same depends on the language: in Turkish i and ı are two.
        "text_language": settings.document.text_language,
        "prefixes": {name: prefix and prefix.text for name, prefix in prefixes.items()},
        "controls": {name: getattr(settings.controls, name) for name in ("different_word", "untrained", "untrained_seeds")},
    }
