"""tokenize: kept articles to token shards, one Ray task for each shard of articles."""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute

import raywiki
from raywiki.corpus import Corpus, Tables
from raywiki.documents import kept_pages, kept_rows, require_curated
from raywiki.engine.cluster import run
from raywiki.intervals import ENOUGH
from raywiki.manifest import WIKI, Manifest, Shard, part_folder, settle, shard_key, source_of, tokens_table
from raywiki.progress import Progress
from raywiki.schema import tokens_schema
from raywiki.summary import Summary, for_parts, lost_parts, plural, some_parts
from raywiki.tokens import (
    BackendFailed,
    Encoding,
    articles_to_tokens,
    check_sample,
    fast_encoding,
    find_vocabulary,
    load_encoding,
    vocabulary_path,
)
from raywiki.tokens.table import PARQUET_OPTIONS, VAL_FRACTION
from raywiki.training.order import n_windows

FEW_CHARACTERS = 2.0  # a token, below which an encoding was made for another language: GPT-2 has 4 to 5 in English
SEQ_LEN = 256  # of the small models: a part that can be judged with them has enough text
MOST_VAL = 0.1  # no larger share of the pages is advised: the rest shall train
COUNTS = ("documents", "train_documents", "val_documents", "tokens", "train_tokens", "val_tokens", "characters")


def tokenize(
    corpus: str | os.PathLike[str] | Corpus, encoding: str | None = None, *, val_fraction: float | None = None,
    title: bool | None = None, overwrite: bool = False,
) -> Summary:  # fmt: skip
    """Encode the kept articles of every curated part that is not tokenized yet.

    Args:
        corpus: folder or URL of the corpus.
        encoding: the name of an encoding that the corpus has already, tiktoken's name of one, or the path or URL of a
            vocabulary file (a `tokenizer.json`, or a rank file of tiktoken's, see `raywiki.tokens.ranks`), whose stem is the
            name. None: the corpus's own when it has one, else "gpt2".
        val_fraction: share of pages for validation, chosen for ever by a hash of the page id; 0.005 when None.
        title: begin each document with its title and a blank line; False when None.
        overwrite: redo parts that are committed with other settings.

    Returns:
        A summary with the counts of each part.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: nothing is curated, its decisions are stale or articles are gone; the encoding is unknown or its
            vocabulary cannot be had; `val_fraction` is no share; the tokens are committed with other settings; a shard is
            damaged.
        OSError: the corpus cannot be written to.
    """
    started = time.monotonic()
    corpus = Corpus.open(corpus).require().writable()
    tables = corpus.tables()
    name, vocabulary, settings = tokens_settings(tables, encoding, val_fraction, title, overwrite)
    decided = require_curated(tables, "tokenize")
    table = tokens_table(name)
    committed = tables[table]
    if not corpus.fs.exists(vocabulary_path(corpus, name)) or overwrite:
        corpus.put(vocabulary_path(corpus, name), vocabulary)
    lost = lost_parts(tables, table)
    todo, states = [], dict.fromkeys(decided, "unchanged")
    for part, decisions in decided.items():
        articles = tables["articles"][part]
        upstream = {each.folder: each.digest for each in (articles, decisions)}
        old = committed.get(part)
        if old is None or old.upstream != upstream or old.settings != settings or part in lost:
            todo.append(_PartToEncode(corpus.url_of(), articles, decisions, table, settings, upstream))
    warnings = [lost[part] for part in decided if part in lost]
    for manifest in _commit_parts(tables, todo):
        states[manifest.part] = "committed"
        warnings += manifest.notes.get("warnings", [])
    done = [tables[table][part] for part in decided]
    warnings += [
        f"part {p} is not curated yet: run `raywiki curate {corpus.url}`" for p in tables["articles"] if p not in decided
    ]
    warnings += _few_windows(done)
    notes = _notes(corpus, done, name if "tiktoken" in json.loads(vocabulary) else None)
    rows = tuple(_row(manifest, states[manifest.part]) for manifest in done)
    return Summary("tokenize", corpus.url, rows, time.monotonic() - started, tuple(warnings), tuple(notes))


def tokens_settings(
    tables: Tables, encoding: str | None = None, val_fraction: float | None = None, title: bool | None = None,
    overwrite: bool = False,
) -> tuple[str, bytes, dict[str, Any]]:  # fmt: skip
    """The encoding's name, its vocabulary and the settings that `tokenize` would run with, or the ValueError it would raise.

    The corpus may be missing yet. The vocabulary is had and loaded, as it would be by `tokenize`.
    """
    if val_fraction is not None and not 0 <= val_fraction < 1:
        raise ValueError(f"val_fraction is {val_fraction}, it must be at least 0 and below 1")
    name, vocabulary = find_vocabulary(tables, encoding, overwrite)
    loaded = load_encoding(name, vocabulary)
    identity = {"encoding": name, "vocabulary": loaded.digest, "vocab_size": loaded.vocab_size}
    settings = settle(
        f"tokens of encoding {name!r}",
        [{"title": False, **manifest.settings} for manifest in tables[tokens_table(name)].values()],
        {**identity, "val_fraction": val_fraction, "title": title},
        {**identity, "val_fraction": VAL_FRACTION, "title": False},
        overwrite,
    )
    if not settings["title"]:
        del settings["title"]  # as tokens have it that were made when there was no such setting
    return name, vocabulary, settings


def _notes(corpus: Corpus, done: Sequence[Manifest], published: str | None) -> list[str]:
    """What is good to know of tokens: an encoding that fits the language badly.

    `published` is the name of an encoding of tiktoken's; a vocabulary of one's own is not advised to be one's own.
    """
    notes = []
    ratios = {each.part: each.counts["characters"] / each.counts["tokens"] for each in done if each.counts["tokens"]}
    few = [part for part, ratio in ratios.items() if ratio < FEW_CHARACTERS]
    if published and few:
        characters, tokens = (sum(each.counts[name] for each in done if each.part in few) for name in ("characters", "tokens"))
        notes.append(
            f"{published} makes a token of every {characters / tokens:.1f} characters in {some_parts(few)} "
            f"({tokens:,} tokens), English has 4 to 5: it was made for another language. One of your own takes fewer: "
            f"`raywiki tokenizer train {corpus.url} --to FILE`, then `raywiki tokenize {corpus.url} --encoding FILE`"
        )
    return notes


def _few_windows(done: Sequence[Manifest]) -> list[str]:
    """Warnings of parts whose validation text is too little to judge a run by, with the share of pages that would do."""
    few = [each for each in done if each.counts["documents"] and _windows(each) < ENOUGH]
    shares = {each.part: _share_for(ENOUGH * SEQ_LEN, each) for each in few}
    warnings = []
    if large := [each for each in few if shares[each.part] <= MOST_VAL]:
        share = _round_up(max(shares[each.part] for each in large))
        would_do = f"--val-fraction {share:g} with --overwrite would do; what a run has learned from by then cannot judge it"
        warnings.append(f"{_too_little(large)}; {would_do}")
    if small := [each for each in few if shares[each.part] > MOST_VAL]:
        warnings.append(f"{_too_little(small)}; there is too little text for so many: judge by all parts together")
    return warnings


def _too_little(parts: Sequence[Manifest]) -> str:
    least, most = min(map(_windows, parts)), max(map(_windows, parts))
    return (
        f"too little validation text in {some_parts([each.part for each in parts])} to judge a run by: "
        f"{f'{least} to ' if least < most else ''}{plural(most, 'window')} of {SEQ_LEN} tokens, where the interval of a loss "
        f"needs about {ENOUGH}"
    )


def _windows(tokens: Manifest) -> int:
    """Validation windows of a part, for a model that sees `SEQ_LEN` tokens."""
    return n_windows(max(0, tokens.counts["val_tokens"] - 1), SEQ_LEN)


def _share_for(val_tokens: int, tokens: Manifest) -> float:
    """The val_fraction at which so many validation tokens are expected, of a part that has fewer; above 1: none.

    Pages keep their side, so that it is the present one and the share that is lacking of what trains now.
    """
    share, counts = tokens.settings["val_fraction"], tokens.counts
    lacking = (val_tokens - counts["val_tokens"]) / counts["train_tokens"] if counts["train_tokens"] else 1
    return float(share + (1 - share) * lacking)


def _round_up(share: float) -> float:
    """To two digits.

    >>> _round_up(0.01234), _round_up(0.05)
    (0.013, 0.05)
    """
    unit = 10.0 ** (math.floor(math.log10(share)) - 1)
    return round(math.ceil(share / unit - 1e-9) * unit, 9)


@dataclass(frozen=True)
class _PartToEncode:
    """One part to tokenize; `failed` is what the fast backend did wrong, after which it is not asked again."""

    corpus: str
    articles: Manifest
    decisions: Manifest
    table: str
    settings: dict[str, Any]
    upstream: dict[str, str]
    failed: str | None = None

    @property
    def folder(self) -> str:
        return part_folder(self.table, self.articles.part)


@dataclass(frozen=True)
class _Encoded:
    """What a Ray task returns: the shard that it wrote, if there was a row, its counts, and how long that took.

    `library` did the work; where the fast one `failed` there is no shard.
    """

    shard: Shard | None
    counts: Counter[str]
    seconds: float
    library: str
    failed: str | None = None


def _commit_parts(tables: Tables, parts: list[_PartToEncode]) -> Iterator[Manifest]:
    """Run all shards of all parts through Ray; commit each part when its last shard is there.

    A part of which the fast backend failed on one shard is done again without it, after the others.
    """
    again: list[_PartToEncode] = []
    items = [(part, index) for part in parts for index in range(len(part.articles.shards))]
    results: dict[str, dict[int, _Encoded]] = {part.articles.part: {} for part in parts}
    megabytes = sum(part.articles.shards[index].bytes for part, index in items) / 1e6
    with Progress("tokenize", megabytes, "MB") as progress:
        for part in parts:
            if not part.articles.shards:
                yield _commit(tables, part, {})
        for i, result in run(_encode_shard, items, name=for_parts("tokenize", results), places=[tables.corpus.url_of()]):
            part, index = items[i]
            done = results[part.articles.part]
            done[index] = result
            progress.advance(part.articles.shards[index].bytes / 1e6, {"tokens": result.counts["tokens"]})
            if len(done) < len(part.articles.shards):
                continue
            failed = next((each.failed for each in done.values() if each.failed), None)
            if failed is None:
                yield _commit(tables, part, done)
            else:
                again.append(replace(part, failed=failed))
    if again:
        yield from _commit_parts(tables, again)


def _commit(tables: Tables, part: _PartToEncode, done: dict[int, _Encoded]) -> Manifest:
    counts: Counter[str] = Counter()
    for encoded in done.values():
        counts.update(encoded.counts)
    kept = part.decisions.counts["kept"]
    if counts["documents"] != kept:
        raise ValueError(
            f"{part.folder} is not committed: {counts['documents']} documents were encoded, the decisions keep {kept}"
        )
    notes: dict[str, Any] = {"encoded_by": ", ".join(sorted({each.library for each in done.values()}))}
    if part.failed:
        notes["warnings"] = [f"part {part.articles.part} was encoded by {notes['encoded_by']}, as {part.failed}"]
    source = source_of(part.articles)
    manifest = Manifest.made(
        part.table, part.articles.part, part.settings, [encoded.shard for _, encoded in sorted(done.items())],
        {name: counts[name] for name in COUNTS}, upstream=part.upstream, notes=notes,
        source={} if source == WIKI else {"of": source},
        seconds=sum(each.seconds for each in done.values()),
    )  # fmt: skip
    return tables.commit(manifest)


def _encode_shard(item: tuple[_PartToEncode, int]) -> _Encoded:
    """Ray task: one shard of articles to one shard of tokens, by the fast backend where it may be asked."""
    part, index = item
    plain, vocabulary = _encoding(part.corpus, part.settings["encoding"], part.settings["vocabulary"])
    fast = None if part.failed else fast_encoding(plain, vocabulary)
    started = time.monotonic()  # the libraries take half a second to be there, whatever the part
    counts: Counter[str] = Counter()
    shard = failed = None
    try:
        shard = _write_shard(part, index, plain, fast or plain, counts)
    except BackendFailed as error:
        failed = str(error)
    return _Encoded(shard, counts, time.monotonic() - started, (fast or plain).library, failed)


def _write_shard(part: _PartToEncode, index: int, plain: Encoding, encoding: Encoding, counts: Counter[str]) -> Shard | None:
    """Encode the kept articles of a shard and write their tokens; `counts` are added up. Raises BackendFailed."""
    corpus = Corpus(part.corpus)
    kept_ids, title = kept_pages(corpus, part.decisions), part.settings.get("title", False)
    columns = ["page_id", "title", "text"] if title else ["page_id", "text"]

    def tokens() -> Iterator[pa.Table]:
        for articles in corpus.iter_shard(part.articles, part.articles.shards[index], columns):
            kept = kept_rows(articles, kept_ids)
            encoded = articles_to_tokens(kept, encoding, val_fraction=part.settings["val_fraction"], title=title)
            if encoding is not plain:
                check_sample(kept, encoded, plain, title)
            counts.update(_count(kept, encoded))
            yield encoded

    schema = tokens_schema(encoding.vocab_size)
    token = schema.field("tokens").type.value_type
    about = {"encoding": encoding.name, "vocabulary": encoding.digest, "dtype": str(token)}
    schema = schema.with_metadata({f"raywiki.{key}": value for key, value in about.items()})
    name = f"{index:05d}-{shard_key(part.settings, part.upstream, raywiki.__version__)}.parquet"
    return corpus.write_shard(part.folder, name, tokens(), schema, **PARQUET_OPTIONS)


@lru_cache(maxsize=2)
def _encoding(corpus: str, name: str, digest: str) -> tuple[Encoding, bytes]:
    """The encoding and the corpus's own vocabulary file that it comes from, once for each worker process."""
    opened = Corpus(corpus)
    vocabulary = opened.fs.cat_file(vocabulary_path(opened, name))
    encoding = load_encoding(name, vocabulary)
    if encoding.digest != digest:
        raise ValueError(f"{vocabulary_path(opened, name)} changed while tokenizing: run the command again")
    return encoding, vocabulary


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
