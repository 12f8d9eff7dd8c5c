"""Text that is no dump: C4's files, JSON lines, Parquet and plain text, read by ranges as tables of articles.

A file is cut by `split_text`, each range is read by `read_text`, and `check_text` proves that the ranges add up to the file.
What is not read is a file whose text is in no known column, or that cannot be decoded; a row of it that is broken is counted
and described, as a dump's broken page is.
"""

from __future__ import annotations

from raywiki.dumps.texts.formats import DUMP, FORMATS, SOURCES, check_format, find_format
from raywiki.dumps.texts.ids import text_id, unique_ids
from raywiki.dumps.texts.read import TextReader, TextReport, check_text, describe_errors, read_text, require_text
from raywiki.dumps.texts.split import split_text, text_digest

__all__ = [
    "DUMP",
    "FORMATS",
    "SOURCES",
    "TextReader",
    "TextReport",
    "check_format",
    "check_text",
    "describe_errors",
    "find_format",
    "read_text",
    "require_text",
    "split_text",
    "text_digest",
    "text_id",
    "unique_ids",
]
