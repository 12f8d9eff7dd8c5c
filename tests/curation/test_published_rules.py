"""Each rule of Gopher, C4 and FineWeb: the smallest text that fails it and the nearest one that passes."""

from __future__ import annotations

import string

import polars as pl
import pytest

from raywiki.curation import resolve_rules
from raywiki.curation.repetition import MAX_DUP_NGRAMS, ngram_shares
from raywiki.curation.rules import RULE_SETS
from raywiki.curation.text import TOKEN

LETTERS = string.ascii_lowercase + "абвгдежзиклмнопрстуфхцчшщ"


def words(count: int) -> str:
    """So many different words of one letter: `2 * count - 1` characters."""
    return " ".join(LETTERS[:count])


def repeated(n: int, count: int) -> str:
    """So many words of one letter, of which the second `n` repeat the first: `n` of `2 * count - 1` characters."""
    return " ".join(LETTERS[:n] + LETTERS[: count - n])


CASES = {
    "gopher_short_doc": ("a " * 49, "a " * 50),
    "gopher_long_doc": ("a " * 100_001, "a " * 100_000),
    "gopher_below_avg_threshold": ("ab", "abc"),
    "gopher_above_avg_threshold": ("abcdefghijk", "abcdefghij"),
    "gopher_too_many_hashes": ("#" + " a" * 9, "#" + " a" * 10),
    "gopher_too_many_ellipsis": ("…" + " a" * 9, "..." + " a" * 10),
    "gopher_too_many_bullets": ("- a\n" * 10 + "b", "• a\n" * 9 + "b"),
    "gopher_too_many_end_ellipsis": ("a…\nb\nc", "a...\na…\na...\n" + "b\n" * 7),
    "gopher_below_alpha_threshold": ("1 a b c", "1 a b c d"),
    "gopher_enough_stop_words": ("the the cat", "the cat of"),
    "dup_line_frac": ("a\na\nb", "a\na\nb\nc"),
    "dup_line_char_frac": ("a\na", "a\na\nb"),
    "dup_para_frac": ("a\n\na\n\nb", "a\n\na\n\nb\n\nc"),
    "dup_para_char_frac": ("a\n\na", "a\n\na\n"),
    "top_2_gram": (words(7), words(8)),
    "top_3_gram": (words(14), words(15)),
    "top_4_gram": (words(22), words(23)),
    "duplicated_5_n_grams": (repeated(5, 17), repeated(5, 18)),
    "duplicated_6_n_grams": (repeated(6, 21), repeated(6, 22)),
    "duplicated_7_n_grams": (repeated(7, 27), repeated(7, 28)),
    "duplicated_8_n_grams": (repeated(8, 33), repeated(8, 34)),
    "duplicated_9_n_grams": (repeated(9, 41), repeated(9, 42)),
    "duplicated_10_n_grams": (repeated(10, 50), repeated(10, 51)),
    "lorem_ipsum": ("Lorem ipsum", "lorem  ipsum"),
    "curly_bracket": ("}", "]"),
    "too_few_sentences": ("A b c. " * 4, "A b c. " * 5),
    "line_punct_ratio": ("a.\nb!\n" + "c\n" * 15, "a.\nb!\nc?\n" + "d\n" * 22),
    "short_line_ratio": ("a" * 30, "a" * 31),
    "char_dup_ratio": ("a\na\n" + "b" * 97, "a\na\n" + "b" * 98),
    "list_ratio": ("a b c\nd e f\ng h i\n", "a b c\nd e f\ng h i j\n"),
}


def passes(name: str, *texts: str) -> list[bool]:
    (rule,) = resolve_rules([name], min_chars=0)
    return pl.DataFrame({"text": texts}).select(rule.passes).to_series().to_list()


@pytest.mark.parametrize("name", CASES)
def test_the_smallest_text_that_fails_and_the_nearest_that_passes(name: str) -> None:
    assert passes(name, *CASES[name]) == [False, True]


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == {rule.__name__ for rules in RULE_SETS.values() for rule in rules}


@pytest.mark.parametrize("name", CASES)
def test_an_empty_text_or_column_breaks_no_rule(name: str) -> None:
    assert passes(name, "", " \n\n", "…") != [None, None, None]
    assert None not in passes(name, "", " \n\n", "…")
    (rule,) = resolve_rules([name], min_chars=0)
    assert pl.DataFrame(schema={"text": pl.String}).select(rule.passes).schema == {rule.passes.meta.output_name(): pl.Boolean}


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("A b c.", True),
        ("Це є речення.", True),
        ("这 是 句子。", True),
        ('He said "so it is"', True),
        ("A b c.[12]", True),
        ("A b c", False),
        ("A b c...", False),
        ("A b.", False),
        ("A b javaScript.", False),
        ("The Privacy Policy applies.", False),
        ("A b " + "c" * 999 + ".", True),
        ("A b " + "c" * 1000 + ".", False),
    ],
)
def test_lines_whose_sentences_c4_counts(line: str, counts: bool) -> None:
    assert passes("too_few_sentences", "A b c.\n" * 4 + line) == [counts]


def test_words_are_found_in_every_script() -> None:
    assert passes("gopher_short_doc", "слово " * 49, "слово " * 50, "東" * 49, "東" * 50, "ไทย" * 17) == [
        False,
        True,
        False,
        True,
        True,
    ]


def test_ngram_shares_are_those_of_a_plain_count() -> None:
    texts = [
        "", "a", "a b", "a b a b a b a b", "x " * 30, "a b c d e f " * 4, "one, two, one, two. " * 3 + "three",
        "a b c d e x a b c d e f a b c d e f g h i j k l m n o p", "— — — a — — b", "не не не так",
    ]  # fmt: skip
    for text, shares in zip(texts, ngram_shares(pl.Series(texts)).to_list(), strict=True):
        tokens = pl.Series([text]).str.extract_all(TOKEN).to_list()[0]
        for n in (2, 3, 4):
            assert shares[f"top_{n}"] == pytest.approx(top_share(tokens, n, len(text)))
        for n, limit in MAX_DUP_NGRAMS.items():
            exact = duplicate_share(tokens, n, len(text))
            if exact > limit or shares[f"dup_{n}"] > limit:  # below it a bound may stand for the share
                assert shares[f"dup_{n}"] == pytest.approx(exact)


def top_share(tokens: list[str], n: int, chars: int) -> float:
    grams = [" ".join(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
    if not grams:
        return 0.0
    most = max(grams, key=grams.count)
    return len(most) * grams.count(most) / chars


def duplicate_share(tokens: list[str], n: int, chars: int) -> float:
    seen, total, start = set(), 0, 0
    while start + n <= len(tokens):
        gram = tuple(tokens[start : start + n])
        if gram in seen:
            total += sum(map(len, gram))
            start += n
        else:
            seen.add(gram)
            start += 1
    return total / max(chars, 1)
