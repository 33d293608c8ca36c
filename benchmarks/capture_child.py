"""One capture in a process of its own, by one of three ways. Prints the seconds and the peak memory as JSON.

Measured from the folder on the disk to the activations of the kept tokens, after everything that each way needs is imported
(transformers imports an architecture only when it is asked for). The three ways:
``reportgen``; ``transformers``, the model loaded as a whole and a plain hook on each of the two projections; ``transformerlens``,
TransformerBridge with the two hook points cached.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import peak_memory

Activation = npt.NDArray[np.float32]


def reportgen(folder: Path, text: str, kept: Sequence[int]) -> Activation:
    from analyses.models import ModelSettings, capture
    from analyses.progress import SilentProgress

    return capture(ModelSettings(source="folder", name=str(folder), device="cpu", offline=True), text, kept, SilentProgress()).activation


def transformers(folder: Path, text: str, kept: Sequence[int]) -> Activation:
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    outputs: dict[tuple[int, int], Any] = {}

    def keep(branch: int, layer: int) -> Any:
        return lambda module, inputs, output: outputs.update({(branch, layer): output[0, list(kept)].clone()})

    for layer, block in enumerate(model.h):
        block.attn.c_proj.register_forward_hook(keep(0, layer))
        block.mlp.c_proj.register_forward_hook(keep(1, layer))
    ids = AutoTokenizer.from_pretrained(folder, local_files_only=True)(text, return_tensors="pt").input_ids
    with torch.inference_mode():
        model(ids, use_cache=False)
    return np.array([[outputs[branch, layer].numpy() for layer in range(len(model.h))] for branch in (0, 1)])


def transformerlens(folder: Path, text: str, kept: Sequence[int]) -> Activation:
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer

    bridge = TransformerBridge.boot_transformers(str(folder), device="cpu")
    ids = AutoTokenizer.from_pretrained(folder, local_files_only=True)(text, return_tensors="pt").input_ids
    points = ("hook_attn_out", "hook_mlp_out")
    with torch.inference_mode():
        _, cache = bridge.run_with_cache(ids, names_filter=lambda name: name.endswith(points), return_type=None)
    layers = len(cache) // 2
    return np.array([[cache[f"blocks.{layer}.{point}"][0, list(kept)].numpy() for layer in range(layers)] for point in points])


NEEDED = {"reportgen": ["analyses.models.weights"], "transformers": [], "transformerlens": ["transformer_lens.model_bridge"]}
WAYS = {"reportgen": reportgen, "transformers": transformers, "transformerlens": transformerlens}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path, help="where the activations go, as .npy")
    parser.add_argument("--positions", type=int, nargs="+", required=True)
    options = parser.parse_args()
    from transformers import AutoConfig, AutoModel, AutoTokenizer, GPT2Model  # noqa: F401

    for module in NEEDED[options.way]:
        importlib.import_module(module)
    text = options.text.read_text(encoding="utf-8").strip()
    start = time.perf_counter()
    activation = WAYS[options.way](options.folder, text, options.positions)
    seconds = time.perf_counter() - start
    peak = peak_memory()
    np.save(options.out, activation)
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": peak}) + "\n")


if __name__ == "__main__":
    main()
