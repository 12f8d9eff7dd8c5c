from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raywiki.curation import (
    articles_to_signatures,
    candidate_pairs,
    count_decisions,
    decide,
    merge_pairs,
    published_texts,
    signatures_to_bands,
    verify_pairs,
)
from raywiki.curation.similarity import MARGIN, similarities
from raywiki.schema import DECISIONS, PAIRS

THRESHOLD = 0.8
VOCABULARY = ["".join(random.Random(seed).choices("abcdefghijklmnop", k=6)) for seed in range(400)]


@dataclass(frozen=True)
class Article:
    page_id: int
    text: str
    reasons: tuple[str, ...] = ()


def curate(parts: list[list[list[Article]]]) -> list[pl.DataFrame]:
    """Decide parts (lists of shards of articles) one at a time, each knowing only what arrived before."""
    bands, signatures, decisions = [], [], []
    published = pl.DataFrame(schema={"text_hash": pl.Binary, "part": pl.String, "page_id": pl.Int64})
    for arrival, shards in enumerate(parts):
        articles = [article for shard in shards for article in shard]
        signed = pa.concat_tables(
            articles_to_signatures(
                pa.table(
                    {
                        "page_id": pa.array([a.page_id for a in shard], pa.int64()),
                        "text": pa.array([a.text for a in shard], pa.string()),
                    }
                )
            )
            for shard in shards
        )
        signatures.append(signed)
        bands.append(pl.DataFrame(signatures_to_bands(signed)).with_columns(arrival=pl.lit(arrival)))
        candidates = candidate_pairs(pl.concat(bands), arrival)
        near = [
            verify_pairs(group, signed, signatures[other], threshold=THRESHOLD)
            for (other,), group in candidates.group_by("other_arrival")
        ]
        texts = pl.DataFrame(signed.select(["page_id", "text_hash"]))
        reasons = pl.DataFrame(
            {"page_id": [a.page_id for a in articles], "reasons": [list(a.reasons) for a in articles]},
            schema={"page_id": pl.Int64, "reasons": pl.List(pl.String)},
        )
        decided = decide(texts.join(reasons, on="page_id"), merge_pairs(near), published, f"p{arrival}")
        published = pl.concat([published, published_texts(decided, texts, f"p{arrival}")])
        decisions.append(decided)
    return decisions


def similar(one: dict, other: dict) -> float:
    """Similarity of two signatures if they are near-duplicates, else 0: the definition, without an index."""
    if one["bands"] is None or other["bands"] is None:
        return 0.0
    bands = [np.frombuffer(each["bands"], "<u4") for each in (one, other)]
    if not (bands[0] == bands[1]).any():
        return 0.0
    sketches = [np.frombuffer(each["sketch"], np.uint8)[None] for each in (one, other)]
    counts = [np.array([each["n_grams"]]) for each in (one, other)]
    estimate = float(np.float32(similarities(sketches[0], counts[0], sketches[1], counts[1])[0]))
    return estimate if estimate >= THRESHOLD - MARGIN else 0.0


def decide_all_at_once(parts: list[list[list[Article]]]) -> list[dict]:
    """Every article of the corpus in one pass: what greedy deduplication means, each article against every published one."""
    rows, published = [], []
    for arrival, shards in enumerate(parts):
        articles = sorted((article for shard in shards for article in shard), key=lambda article: article.page_id)
        table = pa.table({"page_id": [a.page_id for a in articles], "text": pa.array([a.text for a in articles], pa.string())})
        for article, signature in zip(articles, articles_to_signatures(table).to_pylist(), strict=True):
            exact = [home for home in published if home[0]["text_hash"] == signature["text_hash"]]
            near = [(similar(signature, home[0]), home) for home in published]
            near = sorted((-value, home[0]["page_id"], home) for value, home in near if value)
            kind, similarity, home = (
                ("exact_dup", 1.0, exact[0]) if exact else ("near_dup", -near[0][0], near[0][2]) if near else (None, None, None)
            )
            reasons = [*article.reasons, *([kind] if kind else [])]
            rows.append(
                {
                    "page_id": article.page_id,
                    "keep": not reasons,
                    "reason": reasons[0] if reasons else None,
                    "reasons": reasons,
                    "dup_of": home and home[0]["page_id"],
                    "dup_part": home and home[1],
                    "similarity": similarity,
                }
            )
            if not reasons:
                published.append((signature, f"p{arrival}"))
    return rows


@st.composite
def corpora(draw: st.DrawFn) -> list[list[list[Article]]]:
    """Parts of shards of articles: few stems, so that exact and near duplicates abound; some rejected, whatever the text."""
    seed = draw(st.integers(0, 10**6))
    rng = random.Random(seed)
    stems = [[rng.choice(VOCABULARY) for _ in range(rng.choice((4, 30, 80)))] for _ in range(draw(st.integers(1, 4)))]
    count = draw(st.integers(1, 30))
    articles = []
    for page_id in rng.sample(range(1000), count):
        words = list(rng.choice(stems))
        for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
            words[rng.randrange(len(words))] = rng.choice(VOCABULARY)
        reasons = tuple(rule for rule in ("min_chars", "stub") if rng.random() < 0.2)
        articles.append(Article(page_id, rng.choice((" ", "\n")).join(words), reasons))
    parts: list[list[list[Article]]] = [[[] for _ in range(3)] for _ in range(draw(st.integers(1, 4)))]
    for article in articles:
        rng.choice(rng.choice(parts)).append(article)
    return parts


@settings(deadline=None, max_examples=60)
@given(corpora())
def test_parts_one_at_a_time_are_decided_like_all_at_once(parts: list[list[list[Article]]]) -> None:
    decided = curate(parts)
    assert [row for part in decided for row in part.to_dicts()] == decide_all_at_once(parts)
    for part in decided:
        counts = count_decisions(part)
        assert counts["articles"] == counts["kept"] + counts["filtered"] + counts["duplicates"]


@settings(deadline=None, max_examples=25)
@given(corpora(), st.randoms())
def test_the_order_of_shards_and_rows_in_a_part_makes_no_difference(
    parts: list[list[list[Article]]], rng: random.Random
) -> None:
    shuffled = [[rng.sample(shard, len(shard)) for shard in rng.sample(shards, len(shards))] for shards in parts]
    for one, other in zip(curate(parts), curate(shuffled), strict=True):
        assert one.equals(other)


@settings(deadline=None, max_examples=15)
@given(corpora())
def test_a_later_part_changes_no_earlier_decision(parts: list[list[list[Article]]]) -> None:
    for one, other in zip(curate(parts), curate(parts[:-1]), strict=False):
        assert one.equals(other)


def frame(rows: list[tuple[int, bytes, list[str]]]) -> pl.DataFrame:
    schema = {"page_id": pl.Int64, "text_hash": pl.Binary, "reasons": pl.List(pl.String)}
    return pl.DataFrame(rows, schema, orient="row")


def pairs_of(*rows: tuple[bytes, bytes, float]) -> pl.DataFrame:
    schema = {"text_hash": pl.Binary, "other_hash": pl.Binary, "similarity": pl.Float32}
    return pl.DataFrame(rows, schema, orient="row")


NOTHING = pl.DataFrame(schema={"text_hash": pl.Binary, "part": pl.String, "page_id": pl.Int64})


def test_the_frame_has_the_schema_of_the_table() -> None:
    for rows in ([], [(1, b"a", [])], [(1, b"a", ["stub"]), (2, b"a", [])]):
        decided = decide(frame(rows), pairs_of(), NOTHING, "p")
        assert decided.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(DECISIONS).schema.equals(DECISIONS)
        assert decided.height == len(rows)
    assert merge_pairs([]).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(PAIRS).num_rows == 0


def test_a_rejected_article_hides_no_other_one() -> None:
    rows = [(1, b"a", ["stub"]), (2, b"a", []), (3, b"a", []), (4, b"b", []), (5, b"c", ["stub"])]
    decided = decide(frame(rows), pairs_of((b"b", b"a", 0.9), (b"c", b"a", 0.85), (b"c", b"b", 0.95)), NOTHING, "p")
    assert decided["reasons"].to_list() == [["stub"], [], ["exact_dup"], ["near_dup"], ["stub", "near_dup"]]
    assert decided["reason"].to_list() == ["stub", None, "exact_dup", "near_dup", "stub"]
    assert decided["dup_of"].to_list() == [None, None, 2, 2, 2]
    assert decided["similarity"].to_list() == pytest.approx([None, None, 1.0, 0.9, 0.85])
    assert count_decisions(decided) == {"articles": 5, "kept": 1, "filtered": 2, "duplicates": 2}


def test_a_duplicate_of_a_duplicate_only_is_published() -> None:
    decided = decide(
        frame([(1, b"a", []), (2, b"b", []), (3, b"c", [])]), pairs_of((b"b", b"a", 0.8), (b"c", b"b", 0.8)), NOTHING, "p"
    )
    assert decided["keep"].to_list() == [True, False, True]


def test_what_an_earlier_part_publishes_stays_whatever_its_page_id() -> None:
    published = pl.DataFrame([(b"a", "first", 900), (b"z", "first", 5)], NOTHING.schema, orient="row").lazy()
    decided = decide(frame([(7, b"b", []), (3, b"a", [])]), pairs_of((b"b", b"a", 0.9), (b"b", b"z", 0.9)), published, "second")
    assert decided.select("page_id", "reason", "dup_of", "dup_part").rows() == [
        (3, "exact_dup", 900, "first"),
        (7, "near_dup", 5, "first"),  # as similar to both: the lower page id
    ]


def test_published_texts_are_the_kept_ones() -> None:
    articles = frame([(2, b"a", []), (1, b"a", []), (3, b"b", ["stub"])])
    decided = decide(articles, pairs_of(), NOTHING, "p")
    assert published_texts(decided, articles, "p").rows() == [(b"a", "p", 1)]


def test_a_page_id_that_repeats_is_refused() -> None:
    with pytest.raises(ValueError, match="part p holds page id 4 twice"):
        decide(frame([(4, b"a", []), (4, b"b", [])]), pairs_of(), NOTHING, "p")
