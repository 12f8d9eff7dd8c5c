"""A corpus of given texts, curated, without Ray: what `tokenize` and what comes after it start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from raywiki.corpus import Corpus, Manifest
from raywiki.schema import ARTICLES, DECISIONS


def make_text_corpus(folder: Path, parts: Mapping[str, Mapping[int, str]], shard_rows: int = 1000) -> Corpus:
    """Commit the articles of each part, text by page id, all of them kept; `shard_rows` articles a shard."""
    corpus = Corpus(folder)
    for part, texts in parts.items():
        rows = [
            dict(page_id=page_id, title=f"Title {page_id}", url="", text=text, n_chars=len(text), is_disambiguation=False)
            for page_id, text in texts.items()
        ]
        counts = dict(pages=len(rows), articles=len(rows), redirects=0, other_namespaces=0, other_models=0, deleted=0, errors=0)
        shards = []
        for first in range(0, len(rows), shard_rows):
            table = pa.Table.from_pylist(rows[first : first + shard_rows], schema=ARTICLES)
            shards.append(corpus.write_shard(f"articles/part={part}", f"{first}.parquet", [table], ARTICLES))
        corpus.commit(Manifest("articles", part, {}, tuple(shards), counts))
        decisions = pa.Table.from_pylist([dict(page_id=page_id, keep=True, reasons=[]) for page_id in texts], schema=DECISIONS)
        shard = corpus.write_shard(f"decisions/part={part}", "d.parquet", [decisions], DECISIONS)
        kept = dict(articles=len(rows), kept=len(rows), filtered=0, duplicates=0)
        corpus.commit(Manifest("decisions", part, {}, (shard,), kept))
    return corpus
