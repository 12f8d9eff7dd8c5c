"""Bits of a bzip2 file: where blocks and stream ends lie, and one block decoded on its own.

bzip2's format has no byte alignment inside a stream: a block begins with the 48-bit magic 0x314159265359 at any bit, and a
stream ends with 0x177245385090 and a 32-bit checksum over its blocks' checksums (J. Tsai's "BZIP2: Format Specification").
Nothing says how long a block is, so its end is found by looking for what follows it: the next block or the stream's end.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator

import numpy as np

BLOCK_MAGIC = 0x314159265359
STREAM_END_MAGIC = 0x177245385090
MAGIC_BITS = 48
CRC_BITS = 32
MASK_48 = (1 << MAGIC_BITS) - 1
MASK_32 = (1 << CRC_BITS) - 1
HEADER_BYTES = 4  # "BZh" and the level, '1' to '9'

# A block holds at most 900,000 bytes; bzip2's manual gives 1 % + 600 bytes as the most that it can grow.
MAX_BLOCK_BYTES = 909_000 + 600

# A magic at bit s of a byte covers at least five whole bytes after its first one, so at least one 16-bit word at an *even*
# offset, whose value is known. Each value tells at most a few (magic, bit, distance) to look at closely.
_WORDS: dict[int, list[tuple[int, int, int]]] = {}
for _magic in (BLOCK_MAGIC, STREAM_END_MAGIC):
    for _shift in range(8):
        _form = (_magic << (8 - _shift)).to_bytes(7, "big")
        for _distance in (1, 2):  # the word's distance from the byte in which the magic begins
            _word = int.from_bytes(_form[_distance : _distance + 2], "little")
            _WORDS.setdefault(_word, []).append((_magic, _shift, _distance))
_IS_WORD = np.zeros(1 << 16, dtype=bool)
_IS_WORD[list(_WORDS)] = True


def find_markers(data: bytes) -> Iterator[tuple[int, bool]]:
    """Yield (bit offset, is a block) of each block magic and stream end that lies whole in `data`, in order.

    About 1 GB/s. A hit is 48 equal bits, no more: chance makes one in 2.8e14 bits, and the block's own checksum tells.

    >>> [(bit, block) for bit, block in find_markers(bz2.compress(b"wikipedia"))]
    [(32, True), (276, False)]
    """
    words = np.frombuffer(data, dtype="<u2", count=len(data) // 2)
    found = set()
    for position in np.flatnonzero(_IS_WORD[words]).tolist():
        for magic, shift, distance in _WORDS[int(words[position])]:
            first = 2 * position - distance
            if first >= 0 and int.from_bytes(data[first : first + 7].ljust(7, b"\0"), "big") >> (8 - shift) & MASK_48 == magic:
                bit = 8 * first + shift
                if bit + MAGIC_BITS <= 8 * len(data):
                    found.add((bit, magic == BLOCK_MAGIC))
    yield from sorted(found)


def take_bits(data: bytes, start: int, end: int) -> int:
    """The bits [start, end) of `data` as one number, the first bit the highest."""
    value = int.from_bytes(data[start // 8 : -(-end // 8)], "big")
    return value >> (-end % 8) & ((1 << (end - start)) - 1)


def block_crc(data: bytes, start: int) -> int:
    """The checksum that a block writes behind its magic, which begins at bit `start`."""
    return take_bits(data, start + MAGIC_BITS, start + MAGIC_BITS + CRC_BITS)


def decode_block(data: bytes, start: int, end: int) -> bytes:
    """Decode the one block that is exactly the bits [start, end) of `data`.

    The block is made a stream of its own: a header before it, behind it a stream end with the block's checksum. So libbz2
    checks the block's checksum, and that the block ends at `end` and nowhere else.

    Raises:
        OSError: the bits are not one whole block.
    """
    crc = block_crc(data, start)
    bits = end - start + MAGIC_BITS + CRC_BITS
    value = (take_bits(data, start, end) << MAGIC_BITS | STREAM_END_MAGIC) << CRC_BITS | crc
    stream = b"BZh9" + (value << (-bits % 8)).to_bytes(-(-bits // 8), "big")
    decompressor = bz2.BZ2Decompressor()
    text = decompressor.decompress(stream)
    if not decompressor.eof or decompressor.unused_data:
        raise OSError("the block does not end where the next one begins")
    return text


def fold_crc(stream_crc: int, n_blocks: int, folded: int) -> int:
    """A stream's checksum after `n_blocks` more blocks whose own fold, begun at 0, is `folded`.

    bzip2 folds each block's checksum into the stream's by rotating one bit left and adding without carry, so runs of blocks
    that are folded apart can be put together.
    """
    turn = n_blocks % CRC_BITS
    return (stream_crc << turn & MASK_32 | stream_crc >> (CRC_BITS - turn)) ^ folded
