"""Near-duplicate pairs from the index: band keys joined, candidates verified, no text read.

A part that arrives is compared with itself and with every part that arrived before it; never the other way round. So the
pairs of a part hang on that part and the earlier ones alone, and stay as they are whatever comes later. They also hang
on no filter: which articles are kept is decided afterwards (`raywiki.curation.decide`), as often as one likes.

Texts written by a bot come in thousands that look alike. Two limits keep the work linear in their number:

- a bucket (all texts with one band key) of more than `max_bucket` texts offers only its first ones, in order of arrival,
  as candidates for the rest;
- a text keeps the pairs with its first `max_pairs` similar texts, in order of arrival.

Both look back only, so that a later part changes nothing. A duplicate is missed only when all the earlier texts
looked at turn out not to be published while one beyond the limits is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from raywiki.curation.signatures import HALF_BITS, sketch_levels
from raywiki.schema import PAIRS

# A pair counts as similar when its estimate lies at most this far below the threshold: about three standard errors of the
# sketch, so that hardly a pair at the threshold is lost and hardly one twice as far below it is taken.
MARGIN = 0.025

_CANDIDATES = {"page_id": pl.Int64, "other_arrival": pl.Int32, "other_page_id": pl.Int64}
_VERIFY_ROWS = 1 << 13  # pairs verified at a time: 8 MiB of sketches


def key_ranges(num_ranges: int) -> list[tuple[int, int]]:
    """Cut the 32-bit keys into ranges of one size: first and last key of each.

    >>> key_ranges(2)
    [(0, 2147483647), (2147483648, 4294967295)]
    """
    if num_ranges < 1:
        raise ValueError(f"num_ranges is {num_ranges}, it must be at least 1")
    bounds = [index * (1 << 32) // num_ranges for index in range(num_ranges + 1)]
    return [(low, high - 1) for low, high in pairwise(bounds)]


def candidate_pairs(bands: pl.LazyFrame | pl.DataFrame, arrival: int, *, max_bucket: int = 64) -> pl.DataFrame:
    """Pairs of articles that share a band key: each article of the new part with those before it.

    Args:
        bands: columns `arrival` (number of the part in order of arrival), `key` and `page_id`: the band keys of one key
            range, of the new part and of all that arrived before it.
        arrival: number of the new part.
        max_bucket: how many texts of one bucket are offered as candidates for the others.

    Returns:
        Columns `page_id` (of the new part), `other_arrival` and `other_page_id`, sorted, each pair once. Several key ranges
        may find the same pair.
    """
    if max_bucket < 1:
        raise ValueError(f"max_bucket is {max_bucket}, it must be at least 1")
    rows = bands.lazy().select(pl.col("arrival").cast(pl.Int32), "key", "page_id")
    new = rows.filter(pl.col("arrival") == arrival).select("key", "page_id").collect()
    keys = new.lazy().select(pl.col("key").unique())
    earlier = rows.filter(pl.col("arrival") < arrival).join(keys, on="key", how="semi").collect(engine="streaming")
    members = pl.concat([earlier, new.select(pl.lit(arrival, pl.Int32).alias("arrival"), "key", "page_id")])
    members = members.filter(pl.len().over("key") > 1).sort("key", "arrival", "page_id")
    offered = members.filter(pl.int_range(pl.len()).over("key") < max_bucket)
    offered = offered.rename({"arrival": "other_arrival", "page_id": "other_page_id"})
    pairs = (
        new.lazy()
        .join(offered.lazy(), on="key")
        .filter((pl.col("other_arrival") < arrival) | (pl.col("other_page_id") < pl.col("page_id")))
        .select(_CANDIDATES.keys())
        .unique()
    )
    return pairs.collect(engine="streaming").sort(_CANDIDATES.keys())


def merge_candidates(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The candidates of all key ranges, each pair once, sorted."""
    empty = pl.DataFrame(schema=_CANDIDATES)
    return pl.concat([empty, *frames]).unique().sort(_CANDIDATES.keys())


def verify_pairs(candidates: pl.DataFrame, signatures: pa.Table, others: pa.Table, *, threshold: float = 0.8) -> pl.DataFrame:
    """The candidates whose sketches say that they are similar.

    Args:
        candidates: rows of `candidate_pairs` whose `other_arrival` is one and the same part.
        signatures: signatures of the new part; at least of the articles in `candidates`.
        others: signatures of that other part, the new part itself included; at least of the articles in `candidates`.
        threshold: Jaccard similarity of the sets of word n-grams from which two texts are near-duplicates. A pair is
            taken when its estimate is at least `threshold - MARGIN`.

    Returns:
        The columns of `candidates`, `text_hash`, `other_hash` and `similarity`. Pairs of equal texts are left out: those
        are exact duplicates.
    """
    if not 0.5 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}, it must lie between 0.5 and 1")
    rows, other_rows = _row_of(signatures, candidates["page_id"]), _row_of(others, candidates["other_page_id"])
    counts, other_counts = signatures["n_grams"].to_numpy(), others["n_grams"].to_numpy()
    sketches, other_sketches = _sketches(signatures), _sketches(others)
    similarity = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _VERIFY_ROWS):
        here, there = rows[start : start + _VERIFY_ROWS], other_rows[start : start + _VERIFY_ROWS]
        similarity[start : start + _VERIFY_ROWS] = similarities(
            sketches[here], counts[here], other_sketches[there], other_counts[there]
        )
    hashes, other_hashes = pl.Series(signatures["text_hash"]), pl.Series(others["text_hash"])
    pairs = candidates.with_columns(
        text_hash=hashes.gather(rows), other_hash=other_hashes.gather(other_rows), similarity=pl.Series(similarity)
    )
    similar = (pl.col("similarity") >= threshold - MARGIN) & (pl.col("text_hash") != pl.col("other_hash"))
    return pairs.filter(similar)


def merge_pairs(frames: Sequence[pl.DataFrame], *, max_pairs: int = 32) -> pl.DataFrame:
    """The verified pairs of a new part with all parts as one table (`raywiki.schema.PAIRS`), sorted.

    Args:
        frames: results of `verify_pairs`, in any order.
        max_pairs: how many similar texts are kept for each text, the first in order of arrival.
    """
    if not frames:
        return pl.DataFrame(pl.from_arrow(PAIRS.empty_table()))
    pairs = pl.concat(frames).sort("other_arrival", "other_page_id")
    # A text that several parts hold is one text: its first article stands for it.
    pairs = pairs.unique(["text_hash", "other_hash"], keep="first", maintain_order=True)
    pairs = pairs.filter(pl.int_range(pl.len()).over("text_hash") < max_pairs)
    return pairs.select(PAIRS.names).sort("text_hash", "other_hash")


def similarities(
    sketches: NDArray[np.uint8], counts: NDArray[np.integer], others: NDArray[np.uint8], other_counts: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Jaccard similarity of pairs of n-gram sets, estimated from their odd sketches (rows of 512 bytes) and sizes.

    Two sets whose symmetric difference has d elements differ in n (1 - (1 - 2/n)^d) / 2 of n bits, on average; with the
    sizes a and b, the similarity is (a + b - d) / (a + b + d) (Mitzenmacher, Pagh and Pham, 2014, section 3).
    Sets whose levels differ by more than one are of such different sizes that their similarity is below 0.5; for them
    the ratio of the sizes, the highest similarity possible, is returned.
    """
    halves = sketches.view(np.uint64).reshape(len(sketches), 2, -1)
    other_halves = others.view(np.uint64).reshape(len(others), 2, -1)
    levels, other_levels = sketch_levels(counts), sketch_levels(other_counts)
    difference = np.where(
        levels == other_levels,
        _difference(halves[:, 0], other_halves[:, 0]) + _difference(halves[:, 1], other_halves[:, 1]),
        np.where(
            levels > other_levels,
            _difference(halves[:, 0] ^ halves[:, 1], other_halves[:, 1]),
            _difference(halves[:, 1], other_halves[:, 0] ^ other_halves[:, 1]),
        ),
    )
    difference = np.ldexp(difference, np.maximum(levels, other_levels).astype(np.int32))
    total = counts.astype(np.float64) + other_counts
    highest = np.minimum(counts, other_counts) / np.maximum(np.maximum(counts, other_counts), 1)
    estimate = np.where(abs(levels - other_levels) > 1, highest, (total - difference) / (total + difference))
    return np.clip(estimate, 0, highest)


def _difference(half: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Estimated size of the symmetric difference of the sets behind two half sketches."""
    bits = np.bitwise_count(half ^ other).sum(axis=1, dtype=np.int64)
    odd = np.minimum(bits, HALF_BITS // 2 - 1)  # at one half the sketch is full and says no more
    return np.log1p(-2 * odd / HALF_BITS) / np.log1p(-2 / HALF_BITS)


def _row_of(signatures: pa.Table, page_ids: pl.Series) -> NDArray[np.int64]:
    """Row of each page id in a table of signatures."""
    known = signatures["page_id"].to_numpy()
    order = np.argsort(known, kind="stable")
    wanted = page_ids.to_numpy()
    places = np.searchsorted(known, wanted, sorter=order)
    assert len(wanted) == 0 or (len(known) and (known[order[np.minimum(places, len(known) - 1)]] == wanted).all())
    return order[places] if len(wanted) else np.empty(0, np.int64)


def _sketches(signatures: pa.Table) -> NDArray[np.uint8]:
    """The sketches as a matrix of bytes, without a copy where the column is one chunk; a null is any bytes."""
    column = signatures["sketch"].combine_chunks()
    width = column.type.byte_width
    data = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    return data[column.offset * width : (column.offset + len(column)) * width].reshape(-1, width)
