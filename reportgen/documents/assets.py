"""Where templates, styles and fonts lie: what is built in, in front of it what an analysis brings, in front of both a user's own."""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pydantic
from jinja2.loaders import split_template_path

from analyses.errors import InputError
from analyses.protocol import Analysis, template_folders
from analyses.readers import MEGABYTE, is_file, is_folder, read_bytes, read_text
from reportgen.documents.sandbox import TemplateEnvironment
from reportgen.problems import first_problem
from reportgen.resources import templates_directory
from reportgen.yaml_files import read_yaml

TEMPLATE_LIMIT = 2 * MEGABYTE
FILE_LIMIT = 50 * MEGABYTE


class Assets:
    """Files of the report by their path under ``templates/``; a file in a user's own directory replaces the built-in one.

    Parameters
    ----------
    directories
        From the built-in directory to the one with the highest precedence.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = tuple(directories)

    @classmethod
    def default(cls, own: Path | None = None) -> "Assets":
        """The built-in templates, with the directory `own` in front when given; raises InputError when that is no directory."""
        if own is not None and not is_folder(own):
            raise InputError(f"templates: {own} is not a directory")
        return cls([templates_directory(), *([own] if own else [])])

    @classmethod
    def of(cls, analysis: Analysis, own: Path | None = None) -> "Assets":
        """The same with what the analysis brings between the two; raises InputError when `own` is no directory."""
        return cls.default(own).with_analysis(analysis)

    def with_analysis(self, analysis: Analysis) -> "Assets":
        """These with what the analysis brings, behind whatever is a user's own."""
        return Assets([*self.directories[:1], *template_folders(analysis), *self.directories[1:]])

    def path(self, name: str) -> Path:
        """The file of this name; raises InputError when no directory has it, or a link leads out of the directory."""
        for directory in reversed(self.directories):
            if is_file(directory / name):
                return contained(directory / name, directory)
        raise InputError(f"templates: no file {name}")

    def text(self, name: str) -> str:
        """The file's text."""
        return read_text(self.path(name), "text file", FILE_LIMIT)

    def bytes(self, name: str) -> bytes:
        """The file's content."""
        return read_bytes(self.path(name), "file of the templates", FILE_LIMIT)

    def yaml(self, name: str, *, optional: bool = False) -> Any:
        """The file's data; an empty mapping when it is optional and absent. Raises InputError when it is not YAML."""
        if optional and not any(is_file(directory / name) for directory in self.directories):
            return {}
        return read_yaml(self.path(name)).values or {}

    def layers(self, name: str) -> list[str]:
        """Names for `environment` of every file of this name, from the one with the highest precedence to the built-in one."""
        return [f"{index}:{name}" for index, directory in reversed(list(enumerate(self.directories))) if (directory / name).is_file()]

    def environment(self) -> TemplateEnvironment:
        """Jinja for these files: escaped, strict about undefined values, without access to anything of the program."""
        return TemplateEnvironment(_Loader(self))


def fitting(kind: Any, data: Any, where: str) -> Any:
    """Data as the type `kind` has it; raises InputError naming the first key that is wrong."""
    try:
        return pydantic.TypeAdapter(kind).validate_python(data)
    except pydantic.ValidationError as error:
        raise InputError(f"{where}: {first_problem(error)}") from None


class _Loader(jinja2.BaseLoader):
    """Templates by name, or by the number of their directory and name (`Assets.layers`)."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, None]:
        number, colon, name = template.partition(":")
        path = "/".join(split_template_path(name if colon else template))
        directories = self._assets.directories
        for directory in directories[int(number) : int(number) + 1] if colon and number.isdigit() else reversed(directories):
            if is_file(directory / path):
                file = contained(directory / path, directory)
                return read_text(file, "template", TEMPLATE_LIMIT), str(file), None
        raise jinja2.TemplateNotFound(template)


def contained(file: Path, directory: Path) -> Path:
    """Return `file`; raises InputError when a link leads out of `directory`: templates can be somebody else's."""
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(directory)):
        raise InputError(f"templates: {file} is a link that leads out of {directory}; put the file itself there")
    return file


def export_templates(folder: Path, analyses: Iterable[Analysis] = ()) -> list[Path]:
    """Copy the built-in templates, and those that analyses bring, to a folder for a user to change; return the copies.

    Raises
    ------
    InputError
        When the folder is there and not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already and not empty; choose another folder")
    sources = [templates_directory(), *(source for analysis in analyses for source in template_folders(analysis))]
    try:
        for source in dict.fromkeys(sources):
            shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error
    return sorted(path for path in folder.rglob("*") if path.is_file())
