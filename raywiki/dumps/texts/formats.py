"""Which format a file has: by its name, else by its first bytes."""

from __future__ import annotations

import json
import re

from raywiki.dumps.forms import find_form, is_decode_error, open_decoded
from raywiki.dumps.source import Source
from raywiki.dumps.texts.folder import text_files

DUMP = "dump"
FORMATS = {
    DUMP: "a dump of MediaWiki's",
    "c4": "JSON lines with text, url and timestamp, as C4 has them",
    "jsonl": "JSON lines with a text, and where they have them url, title and timestamp",
    "parquet": "rows with a column text, and where they have them url, title and timestamp, as the hub's wikipedia has",
    "text": "one document for each file: of a .txt file, or of all those in a folder",
    "blocks": "one document for each block of lines between blank ones, in a .txt file",
}
# What the texts are from where nobody says it by a word of his own.
SOURCES = {DUMP: "wiki", "c4": "c4", "jsonl": "jsonl", "parquet": "parquet", "text": "text", "blocks": "text"}

_NAME = re.compile(r"\.(?:(?P<parquet>parquet)|(?P<jsonl>jsonl|ndjson|json)|(?P<text>txt))(?:\.(?:gz|bz2|zst))?$", re.I)
_C4 = {"text", "url", "timestamp"}
_HEAD_BYTES = 1 << 20  # within which the first line of C4 ends


def check_format(name: str | None) -> None:
    """Raise a ValueError that lists the formats when there is none of this name; None is "not given"."""
    if name is not None and name not in FORMATS:
        raise ValueError(f"there is no format {name!r}: it is {', '.join(FORMATS)}")


def find_format(path: str) -> str:
    """The format of a file, or of a folder of texts: one of `FORMATS`.

    `.parquet`, `.json`, `.jsonl`, `.ndjson` and `.txt` say it, compressed or not; JSON lines whose first one has text, url and
    timestamp are C4's. Under another name it is what the first bytes tell. What is none of these is taken for a dump, whose
    reader says what is wrong with it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, or a file that lies beside dumps and is none.
    """
    if text_files(path):
        return "text"
    name = path.rstrip("/").rpartition("/")[2]
    if ".xml" in name:
        return DUMP
    with Source(path) as source:
        form = find_form(path, source)
        named = _NAME.search(name)
        found = named.lastgroup if named else None
        if found is None:
            found = _guess(source, form)
        if found == "jsonl":
            return "c4" if _is_c4(_head(source, form)) else "jsonl"
        return found or DUMP


def _guess(source: Source, form: str) -> str | None:
    if source.read(0, 4) == b"PAR1":
        return "parquet"
    return "jsonl" if _head(source, form).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else None


def _head(source: Source, form: str) -> bytes:
    """The first bytes, decoded, as many as there are before an error; none where nothing can be."""
    head = b""
    try:
        decoded = open_decoded(source, form)
        while len(head) < _HEAD_BYTES and (piece := decoded.read(1 << 16)):
            head += piece
    except Exception as error:
        if not is_decode_error(error):
            raise
    return head


def _is_c4(head: bytes) -> bool:
    lines = head.lstrip(b"\xef\xbb\xbf \t\r\n").splitlines()
    try:
        first = json.loads(lines[0]) if lines else None
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and first.keys() >= _C4
