"""Mutation testing of a seeded sample: `python -m tests.mutation [NUMBER] [SEED]`, so many mutants of each part (needs mutmut).

Prints how many the tests killed, and what survived; `mutmut show NAME` prints such a mutant. What is mutated, and by which tests it
is to be seen, says `[tool.mutmut]` in pyproject.toml. Run it on a quiet machine: a mutant that takes too long counts as killed.
"""

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

PARTS = {
    "statistics": "analyses/statistics",
    "mutual_information": "analyses/mutual_information",
    "compare": "reportgen/compare.py",
}
MUTANTS = Path("mutants")
# What mutmut notes of a mutant: the exit code of the tests, or of the time limit.
SURVIVED, UNTESTED, KILLED = 0, 33, {1, 3, -24, 24, 36, 152, 255}


def verdicts(part: str) -> dict[str, int | None]:
    """Name of each mutant of a part -> the exit code of its tests; None where they have not run."""
    files = sorted(MUTANTS.glob(f"{PARTS[part]}*.meta" if part == "compare" else f"{PARTS[part]}/*.meta"))
    return {name: code for file in files for name, code in sorted(json.loads(file.read_text())["exit_code_by_key"].items())}


def mutmut(*names: str) -> None:
    program = Path(sys.executable).with_name("mutmut")
    subprocess.run([program, "run", "--max-children", "1", *names], check=False)


def main(number: int, seed: int) -> None:
    shutil.rmtree(MUTANTS, ignore_errors=True)
    mutmut("analyses.statistics.multiplicity.x_adjust__mutmut_1")  # writes all mutants
    chosen = {}
    for part in PARTS:
        chosen[part] = list(verdicts(part))
        random.Random(seed).shuffle(chosen[part])
        del chosen[part][number:]
    mutmut(*(name for names in chosen.values() for name in names))
    for part, names in chosen.items():
        found = verdicts(part)
        counts = Counter("killed" if found[name] in KILLED else "survived" for name in names)
        share = counts["killed"] / len(names)
        print(f"{part}: {len(found)} mutants, {len(names)} tried, {counts['killed']} killed ({share:.0%})")
        for name in names:
            if found[name] not in KILLED:
                print(f"  {name}{' (no test)' if found[name] == UNTESTED else ''}")


if __name__ == "__main__":
    main(*(int(argument) for argument in (*sys.argv[1:3], *("110", "20")[len(sys.argv) - 1 :])))
