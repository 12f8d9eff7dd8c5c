"""Markers at any bit, and blocks decoded one by one."""

from __future__ import annotations

import bz2
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_dumps import cut_at, one_stream

from raywiki.dumps.bits import BLOCK_MAGIC, STREAM_END_MAGIC, block_crc, decode_block, find_markers, fold_crc, take_bits


def bits_of(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def slow_markers(data: bytes) -> list[tuple[int, bool]]:
    bits, found = bits_of(data), []
    for magic, is_block in ((BLOCK_MAGIC, True), (STREAM_END_MAGIC, False)):
        needle = f"{magic:048b}"
        at = bits.find(needle)
        while at >= 0:
            found.append((at, is_block))
            at = bits.find(needle, at + 1)
    return sorted(found)


@settings(max_examples=300, deadline=None)
@given(
    noise=st.lists(st.tuples(st.binary(max_size=9), st.integers(0, 7), st.booleans()), max_size=6),
    rest=st.binary(max_size=9),
)
def test_markers_are_found_at_every_bit(noise, rest) -> None:
    bits = ""
    for data, extra, is_block in noise:
        bits += bits_of(data) + "10110100"[:extra] + f"{BLOCK_MAGIC if is_block else STREAM_END_MAGIC:048b}"
    bits += bits_of(rest)
    data = int("1" + bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8) + 1, "big")[1:]
    assert list(find_markers(data)) == slow_markers(data)


@pytest.mark.parametrize("length", range(12))
def test_cut_markers_are_not_found(length) -> None:
    data = (BLOCK_MAGIC << 8).to_bytes(8, "big")[:length]
    assert list(find_markers(data)) == slow_markers(data)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200), span=st.tuples(st.integers(0, 1600), st.integers(0, 1600)))
def test_take_bits(data, span) -> None:
    start, end = sorted(min(bit, 8 * len(data)) for bit in span)
    assert take_bits(data, start, end) == int("0" + bits_of(data)[start:end], 2)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(min_size=1, max_size=3000), cuts=st.lists(st.integers(0, 3000), max_size=8))
def test_blocks_are_the_file_and_their_checksums_the_streams(data, cuts) -> None:
    stream = one_stream(cut_at(data, cuts))
    places = [bit for bit, _ in find_markers(stream)]
    spans = list(pairwise(places))
    assert b"".join(decode_block(stream, a, b) for a, b in spans) == data
    crc = 0
    for start, _ in spans:
        crc = fold_crc(crc, 1, block_crc(stream, start))
    assert crc == take_bits(stream, places[-1] + 48, places[-1] + 80)


def test_folds_of_runs_can_be_put_together() -> None:
    rng = random.Random(0)
    crcs = [rng.getrandbits(32) for _ in range(100)]

    def fold(run: list[int]) -> int:
        crc = 0
        for one in run:
            crc = fold_crc(crc, 1, one)
        return crc

    for cut in range(0, 101, 7):
        assert fold_crc(fold(crcs[:cut]), 100 - cut, fold(crcs[cut:])) == fold(crcs)


def test_a_block_with_a_wrong_bit_or_a_wrong_end_is_refused() -> None:
    stream = bytearray(bz2.compress(b"wikipedia " * 200))
    (start, _), (end, _) = find_markers(bytes(stream))
    for shorter in (1, 8, 100):
        with pytest.raises(OSError):  # noqa: PT011
            decode_block(bytes(stream), start, end - shorter)
    with pytest.raises(OSError):  # noqa: PT011
        decode_block(bytes(stream), start, end + 8)
    for bit in range(start + 48, end, 41):
        stream[bit // 8] ^= 1 << bit % 8
        with pytest.raises(OSError):  # noqa: PT011
            decode_block(bytes(stream), start, end)
        stream[bit // 8] ^= 1 << bit % 8
