"""Reading a range, a file or several: byte ranges → tables of pages, with a report of what was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import pyarrow as pa

from raywiki.dumps.cut import RawPage, cut_pages
from raywiki.dumps.damage import Damage, DamagedDump
from raywiki.dumps.decode import decode_range
from raywiki.dumps.integrity import RangeReport, check_ranges
from raywiki.dumps.pages import NOT_WELL_FORMED, Page, broken_page, parse_page
from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.source import Source
from raywiki.dumps.split import split_dump
from raywiki.schema import PAGES

BATCH_BYTES = 8 << 20  # of text in one table; a larger page is a table of its own
_TEXT = PAGES.get_field_index("text")
ROW_BYTES = 200  # of a page beside its text, so that a batch of redirects is bounded too


class RangeReader:
    """Iterates over a range's pages as tables of `PAGES`; `report` is whole when it is exhausted."""

    def __init__(self, r: DumpRange, *, batch_bytes: int = BATCH_BYTES, allow_damaged: bool = False) -> None:
        self.report = RangeReport(r)
        self.batch_bytes = batch_bytes
        self.allow_damaged = allow_damaged
        self._tables = self._read()

    def __iter__(self) -> Iterator[pa.Table]:
        return self._tables

    def __next__(self) -> pa.Table:
        return next(self._tables)

    def _read(self) -> Iterator[pa.Table]:
        batch: list[Page] = []
        ids: list[int] = []
        size = 0
        for page in self._pages(ids):
            batch.append(page)
            size += ROW_BYTES + len(page.text or b"")
            if size >= self.batch_bytes:
                yield self._flush(batch)
                size = 0
        if batch:
            yield self._flush(batch)
        self.report.page_ids = np.array(ids, np.int64)

    def _pages(self, ids: list[int]) -> Iterator[Page]:
        """The range's pages; damage goes to the report with the pages on either side, or is raised once they are known."""
        report = self.report
        named = 0  # so many of the damaged places know the page after them
        with Source(report.range.path) as source:
            for item in cut_pages(decode_range(report.range, source, report), report):
                if isinstance(item, Damage):
                    report.damage.append(replace(item, page_before=next((i for i in reversed(ids) if i >= 0), None)))
                    continue
                page = _parse(item)
                if named < len(report.damage) and page.page_id >= 0:
                    for damage in report.damage[named:]:
                        damage.page_after = page.page_id
                    named = len(report.damage)
                    self._refuse_damage()
                if item.own:
                    ids.append(page.page_id)
                    if _is_torn(page) and report.range.form == "xml":
                        # No checksum protects plain XML: here one page may have been two.
                        report.damage.append(Damage(report.range.path, *item.place, str(page.error), page.page_id))
                    yield page
        self._refuse_damage()

    def _refuse_damage(self) -> None:
        damage = self.report.damage
        if not damage or self.allow_damaged:
            return
        if damage[0].page_before is None:
            before = _last_page_before(self.report.range)
            for one in damage:
                one.page_before = before if one.page_before is None else one.page_before
        raise DamagedDump(damage)

    def _flush(self, batch: list[Page]) -> pa.Table:
        table, pages = to_table(batch)
        _count(self.report, pages)
        batch.clear()
        return table


def read_range(r: DumpRange, *, batch_bytes: int = BATCH_BYTES, allow_damaged: bool = False) -> RangeReader:
    """Read the pages that begin in a range, in bounded memory.

    Args:
        r: one of `split_dump`'s.
        batch_bytes: about how many bytes of text a table holds; a page larger than that is a table of its own.
        allow_damaged: read what can be read around damage, and list it in the report, instead of raising.

    Returns:
        An iterator over tables of the schema `PAGES`, in the file's order. After the last one its `report` says what was
        read; `check_ranges` proves with the reports of all ranges that nothing was lost.

    Raises (while iterating):
        DamagedDump: the file cannot be read whole; names the bytes and the pages on either side.
        ConnectionError: a server did not answer after several attempts.
    """
    return RangeReader(r, batch_bytes=batch_bytes, allow_damaged=allow_damaged)


def iter_pages(paths: str | Iterable[str], *, allow_damaged: bool = False) -> Iterator[dict[str, Any]]:
    """Yield each page of one or several dump files as a dict with the columns of `PAGES`, in order, on one core.

    Raises:
        DamagedDump: a file cannot be read whole, or, at its end, its checksums do not fit.
    """
    for path in [paths] if isinstance(paths, str | PathLike) else paths:
        reports = []
        for r in split_dump(str(path)):
            reader = read_range(r, allow_damaged=allow_damaged)
            for table in reader:
                yield from table.to_pylist()
            reports.append(reader.report)
        check_ranges(reports, allow_damaged=allow_damaged)


def to_table(pages: list[Page]) -> tuple[pa.Table, list[Page]]:
    """A table of `PAGES`, and the pages as they are in it: text that is not UTF-8 makes a page one with an error."""
    columns = list(zip(*pages, strict=True))
    try:
        text = pa.array(columns[_TEXT], pa.binary()).cast(pa.string())  # checks UTF-8
    except pa.ArrowInvalid:
        return to_table([_check_utf8(page) for page in pages])
    arrays = [text if i == _TEXT else pa.array(column, PAGES.field(i).type) for i, column in enumerate(columns)]
    return pa.Table.from_arrays(arrays, schema=PAGES), pages


def _check_utf8(page: Page) -> Page:
    try:
        (page.text or b"").decode()
    except UnicodeDecodeError as error:
        return page._replace(text=None, sha1_ok=None, error=f"the text is not UTF-8: {error}")
    return page


def _parse(raw: RawPage) -> Page:
    return parse_page(raw.xml) if raw.own and raw.error is None else broken_page(raw.xml, raw.error or "cut off")


def _is_torn(page: Page) -> bool:
    return page.error is not None and page.error.startswith(NOT_WELL_FORMED)


def _count(report: RangeReport, pages: list[Page]) -> None:
    for page in pages:
        report.n_pages += 1
        report.text_bytes += len(page.text or b"")
        report.n_sha1_mismatches += page.sha1_ok is False
        report.n_sha1_unchecked += page.sha1_ok is None
        if page.error is not None:
            report.n_errors += 1
            continue
        report.n_other_models += page.model not in ("wikitext", None)
        report.n_deleted += page.text is None
        if page.redirect is not None:
            report.n_redirects += 1
        elif page.namespace != 0:
            report.n_other_namespaces += 1
        else:
            report.n_articles += 1


def _last_page_before(r: DumpRange) -> int | None:
    """The id of the last page before a range, for an error's text; None where a look back of some ranges finds none."""
    end, length = r.start, max(r.end - r.start, 1 << 20)
    for _ in range(3):
        start = max(0, end - length)
        if start == end:
            return None
        reader = read_range(replace(r, start=start, end=end), allow_damaged=True)
        for _table in reader:
            pass
        if reader.report.last_page_id is not None:
            return reader.report.last_page_id
        end = start
    return None
