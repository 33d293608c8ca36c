"""What the layout engine leaves undone for a tagged PDF (ISO 14289-1, PDF/UA-1), done just before the file is written."""

from collections.abc import Iterator
from typing import Any

import pydyf

FORMULA_MARK = "\u2061"
PDFUA = (
    '<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" pdfuaid:part="1"/>\n'
    # PDF/A wants every schema that it does not know itself to be described.
    '<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" '
    'xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">'
    '<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">'
    "<pdfaSchema:schema>PDF/UA Universal Accessibility Schema</pdfaSchema:schema>"
    "<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI><pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>"
    '<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name>'
    "<pdfaProperty:valueType>Integer</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category>"
    "<pdfaProperty:description>Part of ISO 14289 to which the file conforms</pdfaProperty:description>"
    "</rdf:li></rdf:Seq></pdfaSchema:property>"
    "</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>\n"
)


def _target(pdf: pydyf.PDF, reference: bytes) -> Any:
    return pdf.objects[int(reference.split()[0])]


def _tree(pdf: pydyf.PDF, element: pydyf.Dictionary) -> Iterator[pydyf.Dictionary]:
    yield element
    kids = element.get("K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        if isinstance(kid, bytes):
            child = _target(pdf, kid)
            if child.get("Type") == "/StructElem":
                yield from _tree(pdf, child)


def _say_what_heads_what(pdf: pydyf.PDF, elements: list[pydyf.Dictionary]) -> None:
    for element in elements:
        if element["S"] == "/TH":
            part = _target(pdf, _target(pdf, element["P"])["P"])["S"]
            element["A"]["Scope"] = "/Column" if part == "/THead" else "/Row"


def _tag_formulas(elements: list[pydyf.Dictionary]) -> None:
    for element in elements:
        if element["S"] == "/Figure" and "Alt" in element and element["Alt"].string.startswith(FORMULA_MARK):
            element["S"] = "/Formula"
            element["Alt"] = pydyf.String(element["Alt"].string.removeprefix(FORMULA_MARK))


def _make_running_heads_artifacts(pdf: pydyf.PDF, elements: list[pydyf.Dictionary]) -> None:
    """Margin boxes are marked as content of elements that hang in no tree: mark them as what they are."""
    in_tree = {element.number for element in elements}
    root = _target(pdf, pdf.catalog["StructTreeRoot"])
    numbers = _target(pdf, root["ParentTree"])["Nums"]
    pages = [_target(pdf, reference) for reference in pdf.page_references]
    for page in pages:
        parents = numbers[numbers.index(page["StructParents"]) + 1] if page["StructParents"] in numbers[::2] else []
        orphans = {mark for mark, parent in enumerate(parents) if int(parent.split()[0]) not in in_tree}
        stream = _target(pdf, page["Contents"]).stream
        for position, part in enumerate(stream):
            if isinstance(part, pydyf.Dictionary) and part.get("MCID") in orphans:
                stream[position - 1 : position + 2] = ["/Artifact", pydyf.Dictionary({"Type": "/Pagination"}), b"BDC"]
        for mark in orphans:
            parents[mark] = "null"


def _gather_links(pdf: pydyf.PDF, element: pydyf.Dictionary, link: pydyf.Dictionary | None, numbers: list[Any]) -> None:
    """Boxes within a link are annotated too, as part of a span: give their annotations to the link."""
    link = element if element["S"] == "/Link" else link
    kids = element.get("K", [])
    for kid in list(kids) if isinstance(kids, list) else []:
        if not isinstance(kid, bytes):
            continue
        child = _target(pdf, kid)
        if child.get("Type") == "/StructElem":
            _gather_links(pdf, child, link, numbers)
        elif child.get("Type") == "/OBJR" and link is not None and link is not element:
            kids.remove(kid)
            link["K"].append(kid)
            index = _target(pdf, child["Obj"])["StructParent"]
            numbers[2 * numbers[::2].index(index) + 1] = link.reference


def _describe_links(document: Any) -> None:
    for page in document.pages:
        for box in page._page_box.descendants():
            if getattr(box, "link_annotation", None) is not None and box.element is not None:
                words = " ".join("".join(box.element.itertext()).split())
                box.link_annotation["Contents"] = pydyf.String(words or "#")


def _claim_conformance(pdf: pydyf.PDF) -> None:
    metadata = _target(pdf, pdf.catalog["Metadata"])
    metadata.stream = [part.replace(b"</rdf:RDF>", PDFUA.encode() + b"</rdf:RDF>") for part in metadata.stream]


def finish(document: Any, pdf: pydyf.PDF) -> None:
    """WeasyPrint's ``finisher``: scopes of table heads, formulas, running heads, words for links, and the claim to PDF/UA-1."""
    root = _target(pdf, pdf.catalog["StructTreeRoot"])
    elements = list(_tree(pdf, _target(pdf, root["K"][0])))
    _say_what_heads_what(pdf, elements)
    _tag_formulas(elements)
    _gather_links(pdf, elements[0], None, _target(pdf, root["ParentTree"])["Nums"])
    _make_running_heads_artifacts(pdf, elements)
    _describe_links(document)
    _claim_conformance(pdf)
