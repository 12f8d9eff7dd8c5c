"""Which dump of a wiki to take, by the listings of a mirror: the newest that is complete, or that of a date."""

from __future__ import annotations

from dataclasses import dataclass, field

from raywiki.dumps.listing import (
    CONTENT_FOLDER,
    JOB,
    Listing,
    has_stopped,
    newest_dates,
    read_dumpstatus,
    read_sums,
)
from raywiki.dumps.mirrors import Mirror

LOOKED_AT = 6  # dumps of one layout, the newest first: of those before, a server keeps no files


@dataclass
class Found:
    """A listing, the mirror that it is from, and sentences about dumps that were passed over."""

    listing: Listing
    mirror: Mirror
    notes: list[str] = field(default_factory=list)


def find_dump(wiki: str, date: str | None, mirrors: list[Mirror]) -> Found:
    """The dump of a wiki: of the first mirror that has one that will do.

    Without a date it is the newest complete one: a classic dump, unless there is none, or there are content exports so much
    younger that no more classic ones can be expected. A date such as 20251101 means the classic dump of that day, finished or
    not, and where there is none the content export; 2025-11-01 means the content export.

    Raises:
        FileNotFoundError: no mirror has such a dump.
        ValueError: a listing cannot be understood, or names no files.
        OSError: no mirror can be read.
    """
    faults: list[Exception] = []
    for mirror in mirrors:
        try:
            notes: list[str] = []
            listing = _of_date(mirror, wiki, date) if date else _newest(mirror, wiki, notes)
            if listing is None:
                raise FileNotFoundError(_nothing(mirror, wiki, date, notes))
            if not listing.parts:
                raise ValueError(
                    f"the dump of {wiki} of {listing.date} at {mirror.url} names no files yet ({JOB} is {listing.status}): "
                    "wait for it, or take another --date"
                )
            return Found(listing, mirror, notes)
        except (OSError, ValueError) as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    raise OSError("; ".join(map(str, faults)))


def _nothing(mirror: Mirror, wiki: str, date: str | None, notes: list[str]) -> str:
    """That there is no such dump, with what there is."""
    if notes:
        return f"there is no complete dump of {wiki} at {mirror.url}: {'; '.join(notes)}"
    there = [*_dates(mirror, wiki), *_dates(mirror, f"{CONTENT_FOLDER}/{wiki}", dashed=True)] if date else []
    if there:
        return f"there is no dump of {wiki} of {date} at {mirror.url}: the newest are of {', '.join(there[:LOOKED_AT])}"
    of_date = f" of {date}" if date else ""
    return f"there is no dump of {wiki}{of_date} at {mirror.url}: check the name, such as enwiki or simplewiki, and the address"


def _of_date(mirror: Mirror, wiki: str, date: str) -> Listing | None:
    compact = date.replace("-", "")
    dashed = f"{compact[:4]}-{compact[4:6]}-{compact[6:]}"
    classic = _classic(mirror, wiki, date) if date == compact else None
    return classic or _content(mirror, wiki, dashed) or _alone(mirror, wiki, {date, dashed})


def _newest(mirror: Mirror, wiki: str, notes: list[str]) -> Listing | None:
    classic = None
    for date in _dates(mirror, wiki)[:LOOKED_AT]:
        classic = _classic(mirror, wiki, date)
        if classic is not None and classic.status == "done":
            break
        if classic is not None:
            notes.append(f"the dump of {date} is not complete ({JOB} is {classic.status})")
            classic = None
    dates = _dates(mirror, f"{CONTENT_FOLDER}/{wiki}", dashed=True)[:LOOKED_AT]
    if classic is None or (dates and has_stopped(classic.date, dates[0])):
        for date in dates:
            if content := _content(mirror, wiki, date):
                return content
            notes.append(f"the content export of {date} is not complete (it has no SHA256SUMS)")
    return classic or _alone(mirror, wiki, None)


def _classic(mirror: Mirror, wiki: str, date: str) -> Listing | None:
    """The classic dump of a date; from its checksums where a mirror has no dumpstatus.json."""
    folder = f"{wiki}/{date}"
    if (status := _read(mirror, f"{folder}/dumpstatus.json")) is not None:
        return read_dumpstatus(status, f"{mirror.url}/{folder}/dumpstatus.json", wiki, date, folder)
    for kind in ("sha1", "md5"):
        path = f"{folder}/{wiki}-{date}-{kind}sums.txt"
        if sums := _read(mirror, path):
            return read_sums(sums.decode(), f"{mirror.url}/{path}", wiki, date, folder, _names(mirror, folder))
    return None


def _content(mirror: Mirror, wiki: str, date: str) -> Listing | None:
    """The content export of a date, if it is complete."""
    folder = f"{CONTENT_FOLDER}/{wiki}/{date}/xml/bzip2"
    sums = _read(mirror, f"{folder}/SHA256SUMS")
    if not sums:  # not there yet, or just being written
        return None
    return read_sums(sums.decode(), f"{mirror.url}/{folder}/SHA256SUMS", wiki, date, folder, _names(mirror, folder))


def _alone(mirror: Mirror, wiki: str, dates: set[str] | None) -> Listing | None:
    """The dump whose files lie in the root itself, beside what lists them; of one of the dates, if any is asked for."""
    listing = None
    if (status := _read(mirror, "dumpstatus.json")) is not None:
        listing = read_dumpstatus(status, f"{mirror.url}/dumpstatus.json", wiki, None, "")
    elif sums := _read(mirror, "SHA256SUMS"):
        listing = read_sums(sums.decode(), f"{mirror.url}/SHA256SUMS", wiki, None, "", _names(mirror, ""))
    return listing if listing and (dates is None or listing.date in dates) else None


def _dates(mirror: Mirror, folder: str, dashed: bool = False) -> list[str]:
    return newest_dates(_names(mirror, folder), dashed)


def _names(mirror: Mirror, folder: str) -> dict[str, int | None]:
    try:
        return mirror.names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _read(mirror: Mirror, path: str) -> bytes | None:
    try:
        return mirror.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
