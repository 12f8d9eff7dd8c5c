"""Lines of a file in bounded memory, and what they hold: JSON objects, or blocks of text."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple

from raywiki.dumps.source import Source

MAX_DOCUMENT_BYTES = 64 << 20  # of one line, block or file: what is longer is no document, and would fill the memory
NO_TEXT = "it has no text, but"  # begins the error of a row whose text has another name
_LONGEST_BLANK = 4096  # bytes of a line of blanks that still parts two blocks


class Line(NamedTuple):
    """One line with its end; `content` is None when it is longer than a document may be."""

    at: int
    content: bytes | None
    size: int


class Document(NamedTuple):
    """What a row or block holds; `error` says why it holds nothing that can be read. `line` counts from 0 in its range."""

    line: int
    text: str = ""
    url: str = ""
    title: str = ""
    timestamp: datetime | None = None
    error: str | None = None


class SeekableSource(io.RawIOBase):
    """A source as a file that can be read anywhere: by lines from any byte, or as Parquet's reader wants it."""

    def __init__(self, source: Source) -> None:
        self._source, self._size, self._at = source, source.size(), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(self._at, max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def iter_lines(file: BinaryIO, at: int = 0, limit: int = MAX_DOCUMENT_BYTES) -> Iterator[Line]:
    """The lines of a file from where it stands, byte `at` of it; of one that is too long, its size alone is kept."""
    while line := file.readline(limit + 1):
        size, content = len(line), line if len(line) <= limit or line.endswith(b"\n") else None
        while content is None and (piece := file.readline(1 << 20)):
            size += len(piece)
            if piece.endswith(b"\n"):
                break
        yield Line(at, content, size)
        at += size


def first_line(source: Source, start: int) -> int:
    """The byte at which the first line begins that begins at byte `start` or later; the file's size where none does."""
    if start == 0:
        return 0
    file = io.BufferedReader(SeekableSource(source), 1 << 16)
    file.seek(start - 1)
    at = start - 1
    while piece := file.readline(1 << 20):
        at += len(piece)
        if piece.endswith(b"\n"):
            break
    return at


def follows_blank(source: Source, at: int) -> bool:
    """Whether the line before the one that begins at byte `at` is blank; before the first line there is nothing."""
    if at == 0:
        return True
    first = max(0, at - _LONGEST_BLANK - 1)
    before = source.read(first, at - first).removesuffix(b"\n")
    line = before.rpartition(b"\n")[2]
    return not line.strip() and (first == 0 or b"\n" in before)


def is_blank(line: Line) -> bool:
    return line.size <= _LONGEST_BLANK and line.content is not None and not line.content.strip()


def parse_json(content: bytes, number: int) -> Document:
    """The document of one JSON line.

    >>> parse_json(b'{"text": "An ox.", "url": "http://a.org", "timestamp": "2019-04-25T12:57:54Z"}', 0).timestamp.year
    2019
    >>> parse_json(b'{"content": "An ox."}', 3).error
    'it has no text, but content'
    """
    try:
        row = json.loads(content.removeprefix(b"\xef\xbb\xbf") if number == 0 else content)
    except UnicodeDecodeError as error:
        return Document(number, error=f"it is not UTF-8 ({error.reason} at its byte {error.start:,})")
    except (ValueError, RecursionError) as error:
        return Document(number, error=f"it is no JSON ({error})")
    if not isinstance(row, dict):
        return Document(number, error=f"it is no JSON object but a {type(row).__name__}")
    text = row.get("text")
    if not isinstance(text, str):
        other = f"its text is a {type(text).__name__}" if "text" in row else f"{NO_TEXT} {', '.join(row) or 'nothing'}"
        return Document(number, error=other[:200])
    url, title = (row[name] if isinstance(row.get(name), str) else "" for name in ("url", "title"))
    try:
        f"{text}{url}{title}".encode()
    except UnicodeEncodeError:
        return Document(number, error="its text holds half of a surrogate pair, which is no Unicode character")
    return Document(number, text, url, title, parse_timestamp(row.get("timestamp")))


def parse_timestamp(value: Any) -> datetime | None:
    """A time as ISO 8601 writes it, UTC where it does not say; None for anything else.

    >>> parse_timestamp("2019-04-25T12:57:54Z"), parse_timestamp("yesterday"), parse_timestamp(7)
    (datetime.datetime(2019, 4, 25, 12, 57, 54, tzinfo=datetime.timezone.utc), None, None)
    """
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value if isinstance(value, datetime) else None
        return None if found is None else found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def decode_text(content: bytes, number: int, title: str = "") -> Document:
    """A block or a file of plain text as a document: line ends as Unix has them, no blank line around."""
    try:
        text = content.decode("utf-8-sig" if number == 0 else "utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start)
        return Document(number + line, error=f"it is not UTF-8 ({error.reason})")
    return Document(number, text.replace("\r\n", "\n").strip("\r\n"), title=title)
