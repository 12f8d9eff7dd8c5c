"""A dump file → byte ranges that can be read apart. They follow from the file's size and form alone, never from the machine."""

from __future__ import annotations

from raywiki.dumps.forms import find_form
from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.siteinfo import read_siteinfo
from raywiki.dumps.source import Source

RANGE_BYTES = 64 << 20  # about 300 MB of XML and 10 s of bzip2
MIN_RANGE_BYTES = 256 << 10  # about one bzip2 block
N_RANGES = 16  # so that 16 cores have work in one part; each range costs a block read twice and a fifth of a second of Ray
SPLITTABLE = ("bz2", "xml")


def split_dump(path: str, range_bytes: int | None = None) -> list[DumpRange]:
    """Cut a dump file into ranges that can be read apart, in the file's order.

    Args:
        path: a .xml, .xml.bz2, .xml.gz or .xml.zst file, local or at any fsspec URL.
        range_bytes: bytes of the file in each range; by default a 16th of the file, 256 KiB at least and 64 MiB at most.

    Raises:
        ValueError: the file is no MediaWiki dump; the sentence says what to use instead.
        FileNotFoundError: there is no such file.
    """
    path = str(path)
    if range_bytes is not None and range_bytes < 1024:
        raise ValueError(f"range_bytes is {range_bytes}: give at least 1024")
    site = read_siteinfo(path, language="und")  # of whichever language: only its XML's prefix matters here
    with Source(path) as source:
        size, form = source.size(), find_form(path, source)
    step = range_bytes or max(MIN_RANGE_BYTES, min(RANGE_BYTES, -(-size // N_RANGES)))
    if form not in SPLITTABLE:
        step = size
    starts = range(0, size, step)
    return [
        DumpRange(path, index, start, min(start + step, size), size, form, site.prefix) for index, start in enumerate(starts)
    ]
