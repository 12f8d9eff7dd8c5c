from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raywiki.curation.words import hash_words


def count(text: str) -> int:
    hashes, offsets = hash_words([text])
    assert offsets.tolist() == [0, len(hashes)]
    return len(hashes)


def same(one: str, other: str) -> bool:
    return hash_words([one])[0].tolist() == hash_words([other])[0].tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \n\t", 0),
        ("— … !?", 0),
        ("one", 1),
        ("one two\nthree", 3),
        ("(one),two;", 2),
        ("don't", 2),
        ("12", 1),
        ("1,234.5 km", 2),
        ("1, 2", 2),
        ("a.b", 2),
        ("3rd 1990s a1b2", 3),
        ("Hồ Chí Minh", 3),
        ("Київ — столиця України", 3),
        ("Η Αθήνα", 2),
        ("हिन्दी भाषा", 2),  # vowel signs belong to the letters before them
        ("東京都", 3),
        ("ひらがな", 4),
        ("カタカナ", 1),
        ("東京Tokyo都12年", 6),
        ("ภาษา", 4),
        ("العربية لغة", 2),
        ("\U00020000\U00020001", 2),
    ],
)
def test_words_of_many_languages(text: str, words: int) -> None:
    assert count(text) == words


def test_case_punctuation_and_the_value_of_numbers_make_no_difference() -> None:
    assert same("The Answer: 42!", "the answer — 1,234.5")
    assert same("КИЇВ ΑΘΉΝΑ ĐÔNG", "київ αθήνα đông")
    assert same("in ١٢٣", "in 7")
    assert same("the 1990s, a12b", "the 80s: a3b")
    assert not same("the answer", "the answers")
    assert not same("resume", "résumé")
    assert not same("ab c", "a bc")


def test_hashes_never_change() -> None:
    """Signatures on disk rest on these numbers: another value here asks for another SIGNATURE_FORMAT."""
    hashes, offsets = hash_words(["Alabama 1819", "Hồ 東京"])
    assert offsets.tolist() == [0, 2, 5]
    assert [f"{value:016x}" for value in hashes.tolist()] == [
        "054508cf4cc21f76",
        "b249b150a6205a1e",
        "ccdd11ff32b079e7",
        "7395f6fda1ef144f",
        "8c17e46961b0a9fd",
    ]


def test_a_character_younger_than_unicode_3_2_is_a_letter() -> None:
    assert count("\u2c00\u1e9e") == 1  # Glagolitic and the capital sharp s came later


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_texts_do_not_touch_each_other(texts: list[str]) -> None:
    hashes, offsets = hash_words(texts)
    assert offsets[-1] == len(hashes)
    for index, text in enumerate(texts):
        alone, _ = hash_words([text])
        np.testing.assert_array_equal(hashes[offsets[index] : offsets[index + 1]], alone)
