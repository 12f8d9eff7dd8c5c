"""Sizes and recipes: what a run's name of a model stands for. No torch, so that planning and error messages stay cheap."""

from __future__ import annotations

from dataclasses import dataclass

PAD_VOCAB_TO = 128  # matrix products are faster when the vocabulary is a multiple of this


@dataclass(frozen=True)
class GPTConfig:
    """Shape of a model. `vocab_size` counts the real ids; the matrices are padded (`padded_vocab_size`).

    >>> GPTConfig(vocab_size=50257, seq_len=1024, n_layer=12, n_head=12, n_embd=768).padded_vocab_size
    50304
    """

    vocab_size: int
    seq_len: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "seq_len", "n_layer", "n_head", "n_embd"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is no size of a model: give a number of at least 1")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd={self.n_embd} does not divide into n_head={self.n_head} heads: change one of them")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is no share: give a number from 0 to below 1")

    @property
    def padded_vocab_size(self) -> int:
        return -(-self.vocab_size // PAD_VOCAB_TO) * PAD_VOCAB_TO

    @property
    def n_params(self) -> int:
        """Weights of the recipe "classic", those of the padding included; the head is the embedding.

        >>> GPTConfig(vocab_size=50257, seq_len=1024, n_layer=12, n_head=12, n_embd=768).n_params
        124475904
        """
        block = 12 * self.n_embd**2 + 13 * self.n_embd
        return (self.padded_vocab_size + self.seq_len) * self.n_embd + self.n_layer * block + 2 * self.n_embd

    @property
    def flops_per_token(self) -> int:
        """Operations of training on a token without embedding and head, 72·L·d² + 12·L·d·T (Bi et al. 2024, equation 2)."""
        return 72 * self.n_layer * self.n_embd**2 + 12 * self.n_layer * self.n_embd * self.seq_len


@dataclass(frozen=True)
class Size:
    """A named size, and the settings that suit it where a run names no others. `total_batch_size` is in tokens."""

    n_layer: int
    n_head: int
    n_embd: int
    seq_len: int
    total_batch_size: int
    lr: float


# The first three are for CPUs and tests. GPT-2's shapes are those of Radford et al. 2019, table 2 (with the corrected
# parameter counts: 124, 355, 774 and 1558 million); learning rates and the half million tokens of a step are those that
# Brown et al. 2020, table 2.1, give for models of the same shapes.
SIZES = {
    "nano": Size(n_layer=4, n_head=4, n_embd=128, seq_len=256, total_batch_size=1 << 12, lr=2e-3),
    "micro": Size(n_layer=6, n_head=6, n_embd=192, seq_len=256, total_batch_size=1 << 13, lr=1.5e-3),
    "mini": Size(n_layer=6, n_head=6, n_embd=384, seq_len=512, total_batch_size=1 << 14, lr=1e-3),
    "gpt2": Size(n_layer=12, n_head=12, n_embd=768, seq_len=1024, total_batch_size=1 << 19, lr=6e-4),
    "gpt2-medium": Size(n_layer=24, n_head=16, n_embd=1024, seq_len=1024, total_batch_size=1 << 19, lr=3e-4),
    "gpt2-large": Size(n_layer=36, n_head=20, n_embd=1280, seq_len=1024, total_batch_size=1 << 19, lr=2.5e-4),
    "gpt2-xl": Size(n_layer=48, n_head=25, n_embd=1600, seq_len=1024, total_batch_size=1 << 20, lr=2e-4),
}

# A recipe is a module with `build_model(config)` and `build_optimizer(model)`.
RECIPES = {"classic": "raywiki.training.classic"}
OLD_NAMES = {"gpt2": "classic"}  # what runs of raywiki 0.1 call it: "gpt2" is a size and an encoding too


def find_size(name: str) -> Size:
    """The size of that name; ValueError when there is none."""
    if name not in SIZES:
        raise ValueError(f"there is no model size {name!r}: choose one of {', '.join(SIZES)}")
    return SIZES[name]


def find_recipe(name: str) -> str:
    """The module of the recipe of that name; ValueError when there is none."""
    if recipe_name(name) not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}: choose one of {', '.join(RECIPES)}")
    return RECIPES[recipe_name(name)]


def recipe_name(name: str) -> str:
    """Today's name of a recipe."""
    return OLD_NAMES.get(name, name)
