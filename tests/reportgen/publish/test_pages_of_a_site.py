"""The reports as pages of a site: their links are the site's, whatever the languages are."""

import base64
import re

import pytest
import tinyhtml5

from reportgen import pipeline
from reportgen.publish import publish


def parsed(file):
    return tinyhtml5.parse(file.read_bytes(), namespace_html_elements=False)


@pytest.mark.parametrize("codes", [("vi",), ("en", "vi-en")])
def test_every_link_of_a_page_leads_within_the_site(bundle, tmp_path, codes):
    publish([bundle], "plain", tmp_path, base_url="https://example.org/course/", languages=codes)
    for code in codes:
        page = parsed(tmp_path / "kettle" / code / "index.html")
        links = {link.get("href", "").partition("#")[0] for link in page.iter("a")}
        addresses = {link for link in links if link and not link.startswith(("data:", "https:", "figures/", "tables/"))}
        assert addresses - {"../refs.bib"} == {
            "../index.html",
            "report.pdf",
            *(f"../{other}/index.html" for other in codes if other != code),
        }
        assert next(link for link in page.find("body").find(".//nav").iter("a") if link.get("href") == "../index.html").text.strip()
        canonical = [link.get("href") for link in page.find("head").iter("link") if link.get("rel") == "canonical"]
        assert canonical == [f"https://example.org/course/kettle/{code}/"]


def test_the_bibliography_is_what_the_report_offers_for_download(bundle, rendered, tmp_path):
    publish([bundle], "plain", tmp_path, languages=["en"])
    report = parsed(rendered / "en" / "report.html")
    sources = next(link for link in report.iter("a") if link.get("download") == "references.bib").get("href")
    own = next(block.text for block in report.iter("pre") if block.text.startswith("@"))
    bibliography = (tmp_path / "kettle" / "refs.bib").read_text(encoding="utf-8")
    assert bibliography == f"{own.strip()}\n\n{base64.b64decode(sources.partition(',')[2]).decode()}"
    assert len(re.findall(r"^@", bibliography, re.MULTILINE)) > 5


def test_what_can_be_downloaded_lies_beside_the_page_as_the_report_has_it(bundle, rendered, tmp_path):
    publish([bundle], "plain", tmp_path / "site", languages=["en"])
    place = tmp_path / "site" / "kettle" / "en"
    inside, beside = (
        {link.get("download"): link.get("href") for link in parsed(file).iter("a") if link.get("download")}
        for file in (rendered / "en" / "report.html", place / "index.html")
    )
    assert inside.keys() == beside.keys()
    assert len(inside) > 10
    for name, address in beside.items():
        if name == "references.bib":
            assert address == "../refs.bib"
            continue
        assert address in (f"figures/{name}", f"tables/{name}")
        offered = base64.b64decode(inside[name].partition(",")[2])
        if address.endswith((".html", ".svg", ".tex")):
            # In shorter lines, so that one value is one line of a difference.
            assert b"".join((place / address).read_bytes().split()) == b"".join(offered.split())
        else:
            assert (place / address).read_bytes() == offered
    assert (place / "index.html").stat().st_size < 0.7 * (rendered / "en" / "report.html").stat().st_size
    publish([bundle], "plain", tmp_path / "alone", languages=["en"], self_contained=True)
    alone = {link.get("download"): link.get("href") for link in parsed(tmp_path / "alone" / "kettle" / "en" / "index.html").iter("a")}
    assert {name: address for name, address in alone.items() if name} == inside


def test_pages_are_kept_for_the_next_publication(bundle, tmp_path, monkeypatch):
    from reportgen import documents
    from reportgen.cache import Cache

    cache = Cache(tmp_path / "kept")
    publish([bundle], "plain", tmp_path / "one", languages=["en"], cache=cache)
    monkeypatch.setattr(documents, "render_site_pages", None)
    monkeypatch.setattr(documents, "render_documents", None)
    publish([bundle], "plain", tmp_path / "other", languages=["en"], cache=cache)
    with pytest.raises(pipeline.StepError):
        publish([bundle], "plain", tmp_path / "third", base_url="https://example.org/", languages=["en"], cache=cache)
