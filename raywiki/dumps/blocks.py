"""A range of a .bz2 → its blocks, decoded one by one and each checked, with damage in its place.

A block's end is the next marker. A marker that chance put into a block makes the block fail there; then the next marker is
tried as its end, so a false marker costs time and nothing else. A block that fits no end is damage.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from raywiki.dumps.bits import (
    CRC_BITS,
    HEADER_BYTES,
    MAGIC_BITS,
    MAX_BLOCK_BYTES,
    block_crc,
    decode_block,
    find_markers,
    fold_crc,
    take_bits,
)
from raywiki.dumps.damage import Damage
from raywiki.dumps.integrity import CrcRun, RangeReport
from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.source import Source

PIECE_BYTES = 4 << 20
PIECE_BYTES_PAST_END = 256 << 10  # about one block
MAX_FALSE_MARKERS = 3  # in one block; chance makes one in 2.8e14 bits
_STREAM_HEADER = re.compile(rb"BZh[1-9]")
_OVERLAP = 16  # bytes kept before the window's end: a marker cut there, or a stream's end and the next one's header


@dataclass
class Chunk:
    """XML in its order, from the bytes [start, end) of the file, or the damage that stands in its place."""

    data: bytes
    start: int
    end: int
    own: bool  # of the range; else past it
    damage: Damage | None = None
    gap: bool = False  # with the damage XML is lost, so what follows does not join on


class _Window:
    """The file's bytes around the walker's place, and the markers from there on; grows only as far as it is asked."""

    def __init__(self, r: DumpRange, source: Source, piece_bytes: int) -> None:
        self.r, self.source, self.piece_bytes = r, source, piece_bytes
        self.data, self.start = b"", r.start
        self.floor = 8 * r.start  # bits before it may be forgotten
        self.markers: deque[tuple[int, bool]] = deque()  # (bit, is a block)
        self.last_marker = -1

    @property
    def read_to(self) -> int:
        return self.start + len(self.data)

    def grow(self) -> bool:
        """Read on a piece; False at the file's end."""
        read_to, r = self.read_to, self.r
        wanted = PIECE_BYTES_PAST_END if read_to >= r.end else min(self.piece_bytes, r.end - read_to + 8)
        piece = self.source.read(read_to, min(wanted, r.size - read_to)) if read_to < r.size else b""
        if not piece:
            return False
        keep = max(0, min(self.floor // 8, read_to - _OVERLAP) - self.start)
        self.data, self.start = self.data[keep:] + piece, self.start + keep
        scan_from = max(self.start, read_to - MAGIC_BITS // 8)
        for bit, is_block in find_markers(self.data[scan_from - self.start :]):
            if bit + 8 * scan_from > self.last_marker:
                self.last_marker = bit + 8 * scan_from
                self.markers.append((self.last_marker, is_block))
        return True

    def release(self, bit: int) -> None:
        """Forget what lies before a bit."""
        self.floor = bit
        while self.markers and self.markers[0][0] < bit:
            self.markers.popleft()

    def marker(self, index: int) -> tuple[int, bool] | None:
        """The marker `index` places further on; None where the file ends before."""
        while len(self.markers) <= index:
            if not self.grow():
                return None
        return self.markers[index]

    def next_block(self, limit: int | None = None) -> int | None:
        """The first block from here on (before the byte `limit`), skipping stream ends."""
        while True:
            while self.markers and not self.markers[0][1]:
                self.markers.popleft()
            if self.markers:
                return self.markers[0][0]
            self.floor = 8 * self.read_to
            if (limit is not None and self.read_to >= limit + MAGIC_BITS // 8) or not self.grow():
                return None

    def bits(self, start: int, end: int) -> int | None:
        while self.read_to * 8 < end:
            if not self.grow():
                return None
        return take_bits(self.data, start - 8 * self.start, end - 8 * self.start)

    def bytes_at(self, start: int, length: int) -> bytes:
        while self.read_to < start + length and self.grow():
            pass
        return self.data[start - self.start : start - self.start + length]

    def decode(self, start: int, end: int) -> bytes | None:
        try:
            return decode_block(self.data, start - 8 * self.start, end - 8 * self.start)
        except (OSError, ValueError):
            return None


def walk_blocks(r: DumpRange, source: Source, report: RangeReport, *, piece_bytes: int = PIECE_BYTES) -> Iterator[Chunk]:
    """Yield the range's own blocks, then those that follow, to the file's end; `report` is filled on the way."""
    walker = _Walker(r, report, _Window(r, source, piece_bytes))
    while (chunk := walker.step()) is not None:
        if chunk.data or chunk.damage:
            yield chunk


class _Walker:
    """Steps from marker to marker: into a stream, over its blocks, out of it."""

    def __init__(self, r: DumpRange, report: RangeReport, window: _Window) -> None:
        self.r, self.report, self.window = r, report, window
        self.own = True
        self.run: CrcRun | None = CrcRun()
        self.at: int | None  # bit where the walker stands; None: at the end
        self.before_stream = r.start == 0
        if self.before_stream:
            self.at = 0
        else:
            self.at = self.window.next_block(limit=r.end)
            if self.at is not None and self.at >= 8 * r.end:
                self.at = None
            elif self.at is not None and self._is_false(self.at):
                self.window.release(self.at + 1)
                self.at = self.window.next_block(limit=r.end)
                if self.at is not None and self.at >= 8 * r.end:
                    self.at = None
        self.found_block = False

    def step(self) -> Chunk | None:
        """The next chunk; an empty one where a stream begins or ends; None at the file's end."""
        if self.at is None or self.at >= 8 * self.r.size:
            if self.found_block or self.r.start == 0:
                self._pass_end(None)
            return None
        self.window.release(self.at)
        if self.before_stream:
            return self._enter_stream(self.at)
        marker = self.window.marker(0)
        assert marker is not None
        assert marker[0] == self.at
        return self._read_block(self.at) if marker[1] else self._leave_stream(self.at)

    def _enter_stream(self, at: int) -> Chunk:
        """Read a stream's header, at a whole byte."""
        self.before_stream = False
        header = self.window.bytes_at(at // 8, HEADER_BYTES)
        marker = self.window.marker(0)
        if _STREAM_HEADER.fullmatch(header) and marker is not None and marker[0] == at + 8 * HEADER_BYTES:
            self.run, self.at = CrcRun(), marker[0]
            return Chunk(b"", at // 8, at // 8 + HEADER_BYTES, self.own)
        block = self.window.next_block()
        if block is not None:
            return self._damage(at, block, "no bzip2 stream begins where the one before it ends")
        self.at = None
        if at == 0 or header.startswith(b"BZh"):
            return self._damage(at, None, "the file ends inside a bzip2 stream")
        if self.own:
            self.report.trailing_bytes = self.r.size - at // 8
        return Chunk(b"", at // 8, self.r.size, self.own)

    def _leave_stream(self, at: int) -> Chunk:
        """Compare the checksum at a stream's end; where the stream began in an earlier range, `check_ranges` does."""
        stored = self.window.bits(at + MAGIC_BITS, at + MAGIC_BITS + CRC_BITS)
        if stored is None:
            return self._damage(at, None, "the file ends inside a bzip2 stream")
        self.at = -(-(at + MAGIC_BITS + CRC_BITS) // 8) * 8
        self.before_stream = True
        run, chunk = self.run, Chunk(b"", at // 8, self.at // 8, self.own)
        if not self.own:
            return chunk
        self.report.n_streams += 1
        if self.report.n_streams == 1:
            self.report.head_run = run and CrcRun(run.n_blocks, run.folded, stored)
        elif run is not None and run.folded != stored:
            what = "the checksum of a bzip2 stream is not that of its blocks"
            chunk.damage = Damage(self.r.path, at // 8, self.at // 8, what)
        self.run = CrcRun()
        return chunk

    def _read_block(self, at: int) -> Chunk:
        if at >= 8 * self.r.end:
            self._pass_end(at)
        elif not self.found_block:
            self.found_block, self.report.first_bit = True, at
        for index in range(1, MAX_FALSE_MARKERS + 2):
            marker = self.window.marker(index)
            if marker is None or marker[0] - at > 8 * MAX_BLOCK_BYTES:
                break
            data = self.window.decode(at, marker[0])
            if data is not None:
                return self._pass_block(at, marker[0], data)
        marker = self.window.marker(1)
        what = "a bzip2 block cannot be decoded" if marker else "the file ends inside a bzip2 block"
        return self._damage(at, marker and marker[0], what)

    def _pass_block(self, at: int, end: int, data: bytes) -> Chunk:
        self.at = end
        if self.own:
            self.report.n_blocks += 1
            self.report.xml_bytes += len(data)
            if self.run is not None:
                crc = block_crc(self.window.data, at - 8 * self.window.start)
                self.run = CrcRun(self.run.n_blocks + 1, fold_crc(self.run.folded, 1, crc))
        return Chunk(data, at // 8, -(-end // 8), self.own)

    def _damage(self, at: int, end: int | None, what: str) -> Chunk:
        """Go on at the next marker; a stream whose blocks are not all known has no checksum to compare."""
        self.at, self.run = end, CrcRun() if end is not None and self._is_after_header(end) else None
        start, stop = at // 8, self.r.size if end is None else -(-end // 8)
        return Chunk(b"", start, stop, self.own, Damage(self.r.path, start, stop, what), gap=True)

    def _is_after_header(self, bit: int) -> bool:
        start = bit // 8 - HEADER_BYTES
        header = self.window.bytes_at(start, HEADER_BYTES) if start >= self.window.start else b""
        return bit % 8 == 0 and _STREAM_HEADER.fullmatch(header) is not None

    def _pass_end(self, at: int | None) -> None:
        """The range's own blocks are over; `at` is the first block of the next range that has one."""
        if not self.own:
            return
        self.own, self.report.next_bit = False, at
        if self.report.n_streams:
            self.report.tail_run = self.run
        else:
            self.report.head_run = self.run

    def _is_false(self, at: int) -> bool:
        """Whether the range's first marker lies inside a block that begins before the range."""
        end = self.window.marker(1)
        if end is not None and self.window.decode(at, end[0]) is not None:
            return False
        start = max(0, at // 8 - MAX_BLOCK_BYTES)
        data = self.window.source.read(start, min(2 * MAX_BLOCK_BYTES, self.r.size - start))
        markers = [(bit + 8 * start, is_block) for bit, is_block in find_markers(data)]
        before = [bit for bit, is_block in markers if bit < at and is_block][: -MAX_FALSE_MARKERS - 1 : -1]
        after = [bit for bit, _ in markers if bit > at][:MAX_FALSE_MARKERS]
        for first in before:
            for last in after:
                try:
                    decode_block(data, first - 8 * start, last - 8 * start)
                    return True
                except OSError:
                    pass
        return False
