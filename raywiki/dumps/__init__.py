"""Where pages come from: dump files split by byte ranges, verified, and read as tables of pages."""

from __future__ import annotations

from raywiki.dumps.damage import Damage, DamagedDump
from raywiki.dumps.integrity import DumpReport, RangeReport, check_ranges
from raywiki.dumps.ranges import DumpRange
from raywiki.dumps.read import RangeReader, iter_pages, read_range
from raywiki.dumps.siteinfo import SiteInfo, read_siteinfo
from raywiki.dumps.split import split_dump

__all__ = [
    "Damage",
    "DamagedDump",
    "DumpRange",
    "DumpReport",
    "RangeReader",
    "RangeReport",
    "SiteInfo",
    "check_ranges",
    "iter_pages",
    "read_range",
    "read_siteinfo",
    "split_dump",
]
