"""Expressions over a column of texts that the quality rules share: words, lines, ratios. Any language, by Unicode.

A *word* is a run of letters, marks and digits, with the apostrophes and points inside it (`don't`, `e.g`, `1,234.5`); where a
script puts no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese), each letter is a word. A *token* is a
word or a run of other visible characters: what a word tokenizer that splits off punctuation returns.
"""

from __future__ import annotations

import polars as pl

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]"
WORD = rf"[{_UNSPACED}&&\p{{L}}]\p{{M}}*|{_LETTER}+(?:['’.]{_LETTER}+|,\p{{N}}+)*"
TOKEN = rf"{WORD}|[^\s\p{{L}}\p{{M}}\p{{N}}]+"


def words(text: pl.Expr) -> pl.Expr:
    """The words of each text, as a list."""
    return text.str.extract_all(WORD)


def tokens(text: pl.Expr) -> pl.Expr:
    """The words and runs of symbols of each text, as a list."""
    return text.str.extract_all(TOKEN)


def count_words(text: pl.Expr) -> pl.Expr:
    return text.str.count_matches(WORD)


def lines(text: pl.Expr) -> pl.Expr:
    """The lines of each text as a list, blank ones too; a line break at the very end begins no line."""
    return text.str.strip_suffix("\n").str.split("\n")


def filled_lines(text: pl.Expr) -> pl.Expr:
    """The lines of each text that are not blank."""
    return text.str.split("\n").list.eval(pl.element().filter(pl.element().str.contains(r"\S")))


def paragraphs(text: pl.Expr) -> pl.Expr:
    """The paragraphs of each text: what stands between blank lines."""
    return text.str.strip_chars().str.replace_all("\n{3,}", "\n\n").str.split("\n\n")


def share(items: pl.Expr, condition: pl.Expr) -> pl.Expr:
    """The share of a list's items that meet a condition on `pl.element()`; 0 for an empty list."""
    return ratio(items.list.eval(condition).list.sum(), items.list.len())


def repeated(items: pl.Expr) -> pl.Expr:
    """How many items of a list repeat one before them."""
    return items.list.len().cast(pl.Int64) - items.list.n_unique().cast(pl.Int64)


def repeated_chars(items: pl.Expr) -> pl.Expr:
    """Characters of the items of a list that repeat one before them."""
    return _joined_chars(items) - _joined_chars(items.list.unique())


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """`part / whole`, and 0 where both are 0. `clip` and not `when`, which hides from Polars what expressions share."""
    return part / whole.clip(1)


def _joined_chars(items: pl.Expr) -> pl.Expr:
    return items.list.join("").str.len_chars().cast(pl.Int64)
