"""A range of a file of any form → its XML in order, in chunks."""

from __future__ import annotations

from collections.abc import Iterator

from raywiki.dumps.blocks import PIECE_BYTES, PIECE_BYTES_PAST_END, Chunk, walk_blocks
from raywiki.dumps.damage import Damage
from raywiki.dumps.forms import is_decode_error, open_decoded
from raywiki.dumps.integrity import RangeReport
from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.source import Source

DECODED_PIECE_BYTES = 1 << 20


def decode_range(r: DumpRange, source: Source, report: RangeReport) -> Iterator[Chunk]:
    """Yield the range's own XML, then what follows it to the file's end; whoever reads stops when it has enough."""
    if r.form == "bz2":
        return walk_blocks(r, source, report)
    if r.form == "xml":
        return _read_xml(r, source, report)
    return _decode_whole(r, source, report)


def _read_xml(r: DumpRange, source: Source, report: RangeReport) -> Iterator[Chunk]:
    report.first_bit, report.next_bit = 8 * r.start, 8 * r.end if r.end < r.size else None
    at = r.start
    while at < r.size:
        own = at < r.end
        data = source.read(at, min(PIECE_BYTES, r.end - at) if own else min(PIECE_BYTES_PAST_END, r.size - at))
        if not data:
            damage = Damage(r.path, at, r.size, "the file has become shorter since it was split")
            yield Chunk(b"", at, r.size, own, damage, gap=True)
            return
        if own:
            report.xml_bytes += len(data)
        yield Chunk(data, at, at + len(data), own)
        at += len(data)


def _decode_whole(r: DumpRange, source: Source, report: RangeReport) -> Iterator[Chunk]:
    """A form that can only be read from its beginning: one range. Its own checksum is compared at its end."""
    report.first_bit = 0
    decoded = open_decoded(source, r.form)
    at = 0
    while True:
        try:
            data = decoded.read(DECODED_PIECE_BYTES)
        except Exception as error:
            if not is_decode_error(error):
                raise
            damage = Damage(r.path, at, r.size, f"it cannot be decoded ({error})")
            yield Chunk(b"", at, r.size, True, damage, gap=True)
            return
        if not data:
            return
        report.xml_bytes += len(data)
        yield Chunk(data, at, source.furthest, True)
        at = max(0, source.furthest - PIECE_BYTES_PAST_END)  # decoders read that far ahead
