"""What the documentation says of a sweep's cost is what was measured, and meets what was asked for."""

import json
from pathlib import Path

from benchmarks import sweep

FOUND = json.loads(sweep.RESULTS.read_text(encoding="utf-8"))
PAGE = (Path(sweep.__file__).parents[1] / "docs" / "sweep.md").read_text(encoding="utf-8")


def test_the_page_has_the_tables_of_the_results_that_are_kept():
    assert sweep.kept() in PAGE


def test_a_cell_is_fast_and_plan_and_store_are_little_of_it():
    assert FOUND["loop"]["ratio"] >= 15
    assert FOUND["overhead"]["share"] < 0.05


def test_two_processes_do_the_work_of_two():
    found = FOUND["two_workers"]
    assert found["ratio"] == found["one"] / found["two"] >= 1.85


def test_the_cost_model_predicts_what_was_measured():
    for row in FOUND["model"]["checked"]:
        assert 0.75 <= row["predicted"] / row["measured"] <= 1.33, row


def test_the_large_grid_is_priced_by_the_cost_model():
    """Hours are cells times what a cell takes, and bytes cells times what one keeps."""
    large, model = FOUND["large"], FOUND["model"]
    assert large["cells"] == 10 * 1000 * 10
    assert large["gigabytes"] * 1e9 / large["cells"] == FOUND["overhead"]["cell_bytes"]
    least = large["cells"] * model["rest_seconds_per_cell"] / 3600 + large["capture_hours"]
    assert large["core_hours"] > least
