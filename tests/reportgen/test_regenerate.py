"""The script that the GitHub action and the workflows run, in a scratch repository of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reportgen.bundle import bundle_digest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "regenerate.sh"
REPORTGEN = str(Path(sys.executable).with_name("reportgen"))
TEXT = "The coffee was hot, the coffee was black, and after the coffee came another coffee and a long talk over coffee.\n"
OTHER_TEXT = (
    "Before noon the coffee was cold; nobody wanted coffee then, and so the last of the coffee was given to the garden. No coffee.\n"
)
# Of the two analyses the one that takes half of the time: the script does not ask which it is.
STUDY = """\
analysis: similarity
name: kettle
word: coffee
text_file: text.txt
model: {{source: folder, name: {model}}}
permutations: 99
detail_layer: 1
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """What runs keep for later ones, as on a desk: most tests here make the same two reports, of one text and of another."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def repository(tmp_path, tiny_gpt2_folder, kept, monkeypatch):
    """A git repository with a study, its text and nothing else."""
    monkeypatch.setenv("REPORTGEN_CACHE", str(kept))
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY.format(model=tiny_gpt2_folder))
    (folder / "text.txt").write_text(TEXT)
    (folder / ".gitignore").write_text("out\n")
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "A Student")
    git(folder, "config", "user.email", "student@example.org")
    commit(folder)
    return folder


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "State")


def environment():
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REPORTGEN") or name == "REPORTGEN_CACHE"}
    return {**inherited, "REPORTGEN": REPORTGEN, "PYTHONPATH": str(ROOT)}


def regenerate(folder, *arguments, **variables):
    command = [str(SCRIPT), "--study", "study.yaml", "--baseline", "baseline", "--languages", "vi", "--formats", "html", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**environment(), **variables})


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_first_generation_no_change_and_a_changed_text(repository, tmp_path, monkeypatch):
    # As on the first machine that ever runs it: nothing is kept there.
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path / "cache"))
    first = regenerate(repository)
    assert first.returncode == 0, first.stderr
    assert git(repository, "status", "--porcelain") == "?? baseline/\n"
    commit(repository)

    before = snapshot(repository / "baseline") | snapshot(repository / "out")
    same = regenerate(repository)
    assert same.returncode == 0, same.stderr
    assert "No verdict changed and no number moved" in same.stdout
    after = snapshot(repository / "baseline") | snapshot(repository / "out")
    assert {path: after[path] for path in before} == before
    assert {path.name for path in after.keys() - before.keys()} == {"changes.html"}
    assert git(repository, "status", "--porcelain") == ""

    (repository / "text.txt").write_text(OTHER_TEXT)
    output, summary = tmp_path / "output", tmp_path / "summary.md"
    moved = regenerate(repository, GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary))
    assert moved.returncode == 1, moved.stderr
    assert re.search(r"^Verdicts that changed: \d+\n  \d ", moved.stdout, re.MULTILINE) or "Numbers that moved" in moved.stdout
    assert "mean_similarity" in moved.stdout
    assert "text: 'The coffee was hot" in moved.stdout
    assert "changed=true" in output.read_text().splitlines()
    assert "changes=out/changes.html" in output.read_text().splitlines()
    assert "mean_similarity" in summary.read_text()
    page = (repository / "out" / "changes.html").read_text(encoding="utf-8")
    assert 'lang="vi"' in page
    assert 'lang="en"' in page
    assert page.count("<svg ") == 2
    # Nothing accepts a change by itself.
    assert git(repository, "status", "--porcelain") == " M text.txt\n"

    assert regenerate(repository, "--fail-on", "never").returncode == 0
    assert regenerate(repository, "--accept").returncode == 1
    assert "M baseline/study.json" in git(repository, "status", "--porcelain")
    assert regenerate(repository).returncode == 0


def test_regenerated_reports_on_every_kind_of_site(repository, tmp_path, dead_links):
    """First generation, no change, a changed text: published each time that something moved, in both languages, no link dead."""
    base = "https://example.org/course/"
    for text, label, published in ((TEXT, "week 1", True), (TEXT, "week 2", False), (OTHER_TEXT, "week 3", True)):
        (repository / "text.txt").write_text(text)
        before = snapshot(tmp_path / "plain")
        options = ["--site", str(tmp_path / "plain"), "--base-url", base, "--label", label]
        done = regenerate(repository, *options, "--accept", "--languages", "vi en")
        assert done.returncode == (1 if label == "week 3" else 0), done.stderr
        assert (snapshot(tmp_path / "plain") != before) is published
        for kind in ("mkdocs", "sphinx", "jekyll") if published else ():
            options = ["--to", kind, "--out", str(tmp_path / kind), "--base-url", base, "--label", label, "--lang", "vi", "--lang", "en"]
            command = [REPORTGEN, "publish", "out/bundle", "--revised", *options]
            subprocess.run(command, cwd=repository, check=True, capture_output=True, env=environment())
    for kind in ("plain", "mkdocs", "sphinx", "jekyll"):
        built = tmp_path / kind
        if kind in ("mkdocs", "sphinx"):
            built = tmp_path / f"{kind}-built"
            builder = ["mkdocs", "build", "--strict", "-d", built] if kind == "mkdocs" else ["sphinx", "-W", "-q", ".", built]
            subprocess.run([sys.executable, "-m", *map(str, builder)], cwd=tmp_path / kind, check=True, capture_output=True)
        for code in ("vi", "en"):
            assert f'<html lang="{code}">' in (built / "kettle" / code / "index.html").read_text(encoding="utf-8")
        history = json.loads((built / "kettle" / "history" / "history.json").read_text(encoding="utf-8"))
        assert [entry["label"] for entry in history["regenerations"]] == ["week 1", "week 3"]
        # Jekyll's own pages are no pages yet; those that it only copies are.
        assert dead_links(built, base) == []


def test_a_page_that_cannot_be_made_is_said_and_hides_nothing(repository, tmp_path):
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *--html*) echo "no such variable" >&2; exit 4 ;; esac\nexec "{REPORTGEN}" "$@"\n')
    wrapper.chmod(0o755)
    assert regenerate(repository).returncode == 0
    (repository / "text.txt").write_text(OTHER_TEXT)
    output = tmp_path / "output"
    moved = regenerate(repository, REPORTGEN=str(wrapper), GITHUB_OUTPUT=str(output))
    assert moved.returncode == 1
    assert "mean_similarity" in moved.stdout
    assert "no such variable" in moved.stderr
    assert "there is no page of the changes" in moved.stderr
    assert "state=moved" in output.read_text().splitlines()
    assert "changes=" not in output.read_text()


def test_what_is_wrong_with_a_comparison_is_said_once(repository):
    assert regenerate(repository).returncode == 0
    wrong = regenerate(repository, "--tolerances", "nowhere.yaml")
    assert wrong.returncode == 2
    assert wrong.stderr.count("nowhere.yaml") == 1
    assert "there is no page" not in wrong.stderr


def test_what_is_accepted_is_so_after_it_was_published(repository, tmp_path):
    """A job that ends in between leaves the news to the next one."""
    site = tmp_path / "site"
    options = ["--accept", "--site", str(site)]
    site.write_text("a file in the way")
    assert regenerate(repository, *options).returncode == 2
    assert not (repository / "baseline").exists()
    site.unlink()
    done = regenerate(repository, *options, "--label", "w1")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "regenerate: first"), done.stderr
    (repository / "text.txt").write_text(OTHER_TEXT)
    page = site / "kettle" / "index.html"
    published = page.read_bytes()
    page.write_text("changed by hand")
    assert regenerate(repository, *options, "--label", "w2").returncode == 2
    page.write_bytes(published)
    done = regenerate(repository, *options, "--label", "w3")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "regenerate: moved"), done.stderr
    history = json.loads((site / "kettle" / "history" / "history.json").read_text())["regenerations"]
    assert [entry["label"] for entry in history] == ["w1", "w3"]


def test_every_permission_that_a_workflow_asks_for_is_in_the_guide():
    guide = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8").partition("## Settings of the repository")[2].partition("\n## ")[0]
    for name in ("regenerate.yml", "pages.yml"):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))
        for permission in workflow["permissions"]:
            assert f"`{permission}" in guide, permission
    assert "Allow GitHub Actions to create and approve pull requests" in guide


def test_a_verdict_alone_can_be_what_fails(repository):
    """Tolerances that let every number pass leave the verdicts: those alone then decide."""
    assert regenerate(repository).returncode == 0
    (repository / "text.txt").write_text(OTHER_TEXT)
    moved = regenerate(repository, "--fail-on", "verdict")
    assert moved.returncode == (1 if "Verdicts that changed" in moved.stdout else 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fail-on", "sometimes"], "expected number, verdict or never"),
        (["--colour", "red"], "unknown option --colour"),
        (["--site"], "needs"),
    ],
)
def test_wrong_options(repository, arguments, words):
    wrong = regenerate(repository, *arguments)
    assert (wrong.returncode, words in wrong.stderr) == (2, True)


def test_a_study_that_is_wrong_keeps_its_exit_code(repository):
    (repository / "study.yaml").write_text("word: coffee\nwrod: tea\n")
    wrong = regenerate(repository)
    assert wrong.returncode == 2
    assert "study.yaml, line 2" in wrong.stderr
    assert not (repository / "baseline").exists()


def inputs_used(text):
    return set(re.findall(r"\$\{\{ inputs\.([a-z-]+) \}\}", text))


def test_the_action_passes_every_input_to_the_script():
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    action = yaml.safe_load(text)
    assert {"study", "model", "languages", "formats", "baseline", "fail-on"} <= action["inputs"].keys()
    assert inputs_used(text) == action["inputs"].keys()
    assert all(entry.keys() == {"description", "default"} for entry in action["inputs"].values())
    assert all(entry.keys() == {"description", "value"} for entry in action["outputs"].values())
    assert action.keys() == {"name", "description", "branding", "inputs", "outputs", "runs"}
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert ("uses" in step) != ("run" in step)
        # In a composite action a command must name its shell, and an input must not be pasted into a command.
        assert "run" not in step or (step["shell"] == "bash" and "${{ inputs" not in step["run"])
    script = SCRIPT.read_text(encoding="utf-8")
    (last,) = [step["run"] for step in action["runs"]["steps"] if step.get("id") == "regenerate"]
    options = set(re.findall(r"(--[a-z-]+)", last))
    assert options <= set(re.findall(r"(--[a-z-]+)", script))
    written = set(re.findall(r"^ *(?:\[.*\] \|\| )?output ([a-z]+) ", script, re.MULTILINE))
    assert {entry["value"] for entry in action["outputs"].values()} <= {f"${{{{ steps.regenerate.outputs.{name} }}}}" for name in written}


@pytest.mark.parametrize("name", ["regenerate.yml", "pages.yml"])
def test_workflows_give_the_action_inputs_that_it_has(name):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as the truth value.
    assert workflow.keys() >= {"name", True, "permissions", "jobs"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    own = [step for step in steps if step.get("uses") == "./"]
    assert own
    for step in own:
        assert step["with"].keys() <= action["inputs"].keys()
    text = (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    for step_id, output in re.findall(r"steps\.([a-z]+)\.outputs\.([a-z_]+)", text):
        assert step_id in {step.get("id") for step in steps}
        assert step_id != "regenerate" or output in action["outputs"]


def test_the_pull_request_is_opened_only_when_something_changed():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "regenerate.yml").read_text(encoding="utf-8"))
    (step,) = [step for job in workflow["jobs"].values() for step in job["steps"] if step.get("name") == "Pull request"]
    assert step["if"] == "steps.regenerate.outputs.state != 'unchanged'"
    assert "gh pr create" in step["run"]
    # Where the repository's settings forbid it, the link is said and the step is not red.
    assert re.search(r"gh pr create .*\|\|\n(.*\n)?.*/compare/\$BRANCH", step["run"])


def step_of(workflow, name):
    content = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text(encoding="utf-8"))
    (step,) = [step for job in content["jobs"].values() for step in job["steps"] if step.get("name") == name]
    return step


GH = """\
#!/bin/sh
echo "$*" >>asked
case "$1" in
api) echo "$RUN" ;;
run) mkdir -p "$7" && cp -r out/bundle "$7" ;;
esac
"""


@pytest.mark.parametrize("run", ["71", ""])
def test_what_is_published_is_what_was_accepted(repository, tmp_path, run):
    """The bundle that the baseline is of comes from the run that made it, under the name that regenerate.yml gave it there."""
    output = tmp_path / "output"
    assert regenerate(repository, GITHUB_OUTPUT=str(output)).returncode == 0
    digest = dict(line.split("=", 1) for line in output.read_text().splitlines())["digest"]
    workflow = (ROOT / ".github" / "workflows" / "regenerate.yml").read_text(encoding="utf-8")
    assert "name: report-${{ steps.regenerate.outputs.digest }}\n          path: out\n" in workflow
    (repository / "reports").mkdir()
    (repository / "baseline").rename(repository / "reports" / "baseline")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    output.write_text("")
    variables = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "RUN": run, "GITHUB_OUTPUT": str(output)}
    command = ["bash", "-e", "-o", "pipefail", "-c", step_of("pages.yml", "The accepted bundle")["run"]]
    subprocess.run(command, cwd=repository, check=True, env={**environment(), "GITHUB_REPOSITORY": "o/r", **variables})
    asked = (repository / "asked").read_text()
    assert f"actions/artifacts?name=report-{digest} " in asked
    # Without it the study is made again and held against the baseline.
    assert output.read_text() == ("bundle=accepted/bundle\n" if run else "")
    settings = step_of("pages.yml", "Publish")["with"]
    assert (settings["bundle"], settings["baseline"]) == ("${{ steps.accepted.outputs.bundle }}", "reports/baseline")
    if run:
        options = ["--site", "site", "--baseline", "reports/baseline"]
        published = regenerate(repository, "--bundle", "accepted/bundle", *options)
        assert published.returncode == 0, published.stderr
        assert bundle_digest(repository / "site" / "kettle" / "data") == digest
        (repository / "text.txt").write_text(OTHER_TEXT)
        assert regenerate(repository, "--baseline", "").returncode == 0
        other = regenerate(repository, "--bundle", "out/bundle", *options)
        assert (other.returncode, "is not the bundle that reports/baseline is of" in other.stderr) == (2, True)


def test_the_branch_of_the_site_has_one_commit_and_what_others_pushed_stays(tmp_path):
    """What was replaced does not stay in the repository; where somebody pushed meanwhile the step fails and nothing is lost."""
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "origin.git"], check=True)
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet", "-b", "main")
    git(work, "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "--allow-empty", "--message", "State")
    git(work, "remote", "add", "origin", str(tmp_path / "origin.git"))

    def step(name):
        command = ["bash", "-e", "-o", "pipefail", "-c", step_of("pages.yml", name)["run"]]
        return subprocess.run(command, cwd=work, capture_output=True, text=True, env={**os.environ, "GITHUB_SHA": "0123"}, check=False)

    def there(*arguments):
        return git(tmp_path / "origin.git", *arguments).split()

    for content in ("one", "other", "other"):
        # Each run has a machine of its own.
        shutil.rmtree(work / "site", ignore_errors=True)
        git(work, "worktree", "prune")
        assert step("The site so far").returncode == 0
        (work / "site" / "vectors.nc").write_text(content)
        done = step("Keep the site")
        assert done.returncode == 0, done.stderr
        assert there("rev-list", "--count", "gh-pages") == ["1"]
        assert there("show", "gh-pages:vectors.nc") == [content]
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "-b", "gh-pages", tmp_path / "origin.git", clone], check=True)
    (clone / "CNAME").write_text("example.org")
    git(clone, "add", "CNAME")
    git(clone, "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "--message", "A name")
    git(clone, "push", "--quiet")
    (work / "site" / "vectors.nc").write_text("third")
    assert step("Keep the site").returncode != 0
    assert there("show", "gh-pages:CNAME") == ["example.org"]


def test_a_refused_pull_request_is_a_link_and_no_red_step(tmp_path):
    """The step as the runner does it, with a `gh` that may and one that may not open pull requests."""
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "origin.git"], check=True)
    work = tmp_path / "work"
    (work / "reports" / "baseline").mkdir(parents=True)
    git(work, "init", "--quiet", "-b", "main")
    git(work, "remote", "add", "origin", str(tmp_path / "origin.git"))
    (tmp_path / "bin").mkdir()
    summary = tmp_path / "summary.md"
    for allowed in (False, True):
        (work / "reports" / "baseline" / "study.json").write_text(str(allowed))
        (tmp_path / "bin" / "gh").write_text(
            f'#!/bin/sh\necho "$*" >>"{tmp_path}/asked"\n[ "$1 $2" = "pr create" ] && exit {int(not allowed)}\nexit 1\n'
        )
        (tmp_path / "bin" / "gh").chmod(0o755)
        summary.write_text("")
        variables = {
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "BRANCH": "regenerated",
            "STUDY": "coffee", "STATE": "moved",
            "GITHUB_RUN_ID": "7", "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "o/r", "GITHUB_STEP_SUMMARY": str(summary),
        }  # fmt: skip
        command = ["bash", "-e", "-o", "pipefail", "-c", step_of("regenerate.yml", "Pull request")["run"]]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, env={**os.environ, **variables}, check=False)
        assert done.returncode == 0, done.stderr
        link = "https://github.com/o/r/compare/regenerated?expand=1"
        assert (link in summary.read_text(), link in done.stdout) == (not allowed, not allowed)
        assert git(tmp_path / "origin.git", "show", "regenerated:reports/baseline/study.json") == str(allowed)
        assert "pr create --head regenerated" in (tmp_path / "asked").read_text()


def test_a_schedule_that_may_not_be_kept_on_is_said(tmp_path):
    (tmp_path / "gh").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "gh").chmod(0o755)
    summary = tmp_path / "summary.md"
    variables = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "GITHUB_REPOSITORY": "o/r", "GITHUB_STEP_SUMMARY": str(summary)}
    command = ["bash", "-e", "-o", "pipefail", "-c", step_of("regenerate.yml", "Keep the schedule")["run"]]
    assert subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=False).returncode == 0
    assert "60 days" in summary.read_text()


def test_a_quiet_repository_keeps_its_schedule():
    """GitHub switches a schedule off after 60 days without a commit; the run asks for it to stay on, and is not red where it may not."""
    step = step_of("regenerate.yml", "Keep the schedule")
    assert step["if"] == "github.event_name == 'schedule'"
    assert re.search(r"gh api --method PUT .*/actions/workflows/regenerate\.yml/enable\"? \|\|", step["run"])
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "regenerate.yml").read_text(encoding="utf-8"))
    assert workflow["permissions"]["actions"] == "write"


def test_a_corrected_title_reaches_baseline_and_site_and_is_called_presentation(repository, tmp_path):
    site, output = tmp_path / "site", tmp_path / "output"
    options = ["--site", str(site), "--accept", "--base-url", "https://example.org/c"]
    assert regenerate(repository, *options, "--label", "w1").returncode == 0
    with (repository / "study.yaml").open("a") as file:
        file.write("document: {title: {vi: Ấm và cà phê, en: Kettle and coffee}}\n")
    again = regenerate(repository, *options, "--label", "w2", GITHUB_OUTPUT=str(output))
    assert again.returncode == 0, again.stderr
    assert "state=presentation" in output.read_text().splitlines()
    assert "changed=false" in output.read_text().splitlines()
    assert "Ấm và cà phê" in (site / "kettle" / "vi" / "index.html").read_text(encoding="utf-8")
    assert "Kettle and coffee" in (repository / "baseline" / "study.json").read_text(encoding="utf-8")
    before = snapshot(site)
    third = regenerate(repository, *options, "--label", "w3")
    assert third.stderr.rstrip().endswith("regenerate: unchanged")
    assert snapshot(site) == before


def test_a_baseline_that_is_a_whole_bundle_serves_still(repository, tmp_path):
    """As earlier versions made them: it is compared with, what it holds is what is shown, and accepting makes it small."""
    assert regenerate(repository).returncode == 0
    shutil.rmtree(repository / "baseline")
    shutil.copytree(repository / "out" / "bundle", repository / "baseline")
    site = ["--site", str(tmp_path / "site")]
    same = regenerate(repository, *site)
    assert (same.returncode, same.stderr.splitlines()[-1]) == (0, "regenerate: unchanged"), same.stderr
    assert bundle_digest(tmp_path / "site" / "kettle" / "data") == bundle_digest(repository / "baseline")
    (repository / "text.txt").write_text(OTHER_TEXT)
    assert regenerate(repository, "--accept").returncode == 1
    assert not list((repository / "baseline").rglob("*.nc"))
    assert regenerate(repository).returncode == 0


def examples(language):
    """The blocks of one language in the page on CI."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def in_a_folder_of_its_own(repository, line, **variables):
    """Runs a line of an example as its reader would: in a repository that holds a copy of the script."""
    (repository / "scripts").mkdir(exist_ok=True)
    (repository / "scripts" / "regenerate.sh").write_bytes(SCRIPT.read_bytes())
    (repository / "scripts" / "regenerate.sh").chmod(0o755)
    return subprocess.run(["sh", "-c", line], cwd=repository, capture_output=True, text=True, env={**environment(), **variables})


def test_the_example_for_gitlab(repository):
    (job,) = [yaml.safe_load(block)["report"] for block in examples("yaml") if "report:\n  image" in block]
    (line,) = job["script"]
    first = in_a_folder_of_its_own(repository, line)
    assert (first.returncode, "regenerate: first" in first.stderr) == (0, True), first.stderr
    again = in_a_folder_of_its_own(repository, line)
    assert (again.returncode, "regenerate: unchanged" in again.stderr) == (0, True), again.stderr
    (repository / "text.txt").write_text(OTHER_TEXT)
    moved = in_a_folder_of_its_own(repository, line)
    assert moved.returncode == (1 if "Verdicts that changed" in moved.stdout else 0), moved.stderr
    assert "regenerate: moved" in moved.stderr
    # What is kept for the reader of a failed job is what the script wrote.
    (kept,) = job["artifacts"]["paths"]
    assert (repository / kept / "changes.html").is_file()


def test_the_example_for_cron(repository):
    (line,) = [block.strip() for block in examples("sh") if block.startswith("17 4")]
    minute, hour, day, month, weekday, command = line.split(maxsplit=5)
    assert (minute, hour, day, month, weekday) == ("17", "4", "*", "*", "1")
    home = repository.parent
    repository.rename(home / "course")
    (home / ".local" / "bin").mkdir(parents=True)
    (home / ".local" / "bin" / "reportgen").symlink_to(REPORTGEN)
    # cron starts in the home folder, with hardly a variable.
    bare = {name: value for name, value in environment().items() if name in ("REPORTGEN_CACHE", "PYTHONPATH")}
    for state in ("first", "unchanged"):
        in_a_folder_of_its_own(home / "course", "true")
        done = subprocess.run(["sh", "-c", command], cwd=home, env={**bare, "HOME": str(home), "PATH": "/usr/bin:/bin"}, check=False)
        log = (home / "course" / "regenerate.log").read_text(encoding="utf-8")
        assert (done.returncode, log.splitlines()[-1]) == (0, f"regenerate: {state}"), log
