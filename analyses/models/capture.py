"""The activations of both branches, from one forward pass that never holds the whole model in memory."""

import gc
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyses.errors import InputError, MissingError, is_about_memory
from analyses.kept import forget, is_kept, kept
from analyses.memory import keep_free_memory, return_free_memory
from analyses.models.configuration import load_configuration
from analyses.models.quiet import first_line, quiet_transformers
from analyses.models.settings import ModelSettings
from analyses.models.sources import ModelFolder, missing_library, provenance, resolve
from analyses.models.tokens import tokenize_with
from analyses.progress import Progress

# What a process may keep of a model from one text to the next.
_KIND = "model"


@dataclass(frozen=True)
class LayerCheck:
    """How what one layer adds to the residual stream is made up.

    Attributes
    ----------
    layer
        Its number in the model, from 1.
    modules
        The paths of the modules that were read: attention, MLP.
    coefficients
        What each is multiplied by when it is added.
    unexplained
        Length of what is left over, as a share of the length of the change.
    others
        A third contribution -> its length as a share of the length of all that is added.
    normalised
        Whether the stream itself passes a norm behind an addition.
    """

    layer: int
    modules: tuple[str, str]
    coefficients: tuple[float, float]
    unexplained: float
    others: Mapping[str, float]
    normalised: bool


@dataclass(frozen=True)
class Capture:
    """What one forward pass gave.

    Attributes
    ----------
    activation
        float32 (2, layers, positions, hidden size); the first axis is attention, then MLP.
    module_names
        Per branch the paths of the modules that were read, inside one block; one path where all layers agree.
    layer_numbers
        Which of the model's layers those are, from 1: all that have an attention.
    checks
        Of each of those layers, how what it adds to the residual stream is made up.
    provenance
        What pins the model down: source, name, revision, SHA-256 of the weights, architecture, device, library versions.
    other_output
        `activation` by the other value of the setting ``branch_output``; None where no norm lies between the two.
    """

    activation: npt.NDArray[np.float32]
    module_names: Mapping[str, tuple[str, ...]]
    layer_numbers: tuple[int, ...]
    checks: tuple["LayerCheck", ...]
    provenance: dict[str, Any]
    other_output: npt.NDArray[np.float32] | None = None


@dataclass
class _Loaded:
    """A model in memory, its blocks, and what pins it down; whether its weights are where they are computed with."""

    model: Any
    blocks: Any
    pinned: "Future[dict[str, Any]]"
    has_weights: bool = False


def capture(settings: ModelSettings, text: str, positions: Sequence[int] | None, progress: Progress) -> Capture:
    """Run the model once over `text` and keep the output of both branches of every layer.

    Nothing of the model is kept afterwards, unless the process keeps what it reads texts with (`analyses.kept`). Two runs on
    one machine give the same bits; another processor, another number of threads or a GPU may differ in the last bits, because
    sums are then taken in another order.

    Parameters
    ----------
    settings
        The model.
    text
        One text; it must fit the model's context.
    positions
        Which tokens to keep, by their index among `tokenize(settings, text).ids`; None keeps all.
    progress
        Told of the stage ``capture`` with one step per layer.

    Raises
    ------
    InputError
        The text is too long, a position lies outside it, or the architecture has no two branches that can be read.
    MissingError
        The model, a library or the device is not on this machine.
    """
    try:
        import torch
        import transformers

        from analyses.models import branches, likelihood, weights
    except ImportError as error:
        raise missing_library(error) from error

    folder = resolve(settings, progress)
    config = load_configuration(folder)
    tokens = tokenize_with(folder, config, text)
    kept_positions = range(len(tokens.ids)) if positions is None else positions
    if not all(0 <= position < len(tokens.ids) for position in kept_positions):
        raise InputError(f"token positions must lie between 0 and {len(tokens.ids) - 1}, the last token of the text")
    device = _device(settings.device)
    config.use_cache = False
    keep_free_memory()

    # The weights are hashed while they are used: both read the same files, so they are read from the disk once.
    with ThreadPoolExecutor(max_workers=1) as hashing, _deterministic(), torch.inference_mode():

        def load() -> _Loaded:
            return _load(settings, folder, config, hashing)

        # The random weights of an untrained model are dropped while it runs.
        loaded = load() if settings.untrained else kept(_KIND, settings.model_dump_json(), load)
        model, blocks, pinned = loaded.model, loaded.blocks, loaded.pinned
        _check_vocabulary(model, tokens.ids, folder.name)
        layers, hidden_size = config.get_text_config().num_hidden_layers, config.get_text_config().hidden_size
        reader = branches.BranchReader(
            list(blocks), hidden_size, kept_positions, len(tokens.ids), settings.branches, folder.name, settings.branch_output
        )
        if settings.untrained:
            weights.RandomWeights(model, blocks, device, settings.seed)
        elif not loaded.has_weights:
            weights.StoredWeights(model, blocks, device)
            loaded.has_weights = True
        try:
            with progress.stage("capture", layers) as advance:
                steps = [block.register_forward_hook(lambda *_: advance(1)) for block in blocks]
                output = _run(model, torch.tensor([tokens.ids], device=device), folder.name)
                # Of random weights the cross-entropy says nothing.
                bits = None if settings.untrained else likelihood.bits_per_byte(folder, config, model, output[0][0], tokens, text)
            found = reader.result()
        except BaseException:
            forget(_KIND)
            raise
        reader.remove()
        for step in steps:
            step.remove()
        architecture = type(model).__name__

    # Where nothing of the model stays: its modules may refer to each other in rings that only the collector (.15 s) frees.
    left = weakref.ref(model)
    del loaded, load, model, blocks, reader, steps, output
    if not is_kept(_KIND) and left() is not None:
        gc.collect()
    return_free_memory()

    facts = pinned.result() | {
        "architecture": architecture,
        "layers": len(found.layers),
        "hidden_size": hidden_size,
        "modules": {branch: list(_once(paths)) for branch, paths in found.modules.items()},
        "branch_output": settings.branch_output,
        "other_contributions": _largest_shares(found.checks),
        "device": device.type,
        "precision": "float32",
        # Rounded to what every machine's sums agree on.
        "bits_per_byte": None if bits is None else round(bits, 4),
        "torch": torch.__version__.partition("+")[0],
        "transformers": transformers.__version__,
    }
    if len(found.layers) < layers:
        facts |= {"layers_of_model": layers, "layer_numbers": [layer + 1 for layer in found.layers]}
    modules = {branch: _once(paths) for branch, paths in found.modules.items()}
    other = None if found.other is None else found.other.numpy()
    return Capture(found.activation.numpy(), modules, tuple(layer + 1 for layer in found.layers), _checks(found), facts, other)


def _load(settings: ModelSettings, folder: ModelFolder, config: Any, hashing: ThreadPoolExecutor) -> _Loaded:
    from analyses.models import branches, weights

    model, files = (weights.without_weights(config), ()) if settings.untrained else weights.load_stored(folder, config)
    pinned = hashing.submit(provenance, settings, folder, files)
    layers = config.get_text_config().num_hidden_layers
    _, blocks = branches.find_blocks(model, layers, folder.name, attention_named=settings.branches.attention is not None)
    return _Loaded(model, blocks, pinned)


def _run(model: Any, ids: Any, name: str) -> Any:
    """One forward pass over a text; a model that needs more than a text says so in its own way."""
    try:
        # It would say which faster kernels are not installed.
        with quiet_transformers():
            return model(input_ids=ids)
    except InputError:
        raise
    except Exception as error:  # An architecture's code raises whatever a value that makes no sense leads it to.
        if is_about_memory(error):
            raise
        said = f"{type(error).__name__}: {first_line(error)}"
        raise InputError(f"model {name} ({type(model).__name__}) does not run on a text alone: {said}; use a model of text") from error


def _checks(found: Any) -> tuple[LayerCheck, ...]:
    paths = zip(*(found.modules[branch] for branch in ("attention", "mlp")), strict=True)
    return tuple(
        LayerCheck(layer + 1, pair, check.coefficients, check.unexplained, check.others, check.normalised)
        for layer, pair, check in zip(found.layers, paths, found.checks, strict=True)
    )


def _largest_shares(checks: Iterable[Any]) -> dict[str, float]:
    """Each third contribution with its largest share over the layers, to three decimals: what is left is not this machine's."""
    largest: dict[str, float] = {}
    for check in checks:
        for name, share in check.others.items():
            largest[name] = max(largest.get(name, 0.0), round(share, 3))
    return largest


def _check_vocabulary(model: Any, ids: Sequence[int], name: str) -> None:
    """A tokenizer may know more tokens than the model (padding added later); the text must use none of those."""
    rows = getattr(model.get_input_embeddings(), "num_embeddings", None)
    if rows is not None and max(ids) >= rows:
        raise InputError(
            f"model {name}: its tokenizer gives this text token number {max(ids)} and its embedding has {rows} rows; "
            "the tokenizer belongs to another model"
        )


def _once(paths: Sequence[str]) -> tuple[str, ...]:
    """Each path once, in the order of the layers."""
    return tuple(dict.fromkeys(paths))


def _device(wanted: str) -> Any:
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if not available[wanted]:
        raise MissingError(f"model.device: {wanted} is not available to torch on this machine; use cpu or auto")
    return torch.device(wanted)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Have torch choose repeatable algorithms where it has the choice; what was set before is restored."""
    import torch

    before = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    # The same as use_deterministic_algorithms(True, warn_only=True), which would also import torch's compiler: .7 s for nothing.
    torch.set_deterministic_debug_mode("warn")
    # Filling all new memory would touch that of weights that are never read.
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        memory.fill_uninitialized_memory = filled
