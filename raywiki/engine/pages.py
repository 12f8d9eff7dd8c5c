"""The pages of a dump's ranges: read by the task that cleans them, or by one before it that sees all pages of a wiki first.

Decoding bzip2 is nearly half of the work of `extract`, so what such a first task has decoded is kept until it is cleaned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from raywiki.dumps import DumpRange, RangeReport, read_range
from raywiki.files import replacing
from raywiki.schema import PAGES
from raywiki.wikitext.table import holds_wikitext

MAX_PAGE_ERRORS = 100  # described in the notes; all are counted
# Level 1 of zstd: writing and reading take 4 % of the time of reading the dump, the file 1.6 times its bytes.
IPC_OPTIONS = {"compression": pa.Codec("zstd", 1)}


@dataclass(frozen=True)
class Account:
    """What is known of a range when its last page was read, beside the articles."""

    report: RangeReport
    counts: Counter[str]
    page_errors: list[dict[str, Any]]


class RangePages:
    """Iterates over a range's pages, a batch at a time, with the kind of each; `account` is whole after the last."""

    def __init__(self, dump_range: DumpRange, allow_damaged: bool) -> None:
        self._reader = read_range(dump_range, allow_damaged=allow_damaged)
        self.account = Account(self._reader.report, Counter(), [])

    def __iter__(self) -> Iterator[tuple[pa.Table, pa.Array]]:
        counts, page_errors = self.account.counts, self.account.page_errors
        for pages in self._reader:
            kinds = page_kinds(pages)
            counts.update(kinds.to_pylist())
            wrong = pages.filter(pc.equal(kinds, "errors")).select(["page_id", "title", "error"])
            page_errors.extend(wrong.slice(0, MAX_PAGE_ERRORS - len(page_errors)).to_pylist())
            yield pages, kinds

    def articles(self) -> Iterator[pa.Table]:
        """The pages that become articles, in the same batches."""
        for pages, kinds in self:
            yield articles_of(pages, kinds)


def articles_of(pages: pa.Table, kinds: pa.Array) -> pa.Table:
    return pages.filter(pc.equal(kinds, "articles"))


def page_kinds(pages: pa.Table) -> pa.Array:
    """What each page is: one of the counts that must add up to all pages (`raywiki.manifest.SUMS`)."""
    kinds = pc.case_when(
        pc.make_struct(
            pc.is_valid(pages["error"]),
            pc.is_valid(pages["redirect"]),
            pc.not_equal(pages["namespace"], 0),
            pc.invert(holds_wikitext(pages)),
            pc.is_null(pages["text"]),
        ),
        *(pa.scalar(kind) for kind in ("errors", "redirects", "other_namespaces", "other_models", "deleted", "articles")),
    )
    return kinds.combine_chunks() if isinstance(kinds, pa.ChunkedArray) else kinds


def keep_pages(fs: AbstractFileSystem, path: str, tables: Iterable[pa.Table]) -> None:
    """Write batches of pages into a file that only the next task reads, in one step."""
    options = pa.ipc.IpcWriteOptions(**IPC_OPTIONS)
    with (
        replacing(fs, path) as temporary,
        fs.open(temporary, "wb") as file,
        pa.ipc.new_stream(file, PAGES, options=options) as writer,
    ):
        for table in tables:
            writer.write_table(table)


def kept_pages(url: str) -> Iterator[pa.Table]:
    """The batches of `keep_pages`, as they were cut."""
    fs, path = url_to_fs(url)
    with fs.open(path, "rb") as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])
