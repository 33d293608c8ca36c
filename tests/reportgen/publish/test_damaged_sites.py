"""What an earlier publication left may be damaged, of another program, or written by somebody else: done, or refused in one line."""

import json
import os
import shutil
import xml.etree.ElementTree as ElementTree

import pytest

from analyses.errors import InputError
from reportgen import pipeline
from reportgen.documents.assets import Assets
from reportgen.documents.languages import load_languages
from reportgen.publish import publication, publish
from reportgen.publish.description import describe
from reportgen.publish.feed import feed
from reportgen.publish.history import LABEL_LENGTH, checked_label, history_json, read_history, regeneration, timeline, with_entry
from reportgen.publish.pages import Pages
from reportgen.publish.site import Site, base_address, read_manifest

BASE = "https://example.org/course/"

OTHERS = [None, True, -1, 10**299, 1.5, "", "../x", "\x1b[2J", "x" * 3000, "²", [], ["x"], [[]], {}, {"x": "y"}]
FILES = ["reports/manifest.json", "kettle/manifest.json", "kettle/history/history.json"]

CONTENTS = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "huge number": "1" * 301,
    "no number": "NaN",
    "infinite": "-Infinity",
    "key twice": '1, "more": 1',
    "half a character": '"\\ud800"',
}


@pytest.fixture(scope="module")
def known():
    return load_languages(*Assets.default(None).directories)


@pytest.fixture(scope="module", autouse=True)
def _small_documents(known):
    """What a page says matters to none of these tests, and what it is made of takes seconds."""

    def render(path, out, *, languages, **options):
        for code in languages:
            (out / code).mkdir(parents=True)
            (out / code / "report.pdf").write_bytes(b"%PDF")

    def render_site_pages(bundle, out, pages, **options):
        for code, page in pages.items():
            (out / code).mkdir(parents=True)
            (out / code / "index.html").write_text(page.head, encoding="utf-8")
        (out / "refs.bib").write_text("")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "render", render)
        patch.setattr(pipeline, "render_site_pages", render_site_pages)
        patch.setattr(publication, "preview_png", lambda *arguments: b"PNG")
        patch.setattr(publication, "load_languages", lambda *directories: known)
        yield


@pytest.fixture(scope="module")
def published(bundle, tmp_path_factory, _small_documents):
    site = tmp_path_factory.mktemp("published") / "site"
    publish([bundle], "plain", site, base_url=BASE, languages=["vi", "en"])
    return site


@pytest.fixture
def site(published, tmp_path):
    """A site with one study."""
    return shutil.copytree(published, tmp_path / "site")


@pytest.fixture(scope="module")
def study_and_pages(bundle, known):
    study = describe(bundle, known, Assets.default(None))
    return study, Pages(study.assets, list(study.languages.values()))


@pytest.fixture
def used(site, study_and_pages, monkeypatch):
    """The function that reads the site's files and does with them all that a publication does, but for writing."""
    study, pages = study_and_pages
    monkeypatch.setattr(Site, "write", lambda self: ([], []))

    def use(file):
        if file.name == "manifest.json":
            publish([], "plain", site)
            return
        entries = read_history(file)
        new = regeneration(study, "2026-03-16", ["vi"], has_changes=True, entries=entries)
        entries = with_entry(entries, new, None)
        timeline(entries, pages)
        file.write_text(history_json(entries), encoding="utf-8")
        assert read_history(file) == entries
        ElementTree.fromstring(feed(study, entries, pages, BASE).partition("\n")[2])

    return use


def fails_in_one_line(act, *arguments):
    try:
        act(*arguments)
    except InputError as error:
        text = str(error)
        assert len(text) < 800, text
        assert text.isprintable(), text
        return True
    return False


def changed_values(value):
    """The data with one value after the other taken out, and put into the place of another type: of long lists the first two entries."""
    yield from OTHERS
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        for key in keys if len(keys) <= 12 else keys[:2]:
            rest = value.copy()
            taken = rest.pop(key)
            yield rest
            for other in changed_values(taken):
                rest = value.copy()
                rest[key] = other
                yield rest


@pytest.mark.parametrize("name", FILES)
def test_a_value_of_another_type(site, used, name):
    file = site / name
    content = json.loads(file.read_text(encoding="utf-8"))
    if name.endswith("history.json"):
        # One entry with verdicts of its own, and one that names those of the first.
        first = content["regenerations"][0]
        first["verdicts"] = first["verdicts"][:2]
        again = {key: value for key, value in first.items() if key != "verdicts"}
        content["regenerations"].append({**again, "verdicts_of": first["digest"][:12], "nth": 2, "label": "2026-03-09"})
    refused = done = 0
    for changed in changed_values(content):
        file.write_text(json.dumps(changed), encoding="utf-8")
        if fails_in_one_line(used, file):
            refused += 1
        else:
            done += 1
    # Both happen: extra keys disturb nobody, and wrong ones do not pass.
    assert refused > 50
    assert done > 3


@pytest.mark.parametrize("name", FILES)
def test_any_byte(site, used, name):
    file = site / name
    content = file.read_bytes()
    step = max(1, len(content) // 25)
    for place in range(0, len(content), step):
        for value in (b"\0", b'"', b"9", b"}", b""):
            file.write_bytes(content[:place] + value + content[place + 1 :])
            fails_in_one_line(used, file)
    file.write_bytes(content)
    assert not fails_in_one_line(used, file)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "kind", ["deep", "huge number", "no number", "infinite", "key twice", "half a character", "folder", "pipe", "own link"]
)
def test_what_no_publication_wrote(site, bundle, name, kind):
    file = site / name
    text = file.read_text(encoding="utf-8")
    if kind in ("folder", "pipe", "own link"):
        file.unlink()
        {"folder": os.mkdir, "pipe": os.mkfifo, "own link": lambda place: os.symlink(place.name, place)}[kind](file)
    else:
        file.write_text(text.replace("{", f'{{"more": {CONTENTS[kind]}, ', 1), encoding="utf-8")
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=rf"{file.name}"):
        publish([bundle], "plain", site)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before


def test_a_file_that_another_program_calls_manifest_disturbs_nobody(site, bundle):
    """Web applications have a manifest.json too."""
    for folder, content in {"application": '{"name": "Tea", "icons": []}', "assets": "[]", "other": "// no JSON"}.items():
        (site / folder).mkdir()
        (site / folder / "manifest.json").write_text(content)
    publish([bundle], "plain", site)
    assert (site / "other" / "manifest.json").read_text() == "// no JSON"


def test_a_manifest_of_another_study_is_named(site, bundle):
    shutil.copytree(site / "kettle", site / "river")
    for name in ("river", "kettle"):
        file = site / "kettle" / "manifest.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "slug": name}))
        if name == "river":
            with pytest.raises(InputError, match=r"kettle/manifest.json is not the manifest of kettle; restore it"):
                publish([bundle], "plain", site)
    publish([bundle], "plain", site)
    # A copy of the study's folder, whose manifest names the study that it was copied from, is no study.
    assert json.loads((site / "reports" / "manifest.json").read_text())["studies"] == ["kettle"]


@pytest.mark.parametrize("path", ["./kettle/index.html", "kettle//index.html", "a" * 256, "/".join(["a" * 250] * 9), "C:/x", "kettle/"])
def test_a_path_that_is_written_otherwise_than_a_site_writes_it(tmp_path, path):
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "files": {path: "0" * 64}}))
    with pytest.raises(InputError, match="expected a path below the site's folder"):
        read_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize("digest", ["", "0", "A" * 64, "0" * 64 + "\n"])
def test_a_hash_that_is_none(tmp_path, digest):
    """An empty one would let any file be replaced or removed as reportgen's own."""
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "files": {"mine.txt": digest}}))
    with pytest.raises(InputError, match=r"files\.mine\.txt"):
        read_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "javascript:alert(1)",
        "https://[",
        "https://[::1",
        "https://a\x1b[2J/",
        "https://a\n/",
        "https://" + "a" * 3000,
        "https://a/#b",
    ],
)
def test_an_address_that_is_none(site, bundle, url):
    with pytest.raises(ValueError, match="expected the address"):
        base_address(url)
    file = site / "reports" / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_url": url}))
    with pytest.raises(InputError, match=r"manifest\.json is no manifest of this version"):
        publish([bundle], "plain", site)


@pytest.mark.parametrize("label", ["x" * (LABEL_LENGTH + 1), "week\n9", "week\x1b[2J", "week \u202e9", "\ud800", "9" * 5000])
def test_labels_that_are_none(site, bundle, label):
    before = sorted(site.rglob("*"))
    with pytest.raises(InputError, match="--label: expected one line of at most 200 printable characters") as caught:
        publish([bundle], "plain", site, label=label)
    assert str(caught.value).isprintable()
    assert sorted(site.rglob("*")) == before
    file = site / "kettle" / "history" / "history.json"
    content = json.loads(file.read_text())
    content["regenerations"][0]["label"] = label
    file.write_text(json.dumps(content))
    # What steers a terminal is shown as a question mark.
    assert fails_in_one_line(read_history, file) or read_history(file)[0].label == "week?[2J"


@pytest.mark.parametrize(
    "label",
    [
        "9" * LABEL_LENGTH, "tuần ²3",
        # Before year 1 and after 9999 in UTC: no moment that can be written, but a label like any other.
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    ],
)  # fmt: skip
def test_labels_that_look_like_numbers_and_times(site, bundle, label):
    assert checked_label(label) == label
    publish([bundle], "plain", site, label=label)
    assert [entry.label for entry in read_history(site / "kettle" / "history" / "history.json")] == [label]
    assert not (site / "kettle" / "history" / "feed.xml").exists()
