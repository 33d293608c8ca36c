"""The folder where converted models are kept, and how a folder gets there whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from analyses.readers import expanded


def cache_directory() -> Path:
    """The user's cache: `REPORTGEN_CACHE`, else `reportgen` below `XDG_CACHE_HOME`, else `~/.cache/reportgen`."""
    if own := os.environ.get("REPORTGEN_CACHE"):
        return expanded(own, "environment variable REPORTGEN_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME")
    return (expanded(shared, "environment variable XDG_CACHE_HOME") if shared else Path.home() / ".cache") / "reportgen"


def build_folder(target: Path, build: Callable[[Path], None]) -> None:
    """Let `build` fill a temporary sibling of `target`, then rename it: an interrupted run leaves no half-made `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        folder = Path(temporary) / "folder"
        folder.mkdir()
        build(folder)
        try:
            folder.rename(target)
        except OSError:
            # Another process was first; what it made is as good as ours.
            if not target.is_dir():
                raise
