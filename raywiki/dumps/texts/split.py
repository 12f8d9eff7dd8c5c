"""A file of text → byte ranges that can be read apart, and what it is known by."""

from __future__ import annotations

import hashlib

from raywiki.dumps.checksums import dump_digests
from raywiki.dumps.forms import find_form
from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.source import Source
from raywiki.dumps.split import MIN_RANGE_BYTES, N_RANGES, RANGE_BYTES
from raywiki.dumps.texts.folder import text_files

PLAIN = "xml"  # what `find_form` calls a file that is not compressed


def split_text(path: str, text_format: str, range_bytes: int | None = None) -> list[DumpRange]:
    """Cut a file into ranges, in its order; they follow from its size, form and format alone.

    A range owns the lines, blocks or row groups that begin in it; of a folder, the files. A compressed file is one range, and
    so is a file that is one document.

    Args:
        path: a file, or a folder of `.txt` files, at a path or URL.
        text_format: one of `FORMATS` that is not a dump.
        range_bytes: bytes in each range; by default a 16th of the file, 256 KiB at least and 64 MiB at most.
    """
    files = text_files(path)
    if files:
        size, form = files[-1].end, "folder"
    else:
        with Source(path) as source:
            size, form = source.size(), find_form(path, source)
    if size == 0:
        raise ValueError(f"{path} holds only empty files: give one with text")
    step = range_bytes or max(MIN_RANGE_BYTES, min(RANGE_BYTES, -(-size // N_RANGES)))
    if form not in (PLAIN, "folder") or (text_format == "text" and not files):
        step = size
    return [DumpRange(path, index, at, min(at + step, size), size, form) for index, at in enumerate(range(0, size, step))]


def text_digest(path: str) -> str:
    """SHA-256 (hex) of a file; of a folder, that of its files' names and digests."""
    files = text_files(path)
    if not files:
        return dump_digests(path)["sha256"]
    whole = hashlib.sha256()
    for each in files:
        whole.update(f"{dump_digests(each.path)['sha256']}  {each.name}\n".encode())
    return whole.hexdigest()
