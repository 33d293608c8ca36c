"""What became of a study over time: one entry for each regeneration, known by the digest of its bundle."""

import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pydantic
from markupsafe import Markup

from analyses.errors import InputError
from analyses.readers import read_json, replace_unprintable
from reportgen.baseline import write_baseline
from reportgen.problems import first_problem
from reportgen.publish.description import Study
from reportgen.publish.pages import Pages
from reportgen.publish.site import SiteName

NUMBERS = "numbers.zip"
_KEPT = 12
LABEL_LENGTH = 200
# More often than a bundle that comes back every minute for a year.
_MOST_RETURNS = 1_000_000
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Regeneration:
    """One regeneration.

    Attributes
    ----------
    label
        By which it is named and ordered: given by the user, else the date in the settings, else empty.
    verdicts
        Rows with statement, name, estimator, control, verdict.
    has_changes
        Whether a page compares it with the one before.
    nth
        How many times the same bundle came back, this one included: what was restored is news too.
    """

    digest: str
    label: str
    verdicts: tuple[Mapping[str, Any], ...]
    languages: tuple[str, ...]
    has_changes: bool = False
    nth: int = 1

    @property
    def id(self) -> str:
        """Name of its folder."""
        return self.digest[:_KEPT] if self.nth == 1 else f"{self.digest[:_KEPT]}-{self.nth}"

    @property
    def name(self) -> str:
        return self.label or self.id


def checked_label(label: str) -> str:
    """A label as it is; raises ValueError unless it is one line, short enough for a table, of characters that are seen."""
    if len(label) > LABEL_LENGTH or not label.isprintable():
        shown = label if len(label) <= _KEPT else f"{label[:_KEPT]}..."
        raise ValueError(f"expected one line of at most {LABEL_LENGTH} printable characters, found {shown!r}")
    return label


def moment_of(label: str) -> datetime | None:
    """The moment that a label names, in UTC where it says its zone; None where it names none, or one before year 1 or after 9999.

    >>> moment_of("2026-03-09T04:00+07:00"), moment_of("0001-01-01T00:00+07:00"), moment_of("week 9")
    (datetime.datetime(2026, 3, 8, 21, 0, tzinfo=datetime.timezone.utc), None, None)
    """
    try:
        moment = datetime.fromisoformat(label)
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class _Verdict(pydantic.BaseModel):
    statement: str | int
    estimator: str
    control: str
    verdict: str


class _Entry(pydantic.BaseModel):
    digest: str = pydantic.Field(pattern=r"^[0-9a-f]{64}$")
    label: Annotated[str, pydantic.AfterValidator(checked_label)]
    verdicts: list[dict[str, Any]] | None = None
    verdicts_of: Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{12}(-[0-9]{1,7})?$")] | None = None
    languages: list[SiteName] = pydantic.Field(min_length=1)
    has_changes: bool
    nth: int = pydantic.Field(1, ge=1, le=_MOST_RETURNS)

    @pydantic.field_validator("verdicts")
    @classmethod
    def _are_verdicts(cls, rows: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        for row in rows or ():
            _Verdict.model_validate(row)
        return rows


class _History(pydantic.BaseModel):
    regenerations: list[_Entry]

    def entries(self) -> list[Regeneration]:
        """The entries, with their verdicts where the file names another one that has them."""
        found = [
            Regeneration(row.digest, row.label, tuple(row.verdicts or ()), tuple(row.languages), row.has_changes, row.nth)
            for row in self.regenerations
        ]
        own = {entry.id: entry.verdicts for entry, row in zip(found, self.regenerations, strict=True) if row.verdicts is not None}
        for number, row in enumerate(self.regenerations):
            if row.verdicts is None:
                if row.verdicts_of not in own:
                    raise InputError(f"an entry has the verdicts of {row.verdicts_of}, which is not there")
                found[number] = replace(found[number], verdicts=own[row.verdicts_of])
        return found


def regeneration(
    study: Study,
    label: str | None,
    codes: Sequence[str],
    *,
    has_changes: bool,
    entries: Sequence[Regeneration] = (),
    shown: str | None = None,
) -> Regeneration:
    """The entry of a study as it is published now, behind those of the history and the bundle that the site shows.

    A bundle that was there before and comes back by another label is an entry of its own.
    """
    names = ("statement", "name", "estimator", "control", "verdict")
    rows = tuple({name: row[name] for name in names if name in row} for row in study.results.study["verdicts"])
    same = [entry for entry in entries if entry.digest == study.digest]
    returned = same and label and shown != study.digest and label not in [entry.label for entry in same]
    nth = len(same) + 1 if returned else 1
    return Regeneration(study.digest, label or study.date or "", rows, tuple(codes), has_changes, nth)


def packed_baseline(bundle: Path) -> bytes:
    """What an entry keeps of its bundle's numbers, as one file: the baseline, with which `compare` compares."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        baseline = Path(temporary) / "baseline"
        write_baseline(bundle, baseline)
        for file in sorted(path for path in baseline.rglob("*") if path.is_file()):
            # Neither the time nor the system that it was made on may show.
            entry = zipfile.ZipInfo(file.relative_to(temporary).as_posix(), _NO_TIME)
            entry.create_system, entry.external_attr, entry.compress_type = 3, 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return packed.getvalue()


def read_history(file: Path) -> list[Regeneration]:
    """The entries of an earlier publication; none where there is no such file."""
    if not os.path.lexists(file):
        return []
    try:
        # No verdict that reportgen wrote holds characters that steer a terminal.
        return _History.model_validate(replace_unprintable(read_json(file, "history"))).entries()
    except (pydantic.ValidationError, InputError) as error:
        problem = first_problem(error) if isinstance(error, pydantic.ValidationError) else error
        raise InputError(f"{file} is damaged ({problem}); restore it, or remove it to begin a new history") from None


def history_json(entries: Iterable[Regeneration]) -> str:
    """The entries as the file from which they are read again; a verdict a line, and verdicts that are those of an entry before once."""
    rows: list[str] = []
    known: dict[str, str] = {}
    for entry in entries:
        values = {name: value for name, value in asdict(entry).items() if (name, value) != ("nth", 1)}
        verdicts = ",\n   ".join(_line(row) for row in values.pop("verdicts"))
        there = known.setdefault(verdicts, entry.id)
        said = f'"verdicts": [\n   {verdicts}\n  ]' if there == entry.id else f'"verdicts_of": {_line(there)}'
        rows.append(f"  {{{_line(values)[1:-1]}, {said}}}")
    entered = ",\n".join(rows)
    return f'{{\n "format": 1,\n "regenerations": [\n{entered}\n ]\n}}\n'


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def with_entry(entries: Sequence[Regeneration], new: Regeneration, label: str | None) -> list[Regeneration]:
    """The history with the entry `new`; a bundle that is in it already stays what it was, unless a label is given now.

    Labels order the history, numbers in them by value (``week 9`` before ``week 10``), times with a zone by the moment that they name.
    An entry that has none stays behind the one that it was published after.
    """
    same = [entry for entry in entries if entry.digest == new.digest]
    if same and new.nth == 1:
        found = [replace(entry, label=label) if label and entry is same[-1] else entry for entry in entries]
    else:
        found = [*entries, new]
    order: list[_Place] = []
    for entry in found:
        order.append(_natural(entry.label) if entry.label else order[-1] if order else [])
    return [entry for _, entry in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]


_Place = list[tuple[int, int, str]]


def _natural(label: str) -> _Place:
    moment = moment_of(label)
    if moment is not None and moment.tzinfo is not None:
        label = moment.isoformat(timespec="microseconds")
    # Not `isdigit`, which takes a raised 2 for a digit: `int` does not.
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", label) if part]


def timeline(entries: Sequence[Regeneration], pages: Pages) -> list[dict[str, Any]]:
    """Tables of verdicts, one for each control: a row a statement and estimator.

    A row has the verdicts that followed one another, each with the regeneration that it came with.
    """
    found: dict[str, dict[tuple[str, str], list[str | None]]] = {}
    for index, entry in enumerate(entries):
        for row in entry.verdicts:
            rows = found.setdefault(str(row["control"]), {})
            key = (str(row.get("name", row["statement"])), str(row["estimator"]))
            rows.setdefault(key, [None] * len(entries))[index] = str(row["verdict"])
    tables = []
    for control, rows in found.items():
        lines = []
        for (statement, estimator), verdicts in rows.items():
            came = [index for index, verdict in enumerate(verdicts) if index == 0 or verdict != verdicts[index - 1]]
            lines.append(
                {
                    "statement": pages.named([f"statement.{statement}.short"], statement),
                    "estimator": pages.named([f"estimator.{estimator}"], estimator),
                    "verdicts": [{"verdict": verdicts[index], "since": entries[index].name} for index in came],
                }
            )
        tables.append({"control": None if control == "none" else _control_heading(control, pages), "rows": lines})
    return tables


def _control_heading(control: str, pages: Pages) -> Markup:
    key = f"control.{control}"
    words = {language.code: language.catalogue.get(key, control.replace("_", " ")) for language in pages.languages}
    return pages.each({language.code: language.text("publish.control_off", control=words[language.code]) for language in pages.languages})
