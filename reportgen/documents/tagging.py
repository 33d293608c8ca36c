"""What the layout engine leaves undone for a tagged PDF (ISO 14289-1, PDF/UA-1), done just before the file is written."""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pydyf
from weasyprint.formatting_structure import boxes
from weasyprint.layout.absolute import AbsolutePlaceholder

FORMULA_MARK = "\u2061"
# A file within a PDF is dated: where the report has no date, by this.
UNDATED = datetime.datetime(1970, 1, 1)
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


def _kids(element: pydyf.Dictionary) -> list[Any]:
    kids = element.get("K", [])
    return kids if isinstance(kids, list) else [kids]


def _children(pdf: pydyf.PDF, element: pydyf.Dictionary) -> list[pydyf.Dictionary]:
    targets = [_target(pdf, kid) for kid in _kids(element) if isinstance(kid, bytes)]
    return [target for target in targets if target.get("Type") == "/StructElem"]


def _tree(pdf: pydyf.PDF, element: pydyf.Dictionary) -> Iterator[pydyf.Dictionary]:
    yield element
    for child in _children(pdf, element):
        yield from _tree(pdf, child)


def _contents(box: Any) -> Iterator[Any]:
    """The boxes of text and pictures in the order in which they are tagged."""
    if isinstance(box, AbsolutePlaceholder):
        box = box._box
    if isinstance(box, (boxes.TextBox, boxes.ReplacedBox)):
        yield box
    elif isinstance(box, boxes.ParentBox) and not isinstance(box, boxes.MarginBox):
        for child in box.children:
            yield from _contents(child)


def _name_languages(document: Any, pdf: pydyf.PDF, elements: list[pydyf.Dictionary]) -> None:
    """Where the language changes, say to which (ISO 14289-1, 7.2), at the element that holds all of the change."""
    of_page: dict[bytes, list[int]] = defaultdict(list)
    for element in elements:
        of_page[element.get("Pg", b"")] += [element.number for kid in _kids(element) if isinstance(kid, int)]
    languages: dict[int, set[str | None]] = defaultdict(set)
    for page, reference in zip(document.pages, pdf.page_references, strict=True):
        for number, box in zip(of_page[reference], _contents(page._page_box), strict=True):
            languages[number].add(box.style["lang"])
    for element in reversed(elements):
        for child in _children(pdf, element):
            languages[element.number] |= languages[child.number]

    def name(element: pydyf.Dictionary, around: str) -> None:
        only = next(iter(languages[element.number])) if len(languages[element.number]) == 1 else None
        if only not in (None, around):
            element["Lang"] = pydyf.String(only)
        for child in _children(pdf, element):
            name(child, only or around)

    name(elements[0], pdf.catalog["Lang"].string)


def _say_what_heads_what(pdf: pydyf.PDF, elements: list[pydyf.Dictionary]) -> None:
    for element in elements:
        if element["S"] == "/TH":
            part = _target(pdf, _target(pdf, element["P"])["P"])["S"]
            element["A"]["Scope"] = "/Column" if part == "/THead" else "/Row"


def _tag_formulas(pdf: pydyf.PDF, elements: list[pydyf.Dictionary], mathml: Mapping[str, str], date: datetime.datetime) -> None:
    """Formulas are what they are, with their words and, as an associated file (PDF/A-3), their MathML."""
    files: dict[str, bytes] = {}
    for element in elements:
        if element["S"] == "/Figure" and "Alt" in element and element["Alt"].string.startswith(FORMULA_MARK):
            words = element["Alt"].string.removeprefix(FORMULA_MARK)
            element["S"] = "/Formula"
            element["Alt"] = pydyf.String(words)
            if words in mathml:
                if words not in files:
                    files[words] = _file(pdf, f"formula-{len(files) + 1}.mml", mathml[words], words, date)
                element["AF"] = pydyf.Array([files[words]])


def _file(pdf: pydyf.PDF, name: str, content: str, words: str, date: datetime.datetime) -> bytes:
    """A file within the PDF; returns the reference to what describes it."""
    data, day = content.encode(), pydyf.String(date.strftime("D:%Y%m%d%H%M%SZ"))
    parameters = pydyf.Dictionary({"CreationDate": day, "ModDate": day, "Size": len(data)})
    stream = pydyf.Stream([data], {"Type": "/EmbeddedFile", "Subtype": "/application#2Fmathml+xml", "Params": parameters})
    pdf.add_object(stream)
    described = pydyf.Dictionary(
        {
            "Type": "/Filespec",
            "F": pydyf.String(name),
            "UF": pydyf.String(name),
            "EF": pydyf.Dictionary({"F": stream.reference, "UF": stream.reference}),
            "AFRelationship": "/Supplement",
            "Desc": pydyf.String(words),
        }
    )
    pdf.add_object(described)
    return bytes(described.reference)


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


def _drop_empty_spans(pdf: pydyf.PDF, elements: list[pydyf.Dictionary]) -> None:
    """Where a line ends at the space that a box of words begins with, the engine tags a piece of it with nothing in it."""
    # Children stand behind their parents: what held nothing but such pieces is one by its turn.
    for element in reversed(elements):
        kids = _kids(element)
        kept = [kid for kid in kids if not (isinstance(kid, bytes) and _is_empty_span(_target(pdf, kid)))]
        if len(kept) < len(kids):
            element["K"] = pydyf.Array(kept)


def _is_empty_span(target: Any) -> bool:
    words = {"Alt", "ActualText"}
    return isinstance(target, pydyf.Dictionary) and target.get("S") == "/Span" and not _kids(target) and not words & target.keys()


def _describe_links(document: Any) -> None:
    for page in document.pages:
        for box in page._page_box.descendants():
            if getattr(box, "link_annotation", None) is not None and box.element is not None:
                words = " ".join("".join(box.element.itertext()).split())
                box.link_annotation["Contents"] = pydyf.String(words or "#")


def _claim_conformance(pdf: pydyf.PDF) -> None:
    metadata = _target(pdf, pdf.catalog["Metadata"])
    metadata.stream = [part.replace(b"</rdf:RDF>", PDFUA.encode() + b"</rdf:RDF>") for part in metadata.stream]


def finish(document: Any, pdf: pydyf.PDF, *, mathml: Mapping[str, str] | None = None, date: datetime.datetime = UNDATED) -> None:
    """WeasyPrint's ``finisher``: languages, scopes of table heads, formulas, running heads, words for links, the claim to PDF/UA-1.

    `mathml` is that of each formula, by its words; `date` that of the files which hold it.
    """
    root = _target(pdf, pdf.catalog["StructTreeRoot"])
    elements = list(_tree(pdf, _target(pdf, root["K"][0])))
    _name_languages(document, pdf, elements)
    _say_what_heads_what(pdf, elements)
    _tag_formulas(pdf, elements, mathml or {}, date)
    _gather_links(pdf, elements[0], None, _target(pdf, root["ParentTree"])["Nums"])
    _make_running_heads_artifacts(pdf, elements)
    _drop_empty_spans(pdf, elements)
    _describe_links(document)
    _claim_conformance(pdf)
