"""The recipe "classic" under the names of GPT-2 and back: in transformers' layout, and in nanoGPT's.

All three are the same model. transformers keeps the matrices of a block as `Conv1D`, (in, out), which is a Linear's transposed;
nanoGPT keeps them as Linear and names the head, which is the embedding, a second time (transformers, modeling_gpt2.py;
nanoGPT, model.py). Neither pads the vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from raywiki.training.config import GPTConfig
from raywiki.training.weights import read_tensors, weights_file, write_safetensors

PREFIX, HEAD = "transformer.", "lm_head.weight"
OUTER = {
    "tokens.weight": "wte.weight",
    "positions.weight": "wpe.weight",
    "norm.weight": "ln_f.weight",
    "norm.bias": "ln_f.bias",
}
INNER = {
    "norm_1": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.proj": "attn.c_proj",
    "norm_2": "ln_2",
    "up": "mlp.c_fc",
    "down": "mlp.c_proj",
}
MASKS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")  # buffers that old files have among the weights


def gpt2_name(name: str) -> str:
    """GPT-2's name of a weight of "classic".

    >>> gpt2_name("blocks.3.attention.qkv.weight"), gpt2_name("tokens.weight")
    ('h.3.attn.c_attn.weight', 'wte.weight')
    """
    if name in OUTER:
        return OUTER[name]
    _, layer, rest = name.split(".", 2)
    module, _, kind = rest.rpartition(".")
    return f"h.{layer}.{INNER[module]}.{kind}"


def to_gpt2(weights: Mapping[str, Tensor], vocab_size: int, conv1d: bool) -> dict[str, Tensor]:
    """The weights of "classic" as GPT-2's, without the padding of the vocabulary: as transformers has them, or as nanoGPT.

    Args:
        weights: by their names in "classic".
        vocab_size: ids of the vocabulary.
        conv1d: transpose the matrices of the blocks, as transformers has them.
    """
    named = {gpt2_name(name): tensor for name, tensor in weights.items()}
    named["wte.weight"] = named["wte.weight"][:vocab_size]
    laid = {name: tensor.t().contiguous() if conv1d and _is_conv1d(name) else tensor for name, tensor in named.items()}
    return {PREFIX + name: tensor for name, tensor in laid.items()}


def from_gpt2(tensors: Mapping[str, Tensor], config: GPTConfig, rows: int) -> dict[str, Tensor]:
    """GPT-2's weights, as transformers has them, by their names in "classic".

    Its embedding must have so many `rows`: those of `config.vocab_size` ids, and maybe some of its own padding.

    Of its positions, the first `config.seq_len` are taken. The padding of the embedding is filled with the mean of the rows
    that the vocabulary has: the logit of such an id is the mean of theirs, so that all the padding together changes a loss by
    at most log(padded_vocab_size / vocab_size), and by far less where a model knows what it says. (Zeros would not do:
    GPT-2's logits are far below 0, and an id of logit 0 would be all that it guesses.)

    Raises:
        ValueError: a weight is missing or has another shape, or the head is not the embedding.
    """
    named, weights = _without_masks(tensors), {}
    for name, shape in shapes(config):
        theirs = gpt2_name(name)
        tensor = _take(named, theirs, shape, any_rows=name in ("tokens.weight", "positions.weight"))
        weights[name] = tensor.t() if _is_conv1d(theirs) else tensor
    embedding, positions = weights["tokens.weight"], weights["positions.weight"]
    head = named.pop(HEAD, embedding)
    if head.shape != embedding.shape or not torch.equal(head, embedding):
        raise ValueError("its head is not its embedding, as GPT-2's is")
    if named:
        raise ValueError(f"its {next(iter(named))} is nothing that GPT-2 has")
    if len(embedding) != rows:
        raise ValueError(f"its embedding has {len(embedding):,} rows, not {rows:,}")
    if len(positions) < config.seq_len:
        raise ValueError(f"it has {len(positions):,} positions, fewer than {config.seq_len:,}")
    weights["positions.weight"] = positions[: config.seq_len]
    if missing := config.padded_vocab_size - len(embedding):
        mean = embedding[: config.vocab_size].float().mean(0)
        weights["tokens.weight"] = torch.cat([embedding.float(), mean.expand(missing, -1)])
    return weights


def _without_masks(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in named.items() if not MASKS.fullmatch(name)}


def _take(named: dict[str, Tensor], name: str, shape: tuple[int, ...], any_rows: bool) -> Tensor:
    """Take a tensor out; `shape` is that of its Linear, of which `any_rows` leaves the number of rows open."""
    tensor, expected = named.pop(name, None), shape[::-1] if _is_conv1d(name) else shape
    if tensor is None:
        raise ValueError(f"it has no {name}")
    if tensor.dim() != len(expected) or tuple(tensor.shape)[any_rows:] != expected[any_rows:]:
        raise ValueError(f"its {name} has the shape {tuple(tensor.shape)}, not {expected}")
    return tensor


def shapes(config: GPTConfig) -> Iterable[tuple[str, tuple[int, ...]]]:
    """Name and shape of each weight of "classic"."""
    from raywiki.training.classic import GPT

    with torch.device("meta"):
        model = GPT(config)
    return [(name, tuple(parameter.shape)) for name, parameter in model.named_parameters()]


def write_transformers(checkpoint: Path, config: GPTConfig, sink: Any) -> None:
    """The `model.safetensors` that transformers reads, from the folder of a checkpoint, into an open file."""
    write_safetensors(to_gpt2(read_tensors(weights_file(checkpoint)), config.vocab_size, conv1d=True), sink)


def write_nanogpt(checkpoint: Path, config: GPTConfig, about: Mapping[str, Any], sink: Any) -> None:
    """The `ckpt.pt` that nanoGPT's sample.py reads, from the folder of a checkpoint, into an open file.

    Args:
        checkpoint: the folder.
        config: shape of the model.
        about: what the file holds beside the model: plain values by their names, such as `iter_num` and `config`.
        sink: has `write`.
    """
    model = to_gpt2(read_tensors(weights_file(checkpoint)), config.vocab_size, conv1d=False)
    model = {name: tensor.clone() for name, tensor in model.items()}  # torch.save would write all that a view is a part of
    model[HEAD] = model[f"{PREFIX}wte.weight"]
    sizes = {"n_layer": config.n_layer, "n_head": config.n_head, "n_embd": config.n_embd, "block_size": config.seq_len}
    arguments = {**sizes, "bias": True, "vocab_size": config.vocab_size, "dropout": config.dropout}
    torch.save({"model": model, "model_args": arguments, **about}, sink)


def transformers_config(config: GPTConfig, end_of_text: int) -> dict[str, Any]:
    """The `config.json` by which transformers builds the model."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.seq_len,
        "n_ctx": config.seq_len,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_inner": None,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.02,
        "attn_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }


def _is_conv1d(name: str) -> bool:
    return name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight"))
