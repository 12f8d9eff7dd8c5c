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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from raywiki import curation
from raywiki.corpus import Corpus, Tables
from raywiki.engine.cluster import run
from raywiki.manifest import Manifest, Shard, part_folder, part_order, shard_key
from raywiki.progress import Progress
from raywiki.scan import scan_manifests
from raywiki.schema import BANDS, PAIRS, SIGNATURES
from raywiki.summary import for_parts

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


def check_index(settings: Mapping[str, Any]) -> None:
    """Raise ValueError when a setting of the index makes no sense; one that is None was not given."""
    for name in SIGNATURES_DEFAULTS:
        value = settings.get(name)
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}, it must be at least 1")
    threshold = settings.get("threshold")
    if threshold is not None and not 0.5 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}, it must lie between 0.5 and 1")


def sign(tables: Tables, settings: Mapping[str, Any]) -> None:
    """Bring the `signatures` and `bands` of every part up to date with the settings (`PAIRS_DEFAULTS` lists them)."""
    numbers = {name: settings[name] for name in SIGNATURES_DEFAULTS}
    own, url = {"format": curation.SIGNATURE_FORMAT, **numbers}, tables.corpus.url_of()
    todo = [
        manifest
        for manifest in tables["articles"].values()
        if not _is_current(tables, "signatures", manifest.part, own, {manifest.folder: manifest.digest})
    ]
    items = [
        _ShardTask(url, manifest, index, numbers, shard_key(own, manifest.digest))
        for manifest in todo
        for index in range(len(manifest.shards))
    ]
    shards: dict[str, dict[int, Shard | None]] = defaultdict(dict)
    seconds: dict[str, float] = defaultdict(float)
    title = for_parts("curate, sign", (manifest.part for manifest in todo))
    with Progress("sign", sum(each.rows for each in todo), "articles") as progress:
        for i, (shard, took) in run(_sign_shard, items, name=title, places=[url]):
            articles = items[i].articles
            shards[articles.part][items[i].index] = shard
            seconds[articles.part] += took
            progress.advance(articles.shards[items[i].index].rows)
    for manifest in todo:
        signed = [shard for _, shard in sorted(shards[manifest.part].items())]
        upstream, took = {manifest.folder: manifest.digest}, seconds[manifest.part]
        counts = {"articles": manifest.rows}
        tables.commit(Manifest.made("signatures", manifest.part, own, signed, counts, upstream=upstream, seconds=took))
    _sort_bands(tables, own)


def _sign_shard(item: _ShardTask) -> tuple[Shard | None, float]:
    """Ray task: the signatures of one shard of articles, and the seconds that they took."""
    # A worker's first call makes tables of all characters, which takes as long as a MB of text and is no part's work.
    curation.articles_to_signatures(pa.table({"page_id": [0], "text": [""]}), **item.numbers)
    corpus, started = Corpus(item.corpus), time.monotonic()
    texts = corpus.iter_shard(item.articles, item.articles.shards[item.index], ["page_id", "text"])
    signed = (curation.articles_to_signatures(table, **item.numbers) for table in texts)
    folder = part_folder("signatures", item.articles.part)
    shard = corpus.write_shard(folder, f"{item.index:05d}-{item.key}.parquet", signed, SIGNATURES, **PLAIN)
    return shard, time.monotonic() - started


def _sort_bands(tables: Tables, settings: dict[str, Any]) -> None:
    items = []
    for part in tables["articles"]:
        signatures = tables["signatures"][part]
        if not _is_current(tables, "bands", part, settings, {signatures.folder: signatures.digest}):
            items.append((tables.corpus.url_of(), signatures, settings))
    title = for_parts("curate, sort bands of", (signatures.part for _, signatures, _ in items))
    for _, manifest in run(_sort_bands_of, items, name=title, places=[tables.corpus.url_of()]):
        tables.enter(manifest)


def _sort_bands_of(item: tuple[str, Manifest, dict[str, Any]]) -> Manifest:
    """Ray task: the bands of one part, committed."""
    url, signatures, settings = item
    corpus, started = Corpus(url), time.monotonic()
    part, upstream = signatures.part, {signatures.folder: signatures.digest}
    columns = ["page_id", "text_hash", "bands"]
    tables = [t for shard in signatures.shards for t in corpus.iter_shard(signatures, shard, columns, ROW_GROUP)]
    whole = pa.concat_tables([SIGNATURES.empty_table().select(columns), *tables])
    bands = curation.signatures_to_bands(whole)
    groups = (bands.slice(start, ROW_GROUP) for start in range(0, bands.num_rows, ROW_GROUP))
    name = f"00000-{shard_key(settings, upstream)}.parquet"
    shard = corpus.write_shard(part_folder("bands", part), name, groups, BANDS, **SORTED)
    counts, seconds = {"bands": bands.num_rows}, time.monotonic() - started
    return corpus.commit(Manifest.made("bands", part, settings, [shard], counts, upstream=upstream, seconds=seconds))


def find_pairs(tables: Tables, settings: Mapping[str, Any]) -> list[str]:
    """Bring the `pairs` of every part up to date; the parts in their order of arrival."""
    own = {"format": curation.SIGNATURE_FORMAT, **settings, **LIMITS}
    order = arrival_order(tables)
    upstreams = _pairs_upstreams([tables["bands"][part] for part in order])
    todo = [part for part in order if not _is_current(tables, "pairs", part, own, upstreams[part])]
    if not todo:
        return order
    seconds: dict[str, float] = defaultdict(float)
    candidates = _candidates(tables, order, todo, seconds)
    verified = _verified(tables, order, candidates, settings["threshold"], seconds)
    for part in todo:
        pairs = curation.merge_pairs(verified[part], max_pairs=LIMITS["max_pairs"])
        table = pairs.to_arrow().cast(PAIRS)
        name = f"00000-{shard_key(own, upstreams[part])}.parquet"
        shard = tables.corpus.write_shard(part_folder("pairs", part), name, [table], PAIRS, **PLAIN)
        counts, upstream = {"pairs": pairs.height}, upstreams[part]
        tables.commit(Manifest.made("pairs", part, own, [shard], counts, upstream=upstream, seconds=seconds[part]))
    return order


def _candidates(
    tables: Tables, order: Sequence[str], todo: Sequence[str], seconds: dict[str, float]
) -> dict[str, list[pl.DataFrame]]:
    """The candidate pairs of each part of `todo`, by key range; `seconds` are counted up."""
    bands = [tables["bands"][part] for part in order]
    rows = sum(manifest.rows for manifest in bands)
    ranges = curation.key_ranges(max(1, -(-rows // BANDS_PER_RANGE)))
    url = tables.corpus.url_of()
    joins = [_Join(url, tuple(bands[: order.index(part) + 1]), low, high) for part in todo for low, high in ranges]
    found: dict[str, list[pl.DataFrame]] = defaultdict(list)
    with Progress("compare", len(joins), "key ranges") as progress:
        for i, (candidates, took) in run(_join, joins, name=for_parts("curate, compare", todo), places=[url]):
            part = joins[i].bands[-1].part
            found[part].append(candidates)
            seconds[part] += took
            progress.advance(1)
    return found


def _verified(
    tables: Tables, order: Sequence[str], found: Mapping[str, list[pl.DataFrame]], threshold: float, seconds: dict[str, float]
) -> dict[str, list[pl.DataFrame]]:
    """The pairs among the candidates of each part, by the other part; `seconds` are counted up."""
    checks = [
        _Check(tables.corpus.url_of(), tables["signatures"][part], tables["signatures"][order[arrival]], candidates, threshold)
        for part in order
        if part in found
        for (arrival,), candidates in sorted(curation.merge_candidates(found[part]).group_by("other_arrival"), key=_first)
    ]
    verified: dict[str, list[pl.DataFrame]] = defaultdict(list)
    title = for_parts("curate, verify pairs of", (check.mine.part for check in checks))
    for i, (pairs, took) in run(_check, checks, name=title, places=[tables.corpus.url_of()]):
        verified[checks[i].mine.part].append(pairs)
        seconds[checks[i].mine.part] += took
    return verified


def arrival_order(tables: Tables) -> list[str]:
    """Parts that were curated in the order in which they came, then the new ones in the order of their ids."""
    articles, arrived = tables["articles"], tables["pairs"]
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
    """One key range of a new part (the last one) and of all before it."""

    corpus: str
    bands: tuple[Manifest, ...]
    low: int
    high: int


def _join(item: _Join) -> tuple[pl.DataFrame, float]:
    """Ray task: candidate pairs in one key range, and the seconds that they took."""
    started, parts = time.monotonic(), [manifest.part for manifest in item.bands]
    bands = scan_manifests(Corpus(item.corpus), item.bands, BANDS).filter(pl.col("key").is_between(item.low, item.high))
    arrival = pl.col("part").cast(pl.Enum(parts)).to_physical().alias("arrival")
    bands = bands.select(arrival, "key", "page_id")
    candidates = curation.candidate_pairs(bands, len(parts) - 1, max_bucket=LIMITS["max_bucket"])
    return candidates, time.monotonic() - started


@dataclass(frozen=True)
class _Check:
    """Candidates of a new part within one other part, with the signatures of both."""

    corpus: str
    mine: Manifest
    other: Manifest
    candidates: pl.DataFrame
    threshold: float


def _check(item: _Check) -> tuple[pl.DataFrame, float]:
    """Ray task: the candidates that are pairs, and the seconds that they took."""
    corpus, started = Corpus(item.corpus), time.monotonic()
    mine = _signatures_of(corpus, item.mine, item.candidates["page_id"])
    others = _signatures_of(corpus, item.other, item.candidates["other_page_id"])
    return curation.verify_pairs(item.candidates, mine, others, threshold=item.threshold), time.monotonic() - started


def _signatures_of(corpus: Corpus, signatures: Manifest, page_ids: pl.Series) -> pa.Table:
    wanted = pa.array(page_ids.unique().to_numpy())
    columns = ["page_id", "text_hash", "n_grams", "sketch"]
    tables = (t for shard in signatures.shards for t in corpus.iter_shard(signatures, shard, columns, ROW_GROUP))
    chosen = [table.filter(pc.is_in(table["page_id"], wanted)) for table in tables]
    return pa.concat_tables([pa.schema([SIGNATURES.field(name) for name in columns]).empty_table(), *chosen])


def _is_current(tables: Tables, table: str, part: str, settings: dict[str, Any], upstream: dict[str, str]) -> bool:
    manifest = tables[table].get(part)
    if manifest is None or manifest.settings != settings or manifest.upstream != upstream:
        return False
    return tables.is_whole(manifest)
