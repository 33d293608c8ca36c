"""Many studies at once: a grid of models, texts and words, computed cell by cell into a store and pooled into one report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analyses.errors import InputError
from analyses.machine import processors
from analyses.progress import Progress, SilentProgress
from analyses.protocol import Gridded
from analyses.protocol import Swept as SweptAnalysis
from analyses.readers import is_file
from reportgen import pipeline, registry
from reportgen.cache import Cache
from reportgen.resources import language_codes
from reportgen.sweep.grid import load_grid
from reportgen.sweep.plan import Cell, Plan, plan, shard, swept
from reportgen.sweep.store import CELLS, FAILED, PLAN, Store
from reportgen.sweep.work import Done, work

# The store of a sweep that names no other, in its --out.
FOLDER = "store"
# What is kept of a cell of 30 layers, in bytes.
_CELL_BYTES = 250_000
# So many cells at the most are looked at to say how long all of them take.
_LOOKED_AT = 40


@dataclass(frozen=True)
class Swept:
    """What a sweep planned and did, and the pooled study that it made of it (none of a single shard)."""

    plan: Plan
    done: Done
    outcome: pipeline.Outcome | None


def built_in() -> dict[str, Path]:
    """Grids that come along: name -> file."""
    return {
        name: file for analysis in registry.analyses().values() if isinstance(analysis, Gridded) for name, file in analysis.grids().items()
    }


def grid_file(grid: str | Path) -> Path:
    """The file of a grid that is built in or a file; raises InputError where there is none."""
    known = built_in()
    if str(grid) in known:
        return known[str(grid)]
    if not is_file(Path(grid)):
        raise InputError(
            f"GRID {grid}: there is no such file and no built-in grid of this name; expected {registry.choices(known)}, or a YAML file"
            f"{registry.nearest(str(grid), known)}"
        )
    return Path(grid)


def sweep(
    grid: str | Path,
    out: Path | str,
    *,
    store: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    part: str | None = None,
    retry: bool = False,
    languages: Sequence[str] = pipeline.LANGUAGES,
    formats: Sequence[str] = pipeline.FORMATS,
    progress: Progress | None = None,
    cache: Cache | None = None,
) -> Swept:
    """Compute the cells of a grid that the store does not have, and make the pooled report of all of them.

    Parameters
    ----------
    grid
        Name of a built-in grid, or a YAML file.
    out
        Folder of the report.
    store
        Where cells are kept: a folder or a URL that fsspec reaches; ``store`` in `out` unless given.
    workers
        Processes; as many as there are processors unless given.
    scheduler
        Address of a Dask scheduler, or the file that it wrote: its workers compute the cells, and must reach `store`.
    part
        ``2/3`` computes the second of three shards and makes no report: that is for a call without.
    retry
        Try again what could not be computed before.

    Raises
    ------
    InputError, MissingError, StepError
        As `pipeline.run`; also where no cell could be computed.
    """
    if scheduler is not None and workers is not None:
        raise InputError("--workers: how many compute is the scheduler's own; leave out --workers or --scheduler")
    out, progress = Path(out), progress or SilentProgress()
    file = grid_file(grid)
    settings = load_grid(file, language_codes())
    pipeline.Rendering(tuple(languages), tuple(formats)).check()
    planned = plan(settings, file, progress)
    groups = planned.groups() if part is None else shard(planned.groups(), part)
    kept = Store(store if store is not None else str(out / FOLDER))
    kept.write(PLAN, planned.to_json())
    done = work(groups, kept, progress, workers=workers, scheduler=scheduler, retry=retry)
    if part is not None:
        return Swept(planned, done, None)
    folder = kept.folder or _mirrored(kept, planned, out / FOLDER)
    analysis = registry.analysis_named(swept(settings, file).pooled, str(file))
    study = analysis.settings_type.model_validate(
        {"name": settings.name, "cells_folder": str(folder), "document": settings.document.model_dump()}
    )
    return Swept(planned, done, pipeline.run(study, out, languages=languages, formats=formats, progress=progress, cache=cache))


def outlook(grid: str | Path, out: Path | str, *, store: str | None = None, progress: Progress | None = None) -> str:
    """What `sweep` would do, in a few lines; nothing is written."""
    file = grid_file(grid)
    grid_settings = load_grid(file, language_codes())
    planned = plan(grid_settings, file, progress or SilentProgress())
    kept = Store(store if store is not None else str(Path(out) / FOLDER))
    keys = {cell.key for cell in planned.cells}
    there = kept.keys(CELLS) & keys
    failed = kept.keys(FAILED) & keys - there
    texts, words = {cell.text.name for cell in planned.cells}, {cell.settings.word for cell in planned.cells}
    left = [cell for cell in {cell.key: cell for cell in planned.cells}.values() if cell.key not in there | failed]
    seconds = _seconds(swept(grid_settings, file), left)
    return "\n".join(
        [
            f"models: {len(planned.grid.models)}, texts: {len(texts)}, words: {len(words)}, cells: {len(planned.cells)}",
            f"in the store: {len(there)}, could not be computed before: {len(failed)}, to be computed: {len(left)}",
            f"to take: about {_duration(seconds / processors())} on {processors()} processors",
            f"to be kept: about {-(-len(left) * _CELL_BYTES // 1_000_000)} MB",
        ]
    )


def _duration(seconds: float) -> str:
    """In minutes, rounded up, and from two hours on in hours.

    >>> _duration(1), _duration(600), _duration(9000)
    ('1 minute', '10 minutes', '2.5 hours')
    """
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}" if minutes < 120 else f"{seconds / 3600:.1f} hours"


def _seconds(analysis: SweptAnalysis, cells: Sequence[Cell]) -> float:
    """About how long one processor takes, from some of the cells, evenly over the plan."""
    each = [analysis.seconds(cell.settings) for cell in cells[:: -(-len(cells) // _LOOKED_AT) or 1]]
    return sum(each) / max(len(each), 1) * len(cells)


def _mirrored(store: Store, planned: Plan, folder: Path) -> Path:
    """The cells of a plan from a store elsewhere in a folder of this machine, for the pooled study reads files."""
    here = Store(str(folder))
    here.write(PLAN, planned.to_json())
    there, keys = here.whole(here.keys(CELLS)), {cell.key for cell in planned.cells}
    for kind, end in ((CELLS, "zip"), (FAILED, "json")):
        for key in sorted(store.keys(kind) & keys):
            if kind == FAILED or key not in there:
                here.write(f"{kind}/{key}.{end}", store.read(f"{kind}/{key}.{end}"))
    return folder
