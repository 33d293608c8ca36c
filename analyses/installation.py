"""What this distribution needs, as its own metadata say, and the line that installs what is missing of it."""

import json
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

DISTRIBUTION = "reportgen-interpretability"
# Documents and ready activations need none of these.
FOR_MODELS = frozenset({"fsspec", "gguf", "huggingface-hub", "icu4py", "pip", "safetensors", "tokenizers", "torch", "transformers"})
FOR_SPEED = frozenset({"numba"})


def name_of(requirement: str) -> str:
    """Return the normalised name of the package that a requirement such as ``h5netcdf>=1.4; sys_platform != "win32"`` asks for."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def requirements() -> list[str]:
    """Return what the installed distribution asks for, in the order of its metadata; nothing if it is not installed."""
    try:
        lines = distribution(DISTRIBUTION).requires or []
    except PackageNotFoundError:
        return []
    return [line for line in lines if "extra ==" not in line]


def for_rendering(lines: list[str]) -> list[str]:
    """Return those of the requirements that documents need."""
    return [line for line in lines if name_of(line) not in FOR_MODELS | FOR_SPEED]


def is_installed(name: str) -> bool:
    """Is the package in this environment? It is not imported: that of torch takes seconds."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def shortcoming(requirement: str) -> str:
    """Return ``gguf is not installed`` or ``gguf 0.9 is here, >=0.10 is needed``; an empty string if the requirement is met."""
    name = name_of(requirement)
    try:
        here = version(name)
    except PackageNotFoundError:
        return f"{name} is not installed"
    try:
        from packaging.requirements import Requirement
    except ImportError:  # then `packaging` itself is named as missing
        return ""
    wanted = Requirement(requirement).specifier
    return "" if wanted.contains(here, prereleases=True) else f"{name} {here} is here, {wanted} is needed"


def unmet(lines: list[str]) -> dict[str, str]:
    """Return `shortcoming` of each requirement that this environment does not meet."""
    return {line: fault for line in lines if (fault := shortcoming(line))}


def install_line(packages: list[str]) -> str:
    """Return the line that installs `packages` (requirements, or names) beside this distribution, with the tool that installed it.

    A name that the distribution asks for is given its bounds.
    """
    asked = {name_of(line): line for line in requirements()}
    quoted = " ".join(shlex.quote(asked.get(name_of(package), package)) for package in packages)
    if _is_checkout() and all(name_of(package) in asked for package in packages):
        return "make setup (in reportgen's folder)"
    return {
        "uv tool": f"uv tool upgrade --reinstall {DISTRIBUTION}",
        "pipx": f"pipx inject {DISTRIBUTION} {quoted}",
        "uv": f"uv pip install --python {shlex.quote(sys.executable)} {quoted}",
        "pip": f"{shlex.quote(sys.executable)} -m pip install {quoted}",
    }[_installer()]


def reinstall_line() -> str:
    """Return the line that puts this distribution's own files back, with the tool that installed it."""
    if _is_checkout():
        return "git restore templates (in reportgen's folder)"
    return {
        "uv tool": f"uv tool upgrade --reinstall {DISTRIBUTION}",
        "pipx": f"pipx reinstall {DISTRIBUTION}",
        "uv": f"uv pip install --python {shlex.quote(sys.executable)} --reinstall-package {DISTRIBUTION} {DISTRIBUTION}",
        "pip": f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps {DISTRIBUTION}",
    }[_installer()]


def _installer() -> str:
    """The tool that installed this distribution: ``uv tool``, ``pipx``, ``uv`` or ``pip``."""
    if (Path(sys.prefix) / "uv-receipt.toml").is_file():
        return "uv tool"
    if (Path(sys.prefix) / "pipx_metadata.json").is_file():
        return "pipx"
    return "uv" if _record("INSTALLER").strip() == "uv" else "pip"


def not_installed(module: str | None) -> str:
    """Return the sentence for a module that could not be imported: which package is missing, and the line that installs it."""
    name = package_of(module)
    return f"the Python package {name} is not installed: {install_line([name])}"


def package_of(module: str | None) -> str:
    """Return the package that a module comes from."""
    top = str(module).partition(".")[0]
    return {"sklearn": "scikit-learn", "yaml": "pyyaml"}.get(top, re.sub(r"[-_.]+", "-", top).lower())


def _record(name: str) -> str:
    try:
        return distribution(DISTRIBUTION).read_text(name) or ""
    except PackageNotFoundError:
        return ""


def _is_checkout() -> bool:
    origin = _record("direct_url.json")
    return bool(origin) and bool(json.loads(origin).get("dir_info", {}).get("editable"))
