"""Sizes and recipes: what a run's name of a model stands for. No torch, so that planning and error messages stay cheap."""

from __future__ import annotations

from dataclasses import dataclass, fields

PAD_VOCAB_TO = 128  # matrix products are faster when the vocabulary is a multiple of this


@dataclass(frozen=True)
class Pieces:
    """What the recipe "modern" can be made of, each piece a switch; off, it is as in "classic" (`modern.py` explains each).

    On are those that pay at the sizes that were measured, or cost neither loss nor memory there and keep larger ones stable, as
    their papers say (benchmarks/recipes.md). `value_embed` pays, and takes memory: a table of all ids for every other layer.
    A run records its recipe as a word, `modern` or such as `modern,no_rope,softcap`: see `find_pieces`. So from the first
    release on these defaults stay as they are; a better set gets a name of its own.
    """

    rope: bool = True
    qk_norm: bool = True
    relu2: bool = True
    rms_norm: bool = False
    zero_init: bool = True
    untied: bool = True
    embed_skip: bool = True
    value_embed: bool = True
    softcap: bool = False
    muon: bool = True


@dataclass(frozen=True)
class GPTConfig:
    """Shape of a model and its recipe. `vocab_size` counts the real ids; the matrices are padded (`padded_vocab_size`).

    >>> GPTConfig(vocab_size=50257, seq_len=1024, n_layer=12, n_head=12, n_embd=768).padded_vocab_size
    50304
    """

    vocab_size: int
    seq_len: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float = 0.0
    recipe: str = "classic"

    def __post_init__(self) -> None:
        for name in ("vocab_size", "seq_len", "n_layer", "n_head", "n_embd"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} is no size of a model: give a number of at least 1")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd={self.n_embd} does not divide into n_head={self.n_head} heads: change one of them")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is no share: give a number from 0 to below 1")
        if (pieces := self.pieces) and pieces.rope and self.n_embd // self.n_head % 2:
            raise ValueError(
                f"n_embd={self.n_embd} makes n_head={self.n_head} heads of an odd width, which rotary positions cannot turn: "
                "change one of them, or take --recipe modern,no_rope"
            )

    @property
    def pieces(self) -> Pieces | None:
        """Those of the recipe "modern"; None for "classic"."""
        return find_pieces(self.recipe)

    @property
    def padded_vocab_size(self) -> int:
        return -(-self.vocab_size // PAD_VOCAB_TO) * PAD_VOCAB_TO

    @property
    def n_params(self) -> int:
        """Weights of a model of this shape and recipe, those of the padding included.

        >>> GPTConfig(vocab_size=50257, seq_len=1024, n_layer=12, n_head=12, n_embd=768).n_params
        124475904
        """
        width, layers, pieces = self.n_embd, self.n_layer, self.pieces
        embedding, positions, matrices, norm = self.padded_vocab_size * width, self.seq_len * width, 12 * width**2, 2 * width
        if pieces is None:  # each block has biases of 9 widths and two norms; the head is the embedding
            return embedding + positions + layers * (matrices + 9 * width + 2 * norm) + norm
        n = embedding * (2 if pieces.untied else 1) + layers * matrices
        n += 0 if pieces.rope else positions
        n += 0 if pieces.rms_norm else (2 * layers + 2) * norm
        n += 2 * layers if pieces.embed_skip else 0
        return n + len(self.value_layers) * (embedding + self.n_head)

    @property
    def value_layers(self) -> tuple[int, ...]:
        """The layers that have value embeddings: every other one, the last among them."""
        return tuple(range((self.n_layer - 1) % 2, self.n_layer, 2)) if self.pieces and self.pieces.value_embed else ()

    @property
    def n_scaling_params(self) -> int:
        """The weights that scaling laws count: without tables that stand beside the head and are only looked up."""
        tables = len(self.value_layers) + (1 if self.pieces and self.pieces.untied else 0)
        return self.n_params - tables * self.padded_vocab_size * self.n_embd

    @property
    def flops_per_token(self) -> int:
        """Operations of training on a token without embedding and head, 72·L·d² + 12·L·d·T (Bi et al. 2024, equation 2)."""
        return 72 * self.n_layer * self.n_embd**2 + 12 * self.n_layer * self.n_embd * self.seq_len

    @property
    def model_flops_per_token(self) -> int:
        """Operations of training on a token with the head: 6N + 12·L·H·Q·T (Chowdhery et al. 2022, appendix B).

        N leaves out the tables that are looked up and not multiplied, such as positions.
        """
        looked_up = 0 if self.pieces and self.pieces.rope else self.seq_len * self.n_embd
        return 6 * (self.n_scaling_params - looked_up) + 12 * self.n_layer * self.n_embd * self.seq_len


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

# A recipe is a module with `build_model(config, seed)` and `build_optimizer(model)`.
RECIPES = {"classic": "raywiki.training.classic", "modern": "raywiki.training.modern"}
OLD_NAMES = {"gpt2": "classic"}  # what runs of raywiki 0.1 call it: "gpt2" is a size and an encoding too
LR_FACTOR = {"classic": 1.0, "modern": 2.0}  # of the size's learning rate; first figures, at nano: benchmarks/recipes.md


def find_size(name: str) -> Size:
    """The size of that name; ValueError when there is none."""
    if name not in SIZES:
        raise ValueError(f"there is no model size {name!r}: choose one of {', '.join(SIZES)}")
    return SIZES[name]


def default_lr(size: str, recipe: str) -> float:
    """Peak learning rate of a run that names none; ValueError when there is no such size or recipe."""
    return find_size(size).lr * LR_FACTOR[_parse(recipe)[0]]


def find_recipe(name: str) -> str:
    """The module of the recipe of that name; ValueError when there is none."""
    return RECIPES[_parse(name)[0]]


def find_pieces(name: str) -> Pieces | None:
    """The pieces of a recipe, None for "classic"; ValueError when there is no such recipe.

    >>> find_pieces("modern,no_rope,no_muon") == Pieces(rope=False, muon=False)
    True
    """
    recipe, pieces = _parse(name)
    return pieces if recipe == "modern" else None


def recipe_name(name: str) -> str:
    """Today's name of a recipe, with the pieces that differ from the default in their order; ValueError when there is none.

    >>> recipe_name("gpt2"), recipe_name("modern,no_muon,rope,no_rope,softcap")
    ('classic', 'modern,no_rope,softcap,no_muon')
    """
    recipe, pieces = _parse(name)
    on = {field.name: getattr(pieces, field.name) for field in fields(Pieces) if getattr(pieces, field.name) != field.default}
    return ",".join([recipe, *(piece if is_on else f"no_{piece}" for piece, is_on in on.items())])


def _parse(name: str) -> tuple[str, Pieces]:
    first, *words = name.split(",")
    recipe, known = OLD_NAMES.get(first, first), [field.name for field in fields(Pieces)]
    if recipe not in RECIPES:
        raise ValueError(f"there is no recipe {first!r}: choose one of {', '.join(RECIPES)}")
    if words and recipe != "modern":
        raise ValueError(f"recipe={name!r}: only modern has pieces to choose; take {recipe} as it is")
    for word in words:
        if word.removeprefix("no_") not in known:
            raise ValueError(f"recipe={name!r}: modern has no piece {word!r}; it has, on or by no_ off, {', '.join(known)}")
    return recipe, Pieces(**{word.removeprefix("no_"): not word.startswith("no_") for word in words})
