"""A Llama model in a GGUF file -> a folder that transformers loads as any other (float32 safetensors, fast tokenizer).

transformers can read such a file itself, but parses its metadata three times in Python; here it is
read once. The tensors are the same to the bit.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# GGUF names each block's tensors in its own way (llama.cpp, gguf-py/gguf/tensor_mapping.py).
_BLOCK_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OTHER_TENSORS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_CONTROL_TOKEN = 3  # gguf.TokenType.CONTROL


def convert_llama(gguf_file: Path, folder: Path, advance: Callable[[int], None]) -> None:
    """Write `config.json`, `model.safetensors`, `tokenizer.json` and `tokenizer_config.json` into `folder`.

    Parameters
    ----------
    gguf_file
        A GGUF file of architecture ``llama`` with a byte-level BPE tokenizer of the kind ``smollm``.
    folder
        An empty folder.
    advance
        Called with 1 after each of three steps: metadata, tokenizer, tensors.

    Raises
    ------
    ValueError
        The file holds another architecture or another tokenizer.
    """
    import gguf
    import safetensors.numpy

    reader = gguf.GGUFReader(gguf_file)
    metadata = _Metadata(reader)
    found = (metadata["general.architecture"], metadata["tokenizer.ggml.pre"])
    if found != ("llama", "smollm"):
        raise ValueError(f"expected architecture llama with tokenizer smollm, found {found}")
    names = {tensor.name for tensor in reader.tensors}
    config = _config(metadata, tied="output.weight" not in names)
    _write_json(folder / "config.json", config)
    advance(1)

    _tokenizer(metadata).save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(metadata, config["max_position_embeddings"]))
    advance(1)

    tensors = {}
    for tensor in reader.tensors:
        values = np.asarray(gguf.quants.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        kind = tensor.name.removesuffix(".weight").rpartition(".")[2]
        if kind in ("attn_q", "attn_k"):
            values = _split_halves(values, config["num_attention_heads" if kind == "attn_q" else "num_key_value_heads"])
        tensors[_tensor_name(tensor.name)] = np.ascontiguousarray(values)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    advance(1)


class _Metadata:
    """The file's key-value pairs, each decoded when it is asked for."""

    def __init__(self, reader: Any) -> None:
        self._fields = reader.fields

    def __getitem__(self, key: str) -> Any:
        return self._fields[key].contents()


def _config(metadata: _Metadata, *, tied: bool) -> dict[str, Any]:
    hidden_size = metadata["llama.embedding_length"]
    heads = metadata["llama.attention.head_count"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": hidden_size,
        "intermediate_size": metadata["llama.feed_forward_length"],
        "max_position_embeddings": metadata["llama.context_length"],
        "num_attention_heads": heads,
        "num_hidden_layers": metadata["llama.block_count"],
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "head_dim": hidden_size // heads,
        # Stored in 32 bits, where 1e-5 is 9.99999974738e-06; the model was trained with the decimal.
        "rms_norm_eps": float(f"{metadata['llama.attention.layer_norm_rms_epsilon']:.6g}"),
        "rope_parameters": {"rope_type": "default", "rope_theta": float(metadata["llama.rope.freq_base"])},
        "tie_word_embeddings": tied,
        "vocab_size": metadata["llama.vocab_size"],
        "bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
        "pad_token_id": metadata["tokenizer.ggml.padding_token_id"],
    }


def _tokenizer(metadata: _Metadata) -> Any:
    """Byte-level BPE that splits every digit off, as the kind ``smollm`` does (llama.cpp, LLAMA_VOCAB_PRE_TYPE_SMOLLM)."""
    import tokenizers

    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [tokenizers.pre_tokenizers.Digits(individual_digits=True), tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    kinds = metadata["tokenizer.ggml.token_type"]
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL_TOKEN])
    return tokenizer


def _tokenizer_config(metadata: _Metadata, context_length: int) -> dict[str, Any]:
    tokens = metadata["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        "bos_token": tokens[metadata["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[metadata["tokenizer.ggml.eos_token_id"]],
        "unk_token": tokens[metadata["tokenizer.ggml.unknown_token_id"]],
        "pad_token": tokens[metadata["tokenizer.ggml.padding_token_id"]],
    }


def _tensor_name(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    if not stem.startswith("blk."):
        return f"{_OTHER_TENSORS[stem]}.{suffix}"
    _, block, kind = stem.split(".")
    return f"model.layers.{block}.{_BLOCK_TENSORS[kind]}.{suffix}"


def _split_halves(weights: np.ndarray, heads: int) -> np.ndarray:
    """Undo GGUF's order of the rotary dimensions: it interleaves the two halves of each head, transformers keeps them apart."""
    rows = weights.reshape(heads, weights.shape[0] // heads // 2, 2, weights.shape[1])
    return rows.swapaxes(1, 2).reshape(weights.shape)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
