"""What a range reports about its reading, and the proof that the ranges of a file add up to the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from raywiki.dumps.bits import fold_crc
from raywiki.dumps.damage import Damage, DamagedDump
from raywiki.dumps.ranges import DumpRange


@dataclass(frozen=True)
class CrcRun:
    """Checksums of `n_blocks` bzip2 blocks in a row, folded from 0, and what the stream's end says where it ends there."""

    n_blocks: int = 0
    folded: int = 0
    stored: int | None = None


@dataclass
class RangeReport:
    """What one range read. All sizes are bytes; "xml" is decoded, the rest as the file has it."""

    range: DumpRange
    first_bit: int | None = None  # of the range's first block; None: no block begins in the range
    next_bit: int | None = None  # of the first block that is the next range's; None: the file ends before
    xml_bytes: int = 0  # decoded bytes of the range's own blocks
    skipped_bytes: int = 0  # of these, before its first own page: the end of an earlier range's page
    read_on_bytes: int = 0  # decoded bytes past its own blocks, up to the next range's first page
    n_blocks: int = 0
    n_streams: int = 0  # stream ends seen after own blocks
    head_run: CrcRun | None = None  # blocks of the stream that was open before this range; None: not known (damage)
    tail_run: CrcRun | None = None  # blocks of the stream that is open after it; None: not known, or all is in head_run
    trailing_bytes: int = 0  # of the file after its last stream, ignored
    closed: bool = False  # read to the file's end, and </mediawiki> is there
    n_pages: int = 0  # = n_articles + n_redirects + n_other_namespaces + n_errors
    n_articles: int = 0  # namespace 0, no redirect
    n_redirects: int = 0  # in any namespace
    n_other_namespaces: int = 0
    n_errors: int = 0  # pages that could not be read whole
    n_other_models: int = 0  # of all pages, those whose model is not wikitext
    n_deleted: int = 0  # of all pages without error, those whose text is deleted
    n_sha1_mismatches: int = 0
    n_sha1_unchecked: int = 0
    text_bytes: int = 0
    damage: list[Damage] = field(default_factory=list)
    page_ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False, compare=False)  # in order

    @property
    def first_page_id(self) -> int | None:
        return next((int(i) for i in self.page_ids if i >= 0), None)

    @property
    def last_page_id(self) -> int | None:
        return next((int(i) for i in reversed(self.page_ids) if i >= 0), None)


COUNTS = (
    "xml_bytes",
    "n_blocks",
    "n_streams",
    "trailing_bytes",
    "n_pages",
    "n_articles",
    "n_redirects",
    "n_other_namespaces",
    "n_errors",
    "n_other_models",
    "n_deleted",
    "n_sha1_mismatches",
    "n_sha1_unchecked",
    "text_bytes",
)


@dataclass
class DumpReport:
    """The sum over the ranges of one file, after they were proved to add up."""

    path: str
    size: int
    n_ranges: int
    counts: dict[str, int]  # xml_bytes, n_pages, n_articles, n_redirects, … as in RangeReport
    first_page_id: int | None
    last_page_id: int | None
    ascending: bool  # page ids ascend through the file, as Wikimedia's do
    damage: list[Damage]  # empty unless damaged files are allowed


def check_ranges(reports: Iterable[RangeReport], *, allow_damaged: bool = False) -> DumpReport:
    """Prove that the ranges of one file saw each of its bytes and pages once, and sum their counts.

    Proved are: the ranges cover the file's bytes; each begins at the very bit where the one before it stopped; the XML that
    each skipped at its beginning is what the ones before it read on; each bzip2 stream's checksum follows from its blocks';
    the XML ends with `</mediawiki>`; no page id comes twice.

    Raises:
        DamagedDump: the file is damaged; with `allow_damaged` the places are in the result's `damage` instead.
        ValueError: the ranges do not add up, naming byte offsets and the page ids on either side.
    """
    ordered = sorted(reports, key=lambda report: report.range.index)
    _check_cover(ordered)
    damage = _merge_damage(ordered)
    _check_chain(ordered)
    damage += _check_streams(ordered)
    if not any(report.closed for report in ordered) and not damage:
        size = ordered[-1].range.size
        damage.append(Damage(ordered[0].range.path, size, size, "the file ends before </mediawiki>", _last_id(ordered)))
    if damage and not allow_damaged:
        raise DamagedDump(damage)
    ids = np.concatenate([report.page_ids for report in ordered])
    ascending = bool((np.diff(ids) > 0).all())
    if not ascending:
        _check_unique(ordered, ids)
    return DumpReport(
        path=ordered[0].range.path,
        size=ordered[0].range.size,
        n_ranges=len(ordered),
        counts={name: sum(getattr(report, name) for report in ordered) for name in COUNTS},
        first_page_id=int(ids[0]) if len(ids) else None,
        last_page_id=int(ids[-1]) if len(ids) else None,
        ascending=ascending,
        damage=damage,
    )


def _check_cover(ordered: list[RangeReport]) -> None:
    if not ordered:
        raise ValueError("there are no ranges to check: read the ranges of split_dump first")
    at, path, size = 0, ordered[0].range.path, ordered[0].range.size
    for report in ordered:
        r = report.range
        if (r.path, r.size) != (path, size):
            raise ValueError(f"ranges of two files cannot be checked together: {path} ({size:,} bytes), {r.path} ({r.size:,})")
        if r.start != at:
            what = "are missing" if r.start > at else "were read twice"
            raise ValueError(f"bytes {min(at, r.start):,} to {max(at, r.start):,} of {path} {what}: read each range once")
        at = r.end
    if at != size:
        raise ValueError(f"bytes {at:,} to {size:,} of {path} are missing: read each range once")


def _check_chain(ordered: list[RangeReport]) -> None:
    """Each range goes on at the bit where the one before stopped, and skips exactly what that one read on."""
    expected: int | None = None
    last: RangeReport | None = None
    pending = 0  # XML that earlier ranges have read on into this one
    for report in ordered:
        if last is not None and report.first_bit is not None and report.first_bit != expected:
            raise _gap(last, report, f"one stops at bit {expected}, the next begins at bit {report.first_bit}")
        if report.first_bit is None:
            continue
        if report.skipped_bytes < report.xml_bytes:  # the range has a page of its own
            if pending != report.skipped_bytes:
                raise _gap(last or report, report, f"one read on {pending} bytes, the next skipped {report.skipped_bytes}")
            pending = report.read_on_bytes
        elif pending < report.xml_bytes:
            raise _gap(last or report, report, f"{report.xml_bytes - pending} bytes are in no page that a range has read")
        else:
            pending -= report.xml_bytes
        expected, last = report.next_bit, report
    if last is not None and (pending or expected is not None):
        raise _gap(last, ordered[-1], "the last range does not end where the file does")


def _gap(one: RangeReport, two: RangeReport, what: str) -> ValueError:
    return ValueError(
        f"two ranges of {one.range.path} do not fit together between bytes {one.range.start:,} and {two.range.end:,}: {what} "
        f"(page {one.last_page_id} before, page {two.first_page_id} after); the file may have changed while it was read"
    )


def _check_streams(ordered: list[RangeReport]) -> list[Damage]:
    """Streams that begin in one range and end in another: their checksum must follow from all blocks between."""
    damage: list[Damage] = []
    state: CrcRun | None = CrcRun()
    for report in ordered:
        if report.range.form != "bz2" or report.first_bit is None:
            continue
        state = _join(state, report.head_run)
        ended = report.n_streams > 0
        if state is not None and state.stored is not None and state.stored != state.folded:
            what = "the checksum of a bzip2 stream is not that of its blocks"
            r = report.range
            damage.append(Damage(r.path, r.start, r.end, what, report.first_page_id, report.last_page_id))
        if ended:
            state = report.tail_run
    return damage


def _join(one: CrcRun | None, two: CrcRun | None) -> CrcRun | None:
    if one is None or two is None:
        return None
    return CrcRun(one.n_blocks + two.n_blocks, fold_crc(one.folded, two.n_blocks, two.folded), two.stored)


def _merge_damage(ordered: list[RangeReport]) -> list[Damage]:
    """All damage once, in order; two ranges see the same place when a page reaches from one into the other."""
    merged: dict[tuple[int, int, str], Damage] = {}
    for position, report in enumerate(ordered):
        for found in report.damage:
            one = merged.setdefault((found.start, found.end, found.what), found)
            if one.page_before is None:
                one.page_before = found.page_before or _last_id(ordered[:position])
            if one.page_after is None:
                later = (r.first_page_id for r in ordered[position + 1 :])
                one.page_after = found.page_after or next((i for i in later if i is not None), None)
    return sorted(merged.values(), key=lambda damage: damage.start)


def _last_id(reports: list[RangeReport]) -> int | None:
    return next((r.last_page_id for r in reversed(reports) if r.last_page_id is not None), None)


def _check_unique(ordered: list[RangeReport], ids: np.ndarray) -> None:
    values, counts = np.unique(ids[ids >= 0], return_counts=True)
    twice = values[counts > 1]
    if len(twice):
        where = [r.range for r in ordered if (r.page_ids == twice[0]).any()]
        raise ValueError(
            f"page {twice[0]} comes {counts[counts > 1][0]} times in {ordered[0].range.path}, in bytes {where[0].start:,} to "
            f"{where[-1].end:,} ({len(twice)} such pages in all): give a dump that has each page once"
        )
