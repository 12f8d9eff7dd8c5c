"""A range of a file of text → tables of articles, with a report of what was read."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from raywiki.dumps.forms import is_decode_error, open_decoded
from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.source import Source
from raywiki.dumps.texts.folder import text_files
from raywiki.dumps.texts.ids import text_id
from raywiki.dumps.texts.lines import (
    MAX_DOCUMENT_BYTES,
    NO_TEXT,
    Document,
    SeekableSource,
    decode_text,
    first_line,
    follows_blank,
    is_blank,
    iter_lines,
    parse_json,
)
from raywiki.dumps.texts.parquet import read_rows, require_text_column
from raywiki.dumps.texts.split import PLAIN, split_text
from raywiki.schema import ARTICLES

BATCH_BYTES = 8 << 20  # of text in one table; a larger document is a table of its own
ROW_BYTES = 200  # of a document beside its text
MAX_ERRORS = 100  # described; all are counted
_TOO_LONG = f"more than the {MAX_DOCUMENT_BYTES >> 20} MiB of a document"


@dataclass
class TextReport:
    """What was read of a range: own bytes `first` to `last` of the file (rows, for Parquet), and what they held.

    `pages` are documents and errors; `errors` of them could not be read, the first hundred of which `page_errors` describes by
    line in the range, or by file; `lines` are lines, rows or files. `gap` says what of a damaged file was left out.
    """

    range: DumpRange
    first: int = 0
    last: int = 0
    lines: int = 0
    pages: int = 0
    errors: int = 0
    text_bytes: int = 0
    characters: int = 0
    ids: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    page_errors: list[dict[str, Any]] = field(default_factory=list)
    gap: str | None = None
    unit: str = "line"

    @property
    def xml_bytes(self) -> int:
        """Bytes of text, where a dump's report has those of its XML."""
        return self.text_bytes


class TextReader:
    """Iterates over a range's documents as tables of `ARTICLES`; `report` is whole when it is exhausted."""

    def __init__(self, r: DumpRange, text_format: str, *, allow_damaged: bool = False) -> None:
        self.report = TextReport(r, unit="row" if text_format == "parquet" else "line")
        self.text_format, self.allow_damaged = text_format, allow_damaged

    def __iter__(self) -> Iterator[pa.Table]:
        batch: list[Document] = []
        ids: list[int] = []
        size = 0
        for document in self.documents():
            self.report.pages += 1
            if document.error is not None:
                self._note(document)
                continue
            batch.append(document)
            ids.append(text_id(document.text))
            size += ROW_BYTES + len(document.text)
            if size >= BATCH_BYTES:
                yield self._flush(batch, ids)
                batch, size = [], 0
        if batch:
            yield self._flush(batch, ids)
        self.report.ids = np.array(ids, np.int64)

    def _flush(self, batch: list[Document], ids: list[int]) -> pa.Table:
        table = to_articles(batch, ids[len(ids) - len(batch) :])
        self.report.text_bytes += pc.sum(pc.binary_length(table["text"])).as_py()
        self.report.characters += pc.sum(table["n_chars"]).as_py()
        return table

    def _note(self, document: Document) -> None:
        self.report.errors += 1
        if len(self.report.page_errors) < MAX_ERRORS:
            where = {"file": document.title} if self.report.range.form == "folder" else {}
            self.report.page_errors.append({self.report.unit: document.line, **where, "error": document.error})

    def documents(self) -> Iterator[Document]:
        """The documents one by one, broken ones too; for whoever needs no table."""
        report = self.report
        try:
            if report.range.form == "folder":
                yield from _files(report)
                return
            with Source(report.range.path) as source:
                yield from _READERS[self.text_format](source, report)
        except Exception as error:
            if not is_decode_error(error):
                raise
            read = f"after {report.lines:,} lines" if report.lines else "before its first line ends"
            what = f"{report.range.path} is damaged {read} ({error})"
            if not self.allow_damaged:
                raise ValueError(f"{what}: download it again, or pass --allow-damaged to keep what comes before") from error
            report.gap = what


def read_text(r: DumpRange, text_format: str, *, allow_damaged: bool = False) -> TextReader:
    """Read the documents that begin in a range, in bounded memory.

    Args:
        r: one of `split_text`'s.
        text_format: that it was cut by.
        allow_damaged: keep what comes before the place where a compressed file cannot be decoded, instead of raising.

    Returns:
        An iterator over tables of the schema `ARTICLES`, in the file's order, without an `error`: a row that is broken is
        counted and described in the `report`. `page_id` is `text_id`, which `unique_ids` makes different over all ranges.

    Raises (while iterating):
        ValueError: the file is damaged, has no column text, or is too long for one document.
        ConnectionError: a server did not answer after several attempts.
    """
    return TextReader(r, text_format, allow_damaged=allow_damaged)


def require_text(path: str, text_format: str) -> None:
    """Look at a file's beginning before it is read whole.

    Raises:
        ValueError: it has no text where its format has it; the sentence names what it has.
    """
    if text_format == "parquet":
        with Source(path) as source:
            require_text_column(SeekableSource(source), path)
    if text_format in ("c4", "jsonl"):
        for document in read_text(split_text(path, text_format)[0], text_format, allow_damaged=True).documents():
            if document.error is not None and document.error.startswith(NO_TEXT):
                raise ValueError(f"{path}, line {document.line + 1:,}: {document.error}; its text must be called text")
            return


def check_text(reports: Sequence[TextReport]) -> list[TextReport]:
    """The reports of all ranges of a file in order, their errors' lines counted from 1 in the file.

    Proved is that each range began where the one before it ended, so that every line, row or file was read once.

    Raises:
        ValueError: they do not fit together; or no document of the file could be read, with what is wrong with the first.
    """
    ordered = sorted(reports, key=lambda report: report.range.index)
    path, at, line = ordered[0].range.path, 0, 1
    for report in ordered:
        if report.first != at:
            raise ValueError(
                f"two ranges of {path} do not fit together: one ends at {at:,} and the next begins at {report.first:,}; the "
                "file may have changed while it was read"
            )
        for error in report.page_errors:
            error[report.unit] += line if "file" not in error else 1
        at, line = report.last, line + report.lines
    pages, errors = (sum(getattr(report, name) for report in ordered) for name in ("pages", "errors"))
    if not pages:
        raise ValueError(f"{path} holds no document: give a file with text")
    if pages == errors:
        raise ValueError(f"{path} holds no document that can be read; {describe_errors(ordered)[0]}")
    return ordered


def describe_errors(reports: Sequence[TextReport]) -> list[str]:
    """A sentence for each broken row that is described, in their order."""
    return [
        f"{error['file'] + ', ' if 'file' in error else ''}{report.unit} {error[report.unit]:,}: {error['error']}"
        for report in reports
        for error in report.page_errors
    ]


def to_articles(documents: Sequence[Document], ids: Sequence[int]) -> pa.Table:
    """The rows of the articles table that these documents are, with these ids."""
    n = len(documents)
    columns: dict[str, Any] = {
        "page_id": list(ids),
        "revision_id": [None] * n,
        "timestamp": [each.timestamp for each in documents],
        "title": [each.title for each in documents],
        "url": [each.url for each in documents],
        "text": [each.text for each in documents],
        "n_chars": [len(each.text) for each in documents],
        "categories": [[]] * n,
        "is_disambiguation": [False] * n,
        "dropped_templates": [[]] * n,
        "sha1_ok": [None] * n,
        "error": [None] * n,
    }
    return pa.Table.from_pydict(columns, schema=ARTICLES)


def _open(source: Source, report: TextReport) -> tuple[BinaryIO, int | None]:
    """The file at its first own line, and the byte at which its own lines end; None: with the file."""
    r = report.range
    if r.form != PLAIN:
        return io.BufferedReader(open_decoded(source, r.form)), None
    report.first = report.last = first_line(source, r.start)
    file = io.BufferedReader(SeekableSource(source), 1 << 20)
    file.seek(report.first)
    return file, r.end


def _json_lines(source: Source, report: TextReport) -> Iterator[Document]:
    file, end = _open(source, report)
    for line in iter_lines(file, report.first):
        if end is not None and line.at >= end:
            return
        number = report.lines
        report.lines, report.last = number + 1, line.at + line.size
        if line.content is None:
            yield Document(number, error=f"it has {line.size / 1e6:,.0f} MB, {_TOO_LONG}")
        elif line.content.strip():
            yield parse_json(line.content, number)


def _blocks(source: Source, report: TextReport) -> Iterator[Document]:
    """A block belongs to the range in which it begins, and is read to its end."""
    file, end = _open(source, report)
    after_blank = follows_blank(source, report.first) if end is not None else True
    block: list[bytes] = []
    size = number = first = 0
    for line in iter_lines(file, report.first):
        own = end is None or line.at < end
        if not own and not size:
            return
        if own:
            number = report.lines
            report.lines, report.last = number + 1, line.at + line.size
        if is_blank(line):
            if size:
                yield _block(block, size, first)
            block, size, after_blank = [], 0, True
        elif size or after_blank:
            first = first if size else number
            size, after_blank = size + line.size, False
            block = [*block, line.content] if line.content is not None and size <= MAX_DOCUMENT_BYTES else []
    if size:
        yield _block(block, size, first)


def _block(block: list[bytes], size: int, first: int) -> Document:
    if size > MAX_DOCUMENT_BYTES:
        return Document(first, error=f"the block has {size / 1e6:,.0f} MB, {_TOO_LONG}")
    return decode_text(b"".join(block), first)


def _whole(source: Source, report: TextReport) -> Iterator[Document]:
    """A file that is one document, titled as the file is."""
    file, _ = _open(source, report)
    name = report.range.path.rpartition("/")[2]
    content = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise ValueError(
            f"{report.range.path} is {_TOO_LONG}, as which it would be read: pass --format blocks if blank lines part its "
            "documents, or cut it into a folder of files"
        )
    report.lines, report.last = max(1, content.count(b"\n")), len(content)
    yield decode_text(content, 0, name.partition(".")[0])


def _files(report: TextReport) -> Iterator[Document]:
    """The files of a folder that begin in the range, a document each, titled by their names in the folder."""
    r = report.range
    own = [each for each in text_files(r.path) if r.start <= each.start < r.end]
    report.first, report.last = own[0].start if own else r.start, own[-1].end if own else r.start
    for number, each in enumerate(own):
        report.lines += 1
        size = each.end - each.start
        if size > MAX_DOCUMENT_BYTES:
            yield Document(number, title=each.name, error=f"it has {size / 1e6:,.0f} MB, {_TOO_LONG}")
            continue
        with Source(each.path) as source:
            found = decode_text(source.read(0, size), 0, each.name.removesuffix(".txt"))
        yield found if found.error is None else found._replace(title=each.name)


def _rows(source: Source, report: TextReport) -> Iterator[Document]:
    """The rows of the row groups that begin in the range."""
    r, file = report.range, SeekableSource(source)
    report.first, report.last, rows = read_rows(file, r)
    for row in rows:
        report.lines += 1
        yield row


_READERS: dict[str, Callable[[Source, TextReport], Iterator[Document]]] = {
    "c4": _json_lines, "jsonl": _json_lines, "blocks": _blocks, "text": _whole, "parquet": _rows,
}  # fmt: skip
