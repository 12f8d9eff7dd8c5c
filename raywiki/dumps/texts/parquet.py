"""Rows of a Parquet file with a column of text, by row groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.texts.lines import Document, parse_timestamp
from raywiki.schema import TIMESTAMP

ROWS = 1024  # of a batch
WANTED = ("text", "url", "title", "timestamp")


def read_rows(file: Any, r: DumpRange) -> tuple[int, int, Iterator[Document]]:
    """The first row of a range, the one after its last, and the documents of the rows between, `line` counted from 0.

    Raises (the rows, while iterating):
        ValueError: it is no Parquet file, has no column of text, or a row group cannot be read.
    """
    parquet = _open(file, r.path)
    groups = [parquet.metadata.row_group(index) for index in range(parquet.metadata.num_row_groups)]
    before = [0]
    for group in groups:
        before.append(before[-1] + group.num_rows)
    own = [index for index, group in enumerate(groups) if r.start <= _begin(group) < r.end]
    earlier = sum(_begin(group) < r.start for group in groups)
    first, last = (before[own[0]], before[own[-1] + 1]) if own else (before[earlier], before[earlier])
    return first, last, _documents(parquet, own, r.path)


def require_text_column(file: Any, path: str) -> None:
    """Raise ValueError when this is no Parquet file with a column of text."""
    _open(file, path)


def _open(file: Any, path: str) -> pq.ParquetFile:
    try:
        parquet = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
        schema = parquet.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no whole Parquet file ({_first_line(error)}): download it again") from error
    if "text" not in schema.names:
        raise ValueError(f"{path} has no column text, its columns are {', '.join(schema.names)}: rename the one with the text")
    kind = schema.field("text").type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise ValueError(f"the column text of {path} is of type {kind}, not string: give a file with text")
    return parquet


def _begin(group: Any) -> int:
    """The byte of the file at which a row group begins."""
    columns = [group.column(index) for index in range(group.num_columns)]
    return min(at for each in columns for at in (each.dictionary_page_offset, each.data_page_offset) if at is not None)


def _documents(parquet: pq.ParquetFile, own: list[int], path: str) -> Iterator[Document]:
    columns = [name for name in WANTED if name in parquet.schema_arrow.names]
    number = 0
    for index in own:
        try:
            for batch in parquet.iter_batches(ROWS, row_groups=[index], columns=columns):
                yield from _batch_documents(batch, number)
                number += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            what = f"row group {index} of {path} cannot be read ({_first_line(error)})"
            raise ValueError(f"{what}: download the file again") from error


def _batch_documents(batch: pa.RecordBatch, number: int) -> Iterator[Document]:
    nothing = [None] * batch.num_rows
    own = {name: batch.column(name) for name in batch.schema.names}
    text, url, title = (_strings(own[name]) if name in own else nothing for name in WANTED[:3])
    times = _times(own["timestamp"]) if "timestamp" in own else nothing
    for row in range(batch.num_rows):
        try:
            if text[row] is None:
                yield Document(number + row, error="it has no text (null)")
                continue
            said, address, name = ((each or b"").decode() for each in (text[row], url[row], title[row]))
            yield Document(number + row, said, address, name, times[row])
        except UnicodeDecodeError as error:
            yield Document(number + row, error=f"it is not UTF-8 ({error.reason} at byte {error.start:,} of a value)")


def _strings(column: pa.Array) -> list[Any]:
    """The values as bytes, since Arrow does not check their UTF-8; none of a column that holds no strings."""
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        return [None] * len(column)
    return column.cast(pa.large_binary()).to_pylist()


def _times(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        in_utc = column if column.type.tz else pc.assume_timezone(column, "UTC")
        return in_utc.cast(TIMESTAMP, safe=False).to_pylist()
    return [parse_timestamp(value) for value in column.to_pylist()] if pa.types.is_string(column.type) else [None] * len(column)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
