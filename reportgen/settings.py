"""One study's settings: a built-in study or a YAML file, then the environment, then the command line.

Later ones win. In the environment ``REPORTGEN_<KEY>`` sets a key of the study file, ``__`` leading into a section
(``REPORTGEN_ESTIMATION__BINS=20``); values are read as YAML. A file that the study file names lies relative to it.
"""

import os
import re
import types
import typing
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydantic
import yaml

from analyses import readers
from analyses.errors import InputError
from analyses.models.settings import PACKAGED
from analyses.protocol import Analysis
from analyses.readers import expanded, is_file, is_folder, unprintable
from reportgen import registry
from reportgen.problems import first_problem, shortened
from reportgen.yaml_files import Location, parse_yaml, place_in, read_yaml

DEFAULT_STUDY = "coffee"
_PREFIX = "REPORTGEN_"
# Variables that are not keys of a study: read by the command line (its options) and by other parts.
NOT_KEYS = frozenset({"ACTIVATIONS", "BASE_URL", "CACHE", "DEBUG", "FORMAT", "LANG", "MODEL", "OFFLINE", "OUT", "TEXT"})
# What a site has besides its studies.
RESERVED_NAMES = frozenset(
    {"reports", "assets", "search", "docs", "cname"}
    | {"index.html", "404.html", "search.html", "genindex.html", "searchindex.js", "objects.inv", "robots.txt"}
    | {"sitemap.xml", "sitemap.xml.gz", "sitemap-reports.xml"}
)
# Options that make another study of the one they are given with, and the key whose value then tells them apart.
_VARIANTS = frozenset({("--word", "word"), ("--model", "source"), ("--model", "name")})
# The section of settings that only documents use, such as the title of the course: other ones need no new computation.
PRESENTATION = "document"


@dataclass(frozen=True)
class Override:
    """A value for a key of the study, and who gave it, as an error names it (``--word``)."""

    key: tuple[str, ...]
    value: Any
    origin: str


def load_study(
    study: str | Path,
    overrides: typing.Iterable[Override] = (),
    environment: Mapping[str, str] | None = None,
    languages: typing.Collection[str] | None = None,
) -> tuple[Analysis, pydantic.BaseModel]:
    """Return the analysis and the validated settings of `study`, a built-in name or a YAML file.

    With `languages`, the codes of all there are, a text of the title block in any other is an error.

    Raises
    ------
    InputError
        One line that names the file, the line, the key and what was expected there.
    """
    file, analysis = _find(study)
    source = _Source(file)
    named = source.values.pop("analysis", None)
    if analysis is None:
        analysis = _analysis_of_file(named, file)
    from_environment = environment_overrides(os.environ if environment is None else environment, analysis.settings_type)
    for override in (*from_environment, *overrides):
        source.apply(override, analysis)
    source.rename()
    source.read_text()
    settings = source.validate(analysis.settings_type)
    source.check_name()
    if languages is not None:
        source.check_languages(settings, languages)
    return analysis, settings


def option_overrides(
    *,
    model: str | None = None,
    text: Path | None = None,
    activations: Path | None = None,
    word: str | None = None,
    seed: int | None = None,
    offline: bool = False,
    device: str | None = None,
) -> list[Override]:
    """Return what the common options of the command line set in a study.

    `model` is ``embedded``, a folder that exists, or else a name on the hub.
    """
    found = []
    if word is not None:
        found.append(Override(("word",), word, "--word"))
    if text is not None:
        found.append(Override(("text",), read_text(text), "--text"))
    if activations is not None:
        if not is_file(activations):
            raise InputError(f"--activations {activations}: there is no such file; expected an .npz or .nc file")
        found.append(Override(("activations_file",), str(activations), "--activations"))
    if model is not None:
        found += [Override(("model", key), value, "--model") for key, value in model_values(model, "--model").items()]
    if seed is not None:
        found.append(Override(("seed",), seed, "--seed"))
    if offline:
        found.append(Override(("model", "offline"), True, "--offline"))
    if device is not None:
        found.append(Override(("model", "device"), device, "--device"))
    return found


def environment_overrides(environment: Mapping[str, str], settings_type: type[pydantic.BaseModel]) -> list[Override]:
    """Return what the ``REPORTGEN_<KEY>`` variables set; an unknown key is an InputError."""
    found = []
    for name in sorted(environment):
        if not name.startswith(_PREFIX) or name.removeprefix(_PREFIX) in NOT_KEYS or environment[name] == "":
            continue
        key = tuple(name.removeprefix(_PREFIX).lower().split("__"))
        field = _field_at(settings_type, key)
        if field is None:
            known = [_PREFIX + "__".join(path).upper() for path in _keys(settings_type)]
            known += [_PREFIX + other for other in sorted(NOT_KEYS)]
            raise InputError(f"environment variable {name}: there is no such setting{registry.nearest(name, known)}")
        found.append(Override(key, _scalar(environment[name], field.annotation, name), f"environment variable {name}"))
    return found


def read_text(file: Path) -> str:
    """Return the text in a UTF-8 file; raises InputError when it holds what is not for reading."""
    text = readers.read_text(file)
    found = unprintable(text)
    if found:
        line = text.count("\n", 0, found[0]) + 1
        raise InputError(f"{file}, line {line}: holds the control character {found[1]}, which is not for reading; remove it")
    return text


def model_values(model: str, origin: str) -> dict[str, Any]:
    """Return the section ``model`` for ``embedded``, a folder that exists or a name on the hub; `origin` is for the error."""
    if model in PACKAGED:
        return {"source": model}
    place = expanded(model, origin)
    if model.endswith(".gguf") and is_file(place):
        return {"source": "gguf", "name": str(place)}
    if is_folder(place):
        return {"source": "folder", "name": str(place)}
    if model.startswith((".", "/", "~")):
        known = f"expected {', '.join(PACKAGED)}, a folder, a GGUF file or a name on the hub such as gpt2-xl"
        raise InputError(f"{origin} {model}: there is no such folder; {known}")
    return {"source": "hub", "name": model}


def check_languages(settings: pydantic.BaseModel, languages: typing.Collection[str], where: typing.Callable[[Location], str]) -> None:
    """Raise InputError where a text of the title block is in none of the languages; `where` names the file and the line of a key."""
    section = getattr(settings, PRESENTATION, None)
    if not isinstance(section, pydantic.BaseModel):
        return
    for name in type(section).model_fields:
        value = getattr(section, name)
        for code in value if isinstance(value, dict) else ():
            if code not in languages:
                location = (PRESENTATION, name, code)
                raise InputError(
                    f"{where(location)}: {'.'.join(location)}: there is no language {code!r}; expected "
                    f"{registry.choices(languages)}{registry.nearest(code, languages)}"
                )


def study_schema(analysis: Analysis) -> dict[str, Any]:
    """Return the JSON schema of the study files of `analysis`, for editors."""
    schema = analysis.settings_type.model_json_schema()
    properties = {"analysis": {"const": analysis.name, "description": "The kind of study."}}
    for key, field in schema["properties"].items():
        properties[key] = field
        if key == "text":
            description = "A UTF-8 file with the text, relative to this file; instead of text."
            properties["text_file"] = {"type": "string", "description": description}
    schema["properties"] = properties
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def site_folder(name: str) -> str:
    """Return the folder that a study of this name has in a site; empty where there can be none."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")


def study_name(words: str) -> str:
    """Return a valid name for a study, as close to `words` as ASCII allows: ``phở bò`` becomes ``pho-bo``."""
    letters = unicodedata.normalize("NFKD", words.replace("đ", "d").replace("Đ", "D"))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._") or "study"


def new_study(analysis: Analysis, name: str, word: str, text: str, model: str) -> str:
    """Return a commented YAML study: the given keys set, every other one shown as a comment with its default."""
    given = {"analysis": analysis.name, "name": name, "word": word, "model": model_values(model, "--model"), "text": text.strip()}
    lines = ["# A study of reportgen. `reportgen study check FILE` checks it, `reportgen run FILE` makes its report."]
    lines += _yaml(given).splitlines()
    lines += ["", "# Everything else, with what holds unless it is set:"]
    lines += [f"# {line}".rstrip() for line in _commented_defaults(analysis.settings_type, skip={"name", "word", "text", "model"})]
    return "\n".join(lines) + "\n"


class _Source:
    """The values of a study file, and where each of them came from."""

    def __init__(self, file: Path) -> None:
        self.file = file
        data = read_yaml(file, "study file")
        values = data.values
        self.lines = data.lines
        if not isinstance(values, dict):
            found = "nothing" if values is None else shortened(repr(values))
            raise InputError(f"{file}: expected keys and values such as `word: coffee`, found {found}")
        self.values: dict[Any, Any] = values
        self.origins: dict[Location, str] = {}
        self.variants: list[str] = []

    def apply(self, override: Override, analysis: Analysis) -> None:
        if _field_at(analysis.settings_type, override.key) is None:
            raise InputError(f"{override.origin}: the analysis {analysis.name} has no setting {'.'.join(override.key)}")
        if isinstance(override.value, str) and (found := unprintable(override.value)):
            raise InputError(f"{override.origin}: holds the character {found[1]}, which is not for reading; remove it")
        place = self.values
        for part in override.key[:-1]:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        if override.key == ("model", "source"):
            # What names or describes another model means nothing to this one.
            for part in ("name", "revision", "branches"):
                place.pop(part, None)
        if override.key == ("text",):
            self.values.pop("text_file", None)
            # The other text need not be in the language that the file says of its own.
            language = (PRESENTATION, "text_language")
            if language not in self.origins and isinstance(self.values.get(PRESENTATION), dict):
                self.values[PRESENTATION].pop(language[1], None)
        kind = (override.origin, override.key[-1])
        # A source such as "hub" is no name of a model.
        if kind in _VARIANTS and place.get(kind[1]) != override.value and (kind[1] != "source" or override.value in PACKAGED):
            self.variants.append(str(override.value))
        place[override.key[-1]] = override.value
        self.origins[override.key] = override.origin

    def rename(self) -> None:
        """Give the study of another word or model a name of its own, so that on a site it does not take the first one's place."""
        name = self.values.get("name")
        if isinstance(name, str) and ("name",) not in self.origins:
            self.values["name"] = "-".join([name, *(study_name(Path(each).name) for each in self.variants)])

    def check_name(self) -> None:
        """Raise InputError if the study has a name that a site has other uses for."""
        name = str(self.values.get("name"))
        if site_folder(name) in RESERVED_NAMES:
            raise InputError(f"{self.where(('name',))}: name: a site has a folder {name!r} of its own; give the study another name")

    def read_text(self) -> None:
        """Put the text of ``text_file`` under ``text``, and let paths start at the study file's folder."""
        if "text_file" in self.values:
            if "text" in self.values:
                raise InputError(f"{self.where(('text_file',))}: give either text or text_file, not both")
            name = self.values.pop("text_file")
            if not isinstance(name, str):
                raise InputError(f"{self.where(('text_file',))}: text_file: expected the path of a text file, found {name!r}")
            try:
                self.values["text"] = read_text(self.file.parent / name)
            except InputError as error:
                raise InputError(f"{self.where(('text_file',))}: text_file: {error}") from None
        folders = [key for key in self.values if isinstance(key, str) and key.endswith("_folder")]
        paths: list[tuple[dict[Any, Any], tuple[str, ...]]] = [(self.values, (key,)) for key in ("activations_file", *folders)]
        model = self.values.get("model")
        if isinstance(model, dict) and model.get("source") == "folder":
            paths.append((model, ("model", "name")))
        for place, location in paths:
            key = location[-1]
            if isinstance(place.get(key), str) and location not in self.origins:
                place[key] = os.path.normpath(self.file.parent / expanded(place[key], f"{self.where(location)}: {'.'.join(location)}"))

    def where(self, location: Location) -> str:
        """Return what an error says about the origin of a key: file and line, option or variable."""
        for length in range(len(location), 0, -1):
            part = location[:length]
            if part in self.origins:
                return self.origins[part]
            if part in self.lines:
                break
        return place_in(self.file, self.lines, location)

    def validate(self, settings_type: type[pydantic.BaseModel]) -> pydantic.BaseModel:
        try:
            return settings_type.model_validate(self.values)
        except pydantic.ValidationError as error:
            raise InputError(self._message(error, settings_type)) from None

    def check_languages(self, settings: pydantic.BaseModel, languages: typing.Collection[str]) -> None:
        check_languages(settings, languages, self.where)

    def _message(self, error: pydantic.ValidationError, settings_type: type[pydantic.BaseModel]) -> str:
        also = ("analysis", "text_file")
        problem = first_problem(error, lambda location: [*keys_at(settings_type, location), *(() if location else also)])
        if problem.kind == "string_pattern_mismatch" and problem.location == ("name",) and isinstance(problem.given, str):
            expected = f"letters without marks, digits, dots, hyphens and underscores, such as {study_name(problem.given)}"
            problem = replace(problem, words=f"expected {expected}, found {shortened(repr(problem.given))}")
        more = f" (and {problem.more} more)" if problem.more else ""
        return f"{self.where(problem.location)}: {problem}{more}"


def _find(study: str | Path) -> tuple[Path, Analysis | None]:
    name = str(study)
    builtin = registry.studies()
    if name in builtin:
        analysis, file = builtin[name]
        return file, analysis
    file = Path(study)
    try:
        if file.exists():
            # A folder or a pipe is refused, by name, where it is read.
            return file, None
    except (OSError, ValueError) as error:
        raise InputError(f"{shortened(name)}: there is no such study file ({getattr(error, 'strerror', None) or error})") from None
    if file.suffix in (".yaml", ".yml") or len(file.parts) > 1:
        raise InputError(f"{name}: there is no such study file; `reportgen study new {name}` writes one")
    raise InputError(
        f"there is no study {name!r}; expected {registry.choices(sorted(builtin))}, or a YAML file{registry.nearest(name, builtin)}"
    )


def _analysis_of_file(named: object, file: Path) -> Analysis:
    if named is not None:
        return registry.analysis_named(named, str(file))
    known = list(registry.analyses().values())
    names = [analysis.name for analysis in known]
    if len(known) == 1 or registry.DEFAULT not in names:
        if len(known) > 1:
            raise InputError(f"{file}: analysis: missing; say which kind of study it is: {registry.choices(names)}")
        return known[0]
    return known[names.index(registry.DEFAULT)]


def _submodel(annotation: Any) -> type[pydantic.BaseModel] | None:
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and not isinstance(candidate, types.GenericAlias) and issubclass(candidate, pydantic.BaseModel):
            return candidate
    return None


def _model_at(settings_type: type[pydantic.BaseModel], location: Location) -> type[pydantic.BaseModel] | None:
    model: type[pydantic.BaseModel] | None = settings_type
    for part in location:
        field = model.model_fields.get(str(part)) if model else None
        model = _submodel(field.annotation) if field else None
    return model


def keys_at(settings_type: type[pydantic.BaseModel], location: Location) -> Iterator[str]:
    """The keys of the section at a place in settings; none where there is no section."""
    section = _model_at(settings_type, location)
    yield from section.model_fields if section else ()


def _field_at(settings_type: type[pydantic.BaseModel], key: tuple[str, ...]) -> Any:
    model = _model_at(settings_type, key[:-1])
    return model.model_fields.get(key[-1]) if model else None


def _keys(settings_type: type[pydantic.BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in settings_type.model_fields.items():
        model = _submodel(field.annotation)
        if model:
            yield from _keys(model, (*path, name))
        else:
            yield (*path, name)


def _scalar(value: str, annotation: Any, name: str) -> Any:
    # A word such as "on" or "1984" is text where text is expected, whatever YAML would make of it.
    if annotation is str or str in typing.get_args(annotation):
        return value
    return parse_yaml(value, f"environment variable {name}").values


def _yaml(values: Mapping[str, Any]) -> str:
    return yaml.dump(values, Dumper=_BlockDumper, allow_unicode=True, sort_keys=False, width=100)


class _BlockDumper(yaml.SafeDumper):
    """Writes text of several lines or of great length as a block, and lists in brackets."""


def _block_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else ">" if len(value) > 80 else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_BlockDumper.add_representer(str, _block_text)
_BlockDumper.add_representer(list, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True))


def _commented_defaults(settings_type: type[pydantic.BaseModel], skip: typing.Collection[str] = ()) -> Iterator[str]:
    for name, field in settings_type.model_fields.items():
        if name in skip:
            continue
        model = _submodel(field.annotation)
        if model:
            if model.__doc__:
                yield f"# {model.__doc__.strip().splitlines()[0]}"
            yield f"{name}:"
            yield from (f"  {line}" for line in _commented_defaults(model))
            continue
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        shown = _yaml({name: pydantic.TypeAdapter(Any).dump_python(default, mode="json")}).strip()
        yield f"{shown}  # {field.description}" if field.description else shown
