"""tokenize: kept articles to token shards, one Ray task for each shard of articles."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute

import raywiki
from raywiki.corpus import Corpus, Manifest, Shard, settle, shard_key, tokens_table
from raywiki.engine.cluster import run
from raywiki.progress import Progress
from raywiki.schema import tokens_schema
from raywiki.summary import Summary, lost_parts
from raywiki.tokens import Encoding, articles_to_tokens, find_vocabulary, load_encoding, vocabulary_path
from raywiki.tokens.table import PARQUET_OPTIONS, VAL_FRACTION

COUNTS = ("documents", "train_documents", "val_documents", "tokens", "train_tokens", "val_tokens", "characters")


def tokenize(
    corpus: str | os.PathLike[str] | Corpus, encoding: str | None = None, *, val_fraction: float | None = None,
    overwrite: bool = False,
) -> Summary:  # fmt: skip
    """Encode the kept articles of every curated part that is not tokenized yet.

    Args:
        corpus: folder or URL of the corpus.
        encoding: tiktoken's name of an encoding, a `tokenizer.json` (path or URL), or the name of an encoding that the corpus
            has already. None: the corpus's own when it has one, else "gpt2".
        val_fraction: share of pages for validation, chosen for ever by a hash of the page id; 0.005 when None.
        overwrite: redo parts that are committed with other settings.

    Returns:
        A summary with the counts of each part.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: nothing is curated, or its decisions are stale; the encoding is unknown or its vocabulary cannot be had;
            the tokens are committed with other settings; a shard is damaged.
    """
    started = time.monotonic()
    corpus = Corpus.open(corpus).require()
    decided = corpus.manifests("decisions")
    if not decided:
        raise ValueError(f"{corpus.url} has no curated part to tokenize: run `raywiki curate {corpus.url}` first")
    for manifest in decided.values():
        if corpus.is_stale(manifest):
            raise ValueError(f"the decisions of part {manifest.part} are stale: run `raywiki curate {corpus.url}` first")
    name, vocabulary = find_vocabulary(corpus, encoding, overwrite)
    loaded = load_encoding(name, vocabulary)
    table = tokens_table(name)
    committed = corpus.manifests(table)
    identity = {"encoding": name, "vocabulary": loaded.digest, "vocab_size": loaded.vocab_size}
    settings = settle(
        f"tokens of encoding {name!r}",
        [manifest.settings for manifest in committed.values()],
        {**identity, "val_fraction": val_fraction},
        {**identity, "val_fraction": VAL_FRACTION},
        overwrite,
    )
    if not corpus.fs.exists(vocabulary_path(corpus, name)) or overwrite:
        corpus.put(vocabulary_path(corpus, name), vocabulary)
    lost = lost_parts(corpus, committed)
    todo, rows = [], []
    for part, decisions in decided.items():
        articles = corpus.read_manifest("articles", part)
        assert articles is not None, part
        upstream = {each.folder: each.digest for each in (articles, decisions)}
        old = committed.get(part)
        if old is not None and old.upstream == upstream and old.settings == settings and part not in lost:
            rows.append(_row(old, "unchanged"))
        else:
            todo.append(_Part(corpus.url_of(), articles, decisions, table, settings, upstream))
    rows += [_row(manifest, "committed") for manifest in _commit_parts(corpus, todo)]
    rows.sort(key=lambda row: list(decided).index(row["part"]))
    uncurated = [part for part in corpus.manifests("articles") if part not in decided]
    warnings = [lost[part] for part in decided if part in lost]
    warnings += [f"part {part} is not curated yet: run `raywiki curate {corpus.url}`" for part in uncurated]
    return Summary("tokenize", corpus.url, tuple(rows), time.monotonic() - started, tuple(warnings))


@dataclass(frozen=True)
class _Part:
    """One part to tokenize."""

    corpus: str
    articles: Manifest
    decisions: Manifest
    table: str
    settings: dict[str, Any]
    upstream: dict[str, str]

    @property
    def folder(self) -> str:
        return f"{self.table}/part={self.articles.part}"


def _commit_parts(corpus: Corpus, parts: list[_Part]) -> Iterator[Manifest]:
    """Run all shards of all parts through Ray; commit each part when its last shard is there."""
    items = [(part, index) for part in parts for index in range(len(part.articles.shards))]
    results: dict[str, dict[int, tuple[Shard | None, Counter[str]]]] = {part.articles.part: {} for part in parts}
    started = time.monotonic()
    megabytes = sum(part.articles.shards[index].bytes for part, index in items) / 1e6
    with Progress("tokenize", megabytes, "MB") as progress:
        for part in parts:
            if not part.articles.shards:
                yield _commit(corpus, part, {}, started)
        for i, result in run(_encode_shard, items):
            part, index = items[i]
            done = results[part.articles.part]
            done[index] = result
            progress.advance(part.articles.shards[index].bytes / 1e6, {"tokens": result[1]["tokens"]})
            if len(done) == len(part.articles.shards):
                yield _commit(corpus, part, done, started)


def _commit(corpus: Corpus, part: _Part, done: dict[int, tuple[Shard | None, Counter[str]]], started: float) -> Manifest:
    counts: Counter[str] = Counter()
    for _, counted in done.values():
        counts.update(counted)
    kept = part.decisions.counts["kept"]
    if counts["documents"] != kept:
        raise ValueError(
            f"{part.folder} is not committed: {counts['documents']} documents were encoded, the decisions keep {kept}"
        )
    return corpus.commit(
        Manifest(
            table=part.table,
            part=part.articles.part,
            settings=part.settings,
            shards=tuple(shard for _, (shard, _) in sorted(done.items()) if shard is not None),
            counts={name: counts[name] for name in COUNTS},
            upstream=part.upstream,
            seconds=round(time.monotonic() - started, 3),
            raywiki=raywiki.__version__,
        )
    )


def _encode_shard(item: tuple[_Part, int]) -> tuple[Shard | None, Counter[str]]:
    """Ray task: one shard of articles to one shard of tokens."""
    part, index = item
    corpus = Corpus(part.corpus)
    encoding = _encoding(part.corpus, part.settings["encoding"], part.settings["vocabulary"])
    keep = _kept(corpus, part.decisions)
    counts: Counter[str] = Counter()

    def tokens() -> Iterator[pa.Table]:
        for articles in corpus.iter_shard(part.articles, part.articles.shards[index], ["page_id", "text"]):
            kept = articles.filter(pa.compute.is_in(articles["page_id"], keep))
            encoded = articles_to_tokens(kept, encoding, val_fraction=part.settings["val_fraction"])
            counts.update(_count(kept, encoded))
            yield encoded

    schema = tokens_schema(encoding.vocab_size)
    token = schema.field("tokens").type.value_type
    about = {"encoding": encoding.name, "vocabulary": encoding.digest, "dtype": str(token)}
    schema = schema.with_metadata({f"raywiki.{key}": value for key, value in about.items()})
    name = f"{index:05d}-{shard_key(part.settings, part.upstream, raywiki.__version__)}.parquet"
    shard = corpus.write_shard(part.folder, name, tokens(), schema, **PARQUET_OPTIONS)
    return shard, counts


@lru_cache(maxsize=2)
def _encoding(corpus: str, name: str, digest: str) -> Encoding:
    """The encoding from the corpus's own vocabulary file, once for each worker process."""
    opened = Corpus(corpus)
    encoding = load_encoding(name, opened.fs.cat_file(vocabulary_path(opened, name)))
    if encoding.digest != digest:
        raise ValueError(f"{vocabulary_path(opened, name)} changed while tokenizing: run the command again")
    return encoding


def _kept(corpus: Corpus, decisions: Manifest) -> pa.Array:
    tables = [
        table.filter(table["keep"])["page_id"]
        for shard in decisions.shards
        for table in corpus.iter_shard(decisions, shard, ["page_id", "keep"], batch_size=1 << 16)
    ]
    return pa.chunked_array(tables, pa.int64()).combine_chunks()


def _count(articles: pa.Table, tokens: pa.Table) -> Counter[str]:
    val = pa.compute.equal(tokens["split"], "val")
    n_val, val_tokens = pa.compute.sum(val).as_py() or 0, pa.compute.sum(tokens["n_tokens"].filter(val)).as_py() or 0
    n_tokens = pa.compute.sum(tokens["n_tokens"]).as_py() or 0
    return Counter(
        documents=tokens.num_rows,
        train_documents=tokens.num_rows - n_val,
        val_documents=n_val,
        tokens=n_tokens,
        train_tokens=n_tokens - val_tokens,
        val_tokens=val_tokens,
        characters=pa.compute.sum(pa.compute.utf8_length(articles["text"])).as_py() or 0,
    )


def _row(manifest: Manifest, state: str) -> dict[str, Any]:
    names = ("documents", "train_tokens", "val_tokens")
    return {"part": manifest.part, "state": state, **{name: manifest.counts[name] for name in names}}
