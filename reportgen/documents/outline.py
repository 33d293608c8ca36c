"""What ``document.yaml`` says: the order of a report, its figures and tables, and the files of its editions - no word of any language.

It is read without anything that draws, so that a command which finds every document made answers at once.
"""

import re
from typing import Annotated, Literal

import pydantic

from analyses.errors import InputError
from reportgen.documents.assets import Assets, fitting

NUMERIC = ("integer", "number", "percent", "p", "interval")
Format = Literal["integer", "number", "percent", "p", "interval", "verdict", "key", "sentence", "value", "text"]


class ColumnSpec(pydantic.BaseModel):
    """One column as written in ``document.yaml``.

    A field that is a ``sentence`` or a ``value`` holds a value spec, written in each language or in the first alone; `note` names
    the field of one that goes on after the column's own words.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    field: str
    heading: str
    format: Format
    high: str | None = None
    note: str | None = None
    digits: int = 2
    unit: bool = False
    prefix: str = ""
    row_heading: bool = False
    group: str | None = None
    width: str | float | None = None
    align: Literal["left", "right"] | None = None

    @pydantic.field_validator("width")
    @classmethod
    def _share(cls, width: str | float | None) -> str | float | None:
        if isinstance(width, str) and not re.fullmatch(r"[1-9]\d?%", width):
            raise ValueError("a width is a weight such as 1.5 or a share such as 36%")
        return width

    @property
    def numeric(self) -> bool:
        """Whether the column is set flush right in tabular figures."""
        return self.align == "right" or (self.align is None and self.format in NUMERIC)


class RowGroupSpec(pydantic.BaseModel):
    """Adjacent rows with the same value of a field stand under a heading of their own: the sentence of the key ``prefix + value``."""

    model_config = pydantic.ConfigDict(extra="forbid")

    field: str
    prefix: str


class TableSpec(pydantic.BaseModel):
    """One table as written in ``document.yaml``."""

    model_config = pydantic.ConfigDict(extra="forbid")

    rows: str
    columns: list[ColumnSpec]
    where: dict[str, str | int | float | bool] = {}
    values: str | None = None
    note: bool = False
    row_id: list[str] = []
    row_groups: RowGroupSpec | None = None
    sortable: bool = False


class _Spec(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


class ItemSpec(_Spec):
    """One thing in a section: exactly one of prose, component, figure, table."""

    prose: str | None = None
    component: str | None = None
    figure: str | None = None
    table: str | None = None
    css: str = pydantic.Field("", alias="class", pattern=r"^[a-z -]*$")
    when: str | None = None
    unless: str | None = None
    editions: list[str] | None = None

    @pydantic.model_validator(mode="after")
    def _one_kind(self) -> "ItemSpec":
        if sum(value is not None for value in (self.prose, self.component, self.figure, self.table)) != 1:
            raise ValueError("an item is exactly one of prose, component, figure, table")
        return self


class SectionSpec(_Spec):
    """A section, with its subsections after its own content."""

    id: str = pydantic.Field(pattern=r"^[a-z][a-z0-9-]*$")
    heading: str
    appendix: bool = False
    when: str | None = None
    unless: str | None = None
    editions: list[str] | None = None
    content: list[ItemSpec] = []
    sections: list["SectionSpec"] = []


class FigureSettings(_Spec):
    """What ``document.yaml`` may say of a figure."""

    values: str | None = None
    how_to_read: bool = True
    width: Literal["text", "wide"] = "wide"


class FileSettings(_Spec):
    """One file of an edition: whether it lists its `contents` on paper, and whether the `data` behind it are attached to the PDF."""

    edition: str
    subtitle: str | None = None
    contents: bool = True
    data: bool = True


class DocumentSpec(_Spec):
    """``document.yaml``: the order of a report, without a word of any language in it.

    `files` are what editions consist of, by the file's name; items and sections name the files that they are in under ``editions``.
    """

    title: str
    subtitle: str | None = None
    running_title: str | None = None
    keywords: str | None = None
    files: dict[Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9-]*$")], FileSettings] = {"report": FileSettings(edition="report")}
    front: list[ItemSpec] = []
    sections: list[SectionSpec]
    figures: dict[str, FigureSettings] = {}
    tables: dict[str, TableSpec] = {}


def read_spec(assets: Assets, folder: str) -> DocumentSpec:
    """``document.yaml`` of an analysis; raises InputError naming the key that is wrong."""
    spec: DocumentSpec = fitting(DocumentSpec, assets.yaml(f"{folder}/document.yaml"), f"{folder}/document.yaml")
    return spec


def files_of(assets: Assets, folder: str, edition: str) -> list[str]:
    """Names of the files that an edition consists of; raises InputError when there is no such edition."""
    files = read_spec(assets, folder).files
    names = [name for name, file in files.items() if file.edition == edition]
    if not names:
        raise InputError(f"edition {edition!r}: choose from {', '.join(dict.fromkeys(file.edition for file in files.values()))}")
    return names
