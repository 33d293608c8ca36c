"""Every architecture that transformers builds from a tiny configuration: what the capture rule reads there, and whether that is right.

    python -m benchmarks.architectures             docs/architectures.md from a sweep over all of them (minutes)
    python -m benchmarks.architectures llama gpt2  the rows of some, on the screen

The judge is another one than the rule's own check, which fits the residual stream. It asks by interference: a block is run once more
with the outputs that were read held fixed and what every other matrix of the block gives changed. Where those outputs
are all that the block adds, its own output stays what it was; and where either is changed, so must be the block's output.
"""

import argparse
import contextlib
import io
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from analyses.errors import InputError
from analyses.models import branches
from analyses.models.settings import BranchModules

TABLE = Path("docs/architectures.md")
HIDDEN, LAYERS, TOKENS, HEADS = 32, 4, 12, 4
# More than this many parameters are no tiny model: tables whose sizes have names of their own.
LARGEST = 20_000_000

# The usual names of sizes; a configuration takes those that it knows.
SIZES: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": HIDDEN,
    "d_model": HIDDEN,
    "n_embd": HIDDEN,
    "emb_dim": HIDDEN,
    "dim": HIDDEN,
    "num_hidden_layers": LAYERS,
    "n_layers": LAYERS,
    "n_layer": LAYERS,
    "num_layers": LAYERS,
    "num_attention_heads": HEADS,
    "n_heads": HEADS,
    "n_head": HEADS,
    "num_heads": HEADS,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "ffn_dim": 48,
    "d_ff": 48,
    "dim_ff": 48,
    "hidden_dim": 48,
    "max_position_embeddings": 64,
    "n_positions": 64,
    "max_seq_len": 64,
    "embedding_size": HIDDEN,
    "word_embed_proj_dim": HIDDEN,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_topk": 2,
    "moe_k": 2,
    "moe_intermediate_size": 16,
    "expert_ffn_hidden_size": 16,
    "shared_expert_intermediate_size": 16,
    "moe_shared_expert_intermediate_size": 16,
    "shared_intermediate_size": 16,
    "n_shared_experts": 1,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 8,
    "q_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4,
    "v_head_dim": 8,
    "rotary_dim": 4,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "mamba_d_ssm": HIDDEN,
    "mamba_n_heads": HEADS,
    "mamba_num_heads": HEADS,
    "mamba_d_head": 8,
    "mamba_head_dim": 8,
    "mamba_d_state": 8,
    "ssm_state_size": 8,
    "mamba_n_groups": 1,
    "n_groups": 1,
    "mamba_expand": 1,
    "lru_width": HIDDEN,
    "attention_window_size": 16,
    "sliding_window": 8,
    "index_n_heads": 2,
    "index_head_dim": 8,
    "index_topk": 8,
    "vocab_size_per_layer_input": 96,
    "hidden_size_per_layer_input": 8,
    "num_kv_shared_layers": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "position_embedding_type": None,
}
# What a few need besides, because their sizes depend on each other.
OPTIONS: dict[str, dict[str, Any]] = {
    "gpt_neo": {"attention_types": [[["global", "local"], LAYERS // 2]], "num_layers": LAYERS},
    "roberta": {"pad_token_id": 1},
    "recurrent_gemma": {"num_hidden_layers": 6},
    "bamba": {"attn_layer_indices": [1, 3]},
    "blt": {"encoder_hash_byte_group_vocab": 96},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"] * (LAYERS // 2)},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * (LAYERS // 2)},
}
# What a model asks for that does not run on tokens.
_OTHER_INPUTS = ("pixel_values", "input_features", "input_values", "grid_thw", "bbox", "timm", "past_values", "point")
# Tried in order until one makes a model that runs; a None leaves a size to the configuration.
ATTEMPTS: list[dict[str, Any]] = [
    {},
    {"num_key_value_heads": HEADS},
    {"num_key_value_heads": HEADS, "head_dim": None},
    {"head_dim": 128, "hidden_size": 512, "embedding_size": 512},
    {"head_dim": None, "num_key_value_heads": None, "first_k_dense_replace": None, "n_group": None, "topk_group": None},
]


@dataclass(frozen=True)
class Row:
    """One architecture: what was read in it, or why it was refused; `state` is ``right``, ``third``, ``refused``, ``wrong`` or ``none``."""

    model_type: str
    state: str
    attention: str = ""
    mlp: str = ""
    remark: str = ""


def build(model_type: str, attempt: dict[str, Any]) -> Any:
    """A tiny model of an architecture, with weights large enough that every module counts and no norm is the identity.

    Raises
    ------
    Exception
        Whatever transformers raises where a configuration of these sizes makes no sense to it.
    """
    kind: Any = transformers.AutoConfig.for_model(model_type)
    config = _small(kind, attempt | OPTIONS.get(model_type, {}))
    if (count := _parameters(config)) > LARGEST:
        raise ValueError(f"{count} parameters at the smallest sizes")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = transformers.AutoModel.from_config(config, dtype=torch.float32).eval()
        for name, parameter in model.named_parameters():
            with torch.no_grad():
                if parameter.dim() > 1:
                    parameter.normal_(0, (1.5 / parameter.shape[-1]) ** 0.5)
                elif "norm" in name.lower() and name.endswith("weight"):
                    parameter.add_(0.3 * torch.randn_like(parameter))
                elif name.endswith("bias"):
                    parameter.normal_(0, 0.1)
    return model


def _parameters(config: Any) -> int:
    """How many a model has, from its shapes alone; none where it cannot be made of shapes."""
    try:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in transformers.AutoModel.from_config(config).parameters())
    except (RuntimeError, NotImplementedError, ValueError, TypeError):
        return 0


def _small(config: Any, options: dict[str, Any]) -> Any:
    """The same kind of configuration with small sizes, its text part too."""
    values: dict[str, Any] = {}
    known = config.to_dict()
    for name, size in (SIZES | options).items():
        if size is not None and (name in known or hasattr(type(config), name) or name in getattr(config, "attribute_map", {})):
            values[name] = size
    for name in ("text_config", "thinker_config", "llm_config", "language_config", "vision_config", "audio_config", "encoder_config"):
        part = getattr(config, name, None)
        if isinstance(part, transformers.PreTrainedConfig):
            values[name] = _small(part, options)
    if "layer_types" not in values and isinstance(kinds := known.get("layer_types"), list) and kinds:
        values["layer_types"] = (list(dict.fromkeys(kinds)) * LAYERS)[:LAYERS]
    return type(config)(**values)


def judge(model_type: str) -> Row:
    """Read an architecture's branches by the rule and judge them by interference."""
    row = Row(model_type, "none")
    for attempt in ATTEMPTS:
        tried = _judge(model_type, attempt)
        if tried.state != "none" or any(name in tried.remark for name in _OTHER_INPUTS):
            return tried
        row = row if row.remark else tried
    return row


def _judge(model_type: str, attempt: dict[str, Any]) -> Row:
    try:
        model = build(model_type, attempt)
    except Exception as error:
        return Row(model_type, "none", remark=_one_line(error))
    config: Any = model.config
    if model.main_input_name != "input_ids":
        # Images, sound or series: whether its layers have an attention is no question here.
        return Row(model_type, "none", remark="no model of tokens")
    if getattr(config, "is_encoder_decoder", False):
        return Row(model_type, "refused", remark="an encoder-decoder: two stacks of layers")
    text = config.get_text_config()
    config.use_cache = text.use_cache = False
    try:
        if not isinstance(getattr(text, "num_hidden_layers", None), int) or not isinstance(getattr(text, "hidden_size", None), int):
            return Row(model_type, "none", remark="no model of tokens")
        _, blocks = branches.find_blocks(model, text.num_hidden_layers, model_type)
        reader = branches.BranchReader(list(blocks), text.hidden_size, range(TOKENS), TOKENS, BranchModules(), model_type)
    except (InputError, AttributeError) as error:
        return Row(model_type, "refused", remark=_reason(error))
    calls = [_Call(block) for block in blocks]
    ids = torch.arange(3, 3 + TOKENS)[None]
    try:
        with torch.no_grad():
            model(input_ids=ids)
    except InputError as error:
        return Row(model_type, "refused", remark=_reason(error))
    except Exception as error:
        return Row(model_type, "none", remark=f"does not run on a text alone: {_one_line(error)}")
    try:
        found = reader.result()
    except InputError as error:
        return Row(model_type, "refused", remark=_reason(error))
    paths = {branch: ", ".join(dict.fromkeys(found.modules[branch])) for branch in branches.BRANCHES}
    others = list(dict.fromkeys(name for check in found.checks for name in check.others))
    for index, layer in enumerate(found.layers):
        held = [found.modules[branch][index].split(" + ") for branch in branches.BRANCHES]
        third = list(found.checks[index].others)
        try:
            fault = calls[layer].fault(held[0], held[1], third)
        except Exception as error:
            fault = f"cannot be judged: {_one_line(error)}"
        if fault:
            return Row(model_type, "wrong", paths["attention"], paths["mlp"], f"layer {layer + 1}: {fault}")
    remark = f"third contribution: {', '.join(others)}" if others else ""
    if left := len(blocks) - len(found.layers):
        remark = "; ".join(filter(None, [remark, f"{left} of {len(blocks)} layers have no attention and are left out"]))
    return Row(model_type, "third" if others else "right", paths["attention"], paths["mlp"], remark)


class _Call:
    """One block with what it was called with, to be run again."""

    def __init__(self, block: nn.Module) -> None:
        self._block = block
        self._arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        block.register_forward_pre_hook(self._remember, with_kwargs=True)

    def _remember(self, _module: nn.Module, arguments: Any, options: Any) -> None:
        self._arguments = _copied(arguments), _copied(options)

    def fault(self, attention: Sequence[str], mlp: Sequence[str], third: Sequence[str]) -> str | None:
        """What speaks against these modules being all that the block adds; None where nothing does."""
        named = dict(self._block.named_modules())
        held = [*attention, *mlp, *third]
        outputs: dict[str, Any] = {}
        # Copied before anything is added to them in place, and handed on as they were.
        with self._hooks({path: lambda output, path=path: outputs.update({path: _copied(output)}) for path in held}):
            plain = self._run()
        fixed = {path: lambda _output, path=path: _copied(outputs[path]) for path in held}
        rest = [
            path
            for path, module in named.items()
            if path and any(parameter.dim() > 1 for parameter in module.parameters(recurse=False))
            if not any(path == each or each.startswith(f"{path}.") for each in held)
        ]
        with self._hooks(fixed | dict.fromkeys(rest, _changed)):
            if _differ(plain, self._run()):
                return f"{', '.join(path for path in rest if self._counts(fixed, path, plain)) or 'another module'} counts too"
        for path in held:
            with self._hooks(fixed | {path: lambda _output, path=path: _changed(outputs[path])}):
                if not _differ(plain, self._run()):
                    return f"{path} does not count"
        return None

    def _counts(self, fixed: dict[str, Any], path: str, plain: torch.Tensor) -> bool:
        with self._hooks(fixed | {path: _changed}):
            return _differ(plain, self._run())

    def _run(self) -> torch.Tensor:
        arguments, options = self._arguments
        with torch.no_grad():
            output = self._block.forward(*_copied(arguments), **_copied(options))
        return (output[0] if isinstance(output, tuple | list) else output).clone()

    @contextlib.contextmanager
    def _hooks(self, changes: dict[str, Any]) -> Iterator[None]:
        handles = [
            self._block.get_submodule(path).register_forward_hook(lambda _module, _inputs, output, change=change: change(output))
            for path, change in changes.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, tuple | list):
        return type(value)(_copied(each) for each in value)
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return value


def _changed(output: Any) -> Any:
    """Another output of the same shape: its values half as large and in other dimensions (a norm would take the size back)."""
    if isinstance(output, tuple):
        return (_changed(output[0]), *output[1:])
    return 0.5 * output.roll(1, -1) if isinstance(output, torch.Tensor) and output.is_floating_point() else output


def _differ(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).norm() > 1e-4 * one.norm())


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no message'])[0]}"[:160]


def _reason(error: Exception) -> str:
    message = str(error).split("; name the modules")[0]
    return re.sub(r"^model \S+( \(\w+\))?:? ", "", message)


def rows(model_types: Sequence[str]) -> Iterator[Row]:
    """The judgement of each architecture, in order."""
    transformers.logging.set_verbosity(50)
    for model_type in model_types:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            row = judge(model_type)
        yield row


def table(found: Sequence[Row]) -> str:
    """The page of the documentation."""
    states = Counter(row.state for row in found)
    lines = [
        "# Architectures",
        "",
        "<!-- Generated by `python -m benchmarks.architectures`. -->",
        "",
        f"Every model class that transformers {transformers.__version__} builds from a tiny configuration with random weights "
        f"({len(found) - states['none']} of them), read by the capture rule and judged by interference: each block is run again with the "
        "two outputs held fixed and what every other matrix gives changed; only where the block's output stays the same are the two "
        "outputs all that it adds to the residual stream.",
        "",
        f"{states['right']} are read as attention and MLP, {states['third']} with a third contribution that the report names, "
        f"{states['refused']} are refused with the reason given here. A `+` is a sum.",
        "",
        "| architecture | attention | MLP | remark |",
        "|---|---|---|---|",
    ]
    shown = [row for row in found if row.state != "none"]
    for row in sorted(shown, key=lambda row: (row.state == "refused", row.model_type)):
        remark = f"refused: {row.remark}" if row.state == "refused" else row.remark
        lines.append(f"| `{row.model_type}` | {_code(row.attention)} | {_code(row.mlp)} | {remark} |")
    return "\n".join(lines) + "\n"


def _code(paths: str) -> str:
    return ", ".join(f"`{path}`" for path in paths.split(", ")) if paths else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_types", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for row in rows(options.model_types or sorted(MODEL_MAPPING_NAMES)):
        found.append(row)
        sys.stdout.write(f"{row.model_type}: {row.state} {row.attention} | {row.mlp} | {row.remark}\n")
        sys.stdout.flush()
    if not options.model_types:
        TABLE.write_text(table(found), encoding="utf-8")
    return int(any(row.state == "wrong" for row in found))


if __name__ == "__main__":
    sys.exit(main())
