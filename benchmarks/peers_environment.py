"""The libraries that a user might pick instead, in an environment of their own on top of the project's.

TransformerLens brings dozens of packages. They are kept away from the project's environment, and none may replace what is there:
every installed version is a constraint. What cannot be installed under it is left out, and the table says so.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from importlib.metadata import distributions
from pathlib import Path

from analyses.installation import DISTRIBUTION

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "peers"
_DONE = "peers.txt"


def peers_python() -> Path:
    """The environment's interpreter; made on the first call, kept in ``build/peers``."""
    python = FOLDER / "bin" / "python"
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["bench"]
    constraints = "".join(f"{dist.name}=={dist.version}\n" for dist in distributions() if dist.name != DISTRIBUTION)
    wanted = "\n".join([*requirements, constraints])
    done = FOLDER / _DONE
    if python.is_file() and done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(FOLDER, clear=True, with_pip=False, symlinks=True)
    packages = FOLDER / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (packages / "project.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(constraints)
        file.flush()
        for requirement in requirements:
            command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
            if subprocess.run([*command, "--constraint", file.name, requirement], check=False).returncode != 0:
                sys.stderr.write(f"bench: {requirement} cannot be installed beside what is here; its rows say so\n")
    done.write_text(wanted, encoding="utf-8")
    return python


def installed(python: Path) -> dict[str, str]:
    """Versions of the peers that the environment has."""
    finished = subprocess.run(
        [python, "-c", "import json; from benchmarks.machine import versions; print(json.dumps(versions()))"],
        capture_output=True,
        check=True,
        cwd=ROOT,
        text=True,
    )
    found: dict[str, str] = json.loads(finished.stdout)
    return {name: found[name] for name in ("scikit-learn", "ennemi", "transformer-lens") if name in found}
