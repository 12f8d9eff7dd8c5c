"""curate: articles to decisions. Rules in a Ray task for each shard of articles, duplicates by the dedup index.

Whatever looks at a text or compares texts is spread over the cluster. What is left, the choice of one article among equal
ones, goes part after part in their order of arrival, here in the driver: it takes a second for 250,000 articles.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import pyarrow as pa

import raywiki
from raywiki import curation
from raywiki.corpus import Corpus, Tables
from raywiki.engine.cluster import run
from raywiki.engine.index import PAIRS_DEFAULTS, arrival_order, check_index, find_pairs, sign
from raywiki.manifest import Manifest, Shard, part_folder, part_order, settle, shard_key
from raywiki.progress import Progress
from raywiki.scan import scan_manifests
from raywiki.schema import DECISIONS, PAIRS, SIGNATURES
from raywiki.summary import Summary, for_parts, lost_parts, plural, some_parts

DEFAULTS: dict[str, Any] = {"min_chars": 500, "min_words": 0, "rules": [], "fraction": 1.0, "keep_errors": False}
BEFORE = {"keep_errors": True}  # what decisions were made with that do not have the setting; it is not written down
ROW_GROUP = 1 << 16
BATCH = 1024  # articles whose texts are in memory at a time


def curate(
    corpus: str | os.PathLike[str] | Corpus, *, min_chars: int | None = None, min_words: int | None = None,
    rules: Sequence[str | pl.Expr] | None = None, fraction: float | None = None, keep_errors: bool | None = None,
    threshold: float | None = None, ngram_size: int | None = None, num_bands: int | None = None,
    rows_per_band: int | None = None, overwrite: bool = False,
) -> Summary:  # fmt: skip
    """Decide for each article whether it is kept: quality rules, exact and near duplicates across parts.

    Parts are decided in the order in which they arrived; those that arrive together, in the order of their ids. Of two
    articles with the same or nearly the same text the one of the earlier part, then of the lower page id, is kept; nothing
    that was kept is taken back when a part is added.

    Args:
        corpus: folder or URL of the corpus.
        min_chars: articles with fewer characters are dropped; 500 when neither given nor committed.
        min_words: articles with fewer words are dropped; 0.
        rules: names of rules or rule sets (`raywiki.curation.resolve_rules` lists them), or Polars expressions of your own
            that are true for an article to keep. An expression is known again by its text, which says nothing about a
            Python function in it: when that changes, give the expression another name.
        fraction: share of articles to keep, by a hash of the page id, so that a smaller share lies within a larger one; 1.
        keep_errors: keep articles whose page could not be cleaned (column `error`): of such a page the text is what
            mwparserfromhell makes of it, or its source without marks. False: they are left out, with the reason `error`; but
            True in a corpus that was curated before there was this rule.
        threshold: Jaccard similarity of the word n-grams of two texts from which the later one is a near-duplicate; 0.8.
        ngram_size: words in an n-gram; 5.
        num_bands: MinHash bands, of `rows_per_band` hashes each: two texts are compared when one band is equal; 14.
        rows_per_band: 8.
        overwrite: redo the decisions with other settings than the committed ones. Named rules that were evaluated before
            are not evaluated again, and `min_chars` needs no text: that takes seconds.

    Returns:
        A summary with the counts of each part.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: nothing is extracted, or the articles of a part are gone; a setting makes no sense or is not the
            committed one; a rule is unknown, or an expression gives nulls or another length; a shard is damaged.
        OSError: the corpus cannot be written to.
    """
    started = time.monotonic()
    corpus = Corpus.open(corpus).require().writable()
    tables = corpus.tables()
    numbers = dict(
        min_chars=min_chars, min_words=min_words, fraction=fraction, keep_errors=keep_errors, threshold=threshold,
        ngram_size=ngram_size, num_bands=num_bands, rows_per_band=rows_per_band,
    )  # fmt: skip
    settings, index = curate_settings(tables, rules, overwrite, **numbers)
    tables.require_articles()
    if not tables["articles"]:
        raise ValueError(f"{corpus.url} has no article to curate: run `raywiki extract {corpus.url} DUMP…` first")
    cut_off = _runs_cut_off(tables, settings, index)
    for warning in cut_off:
        print(f"raywiki: warning: {warning}", file=sys.stderr, flush=True)  # before the work: there is time to stop it
    sign(tables, index)
    order = find_pairs(tables, index)
    lost = lost_parts(tables, "decisions")
    rows = _decide(tables, set(lost), order, settings, rules)
    warnings = [*lost.values(), *cut_off]
    if order != sorted(order, key=part_order):
        warnings.append("parts arrived in another order than that of their ids: duplicates stay in the part that came first")
    notes = _kept_errors(tables, settings, keep_errors)
    return Summary("curate", corpus.url, tuple(rows), time.monotonic() - started, tuple(warnings), tuple(notes))


def _kept_errors(tables: Tables, settings: Mapping[str, Any], given: bool | None) -> list[str]:
    """That pages are kept which could not be cleaned, where nobody asked for it."""
    errors = {part: each.notes.get("cleaning_errors", 0) for part, each in tables["articles"].items()}
    parts = [part for part, count in errors.items() if count]
    if not parts or given or not {**BEFORE, **settings}["keep_errors"]:
        return []
    return [
        f"{plural(sum(errors.values()), 'article')} of {some_parts(parts)} could not be cleaned and may be kept, as the corpus "
        "was curated so before: `raywiki curate --drop-errors --overwrite` leaves such articles out"
    ]


def curate_settings(
    tables: Tables, rules: Sequence[str | pl.Expr] | None = None, overwrite: bool = False, **numbers: float | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the decisions and those of the index that `curate` would run with, or the ValueError that it would raise.

    The corpus may be missing yet. `numbers` are the other arguments of `curate`; None: not given. What makes no sense is
    named before what differs from the committed settings.
    """
    given: dict[str, Any] = {name: numbers.get(name) for name in DEFAULTS}
    given["rules"] = None if rules is None else [_rule_name(rule) for rule in rules]
    given_index = {name: numbers.get(name) for name in PAIRS_DEFAULTS}
    check_index(given_index)
    _resolve({**DEFAULTS, **{name: value for name, value in given.items() if value is not None}}, rules, "en")
    settings = settle("decisions", [BEFORE | each for each in _settings(tables, "decisions")], given, DEFAULTS, overwrite)
    index = settle("near-duplicate pairs", _settings(tables, "pairs"), given_index, PAIRS_DEFAULTS, overwrite)
    _resolve(settings, rules, "en")  # committed rules of one's own must be given again
    return {name: value for name, value in settings.items() if value != BEFORE.get(name)}, index


def _settings(tables: Tables, table: str) -> list[dict[str, Any]]:
    return [manifest.settings for manifest in tables[table].values()]


def _runs_cut_off(tables: Tables, settings: Mapping[str, Any], index: Mapping[str, Any]) -> list[str]:
    """A warning for each run that learned from parts whose decisions will be made anew, as far as that shows beforehand."""
    changed: list[str] = []
    for part in arrival_order(tables):
        decisions, pairs = tables["decisions"].get(part), tables["pairs"].get(part)
        if decisions is None or pairs is None:
            continue  # new, or lost and made again as it was
        other = decisions.settings != settings or any(pairs.settings[name] != value for name, value in index.items())
        if other or changed or tables.is_stale(decisions):
            changed.append(part)
    known = tables.corpus.runs_that_know(changed) if changed else {}
    return [
        f"run {run} learned from {some_parts(parts)}, whose decisions are made anew: once tokenized with another outcome, they "
        "are not what it learned from, and it goes on only by `raywiki train --accept-new-tokens`"
        for run, parts in known.items()
    ]


def _decide(
    tables: Tables, lost: set[str], order: Sequence[str], settings: dict[str, Any], rules: Sequence[str | pl.Expr] | None
) -> list[dict[str, Any]]:
    """Bring the decisions of every part up to date; what became of each part, in order of arrival."""
    committed = {part: manifest for part, manifest in tables["decisions"].items() if part not in lost}
    made_from = _upstreams(tables, order)
    new = _first_outdated(committed, order, settings, made_from)
    rows = [{"part": part, "state": "unchanged", **committed[part].counts} for part in order[:new]]
    corpus = tables.corpus
    parts = [_part_to_judge(corpus, tables["articles"][part], settings, rules, committed.get(part)) for part in order[new:]]
    previous = committed[order[new - 1]] if new else None
    looked_up = _looked_up(tables, order, order[new:])
    published = [_published(tables, part, looked_up) for part in order[:new]] if parts else []
    with Progress("decide", sum(part.articles.rows for part in parts), "articles") as progress:
        for part, reasons, seconds in _evaluate(corpus, parts, progress):
            upstream = made_from[part.name] | ({previous.folder: previous.digest} if previous else {})
            old, state = committed.get(part.name), "unchanged"
            if old is None or old.settings != settings or old.upstream != upstream:
                old, state = _decide_part(tables, part, reasons, published, settings, upstream, seconds), "committed"
            published.append(_published(tables, part.name, looked_up))
            rows.append({"part": part.name, "state": state, **old.counts})
            previous = old
    return rows


def _rule_name(rule: str | pl.Expr) -> str:
    return rule if isinstance(rule, str) else f"expression {rule.meta.output_name()}: {rule}"


def _resolve(settings: Mapping[str, Any], rules: Sequence[str | pl.Expr] | None, language: str) -> list[curation.Rule]:
    if rules is None:
        for name in settings["rules"]:
            if name.startswith("expression "):
                raise ValueError(f"the decisions are committed with a rule of your own ({name}): give `rules` again")
        rules = settings["rules"]
    numbers = {name: {**BEFORE, **settings}[name] for name in ("min_chars", "min_words", "fraction", "keep_errors")}
    return curation.resolve_rules(list(rules), **numbers, language=language)


def _upstreams(tables: Tables, parts: Sequence[str]) -> dict[str, dict[str, str]]:
    """What the decisions of each part are made from, by folder and digest; those of the part before it come on top."""
    upstream = [tables[name] for name in ("articles", "signatures", "pairs")]
    return {part: {table[part].folder: table[part].digest for table in upstream} for part in parts}


def _first_outdated(
    committed: Mapping[str, Manifest], order: Sequence[str], settings: dict[str, Any], made_from: Mapping[str, dict[str, str]]
) -> int:
    """How many parts, from the first to arrive, have the decisions that they should have."""
    previous: dict[str, str] = {}
    for number, part in enumerate(order):
        old = committed.get(part)
        if old is None or old.settings != settings or old.upstream != made_from[part] | previous:
            return number
        previous = {old.folder: old.digest}
    return len(order)


@dataclass(frozen=True)
class _PartToJudge:
    """One part to evaluate: by which rules, and which of them its committed decisions answer."""

    articles: Manifest
    settings: Mapping[str, Any]
    given: Sequence[str | pl.Expr] | None
    decisions: Manifest | None
    unchanged: set[str]

    @property
    def name(self) -> str:
        return self.articles.part

    @property
    def rules(self) -> list[curation.Rule]:
        """Made where they are needed: the expressions behind the names are no matter for pickle."""
        return _resolve(self.settings, self.given, self.articles.settings["language"])

    @property
    def columns(self) -> list[str] | None:
        """The columns of the articles table that are looked at; None: all, as a user's expression may select any."""
        asked = [rule for rule in self.rules if rule.name not in self.unchanged]
        if any(rule.is_own for rule in asked):
            return None
        return sorted({"page_id"}.union(*(rule.passes.meta.root_names() for rule in asked)))

    @property
    def reads_text(self) -> bool:
        return self.columns is None or "text" in self.columns

    @property
    def on_ray(self) -> bool:
        """What reads no text is not worth a Ray task. Polars needs `cloudpickle` to send a Python function to one."""
        try:
            pickle.dumps(self.given)
        except Exception:
            return False
        return self.reads_text


def _part_to_judge(
    corpus: Corpus, articles: Manifest, settings: Mapping[str, Any], given: Sequence[str | pl.Expr] | None, old: Manifest | None
) -> _PartToJudge:
    """Old decisions answer for the same rules on the same articles by the same raywiki, unless they are damaged."""
    part = _PartToJudge(articles, settings, given, old, set())
    if old is None or old.raywiki != raywiki.__version__ or old.upstream[articles.folder] != articles.digest:
        return part
    named = [name for name in old.settings["rules"] if not name.startswith("expression ")]
    earlier = _resolve(old.settings, named, articles.settings["language"])
    unchanged = curation.unchanged_rules(part.rules, earlier)
    try:
        if unchanged:
            _reasons_in(corpus, old)
    except ValueError:
        return part
    return replace(part, unchanged=unchanged)


def _evaluate(
    corpus: Corpus, parts: Sequence[_PartToJudge], progress: Progress
) -> Iterator[tuple[_PartToJudge, pl.DataFrame, float]]:
    """The rules that each article fails, part after part, while Ray is at work on the next ones; and the seconds it took."""
    items = {part.name: [(corpus.url_of(), part, shard) for shard in part.articles.shards] for part in parts}
    sent = {part.name for part in parts if part.on_ray}
    spread = [item for part in parts if part.name in sent for item in items[part.name]]
    results = run(_evaluate_shard, spread, name=for_parts("curate, rules for", sent), places=[corpus.url_of()])
    found: dict[tuple[str, str], tuple[pl.DataFrame, float]] = {}
    for part in parts:
        started, took = time.monotonic(), 0.0
        rules = [] if part.name in sent else _rules_to_ask(corpus, part)
        frames = [pl.DataFrame(schema={"page_id": pl.Int64, "reasons": pl.List(pl.String)})]
        for item in items[part.name]:
            key = part.name, item[2].name
            while part.name in sent and key not in found:
                i, frame_and_seconds = next(results)
                found[spread[i][1].name, spread[i][2].name] = frame_and_seconds
            if part.name in sent:
                frame, seconds = found.pop(key)
                took += seconds
            else:
                frame = _evaluate_with(rules, corpus, part, item[2])
            frames.append(frame)
            progress.advance(item[2].rows)
        yield part, pl.concat(frames), took if part.name in sent else time.monotonic() - started


def _evaluate_shard(item: tuple[str, _PartToJudge, Shard]) -> tuple[pl.DataFrame, float]:
    """Ray task: the rules on one shard, and the seconds that they took."""
    started, (url, part, shard) = time.monotonic(), item
    corpus = Corpus(url)
    return _evaluate_with(_rules_to_ask(corpus, part), corpus, part, shard), time.monotonic() - started


def _rules_to_ask(corpus: Corpus, part: _PartToJudge) -> list[curation.Rule]:
    """The part's rules; those that its committed decisions answer look there."""
    if not part.unchanged or part.decisions is None:
        return part.rules
    return curation.reuse_reasons(part.rules, part.unchanged, _reasons_in(corpus, part.decisions))


def _evaluate_with(rules: Sequence[curation.Rule], corpus: Corpus, part: _PartToJudge, shard: Shard) -> pl.DataFrame:
    """A batch of articles at a time, so that a shard may be larger than memory."""
    batches = corpus.iter_shard(part.articles, shard, part.columns, BATCH if part.reads_text else ROW_GROUP)
    frames = (pl.DataFrame(batch).lazy().with_columns(part=pl.lit(part.name)) for batch in batches)
    return pl.concat([curation.evaluate_rules(frame, rules) for frame in frames])


def _reasons_in(corpus: Corpus, decisions: Manifest) -> pl.DataFrame:
    columns = ["page_id", "reasons"]
    tables = [table for shard in decisions.shards for table in corpus.iter_shard(decisions, shard, columns, ROW_GROUP)]
    return pl.DataFrame(pa.concat_tables([DECISIONS.empty_table().select(columns), *tables]))


def _decide_part(
    tables: Tables, part: _PartToJudge, reasons: pl.DataFrame, published: Sequence[pl.DataFrame], settings: dict[str, Any],
    upstream: dict[str, str], seconds: float,
) -> Manifest:  # fmt: skip
    """Decide one part and commit that; `seconds` went into its `reasons`."""
    started, corpus = time.monotonic(), tables.corpus
    hashes = scan_manifests(corpus, [tables["signatures"][part.name]], SIGNATURES).select("page_id", "text_hash").collect()
    articles = reasons.join(hashes, on="page_id", how="left", maintain_order="left")
    pairs = scan_manifests(corpus, [tables["pairs"][part.name]], PAIRS).select(PAIRS.names).collect()
    nothing = pl.DataFrame(schema={"text_hash": pl.Binary, "part": pl.String, "page_id": pl.Int64})
    decided = curation.decide(articles, pairs, pl.concat([nothing, *published]), part.name)
    if decided.height != part.articles.rows:
        raise ValueError(
            f"decisions/part={part.name} is not committed: {decided.height} decisions for {part.articles.rows} articles"
        )
    table = decided.to_arrow().cast(DECISIONS)
    groups = (table.slice(start, ROW_GROUP) for start in range(0, table.num_rows, ROW_GROUP))
    name = f"00000-{shard_key(settings, upstream)}.parquet"
    shard = corpus.write_shard(part_folder("decisions", part.name), name, groups, DECISIONS)
    failed = Counter(decided["reason"].drop_nulls().to_list())
    manifest = Manifest.made(
        "decisions", part.name, settings, [shard], curation.count_decisions(decided), upstream=upstream,
        seconds=seconds + time.monotonic() - started, notes={"reasons": dict(failed.most_common())},
    )  # fmt: skip
    return tables.commit(manifest)


_KEY = pl.col("text_hash").bin.head(8).bin.reinterpret(dtype=pl.UInt64).alias("key")  # quicker to compare than 16 bytes


def _looked_up(tables: Tables, order: Sequence[str], parts: Sequence[str]) -> pl.DataFrame:
    """Keys of the texts that the decisions of these parts may look up: that several articles have, or that are in pairs.

    Few texts are. So decisions that all parts get anew take no longer for a part the more parts there are.
    """
    if not parts:
        return pl.DataFrame(schema={"key": pl.UInt64})
    texts = scan_manifests(tables.corpus, [tables["signatures"][part] for part in order], SIGNATURES)
    pairs = scan_manifests(tables.corpus, [tables["pairs"][part] for part in parts], PAIRS)
    keys = texts.select(_KEY).collect(engine="streaming")
    others = pairs.select(pl.col("other_hash").alias("text_hash")).select(_KEY).collect()
    return pl.concat([keys.filter(pl.col("key").is_duplicated()), others]).unique()


def _published(tables: Tables, part: str, looked_up: pl.DataFrame) -> pl.DataFrame:
    """Text hash, part and page id of the articles that a part publishes, as far as their texts may be looked up."""
    kept = scan_manifests(tables.corpus, [tables["decisions"][part]], DECISIONS).filter("keep").select("page_id")
    texts = scan_manifests(tables.corpus, [tables["signatures"][part]], SIGNATURES)
    texts = texts.select("text_hash", "part", "page_id", _KEY)
    texts = texts.join(looked_up.lazy(), on="key", how="semi").join(kept, on="page_id", how="semi")
    return texts.select("text_hash", "part", "page_id").collect()
