"""`reportgen analyze` in a process of its own: its peak memory, and the longest time in which its progress did not move, as JSON."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.measure import peak_memory
from reportgen import terminal
from reportgen.cli import main


class _Moves:
    """The longest time between two moves of the progress, and the stage it was in."""

    def __init__(self) -> None:
        self.last: float | None = None
        self.longest, self.stage = 0.0, ""

    def moved(self, stage: str) -> None:
        now = time.perf_counter()
        if self.last is not None and now - self.last > self.longest:
            self.longest, self.stage = now - self.last, stage
        self.last = now


def _watched(moves: _Moves) -> type[terminal.Display]:
    class Watched(terminal.Display):
        @contextmanager
        def stage(self, key: str, total: int) -> Iterator[Callable[[int], None]]:
            moves.moved(f"before {key}")
            with super().stage(key, total) as advance:

                def move(steps: int) -> None:
                    moves.moved(key)
                    advance(steps)

                yield move
            moves.moved(key)

    return Watched


if __name__ == "__main__":
    watched = _Moves()
    terminal.Display = _watched(watched)  # type: ignore[misc]
    sys.argv = ["reportgen", "analyze", *sys.argv[1:], "--quiet"]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
    print(json.dumps({"peak": peak_memory(), "still": watched.longest, "during": watched.stage}))
