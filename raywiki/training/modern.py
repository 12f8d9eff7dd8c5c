"""The recipe "modern": a decoder of the same shape as "classic" that learns more from the same tokens, trained with Muon.

What can set it apart, each a switch of `config.Pieces`, which says what is on; what was measured is in benchmarks/recipes.md:

    rope         queries and keys are turned by an angle that grows with the position (Su et al., arXiv 2104.09864); no table
    qk_norm      queries and keys are normed before they meet (Henry et al., arXiv 2010.04245), and made a bit sharper
    relu2        relu(x)² in place of GELU (So et al., arXiv 2109.08668)
    rms_norm     norms by the root mean square (Zhang & Sennrich, arXiv 1910.07467), without weights; off: LayerNorm
    zero_init    projections into the residual stream begin at 0, so that each block begins as the identity
    untied       a head of its own, which begins at 0, in place of the embedding
    embed_skip   before each block, the first embedding is mixed back in with learned weights
    value_embed  every other layer adds to its values a learned table of the token ids (Zhou et al., arXiv 2410.17897)
    softcap      logits bounded by a tanh (`loss.soft_cap`)
    muon         the matrices of the blocks learn with Muon (`optim.py`), the rest with AdamW

There are no biases but those of LayerNorm. Numbers without a source of their own are those of nanochat,
github.com/karpathy/nanochat, of 2026.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raywiki.training.classic import KVCache, attend
from raywiki.training.config import GPTConfig, Pieces
from raywiki.training.loss import linear_cross_entropy, soft_cap
from raywiki.training.optim import muon_and_adamw as build_optimizer
from raywiki.training.order import hash64

__all__ = ["GPT", "KVCache", "build_model", "build_optimizer"]

ROPE_BASE = 10_000.0  # Su et al.
QK_SCALE = 1.2  # of normed queries and keys
SOFTCAP = 20.0
EMBED_STD, FIRST_MIXED_IN = 0.02, 0.1
UP_SHARE = 0.4  # of the deviation that other matrices begin with
EPS = 1e-6


def build_model(config: GPTConfig, seed: int = 0) -> GPT:
    """A model with fresh weights on the CPU, a function of config and seed; the process's own generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hash64(seed, "weights"))
        return GPT(config)


def rope_turns(start: int, time: int, head_dim: int, device: torch.device | None = None) -> Tensor:
    """Cosines and sines (2, time, head_dim / 2) of the angles position · base^(-2i / head_dim) from position `start` on."""
    exponents = torch.arange(0, head_dim, 2, device=device, dtype=torch.float32) / head_dim
    angles = torch.outer(torch.arange(start, start + time, device=device, dtype=torch.float32), ROPE_BASE**-exponents)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Each pair (i, i + head_dim / 2) of x (…, time, head_dim) turned by its angle, see `rope_turns`; x's own type."""
    cos, sin = turns
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1).type_as(x)


def pieces_of(config: GPTConfig) -> Pieces:
    assert config.pieces is not None, "a config of another recipe"
    return config.pieces


def norm_of(config: GPTConfig) -> nn.Module:
    if pieces_of(config).rms_norm:
        return nn.RMSNorm(config.n_embd, eps=EPS, elementwise_affine=False)
    return nn.LayerNorm(config.n_embd)


def linear(n_in: int, n_out: int, std: float) -> nn.Linear:
    """Without bias; weights normal with this deviation."""
    made = nn.Linear(n_in, n_out, bias=False)
    nn.init.normal_(made.weight, std=std) if std else nn.init.zeros_(made.weight)
    return made


class Attention(nn.Module):
    def __init__(self, config: GPTConfig, has_values: bool) -> None:
        super().__init__()
        self.config, self.qk_norm, width = config, pieces_of(config).qk_norm, config.n_embd
        # Apart, as Muon makes each of them orthogonal by itself.
        self.query, self.key, self.value = (linear(width, width, width**-0.5) for _ in range(3))
        self.proj = linear(width, width, out_std(config))
        self.value_scale = nn.Parameter(torch.ones(config.n_head)) if has_values else None

    def forward(
        self, x: Tensor, values: Tensor | None, turns: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        query, key, value = (self.heads(project(x)) for project in (self.query, self.key, self.value))
        if self.value_scale is not None and values is not None:
            value = value + self.value_scale[:, None, None] * self.heads(values)
        if turns is not None:
            query, key = rotate(query, turns), rotate(key, turns)
        if self.qk_norm:
            query, key = (QK_SCALE * F.rms_norm(each, each.shape[-1:], eps=EPS) for each in (query, key))
        dropout = self.config.dropout if self.training else 0.0
        y, present = attend(query, key, value, past, dropout)
        return self.proj(y), present

    def heads(self, x: Tensor) -> Tensor:
        """(batch, time, width) to (batch, n_head, time, head_dim)."""
        return x.unflatten(-1, (self.config.n_head, -1)).transpose(1, 2)


def out_std(config: GPTConfig) -> float:
    """Deviation of the projections into the residual stream: 0, or GPT-2's."""
    return 0.0 if pieces_of(config).zero_init else 0.02 / math.sqrt(2 * config.n_layer)


class Block(nn.Module):
    def __init__(self, config: GPTConfig, has_values: bool) -> None:
        super().__init__()
        width = config.n_embd
        self.norm_1, self.attention = norm_of(config), Attention(config, has_values)
        self.norm_2, self.up = norm_of(config), linear(width, 4 * width, UP_SHARE * width**-0.5)
        self.down = linear(4 * width, width, out_std(config))
        self.drop, self.relu2 = nn.Dropout(config.dropout), pieces_of(config).relu2

    def forward(
        self, x: Tensor, values: Tensor | None, turns: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, present = self.attention(self.norm_1(x), values, turns, past)
        x = x + self.drop(y)
        y = self.up(self.norm_2(x))
        y = F.relu(y).square() if self.relu2 else F.gelu(y, approximate="tanh")
        return x + self.drop(self.down(y)), present


class GPT(nn.Module):
    """Token ids (batch, time) to logits (batch, time, padded_vocab_size); see `classic.GPT`, which has the same methods."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config, self.pieces = config, pieces_of(config)
        vocab, width, layers = config.padded_vocab_size, config.n_embd, range(config.n_layer)
        self.tokens = self.table(vocab)
        self.positions = None if self.pieces.rope else self.table(config.seq_len)
        self.values = nn.ModuleDict({str(layer): self.table(vocab) for layer in config.value_layers})
        self.norm_0, self.drop = norm_of(config), nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, layer in config.value_layers) for layer in layers)
        # Before each block, the residual stream's own weight and that of the first embedding.
        self.mix = nn.Parameter(torch.tensor([[1.0, FIRST_MIXED_IN] for _ in layers])) if self.pieces.embed_skip else None
        self.norm = norm_of(config)
        self.head = linear(width, vocab, std=0.0) if self.pieces.untied else None

    def table(self, rows: int) -> nn.Embedding:
        made = nn.Embedding(rows, self.config.n_embd)
        nn.init.normal_(made.weight, std=EMBED_STD)
        return made

    def forward(self, ids: Tensor, targets: Tensor | None = None) -> Tensor:
        """Logits; or, with targets (batch, time), the sum of the losses in nats of those that are not `IGNORED`."""
        hidden, _ = self._hidden(ids, None)
        if targets is None:
            return self._logits(hidden)
        return linear_cross_entropy(hidden, self._head, targets, SOFTCAP if self.pieces.softcap else None)

    def step(self, ids: Tensor, past: KVCache | None) -> tuple[Tensor, KVCache]:
        """Logits (batch, vocab_size) of the next id, and the cache to pass with the one id that follows."""
        hidden, present = self._hidden(ids, past)
        return self._logits(hidden[:, -1])[:, : self.config.vocab_size], present

    def _hidden(self, ids: Tensor, past: KVCache | None) -> tuple[Tensor, KVCache]:
        config, time = self.config, ids.size(1)
        start = past[0][0].size(2) if past else 0
        x, turns = self.tokens(ids), None
        if self.positions is None:
            turns = rope_turns(start, time, config.n_embd // config.n_head, ids.device)
        else:
            x = x + self.positions(torch.arange(start, start + time, device=ids.device))
        x = first = self.drop(self.norm_0(x))
        present: KVCache = []
        for layer, block in enumerate(self.blocks):
            if self.mix is not None:
                x = self.mix[layer, 0] * x + self.mix[layer, 1] * first
            values = self.values[str(layer)](ids) if str(layer) in self.values else None
            x, kept = block(x, values, turns, past[layer] if past else None)
            present.append(kept)
        return self.norm(x), present

    def _logits(self, hidden: Tensor) -> Tensor:
        logits = F.linear(hidden, self._head)
        return soft_cap(logits, SOFTCAP) if self.pieces.softcap else logits

    @property
    def _head(self) -> Tensor:
        return self.tokens.weight if self.head is None else self.head.weight

    def n_params(self) -> int:
        """Number of weights, those of the padding included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def flops_per_token(self) -> int:
        """Floating-point operations of training on a token; see `GPTConfig.model_flops_per_token`."""
        return self.config.model_flops_per_token
