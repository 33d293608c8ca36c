"""Several PDFs at once: documents know nothing of each other, so other processes lay some of them out.

Each document is two tasks, finding its figures' places and printing it, which keeps two processors busy to the end. A helper is a
plain Python process that is given tasks over its standard input. Unlike `multiprocessing`, it never runs the user's main module
again, so that a script or a notebook may render without a guard around it.
"""

import ctypes
import gc
import itertools
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from analyses.machine import processors
from reportgen.documents.document import Document

_PR_SET_PDEATHSIG = 1


def perform(name: str, *arguments: Any) -> Any:
    """Do the task ``plan`` or ``print``; the layout engine is loaded now, because a report without PDF does without it."""
    from reportgen.documents.pdf import plan_pdf, render_pdf

    tasks: dict[str, Callable[..., Any]] = {"plan": plan_pdf, "print": render_pdf}
    return tasks[name](*arguments)


@dataclass(frozen=True)
class _Task:
    name: str
    arguments: tuple[Any, ...]
    done: Callable[[Any], None]
    failed: Callable[[BaseException], None]


def serve() -> None:
    """Be a helper: read tasks from standard input and answer each with what it gives, or with what went wrong, until there are no more."""
    # Whoever started the helper decides what Ctrl-C ends; the terminal sends it to both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # What a document leaves behind goes with the process, or before the next document: to look for it takes a tenth of the time.
    gc.disable()
    for earlier in itertools.count():
        try:
            name, document, *rest = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        if earlier:
            gc.collect()
        answer: Any
        try:
            answer = perform(name, document, *rest)
        except Exception as error:
            answer = _portable(error)
        try:
            pickle.dump(answer, answers)
            answers.flush()
        except BrokenPipeError:
            os._exit(0)


def _end_with_parent() -> None:
    """Let the system end this helper when the process that started it is killed, even in the middle of a task (Linux)."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _portable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note("".join(traceback.format_exception(error)))
    return error


class Helpers:
    """Lays out PDFs here and in helper processes; as a context manager, it ends the helpers however the block is left.

    Parameters
    ----------
    documents
        How many there will be: for a single one, or on a single processor, no process is started.
    """

    def __init__(self, documents: int) -> None:
        # Not a SimpleQueue: with one reader that waits and one that waits only so long, CPython's can stop for ever.
        self._waiting: queue.Queue[_Task | None] = queue.Queue()
        self._unfinished: list[Future[bytes]] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        count = min(documents, processors()) - 1 if sys.executable else 0
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._processes.append(process)
        threading.Thread(target=self._feed, args=(process,), daemon=True).start()

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        while (task := self._waiting.get()) is not None:
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                pickle.dump((task.name, *task.arguments), process.stdin)
                process.stdin.flush()
                answer = pickle.load(process.stdout)
            except Exception as error:
                task.failed(RuntimeError(f"PDF: the process that laid it out ended early ({type(error).__name__})"))
                return
            if isinstance(answer, Exception):
                task.failed(answer)
            else:
                task.done(answer)

    def add(self, document: Document) -> "Future[bytes]":
        """Hand in a document; its PDF will be the future's result, as `render_pdf` gives it."""
        future: Future[bytes] = Future()

        def planned(arrangement: Any) -> None:
            self._waiting.put(_Task("print", (document, arrangement), future.set_result, future.set_exception))

        self._unfinished.append(future)
        self._waiting.put(_Task("plan", (document,), planned, future.set_exception))
        return future

    def work(self) -> None:
        """Do here what no helper has begun; returns when every document is done or has failed."""
        while not all(future.done() for future in self._unfinished):
            try:
                # A helper may be busy with a document's plan, after which there is its printing to do.
                task = self._waiting.get(timeout=0.05)
            except queue.Empty:
                continue
            if task is None:
                return
            try:
                task.done(perform(task.name, *task.arguments))
            except Exception as error:
                task.failed(error)

    def __enter__(self) -> "Helpers":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes:
            self._waiting.put(None)
            process.kill()
        for process in self._processes:
            process.wait()
