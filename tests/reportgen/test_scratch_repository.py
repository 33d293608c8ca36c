"""The life of a site that two jobs publish to: two studies of two analyses in three languages, in a scratch repository.

Made, made again, corrected, killed in between, renamed, reduced and restored, by `scripts/regenerate.sh` as a workflow runs it: after
each step no study and no entry of a history is lost, and every link is alive. With ``-s`` the `git diff --stat` of each step is printed.
"""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "regenerate.sh"
BASE = "https://example.org/course/"
CODES = ["vi", "en", "vi-en"]
STUDIES = {
    "kettle": {"robustness": {"simulations": 100}, "permutations": 99, "detail_layer": 1},
    "river": {"analysis": "similarity", "permutations": 99, "detail_layer": 1},
}
# PDFs are laid out elsewhere in the tests, and take most of the time of a report. The rest is the real thing.
COMMAND = """\
import os
import signal
import sys

links = 0

def hook(event, arguments):
    global links
    links += event == "os.link"
    if links == 40 and event == "os.link":
        os.kill(os.getpid(), signal.SIGKILL)

# The site is put together from links to what stays: in the middle of that.
if "publish" in sys.argv and os.environ.get("KILLED"):
    sys.addaudithook(hook)

import reportgen.documents.helpers as helpers

class Future:
    def result(self):
        return b"%PDF-1.7 no pages"

class Helpers:
    def __init__(self, count): pass
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def add(self, document): return Future()
    def work(self): pass

import reportgen.documents
import reportgen.pipeline
reportgen.documents.Helpers = Helpers
reportgen.pipeline.obstacle = lambda characters: None
from reportgen.cli import main
main()
"""


class Repository:
    """A scratch repository with studies in ``studies/``, baselines in ``reports/`` and the site in ``site/``."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "studies").mkdir(parents=True)
        (folder / ".gitignore").write_text("out-*\n.*.partial-*\n")
        (folder.parent / "command.py").write_text(COMMAND)
        for number, (name, settings) in enumerate(STUDIES.items()):
            self.vectors(name, number)
            self.study(name, name=name, **settings)
        self.git("init", "--quiet")
        self.git("config", "user.name", "A Student")
        self.git("config", "user.email", "student@example.org")

    def vectors(self, name, seed, factor=1.0):
        generator = numpy.random.default_rng(seed)
        activation = generator.normal(size=(2, 4, 1, 48)) + generator.normal(size=(2, 4, 5, 48))
        activation[0, 2] *= factor
        activation[0, 2, 1] += (factor - 1) * generator.normal(size=48)
        file = self.folder / "studies" / f"{name}.npz"
        numpy.savez(file, activation=activation.astype("float32"), token_position=numpy.array([3, 9, 20, 41, 80]))

    def study(self, file, **settings):
        given = {"word": "coffee", "activations_file": f"{file}.npz", **settings}
        (self.folder / "studies" / f"{file}.yaml").write_text(yaml.safe_dump(given, allow_unicode=True))

    def settings(self, file):
        return yaml.safe_load((self.folder / "studies" / f"{file}.yaml").read_text())

    def git(self, *arguments):
        return subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def environment(self, **variables):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REPORTGEN")}
        command = f"{sys.executable} {self.folder.parent / 'command.py'}"
        return {
            **inherited,
            "REPORTGEN": command,
            "REPORTGEN_CACHE": str(self.folder.parent / "cache"),
            "PYTHONPATH": str(ROOT),
            **variables,
        }

    def regenerate(self, file, label, codes, killed=False):
        options = ["--study", f"studies/{file}.yaml", "--baseline", f"reports/{file}", "--out", f"out-{file}", "--accept"]
        options += ["--site", "site", "--under", "studies", "--base-url", BASE, "--label", label, "--languages", " ".join(codes)]
        variables = {"KILLED": "1"} if killed else {}
        done = subprocess.run([str(SCRIPT), *options], cwd=self.folder, capture_output=True, text=True, env=self.environment(**variables))
        if killed:
            assert done.returncode == 128 + signal.SIGKILL, done.stderr
            return "killed"
        assert done.returncode in (0, 1), done.stderr
        return done.stderr.splitlines()[-1].removeprefix("regenerate: ")

    def both(self, label, codes=CODES, killed=None):
        """Two jobs at once; how each of them ended."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda file: self.regenerate(file, label, codes, file == killed), STUDIES))

    def publish(self, *options):
        command = [*self.environment()["REPORTGEN"].split(), "publish", *options, "--out", "site"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, env=self.environment())

    def committed(self, step):
        """Commit; return lines of diff by file, added and removed, and print what a reviewer would see."""
        self.git("add", "--all")
        changed = {}
        for line in self.git("diff", "--cached", "--numstat", "--no-renames").splitlines():
            added, removed, file = line.split("\t")
            changed[file] = (added, removed)
        size = len(self.git("diff", "--cached", "--no-renames"))
        print(f"\n## {step}: {len(changed)} files, {size / 1000:.1f} kB of diff\n{self.git('diff', '--cached', '--stat=140')}")
        self.git("commit", "--quiet", "--allow-empty", "--message", step)
        return changed

    def histories(self):
        files = (self.folder / "site" / "studies").glob("*/history/history.json")
        return {file.parts[-3]: [entry["label"] for entry in json.loads(file.read_text())["regenerations"]] for file in sorted(files)}

    def languages(self, name):
        return sorted(json.loads((self.folder / "site" / "studies" / name / "manifest.json").read_text())["languages"])

    def bytes_of(self, name):
        """The pages of a study but for what speaks of its history."""
        place = self.folder / "site" / "studies" / name
        return {code: (place / code / "index.html").read_bytes() for code in CODES if (place / code).is_dir()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return Repository(tmp_path_factory.mktemp("scratch") / "repository")


@pytest.mark.slow
@pytest.mark.skipif("SITE_TESTS" not in os.environ, reason="takes some ten minutes: run `make test-site`")
def test_two_studies_made_corrected_renamed_reduced_and_restored(repository, dead_links):
    site = repository.folder / "site"

    def whole(histories):
        assert repository.histories() == histories
        assert dead_links(site, BASE) == []
        index = (site / "studies" / "index.html").read_text(encoding="utf-8")
        for name in histories:
            for code in repository.languages(name):
                assert f'href="{name}/{code}/index.html"' in index

    assert repository.both("2026-03-02") == ["first", "first"]
    repository.committed("made")
    whole({"kettle": ["2026-03-02"], "river": ["2026-03-02"]})
    first = {name: repository.bytes_of(name) for name in STUDIES}

    assert repository.both("2026-03-09") == ["unchanged", "unchanged"]
    assert repository.committed("made again") == {}

    repository.study("kettle", **repository.settings("kettle"), document={"title": {"vi": "Cái ấm", "en": "The kettle"}})
    assert repository.both("2026-03-16") == ["presentation", "unchanged"]
    changed = repository.committed("corrected: a title")
    assert not [file for file in changed if "river/" in file]
    assert "Cái ấm" in (site / "studies" / "kettle" / "vi" / "index.html").read_text(encoding="utf-8")
    whole({"kettle": ["2026-03-02", "2026-03-16"], "river": ["2026-03-02"]})

    repository.vectors("river", 1, factor=1.3)
    assert repository.both("2026-03-23") == ["unchanged", "moved"]
    changed = repository.committed("corrected: vectors")
    assert not [file for file in changed if "kettle/" in file]
    whole({"kettle": ["2026-03-02", "2026-03-16"], "river": ["2026-03-02", "2026-03-23"]})

    kettle = {**repository.settings("kettle"), "document": {"title": {"vi": "Ấm nước", "en": "A kettle"}}}
    repository.study("kettle", **kettle)
    repository.vectors("river", 1, factor=1.6)
    assert repository.both("2026-03-25", killed="kettle") == ["killed", "moved"]
    repository.committed("corrected both: the job of one was killed while it published")
    # What was not published is as it was, and news the next time.
    whole({"kettle": ["2026-03-02", "2026-03-16"], "river": ["2026-03-02", "2026-03-23", "2026-03-25"]})
    assert "Cái ấm" in (site / "studies" / "kettle" / "vi" / "index.html").read_text(encoding="utf-8")
    assert repository.both("2026-03-26") == ["presentation", "unchanged"]
    changed = repository.committed("made after that")
    assert not [file for file in changed if "river/" in file]
    assert not list(repository.folder.glob(".*.partial-*"))
    assert "Ấm nước" in (site / "studies" / "kettle" / "vi" / "index.html").read_text(encoding="utf-8")
    whole({"kettle": ["2026-03-02", "2026-03-16", "2026-03-26"], "river": ["2026-03-02", "2026-03-23", "2026-03-25"]})

    repository.study("kettle", **{**repository.settings("kettle"), "name": "samovar"})
    assert repository.both("2026-03-30") == ["presentation", "unchanged"]
    repository.committed("renamed")
    whole(
        {
            "kettle": ["2026-03-02", "2026-03-16", "2026-03-26"],
            "river": ["2026-03-02", "2026-03-23", "2026-03-25"],
            "samovar": ["2026-03-30"],
        }
    )

    repository.publish("--remove", "kettle")
    repository.publish("out-river/bundle", "--replace", "--lang", "vi", "--lang", "en")
    repository.committed("reduced: a study and a language")
    whole({"river": ["2026-03-02", "2026-03-23", "2026-03-25"], "samovar": ["2026-03-30"]})
    assert (repository.languages("river"), repository.languages("samovar")) == (["en", "vi"], sorted(CODES))
    # A job that asks for fewer languages takes none away.
    assert repository.both("2026-04-06", ["vi"]) == ["unchanged", "unchanged"]
    assert repository.committed("made in one language") == {}

    settings = repository.settings("kettle")
    repository.study("kettle", **{key: value for key, value in settings.items() if key != "document"} | {"name": "kettle"})
    repository.vectors("river", 1)
    assert repository.both("2026-04-13") == ["presentation", "moved"]
    repository.committed("restored")
    # What is as it was has a place of its own in the history, and what was removed begins one.
    whole({"kettle": ["2026-04-13"], "river": ["2026-03-02", "2026-03-23", "2026-03-25", "2026-04-13"], "samovar": ["2026-03-30"]})
    assert {name: repository.bytes_of(name) for name in STUDIES} == first
