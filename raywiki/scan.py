"""Committed tables as Polars frames: lazy, and only of what manifests name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from raywiki.corpus import Corpus, tokens_table
from raywiki.schema import ARTICLES, DECISIONS, SIGNATURES, tokens_schema

if TYPE_CHECKING:
    import polars as pl

# Protocols that Polars reads by itself; everything else that fsspec knows goes through a pyarrow dataset.
_POLARS_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "http", "https"}


def scan_articles(corpus: str | os.PathLike[str] | Corpus, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """Every committed article: the columns of the articles table and `part`.

    Args:
        corpus: folder or URL of the corpus.
        parts: ids of the parts to read; all when None.

    Raises:
        FileNotFoundError: there is no corpus at that place.
        ValueError: a part of `parts` is not committed, or a manifest is damaged.
    """
    return scan_table(corpus, "articles", ARTICLES, parts)


def scan_decisions(corpus: str | os.PathLike[str] | Corpus, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """One row for each article: whether it is kept, and if not, why (`reason`, `dup_of`, `similarity`). See `scan_articles`."""
    return scan_table(corpus, "decisions", DECISIONS, parts)


def scan_signatures(corpus: str | os.PathLike[str] | Corpus, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """The dedup index: one signature for each article. See `scan_articles`."""
    return scan_table(corpus, "signatures", SIGNATURES, parts)


def scan_documents(corpus: str | os.PathLike[str] | Corpus, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """The articles that curation keeps, with the columns of the articles table. See `scan_articles`.

    A part without decisions has no documents yet.
    """
    import polars as pl

    corpus = Corpus.open(corpus)
    decided = list(corpus.require().manifests("decisions")) if parts is None else list(parts)
    kept = scan_decisions(corpus, decided).filter(pl.col("keep")).select("part", "page_id")
    return scan_articles(corpus, decided).join(kept, on=["part", "page_id"], how="semi", maintain_order="left")


def scan_tokens(corpus: str | os.PathLike[str] | Corpus, encoding: str, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """Token ids of every document under one encoding, each ended by the end-of-text id. See `scan_articles`.

    Raises:
        ValueError: the corpus has no tokens of that encoding; the sentence names those that it has.
    """
    corpus = Corpus.open(corpus)
    manifests = corpus.require().manifests(tokens_table(encoding))
    if not manifests:
        known = ", ".join(corpus.encodings()) or "none"
        raise ValueError(f"{corpus.url} has no tokens of encoding {encoding!r} (it has: {known}): run `raywiki tokenize`")
    vocab_size = max(int(manifest.settings["vocab_size"]) for manifest in manifests.values())
    return scan_table(corpus, tokens_table(encoding), tokens_schema(vocab_size), parts)


def scan_table(
    corpus: str | os.PathLike[str] | Corpus, table: str, schema: pa.Schema, parts: Sequence[str] | None
) -> pl.LazyFrame:
    """Lazy frame over the committed shards of a table; a frame without rows when there are none."""
    import polars as pl

    corpus = Corpus.open(corpus)
    manifests = corpus.require().manifests(table)
    unknown = sorted(set(parts or ()) - set(manifests))
    if unknown:
        raise ValueError(f"part {unknown[0]} has no committed {table} in {corpus.url}: it has {', '.join(manifests) or 'none'}")
    chosen = [manifests[part] for part in (manifests if parts is None else parts)]
    frames = [
        _scan_shards(corpus, [corpus.shard_path(manifest, shard) for shard in manifest.shards])
        .select(schema.names)
        .with_columns(part=pl.lit(manifest.part))
        for manifest in chosen
        if manifest.shards
    ]
    if not frames:
        empty = pl.DataFrame(pl.from_arrow(schema.empty_table()))
        return empty.lazy().with_columns(part=pl.lit(None, pl.String))
    return pl.concat(frames)


def _scan_shards(corpus: Corpus, paths: list[str]) -> pl.LazyFrame:
    import polars as pl

    protocol = corpus.fs.protocol if isinstance(corpus.fs.protocol, str) else corpus.fs.protocol[0]
    if corpus.is_local:
        return pl.scan_parquet(paths, hive_partitioning=False, glob=False)
    if protocol in _POLARS_PROTOCOLS:
        return pl.scan_parquet([corpus.fs.unstrip_protocol(path) for path in paths], hive_partitioning=False, glob=False)
    import pyarrow.dataset as ds
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    dataset = ds.dataset(paths, format="parquet", filesystem=PyFileSystem(FSSpecHandler(corpus.fs)))
    return pl.scan_pyarrow_dataset(dataset)
