"""Which articles of a part are published, and why the others are not.

Articles are decided in the order of their page ids, parts in the order of their arrival. An article is published when no
rule rejects it and no published article before it has the same or nearly the same text. What is published stays published:
a later part is decided with the earlier parts' published texts at hand and changes none of them. An article that a rule
rejects hides no other one: what repeats it is judged as if it did not exist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl

from raywiki.schema import DECISIONS

EXACT_DUP = "exact_dup"
NEAR_DUP = "near_dup"


class Published(NamedTuple):
    """Where a published text is found."""

    part: str
    page_id: int


def decide(articles: pl.DataFrame, pairs: pl.DataFrame, published: pl.LazyFrame | pl.DataFrame, part: str) -> pl.DataFrame:
    """Decide a part: one row for each article, in the order of page ids (`raywiki.schema.DECISIONS`).

    Args:
        articles: columns `page_id`, `text_hash` (from the signatures) and `reasons` (from `evaluate_rules`), one row for
            each article of the part, in any order.
        pairs: the part's near-duplicate pairs (`raywiki.schema.PAIRS`).
        published: columns `text_hash`, `part` and `page_id` of every article that earlier parts publish.
        part: id of the part.

    Returns:
        `reasons` holds the rules that failed, in their order, and then `exact_dup` or `near_dup`; the first is `reason`.
        Of several published near-duplicates `dup_of` is the most similar one, then the one with the lowest page id.

    Raises:
        ValueError: two articles of the part have one page id.
    """
    articles = articles.sort("page_id")
    if articles["page_id"].n_unique() < articles.height:
        repeated = articles.filter(pl.col("page_id").is_duplicated())["page_id"][0]
        raise ValueError(f"part {part} holds page id {repeated} twice: extract the part again")
    wanted = pl.concat([articles["text_hash"], pairs["other_hash"]]).unique().to_frame("text_hash").lazy()
    texts = published.lazy().select("text_hash", "part", "page_id")
    earlier = texts.join(wanted, on="text_hash", how="semi").collect(engine="streaming")
    matched = pl.col("text_hash").is_in(pl.concat([pairs["text_hash"], pairs["other_hash"]]).unique().implode())
    matched |= pl.col("text_hash").is_in(earlier["text_hash"].implode()) | pl.col("text_hash").is_duplicated()
    found = _duplicates(articles.filter(matched), _neighbours(pairs), earlier, part)
    schema = {"page_id": pl.Int64, "kind": pl.String, "dup_of": pl.Int64, "dup_part": pl.String, "similarity": pl.Float32}
    decided = articles.join(pl.DataFrame(found, schema, orient="row"), on="page_id", how="left", maintain_order="left")
    reasons = pl.col("reasons").cast(pl.List(pl.String))
    with_kind = pl.when(pl.col("kind").is_null()).then(reasons).otherwise(pl.concat_list(reasons, "kind"))
    decided = decided.with_columns(reasons=with_kind)
    decided = decided.with_columns(keep=pl.col("reasons").list.len() == 0, reason=pl.col("reasons").list.first())
    return decided.select(DECISIONS.names)


def published_texts(decisions: pl.DataFrame, signatures: pl.DataFrame, part: str) -> pl.DataFrame:
    """What a decided part adds to `published`: columns `text_hash`, `part` and `page_id` of its published articles."""
    kept = decisions.filter("keep").select("page_id")
    texts = signatures.select("text_hash", "page_id").join(kept, on="page_id", how="semi")
    return texts.select("text_hash", pl.lit(part).alias("part"), "page_id").sort("page_id")


def count_decisions(decisions: pl.DataFrame) -> dict[str, int]:
    """Articles, and how many are kept, duplicates (`reason` is `exact_dup` or `near_dup`) and filtered (any other reason)."""
    kept = int(decisions["keep"].sum())
    duplicates = int(decisions["reason"].is_in([EXACT_DUP, NEAR_DUP]).sum())
    articles = decisions.height
    return {"articles": articles, "kept": kept, "filtered": articles - kept - duplicates, "duplicates": duplicates}


def _neighbours(pairs: pl.DataFrame) -> Mapping[bytes, list[tuple[bytes, float]]]:
    """The near-duplicates of each text: pairs hold in both directions, as the earlier text may be a later article's."""
    neighbours = defaultdict(list)
    for text, other, similarity in pairs.iter_rows():
        neighbours[text].append((other, similarity))
        neighbours[other].append((text, similarity))
    return neighbours


def _duplicates(
    articles: pl.DataFrame, neighbours: Mapping[bytes, list[tuple[bytes, float]]], earlier: pl.DataFrame, part: str
) -> Iterator[tuple[int, str, int, str, float]]:
    """Each article that repeats a published one, with that one: one pass in the order of page ids."""
    published = {text: Published(part_of, page_id) for text, part_of, page_id in earlier.iter_rows()}
    for page_id, text, reasons in articles.select("page_id", "text_hash", "reasons").iter_rows():
        if text in published:
            home = published[text]
            yield page_id, EXACT_DUP, home.page_id, home.part, 1.0
            continue
        similar = [(-s, published[other]) for other, s in neighbours.get(text, ()) if other in published]
        if similar:
            similarity, home = min(similar, key=lambda match: (match[0], match[1].page_id))
            yield page_id, NEAR_DUP, home.page_id, home.part, -similarity
        elif not reasons:
            published[text] = Published(part, page_id)
