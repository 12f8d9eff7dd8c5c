"""The repetition rules of Gopher (Rae et al., 2021, arXiv:2112.11446, table A1): the highest share that passes.

    duplicate lines                          0.30    characters in them    0.20
    duplicate paragraphs                     0.30    characters in them    0.20

    characters in the most common   2-gram 0.20    3-gram 0.18    4-gram 0.16
    characters in all duplicate     5-grams 0.15   6-grams 0.14   7-grams 0.13   8-grams 0.12   9-grams 0.11   10-grams 0.10

Reasons are spelled, and n-grams counted, as in datatrove: a duplicate repeats something before it; duplicate n-grams that
overlap count once; n-grams are of words and symbols.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from raywiki.curation.text import filled_lines, paragraphs, ratio, repeated, repeated_chars, tokens

MAX_DUP_LINES = MAX_DUP_PARAGRAPHS = 0.30
MAX_DUP_LINE_CHARS = MAX_DUP_PARAGRAPH_CHARS = 0.20
MAX_TOP_NGRAM = {2: 0.20, 3: 0.18, 4: 0.16}
MAX_DUP_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}

_BASE = np.uint64(0x9E3779B97F4A7C15)  # of the polynomial over an n-gram's word hashes; odd


def dup_line_frac(text: pl.Expr) -> pl.Expr:
    return ratio(repeated(filled_lines(text)), filled_lines(text).list.len()) <= MAX_DUP_LINES


def dup_para_frac(text: pl.Expr) -> pl.Expr:
    return ratio(repeated(paragraphs(text)), paragraphs(text).list.len()) <= MAX_DUP_PARAGRAPHS


def dup_line_char_frac(text: pl.Expr) -> pl.Expr:
    return ratio(repeated_chars(filled_lines(text)), text.str.len_chars()) <= MAX_DUP_LINE_CHARS


def dup_para_char_frac(text: pl.Expr) -> pl.Expr:
    return ratio(repeated_chars(paragraphs(text)), text.str.len_chars()) <= MAX_DUP_PARAGRAPH_CHARS


def top_2_gram(text: pl.Expr) -> pl.Expr:
    return _top_ngram(text, 2)


def top_3_gram(text: pl.Expr) -> pl.Expr:
    return _top_ngram(text, 3)


def top_4_gram(text: pl.Expr) -> pl.Expr:
    return _top_ngram(text, 4)


def duplicated_5_n_grams(text: pl.Expr) -> pl.Expr:
    return _dup_ngrams(text, 5)


def duplicated_6_n_grams(text: pl.Expr) -> pl.Expr:
    return _dup_ngrams(text, 6)


def duplicated_7_n_grams(text: pl.Expr) -> pl.Expr:
    return _dup_ngrams(text, 7)


def duplicated_8_n_grams(text: pl.Expr) -> pl.Expr:
    return _dup_ngrams(text, 8)


def duplicated_9_n_grams(text: pl.Expr) -> pl.Expr:
    return _dup_ngrams(text, 9)


def duplicated_10_n_grams(text: pl.Expr) -> pl.Expr:
    return _dup_ngrams(text, 10)


GOPHER_REPETITION = (
    dup_para_frac,
    dup_para_char_frac,
    dup_line_frac,
    dup_line_char_frac,
    top_2_gram,
    top_3_gram,
    top_4_gram,
    duplicated_5_n_grams,
    duplicated_6_n_grams,
    duplicated_7_n_grams,
    duplicated_8_n_grams,
    duplicated_9_n_grams,
    duplicated_10_n_grams,
)


def _top_ngram(text: pl.Expr, n: int) -> pl.Expr:
    return _ngram_shares(text).struct.field(f"top_{n}") <= MAX_TOP_NGRAM[n]


def _dup_ngrams(text: pl.Expr, n: int) -> pl.Expr:
    return _ngram_shares(text).struct.field(f"dup_{n}") <= MAX_DUP_NGRAMS[n]


_SHARES = pl.Struct({f"top_{n}": pl.Float64 for n in MAX_TOP_NGRAM} | {f"dup_{n}": pl.Float64 for n in MAX_DUP_NGRAMS})


def _ngram_shares(text: pl.Expr) -> pl.Expr:
    return text.map_batches(_remembered_shares, return_dtype=_SHARES)


_remembered: OrderedDict[bytes, pl.Series] = OrderedDict()


def _remembered_shares(texts: pl.Series) -> pl.Series:
    """Shares of the texts, worked out once: Polars calls a Python function anew for each of the nine rules that use it."""
    key = texts.hash().to_numpy().tobytes()
    shares = _remembered.get(key)
    if shares is None:
        shares = _remembered[key] = ngram_shares(texts)
        while len(_remembered) > 16:  # more than there are threads that collect a frame in pieces
            _remembered.popitem(last=False)
    return shares


def ngram_shares(texts: pl.Series) -> pl.Series:
    """Shares of each text's characters that lie in its most common, and in duplicate n-grams: fields `top_2` … `dup_10`.

    A share of duplicate n-grams that cannot pass its limit, even if overlapping ones counted fully, is given as that bound.

    n-grams grow word by word, and only those that occur more than once are taken to the next n: one that is longer and
    occurs twice begins with a shorter one that does.
    """
    lists = pl.select(tokens(pl.lit(texts))).to_series()
    counts = lists.list.len().to_numpy().astype(np.int64)
    words = lists.filter(lists.list.len() > 0).explode()
    hashes = words.hash().to_numpy()  # lives no longer than this call, so it may differ between versions of Polars
    ends = np.concatenate(([0], np.cumsum(words.str.len_chars().to_numpy().astype(np.int64))))
    owners = np.repeat(np.arange(len(counts)), counts)
    text_ends = np.cumsum(counts)
    sizes = np.maximum(texts.str.len_chars().to_numpy(), 1)
    starts, keys = np.arange(len(words)), owners.astype(np.uint64) * _BASE + hashes
    shares = {}
    for n in range(2, max(MAX_DUP_NGRAMS) + 1):
        whole = starts + n <= text_ends[owners[starts]]
        starts, keys = starts[whole], keys[whole]
        keys = keys * _BASE + hashes[starts + n - 1]
        firsts, times, members = _equal(keys)
        if n in MAX_TOP_NGRAM:
            places = np.where(counts >= n, text_ends - counts, -1)  # without a repeated one the first is the most common
            most = (counts >= n).astype(np.int64)
            best = np.lexsort((firsts, -times, owners[starts[firsts]]))
            with_repeats, first = np.unique(owners[starts[firsts[best]]], return_index=True)
            places[with_repeats] = starts[firsts[best[first]]]
            most[with_repeats] = times[best[first]]
            chars = ends[np.minimum(places + n, len(words))] - ends[places] + n - 1
            shares[f"top_{n}"] = most * chars / sizes
        is_repeat = np.ones(len(starts), np.bool_)
        is_repeat[firsts] = False
        starts, keys, is_repeat = starts[members], keys[members], is_repeat[members]
        if n in MAX_DUP_NGRAMS:
            covered = _covered_chars(starts[is_repeat], n, ends, owners, len(counts)) / sizes
            bounds = np.searchsorted(owners[starts], np.arange(len(counts) + 1))
            for owner in np.flatnonzero(covered > MAX_DUP_NGRAMS[n]):
                span = slice(bounds[owner], bounds[owner + 1])
                covered[owner] = _walk(starts[span], keys[span], ends, n) / sizes[owner]
            shares[f"dup_{n}"] = covered
    return pl.DataFrame(shares, schema=_SHARES.to_schema()).to_struct()


def _equal(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of the keys that occur more than once: the first index of each, how often it occurs, and the indices of all, sorted."""
    order = np.argsort(keys)
    ordered = keys[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(keys)])
    times = np.diff(np.append(begins, len(keys)))
    members = np.sort(order[np.repeat(times > 1, times)])
    firsts = np.minimum.reduceat(order, begins) if len(keys) else order
    return firsts[times > 1], times[times > 1], members


def _covered_chars(
    starts: NDArray[np.int64], n: int, ends: NDArray[np.int64], owners: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """Characters of the words that lie in any of the n-grams at `starts`, for each of `size` texts."""
    steps = np.bincount(starts, minlength=len(ends)) - np.bincount(starts + n, minlength=len(ends))
    return np.bincount(owners, np.diff(ends) * (np.cumsum(steps)[:-1] > 0), size).astype(np.float64)


def _walk(starts: NDArray[np.int64], keys: NDArray[np.uint64], ends: NDArray[np.int64], n: int) -> int:
    """Characters in n-grams of one text that repeat an earlier one; after a repeated one the walk goes on behind it."""
    seen: set[int] = set()
    total = resume = 0
    for start, key in zip(starts.tolist(), keys.tolist(), strict=True):
        if start < resume:
            continue
        if key in seen:
            total += int(ends[start + n] - ends[start])
            resume = start + n
        else:
            seen.add(key)
    return total
