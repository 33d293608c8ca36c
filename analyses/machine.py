"""What this machine offers a process."""

import os


def threads() -> int:
    """How many threads this process is to compute with: one for each processor, or as many as OMP_NUM_THREADS says.

    Arithmetic libraries obey the same variable; of a sweep's many processes each gets one thread.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors(), int(wanted)) if wanted.isdecimal() and int(wanted) else processors()


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
