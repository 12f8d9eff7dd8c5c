"""A corpus of manifests alone: every table of many parts, as the verbs would have committed them, with files that hold nothing.

No verb finds anything to do in it, so that what a verb looks at before its work can be seen without Ray.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from raywiki.corpus import Corpus, Manifest, Shard
from raywiki.curation import SIGNATURE_FORMAT
from raywiki.engine.curate import DEFAULTS
from raywiki.engine.index import LIMITS, PAIRS_DEFAULTS, SIGNATURES_DEFAULTS
from raywiki.manifest import MANIFEST, part_folder, tokens_table
from raywiki.tokens import train_bpe
from raywiki.tokens.table import VAL_FRACTION

ROWS = 10
ENCODING = "made"
ARTICLES = {"pages": ROWS, "articles": ROWS, "characters": 400}
ARTICLES |= dict.fromkeys(("redirects", "other_namespaces", "other_models", "deleted", "errors"), 0)
DECISIONS = {"articles": ROWS, "kept": ROWS, "filtered": 0, "duplicates": 0}
TOKENS = {"documents": ROWS, "train_documents": 9, "val_documents": 1, "tokens": 100, "train_tokens": 90, "val_tokens": 10}
TOKENS |= {"characters": 400}


def part_ids(count: int) -> list[str]:
    return [f"xwiki-20260101-p{number}p{number}9" for number in range(1, count + 1)]


def make_corpus(
    folder: Path, count: int = 3, source: dict[str, Any] | None = None, tokens: dict[str, int] | None = None,
    shards: int = 1,
) -> Corpus:  # fmt: skip
    """Commit `count` parts to every table; the first part's dump is `source`, the last part's token counts are `tokens`.

    Each part has `shards` files, of which the first one has the rows.
    """
    put = partial(commit, shards=shards)
    corpus, bands, previous = Corpus(folder), dict[str, str](), dict[str, str]()
    vocabulary = train_bpe(["some words to learn"] * 9, vocab_size=260)
    corpus.put(corpus.path(tokens_table(ENCODING), "vocabulary.json"), vocabulary)
    sign = {"format": SIGNATURE_FORMAT, **SIGNATURES_DEFAULTS}
    pair = {"format": SIGNATURE_FORMAT, **PAIRS_DEFAULTS, **LIMITS}
    encode = {"encoding": ENCODING, "vocabulary": hashlib.sha256(vocabulary).hexdigest(), "vocab_size": 260}
    for number, part in enumerate(part_ids(count)):
        dump = {"name": f"{part}.xml.bz2", "bytes": 1, "sha256": hashlib.sha256(part.encode()).hexdigest()}
        dump = source if source and not number else dump
        notes = {"wiki": "xwiki", "first_page_id": number * ROWS, "last_page_id": number * ROWS + 9}
        articles = put(corpus, "articles", part, {"language": "en"}, ARTICLES, {}, source=dump, notes=notes)
        signatures = put(corpus, "signatures", part, sign, {"articles": ROWS}, named(articles))
        bands |= named(commit(corpus, "bands", part, sign, {"bands": ROWS}, named(signatures)))
        pairs = put(corpus, "pairs", part, pair, {"pairs": ROWS}, dict(bands))
        decisions = put(corpus, "decisions", part, DEFAULTS, DECISIONS, named(articles, signatures, pairs) | previous)
        counts = tokens if tokens and number == count - 1 else TOKENS
        settings = {**encode, "val_fraction": VAL_FRACTION}
        put(corpus, tokens_table(ENCODING), part, settings, counts, named(articles, decisions))
        previous = named(decisions)
    return corpus


def commit(
    corpus: Corpus, table: str, part: str, settings: Any, counts: Any, upstream: dict[str, str], shards: int = 1,
    **more: Any,
) -> Manifest:  # fmt: skip
    """Commit a part of little files, of whose first one the manifest says that it holds ten rows."""
    content = f"{table} {part}".encode()
    folder = Path(corpus.path(part_folder(table, part)))
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(shards):
        (folder / f"{number:05d}-made.parquet").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        made.append(Shard(f"{number:05d}-made.parquet", 0 if number else ROWS, len(content), digest))
    return corpus.commit(Manifest(table, part, settings, tuple(made), counts, upstream=upstream, **more))


def named(*manifests: Manifest) -> dict[str, str]:
    return {manifest.folder: manifest.digest for manifest in manifests}


def make_run(corpus: Corpus, run: str, parts: list[str]) -> None:
    """A run that learned from these parts, as far as its segments.json tells."""
    segments = [{"start_step": 0, "steps": 5, "parts": [{"name": part} for part in parts]}]
    corpus.put(corpus.path("runs", run, "segments.json"), json.dumps({"format": 1, "run": run, "segments": segments}).encode())


def count_reads(patch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each manifest is opened to be read, by its path, from now on."""
    opened, real = Counter[str](), LocalFileSystem._open

    def count(fs: LocalFileSystem, path: str, mode: str = "rb", **options: Any) -> Any:
        opened.update([path] if path.endswith(MANIFEST) and "r" in mode else [])
        return real(fs, path, mode, **options)

    patch.setattr(LocalFileSystem, "_open", count)
    return opened
