"""What README and documentation show can be pasted: commands parse, study files are valid, Python compiles, links lead somewhere."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from reportgen.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = typer.main.get_command(app)


def blocks(language):
    for page in PAGES:
        for found, content in FENCE.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield page, content


def command_lines():
    for page, content in blocks("sh"):
        for line in re.sub(r"<<'END'.*?^END$", "", content, flags=re.MULTILINE | re.DOTALL).splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_0-9]+=.*", words[0]):
                words = words[1:]
            if words and words[0] == "reportgen":
                yield pytest.param(words[1:], id=f"{page.relative_to(ROOT)}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(command_lines()))
def test_a_command_line_parses(words):
    command, context = COMMAND, None
    while hasattr(command, "commands"):
        if not words or words[0].startswith("-"):
            break
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    if words == ["--version"]:
        return
    context = command.make_context(command.name, list(words))
    assert context.params is not None


def study_files():
    for page, content in blocks("yaml"):
        if re.match(r"name: \S+\nword:", content):
            yield pytest.param(content, id=str(page.relative_to(ROOT)))


@pytest.mark.parametrize("content", list(study_files()))
def test_a_study_file_is_valid_and_its_word_occurs_often_enough(content, tmp_path):
    from reportgen.settings import load_study

    (tmp_path / "study.yaml").write_text(content, encoding="utf-8")
    _, settings = load_study(tmp_path / "study.yaml", environment={})
    assert len(re.findall(rf"\b{settings.word}\b", settings.text.lower())) > 3


@pytest.mark.parametrize("name", ["tutorial.md", "vi/tutorial.md"])
def test_the_tutorial_s_text_has_its_word_and_its_title_is_a_setting(name, tmp_path):
    from reportgen.settings import load_study

    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    file, text = re.search(r"cat > (\S+) <<'END'\n(.*?)^END$", page, re.MULTILINE | re.DOTALL).groups()
    word, named = re.search(r"study new \S+ --word (\S+) --text (\S+)", page).groups()
    assert named == file
    assert len(re.findall(rf"\b{word}\b", text.lower())) >= 7
    (title,) = [content for language, content in FENCE.findall(page) if language == "yaml"]
    study = {"name": "tutorial", "word": word, "text": text, **yaml.safe_load(title)}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    load_study(tmp_path / "study.yaml", environment={})


def test_python_blocks_compile_and_import_what_there_is():
    for page, content in blocks("python"):
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), page
    import reportgen

    assert callable(reportgen.analyze)
    assert callable(reportgen.render)


def test_make_s_targets_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {name for _, content in blocks("sh") for name in re.findall(r"^make ([a-z-]+)", content, re.MULTILINE)}
    assert "report" in named
    assert named - rules == set()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "templates" / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_files_for_github_are_valid():
    for file in (ROOT / ".github").rglob("*.yml"):
        assert yaml.safe_load(file.read_text(encoding="utf-8")), file
    for file in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"):
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= form.keys()
        identifiers = [each["id"] for each in form["body"] if each["type"] != "markdown"]
        assert len(set(identifiers)) == len(identifiers)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert {hook["id"] for repository in hooks for hook in repository["hooks"]} >= {"ruff-check", "ruff-format", "mypy"}


def test_version_and_licence_are_the_same_everywhere():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["license"] == "Apache-2.0"
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
