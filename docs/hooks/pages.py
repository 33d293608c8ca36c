"""Fills the places of the documentation that are made from the code: keys of the study file, commands, the action, other files.

A page says `<!-- generated: NAME -->` or `<!-- include: FILE -->`; what is made is never kept in the repository, so it cannot be old.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
MARK = re.compile(r"<!-- (generated|include): (.+?) -->")
# A file of the repository that a page includes or links to -> its page.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "templates/README.md": "templates.md",
}
# Folder of a run (`reportgen run ... --out DIR`) whose reports the site is to hold; by itself it holds none, to stay small.
SAMPLE = "SAMPLE_REPORT"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace every mark; an unknown one is an error."""
    return MARK.sub(lambda mark: _include(mark[2]) if mark[1] == "include" else _generated(mark[2]), markdown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the sample's reports, where a folder was given."""
    for language, file in _sample().items():
        files.append(File.generated(config, f"sample/{language}.html", abs_src_path=str(file)))
    return files


def _generated(name: str) -> str:
    makers = {"study file": study_file, "commands": commands, "action": action, "sample": sample}
    if name not in makers:
        raise PluginError(f"no such generated part: {name!r}; expected one of {', '.join(makers)}")
    return makers[name]()


def _include(name: str) -> str:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target, page in PAGES.items():
        text = text.replace(f"]({target})", f"]({page})")
    return text.replace("](docs/", "](")


def study_file() -> str:
    """Tables of every key, section by section, from the JSON schema of every analysis."""
    from reportgen import registry
    from reportgen.settings import study_schema

    analyses = registry.analyses()
    parts = []
    for name, analysis in analyses.items():
        if len(analyses) > 1:
            parts.append(f"## Analysis `{name}`")
        schema = study_schema(analysis)
        parts += list(_sections(schema, schema, ""))
    return "\n\n".join(parts)


def _sections(schema: Mapping[str, Any], section: Mapping[str, Any], path: str) -> Iterator[str]:
    rows, below = [], []
    for key, field in section["properties"].items():
        resolved = _resolved(schema, field)
        if "properties" in resolved:
            below.append((f"{path}{key}.", resolved))
            continue
        if not resolved.get("description"):
            raise PluginError(f"the key {path}{key} of the study file has no description")
        required = key in section.get("required", ())
        default = "required" if required else _code(resolved.get("default"))
        rows.append(f"| `{key}` | {_escaped(resolved['description'])} | {_kind(schema, resolved)} | {default} |")
    head = "## Top level" if not path else f"## `{path.removesuffix('.')}`"
    lines = [head, ""]
    if path and section.get("description"):
        lines += [section["description"], ""]
    yield "\n".join([*lines, "| key | what it means | values | default |", "|---|---|---|---|", *rows])
    for name, inner in below:
        yield from _sections(schema, inner, name)


def _resolved(schema: Mapping[str, Any], field: Mapping[str, Any]) -> dict[str, Any]:
    reference = field.get("$ref")
    if reference is None:
        return dict(field)
    return {**schema["$defs"][reference.rpartition("/")[2]], **{key: value for key, value in field.items() if key != "$ref"}}


def _kind(schema: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    field = _resolved(schema, field)
    if "const" in field:
        return _code(field["const"])
    if "enum" in field:
        return ", ".join(_code(value) for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_kind(schema, each) for each in field["anyOf"])
    kind = field.get("type")
    if kind == "array":
        if "prefixItems" in field:
            return "[" + ", ".join(_kind(schema, each) for each in field["prefixItems"]) + "]"
        return f"list of {_kind(schema, field['items'])}"
    if kind == "object":
        return f"{_kind(schema, field['additionalProperties'])} per name" if "additionalProperties" in field else "section"
    if field.get("format") == "date":
        return "date"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}[str(kind)]
    limits = [
        f"{sign} {_number(field[name])}"
        for name, sign in (("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most"), ("exclusiveMaximum", "below"))
        if name in field
    ]
    return " ".join([words, *([", ".join(limits)] if limits else [])])


def commands() -> str:
    """The help of every command, in the order of the command line."""
    from reportgen.cli import app

    return "\n\n".join(_helps(typer.main.get_command(app), "reportgen", None))


def _helps(command: Any, path: str, parent: Any) -> Iterator[str]:
    context = command.make_context(path, [], parent=parent, resilient_parsing=True, terminal_width=100, max_content_width=100)
    yield f"## `{path}`\n\n```text\n{context.get_help().strip()}\n```"
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from _helps(command.get_command(context, name), f"{path} {name}", None)


def action() -> str:
    """Inputs and outputs of the GitHub action."""
    described = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    lines = ["| input | what it means | default |", "|---|---|---|"]
    lines += [f"| `{name}` | {_escaped(each['description'])} | {_code(each['default'])} |" for name, each in described["inputs"].items()]
    lines += ["", "| output | what it says |", "|---|---|"]
    lines += [f"| `{name}` | {_escaped(each['description'])} |" for name, each in described["outputs"].items()]
    return "\n".join(lines)


def sample() -> str:
    """Links to the sample's reports, where the site holds them."""
    found = _sample()
    if not found:
        return ""
    names = {"en": "English", "vi": "tiếng Việt", "vi-en": "both side by side"}
    return "The whole report: " + ", ".join(f'<a href="../sample/{language}.html">{names[language]}</a>' for language in found) + "."


def _sample() -> dict[str, Path]:
    folder = os.environ.get(SAMPLE)
    if not folder:
        return {}
    files = {language: Path(folder) / place / "report.html" for language, place in (("en", "en"), ("vi", "vi"), ("vi-en", "."))}
    missing = [str(file) for file in files.values() if not file.is_file()]
    if missing:
        raise PluginError(f"{SAMPLE}={folder}: no {missing[0]} there; `reportgen run coffee --out {folder}` makes it")
    return {language: file.resolve() for language, file in files.items()}


def _code(value: Any) -> str:
    if value is None or value in ("", [], {}, ()):
        return "none"
    return f"`{_escaped(_yaml(value))}`"


def _yaml(value: Any) -> str:
    """A value as a study file has it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return _number(value) if isinstance(value, int | float) else str(value)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
