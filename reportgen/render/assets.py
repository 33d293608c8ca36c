"""Where templates, styles and fonts lie, with a user's own directory in front of the built-in one."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from analyses.errors import InputError


def built_in_templates() -> Path:
    """The templates that come with the generator: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


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
        if own is not None and not own.is_dir():
            raise InputError(f"templates: {own} is not a directory")
        return cls([built_in_templates(), *([own] if own else [])])

    def path(self, name: str) -> Path:
        """The file of this name; raises InputError when no directory has it."""
        for directory in reversed(self.directories):
            if (directory / name).is_file():
                return directory / name
        raise InputError(f"templates: no file {name}")

    def text(self, name: str) -> str:
        """The file's text."""
        return self.path(name).read_text(encoding="utf-8")

    def yaml(self, name: str, *, optional: bool = False) -> Any:
        """The file's data; an empty mapping when it is optional and absent. Raises InputError when it is not YAML."""
        if optional and not any((directory / name).is_file() for directory in self.directories):
            return {}
        try:
            return yaml.safe_load(self.text(name)) or {}
        except yaml.YAMLError as error:
            raise InputError(f"templates/{name}: {' '.join(str(error).split())}") from error

    def layers(self, name: str) -> list[str]:
        """Names for `environment` of every file of this name, from the one with the highest precedence to the built-in one."""
        return [f"{index}:{name}" for index, directory in reversed(list(enumerate(self.directories))) if (directory / name).is_file()]

    def environment(self) -> ImmutableSandboxedEnvironment:
        """Jinja for these files: escaped, strict about undefined values, without access to Python's internals."""
        loaders: dict[str, jinja2.BaseLoader] = {
            str(index): jinja2.FileSystemLoader(directory) for index, directory in enumerate(self.directories)
        }
        return ImmutableSandboxedEnvironment(
            loader=jinja2.ChoiceLoader([jinja2.PrefixLoader(loaders, delimiter=":"), *reversed(list(loaders.values()))]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )


def export_templates(folder: Path) -> list[Path]:
    """Copy the built-in templates to a folder for a user to change; return the copies.

    Raises
    ------
    InputError
        When the folder is there and not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already and not empty; choose another folder")
    source = built_in_templates()
    try:
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error
    return sorted(path for path in folder.rglob("*") if path.is_file())
