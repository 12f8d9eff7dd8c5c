"""Whether what a growing corpus will write fits on the disks: rough numbers, so that nobody works hours for a full disk.

An estimate is a number of bytes for each byte of the dump file, as the corpus's own parts have it, else as English parts had.
It leaves out what is small, and what an `--overwrite` writes again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from raywiki.corpus import Tables
from raywiki.files import nearest_folder
from raywiki.manifest import TABLES, tokens_table
from raywiki.training.cache import cache_entries, cache_folder, cache_key
from raywiki.training.parts import part_tokens

# Of three English parts (bzip2, first pages of 2016-05) with gpt2's vocabulary; `tokens` counts, the others are bytes.
ROUGH = {"articles": 0.7, "curation": 0.06, "encoded": 0.6, "tokens": 0.4}
WEIGHT = 12  # bytes of a weight in a checkpoint: 32 bits of itself and of AdamW's two moments
CHECKPOINTS = 4  # that a segment adds: the last two, its best, and the one before a decay, see `training.checkpoint`


@dataclass(frozen=True)
class Need:
    """So many bytes that a verb will write in a folder of this machine."""

    verb: str
    folder: str
    bytes: float


def ratios(tables: Tables, encoding: str) -> dict[str, float]:
    """Those of `ROUGH`, as the corpus's own parts have them where it has any."""
    dumps = {part: manifest.source.get("bytes", 0) for part, manifest in tables["articles"].items()}

    def share(values: Mapping[str, float]) -> float | None:
        of = sum(dumps.get(part, 0) for part in values)
        return sum(values.values()) / of if of else None

    def bytes_in(*names: str) -> dict[str, float]:
        there = [tables[name] for name in names]
        parts = set(there[-1]) & dumps.keys()
        return {part: sum(shard.bytes for each in there if part in each for shard in each[part].shards) for part in parts}

    encoded = tokens_table(encoding)
    counts = {part: each.counts["tokens"] for part, each in tables[encoded].items() if part in dumps}
    own = {"articles": share(bytes_in("articles")), "curation": share(bytes_in(*TABLES[1:])),
           "encoded": share(bytes_in(encoded)), "tokens": share(counts)}  # fmt: skip
    return ROUGH | {name: value for name, value in own.items() if value is not None}


def needs(
    tables: Tables, encoding: str, vocab_size: int, n_params: int, new: float, left: Mapping[str, list[str]]
) -> list[Need]:
    """What extract, curate, tokenize and train will write, in this order.

    Args:
        tables: of the corpus.
        encoding, vocab_size: what is tokenized with.
        n_params: weights of the model.
        new: bytes of the dump files that the corpus lacks.
        left: parts that the corpus has and that are not at their end: see `todo.to_do`.
    """
    of, root, table = ratios(tables, encoding), tables.corpus.path(), tokens_table(encoding)
    of_part = {part: each.source.get("bytes", 0) for part, each in tables["articles"].items()}
    waiting = {name: new + sum(of_part.get(part, 0) for part in left.get(name, ())) for name in ("decisions", table)}
    manifests = [each for part, each in tables[table].items() if part not in left.get(table, ())]
    there = {entry.key for entry in cache_entries(cache_folder())}
    packed = [each for each in manifests if cache_key(part_tokens(each).digest) not in there]
    tokens = waiting[table] * of["tokens"] + sum(each.counts["tokens"] for each in packed)
    return [
        Need("extract", root, new * of["articles"]),
        Need("curate", root, waiting["decisions"] * of["curation"]),
        Need("tokenize", root, waiting[table] * of["encoded"]),
        Need("train", str(cache_folder()), tokens * (2 if vocab_size <= 1 << 16 else 4)),
        Need("train", root, n_params * WEIGHT * CHECKPOINTS if tokens else 0),
    ]


def require_room(wanted: Iterable[Need]) -> None:
    """Raise OSError when what is to be written does not fit; the sentence has both numbers. Folders may share a disk."""
    together: dict[int, list[Need]] = {}
    for need in wanted:
        if need.bytes > 0:
            together.setdefault(os.stat(nearest_folder(need.folder)).st_dev, []).append(need)
    for on_one in together.values():
        total, folder = sum(need.bytes for need in on_one), on_one[0].folder
        free = shutil.disk_usage(nearest_folder(folder)).free
        if total > free:
            verbs = ", ".join(dict.fromkeys(need.verb for need in on_one))
            raise OSError(
                f"{folder} has {free / 1e6:,.1f} MB free, and about {total / 1e6:,.1f} MB are still to be written there "
                f"({verbs}): make room, or add fewer parts at once"
            )
