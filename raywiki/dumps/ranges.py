"""The unit of work: a range of a dump file's bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DumpRange:
    """The bytes [start, end) of a file of `size` bytes, as they lie in the file (compressed, for .bz2).

    A range owns the pages whose `<page>` begins in it; in .bz2, in a block whose magic begins in it. A file of a form that
    cannot be split (.gz, .zst) is one range.
    """

    path: str
    index: int
    start: int
    end: int
    size: int
    form: str  # "bz2", "xml", "gz" or "zst"
    prefix: str = ""  # of the XML namespace, with its colon: "mw:" where the dump writes <mw:page>
