"""Whether what a growing corpus will write fits on the disks: rough numbers, so that nobody works hours for a full disk.

What a byte of dump becomes is what `plan` reckons with (`ratios.py`). It leaves out what is small, and what an `--overwrite`
writes again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from raywiki.corpus import Tables
from raywiki.files import nearest_folder
from raywiki.local.plan_steps import CHECKPOINT_BYTES, CHECKPOINTS, SMALL_IDS
from raywiki.manifest import tokens_table
from raywiki.ratios import find_ratios
from raywiki.training.cache import cache_folder, is_cached
from raywiki.training.parts import part_tokens


@dataclass(frozen=True)
class Need:
    """So many bytes that a verb will write in a folder of this machine."""

    verb: str
    folder: str
    bytes: float


def needs(
    tables: Tables, wiki: str, encoding: str, vocab_size: int, n_params: int, new: float, left: Mapping[str, list[str]]
) -> list[Need]:
    """What extract, curate, tokenize and train will write on this machine, in this order.

    Args:
        tables: of the corpus.
        wiki: the one that the new parts are of.
        encoding, vocab_size: what is tokenized with.
        n_params: weights of the model.
        new: bytes of the dump files that the corpus lacks.
        left: parts that the corpus has and that are not at their end: see `todo.to_do`.
    """
    of, root, table = find_ratios(tables, wiki, encoding), tables.corpus.root, tokens_table(encoding)
    of_part = {part: each.source.get("bytes", 0) for part, each in tables["articles"].items()}
    waiting = {name: new + sum(of_part.get(part, 0) for part in left.get(name, ())) for name in ("decisions", table)}
    manifests = [each for part, each in tables[table].items() if part not in left.get(table, ())]
    packed = [each for each in manifests if not is_cached(cache_folder(), part_tokens(each).digest)]
    tokens = waiting[table] * of["tokens"].value + sum(each.counts["tokens"] for each in packed)
    is_local, weights = tables.corpus.is_local, n_params * CHECKPOINT_BYTES * CHECKPOINTS if tokens else 0
    in_corpus = [
        Need("extract", root, new * of["articles_bytes"].value),
        Need("curate", root, waiting["decisions"] * of["curation_bytes"].value),
        Need("tokenize", root, waiting[table] * of["tokens_bytes"].value),
    ]
    return [
        *(in_corpus if is_local else ()),  # how much room a store has, nobody can tell
        Need("train", str(cache_folder()), tokens * (2 if vocab_size <= SMALL_IDS else 4)),
        Need("train", root if is_local else str(cache_folder()), weights),
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
