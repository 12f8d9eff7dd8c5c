"""The recipe "classic": a decoder shaped like GPT-2 (Radford et al. 2019), trained with AdamW.

Learned positions, LayerNorm before each block, GELU (tanh form), biases, tied embedding and head, and GPT-2's initial
weights: normal with deviation 0.02, the projections into the residual stream scaled by 1/sqrt(2 · n_layer).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raywiki.training.config import GPTConfig
from raywiki.training.loss import IGNORED, linear_cross_entropy
from raywiki.training.optim import adamw as build_optimizer
from raywiki.training.order import hash64

__all__ = ["GPT", "IGNORED", "KVCache", "build_model", "build_optimizer"]

KVCache = list[tuple[Tensor, Tensor]]  # keys and values of each layer, (batch, n_head, time, head_dim) each


def build_model(config: GPTConfig, seed: int = 0) -> GPT:
    """A model with fresh weights on the CPU, a function of config and seed; the process's own generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hash64(seed, "weights"))
        return GPT(config)


class Attention(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head, self.dropout = config.n_head, config.dropout
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.proj = nn.Linear(config.n_embd, config.n_embd)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        batch, time, width = x.shape
        heads = self.qkv(x).view(batch, time, 3, self.n_head, width // self.n_head).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        y, present = attend(query, key, value, past, self.dropout if self.training else 0.0)
        return self.proj(y), present


def attend(
    query: Tensor, key: Tensor, value: Tensor, past: tuple[Tensor, Tensor] | None, dropout: float
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Causal attention: (batch, n_head, time, head_dim) each to (batch, time, width), and keys and values to keep."""
    if past is not None:
        key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
    # Each new position sees all of the past: with a past, `is_causal` (aligned at the top left) would be wrong, and
    # positions come one by one then, so that no mask is needed.
    assert past is None or query.size(2) == 1
    y = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=past is None)
    return y.transpose(1, 2).flatten(2), (key, value)


class Block(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.norm_1, self.attention = nn.LayerNorm(config.n_embd), Attention(config)
        self.norm_2 = nn.LayerNorm(config.n_embd)
        self.up = nn.Linear(config.n_embd, 4 * config.n_embd)
        self.down = nn.Linear(4 * config.n_embd, config.n_embd)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, present = self.attention(self.norm_1(x), past)
        x = x + self.drop(y)
        y = self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))
        return x + self.drop(y), present


class GPT(nn.Module):
    """Token ids (batch, time) to logits (batch, time, padded_vocab_size).

    Ids from `vocab_size` up are padding of the matrices: they are never a target, and sampling leaves them out.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.padded_vocab_size, config.n_embd)
        self.positions = nn.Embedding(config.seq_len, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.norm = nn.LayerNorm(config.n_embd)
        self.apply(self._init)
        for name, parameter in self.named_parameters():
            if name.endswith(("proj.weight", "down.weight")):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.n_layer))

    @staticmethod
    def _init(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def forward(self, ids: Tensor, targets: Tensor | None = None) -> Tensor:
        """Logits; or, with targets (batch, time), the sum of the losses in nats of those that are not `IGNORED`."""
        hidden, _ = self._hidden(ids, None)
        if targets is None:
            return F.linear(hidden, self.tokens.weight)
        return linear_cross_entropy(hidden, self.tokens.weight, targets)

    def step(self, ids: Tensor, past: KVCache | None) -> tuple[Tensor, KVCache]:
        """Logits (batch, vocab_size) of the next id, and the cache to pass with the one id that follows.

        Without a cache, `ids` is the whole text so far (at most seq_len ids); with one, the last id alone.
        """
        hidden, present = self._hidden(ids, past)
        return F.linear(hidden[:, -1], self.tokens.weight[: self.config.vocab_size]), present

    def _hidden(self, ids: Tensor, past: KVCache | None) -> tuple[Tensor, KVCache]:
        start = past[0][0].size(2) if past else 0
        positions = torch.arange(start, start + ids.size(1), device=ids.device)
        x = self.drop(self.tokens(ids) + self.positions(positions))
        present: KVCache = []
        for layer, block in enumerate(self.blocks):
            x, kept = block(x, past[layer] if past else None)
            present.append(kept)
        return self.norm(x), present

    def n_params(self) -> int:
        """Number of weights, those of the padding included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def flops_per_token(self) -> int:
        """Floating-point operations of training on a token; see `GPTConfig.model_flops_per_token`."""
        return self.config.model_flops_per_token
