"""curate: articles to decisions, with Polars, part after part in their order of arrival; duplicates by the dedup index."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

import raywiki
from raywiki import curation
from raywiki.corpus import Corpus, Manifest, part_folder, part_order, settle, shard_key
from raywiki.engine.index import PAIRS_DEFAULTS, find_pairs, sign, upstream_of
from raywiki.engine.progress import Progress
from raywiki.engine.summary import Summary
from raywiki.scan import scan_articles, scan_table
from raywiki.schema import DECISIONS, PAIRS, SIGNATURES

DEFAULTS: dict[str, Any] = {"min_chars": 500, "min_words": 0, "rules": [], "fraction": 1.0}
ROW_GROUP = 1 << 16


def curate(
    corpus: str | os.PathLike[str] | Corpus, *, min_chars: int | None = None, min_words: int | None = None,
    rules: Sequence[str | pl.Expr] | None = None, fraction: float | None = None, threshold: float | None = None,
    ngram_size: int | None = None, num_bands: int | None = None, rows_per_band: int | None = None, overwrite: bool = False,
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
            that are true for an article to keep.
        fraction: share of articles to keep, by a hash of the page id, so that a smaller share lies within a larger one; 1.
        threshold: Jaccard similarity of the word n-grams of two texts from which the later one is a near-duplicate; 0.8.
        ngram_size: words in an n-gram; 5.
        num_bands: MinHash bands, of `rows_per_band` hashes each: two texts are compared when one band is equal; 14.
        rows_per_band: 8.
        overwrite: redo the decisions with other settings than the committed ones. No text is read again for `min_chars`.

    Returns:
        A summary with the counts of each part.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: nothing is extracted; the settings are not the committed ones; a rule is unknown, or an expression gives
            nulls or another length; a shard is damaged.
    """
    started = time.monotonic()
    corpus = Corpus.open(corpus).require()
    articles = corpus.manifests("articles")
    if not articles:
        raise ValueError(f"{corpus.url} has no article to curate: run `raywiki extract {corpus.url} DUMP…` first")
    committed = corpus.manifests("decisions")
    given: dict[str, Any] = {"min_chars": min_chars, "min_words": min_words, "fraction": fraction}
    given["rules"] = None if rules is None else [_rule_name(rule) for rule in rules]
    settings = settle("decisions", [each.settings for each in committed.values()], given, DEFAULTS, overwrite)
    given_index = dict(threshold=threshold, ngram_size=ngram_size, num_bands=num_bands, rows_per_band=rows_per_band)
    indexed = [each.settings for each in corpus.manifests("pairs").values()]
    index = settle("near-duplicate pairs", indexed, given_index, PAIRS_DEFAULTS, overwrite)
    _resolve(settings, rules, "en")  # a wrong rule is the caller's mistake: say it before the work
    sign(corpus, articles, index)
    order = find_pairs(corpus, articles, index)
    rows, previous = [], None
    with Progress("decide", sum(articles[part].rows for part in order), "articles") as progress:
        for part in order:
            upstream = upstream_of(corpus, [("articles", part), ("signatures", part), ("pairs", part)])
            upstream |= {previous.folder: previous.digest} if previous else {}
            old = committed.get(part)
            if old is not None and old.settings == settings and old.upstream == upstream:
                previous, state = old, "unchanged"
            else:
                resolved = _resolve(settings, rules, articles[part].settings["language"])
                previous = _decide_part(corpus, part, order, resolved, settings, upstream)
                state = "committed"
            rows.append({"part": part, "state": state, **previous.counts})
            progress.advance(articles[part].rows)
    warnings = []
    if order != sorted(order, key=part_order):
        warnings.append("parts arrived in another order than that of their ids: duplicates stay in the part that came first")
    return Summary("curate", corpus.url, tuple(rows), time.monotonic() - started, tuple(warnings))


def _rule_name(rule: str | pl.Expr) -> str:
    return rule if isinstance(rule, str) else f"expression {rule.meta.output_name()}: {rule}"


def _resolve(settings: Mapping[str, Any], rules: Sequence[str | pl.Expr] | None, language: str) -> list[curation.Rule]:
    if rules is None:
        for name in settings["rules"]:
            if name.startswith("expression "):
                raise ValueError(f"the decisions are committed with a rule of your own ({name}): give `rules` again")
        rules = settings["rules"]
    numbers = {name: settings[name] for name in ("min_chars", "min_words", "fraction")}
    return curation.resolve_rules(list(rules), **numbers, language=language)


def _decide_part(
    corpus: Corpus, part: str, order: Sequence[str], rules: list[curation.Rule], settings: dict[str, Any],
    upstream: dict[str, str],
) -> Manifest:  # fmt: skip
    started = time.monotonic()
    hashes = scan_table(corpus, "signatures", SIGNATURES, [part]).select("page_id", "text_hash").collect()
    reasons = curation.evaluate_rules(scan_articles(corpus, [part]), rules)
    articles = reasons.join(hashes, on="page_id", how="left", maintain_order="left")
    pairs = scan_table(corpus, "pairs", PAIRS, [part]).select(PAIRS.names).collect()
    decided = curation.decide(articles, pairs, _published(corpus, order[: order.index(part)]), part)
    rows = corpus.read_manifest("articles", part)
    if rows is None or decided.height != rows.rows:
        raise ValueError(
            f"decisions/part={part} is not committed: {decided.height} decisions for {rows and rows.rows} articles"
        )
    table = decided.to_arrow().cast(DECISIONS)
    groups = (table.slice(start, ROW_GROUP) for start in range(0, table.num_rows, ROW_GROUP))
    name = f"00000-{shard_key(settings, upstream)}.parquet"
    shard = corpus.write_shard(part_folder("decisions", part), name, groups, DECISIONS)
    failed = Counter(decided["reason"].drop_nulls().to_list())
    manifest = Manifest(
        table="decisions", part=part, settings=settings, shards=(shard,) if shard else (),
        counts=curation.count_decisions(decided), upstream=upstream, notes={"reasons": dict(failed.most_common())},
        seconds=round(time.monotonic() - started, 3), raywiki=raywiki.__version__,
    )  # fmt: skip
    return corpus.commit(manifest)


def _published(corpus: Corpus, parts: Sequence[str]) -> pl.LazyFrame:
    """Text hash, part and page id of every article that these parts publish."""
    empty = pl.LazyFrame(schema={"text_hash": pl.Binary, "part": pl.String, "page_id": pl.Int64})
    frames = [empty]
    for part in parts:
        kept = scan_table(corpus, "decisions", DECISIONS, [part]).filter("keep").select("page_id")
        hashes = scan_table(corpus, "signatures", SIGNATURES, [part]).select("text_hash", "part", "page_id")
        frames.append(hashes.join(kept, on="page_id", how="semi"))
    return pl.concat(frames)
