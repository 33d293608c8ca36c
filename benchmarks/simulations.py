"""What every simulation of verdicts does in the end: shares of the data sets, and figures written to a file."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from analyses.statistics.verdicts import VERDICTS


def tally(runs: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Name -> source -> verdict -> share of the data sets. Each run is the name -> source -> verdict of one data set."""
    counts: dict[str, dict[str, Counter[str]]] = {}
    total = 0
    for found in runs:
        total += 1
        for name, sources in found.items():
            for source, verdict in sources.items():
                counts.setdefault(name, {}).setdefault(source, Counter())[verdict] += 1
    return {
        name: {source: {verdict: round(counter[verdict] / total, 4) for verdict in VERDICTS} for source, counter in sources.items()}
        for name, sources in counts.items()
    }


def write(text: str, results: Mapping[str, Any], out: Path | None) -> None:
    """Print the figures, and keep them as JSON where a file is named."""
    sys.stdout.write(text + "\n")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
