"""What a study's results depend on, by content: settings, model weights, files and code."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic

from analyses.errors import InputError
from analyses.models.hashes import sha256
from analyses.models.settings import ModelSettings
from analyses.progress import Progress
from analyses.protocol import Analysis, ReadsFiles, TwoSteps, template_folders
from reportgen.cache import code_version
from reportgen.registry import analysis_of
from reportgen.resources import templates_directory
from reportgen.settings import PRESENTATION

# The folder of the package `analyses`: its code computes with every analysis.
_SCIENCE = Path(inspect.getfile(Progress)).parent


def inputs_of(settings: pydantic.BaseModel, progress: Progress) -> dict[str, Any]:
    """Return everything that the computation of a study depends on besides code, in JSON form.

    These are its settings (without the section ``document``), what its capture depends on (`analyses.protocol.TwoSteps`), for every
    `ModelSettings` among them the hashes of the model's files, for every path under a key that ends in ``_file`` the hash of the file,
    and the hashes of the files that the analysis says it reads besides (`analyses.protocol.ReadsFiles`). An analysis must not depend on
    anything else.

    Raises
    ------
    InputError, MissingError
        If a model or a file is not there.
    """
    values = settings.model_dump(mode="json", exclude={PRESENTATION})
    files = {key: _file_hash(Path(path), key) for key, path in _files(values)}
    analysis = analysis_of(settings)
    if isinstance(analysis, ReadsFiles):
        files |= {f"{file.parent.name}/{file.name}": _file_hash(file, file.name) for file in analysis.input_files(settings)}
    models = {}
    # Ready activations stand in for the model, which need not be on this machine then.
    if not values.get("activations_file"):
        models = {key: _model_files(model, progress) for key, model in _models(settings)}
    for key, _ in _models(settings):
        # How a model is fetched does not change what it computes.
        section = values
        for part in key.split("."):
            section = section[part]
        section.pop("offline", None)
    found = {"settings": values, "files": files, "models": models}
    # Of the title block one thing is no mere presentation: the language of the text says which letters are the same.
    return found | ({"capture": dict(analysis.capture_settings(settings))} if isinstance(analysis, TwoSteps) else {})


def computation_code(analysis: Analysis) -> str:
    """Return the version of the code that computes a study and writes its bundle."""
    return code_version([_SCIENCE, _folder_of(analysis)])


def rendering_code(analysis: Analysis, own_templates: Path | None) -> str:
    """Return the version of the code and the templates that make a study's documents."""
    folders = [_SCIENCE, _folder_of(analysis), Path(__file__).parent, templates_directory()]
    return code_version([*folders, *template_folders(analysis), *([own_templates] if own_templates else [])])


def _model_files(model: ModelSettings, progress: Progress) -> dict[str, Any]:
    from analyses.models.sources import resolve

    folder = resolve(model, progress)
    # Weights, configuration and tokenizer: all of them shape what the model computes.
    files = {file.name: sha256(file) for file in sorted(folder.path.iterdir()) if file.is_file()}
    return {"name": folder.name, "revision": folder.revision, "files": files}


def _models(settings: pydantic.BaseModel, path: str = "") -> Iterator[tuple[str, ModelSettings]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, ModelSettings):
            yield f"{path}{name}", value
        elif isinstance(value, pydantic.BaseModel):
            yield from _models(value, f"{path}{name}.")


def _files(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(values, dict):
        for key, value in values.items():
            if isinstance(value, str) and key.endswith("_file"):
                yield f"{path}{key}", value
            else:
                yield from _files(value, f"{path}{key}.")


def _file_hash(file: Path, key: str) -> str:
    if not file.is_file():
        raise InputError(f"{key}: there is no file {file}")
    return sha256(file)


def _folder_of(analysis: Analysis) -> Path:
    """Return where the analysis keeps its code, which need not be below `analyses`."""
    return Path(inspect.getfile(type(analysis))).parent
