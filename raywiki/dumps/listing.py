"""What a dump server says about the dumps of a wiki, as data: pure functions over the text of its listings.

Two layouts are known, both below the root of the main site or of a mirror:

- classic: `<wiki>/<YYYYMMDD>/<wiki>-<YYYYMMDD>-pages-articles<n>.xml-p<first>p<last>.bz2`, or one file without number and page
  ids. `dumpstatus.json` beside them names the files of each job with size, MD5 and SHA-1; the job is `articlesdump`, as
  `articlesmultistreamdump` holds the same pages again and `articlesdumprecombine` the same parts in one file. `files` is
  missing while a job has made none. See https://wikitech.wikimedia.org/wiki/Dumps and the server's own `dumpstatus.json`.
- content: `other/mediawiki_content_current/<wiki>/<YYYY-MM-DD>/xml/bzip2/<wiki>-<YYYY-MM-DD>-p<first>p<last>.xml.bz2`, the
  MediaWiki Content File Exports, which hold the pages of all namespaces. Assumed, as others who read them describe it:
  `SHA256SUMS` beside the files, in the format of sha256sum, appears when all of them are there and lists every one
  (`_SUCCESS` is not always there). There is no other list, so sizes come from the server's index page, where that gives them
  in bytes.

A folder that holds the files of one dump itself, beside its `dumpstatus.json` or `SHA256SUMS`, is read as well.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date as day_of
from datetime import datetime
from urllib.parse import unquote

from raywiki.manifest import part_id

CONTENT_FOLDER = "other/mediawiki_content_current"
JOB = "articlesdump"
# The files of checksums, by the end of their names: the algorithm, and how many digits a checksum has in hex.
SUMS = {"SHA256SUMS": ("sha256", 64), "-sha1sums.txt": ("sha1", 40), "-md5sums.txt": ("md5", 32)}
STOPPED_DAYS = 45  # so much younger than the newest classic dump are content exports where classic dumps are made no more

_FILE = re.compile(
    r"(?P<wiki>[a-z][a-z0-9_]*)-(?P<date>\d{8}|\d{4}-\d\d-\d\d)"
    r"(?:-pages-articles(?P<number>\d*)\.xml)?(?:-p(?P<first>\d+)p(?P<last>\d+))?(?P<content>\.xml)?\.bz2"
)
_LINK = re.compile(r'<a\b[^>]*\bhref="(?P<name>[^"?#]+)"[^>]*>.*?</a>(?P<rest>[^\n]*)', re.I)


@dataclass(frozen=True)
class DumpPart:
    """One file of a wiki's dump: a dump part, as a listing describes it.

    `number` counts from 1 in the order of page ids; `part` is the id that a corpus gives to it; `path` leads to the file from
    the root of a mirror; `pages` are the first and last page id that it may hold, None where one file holds all; `size` is in
    bytes, None where the listing does not tell; `checksum` is "sha1:…", "sha256:…" or "md5:…" in hex, None while the file is
    being made.
    """

    number: int
    part: str
    name: str
    path: str
    pages: tuple[int, int] | None
    size: int | None
    checksum: str | None


@dataclass(frozen=True)
class Listing:
    """The parts of one dump. `status` is "done", or what the server calls the state of a dump that is being made."""

    wiki: str
    date: str
    layout: str
    status: str
    parts: tuple[DumpPart, ...]

    def chosen(self, numbers: Iterable[int]) -> list[DumpPart]:
        """The parts with these numbers. Raises ValueError for a number that no part has, or a part that is not finished."""
        chosen = []
        for number in numbers:
            if number > len(self.parts):
                there = f"parts 1 to {len(self.parts)}" if len(self.parts) > 1 else "one part, number 1"
                raise ValueError(f"the dump of {self.wiki} of {self.date} has {there}, and no part {number}")
            part = self.parts[number - 1]
            if part.checksum is None:
                raise ValueError(f"{part.name} has no checksum in the listing, so it may be unfinished: take another --date")
            chosen.append(part)
        return chosen


def require_wiki(wiki: str) -> str:
    """The name of a wiki itself, or a ValueError where it can be none: it becomes part of an address."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", wiki):
        raise ValueError(f"{wiki!r} is no name of a wiki: give one such as enwiki, simplewiki or zh_min_nanwiki")
    return wiki


def require_date(date: str) -> str:
    """The date itself, or a ValueError where it is none.

    >>> require_date("20251101"), require_date("2025-11-01")
    ('20251101', '2025-11-01')
    """
    try:
        if re.fullmatch(r"\d{8}|\d{4}-\d\d-\d\d", date):
            _day(date)
            return date
    except ValueError:
        pass
    raise ValueError(f"{date!r} is no date of a dump: give one such as 20251101, or 2025-11-01 for a content export")


def part_numbers(text: str) -> list[int]:
    """Numbers of parts, as a user writes them, each once and in order.

    Raises:
        ValueError: it is no list of numbers and ranges that count from 1.

    >>> part_numbers("1-3,7"), part_numbers("2, 1")
    ([1, 2, 3, 7], [1, 2])
    """
    numbers: set[int] = set()
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*", piece)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 0 < first <= last:
            raise ValueError(f"parts {text!r} cannot be understood: give numbers that count from 1, such as 2, 1-3 or 1-3,7")
        numbers.update(range(first, last + 1))
    return sorted(numbers)


def in_ranges(numbers: Iterable[int]) -> str:
    """Numbers as `part_numbers` reads them.

    >>> in_ranges([1, 2, 3, 7]), in_ranges([])
    ('1-3,7', '')
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def read_index(page: str) -> dict[str, int | None]:
    """The names on a web server's index page, folders with `/` at the end, each with its size in bytes where it is told.

    >>> read_index('<a href="20251101/">20251101/</a>  02-Nov-2025 10:00    -')
    {'20251101/': None}
    >>> read_index('<a href="SHA256SUMS">SHA256SUMS</a>  02-Nov-2025 10:00    97')
    {'SHA256SUMS': 97}
    """
    names = {}
    for link in _LINK.finditer(page):
        size = re.search(r"\s(\d+)\s*$", re.sub(r"<[^>]*>", " ", link["rest"]))
        names[unquote(html.unescape(link["name"]))] = int(size[1]) if size else None
    return names


def newest_dates(names: Iterable[str], dashed: bool) -> list[str]:
    """The dates among names of folders, the newest first.

    >>> newest_dates(["20251101/", "latest/", "20251120/", "2025-11-01/"], dashed=False)
    ['20251120', '20251101']
    """
    shape = re.compile(r"\d{4}-\d\d-\d\d" if dashed else r"\d{8}")
    return sorted((name for each in names if shape.fullmatch(name := each.rstrip("/"))), reverse=True)


def has_stopped(classic: str, content: str) -> bool:
    """Whether the newest content export is so much younger than the newest classic dump that no more of those can be expected.

    >>> has_stopped("20251101", "2025-12-01"), has_stopped("20251101", "2026-01-01")
    (False, True)
    """
    return (_day(content) - _day(classic)).days > STOPPED_DAYS


def read_dumpstatus(text: bytes, where: str, wiki: str, date: str | None, folder: str) -> Listing:
    """The listing that a `dumpstatus.json` is.

    Args:
        text: of the file.
        where: its address, for errors.
        wiki, date: which dump it is of; without date it is that of the file names.
        folder: where its files lie, below the root of a mirror.

    Raises:
        ValueError: it is no such file, or names no files of a job that is done.
    """
    try:
        job = json.loads(text)["jobs"][JOB]
        status, files = str(job["status"]), dict(job.get("files") or {})
        described = {str(name): dict(about) for name, about in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{where} is no listing of a dump with a job {JOB}: try another mirror or --date") from None
    sizes = {name: size if isinstance(size := about.get("size"), int) else None for name, about in described.items()}
    sums = {
        name: next((f"{kind}:{str(about[kind]).lower()}" for kind in ("sha1", "md5") if about.get(kind)), None)
        for name, about in described.items()
    }
    parts = _parts("classic", wiki, date, folder, sizes, sums)
    if status == "done" and not parts:
        raise ValueError(f"{where} says that {JOB} is done, but names no files of it: try another mirror or --date")
    return Listing(wiki, _date_of(parts, date), "classic", status, parts)


def read_sums(text: str, where: str, wiki: str, date: str | None, folder: str, sizes: Mapping[str, int | None]) -> Listing:
    """The listing that a `SHA256SUMS` of a content export is, or the `…sums.txt` of a classic dump; see `read_dumpstatus`.

    Args:
        where: the address of the file, whose name tells which checksums these are.
        sizes: of the files in bytes, as far as they are known.

    Raises:
        ValueError: it names no part of the wiki's dump.
    """
    kind, digits = next(about for end, about in SUMS.items() if where.endswith(end))
    sums: dict[str, str | None] = {}
    for line in text.splitlines():
        if match := re.fullmatch(rf"([0-9a-fA-F]{{{digits}}}) [ *](?:\./)?(\S+)\s*", line):
            sums[match[2]] = f"{kind}:{match[1].lower()}"
    layout = "content" if kind == "sha256" else "classic"
    parts = _parts(layout, wiki, date, folder, {name: sizes.get(name) for name in sums}, sums)
    if not parts:
        raise ValueError(f"{where} names no part of a dump of {wiki}: try another mirror or --date")
    return Listing(wiki, _date_of(parts, date), layout, "done", parts)


def _parts(
    layout: str, wiki: str, date: str | None, folder: str, sizes: Mapping[str, int | None], sums: Mapping[str, str | None]
) -> tuple[DumpPart, ...]:
    """The files that are parts of a dump, in the order of page ids, of the newest date when `date` is None."""
    found = {}
    for path in sizes:
        match = _FILE.fullmatch(path.rpartition("/")[2])
        if match and match["wiki"] == wiki and _layout(match) == layout:
            found[path] = match
    date = date or max((match["date"] for match in found.values()), default="")
    found = {path: match for path, match in found.items() if match["date"] == date}
    if any(match["first"] for match in found.values()):  # else the one file that holds all of them would be a part too
        found = {path: match for path, match in found.items() if match["first"]}
    ordered = sorted(found.items(), key=lambda item: (int(item[1]["first"] or 0), int(item[1]["number"] or 0), item[0]))
    return tuple(
        DumpPart(
            number,
            part_id(match[0], ""),
            match[0],
            f"{folder}/{path}".lstrip("/"),
            (int(match["first"]), int(match["last"])) if match["first"] else None,
            sizes[path],
            sums.get(path),
        )
        for number, (path, match) in enumerate(ordered, start=1)
    )


def _layout(match: re.Match[str]) -> str | None:
    """The layout that the name of a file is of: "…-pages-articles….xml…" or "…-p1p9.xml.bz2"."""
    if match["content"]:
        return "content" if match["number"] is None and match["first"] else None
    return None if match["number"] is None else "classic"


def _date_of(parts: tuple[DumpPart, ...], date: str | None) -> str:
    match = _FILE.fullmatch(parts[0].name) if parts else None
    return match["date"] if match else date or ""


def _day(date: str) -> day_of:
    return datetime.strptime(date.replace("-", ""), "%Y%m%d").date()
