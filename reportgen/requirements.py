"""Prints what `reportgen render` needs, for machines that only make documents and shall do without torch.

    pip install --no-deps reportgen-interpretability
    python -m reportgen.requirements > render.txt && pip install -r render.txt

Nothing but the standard library is imported. The name of a checkout's pyproject.toml as argument: what that one asks for.
"""

import sys
import tomllib
from pathlib import Path

from analyses.installation import for_rendering, requirements


def main(arguments: list[str]) -> None:
    """Print one requirement a line."""
    lines = tomllib.loads(Path(arguments[0]).read_text(encoding="utf-8"))["project"]["dependencies"] if arguments else requirements()
    print("\n".join(for_rendering(lines)))


if __name__ == "__main__":
    main(sys.argv[1:])
