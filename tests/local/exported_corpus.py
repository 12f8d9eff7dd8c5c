"""A corpus of articles, decisions and tokens, made by kernels and by hand: what an export reads, in a second, without Ray."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from raywiki.corpus import Corpus, Manifest, Shard
from raywiki.manifest import part_folder, tokens_table
from raywiki.schema import ARTICLES, DECISIONS
from raywiki.tokens import articles_to_tokens, load_encoding, train_bpe, vocabulary_path
from raywiki.tokens.table import PARQUET_OPTIONS

PARTS = ("viwiki-20260101-p1p99", "viwiki-20260101-p100p199")
ENCODING = "small"
ODD = [
    'a "quoted" & <b>marked</b> text\n</doc>\n<doc id="7">\nwithin',
    "emoji 🦡\r\nwith carriage return and U+2028:\u2028end",
    "",
]


def rows_of(part: int, count: int = 40) -> list[dict[str, Any]]:
    """Articles with everything that a format could trip over; every third is not kept."""
    chance, rows = random.Random(part), []
    for number in range(count):
        words = ["".join(chance.choices("aăâbcdđeêghi", k=chance.randint(1, 7))) for _ in range(chance.randint(5, 80))]
        text = ODD[number] if number < len(ODD) else " ".join(words) + "\n\nHai đoạn.\n \nBa."
        rows.append({
            "page_id": part * 100 + number, "revision_id": 7 * number or None, "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
            "title": f'Trang "{number}" & <i>', "url": f"https://vi.wikipedia.org/wiki/Trang_{number}?a=1&b=2", "text": text,
            "n_chars": len(text), "categories": ["a", "b"][: number % 3], "is_disambiguation": False,
            "dropped_templates": [{"name": "x", "count": 2}] if number % 2 else None, "sha1_ok": True, "error": None,
        })  # fmt: skip
    return rows


def make_exportable(folder: Path, parts: int = 2) -> Corpus:
    """The first so many of `PARTS`, in two shards each."""
    corpus = Corpus(folder)
    vocabulary = train_bpe([row["text"] for row in rows_of(0)], vocab_size=300)
    corpus.put(vocabulary_path(corpus, ENCODING), vocabulary)
    for number, part in enumerate(PARTS[:parts]):
        add_part(corpus, number, part, vocabulary)
    return corpus


def add_part(corpus: Corpus, number: int, part: str, vocabulary: bytes) -> None:
    rows = pa.Table.from_pylist(rows_of(number), schema=ARTICLES)
    keep = [index % 3 != 2 for index in range(rows.num_rows)]
    encoding = load_encoding(ENCODING, vocabulary)
    tokens = articles_to_tokens(rows.filter(pa.array(keep)), encoding, val_fraction=0.2)
    decided = [
        {"page_id": each["page_id"], "keep": kept, "reason": None if kept else "short", "reasons": [] if kept else ["short"]}
        for each, kept in zip(rows.to_pylist(), keep, strict=True)
    ]
    kept = sum(keep)
    counts = dict.fromkeys(("redirects", "other_namespaces", "other_models", "deleted", "errors"), 0)
    counts |= {"pages": len(keep), "articles": len(keep)}
    source = {"name": f"{part}.xml.bz2", "bytes": 1, "sha256": "ab" * 32}
    articles = _commit(corpus, "articles", part, {"language": "vi"}, rows, counts, {}, source=source, notes={"wiki": "viwiki"})
    counts = {"articles": len(keep), "kept": kept, "filtered": len(keep) - kept, "duplicates": 0}
    decisions = pa.Table.from_pylist(decided, schema=DECISIONS)
    decisions = _commit(corpus, "decisions", part, {"min_chars": 1}, decisions, counts, _named(articles))
    by_split = {
        split: tokens.filter(pa.array([each == split for each in tokens["split"].to_pylist()])) for split in ("train", "val")
    }
    counts = {"documents": kept, "tokens": sum(tokens["n_tokens"].to_pylist()), "characters": 1}
    for split, held in by_split.items():
        counts |= {f"{split}_documents": held.num_rows, f"{split}_tokens": sum(held["n_tokens"].to_pylist())}
    settings = {"encoding": ENCODING, "vocabulary": encoding.digest, "vocab_size": encoding.vocab_size, "val_fraction": 0.2}
    _commit(
        corpus,
        tokens_table(ENCODING),
        part,
        settings,
        tokens,
        counts,
        _named(articles, decisions),
        **{"options": PARQUET_OPTIONS},
    )


def _commit(
    corpus: Corpus, table: str, part: str, settings: Any, rows: pa.Table, counts: Any, upstream: Any,
    options: Any = None, **more: Any,
) -> Manifest:  # fmt: skip
    half, folder = rows.num_rows // 2, part_folder(table, part)
    shards: list[Shard] = []
    for number, piece in enumerate((rows.slice(0, half), rows.slice(half))):
        shard = corpus.write_shard(folder, f"{number:05d}-made.parquet", [piece], rows.schema, **(options or {}))
        shards += [shard] if shard else []
    return corpus.commit(Manifest(table, part, settings, tuple(shards), counts, upstream=upstream, **more))


def _named(*manifests: Manifest) -> dict[str, str]:
    return {manifest.folder: manifest.digest for manifest in manifests}
