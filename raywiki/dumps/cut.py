"""XML in chunks → its pages as bytes. Knows where a range's first page begins and its last one ends."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from raywiki.dumps.blocks import Chunk
from raywiki.dumps.damage import Damage
from raywiki.dumps.integrity import RangeReport

SKIP_KEEPS_BYTES = 64  # enough for a tag that two chunks share
MAX_STRAY_BYTES = 16 << 20  # between two pages; a header is the most that real dumps have there
_ROOT_TAGS = re.compile(rb"<\?xml[^>]*\?>|</?(?:[A-Za-z_][\w.-]*:)?mediawiki(?:\s[^>]*)?>")
_ROOT_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?mediawiki\s*>\s*$")


@dataclass
class RawPage:
    """The bytes from `<page` to `</page>`, or a cut-off beginning with the reason in `error`."""

    xml: bytes
    place: tuple[int, int]  # bytes of the file in which it ends
    own: bool = True
    error: str | None = None


def cut_pages(chunks: Iterable[Chunk], report: RangeReport) -> Iterator[RawPage | Damage]:
    """Yield each page that begins in the range, and damage where it lies; stop at the first page of the next range.

    After damage one page of the next range may follow with `own` false, so that the damage's other side has a name.
    """
    cutter = _Cutter(report)
    for chunk in chunks:
        yield from cutter.feed(chunk)
        if cutter.done:
            return
    yield from cutter.finish()


class _Cutter:
    """The buffer begins at the open page, or where the last page ended."""

    def __init__(self, report: RangeReport) -> None:
        r = report.range
        self.report = report
        self.open_tag, self.close_tag = f"<{r.prefix}page".encode(), f"</{r.prefix}page>".encode()
        self.buffer = bytearray()  # grows and shrinks in place: a page of 50 MB comes in many chunks
        self.base = 0  # offset of the buffer in the range's XML
        self.open = False
        self.searched = 0  # in the buffer, with a page open: neither its end nor another page lies before it
        self.limit: int | None = None  # offset where the range's own XML ends, once known
        self.skipping = r.start > 0  # up to the next page lies an earlier range's page, or what damage left over
        self.has_page = r.start == 0  # the first range owns the header as if it were a page
        self.nameless = False  # damage that waits for the page after it
        self.done = False
        self.chunk_place = (r.start, r.end)

    def feed(self, chunk: Chunk) -> Iterator[RawPage | Damage]:
        if not chunk.own and self.limit is None:
            self.limit = self.base + len(self.buffer)
        self.chunk_place = (chunk.start, chunk.end)
        if chunk.damage is not None:
            if chunk.gap:
                yield from self._cut_off("damage in the file cuts it off")
            yield chunk.damage
            self.nameless = True
        self.buffer += chunk.data
        yield from self._cut()
        if not self.done and not self.has_page and self.limit is not None and self.base >= self.limit:
            self._end(self.limit)

    def finish(self) -> Iterator[RawPage | Damage]:
        """The file has ended."""
        total = self.base + len(self.buffer)
        if self.limit is None:
            self.limit = total
        place = self._place(0, len(self.buffer))
        rest, was_open, skipped = b"" if self.open else bytes(self.buffer), self.open, self.skipping
        yield from self._cut_off("the file ends before </page>")
        if was_open:
            yield Damage(self.report.range.path, *place, "the XML ends inside a page")
        elif self.has_page:
            self.report.closed = _ROOT_END.search(rest) is not None
            if not skipped and not _is_between_pages(rest):
                yield Damage(self.report.range.path, *place, "the XML after the last page is not well-formed")
        self._end(total)

    def _cut(self) -> Iterator[RawPage | Damage]:
        at = 0
        while True:
            if not self.open:
                start = self._find_page(at)
                if start < 0:
                    yield from self._keep_between(at)
                    return
                yield from self._begin_page(at, start)
                if self.done:
                    return
                at = start
            end = self.buffer.find(self.close_tag, self.searched)
            inner = self._find_page(self.searched, end if end >= 0 else len(self.buffer))
            if inner >= 0:
                yield RawPage(self._copy(at, inner), self._place(at, inner), error="another page begins before </page>")
                self.open, at = False, inner
            elif end < 0:
                self._keep(at)
                self.searched = max(len(self.open_tag), len(self.buffer) - len(self.close_tag))
                return
            else:
                end += len(self.close_tag)
                yield RawPage(self._copy(at, end), self._place(at, end))
                self.open, at = False, end

    def _find_page(self, start: int, end: int | None = None) -> int:
        """Where a page begins; -1: nowhere, or where the buffer ends too early to tell."""
        end = len(self.buffer) if end is None else end
        found = self.buffer.find(self.open_tag, start, end)
        while found >= 0:
            after = found + len(self.open_tag)
            if self.buffer[after : after + 1] in (b">", b" ", b"\t", b"\r", b"\n"):
                return found
            found = self.buffer.find(self.open_tag, after, end)
        return -1

    def _begin_page(self, at: int, start: int) -> Iterator[RawPage | Damage]:
        """Account for what lies between the last page and the one that begins at `start`, and open that."""
        offset = self.base + start
        if self.limit is not None and offset >= self.limit:
            if self.nameless:
                yield RawPage(self._copy(start, start + 4096), self._place(start, start + 4096), own=False)
            self._end(offset)
            return
        if not self.has_page:
            self.has_page, self.report.skipped_bytes = True, offset
        if not self.skipping and not _is_between_pages(self._copy(at, start)):
            yield self._damage("the XML between two pages is not well-formed", at, start)
        self.open, self.skipping, self.nameless = True, False, False
        self.searched = start + len(self.open_tag)

    def _keep(self, at: int) -> None:
        del self.buffer[:at]
        self.base += at

    def _copy(self, start: int, end: int) -> bytes:
        return bytes(memoryview(self.buffer)[start:end])

    def _keep_between(self, at: int) -> Iterator[RawPage | Damage]:
        """No page begins in what is left of the buffer: keep what may be looked at later."""
        if not self.skipping and len(self.buffer) - at > MAX_STRAY_BYTES:
            self.skipping = True
            yield self._damage("there is no page for a long way", at, len(self.buffer))
        self._keep(max(at, len(self.buffer) - SKIP_KEEPS_BYTES) if self.skipping else at)

    def _cut_off(self, error: str) -> Iterator[RawPage | Damage]:
        if self.open:
            yield RawPage(bytes(self.buffer), self._place(0, len(self.buffer)), error=error)
        self._keep(len(self.buffer))
        self.open, self.skipping = False, True

    def _place(self, start: int, end: int) -> tuple[int, int]:
        """Bytes of the file where the buffer's bytes [start, end) lie; in a compressed one, those of the last chunk."""
        r = self.report.range
        return (r.start + self.base + start, r.start + self.base + end) if r.form == "xml" else self.chunk_place

    def _damage(self, what: str, start: int, end: int) -> Damage:
        self.nameless = True
        return Damage(self.report.range.path, *self._place(start, end), what)

    def _end(self, offset: int) -> None:
        """Stop; the range has read its XML up to `offset`."""
        assert self.limit is not None
        self.done = True
        if self.has_page:
            self.report.read_on_bytes = offset - self.limit
        else:
            self.report.skipped_bytes = self.limit


def _is_between_pages(xml: bytes) -> bool:
    """Whether XML may lie between pages: blanks, the root's tags, other whole elements such as <siteinfo>."""
    if not xml or xml.isspace():
        return True
    try:
        ET.fromstring(b"<between>%b</between>" % _ROOT_TAGS.sub(b"", xml))
    except ET.ParseError as error:
        return "unbound prefix" in str(error)  # bound on the root, which is not here
    return True
