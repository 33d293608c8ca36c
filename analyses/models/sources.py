"""From model settings to a folder on this machine with configuration, tokenizer and safetensors weights."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses.errors import InputError, MissingError
from analyses.models import embedded, hub
from analyses.models.hashes import sha256
from analyses.models.settings import ModelSettings
from analyses.progress import Progress

# What a model needs; never pickled weights (*.bin, *.pt) and never code (*.py).
_WANTED_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.tiktoken"]
_UNWANTED_FILES = ["*/*", "consolidated*"]


@dataclass(frozen=True)
class ModelFolder:
    """A model on this machine; `name` and `revision` are what a reader can look up, never a path."""

    path: Path
    name: str
    revision: str | None
    quantisation: str | None = None

    def weight_files(self) -> list[Path]:
        """Its safetensors files in order; empty for a folder with a configuration only."""
        return sorted(self.path.glob("*.safetensors"))


def resolve(settings: ModelSettings, progress: Progress | None = None) -> ModelFolder:
    """Bring the model onto this machine where it is not there yet, and say where it lies.

    Raises
    ------
    MissingError
        The model (or its safetensors weights, unless `untrained`) is not here and cannot be had.
    InputError
        The folder is no model folder, or the model's weights are quantised.
    """
    if settings.source == "embedded":
        path = embedded.embedded_folder(offline=settings.offline, progress=progress)
        folder = ModelFolder(path, embedded.NAME, embedded.REQUIREMENT, embedded.QUANTISATION)
    elif settings.source == "hub":
        folder = _from_hub(settings)
    else:
        path = Path(str(settings.name)).expanduser()
        if not path.is_dir():
            raise MissingError(f"model not found: {settings.name} is not a folder on this machine")
        folder = ModelFolder(path, path.resolve().name, None)
    if not (folder.path / "config.json").is_file():
        raise InputError(f"model {settings.name}: expected a config.json as transformers' save_pretrained writes it, found none")
    if not settings.untrained and not folder.weight_files():
        raise MissingError(f"model {settings.name}: no .safetensors weights there; pickled weights are not loaded, convert them first")
    return folder


def _from_hub(settings: ModelSettings) -> ModelFolder:
    name = str(settings.name)
    try:
        import huggingface_hub
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise missing_library(error) from error
    wanted = [pattern for pattern in _WANTED_FILES if not (settings.untrained and pattern == "*.safetensors")]
    silent = None
    try:
        silent = None if settings.offline else hub.unreachable(name, settings.revision)
        path = huggingface_hub.snapshot_download(
            name,
            revision=settings.revision,
            allow_patterns=wanted,
            ignore_patterns=_UNWANTED_FILES,
            local_files_only=settings.offline or silent is not None,
        )
    except HFValidationError as error:
        raise InputError(f"model name {name!r}: expected OWNER/NAME as on the hub, for example openai-community/gpt2") from error
    except Exception as error:  # The hub's client raises its own and its HTTP library's errors; none is a fault of this program.
        raise hub.failure(name, silent or error, offline=settings.offline) from error
    hub.check_content(name, Path(path))
    return ModelFolder(Path(path), name, Path(path).name if re.fullmatch("[0-9a-f]{40}", Path(path).name) else settings.revision)


def provenance(settings: ModelSettings, folder: ModelFolder) -> dict[str, Any]:
    """What pins the model down: source, name, revision, and the SHA-256 of each weight file (configuration if untrained).

    The values hold no path and nothing else of this machine.
    """
    facts: dict[str, Any] = {"source": settings.source, "name": folder.name, "revision": folder.revision}
    if settings.untrained:
        return facts | {"untrained": True, "seed": settings.seed, "sha256": {"config.json": sha256(folder.path / "config.json")}}
    if folder.quantisation:
        facts["quantisation"] = folder.quantisation
    return facts | {"untrained": False, "sha256": {file.name: sha256(file) for file in folder.weight_files()}}


def missing_library(error: ImportError) -> MissingError:
    """The error for a machine without the libraries that a model needs."""
    return MissingError(f"{error.name} is not installed and a model needs it: pip install 'reportgen[models]'")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' bars and warnings off the screen; how it was set is restored."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
