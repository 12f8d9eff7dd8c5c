"""The quality rules of Gopher (Rae et al., 2021, arXiv:2112.11446, appendix A.1.1, "Quality Filtering"):

    words in a document                                  50 to 100,000
    mean length of a word                                3 to 10 characters
    hash symbols, and ellipses, for each word            at most 0.1
    lines that begin with a bullet                       at most 90 %
    lines that end with an ellipsis                      at most 30 %
    words with at least one alphabetic character         at least 80 %
    different ones of the stop words below               at least 2

Reasons are spelled as in datatrove. The paper does not say what a word is. Here it is one of any script, without punctuation
(`raywiki.curation.text`), save where the alphabetic words are counted: there it is what stands between white space. A
tokenizer that makes a word of every comma, as datatrove's does, puts half of all languages below those 80 %.
"""

from __future__ import annotations

import polars as pl

from raywiki.curation.text import count_words, lines, ratio, share

MIN_WORDS, MAX_WORDS = 50, 100_000
MIN_MEAN_LENGTH, MAX_MEAN_LENGTH = 3, 10
MAX_SYMBOLS = 0.1
MAX_BULLET_LINES = 0.9
MAX_ELLIPSIS_LINES = 0.3
MIN_ALPHABETIC = 0.8
MIN_STOP_WORDS = 2
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


def gopher_short_doc(text: pl.Expr) -> pl.Expr:
    return count_words(text) >= MIN_WORDS


def gopher_long_doc(text: pl.Expr) -> pl.Expr:
    return count_words(text) <= MAX_WORDS


def gopher_below_avg_threshold(text: pl.Expr) -> pl.Expr:
    return _mean_length(text) >= MIN_MEAN_LENGTH


def gopher_above_avg_threshold(text: pl.Expr) -> pl.Expr:
    return _mean_length(text) <= MAX_MEAN_LENGTH


def gopher_too_many_hashes(text: pl.Expr) -> pl.Expr:
    return ratio(text.str.count_matches("#", literal=True), count_words(text)) <= MAX_SYMBOLS


def gopher_too_many_ellipsis(text: pl.Expr) -> pl.Expr:
    return ratio(text.str.count_matches(r"\.\.\.|…"), count_words(text)) <= MAX_SYMBOLS


def gopher_too_many_bullets(text: pl.Expr) -> pl.Expr:
    return share(lines(text), pl.element().str.contains(r"^\s*[•-]")) <= MAX_BULLET_LINES


def gopher_too_many_end_ellipsis(text: pl.Expr) -> pl.Expr:
    return share(lines(text), pl.element().str.contains(r"(?:\.\.\.|…)\s*$")) <= MAX_ELLIPSIS_LINES


def gopher_below_alpha_threshold(text: pl.Expr) -> pl.Expr:
    alphabetic = text.str.count_matches(r"[^\s\p{L}]*\p{L}\S*")
    return ratio(alphabetic, text.str.count_matches(r"\S+")) >= MIN_ALPHABETIC


def gopher_enough_stop_words(text: pl.Expr) -> pl.Expr:
    """English only: `resolve_rules` leaves it out for any other language."""
    found = [text.str.contains(rf"\b{word}\b").cast(pl.UInt8) for word in STOP_WORDS]
    return pl.sum_horizontal(found) >= MIN_STOP_WORDS


GOPHER_QUALITY = (
    gopher_short_doc,
    gopher_long_doc,
    gopher_below_avg_threshold,
    gopher_above_avg_threshold,
    gopher_too_many_hashes,
    gopher_too_many_ellipsis,
    gopher_too_many_bullets,
    gopher_too_many_end_ellipsis,
    gopher_below_alpha_threshold,
    gopher_enough_stop_words,
)


def _mean_length(text: pl.Expr) -> pl.Expr:
    return ratio(text.str.replace_all(r"[^\p{L}\p{M}\p{N}]+", "").str.len_chars(), count_words(text))
