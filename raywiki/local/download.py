"""parts: what a wiki's dump consists of. download: files of it, checked, into a folder or to a URL. They need no cluster."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.corpus import Corpus
from raywiki.dumps.fetch import Advance, fetch, missing_parts, partial_bytes, require_space, sink_for
from raywiki.dumps.find import Found, find_dump
from raywiki.dumps.listing import DumpPart, part_numbers, require_date, require_wiki
from raywiki.dumps.mirrors import CONNECTIONS, MAIN_SITE, Connections, Mirror, mirror_at
from raywiki.files import require_writable
from raywiki.manifest import Manifest
from raywiki.progress import Progress, say
from raywiki.summary import as_html, plural, sentences, table
from raywiki.training.locks import hold_lock

LOCK = ".download.lock"  # in the folder that is written to
Mirrors = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None


@dataclass(frozen=True)
class DumpParts:
    """The parts of a wiki's dump, as `parts` found them.

    `parts` has one dict for each: `number` (what `download` takes), `part` (its id in a corpus), `file`, `first_page` and
    `last_page` (ids; None where one file holds all), `bytes`, `checksum`, and with a corpus `in_corpus`. `layout` is "classic"
    or "content" (an export of all namespaces), `status` "done" unless the date of an unfinished dump was asked for.
    """

    wiki: str
    date: str
    layout: str
    status: str
    mirror: str
    parts: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    _repr_html_ = as_html

    def __str__(self) -> str:
        sizes = [row["bytes"] for row in self.parts]
        size = f", {sum(sizes) / 1e6:,.1f} MB" if None not in sizes else ""
        lines = [f"parts {self.wiki}, {self.layout} dump of {self.date}: {plural(len(self.parts), 'part')}{size}"]
        lines.append(f"  from {self.mirror}")
        rows = [{name: value for name, value in row.items() if name != "file"} for row in self.parts]
        return "\n".join([*lines, *("  " + line for line in table(rows)), *sentences("note", self.notes)])


@dataclass(frozen=True)
class DownloadSummary:
    """What one call of `download` fetched.

    `files` has one dict for each file that was asked for: `file`, `state` ("fetched", "went on" from what an earlier call had
    left, or "there"), `bytes`, `seconds`, and `from`, the mirror it came from. `paths` are their paths or URLs, in order, as
    `extract` and `grow` take them.
    """

    wiki: str
    date: str
    to: str
    files: tuple[dict[str, Any], ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(f"{self.to.rstrip('/')}/{row['file']}" for row in self.files)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "paths": list(self.paths)}

    _repr_html_ = as_html

    def __str__(self) -> str:
        fetched = [row for row in self.files if row["state"] != "there"]
        did = f"{len(fetched)} of {plural(len(self.files), 'file')} fetched" if fetched else "nothing to do, all is there"
        lines = [f"download {self.wiki} of {self.date} to {self.to}: {did} ({self.seconds:.1f} s)"]
        lines += ["  " + line for line in table(self.files)]
        return "\n".join([*lines, *sentences("warning", self.warnings), *sentences("note", self.notes)])


def parts(
    wiki: str, *, date: str | None = None, mirrors: Mirrors = None,
    corpus: str | os.PathLike[str] | Corpus | None = None,
) -> DumpParts:  # fmt: skip
    """List the parts of a wiki's newest complete dump, or of the one of a date.

    Args:
        wiki: such as "enwiki".
        date: "20251101" for the classic dump of that day, also an unfinished one, or where there is none the content export;
            "2025-11-01" for the content export.
        mirrors: addresses of mirrors, or folders that are copies of one, tried in turn; the main site when None.
        corpus: folder or URL of a corpus, of which `in_corpus` tells the parts.

    Raises:
        FileNotFoundError: there is no such dump, or no corpus.
        ValueError: `wiki`, `date` or a mirror cannot be one, or a listing cannot be understood.
        OSError: no mirror can be read.
    """
    committed = Corpus.open(corpus).require().tables()["articles"] if corpus is not None else None
    found, _ = find(wiki, date, mirrors)
    listing = found.listing
    rows = tuple(_row(part) for part in listing.parts)
    if committed is not None:
        there = {part.number: as_committed(part, committed) is not None for part in listing.parts}
        rows = tuple({**row, "in_corpus": there[row["number"]]} for row in rows)
    return DumpParts(listing.wiki, listing.date, listing.layout, listing.status, found.mirror.url, rows, notes_of(found))


def download(
    wiki: str, parts: str | int | Iterable[int], *, to: str | os.PathLike[str], date: str | None = None,
    mirrors: Mirrors = None,
) -> DownloadSummary:  # fmt: skip
    """Fetch parts of a wiki's dump, over three connections at most, and give each file its name when its checksum is right.

    The same call again, whatever interrupted it, goes on from what is there, and fetches no file again that is whole. Numbers
    are those of one dump: name its date to add parts to those that an earlier call fetched.

    Args:
        wiki: such as "enwiki".
        parts: numbers as `parts` shows them: "1-3", "1,4-6", 2 or [1, 2].
        to: folder, made when it is missing, or a URL of fsspec's, where an interrupted file begins again.
        date: of the dump; the newest complete one when None. See `parts`.
        mirrors: see `parts`; the next one is tried when one does not have a file, or has it wrong.

    Returns:
        A summary with the paths of all files that were asked for.

    Raises:
        FileNotFoundError: there is no such dump.
        ValueError: an argument cannot be understood; there is no such part; another download writes to the same folder.
        OSError: a file cannot be had or written, or there is not enough space; other files are fetched all the same, what came
            of this one stays in its `.partial`.
    """
    started, connections = time.monotonic(), Connections(say)
    numbers = numbers_of(parts)
    fs, root, place = target(to)
    found, others = find(wiki, date, mirrors, connections)
    chosen = sized(found.listing.chosen(numbers), found.mirror)
    todo = missing_parts(chosen, place)
    is_local = isinstance(fs, LocalFileSystem)
    if is_local:
        require_space(root, sum(max(0, (part.size or 0) - partial_bytes(part, root)) for part in todo))
    with _alone(root, place) if is_local else nullcontext() as remark:
        todo = missing_parts(todo, place)  # another call may have ended meanwhile
        wrong = [part.name for part in todo if fs.exists(f"{root}/{part.name}")]
        rows = _fetch_all(todo, fs, root, [found.mirror, *others], connections, f"download {wiki}")
    files = tuple(rows.get(part.number) or _file_row(part, "there", fs, root) for part in chosen)
    warnings = tuple(f"{name} was there, but not as the dump's listing says: it was fetched again" for name in wrong)
    notes = (*notes_of(found), *([remark] if remark else []))
    return DownloadSummary(wiki, found.listing.date, place, files, time.monotonic() - started, warnings, notes)


def numbers_of(parts: str | int | Iterable[int]) -> list[int]:
    if not isinstance(parts, str):
        parts = ",".join(str(number) for number in ([parts] if isinstance(parts, int) else parts))
    return part_numbers(parts)


def find(wiki: str, date: str | None, mirrors: Mirrors, connections: Connections | None = None) -> tuple[Found, list[Mirror]]:
    """The dump, and the mirrors beside the one that it was found at."""
    connections = connections or Connections(say)
    require_wiki(wiki)
    if date is not None:
        require_date(date)
    addresses = [mirrors] if isinstance(mirrors, str | os.PathLike) else mirrors or [MAIN_SITE]
    places = [mirror_at(address, connections) for address in dict.fromkeys(os.fspath(address) for address in addresses)]
    with Progress(f"look for {wiki}", 0, "dumps", slow_start=True):  # shows what is waited for
        found = find_dump(wiki, date, places)
    return found, [place for place in places if place is not found.mirror]


def notes_of(found: Found) -> tuple[str, ...]:
    listing = found.listing
    if listing.status != "done":
        return (*found.notes, f"the dump of {listing.date} is not complete (it is {listing.status}): parts may be missing")
    return tuple(f"{note}: the newest that is complete is of {listing.date}" for note in found.notes)


def _row(part: DumpPart) -> dict[str, Any]:
    first, last = part.pages or (None, None)
    row = {"number": part.number, "part": part.part, "file": part.name, "first_page": first, "last_page": last}
    return {**row, "bytes": part.size, "checksum": part.checksum}


def as_committed(part: DumpPart, committed: Mapping[str, Manifest]) -> Manifest | None:
    """A part's manifest in a corpus, if any: by its content where the listing tells the SHA-256, else by id and size."""
    same = (each for each in committed.values() if f"sha256:{each.source.get('sha256')}" == part.checksum)
    if (manifest := next(same, committed.get(part.part))) is None:
        return None
    is_same = f"sha256:{manifest.source.get('sha256')}" == part.checksum or part.size in (None, manifest.source.get("bytes"))
    return manifest if is_same else None


def target(to: str | os.PathLike[str]) -> tuple[AbstractFileSystem, str, str]:
    """The file system of a folder or URL, the path in it, and the place as it was given. Raises before anything is fetched."""
    place = os.fspath(to)
    if not place:
        raise ValueError("the files have no place to go to: give a folder, such as --to dumps")
    try:
        fs, root = url_to_fs(place)
    except (ValueError, ImportError) as error:
        raise ValueError(f"no file can be written to {place} ({error}): give a folder, or a URL such as s3://bucket") from None
    if "http" in fs.protocol or "https" in fs.protocol:
        raise PermissionError(f"nothing can be written to {place}: give a folder, or a store such as s3://bucket/dumps")
    if isinstance(fs, LocalFileSystem):
        require_writable(root)
    return fs, root.rstrip("/") or "/", place


def sized(chosen: Sequence[DumpPart], mirror: Mirror) -> list[DumpPart]:
    """The parts with their sizes, asked for where the listing does not tell."""
    sized = []
    for part in chosen:
        if part.size is None:
            with suppress(OSError):  # whether it can be had is found out when it is fetched, at this mirror or the next
                part = replace(part, size=mirror.size(part.path))
        sized.append(part)
    return sized


def _alone(root: str, place: str) -> AbstractContextManager[Any]:
    return hold_lock(
        Path(root) / LOCK, wait=0, busy=f"another download writes to {place}: wait for its end, or give another folder"
    )


def _fetch_all(
    todo: Sequence[DumpPart], fs: AbstractFileSystem, root: str, mirrors: Sequence[Mirror], connections: Connections, title: str
) -> dict[int, dict[str, Any]]:
    """Fetch files, CONNECTIONS at a time; returns the rows of the summary by the parts' numbers.

    Raises:
        OSError: some could not be had; the others are there.
    """
    is_local = isinstance(fs, LocalFileSystem)
    had = {part.number: partial_bytes(part, root) if is_local else 0 for part in todo}
    faults, rows = list[OSError](), dict[int, dict[str, Any]]()
    with Progress(title, sum(part.size or 0 for part in todo) / 1e6, "MB", slow_start=True) as progress:
        progress.skip(sum(had.values()) / 1e6)
        advance = _counted(progress, connections)
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            works = {threads.submit(_fetch_one, part, fs, root, mirrors, connections, advance): part for part in todo}
            try:
                for work in as_completed(works):
                    number = works[work].number
                    try:
                        rows[number] = {**work.result(), "state": "went on"} if had[number] else work.result()
                    except OSError as error:
                        faults.append(error)
            except BaseException:
                connections.interrupt()
                raise
    if faults:
        more = f" ({plural(len(faults) - 1, 'file')} more failed)" if len(faults) > 1 else ""
        raise OSError(f"{faults[0]}{more}") from faults[0]
    return rows


def _fetch_one(
    part: DumpPart, fs: AbstractFileSystem, root: str, mirrors: Sequence[Mirror], connections: Connections, advance: Advance
) -> dict[str, Any]:
    connections.check()
    began = time.monotonic()
    if isinstance(fs, LocalFileSystem):
        require_space(root, max(0, (part.size or 0) - partial_bytes(part, root)))
    mirror = fetch(part, sink_for(fs, root, part), mirrors, connections, advance)
    return {**_file_row(part, "fetched", fs, root), "seconds": round(time.monotonic() - began, 3), "from": mirror.url}


def _file_row(part: DumpPart, state: str, fs: AbstractFileSystem, root: str) -> dict[str, Any]:
    size = fs.size(f"{root}/{part.name}") if part.size is None else part.size
    return {"file": part.name, "state": state, "bytes": size, "seconds": None, "from": None}


def _counted(progress: Progress, connections: Connections) -> Advance:
    """Counts bytes for the progress, from several threads, and ends them when the call is interrupted."""
    lock = threading.Lock()

    def advance(n_bytes: int) -> None:
        connections.check()
        with lock:
            progress.advance(n_bytes / 1e6)

    return advance
