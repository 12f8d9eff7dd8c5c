"""The dedup index: signatures, bands and pairs of every part, each committed on its own.

    signatures   of each article                  articles of the part           a Ray task for each shard of articles
    bands        the part's keys, sorted          signatures of the part         a Ray task for each part
    pairs        near-duplicates of the part      bands and signatures of the    a Ray task for each key range, then one
                 in itself and earlier parts      part and of all earlier ones   for each earlier part with candidates

No text is read but that of new articles, and no pair hangs on what curation keeps: other rules leave the index as it is.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

import raywiki
from raywiki import curation
from raywiki.corpus import Corpus, Manifest, Shard, part_folder, part_order, shard_key
from raywiki.engine.cluster import run
from raywiki.progress import Progress
from raywiki.scan import scan_table
from raywiki.schema import BANDS, PAIRS, SIGNATURES

# What the index is made with. An index of other settings finds other duplicates.
SIGNATURES_DEFAULTS: dict[str, Any] = {"ngram_size": 5, "num_bands": 14, "rows_per_band": 8}
PAIRS_DEFAULTS: dict[str, Any] = {**SIGNATURES_DEFAULTS, "threshold": 0.8}
LIMITS = {"max_bucket": 64, "max_pairs": 32}  # keep thousands of look-alike texts from taking quadratic time

BANDS_PER_RANGE = 8_000_000  # rows of the index that one Ray task joins at a time: about 1 GB at most
ROW_GROUP = 1 << 16
PLAIN = {"compression": "zstd", "use_dictionary": False}
SORTED = {**PLAIN, "column_encoding": {"key": "DELTA_BINARY_PACKED", "page_id": "DELTA_BINARY_PACKED"}}


@dataclass(frozen=True)
class _ShardTask:
    """One shard of articles to sign."""

    corpus: str
    articles: Manifest
    index: int
    numbers: dict[str, int]
    key: str


def sign(corpus: Corpus, articles: Mapping[str, Manifest], settings: Mapping[str, Any]) -> None:
    """Bring the `signatures` and `bands` of every part up to date with the settings (`PAIRS_DEFAULTS` lists them)."""
    numbers = {name: settings[name] for name in SIGNATURES_DEFAULTS}
    own = {"format": curation.SIGNATURE_FORMAT, **numbers}
    todo = [
        manifest
        for part, manifest in articles.items()
        if not _current(corpus, "signatures", part, own, {manifest.folder: manifest.digest})
    ]
    items = [
        _ShardTask(corpus.url_of(), manifest, index, numbers, shard_key(own, manifest.digest))
        for manifest in todo
        for index in range(len(manifest.shards))
    ]
    shards: dict[str, dict[int, Shard | None]] = defaultdict(dict)
    started = time.monotonic()
    with Progress("sign", sum(each.rows for each in todo), "articles") as progress:
        for i, shard in run(_sign_shard, items):
            shards[items[i].articles.part][items[i].index] = shard
            progress.advance(items[i].articles.shards[items[i].index].rows)
    for manifest in todo:
        signed = [shard for _, shard in sorted(shards[manifest.part].items())]
        counts, upstream = {"articles": manifest.rows}, {manifest.folder: manifest.digest}
        _commit(corpus, "signatures", manifest.part, signed, counts, started, own, upstream)
    _sort_bands(corpus, articles, own)


def _sign_shard(item: _ShardTask) -> Shard | None:
    corpus = Corpus(item.corpus)
    texts = corpus.iter_shard(item.articles, item.articles.shards[item.index], ["page_id", "text"])
    tables = (curation.articles_to_signatures(table, **item.numbers) for table in texts)
    folder = part_folder("signatures", item.articles.part)
    return corpus.write_shard(folder, f"{item.index:05d}-{item.key}.parquet", tables, SIGNATURES, **PLAIN)


def _sort_bands(corpus: Corpus, articles: Mapping[str, Manifest], settings: dict[str, Any]) -> None:
    signatures, items = corpus.manifests("signatures"), []
    for part in articles:
        upstream = {signatures[part].folder: signatures[part].digest}
        if not _current(corpus, "bands", part, settings, upstream):
            items.append((corpus.url_of(), part, settings, upstream))
    for _ in run(_sort_bands_of, items):
        pass


def _sort_bands_of(item: tuple[str, str, dict[str, Any], dict[str, str]]) -> None:
    url, part, settings, upstream = item
    corpus, started = Corpus(url), time.monotonic()
    signatures = corpus.read_manifest("signatures", part)
    assert signatures is not None
    columns = ["page_id", "text_hash", "bands"]
    tables = [t for shard in signatures.shards for t in corpus.iter_shard(signatures, shard, columns, ROW_GROUP)]
    whole = pa.concat_tables([SIGNATURES.empty_table().select(columns), *tables])
    bands = curation.signatures_to_bands(whole)
    groups = (bands.slice(start, ROW_GROUP) for start in range(0, bands.num_rows, ROW_GROUP))
    name = f"00000-{shard_key(settings, upstream)}.parquet"
    shard = corpus.write_shard(part_folder("bands", part), name, groups, BANDS, **SORTED)
    _commit(corpus, "bands", part, [shard], {"bands": bands.num_rows}, started, settings, upstream)


def find_pairs(corpus: Corpus, articles: Mapping[str, Manifest], settings: Mapping[str, Any]) -> list[str]:
    """Bring the `pairs` of every part up to date; the parts in their order of arrival."""
    own = {"format": curation.SIGNATURE_FORMAT, **settings, **LIMITS}
    order = arrival_order(corpus, articles)
    bands = corpus.manifests("bands")
    upstreams = _pairs_upstreams([bands[part] for part in order])
    todo = [part for part in order if not _current(corpus, "pairs", part, own, upstreams[part])]
    if not todo:
        return order
    started = time.monotonic()
    rows = sum(manifest.rows for manifest in bands.values())
    ranges = curation.key_ranges(max(1, -(-rows // BANDS_PER_RANGE)))
    joins = [_Join(corpus.url_of(), tuple(order[: order.index(part) + 1]), low, high) for part in todo for low, high in ranges]
    found: dict[str, list[pl.DataFrame]] = defaultdict(list)
    with Progress("compare", len(joins), "key ranges") as progress:
        for i, candidates in run(_join, joins):
            found[joins[i].parts[-1]].append(candidates)
            progress.advance(1)
    checks = [
        _Check(corpus.url_of(), part, order[arrival], candidates, settings["threshold"])
        for part in todo
        for (arrival,), candidates in sorted(curation.merge_candidates(found[part]).group_by("other_arrival"), key=_first)
    ]
    verified: dict[str, list[pl.DataFrame]] = defaultdict(list)
    for i, pairs in run(_check, checks):
        verified[checks[i].part].append(pairs)
    for part in todo:
        pairs = curation.merge_pairs(verified[part], max_pairs=LIMITS["max_pairs"])
        table = pairs.to_arrow().cast(PAIRS)
        name = f"00000-{shard_key(own, upstreams[part])}.parquet"
        shard = corpus.write_shard(part_folder("pairs", part), name, [table], PAIRS, **PLAIN)
        _commit(corpus, "pairs", part, [shard], {"pairs": pairs.height}, started, own, upstreams[part])
    return order


def arrival_order(corpus: Corpus, articles: Mapping[str, Manifest]) -> list[str]:
    """Parts that were curated in the order in which they came, then the new ones in the order of their ids."""
    arrived = corpus.manifests("pairs")
    old = sorted((part for part in articles if part in arrived), key=lambda part: len(arrived[part].upstream))
    return old + sorted((part for part in articles if part not in arrived), key=part_order)


def _pairs_upstreams(bands: Sequence[Manifest]) -> dict[str, dict[str, str]]:
    """What the pairs of each part are made from: the index of it and of all before it, given in order of arrival.

    How many they are is also the part's place in that order.
    """
    digests = [(manifest.folder, manifest.digest) for manifest in bands]
    return {manifest.part: dict(digests[: number + 1]) for number, manifest in enumerate(bands)}


def _first(group: tuple[tuple[Any, ...], Any]) -> Any:
    return group[0]


@dataclass(frozen=True)
class _Join:
    """One key range of a new part (the last of `parts`) and of all before it."""

    corpus: str
    parts: tuple[str, ...]
    low: int
    high: int


def _join(item: _Join) -> pl.DataFrame:
    bands = scan_table(item.corpus, "bands", BANDS, item.parts).filter(pl.col("key").is_between(item.low, item.high))
    arrival = pl.col("part").cast(pl.Enum(item.parts)).to_physical().alias("arrival")
    bands = bands.select(arrival, "key", "page_id")
    return curation.candidate_pairs(bands, len(item.parts) - 1, max_bucket=LIMITS["max_bucket"])


@dataclass(frozen=True)
class _Check:
    """Candidates of a new part within one other part."""

    corpus: str
    part: str
    other: str
    candidates: pl.DataFrame
    threshold: float


def _check(item: _Check) -> pl.DataFrame:
    corpus = Corpus(item.corpus)
    mine = _signatures_of(corpus, item.part, item.candidates["page_id"])
    others = _signatures_of(corpus, item.other, item.candidates["other_page_id"])
    return curation.verify_pairs(item.candidates, mine, others, threshold=item.threshold)


def _signatures_of(corpus: Corpus, part: str, page_ids: pl.Series) -> pa.Table:
    manifest = corpus.read_manifest("signatures", part)
    assert manifest is not None, part
    wanted = pa.array(page_ids.unique().to_numpy())
    columns = ["page_id", "text_hash", "n_grams", "sketch"]
    tables = (t for shard in manifest.shards for t in corpus.iter_shard(manifest, shard, columns, ROW_GROUP))
    chosen = [table.filter(pc.is_in(table["page_id"], wanted)) for table in tables]
    return pa.concat_tables([pa.schema([SIGNATURES.field(name) for name in columns]).empty_table(), *chosen])


def _commit(
    corpus: Corpus, table: str, part: str, shards: Iterable[Shard | None], counts: dict[str, int], started: float,
    settings: dict[str, Any], upstream: dict[str, str],
) -> Manifest:  # fmt: skip
    return corpus.commit(
        Manifest(
            table=table, part=part, settings=settings, shards=tuple(shard for shard in shards if shard is not None),
            counts=counts, upstream=upstream, seconds=round(time.monotonic() - started, 3), raywiki=raywiki.__version__,
        )
    )  # fmt: skip


def _current(corpus: Corpus, table: str, part: str, settings: dict[str, Any], upstream: dict[str, str]) -> bool:
    manifest = corpus.read_manifest(table, part)
    if manifest is None or manifest.settings != settings or manifest.upstream != upstream:
        return False
    return corpus.is_whole(manifest)
