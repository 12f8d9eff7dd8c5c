"""Ids of texts that come without one: by content, and different within a part."""

from __future__ import annotations

import numpy as np
import xxhash


def text_id(text: str) -> int:
    """63 bits of the XXH3-64 of a text's UTF-8, so that an id is positive.

    >>> text_id("An ox.") == text_id("An ox."), text_id("An ox.") < 2**63
    (True, True)
    """
    return xxhash.xxh3_64_intdigest(text.encode()) >> 1


def unique_ids(ids: np.ndarray) -> np.ndarray:
    """The same ids, int64 of shape (n,), the first of equal ones as it is and each later one hashed with its number.

    So a text that a file has twice is two rows with ids of their own, and which of them goes is left to deduplication. The
    first one's id follows from its text alone, the n-th one's from its text and n, wherever in the file they stand.

    >>> unique_ids(np.array([5, 7, 5, 5]))[[0, 1]].tolist(), len(set(unique_ids(np.array([5, 7, 5, 5])).tolist()))
    ([5, 7], 4)
    """
    unique = ids.copy()
    order = np.argsort(ids, kind="stable")
    inside = ids[order]
    is_first = np.ones(len(ids), bool)
    is_first[1:] = inside[1:] != inside[:-1]
    firsts = np.flatnonzero(is_first)
    number = np.arange(len(ids)) - np.repeat(firsts, np.diff(np.append(firsts, len(ids))))
    repeats = np.flatnonzero(number)
    for at in repeats.tolist():
        unique[order[at]] = xxhash.xxh3_64_intdigest(int(inside[at]).to_bytes(8, "little"), int(number[at])) >> 1
    return unique
