import json
from pathlib import Path

import pytest

from benchmarks import word_null
from benchmarks.__main__ import PAGE, RESULTS
from benchmarks.measure import at_most, compared, in_turn
from benchmarks.table import END, START, insert, short, table

MACHINE = {"cores": 2, "processor": "x", "memory_gb": 8.0, "python": "3.11", "versions": {"numpy": "2"}, "load_at_start": 0.0}


def report(rows, machines=None):
    return {
        "machines": machines or {"estimators": MACHINE, "capture": MACHINE},
        "rows": [row.plain() for row in rows],
        "left_out": ["ennemi, which is not here"],
        "stages": {},
        "growth": [],
    }


def test_a_ratio_is_the_median_of_the_rounds_own_ratios():
    # The second round ran on a busy machine: medians of each side apart would give 4 / 2.
    row = compared("estimators", "ours", "theirs", "s", [1.0, 10.0, 2.0], [3.0, 30.0, 4.0], goal=3)
    assert row.ratio == 3.0
    assert row.met
    assert compared("capture", "ours", "theirs", "s", [1.0], [2.0], figure="share", goal=0.4).met is False
    assert at_most("capture", "peak", "GB", 1.0, 1.0).met
    assert at_most("capture", "time", "s", 9.0, None).met is None


def test_contenders_take_turns():
    order = []
    seconds = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2)
    assert "".join(order) == "ab" + "ab" + "ba"
    assert [len(values) for values in seconds.values()] == [2, 2]


def test_the_table_says_what_is_missed_and_what_is_left_out():
    rows = [
        compared("estimators", "fast", "loop", "us a pair", [1.0], [50.0], goal=90),
        compared("estimators", "other", "loop", "us a pair", [1.0], [2.0]),
        at_most("capture", "peak memory", "GB", 0.9, 1.0),
    ]
    text = table(report(rows))
    assert "| fast | loop | 1 us a pair | 50 us a pair | 50x faster | >= 90 | **missed** |" in text
    assert "| peak memory |  | 0.9 GB |  |  | <= 1 | met |" in text
    assert "1 of 2 goals are met." in text
    assert "Not measured: ennemi, which is not here." in text
    assert "| other |" in text
    assert "| other |" not in short(report(rows))


def test_figures_of_several_machines_say_which_are_of_which():
    other = {**MACHINE, "processor": "y"}
    text = table(report([], {"estimators": MACHINE, "capture": other, "growth": MACHINE}))
    assert "Estimators, growth: 2 cores (x), 8 GB of memory, Python 3.11, numpy 2; load of the machine at the start 0.0." in text
    assert "Capture: 2 cores (y)" in text
    assert "make bench" not in text
    assert "Measured with `make bench` on 2 cores (x)" in table(report([]))


def test_insertion_replaces_only_what_stands_between_the_markers(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{START}\nold\n{END}\nafter\n", encoding="utf-8")
    assert insert(page, "new\n")
    assert insert(page, "new\n")
    assert page.read_text(encoding="utf-8") == f"before\n{START}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize("content", ["nothing", f"{END} {START}", START])
def test_insertion_without_markers_leaves_the_file_alone(tmp_path, content):
    page = tmp_path / "benchmarks.md"
    page.write_text(content, encoding="utf-8")
    assert not insert(page, "new\n")
    assert page.read_text(encoding="utf-8") == content


def test_the_page_of_the_documentation_shows_the_last_figures():
    report = json.loads((RESULTS / "bench.json").read_text(encoding="utf-8"))
    between = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    assert between.strip() == short(report).strip()


def test_the_page_of_evidence_shows_the_last_figures_of_random_words():
    results = json.loads((Path(word_null.__file__).parent / "results" / "word_null.json").read_text())
    page = (Path(word_null.__file__).parents[1] / "docs" / "evidence.md").read_text()
    rows = [line.replace("%", " %") for line in word_null.table(results).splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows[1:]) == 30
    assert [row for row in rows[1:] if row not in page] == []
    decided = [sum(shares["primary"][verdict] for verdict in ("supported", "contradicted"))
               for found in results["studies"].values() for name, shares in found.items() if ":" not in name]  # fmt: skip
    assert max(decided) <= 0.05
