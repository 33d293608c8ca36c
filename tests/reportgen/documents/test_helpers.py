"""PDFs laid out by other processes: the same bytes, the same errors, and no process left behind."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from markupsafe import Markup

from reportgen.documents import Document, helpers
from reportgen.documents.document import TextItem
from reportgen.documents.helpers import Helpers


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_helpers_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch, documents: dict[str, Document], papers: dict[str, bytes]) -> None:
    monkeypatch.setattr(helpers, "processors", lambda: 2)
    with Helpers(2) as crew:
        assert len(crew._processes) == 1
        pid = crew._processes[0].pid
        # The helper takes what this process leaves: both, as `work` is not called.
        futures = [crew.add(documents[code]) for code in ("en", "vi")]
        assert [future.result(timeout=120) == papers[code] for future, code in zip(futures, ("en", "vi"), strict=True)] == [True, True]
    assert gone(pid)


def test_what_goes_wrong_in_a_helper_is_raised_here(monkeypatch: pytest.MonkeyPatch, documents: dict[str, Document]) -> None:
    monkeypatch.setattr(helpers, "processors", lambda: 2)
    spoiled = TextItem({"en": Markup('<p><img alt="x" src="https://example.org/x.png"></p>')})
    with Helpers(2) as crew:
        future = crew.add(dataclasses.replace(documents["en"], front=(spoiled,)))
        with pytest.raises(RuntimeError) as raised:
            future.result(timeout=120)
    assert str(raised.value) == "the report may not load https://example.org/x.png"


def test_a_helper_that_is_killed_is_an_error_not_a_wait(monkeypatch: pytest.MonkeyPatch, documents: dict[str, Document]) -> None:
    monkeypatch.setattr(helpers, "processors", lambda: 2)
    with Helpers(2) as crew:
        crew._processes[0].kill()
        with pytest.raises(RuntimeError, match="ended early"):
            crew.add(documents["en"]).result(timeout=60)


def test_leaving_by_an_interrupt_ends_the_helpers(monkeypatch: pytest.MonkeyPatch, documents: dict[str, Document]) -> None:
    monkeypatch.setattr(helpers, "processors", lambda: 3)
    pids: list[int] = []

    def interrupted() -> None:
        with Helpers(3) as crew:
            pids.extend(process.pid for process in crew._processes)
            crew.add(documents["en"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize(("cpus", "documents_count"), [(8, 1), (1, 3), (8, 0)])
def test_one_document_or_one_processor_needs_no_helper(monkeypatch: pytest.MonkeyPatch, cpus: int, documents_count: int) -> None:
    monkeypatch.setattr(helpers, "processors", lambda: cpus)
    with Helpers(documents_count) as crew:
        assert crew._processes == []


SCRIPT = """
print("ran", flush=True)
from reportgen.documents import helpers
helpers.processors = lambda: 2
with helpers.Helpers(2) as crew:
    print(type(crew.add(None).exception(timeout=60)).__name__)
"""


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """The helper answers without running the script once more."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "ran\nAttributeError\n"
