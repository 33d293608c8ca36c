"""Warnings: what went another way than it should, though the result is right. Each is said once."""

import logging

LOGGER = logging.getLogger("reportgen")
_said: set[str] = set()


def warn(message: str) -> None:
    """Say one line, once in the life of the process, to whoever listens to the logger ``reportgen``."""
    line = " ".join(message.split())
    if line not in _said:
        _said.add(line)
        LOGGER.warning("%s", line)


def forget() -> None:
    """Let every warning be said again: a process that runs several commands begins each one afresh."""
    _said.clear()
