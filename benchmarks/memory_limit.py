"""A limit on the memory of a process: a control group of its own where this user may make one, else RLIMIT_DATA."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# Where Linux mounts the groups that limit memory (version 1, then 2), and the file of a group that holds the limit.
_KINDS = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))


@dataclass(frozen=True)
class MemoryLimit:
    """What the limited process has to run first, and what the limit means."""

    program: str
    note: str


@contextmanager
def memory_limit(size: int, mapped: int) -> Iterator[MemoryLimit]:
    """Limit a process to `size` bytes.

    A control group counts everything that the process touches, the system's copies of the files that it reads among it. RLIMIT_DATA
    counts private memory only, and the whole private mapping of the weight files, `mapped` bytes, whether it is filled or not.
    """
    for root, name in _KINDS:
        group = root / f"reportgen-bench-{os.getpid()}"
        try:
            group.mkdir()
            (group / name).write_text(str(size), encoding="ascii")
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        try:
            join = f"open({str(group / 'cgroup.procs')!r}, 'w').write('0')"
            yield MemoryLimit(join, f"limited to {size / 1e9:g} GB by a control group, the cached pages of the weight files included")
        finally:
            group.rmdir()
        return
    program = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, ({size + mapped}, {size + mapped}))"
    yield MemoryLimit(program, f"private memory limited to the mapped weights and {size / 1e9:g} GB (RLIMIT_DATA)")
