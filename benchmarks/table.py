"""The figures as a Markdown table, and the table's place in a page of the documentation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

START, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
_HEAD = ["| what | against | ours | theirs | ratio | goal | |", "|---|---|---:|---:|---:|---:|---|"]


def table(report: Mapping[str, Any]) -> str:
    """Markdown: the machines, the rows with their goals, where a run's time goes, and how the cost grows."""
    lines = [
        f"{_machines(report['machines'])} "
        "Medians; each ratio is the median over rounds in which both sides ran in turn. "
        '"x faster" is the other\'s time over ours; "of theirs" is ours over the other\'s.',
        "",
        *_HEAD,
    ]
    lines += [_line(row) for row in report["rows"]]
    held = [row["met"] for row in report["rows"] if row["met"] is not None]
    lines += ["", f"{sum(held)} of {len(held)} goals are met."]
    lines += ["", *(f"Not measured: {reason}." for reason in report["left_out"])]
    if report["stages"]:
        spent = ", ".join(f"{name[0].lower() + name[1:]} {seconds:.1f} s" for name, seconds in report["stages"].items())
        lines += ["", f"Where a fresh `run coffee` spends its time: {spent}."]
    if report["growth"]:
        slopes = ", ".join(f"{entry['what'].replace('_', ' ')} by {entry['by']} {entry['slope']:.2f}" for entry in report["growth"])
        lines += ["", f"How the cost grows (exponent over the upper half of the sizes): {slopes}."]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _machines(machines: Mapping[str, Mapping[str, Any]]) -> str:
    """What each section was measured on; one sentence where that is the same machine in the same call."""
    sections: dict[str, list[str]] = {}
    for section, machine in machines.items():
        sections.setdefault(_machine(machine), []).append(section)
    if len(sections) == 1:
        return f"Measured with `make bench` on {next(iter(sections))}."
    apart = ". ".join(f"{', '.join(names).capitalize()}: {machine}" for machine, names in sections.items())
    return f"Measured with `python -m benchmarks --only SECTION`, which leaves the other sections' last figures. {apart}."


def _machine(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    memory = f"{machine['memory_gb']:.0f} GB of memory, Python {machine['python']}"
    load = f"load of the machine at the start {machine['load_at_start']:.1f}"
    return f"{machine['cores']} cores ({machine['processor']}), {memory}, {versions}; {load}"


def _line(row: Mapping[str, Any]) -> str:
    value = row["figure"] == "value"
    ratio = "" if value else f"{_number(row['ratio'])}{'x faster' if row['figure'] == 'speed' else ' of theirs'}"
    goal = "" if row["goal"] is None else f"{'>=' if row['figure'] == 'speed' else '<='} {row['goal']:g}"
    theirs = "" if row["theirs"] is None else f"{_number(row['theirs'])} {row['unit']}"
    met = {True: "met", False: "**missed**", None: ""}[row["met"]]
    what = f"{row['what']} ({row['note']})" if row["note"] else row["what"]
    return f"| {what} | {row['against']} | {_number(row['ours'])} {row['unit']} | {theirs} | {ratio} | {goal} | {met} |"


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if value < 1e-3:
        return f"{value:.1e}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def insert(page: Path, text: str) -> bool:
    """Put the text between the markers; False where the file has none."""
    content = page.read_text(encoding="utf-8")
    before, start, rest = content.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        return False
    page.write_text(f"{before}{START}\n{text}{END}{after}", encoding="utf-8")
    return True


def short(report: Mapping[str, Any]) -> str:
    """The table with those rows only that have a goal or a note on it."""
    rows: Sequence[Mapping[str, Any]] = [row for row in report["rows"] if row["goal"] is not None or row["note"]]
    return table({**report, "rows": rows})
