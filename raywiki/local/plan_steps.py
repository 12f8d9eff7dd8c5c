"""What parts of a dump cost and give, one after the other: a pure function of ratios, of what is there, and of speeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raywiki.dumps.listing import in_ranges
from raywiki.manifest import Manifest
from raywiki.ratios import Ratio
from raywiki.summary import count, size
from raywiki.training.describe import duration
from raywiki.training.plan import MOST_EPOCHS, TOKENS_PER_WEIGHT, default_batch, default_epochs
from raywiki.training.runs import RunConfig

# Bytes of a checkpoint for each weight: float32 weights and AdamW's two moments. Muon has one, so for "modern" it is less.
CHECKPOINT_BYTES = 12
# Checkpoints that lie there at once: the two newest, the segment's best, the last one before its decay, and one being written.
CHECKPOINTS = 5
SMALL_IDS = 1 << 16  # ids of a vocabulary up to which the token cache takes two bytes for each, and four beyond
NOW = "now"
# The table that each verb is done with, and the ratio of the bytes that it stores.
VERBS = {
    "extract": ("articles", "articles_bytes"),
    "curate": ("decisions", "curation_bytes"),
    "tokenize": ("tokens", "tokens_bytes"),
}


@dataclass(frozen=True)
class PartCost:
    """What is still to be done and to be stored for one part, and what it gives: bytes, core-seconds and counts.

    `number` is None for a part of the corpus that was not asked for; `is_new` tells that its tokens are still to be made.
    """

    number: int | None
    is_new: bool
    download: int
    corpus: int
    cache: int
    articles: int
    tokens: int
    train_tokens: int
    core_seconds: float


@dataclass(frozen=True)
class Place:
    """A folder that is written to, the file system that it is on, and the bytes that are free there, None where unknown."""

    folder: str
    device: int | None
    free: int | None


@dataclass(frozen=True)
class Step:
    """All parts up to one: what they cost beyond what is there, and what there is then.

    `parts` are their numbers, "now" for what the corpus has already; `add` those of them that are still to be added. `disk` has
    bytes by place: dumps, corpus, token cache, run. `prepare_seconds` are those of extract, curate and tokenize on all cores;
    `epoch_seconds` those of one pass over all `train_tokens`, from fresh weights `train_seconds` of the `passes` that
    `training.plan` chooses, in steps of `batch` tokens. `feeds` is the number of weights that so many tokens can feed, `short`
    a sentence where the disk is too small.
    """

    parts: str
    add: tuple[int, ...]
    download: int
    disk: dict[str, int]
    articles: int
    tokens: int
    train_tokens: int
    prepare_seconds: float
    epoch_seconds: float
    passes: int
    batch: int
    train_seconds: float
    feeds: int
    short: str | None

    @property
    def named(self) -> str:
        """What it is of, in words."""
        return "what is there" if self.parts == NOW else f"part{'s' * (not self.parts.isdigit())} {self.parts}"


def part_cost(
    number: int | None, size: int, missing: int, made: Mapping[str, Manifest], ratios: Mapping[str, Ratio], id_bytes: int,
    is_cached: bool,
) -> PartCost:  # fmt: skip
    """What a part costs and gives, as its manifests say where it is committed, else by the ratios.

    Args:
        number: of the part in the dump's listing, None for one that is not of it.
        size: bytes of its dump file.
        missing: bytes of that which are still to be fetched.
        made: its manifests by table: "articles", "decisions", "tokens".
        ratios: see `raywiki.ratios`.
        id_bytes: of a token in the cache.
        is_cached: whether its tokens are in the token cache.
    """
    articles, tokens = made.get("articles"), made.get("tokens")
    todo = [verb for verb, (table, _) in VERBS.items() if table not in made]

    def of(name: str) -> float:
        return ratios[name].of(size)

    n_tokens = tokens.counts["tokens"] if tokens else round(of("tokens"))
    return PartCost(
        number,
        is_new="tokens" not in made,
        download=0 if articles else missing,
        corpus=round(sum(of(VERBS[verb][1]) for verb in todo)),
        cache=0 if is_cached else n_tokens * id_bytes,
        articles=articles.counts["articles"] if articles else round(of("articles")),
        tokens=n_tokens,
        train_tokens=tokens.counts["train_tokens"] if tokens else round(of("train_tokens")),
        core_seconds=sum(of(f"{verb}_seconds") for verb in todo),
    )


def cumulative(
    costs: Sequence[PartCost], config: RunConfig, tok_per_sec: float, cores: int, places: Mapping[str, Place]
) -> list[Step]:
    """A step for what the corpus has beside the parts that were asked for, if anything, and one for each of those, added up.

    Args:
        costs: of all parts, those without a number first.
        config: of the run that is to learn from them.
        tok_per_sec: of its training.
        cores: that extract, curate and tokenize have.
        places: where the dumps, the corpus and the token cache are to lie, by these names.
    """
    first = sum(cost.number is None for cost in costs)
    ends = range(first if first else 1, len(costs) + 1)
    return [_step(costs[:end], config, tok_per_sec, cores, places) for end in ends]


def shortage(disk: Mapping[str, int], places: Mapping[str, Place]) -> str | None:
    """Where so many bytes do not fit, in words with both numbers; None where they do, or nobody knows."""
    devices: dict[int | None, list[str]] = {}
    for name in disk:
        place = places["corpus" if name == "run" else name]
        devices.setdefault(place.device, []).append(name)
    for names in devices.values():
        place = places["corpus" if names[0] == "run" else names[0]]
        needed = sum(disk[name] for name in names)
        if place.free is not None and needed > place.free:
            what = ", ".join(f"{name} {size(disk[name])}" for name in names if disk[name])
            return f"{size(needed)} are needed on the file system of {place.folder} ({what}), and {size(place.free)} are free"
    return None


def step_row(step: Step) -> dict[str, Any]:
    """A line of the table that is printed."""
    return {
        "parts": step.parts,
        "download": size(step.download),
        "disk": size(sum(step.disk.values())),
        "articles": count(step.articles),
        "tokens": count(step.tokens),
        "prepare": duration(step.prepare_seconds),
        "one_pass": duration(step.epoch_seconds),
        "passes": str(step.passes),
        "training": duration(step.train_seconds),
        "feeds": count(step.feeds),
        "fits": "no" if step.short else "yes",
    }


def _step(costs: Sequence[PartCost], config: RunConfig, tok_per_sec: float, cores: int, places: Mapping[str, Place]) -> Step:
    numbers = [cost.number for cost in costs if cost.number is not None]
    train_tokens, download = sum(cost.train_tokens for cost in costs), sum(cost.download for cost in costs)
    passes, epoch = default_epochs(config, train_tokens), train_tokens / tok_per_sec
    disk = {"dumps": download, "corpus": sum(cost.corpus for cost in costs), "token cache": sum(cost.cache for cost in costs)}
    disk["run"] = CHECKPOINTS * CHECKPOINT_BYTES * config.model.n_params
    return Step(
        in_ranges(numbers) or NOW,
        tuple(cost.number for cost in costs if cost.number is not None and cost.is_new),
        download,
        disk,
        sum(cost.articles for cost in costs),
        sum(cost.tokens for cost in costs),
        train_tokens,
        sum(cost.core_seconds for cost in costs) / cores,
        epoch,
        passes,
        default_batch(config, passes * train_tokens),
        passes * epoch,
        math.floor(MOST_EPOCHS * train_tokens / TOKENS_PER_WEIGHT),
        shortage(disk, places),
    )
