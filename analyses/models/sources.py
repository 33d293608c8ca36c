"""From model settings to a folder on this machine with configuration, tokenizer and safetensors weights."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses.errors import InputError, MissingError
from analyses.installation import FOR_MODELS, install_line, is_installed, not_installed
from analyses.models import embedded, hub, weight_files
from analyses.models.cache import build_folder, cache_directory
from analyses.models.hashes import sha256
from analyses.models.settings import ModelSettings
from analyses.progress import Progress, SilentProgress
from analyses.readers import expanded, is_folder

# What a model needs besides its weights; never pickled weights (*.bin, *.pt) and never code (*.py).
_WANTED_FILES = ["*.json", "*.model", "*.txt", "*.tiktoken"]
_UNWANTED_FILES = ["*/*", "consolidated*"]


@dataclass(frozen=True)
class ModelFolder:
    """A model on this machine; `name` and `revision` are what a reader can look up, never a path."""

    path: Path
    name: str
    revision: str | None
    quantisation: str | None = None
    converted_from: str | None = None  # SHA-256 of the file that it was converted from

    def weight_files(self) -> list[Path]:
        """The safetensors files that hold its weights, in order; errors as `weight_files.weight_files`."""
        return weight_files.weight_files(self.path, self.name)


def resolve(settings: ModelSettings, progress: Progress | None = None) -> ModelFolder:
    """Bring the model onto this machine where it is not there yet, and say where it lies.

    Raises
    ------
    MissingError
        The model (or its safetensors weights, unless `untrained`) is not here and cannot be had.
    InputError
        The folder is no model folder, or the model's weights are quantised.
    """
    _require_libraries(settings)
    if settings.source == "embedded":
        path = embedded.embedded_folder(offline=settings.offline, progress=progress)
        folder = ModelFolder(path, embedded.NAME, embedded.REQUIREMENT, embedded.QUANTISATION)
    elif settings.source == embedded.GEMMA.source:
        path = embedded.packaged_folder(embedded.GEMMA, offline=settings.offline, progress=progress)
        folder = ModelFolder(path, embedded.GEMMA.name, None, embedded.GEMMA.quantisation, embedded.GEMMA.sha256)
    elif settings.source == "gguf":
        folder = _from_gguf(expanded(str(settings.name), "model.name"), progress)
    elif settings.source == "hub":
        folder = _from_hub(settings)
    else:
        path = expanded(str(settings.name), "model.name")
        if not is_folder(path):
            raise MissingError(f"model not found: {settings.name} is not a folder on this machine")
        folder = ModelFolder(path, path.resolve().name, None)
    weight_files.refuse_irregular(folder.path, folder.name)
    weight_files.refuse_adapter(folder.path, folder.name)
    if not (folder.path / "config.json").is_file():
        raise InputError(f"model {settings.name}: expected a config.json as transformers' save_pretrained writes it, found none")
    weight_files.refuse_pointers(folder.path, folder.name)
    if not settings.untrained:
        folder.weight_files()
    return folder


def _from_gguf(file: Path, progress: Progress | None) -> ModelFolder:
    """The folder that a GGUF file was converted to, in the user's cache; converted at the first call."""
    if not file.is_file():
        raise MissingError(f"model not found: {file} is not a file on this machine")
    try:
        from analyses.models import gguf_files

        header = gguf_files.read_header(file)
    except ImportError as error:
        raise missing_library(error) from error
    digest = sha256(file)
    target = cache_directory() / "models" / f"gguf-{digest[:16]}-{gguf_files.CONVERSION}"
    if not target.is_dir():
        with (progress or SilentProgress()).stage("fetch_model", gguf_files.STEPS) as advance:
            build_folder(target, lambda folder: gguf_files.convert(file, folder, advance))
    return ModelFolder(target, file.name, None, header.quantisation, digest)


def _from_hub(settings: ModelSettings) -> ModelFolder:
    name = str(settings.name)
    try:
        import huggingface_hub
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise missing_library(error) from error
    silent: Exception | None = None

    def download(files: Sequence[str]) -> Path:
        return Path(
            huggingface_hub.snapshot_download(
                name,
                revision=settings.revision,
                allow_patterns=list(files),
                ignore_patterns=_UNWANTED_FILES,
                local_files_only=settings.offline or silent is not None,
            )
        )

    try:
        silent = None if settings.offline else hub.unreachable(name, settings.revision)
        # As transformers: one file of this name, else what the index names; other checkpoints beside them stay on the hub.
        path = download(_WANTED_FILES if settings.untrained else [*_WANTED_FILES, weight_files.SINGLE])
        if not settings.untrained and not settings.offline and silent is None and (shards := weight_files.files_to_download(path)):
            path = download([*_WANTED_FILES, *shards])
    except HFValidationError as error:
        raise InputError(f"model name {name!r}: expected OWNER/NAME as on the hub, for example openai-community/gpt2") from error
    except Exception as error:  # The hub's client raises its own and its HTTP library's errors; none is a fault of this program.
        raise hub.failure(name, silent or error, offline=settings.offline) from error
    hub.check_content(name, path)
    return ModelFolder(path, name, path.name if re.fullmatch("[0-9a-f]{40}", path.name) else settings.revision)


def provenance(settings: ModelSettings, folder: ModelFolder, weights: Iterable[Path]) -> dict[str, Any]:
    """What pins the model down: source, name, revision, and the SHA-256 of each weight file that was loaded (configuration if untrained).

    The values hold no path and nothing else of this machine.
    """
    facts: dict[str, Any] = {"source": settings.source, "name": folder.name, "revision": folder.revision}
    if settings.untrained:
        return facts | {"untrained": True, "seed": settings.seed, "sha256": {"config.json": sha256(folder.path / "config.json")}}
    if folder.quantisation:
        facts["quantisation"] = folder.quantisation
    if folder.converted_from:
        facts["converted_from_sha256"] = folder.converted_from
    return facts | {"untrained": False, "sha256": {file.name: sha256(file) for file in weights}}


def missing_library(error: ImportError) -> MissingError:
    """The error for a machine without the libraries that a model needs."""
    return MissingError(f"a model needs more than is here: {not_installed(error.name)}")


def _require_libraries(settings: ModelSettings) -> None:
    """Raise MissingError that names all that is missing at once, before anything is downloaded."""
    needed = FOR_MODELS if settings.source == "embedded" and not embedded.is_here() else FOR_MODELS - embedded.FOR_CONVERSION
    absent = sorted(name for name in needed if not is_installed(name))
    if absent:
        raise MissingError(f"a model needs Python packages that are not installed ({', '.join(absent)}): {install_line(absent)}")
