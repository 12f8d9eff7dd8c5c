"""Words of any language as 64-bit hashes, many texts at a time, in numpy: no Python step for each word.

What a word is, and its hash, never change: signatures lie on disk for years and are compared with new ones. So both
rest on the frozen Unicode 3.2 tables that every Python carries (characters that are younger count as letters, without a lower
case), and on the integer arithmetic below.

- Letters and the marks on them form words, case aside; punctuation, symbols, white space and controls separate them.
- Every number is read as `0`: `7` and `1,234.5` are the same word, and so are `1990s` and `80s`.
- Where a script puts no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese), each letter is a word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

_SEPARATOR, _LETTER, _LONE, _DIGIT, _MARK, _POINT = range(6)

# Scripts written without spaces; katakana is left out, as its runs are words (Unicode Standard Annex 29).
_LONE_RANGES = (
    (0x0E01, 0x0E5B),  # Thai
    (0x0E81, 0x0EFF),  # Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark and zero
    (0x3041, 0x309F),  # hiragana
    (0x3400, 0x9FFF),  # Chinese ideographs
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_POINTS = ".,\u066b\u066c"  # inside a number when digits stand on both sides

_BASE = 0x9E3779B97F4A7C15  # of the polynomial over a word's characters; odd, so that it has an inverse modulo 2^64
_INVERSE = pow(_BASE, -1, 1 << 64)


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 64-bit integers whose every output bit hangs on every input bit (MurmurHash3's finaliser)."""
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))


def hash_words(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hash every word of every text.

    Returns:
        The hashes of all words in order, and `len(texts) + 1` offsets: text `i` has the words `[offsets[i]:offsets[i + 1]]`.

    >>> hashes, offsets = hash_words(["The 39 steps", "", "the (12,345) STEPS!"])
    >>> offsets.tolist(), bool((hashes[:3] == hashes[3:]).all())
    ([0, 3, 3, 6], True)
    """
    kinds_of, values_of = _tables()
    # A separator before each text, and one at the end, so that every character has neighbours.
    joined = "\n" + "\n".join(texts) + "\n"
    characters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    kinds = kinds_of[characters]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    firsts = np.concatenate(([0], np.cumsum(lengths + 1))) + 1

    points = np.flatnonzero(kinds == _POINT)
    inside = (kinds[points - 1] == _DIGIT) & (kinds[points + 1] == _DIGIT)
    kinds[points] = np.where(inside, _DIGIT, _SEPARATOR)
    digits = np.flatnonzero(kinds == _DIGIT)
    later = digits[kinds[digits - 1] == _DIGIT]  # all digits of a run but the first
    characters, kinds = np.delete(characters, later), np.delete(kinds, later)
    firsts -= np.searchsorted(later, firsts)

    before = kinds[:-1]
    starts_here = _STARTS[before * np.uint8(5) + kinds[1:]]
    starts = np.flatnonzero(starts_here) + 1
    ends = np.flatnonzero((before != _SEPARATOR) & (starts_here | (kinds[1:] == _SEPARATOR))) + 1

    values = values_of[characters]
    powers, inverses = _powers(1 << max(16, int(len(characters) - 1).bit_length()))
    values *= powers[: len(values)]
    sums = np.add.accumulate(values)
    hashes = mix64((sums[ends - 1] - sums[starts - 1]) * inverses[starts])

    return hashes, np.searchsorted(starts, firsts)


def _start_table() -> NDArray[np.bool_]:
    """Whether a word starts at a character, by the kind of the one before it (times 5) plus its own kind."""
    starts = np.zeros((5, 5), np.bool_)
    starts[_SEPARATOR, 1:] = True
    starts[:, _LONE] = True
    starts[_LONE, [_LETTER, _DIGIT]] = True
    return starts.ravel()


_STARTS = _start_table()


@cache
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """The kind of each Unicode character, and the 64-bit value that stands for its lower case."""
    size = 0x20000  # above lie ideographs (lone) and what is nobody's word; looked up by range
    kinds = np.full(0x110000, _LETTER, np.uint8)
    lower = np.arange(0x110000, dtype=np.uint64)
    for code in range(size):
        character = chr(code)
        category = unicodedata.ucd_3_2_0.category(character)
        if category == "Nd":
            kinds[code], lower[code] = _DIGIT, ord("0")
        elif category[0] == "M":
            kinds[code] = _MARK
        elif category[0] in "PSZ" or category in ("Cc", "Cf", "Co", "Cs"):
            kinds[code] = _SEPARATOR
        elif category[0] == "L":
            small = character.lower()
            lower[code] = ord(small) if len(small) == 1 else code
    for first, last in _LONE_RANGES:
        span = kinds[first : last + 1]
        span[span == _LETTER] = _LONE
    kinds[0xE0000:] = _SEPARATOR  # tags and private use
    kinds[[ord(point) for point in _POINTS]] = _POINT
    return kinds, mix64(lower + np.uint64(_BASE))


_power_tables: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []


def _powers(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Powers of the base and of its inverse modulo 2^64; the largest table asked for is kept."""
    if not _power_tables or len(_power_tables[-1][0]) < size:
        bases = np.full((2, size), [[_BASE], [_INVERSE]], np.uint64)
        bases[:, 0] = 1
        powers, inverses = np.multiply.accumulate(bases, axis=1)
        _power_tables[:] = [(powers, inverses)]
    return _power_tables[-1]
