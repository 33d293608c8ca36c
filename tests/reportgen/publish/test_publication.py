"""What a publication writes, and above all what it leaves alone."""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import tinyhtml5
import yaml
from typer.testing import CliRunner

from analyses.errors import InputError
from analyses.mi_distance import analysis
from analyses.protocol import Results
from reportgen import atomic
from reportgen.baseline import read_side, write_baseline
from reportgen.bundle import bundle_digest, write_bundle
from reportgen.cli import app
from reportgen.compare import compare_bundles
from reportgen.publish import publish
from reportgen.publish.history import read_history

BASE = "https://example.org/course/"
# Where there is none, no test asks for one.
_FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
pytestmark = pytest.mark.usefixtures("documents")


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()
    }


def test_the_files_of_a_plain_site(bundle, tmp_path):
    site = tmp_path / "site"
    published = publish([bundle], "plain", site, base_url=BASE)
    assert published.pages == (site / "kettle" / "index.html",)
    for path in (
        "index.html", "sitemap.xml", ".nojekyll", "kettle/CITATION.cff", "kettle/refs.bib", "kettle/manifest.json",
        "kettle/history/index.html", "kettle/data/results.nc", "kettle/data/tables/verdicts.csv",
        *(f"kettle/{code}/{name}" for code in ("vi", "en", "vi-en") for name in ("index.html", "report.pdf", "preview.png")),
        "kettle/vi/figures/mutual_information_profile.svg",
    ):  # fmt: skip
        assert (site / path).is_file(), path
    # A difference of two reports shows three lines on either side of what moved, however many layers a study has: none of them is long.
    report = (site / "kettle" / "vi" / "index.html").read_text(encoding="utf-8").partition("<main")[2]
    assert max(len(line) for line in report.splitlines() if "<math" not in line) < 600
    assert max(len(line) for line in report.splitlines() if line.startswith(("<td", "<use", "L ", "x=", "y="))) < 200
    manifest = json.loads((site / "kettle" / "manifest.json").read_text())
    there = {path: content for path, (_, content) in snapshot(site / "kettle").items() if path != "manifest.json"}
    assert manifest["files"] == {path: hashlib.sha256(content).hexdigest()[:12] for path, content in there.items()}


@pytest.mark.parametrize("kind", ["plain", "mkdocs", "sphinx", "jekyll"])
def test_publishing_again_touches_nothing(bundle, tmp_path, kind):
    publish([bundle], kind, tmp_path / "site", base_url=BASE)
    before = snapshot(tmp_path / "site")
    again = publish([bundle], kind, tmp_path / "site")
    assert (again.written, again.removed) == ((), ())
    assert snapshot(tmp_path / "site") == before


def test_the_same_bundle_gives_the_same_bytes(bundle, tmp_path):
    for name in ("one", "other"):
        publish([bundle], "plain", tmp_path / name, base_url=BASE)
    one, other = ({path: content for path, (_, content) in snapshot(tmp_path / name).items()} for name in ("one", "other"))
    assert one == other


def test_a_second_study_leaves_the_first_one_alone(bundle, variant, tmp_path):
    site = tmp_path / "site"
    publish([bundle], "plain", site, base_url=BASE)
    before = snapshot(site / "kettle")
    publish([variant("river", name="River.2")], "plain", site)
    assert snapshot(site / "kettle") == before
    index = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="kettle/index.html"' in index
    assert 'href="river.2/vi/index.html"' in index
    assert "river.2/vi/" in (site / "sitemap.xml").read_text()


def test_the_history_keeps_every_regeneration_and_shows_the_verdict_that_changed(bundle, variant, tmp_path, computed):
    site = tmp_path / "site"
    first = computed.study["verdicts"][0]["verdict"]
    other = "supported" if first != "supported" else "contradicted"
    publish([bundle], "plain", site)
    kept = snapshot(site / "kettle" / "history")
    publish([variant("later", date="2026-03-09", verdict=other)], "plain", site)
    history = json.loads((site / "kettle" / "history" / "history.json").read_text())["regenerations"]
    assert [(entry["label"], entry["verdicts"][0]["verdict"]) for entry in history] == [("2026-03-02", first), ("2026-03-09", other)]
    # Verdicts that are there already are not written once more.
    publish([bundle], "plain", site, label="2026-03-16")
    entries = json.loads((site / "kettle" / "history" / "history.json").read_text())["regenerations"]
    assert [(entry["label"], entry.get("verdicts_of")) for entry in entries] == [
        ("2026-03-02", None), ("2026-03-09", None), ("2026-03-16", entries[0]["digest"][:12])
    ]  # fmt: skip
    assert read_history(site / "kettle" / "history" / "history.json")[2].verdicts == tuple(entries[0]["verdicts"])
    with_damage = tmp_path / "history.json"
    with_damage.write_text(json.dumps({"regenerations": entries[1:]}))
    with pytest.raises(InputError, match=r"is damaged .*which is not there"):
        read_history(with_damage)
    after = snapshot(site / "kettle" / "history")
    assert {path: after[path] for path in kept if "/" in path} == {path: kept[path] for path in kept if "/" in path}
    page = (site / "kettle" / "history" / "index.html").read_text(encoding="utf-8")
    # It changed, and it changed back.
    assert page.count('class="changed"') == 2
    assert page.count(">since 2026-03-09</span>") == page.count(">since 2026-03-16</span>") == 1
    new = history[1]["digest"][:12]
    assert f'href="{new}/changes.html"' in page
    assert not (site / "kettle" / "history" / history[0]["digest"][:12] / "changes.html").exists()
    changes = (site / "kettle" / "history" / new / "changes.html").read_text(encoding="utf-8")
    assert f"verdict--{other}" in changes
    assert "2026-03-09" in changes


def test_what_one_moved_value_adds_to_the_history_is_small(bundle, computed, tmp_path, dead_links):
    """Text that a reviewer is shown, but for the reports themselves: the page of changes without the style sheet that all of them share,
    and no copy of the bundle; as much for a small move as for a large one.
    """
    site = tmp_path / "site"
    publish([bundle], "plain", site, base_url=BASE)
    subprocess.run(["git", "init", "--quiet", site], check=True)
    sizes = {}
    for step in (0.02, 1, 2):
        subprocess.run(["git", "add", "--all"], cwd=site, check=True)
        dataset = computed.dataset.copy(deep=True)
        dataset["kendall_tau"][0, 0, 2] += step
        moved = write_bundle(Results(dataset, computed.activations, computed.study), analysis.tables, tmp_path / f"moved-{step}")
        publish([moved], "plain", site, label=f"w{step}")
        subprocess.run(["git", "add", "--all", "--intent-to-add"], cwd=site, check=True)
        sizes[step] = len(subprocess.run(["git", "diff", "--no-renames"], cwd=site, check=True, capture_output=True).stdout)
    history = site / "kettle" / "history"
    (style,) = history.glob("style-*.css")
    assert max(sizes.values()) < 36_000
    assert max(sizes.values()) - min(sizes.values()) < 2_000
    for page in history.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert f'<link rel="stylesheet" href="{"../" * (page.parent != history)}{style.name}">' in text
        assert "@font-face" not in text
    assert {path.name for folder in history.iterdir() if folder.is_dir() for path in folder.iterdir()} == {
        "changes.html", "numbers.zip", "report-vi.pdf", "report-en.pdf", "report-vi-en.pdf"
    }  # fmt: skip
    assert dead_links(site, BASE) == []


def test_the_numbers_of_an_earlier_regeneration_can_be_compared_with(bundle, variant, tmp_path):
    publish([bundle], "plain", tmp_path / "site", languages=["vi"])
    publish([variant("later", verdict="supported")], "plain", tmp_path / "site", languages=["vi"])
    packed = tmp_path / "site" / "kettle" / "history" / bundle_digest(bundle)[:12] / "numbers.zip"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert read_side(tmp_path / "unpacked" / "baseline").digest == bundle_digest(bundle)
    assert not compare_bundles(tmp_path / "unpacked" / "baseline", bundle).changed
    publish([bundle], "plain", tmp_path / "other", languages=["vi"])
    assert (tmp_path / "other" / packed.relative_to(tmp_path / "site")).read_bytes() == packed.read_bytes()


def test_what_an_earlier_version_kept_in_the_history_is_still_led_to(bundle, variant, tmp_path, dead_links):
    site = tmp_path / "site"
    publish([bundle], "plain", site, languages=["vi"])
    manifest = site / "kettle" / "manifest.json"
    content = json.loads(manifest.read_text())
    for name in ("study.json", "results.nc"):
        path = f"history/{bundle_digest(bundle)[:12]}/{name}"
        (site / "kettle" / path).write_bytes((bundle / name).read_bytes())
        content["files"][path] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content))
    publish([variant("later", verdict="supported")], "plain", site, languages=["vi"])
    page = (site / "kettle" / "history" / "index.html").read_text(encoding="utf-8")
    assert page.count('/study.json">') == page.count('/results.nc">') == 1
    assert page.count('/numbers.zip">') == 2
    assert dead_links(site, BASE) == []


def test_a_file_that_git_hosts_refuse_is_named(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("reportgen.publish.publication._LARGEST", (bundle / "activations.nc").stat().st_size - 1)
    notes = [note for note in publish([bundle], "plain", tmp_path / "site", languages=["vi"]).notes if "more than 100 MB" in note]
    assert any("kettle/data/activations.nc has" in note for note in notes)


class Interrupted:
    """A site, what shall become of it, and how many files an undisturbed publication links and renames into it, for each manner.

    In one language: files of three are put in place as those of one are.
    """

    def __init__(self, folder, bundle, write_variant):
        self.folder, self.before, self.expected = folder, folder / "before", folder / "expected"
        self.changed = write_variant(folder / "changed", date="2026-03-09", verdict="supported")
        self.river = write_variant(folder / "river", name="river")
        self.publish([bundle], self.before, base_url=BASE)
        self.totals = {}
        for manner in ("exchange", "journal"):
            # The last of the two stays: what is to be there in the end does not depend on the manner.
            shutil.rmtree(self.expected, ignore_errors=True)
            shutil.copytree(self.before, self.expected)
            receiver, sender = _FORK.Pipe(duplex=False)
            process = _FORK.Process(target=self._count, args=(manner, sender))
            process.start()
            sender.close()
            self.totals[manner] = receiver.recv()
            process.join()
        self.publish([self.river], self.expected)

    def publish(self, bundles, site, **options):
        return publish(bundles, "plain", site, languages=["vi"], **options)

    def _count(self, manner, sender):
        counts = Counter()
        self.publish_watched(manner, self.expected, lambda call: counts.update([call]))
        sender.send(counts)

    def publish_watched(self, manner, site, called):
        """Publish what changed; `called` is told of every link and every renaming below the site's parent, before it happens.

        For a process of its own: it cannot be told to look away again.
        """
        if manner == "journal":
            atomic._can_exchange = lambda place: False

        def hook(event, arguments):
            if event in ("os.link", "os.rename") and os.fsdecode(arguments[1]).startswith(str(site.parent)):
                called(event)

        sys.addaudithook(hook)
        self.publish([self.changed], site)


@pytest.fixture(scope="module")
def interrupted(bundle, borrowed, write_variant, tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        borrowed(monkeypatch)
        return Interrupted(tmp_path_factory.mktemp("interrupted"), bundle, write_variant)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the publisher is a copy of this process")
@pytest.mark.parametrize(("manner", "call"), [("exchange", "os.link"), ("exchange", "os.rename"), ("journal", "os.rename")])
@pytest.mark.parametrize("when", ["first", "middle", "last"])
def test_a_publisher_that_is_killed_leaves_the_site_to_the_next_one(interrupted, tmp_path, dead_links, manner, call, when):
    """kill -9 while files are put in place, another publisher waiting: that one and the next publish a whole site."""
    site = tmp_path / "site"
    shutil.copytree(interrupted.before, site)
    total = interrupted.totals[manner][call]
    assert total > 2
    number = {"first": 1, "middle": (total + 1) // 2, "last": total}[when]
    begun = _FORK.Event()

    def killed():
        count = 0

        def called(event):
            nonlocal count
            count += event == call
            if count == number and event == call:
                os.kill(os.getpid(), signal.SIGSTOP)

        interrupted.publish_watched(manner, site, called)

    def waiting():
        sys.addaudithook(lambda event, arguments: begun.set() if event == "fcntl.flock" else None)
        interrupted.publish([interrupted.river], site)

    first, second = _FORK.Process(target=killed), _FORK.Process(target=waiting)
    first.start()
    try:
        _, status = os.waitpid(first.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"the publisher ended before its {call} number {number} of {total}"
        second.start()
        assert begun.wait(60), "the other publisher asked for no lock"
    finally:
        first.kill()
    first.join()
    second.join()
    assert (first.exitcode, second.exitcode) == (-signal.SIGKILL, 0)
    interrupted.publish([interrupted.changed, interrupted.river], site)
    one, other = ({path: content for path, (_, content) in snapshot(place).items()} for place in (site, interrupted.expected))
    assert one == other
    assert dead_links(site, BASE) == []
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_labels_order_the_history(variant, tmp_path):
    site = tmp_path / "site"
    for week, verdict in ((10, "supported"), (9, "contradicted"), (11, "inconclusive")):
        publish([variant(f"week-{week}", verdict=verdict)], "plain", site, label=f"week {week}")
    history = json.loads((site / "kettle" / "history" / "history.json").read_text())["regenerations"]
    assert [entry["label"] for entry in history] == ["week 9", "week 10", "week 11"]


def test_what_is_no_longer_published_goes_and_what_is_not_ours_stays(bundle, tmp_path):
    site = tmp_path / "site"
    publish([bundle], "plain", site)
    (site / "kettle" / "en" / "notes.txt").write_text("mine")
    (site / "kettle" / "en" / "index.html").write_text("edited by hand")
    published = publish([bundle], "plain", site, languages=["vi"], replace=True)
    assert not (site / "kettle" / "vi-en").exists()
    assert {path.name for path in (site / "kettle" / "en").iterdir()} == {"notes.txt", "index.html"}
    assert site / "kettle" / "en" / "report.pdf" in published.removed
    assert 'hreflang="en"' not in (site / "kettle" / "vi" / "index.html").read_text(encoding="utf-8").partition("<style>")[0]


def test_a_file_of_somebody_else_is_never_replaced(bundle, tmp_path):
    (tmp_path / "index.html").write_text("my home page")
    with pytest.raises(InputError, match=r"index\.html was not published by reportgen"):
        publish([bundle], "plain", tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["index.html"]


def test_files_of_an_existing_project_stay_as_they_are(bundle, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "mkdocs.yml").write_text("site_name: Course\ndocs_dir: source\nnav:\n  - index.md\nhook: !ENV [A, b]\n")
    (tmp_path / "source" / "index.md").write_text("# Course\n")
    published = publish([bundle], "mkdocs", tmp_path)
    assert (tmp_path / "source" / "kettle" / "index.html").is_file()
    assert (tmp_path / "source" / "index.md").read_text() == "# Course\n"
    assert "add reports/index.md to the nav in mkdocs.yml" in published.notes
    (tmp_path / "sphinx").mkdir()
    (tmp_path / "sphinx" / "conf.py").write_text('project = "Course"\n')
    published = publish([bundle], "sphinx", tmp_path / "sphinx")
    assert (tmp_path / "sphinx" / "reports" / "index.rst").is_file()
    assert 'add "reports_html" to html_extra_path' in published.notes[0]


def test_the_head_of_a_page(bundle, tmp_path):
    publish([bundle], "plain", tmp_path / "site", base_url="https://example.org/course")
    page = (tmp_path / "site" / "kettle" / "vi" / "index.html").read_text(encoding="utf-8")
    head = page.partition("</head>")[0]
    assert '<link rel="canonical" href="https://example.org/course/kettle/vi/">' in head
    for code, address in (("vi", "kettle/vi/"), ("en", "kettle/en/"), ("x-default", "kettle/")):
        assert f'<link rel="alternate" hreflang="{code}" href="{BASE}{address}">' in head
    assert f'<meta property="og:image" content="{BASE}kettle/vi/preview.png">' in head
    assert "trà &amp; &lt;chè&gt;" in head
    data = head.partition('<script type="application/ld+json">')[2].partition("</script>")[0]
    assert "<" not in data
    article = json.loads(data)
    assert article["@type"] == "ScholarlyArticle"
    assert "trà & <chè>" in article["headline"]
    assert article["author"][0] == {"@type": "Person", "name": "Văn Ước Nguyễn", "familyName": "Nguyễn", "givenName": "Văn Ước"}
    assert article["datePublished"] == "2026-03-02"
    assert article["url"] == "https://example.org/course/kettle/vi/"
    assert "report.html" not in page


def test_every_report_says_in_its_head_what_it_found_and_in_which_language(bundle, tmp_path):
    publish([bundle], "plain", tmp_path)
    words = {"vi": "thông tin tương hỗ", "en": "mutual information", "vi-en": "thông tin tương hỗ"}
    for code, word in words.items():
        head = (tmp_path / "kettle" / code / "index.html").read_text(encoding="utf-8").partition("</head>")[0]
        page = tinyhtml5.parse(head, namespace_html_elements=False)
        article = json.loads(next(element.text for element in page.iter("script") if element.get("type") == "application/ld+json"))
        assert "Kendall" in article["abstract"]
        assert word in article["keywords"].lower()
        assert "KSG" in article["keywords"]
        assert article["inLanguage"] == (code if "-" not in code else code.split("-"))
        assert page.get("lang") == code.partition("-")[0]
        assert next(element for element in page.iter("meta") if element.get("name") == "keywords").get("content") == article["keywords"]


def test_the_page_of_a_study_says_what_it_is_found_by(bundle, tmp_path):
    """A search that reads heads alone finds the study in its first language: the abstract and the keywords."""
    publish([bundle], "plain", tmp_path, languages=["vi"])
    publish([bundle], "plain", tmp_path / "en", languages=["en"])
    for page, words in ((tmp_path / "kettle", "thông tin tương hỗ"), (tmp_path / "en" / "kettle", "mutual information")):
        head = (page / "index.html").read_text(encoding="utf-8").partition("</head>")[0]
        metas = {
            element.get("name"): element.get("content") for element in tinyhtml5.parse(head, namespace_html_elements=False).iter("meta")
        }
        assert "Kendall" in metas["description"]
        assert words in metas["keywords"].lower()


def test_the_citation_file(bundle, tmp_path):
    publish([bundle], "plain", tmp_path / "site", base_url=BASE)
    citation = yaml.safe_load((tmp_path / "site" / "kettle" / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"family-names": "Nguyễn", "given-names": "Văn Ước"}, {"name": "Lê Thị Ẩn"}]
    assert (citation["license"], citation["date-released"], citation["url"]) == ("CC-BY-4.0", "2026-03-02", f"{BASE}kettle/")
    bibtex = (tmp_path / "site" / "kettle" / "refs.bib").read_text(encoding="utf-8")
    assert bibtex.startswith("@misc{")
    assert "author = {Nguyễn, Văn Ước and Lê Thị Ẩn}" in bibtex
    assert "kraskov2004" in bibtex


def test_the_sitemap_names_every_page_once(bundle, tmp_path):
    publish([bundle], "plain", tmp_path / "site", base_url=BASE)
    root = ElementTree.parse(tmp_path / "site" / "sitemap.xml").getroot()
    addresses = [element.text for element in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    expected = ["", "kettle/", "kettle/vi/", "kettle/en/", "kettle/vi-en/", "kettle/history/"]
    assert addresses == [BASE + path for path in expected]


def test_the_preview_is_a_picture_of_the_announced_size(bundle, tmp_path):
    publish([bundle], "plain", tmp_path / "nowhere")
    assert not list((tmp_path / "nowhere").rglob("preview.png"))
    publish([bundle], "plain", tmp_path / "site", base_url=BASE)
    for code in ("vi", "vi-en"):
        content = (tmp_path / "site" / "kettle" / code / "preview.png").read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (1200, 630)
        # The time or the software in a text chunk would make two publications differ.
        assert b"tEXt" not in content


def test_jekyll_finds_nothing_to_interpret_in_what_is_only_to_be_copied(variant, tmp_path):
    bundle = variant("liquid", title={"vi": "{{ site.secret }} {% endraw %}", "en": "{{ 1 }}"})
    publish([bundle], "jekyll", tmp_path / "site", base_url=BASE)
    for path, (_, content) in snapshot(tmp_path / "site").items():
        interpreted = path in ("index.html", "reports/index.html")
        assert content.startswith(b"---\n") is interpreted, path
        # Jekyll leaves out what begins with these.
        assert not any(part.startswith(("_", ".", "#", "~")) for part in path.split("/")) or path == "_config.yml"
    stub = (tmp_path / "site" / "reports" / "index.html").read_text(encoding="utf-8")
    inside = stub.partition("{% raw %}")[2]
    assert inside.count("{% endraw %}") == 1
    assert inside.rstrip().endswith("{% endraw %}")
    assert "{{" not in inside
    assert yaml.safe_load((tmp_path / "site" / "_config.yml").read_text(encoding="utf-8"))["baseurl"] == "/course"


@pytest.mark.parametrize("url", ["example.org", "ftp://example.org/", "https://example.org/?a=1", 'https://example.org/"x"'])
def test_a_base_url_that_is_none(bundle, tmp_path, url):
    with pytest.raises(InputError, match="--base-url"):
        publish([bundle], "plain", tmp_path / "site", base_url=url)


def test_another_address_or_kind_for_a_site_that_exists(bundle, variant, tmp_path):
    site = tmp_path / "site"
    publish([bundle], "plain", site, base_url=BASE)
    with pytest.raises(InputError, match=r"also holds kettle, .*kettle/data"):
        publish([variant("river", name="river")], "plain", site, base_url="https://example.org/other")
    assert not (site / "river").exists()
    with pytest.raises(InputError, match="published as plain; publish with --to plain"):
        publish([bundle], "jekyll", site)


def test_names_that_no_folder_can_have(bundle, variant, tmp_path):
    with pytest.raises(InputError, match="named 'reports'"):
        publish([variant("reserved", name="reports")], "plain", tmp_path / "site")
    with pytest.raises(InputError, match="two of the bundles are of a study named kettle"):
        publish([bundle, variant("again", verdict="supported")], "plain", tmp_path / "site")


def test_the_command(bundle, tmp_path):
    arguments = ["publish", str(bundle), "--to", "plain", "--out", str(tmp_path / "site"), "--base-url", BASE, "--json", "--quiet"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["pages"] == [f"{tmp_path}/site/kettle/index.html"]
    assert f"{tmp_path}/site/kettle/vi/index.html" in result["written"]
    assert CliRunner().invoke(app, ["publish", str(tmp_path), "--out", str(tmp_path / "other")]).exit_code == 2
    assert CliRunner().invoke(app, ["publish", str(bundle), "--to", "wiki"]).exit_code == 2


def test_the_index_is_in_the_languages_of_all_studies(bundle, variant, tmp_path):
    site = tmp_path / "site"
    publish([bundle], "plain", site)
    publish([variant("river", name="river")], "plain", site, languages=["vi"])
    index = (site / "index.html").read_text(encoding="utf-8")
    for code in ("vi", "en", "vi-en"):
        assert f'href="kettle/{code}/index.html"' in index
    assert 'href="river/vi/index.html"' in index
    assert 'href="river/en/index.html"' not in index
    assert 'lang="en"></a>' not in index
    assert "Read in English" in index


def test_a_language_that_is_not_given_stays(bundle, variant, tmp_path):
    site = tmp_path / "site"
    publish([bundle], "plain", site)
    changed = variant("later", date="2026-03-09")
    published = publish([changed], "plain", site, languages=["vi"])
    assert published.removed == ()
    manifest = json.loads((site / "kettle" / "manifest.json").read_text())
    assert sorted(manifest["languages"]) == ["en", "vi", "vi-en"]


@pytest.mark.parametrize(("key", "value"), [("word", "ấm"), ("text", "Trà."), ("model", {"source": "hub", "name": "gpt2"})])
def test_another_study_of_the_same_name_is_refused_unless_it_shall_replace_the_first(bundle, variant, tmp_path, key, value):
    site = tmp_path / "site"
    publish([bundle], "plain", site)
    before = snapshot(site)
    other = variant("other", settings={key: value})
    with pytest.raises(InputError, match=rf"the site has another study named kettle \({key}.*--replace"):
        publish([other], "plain", site)
    assert snapshot(site) == before
    publish([other], "plain", site, revised=True)
    assert len(json.loads((site / "kettle" / "history" / "history.json").read_text())["regenerations"]) == 2
    publish([bundle], "plain", site, replace=True)
    publish([other], "plain", site, replace=True)
    assert json.loads((site / "kettle" / "manifest.json").read_text())["bundle"] == bundle_digest(other)


def test_names_that_share_a_folder_are_two_studies(bundle, variant, tmp_path):
    publish([bundle], "plain", tmp_path / "site", languages=["vi"])
    with pytest.raises(InputError, match=r'the site has another study named kettle \(name: there "kettle", here "Kettle"\)'):
        publish([variant("other", name="Kettle")], "plain", tmp_path / "site", languages=["vi"])


def test_a_bundle_that_comes_back_is_an_entry_of_its_own(bundle, variant, tmp_path, dead_links):
    """One, another, the one again, the other again: four entries with pages of changes of their own, and nothing twice without a label."""
    site, other = tmp_path / "site", variant("other", verdict="supported")
    for label, each in (("w1", bundle), ("w2", other), ("w3", bundle), ("w4", other), ("w4", other), (None, other)):
        publish([each], "plain", site, languages=["vi"], label=label, base_url=BASE)
    file = site / "kettle" / "history" / "history.json"
    entries = json.loads(file.read_text())["regenerations"]
    assert [entry["label"] for entry in entries] == ["w1", "w2", "w3", "w4"]
    assert [entry.get("nth", 1) for entry in entries] == [1, 1, 2, 2]
    assert len(list(file.parent.glob("*/changes.html"))) == 3
    page = (file.parent / "index.html").read_text(encoding="utf-8")
    assert page.count('class="current"') == 1
    assert dead_links(site, BASE) == []
    publish([other], "plain", site, languages=["vi"], label="w5")
    assert [entry["label"] for entry in json.loads(file.read_text())["regenerations"]] == ["w1", "w2", "w3", "w5"]


def test_a_study_is_removed_by_its_name_and_what_is_not_ours_stays(bundle, variant, tmp_path):
    site = tmp_path / "site"
    publish([bundle, variant("river", name="river")], "plain", site, base_url=BASE)
    (site / "kettle" / "mine.txt").write_text("mine")
    publish([], "plain", site, remove=["kettle"])
    assert [path.name for path in (site / "kettle").rglob("*") if path.is_file()] == ["mine.txt"]
    assert "kettle" not in (site / "index.html").read_text(encoding="utf-8")
    assert "kettle" not in (site / "sitemap.xml").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r'--remove rivr: .* has no such study; there are river; did you mean "river"'):
        publish([], "plain", site, remove=["rivr"])


def test_two_publishers_at_once_lose_nothing(bundle, variant, tmp_path):
    site = tmp_path / "site"
    publish([bundle], "plain", site, languages=["vi"])
    others = [variant(name, name=name) for name in ("one", "two", "three")]
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(publish, [other], "plain", site, languages=["vi"]) for other in others]:
            done.result()
    index = (site / "index.html").read_text(encoding="utf-8")
    for name in ("kettle", "one", "two", "three"):
        assert f'href="{name}/vi/index.html"' in index
    assert json.loads((site / "reports" / "manifest.json").read_text())["studies"] == ["kettle", "one", "three", "two"]


def test_a_study_that_the_list_does_not_have_is_found_by_its_own_manifest(bundle, variant, tmp_path):
    site = tmp_path / "site"
    publish([bundle, variant("river", name="river")], "plain", site, languages=["vi"])
    file = site / "reports" / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "studies": ["river"]}))
    publish([bundle], "plain", site, languages=["vi"])
    index = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="kettle/vi/index.html"' in index
    assert 'href="river/vi/index.html"' in index


def test_a_page_that_was_changed_by_hand_is_not_replaced_silently(bundle, variant, tmp_path):
    site = tmp_path / "site"
    publish([bundle], "plain", site, languages=["vi"])
    (site / "kettle" / "index.html").write_text("edited by hand")
    with pytest.raises(InputError, match=r"kettle/index\.html was changed since it was published.*--replace"):
        publish([variant("later", date="2026-03-09")], "plain", site, languages=["vi"])
    publish([variant("later", date="2026-03-09")], "plain", site, languages=["vi"], replace=True)
    assert "edited by hand" not in (site / "kettle" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("mkdocs", "docs/kettle.md"),
        ("mkdocs", "docs/kettle/README.md"),
        ("mkdocs", "docs/kettle/history.md"),
        ("mkdocs", "docs/kettle/vi.md"),
        ("sphinx", "kettle.rst"),
        ("sphinx", "kettle/en/index.ipynb"),
        ("jekyll", "kettle.md"),
        ("jekyll", "kettle/index.markdown"),
    ],
)
def test_a_page_of_the_course_at_the_address_of_a_study_is_named(bundle, tmp_path, kind, page):
    (tmp_path / "site" / page).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "site" / page).write_text("# A lesson\n")
    with pytest.raises(InputError, match=rf"{page} would have the address of the study kettle"):
        publish([bundle], kind, tmp_path / "site")


@pytest.mark.parametrize(("kind", "page"), [("mkdocs", "docs/reports.md"), ("sphinx", "reports.rst"), ("jekyll", "reports.md")])
def test_a_page_of_the_course_at_the_address_of_the_list_is_named(bundle, tmp_path, kind, page):
    (tmp_path / "site" / page).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "site" / page).write_text("# Reports of students\n")
    with pytest.raises(InputError, match=rf"{page} would have the address of the list of the studies"):
        publish([bundle], kind, tmp_path / "site")
    assert not (tmp_path / "site" / "kettle").exists()


def test_the_sitemap_of_a_jekyll_site_is_left_to_jekyll(bundle, tmp_path):
    publish([bundle], "jekyll", tmp_path / "site", base_url=BASE)
    assert not (tmp_path / "site" / "sitemap.xml").exists()
    assert "kettle/vi/" in (tmp_path / "site" / "sitemap-reports.xml").read_text()


def test_labels_that_are_times_are_ordered_by_the_moment(variant, tmp_path):
    site = tmp_path / "site"
    labels = ["2026-03-01T02:00:00Z", None, "2026-03-01T04:00:00Z", "2026-03-01T10:00:00+07:00"]
    for index, label in enumerate(labels):
        publish([variant(f"run-{index}", date=None, settings={"seed": index})], "plain", site, label=label, languages=["vi"])
    history = json.loads((site / "kettle" / "history" / "history.json").read_text())["regenerations"]
    # 10:00 at +07:00 is 03:00 in the zone of the others.
    assert [entry["label"] or None for entry in history] == [labels[0], None, labels[3], labels[2]]


def test_a_title_may_hold_dollars(variant, tmp_path):
    for title in (r"Half of it: $\frac{1}$ of the tea", "Tea at $5 & $6 a cup"):
        study = variant("dollars", title={"en": title, "vi": title})
        publish([study], "plain", tmp_path / "site", languages=["en"], replace=True)


def test_the_feed_names_every_regeneration_that_has_a_time(variant, tmp_path):
    site, atom = tmp_path / "site", "{http://www.w3.org/2005/Atom}"
    labels = ["2026-03-02", "2026-03-09T04:00+07:00", "2026-03-16"]
    for index, label in enumerate(labels):
        publish([variant(f"run-{index}", date=None, settings={"seed": index})], "plain", site, label=label, languages=["vi"], base_url=BASE)
    feed = ElementTree.parse(site / "kettle" / "history" / "feed.xml").getroot()
    assert feed.findtext(f"{atom}updated") == "2026-03-16T00:00:00Z"
    updated = [entry.findtext(f"{atom}updated") for entry in feed.iter(f"{atom}entry")]
    assert updated == ["2026-03-16T00:00:00Z", "2026-03-08T21:00:00Z", "2026-03-02T00:00:00Z"]
    identifiers = [entry.findtext(f"{atom}id") for entry in feed.iter(f"{atom}entry")]
    assert len(set(identifiers)) == 3
    for link in feed.iter(f"{atom}link"):
        path = link.get("href").removeprefix(BASE)
        assert (site / (path + "index.html" if path.endswith("/") else path)).is_file(), path
    for page, address in (("index.html", "history/feed.xml"), ("history/index.html", "../history/feed.xml")):
        assert 'type="application/atom+xml"' in (text := (site / "kettle" / page).read_text(encoding="utf-8"))
        assert f'href="{address}"' in text


def test_without_moments_or_addresses_there_is_no_feed(variant, tmp_path):
    publish([variant("one", date=None)], "plain", tmp_path / "site", label="week 9", languages=["vi"], base_url=BASE)
    publish([variant("other")], "plain", tmp_path / "elsewhere", languages=["vi"])
    assert not [*tmp_path.rglob("feed.xml")]
    assert not [page for page in tmp_path.rglob("index.html") if "atom+xml" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("kind", ["plain", "mkdocs", "sphinx", "jekyll"])
def test_studies_under_a_folder_of_their_own(bundle, variant, tmp_path, kind):
    """Beside the course's pages of the same names, and in the same place the next time, without being told again."""
    site = tmp_path / "site"
    for page in ("index.html", "kettle.md", "docs/kettle.md", "kettle.rst"):
        (site / page).parent.mkdir(parents=True, exist_ok=True)
        (site / page).write_text("the course's own\n")
    (site / "conf.py").write_text('html_extra_path = ["reports_html"]\n')
    published = publish([bundle], kind, site, base_url=BASE, under="reports/", languages=["vi"])
    content = {"plain": "", "mkdocs": "docs", "sphinx": "reports_html", "jekyll": ""}[kind]
    assert published.pages == (site / content / "reports" / "kettle" / "index.html",)
    publish([variant("river", name="river")], kind, site, languages=["vi"])
    place = site / content / "reports"
    assert sorted(path.parent.name for path in place.glob("*/manifest.json")) == ["kettle", "river"]
    assert (site / "index.html").read_text() == "the course's own\n"
    page = (place / "river" / "vi" / "index.html").read_text(encoding="utf-8")
    assert f'<link rel="canonical" href="{BASE}reports/river/vi/">' in page
    assert f"<loc>{BASE}reports/river/vi/</loc>" in next((site / content).glob("sitemap*.xml")).read_text()
    (lister,) = (*site.glob("reports/index.*"), *site.glob("docs/reports/index.*"))
    text = lister.read_text(encoding="utf-8")
    assert '"river/vi/index.html"' in text or "(river/vi/index.html)" in text
    publish([], kind, site, remove=["river"])
    assert not (place / "river").exists()
    with pytest.raises(InputError, match=r"--under other: the studies of .* are under reports, and links lead there"):
        publish([bundle], kind, site, under="other")


@pytest.mark.parametrize("under", ["../up", "/abs", "a//b", "_hidden", "a b", "."])
def test_a_folder_that_is_none(bundle, tmp_path, under):
    with pytest.raises(InputError, match="expected the path of a folder in the site"):
        publish([bundle], "plain", tmp_path / "site", under=under)
    assert not (tmp_path / "site").exists()


def test_what_was_accepted_stays_what_is_shown(bundle, variant, tmp_path):
    """The last digits of another machine are no news, until another bundle is accepted."""
    site, accepted = tmp_path / "site", tmp_path / "baseline"
    write_baseline(bundle, accepted)
    publish([bundle], "plain", site, languages=["vi"])
    before = snapshot(site)
    again = variant("again", settings={"seed": 77})
    publish([again], "plain", site, languages=["vi"], accepted=accepted)
    assert snapshot(site) == before
    write_baseline(again, accepted)
    publish([again], "plain", site, languages=["vi"], accepted=accepted)
    assert bundle_digest(site / "kettle" / "data") == bundle_digest(again)
    # Of another study it says nothing, and a whole bundle can be shown itself.
    river = variant("river", name="river")
    publish([river], "plain", site, languages=["vi"], accepted=accepted)
    assert bundle_digest(site / "river" / "data") == bundle_digest(river)
    publish([again], "plain", site, languages=["vi"], accepted=bundle)
    assert bundle_digest(site / "kettle" / "data") == bundle_digest(bundle)
