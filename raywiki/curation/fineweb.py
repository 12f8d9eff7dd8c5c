"""The rules that FineWeb adds (Penedo et al., 2024, arXiv:2406.17557, section 3.5 and appendix), by lines that are not blank:

    lines that end with a terminal punctuation mark      at least 12 %
    characters in duplicate lines                        at most 1 %
    lines of 30 characters or fewer                      at most 67 %
    line breaks for each word                            at most 0.3

Reasons are spelled as in datatrove. Terminal marks are those of all scripts (Unicode's Sentence_Terminal).
"""

from __future__ import annotations

import polars as pl

from raywiki.curation.text import count_words, filled_lines, ratio, repeated_chars, share

MIN_PUNCTUATED_LINES = 0.12
MAX_SHORT_LINES = 0.67
SHORT_LINE = 30
MAX_DUP_CHARS = 0.01
MAX_LINE_BREAKS = 0.3


def line_punct_ratio(text: pl.Expr) -> pl.Expr:
    punctuated = pl.element().str.contains(r"\p{Sentence_Terminal}$")
    return share(filled_lines(text), punctuated) >= MIN_PUNCTUATED_LINES


def short_line_ratio(text: pl.Expr) -> pl.Expr:
    return share(filled_lines(text), pl.element().str.len_chars() <= SHORT_LINE) <= MAX_SHORT_LINES


def char_dup_ratio(text: pl.Expr) -> pl.Expr:
    line_breaks = text.str.count_matches("\n", literal=True)
    chars = text.str.len_chars().cast(pl.Int64) - line_breaks
    return ratio(repeated_chars(filled_lines(text)), chars) <= MAX_DUP_CHARS


def list_ratio(text: pl.Expr) -> pl.Expr:
    return ratio(text.str.count_matches("\n", literal=True), count_words(text)) <= MAX_LINE_BREAKS


FINEWEB = (line_punct_ratio, short_line_ratio, char_dup_ratio, list_ratio)
