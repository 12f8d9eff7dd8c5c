"""Dumps made for tests: pages of any shape, bzip2 files with blocks of any size, and what reading them must give."""

from __future__ import annotations

import bz2
import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from raywiki.dumps import DumpRange, RangeReport, check_ranges, read_range, split_dump
from raywiki.dumps.bits import STREAM_END_MAGIC, block_crc, find_markers, fold_crc, take_bits

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="vi">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>viwiki</dbname>
    <base>https://vi.wikipedia.org/wiki/Trang_Ch%C3%ADnh</base>
    <generator>MediaWiki 1.41.0</generator>
    <case>first-letter</case>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="6" case="first-letter">Tập tin</namespace>
    </namespaces>
  </siteinfo>
"""
TAIL = "</mediawiki>\n"


def base36(text: str) -> str:
    number, digits = int(hashlib.sha1(text.encode()).hexdigest(), 16), ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits.rjust(31, "0")


def page_xml(page_id: int, text: str, *, title: str | None = None, namespace: int = 0, redirect: str | None = None) -> str:
    quoted = escape(text, {'"': "&quot;"})
    redirect_xml = "" if redirect is None else f'    <redirect title="{escape(redirect, {chr(34): "&quot;"})}" />\n'
    return f"""  <page>
    <title>{escape(title or f"Page {page_id}")}</title>
    <ns>{namespace}</ns>
    <id>{page_id}</id>
{redirect_xml}    <revision>
      <id>{page_id * 7}</id>
      <timestamp>2023-05-01T12:34:56Z</timestamp>
      <contributor>
        <username>Someone</username>
        <id>3</id>
      </contributor>
      <model>wikitext</model>
      <format>text/x-wiki</format>
      <text bytes="{len(text.encode())}" xml:space="preserve">{quoted}</text>
      <sha1>{base36(text)}</sha1>
    </revision>
  </page>
"""


def dump_xml(texts: Sequence[str], first_id: int = 1) -> bytes:
    return (HEAD + "".join(page_xml(first_id + i, text) for i, text in enumerate(texts)) + TAIL).encode()


def wiki_xml(pages: Sequence[str], wiki: str = "viwiki") -> bytes:
    """A dump of these pages, each made by `page_xml`, of a wiki whose templates lie in the namespace "Bản mẫu"."""
    templates = '      <namespace key="10" case="first-letter">Bản mẫu</namespace>\n    </namespaces>'
    return (HEAD.replace("    </namespaces>", templates).replace("viwiki<", f"{wiki}<") + "".join(pages) + TAIL).encode()


def cut_at(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[a:b] for a, b in pairwise(places) if a < b]


def one_stream(pieces: Sequence[bytes], *, checksum_of: Sequence[bytes] | None = None) -> bytes:
    """One bzip2 stream with one block for each piece: blocks of streams of their own, put together bit by bit.

    With `checksum_of` the stream's checksum is that of other pieces, so the stream is wrong though each block is whole.
    """
    bits, n_bits, crc = 0, 0, 0
    for piece in checksum_of or ():
        crc = fold_crc(crc, 1, block_crc(bz2.compress(piece), 32))
    for piece in pieces:
        stream = bz2.compress(piece)
        markers = list(find_markers(stream))
        start, end = markers[0][0], markers[-1][0]  # a piece fits into one block
        bits, n_bits = bits << (end - start) | take_bits(stream, start, end), n_bits + end - start
        if checksum_of is None:
            crc = fold_crc(crc, 1, block_crc(stream, start))
    bits, n_bits = (bits << 48 | STREAM_END_MAGIC) << 32 | crc, n_bits + 80
    whole = b"BZh9" + (bits << -n_bits % 8).to_bytes(-(-n_bits // 8), "big")
    assert checksum_of or bz2.decompress(whole) == b"".join(pieces)
    return whole


def many_streams(pieces: Sequence[bytes]) -> bytes:
    return b"".join(bz2.compress(piece, 1 + i % 9) for i, piece in enumerate(pieces))


def ranges_at(path: Path, cuts: Sequence[int]) -> list[DumpRange]:
    """The file's ranges cut at any bytes, except in the first 64, which `split_dump` never does."""
    whole = split_dump(str(path), 1 << 30)[0]
    places = [0, *sorted({64 + cut % (whole.size - 64) for cut in cuts}), whole.size] if whole.size > 64 else [0, whole.size]
    spans = [(a, b) for a, b in pairwise(places) if a < b]
    return [DumpRange(whole.path, i, a, b, whole.size, whole.form, whole.prefix) for i, (a, b) in enumerate(spans)]


def read_all(ranges: Sequence[DumpRange], **options: Any) -> tuple[list[dict[str, Any]], list[RangeReport]]:
    rows, reports = [], []
    for r in ranges:
        reader = read_range(r, **options)
        for table in reader:
            rows += table.to_pylist()
        reports.append(reader.report)
    return rows, reports


def read_checked(ranges: Sequence[DumpRange], *, allow_damaged: bool = False) -> tuple[list[dict[str, Any]], Any]:
    rows, reports = read_all(ranges, allow_damaged=allow_damaged)
    return rows, check_ranges(reports, allow_damaged=allow_damaged)
