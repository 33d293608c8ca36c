"""How well a model predicts a text: the cross-entropy of its tokens under the model's own output head.

The head is read from the weight files a few megabytes at a time and never held as a whole: a small model's head is a fifth of it.
"""

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

from analyses.models.sources import ModelFolder
from analyses.models.tokens import Tokens

# How the files name a head that is not the embedding turned round.
_HEADS = ("lm_head", "embed_out")
_PRECISIONS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# Values of the head, and tokens, that are worked on at once: with both, some 4 MB each.
_VALUES = 2**20
_TOKENS = 512


def bits_per_byte(folder: ModelFolder, config: Any, model: Any, hidden: torch.Tensor, tokens: Tokens, text: str) -> float | None:
    """Bits that the model needs for each byte (UTF-8) of a text: the sum of its tokens' cross-entropy over the text's length.

    The first token is read and not predicted, so that its bytes are not counted, unless it is a special one.

    Parameters
    ----------
    folder, config
        The model.
    model
        Its base model, for the name of its embedding.
    hidden
        (tokens, width) what the base model gives for the whole text.
    tokens
        The text as the model read it.

    Returns
    -------
    None where the model does not predict the next token (BERT), where its files hold no head, or where nothing is predicted.
    """
    predicted = [index for index in range(1, len(tokens.ids)) if tokens.offsets[index][1] > tokens.offsets[index][0]]
    length = len(text[tokens.offsets[0][1] :].encode())
    if not (predicted and length and _predicts_next(config)):
        return None
    head = _head(folder, config, model)
    if head is None or head.width != hidden.shape[-1]:
        return None
    targets = torch.tensor([tokens.ids[index] for index in predicted])
    nats = cross_entropy(hidden[[index - 1 for index in predicted]], targets, head, _rescaled(config))
    return float(nats.double().sum()) / math.log(2) / length


def cross_entropy(hidden: torch.Tensor, targets: torch.Tensor, head: "Head", rescaled: Any) -> torch.Tensor:
    """-ln p of each target (T,) under softmax(rescaled(head(hidden))), in nats (T,); hidden (T, width)."""
    normaliser = torch.full((len(targets),), -torch.inf)
    of_target = torch.zeros(len(targets))
    for start, weight, bias in head.pieces():
        weight = weight.to(hidden.device)
        for first in range(0, len(targets), _TOKENS):
            here = slice(first, first + _TOKENS)
            logits = (hidden[here] @ weight.T).cpu()
            logits = rescaled(logits if bias is None else logits + bias)
            normaliser[here] = torch.logaddexp(normaliser[here], logits.logsumexp(dim=-1))
            inside = torch.nonzero((targets[here] >= start) & (targets[here] < start + len(weight)))[:, 0]
            of_target[here][inside] = logits[inside, targets[here][inside] - start]
    return normaliser - of_target


@dataclass(frozen=True)
class _Stored:
    """One tensor in a safetensors file: its precision, its shape, and at which byte it begins."""

    file: Path
    precision: torch.dtype
    shape: tuple[int, ...]
    begin: int

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Some rows in 32 bits, read (not mapped: what is mapped would stay in memory)."""
        row = math.prod(self.shape[1:])
        buffer = bytearray((stop - start) * row * self.precision.itemsize)
        with self.file.open("rb") as file:
            file.seek(self.begin + start * row * self.precision.itemsize)
            file.readinto(buffer)
        return torch.frombuffer(buffer, dtype=self.precision).view(stop - start, *self.shape[1:]).float()


@dataclass(frozen=True)
class Head:
    """The map from a hidden vector to the logits of the vocabulary, in the weight files."""

    weight: _Stored
    bias: _Stored | None

    @property
    def width(self) -> int:
        return self.weight.shape[1]

    def pieces(self) -> Iterator[tuple[int, torch.Tensor, torch.Tensor | None]]:
        """The first word of each piece of the vocabulary, its weights (words, width), and its biases (words,)."""
        words, step = self.weight.shape[0], max(1, _VALUES // self.width)
        for start in range(0, words, step):
            stop = min(start + step, words)
            yield start, self.weight.rows(start, stop), None if self.bias is None else self.bias.rows(start, stop)


def _predicts_next(config: Any) -> bool:
    """Whether the architecture reads from left to right; one that can do both says so in its configuration."""
    kind = config.get_text_config().model_type
    both_ways = kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not both_ways


def _head(folder: ModelFolder, config: Any, model: Any) -> Head | None:
    stored = {name: tensor for file in folder.weight_files() for name, tensor in _stored(file)}
    names = [f"{name}.weight" for name in _HEADS]
    if getattr(config.get_text_config(), "tie_word_embeddings", False):
        embedding = model.get_input_embeddings()
        own = next(name for name, module in model.named_modules() if module is embedding)
        names = [f"{own}.weight", f"{model.base_model_prefix}.{own}.weight"]
    weight = next((stored[name] for name in names if name in stored), None)
    if weight is None or len(weight.shape) != 2:
        return None
    return Head(weight, next((stored[f"{name}.bias"] for name in _HEADS if f"{name}.bias" in stored), None))


def _stored(file: Path) -> Iterator[tuple[str, _Stored]]:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] in _PRECISIONS:
            yield name, _Stored(file, _PRECISIONS[entry["dtype"]], tuple(entry["shape"]), 8 + length + entry["data_offsets"][0])


def _rescaled(config: Any) -> Any:
    """What the architecture does to its logits: a factor (Cohere), a divisor (Granite), or a soft limit (Gemma 2)."""
    text = config.get_text_config()
    factor = (getattr(text, "logit_scale", None) or 1.0) / (getattr(text, "logits_scaling", None) or 1.0)
    limit = getattr(text, "final_logit_softcapping", None)

    def rescale(logits: torch.Tensor) -> torch.Tensor:
        scaled = logits if factor == 1 else logits * factor
        return scaled if limit is None else torch.tanh(scaled / limit) * limit

    return rescale
